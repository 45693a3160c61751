"""Checks of the mapping between label ids and label names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest
from math import exp, lgamma, log
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from .. import statistics
from ..evidence import Evidence
from ..findings import Finding, Verdict
from ..messages import count, probability, quoted, share
from . import ALPHA, check

__all__ = ["label_mapping_consistent", "labels_not_swapped"]

PLACEHOLDER = re.compile(r"label_?\d+", re.IGNORECASE)
"""What transformers names labels that nobody named: LABEL_0, LABEL_1."""


@check(
    stage="labels",
    needs=["label_names"],
    causes=["label-mapping-swapped", "label-names-missing", "wrong-tensor-decoded"],
)
def label_mapping_consistent(evidence: Evidence, *, alpha: float = ALPHA) -> Finding:
    """Do the model and the data set give the same names to the same ids?

    Facts rather than tests: ``id2label`` and ``label2id`` contradict each other; a name is missing
    or given twice; the number of names is not the number of outputs; the data set has the same
    names in another order. Names are compared without regard to case and outer blanks. Where the
    two sides share no name at all, nothing can be said.

    Source: huggingface/transformers#13298, #3093, TextAttack#684.
    """
    model = [str(name) for name in evidence.label_names]
    dataset = _names_or_none(evidence.dataset_label_names)
    inverse = _names_or_none(evidence.label2id_names)
    placeholders = all(PLACEHOLDER.fullmatch(name) for name in model)
    stats: dict[str, Any] = {"label_names": model, "dataset_label_names": dataset}
    moved = "" if dataset is None else _moved(model, dataset)
    width = 1 if evidence.logits is None else int(evidence.logits.shape[1])
    # Far more columns than names are those of another tensor, rather: the names may be right.
    hidden = dataset is None and width > 10 * len(model)
    missing = _missing(model, inverse, dataset)
    if not missing and dataset is None and width > 1 and len(model) != width:
        missing = f"{count(len(model), 'name')} for {count(width, 'output column')}"
    same = dataset is not None and [*map(_plain, model)] == [*map(_plain, dataset)]
    if placeholders and dataset is not None and not (same or moved or missing):
        missing = f"all names are placeholders such as {quoted(model[0], 16)}"
    if moved or missing:
        return Finding(
            Verdict.FAILED,
            f"label mapping differs: {missing or moved}",
            statistics=stats,
            causes=(
                ("wrong-tensor-decoded", "label-names-missing")
                if hidden
                else ("label-names-missing",)
                if missing
                else ("label-mapping-swapped",)
            ),
            certain=not hidden,
            fix=_mapping_to_paste(dataset or [name for name in model if name]),
            signs={"names-in-other-order": bool(moved)},
            table=_name_table(model, dataset or inverse or []),
        )
    if dataset is None and not placeholders:
        return Finding(
            Verdict.PASSED,
            f"{count(len(model), 'label name')}, distinct; no data set names to compare with",
            statistics=stats,
        )
    if same:
        return Finding(
            Verdict.PASSED,
            f"{count(len(model), 'label name')} in the same order on both sides",
            statistics=stats,
            signs={"names-in-other-order": False},
        )
    other = 0 if dataset is None else [*map(_differ, model, dataset)].index(True)
    return Finding(
        Verdict.INCONCLUSIVE,
        f"label names are placeholders such as {quoted(model[0], 20)}"
        if dataset is None
        else f"names differ: {quoted(model[other], 20)} in the model, {quoted(dataset[other], 20)} "
        "in the data",
        statistics=stats,
        needs=("dataset_label_names",) if dataset is None else (),
        table=_name_table(model, dataset or []),
    )


def _missing(
    model: Sequence[str], inverse: Sequence[str] | None, dataset: Sequence[str] | None
) -> str:
    """Return how the model's names contradict each other, or are too few or too many."""
    if inverse is not None and list(inverse) != list(model):
        other = [name for name in model if name in inverse]
        example = next((n for n in other if inverse.index(n) != model.index(n)), None)
        where = (
            ""
            if example is None
            else f": {quoted(example, 16)} is {model.index(example)} and {inverse.index(example)}"
        )
        return f"id2label and label2id contradict each other{where}"
    if "" in model:
        return f"the id {model.index('')} has no name"
    twice = next((name for name in model if model.count(name) > 1), None)
    if twice is not None:
        return f"{quoted(twice, 20)} names {model.count(twice)} ids"
    if dataset is not None and len(dataset) != len(model):
        return f"the model names {count(len(model), 'label')}, the data set {len(dataset)}"
    return ""


