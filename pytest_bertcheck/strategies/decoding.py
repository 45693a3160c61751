"""Strategies for outputs that are right and answers that were decoded from them wrongly."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from .drawing import (
    MOST_LABELS,
    Array,
    Ids,
    LabelCounts,
    accuracy_beyond_majority,
    bounded,
    chosen,
    draw_answers,
    generator_or_none,
    outputs,
    strategy,
)

__all__ = ["MISTAKES", "DecodingFault", "decoding_faults"]


@dataclass(frozen=True, eq=False)
class DecodingFault:
    """The outputs of a good model, and answers that a known mistake made of them.

    Attributes
    ----------
    mistake
        One of :data:`MISTAKES`.
    cause
        Its code in the vocabulary of causes.
    y_true, logits
        ``(n,) int``, ``(n, C) float``: labels and outputs of the good model; of a single output
        column, ``(n, 1)``.
    y_pred
        What the mistake gives, of whatever length that is; never the right decoding.
    """

    mistake: str
    cause: str
    y_true: Ids
    logits: Array
    y_pred: Ids


@dataclass
class Case:
    """A good model's labels and answers, in an order that a mistake may change."""

    draw: st.DrawFn
    y_true: Ids
    answers: Ids
    labels: int
    generator: np.random.Generator | None

    @property
    def rows(self) -> Ids:
        """The numbers of the rows."""
        return np.arange(len(self.answers))

    def order(self, order: Ids) -> None:
        """Bring the rows into another order."""
        self.y_true, self.answers = self.y_true[order], self.answers[order]

    def exchange(self, row: int, other: int) -> None:
        """Exchange two rows."""
        order = self.rows
        order[[row, other]] = other, row
        self.order(order)

    def shuffle(self) -> None:
        """Bring the rows into a drawn order, which shrinks to sorted by answer."""
        self.order(
            np.argsort(self.answers, kind="stable")
            if self.generator is None
            else self.generator.permutation(len(self.answers))
        )

    def begin_with(self, wanted: Array) -> None:
        """Bring a row of which something holds to the start."""
        if not wanted[0]:
            self.exchange(0, int(np.flatnonzero(wanted)[0]))

    def right_first(self, wanted: Array) -> Ids:
        """Return the rows of which something holds: first those that a mistake can only harm."""
        rows = np.flatnonzero(wanted)
        return rows[np.argsort(self.answers[rows] != self.y_true[rows], kind="stable")]

    def logits(self, **bounds: Any) -> Array:
        """Draw outputs whose argmax the answers are; the other labels are equally likely."""
        return outputs(self.draw, self.answers, self.labels, **{"even": True, **bounds})


@dataclass(frozen=True)
class Mistake:
    """A way to decode wrongly: its cause, what it takes, and how to draw outputs that show it."""

    cause: str
    build: Callable[[Case], tuple[Array, Array]]
    min_labels: int = 2
    max_labels: int = MOST_LABELS
    min_size: int = 3


def _argmin(case: Case) -> tuple[Array, Array]:
    logits = case.logits(even=False)
    return logits, logits.argmin(axis=1)


def _over_examples(case: Case) -> tuple[Array, Array]:
    logits = case.logits()
    return logits, logits.argmax(axis=0)


def _over_examples_in_batches(case: Case) -> tuple[Array, Array]:
    logits = case.logits()
    size = case.draw(st.integers(2, min(len(logits) - 1, 64)))
    starts = range(0, len(logits), size)
    return logits, np.concatenate([logits[i : i + size].argmax(axis=0) for i in starts])


def _flattened(case: Case) -> tuple[Array, Array]:
    logits = case.logits()
    return logits, logits.argmax().reshape(1)


def _first_row_only(case: Case) -> tuple[Array, Array]:
    return case.logits(), np.full_like(case.answers, case.answers[0])


def _cast_to_int(case: Case) -> tuple[Array, Array]:
    case.begin_with(case.answers != 0)  # or it looks like the first row's answer for all
    return case.logits(), np.zeros_like(case.answers)


def _single_column(case: Case) -> tuple[Array, Array]:
    logits = case.logits()
    return logits[:, 1:] - logits[:, :1], np.zeros_like(case.answers)


