"""The report for the summary of a job on GitHub: Markdown to ``$GITHUB_STEP_SUMMARY``."""

from __future__ import annotations

from pathlib import Path

from ..messages import markdown_text
from .results import Results

__all__ = ["append_markdown", "render_markdown"]

LIMIT = 1024 * 1024
"""Bytes that GitHub accepts of one step; of a larger summary it shows nothing at all."""

CUT = "\n\n*The rest of the report is cut: a step may write 1 MiB.*\n"


def render_markdown(results: Results) -> str:
    """Return the results as Markdown, a section for each pipeline."""
    sections = []
    for result in results.results:
        title = f"bertcheck {result.name or result.source}"
        sections.append(f"## {markdown_text(title)}\n\n{result.diagnosis.to_markdown()}")
    if results.problem:
        sections.append(f"## bertcheck\n\n**{markdown_text(results.problem, 1000)}**\n")
    return "\n".join(sections)


def append_markdown(path: Path, text: str, *, limit: int = LIMIT) -> None:
    """Append to a summary that others write too, and never more than it can hold.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    room = limit - (path.stat().st_size if path.exists() else 0)
    content = text.encode("utf-8")
    if len(content) > room:
        kept = content[: max(room - len(CUT), 0)].decode("utf-8", errors="ignore")
        # A line that is cut in the middle may leave a table or a tag open.
        content = (kept.rpartition("\n")[0] + CUT).encode("utf-8")[: max(room, 0)]
    with path.open("ab") as file:
        file.write(content)
