"""How often checks fail healthy pipelines: every check, and the suite, on simulated sessions.

Run it as ``python -m benchmarks.calibration`` from the repository. Exits with 1 if a check fails
significantly more often than alpha allows, or could not be asked.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import inspect
import multiprocessing
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from pytest_bertcheck import Evidence
from pytest_bertcheck.checks import ALPHA, Check, all_checks, run_checks
from pytest_bertcheck.findings import Verdict
from pytest_bertcheck.messages import probability
from pytest_bertcheck.statistics import clopper_pearson

from .simulation import CELLS, FACTORS, OUTPUTS, RECORDED, Session, numbered_session

__all__ = ["Outcomes", "Worst", "simulate"]

SUITE = "the suite, by Holm"
AT_ONCE = 100
"""Sessions that a process is given at a time."""
SHOWN = 3
"""False failures of each check that are quoted."""
CODES = {verdict: code for code, verdict in enumerate(Verdict)}
SKIPPED, FAILED, UNDECIDED = (
    CODES[verdict] for verdict in (Verdict.SKIPPED, Verdict.FAILED, Verdict.INCONCLUSIVE)
)


# Limits that a test's author sets: what is true of the session, the hardest that must pass


def _limit_of_contradictions(session: Session, generator: np.random.Generator) -> dict[str, Any]:
    """Take the share of labels that is contradicted where all are right, and twice its error."""
    labels_clean = next(item for item in all_checks() if item.name == "labels_clean")
    y_train, rows, found = session.evidence.y_train, 0, 0
    while rows < 4000:
        probabilities = session.reference(generator)
        evidence = Evidence(y_train=y_train, train_reference_probabilities=probabilities)
        rows += len(y_train)
        found += labels_clean(evidence, max_share=0.5).statistics["contradicted"]
    share = (found + 2 * np.sqrt(found)) / rows
    return {"max_share": float(np.clip(share, 1e-3, 0.999))}


LIMITS: dict[str, Callable[[Session, np.random.Generator], dict[str, Any]]] = {
    "labels_clean": _limit_of_contradictions,
    "every_class_predicted": lambda session, _: {
        "min_recall": float(np.clip(session.recalls.min(), 1e-9, 0.999))
    },
    "few_negative_flips": lambda session, _: {
        "max_rate": float(np.clip(session.negative_flip_rate, 1e-9, 0.999))
    },
    # As high as the author may set it, or anything below.
    "metric_at_least": lambda session, generator: {
        "limit": session.accuracy * float(generator.choice([1.0, generator.random()]))
    },
}
"""Check that is asked on request only -> the limit that its author may set for a session."""


def unasked(item: Check) -> tuple[str, ...]:
    """Return the options that a check cannot be asked without, and that nobody set."""
    if item.name in LIMITS:
        return ()
    parameters = inspect.signature(item.function).parameters.values()
    return tuple(p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.default is p.empty)


# Running


@dataclass(frozen=True)
class Task:
    """Some sessions for one process."""

    numbers: range
    seed: int
    alpha: float


def run(task: Task) -> list[tuple[tuple[int, ...], list[int], dict[str, str]]]:
    """Run all checks on each session; return where it lies, the verdicts, and what failed."""
    return [judge(numbered_session(number, task.seed), task, number) for number in task.numbers]


def judge(
    session: Session, task: Task, number: int
) -> tuple[tuple[int, ...], list[int], dict[str, str]]:
    """Run all checks, and the suite, on one session."""
    generator = np.random.default_rng(np.random.SeedSequence(task.seed, spawn_key=(number, 1)))
    verdicts, summaries, suspected = [], {}, False
    for item in all_checks():
        if unasked(item):
            verdicts.append(SKIPPED)
            continue
        known = item.name in LIMITS and not item.missing(session.evidence)
        options = LIMITS[item.name](session, generator) if known else {}
        try:
            finding = item(session.evidence, alpha=task.alpha, **options)
        except Exception as error:
            raise RuntimeError(f"{item.name} broke down on session {number}") from error
        verdicts.append(CODES[finding.verdict])
        if finding.verdict is Verdict.FAILED:
            summaries[item.name] = finding.summary
            suspected |= item.suite
    # Holm's method fails nothing that would not fail alone.
    failed = suspected and [
        finding.summary
        for finding in run_checks(session.evidence, alpha=task.alpha)
        if finding.verdict is Verdict.FAILED
    ]
    verdicts.append(FAILED if failed else CODES[Verdict.PASSED])
    if failed:
        summaries[SUITE] = failed[0]
    where = (
        CELLS.index(session.cell),
        OUTPUTS.index(session.outputs),
        [*RECORDED].index(session.recorded),
    )
    return where, verdicts, summaries


def simulate(sessions: int, *, alpha: float = ALPHA, seed: int = 0, processes: int = 1) -> Outcomes:
    """Run every check on simulated sessions; the outcome does not depend on ``processes``."""
    tasks = [
        Task(range(start, min(start + AT_ONCE, sessions)), seed, alpha)
        for start in range(0, sessions, AT_ONCE)
    ]
    done = [row for rows in _progress(_results(tasks, processes), len(tasks)) for row in rows]
    where, verdicts, summaries = zip(*done, strict=True)
    return Outcomes(
        alpha=alpha,
        seed=seed,
        checks=(*(item.name for item in all_checks()), SUITE),
        where=np.array(where),
        verdicts=np.array(verdicts, dtype=np.int8),
        summaries=summaries,
    )


def _results(tasks: list[Task], processes: int) -> Iterator[Any]:
    if processes == 1:
        yield from map(run, tasks)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap(run, tasks)


def _progress(results: Iterable[Any], total: int) -> Iterable[Any]:
    """Show on a terminal how far it is, if tqdm is installed."""
    try:
        from tqdm import tqdm
    except ImportError:
        return results
    shown: Iterable[Any] = tqdm(
        results, total=total, unit=f"x{AT_ONCE} sessions", leave=False, disable=None
    )
    return shown


# Counting


@dataclass(frozen=True)
class Worst:
    """The cell of a check that looks worst, and how probable it is that the worst looks so."""

    cell: str
    failed: int
    asked: int
    by_chance: float


@dataclass(frozen=True)
class Outcomes:
    """Verdicts of all checks on all sessions.

    Attributes
    ----------
    alpha, seed
        Of the run.
    checks
        Names of the checks, then the suite.
    where
        Number of the cell, of the outputs and of the recorded fields, (sessions, 3) int.
    verdicts
        Code of each verdict, (sessions, checks) int.
    summaries
        For each session, check -> first line of its false failure.
    """

    alpha: float
    seed: int
    checks: tuple[str, ...]
    where: npt.NDArray[np.intp]
    verdicts: npt.NDArray[np.int8]
    summaries: tuple[dict[str, str], ...]

    def counts(self, check: str, code: int, rows: Any = slice(None)) -> int:
        """Return how many sessions got this verdict."""
        return int(np.count_nonzero(self.verdicts[rows, self.checks.index(check)] == code))

    def asked(self, check: str, rows: Any = slice(None)) -> int:
        """Return how many sessions had the fields that the check needs."""
        return len(self.verdicts[rows]) - self.counts(check, SKIPPED, rows)

    def failed(self, check: str, rows: Any = slice(None)) -> int:
        """Return how many sessions the check failed, all of them falsely."""
        return self.counts(check, FAILED, rows)

    def most(self, check: str) -> float:
        """Return the 95 % upper bound of the rate of false failures (Clopper and Pearson)."""
        return clopper_pearson(self.failed(check), self.asked(check), 0.1)[1]

    def too_many(self, check: str) -> bool:
        """Whether the rate is above alpha: the lower bound, at 95 % over all checks together."""
        level = 0.1 / len(self.checks)
        return clopper_pearson(self.failed(check), self.asked(check), level)[0] > self.alpha

    def by_cell(self, check: str) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Return the numbers of sessions asked and failed in each cell of the grid."""
        verdicts, cells = self.verdicts[:, self.checks.index(check)], self.where[:, 0]
        asked = np.bincount(cells[verdicts != SKIPPED], minlength=len(CELLS))
        return asked, np.bincount(cells[verdicts == FAILED], minlength=len(CELLS))

    def worst(self, check: str) -> Worst:
        """Return the cell whose failures are least probable at a rate of alpha."""
        asked, failed = self.by_cell(check)
        p_values = stats.binom.sf(failed - 1, asked, self.alpha)
        cell = int(p_values.argmin())
        # In each cell, the fewest failures that would be as improbable, and how probable those are.
        none_worse = 1.0
        for size, cells in zip(*np.unique(asked, return_counts=True), strict=True):
            tails = stats.binom.sf(np.arange(-1, size), size, self.alpha)
            as_bad = tails[tails <= p_values[cell] * (1 + 1e-9)]
            none_worse *= (1 - as_bad.max(initial=0)) ** cells
        return Worst(str(CELLS[cell]), int(failed[cell]), int(asked[cell]), 1 - none_worse)

    def levels(self) -> Iterator[tuple[str, dict[str, npt.NDArray[np.bool_]]]]:
        """Yield what sessions differ in, with the sessions of each of its levels."""
        for factor, levels in FACTORS.items():
            own = [getattr(cell, factor) for cell in CELLS]
            yield (
                factor,
                {
                    str(level): np.isin(
                        self.where[:, 0], [i for i, o in enumerate(own) if o == level]
                    )
                    for level in levels
                },
            )
        for column, (factor, levels) in enumerate(
            (("outputs", OUTPUTS), ("recorded", RECORDED)), 1
        ):
            yield (
                factor,
                {level: self.where[:, column] == number for number, level in enumerate(levels)},
            )


# Reporting


def report(outcomes: Outcomes) -> Iterator[str]:
    """Yield the lines of the report."""
    sessions = len(outcomes.verdicts)
    cells = len(np.unique(outcomes.where[:, 0]))
    yield (
        f"{sessions:,} healthy sessions of {cells:,} cells, alpha {outcomes.alpha:g}, "
        f"seed {outcomes.seed}"
    )
    yield ""
    yield f"{'check':28}{'asked':>8}{'undecided':>11}{'failed':>8}{'rate':>10}{'at most':>10}"
    for check in outcomes.checks:
        asked, failed = outcomes.asked(check), outcomes.failed(check)
        yield (
            f"{check:28}{asked:8,}{outcomes.counts(check, UNDECIDED):11,}{failed:8,}"
            f"{failed / max(asked, 1):10.5f}{outcomes.most(check):10.5f}"
            + (f"  above {outcomes.alpha:g}" if outcomes.too_many(check) else "")
        )
    for item in all_checks():
        if unasked(item):
            yield f"{item.name} was not asked: benchmarks/calibration.py sets no {unasked(item)}"
    yield "asked: fields at hand; at most: 95 % upper bound (Clopper-Pearson)"
    yield from _worst_cells(outcomes)
    for factor, levels in outcomes.levels():
        yield ""
        width = 2 + max(13, *map(len, levels))
        yield f"{'failed/asked by ' + factor:28}" + "".join(f"{level:>{width}}" for level in levels)
        for check in outcomes.checks:
            counts = (
                f"{outcomes.failed(check, rows):,}/{outcomes.asked(check, rows):,}"
                for rows in levels.values()
            )
            yield f"{check:28}" + "".join(f"{shown:>{width}}" for shown in counts)


