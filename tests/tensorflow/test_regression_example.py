"""The example of the merge gate: the old model passes, the new one is worse on one label."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "regression_gate"


def test_the_gate_says_which_label_got_worse() -> None:
    """Both models of the example end as announced, and the baseline stays as it is committed."""
    before = (EXAMPLE / "bertcheck_baselines" / "headlines.json").read_text(encoding="utf-8")
    demo = subprocess.run(
        [sys.executable, "demo.py"],
        cwd=EXAMPLE,
        env=os.environ | {"PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == demo.returncode, demo.stdout + demo.stderr
    assert "1 label worse: 'tech'" in demo.stdout
    after = (EXAMPLE / "bertcheck_baselines" / "headlines.json").read_text(encoding="utf-8")
    assert before == after
