"""The example of the contracts: its properties pass on the pipelines, and find every bug."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "property_tests"


@pytest.mark.parametrize("path", ["tests/test_linear.py", "tests/test_bert.py"])
def test_the_properties_find_every_bug_and_nothing_else(path: str) -> None:
    """All tests of a pipeline pass on it as it is, and all fail on it as it was first written."""
    demo = subprocess.run(
        [sys.executable, "demo.py", path, "tests/test_own_code.py"],
        cwd=EXAMPLE,
        env=os.environ | {"PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == demo.returncode, demo.stdout + demo.stderr
    assert 9 == demo.stdout.count(": passed\n") == demo.stdout.count(": failed\n")
