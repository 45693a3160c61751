"""pytest-bertcheck, given no more of a recording than its peers are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from pytest_bertcheck import Evidence, __version__

from .bertcheck import failures
from .session import INPUTS, Statement, serve


def examine(file: Path) -> Callable[[], Iterator[Statement]]:
    """Read of a recording what peers can use."""
    fields = Evidence.load(file).fields()
    evidence = Evidence(**{name: value for name, value in fields.items() if name in INPUTS})
    return lambda: failures(evidence)


if __name__ == "__main__":
    serve(__version__, examine)