def _rounded(case: Case) -> tuple[Array, Array]:
    """Round probabilities before the argmax: rows surer of no label than one half become 0."""
    case.begin_with(case.answers != 0)
    logits = case.logits()
    others = case.right_first(case.answers != 0)
    faint = others[: len(others) - case.draw(st.integers(0, len(others) // 2))]
    answered = case.answers[faint, None] == np.arange(case.labels)
    # Between the strength of a top probability of 1 / C, which is 0, and that of one half.
    strength = np.log(case.labels - 1) / 4
    logits[faint] = np.where(answered, strength, -strength)
    y_pred = case.answers.copy()
    y_pred[faint] = 0
    return logits, y_pred


def _threshold(case: Case) -> tuple[Array, Array]:
    """Cut one raw output at one half, where what is common to a row takes it to the wrong side."""
    wrong = int(case.draw(st.booleans()))  # the label whose rows go wrong
    case.begin_with(case.answers == wrong)
    logits = case.logits()
    rows = case.right_first(case.answers == wrong)
    rows = rows[: len(rows) - case.draw(st.integers(0, len(rows) // 2))]
    right = np.flatnonzero(~np.isin(case.rows, rows))
    # All others are where the cut is right about them: 1 for one label, -1 for the other.
    logits[right] += np.where(case.answers[right] == 1, 1, -1)[:, None] - logits[right, 1:]
    logits[rows] += np.where(wrong == 0, 1, -1) - logits[rows, 1:]
    return logits, (logits[:, 1] > 0.5).astype(np.int64)


def _shifted(case: Case) -> tuple[Array, Array]:
    """Shift by a number of rows prime to that of all rows: only equal answers stay where they are.

    Of such shifts, one that moves many answers; in turns, a label is next to another one.
    """
    if case.generator is None:
        case.order(_turns(case.answers))
    else:
        case.shuffle()
    total = len(case.answers)
    shifts = [shift for shift in range(1, min(total, 17)) if gcd(shift, total) == 1]
    damage = [int((np.roll(case.answers, shift) != case.answers).sum()) for shift in shifts]
    harmful = [
        shift for shift, wrong in zip(shifts, damage, strict=True) if 2 * wrong >= max(damage)
    ]
    return case.logits(), np.roll(case.answers, case.draw(st.sampled_from(harmful)))


def _reversed(case: Case) -> tuple[Array, Array]:
    case.shuffle()
    if case.answers[0] == case.answers[-1]:
        case.exchange(0, int(np.flatnonzero(case.answers != case.answers[0])[0]))
    return case.logits(), case.answers[::-1].copy()


def _shuffled(case: Case) -> tuple[Array, Array]:
    case.shuffle()
    generator = np.random.default_rng(case.draw(st.integers(0, 2**32 - 1)))
    y_pred = generator.permutation(case.answers)
    if y_pred[0] == case.answers[0]:
        other = int(np.flatnonzero(y_pred != y_pred[0])[0])
        y_pred[[0, other]] = y_pred[[other, 0]]
    return case.logits(), y_pred


def _repeated_batch(case: Case) -> tuple[Array, Array]:
    """Repeat the first batch of 8, which holds two labels and not the answer that follows it."""
    case.shuffle()
    for row in (1, 8):
        if case.answers[row] == case.answers[0]:
            others = np.flatnonzero(case.answers != case.answers[0])
            case.exchange(row, int(others[others > 1][-1] if row == 8 else others[-1]))
    return case.logits(), np.resize(case.answers[:8], len(case.answers))


def _renamed(case: Case) -> tuple[Array, Array]:
    """Rename by one cycle from the most frequent answer to a rarer one.

    The counts of the answers then change, so that no other order of the rows looks the same.
    """
    counts = np.bincount(case.answers, minlength=case.labels)
    most = int(counts.argmax())
    rarer = case.draw(st.sampled_from(np.flatnonzero(counts < counts[most]).tolist()))
    others = [label for label in range(case.labels) if label not in (most, rarer)]
    cycle = [most, rarer, *others[: case.draw(st.integers(0, len(others)))]]
    permutation = np.arange(case.labels)
    permutation[cycle] = np.roll(cycle, -1)
    case.shuffle()
    return case.logits(), permutation[case.answers]


def _from_one(case: Case) -> tuple[Array, Array]:
    case.shuffle()
    return case.logits(), case.answers + 1


def _wider_tensor(case: Case) -> tuple[Array, Array]:
    """Decode hidden states: more different ids than there are labels, none of which is a label."""
    case.shuffle()
    columns = np.arange(max(768, len(case.answers)))
    if case.generator is not None:
        columns = case.generator.permutation(columns)
    return case.logits(), case.labels + columns[: len(case.answers)]


MISTAKES: dict[str, Mistake] = {
    "argmin": Mistake("argmin-decoded", _argmin),
    "over the examples": Mistake("argmax-wrong-axis", _over_examples),
    "over the examples of each batch": Mistake("argmax-wrong-axis", _over_examples_in_batches),
    "flattened": Mistake("argmax-wrong-axis", _flattened),
    "first row for all": Mistake("argmax-wrong-axis", _first_row_only),
    "threshold on one output": Mistake("threshold-on-logits", _threshold, max_labels=2),
    "argmax of a single column": Mistake("threshold-on-logits", _single_column, max_labels=2),
    "probabilities cast to int": Mistake("threshold-on-logits", _cast_to_int),
    "rounded probabilities": Mistake("threshold-on-logits", _rounded, min_labels=3),
    "shifted rows": Mistake("labels-misaligned", _shifted),
    "reversed rows": Mistake("labels-misaligned", _reversed),
    "repeated batch": Mistake("labels-misaligned", _repeated_batch, min_size=9),
    "shuffled rows": Mistake("labels-misaligned", _shuffled),
    "renamed labels": Mistake("label-mapping-swapped", _renamed, min_labels=3),
    "ids from 1": Mistake("label-out-of-range", _from_one),
    "hidden states": Mistake("wrong-tensor-decoded", _wider_tensor),
}
"""Ways to decode wrongly, in the order in which they shrink. Adding one is adding a row."""


def _turns(answers: Ids) -> Ids:
    """Return the order in which the labels take turns."""
    turn = np.zeros_like(answers)
    for label in np.unique(answers):
        rows = answers == label
        turn[rows] = np.arange(np.count_nonzero(rows))
    return np.lexsort((answers, turn))


@strategy
def decoding_faults(
    mistakes: Collection[str] | None = None,
    *,
    min_labels: int | None = None,
    max_labels: int | None = None,
    min_size: int | None = None,
    max_size: int | None = None,
) -> Callable[[st.DrawFn], DecodingFault]:
    """Draw the outputs of a good model with answers that were decoded wrongly, and the cause.

    The answers are never those of the right decoding by accident: rows, labels and outputs are
    chosen so that the mistake shows. Nor does another known mistake give the same answers, for
    which the number of examples is never a multiple of the number of labels.

    Shrinks to the first mistake, to two labels (three where the mistake takes as many), to as few
    examples as show it, to no wrong answer, and to outputs of 1 and -1.

    Parameters
    ----------
    mistakes
        Which of :data:`MISTAKES` to draw; all that the number of labels allows, by default.
    min_labels, max_labels
        Bounds of the number of labels, 2 to 200; by default 2 and 10.
    min_size, max_size
        Bounds of the number of examples; by default as few as show the mistake, and 200.

    Raises
    ------
    InvalidArgument
        If an argument is not as above, or if a mistake takes other labels or sizes.

    Examples
    --------
    >>> from hypothesis import find
    >>> fault = find(decoding_faults(["argmin"]), lambda fault: True)
    >>> fault.cause, fault.y_true, fault.y_pred
    ('argmin-decoded', array([0, 0, 1]), array([1, 1, 0]))
    """
    bounded("labels", min_labels, max_labels, least=2, usual=10, most=MOST_LABELS)
    bounded("size", min_size, max_size, least=1, usual=0)
    bounds: dict[str, LabelCounts] = {}
    for name in chosen("mistakes", mistakes, MISTAKES):
        mistake = MISTAKES[name]
        try:
            bounds[name] = _bounds(mistake, min_labels, max_labels, min_size, max_size)
        except InvalidArgument as error:
            if mistakes is not None:
                raise InvalidArgument(
                    f"mistakes: {name!r} takes {mistake.min_labels} to {mistake.max_labels} labels "
                    f"and at least {mistake.min_size} examples, no multiple of the labels; "
                    "widen the bounds, or leave it out"
                ) from error
    if not bounds:
        raise InvalidArgument(
            "no mistake shows with so few examples or just these numbers; raise max_size"
        )

    def define(draw: st.DrawFn) -> DecodingFault:
        name = draw(st.sampled_from(list(bounds)))
        counts = bounds[name].draw(draw)
        return draw_fault(draw, name, counts)

    return define


def _bounds(
    mistake: Mistake, low: int | None, high: int | None, min_size: int | None, max_size: int | None
) -> LabelCounts:
    if low is not None and low > mistake.max_labels:
        raise InvalidArgument(f"min_labels: expected at most {mistake.max_labels}, got {low}")
    return LabelCounts(
        max(low or 2, mistake.min_labels),
        min(high or max(10, low or 2), mistake.max_labels),
        max(min_size or 1, mistake.min_size),
        max_size,
        max_majority=0.8,
        fits=lambda sizes, labels: sizes % labels != 0,
    )


def draw_fault(draw: st.DrawFn, mistake: str, counts: Ids) -> DecodingFault:
    """Draw a mistake on examples with these counts of labels."""
    answers = draw_answers(draw, counts, min_accuracy=accuracy_beyond_majority(counts))
    y_true = np.repeat(np.arange(len(counts)), counts)
    case = Case(draw, y_true, answers, len(counts), generator_or_none(draw))
    logits, y_pred = MISTAKES[mistake].build(case)
    return DecodingFault(mistake, MISTAKES[mistake].cause, case.y_true, logits, y_pred)
