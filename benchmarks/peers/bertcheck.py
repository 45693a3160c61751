"""pytest-bertcheck, asked and timed as its peers are: by its diagnosis of the recording."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from pytest_bertcheck import Evidence, __version__, diagnose

from .session import Statement, serve


def examine(file: Path) -> Callable[[], Iterator[Statement]]:
    """Read a recording, whole."""
    evidence = Evidence.load(file)
    return lambda: failures(evidence)


def failures(evidence: Evidence) -> Iterator[Statement]:
    """Yield the causes that a failed verdict leaves standing; any other verdict is no flag."""
    diagnosis = diagnose(evidence)
    if diagnosis.verdict != "failed":
        return
    failed = [finding for finding in diagnosis.findings if finding.verdict == "failed"]
    for cause in diagnosis.causes:
        reason = cause.reasons[0] if cause.reasons else failed[0].summary
        yield Statement(cause.code, f"{cause.code}: {reason}")
    if not diagnosis.causes:
        yield Statement("unknown", failed[0].summary)


if __name__ == "__main__":
    serve(__version__, examine)
