"""Checks of what a model returns and answers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, lcm
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats
from sklearn.base import BaseEstimator, ClassifierMixin

from .. import statistics
from ..evidence import Evidence
from ..findings import Finding, Verdict
from ..logits import probabilities_of, summarise
from ..messages import count, probability, quoted, safe, share
from ..statistics import Confusion
from . import ALPHA, COMPARISON, check, reject_health

__all__ = [
    "Collapse",
    "argmax_decoded",
    "beats_majority",
    "collapse_test",
    "demonstrably_good",
    "every_class_predicted",
    "far_below",
    "in_range",
    "label_weights",
    "least_rows",
    "logits_valid",
    "metric_at_least",
    "not_collapsed",
    "not_far_below_reference",
    "not_far_below_validation",
    "right_above_chance",
    "worse_than_reference",
]

COLLAPSE_CAUSES = (
    "learning-rate-too-high",
    "class-imbalance",
    "weights-not-loaded",
    "inputs-constant",
    "learning-rate-too-low",
    "too-few-steps",
    "weights-not-updated",
    "loss-misconfigured",
    "diverged",
    "vocabulary-mismatch",
)
CHANCE_CAUSES = (
    "labels-shuffled",
    "labels-misaligned",
    "weights-not-loaded",
    "learning-rate-too-low",
    "too-few-steps",
    "weights-not-updated",
    "vocabulary-mismatch",
    "truncation-loses-signal",
    "learning-rate-too-high",
    "loss-misconfigured",
    "label-mapping-swapped",
)

EVALUATED_OTHERWISE_CAUSES = (
    "labels-misaligned",
    "weights-not-loaded",
    "truncation-loses-signal",
    "vocabulary-mismatch",
    "attention-mask-ignored",
    "label-mapping-swapped",
    "metric-misreported",
)
"""What lets a model that was good on its validation set look bad afterwards."""

ROUNDING = 1e-5
"""Relative spread up to which outputs differ as float32 rounding makes them, over a few layers.

