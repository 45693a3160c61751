"""The example of the contracts: its properties pass on the pipelines, and find every bug."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "property_tests"


def test_the_properties_find_every_bug_and_nothing_else() -> None:
    """All tests of the pipeline pass on it as it is, and all fail on it as it was first written."""
    demo = subprocess.run(
        [sys.executable, "demo.py", "tests/test_bert.py"],
        cwd=EXAMPLE,
        env=os.environ | {"PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == demo.returncode, demo.stdout + demo.stderr
    assert 6 == demo.stdout.count(": passed\n") == demo.stdout.count(": failed\n")
