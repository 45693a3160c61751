"""What one pass over a model's outputs tells, a block of rows at a time.

The checks ask many things of the same (n, C) array. Asked one by one, each costs a pass through
memory and most cost a copy; here a block is read once, while it is in the processor's cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["LogitsSummary", "answers_of", "are_probabilities", "probabilities_of", "summarise"]

Array = npt.NDArray[Any]

BLOCK = 2**15
"""Numbers in a block: what a level-2 cache holds beside the block's own intermediate results."""

FEW_COLUMNS = 64
"""Up to here the argmax column by column is faster than NumPy's over a short last axis."""


@dataclass(frozen=True, eq=False)
class LogitsSummary:
    """What is asked of outputs, (n, C).

    Attributes
    ----------
    answers
        The label ids that plain decoding gives, (n,) int.
    broken_rows
        Number of rows that hold NaN or infinity; the numbers below are meaningless if there are.
    probabilities
        Whether the outputs lie in [0, 1] and, with more than one column, sum to 1.
    equal
        Whether all rows are bit for bit the same.
    spread
        Mean over the columns of the standard deviation over the rows, each row centred: 0 if the
        input does not matter. Only differences within a row decide a label, so what is common to
        a row is taken out.
    confidence
        Mean top probability, from 0 (always 1/C) to 1.
    """

    answers: Array
    broken_rows: int
    probabilities: bool
    equal: bool
    spread: float
    confidence: float


def summarise(logits: Array) -> LogitsSummary:
    """Return what one pass over the outputs, (n, C) float, tells.

    Examples
    --------
    >>> import numpy as np
    >>> summary = summarise(np.array([[2.0, -1.0], [0.5, 1.0]]))
    >>> summary.answers.tolist(), summary.equal, summary.probabilities
    ([0, 1], False, False)
    """
    rows, width = logits.shape
    answers = np.empty(rows, dtype=np.int32)
    broken, equal, probabilities = 0, True, True
    sums, squares, origin = np.zeros(width), np.zeros(width), None
    tops = shares = 0.0  # sums of the top probability, if these are probabilities, and if logits
    step = max(1, BLOCK // width)
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is counted instead
        for start in range(0, rows, step):
            block = logits[start : start + step]
            columns = np.ascontiguousarray(block.T) if width <= FEW_COLUMNS else block.T
            total = columns.sum(axis=0)
            finite = bool(np.isfinite(total).all())
            top = _answer(columns, answers[start : start + step], finite=finite)
            equal = equal and bool((block == logits[0]).all())
            if not finite:  # a sum of finite numbers may be infinite, too
                broken += int(np.count_nonzero(~np.isfinite(block).all(axis=1)))
                if broken:
                    continue
            probabilities = probabilities and _are_probabilities(columns, total)
            if width == 1:
                centred = columns.astype(np.float64)
                shares += float((1 / (1 + np.exp(-np.abs(centred)))).sum())
                if probabilities:
                    tops += float(np.maximum(columns, 1 - columns).sum(dtype=np.float64))
            else:
                if probabilities:
                    tops += float(top.sum(dtype=np.float64))
                above = columns - top
                centred = above - (above / width).sum(axis=0)  # divided first: none overflows
                np.exp(above, out=above)
                shares += float((1 / above.sum(axis=0)).sum(dtype=np.float64))
            if origin is None:  # any point near the data keeps the sums of squares exact
                origin = centred[:, :1].copy()
            centred -= origin
            sums += centred.sum(axis=1, dtype=np.float64)
            squares += np.einsum("ij,ij->i", centred, centred)
    if broken:
        return LogitsSummary(answers, broken, False, False, float("nan"), 1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        variances = squares / rows - (sums / rows) ** 2
    if width == 1 and not probabilities:
        answers = (logits[:, 0] > 0).astype(np.int32)
    chance = 1 / max(width, 2)
    mean_top = (tops if probabilities else shares) / rows
    return LogitsSummary(
        answers=answers,
        broken_rows=0,
        probabilities=probabilities,
        equal=equal,
        spread=float(np.sqrt(np.maximum(variances, 0)).mean()),  # infinite beyond float32
        confidence=(mean_top - chance) / (1 - chance),
    )


def _answer(columns: Array, answers: Array, *, finite: bool) -> Array:
    """Write the argmax over the columns, (C, b), to ``answers``, (b,); return the largest value.

    A single column is cut at one half, as for a probability.
    """
    if len(columns) == 1:
        np.greater(columns[0], 0.5, out=answers, casting="unsafe")
        single: Array = columns[0]
        return single
    top: Array = columns.max(axis=0)
    if len(columns) > FEW_COLUMNS or not finite:
        answers[:] = columns.argmax(axis=0)
        return top
    # The answer is the number of columns before the first that holds the largest value: counting
    # them takes no branch, and is several times faster than NumPy's own argmax.
    is_smaller = columns < top
    all_smaller = is_smaller[0].copy()
    answers[:] = all_smaller
    for column in is_smaller[1:-1]:
        all_smaller &= column
        answers += all_smaller
    return top


def _are_probabilities(columns: Array, total: Array) -> bool:
    if columns.min() < 0 or columns.max() > 1:
        return False
    return len(columns) == 1 or bool(np.abs(total - 1).max() < 1e-3)


def are_probabilities(outputs: Array) -> bool:
    """Return whether outputs lie in [0, 1] and, with more than one column, sum to 1."""
    return summarise(outputs).probabilities


def answers_of(logits: Array) -> Array:
    """Return the label ids that plain decoding gives, (n,) int: the argmax of each row.

    A single column is cut at one half, or at 0 if it holds logits.
    """
    return summarise(logits).answers


def probabilities_of(outputs: Array) -> Array | None:
    """Return predicted probabilities, (n, C) float64; ``None`` unless the outputs are finite."""
    summary = summarise(outputs)
    if summary.broken_rows:
        return None
    wide = outputs.astype(np.float64)
    if summary.probabilities:
        return np.hstack([1 - wide, wide]) if wide.shape[1] == 1 else wide
    if wide.shape[1] == 1:
        wide = np.hstack([np.zeros_like(wide), wide])
    exponentials = np.exp(wide - wide.max(axis=1, keepdims=True))
    probabilities: Array = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities
