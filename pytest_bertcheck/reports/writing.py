"""Write the reports that a run asks for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from ..settings import Settings
from ..whole_files import whole_file
from .html import render_html
from .json_report import render_json
from .markdown import append_markdown, render_markdown
from .results import Results
from .sarif import render_sarif

__all__ = ["write_reports"]


def write_reports(results: Results, settings: Settings) -> Iterator[tuple[str, Exception]]:
    """Write each report that the settings or the environment ask for; yield what goes wrong.

    One report that cannot be written does not keep the others from being written.
    """
    asked: list[tuple[str, Path | None, Callable[[Results], str]]] = [
        ("--bertcheck-json", settings.json, render_json),
        ("--bertcheck-sarif", settings.sarif, render_sarif),
        ("--bertcheck-html", settings.html, render_html),
    ]
    for option, path, render in asked:
        if path is not None:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with whole_file(path) as file:
                    file.write(render(results).encode("utf-8"))
            except Exception as error:  # noqa: BLE001  # the gate turns red for it
                yield option, error
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        try:
            append_markdown(Path(summary), render_markdown(results))
        except Exception as error:  # noqa: BLE001  # the gate turns red for it
            yield "GITHUB_STEP_SUMMARY", error
