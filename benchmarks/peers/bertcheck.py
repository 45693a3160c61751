"""pytest-bertcheck, asked and timed as its peers are: by its diagnosis of the recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from pytest_bertcheck import Evidence, __version__, diagnose

from .session import Statement, serve


def examine(file: Path) -> Callable[[], Iterator[Statement]]:
    """Read a recording; a failed verdict is a flag, with the causes that are left standing."""
    evidence = Evidence.load(file)

    def work() -> Iterator[Statement]:
        diagnosis = diagnose(evidence)
        if diagnosis.verdict != "failed":
            return
        failed = [finding for finding in diagnosis.findings if finding.verdict == "failed"]
        for cause in diagnosis.causes:
            reason = cause.reasons[0] if cause.reasons else failed[0].summary
            yield Statement(cause.code, f"{cause.code}: {reason}")
        if not diagnosis.causes:
            yield Statement("unknown", failed[0].summary)

    return work


if __name__ == "__main__":
    serve(__version__, examine)
