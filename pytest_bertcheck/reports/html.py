"""The report for people who would rather look than read: ``--bertcheck-html``."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from ..findings import Diagnosis
from ..messages import doubt, findings_by_outcome, safe
from .results import Result, Results

__all__ = ["render_html"]

WIDTH, HEIGHT = 560, 230
LEFT, RIGHT, TOP, BOTTOM = 70, 124, 12, 32
MOST_LABELS = 50


def render_html(results: Results) -> str:
    """Return one self-contained page: no network, no inline handler, its script and style hashed.

    Raises
    ------
    ImportError
        If Jinja2 is not installed.
    """
    from jinja2 import Environment, StrictUndefined

    style, script = _part("page.css"), _part("page.js")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["safe_text"] = safe
    # Both parts are files of this package; what comes from the run passes through autoescaping.
    return environment.from_string(_part("page.html.jinja")).render(
        results=results,
        views=[_view(result) for result in results.results],
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _view(result: Result) -> dict[str, Any]:
    """Return what the template draws of one pipeline."""
    diagnosis, plots = result.diagnosis, result.plots
    most = max((max(n.true or 0, n.predicted or 0) for n in diagnosis.labels), default=0) or 1
    curves = plots.get("curves", {})
    losses = {name: curves[name] for name in ("loss", "val_loss") if name in curves}
    references = [(t, plots[k]) for k, t in REFERENCES if k in plots]
    return {
        "result": result,
        "diagnosis": diagnosis,
        "doubt": doubt(diagnosis.causes, diagnosis.verdict == "failed") if diagnosis.causes else "",
        "outcomes": findings_by_outcome(diagnosis),
        "labels": diagnosis.labels[:MOST_LABELS],
        "more_labels": max(len(diagnosis.labels) - MOST_LABELS, 0),
        "most": most,
        "matrices": _matrices(diagnosis),
        "histogram": _histogram(plots.get("confidence", {})),
        "curves": [
            chart
            for title, series, lines in (
                ("Loss", losses, references),
                ("Validation accuracy", _only(curves, "val_accuracy"), []),
                ("Learning rate", _only(curves, "learning_rate"), []),
            )
            if (chart := _chart(title, series, lines)) is not None
        ],
        "flips": next(
            (f for f in diagnosis.findings if f.check == "no_regression" and len(f.table) > 1), None
        ),
    }


REFERENCES = (("chance_loss", "ln C"), ("prior_loss", "H(p)"))


def _only(curves: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {name: curves[name]} if name in curves else {}


def _matrices(diagnosis: Diagnosis) -> list[tuple[str, list[list[tuple[int, int]]]]]:
    """Return titled confusion matrices: cells of count and shade, 0 to 9 by share of the row."""
    if diagnosis.confusion is None:
        return []
    cells = [list(row) for row in diagnosis.confusion]
    matrices = [("as answered", cells)]
    for finding in diagnosis.findings:
        permutation = finding.statistics.get("permutation")
        if permutation is not None and len(permutation) == len(cells):
            undone = [[row[target] for target in permutation] for row in cells]
            matrices.append(("with the swap undone", undone))
            break
    return [
        (title, [[(n, min(9, 10 * n // (sum(row) or 1))) for n in row] for row in matrix])
        for title, matrix in matrices
    ]


def _histogram(confidence: Mapping[str, Sequence[int]]) -> dict[str, Any] | None:
    if not confidence:
        return None
    kinds = list(confidence)
    stacks = list(zip(*confidence.values(), strict=True))
    highest = max(map(sum, stacks)) or 1
    width, height = (WIDTH - LEFT - 12) / len(stacks), HEIGHT - TOP - BOTTOM
    bars = []
    for place, stack in enumerate(stacks):
        base = float(HEIGHT - BOTTOM)
        for kind, number in zip(kinds, stack, strict=True):
            tall = height * number / highest
            base -= tall
            if number:
                box = (LEFT + place * width + 1, base, width - 2, tall)
                span = f"{place / len(stacks):.2f} to {(place + 1) / len(stacks):.2f}"
                bars.append((kind, *(round(x, 2) for x in box), f"{number:,} {kind}, {span}"))
    return {"kinds": kinds, "bars": bars, "highest": highest}


def _chart(
    title: str, series: Mapping[str, Any], references: Sequence[tuple[str, float]]
) -> dict[str, Any] | None:
    """Return lines in the coordinates of the plot; a value that is not finite breaks its line."""
    values = [y for points in series.values() for _, y in points if y is not None]
    if not values:
        return None

    right = WIDTH - (RIGHT if references else 12)  # beside a line drawn in stands its name
    top = max([*values, *(value for _, value in references)]) * 1.05
    low = min(0.0, *values)
    top = top if top > low else low + 1

    def place(across: float, y: float) -> tuple[float, float]:
        up = (y - low) / (top - low)
        return (
            round(LEFT + across * (right - LEFT), 1),
            round(HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM), 1),
        )

    lines = []
    for kind, (name, points) in enumerate(series.items()):
        # Steps of one series may be epochs of another, so each runs from its start to its end.
        last = max(points[-1][0] - 1, 1)
        pieces: list[list[tuple[float, float]]] = [[]]
        for x, y in points:
            if y is None:
                pieces.append([])
            else:
                pieces[-1].append(place((x - 1) / last, y))
        drawn = [piece for piece in pieces if piece]
        if drawn:
            paths = [" ".join(f"{x},{y}" for x, y in piece) for piece in drawn]
            lines.append({"name": name, "kind": kind, "paths": paths,
                          "dots": [piece[0] for piece in drawn if len(piece) == 1]})  # fmt: skip
    marks: list[tuple[str, float]] = []
    for name, value in references:
        y = place(0, value)[1]
        if marks and abs(marks[-1][1] - y) < 14:  # balanced labels: the two lines are one
            marks[-1] = (f"{marks[-1][0].rpartition(' ')[0]}, {name} {value:.3g}", marks[-1][1])
        else:
            marks.append((f"{name} {value:.3g}", y))
    return {
        "title": title,
        "lines": lines,
        "marks": marks,
        "low": low,
        "top": top,
        "right": right,
    }