def _moved(model: Sequence[str], dataset: Sequence[str]) -> str:
    """Return how many names stand at another id than in the data set, with an example."""
    known = [_plain(name) for name in dataset]
    own = [_plain(name) for name in model]
    moved = [i for i, name in enumerate(own) if name in known and known.index(name) != i]
    if not moved:
        return ""
    first = moved[0]
    there = quoted(dataset[first], 12) if first < len(dataset) else "nothing"
    return (
        f"{len(moved)}/{len(model)} names at other ids; {first} is {quoted(model[first], 12)} in "
        f"the model, {there} in the data"
    )


def _names_or_none(names: npt.NDArray[Any] | None) -> list[str] | None:
    return None if names is None else [str(name) for name in names]


def _plain(name: str) -> str:
    return name.strip().casefold()


def _differ(name: str, other: str) -> bool:
    return _plain(name) != _plain(other)


def _name_table(model: Sequence[str], other: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    pairs = enumerate(zip_longest(model, other, fillvalue="-"))
    return (("id", "model", "other side"), *((str(i), own, name) for i, (own, name) in pairs))


def _mapping_to_paste(names: Sequence[str]) -> str:
    # repr() is Python that can be pasted, and escapes whatever is not printable.
    shown = ", ".join(
        f"{i}: {name!r}" if len(name) <= 60 else f"{i}: {quoted(name)}"
        for i, name in enumerate(names[:12])
    )
    dots = ", ..." if len(names) > 12 else ""
    return (
        f"model.config.id2label = {{{shown}{dots}}}\n"
        "model.config.label2id = {name: i for i, name in model.config.id2label.items()}"
    )


@check(
    stage="labels",
    needs=["y_true", ("y_pred", "logits")],
    causes=["label-mapping-swapped", "argmin-decoded", "weights-not-loaded"],
)
def labels_not_swapped(evidence: Evidence, *, alpha: float = ALPHA) -> Finding:
    """Do the answers mean other labels than the data set's ids say?

    The permutation of the labels that explains the confusion matrix best is found by the
    Hungarian method and split into its cycles. Null hypothesis for each cycle: no label in it is
    answered more often with its target than with itself. Test: given the number of examples
    answered either way, those answered with the target are at most binomial with p = 1/2; exact,
    times the number of cycles of that length that there are and the number of lengths. A cycle is
    reported only if, besides, each of its labels goes to its target more often than to itself. If
    less than half of all answers are right even so, whether labels are swapped or strongly confused
    cannot be told, and the finding is inconclusive.
    A healthy model, whose every label is answered with itself at least as often as with any other
    one, fails with probability at most ``alpha``.

    With logits, a swap is told from a head that was never loaded: a trained model is as sure of
    the swapped labels as it was of the right ones.

    Source: Kuhn (1955), Naval Research Logistics Quarterly 2, for the assignment.
    """
    confusion = evidence.confusion
    if confusion is None:
        return Finding(
            Verdict.INCONCLUSIVE,
            "the answers cannot be read as one label id for each example",
            needs=("y_pred",),
        )
    y_true, num_labels = evidence.y_true, len(confusion)
    if y_true.min() < 0 or y_true.max() >= num_labels:
        return Finding(
            Verdict.INCONCLUSIVE,
            f"y_true has ids outside 0..{num_labels - 1}: see labels_valid, then look for swaps",
        )
    _, targets = linear_sum_assignment(confusion, maximize=True)
    total, hits = int(confusion.sum()), int(np.trace(confusion))
    swapped: list[tuple[list[int], float]] = []
    tried = []
    for cycle in _cycles(targets):
        to_target = sum(int(confusion[label, targets[label]]) for label in cycle)
        to_self = sum(int(confusion[label, label]) for label in cycle)
        chance = statistics.binomial_at_least(to_target, to_target + to_self, 0.5)
        p_value = min(1.0, chance * exp(min(_log_cycles(num_labels, len(cycle)), 700)))
        tried.append(p_value)
        # A label without examples says nothing for or against the cycle it stands in.
        present = [label for label in cycle if confusion[label].any()]
        prefers = all(
            confusion[label, targets[label]] > confusion[label, label] for label in present
        )
        if prefers and p_value <= alpha:
            swapped.append((cycle, p_value))
    stats: dict[str, Any] = {"accuracy": hits / total, "examples": total}
    if not swapped:
        p_value = min(tried, default=1.0)
        return Finding(
            Verdict.PASSED,
            f"labels not swapped: no other order explains the {total} answers better",
            statistics=stats,
            p_value=p_value,
            signs={"permutation-recovered": False},
        )
    permutation = np.arange(num_labels)
    for cycle, _ in swapped:
        permutation[cycle] = targets[cycle]
    after = int(confusion[np.arange(num_labels), permutation].sum())
    p_value = max(p for _, p in swapped)
    names = evidence.names
    moved = [label for cycle, _ in swapped for label in cycle]
    stats |= {
        "permutation": [int(target) for target in permutation],
        "accuracy_after": after / total,
        "moved_labels": [names[label] for label in moved],
    }
    first = moved[0]
    if after < 0.5 * total:
        return Finding(
            Verdict.INCONCLUSIVE,
            f"swapped labels or strong confusion: {share(hits, total)} right, unswapped "
            f"{share(after, total)}; {quoted(names[first], 14)} goes to "
            f"{quoted(names[permutation[first]], 14)}",
            statistics=stats,
            p_value=p_value,
        )
    signs = {
        "permutation-recovered": True,
        "unsure-of-permutation": _unsure(evidence, permutation, after / total),
    }
    return Finding(
        Verdict.FAILED,
        f"labels swapped: {len(moved)} of {num_labels}, {quoted(names[first], 14)} is answered "
        f"{quoted(names[permutation[first]], 14)}; {share(hits, total)} right, unswapped "
        f"{share(after, total)}, {probability(p_value)}",
        statistics=stats,
        p_value=p_value,
        causes=("label-mapping-swapped", "argmin-decoded", "weights-not-loaded"),
        fix=_unswap(names, permutation) + "\n# or encode y_true in the order that training used",
        signs=signs,
        table=(
            ("label", "answered with", "times", "with itself"),
            *(
                (
                    names[label],
                    names[permutation[label]],
                    f"{confusion[label, permutation[label]]:,}",
                    f"{confusion[label, label]:,}",
                )
                for label in moved
            ),
        ),
    )


def _unswap(names: Sequence[str], permutation: npt.NDArray[Any]) -> str:
    """Return the mapping that gives the answered id the name of the label that it means."""
    corrected = [names[int(label)] for label in np.argsort(permutation)]
    return _mapping_to_paste(corrected)


def _cycles(targets: npt.NDArray[Any]) -> list[list[int]]:
    cycles = []
    seen: set[int] = set()
    for start in range(len(targets)):
        cycle = []
        label = start
        while label not in seen:
            seen.add(label)
            cycle.append(label)
            label = int(targets[label])
        if len(cycle) > 1:
            cycles.append(cycle)
    return cycles


def _log_cycles(num_labels: int, length: int) -> float:
    """Log of the number of cycles of that length, times the number of lengths tried."""
    chosen = lgamma(num_labels + 1) - lgamma(num_labels - length + 1)
    return chosen - log(length) + log(max(num_labels - 1, 1))


def _unsure(evidence: Evidence, permutation: npt.NDArray[Any], accuracy: float) -> bool:
    """Whether the outputs are far less sure than a trained model that is right that often."""
    probabilities = evidence.probabilities
    if probabilities is None or probabilities.shape[1] != len(permutation):
        return False
    chance = 1 / len(permutation)
    confidence = float(probabilities.max(axis=1).mean())
    return confidence - chance < 0.2 * (accuracy - chance)
