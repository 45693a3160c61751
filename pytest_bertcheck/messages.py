"""The grammar of every message that a reader sees on failure.

What a check has to say stands beside the check; how it is said stands here: the first line, the
table, the cause and the fix, p-values, percentages, and user text made harmless.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .findings import Cause, Diagnosis, Finding

__all__ = [
    "DOCS",
    "FIRST_LINE_LIMIT",
    "MAX_ROWS",
    "cause_lines",
    "count",
    "diagnosis_markdown",
    "first_line",
    "markdown_text",
    "probability",
    "quoted",
    "render_diagnosis",
    "render_finding",
    "safe",
    "share",
    "table_lines",
]

DOCS = "docs/checks.md"
FIRST_LINE_LIMIT = 100
MAX_ROWS = 12
MAX_COLUMNS = 12


def safe(text: object, limit: int = 40) -> str:
    r"""Return user text as it may be shown: no control characters, no more than ``limit`` long.

    Escape sequences and bidirectional marks never reach the terminal; what is not printable is
    shown as an escape.

    Examples
    --------
    >>> safe("sport")
    'sport'
    >>> safe("red\x1b[31m") == r"red\x1b[31m"
    True
    """
    raw = str(text)
    shown = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in raw[: limit + 1]
    )
    return shown if len(shown) <= limit else shown[: max(limit - 3, 0)] + "..."[:limit]


def quoted(text: object, limit: int = 40) -> str:
    """Return user text in quotes, made harmless as by :func:`safe`.

    Examples
    --------
    >>> quoted("sport")
    "'sport'"
    """
    return f"'{safe(text, limit)}'"


def share(part: int, whole: int) -> str:
    """Return a share as a percentage that is never rounded to a false 0 % or 100 %."""
    percent = 100 * part / whole if whole else 0.0
    for digits in range(15):
        shown = f"{percent:.{digits}f}"
        if float(shown) not in (0.0, 100.0) or part in (0, whole):
            break
    return f"{shown}%"


def probability(p_value: float) -> str:
    """Return a p-value for people: ``p < 1e-12``, ``p = 3e-05``, ``p = 0.04``."""
    return "p < 1e-12" if p_value < 1e-12 else f"p = {p_value:.1g}"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 example``, ``2 examples``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def first_line(text: str) -> str:
    """Return ``text`` on one line of at most :data:`FIRST_LINE_LIMIT` characters."""
    line = " ".join(text.split())
    return line if len(line) <= FIRST_LINE_LIMIT else line[: FIRST_LINE_LIMIT - 3] + "..."


def table_lines(rows: Sequence[Sequence[str]]) -> list[str]:
    """Align a table, header first: text to the left, numbers to the right, at most 12 rows."""
    if len(rows) < 2:
        return []
    shown = [[safe(cell, 28) for cell in row] for row in rows[: MAX_ROWS + 1]]
    widths = [max(len(row[column]) for row in shown) for column in range(len(shown[0]))]
    lines = []
    for row in shown:
        cells = [row[0].ljust(widths[0])] + [
            cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)
        ]
        lines.append("  " + "  ".join(cells).rstrip())
    if len(rows) > MAX_ROWS + 1:
        lines.append(f"  ... {len(rows) - MAX_ROWS - 1} more")
    return lines


def cause_lines(causes: Sequence[Cause], *, reasons: bool = True) -> list[str]:
    """Return the cause with its fix, or the candidates left and what separates them."""
    if not causes:
        return []
    best = causes[0]
    if best.certain or len(causes) == 1:
        doubt = _doubt(best)
        lines = [f"cause: {best.code}{doubt}: {best.meaning}"]
    else:
        rest = ", ".join(cause.code for cause in causes[1:4])
        lines = [f"cause: {best.code} (likeliest): {best.meaning}", f"  or else: {rest}"]
    if reasons:
        lines += [f"  because {first_line(reason)}" for reason in best.reasons[:4]]
    if best.settled_by and not best.certain:
        lines.append(f"  to settle it: {best.settled_by}")
    return [*lines, *_fix_lines(best.fix), f"docs:  {DOCS}#{best.code}"]


def _doubt(cause: Cause) -> str:
    return "" if cause.certain or cause.code == "unknown" else " (likely)"


def _fix_lines(fix: str) -> list[str]:
    first, *rest = fix.splitlines() or [""]
    return [f"fix:   {first}", *(f"       {line}" for line in rest)] if fix else []


def render_finding(finding: Finding, causes: Sequence[Cause] = (), *, page: str = DOCS) -> str:
    """Return the whole message of one finding.

    ``causes`` are those of the diagnosis of all evidence, where there is one (which has the
    reasons); without them the finding's own are shown. ``page`` is the page of the docs that has
    a heading for it.
    """
    from .findings import CAUSES

    lines = [first_line(finding.summary)]
    table = table_lines(finding.table)
    if table:
        lines += ["", *table, ""]
    if causes:
        return "\n".join([*lines, *cause_lines(causes, reasons=False)])
    if finding.causes:
        named = finding.causes if not finding.certain else finding.causes[:1]
        joined = " | ".join(named[:4])
        meaning = f": {CAUSES[named[0]][1]}" if len(named) == 1 else ""
        perhaps = "" if finding.verdict.value == "failed" else "perhaps "
        lines.append(f"cause: {perhaps}{joined}{meaning}")
    lines += _fix_lines(finding.fix)
    if finding.needs:
        lines.append(f"needs: {', '.join(finding.needs)}")
    lines.append(f"docs:  {page}#{finding.check}")
    return "\n".join(lines)


def render_diagnosis(diagnosis: Diagnosis) -> str:
    """Return the report: verdict, label counts, confusion matrix, findings, cause and fix."""
    lines = [f"verdict: {diagnosis.verdict.value}{_named(diagnosis.causes)}"]
    if diagnosis.labels:
        lines += ["", *table_lines(_label_rows(diagnosis))]
    if diagnosis.confusion is not None and len(diagnosis.confusion) <= MAX_COLUMNS:
        lines += ["", "confusion (rows true, columns predicted)"]
        lines += table_lines(_confusion_rows(diagnosis))
    failed = [finding for finding in diagnosis.findings if finding.verdict.value == "failed"]
    open_ones = [f for f in diagnosis.findings if f.verdict.value == "inconclusive"]
    skipped = [finding for finding in diagnosis.findings if finding.verdict.value == "skipped"]
    lines += _finding_lines("failed", failed) + _finding_lines("inconclusive", open_ones)
    if skipped:
        needs = (need.partition(" or ")[0] for finding in skipped for need in finding.needs)
        sentence = f"{count(len(skipped), 'check')} skipped; give {', '.join(dict.fromkeys(needs))}"
        lines += ["", *textwrap.wrap(sentence, FIRST_LINE_LIMIT, subsequent_indent="  ")]
    if diagnosis.causes:
        lines += ["", *cause_lines(diagnosis.causes)]
    return "\n".join(lines)


def _named(causes: Sequence[Cause]) -> str:
    if not causes:
        return ""
    return f", {causes[0].code}{_doubt(causes[0])}"


def _finding_lines(word: str, findings: Iterable[Finding]) -> list[str]:
    lines = [f"  {f.stage}::{f.check}  {first_line(f.summary)}" for f in findings]
    return ["", f"{word}:", *lines] if lines else []


def _label_rows(diagnosis: Diagnosis) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("label", "true", "predicted")]
    for label in diagnosis.labels:
        numbers = ("-" if n is None else f"{n:,}" for n in (label.true, label.predicted))
        rows.append((label.name, *numbers))
    return rows


def _confusion_rows(diagnosis: Diagnosis) -> list[tuple[str, ...]]:
    names = [safe(label.name, 12) for label in diagnosis.labels]
    rows: list[tuple[str, ...]] = [("", *names)]
    for name, counts in zip(names, diagnosis.confusion or (), strict=True):
        rows.append((name, *(f"{number:,}" for number in counts)))
    return rows


def markdown_text(text: object, limit: int = 100) -> str:
    r"""Return user text as Markdown that shows it letter for letter: no markup, link or mention.

    Examples
    --------
    >>> markdown_text("<b>*new*</b>")
    '&lt;b&gt;\\*new\\*&lt;/b&gt;'
    """
    shown = re.sub(r"([\\`*_{}\[\]()#+!|~$-])", r"\\\1", safe(text, limit))
    for letter, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("@", "&#64;")):
        shown = shown.replace(letter, entity)
    return shown.replace("://", "&#58;//")


def diagnosis_markdown(diagnosis: Diagnosis) -> str:
    """Return the report as Markdown: verdict, cause and fix first, then the numbers."""
    causes, findings = diagnosis.causes, diagnosis.findings
    lines = [f"**verdict: {diagnosis.verdict.value}{_named(causes)}**", ""]
    if causes:
        lines += [*_markdown_cause(causes), ""]
    for word in ("failed", "inconclusive"):
        rows = [f for f in findings if f.verdict.value == word]
        if rows:
            lines += [f"| {word} | what was seen |", "| --- | --- |"]
            lines += [
                f"| {f.stage}::{f.check} | {markdown_text(first_line(f.summary))} |" for f in rows
            ]
            lines.append("")
    if diagnosis.labels:
        lines += [*_markdown_table(_label_rows(diagnosis)), ""]
    if diagnosis.confusion is not None and len(diagnosis.confusion) <= MAX_COLUMNS:
        lines += ["Confusion matrix (rows true, columns predicted):", ""]
        lines += [*_markdown_table(_confusion_rows(diagnosis)), ""]
    numbers = ((word, sum(f.verdict.value == word for f in findings)) for word in _WORDS)
    lines.append(", ".join(f"{number} {word}" for word, number in numbers if number) + ".")
    return "\n".join(lines) + "\n"


_WORDS = ("failed", "inconclusive", "passed", "skipped")


def _markdown_cause(causes: Sequence[Cause]) -> list[str]:
    best = causes[0]
    lines = [f"**cause: {best.code}{_doubt(best)}**: {markdown_text(best.meaning)}"]
    if not best.certain and len(causes) > 1:
        rest = ", ".join(cause.code for cause in causes[1:4])
        lines += [f"or else: {rest}"]
    lines += [""] + [f"- because {markdown_text(first_line(r))}" for r in best.reasons[:4]]
    if best.settled_by and not best.certain:
        lines.append(f"- to settle it: {markdown_text(best.settled_by, 1000)}")
    if best.fix:
        fix = [safe(line, 1000) for line in best.fix.splitlines()]
        runs = [len(run) for line in fix for run in re.findall("`+", line)]
        fence = "`" * max(3, 1 + max(runs, default=0))
        lines += ["", "Fix:", "", f"{fence}python", *fix, fence]
    return lines


def _markdown_table(rows: Sequence[Sequence[str]]) -> list[str]:
    header, *body = [[markdown_text(cell, 28) for cell in row] for row in rows[: MAX_ROWS + 1]]
    lines = [f"| {' | '.join(row)} |" for row in (header, *body)]
    lines.insert(1, "|" + "|".join([" --- "] + [" ---: "] * (len(header) - 1)) + "|")
    if len(rows) > MAX_ROWS + 1:
        lines += ["", f"... {len(rows) - MAX_ROWS - 1} more"]
    return lines
