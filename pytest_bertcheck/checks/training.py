"""Checks of the training: its history, its loss, its schedule, and what it did to the weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, pi, sqrt
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import statistics
from ..evidence import Evidence
from ..findings import Finding, Verdict
from ..logits import summarise
from ..messages import count, probability, share
from . import ALPHA, check
from .outputs import (
    FAINT_CONFIDENCE,
    demonstrably_good,
    demonstrably_poor,
    in_range,
    least_rows,
    right_above_chance,
    worse_than_reference,
)

__all__ = [
    "accuracy_as_reported",
    "learning_rate_schedule",
    "loss_matches_outputs",
    "overfits_small_batch",
    "training_progressed",
    "weights_updated",
]

Array = npt.NDArray[Any]

USUAL_LEARNING_RATES = (1e-5, 5e-5)
"""What fine-tuning a pretrained encoder takes. Source: Devlin et al. (2019), section A.3."""

BY_HEART = 0.1
"""Share of the cost of knowing nothing under which all rows are learnt by heart."""

LEAST_PROGRESS = 0.05
"""Share of the loss of a model without any knowledge that training must have taken off."""

HARD_TASK = 0.01
"""Share that a training on a hard task may well take off no more than."""

FEW_POINTS = 20
"""A loss of fewer points is taken for one of epochs, where the number of steps is not known."""


@check(
    stage="training",
    needs=[("loss", "val_loss", "train_steps")],
    causes=[
        "diverged",
        "weights-not-updated",
        "learning-rate-too-low",
        "learning-rate-too-high",
        "too-few-steps",
        "labels-shuffled",
        "labels-noisy",
        "loss-misconfigured",
    ],
    limits={"min_progress": (0, 1)},
)
def training_progressed(
    evidence: Evidence, *, alpha: float = ALPHA, min_progress: float = LEAST_PROGRESS
) -> Finding:
    """Did training bring the loss below what knowing nothing costs?

    Knowing nothing costs the smaller of ln C (equal chances) and H(p), the entropy of the
    training labels (the class prior). Facts rather than a test: the loss ended at NaN or infinity;
    no step was taken; or the best recorded loss, on training and on validation data, is less than
    ``min_progress`` of it lower. A healthy training may look so if more answers are right than
    by chance all the same, the loss is 1 to 5 % lower (a hard task), or it lies between H(p) and
    ln C (a class-weighted loss costs more than H(p) by its weights): then only one fails that was
    cut short, with answers that are demonstrably poor (accuracy below halfway from the majority's
    share to 1, upper Clopper-Pearson bound at ``alpha``) or worse than those of the reference,
    which had the same rows (exact McNemar at ``alpha``). A batch loss is noisy, so the training
    loss is judged by its mean over the last third. A model whose answers are demonstrably good
    (beyond halfway, lower bound) passes whatever its history: a loss on another scale is no defect.

    And a test, where ``val_accuracy`` and ``val_loss`` were recorded. Null hypothesis: the accuracy
    is no worse at the last point than at the best one. Test: exact (Fisher) on the fewest rows that
    all points can be shares of, times their number. It fails if, besides, more than half of what
    the best point gained over the majority is gone, the loss had fallen and ended above what
    knowing nothing costs, and no more answers are right than by chance: where the best weights were
    restored afterwards, or classes weighted, or only the confidence grew, they are.

    Constants: ln 2 = 0.6931, H(0.1) = 0.3251.
    """
    rates = _recorded(evidence.learning_rate)
    signs = _rate_signs(evidence, rates)
    loss, val_loss = _recorded(evidence.loss), _recorded(evidence.val_loss)
    stats: dict[str, Any] = {"train_steps": evidence.train_steps}
    if rates is not None:
        stats["peak_learning_rate"] = float(rates.max())
    for name, series in (("loss", loss), ("val_loss", val_loss)):
        if series is not None:
            stats |= {f"first_{name}": float(series[0]), f"last_{name}": float(series[-1])}
    broken = [
        name
        for name, series in (("loss", loss), ("val_loss", val_loss))
        if series is not None and not np.isfinite(series[-1])
    ]
    signs["loss-not-finite"] = bool(broken)
    if broken:
        values = evidence.loss if broken[0] == "loss" else evidence.val_loss
        first_bad = int(np.flatnonzero(~np.isfinite(values))[0]) + 1
        return Finding(
            Verdict.FAILED,
            f"training diverged: {broken[0]} is {values[-1]:g} at the end, first at point "
            f"{first_bad} of {len(values)}",
            statistics=stats,
            causes=("diverged", "learning-rate-too-high"),
            certain=True,
            fix="learning_rate=2e-5 with warm-up over the first 10% of the steps, and clip "
            "gradients at norm 1",
            signs=signs,
        )
    loss, val_loss = _finite(loss), _finite(val_loss)
    if evidence.train_steps == 0:
        signs["no-step-taken"] = True
        return Finding(
            Verdict.FAILED,
            "no training: 0 optimizer steps were taken",
            statistics=stats,
            causes=("weights-not-updated", "too-few-steps"),
            certain=True,
            fix="call fit, or apply the gradients: optimizer.apply_gradients(...), .step()",
            signs=signs,
        )
    ignorance = _cost_of_knowing_nothing(evidence)
    if (loss is None and val_loss is None) or ignorance is None:
        return Finding(
            Verdict.INCONCLUSIVE,
            "whether training progressed takes its loss and the number of labels",
            statistics=stats,
            needs=("loss", "y_train"),
            signs=signs,
        )
    stats["loss_of_knowing_nothing"] = ignorance
    best_train = None if loss is None else float(loss[-max(1, len(loss) // 3) :].mean())
    best_val = None if val_loss is None else float(val_loss.min())
    train_gain = None if best_train is None else 1 - best_train / ignorance
    val_gain = None if best_val is None else 1 - best_val / ignorance
    stats |= {"train_gain": train_gain, "val_gain": val_gain, "best_val_loss": best_val}
    if val_loss is not None:
        signs |= _val_loss_signs(val_loss, best_train, ignorance, ignorance * (1 - min_progress))
        if len(val_loss) > 1:
            stats["val_loss_change"] = float(np.abs(np.diff(val_loss)).max()) / ignorance
    if loss is not None and best_train is not None:
        signs["train-loss-learnt"] = best_train < ignorance * (1 - min_progress)
        signs["learnt-by-heart"] = best_train < BY_HEART * ignorance
        signs["train-loss-huge"] = float(loss.max()) > 3 * max(ignorance, float(loss[0]))
    gains = [gain for gain in (train_gain, val_gain) if gain is not None]
    stalled = val_gain if val_gain is not None else gains[0]
    good = demonstrably_good(evidence, alpha)
    steps = evidence.train_steps or 10 * FEW_POINTS
    if loss is not None and evidence.num_labels and steps <= 10 * len(loss):
        # A fresh head is right about nothing and sure of nothing: its first loss is ln C. The mean
        # of an epoch is none of a fresh head: much happens in it.
        uniform = np.log(max(evidence.num_labels, 2))
        signs["first-loss-off"] = bool(loss[0] > 1.15 * uniform)
    if lost := _progress_lost(evidence, val_loss, ignorance, alpha):
        return dataclasses.replace(
            lost, statistics={**stats, **lost.statistics}, signs={**signs, **lost.signs}
        )
    if stalled >= min_progress or good:
        return Finding(
            Verdict.PASSED,
            f"training progressed: {_course(loss, val_loss)}; knowing nothing: {ignorance:.3f}",
            statistics=stats,
            signs=signs,
        )
    poor = demonstrably_poor(evidence, alpha) or worse_than_reference(evidence) <= alpha
    cut_short = poor and any(
        signs.get(sign, False)
        for sign in ("rate-far-below-usual", "steps-few", "less-than-an-epoch")
    )
    doubt = _doubt_of_no_progress(evidence, ignorance, stalled, min_progress)
    if doubt and not cut_short:
        return Finding(
            Verdict.INCONCLUSIVE,
            f"hardly any progress: {_course(loss, val_loss)}, {doubt}",
            statistics=stats,
            fix="overfit 16 rows first: if that works, train longer, or the task is hard",
            needs=() if evidence.reference_y_pred is not None else ("reference_y_pred",),
            signs=signs,
        )
    learnt_nothing = max(gains) < min_progress
    causes = (
        ("learning-rate-too-low", "too-few-steps", "weights-not-updated", "learning-rate-too-high",
         "loss-misconfigured", "labels-shuffled")
        if learnt_nothing
        else ("labels-shuffled", "labels-noisy", "loss-misconfigured")
    )  # fmt: skip
    what = "learnt by heart only" if signs.get("learnt-by-heart") else "no progress"
    return Finding(
        Verdict.FAILED,
        f"{what}: {_course(loss, val_loss)}, knowing nothing costs {ignorance:.3f}",
        statistics=stats,
        causes=causes,
        fix="learning_rate between 1e-5 and 5e-5, at least 3 epochs; overfit 16 rows first to see "
        "that the wiring works"
        if learnt_nothing
        else "read five (text, label) training pairs: were labels shuffled or corrupted?",
        signs=signs,
        table=_history_table(evidence),
    )


def _progress_lost(
    evidence: Evidence, val_loss: Array | None, ignorance: float, alpha: float
) -> Finding | None:
    """Return the failure of a training that was good in between, if it was, and no longer is."""
    accuracies, confusion = evidence.val_accuracy, evidence.confusion
    if accuracies is None or val_loss is None or confusion is None:
        return None
    accuracies = accuracies[np.isfinite(accuracies)]
    if not len(accuracies) or not 0 <= min(accuracies) <= max(accuracies) <= 1:
        return None
    best, last, rows = float(accuracies.max()), float(accuracies[-1]), least_rows(accuracies)
    majority = int(confusion.support.max()) / confusion.total
    right = (round(best * rows), round(last * rows))
    by_chance = statistics.hypergeometric_at_least(right[0], 2 * rows, sum(right), rows)
    p_value = min(1.0, len(accuracies) * by_chance)
    above = val_loss.min() < ignorance * (1 - LEAST_PROGRESS) and val_loss[-1] > ignorance
    lost = above and p_value <= alpha and last < (best + majority) / 2
    if not lost or right_above_chance(evidence):
        return None
    before, after = (share(part, rows) for part in right)
    return Finding(
        Verdict.FAILED,
        f"progress lost: val_accuracy {before} at point {int(accuracies.argmax()) + 1} of "
        f"{len(accuracies)}, {after} at the end, {probability(p_value)}",
        statistics={"best_val_accuracy": best, "last_val_accuracy": last},
        p_value=p_value,
        causes=("learning-rate-too-high", "labels-noisy", "loss-misconfigured"),
        fix="keep the best weights: EarlyStopping(restore_best_weights=True), or "
        "load_best_model_at_end=True\nthen lower learning_rate (1e-5 to 5e-5), or train for fewer "
        "epochs",
        signs={"progress-lost": True},
        table=_history_table(evidence),
    )


def _val_loss_signs(
    val_loss: Array, best_train: float | None, ignorance: float, learnt: float
) -> dict[str, bool]:
    """Say what course the validation loss took; below ``learnt`` it fell."""
    signs = {}
    # A loss that fell and came back, in training too, leaves open which weights were kept.
    lost = val_loss[-1] >= learnt and best_train is not None and best_train >= learnt
    if not (lost and val_loss.min() < learnt):
        signs["val-loss-learnt"] = bool(val_loss.min() < learnt)
    if len(val_loss) > 1:
        signs["val-loss-never-moved"] = bool(np.abs(np.diff(val_loss)).max() < 2e-3 * ignorance)
        signs["val-loss-far-above"] = bool(val_loss[-1] > 1.03 * ignorance)
    return signs


def _rate_signs(evidence: Evidence, rates: Array | None) -> dict[str, bool]:
    """Say where learning rate and number of steps lie beside what fine-tuning takes."""
    signs = {}
    if rates is not None:
        peak = float(rates.max())
        signs["rate-above-usual"] = peak > 4 * USUAL_LEARNING_RATES[1]
        signs["rate-far-below-usual"] = peak < USUAL_LEARNING_RATES[0] / 5
        signs["rate-zero-or-negative"] = bool(rates.min() < 0 or peak <= 0)
    if evidence.train_steps is not None:
        signs["steps-few"] = evidence.train_steps < 20
        if evidence.batch_size is not None and evidence.y_train is not None:
            epochs = evidence.train_steps * evidence.batch_size / len(evidence.y_train)
            signs["less-than-an-epoch"] = epochs < 0.9
    return signs


def _recorded(series: Array | None) -> Array | None:
    """Return the recorded points: NaN before the first number, or throughout, means not recorded.

    A NaN after a number is a loss that became NaN, and stays.
    """
    if series is None or np.isnan(series).all():
        return None
    if np.isnan(series[-1]):
        return series.astype(np.float64)
    return series[~np.isnan(series)].astype(np.float64)


def _finite(series: Array | None) -> Array | None:
    """Return the points that are numbers; an infinity in mid-run is passed over."""
    return None if series is None else series[np.isfinite(series)]


def _cost_of_knowing_nothing(evidence: Evidence) -> float | None:
    num_labels = evidence.num_labels
    costs = [float(np.log(num_labels))] if num_labels and num_labels > 1 else []
    if evidence.y_train is not None and evidence.y_train.min() >= 0:
        _, counts = np.unique(evidence.y_train, return_counts=True)
        if len(counts) > 1:
            costs.append(statistics.entropy(counts))
    return min(costs, default=None)


def _doubt_of_no_progress(
    evidence: Evidence, ignorance: float, gain: float, min_progress: float
) -> str:
    """Say why a healthy training could have made so little progress; empty if none could."""
    if right_above_chance(evidence):
        return "but the answers tell something"
    if HARD_TASK <= gain < LEAST_PROGRESS:
        return f"{gain:.1%} below knowing nothing"
    level = (1 - gain) * ignorance
    uniform = float(np.log(max(evidence.num_labels or 0, 2)))
    if ignorance * (1 + min_progress) < level < uniform * (1 - min_progress):
        return f"class-weighted? H(p) {ignorance:.3f}"
    return ""


def _course(loss: Array | None, val_loss: Array | None) -> str:
    parts = [
        f"{name} {_digits(series[0])} -> {_digits(series[-1])}"
        for name, series in (("loss", loss), ("val_loss", val_loss))
        if series is not None
    ]
    return ", ".join(parts)


def _digits(loss: float) -> str:
    return f"{loss:.3f}" if abs(loss) < 100 else f"{loss:.3g}"


def _history_table(evidence: Evidence) -> tuple[tuple[str, ...], ...]:
    rows: list[tuple[str, ...]] = [("history", "first", "best", "last", "points")]
    for name, best in (
        ("loss", np.min),
        ("val_loss", np.min),
        ("val_accuracy", np.max),
        ("learning_rate", np.max),
    ):
        series = _recorded(getattr(evidence, name))
        if series is not None:
            numbers = (series[0], best(series), series[-1])
            rows.append((name, *(f"{number:.4g}" for number in numbers), str(len(series))))
    if evidence.train_steps is not None:
        rows.append(("steps", "", "", count(evidence.train_steps, "step"), ""))
    return tuple(rows)


# The loss that was reported against the one that these outputs have


@dataclass(frozen=True)
class LossForm:
    """A loss over the evaluation rows, computed in one of the ways in which it gets computed.

    ``error`` is the standard error of its value over draws of rows; ``sound`` forms have their
    least value where the right label has the largest output; ``fix`` says what to change in the
    others.
    """

    name: str
    value: float
    error: float
    sound: bool = True
    fix: str = ""


FROM_LOGITS = "SparseCategoricalCrossentropy(from_logits=True) on raw logits and integer labels"
KERAS_EPSILON = 1e-7
"""Where Keras clips probabilities; -ln of it, 16.118, is the most that a row can cost there."""


@check(
    stage="training",
    needs=["logits", "y_true", "val_loss"],
    causes=["loss-misconfigured"],
    limits={"tolerance": (0, 1), "label_smoothing": (0, 1)},
)
def loss_matches_outputs(
    evidence: Evidence,
    *,
    alpha: float = ALPHA,
    same_rows: bool = False,
    tolerance: float = 1e-3,
    label_smoothing: float | None = None,
) -> Finding:
    """Is the reported loss the cross-entropy of these outputs and labels?

    A fact rather than a test. The cross-entropy is computed again from ``logits`` and ``y_true``,
    and so are the forms that a wrong wiring gives it: softmax applied twice (floor
    ln(1 + (C-1)/e): 0.3133 for C = 2, 0.5514 for C = 3), logits taken for probabilities (clipped
    by Keras at 1e-7: 16.118 a row), probabilities taken for logits, a softmax over one unit, no
    softmax at all, integer ids taken for one-hot rows by mean squared error or binary
    cross-entropy. Sums, and the sound losses over one-hot rows, are known by name too.

    The validation set of a training may be another one than the evaluation set. So by default it
    fails only if the last or the best ``val_loss`` is, to 1e-5 of it, that of a wrong form which
    is more than 5 % away from the cross-entropy, and so close to it that the loss of other rows
    would be with probability at most ``alpha``: by the standard error over rows, which is small
    where outputs are flat, and then it is inconclusive. With ``same_rows`` the caller states that
    the loss is of these rows and this model: then anything farther than ``tolerance`` (a share, at
    least 1e-4 absolute) from the cross-entropy fails, whether or not a form explains it.
    ``label_smoothing`` is that of the loss. A loss averaged over batches, with a shorter last one,
    passes if ``batch_size`` is given. Class weights and regularisation are not known to it.

    With ``train_logits`` and ``loss``, a loss of another kind shows too: outputs whose largest
    probability is q on the average cost at least -ln q, even if all answers were right (Jensen's
    inequality). If they commit to no label, and the loss fell to less than half of where it began
    and of that bound, in the last and the best epoch, training made something small that is no
    cross-entropy of these outputs. Four fifths are enough where the loss began at ln C or above, so
    that it is not scaled, the training labels are balanced, so that class weights change little,
    and it is a mean over 64 rows at least. Some teams want that, so it fails only where the answers
    are worse than those of the reference (exact McNemar at ``alpha``) or, without one,
    demonstrably poor.

    Source: CAUSES.md, id 7; keras#1261, keras-hub PR 176; Keras and PyTorch loss definitions.
    """
    forms = None if _out_of_range(evidence) else list(_forms_of_loss(evidence, label_smoothing))
    points = _last_and_best(evidence.val_loss)
    if forms is None or not points:
        return Finding(
            Verdict.INCONCLUSIVE,
            "no loss to compare, for NaN or ids out of range: see logits_valid and labels_valid",
        )
    reported = [float(evidence.val_loss[point]) + 0.0 for point in points]  # no -0
    plain = forms[0].value
    stats: dict[str, Any] = {"reported_loss": reported[0], "cross_entropy": plain}
    digits = f"{reported[0]:.4f}, cross-entropy of these outputs {plain:.4f}"
    agreements = []
    if same_rows:
        matching = [
            form
            for form in forms
            if abs(reported[0] - form.value) <= max(tolerance * abs(form.value), 1e-4)
        ]
    else:
        agreements = _agreements(forms, reported, forms[0].error)
        matching = [one.form for one in agreements if one.chance <= alpha]
    if any(form.name == forms[0].name for form in matching):
        return Finding(
            Verdict.PASSED,
            f"the reported loss is the cross-entropy of these outputs: {digits}",
            statistics=stats,
            signs={"loss-is-cross-entropy": True},
        )
    apart = 0.0 if same_rows else 0.05 * abs(plain)
    found = next((form for form in matching if abs(form.value - plain) > apart), None)
    if found is not None:
        stats["form"] = found.name
    if found is not None and (same_rows or not found.sound):
        return Finding(
            Verdict.FAILED,
            f"loss misconfigured: {reported[0]:.4g} is {found.name}, expected {plain:.4g}",
            statistics=stats,
            causes=("loss-misconfigured",),
            certain=True,
            fix=found.fix or FROM_LOGITS,
            signs={"loss-is-cross-entropy": False},
        )
    if same_rows:
        return Finding(
            Verdict.FAILED,
            f"loss of another kind: {digits}; no known form of it",
            statistics=stats,
            causes=("loss-misconfigured",),
            fix=f"{FROM_LOGITS};\nor class weights, regularisation, other rows, other weights: "
            "evaluate these rows once more",
        )
    signs = {}
    least = _least_loss(evidence)
    if least is not None:
        began, ended, rows = _course_of_loss(evidence)
        stats |= {"training_loss": ended, "least_cross_entropy": least}
        unscaled = began >= 0.9 * np.log(max(evidence.num_labels or 0, 2))
        sure = unscaled and rows >= ENOUGH_ROWS and _trained_on_balanced_labels(evidence)
        signs["loss-out-of-reach"] = ended < min(began, least) * (0.8 if sure else 0.5)
        poor = (
            demonstrably_poor(evidence, alpha)
            if evidence.reference_y_pred is None
            else worse_than_reference(evidence) <= alpha
        )
        if signs["loss-out-of-reach"] and poor:
            return Finding(
                Verdict.FAILED,
                f"loss of another kind: training ended at {ended:.3g}, outputs this flat cost at "
                f"least {least:.3g}",
                statistics=stats,
                causes=("loss-misconfigured",),
                fix=FROM_LOGITS,
                signs=signs,
            )
    wrong = [
        one.form for one in agreements if not one.form.sound and abs(one.form.value - plain) > apart
    ]
    if wrong and not matching:
        return Finding(
            Verdict.INCONCLUSIVE,
            f"loss misconfigured? {reported[0]:.4g} is {wrong[0].name}, or of other rows",
            statistics=stats,
            causes=("loss-misconfigured",),
            fix="evaluate the loss of these rows once more",
            signs=signs,
        )
    return Finding(
        Verdict.PASSED,
        f"no wrong form of the loss gives the reported one: {digits}",
        statistics=stats,
        signs=signs,
    )


def _course_of_loss(evidence: Evidence) -> tuple[float, float, int]:
    """Return where the training loss began, and where it was for the weights that were kept.

    Those are of the last or of the best epoch: the larger loss of the two counts. Of a loss for
    each step it is the mean of the tenth before, since single batches may be easy ones. The last
    of the three is the number of rows over which that is a mean, at least.
    """
    loss = evidence.loss
    assert loss is not None
    ends = [(point + 1) / len(evidence.val_loss) for point in _last_and_best(evidence.val_loss)]
    tenth = max(1, len(loss) // 10)
    kept = [max(1, round(end * len(loss))) for end in ends]
    ended = max(float(loss[max(0, end - tenth) : end].mean()) for end in kept)
    return float(loss[0]), ended, min(tenth, *kept) * (evidence.batch_size or 1)


def _trained_on_balanced_labels(evidence: Evidence) -> bool:
    """Whether each label has an equal share of the training rows, by a quarter more or less."""
    y_train, num_labels = evidence.y_train, evidence.num_labels
    if y_train is None or num_labels is None or not in_range(num_labels, y_train).all():
        return False
    shares = np.bincount(y_train, minlength=num_labels) * num_labels / len(y_train)
    return bool(shares.min() >= 0.75 and shares.max() <= 1.25)


def _least_loss(evidence: Evidence) -> float | None:
    """Return what outputs on training rows cost if all are right, where they commit to no label."""
    if evidence.train_logits is None or evidence.loss is None or len(evidence.loss) < 2:
        return None
    confidence, labels = summarise(evidence.train_logits).confidence, evidence.num_labels
    if labels is None or not confidence < FAINT_CONFIDENCE:  # or is NaN
        return None
    return float(-np.log(1 / labels + confidence * (1 - 1 / labels)))


ENOUGH_ROWS = 64
"""Rows over which a mean loss lies within a fifth: of flat outputs single rows vary by a third."""

TO_ROUNDING = 1e-5
"""Relative difference that the order of summation in float32 explains."""


class Agreement(NamedTuple):
    """A form that a reported loss agrees with, to rounding.

    ``place`` is that of the loss among the reported ones; ``chance`` the probability, at most, that
    the loss of other rows comes as close to any of the forms.
    """

    form: LossForm
    place: int
    chance: float


def _agreements(
    forms: Sequence[LossForm], reported: Sequence[float], spread: float = 0.0
) -> list[Agreement]:
    """Return which forms agree with a reported loss, and whether only these rows explain it.

    The loss of other rows, or of these in another form, differs with a standard deviation of at
    least the form's standard error, or of ``spread``. So it comes this close with probability at
    most 2 apart / (error sqrt(2 pi)), were it normal, for each of the pairs that are compared.
    """
    pairs = len(forms) * len(reported)
    found = []
    for form in forms:
        error = max(form.error, spread)
        for place, loss in enumerate(reported):
            apart = abs(loss - form.value)
            if apart <= max(TO_ROUNDING * abs(form.value), 1e-6):
                closest = max(apart, float(np.finfo(np.float32).eps) * abs(form.value))
                chance = pairs * 2 * closest / (error * sqrt(2 * pi)) if error > 0 else inf
                found.append(Agreement(form, place, chance))
    return found


def _out_of_range(evidence: Evidence) -> bool:
    y_true, num_labels = evidence.y_true, evidence.num_labels
    return evidence.probabilities is None or (
        num_labels is None
        or bool(y_true.min() < 0 or y_true.max() >= evidence.probabilities.shape[1])
    )


def _last_and_best(series: Array) -> list[int]:
    """Return the points of a validation series whose weights a team keeps: the last, the best."""
    finite = np.flatnonzero(np.isfinite(series))
    if len(finite) == 0:
        return []
    best = int(finite[series[finite].argmin()])
    return list(dict.fromkeys((int(finite[-1]), best)))


def _forms_of_loss(evidence: Evidence, label_smoothing: float | None = None) -> Iterator[LossForm]:
    """Yield the loss of the evaluation rows in every known form, the right one first.

    Sources: the definitions of ``sparse_categorical_crossentropy``, ``categorical_crossentropy``,
    ``binary_crossentropy`` and ``mse`` in Keras (backends clip at 1e-7), and of
    ``CrossEntropyLoss``, ``NLLLoss``, ``BCEWithLogitsLoss`` and ``MSELoss`` in PyTorch.
    """
    outputs = evidence.logits.astype(np.float64)
    rows, width = outputs.shape
    y_true = evidence.y_true
    given = evidence.outputs.probabilities
    probabilities = evidence.probabilities
    assert probabilities is not None  # the caller has seen to that
    logs = np.log(np.clip(probabilities, KERAS_EPSILON, None)) if given else _log_softmax(
        outputs if width > 1 else np.hstack([np.zeros_like(outputs), outputs])
    )  # fmt: skip
    each = -logs[np.arange(rows), y_true]
    if label_smoothing:
        each = (1 - label_smoothing) * each - label_smoothing * logs.mean(axis=1)
    name = "cross-entropy"
    plain = _form(name, each)
    yield plain
    size = evidence.batch_size
    if size is not None and rows > size:
        starts = np.arange(0, rows, size)
        sums = np.add.reduceat(each, starts)
        yield LossForm(name, float((sums / np.diff([*starts, rows])).mean()), plain.error)
        yield LossForm(
            "summed over the rows of a batch, not averaged",
            float(sums.mean()),
            plain.error * size,
            fix=_AVERAGE,
        )
    if width == 1:
        yield _wrong("a softmax over one unit, which is always 1", np.zeros(rows), _MORE_UNITS)
        yield _wrong(
            "binary cross-entropy of a one-unit softmax",
            -np.log(KERAS_EPSILON) * (y_true == 0),
            "one unit takes a sigmoid, not a softmax",
        )
        if given:
            yield _wrong(
                "probabilities taken for logits", _binary(outputs[:, 0], y_true), _ACTIVATION
            )
        else:
            for added in (0.0, KERAS_EPSILON):
                each = _clipped_binary(outputs[:, 0], y_true, added)
                yield _wrong("logits taken for probabilities", each, _BINARY_FROM_LOGITS)
    else:
        yield from _forms_of_columns(outputs, probabilities, y_true, given)
    yield LossForm(
        "summed over the rows, not averaged", plain.value * rows, plain.error * rows, fix=_AVERAGE
    )


def _forms_of_columns(
    outputs: Array, probabilities: Array, y_true: Array, given: bool
) -> Iterator[LossForm]:
    """Yield the forms that two columns and more can take, without the right one."""
    rows = np.arange(len(outputs))
    twice = -_log_softmax(probabilities)[rows, y_true]
    if given:
        yield _wrong("probabilities taken for logits, softmax twice", twice, _ACTIVATION)
    else:
        yield _wrong("the softmax applied twice", twice, _ACTIVATION)
        clipped = np.clip(outputs, KERAS_EPSILON, 1 - KERAS_EPSILON)
        # Sparse labels: clipped, then normalised; PyTorch's backend does not normalise.
        taken = "logits taken for probabilities"
        own = clipped[rows, y_true]
        yield _wrong(taken, np.log(clipped.sum(axis=1)) - np.log(own))
        yield _wrong(taken, -np.log(own))
        with np.errstate(divide="ignore", invalid="ignore"):  # one-hot: normalised, then clipped
            shares = outputs[rows, y_true] / outputs.sum(axis=1)
        yield _wrong(taken, -np.log(np.clip(shares, KERAS_EPSILON, 1 - KERAS_EPSILON)))
        yield _wrong("no softmax at all, the mean -logit", -outputs[rows, y_true])
    one_hot = np.zeros_like(outputs)
    one_hot[rows, y_true] = 1
    ids = np.broadcast_to(y_true[:, None], outputs.shape)
    yield _wrong("mean squared error to the ids, not one-hot", (outputs - ids) ** 2)
    yield _form("mean squared error to one-hot rows", (outputs - one_hot) ** 2)
    if not given:
        yield _wrong("binary cross-entropy to the ids, not one-hot", _binary(outputs, ids))
        yield _form("binary cross-entropy to one-hot rows", _binary(outputs, one_hot))
    for added in (0.0, KERAS_EPSILON):
        to_ids = _clipped_binary(outputs, ids, added)
        yield _wrong("binary cross-entropy to the ids, not one-hot", to_ids)
        to_one_hot = _clipped_binary(outputs, one_hot, added)
        if given:
            yield _form("binary cross-entropy to one-hot rows", to_one_hot)
        else:
            yield _wrong("binary cross-entropy, logits as probabilities", to_one_hot)


_ACTIVATION = "no activation on the output layer (Dense(C)) under from_logits=True"
_AVERAGE = "reduction='sum_over_batch_size' (Keras), 'mean' (PyTorch), or compare like with like"
_BINARY_FROM_LOGITS = "BinaryCrossentropy(from_logits=True) on the raw output and labels 0 and 1"
_MORE_UNITS = (
    f"as many units as labels and {FROM_LOGITS};\nor one unit with a sigmoid and BinaryCrossentropy"
)


def _form(name: str, each: Array, *, sound: bool = True, fix: str = "") -> LossForm:
    """Return the mean of what each row, or each output of it, costs."""
    rows = each.reshape(len(each), -1).mean(axis=1)
    with np.errstate(invalid="ignore"):  # an infinite cost has no standard error
        error = float(rows.std()) / sqrt(len(rows))
    return LossForm(name, float(np.mean(each)), error, sound=sound, fix=fix)


def _wrong(name: str, each: Array, fix: str = FROM_LOGITS) -> LossForm:
    return _form(name, each, sound=False, fix=fix)


def _log_softmax(logits: Array) -> Array:
    centred = logits - logits.max(axis=1, keepdims=True)
    result: Array = centred - np.log(np.exp(centred).sum(axis=1, keepdims=True))
    return result


def _binary(logits: Array, targets: Array) -> Array:
    result: Array = np.logaddexp(0, logits) - logits * targets
    return result


def _clipped_binary(outputs: Array, targets: Array, added: float) -> Array:
    """Binary cross-entropy of outputs that Keras clips in float32; Keras 2 adds 1e-7 once more."""
    low, high = float(np.float32(KERAS_EPSILON)), float(np.float32(1 - KERAS_EPSILON))
    clipped = np.clip(outputs, low, high)
    result: Array = -(
        targets * np.log(clipped + added) + (1 - targets) * np.log(1 - clipped + added)
    )
    return result


# The accuracy that was reported


@check(
    stage="training",
    needs=["val_accuracy", "y_true", ("logits", "y_pred")],
    causes=["metric-misreported"],
    limits={"tolerance": (0, 1)},
)
def accuracy_as_reported(
    evidence: Evidence,
    *,
    alpha: float = ALPHA,
    same_rows: bool = False,
    tolerance: float = 5e-4,
) -> Finding:
    """Is the accuracy that the framework reported that of these predictions?

    A fact rather than a test: the two differ by more than ``tolerance`` (half of the third
    decimal) and more than the rows whose two largest outputs are equal to rounding could shift it.
    The validation set of a training may be another one than the evaluation set; so without
    ``same_rows``, by which the caller states that it is not, only an accuracy is judged whose
    ``val_loss`` is the loss of exactly these rows, to 1e-5 of it and so close that the loss of
    other rows would be with probability at most ``alpha``; one that other rows may have as well
    leaves it inconclusive.

    Source: keras#14231 (accuracy .80 and .19 at the same loss), Kashgari#178 (binary accuracy of
    many classes).
    """
    y_true = evidence.y_true
    answers = evidence.argmax if evidence.argmax is not None else evidence.y_pred
    if len(answers) != len(y_true):
        return Finding(
            Verdict.INCONCLUSIVE,
            f"{count(len(answers), 'answer')} for {count(len(y_true), 'example')}: see "
            "decoding_consistent",
        )
    found: tuple[int, bool] | None
    if same_rows:
        found = len(evidence.val_accuracy) - 1, True
    elif evidence.val_loss is None or evidence.logits is None:
        needs = tuple(name for name in ("logits", "val_loss") if getattr(evidence, name) is None)
        return Finding(Verdict.SKIPPED, f"skipped: needs {' and '.join(needs)}", needs=needs)
    else:
        found = _point_of_these_rows(evidence, alpha)
    right = int(np.count_nonzero(answers == y_true))
    own = right / len(y_true)
    stats: dict[str, Any] = {"accuracy": own, "examples": len(y_true)}
    if found is None or not np.isfinite(evidence.val_accuracy[found[0]]):
        return Finding(
            Verdict.PASSED,
            f"accuracy {own:.4f} of these predictions; the one reported is of other rows",
            statistics=stats,
        )
    point, of_these_rows = found
    reported = float(evidence.val_accuracy[point])
    stats["reported_accuracy"] = reported
    accuracies = [own, *_by_batches(evidence, answers == y_true)]
    if evidence.answers is not None:  # a metric of the team's own may count its decoding's answers
        accuracies.append(float(np.mean(evidence.answers == y_true)))
    allowed = tolerance + _ties(evidence) / len(y_true)
    if min(abs(reported - accuracy) for accuracy in accuracies) <= allowed * (1 + 1e-6):
        return Finding(
            Verdict.PASSED,
            f"the reported accuracy {reported:.4f} is that of these predictions",
            statistics=stats,
        )
    if not of_these_rows:
        return Finding(
            Verdict.INCONCLUSIVE,
            f"accuracy misreported? {reported:.4f}, or of other rows; {right}/{len(y_true)} right "
            f"({own:.4f})",
            statistics=stats,
            causes=("metric-misreported",),
            fix="evaluate accuracy and loss of these rows once more",
        )
    other = _other_accuracy(evidence, reported, allowed)
    return Finding(
        Verdict.FAILED,
        f"accuracy misreported: {reported:.4f}{f' ({other})' if other else ''}, but "
        f"{right}/{len(y_true)} right ({own:.4f})",
        statistics=stats,
        causes=("metric-misreported",),
        certain=True,
        fix="SparseCategoricalAccuracy() for integer labels, CategoricalAccuracy() for one-hot;\n"
        "or sklearn.metrics.accuracy_score(y_true, logits.argmax(axis=-1))",
    )


def _point_of_these_rows(evidence: Evidence, alpha: float) -> tuple[int, bool] | None:
    """Return the point of the history whose validation loss is that of these rows.

    And whether it is that of no others.
    """
    if _out_of_range(evidence) or len(evidence.val_loss) != len(evidence.val_accuracy):
        return None
    points = _last_and_best(evidence.val_loss)
    reported = [float(evidence.val_loss[point]) for point in points]
    found = _agreements([*_forms_of_loss(evidence)], reported)
    if not found:
        return None
    closest = min(found, key=lambda one: one.chance)
    return points[closest.place], closest.chance <= alpha


def _by_batches(evidence: Evidence, right: Array) -> list[float]:
    size = evidence.batch_size
    if size is None or len(right) <= size:
        return []
    starts = np.arange(0, len(right), size)
    sizes = np.diff([*starts, len(right)])
    return [float((np.add.reduceat(right.astype(float), starts) / sizes).mean())]


def _ties(evidence: Evidence) -> int:
    """Count the rows whose answer the rounding of float32 may turn."""
    if evidence.logits is None:
        return 0
    logits = evidence.logits.astype(np.float64)
    if logits.shape[1] == 1:
        margins = np.abs(logits[:, 0] - (0.5 if evidence.outputs.probabilities else 0.0))
    else:
        top = np.sort(logits, axis=1)[:, -2:]
        margins = top[:, 1] - top[:, 0]
    scale = max(1.0, float(np.abs(logits[np.isfinite(logits)]).max(initial=0)))
    return int(np.count_nonzero(margins <= 1e-5 * scale))


def _other_accuracy(evidence: Evidence, reported: float, allowed: float) -> str:
    """Return the name of another metric that has the reported value, or nothing."""
    if evidence.logits is None or evidence.logits.shape[1] == 1:
        return ""
    one_hot = evidence.y_true[:, None] == np.arange(evidence.logits.shape[1])
    others = {
        "binary accuracy over all columns": ((evidence.logits > 0.5) == one_hot).mean(),
        "the share answered with label 0": (evidence.argmax == 0).mean(),
    }
    near = {name: abs(reported - value) for name, value in others.items()}
    name = min(near, key=lambda item: near[item])
    return name if near[name] <= allowed else ""


# The schedule


@check(
    stage="training",
    needs=["learning_rate"],
    causes=["learning-rate-schedule-broken"],
    limits={"peak": (0, np.inf)},
)
def learning_rate_schedule(
    evidence: Evidence, *, alpha: float = ALPHA, peak: float | None = None
) -> Finding:
    """Does the learning rate take a course on which a model can learn?

    Facts: a rate below zero, not finite, or zero throughout; with ``peak``, a highest rate above
    it (by more than 1 %), or below it by more than the T recorded points can have missed of a
    decay (a share of 2/T). What is unusual but may be meant is undecided: zero at more
    than half of at least 6 points, as when the decay ends long before the training; still rising
    at the last of at least 6 points, as when warm-up and total steps were exchanged; in the last
    two thirds of the run, from one point to the next, a rise to more than ten times of anything
    before. Constant, warm-up, linear, polynomial and cosine decay, restarts, one cycle and drops
    on a plateau pass, in any number of points. A zero or unusual course passes if the answers are
    demonstrably good (accuracy beyond halfway from the majority's share to 1).

    Source: huggingface/transformers#297, #324 (negative rates after the planned steps), CAUSES.md,
    id 19 (warm-up and total steps exchanged).
    """
    rates = evidence.learning_rate[~np.isnan(evidence.learning_rate)].astype(np.float64)
    if len(rates) == 0:
        return Finding(Verdict.SKIPPED, "skipped: all recorded learning rates are NaN")
    points, highest = len(rates), float(rates.max())
    stats: dict[str, Any] = {"points": points, "peak_learning_rate": highest}
    table = _rate_table(rates)
    if not np.isfinite(rates).all():
        infinite = int(np.count_nonzero(~np.isfinite(rates)))
        return _broken_schedule(f"{infinite} of {points} rates are infinite", stats, table)
    # The last step of a decay may end a rounding below zero.
    below = np.flatnonzero(rates < -1e-6 * abs(highest))
    if len(below):
        return _broken_schedule(
            f"{len(below)} of {points} rates are negative, the first at point {below[0] + 1}",
            stats,
            table,
        )
    if peak is not None and highest > 1.01 * peak:
        problem = f"it peaks at {highest:.2g}, asked was {peak:.2g}"
        return _broken_schedule(problem, stats, table, _ASKED)
    if peak is not None and highest < peak * (0.99 - 2 / points):
        problem = f"it never gets beyond {highest:.2g}, asked was {peak:.2g}"
        return _broken_schedule(problem, stats, table, _ASKED)
    good = demonstrably_good(evidence, alpha)
    if highest <= 0 and not good:
        return _broken_schedule(
            f"it is zero at all {points} points", stats, table, f"learning_rate=2e-5; {_SCHEDULE}"
        )
    shapes = {
        "rate-zero-mostly": _zero_mostly(rates),
        "rate-rises-to-the-end": _rises_to_the_end(rates),
        "rate-jumps": _jumps(rates),
    }
    unusual = [_SHAPES[sign] for sign, seen in shapes.items() if seen]
    if unusual and not good:
        return Finding(
            Verdict.INCONCLUSIVE,
            f"unusual schedule: the rate {unusual[0]}, {points} points up to {highest:.2g}",
            statistics=stats,
            signs=shapes,
            fix=_SCHEDULE,
            table=table,
        )
    return Finding(
        Verdict.PASSED,
        f"learning rate from {rates[0]:.2g} over {highest:.2g} to {rates[-1]:.2g}",
        statistics=stats,
        signs=shapes,
    )


_SHAPES = {
    "rate-zero-mostly": "is zero at most points",
    "rate-rises-to-the-end": "rises to the very end",
    "rate-jumps": "jumps in mid-run",
}
_ASKED = "give the learning rate that was asked for to the optimizer that really steps"
_SCHEDULE = "num_warmup_steps is about a tenth of num_training_steps, the steps really taken"


def _broken_schedule(
    problem: str,
    stats: dict[str, Any],
    table: tuple[tuple[str, ...], ...],
    fix: str = _SCHEDULE,
) -> Finding:
    return Finding(
        Verdict.FAILED,
        f"learning-rate schedule broken: {problem}",
        statistics=stats,
        causes=("learning-rate-schedule-broken",),
        certain=True,
        fix=fix,
        table=table,
    )


def _zero_mostly(rates: Array) -> bool:
    return len(rates) >= 6 and bool(np.mean(rates <= 1e-9 * rates.max()) > 0.5)


def _rises_to_the_end(rates: Array) -> bool:
    """Whether the last tenth still rises, and nothing before it ever fell."""
    if len(rates) < 6 or (np.diff(rates) < 0).any():
        return False
    before = rates[: -max(1, len(rates) // 10)]
    return bool(rates[-1] > 1.02 * before[-1] and rates[len(rates) // 2] < 0.9 * rates[-1])


def _jumps(rates: Array) -> bool:
    if len(rates) < 6:
        return False
    highest_before = np.maximum.accumulate(rates)[:-1]
    late = np.arange(1, len(rates)) >= len(rates) / 3
    return bool((late & (highest_before > 0) & (rates[1:] > 10 * highest_before)).any())


def _rate_table(rates: Array) -> tuple[tuple[str, ...], ...]:
    """Return the course in at most nine points."""
    chosen = np.unique(np.linspace(0, len(rates) - 1, min(9, len(rates))).round().astype(int))
    rows = ((str(point + 1), f"{rates[point]:.3g}") for point in chosen)
    return (("point", "learning rate"), *rows)


# What training did to the weights

UNMOVED = 1e-8
"""Relative change of a weight under which it did not move: float32 resolves 6e-8."""


@check(
    stage="training",
    needs=[("encoder_update", "head_update")],
    causes=["weights-not-updated", "diverged"],
)
def weights_updated(evidence: Evidence, *, alpha: float = ALPHA) -> Finding:
    """Did training change the weights?

    Facts rather than tests: the norm is NaN, as of weights that became NaN (or that were zero and
    did not move); the head of a model did not move (relative norm of the change below 1e-8, which
    float32 does not resolve). An encoder that did not move under a head that did is
    frozen, which is legitimate, and only a sign; with nothing known of the head it is undecided.
    Either passes if the answers are demonstrably good (accuracy beyond halfway
    from the majority's share to 1), as when a trained head is kept.

    Source: pytorch_warmup#12 (gradients set to zero between backward and step), CAUSES.md, id 19
    and 26.
    """
    encoder, head = evidence.encoder_update, evidence.head_update
    stats: dict[str, Any] = {"encoder_update": encoder, "head_update": head}
    given = [update for update in (encoder, head) if update is not None]
    signs = {"weights-not-a-number": bool(np.isnan(given).any())}
    if head is not None:
        signs["head-not-updated"] = head < UNMOVED
    if encoder is not None:
        signs["encoder-not-updated"] = encoder < UNMOVED
    course = ", ".join(
        f"{name} by {update:.2g}"
        for name, update in (("encoder", encoder), ("head", head))
        if update is not None
    )
    if signs["weights-not-a-number"] and not demonstrably_good(evidence, alpha):
        return Finding(
            Verdict.FAILED,
            f"weights not a number: {int(np.isnan(given).sum())} of {len(given)} relative "
            f"changes are NaN; training moved {course}",
            statistics=stats,
            causes=("diverged", "weights-not-updated"),
            fix="keep the weights in float32 under mixed precision, lower the learning rate and "
            "clip gradients at norm 1",
            signs=signs,
        )
    if signs.get("head-not-updated") and not demonstrably_good(evidence, alpha):
        return Finding(
            Verdict.FAILED,
            f"weights not updated: training moved {course}",
            statistics=stats,
            causes=("weights-not-updated",),
            certain=True,
            fix="apply the gradients: optimizer.apply_gradients(...), or zero_grad, backward, "
            "step in that order;\nset trainable=True on the head before compile",
            signs=signs,
        )
    if head is None and signs.get("encoder-not-updated"):
        return Finding(
            Verdict.INCONCLUSIVE,
            "the encoder did not move: frozen on purpose, if the head did",
            statistics=stats,
            needs=("head_update",),
            signs=signs,
        )
    frozen = " (frozen)" if signs.get("encoder-not-updated") else ""
    return Finding(
        Verdict.PASSED, f"training moved {course}{frozen}", statistics=stats, signs=signs
    )


@check(
    stage="training",
    needs=["overfit_loss"],
    causes=["loss-misconfigured", "weights-not-updated", "diverged"],
    limits={"max_share": (0, 1)},
)
def overfits_small_batch(
    evidence: Evidence, *, alpha: float = ALPHA, max_share: float = 0.45
) -> Finding:
    """Can a fresh copy of the model learn a handful of rows by heart?

    A fact rather than a test: the loss of a copy trained on a small batch alone settled above
    ``max_share`` of the cost of knowing nothing, ln C (or of where it started, if C is not
    known). Wiring that works takes it to nearly zero; a softmax applied twice cannot get below
    ln(1 + (C-1)/e), which is .452 of ln C for C = 2 and more for every other. A loss that still
    falls at the end, or has fewer than 6 points, is undecided: more steps would tell. A loss that
    is exactly zero from the start is that of a softmax over one unit. Assumes a plain
    cross-entropy; strong label smoothing or regularisation also end above the limit, so a model
    passes whose answers are demonstrably good (accuracy beyond halfway from the majority's share
    to 1).

    Source: CAUSES.md, section 2, 'overfit-16'; Karpathy (2019), A recipe for training neural
    networks.
    """
    loss = _recorded(evidence.overfit_loss)
    if loss is None:
        return Finding(Verdict.SKIPPED, "skipped: all of overfit_loss is NaN")
    labels = evidence.num_labels
    start, end = float(loss[0]), float(loss[-1])
    stats: dict[str, Any] = {"points": len(loss), "first_overfit_loss": start}
    if not np.isfinite(end):
        return _cannot_overfit(
            f"the loss became {end:g}, first at point "
            f"{1 + int(np.flatnonzero(~np.isfinite(loss))[0])} of {len(loss)}",
            stats,
            ("diverged", "loss-misconfigured"),
            {"loss-not-finite": True},
            f"learning_rate=2e-5 and gradients clipped at norm 1;\n{FROM_LOGITS}",
        )
    loss = loss[np.isfinite(loss)]
    best = float(loss.min())
    ignorance = float(np.log(labels)) if labels and labels > 1 else max(start, float(np.log(2)))
    target = max_share * ignorance
    stats |= {"best_overfit_loss": best, "target": target}
    if start == 0 and end == 0:
        return _cannot_overfit(
            "the loss is exactly 0 from the start; softmax over one unit?",
            stats,
            ("loss-misconfigured",),
            {"cannot-overfit": True},
            _MORE_UNITS,
        )
    never_moved = float(np.ptp(loss)) < 0.01 * ignorance
    signs = {"cannot-overfit": best > target, "overfit-loss-never-moved": never_moved}
    if best <= target or demonstrably_good(evidence, alpha):
        return Finding(
            Verdict.PASSED,
            f"a small batch is learnt by heart: loss {start:.3f} -> {best:.3f}",
            statistics=stats,
            signs=signs,
        )
    third = len(loss) // 3
    still_falls = (
        third > 1 and loss[-third:].mean() < loss[-2 * third : -third].mean() - 0.02 * ignorance
    )
    if third < 2 or still_falls:
        return Finding(
            Verdict.INCONCLUSIVE,
            f"not learnt by heart: loss {_digits(start)} -> {_digits(end)} in "
            f"{count(len(loss), 'point')}; more steps would tell",
            statistics=stats,
        )
    causes = (
        ("weights-not-updated", "loss-misconfigured")
        if never_moved
        else ("loss-misconfigured", "weights-not-updated")
    )
    floor = float(np.log1p((labels - 1) / np.e)) if labels and labels > 1 else None
    at_floor = floor is not None and not never_moved and abs(best - floor) < 0.03 * floor
    settled = f"loss {_digits(start)} -> {_digits(best)}, expected below {target:.3f}"
    return _cannot_overfit(
        f"{settled}; softmax applied twice?" if at_floor else settled,
        stats,
        causes,
        signs,
    )


def _cannot_overfit(
    problem: str,
    stats: dict[str, Any],
    causes: tuple[str, ...],
    signs: dict[str, bool],
    fix: str = f"{FROM_LOGITS};\ncompare a weight before and after one step",
) -> Finding:
    return Finding(
        Verdict.FAILED,
        f"cannot overfit a small batch: {problem}",
        statistics=stats,
        causes=causes,
        fix=fix,
        signs=signs,
    )
