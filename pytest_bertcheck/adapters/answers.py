"""Answers that name labels: words, or the dictionaries of a ``TextClassificationPipeline``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..evidence import label_names_of

__all__ = ["read_answers"]


def read_answers(outputs: Any, label_names: Any) -> dict[str, Any] | None:
    """Return ``logits`` or ``y_pred`` if the outputs name labels; ``None`` if they are numbers.

    Parameters
    ----------
    outputs
        n label names; or n dictionaries with ``label`` and ``score``, of the best label or in a
        list of those of all labels.
    label_names
        Names by id.

    Returns
    -------
    dict
        ``logits``, (n, C) float, where the scores of all labels are there, or that of the better
        of two follows from the other; else ``y_pred``, (n,) int.

    Raises
    ------
    TypeError
        If there are no names to read them by.
    ValueError
        If a label is none of the names, or the names are not distinct.

    Examples
    --------
    >>> read_answers([{"label": "spam", "score": 0.75}], ["ham", "spam"])["logits"].tolist()
    [[0.25, 0.75]]
    >>> read_answers(["spam", "ham"], ["ham", "spam"])["y_pred"].tolist()
    [1, 0]
    """
    rows = _rows(outputs)
    if rows is None:
        return None
    if label_names is None:
        raise TypeError(
            f"predict: expected floats, got label names such as {rows[0][0][0]!r:.60}; "
            "give label_names to read them by"
        )
    names = label_names_of(label_names)
    ids = {name: label for label, name in enumerate(names)}
    if len(ids) < len(names):
        raise ValueError("label_names: expected distinct names to read answers by, got one twice")
    for name in (name for row in rows for name, _ in row if name not in ids):
        raise ValueError(f"predict: expected one of the labels {[*names][:12]}, got {name!r:.60}")
    best = np.array([ids[max(row, key=lambda pair: pair[1])[0]] for row in rows])
    scores = _scores(rows, ids, best)
    return {"y_pred": best} if scores is None else {"logits": scores}


def _rows(outputs: Any) -> list[list[tuple[str, float]]] | None:
    """Return (label, score) pairs for each text; ``None`` if these are no labels."""
    outputs = outputs.tolist() if isinstance(outputs, np.ndarray) else outputs
    if not isinstance(outputs, Sequence) or isinstance(outputs, (str, bytes)) or not outputs:
        return None
    rows = []
    for answer in outputs:
        if isinstance(answer, str):
            rows.append([(answer, float("nan"))])
            continue
        pairs = [answer] if isinstance(answer, Mapping) else answer
        if not isinstance(pairs, Sequence) or not pairs:
            return None
        if not all(isinstance(pair, Mapping) and {"label", "score"} <= {*pair} for pair in pairs):
            return None
        rows.append([(str(pair["label"]), float(pair["score"])) for pair in pairs])
    return rows


def _scores(
    rows: list[list[tuple[str, float]]], ids: Mapping[str, int], best: npt.NDArray[Any]
) -> npt.NDArray[np.float64] | None:
    if all(len(dict(row)) == len(row) == len(ids) for row in rows):
        scores = np.empty((len(rows), len(ids)))
        for number, row in enumerate(rows):
            for name, score in row:
                scores[number, ids[name]] = score
        return scores
    tops = np.array([row[0][1] for row in rows])
    # Of two labels the better one has at least half; anything else is no probability.
    if len(ids) == 2 and all(len(row) == 1 for row in rows) and ((tops >= 0.5) & (tops <= 1)).all():
        scores = np.column_stack([1 - tops, 1 - tops])
        scores[np.arange(len(rows)), best] = tops
        return scores
    return None
