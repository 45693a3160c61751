"""The gate against a committed baseline: false alarms, power, and crashes while it is written.

Run it as ``python -m benchmarks.regression`` from the repository. Exits with 1 if equally good
models fail more often than alpha, the power is not that of the table, or an update that was killed
or raced with others left anything but a whole baseline.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy import stats

from pytest_bertcheck import Evidence, statistics
from pytest_bertcheck.baselines import read_baseline, update_baseline
from pytest_bertcheck.checks import ALPHA, find_check
from pytest_bertcheck.findings import Verdict

__all__ = ["TABLE", "evidence_of", "kill_at_random", "race", "simulated_power"]

TABLE = {500: 0.39, 1000: 0.78, 2000: 0.99}
"""Examples -> power at alpha .01 where 3 % of the answers flip to wrong and 1 % to right."""
LOST, WON, TABLE_ALPHA = 0.03, 0.01, 0.01
UPDATE = """
import sys
from pathlib import Path
from benchmarks.regression import evidence_of
from pytest_bertcheck.baselines import update_baseline
for number in range(int(sys.argv[2]), int(sys.argv[2]) + int(sys.argv[3])):
    print(number, flush=True)
    update_baseline(Path(sys.argv[1]), evidence_of(number))
"""
ROOT = Path(__file__).parents[1]


def simulated_power(n: int, *, sessions: int, seed: int = 0) -> float:
    """Return the share of simulated regressions of the table that the check fails."""
    generator = np.random.default_rng(seed)
    check = find_check("no_regression")
    found = 0
    for _ in range(sessions):
        kind = generator.choice(3, n, p=[LOST, WON, 1 - LOST - WON])
        y_true = generator.integers(0, 3, n)
        wrong = (y_true + 1) % 3
        evidence = Evidence(
            y_true=y_true,
            y_pred=np.where(kind == 0, wrong, y_true),
            baseline_y_pred=np.where(kind == 1, wrong, y_true),
        )
        found += check(evidence, alpha=TABLE_ALPHA).verdict is Verdict.FAILED
    return found / sessions


def false_alarms(pairs: int, *, alpha: float, seed: int = 0) -> dict[str, int]:
    """Return how often each check fails one of two equally good models that err partly alike."""
    generator = np.random.default_rng(seed)
    failed = dict.fromkeys(("no_regression", "no_class_regression"), 0)
    for _ in range(pairs):
        n, labels = int(generator.integers(50, 3000)), int(generator.integers(2, 10))
        y_true = generator.integers(0, labels, n)
        accuracy, alike = generator.uniform(0.4, 0.99), generator.uniform(0, 0.95)
        wrong = (y_true + generator.integers(1, labels, (2, n))) % labels
        first, second = np.where(generator.random((2, n)) < accuracy, y_true, wrong)
        evidence = Evidence(
            y_true=y_true,
            y_pred=np.where(generator.random(n) < alike, first, second),
            baseline_y_pred=first,
        )
        for name in failed:
            failed[name] += find_check(name)(evidence, alpha=alpha).verdict is Verdict.FAILED
    return failed


ROWS = 2000


def evidence_of(number: int) -> Evidence:
    """Return evidence of a model that answers ``number`` rows wrongly, of the same examples."""
    rows = np.arange(ROWS)
    y_true = rows % 3
    return Evidence(
        y_true=y_true,
        y_pred=np.where(rows < number, (y_true + 1) % 3, y_true),
        dataset_label_names=["business", "culture", "sport"],
        example_keys=[f"article {row}" for row in range(ROWS)],
    )


def kill_at_random(folder: Path, times: int, *, seed: int = 0) -> tuple[int, list[str]]:
    """Kill a process at random moments while it writes a baseline again and again.

    Returns at how many different models the baseline was found, and what was wrong: after each kill
    it has to be whole, and to hold the last model that the process began to write, or the one
    before.
    """
    generator = np.random.default_rng(seed)
    path = folder / "killed.json"
    update_baseline(path, evidence_of(0))
    held, problems, seen = 0, [], set()
    for _ in range(times):
        start = held + 1
        command = [sys.executable, "-c", UPDATE, str(path), str(start), "100000"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            # A number is written before its model is: however slow, some are whole by then.
            begun = [int(process.stdout.readline()) for _ in range(generator.integers(1, 4))]
            time.sleep(float(generator.uniform(0, 0.05)))
            process.send_signal(signal.SIGKILL)
            begun += [int(line) for line in process.stdout.read().split()]
        try:
            baseline = read_baseline(path)
        except (OSError, ValueError) as error:
            problems.append(f"unreadable: {error}")
            continue
        found = int((baseline.y_pred != evidence_of(0).y_true).sum())
        old, new = (held if len(begun) == 1 else begun[-2]), begun[-1]
        if found not in (old, new) or (baseline.y_pred != evidence_of(found).y_pred).any():
            problems.append(f"neither {old} nor {new}: {found} wrong rows")
        if baseline.summary["metrics"]["accuracy"]["value"] != round(1 - found / ROWS, 6):
            problems.append(f"summary and answers are of two models: {found} wrong rows")
        held = found
        seen.add(found)
    return len(seen), problems


def race(folder: Path, processes: int) -> list[str]:
    """Let processes update one baseline at the same time, and return what was lost."""
    path = folder / "raced.json"
    started = [
        subprocess.Popen([sys.executable, "-c", UPDATE, str(path), str(number), "1"], cwd=ROOT,
                         stdout=subprocess.DEVNULL)
        for number in range(processes)
    ]  # fmt: skip
    codes = [process.wait() for process in started]
    problems = [f"an updater exited with {code}" for code in codes if code]
    gates = read_baseline(path).summary["gates"]
    if gates != processes:
        problems.append(f"{processes} updates, {gates} are counted")
    left = [file.name for file in folder.glob("raced-*")]
    return problems + [f"left behind: {left}"] * (len(left) != 1)


def main() -> int:
    """Run the benchmark and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.regression", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--pairs", type=int, default=2000, help="Pairs of equally good models")
    parser.add_argument("--sessions", type=int, default=2000, help="Regressions for each power")
    parser.add_argument("--kills", type=int, default=200, help="Updates that are killed")
    options = parser.parse_args()
    bad = False

    print(f"{options.pairs:,} pairs of equally good models")
    for alpha in (ALPHA, 0.01, 0.05):
        for name, failed in false_alarms(options.pairs, alpha=alpha).items():
            low, high = statistics.clopper_pearson(failed, options.pairs, 0.05)
            bad |= low > alpha
            print(f"  alpha {alpha:<6g} {name:20} {failed:4} failed, rate {low:.5f} to {high:.5f}")

    print(f"\npower at alpha {TABLE_ALPHA:g}, {LOST:.0%} flip to wrong and {WON:.0%} to right")
    print("       n   table   exact   simulated")
    for n, wanted in TABLE.items():
        exact = statistics.paired_worse_power(n, LOST, WON, TABLE_ALPHA)
        found = simulated_power(n, sessions=options.sessions)
        trials = round(found * options.sessions)
        bad |= stats.binomtest(trials, options.sessions, exact).pvalue < 1e-3
        print(f"  {n:6,}   {wanted:5.2f}   {exact:5.3f}   {found:9.3f}")

    with tempfile.TemporaryDirectory() as folder:
        models, problems = kill_at_random(Path(folder), options.kills)
        print(f"\n{options.kills} updates killed: {models} models seen, {len(problems)} problems")
        lost = race(Path(folder), 8)
        print(f"8 updaters at the same time: {lost or 'none lost'}")
        print(*problems[:5], sep="\n", end="")
    return 1 if bad or problems or lost else 0


if __name__ == "__main__":
    sys.exit(main())
