"""Let `pytest --bertcheck` judge the classifier, healthy and with each of four defects.

Exits 0 only if every run ends as announced: with its exit code, and the defect named.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent
VARIABLE = "NEWSDESK_FAULT"
ANNOUNCED = {
    "": (0, "verdict: passed"),
    "learning-rate-too-high": (1, "verdict: failed, learning-rate-too-high"),
    "label-mapping-swapped": (1, "verdict: failed, label-mapping-swapped"),
    "dropout-at-inference": (1, "verdict: failed, dropout-at-inference"),
    "weights-not-loaded": (1, "verdict: failed, weights-not-loaded"),
}
AT_A_TIME = 2  # each takes one thread, and about 700 MB


def bertcheck(fault: str) -> subprocess.CompletedProcess[str]:
    """Run `pytest --bertcheck` on the classifier with a defect, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--bertcheck", "-q", "-p", "no:cacheprovider"],
        cwd=EXAMPLE,
        env={**os.environ, VARIABLE: fault},
        capture_output=True,
        text=True,
        check=False,
    )


def main() -> int:
    """Run the demo and return its exit code."""
    others = 0
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        runs = pool.map(bertcheck, ANNOUNCED)
        for (fault, (code, announced)), finished in zip(ANNOUNCED.items(), runs, strict=True):
            verdict = next(
                (line for line in finished.stdout.splitlines() if line.startswith("verdict: ")),
                finished.stdout,
            )
            as_announced = verdict.startswith(announced) and finished.returncode == code
            others += not as_announced
            print(f"=== {fault or 'healthy'}: exit {finished.returncode}, {verdict}", flush=True)
            if not as_announced:
                print(f"    announced: exit {code}, {announced}\n{finished.stdout}")
    return 1 if others else 0


if __name__ == "__main__":
    sys.exit(main())
