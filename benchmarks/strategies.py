"""How fast the strategies draw, and whether the checks find what they put in, over many cases.

Exits with 1 if ``label_swaps()`` draws fewer than the promised 500 examples a second, if a check
fails on a healthy bundle more often than ``alpha`` allows, if a fault is missed by every check that
owns it, or if another cause is named for certain.
"""

from __future__ import annotations

import argparse
import collections
import sys
import time
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pytest_bertcheck import Evidence, Verdict, diagnose, strategies
from pytest_bertcheck.checks import ALPHA, all_checks
from pytest_bertcheck.strategies import FAULTS, evidences

PROMISED = {"label_swaps": 500}
"""Examples a second."""
ENOUGH = 150
"""Examples of a bundle with which a check that can tell a fault at all has the data to."""


def main() -> int:
    """Run the benchmark and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=2000, help="Examples of each strategy")
    parser.add_argument("--cases", type=int, default=5000, help="Cases of the round trip")
    arguments = parser.parse_args()
    slow = report_rates(arguments.examples)
    wrong = report_round_trip(arguments.cases)
    return 1 if slow or wrong else 0


def report_rates(examples: int) -> list[str]:
    """Print how many examples each strategy draws in a second, and return those too slow."""
    print(f"examples a second of processor time, {examples} of each, defaults throughout")
    slow = []
    for name in strategies.__all__:
        if not name[0].islower():
            continue
        started = time.process_time()
        drawn = each(getattr(strategies, name)(), examples, lambda value: None)
        rate = drawn / (time.process_time() - started)
        promised = PROMISED.get(name, 0)
        print(f"  {name:30}{rate:8,.0f}" + (f"   promised {promised}" if promised else ""))
        if rate < promised:
            slow.append(name)
    return slow


def report_round_trip(cases: int) -> int:
    """Print what the checks make of bundles with each fault, and return how many they got wrong."""
    number = cases // (len(FAULTS) + 4)
    failures: collections.Counter[bool] = collections.Counter()
    drawn = each(evidences(), 4 * number, lambda evidence: failures.update([fails(evidence)]))
    print(f"\n{failures[True]} of {drawn} healthy bundles fail a check; alpha is {ALPHA:g}\n")
    wrong = int(failures[True] > ALPHA * drawn)
    outcomes = ("found", "undecided", "no check", "missed", "other certain")
    print(f"{'fault':32}" + "".join(f"{outcome:>15}" for outcome in outcomes))
    for fault in FAULTS:
        counts: collections.Counter[str] = collections.Counter()
        bundles = evidences(fault, min_size=ENOUGH)
        each(bundles, number, lambda e, f=fault, c=counts: c.update([outcome_of(e, f)]))
        print(f"{fault:32}" + "".join(f"{counts[outcome]:15}" for outcome in outcomes))
        wrong += counts["missed"] + counts["other certain"]
    return wrong


def fails(evidence: Evidence) -> bool:
    """Return whether any check fails."""
    return any(finding.verdict is Verdict.FAILED for finding in diagnose(evidence).findings)


def outcome_of(evidence: Evidence, fault: str) -> str:
    """Return what the checks that own a fault make of it."""
    diagnosis = diagnose(evidence)
    if any(cause.certain and cause.code != fault for cause in diagnosis.causes):
        return "other certain"
    owners = {check.name for check in all_checks() if fault in check.causes}
    verdicts = {
        finding.verdict
        for finding in diagnosis.findings
        if finding.check in owners
        and (finding.verdict is not Verdict.FAILED or fault in finding.causes)
    } - {Verdict.SKIPPED}
    if not verdicts:
        return "no check"
    if Verdict.FAILED in verdicts:
        return "found"
    return "undecided" if Verdict.INCONCLUSIVE in verdicts else "missed"


def each(strategy: st.SearchStrategy[object], examples: int, consume: Callable[..., object]) -> int:
    """Draw so many examples as a test does, and return how many there were."""
    drawn = 0

    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],  # the judging counts too
    )
    @given(strategy)
    def draw(value: object) -> None:
        nonlocal drawn
        drawn += 1
        consume(value)

    draw()
    return drawn


if __name__ == "__main__":
    sys.exit(main())
