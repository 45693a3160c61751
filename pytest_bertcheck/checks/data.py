"""Checks of the labels that a model is trained and evaluated on."""

from __future__ import annotations

from math import comb, inf
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import statistics
from ..evidence import Evidence
from ..findings import Finding, Verdict
from ..messages import count, probability, quoted, share
from . import ALPHA, check
from .outputs import collapse_test

__all__ = ["classes_balanced", "labels_informative", "labels_valid"]

SENTINELS = {-1: "hidden test labels", -100: "positions that the loss ignores"}


@check(stage="data", needs=[("y_true", "y_train")], causes=["label-out-of-range"])
def labels_valid(evidence: Evidence, *, alpha: float = ALPHA) -> Finding:
    """Are all label ids within ``0..C-1``?

    A fact rather than a test: one id outside the range is a defect. On a GPU, TensorFlow turns
    such a label into a NaN loss instead of an error. C is the number of names of the data set,
    else of output columns, else of names of the model; where none is known, only negative ids
    can be found.

    Source: tensorflow#8484, datasets#245.
    """
    num_labels = evidence.num_labels
    problems: list[str] = []
    fixes: list[str] = []
    wrong_rows = 0
    for field in ("y_true", "y_train", "train_y_true"):
        labels = getattr(evidence, field)
        if labels is None:
            continue
        outside = labels < 0
        if num_labels is not None:
            outside |= labels >= num_labels
        wrong = int(np.count_nonzero(outside))
        if not wrong:
            continue
        wrong_rows += wrong
        values = sorted(int(value) for value in np.unique(labels[outside])[:5])
        problems.append(f"{field} has {wrong}/{len(labels)} ids {_some(values)}")
        fixes.append(_range_fix(field, labels, values, num_labels))
    statistics_ = {"num_labels": num_labels, "out_of_range": wrong_rows}
    if problems:
        limit = "" if num_labels is None else f" outside 0..{num_labels - 1}"
        return Finding(
            Verdict.FAILED,
            f"labels out of range: {'; '.join(problems)}{limit}",
            statistics=statistics_,
            causes=("label-out-of-range",),
            certain=True,
            fix="\n".join(dict.fromkeys(fixes)),
            signs={"labels-out-of-range": True},
        )
    known = "at least 0" if num_labels is None else f"within 0..{num_labels - 1}"
    return Finding(
        Verdict.PASSED,
        f"all label ids are {known}",
        statistics=statistics_,
        signs={"labels-out-of-range": False},
    )


def _some(values: list[int]) -> str:
    return ", ".join(map(str, values[:4])) + (", ..." if len(values) > 4 else "")


def _range_fix(
    field: str, labels: npt.NDArray[Any], values: list[int], num_labels: int | None
) -> str:
    if num_labels is not None and labels.min() == 1 and labels.max() == num_labels:
        return f"ids run from 1 to {num_labels}: use {field} - 1, or name the label of id 0"
    for value in values:
        if value in SENTINELS:
            return f"{value} marks {SENTINELS[value]}: drop the rows, {field}[{field} >= 0]"
    if num_labels is not None and max(values) >= num_labels:
        return (
            f"set num_labels={max(values) + 1} if the label exists; otherwise look for a header "
            f"row or an empty label in {field}"
        )
    return f"encode {field} as 0..C-1, for example with sklearn.preprocessing.LabelEncoder"


