"""Checks against the model in production: paired with its answers to the same examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log2
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from .. import statistics
from ..evidence import Evidence
from ..findings import Finding, Verdict
from ..messages import count, probability, quoted, share
from . import ALPHA, COMPARISON, check
from .labels import labels_not_swapped
from .outputs import not_one_label_each

__all__ = [
    "few_negative_flips",
    "label_shares_explained",
    "labels_match_baseline",
    "no_class_regression",
    "no_regression",
]

MOST_FLIPS = 100
"""Worst flips that a finding names; a message shows the first of them."""

DROP = 0.05
"""Loss of accuracy that a gate has to see: one answer in twenty."""

LOST = "train on more examples of what was lost, and keep the old model until then"
ACCEPT = "to accept the new model all the same: pytest --bertcheck --bertcheck-update"

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class _Pairs:
    """The examples that have a true label, and an answer of either model.

    Attributes
    ----------
    rows
        Their rows in the evidence, (p,) int.
    y_true, before, now
        True labels, the answers of the model in production and those of the new one, (p,) int.
    lost, won
        Whether only the old one is right, and only the new one, (p,) bool.
    """

    rows: Array
    y_true: Array
    before: Array
    now: Array

    @property
    def lost(self) -> Array:
        lost: Array = (self.before == self.y_true) & (self.now != self.y_true)
        return lost

    @property
    def won(self) -> Array:
        won: Array = (self.before != self.y_true) & (self.now == self.y_true)
        return won

    def counts(self, rows: Array | slice = slice(None)) -> tuple[int, int, int]:
        """Return the numbers of flips to wrong, of flips to right and of examples."""
        lost, won = self.lost[rows], self.won[rows]
        return int(lost.sum()), int(won.sum()), len(lost)


def _paired(evidence: Evidence) -> _Pairs | Finding:
    """Return the pairs, or the finding of a check that has none."""
    if evidence.answers is None:
        return not_one_label_each(evidence)
    y_true, before, now = evidence.y_true, evidence.baseline_answers, evidence.answers
    labels = evidence.num_labels or 0
    both = (before >= 0) & (before < labels) & (y_true >= 0) & (y_true < labels)
    rows = np.flatnonzero(both)
    if len(rows) == 0:
        return Finding(
            Verdict.INCONCLUSIVE,
            f"none of {count(len(now), 'example')} has a valid label and an answer of the baseline",
            needs=("baseline_y_pred",),
        )
    return _Pairs(rows, y_true[rows], before[rows], now[rows])


def _for_gates(p_value: float, evidence: Evidence) -> float:
    """Correct a p-value for the models that were accepted on the same examples before.

    Each acceptance may have gone either way, and the model in production is the outcome of all of
    them: one of 2^(g - 1) that the examples could have led to. So g gates cost g - 1 bits.
    """
    return float(min(1.0, p_value * 2.0 ** min((evidence.baseline_gates or 1) - 1, 1000)))


def _examples_to_see(drop: float, alpha: float, gates: int, margin: float) -> int:
    """Return the examples on which a drop of that size, nothing won, fails four times in five."""
    if margin == 0:
        flips = ceil(log2(1 / alpha)) + gates - 1
        return statistics.trials_for_successes(flips, drop, 0.8)
    low, high = 0, 64
    wanted = alpha / 2.0 ** min(gates - 1, 1000)

    def seen(trials: int) -> bool:
        lost = int(stats.binom.ppf(0.2, trials, drop + margin))
        return statistics.paired_worse(lost, 0, trials, margin=margin) <= wanted

    while not seen(high) and high < 2**20:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return high


def _examples_of_a_regression(
    *, alpha: float, power: float, lost: float = 0.03, won: float = 0.01
) -> int:
    """Count for the shares of examples that flip to wrong and to right."""
    return statistics.trials_for_paired_power(lost, won, alpha, power)


@check(
    stage="gate",
    needs=["y_true", ("y_pred", "logits"), ("baseline_y_pred", "baseline_logits")],
    causes=["regression"],
    limits={"drop": (0, 1)},
    examples=_examples_of_a_regression,
    weight=COMPARISON,
)
def no_regression(evidence: Evidence, *, alpha: float = ALPHA, drop: float = DROP) -> Finding:
    """Is the new model at least as often right as the model in production, on the same examples?

    Only examples on which exactly one of the two is right tell. Null hypothesis: such an example is
    at least as likely to be one that the new model gets right. Test: exact McNemar, one-sided. With
    a ``baseline_margin`` the null hypothesis is that at most so much of the accuracy is lost, and
    the test is by betting. Examples are taken as independent.

    Every model that was accepted on the same examples was chosen by them, so the next one meets a
    baseline that looks better than it is. With g models accepted (``baseline_gates``) the p-value
    is multiplied by 2^(g - 1), the number of outcomes that the gates before may have had: each gate
    costs one more flip. The examples are spent when a new model that loses ``drop`` of its answers,
    and wins none, would no longer fail four times in five; the finding is inconclusive then, and
    says how many fresh examples would do.

    Source: Karlas et al. (2019), ease.ml/ci, SysML 2, for gates whose outcome is used; Blum and
    Hardt (2015), The Ladder, ICML 32, for counting only the ones that were accepted; Waudby-Smith
    and Ramdas (2024), Journal of the Royal Statistical Society B 86, for the test with a margin.
    """
    pairs = _paired(evidence)
    if isinstance(pairs, Finding):
        return pairs
    margin = evidence.baseline_margin or 0.0
    lost, won, total = pairs.counts()
    p_value = _for_gates(statistics.paired_worse(lost, won, total, margin=margin), evidence)
    right_now = int((pairs.now == pairs.y_true).sum())
    right_before = right_now + lost - won
    gates = evidence.baseline_gates or 1
    bounds = statistics.clopper_pearson(lost, total, 2 * alpha if alpha < 0.5 else alpha)
    numbers: dict[str, Any] = {
        "paired_examples": total,
        "paired_accuracy": right_now / total,
        "baseline_accuracy": right_before / total,
        "negative_flips": lost,
        "positive_flips": won,
        "negative_flip_rate": lost / total,
        "negative_flip_rate_at_most": bounds[1],
        "margin": margin,
        "gates": gates,
    }
    rates = f"{right_now / total:.1%} right, was {right_before / total:.1%}"
    flips = f"lost {lost:,}, won {won:,}"
    flipped = _worst_flips(evidence, pairs)  # a better model has them, too
    numbers["worst_flips"] = flipped
    table = (("example", "true", "baseline", "now"), *flipped) if flipped else ()
    if p_value <= alpha:
        by = f" by over {margin:.3g}" if margin else ""
        return Finding(
            Verdict.FAILED,
            f"worse than the baseline{by}: {rates}; {flips}, {probability(p_value)}",
            statistics=numbers,
            p_value=p_value,
            causes=("regression",),
            fix=f"read the rows that were lost, train on more like them, and keep the old model\n"
            f"# {ACCEPT}",
            signs={"worse-than-baseline": True},
            table=table,
        )
    needed, fix = _examples_to_see(drop, alpha, gates, margin), ""
    if total < needed:
        fresh = _examples_to_see(drop, alpha, 1, margin)
        if gates == 1 or total < fresh:
            summary = f"no drop seen, but {count(total, 'row')} may miss {drop:.0%}"
            advice = f"about {needed:,} would tell"
        else:
            summary = f"evaluation set spent: after {gates:,} gates {total:,} rows may miss "
            summary += f"a drop of {drop:.0%}"
            advice = f"{fresh:,} fresh rows would tell"
            fix = "ask the model in production on fresh rows: pytest --bertcheck --bertcheck-update"
        return Finding(
            Verdict.INCONCLUSIVE,
            f"{summary}; {advice}",
            statistics={**numbers, "needed": needed, "fresh": fresh},
            p_value=p_value,
            fix=fix,
            signs={"worse-than-baseline": False},
            table=table,
        )
    return Finding(
        Verdict.PASSED,
        f"no worse than the baseline: {rates}; {flips}",
        statistics=numbers,
        p_value=p_value,
        signs={"worse-than-baseline": False},
        table=table,
    )


def _worst_flips(
    evidence: Evidence, pairs: _Pairs, among: Array | slice = slice(None)
) -> tuple[tuple[str, str, str, str], ...]:
    """Return what flipped to wrong, the surest mistakes first: example, true, before, now."""
    flipped = np.flatnonzero(pairs.lost) if isinstance(among, slice) else among[pairs.lost[among]]
    probabilities = evidence.probabilities
    if probabilities is not None and probabilities.shape[1] > int(pairs.now.max()):
        sure = probabilities[pairs.rows[flipped], pairs.now[flipped]]
        flipped = flipped[np.argsort(-sure, kind="stable")]
    names, keys = evidence.names, evidence.example_keys
    return tuple(
        (
            f"row {pairs.rows[place]}" if keys is None else str(keys[pairs.rows[place]]),
            names[pairs.y_true[place]],
            names[pairs.before[place]],
            names[pairs.now[place]],
        )
        for place in flipped[:MOST_FLIPS]
    )


@check(
    stage="gate",
    needs=["y_true", ("y_pred", "logits"), ("baseline_y_pred", "baseline_logits")],
    causes=["regression"],
    weight=COMPARISON,
)
def no_class_regression(evidence: Evidence, *, alpha: float = ALPHA) -> Finding:
    """Is the new model at least as often right on each label as the model in production?

    A model that is better in all may be worse on one label. Null hypothesis, for each label: among
    its examples, one on which exactly one of the two models is right is at least as likely to be
    one that the new model gets right. Test: exact McNemar for each label, by Holm's method, with
    the margin and the correction for earlier gates of ``no_regression``. A label with too few
    examples that flip cannot fail; how many it would take is what ``no_regression`` says, for the
    examples of one label.

    Source: Holm (1979), Scandinavian Journal of Statistics 6.
    """
    pairs = _paired(evidence)
    if isinstance(pairs, Finding):
        return pairs
    margin = evidence.baseline_margin or 0.0
    labels = np.unique(pairs.y_true)
    rows = [np.flatnonzero(pairs.y_true == label) for label in labels]
    counts = [pairs.counts(own) for own in rows]
    p_values = [
        _for_gates(statistics.paired_worse(lost, won, total, margin=margin), evidence)
        for lost, won, total in counts
    ]
    p_value = min(1.0, min(p_values) * len(labels))
    worse = [place for place, rejected in enumerate(statistics.holm(p_values, alpha)) if rejected]
    names = evidence.names
    numbers: dict[str, Any] = {
        "labels_compared": len(labels),
        "worse_labels": [names[labels[place]] for place in worse],
    }
    if not worse:
        return Finding(
            Verdict.PASSED,
            f"no worse than the baseline on any of {count(len(labels), 'label')}",
            statistics=numbers,
            p_value=p_value,
            signs={"class-worse-than-baseline": False},
        )
    worse.sort(key=lambda place: p_values[place])
    lost, won, total = counts[worst := worse[0]]
    right_now = int((pairs.now == pairs.y_true)[rows[worst]].sum())
    before = (right_now + lost - won) / total
    name = quoted(names[labels[worst]], 12)
    flipped = _worst_flips(evidence, pairs, rows[worst])
    shown = [f"#   {quoted(row[0], 50)} is now {quoted(row[3], 16)}" for row in flipped[:3]]
    return Finding(
        Verdict.FAILED,
        f"{count(len(worse), 'label')} worse: {name} {right_now / total:.1%} right, "
        f"was {before:.1%}; lost {lost:,}, won {won:,}, {probability(p_value)}",
        statistics={
            **numbers,
            "worst_label": names[labels[worst]],
            "worst_label_now": right_now / total,
            "worst_label_before": before,
            "worst_flips": flipped,
        },
        p_value=p_value,
        causes=("regression",),
        fix="\n".join([f"{LOST}:", *shown, f"# {ACCEPT}"]),
        signs={"class-worse-than-baseline": True},
        table=_class_table(names, labels, counts, p_values),
    )


def _class_table(
    names: Sequence[str],
    labels: Array,
    counts: Sequence[tuple[int, int, int]],
    p_values: Sequence[float],
) -> tuple[tuple[str, ...], ...]:
    order = np.argsort(p_values, kind="stable")
    return (
        ("label", "examples", "lost", "won", "p"),
        *(
            (
                names[labels[place]],
                f"{counts[place][2]:,}",
                f"{counts[place][0]:,}",
                f"{counts[place][1]:,}",
                f"{p_values[place]:.1g}",
            )
            for place in order
        ),
    )


def _examples_of_flips(
    *, alpha: float, power: float, max_rate: float = DROP, rate: float = 0.1
) -> int:
    """Count for a share of flips to wrong that is above the limit."""
    return statistics.trials_for_power(max_rate, rate, alpha, power)


@check(
    stage="gate",
    needs=["y_true", ("y_pred", "logits"), ("baseline_y_pred", "baseline_logits")],
    causes=["regression"],
    limits={"max_rate": (0, 1)},
    suite=False,
    examples=_examples_of_flips,
)
def few_negative_flips(
    evidence: Evidence, *, alpha: float = ALPHA, max_rate: float = DROP
) -> Finding:
    """Are few examples wrong now that the model in production gets right?

    A model that is better in all still breaks what worked, where it flips. The limit is compared
    with exact bounds of the negative flip rate (Clopper and Pearson, each at ``alpha``, corrected
    for earlier gates as in ``no_regression``): the check passes if the upper bound is at most
    ``max_rate``, fails if the lower bound is above it, and is inconclusive between. How many flips
    are too many is the team's to say, so it runs on request only.

    Source: Yan et al. (2021), Positive-Congruent Training, CVPR, for the negative flip rate.
    """
    pairs = _paired(evidence)
    if isinstance(pairs, Finding):
        return pairs
    lost, _, total = pairs.counts()
    above = _for_gates(statistics.binomial_at_least(lost, total, max_rate), evidence)
    below = _for_gates(statistics.binomial_at_most(lost, total, max_rate), evidence)
    numbers: dict[str, Any] = {
        "negative_flips": lost,
        "negative_flip_rate": lost / total,
        "max_rate": max_rate,
        "paired_examples": total,
    }
    seen = f"{lost:,}/{total:,} answers flipped to wrong"
    if above <= alpha:
        flipped = _worst_flips(evidence, pairs)
        return Finding(
            Verdict.FAILED,
            f"{seen} ({share(lost, total)}), limit {max_rate:.3g}, {probability(above)}",
            statistics={**numbers, "worst_flips": flipped},
            p_value=above,
            causes=("regression",),
            fix="start from the old model's weights, or distil its answers, so that fewer flip",
            signs={"negative-flips-many": True},
            table=(("example", "true", "baseline", "now"), *flipped),
        )
    if below <= alpha:
        return Finding(
            Verdict.PASSED,
            f"{seen}, limit {max_rate:.3g}",
            statistics=numbers,
            p_value=above,
        )
    gap = abs(lost / total - max_rate)
    needed = ceil(
        float(stats.norm.isf(alpha)) ** 2 * max_rate * (1 - max_rate) / max(gap, 1e-4) ** 2
    )
    needed = max(needed, ceil(np.log(alpha) / np.log1p(-max_rate)))
    return Finding(
        Verdict.INCONCLUSIVE,
        f"{seen}, limit {max_rate:.3g}; about {max(needed, total + 1):,} examples would tell",
        statistics={**numbers, "needed": needed},
        p_value=above,
    )


@check(
    stage="gate",
    needs=[("y_pred", "logits"), ("baseline_y_pred", "baseline_logits")],
    causes=["label-mapping-swapped"],
)
def labels_match_baseline(evidence: Evidence, *, alpha: float = ALPHA) -> Finding:
    """Do the answers mean the same labels as those of the model in production?

    It takes no true labels: the answers of the model in production stand for them. Null hypothesis
    and test are those of ``labels_not_swapped``. Where true labels are given, they settle it, and
    that check asks.
    """
    if evidence.answers is None:
        return not_one_label_each(evidence)
    if evidence.confusion is not None:
        return Finding(Verdict.PASSED, "y_true is given, by which labels_not_swapped tells")
    before, now = evidence.baseline_answers, evidence.answers
    rows = (before >= 0) & (before < (evidence.num_labels or 0))
    if not rows.any():
        return Finding(
            Verdict.INCONCLUSIVE,
            f"the baseline answers none of {count(len(now), 'example')} with a label id in range",
            needs=("baseline_y_pred",),
        )
    names = evidence.names
    paired = Evidence(y_true=before[rows], y_pred=now[rows], dataset_label_names=names)
    found = labels_not_swapped(paired, alpha=alpha)
    numbers = {"paired_examples": int(rows.sum()), **found.statistics}
    if found.verdict is Verdict.PASSED:
        return Finding(
            Verdict.PASSED,
            f"the answers mean the same labels as those of the baseline, n = {rows.sum():,}",
            p_value=found.p_value,
        )
    moved = [label for label, target in enumerate(numbers["permutation"]) if label != target]
    first, target = names[moved[0]], names[numbers["permutation"][moved[0]]]
    goes = f"{quoted(first, 12)} of the baseline is answered {quoted(target, 12)}"
    if found.verdict is Verdict.INCONCLUSIVE:
        return Finding(
            Verdict.INCONCLUSIVE,
            f"swapped or another model? {goes}",
            p_value=found.p_value,
            needs=("y_true",),
            fix="compare the two models' id2label, id by id",
        )
    return Finding(
        Verdict.FAILED,
        f"labels swapped: {len(moved)}/{len(names)}, {goes}, {probability(found.p_value or 0)}",
        statistics=numbers,
        p_value=found.p_value,
        causes=("label-mapping-swapped",),
        fix=found.fix.partition("\n# or")[0],
        signs={"permutation-recovered": True, "unsure-of-permutation": False},
        table=found.table,
    )


@check(
    stage="gate",
    needs=[("y_pred", "logits"), "baseline_confusion"],
    causes=[],
)
def label_shares_explained(evidence: Evidence, *, alpha: float = ALPHA) -> Finding:
    """If labels are answered more or less often than by the baseline, is it the data or the model?

    It takes neither pairs nor true labels, so unlabelled texts of today will do. Null hypothesis:
    each label is answered as often as when the baseline was made. Test: Fisher's exact test for
    each label, Bonferroni over labels and directions. If that is rejected, black-box shift
    estimation finds the shares of the true labels under which the rates of the baseline's confusion
    matrix give the answers seen; with ``y_true`` those shares are known. If they do, the data
    changed; if no shares do (a normal approximation, Bonferroni over the labels), the model did,
    and the finding is inconclusive, unless ``no_regression`` has what it needs: a model that
    changed need not be worse. It never fails.

    Source: Lipton, Wang and Smola (2018), Detecting and Correcting for Label Shift with Black Box
    Predictors, ICML 35.
    """
    if evidence.answers is None:
        return not_one_label_each(evidence)
    before = np.asarray(evidence.baseline_confusion, dtype=np.float64)
    labels = evidence.num_labels or 0
    if before.shape != (labels, labels):
        return Finding(
            Verdict.INCONCLUSIVE,
            f"the baseline has {before.shape[0]} x {before.shape[1]} labels, the answers {labels}",
            needs=("baseline_confusion",),
        )
    now = statistics.label_counts(evidence.answers, labels)
    was = before.sum(axis=0)
    p_value = _other_shares(now, was)
    numbers: dict[str, Any] = {
        "shares_before": (was / was.sum()).tolist(),
        "shares_now": (now / now.sum()).tolist(),
    }
    if p_value > alpha:
        return Finding(
            Verdict.PASSED,
            f"labels are answered as often as by the baseline, n = {now.sum():,}",
            statistics=numbers,
        )
    names = evidence.names
    most = int(np.argmax(np.abs(now / now.sum() - was / was.sum())))
    moved = f"{quoted(names[most], 16)} is {share(int(now[most]), int(now.sum()))} of the answers"
    moved += f", was {share(int(was[most]), int(was.sum()))}"
    support = before.sum(axis=1)
    rates = before / np.maximum(support, 1)[:, None]
    known = evidence.confusion is not None
    shares = (
        evidence.confusion.support / evidence.confusion.total
        if evidence.confusion is not None
        else _estimated_shares(rates, now / now.sum())
    )
    numbers["shares_of_true_labels"] = shares.tolist()
    misfit = _misfit(rates, support, shares, now)
    table = (
        ("label", "true before", "true now" if known else "estimated now"),
        *(
            (name, f"{then:.1%}", f"{today:.1%}")
            for name, then, today in zip(names, support / support.sum(), shares, strict=True)
        ),
    )
    if misfit > alpha:
        return Finding(
            Verdict.PASSED,
            f"{moved}: other shares of the true labels explain it, not the model",
            statistics=numbers,
            table=table,
        )
    changed = f"{moved}: the model changed, the data do not explain it"
    wanted = {"y_true": known, "baseline_y_pred": evidence.baseline_answers is not None}
    missing = tuple(name for name, given in wanted.items() if not given)
    if not missing:  # then no_regression tells whether it is worse
        return Finding(Verdict.PASSED, changed, statistics=numbers, table=table)
    return Finding(
        Verdict.INCONCLUSIVE,
        changed,
        statistics=numbers,
        fix="with true labels and the baseline's answers no_regression tells whether it is worse",
        needs=missing,
        table=table,
    )


def _other_shares(now: Array, was: Array) -> float:
    """Return the smallest two-sided p-value of Fisher's test of any label, corrected."""
    total, drawn = int(now.sum() + was.sum()), int(now.sum())
    marked = now + was
    above = stats.hypergeom.sf(now - 1, total, marked, drawn)
    below = stats.hypergeom.cdf(now, total, marked, drawn)
    return float(min(1.0, 2 * len(now) * min(above.min(), below.min())))


def _estimated_shares(rates: Array, answered: Array) -> Array:
    """Return the shares of the true labels, (C,), whose answers come nearest to those seen."""
    weight = 1e3  # on their sum, which is 1
    system = np.vstack([rates.T, np.full(len(rates), weight)])
    shares, _ = optimize.nnls(system, np.append(answered, weight))
    estimated: Array = shares / shares.sum()
    return estimated


def _misfit(rates: Array, support: Array, shares: Array, now: Array) -> float:
    """Return the p-value of 'these shares and rates give such answers', as far as rates are known.

    The variance is that of the answers and that of the rates, each estimated from ``support`` rows.
    """
    total = now.sum()
    expected = shares @ rates
    rate_noise = (shares**2 / np.maximum(support, 1)) @ (rates * (1 - rates))
    # Half an answer more of either kind, so that a rate of 0 is not taken for impossible.
    own_noise = (expected * (1 - expected) + 0.5 / total) / total
    unknown = shares[support == 0].sum()  # labels on which the baseline was never tried
    off = np.maximum(np.abs(now / total - expected) - unknown - 0.5 / total, 0)
    z_scores = off / np.sqrt(own_noise + rate_noise)
    return float(min(1.0, 2 * len(now) * stats.norm.sf(z_scores.max())))