def _worst_cells(outcomes: Outcomes) -> Iterator[str]:
    yield ""
    yield "worst cell of each check that failed, and how often the worst of all cells is as bad"
    yield "at a rate of exactly alpha"
    failing = [check for check in outcomes.checks if outcomes.failed(check)]
    if not failing:
        yield "  none failed in any cell"
    for check in failing:
        worst = outcomes.worst(check)
        bound = clopper_pearson(worst.failed, worst.asked, 0.1)[1]
        yield (
            f"  {check}: {worst.cell}: {worst.failed}/{worst.asked} failed, "
            f"rate {worst.failed / worst.asked:.3f}, at most {bound:.3f}; "
            f"by chance {probability(worst.by_chance)}"
        )
        numbers = [i for i, failures in enumerate(outcomes.summaries) if check in failures]
        for number in numbers[:SHOWN]:
            yield (
                f"    numbered_session({number}, {outcomes.seed}): "
                f"{outcomes.summaries[number][check]}"
            )


def write_cells(outcomes: Outcomes, path: Path) -> None:
    """Write the numbers of every cell and check, none left out."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*FACTORS, "check", "asked", "failed"])
        for check in outcomes.checks:
            counts = zip(CELLS, *outcomes.by_cell(check), strict=True)
            for cell, asked, failed in counts:
                writer.writerow([*dataclasses.astuple(cell), check, asked, failed])


def main() -> int:
    """Run the benchmark and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.calibration", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--sessions", type=int, default=20_000, help="Healthy sessions")
    parser.add_argument("--alpha", type=float, default=ALPHA, help="Error rate of each check")
    parser.add_argument("--seed", type=int, default=0, help="Seed of the sessions")
    parser.add_argument("--processes", type=int, default=2, help="Processes that share the work")
    parser.add_argument("--cells", type=Path, help="CSV file for the numbers of every cell")
    options = parser.parse_args()

    outcomes = simulate(
        options.sessions, alpha=options.alpha, seed=options.seed, processes=options.processes
    )
    print("\n".join(report(outcomes)))
    if options.cells:
        write_cells(outcomes, options.cells)
    above = any(map(outcomes.too_many, outcomes.checks))
    return 1 if above or any(map(unasked, all_checks())) else 0


if __name__ == "__main__":
    sys.exit(main())
