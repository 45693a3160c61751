"""Checks of the mapping between label ids and label names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from .. import statistics
from ..evidence import Evidence
from ..findings import Finding, Verdict
from ..messages import count, probability, quoted, share
from ..statistics import Confusion, LargestErrors
from . import ALPHA, check, reject_health
from .outputs import far_below, in_range, not_one_label_each

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
    names in another order. Names are compared without regard to case and outer blanks, unless a
    side has names that differ in nothing else. Where the two sides share no name at all, nothing
    can be said.

    Source: huggingface/transformers#13298, #3093, TextAttack#684.
    """
    model = [str(name) for name in evidence.label_names]
    dataset = _names_or_none(evidence.dataset_label_names)
    inverse = _names_or_none(evidence.label2id_names)
    placeholders = all(PLACEHOLDER.fullmatch(name) for name in model)
    numbers: dict[str, Any] = {"label_names": model, "dataset_label_names": dataset}
    own, known = _comparable(model, dataset or [])
    moved = "" if dataset is None else _moved(model, dataset, own, known)
    width = 1 if evidence.logits is None else int(evidence.logits.shape[1])
    # Far more columns than names are those of another tensor, rather: the names may be right.
    hidden = dataset is None and width > 10 * len(model)
    # Of two maps that contradict each other, one is moved, if the data set's names are known.
    missing = _missing(model, None if moved else inverse, dataset)
    if not missing and dataset is None and width > 1 and len(model) != width:
        missing = f"{count(len(model), 'name')} for {count(width, 'output column')}"
    same = dataset is not None and own == known
    if placeholders and dataset is not None and not (same or moved or missing):
        missing = f"all names are placeholders such as {quoted(model[0], 16)}"
    if moved or missing:
        return Finding(
            Verdict.FAILED,
            f"label mapping differs: {missing or moved}",
            statistics=numbers,
            causes=(
                ("wrong-tensor-decoded", "label-names-missing")
                if hidden
                else ("label-names-missing",)
                if missing
                else ("label-mapping-swapped",)
            ),
            certain=not hidden,
            fix="pass outputs.logits, not hidden states or a tuple element"
            if hidden
            else "name each label once, in the order of training: id2label={0: ..., 1: ...}"
            if dataset is None and inverse in (None, model)
            else _mapping_to_paste(dataset or model),
            signs={"names-in-other-order": bool(moved)},
            table=_name_table(
                model, dataset or inverse or [], "data set" if dataset else "label2id"
            ),
        )
    if dataset is None and not placeholders:
        return Finding(
            Verdict.PASSED,
            f"{count(len(model), 'label name')}, distinct; no data set names to compare with",
            statistics=numbers,
        )
    if same:
        return Finding(
            Verdict.PASSED,
            f"{count(len(model), 'label name')} in the same order on both sides",
            statistics=numbers,
            signs={"names-in-other-order": False},
        )
    other = 0 if dataset is None else [a != b for a, b in zip(own, known, strict=True)].index(True)
    return Finding(
        Verdict.INCONCLUSIVE,
        f"label names are placeholders such as {quoted(model[0], 20)}"
        if dataset is None
        else f"names differ: {quoted(model[other], 20)} in the model, {quoted(dataset[other], 20)} "
        "in the data",
        statistics=numbers,
        needs=("dataset_label_names",) if dataset is None else (),
        fix=""
        if dataset is None
        else "if they mean the same label, give it one name on both sides",
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


def _comparable(*sides: Sequence[str]) -> list[list[str]]:
    """Return names without case and outer blanks; as they are if a side's would become the same."""
    plain = [[name.strip().casefold() for name in side] for side in sides]
    distinct = all(len(set(names)) == len(names) for names in plain)
    return plain if distinct else [list(side) for side in sides]


def _moved(
    model: Sequence[str], dataset: Sequence[str], own: Sequence[str], known: Sequence[str]
) -> str:
    """Return how many names stand at another id than in the data set, with an example."""
    moved = [i for i, name in enumerate(own) if name in known and known.index(name) != i]
    if not moved:
        return ""
    first = moved[0]
    there = quoted(dataset[first], 10) if first < len(dataset) else "nothing"
    return (
        f"{len(moved)}/{len(model)} names moved; {first} is {quoted(model[first], 10)} in the "
        f"model, {there} in the data"
    )


def _names_or_none(names: npt.NDArray[Any] | None) -> list[str] | None:
    return None if names is None else [str(name) for name in names]


def _name_table(
    model: Sequence[str], other: Sequence[str], heading: str = "data set"
) -> tuple[tuple[str, ...], ...]:
    pairs = enumerate(zip_longest(model, other, fillvalue="-"))
    return (("id", "model", heading), *((str(i), own, name) for i, (own, name) in pairs))


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


def _examples_of_a_swap(
    *,
    alpha: float,
    power: float,
    num_labels: int = 2,
    accuracy: float = 0.9,
    swapped_labels: int = 2,
) -> int:
    """Count for a model of that accuracy, equally frequent labels, and one cycle of them."""
    missed = (1 - accuracy) / (num_labels - 1)
    reject_health("accuracy", accuracy, missed)
    reject_health("swapped_labels", swapped_labels, num_labels + 1, below=True)
    chosen = 1 if num_labels == 2 else 2**swapped_labels
    trials = statistics.trials_for_power(0.5, accuracy / (accuracy + missed), alpha / chosen, power)
    return ceil(trials / (accuracy + missed) * num_labels / swapped_labels)


@check(
    stage="labels",
    needs=["y_true", ("y_pred", "logits")],
    causes=["label-mapping-swapped", "argmin-decoded", "weights-not-loaded"],
    examples=_examples_of_a_swap,
)
def labels_not_swapped(evidence: Evidence, *, alpha: float = ALPHA) -> Finding:
    """Do the answers mean other labels than the data set's ids say?

    A label that is answered at least as often with some other label as with itself points to that
    one, its target; labels that point to one another in a cycle are a candidate for a swap.
    Null hypothesis: no label of the cycle prefers its target to itself. Test: given how often each
    label was answered either way, the answers with the target are at most binomial with p = 1/2.
    The cycle was chosen by looking at the same counts, so their distribution is taken given the
    choice: each label's binomial is cut off below the count that made its target the most
    frequent. That conditional p-value is exact or too large, whatever the number of labels, and
    pays about one bit of evidence for each label of the cycle, where the number of permutations
    would cost log2(C!) bits; it is corrected for the number of cycles seen (Bonferroni).
    Examples are taken as independent. A healthy model, whose every label is answered with itself
    at least as often as with any other one, fails with probability at most ``alpha``.

    A label that is answered as often with several others points to the one that no other label
    means, if that is a single one. A label without examples closes the cycle that ends in it, since
    its own row tells nothing.

    Swapped labels and a strong confusion cannot be told apart, and the finding is inconclusive,
    where unswapping leaves less than half of the moved labels' or of all examples right, or answers
    that ``reference_y_pred`` is still far better than (see :func:`far_below`); where a label
    outside the cycle points to what one of it means, and at least as often; or where one label
    alone shows it, which a model that leans to one answer may well miss: the others of
    its cycle have to point the same way too (the same test without the strongest label, at 0.1).

    With logits, a swap is told from a head that was never loaded: a trained model is as sure of
    the swapped labels as it was of the right ones.

    Source: Hung and Fithian (2019), Annals of Statistics 47, for testing what was chosen by rank.
    """
    confusion = evidence.confusion
    if confusion is None:
        return not_one_label_each(evidence)
    num_labels, total, hits = confusion.num_labels, confusion.total, confusion.right
    y_true = evidence.y_true
    if y_true.min() < 0 or y_true.max() >= num_labels:
        return Finding(
            Verdict.INCONCLUSIVE,
            f"y_true has ids outside 0..{num_labels - 1}: see labels_valid, then look for swaps",
        )
    if num_labels < 2:
        return Finding(
            Verdict.PASSED,
            f"labels not swapped: {total} examples of a single label",
            signs={"permutation-recovered": False},
        )
    errors = confusion.largest_errors()
    target = _targets(confusion, errors)
    cycles = _cycles(target)
    tried = [min(1.0, len(cycles) * _p_value(confusion, errors, cycle)) for cycle in cycles]
    swapped = [cycle for cycle, p_value in zip(cycles, tried, strict=True) if p_value <= alpha]
    numbers: dict[str, Any] = {"accuracy": hits / total, "examples": total}
    p_value = min(tried, default=1.0)
    if not swapped:
        return Finding(
            Verdict.PASSED,
            f"labels not swapped: no other order explains the {total} answers better",
            statistics=numbers,
            p_value=p_value,
            signs={"permutation-recovered": False},
        )
    permutation = np.arange(num_labels)
    for cycle in swapped:
        permutation[cycle] = np.roll(cycle, -1)
    moved = [label for cycle in swapped for label in cycle]
    recovered = int(errors.count[moved].sum())
    after = hits - int(confusion.hits[moved].sum()) + recovered
    names = evidence.names
    numbers |= {
        "permutation": [int(target) for target in permutation],
        "accuracy_after": after / total,
        "moved_labels": [names[label] for label in moved],
    }
    first = next(label for label in moved if confusion.support[label])
    goes = f"{quoted(names[first], 10)} is answered {quoted(names[permutation[first]], 10)}"
    rights = f"{share(hits, total)} right, unswapped {share(after, total)}"
    lone = any(_without_its_strongest(confusion, errors, cycle) > 0.1 for cycle in swapped)
    too_few = 2 * after < total or 2 * recovered < confusion.support[moved].sum()
    contested = _contested(confusion, errors, target, moved)
    if lone or too_few or contested or _far_below_still(evidence, permutation, alpha):
        return Finding(
            Verdict.INCONCLUSIVE,
            f"swapped or confused labels? {goes}; {rights}",
            statistics=numbers,
            p_value=p_value,
            fix="compare the data set's names with the model's id2label, id by id",
            needs=() if evidence.label_names is not None else ("label_names",),
        )
    signs = {
        "permutation-recovered": True,
        "unsure-of-permutation": _unsure(evidence, after / total),
    }
    return Finding(
        Verdict.FAILED,
        f"labels swapped: {len(moved)}/{num_labels}, {goes}; {rights}, {probability(p_value)}",
        statistics=numbers,
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
                    f"{errors.count[label]:,}",
                    f"{confusion.hits[label]:,}",
                )
                for label in moved
            ),
        ),
    )