Random weights let more of the input through; weights that training has blown up do not."""

BLOWN_UP = 100
"""Largest logit, off the mean of its row, that a trained classifier may have."""

FLAT_SPREAD = 1e-3
"""Spread of row-centred logits under which they are called constant: only NumPy noise is left."""

FAINT_SPREAD = 0.05
"""Spread under which logits are called faint: what an untrained head produces (CAUSES.md, id 1)."""

FAINT_CONFIDENCE = 0.15
"""How far the mean top probability rises from 1/C towards 1 in a model that commits to little."""


@check(
    stage="outputs",
    needs=["logits"],
    causes=[
        "diverged",
        "wrong-tensor-decoded",
        "label-names-missing",
        "loss-misconfigured",
        "inputs-constant",
        "weights-not-loaded",
        "learning-rate-too-high",
    ],
)
def logits_valid(
    evidence: Evidence, *, alpha: float = ALPHA, allow_probabilities: bool = True
) -> Finding:
    """Are the raw outputs finite, of the right width, and different for different inputs?

    Facts rather than tests: NaN or infinity, a width that is not the number of labels, rows that
    are all equal, or of up to four values that differ by rounding and go by the row's place in a
    batch, as processors make them of one input. Rows of nothing but 0 and 1 are no more than
    answers, which may well all be the same: they are for ``not_collapsed`` to judge, but for a
    single column of ones, exact or rounded, which a softmax over one unit gives. Since a sigmoid
    may be as sure of a slice of one label, more of them must be wrong than noise in 5 % of the
    labels explains (exact binomial at ``alpha``). Outputs that are already probabilities are an
    error only where raw logits were asked for (``allow_probabilities=False``): a head with a
    softmax is legitimate.
    """
    logits = evidence.logits
    rows, width = logits.shape
    names = len(evidence.names)
    stats: dict[str, Any] = {"rows": rows, "width": width}
    outputs = evidence.outputs
    bad = outputs.broken_rows
    signs = {"logits-not-finite": bad > 0}
    if bad:
        return Finding(
            Verdict.FAILED,
            f"logits not finite: {bad}/{rows} rows hold NaN or infinity",
            statistics={**stats, "rows_not_finite": bad},
            causes=("diverged",),
            certain=True,
            fix="lower the learning rate (1e-5 to 5e-5) and clip gradients; "
            "check label ids and inputs for NaN",
            signs=signs,
        )
    signs["logits-of-wrong-width"] = width != names and not (width == 1 and names == 2)
    if signs["logits-of-wrong-width"]:
        return Finding(
            Verdict.FAILED,
            f"logits of the wrong width: {count(width, 'column')} for {count(names, 'label')}",
            statistics={**stats, "num_labels": names},
            causes=("wrong-tensor-decoded", "label-names-missing"),
            fix="pass outputs.logits, not hidden states or a tuple element; "
            f"or load the model with num_labels={names}",
            signs=signs,
        )
    stats |= {
        "spread": outputs.spread,
        "confidence": outputs.confidence,
        "probabilities": outputs.probabilities,
    }
    if rows > 1:
        with np.errstate(over="ignore", invalid="ignore"):  # near the end of float64
            first = logits[0].astype(np.float64)
            size = float(np.abs(first - (first.mean() if width > 1 else 0)).max())
        signs["logits-constant"] = outputs.spread < FLAT_SPREAD
        signs["logits-vary-by-rounding"] = outputs.spread < ROUNDING * max(1, size)
        signs["logits-blown-up"] = signs["logits-vary-by-rounding"] and size > BLOWN_UP
        # Probabilities next to 1 are all the same but for rounding in a healthy model, too.
        by_rounding = signs["logits-vary-by-rounding"] and not outputs.probabilities
        signs["logits-bit-equal"] = outputs.equal or (by_rounding and _rounded_by_place(logits))
        signs["one-unit-always-1"] = width == 1 and _all_ones(logits)
        signs["logits-faint"] = outputs.spread < FAINT_SPREAD
    signs["confidence-faint"] = outputs.confidence < FAINT_CONFIDENCE
    if evidence.train_logits is not None:
        trained = summarise(evidence.train_logits).confidence
        stats["train_confidence"] = trained
        signs["confidence-lost-since-training"] = outputs.confidence < trained / 3
    signs["outputs-are-probabilities"] = outputs.probabilities
    if signs.get("one-unit-always-1") and _more_wrong_than_noise(evidence, alpha):
        return Finding(
            Verdict.FAILED,
            f"outputs constant: the only column is 1 in all {rows} rows",
            statistics=stats,
            causes=("loss-misconfigured",),
            fix="a softmax over one unit is always 1: Dense(1, activation='sigmoid'), or two units",
            signs=signs,
        )
    if signs.get("logits-bit-equal") and not (outputs.probabilities and _zeros_and_ones(logits[0])):
        same = "bit for bit the same" if outputs.equal else "the same, rounded by place in a batch"
        return Finding(
            Verdict.FAILED,
            f"logits constant: all {rows} rows are {same}",
            statistics=stats,
            causes=("inputs-constant", "weights-not-loaded", "learning-rate-too-high"),
            fix="compare the encoded ids of two different texts; if they differ, retrain at a "
            "learning rate of 1e-5 to 5e-5",
            signs=signs,
        )
    if outputs.probabilities and not allow_probabilities:
        return Finding(
            Verdict.FAILED,
            f"not raw logits: {rows} rows lie in [0, 1]"
            + (" and sum to 1" if width > 1 else "")
            + "; softmax was applied already",
            statistics=stats,
            causes=("loss-misconfigured",),
            fix="return the layer before the softmax, or use a loss with from_logits=False",
            signs=signs,
        )
    kind = "probabilities" if outputs.probabilities else "logits"
    return Finding(
        Verdict.PASSED,
        f"{kind} valid: {rows} x {width}, finite, spread {outputs.spread:.3g} over inputs",
        statistics=stats,
        signs=signs,
    )


MOST_ROUNDINGS = 4
"""Ways in which processors round a row by its place: within a batch, at its end, in a short one."""


def _rounded_by_place(logits: npt.NDArray[Any]) -> bool:
    """Whether rows are the same but for rounding that goes by their place, not by their text.

    The last rows of a batch may be multiplied by other code of the processor's. Rows of few values
    that stand together (:func:`~.statistics.runs_too_few`, at 0.01) are of that kind; those of a
    model that lets hardly anything of its input through are mixed.
    """
    values, which = np.unique(logits, axis=0, return_inverse=True)
    which = which.reshape(-1)  # NumPy 2.0 gave it two dimensions
    return len(values) <= MOST_ROUNDINGS and statistics.runs_too_few(which) <= 0.01


def _all_ones(logits: npt.NDArray[Any]) -> bool:
    """Whether all are 1 but for rounding: x / x, by a processor's fast division, may be off 1."""
    return bool(np.abs(logits - 1).max() <= 2 * np.finfo(np.float32).eps)


LABEL_NOISE = 0.05
"""Share of labels that may well be wrong in an evaluation set."""


def _more_wrong_than_noise(evidence: Evidence, alpha: float) -> bool:
    confusion = evidence.confusion
    if confusion is None:
        return False
    wrong = confusion.total - confusion.right
    return statistics.binomial_at_least(wrong, confusion.total, LABEL_NOISE) <= alpha


def _zeros_and_ones(row: npt.NDArray[Any]) -> bool:
    return bool(((row == 0) | (row == 1)).all())


@dataclass(frozen=True)
class Collapse:
    """Outcome of the collapse test given the true labels."""

    collapsed: bool
    p_value: float
    others: int
    answered_others: int
    informative: bool


def collapse_test(
    confusion: Confusion, label: int, alpha: float, max_share_of_others: float = 0.8
) -> Collapse:
    """Test whether one label is the answer to everything, given the true labels.

    Null hypothesis: of the examples of all other labels, at most ``max_share_of_others`` are
    answered with ``label``. Test: exact binomial over those examples. Since a weak model on a
    rare class may be beyond that limit and still see something, answers that are associated with
    the true label (Fisher's exact test at 0.01) are never called collapsed; nor is a label that
    is the answer to no larger share of all examples, as where two labels are exchanged.
    """
    others = int(confusion.total - confusion.support[label])
    answered = int(confusion.predicted[label] - confusion.hits[label])
    p_value = statistics.binomial_at_least(answered, others, max_share_of_others)
    tells_something = statistics.match_above_chance(confusion) <= 0.01
    to_all = confusion.predicted[label] > max_share_of_others * confusion.total
    collapsed = p_value <= alpha and bool(to_all) and not tells_something
    return Collapse(collapsed, p_value, others, answered, tells_something)


