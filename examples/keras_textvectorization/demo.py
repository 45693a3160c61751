"""Let `pytest --bertcheck` judge the classifier, healthy and with each of three defects.

Exits 0 only if every run ends as announced: with its exit code, and the defect named.
"""

import os
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent
VARIABLE = "NEWSWIRE_FAULT"
ANNOUNCED = {
    "": "verdict: passed",
    "weights-not-updated": "verdict: failed, weights-not-updated",
    "labels-shuffled": "verdict: failed, labels-shuffled",
    "vocabulary-mismatch": "verdict: failed, vocabulary-mismatch",
}


def main() -> int:
    """Run the demo and return its exit code."""
    others = 0
    for fault, announced in ANNOUNCED.items():
        finished = subprocess.run(
            [sys.executable, "-m", "pytest", "--bertcheck", "-q", "-p", "no:cacheprovider"],
            cwd=EXAMPLE,
            env={**os.environ, VARIABLE: fault},
            capture_output=True,
            text=True,
            check=False,
        )
        verdict = next(
            (line for line in finished.stdout.splitlines() if line.startswith("verdict: ")),
            finished.stdout,
        )
        as_announced = verdict.startswith(announced) and finished.returncode == bool(fault)
        others += not as_announced
        print(f"=== {fault or 'healthy'}: exit {finished.returncode}, {verdict}")
        if not as_announced:
            print(f"    announced: exit {int(bool(fault))}, {announced}\n{finished.stdout}")
    return 1 if others else 0


if __name__ == "__main__":
    sys.exit(main())