def _far_below_still(evidence: Evidence, permutation: npt.NDArray[Any], alpha: float) -> bool:
    """Whether a plain reference is far better even than the answers unswapped."""
    if evidence.reference_y_pred is None:
        return False
    num_labels = len(permutation)
    rows = in_range(num_labels, evidence.y_true, evidence.answers, evidence.reference_y_pred)
    unswapped = np.argsort(permutation)[evidence.answers[rows]]
    y_true, reference = evidence.y_true[rows], evidence.reference_y_pred[rows]
    return bool(rows.any()) and far_below(y_true, unswapped, reference, num_labels) <= alpha


def _unswap(names: Sequence[str], permutation: npt.NDArray[Any]) -> str:
    """Return the mapping that gives the answered id the name of the label that it means."""
    corrected = [names[int(label)] for label in np.argsort(permutation)]
    return _mapping_to_paste(corrected)


def _targets(confusion: Confusion, errors: LargestErrors) -> npt.NDArray[np.int64]:
    """Return the label that each one points to, or -1."""
    points = (errors.count > 0) & (errors.count >= confusion.hits)
    tied = points & (errors.count == errors.next_count)
    target = np.where(points & ~tied, errors.label, -1)
    # No two labels mean the same one: a tie is settled where one label of it alone is still free.
    free = confusion.hits <= errors.count
    free[target[target >= 0]] = False
    cells = confusion.cells.tocoo()
    row, column = cells.row, cells.col
    left = tied[row] & (cells.data == errors.count[row]) & (row != column) & free[column]
    row, column = row[left], column[left]
    alone = np.bincount(row, minlength=confusion.num_labels)[row] == 1
    target[row[alone]] = column[alone]
    pointed_at = np.bincount(target[target >= 0], minlength=confusion.num_labels)
    for end in np.flatnonzero((confusion.support == 0) & (pointed_at == 1)):
        # Walk back to the label that nothing points to: the one that this label must mean.
        start, seen = int(end), {int(end)}
        while pointed_at[start] == 1:
            start = int(np.flatnonzero(target == start)[0])
            if start in seen:
                break
            seen.add(start)
        if pointed_at[start] == 0:
            target[end] = start
    return target


