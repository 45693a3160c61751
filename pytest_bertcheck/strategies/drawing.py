"""What the strategies share: bounds that can be met, and arrays made from few drawn integers.

Hypothesis draws what an example means (how many labels, how many examples of each, how many wrong
answers), and NumPy makes the arrays from it. What carries no meaning (the order of the rows,
noise) comes from a generator seeded with one drawn integer; that integer shrinks to 0, which
stands for no shuffling and no noise. So arrays of any length cost a handful of draws and still
shrink to the example that a person would have written.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

__all__ = [
    "LabelCounts",
    "accuracy_beyond_majority",
    "bounded",
    "chosen",
    "confidence_of",
    "draw_answers",
    "draw_order",
    "generator_or_none",
    "interval",
    "outputs",
    "share",
    "strategy",
    "strength_of",
    "whole_number",
]

P = ParamSpec("P")
T = TypeVar("T")
Array = npt.NDArray[Any]
Ids = npt.NDArray[np.int64]

MOST_LABELS = 200
"""More labels than text classifiers have (CLINC150 has 150); each takes a draw of its own."""

USUAL_MAX_SIZE = 200
"""Largest number of examples where none is asked for: enough for most checks to be sure."""

LEAST_RIGHT = 2 / 3
"""Share of each label's own examples that a healthy model gets right, at least.