def right_above_chance(evidence: Evidence) -> bool:
    """Whether more answers are right than answers dealt to the rows at random would be, at 0.01.

    That single labels are associated with their answers says less: a model that has learnt
    shuffled labels by heart gives each topic the labels that it happened to be dealt.
    """
    confusion = evidence.confusion
    if confusion is None:
        return False
    share_by_chance = confusion.right_by_chance / confusion.total
    return statistics.binomial_at_least(confusion.right, confusion.total, share_by_chance) <= 0.01


def demonstrably_good(evidence: Evidence, alpha: float) -> bool:
    """Whether the answers are right beyond halfway, as :func:`beyond_halfway` has it."""
    confusion = evidence.confusion
    if confusion is None:
        return False
    return beyond_halfway(confusion.right, confusion.total, int(confusion.support.max()), alpha)


def demonstrably_poor(evidence: Evidence, alpha: float) -> bool:
    """Whether the accuracy is below halfway from the majority's share to 1, at ``alpha``."""
    confusion = evidence.confusion
    if confusion is None:
        return False
    _, high = statistics.clopper_pearson(confusion.right, confusion.total, alpha)
    return bool(high < (1 + confusion.support.max() / confusion.total) / 2)


def worse_than_reference(evidence: Evidence, margin: float = 0.0) -> float:
    """Return the p-value of a plain reference being right more often, by more than ``margin``.

    1 if there is no reference. Test: :func:`~.statistics.paired_worse`, exact McNemar without a
    margin.
    """
    answers, reference = evidence.answers, evidence.reference_y_pred
    if answers is None or reference is None or evidence.y_true is None:
        return 1.0
    right, plain = answers == evidence.y_true, reference == evidence.y_true
    lost, won = int((plain & ~right).sum()), int((right & ~plain).sum())
    return statistics.paired_worse(lost, won, len(right), margin=margin)


def beyond_halfway(right: int, total: int, majority: int, alpha: float) -> bool:
    """Whether the accuracy is beyond halfway from the majority's share to 1, at ``alpha``."""
    low, _ = statistics.clopper_pearson(right, total, alpha)
    return low > (1 + majority / total) / 2


def _examples_of_collapse(
    *,
    alpha: float,
    power: float,
    true_share: float | None = None,
    answered_share: float = 1.0,
    max_share: float = 0.95,
    max_share_of_others: float = 0.8,
) -> int:
    """Count for a model that answers ``answered_share`` of the examples with one label.

    ``true_share`` is that label's share of ``y_true``; without it ``y_true`` is not at hand.
    """
    if true_share is None:
        reject_health("answered_share", answered_share, max_share)
        return statistics.trials_for_power(max_share, answered_share, alpha, power)
    reject_health("answered_share", answered_share, max_share_of_others)
    reject_health("true_share", true_share, 1, below=True)
    others = statistics.trials_for_power(max_share_of_others, answered_share, alpha, power)
    return ceil(others / (1 - true_share))


@check(
    stage="outputs",
    needs=[("y_pred", "logits")],
    causes=COLLAPSE_CAUSES,
    limits={"max_share": (0, 1), "max_share_of_others": (0, 1)},
    examples=_examples_of_collapse,
)
def not_collapsed(
    evidence: Evidence,
    *,
    alpha: float = ALPHA,
    max_share: float = 0.95,
    max_share_of_others: float = 0.8,
) -> Finding:
    """Does the pipeline answer everything with the same label?

    With ``y_true`` the test conditions on it: null hypothesis, at most ``max_share_of_others``
    of the examples of the other labels get the most predicted one; exact binomial. So a good
    model on 99/1 data is no collapse, and a constant one on balanced data is found with 31
    examples of other labels at alpha = .001. Without ``y_true``: null hypothesis, a healthy
    model's most predicted share is at most ``max_share``; exact binomial, so that at least
    ln(alpha) / ln(max_share) equal answers are needed (135 at the defaults). A healthy model
    within those limits fails with probability at most ``alpha``.

    The sign ``outputs-rank-labels`` says that under the one answer the outputs still tell the
    labels apart, so that a prior or a threshold is at fault and not what the model learnt: the
    probability of some label is larger where that label is true (one-sided Mann-Whitney test at
    ``alpha``, Bonferroni over labels).
    """
    answers = evidence.answers
    if answers is None:
        return not_one_label_each(evidence)
    counts = _answer_counts(evidence)
    label, total = int(counts.argmax()), len(answers)
    top = int(counts[label])
    name = quoted(evidence.names[label], 14)
    stats: dict[str, Any] = {
        "most_predicted": evidence.names[label],
        "share": top / total,
        "examples": total,
    }
    signs = {"answers-constant": top == total, "answers-nearly-constant": top >= 0.98 * total}
    everything = f"{top}/{total} predictions are {name}"
    if evidence.confusion is None:
        p_value = statistics.binomial_at_least(top, total, max_share)
        base = f"limit {max_share:.0%} without y_true"
        collapsed, undecided = p_value <= alpha, top > max_share * total
        true_part = None
    else:
        confusion = evidence.confusion
        result = collapse_test(confusion, label, alpha, max_share_of_others)
        p_value, collapsed = result.p_value, result.collapsed
        stats |= {"others": result.others, "answered_others": result.answered_others}
        true_share = share(int(confusion.support[label]), confusion.total)
        base = f"{true_share} of y_true"
        undecided = not result.informative
        true_part = min(1 - 1 / confusion.total, confusion.support[label] / confusion.total)
    signs["collapsed"] = collapsed
    if collapsed:
        if evidence.confusion is not None and _has_finite_outputs(evidence):
            signs["outputs-rank-labels"] = _rank_labels(evidence, alpha)
        return Finding(
            Verdict.FAILED,
            f"collapsed: {everything} ({base}), {probability(p_value)}",
            statistics=stats,
            p_value=p_value,
            causes=COLLAPSE_CAUSES,
            fix="check class balance, then retrain at a learning rate of 1e-5 to 5e-5 with warm-up",
            signs=signs,
            table=_label_table(evidence),
        )
    if undecided and signs["answers-nearly-constant"]:
        del signs["collapsed"]
        needed = _examples_of_collapse(
            alpha=alpha,
            power=0.9,
            true_share=true_part,
            max_share=max_share,
            max_share_of_others=max_share_of_others,
        )
        return Finding(
            Verdict.INCONCLUSIVE,
            f"{everything} ({base}); about {needed} would tell",
            statistics={**stats, "needed": needed},
            p_value=p_value,
            needs=("y_true",) if evidence.y_true is None else (),
            signs=signs,
            table=_label_table(evidence),
        )
    return Finding(
        Verdict.PASSED,
        f"not collapsed: {everything} ({base})",
        statistics=stats,
        p_value=p_value,
        signs=signs,
    )


