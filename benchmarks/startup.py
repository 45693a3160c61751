"""What the plugin costs a run that does not use it: start pytest with and without it, many times.

Run it with the Python of an environment into which the wheel of pytest-bertcheck was installed.
Exits 1 if the installed, unused plugin adds more than the promised 2 ms.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROMISED_MS = 2.0
VARIANTS = {"with": (), "without": ("-p", "no:bertcheck")}


def main() -> int:
    """Run the benchmark and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=100, help="Runs of each variant")
    rounds = parser.parse_args().rounds

    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        (project / "test_empty.py").write_text("def test_empty(): pass\n", encoding="utf-8")
        best = best_times(project, rounds)
        imports = min(import_time(project) for _ in range(10))

    difference = best["with"] - best["without"]
    print(f"best of {rounds} runs each, interleaved, {sys.implementation.cache_tag}")
    for variant, milliseconds in best.items():
        print(f"  {variant + ' the plugin':20}{milliseconds:8.2f} ms")
    print(f"  {'difference':20}{difference:8.2f} ms  (ratio {best['with'] / best['without']:.4f})")
    print(f"  {'of that, imports':20}{imports:8.2f} ms")
    print(f"  {'promised, at most':20}{PROMISED_MS:8.2f} ms")
    return 0 if difference <= PROMISED_MS else 1


def best_times(project: Path, rounds: int) -> dict[str, float]:
    """The shortest run of each variant, in ms: what noise there is only ever adds."""
    best = dict.fromkeys(VARIANTS, float("inf"))
    run(project)  # writes the byte code that later runs read
    for _ in range(rounds):
        for variant, options in VARIANTS.items():
            best[variant] = min(best[variant], run(project, *options))
    return best


def run(project: Path, *options: str) -> float:
    """Run pytest on the empty test and return how long it took, in ms."""
    started = time.perf_counter()
    python(project, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options)
    return 1000 * (time.perf_counter() - started)


def import_time(project: Path) -> float:
    """How long importing the plugin takes once pytest is there, in ms."""
    code = (
        "import pytest, time; t = time.perf_counter(); import pytest_bertcheck.plugin; "
        "print(1000 * (time.perf_counter() - t))"
    )
    return float(python(project, "-c", code))


def python(project: Path, *arguments: str) -> str:
    """Run this Python in ``project`` as a user would: byte code is written and read again."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    finished = subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return finished.stdout


if __name__ == "__main__":
    sys.exit(main())
