"""Strategies for what healthy and collapsed models return and answer."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from ..evidence import Evidence
from .drawing import (
    LEAST_RIGHT,
    Array,
    Ids,
    LabelCounts,
    chosen,
    draw_answers,
    draw_order,
    generator_or_none,
    interval,
    outputs,
    share,
    strategy,
)

__all__ = ["COLLAPSES", "classifier_outputs", "collapse", "collapsed_outputs"]

COLLAPSES = ("constant", "near-constant", "prior", "dead class")
"""Ways in which a model collapses, in the order in which they shrink."""

SUREST = 0.999
"""Highest top probability where none is asked for; no finite logit gives 1."""


@strategy
def classifier_outputs(
    *,
    min_labels: int | None = None,
    max_labels: int | None = None,
    min_size: int | None = None,
    max_size: int | None = None,
    min_accuracy: float | None = None,
    max_accuracy: float | None = None,
    min_confidence: float | None = None,
    max_confidence: float | None = None,
    max_calibration_gap: float | None = None,
    min_majority: float | None = None,
    max_majority: float | None = None,
) -> Callable[[st.DrawFn], Evidence]:
    """Draw what a healthy model returns: an ``Evidence`` of ``y_true``, ``logits`` and ``y_pred``.

    Whatever the bounds, the model is healthy: every label has examples, at least two thirds of
    them are answered right, and the answers are the argmax of finite outputs. So no check fails.

    Shrinks to two labels and one example of each, all right, with outputs of 1 and -1, in the
    order of the labels.

    Parameters
    ----------
    min_labels, max_labels
        Bounds of the number of labels, 2 to 200; by default 2 and 10.
    min_size, max_size
        Bounds of the number of examples; by default as few as the other bounds take, and 200 or
        as many as they take.
    min_accuracy, max_accuracy
        Bounds of the share of right answers, from 2/3 to 1; by default 0.8 (or ``max_accuracy``)
        and 1.
    min_confidence, max_confidence
        Bounds of the top probability of each row, between one in the number of labels and 1; by
        default 0.75 and 0.999, or what ``max_calibration_gap`` takes.
    max_calibration_gap
        Difference between the mean top probability and the accuracy, at most; any by default.
    min_majority, max_majority
        Bounds of the share of the most frequent label; any by default.

    Raises
    ------
    InvalidArgument
        If an argument is not as above, or if no healthy model meets all bounds together.

    Examples
    --------
    >>> from hypothesis import find
    >>> evidence = find(classifier_outputs(min_majority=0.7), lambda evidence: True)
    >>> evidence.y_true, evidence.y_pred
    (array([0, 0, 0, 1]), array([0, 0, 0, 1]))
    """
    why = "or some check could take the model for broken; see label_swaps, collapsed_outputs"
    share("min_accuracy", min_accuracy, least=LEAST_RIGHT, why=why)
    share("max_accuracy", max_accuracy, least=LEAST_RIGHT, why=why)
    interval("min_accuracy", min_accuracy, "max_accuracy", max_accuracy)
    best = 1.0 if max_accuracy is None else float(max_accuracy)
    worst = min(0.8, best) if min_accuracy is None else float(min_accuracy)
    lowest, highest, gap = _confidence(
        min_confidence, max_confidence, max_calibration_gap, worst, best
    )

    def fits(sizes: Array, labels: int) -> Array:
        # Whatever the counts, this many answers can be wrong, a third of those of each label.
        room = np.minimum((sizes - 2 * labels) // 3, np.floor(sizes * (1 - worst) + 1e-9))
        wanted = np.ceil(sizes * (1 - best) - 1e-9)
        possible: Array = (wanted <= 0) | (wanted <= room)
        return possible

    why = f" and an accuracy from {worst:.4g} to {best:.4g}"
    bounds = LabelCounts(
        min_labels,
        max_labels,
        min_size,
        max_size,
        min_majority,
        max_majority,
        fits=fits,
        why=why,
    )
    needed = 1 / min(bounds.sizes)
    if highest <= needed:
        raise InvalidArgument(
            f"max_confidence: expected more than {needed:.4g}, the top probability of a model of "
            f"{min(bounds.sizes)} labels that is sure of none; got {highest!r}"
        )

    def define(draw: st.DrawFn) -> Evidence:
        counts = bounds.draw(draw)
        labels = len(counts)
        answers = draw_answers(draw, counts, min_accuracy=worst, max_accuracy=best)
        y_true = np.repeat(np.arange(labels), counts)
        accuracy = float((answers == y_true).mean())
        order = draw_order(draw, len(answers))
        chance = 1 / labels
        logits = outputs(
            draw,
            answers[order],
            labels,
            # A model that is no surer than that of anything has not learnt anything.
            min_confidence=max(lowest, min(chance + 0.1 * (1 - chance), (chance + highest) / 2)),
            max_confidence=highest,
            between=(accuracy - gap, accuracy + gap),
        )
        return Evidence(y_true=y_true[order], logits=logits, y_pred=answers[order])

    return define


def _confidence(
    low: float | None, high: float | None, gap: float | None, worst: float, best: float
) -> tuple[float, float, float]:
    """Return bounds of the top probability, and how far its mean may be from the accuracy."""
    share("min_confidence", low)
    share("max_confidence", high)
    interval("min_confidence", low, "max_confidence", high)
    share("max_calibration_gap", gap, least=0.001, why="since no finite logit gives 1")
    for name, value in (("min_confidence", low), ("max_confidence", high)):
        if value in (0, 1):
            raise InvalidArgument(f"{name}: expected a share between 0 and 1, got {value!r}")
    highest = (max(SUREST, (1 + low) / 2) if low is not None else SUREST) if high is None else high
    lowest = min(0.75, highest, worst if gap is not None else 1.0) if low is None else low
    if gap is not None and (lowest - gap > worst + 1e-9 or highest + gap < best - 1e-9):
        raise InvalidArgument(
            f"max_calibration_gap={gap!r}: a mean confidence from {lowest:.4g} to {highest:.4g} is "
            f"farther than that from some accuracies between {worst:.4g} and {best:.4g}; widen "
            "min_confidence and max_confidence, or narrow min_accuracy and max_accuracy"
        )
    return lowest, highest, 1.0 if gap is None else gap


@strategy
def collapsed_outputs(
    kinds: Collection[str] | None = None,
    *,
    min_labels: int | None = None,
    max_labels: int | None = None,
    min_size: int | None = None,
    max_size: int | None = None,
    max_majority: float | None = None,
) -> Callable[[st.DrawFn], Evidence]:
    """Draw what a collapsed model returns: an ``Evidence`` as :func:`classifier_outputs` draws it.

    =============  ========================================================================
    kind           what the model does
    =============  ========================================================================
    constant       returns the same outputs for every input, bit for bit
    near-constant  returns outputs that hardly depend on the input; at most one answer in
                   fifty differs from all others, and that one is wrong
    prior          returns the logarithm of the class prior for every input, give or take
                   noise; ``y_train``, which has that prior, is in the evidence
    dead class     never answers with one of at least three labels, and is good otherwise
    =============  ========================================================================

    In ``y_true`` every label has examples.

    Shrinks to the first kind, to the fewest labels, to one example of each, and to label 0 as the
    only answer.

    Parameters
    ----------
    kinds
        Which of :data:`COLLAPSES` to draw, all by default.
    min_labels, max_labels
        Bounds of the number of labels, 2 to 200; by default 2 and 10.
    min_size, max_size
        Bounds of the number of examples; by default as many as labels, and 200.
    max_majority
        Share of the most frequent label in ``y_true``, at most; 0.8 by default.

    Raises
    ------
    InvalidArgument
        If an argument is not as above, or if no outputs meet all bounds together.

    Examples
    --------
    >>> from hypothesis import find
    >>> evidence = find(collapsed_outputs(["constant"]), lambda evidence: True)
    >>> evidence.y_true, evidence.y_pred
    (array([0, 1]), array([0, 0]))
    >>> evidence.logits
    array([[ 1., -1.],
           [ 1., -1.]])
    """
    wanted = chosen("kinds", kinds, COLLAPSES)
    if max_labels == 2 and "dead class" in wanted:
        if kinds is not None:
            raise InvalidArgument(
                "a dead class takes at least three labels, or the answers are constant; raise "
                "max_labels, or leave 'dead class' out of kinds"
            )
        wanted.remove("dead class")

    def bounds_of(least: int) -> LabelCounts:
        return LabelCounts(
            max(least, min_labels or 2),
            max_labels,
            min_size,
            max_size,
            max_majority=0.8 if max_majority is None else max_majority,
        )

    LabelCounts(min_labels, max_labels, min_size, max_size)  # names the bounds as they were given
    bounds = {kind: bounds_of(3 if kind == "dead class" else 2) for kind in wanted}

    def define(draw: st.DrawFn) -> Evidence:
        kind = draw(st.sampled_from(wanted))
        counts = bounds[kind].draw(draw)
        return Evidence(**collapse(draw, kind, counts, draw_order(draw, int(counts.sum()))))

    return define


def collapse(
    draw: st.DrawFn, kind: str, counts: Ids, order: Ids, *, only: int | None = None
) -> dict[str, Array]:
    """Draw the fields of a collapsed model for examples with these counts of labels.

    ``only`` is the label that is answered, or of a dead class not answered; any by default.
    """
    total, labels = int(counts.sum()), len(counts)
    y_true = np.repeat(np.arange(labels), counts)[order]
    if kind == "prior":
        prior = imbalanced_counts(draw, labels)
        generator = generator_or_none(draw)
        noise = 0.0 if generator is None else generator.uniform(-0.5, 0.5, (total, labels))
        logits = np.tile(np.log(prior / prior.sum()), (total, 1)) + noise
        y_train = draw_interleaved(draw, prior)
        return {
            "y_true": y_true,
            "logits": logits,
            "y_pred": logits.argmax(axis=1),
            "y_train": y_train,
        }
    if only is None:
        only = draw(st.integers(0, labels - 1))
    if kind == "dead class":
        heir = (only + 1 + draw(st.integers(0, labels - 2))) % labels
        answers = draw_answers(draw, counts)[order]
        answers = np.where(answers == only, heir, answers)
        return {"y_true": y_true, "logits": outputs(draw, answers, labels), "y_pred": answers}
    strength = draw(st.floats(0.25, 2.0))
    row = np.where(np.arange(labels) == only, strength, -strength)
    logits = np.tile(row, (total, 1))
    if kind == "near-constant":
        logits[:, only] += np.linspace(0, 1e-4, total)
        # Right answers other than the one would tell something: the few that differ are wrong.
        other = (only + 1) % labels
        wrong = np.flatnonzero(y_true != other)[: draw(st.integers(0, total // 50))]
        logits[wrong, other] = logits[wrong, only] + 1e-4
    return {"y_true": y_true, "logits": logits, "y_pred": logits.argmax(axis=1)}


def imbalanced_counts(draw: st.DrawFn, labels: int) -> Ids:
    """Draw how often each label is trained on where one dominates.

    60 to 1 and more, of so many rows that it is beyond doubt that they are beyond 10 to 1.
    """
    rare = draw(st.integers(10, 20))
    counts = np.full(labels, rare)
    counts[draw(st.integers(0, labels - 1))] = rare * max(60, 4 * labels)
    return counts


def draw_interleaved(draw: st.DrawFn, counts: Ids) -> Ids:
    """Draw label ids in a mixed order; shrinks to turns, in which each label is spread evenly."""
    generator = generator_or_none(draw)
    labels = np.repeat(np.arange(len(counts)), counts)
    if generator is not None:
        return generator.permutation(labels)
    place = np.concatenate([(np.arange(count) + 0.5) / count for count in counts if count])
    return labels[np.argsort(place, kind="stable")]
