"""How long the checks of outputs take, beside the least that any of them has to do.

``python -m benchmarks.speed`` times, in one run, the argmax and the counting of a confusion matrix
by NumPy, scikit-learn's ``classification_report``, and all checks of the suite on logits, answers
and labels; the time's growth from n to 2 n; and the memory taken beyond the inputs.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import classification_report

from pytest_bertcheck import Evidence
from pytest_bertcheck.checks import run_checks

ROUNDS = 7


def main() -> int:
    """Run the benchmark; 1 if a goal is missed."""
    n, num_labels = 1_000_000, 5
    y_true, logits, y_pred = session(n, num_labels)

    def count() -> Any:
        return np.bincount(num_labels * y_true + logits.argmax(1), minlength=num_labels**2)

    least = best(count)
    checks = best(lambda: judge(y_true, logits, y_pred))
    report = best(lambda: classification_report(y_true, y_pred), rounds=2)
    twice = session(2 * n, num_labels)
    double = best(lambda: judge(*twice))
    small = best(lambda: judge(y_true[:10_000], logits[:10_000], y_pred[:10_000]))
    wide = session(20_000, 10_000)
    many = best(lambda: judge(*wide), rounds=2)
    memory = peak(lambda: judge(y_true, logits, y_pred)) / y_pred.nbytes

    print(f"n = {n:,}, C = {num_labels}, float32, best of {ROUNDS}, one run")
    goals = [
        ("argmax and bincount", f"{least:.1f} ms", ""),
        ("all checks of outputs", f"{checks:.1f} ms", ""),
        ("  ratio to argmax and bincount", f"{checks / least:.2f}", "at most 1.5"),
        ("  ratio to classification_report", f"{checks / report:.3f}", "at most 0.1"),
        ("  ratio of 2 n to n", f"{double / checks:.2f}", "at most 2.2"),
        ("  peak memory, in copies of y_pred", f"{memory:.2f}", "at most 1"),
        ("n = 10,000", f"{small:.1f} ms", "under 20 ms"),
        ("n = 20,000, C = 10,000", f"{many:.0f} ms", ""),
    ]
    for name, value, goal in goals:
        print(f"{name:40}{value:>12}  {goal}")
    reached = (
        checks <= 1.5 * least,
        checks <= report / 10,
        double <= 2.2 * checks,
        memory <= 1,
        small < 20,
    )
    return 0 if all(reached) else 1


def session(n: int, num_labels: int) -> tuple[Any, Any, Any]:
    """Return labels, float32 logits and answers of a model that is right nine times in ten."""
    generator = np.random.default_rng(0)
    y_true = generator.integers(0, num_labels, n)
    logits = generator.normal(size=(n, num_labels)).astype(np.float32)
    logits[np.arange(n), y_true] += 3
    return y_true, logits, logits.argmax(1)


def judge(y_true: Any, logits: Any, y_pred: Any) -> None:
    """Run all checks that outputs, answers and labels allow, the evidence's validation included."""
    run_checks(Evidence(y_true=y_true, logits=logits, y_pred=y_pred))


def best(function: Callable[[], Any], *, rounds: int = ROUNDS) -> float:
    """Return the shortest time of a call, in ms: what else a machine does only ever adds."""
    shortest = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        shortest = min(shortest, time.perf_counter() - start)
    return 1000 * shortest


def peak(function: Callable[[], Any]) -> float:
    """Return the most memory that a call holds at once, in bytes."""
    function()
    tracemalloc.start()
    function()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return float(most)


if __name__ == "__main__":
    sys.exit(main())
