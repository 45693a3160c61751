"""A strategy for training histories: the course that the loss takes, and why."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from hypothesis import strategies as st

from .. import statistics
from .drawing import MOST_LABELS, Array, Ids, bounded, chosen, generator_or_none, strategy
from .outputs import draw_interleaved, imbalanced_counts

__all__ = ["COURSES", "TrainingHistory", "draw_history", "training_histories"]

COURSES: dict[str, str | None] = {
    "learns": None,
    "overfits": None,
    "flat": "learning-rate-too-low",
    "prior": "class-imbalance",
    "diverges": "diverged",
    "collapses late": "learning-rate-schedule-broken",
}
"""Courses of a training, in the order in which they shrink, with the code of what went wrong."""


@dataclass(frozen=True, eq=False)
class TrainingHistory:
    """What was recorded of a training; the names are those of the fields of ``Evidence``.

    Attributes
    ----------
    course
        One of :data:`COURSES`.
    cause
        The code of what went wrong, or ``None`` if nothing did that has one.
    y_train
        ``(m,) int``: label ids in the order in which they were fed.
    loss, val_loss, val_accuracy, grad_norm, learning_rate
        ``(T,) float``: one value for each recorded point.
    train_steps, batch_size
        Steps of the optimizer in all, about three epochs, and examples in each.
    """

    course: str
    cause: str | None
    y_train: Ids
    loss: Array
    val_loss: Array
    val_accuracy: Array
    grad_norm: Array
    learning_rate: Array
    train_steps: int
    batch_size: int

    def fields(self) -> dict[str, Any]:
        """Return the fields of the evidence: ``Evidence(**history.fields())``."""
        own = ("course", "cause")
        return {
            field.name: getattr(self, field.name) for field in fields(self) if field.name not in own
        }


@strategy
def training_histories(
    courses: Collection[str] | None = None,
    *,
    min_labels: int | None = None,
    max_labels: int | None = None,
    min_points: int | None = None,
    max_points: int | None = None,
) -> Callable[[st.DrawFn], TrainingHistory]:
    """Draw the history of a training, the course that it takes, and the code of what went wrong.

    Knowing nothing costs the entropy H(p) of the training labels, ln C if they are balanced.

    ==============  ================================================================
    course          what the losses do
    ==============  ================================================================
    learns          fall well below H(p), on validation data too
    overfits        fall; that on validation data rises again, beyond H(p)
    flat            stay at H(p) = ln C: the learning rate is far too low
    prior           stay at H(p), far below ln C: one class dominates training
    diverges        fall, then become NaN and stay it
    collapses late  fall, then are back at H(p): the learning rate has passed zero
    ==============  ================================================================

    Shrinks to the first course, to two labels, to the fewest points, and to straight lines.

    Parameters
    ----------
    courses
        Which of :data:`COURSES` to draw, all by default.
    min_labels, max_labels
        Bounds of the number of labels, 2 to 200; by default 2 and 10.
    min_points, max_points
        Bounds of the number of recorded points, at least 4; by default 4 and 30.

    Raises
    ------
    InvalidArgument
        If an argument is not as above, or if the bounds exclude each other.

    Examples
    --------
    >>> from hypothesis import find
    >>> history = find(training_histories(["flat"]), lambda history: True)
    >>> history.cause, history.loss.round(4)
    ('learning-rate-too-low', array([0.6931, 0.6931, 0.6931, 0.6931]))
    """
    low, high = bounded("labels", min_labels, max_labels, least=2, usual=10, most=MOST_LABELS)
    points = bounded("points", min_points, max_points, least=4, usual=30)
    wanted = chosen("courses", courses, COURSES)

    def define(draw: st.DrawFn) -> TrainingHistory:
        course = draw(st.sampled_from(wanted))
        labels = draw(st.integers(low, high))
        if course == "prior":
            counts = imbalanced_counts(draw, labels)
        else:
            counts = np.full(labels, draw(st.integers(20, 60)))
            if course != "flat":  # where ln C is what knowing nothing costs
                more = draw(st.integers(0, int(counts[0])))
                counts[draw(st.integers(0, labels - 1))] += more
        y_train = draw_interleaved(draw, counts)
        recorded = draw_history(draw, course, y_train, draw(st.integers(*points)))
        return TrainingHistory(course, COURSES[course], y_train, **recorded)

    return define


def draw_history(
    draw: st.DrawFn,
    course: str,
    y_train: Ids,
    points: int,
    *,
    last_val_loss: float | None = None,
    last_val_accuracy: float | None = None,
) -> dict[str, Any]:
    """Draw what is recorded of a training on these labels, at so many points.

    ``last_val_loss`` and ``last_val_accuracy`` are where a training that learns ends, if that is
    known from its outputs.
    """
    counts = np.bincount(y_train)
    ignorance = statistics.entropy(counts)
    majority = float(counts.max() / counts.sum())
    place, number = np.linspace(0, 1, points), np.arange(points)
    warm_up = max(1, points // 10)
    rates = np.minimum((number + 1) / warm_up, (points - number) / (points - warm_up))
    peaks = [1e-8, 1e-7] if course == "flat" else [2e-5, 1e-5, 3e-5, 5e-5]
    depth = draw(st.integers(2, 20))
    loss = ignorance * (1 - place * (1 - 1 / depth))
    end = ignorance / draw(st.integers(2, depth)) if last_val_loss is None else last_val_loss
    val_loss = ignorance + place * (end - ignorance)
    known = np.zeros(points, dtype=bool)  # where the value is not subject to noise
    known[-1] = last_val_loss is not None
    if course == "overfits":
        val_loss = ignorance * np.interp(place, [0, 0.5, 1], [1, 0.5, 1.5])
    elif course in ("flat", "prior"):
        loss = val_loss = np.full(points, ignorance)
    elif course == "diverges":
        broken = number >= draw(st.integers(1, points - 1))
        loss, val_loss = np.where(broken, np.nan, loss), np.where(broken, np.nan, val_loss)
    elif course == "collapses late":
        zero = draw(st.integers(2, points - 2))
        rates = 1 - number / zero
        fall = np.where(number > zero, 0, number / zero) * (1 - 1 / depth)
        loss = val_loss = ignorance * (1 - fall)
    learnt = np.clip(1 - np.nan_to_num(val_loss, nan=ignorance) / ignorance, 0, 1)
    val_accuracy = majority + (1 - majority) * learnt
    if last_val_accuracy is not None:
        val_accuracy = majority + place * (last_val_accuracy - majority)
    generator = generator_or_none(draw)
    if generator is not None:
        wobble = 1e-4 if course in ("flat", "prior") else 0.01
        loss = loss * generator.uniform(1 - wobble, 1 + wobble, points)
        val_loss = val_loss * np.where(
            known, 1.0, generator.uniform(1 - wobble, 1 + wobble, points)
        )
    batch_size = draw(st.sampled_from([8, 16, 32]))
    return {
        "loss": loss,
        "val_loss": val_loss,
        "val_accuracy": val_accuracy,
        "grad_norm": 4 * loss / ignorance,  # steep where there is much to learn
        "learning_rate": draw(st.sampled_from(peaks)) * rates,
        "train_steps": max(60, points, -(-3 * len(y_train) // batch_size)),
        "batch_size": batch_size,
    }