def _has_finite_outputs(evidence: Evidence) -> bool:
    return evidence.outputs is not None and not evidence.outputs.broken_rows


def _rank_labels(evidence: Evidence, alpha: float) -> bool:
    """Whether the probability of some label is larger where that label is true."""
    num_labels = evidence.num_labels or 0
    rows = np.flatnonzero(in_range(num_labels, evidence.y_true))
    rows = rows[:: max(1, len(rows) // MOST_RANKED)]  # from all over: they may be sorted
    probabilities = probabilities_of(evidence.logits[rows]) if len(rows) else None
    if probabilities is None or probabilities.shape[1] != num_labels:
        return False
    y_true = evidence.y_true[rows]
    support = np.bincount(y_true, minlength=num_labels)
    labels = [
        label
        for label in np.argsort(-support, kind="stable")[:MOST_RANKED_LABELS].tolist()
        if 0 < support[label] < len(rows) and np.ptp(probabilities[:, label]) > 0
    ]
    p_values = [
        stats.mannwhitneyu(
            probabilities[y_true == label, label],
            probabilities[y_true != label, label],
            alternative="greater",
        ).pvalue
        for label in labels
    ]
    return any(p_value * len(p_values) <= alpha for p_value in p_values)


MOST_RANKED, MOST_RANKED_LABELS = 2**14, 64
"""Rows and labels that are looked at: more would not make it any clearer."""


def label_weights(y_true: npt.NDArray[Any], num_labels: int) -> npt.NDArray[np.float64]:
    """Return a weight for each example, (n,) with mean 1, by which all labels count the same.

    A label with less than half of an equal share counts by its share, so that no single example of
    a rare label decides.
    """
    support = np.bincount(y_true, minlength=num_labels)
    full = len(y_true) / (2 * np.count_nonzero(support))
    weights: npt.NDArray[np.float64] = 1 / np.maximum(support, full)[y_true]
    weights /= weights.mean()
    return weights


def far_below(
    y_true: npt.NDArray[Any],
    answers: npt.NDArray[Any],
    reference: npt.NDArray[Any],
    num_labels: int,
    min_share_of_skill: float = 0.75,
) -> float:
    """Test whether answers keep too little of a reference's skill on the same rows.

    Skill is what is gained over the best constant answer, in accuracy and in the balanced scale of
    :func:`label_weights`. Null hypothesis: in one of the two scales the answers have at least
    ``min_share_of_skill`` of the reference's skill, or the reference has none. Test: by betting on
    the mean of what each row contributes, exact or conservative, noise of the reference included;
    the largest p-value is returned, so that all must reject: a model that trades accuracy for
    recall of rare labels, or the other way round, is not far below.
    """
    right, reference_right = answers == y_true, reference == y_true
    p_values = []
    for weights in (np.ones(len(y_true)), label_weights(y_true, num_labels)):
        constant = float(np.bincount(y_true, weights).max() / len(y_true))
        kept = right - min_share_of_skill * reference_right - (1 - min_share_of_skill) * constant
        most = float(weights.max())
        p_values += [
            statistics.mean_below_zero(
                weights * kept, most * (1 - (1 - min_share_of_skill) * constant)
            ),
            statistics.mean_below_zero(weights * (constant - reference_right), most * constant),
        ]
    return max(p_values)


def in_range(num_labels: int, *labels: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return the rows on which all of these are label ids."""
    valid: npt.NDArray[np.bool_] = np.logical_and.reduce(
        [(ids >= 0) & (ids < num_labels) for ids in labels]
    )
    return valid


def not_one_label_each(evidence: Evidence) -> Finding:
    """Return the finding of a check that cannot count answers which are no label ids."""
    given = "logits" if evidence.y_pred is None else "y_pred"
    return Finding(
        Verdict.INCONCLUSIVE,
        f"{given} cannot be read as one label id for each example: see decoding_consistent",
        needs=("y_pred",),
    )


def _answer_counts(evidence: Evidence) -> npt.NDArray[np.int64]:
    """Count the answers by label, (C,) int."""
    confusion = evidence.confusion
    if confusion is not None and confusion.total == len(evidence.answers):
        return confusion.predicted
    return statistics.label_counts(evidence.answers, evidence.num_labels or 0)


def _label_table(evidence: Evidence) -> tuple[tuple[str, ...], ...]:
    predicted = _answer_counts(evidence)
    true = None if evidence.confusion is None else evidence.confusion.support
    order = np.argsort(-predicted, kind="stable")
    return (
        ("label", "true", "predicted"),
        *(
            (
                evidence.names[label],
                "-" if true is None else f"{true[label]:,}",
                f"{predicted[label]:,}",
            )
            for label in order
        ),
    )


MOST_OF_ONE_LABEL = 0.6
"""Share of the most frequent label up to which answers at chance look broken, not cautious."""


@check(
    stage="outputs",
    needs=["y_true", ("y_pred", "logits")],
    causes=["label-mapping-swapped", "argmin-decoded", *CHANCE_CAUSES],
)
def beats_majority(evidence: Evidence, *, alpha: float = ALPHA) -> Finding:
    """Are the answers better than always answering the majority label?

    Passes if the accuracy is above the majority's share, or if the answers are associated with
    the labels (Fisher's exact test for each label, Bonferroni over labels, at 0.01): a model that
    trades accuracy for recall of rare labels is no worse than a constant. Fails only if the
    answers are right significantly more seldom than answers drawn at random with the same counts
    (null hypothesis: independence; the same exact test, other tail). A model at chance is
    inconclusive: whether the task is hard or the pipeline broken takes a reference model.
    """
    confusion = evidence.confusion
    if confusion is None:
        return not_one_label_each(evidence)
    total, hits, true = confusion.total, confusion.right, confusion.support
    majority = int(true.argmax())
    expected = confusion.right_by_chance
    above = statistics.match_above_chance(confusion)
    below, label = statistics.match_below_chance(confusion)
    low, high = statistics.clopper_pearson(hits, total, alpha)
    stats: dict[str, Any] = {
        "accuracy": hits / total,
        "accuracy_interval": [low, high],
        "majority_share": int(true[majority]) / total,
        "chance_accuracy": expected / total,
    }
    tells_something = above <= 0.01
    worse = below <= alpha and hits < expected
    signs = {"informative": tells_something, "below-chance": worse}
    right = f"{hits}/{total} right ({share(hits, total)})"
    always = f"always {quoted(evidence.names[majority], 14)} gets {share(int(true.max()), total)}"
    if worse:
        return Finding(
            Verdict.FAILED,
            f"worse than chance: {confusion.hits[label]}/{true[label]} "
            f"{quoted(evidence.names[label], 12)} right, chance gets "
            f"{true[label] * confusion.predicted[label] / total:.0f}; {share(hits, total)} of all, "
            f"{probability(below)}",
            statistics=stats,
            p_value=below,
            causes=(
                "label-mapping-swapped",
                *(() if argmax_decoded(evidence) else ("argmin-decoded",)),
                "labels-misaligned",
            ),
            fix="compare the id order of the data set with the model's id2label",
            signs=signs,
        )
    if np.count_nonzero(true) == 1:
        return Finding(
            Verdict.PASSED,
            f"one label only in y_true, nothing to beat: {right}",
            statistics=stats,
            p_value=below,
        )
    if tells_something or hits > int(true[majority]):
        summary = f"better than the majority: {right}, {always}"
        if not tells_something:
            summary = f"above the majority, by chance perhaps: {right}, {always}"
        return Finding(Verdict.PASSED, summary, statistics=stats, p_value=below, signs=signs)
    # Too few rows to say that the answers are bad are no reason to look for a cause, and where one
    # label is most of the rows, a model may well know no better.
    signs["at-chance"] = stats["majority_share"] <= MOST_OF_ONE_LABEL and demonstrably_poor(
        evidence, alpha
    )
    return Finding(
        Verdict.INCONCLUSIVE,
        f"at chance: {right}, {always}; hard task or broken?",
        statistics=stats,
        p_value=below,
        causes=CHANCE_CAUSES if signs["at-chance"] else (),
        fix="see not_far_below_reference: a plain model tells a hard task from a broken pipeline",
        needs=() if evidence.reference_y_pred is not None else ("reference_y_pred",),
        signs=signs,
    )


@check(
    stage="outputs",
    needs=["y_true", ("y_pred", "logits"), "reference_y_pred"],
    causes=CHANCE_CAUSES,
    limits={"min_share_of_skill": (0, 1)},
    weight=COMPARISON,
)
def not_far_below_reference(
    evidence: Evidence, *, alpha: float = ALPHA, min_share_of_skill: float = 0.75
) -> Finding:
    """Does a plain reference model do far better on the same rows?

    Skill is what is gained over the best constant answer, in accuracy and in a scale in which all
    labels count the same but those rarer than half an equal share, which count by their share.
    Null hypothesis: in one of the two the answers have at least ``min_share_of_skill`` of the
    reference's skill, or the reference has none. Test: that of :func:`far_below`, whose error rate
    is at most ``alpha``, noise of the reference included. The sign
    ``reference-weak`` says that the reference hardly learnt anything either: a hard task, or
    training labels that say nothing about the texts.
    """
    confusion = evidence.confusion
    if confusion is None:
        return not_one_label_each(evidence)
    num_labels = confusion.num_labels
    rows = in_range(num_labels, evidence.y_true, evidence.reference_y_pred)
    if not rows.any():
        return Finding(
            Verdict.INCONCLUSIVE,
            "y_true or reference_y_pred lie outside the label ids: see labels_valid",
        )
    y_true, reference = evidence.y_true[rows], evidence.reference_y_pred[rows]
    p_value = far_below(y_true, evidence.answers[rows], reference, num_labels, min_share_of_skill)
    total, hits = len(y_true), int((evidence.answers[rows] == y_true).sum())
    reference_confusion = statistics.confusion_matrix(y_true, reference, num_labels)
    reference_hits = reference_confusion.right
    chance = int(reference_confusion.support.max()) / total
    stats: dict[str, Any] = {
        "accuracy": hits / total,
        "reference_accuracy": reference_hits / total,
    }
    worse = p_value <= alpha
    signs = {
        "far-below-reference": worse,
        "reference-weak": reference_hits / total < chance + (1 - chance) / 4,
        "reference-below-chance": statistics.match_below_chance(reference_confusion)[0] <= alpha,
    }
    versus = (
        f"{share(hits, total)} right, TF-IDF reference {share(reference_hits, total)} "
        f"of the same {count(total, 'row')}"
    )
    if worse:
        return Finding(
            Verdict.FAILED,
            f"far below a plain reference: {versus}, {probability(p_value)}",
            statistics=stats,
            p_value=p_value,
            causes=CHANCE_CAUSES,
            fix="the task can be learnt from these rows: look for the fault in the pipeline",
            signs=signs,
        )
    return Finding(
        Verdict.PASSED,
        f"not far below a plain reference: {versus}",
        statistics=stats,
        p_value=p_value,
        signs=signs,
    )


@check(
    stage="outputs",
    needs=["y_true", ("y_pred", "logits"), "val_accuracy", "y_train"],
    causes=EVALUATED_OTHERWISE_CAUSES,
    limits={"min_share_of_skill": (0, 1)},
    weight=COMPARISON,
)
def not_far_below_validation(
    evidence: Evidence, *, alpha: float = ALPHA, min_share_of_skill: float = 0.5
) -> Finding:
    """Is the accuracy anywhere near the one that training reported on its validation set?

    Skill is what is gained over always answering the most frequent label. Null hypothesis: with
    each label as often right as in the evaluation set, the answers keep ``min_share_of_skill`` of
    the skill that the last ``val_accuracy`` stands for, on validation rows balanced as ``y_train``
    or as ``y_true``. So a validation set of another balance than the evaluation set is no fault;
    labels that the evaluation set has too few of are taken to be always right. Or the model was no
    better in validation than the most frequent label. Test: by betting on the mean of what each row
    of either set contributes, and an exact binomial test of the second; both must reject, so that
    it fails with probability at most ``alpha``. The validation set is taken to have the fewest rows
    of which all reported accuracies can be shares.

    Source: keras#6499 and google-research/bert#475, good in validation and at chance afterwards.
    """
    confusion = evidence.confusion
    if confusion is None:
        return not_one_label_each(evidence)
    num_labels = confusion.num_labels
    recorded = evidence.val_accuracy[np.isfinite(evidence.val_accuracy)]
    if not len(recorded) or not 0 <= recorded[-1] <= 1:
        return Finding(
            Verdict.INCONCLUSIVE,
            "val_accuracy ends in no share between 0 and 1",
            fix="give it as Keras and Trainer do: 0.85, not 85",
        )
    trained = evidence.y_train[in_range(num_labels, evidence.y_train)]
    rows = in_range(num_labels, evidence.y_true)
    if not len(trained) or not rows.any():
        return Finding(
            Verdict.INCONCLUSIVE,
            "y_true or y_train lie outside the label ids: see labels_valid",
        )
    y_true, right = evidence.y_true[rows], (evidence.answers == evidence.y_true)[rows]
    reported, size = float(recorded[-1]), least_rows(recorded)
    validated = np.arange(size) < round(reported * size)
    p_value, p_below = (
        max(
            statistics.skill_below(
                y_true, right, np.bincount(like, minlength=num_labels), validated, kept
            )
            for like in (trained, y_true)
        )
        for kept in (min_share_of_skill, (1 + min_share_of_skill) / 2)
    )
    total, hits = len(y_true), int(right.sum())
    signs = {"far-below-validation": p_value <= alpha, "below-validation": p_below <= alpha}
    stats = {"accuracy": hits / total, "validation_accuracy": reported, "validation_rows": size}
    versus = f"{hits}/{total} right ({share(hits, total)}), {reported:.0%} in validation"
    if p_value > alpha:
        return Finding(
            Verdict.PASSED,
            f"not far below validation: {versus}",
            statistics=stats,
            p_value=p_value,
            signs=signs,
        )
    return Finding(
        Verdict.FAILED,
        f"far below validation: {versus}, {probability(p_value)}",
        statistics=stats,
        p_value=p_value,
        causes=EVALUATED_OTHERWISE_CAUSES,
        fix="training went well: compare what evaluation does otherwise (weights, rows, tokens)",
        signs=signs,
    )


MOST_ROWS = 10_000
"""Shares of more rows than this cannot be told from one another in single precision."""


ROUNDED_TO = 4
"""Digits that logs round shares to: 0.8512 is of 121 rows or more, not just of 1,250."""


def least_rows(shares: npt.NDArray[np.float64]) -> int:
    """Return the least number of rows of which all of these can be shares, or the last can.

    Shares of four digits, some of them of no fewer, may have been rounded to those.
    """
    exact = [
        np.array_equal(shares, shares.round(digits)) for digits in (ROUNDED_TO - 1, ROUNDED_TO)
    ]
    if exact == [False, True]:
        sizes = np.arange(1, 10**ROUNDED_TO + 1)
        for part in np.unique(shares):  # one after the other: there may be thousands
            off = np.abs((part * sizes).round() / sizes - part)
            sizes = sizes[off <= 0.5 * 10.0**-ROUNDED_TO + 1e-9]
        return int(sizes[0])
    fractions = [Fraction(float(part)).limit_denominator(MOST_ROWS) for part in shares]
    least = lcm(*(fraction.denominator for fraction in fractions))
    return least if least <= MOST_ROWS else fractions[-1].denominator


def argmax_decoded(evidence: Evidence) -> bool:
    """Whether the answers are known to be the argmax of the outputs."""
    return evidence.argmax is not None and np.array_equal(evidence.answers, evidence.argmax)


def _examples_of_a_dead_class(
    *, alpha: float, power: float, num_labels: int = 2, min_recall: float = 0.1
) -> int:
    """Count for a label that is never predicted, among equally frequent ones."""
    never = statistics.trials_for_power(min_recall, 0.0, alpha / num_labels, power)
    return never * num_labels


@check(
    stage="outputs",
    needs=["y_true", ("y_pred", "logits")],
    causes=["class-imbalance", "label-out-of-range", "training-data-sorted"],
    limits={"min_recall": (0, 1)},
    suite=False,
    examples=_examples_of_a_dead_class,
)
def every_class_predicted(
    evidence: Evidence, *, alpha: float = ALPHA, min_recall: float = 0.1
) -> Finding:
    """Is each label that occurs predicted at all?

    Null hypothesis: the recall of each label is at least ``min_recall``. Test: a label that is
    never predicted has k misses in k examples, exact binomial, Bonferroni over the labels that
    occur. A label with too few examples to tell is inconclusive. It runs on request only: the best
    model of a rare label that looks like a frequent one may never predict it.
    """
    confusion = evidence.confusion
    if confusion is None:
        return not_one_label_each(evidence)
    present = confusion.support > 0
    never = np.flatnonzero(present & (confusion.predicted == 0))
    occurring = int(np.count_nonzero(present))
    numbers: dict[str, Any] = {
        "labels": occurring,
        "never_predicted": [evidence.names[label] for label in never],
    }
    if not len(never):
        return Finding(
            Verdict.PASSED,
            f"every class predicted: all {count(occurring, 'label')} of y_true are answers too",
            statistics=numbers,
        )
    label = int(never[confusion.support[never].argmax()])
    support = int(confusion.support[label])
    p_value = min(1.0, occurring * (1 - min_recall) ** support)
    facts = (
        f"{len(never)} of {count(occurring, 'label')} never predicted, "
        f"{quoted(evidence.names[label], 14)} in {count(support, 'example')}"
    )
    if p_value > alpha:
        enough = statistics.trials_for_power(min_recall, 0.0, alpha / occurring, 0.9)
        return Finding(
            Verdict.INCONCLUSIVE,
            f"{facts}; {enough} of it would tell",
            statistics={**numbers, "needed": enough},
            p_value=p_value,
            table=_label_table(evidence),
        )
    return Finding(
        Verdict.FAILED,
        f"dead class: {facts}, {probability(p_value)}",
        statistics=numbers,
        p_value=p_value,
        causes=("class-imbalance", "training-data-sorted", "label-out-of-range"),
        fix="count that label in y_train; class_weight='balanced', or its name in id2label",
        table=_label_table(evidence),
    )


def _examples_for_a_metric(
    *, alpha: float, power: float, limit: float = 0.9, accuracy: float = 0.8
) -> int:
    """Count for the metric ``accuracy``, and a model whose accuracy is below the limit."""
    reject_health("accuracy", accuracy, limit, below=True)
    return statistics.trials_for_power(limit, accuracy, alpha, power)


@check(
    stage="outputs",
    needs=["y_true", ("y_pred", "logits")],
    causes=[],
    suite=False,
    examples=_examples_for_a_metric,
)
def metric_at_least(
    evidence: Evidence,
    *,
    alpha: float = ALPHA,
    metric: str | Callable[[Any, Any], float] = "accuracy",
    limit: float = 0.0,
) -> Finding:
    """Is a metric at least as high as the limit that was set for it?

    The limit is compared with a confidence bound, not with the point value: the check passes if the
    lower bound is at least the limit, fails if the upper bound is below it, and is inconclusive
    between. Each bound holds with probability 1 - ``alpha``. For accuracy they are exact (Clopper
    and Pearson); for any other metric they are the value plus and minus the normal quantile times
    the standard error of 200 bootstrap samples of the rows, but no less than ln(1/alpha) / n, the
    bound of a proportion that is perfect. ``metric`` is the name of a scikit-learn scorer, all of
    which are the better the higher, or a function ``(y_true, y_pred) -> float``. It runs on request
    only, with a limit of the author's.

    Source: Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.
    """
    if evidence.confusion is None or evidence.confusion.total < len(evidence.y_true):
        return not_one_label_each(evidence)
    name = metric if isinstance(metric, str) else getattr(metric, "__name__", "metric")
    total = len(evidence.y_true)
    score = _scorer(evidence, metric)
    rows = np.arange(total)
    value = score(rows)
    if name == "accuracy":
        right = evidence.confusion.right
        low, high = statistics.clopper_pearson(right, total, min(1.0, 2 * alpha))
    else:
        generator = np.random.default_rng(0)
        samples = [score(generator.integers(0, total, total)) for _ in range(BOOTSTRAP_SAMPLES)]
        error = float(np.nanstd(samples, ddof=1))
        margin = max(float(stats.norm.isf(alpha)) * error, float(np.log(1 / alpha)) / total)
        low, high = value - margin, value + margin
    numbers: dict[str, Any] = {
        "metric": name,
        "value": value,
        "lower_bound": low,
        "upper_bound": high,
        "limit": limit,
        "examples": total,
    }
    shown = safe(name, 24)
    if high < limit:
        return Finding(
            Verdict.FAILED,
            f"{shown} too low: {value:.3f}, upper bound {high:.3f}, limit {limit:g}, n = {total:,}",
            statistics=numbers,
            fix="diagnose(evidence) says what is wrong, if anything; or lower the limit",
            table=_label_table(evidence),
        )
    if low >= limit:
        return Finding(
            Verdict.PASSED,
            f"{shown} {value:.3f}, lower bound {low:.3f}, limit {limit:g}",
            statistics=numbers,
        )
    gap = abs(value - limit)
    needed = ceil(total * ((high - low) / 2 / gap) ** 2) if gap > 1e-9 else None
    more = f"; about {needed:,} examples would tell" if needed and needed < 10**8 else ""
    return Finding(
        Verdict.INCONCLUSIVE,
        f"{shown} {value:.3f}, bounds {low:.3f} and {high:.3f}, limit {limit:g}{more}",
        statistics={**numbers, "needed": needed},
        fix="" if more else "only a limit further from the value can be told from it",
    )


BOOTSTRAP_SAMPLES = 200
"""Enough for a standard error. Source: Efron and Tibshirani (1993), section 6.4."""


def _scorer(
    evidence: Evidence, metric: str | Callable[[Any, Any], float]
) -> Callable[[npt.NDArray[Any]], float]:
    """Return a function from rows to the metric's value on them.

    Raises
    ------
    ValueError
        If scikit-learn has no scorer of that name, or it needs outputs that were not given.
    TypeError
        If ``metric`` is neither a name nor a function.
    """
    y_true, answers = evidence.y_true, evidence.answers
    if callable(metric):
        return lambda rows: _number(metric(y_true[rows], answers[rows]))
    if not isinstance(metric, str):
        raise TypeError(
            f"metric: expected a scorer's name or a function (y_true, y_pred), got {metric!r:.60}"
        )
    from sklearn.metrics import get_scorer, get_scorer_names  # slow, and for this check alone

    if metric not in get_scorer_names():
        raise ValueError(
            f"metric: expected the name of a scikit-learn scorer, such as 'f1_macro', "
            f"got {metric!r:.60}"
        )
    scorer = get_scorer(metric)
    recorded = _Recorded(answers, evidence.probabilities)

    def score(rows: npt.NDArray[Any]) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a sample without some label is no news
            return float(scorer(recorded, rows, y_true[rows]))

    try:
        value = score(np.arange(len(y_true)))
    except (AttributeError, ValueError) as error:
        raise ValueError(f"metric: {metric!r} cannot be computed of this: {error}") from error
    if not np.isfinite(value):
        raise ValueError(f"metric: {metric!r} is {value} for these labels and answers")
    return score


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"metric: expected a number from it, got {value!r:.60}") from error


class _Recorded(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier for scikit-learn's scorers whose answers are recorded; its input is the rows."""

    def __init__(self, answers: Any, probabilities: Any) -> None:
        self.answers = answers
        self.probabilities = probabilities
        width = 2 if probabilities is None else probabilities.shape[1]
        self.classes_ = np.arange(max(width, int(answers.max()) + 1))

    def predict(self, rows: Any) -> Any:
        """Return the recorded answers."""
        return self.answers[rows]

    def predict_proba(self, rows: Any) -> Any:
        """Return the recorded probabilities."""
        if self.probabilities is None:
            raise ValueError("it takes logits or probabilities, and only label ids were given")
        return self.probabilities[rows]
