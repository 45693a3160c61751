"""Let `pytest --bertcheck` judge the service, healthy and with each of four defects.

Exits 0 only if every run ends as announced: with its exit code, and the defect named.
"""

import os
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent
VARIABLE = "TRIAGE_FAULT"
ANNOUNCED = {
    "": (0, "verdict: passed"),
    "dropout-at-inference": (1, "verdict: failed, dropout-at-inference"),
    "loss-misconfigured": (1, "verdict: failed, loss-misconfigured"),
    "down": (4, "verdict: inconclusive"),
    "hanging": (4, "verdict: inconclusive"),
}


def main() -> int:
    """Run the demo and return its exit code."""
    others = 0
    for fault, (code, announced) in ANNOUNCED.items():
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
        as_announced = verdict.startswith(announced) and finished.returncode == code
        others += not as_announced
        print(f"=== {fault or 'healthy'}: exit {finished.returncode}, {verdict}")
        if not as_announced:
            print(f"    announced: exit {code}, {announced}\n{finished.stdout}")
    return 1 if others else 0


if __name__ == "__main__":
    sys.exit(main())
