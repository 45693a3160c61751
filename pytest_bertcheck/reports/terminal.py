"""The section that ``pytest --bertcheck`` adds to the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..findings import Diagnosis, Verdict
from ..messages import render_diagnosis

__all__ = ["summary_lines"]

COLOURS: Mapping[Verdict, Mapping[str, bool]] = {
    Verdict.PASSED: {"green": True},
    Verdict.FAILED: {"red": True},
    Verdict.INCONCLUSIVE: {"yellow": True},
    Verdict.SKIPPED: {"yellow": True},
}


def summary_lines(diagnosis: Diagnosis) -> Iterator[tuple[str, Mapping[str, bool]]]:
    """Yield each line of the report with the markup for pytest's own writer."""
    for number, line in enumerate(render_diagnosis(diagnosis).splitlines()):
        if number == 0 or line.startswith("cause:"):
            yield line, {**COLOURS[diagnosis.verdict], "bold": True}
        else:
            yield line, {}
