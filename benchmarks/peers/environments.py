"""A virtual environment for each peer, outside the repository."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Unusable(Exception):
    """A peer that cannot be installed or started; the message says why."""


def interpreter(requirements: Path, folder: Path) -> Path:
    """Return the Python of the environment that a requirements file asks for.

    The first line of the file names the Python that makes it. An environment is made again if the
    file has changed since.

    Raises
    ------
    Unusable
        If that Python is not there, or if something cannot be installed.
    """
    wanted = requirements.read_text(encoding="utf-8")
    environment = folder / requirements.stem
    installed = environment / "requirements.txt"
    python = environment / "bin" / "python"
    if installed.is_file() and installed.read_text(encoding="utf-8") == wanted:
        return python
    base = wanted.partition("\n")[0].removeprefix("# ")
    if shutil.which(base) is None:
        raise Unusable(f"{requirements.name}: expected {base} on the PATH, found none")
    _run(base, "-m", "venv", "--clear", environment)
    _run(python, "-m", "pip", "install", "--quiet", "--requirement", requirements)
    installed.write_text(wanted, encoding="utf-8")
    return python


def _run(*command: str | Path) -> None:
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    if finished.returncode:
        lines = [line for line in finished.stderr.splitlines() if line.startswith("ERROR")]
        raise Unusable(lines[-1] if lines else f"{command}: exit code {finished.returncode}")
