"""Exact tests and intervals that the checks share; thin over :mod:`scipy.stats`.

Every function takes counts, not samples, so that a check touches its arrays once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

__all__ = [
    "binomial_at_least",
    "binomial_at_most",
    "clopper_pearson",
    "confusion_matrix",
    "entropy",
    "examples_for_equal_answers",
    "holm",
    "match_above_chance",
    "match_below_chance",
    "paired_worse",
    "trials_for_power",
]


def binomial_at_least(successes: int, trials: int, probability: float) -> float:
    """P(X >= successes) for X ~ Binomial(trials, probability)."""
    return float(stats.binom.sf(successes - 1, trials, probability))


def binomial_at_most(successes: int, trials: int, probability: float) -> float:
    """P(X <= successes) for X ~ Binomial(trials, probability)."""
    return float(stats.binom.cdf(successes, trials, probability))


def clopper_pearson(successes: int, trials: int, alpha: float) -> tuple[float, float]:
    """Return the exact two-sided interval of a proportion at confidence ``1 - alpha``.

    Source: Clopper and Pearson (1934), Biometrika 26.
    """
    if trials == 0:
        return 0.0, 1.0
    interval = stats.binomtest(successes, trials).proportion_ci(1 - alpha, method="exact")
    return float(interval.low), float(interval.high)


def paired_worse(only_first_right: int, only_second_right: int) -> float:
    """One-sided exact McNemar test: is the second of two paired classifiers worse?

    Null hypothesis: an example on which exactly one of the two is right is at least as likely to
    be one that the second gets right.

    Source: McNemar (1947), Psychometrika 12, in its exact binomial form.
    """
    return binomial_at_least(only_first_right, only_first_right + only_second_right, 0.5)


def _matches(confusion: npt.NDArray[np.int64]) -> tuple[Any, ...]:
    return (
        np.diag(confusion),
        int(confusion.sum()),
        confusion.sum(axis=1),
        confusion.sum(axis=0),
    )


def match_above_chance(confusion: npt.NDArray[np.int64]) -> float:
    """Test that predictions carry no information about the labels, against 'right too often'.

    Null hypothesis: given both margins, predictions are paired with labels at random. Each label's
    hits are then hypergeometric (Fisher's exact test, one-sided); the smallest p-value is
    corrected for the number of labels by Bonferroni's inequality.
    """
    hits, total, true, predicted = _matches(confusion)
    p_values = stats.hypergeom.sf(hits - 1, total, true, predicted)
    return float(min(1.0, np.min(p_values) * len(hits)))


def match_below_chance(confusion: npt.NDArray[np.int64]) -> float:
    """Like :func:`match_above_chance`, against 'right too seldom'."""
    hits, total, true, predicted = _matches(confusion)
    p_values = stats.hypergeom.cdf(hits, total, true, predicted)
    return float(min(1.0, np.min(p_values) * len(hits)))


def confusion_matrix(
    y_true: npt.NDArray[np.integer[Any]], y_pred: npt.NDArray[np.integer[Any]], num_labels: int
) -> npt.NDArray[np.int64]:
    """Count (true, predicted) pairs; all ids must lie in ``0..num_labels - 1``."""
    pairs = y_true.astype(np.int64) * num_labels + y_pred
    counts = np.bincount(pairs, minlength=num_labels * num_labels)
    return counts.reshape(num_labels, num_labels)


def entropy(counts: npt.NDArray[Any] | Sequence[float]) -> float:
    """Return the entropy in nats of a distribution given by its counts.

    It is the cross-entropy of a model that learnt the class prior and nothing else.
    """
    weights = np.asarray(counts, dtype=float)
    return float(stats.entropy(weights)) if weights.any() else 0.0


def examples_for_equal_answers(alpha: float, probability: float) -> int:
    """Return how many equal answers in a row a healthy model gives with at most ``alpha``.

    If each is given with at most ``probability``, n of them have probability at most
    ``probability ** n``; so n >= ln(alpha) / ln(probability) are needed to call them a collapse.
    """
    return int(np.ceil(np.log(alpha) / np.log(probability)))


def holm(p_values: Sequence[float], alpha: float) -> list[bool]:
    """Return which hypotheses Holm's step-down method rejects at family-wise rate ``alpha``.

    Source: Holm (1979), Scandinavian Journal of Statistics 6.
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    rejected = [False] * len(p_values)
    for rank, index in enumerate(order):
        if p_values[index] > alpha / (len(p_values) - rank):
            break
        rejected[index] = True
    return rejected


def trials_for_power(null: float, alternative: float, alpha: float, power: float) -> int:
    """Return the trials after which the exact binomial test of ``null`` finds ``alternative``.

    The power of an exact test rises in a saw-tooth: from this number of trials on, it never again
    falls below ``power``.

    Raises
    ------
    ValueError
        If ``alternative`` is ``null``, which no number of trials tells apart, or so close to it
        that a million would not do.
    """
    low, high = sorted((null, alternative))
    if alternative < null:  # count the failures instead: one tail serves both directions
        low, high = 1 - null, 1 - alternative
    most = 64
    while low < high and most <= 2**20:
        trials = np.arange(1, most + 1)
        critical = stats.binom.isf(alpha, trials, low)
        reached = stats.binom.sf(critical, trials, high) >= power
        if reached[most // 2 :].all():
            missed = np.flatnonzero(~reached)
            return int(trials[missed[-1]]) + 1 if len(missed) else 1
        most *= 2
    raise ValueError(
        f"expected a fault that can be told from health, got rates {null:g} and {alternative:g}"
    )
