"""Gate both models against the committed baseline: the old one passes, the new one does not.

Exits 0 only if both runs end as announced, and the gate names the label that got worse.
"""

import os
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent
ANNOUNCED = {"old": 0, "new": 1}
WORSE = "1 label worse: 'tech'"


def main() -> int:
    """Run the demo and return its exit code."""
    as_announced = True
    for version, announced in ANNOUNCED.items():
        print(f"\n=== {version}: pytest --bertcheck, announced: exit {announced}\n", flush=True)
        finished = subprocess.run(
            [sys.executable, "-m", "pytest", "--bertcheck", "-p", "no:cacheprovider"],
            cwd=EXAMPLE,
            env=os.environ | {"HEADLINES": version, "PYTEST_ADDOPTS": ""},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        print(finished.stdout, flush=True)
        as_announced &= finished.returncode == announced
        as_announced &= (WORSE in finished.stdout) == (announced == 1)
    print(f"=== {'as announced' if as_announced else 'not as announced'}")
    return 0 if as_announced else 1


if __name__ == "__main__":
    sys.exit(main())
