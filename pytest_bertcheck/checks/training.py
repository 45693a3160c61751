"""Checks of the training history."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .. import statistics
from ..evidence import Evidence
from ..findings import Finding, Verdict
from ..messages import count
from . import ALPHA, check
from .outputs import demonstrably_good, informative

__all__ = ["training_progressed"]

Array = npt.NDArray[Any]

USUAL_LEARNING_RATES = (1e-5, 5e-5)
"""What fine-tuning a pretrained encoder takes. Source: Devlin et al. (2019), section A.3."""

LEAST_PROGRESS = 0.05
"""Share of the loss of a model without any knowledge that training must have taken off."""


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
    ``min_progress`` of it lower; if the answers are then associated with the labels all the same,
    only a training that was cut short fails. A batch loss is noisy, so the training loss is judged
    by its mean over the last third. A model whose answers are demonstrably good (accuracy beyond
    halfway from the majority's share to 1, lower Clopper-Pearson bound at ``alpha``) passes
    whatever its history: a loss on another scale is no defect.

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
        signs["val-loss-learnt"] = best_val is not None and best_val < ignorance * (
            1 - min_progress
        )
        if len(val_loss) > 1:
            change = float(np.abs(np.diff(val_loss)).max()) / ignorance
            signs["val-loss-never-moved"] = change < 2e-3
            signs["val-loss-far-above"] = float(val_loss[-1]) > 1.03 * ignorance
            stats["val_loss_change"] = change
    if loss is not None and best_train is not None:
        signs["train-loss-learnt"] = best_train < ignorance * (1 - min_progress)
        signs["train-loss-huge"] = float(loss.max()) > 3 * max(ignorance, float(loss[0]))
    gains = [gain for gain in (train_gain, val_gain) if gain is not None]
    stalled = val_gain if val_gain is not None else gains[0]
    good = demonstrably_good(evidence, alpha)
    if loss is not None and evidence.num_labels:
        # A fresh head is right about nothing and sure of nothing: its first loss is ln C.
        signs["first-loss-off"] = float(loss[0]) > 1.15 * np.log(max(evidence.num_labels, 2))
    if stalled >= min_progress or good:
        return Finding(
            Verdict.PASSED,
            f"training progressed: {_course(loss, val_loss)}; knowing nothing: {ignorance:.3f}",
            statistics=stats,
            signs=signs,
        )
    cut_short = any(
        signs.get(sign, False)
        for sign in ("rate-far-below-usual", "steps-few", "less-than-an-epoch")
    )
    if informative(evidence) and not cut_short:
        return Finding(
            Verdict.INCONCLUSIVE,
            f"hard task or hardly trained: {_course(loss, val_loss)}, knowing nothing costs "
            f"{ignorance:.3f}, yet the answers tell something",
            statistics=stats,
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
    return Finding(
        Verdict.FAILED,
        f"no progress: {_course(loss, val_loss)}, knowing nothing costs {ignorance:.3f}",
        statistics=stats,
        causes=causes,
        fix="learning_rate between 1e-5 and 5e-5, at least 3 epochs; overfit 16 rows first to see "
        "that the wiring works",
        signs=signs,
        table=_history_table(evidence),
    )


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


def _course(loss: Array | None, val_loss: Array | None) -> str:
    parts = [
        f"{name} {series[0]:.3f} -> {series[-1]:.3f}"
        for name, series in (("loss", loss), ("val_loss", val_loss))
        if series is not None
    ]
    return ", ".join(parts)


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