@check(
    stage="data",
    needs=["y_train"],
    causes=["class-imbalance"],
    limits={"max_imbalance_ratio": (1, inf)},
)
def classes_balanced(
    evidence: Evidence, *, alpha: float = ALPHA, max_imbalance_ratio: float = 10.0
) -> Finding:
    """Is the training set so imbalanced that the model learnt the prior?

    Null hypothesis: of the training rows of the largest and of any other class, at least one in
    ``max_imbalance_ratio + 1`` is of the other. Test: exact binomial on the largest and the
    smallest class, times the C (C - 1) / 2 pairs that they were chosen from; rows are taken
    as independent draws. An imbalanced training set is no defect in itself, so where outputs are at
    hand the check fails only if, besides, the answers to all other labels go to the largest
    training class (the test of ``not_collapsed``). A healthy model on imbalanced data therefore
    fails with probability at most ``alpha``.

    Source: the imbalance ratio of Fernandez et al. (2018), Learning from Imbalanced Data Sets.
    """
    names, counts = _train_counts(evidence)
    rows, num_labels = int(counts.sum()), len(counts)
    if num_labels < 2:
        return Finding(Verdict.INCONCLUSIVE, "y_train holds no two labels to compare")
    largest, smallest = int(counts.argmax()), int(counts.argmin())
    pair = int(counts[largest] + counts[smallest])
    rate = 1 / (1 + max_imbalance_ratio)
    p_value = statistics.binomial_at_most(int(counts[smallest]), pair, rate)
    p_value = min(1.0, p_value * comb(num_labels, 2))
    ratio = counts[largest] / counts[smallest] if counts[smallest] else float("inf")
    order = np.argsort(-counts, kind="stable")
    weights = rows / (num_labels * np.maximum(counts, 1))
    majority = counts[largest] / max(rows, 1)
    stats: dict[str, Any] = {
        "imbalance_ratio": float(ratio),
        "majority_label": names[largest],
        "majority_share": float(majority),
        "prior_entropy": statistics.entropy(counts),
    }
    signs = {"training-imbalanced": bool(ratio > max_imbalance_ratio)}
    description = (
        f"{share(int(counts[largest]), rows)} of {count(rows, 'training row')} are "
        f"{quoted(names[largest], 20)}, {counts[smallest]} are {quoted(names[smallest], 20)}"
    )
    if p_value > alpha and not (ratio > max_imbalance_ratio and _answers_are(evidence, largest)):
        summary = f"training labels within {max_imbalance_ratio:g}:1: {description}"
        if ratio > max_imbalance_ratio:
            summary = f"{description}: too few rows to tell if beyond {max_imbalance_ratio:g}:1"
        return Finding(Verdict.PASSED, summary, statistics=stats, signs=signs)
    consequence = ""
    if evidence.confusion is not None and largest < evidence.confusion.num_labels:
        collapse = collapse_test(evidence.confusion, largest, alpha)
        stats["collapse_p_value"] = p_value = collapse.p_value
        signs["imbalance-collapse"] = collapse.collapsed
        if not collapse.collapsed:
            summary = f"training is imbalanced and the model copes: {description}"
            return Finding(Verdict.PASSED, summary, statistics=stats, p_value=p_value, signs=signs)
        description = description.partition(",")[0]
        consequence = ", and so are the answers to all others"
    elif evidence.answers is not None:
        summary = f"training is imbalanced, y_true would tell if the model copes: {description}"
        return Finding(
            Verdict.INCONCLUSIVE, summary, statistics=stats, needs=("y_true",), signs=signs
        )
    shown = ", ".join(f"{label}: {weights[label]:.3g}" for label in order[::-1][:8])
    return Finding(
        Verdict.FAILED,
        f"imbalanced: {description}{consequence}, {probability(p_value)}",
        statistics=stats,
        p_value=p_value,
        causes=("class-imbalance",),
        fix=f"class_weight={{{shown}}}  # compute_class_weight('balanced', ...)\n"
        "or sample the rare classes more often; judge by balanced accuracy, not accuracy",
        signs=signs,
        table=(
            ("label", "training rows", "share"),
            *(
                (names[label], f"{counts[label]:,}", share(int(counts[label]), rows))
                for label in order
            ),
        ),
    )


def _train_counts(evidence: Evidence) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Return names and counts of the training labels; ids that cannot be labels are left out."""
    values, counts = np.unique(evidence.y_train, return_counts=True)
    num_labels = evidence.num_labels
    if num_labels is None:
        return tuple(str(value) for value in values), counts
    valid = (values >= 0) & (values < num_labels)
    full = np.zeros(num_labels, dtype=np.int64)
    full[values[valid]] = counts[valid]
    return evidence.names, full


def _answers_are(evidence: Evidence, label: int) -> bool:
    return evidence.answers is not None and bool((evidence.answers == label).all())


@check(
    stage="data",
    needs=["y_train", "train_reference_y_pred"],
    causes=["labels-shuffled"],
)
def labels_informative(evidence: Evidence, *, alpha: float = ALPHA) -> Finding:
    """Do the training labels say anything about the training texts?

    A plain reference model (TF-IDF and logistic regression) is cross-validated on the training
    rows. Null hypothesis: its out-of-fold answers are independent of the labels (Fisher's exact
    test for each label, Bonferroni over labels, at 0.01). Not rejecting it is inconclusive, never
    a failure: labels may be shuffled, or the task may be beyond a bag of words.
    """
    kept = (evidence.y_train >= 0) & (evidence.train_reference_y_pred >= 0)
    if not kept.any():
        return Finding(Verdict.INCONCLUSIVE, "no training label is a label id: see labels_valid")
    y_train, answers = evidence.y_train[kept], evidence.train_reference_y_pred[kept]
    labels, ids = np.unique(np.concatenate([y_train, answers]), return_inverse=True)
    confusion = statistics.confusion_matrix(ids[: len(y_train)], ids[len(y_train) :], len(labels))
    p_value = statistics.match_above_chance(confusion)
    total, hits = confusion.total, confusion.right
    right = f"TF-IDF gets {hits}/{total} training rows right ({share(hits, total)})"
    tells = p_value <= 0.01
    return Finding(
        Verdict.PASSED if tells else Verdict.INCONCLUSIVE,
        f"training labels {'tell of' if tells else 'may say nothing about'} the texts: {right}",
        statistics={"accuracy": hits / total, "rows": total, "independence_p_value": p_value},
        causes=() if tells else ("labels-shuffled",),
        signs={"training-labels-tell-nothing": not tells},
    )
