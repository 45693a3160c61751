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
    "above",
    "cause_lines",
    "count",
    "doubt",
    "findings_by_outcome",
    "first_line",
    "markdown_diagnosis",
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


def above(p_value: float, limit: float) -> str:
    """Return ``p = 0.004 > 0.001``, with as many digits as show that it is larger.

    Examples
    --------
    >>> above(4.13e-5, 3.79e-5)
    'p = 4.1e-05 > 3.8e-05'
    """
    digits = next((d for d in range(1, 17) if f"{p_value:.{d}g}" != f"{limit:.{d}g}"), 17)
    return f"p = {p_value:.{digits}g} > {limit:.{digits}g}"


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


def cause_lines(causes: Sequence[Cause], *, reasons: bool = True, failed: bool = True) -> list[str]:
    """Return the cause with its fix, or the candidates left and what separates them.

    Where nothing ``failed``, they are the causes that would explain what was seen.
    """
    if not causes:
        return []
    best = causes[0]
    lines = [f"cause: {best.code}{doubt(causes, failed)}: {best.meaning}"]
    if not best.certain and len(causes) > 1:
        lines.append(f"  or else: {', '.join(cause.code for cause in causes[1:4])}")
    if reasons:
        lines += [f"  because {first_line(reason)}" for reason in best.reasons[:4]]
    if best.settled_by and not best.certain:
        lines.append(f"  to settle it: {best.settled_by}")
    return [*lines, *_fix_lines(best.fix), f"docs:  {DOCS}#{best.code}"]


def doubt(causes: Sequence[Cause], failed: bool) -> str:
    """Return how sure the first of the causes is, to stand behind its code."""
    if causes[0].certain or causes[0].code == "unknown":
        return ""
    if not failed:
        return " (if it is broken)"
    return " (likely)" if len(causes) == 1 else " (likeliest)"


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
    has_failed = diagnosis.verdict.value == "failed"
    lines = [f"verdict: {diagnosis.verdict.value}"]
    if diagnosis.causes:
        lines[0] += f", {diagnosis.causes[0].code}{doubt(diagnosis.causes[:1], has_failed)}"
    if diagnosis.labels:
        lines += ["", *table_lines(_label_rows(diagnosis))]
    if diagnosis.confusion is not None and len(diagnosis.confusion) <= MAX_COLUMNS:
        lines += ["", "confusion (rows true, columns predicted)"]
        lines += table_lines(_confusion_rows(diagnosis))
    for word, findings in findings_by_outcome(diagnosis)[:3]:
        lines += _finding_lines(word, findings)
    skipped = [finding for finding in diagnosis.findings if finding.verdict.value == "skipped"]
    if skipped:
        needs = (need.partition(" or ")[0] for finding in skipped for need in finding.needs)
        sentence = f"{count(len(skipped), 'check')} skipped; give {', '.join(dict.fromkeys(needs))}"
        lines += ["", *textwrap.wrap(sentence, FIRST_LINE_LIMIT, subsequent_indent="  ")]
    if diagnosis.causes:
        lines += ["", *cause_lines(diagnosis.causes, failed=has_failed)]
    return "\n".join(lines)


def findings_by_outcome(diagnosis: Diagnosis) -> list[tuple[str, list[Finding]]]:
    """Return the findings, worst first; a failure that is known is not one that counts."""

    def outcome(finding: Finding) -> str:
        known = finding.verdict.value == "failed" and finding.expected_failure is not None
        return "failed, as expected" if known else finding.verdict.value

    words = ("failed", "failed, as expected", "inconclusive", "passed", "skipped")
    return [(word, [f for f in diagnosis.findings if outcome(f) == word]) for word in words]


def markdown_diagnosis(diagnosis: Diagnosis) -> str:
    """Return the report in GitHub-flavoured Markdown: what :func:`render_diagnosis` says."""
    has_failed = diagnosis.verdict.value == "failed"
    lines = [f"**verdict: {diagnosis.verdict.value}**"]
    if diagnosis.causes:
        best = diagnosis.causes[0]
        lines[0] += f", `{best.code}`{doubt(diagnosis.causes[:1], has_failed)}: {best.meaning}"
        lines += ["", *(f"- because {markdown_text(reason)}" for reason in best.reasons[:4])]
        if len(diagnosis.causes) > 1 and not best.certain:
            rest = ", ".join(f"`{cause.code}`" for cause in diagnosis.causes[1:4])
            lines.append(f"- or else: {rest}")
        if best.settled_by and not best.certain:
            lines.append(f"- to settle it: {markdown_text(best.settled_by)}")
        if best.fix:
            lines += ["", *_fenced([safe(line, 200) for line in best.fix.splitlines()])]
    for word, found in findings_by_outcome(diagnosis)[:3]:
        if found:
            lines += ["", f"{word}:", ""]
            lines += [
                f"- `{f.stage}::{f.check}` {markdown_text(first_line(f.summary))}" for f in found
            ]
    if diagnosis.labels:
        lines += ["", *_markdown_table(_label_rows(diagnosis))]
    if diagnosis.confusion is not None and len(diagnosis.confusion) <= MAX_COLUMNS:
        lines += ["", "Rows are true labels, columns predicted ones:", ""]
        lines += _markdown_table(_confusion_rows(diagnosis))
    return "\n".join(lines) + "\n"


def markdown_text(text: object, limit: int = 200) -> str:
    """Return text in which nothing is markup, a link or a mention: such signs become entities.

    GitHub looks for ``@team`` and ``#12`` in what is shown, so nothing visible parts them.

    Examples
    --------
    >>> markdown_text("<b>*new*")
    '&#60;b&#62;&#42;new&#42;'
    >>> markdown_text("@team: see www.x.org")
    '&#64;&#8203;team: see www&#46;x.org'
    """
    linked = safe(text, limit).replace("://", "\0//").replace("www.", "www\1")
    shown = "".join(
        letter if letter.isalnum() or letter in " ,;:=%'()/+-.?\0\1" else f"&#{ord(letter)};"
        for letter in linked
    )
    for sign in "@#":
        shown = shown.replace(f"&#{ord(sign)};", f"&#{ord(sign)};&#8203;")
    return shown.replace("\0", "&#58;").replace("\1", "&#46;")


def _fenced(lines: Sequence[str]) -> list[str]:
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}python", *lines, fence]


def _markdown_table(rows: Sequence[Sequence[str]]) -> list[str]:
    shown = [[markdown_text(cell, 28) for cell in row] for row in rows[: MAX_ROWS + 1]]
    align = ["---", *["---:"] * (len(shown[0]) - 1)]
    lines = [f"| {' | '.join(row)} |" for row in (shown[0], align, *shown[1:])]
    if len(rows) > MAX_ROWS + 1:
        lines += ["", f"... {len(rows) - MAX_ROWS - 1} more"]
    return lines


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
