"""Exact tests and intervals that the checks share; thin over :mod:`scipy.stats`.

Every function takes counts, not samples, so that a check touches its arrays once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, sparse, special, stats

__all__ = [
    "Confusion",
    "LargestErrors",
    "binomial_at_least",
    "binomial_at_most",
    "clopper_pearson",
    "confusion_matrix",
    "entropy",
    "holm",
    "hypergeometric_at_least",
    "hypergeometric_at_most",
    "label_counts",
    "match_above_chance",
    "match_below_chance",
    "mean_below_zero",
    "paired_worse",
    "paired_worse_power",
    "rate_above",
    "runs_too_few",
    "skill_below",
    "successes_at_least",
    "trials_for_gap",
    "trials_for_paired_power",
    "trials_for_power",
    "trials_for_successes",
]


def binomial_at_least(successes: int, trials: int, probability: float) -> float:
    """P(X >= successes) for X ~ Binomial(trials, probability)."""
    return float(stats.binom.sf(successes - 1, trials, probability))


def binomial_at_most(successes: int, trials: int, probability: float) -> float:
    """P(X <= successes) for X ~ Binomial(trials, probability)."""
    return float(stats.binom.cdf(successes, trials, probability))


def successes_at_least(successes: int, chances: Sequence[float]) -> float:
    """P(X >= successes) for independent trials, each with a chance of its own."""
    exactly = np.ones(1)  # the probability of 0, 1, ... successes
    for chance in chances:
        exactly = np.convolve(exactly, (1 - chance, chance))
    return float(exactly[successes:].sum())


def hypergeometric_at_least(hits: int, total: int, marked: int, drawn: int) -> float:
    """P(X >= hits) for X marked ones among ``drawn`` of ``total``, of which some are marked."""
    return float(stats.hypergeom.sf(hits - 1, total, marked, drawn))


def hypergeometric_at_most(hits: int, total: int, marked: int, drawn: int) -> float:
    """P(X <= hits) for X marked ones among ``drawn`` of ``total``, of which some are marked."""
    return float(stats.hypergeom.cdf(hits, total, marked, drawn))


def clopper_pearson(successes: int, trials: int, alpha: float) -> tuple[float, float]:
    """Return the exact two-sided interval of a proportion at confidence ``1 - alpha``.

    By quantiles of the beta distribution: ``scipy.stats.binomtest`` searches for the same numbers,
    which takes fifty times as long.

    Source: Clopper and Pearson (1934), Biometrika 26.
    """
    failures = trials - successes
    low = stats.beta.ppf(alpha / 2, successes, failures + 1) if successes else 0.0
    high = stats.beta.isf(alpha / 2, successes + 1, failures) if failures else 1.0
    return float(low), float(high)


BETS = (0.95, 0.6, 0.3, 0.1)
"""Shares of the largest safe stake: near 1 finds a large effect in few rows, near 0 a small one."""


def mean_below_zero(values: npt.NDArray[np.float64], largest: float) -> float:
    """Test of 'the mean of the expected values is at least 0', against 'it is below'.

    The values are independent and at most ``largest``; nothing else is assumed of them, such as
    one distribution for all. Whoever bets the share b / largest on each being negative multiplies
    the stake by prod(1 - b x / largest), of which no more than 1 can be expected under the null
    hypothesis. So the reciprocal of the mean over several b is a p-value, exact or too large.

    Source: Waudby-Smith and Ramdas (2024), Journal of the Royal Statistical Society B 86.
    """
    wealth = [np.log1p(-bet / largest * values).sum() for bet in BETS]
    return float(min(1.0, np.exp(min(700.0, np.log(len(BETS)) - special.logsumexp(wealth)))))


def skill_below(
    labels: npt.NDArray[np.integer[Any]],
    right: npt.NDArray[np.bool_],
    counts: npt.NDArray[np.int64],
    other_right: npt.NDArray[np.bool_],
    min_share: float,
) -> float:
    """Test whether answers keep ``min_share`` of the skill that answers on other rows have.

    Skill is what accuracy gains over always answering the most frequent label. Null hypothesis:
    were labels as frequent among these rows as among the others, they would; or the others have no
    skill. Test of the first: by betting on the mean of what each row of either set contributes, or
    by Chernoff's bound on the difference of the two accuracies, whichever says more (Bonferroni);
    of the second: exact binomial. Both must reject. A label with less than a quarter of the rows
    that it should have is taken to be always right.

    Parameters
    ----------
    labels : (n,) int
        True labels of these rows, within ``0..C - 1``.
    right : (n,) bool
        Which of their answers are right.
    counts : (C,) int
        How often each label occurs among the other rows, up to a factor.
    other_right : (v,) bool
        Which of the answers on the other rows are right.
    min_share
        Share of the skill on the other rows that must be left.

    Returns
    -------
    float
        The larger of the two p values.

    Examples
    --------
    >>> import numpy as np
    >>> labels = np.arange(100) % 2
    >>> good, bad = np.arange(100) >= 5, np.arange(100) >= 45
    >>> skill_below(labels, bad, np.array([1, 1]), good, 0.5) < 0.02
    True
    >>> skill_below(labels, good, np.array([1, 1]), good, 0.5)
    1.0
    """
    rows = np.bincount(labels, minlength=len(counts))
    balance, own = counts / counts.sum(), rows / len(labels)
    rare = own < balance / 4  # a row of such a label would count for more than four
    each = np.divide(balance, own, out=np.zeros_like(own), where=(own > 0) & ~rare)
    weights = each[labels]
    constant, taken_as_right = float(balance.max()), float(balance[rare].sum())
    # The sum over both is at least 0 under the null hypothesis, whatever is taken off the second
    # and given to the first: the accuracy of a good model gives the most power.
    good = constant + 0.8 * (1 - constant)
    least = min_share * good + (1 - min_share) * constant - taken_as_right
    values = np.concatenate(
        [
            (weights * right - least) / len(right),
            min_share * (good - other_right) / len(other_right),
        ]
    )
    largest = max((float(weights.max()) - least) / len(right), min_share * good / len(other_right))
    difference = float((weights * right).mean() - min_share * other_right.mean())
    floor = (1 - min_share) * constant - taken_as_right
    bound = _difference_below(
        difference, floor, rows, each, others=len(other_right), share=min_share
    )
    return max(
        min(1.0, 2 * min(mean_below_zero(values, largest), bound)),
        binomial_at_least(int(other_right.sum()), len(other_right), constant),
    )


def _difference_below(
    difference: float,
    floor: float,
    rows: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    *,
    others: int,
    share: float,
) -> float:
    """Bound the probability that a weighted mean is so far below the share of another mean.

    The first is the mean over all ``rows`` of ``weights`` times what is 1 or 0; the second that of
    ``others`` values of 1 or 0, with probability q, of which ``share`` is taken.
    The expected difference is at least ``floor``, whatever q. For each q the bound is the least
    exp(b d) E exp(-b D) over b > 0, and the largest expectation that the null allows: where all
    labels gain as much by one more right row (Lagrange), wherever between or beyond 0 and 1 that
    puts their probabilities. Of all q the largest bound counts; it is concave in q.

    Source: Chernoff (1952), Annals of Mathematical Statistics 23.
    """
    total, used = int(rows.sum()), weights > 0
    rows, weights = rows[used], weights[used]
    if not len(rows) or difference >= floor:
        return 1.0
    largest_bet = np.log(30 * min(total / weights.min(), others / share))

    def log_bound(q: float) -> float:
        mean = max(0.0, share * q + floor)

        def at(log_bet: float) -> float:
            bet = np.exp(log_bet)
            lost = -np.expm1(-bet * weights / total)
            room = (rows * weights / lost).sum() / total - mean
            first = (rows * np.log(lost / weights * room * total / rows.sum())).sum()
            second = np.logaddexp(np.log1p(-q), np.log(q) + bet * share / others)
            return float(bet * difference + first + others * second)

        return _least(at, (-3, largest_bet), 0.02)  # any b will do, the best one by a hair more

    # On the logit scale q is found as closely near 0 and 1 as its standard error is small there.
    worst = _least(lambda logit: -log_bound(float(special.expit(logit))), (-20, 20), 1e-3)
    return float(np.exp(min(0.0, -worst)))


def _least(function: Callable[[float], float], bounds: tuple[float, float], width: float) -> float:
    found = optimize.minimize_scalar(
        function, bounds=bounds, method="bounded", options={"xatol": width}
    )
    return float(found.fun)


def paired_worse(
    only_first_right: int, only_second_right: int, trials: int = 0, *, margin: float = 0.0
) -> float:
    """Test one-sided whether the second of two paired classifiers is worse, by over ``margin``.

    Null hypothesis without a margin: an example on which exactly one of the two is right is at
    least as likely to be one that the second gets right. Test: exact McNemar.

    Null hypothesis with a margin: the second is right at most ``margin`` less often, over all
    ``trials``. Test: :func:`mean_below_zero`, which is exact or too large.

    Source: McNemar (1947), Psychometrika 12, in its exact binomial form.
    """
    if margin == 0:
        return binomial_at_least(only_first_right, only_first_right + only_second_right, 0.5)
    values = np.full(trials, margin)
    values[:only_first_right] -= 1
    values[only_first_right : only_first_right + only_second_right] += 1
    return mean_below_zero(values, 1 + margin)


def paired_worse_power(trials: int, lost: float, won: float, alpha: float) -> float:
    """Return how often :func:`paired_worse` finds a second classifier worse, exactly.

    ``lost`` and ``won`` are the shares of examples that only the first and only the second gets
    right.

    Examples
    --------
    >>> [round(paired_worse_power(n, 0.03, 0.01, 0.01), 2) for n in (500, 1000, 2000)]
    [0.39, 0.78, 0.99]
    """
    either = np.arange(trials + 1)
    weights = stats.binom.pmf(either, trials, lost + won)
    either, weights = either[weights > 1e-15], weights[weights > 1e-15]
    critical = stats.binom.isf(alpha, either, 0.5)
    return float(weights @ stats.binom.sf(critical, either, lost / (lost + won)))


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

    @property
    def right_by_chance(self) -> float:
        """Rows that would be right if the same answers were dealt to the rows at random."""
        return float(self.support @ self.predicted) / self.total

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


def rate_above(
    successes: int,
    trials: int,
    other_successes: int,
    other_trials: int,
    *,
    margin: float,
) -> float:
    """Test whether one rate is above another by more than a margin.

    Null hypothesis: the rate is at most the other rate plus ``margin``. Test: the one-sided
    Clopper-Pearson bounds of the two, each at half the level, leave no room for that. It is
    conservative: two standard errors are added where the root of their squares would do.
    """

    def tails(other: float) -> tuple[float, float]:
        return (
            binomial_at_least(successes, trials, min(1.0, other + margin)),
            binomial_at_most(other_successes, other_trials, other),
        )

    def difference(other: float) -> float:
        above, below = tails(other)
        return above - below

    if difference(0.0) >= 0 or difference(1.0) <= 0:
        return 1.0
    crossing = optimize.bisect(difference, 0.0, 1.0, xtol=1e-9)
    return min(1.0, 2 * max(tails(crossing)))


def runs_too_few(labels: npt.NDArray[np.integer[Any]]) -> float:
    """Test that labels come in random order, against 'equal labels stand together'.

    Null hypothesis: all orders of these labels are equally likely. The number of runs of each
    label, the others counted as one, is then hypergeometric: of the gaps between the others it
    takes so many. The smallest p-value is corrected for the number of labels by Bonferroni's
    inequality.

    Source: Wald and Wolfowitz (1940), Annals of Mathematical Statistics 11; the exact number of
    runs of one kind by Stevens (1939), Annals of Eugenics 9.
    """
    starts = np.r_[True, labels[1:] != labels[:-1]]
    kinds, ids = np.unique(labels, return_inverse=True)
    rows = np.bincount(ids)
    runs = np.bincount(ids[starts], minlength=len(kinds))
    p_values = stats.hypergeom.cdf(runs, len(labels), len(labels) - rows + 1, rows)
    return float(min(1.0, np.min(p_values) * len(kinds)))


def entropy(counts: npt.NDArray[Any] | Sequence[float]) -> float:
    """Return the entropy in nats of a distribution given by its counts.

    It is the cross-entropy of a model that learnt the class prior and nothing else.
    """
    weights = np.asarray(counts, dtype=float)
    return float(stats.entropy(weights)) if weights.any() else 0.0


def holm(
    p_values: Sequence[float], alpha: float, weights: Sequence[float] | None = None
) -> list[bool]:
    """Return which hypotheses Holm's step-down method rejects at family-wise rate ``alpha``.

    Of those left, each may use the share of ``alpha`` that its weight is of all weights left;
    without weights that is 1 in their number.

    Source: Holm (1979), Scandinavian Journal of Statistics 6; with weights Li and Guo (2026),
    arXiv:2604.20016.
    """
    shares = [1.0] * len(p_values) if weights is None else weights
    order = sorted(range(len(p_values)), key=lambda index: p_values[index] / shares[index])
    rejected = [False] * len(p_values)
    for rank, index in enumerate(order):
        left = sum(shares[other] for other in order[rank:])
        if p_values[index] > alpha * shares[index] / left:
            break
        rejected[index] = True
    return rejected


def trials_for_power(null: float, alternative: float, alpha: float, power: float) -> int:
    """Return the trials after which the exact binomial test of ``null`` finds ``alternative``.

    The power of an exact test rises in a saw-tooth: from this number of trials on, it never again
    falls below ``power``. Many thousands are given by the normal approximation.

    Raises
    ------
    ValueError
        If ``alternative`` is ``null``, which no number of trials tells apart, or so close to it
        that a million would not do.
    """
    low, high = sorted((null, alternative))
    if alternative < null:  # count the failures instead: one tail serves both directions
        low, high = 1 - null, 1 - alternative
    deviations = np.sqrt([low * (1 - low), high * (1 - high)])
    quantiles = [stats.norm.isf(alpha), stats.norm.isf(1 - power)]
    roughly = (float(quantiles @ deviations) / max(high - low, 1e-9)) ** 2
    if 2**13 < roughly <= 2**20:  # the teeth are too small to matter, and slow to count
        return int(np.ceil(roughly))
    most = 64
    while low < high and roughly <= 2**20:
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


def trials_for_gap(
    rate: float, other_rate: float, margin: float, alpha: float, power: float
) -> int:
    """Return the trials of each after which :func:`rate_above` finds a rate above another.

    On the safe side: one point between the two has to serve both bounds.

    Raises
    ------
    ValueError
        If the rates are no further apart than ``margin``, or a million trials would not do.
    """
    if rate <= other_rate + margin:
        raise ValueError(
            f"expected rates more than {margin:g} apart, got {rate:g} and {other_rate:g}"
        )
    between = (rate + other_rate - margin) / 2
    return max(
        trials_for_power(between + margin, rate, alpha / 2, float(np.sqrt(power))),
        trials_for_power(between, other_rate, alpha / 2, float(np.sqrt(power))),
    )


def trials_for_paired_power(lost: float, won: float, alpha: float, power: float) -> int:
    """Return the trials with which :func:`paired_worse` has that power, or nearly the fewest.

    Raises
    ------
    ValueError
        If no more are lost than won, or a million trials would not do.
    """
    if lost <= won or lost + won > 1:
        raise ValueError(f"lost, won: expected more lost than won, got {lost:g} and {won:g}")
    low, high = 0, 64
    while paired_worse_power(high, lost, won, alpha) < power:
        low, high = high, 2 * high
        if high > 2**20:
            raise ValueError(f"lost, won: expected a drop that shows, got {lost:g} and {won:g}")
    while high - low > 1:  # the power rises in a saw-tooth, whose teeth do not matter here
        middle = (low + high) // 2
        enough = paired_worse_power(middle, lost, won, alpha) >= power
        low, high = (low, middle) if enough else (middle, high)
    return high


def trials_for_successes(successes: int, rate: float, power: float) -> int:
    """Return the trials that hold at least so many successes with probability ``power``."""
    return successes + int(stats.nbinom.ppf(power, successes, rate))
