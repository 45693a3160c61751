"""Ask every tool about the same recordings, and set side by side what they say."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sklearn.metrics import roc_auc_score

from benchmarks.zoo.score import is_healthy

from .environments import Unusable
from .session import Answer
from .words import causes_of

ROOT = Path(__file__).resolve().parents[2]
PEERS = ("cleanlab", "skore", "evidently", "deepchecks")
TOOLS = ("bertcheck", "bertcheck_same_inputs", *PEERS)
NO_TELEMETRY = {"DO_NOT_TRACK": "1", "DISABLE_DEEPCHECKS_ANONYMOUS_TELEMETRY": "1"}
SHOWN = {
    "learning-rate-too-high": "Collapsed: one label for everything",
    "label-mapping-swapped": "Swapped labels",
    "labels-misaligned": "Misaligned rows",
    "class-imbalance": "Imbalance in training",
}
"""Cause -> what it is called where the tools are quoted: the commonest faults."""


@dataclass(frozen=True)
class Run:
    """What one tool said, or why it could not be asked.

    Attributes
    ----------
    tool
        Its name, one of :data:`TOOLS`.
    version, python
        Its version, and that of the Python that ran it.
    start_seconds
        From starting the Python until the tool is imported.
    answers
        By recording.
    failure
        Why there are no answers, or not all.
    """

    tool: str
    version: str = ""
    python: str = ""
    start_seconds: float = 0.0
    answers: Mapping[str, Answer] = field(default_factory=dict)
    failure: str = ""


def ask(tool: str, python: Callable[[], Path | str], folder: Path, names: Iterable[str]) -> Run:
    """Run the program of a tool on recordings of a folder, by the Python that is its own.

    A tool that cannot be installed, imported or brought to its end is no error: it is said.
    """
    try:
        command = [python(), "-m", f"benchmarks.peers.{tool}", folder.resolve()]
    except Unusable as unusable:
        return Run(tool, failure=str(unusable))
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | NO_TELEMETRY
    with tempfile.TemporaryFile("w+") as asked, tempfile.TemporaryFile("w+") as complaints:
        asked.write("".join(f"{name}\n" for name in names))
        asked.seek(0)
        started = time.perf_counter()
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=asked, stdout=subprocess.PIPE,
            stderr=complaints, text=True, encoding="utf-8",
        ) as process:  # fmt: skip
            first = process.stdout.readline()
            start_seconds = time.perf_counter() - started
            answers = read_answers(process.stdout)
        complaints.seek(0)
        last = (complaints.read().strip().splitlines() or [""])[-1]
    failure = f"exit code {process.returncode}: {last}" if process.returncode else ""
    about = json.loads(first) if first else {}
    return Run(tool, **about, start_seconds=start_seconds, answers=answers, failure=failure)


def read_answers(lines: Iterable[str]) -> dict[str, Answer]:
    """Return the answers by recording, one JSON object a line."""
    answers = [Answer.from_dict(json.loads(line)) for line in lines]
    return {answer.recording: answer for answer in answers}


@dataclass
class Score:
    """How a tool did on recordings whose causes are known.

    Attributes
    ----------
    harmful, flagged, raised
        Faults that cost accuracy; those of them that the tool flags; those on which it raises
        instead.
    healthy, false_alarms, healthy_raised
        Healthy recordings; those of them that it flags; those on which it raises.
    identifiable, named, first, among
        Harmful faults whose cause the arrays can tell; those for which the tool names a cause;
        those for which the first statement that names one is right; those for which any is.
    ranking
        Probability that more is flagged of a harmful recording than of a healthy one, ties counted
        as half (area under the ROC curve); ``None`` without both.
    seconds
        Median over the recordings on which it did not raise; ``None`` if there are none.
    """

    harmful: int = 0
    flagged: int = 0
    raised: int = 0
    healthy: int = 0
    false_alarms: int = 0
    healthy_raised: int = 0
    identifiable: int = 0
    named: int = 0
    first: int = 0
    among: int = 0
    ranking: float | None = None
    seconds: float | None = None


def score(run: Run, known: Mapping[str, Mapping[str, Any]]) -> Score:
    """Count what a tool said of the recordings, as far as it was asked."""
    total, seconds = Score(), []
    harmful: list[bool] = []
    counts: list[int] = []
    for name, truth in known.items():
        answer = run.answers.get(name)
        if answer is None or not (truth["harmful"] or is_healthy(truth)):
            continue
        flagged = bool(answer.statements)
        raised = bool(answer.error) and not flagged
        if not answer.error:
            seconds.append(answer.seconds)
            harmful.append(truth["harmful"])
            counts.append(sum(statement.count for statement in answer.statements))
        if not truth["harmful"]:
            total.healthy += 1
            total.false_alarms += flagged
            total.healthy_raised += raised
            continue
        total.harmful += 1
        total.flagged += flagged
        total.raised += raised
        if truth["identifiable"]:
            named = [causes_of(run.tool, statement.kind) for statement in answer.statements]
            named = [causes for causes in named if causes]
            total.identifiable += 1
            total.named += bool(named)
            total.first += any(cause in truth["causes"] for causes in named[:1] for cause in causes)
            total.among += any(cause in truth["causes"] for causes in named for cause in causes)
    total.seconds = statistics.median(seconds) if seconds else None
    total.ranking = float(roc_auc_score(harmful, counts)) if len(set(harmful)) == 2 else None
    return total


def scores_table(runs: Sequence[Run], known: Mapping[str, Mapping[str, Any]]) -> str:
    """Return a row of figures for each tool."""
    rows = [
        (
            "tool",
            "version, Python",
            "harmful flagged",
            "raised instead",
            "healthy flagged",
            "ranking",
            "names a cause",
            "first is right",
            "any is right",
            "s a recording",
            "s to start",
        )
    ]
    for run in runs:
        if not run.version:
            rows.append((run.tool, cell(f"cannot be used: {run.failure}"), *["-"] * 9))
            continue
        total = score(run, known)
        rows.append(
            (
                run.tool,
                f"{run.version}, {run.python}" + cell(run.failure and f"; {run.failure}"),
                f"{total.flagged}/{total.harmful}",
                f"{total.raised}, healthy {total.healthy_raised}",
                f"{total.false_alarms}/{total.healthy}",
                "-" if total.ranking is None else f"{total.ranking:.2f}",
                f"{total.named}/{total.identifiable}",
                f"{total.first}/{total.identifiable}",
                f"{total.among}/{total.identifiable}",
                "-" if total.seconds is None else f"{total.seconds:.3f}",
                f"{run.start_seconds:.1f}",
            )
        )
    return markdown(rows)


def causes_table(runs: Sequence[Run], known: Mapping[str, Mapping[str, Any]]) -> str:
    """Return for each cause what each tool says most often of it, and of how many it says so."""
    by_cause: dict[str, list[str]] = {"(healthy)": []}
    for name, truth in known.items():
        if truth["harmful"]:
            by_cause.setdefault(truth["causes"][0], []).append(name)
        elif is_healthy(truth):
            by_cause["(healthy)"].append(name)
    used = [run for run in runs if run.version]
    rows = [("cause", "recordings", *(run.tool for run in used))]
    rows += [
        (cause, str(len(names)), *(most_frequent(run, names) for run in used))
        for cause, names in sorted(by_cause.items())
    ]
    return markdown(rows)


def most_frequent(run: Run, names: Sequence[str]) -> str:
    """Return what a tool says most often of recordings: a kind of statement, an error, nothing."""
    answers = [run.answers[name] for name in names if name in run.answers]
    said = Counter(
        kind
        for answer in answers
        for kind in (
            {statement.kind for statement in answer.statements}
            or {answer.error.partition(":")[0] or "nothing"}
        )
    )
    if not said:
        return "-"
    # The most frequent, of several the first by name: the page must not depend on hashing.
    kind, count = min(said.items(), key=lambda item: (-item[1], item[0]))
    return cell(f"{kind} {count}")


def quotations(runs: Sequence[Run], known: Mapping[str, Mapping[str, Any]]) -> str:
    """Return word for word what each tool says of one recording of each of the commonest faults."""
    lines: list[str] = []
    for cause, title in SHOWN.items():
        for name, truth in known.items():
            if truth["harmful"] and truth["causes"][0] == cause:
                lines += [f"### {title}", "", f"`{name}`", ""]
                lines += [
                    f"- **{run.tool}**: {quoted(run.answers[name])}"
                    for run in runs
                    if name in run.answers
                ]
                lines.append("")
                break
    return "\n".join(lines)


def quoted(answer: Answer, most: int = 3) -> str:
    """Return what a tool says of one recording, in its own words."""
    said = [code(statement.text) for statement in answer.statements[:most]]
    if len(answer.statements) > most:
        said.append(f"{len(answer.statements) - most} more")
    if answer.error:
        said.append(f"raises {code(answer.error)}")
    return "; ".join(said) or "flags nothing"


def code(text: str) -> str:
    """Return text of any origin as Markdown code: nothing in it is markup."""
    return f"`{' '.join(text.replace('`', chr(39)).split())}`"


def cell(text: str) -> str:
    """Return text that stays in its cell of a Markdown table."""
    return text.replace("|", "\\|")


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return a table, the first row being its head, that can be read without rendering too."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    head, *body = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    return "\n".join([head, "|" + "|".join("-" * (width + 2) for width in widths) + "|", *body])