Its label is then answered twice as often as all others together, so that no check can take it for
swapped, collapsed or at chance, however the labels are balanced.
"""

SEEDS = st.integers(0, 2**32 - 1)


def strategy(
    definition: Callable[P, Callable[[st.DrawFn], T]],
) -> Callable[P, st.SearchStrategy[T]]:
    """Make a strategy function of one that checks its arguments and returns how to draw.

    Like ``@st.composite``, except that bad arguments are rejected where they stand: when the
    strategy is made, not when the first example is drawn. The strategy's ``repr`` is the call.
    """

    @functools.wraps(definition)
    def made(*args: P.args, **kwargs: P.kwargs) -> st.SearchStrategy[T]:
        define = definition(*args, **kwargs)

        def drawn(draw: st.DrawFn, /, *args: P.args, **kwargs: P.kwargs) -> T:
            return define(draw)

        drawn.__name__ = drawn.__qualname__ = definition.__name__
        return st.composite(drawn)(*args, **kwargs)

    signature = inspect.signature(definition)
    made.__signature__ = signature.replace(return_annotation=st.SearchStrategy)  # type: ignore[attr-defined]
    return made


# Arguments


def whole_number(name: str, value: Any, *, least: int, most: int | None = None) -> None:
    """Reject what is no whole number between ``least`` and ``most``; ``None`` is no bound."""
    if value is None:
        return
    limit = f"of at least {least}" if most is None else f"from {least} to {most}"
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise InvalidArgument(f"{name}: expected a whole number {limit}, got {value!r:.60}")
    if value < least or (most is not None and value > most):
        raise InvalidArgument(f"{name}: expected a whole number {limit}, got {value!r}")


def share(name: str, value: Any, *, least: float = 0.0, most: float = 1.0, why: str = "") -> None:
    """Reject what is no number between ``least`` and ``most``; ``None`` is no bound."""
    if value is None:
        return
    kind = (int, float, np.integer, np.floating)
    if isinstance(value, bool) or not isinstance(value, kind) or not least <= value <= most:
        reason = f", {why}" if why else ""
        raise InvalidArgument(
            f"{name}: expected a share from {least:.4g} to {most:.4g}{reason}; got {value!r:.60}"
        )


def interval(low_name: str, low: Any, high_name: str, high: Any) -> None:
    """Reject bounds that exclude each other."""
    if low is not None and high is not None and low > high:
        raise InvalidArgument(
            f"Cannot have {high_name}={high!r} < {low_name}={low!r}; exchange the two, or leave "
            "one of them out"
        )


def bounded(
    name: str, low: int | None, high: int | None, *, least: int, usual: int, most: int | None = None
) -> tuple[int, int]:
    """Return valid bounds ``min_<name>, max_<name>``; a default gives way to a bound given."""
    whole_number(f"min_{name}", low, least=least, most=most)
    whole_number(f"max_{name}", high, least=least, most=most)
    interval(f"min_{name}", low, f"max_{name}", high)
    low = least if low is None else int(low)
    return low, max(usual, low) if high is None else int(high)


def chosen(name: str, wanted: Collection[T] | None, known: Collection[T]) -> list[T]:
    """Return what to draw from, in the order given: all that is known unless some is chosen."""
    if wanted is None:
        return list(known)
    if isinstance(wanted, str) or not isinstance(wanted, Collection):
        raise InvalidArgument(
            f"{name}: expected a collection, such as [{next(iter(known))!r}], got {wanted!r:.60}"
        )
    for item in wanted:
        if item not in known:
            raise InvalidArgument(f"{name}: unknown {item!r:.60}; expected some of {[*known]}")
    if not wanted:
        raise InvalidArgument(f"{name}: expected at least one of {[*known]}, got none")
    return list(wanted)


# Labels


@dataclass(frozen=True)
class LabelCounts:
    """Bounds on how often each label occurs: how many labels, how many examples, what majority.

    Shrinks to the fewest labels, then to the fewest examples, then to the smallest majority, then
    to no rare label among the others, with label 0 the most frequent one.

    Raises
    ------
    InvalidArgument
        If a bound is no number in its range, or if no counts meet all bounds together.
    """

    min_labels: int | None = None
    max_labels: int | None = None
    min_size: int | None = None
    max_size: int | None = None
    min_majority: float | None = None
    max_majority: float | None = None
    allow_absent: bool = False
    fits: Callable[[Array, int], Array] | None = None
    """Which of these sizes a strategy can use with so many labels."""
    why: str = ""
    """What ``fits`` asks for, for the reader of an error."""

    def __post_init__(self) -> None:
        share("min_majority", self.min_majority)
        share("max_majority", self.max_majority)
        interval("min_majority", self.min_majority, "max_majority", self.max_majority)
        if not self.sizes:
            asked = {
                name: value
                for name, value in vars(self).items()
                if name.startswith(("min_", "max_")) and value is not None
            }
            given = ", ".join(f"{name}={value!r}" for name, value in asked.items())
            present = "" if self.allow_absent else "each label once and "
            raise InvalidArgument(
                f"{given}: no number of examples has {present}such a share of the most frequent "
                f"label{self.why}; widen a bound: raise max_size, or lower min_labels or "
                "min_majority, or raise max_majority"
            )

    @functools.cached_property
    def sizes(self) -> dict[int, Array]:
        """Number of labels -> numbers of examples that meet all bounds; never an empty array."""
        low, high = bounded(
            "labels", self.min_labels, self.max_labels, least=2, usual=10, most=MOST_LABELS
        )
        if self.max_labels is None:
            high = max(low, min(high, self.max_size or high))
        least, most = bounded("size", self.min_size, self.max_size, least=1, usual=0)
        if self.max_size is None:
            most = max(USUAL_MAX_SIZE, 2 * least)
            # An extreme majority takes many examples: the default gives way to it.
            while most < 2**20 and not self._sizes(low, least, most).size:
                most *= 2
        found = {labels: self._sizes(labels, least, most) for labels in range(low, high + 1)}
        return {labels: sizes for labels, sizes in found.items() if sizes.size}

    def _sizes(self, labels: int, least: int, most: int) -> Array:
        sizes = np.arange(least, most + 1)
        low, high = self.majority(sizes, labels)
        possible = low <= high
        if self.fits is not None:
            possible &= self.fits(sizes, labels)
        return sizes[possible]

    def majority(self, sizes: Array, labels: int) -> tuple[Array, Array]:
        """Return how many examples the most frequent label may have, at least and at most."""
        others = 0 if self.allow_absent else labels - 1
        low, high = -(-sizes // labels), sizes - others
        if self.min_majority is not None:
            asked = np.ceil(self.min_majority * sizes).astype(np.int64)
            asked -= (asked - 1) / sizes >= self.min_majority  # the product was rounded up
            low = np.maximum(low, asked)
        if self.max_majority is not None:
            asked = np.floor(self.max_majority * sizes).astype(np.int64)
            asked += (asked + 1) / sizes <= self.max_majority  # the product was rounded down
            high = np.minimum(high, asked)
        return low, high

    def draw(self, draw: st.DrawFn, labels: int | None = None) -> Ids:
        """Draw how often each label occurs, by id; of so many labels if that is decided."""
        if labels is None:
            labels = draw(st.sampled_from(list(self.sizes)))
        elif labels not in self.sizes:
            raise InvalidArgument(
                f"names: drew {labels}, which the bounds of the number of examples or of the "
                f"majority do not allow{self.why}; raise max_size or max_majority"
            )
        sizes = self.sizes[labels]
        size = sizes[draw(st.integers(0, len(sizes) - 1))]
        low, high = self.majority(np.asarray([size]), labels)
        most = draw(st.integers(int(low[0]), int(high[0])))
        others, least = labels - 1, 0 if self.allow_absent else 1
        left = int(size) - most
        # As many rare labels as leave the frequent ones no more examples than the majority has.
        most_rare = others if most == least else (most * others - left) // (most - least)
        rare = draw(st.integers(0, min(most_rare, others - 1 if left > least * others else others)))
        counts = np.full(labels, least)
        counts[0] = most
        frequent = others - rare
        if frequent:
            share, rest = divmod(left - least * rare, frequent)
            counts[1 : 1 + frequent] = share
            counts[1 : 1 + rest] += 1
        return np.roll(counts, draw(st.integers(0, labels - 1)))


def generator_or_none(draw: st.DrawFn) -> np.random.Generator | None:
    """Draw a generator for what carries no meaning; shrinks to none, for nothing of the kind."""
    seed = draw(SEEDS)
    return np.random.default_rng(seed) if seed else None


def draw_order(draw: st.DrawFn, size: int) -> Ids:
    """Draw an order of so many rows; shrinks to that in which they are."""
    generator = generator_or_none(draw)
    return np.arange(size) if generator is None else generator.permutation(size)


# Outputs


def draw_answers(
    draw: st.DrawFn, counts: Ids, *, min_accuracy: float = 0.8, max_accuracy: float = 1.0
) -> Ids:
    """Draw the answers of a good model to examples sorted by label; shrinks to no wrong answer.

    Wrong answers are spread over the labels, at most a third of the examples of each.
    """
    total, labels = int(counts.sum()), len(counts)
    room = np.floor(counts * (1 - LEAST_RIGHT) + 1e-9).astype(np.int64)
    most = min(int(room.sum()), int(np.floor(total * (1 - min_accuracy) + 1e-9)))
    least = int(np.ceil(total * (1 - max_accuracy) - 1e-9))
    wrong = draw(st.integers(least, most))
    answers = np.repeat(np.arange(labels), counts)
    if wrong:
        # The k-th wrong answer comes from the label whose room is used least so far.
        turns = np.concatenate([np.arange(1, n + 1) / n for n in room if n])
        owners = np.repeat(np.arange(labels), room)[np.argsort(turns, kind="stable")[:wrong]]
        ends = np.cumsum(counts)
        for label, number in enumerate(np.bincount(owners, minlength=labels)):
            rows = ends[label] - 1 - np.arange(number)
            answers[rows] = (label + 1 + np.arange(number) % (labels - 1)) % labels
    return answers


def accuracy_beyond_majority(counts: Ids) -> float:
    """Return an accuracy that no constant answer comes near, however imbalanced the labels are."""
    minority = 1 - counts.max() / counts.sum()
    return float(1 - minority / 4)


def confidence_of(strength: Any, labels: int) -> Any:
    """Return the top probability of outputs of ``strength`` for one label, minus it for others."""
    return 1 / (1 + (labels - 1) * np.exp(-2 * strength))


def strength_of(confidence: Any, labels: int) -> Any:
    """Return the output that gives a label this probability, if all others get minus it."""
    return np.log(confidence * (labels - 1) / (1 - confidence)) / 2


def outputs(
    draw: st.DrawFn,
    answers: Ids,
    labels: int,
    *,
    min_confidence: float = 0.75,
    max_confidence: float = 0.99,
    between: tuple[float, float] = (0.0, 1.0),
    even: bool = False,
) -> Array:
    """Draw logits, (n, C), whose argmax these answers are; they shrink to plain whole numbers.

    Parameters
    ----------
    min_confidence, max_confidence
        Bounds of the top probability of every row.
    between
        Bounds of its mean over the rows.
    even
        Leave all labels but the answered one equally likely and the mean of each row 0: the
        answer then decides every output.
    """
    low = max(min_confidence, between[0])
    high = min(max_confidence, between[1])
    bounds = strength_of(low, labels), strength_of(max(low, high), labels)
    strength = draw(st.floats(float(bounds[0]), float(bounds[1])))
    answered = answers[:, None] == np.arange(labels)
    generator = generator_or_none(draw)
    if generator is None:
        return np.where(answered, strength, -strength)
    mean = float(np.clip(confidence_of(strength, labels), low, max(low, high)))
    wobble = generator.uniform(-1, 1, len(answers))
    wobble -= wobble.mean()
    wobble /= max(1.0, np.abs(wobble).max(initial=0))
    top = mean + wobble * min(mean - min_confidence, max_confidence - mean)
    top = np.clip(top, min_confidence, max_confidence)[:, None]
    uneven = np.zeros_like(top)
    if labels > 2 and not even:
        # How far the rest may go to a single label without overtaking the answer.
        uneven = 0.5 * np.minimum(
            1, (top / (1 - top) - 1 / (labels - 1)) * (labels - 1) / (labels - 2)
        )
    favoured = np.where(answered, 0, generator.random(answered.shape))
    favoured /= favoured.sum(axis=1, keepdims=True)
    rest = (1 - top) * ((1 - uneven) / (labels - 1) + uneven * favoured)
    logits: Array = np.log(np.where(answered, top, rest))
    if even:
        logits -= logits.mean(axis=1, keepdims=True)
    else:
        logits += generator.normal(0, 1, top.shape)  # common to a row: decides nothing
    return logits
