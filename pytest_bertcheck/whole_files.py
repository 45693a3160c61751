"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

__all__ = ["whole_file"]


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """Open a file to write, which appears under its name once it is complete, and never before.

    Raises
    ------
    OSError
        If it cannot be written; what stood there before still stands.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "report.txt")
    >>> with whole_file(path) as file:
    ...     written = file.write(b"all of it")
    ...     path.exists()
    False
    >>> path.read_bytes()
    b'all of it'
    """
    draft = path.with_name(f"{path.stem}-{secrets.token_hex(4)}.tmp")
    try:
        with draft.open("x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # the name must not outlive what it stands for
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