def _contested(
    confusion: Confusion,
    errors: LargestErrors,
    target: npt.NDArray[np.int64],
    moved: list[int],
) -> bool:
    """Whether a label that stays points to what a moved one means, and at least as often."""
    stays = target >= 0
    stays[moved] = False
    claims = np.zeros(confusion.num_labels, dtype=np.int64)
    np.maximum.at(claims, target[stays], errors.count[stays])
    seen = [label for label in moved if confusion.support[label]]
    return bool((claims[target[seen]] >= errors.count[seen]).any())


def _cycles(target: npt.NDArray[np.int64]) -> list[list[int]]:
    """Return the labels that point to one another in a cycle, each label before its target."""
    cycles = []
    done: set[int] = set()
    for first in np.flatnonzero(target >= 0).tolist():
        path = []
        label = first
        while label >= 0 and label not in done:
            done.add(label)
            path.append(label)
            label = int(target[label])
        if label in path:
            cycles.append(path[path.index(label) :])
    return cycles


def _p_value(confusion: Confusion, errors: LargestErrors, cycle: list[int]) -> float:
    """Return the p-value of a cycle, given that it was chosen for its counts."""
    to_target, to_self = errors.count[cycle], confusion.hits[cycle]
    either = to_target + to_self
    p_value = statistics.binomial_at_least(int(to_target.sum()), int(either.sum()), 0.5)
    if confusion.num_labels == 2:
        return p_value  # there was nothing to choose from
    least = np.maximum(errors.next_count[cycle], (either + 1) // 2)
    chosen = stats.binom.sf(least - 1, either, 0.5)
    return float(min(1.0, np.exp(np.log(max(p_value, 1e-300)) - np.log(chosen).sum())))


def _without_its_strongest(confusion: Confusion, errors: LargestErrors, cycle: list[int]) -> float:
    """Return the p-value of all labels of a cycle but the one that speaks for it most."""
    to_target, to_self = errors.count[cycle], confusion.hits[cycle]
    rest = np.arange(len(cycle)) != np.argmax(to_target - to_self)
    return statistics.binomial_at_least(
        int(to_target[rest].sum()), int((to_target + to_self)[rest].sum()), 0.5
    )


def _unsure(evidence: Evidence, accuracy: float) -> bool:
    """Whether the outputs are far less sure than a trained model that is right that often."""
    outputs, num_labels = evidence.outputs, evidence.num_labels or 0
    if outputs is None or outputs.broken_rows or evidence.logits.shape[1] != num_labels:
        return False
    chance = 1 / num_labels
    return bool(outputs.confidence * (1 - chance) < 0.2 * (accuracy - chance))
