"""How long the web page of a large evaluation set takes, and how large it is.

Exits with 1 if a page takes more than 3 s or 5 MB, which is what was promised for 100,000 examples.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np

from pytest_bertcheck import Evidence, diagnose
from pytest_bertcheck.reports.html import render_html
from pytest_bertcheck.reports.results import Result, Results, plot_data

PROMISED_SECONDS, PROMISED_MB = 3.0, 5.0


def evidence_of(generator: np.random.Generator, n: int, num_labels: int) -> Evidence:
    """Return a healthy bundle with a loss for each of its rows, as a long training has one."""
    y_true = generator.integers(0, num_labels, n)
    logits = generator.normal(0, 1, (n, num_labels)).astype(np.float32)
    logits[np.arange(n), y_true] += 3
    loss = np.linspace(1, 0.1, n)
    return Evidence(y_true=y_true, logits=logits, y_train=y_true, loss=loss, val_loss=loss[::1000])


def main() -> int:
    """Run the benchmark and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=100_000, help="Examples")
    n = parser.parse_args().n
    kept = True
    for num_labels in (2, 5, 50):
        evidence = evidence_of(np.random.default_rng(0), n, num_labels)
        diagnosis = diagnose(evidence)
        started = time.perf_counter()
        result = Result(name="", source="", diagnosis=diagnosis, plots=plot_data(evidence))
        page = render_html(Results((result,)))
        seconds, megabytes = time.perf_counter() - started, len(page.encode()) / 1e6
        print(f"{n:,} examples, {num_labels} labels: {seconds:.2f} s, {megabytes:.2f} MB")
        kept &= seconds <= PROMISED_SECONDS and megabytes <= PROMISED_MB
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
