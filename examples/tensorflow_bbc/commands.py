"""The two commands that `demo.py` and `measure.py` run, each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).resolve().parent


def train(fault: str, seed: int, directory: Path, *options: str) -> None:
    """Run `python -m newsroom train`, its progress bar in view."""
    where = ("--seed", str(seed), "--output", str(directory.resolve()))
    subprocess.run(
        [sys.executable, "-m", "newsroom", "train", "--fault", fault, *where, *options],
        cwd=EXAMPLE,
        check=True,
    )


def bertcheck(directory: Path, *options: str, quiet: bool = False) -> int:
    """Run `pytest --bertcheck` on a run directory and return its exit code."""
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "--bertcheck", *options],
        cwd=EXAMPLE,
        env={**os.environ, "NEWSROOM_RUN": str(directory.resolve())},
        stdout=subprocess.DEVNULL if quiet else None,
        stderr=subprocess.DEVNULL if quiet else None,
        check=False,
    )
    return finished.returncode
