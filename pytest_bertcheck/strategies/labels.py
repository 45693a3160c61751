"""Strategies for label names, mappings between ids and names, label arrays and swapped labels."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from string import ascii_lowercase
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from .drawing import (
    LEAST_RIGHT,
    MOST_LABELS,
    Ids,
    LabelCounts,
    bounded,
    chosen,
    draw_answers,
    draw_order,
    generator_or_none,
    interval,
    outputs,
    share,
    strategy,
    whole_number,
)

__all__ = [
    "MAPPING_FLAWS",
    "LabelMapping",
    "LabelSwap",
    "imbalanced_labels",
    "inconsistent_label_mappings",
    "label_mappings",
    "label_names",
    "label_swaps",
]

Array = npt.NDArray[Any]

PLAIN_NAMES = [*ascii_lowercase, *(f"label {number}" for number in range(MOST_LABELS))]
ODD_NAMES = [
    "1", "2", "10", "-1", "0.5", "1e3",  # names that are numbers, and sort otherwise as strings
    "LABEL_0", "LABEL_1", "LABEL_2",  # what transformers calls a label that nobody named
    "A", "B", "Spam", "spam", "SPAM",  # mixed case
    "é", "e\u0301", "ß", "ss", "İ", "спам", "体育", "🙂",  # composed, decomposed, folded, wide
    " a", "a ", "a b", "a,b", "a/b", "a\u00a0b", '"a"',  # blanks and what a CSV file quotes
    "None", "nan", "NULL", "True", "no", "__label__a",  # what readers of files take for values
]  # fmt: skip
"""Label names that label encoding trips over."""

ODD = st.sampled_from(ODD_NAMES) | st.text(
    st.characters(exclude_categories=["C"]), min_size=1, max_size=20
)
MAPPING_FLAWS = (
    "other order",
    "not inverse",
    "duplicate",
    "gap",
    "wrong length",
    "string keys",
)
"""What can be wrong with a pair of mappings, in the order in which it shrinks."""


@strategy
def label_names(
    *, min_size: int | None = None, max_size: int | None = None
) -> Callable[[st.DrawFn], tuple[str, ...]]:
    """Draw distinct label names by id, among them those that label encoding trips over.

    Names that sort otherwise as strings than as numbers (``"1"``, ``"10"``, ``"2"``), that differ
    in case only, that are no ASCII, that begin with a blank, ``LABEL_0``, ``"nan"``, and any other
    printable text.

    Shrinks to the fewest names, and to ``("a", "b", ...)``.

    Parameters
    ----------
    min_size, max_size
        Bounds of the number of names, 2 to 200; by default 2 and 10, or ``min_size`` if that is
        more.

    Raises
    ------
    InvalidArgument
        If a bound is no whole number from 2 to 200, or if the two exclude each other.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(label_names(), lambda names: "10" in names and "2" in names)
    ('2', '10')
    """
    low, high = bounded("size", min_size, max_size, least=2, usual=10, most=MOST_LABELS)
    sizes = st.integers(low, high)

    def define(draw: st.DrawFn) -> tuple[str, ...]:
        size = draw(sizes)
        return draw_names(draw, size, max_odd=size)

    return define


def draw_names(draw: st.DrawFn, size: int, *, max_odd: int) -> tuple[str, ...]:
    """Draw so many names, at most a number of odd ones before plain ones."""
    odd = draw(st.lists(ODD, max_size=min(size, max_odd), unique=True))
    plain = (name for name in PLAIN_NAMES if name not in odd)
    return (*odd, *islice(plain, size - len(odd)))


Names = st.SearchStrategy[Sequence[str]]


def check_names(names: Names | None, min_labels: int | None, max_labels: int | None) -> None:
    """Reject names that are no strategy, and names together with a number of labels."""
    if names is not None and not isinstance(names, st.SearchStrategy):
        raise InvalidArgument(
            "names: expected a strategy, such as label_names() or st.just(('ham', 'spam')), got "
            f"{names!r:.60}"
        )
    if names is not None and (min_labels is not None or max_labels is not None):
        raise InvalidArgument(
            "names decide how many labels there are: leave min_labels and max_labels out, or give "
            "no names"
        )


def named(names: Names | None, min_labels: int | None, max_labels: int | None) -> Names:
    """Return the strategy for names that was given, or that with so many labels."""
    check_names(names, min_labels, max_labels)
    if names is not None:
        return names.map(_checked)
    low, high = bounded("labels", min_labels, max_labels, least=2, usual=10, most=MOST_LABELS)
    return label_names(min_size=low, max_size=high)


@dataclass(frozen=True)
class NamedCounts:
    """Label names, and how often each label occurs.

    How many names a strategy gives is known only when it draws, so that until then any number of
    labels is allowed.
    """

    names: Names | None
    counts: LabelCounts

    @classmethod
    def of(
        cls, names: Names | None, min_labels: int | None, max_labels: int | None, **bounds: Any
    ) -> NamedCounts:
        """Check the arguments of a strategy that takes either names or a number of labels."""
        check_names(names, min_labels, max_labels)
        most = max_labels if names is None else MOST_LABELS
        return cls(names, LabelCounts(min_labels, most, **bounds))

    def draw(self, draw: st.DrawFn) -> tuple[tuple[str, ...], Ids]:
        """Draw names by id, and as many counts."""
        if self.names is not None:
            names = _checked(draw(self.names))
            return names, self.counts.draw(draw, len(names))
        counts = self.counts.draw(draw)
        # A few odd names cost far fewer draws than as many as there are labels.
        return draw_names(draw, len(counts), max_odd=3), counts


def draw_permutation(draw: st.DrawFn, labels: int, min_moved: int, max_moved: int) -> Ids:
    """Draw a permutation that moves so many labels; shrinks to an exchange of the first two."""
    moved = draw(st.integers(min(min_moved, labels), min(max_moved, labels)))
    generator = generator_or_none(draw)
    permutation, order, lengths = np.arange(labels), np.arange(labels), [moved]
    if generator is not None:
        order = generator.permutation(labels)
        # Cycles of two labels at least, of which the last takes what is left over.
        cuts = np.cumsum(1 + generator.geometric(0.5, moved))
        lengths = np.diff([0, *cuts[cuts <= moved - 2], moved]).tolist()
    for cycle in np.split(order[:moved], np.cumsum(lengths)[:-1]):
        permutation[cycle] = np.roll(cycle, -1)
    return permutation


def _checked(names: Any) -> tuple[str, ...]:
    listed = [] if isinstance(names, str) or not isinstance(names, Collection) else [*names]
    strings = all(isinstance(name, str) for name in listed)
    if not strings or len({*listed}) < len(listed) or not 2 <= len(listed) <= MOST_LABELS:
        raise InvalidArgument(
            f"names: expected a strategy for 2 to {MOST_LABELS} distinct strings by id, such as "
            f"label_names() or st.just(('ham', 'spam')); it drew {names!r:.60}"
        )
    return tuple(listed)


@dataclass(frozen=True)
class LabelMapping:
    """A pair of mappings as a model's configuration has them, and what is wrong with it.

    Attributes
    ----------
    id2label, label2id
        The pair, as in ``model.config``.
    dataset_label_names
        Names by id, as the data set encodes them.
    flaw
        One of :data:`MAPPING_FLAWS`, or ``None`` if the two agree with each other and the data.
    """

    id2label: dict[Any, str]
    label2id: dict[str, int]
    dataset_label_names: tuple[str, ...]
    flaw: str | None = None


@strategy
def label_mappings(
    names: st.SearchStrategy[Sequence[str]] | None = None,
    *,
    min_labels: int | None = None,
    max_labels: int | None = None,
) -> Callable[[st.DrawFn], LabelMapping]:
    """Draw ``id2label`` with the ``label2id`` that agrees with it, and with the data set.

    The entries of ``id2label`` come in any order: a dictionary's order is not that of its ids.

    Shrinks to the fewest labels, to plain names, and to entries in the order of the ids.

    Parameters
    ----------
    names
        Strategy for the names by id; :func:`label_names` by default.
    min_labels, max_labels
        Bounds of the number of labels, 2 to 200; by default 2 and 10. Not together with ``names``.

    Raises
    ------
    InvalidArgument
        If an argument is not as above, or if the two bounds exclude each other.

    Examples
    --------
    >>> from hypothesis import find
    >>> mapping = find(label_mappings(), lambda mapping: True)
    >>> mapping.id2label, mapping.label2id
    ({0: 'a', 1: 'b'}, {'a': 0, 'b': 1})
    """
    some_names = named(names, min_labels, max_labels)

    def define(draw: st.DrawFn) -> LabelMapping:
        drawn = tuple(draw(some_names))
        order = draw(st.permutations(range(len(drawn))))
        id2label = {number: drawn[number] for number in order}
        return LabelMapping(id2label, {name: number for number, name in enumerate(drawn)}, drawn)

    return define


@strategy
def inconsistent_label_mappings(
    names: st.SearchStrategy[Sequence[str]] | None = None,
    *,
    flaws: Collection[str] | None = None,
    min_labels: int | None = None,
    max_labels: int | None = None,
) -> Callable[[st.DrawFn], LabelMapping]:
    """Draw ``id2label`` and ``label2id`` with something wrong, and say what.

    ============  =====================================================================
    flaw          what is wrong
    ============  =====================================================================
    other order   the two agree, but number the labels otherwise than the data set does
    not inverse   ``label2id`` numbers the labels otherwise than ``id2label``
    duplicate     ``id2label`` gives two ids the same name
    gap           ``id2label`` leaves an id out
    wrong length  ``id2label`` and ``label2id`` have fewer labels than the data set
    string keys   the ids of ``id2label`` are strings, as JSON makes them
    ============  =====================================================================

    Shrinks to the first flaw, to the fewest labels, and to plain names.

    Parameters
    ----------
    names
        Strategy for the data set's names by id; :func:`label_names` by default.
    flaws
        Which of :data:`MAPPING_FLAWS` to draw, all by default.
    min_labels, max_labels
        Bounds of the number of labels, 2 to 200; by default 2 and 10. Not together with ``names``.

    Raises
    ------
    InvalidArgument
        If an argument is not as above, or if the two bounds exclude each other.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(inconsistent_label_mappings(flaws=["gap"]), lambda mapping: True).id2label
    {0: 'a', 2: 'b'}
    """
    some_names = named(names, min_labels, max_labels)
    wanted = chosen("flaws", flaws, MAPPING_FLAWS)

    def define(draw: st.DrawFn) -> LabelMapping:
        flaw = draw(st.sampled_from(wanted))
        dataset = tuple(draw(some_names))
        labels = len(dataset)
        # Drawn whatever the flaw is: Hypothesis takes the example of fewer draws for the simpler.
        permutation = draw_permutation(draw, labels, 2, labels)
        place = draw(st.integers(1, labels - 1))
        id2label: dict[Any, str] = dict(enumerate(dataset))
        label2id = {name: number for number, name in id2label.items()}
        if flaw in ("other order", "not inverse"):
            label2id = {dataset[number]: int(permutation[number]) for number in range(labels)}
            if flaw == "other order":
                id2label = {number: name for name, number in label2id.items()}
        elif flaw == "duplicate":
            second = int(np.flatnonzero(permutation != np.arange(labels))[-1])
            id2label[second] = dataset[permutation[second]]
        elif flaw == "gap":
            id2label = {number + (number >= place): name for number, name in enumerate(dataset)}
            label2id = {name: number for number, name in id2label.items()}
        elif flaw == "wrong length":
            id2label = dict(enumerate(dataset[:place]))
            label2id = {name: number for number, name in id2label.items()}
        else:
            id2label = {str(number): name for number, name in id2label.items()}
        return LabelMapping(id2label, label2id, dataset, flaw)

    return define


@strategy
def imbalanced_labels(
    *,
    min_labels: int | None = None,
    max_labels: int | None = None,
    min_size: int | None = None,
    max_size: int | None = None,
    min_majority: float | None = None,
    max_majority: float | None = None,
    allow_absent: bool = False,
) -> Callable[[st.DrawFn], Ids]:
    """Draw label ids, (n,) int, of which one label has the largest share.

    Sorted or in any order; the most frequent label is any of them.

    Shrinks to the fewest labels, then to the fewest examples that still have such a share, then to
    the smallest share, with label 0 the most frequent one, sorted.

    Parameters
    ----------
    min_labels, max_labels
        Bounds of the number of labels, 2 to 200; by default 2 and 10.
    min_size, max_size
        Bounds of the number of examples; by default as few as the labels and the share take, and
        200 or as many as they take.
    min_majority, max_majority
        Bounds of the share of the most frequent label; by default 0.6 (or ``max_majority`` if that
        is less) and what the other labels leave over.
    allow_absent
        Whether labels may have no example at all; by default each of them has one.

    Raises
    ------
    InvalidArgument
        If an argument is not as above, or if no array meets all bounds together.

    Examples
    --------
    >>> from hypothesis import find
    >>> find(imbalanced_labels(min_majority=0.75), lambda labels: True)
    array([0, 0, 0, 1])
    """
    share("max_majority", max_majority)
    if min_majority is None:
        min_majority = 0.6 if max_majority is None else min(0.6, max_majority)
    bounds = LabelCounts(
        min_labels, max_labels, min_size, max_size, min_majority, max_majority, allow_absent
    )

    def define(draw: st.DrawFn) -> Ids:
        counts = bounds.draw(draw)
        labels = np.repeat(np.arange(len(counts)), counts)
        return labels[draw_order(draw, len(labels))]

    return define


@dataclass(frozen=True, eq=False)
class LabelSwap:
    """A good model whose answers are read through the wrong label mapping.

    Attributes
    ----------
    label_names
        Names by id, as the data set and the model's training have them.
    permutation
        ``(C,) int``: the wrong mapping reads label ``i`` as ``permutation[i]``; never the identity.
    y_true, logits, y_pred
        ``(n,) int``, ``(n, C) float``, ``(n,) int``: labels, outputs and answers of the good
        model, the answers being the argmax of the outputs.
    """

    label_names: tuple[str, ...]
    permutation: Ids
    y_true: Ids
    logits: Array
    y_pred: Ids

    @property
    def swapped_label_names(self) -> tuple[str, ...]:
        """Names by id as the wrong mapping has them."""
        return tuple(self.label_names[target] for target in self.permutation)

    @property
    def swapped_y_pred(self) -> Ids:
        """The answers as they are read through the wrong mapping."""
        return self.permutation[self.y_pred]

    @property
    def swapped_logits(self) -> Array:
        """The outputs of a model whose columns stand in the order of the wrong mapping."""
        return self.logits[:, np.argsort(self.permutation)]


@strategy
def label_swaps(
    names: st.SearchStrategy[Sequence[str]] | None = None,
    *,
    min_labels: int | None = None,
    max_labels: int | None = None,
    min_moved: int | None = None,
    max_moved: int | None = None,
    min_size: int | None = None,
    max_size: int | None = None,
    min_accuracy: float | None = None,
    max_majority: float | None = None,
) -> Callable[[st.DrawFn], LabelSwap]:
    """Draw a good model and the same one read through a swapped label mapping.

    From two labels exchanged to a full derangement. Every label has examples, and at least two
    thirds of its own are right before the swap: so what the swap does can be seen.

    Shrinks to two labels and one example of each, all right, with outputs of 1 and -1, in the
    order of the labels.

    Parameters
    ----------
    names
        Strategy for the names by id; :func:`label_names` by default.
    min_labels, max_labels
        Bounds of the number of labels, 2 to 200; by default 2 and 10. Not together with ``names``.
    min_moved, max_moved
        Bounds of the number of labels that the wrong mapping moves; by default 2 and all. With
        fewer labels than ``min_moved``, all are moved.
    min_size, max_size
        Bounds of the number of examples; by default as many as labels, and 200.
    min_accuracy
        Share of right answers before the swap, at least; 0.8 by default.
    max_majority
        Share of the most frequent label, at most; 0.8 by default.

    Raises
    ------
    InvalidArgument
        If an argument is not as above, or if the bounds exclude each other.

    Examples
    --------
    >>> from hypothesis import find
    >>> swap = find(label_swaps(), lambda swap: True)
    >>> swap.label_names, swap.swapped_label_names
    (('a', 'b'), ('b', 'a'))
    >>> swap.y_true, swap.y_pred, swap.swapped_y_pred
    (array([0, 1]), array([0, 1]), array([1, 0]))
    >>> swap.logits
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    whole_number("min_moved", min_moved, least=2, most=MOST_LABELS)
    whole_number("max_moved", max_moved, least=2, most=MOST_LABELS)
    interval("min_moved", min_moved, "max_moved", max_moved)
    if max_labels is not None and min_moved is not None and min_moved > max_labels:
        raise InvalidArgument(
            f"Cannot move min_moved={min_moved} of max_labels={max_labels} labels; lower min_moved"
        )
    share("min_accuracy", min_accuracy, least=LEAST_RIGHT, why="or the model was no good before")
    if names is None and min_labels is None:
        min_labels = min_moved
    bounds = NamedCounts.of(
        names,
        min_labels,
        max_labels,
        min_size=min_size,
        max_size=max_size,
        max_majority=0.8 if max_majority is None else max_majority,
    )
    moved = min_moved or 2, max_moved or MOST_LABELS
    accuracy = 0.8 if min_accuracy is None else min_accuracy

    def define(draw: st.DrawFn) -> LabelSwap:
        drawn, counts = bounds.draw(draw)
        permutation = draw_permutation(draw, len(counts), *moved)
        answers = draw_answers(draw, counts, min_accuracy=accuracy)
        order = draw_order(draw, len(answers))
        y_true, y_pred = np.repeat(np.arange(len(counts)), counts)[order], answers[order]
        return LabelSwap(drawn, permutation, y_true, outputs(draw, y_pred, len(counts)), y_pred)

    return define
