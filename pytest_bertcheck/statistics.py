"""Exact tests and intervals that the checks share; thin over :mod:`scipy.stats`.

Every function takes counts, not samples, so that a check touches its arrays once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse, stats

__all__ = [
    "Confusion",
    "LargestErrors",
    "binomial_at_least",
    "binomial_at_most",
    "clopper_pearson",
    "confusion_matrix",
    "entropy",
    "holm",
    "label_counts",
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


@dataclass(frozen=True, eq=False)
class Confusion:
    """Counts of (true, predicted) pairs of labels; memory follows the pairs that occur.

    Attributes
    ----------
    cells
        The counts, (C, C) int: rows are true labels, columns predicted ones.
    support, predicted
        How often each label is true, and how often it is predicted, (C,) int.
    hits
        How often each label is predicted rightly, (C,) int.
    total, right
        Number of examples, and of right predictions among them.
    """

    cells: sparse.csr_array
    support: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    hits: npt.NDArray[np.int64]
    total: int
    right: int

    @property
    def num_labels(self) -> int:
        """Number of labels, C."""
        return len(self.support)

    def largest_errors(self) -> LargestErrors:
        """Return the most frequent wrong prediction for each true label."""
        cells = self.cells.tocoo()
        wrong = cells.row != cells.col
        true, predicted, counts = cells.row[wrong], cells.col[wrong], cells.data[wrong]
        order = np.lexsort((predicted, -counts, true))
        true, predicted, counts = true[order], predicted[order], counts[order]
        first = np.flatnonzero(np.diff(true, prepend=-1))
        second = first + 1
        second = second[(second < len(true)) & ~np.isin(second, first)]
        zeros = np.zeros(self.num_labels, dtype=np.int64)
        errors = LargestErrors(np.arange(self.num_labels), zeros.copy(), zeros.copy())
        errors.label[true[first]] = predicted[first]
        errors.count[true[first]] = counts[first]
        errors.next_count[true[second]] = counts[second]
        return errors


@dataclass(frozen=True, eq=False)
class LargestErrors:
    """The most frequent wrong prediction for each true label, each (C,) int.

    A label that is never predicted wrongly stands for itself, with a count of 0. Of equal counts
    the lower id comes first; ``next_count`` is the count of the second most frequent one.
    """

    label: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    next_count: npt.NDArray[np.int64]


MOST_DENSE_LABELS = 256
"""Up to here all pairs of labels are counted in one array, which takes half a MB at the most."""

BLOCK = 2**15
"""Rows whose pairs are counted at a time, so that nothing of the size of the data is copied."""


def confusion_matrix(
    y_true: npt.NDArray[np.integer[Any]], y_pred: npt.NDArray[np.integer[Any]], num_labels: int
) -> Confusion:
    """Count (true, predicted) pairs; all ids must lie in ``0..num_labels - 1``."""
    shape = (num_labels, num_labels)
    if num_labels <= MOST_DENSE_LABELS:
        counts = np.zeros(num_labels * num_labels, dtype=np.int64)
        for start in range(0, len(y_true), BLOCK):
            pairs = y_true[start : start + BLOCK].astype(np.int64)
            pairs *= num_labels
            pairs += y_pred[start : start + BLOCK]
            counts += np.bincount(pairs, minlength=len(counts))
        cells = sparse.csr_array(counts.reshape(shape))
        hits = counts[:: num_labels + 1]
    else:
        ones = np.ones(len(y_true), dtype=np.int64)
        cells = sparse.csr_array(sparse.coo_array((ones, (y_true, y_pred)), shape=shape))
        hits = cells.diagonal()
    support, predicted = (np.asarray(cells.sum(axis=axis)).ravel() for axis in (1, 0))
    return Confusion(cells, support, predicted, hits, int(support.sum()), int(hits.sum()))


def label_counts(labels: npt.NDArray[np.integer[Any]], num_labels: int) -> npt.NDArray[np.int64]:
    """Count each label id, (C,) int; all ids must lie in ``0..num_labels - 1``."""
    counts = np.zeros(num_labels, dtype=np.int64)
    for start in range(0, len(labels), BLOCK):
        counts += np.bincount(labels[start : start + BLOCK], minlength=num_labels)
    return counts


def match_above_chance(confusion: Confusion) -> float:
    """Test that predictions carry no information about the labels, against 'right too often'.

    Null hypothesis: given both margins, predictions are paired with labels at random. Each label's
    hits are then hypergeometric (Fisher's exact test, one-sided); the smallest p-value is
    corrected for the number of labels by Bonferroni's inequality.
    """
    c = confusion
    p_values = stats.hypergeom.sf(c.hits - 1, c.total, c.support, c.predicted)
    return float(min(1.0, np.min(p_values) * c.num_labels))


def match_below_chance(confusion: Confusion) -> tuple[float, int]:
    """Like :func:`match_above_chance`, against 'right too seldom'; also return for which label."""
    c = confusion
    p_values = stats.hypergeom.cdf(c.hits, c.total, c.support, c.predicted)
    label = int(np.argmin(p_values))
    return float(min(1.0, p_values[label] * c.num_labels)), label


def entropy(counts: npt.NDArray[Any] | Sequence[float]) -> float:
    """Return the entropy in nats of a distribution given by its counts.

    It is the cross-entropy of a model that learnt the class prior and nothing else.
    """
    weights = np.asarray(counts, dtype=float)
    return float(stats.entropy(weights)) if weights.any() else 0.0


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
