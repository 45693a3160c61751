"""A progress bar on a terminal for what takes long, and nowhere else a byte of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pty = pytest.importorskip("pty", reason="needs pseudo-terminals")

BAR = "%|"
"""What stands in a bar of tqdm, and nowhere else in what pytest writes."""

CONFTEST = """
import time
import numpy as np
import pytest
from pytest_bertcheck import Pipeline
from pytest_bertcheck.adapters.batches import in_batches

TEXTS = ["win money now", "hello my friend"] * 80
PAUSE = {pause}

def outputs_of(texts):
    if len(texts) == 32:
        time.sleep(PAUSE)
    return np.array([[-2.0, 2.0] if "money" in text else [2.0, -2.0] for text in texts])

@pytest.fixture(scope="session")
def bertcheck_pipeline():
    return Pipeline(lambda texts: in_batches(outputs_of, texts), TEXTS, [1, 0] * 80)
"""


def output_of_terminal(command: list[str], env: dict[str, str]) -> tuple[int, str]:
    """Return the exit code of a command and what it wrote to a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    written = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:  # as Linux says that the other end is closed
            break
        if not piece:
            break
        written += piece
    os.close(ours)
    return process.wait(), written.decode()


def run(pytester: pytest.Pytester, *options: str, pause: float = 0.5, **env: str) -> str:
    """Return what a healthy run writes to a terminal."""
    pytester.makeconftest(CONFTEST.format(pause=pause))
    outside = {
        name: value for name, value in os.environ.items() if name not in ("CI", "BUILD_NUMBER")
    }
    path = os.pathsep.join(filter(None, [str(Path.cwd()), *sys.path]))
    command = [sys.executable, "-m", "pytest", "--bertcheck", *options]
    code, written = output_of_terminal(
        command, {**outside, "PYTHONPATH": path, "COLUMNS": "90", "TERM": "xterm", **env}
    )
    assert 0 == code, written
    return written


@pytest.mark.parametrize("options", [[], ["-s"], ["--capture=sys"]])
def test_a_terminal_shows_the_bar(pytester: pytest.Pytester, options: list[str]) -> None:
    """What takes more than two seconds shows how far it is, and leaves nothing behind."""
    written = run(pytester, *options)
    assert BAR in written
    assert "\r" in written
    assert "passed" in written


@pytest.mark.parametrize(
    ("options", "env"),
    [
        (["-q"], {}),
        ([], {"CI": "true"}),
        ([], {"BUILD_NUMBER": "7"}),
        (["-n2"], {}),
        (["-p", "no:terminal"], {}),
    ],
    ids=["quiet", "ci", "build", "workers", "no-terminal"],
)
def test_no_byte_elsewhere(
    pytester: pytest.Pytester, options: list[str], env: dict[str, str]
) -> None:
    """Under ``-q``, in CI, on workers and without a reporter there is no bar."""
    assert BAR not in run(pytester, *options, **env)


def test_what_is_quick_shows_none(pytester: pytest.Pytester) -> None:
    """Under two seconds there is no bar."""
    assert BAR not in run(pytester, pause=0)


def test_a_file_shows_none(pytester: pytest.Pytester) -> None:
    """Without a terminal there is no bar, and none is left in what a report captures."""
    pytester.makeconftest(CONFTEST.format(pause=0.7))
    result = pytester.runpytest_subprocess("--bertcheck", "-rA")
    assert 0 == result.ret
    assert BAR not in result.stdout.str() + result.stderr.str()
