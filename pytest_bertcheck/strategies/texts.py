"""A strategy for small corpora whose labels are decided by planted words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor
from string import ascii_lowercase

import numpy as np
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from .drawing import (
    Array,
    Ids,
    bounded,
    draw_order,
    generator_or_none,
    interval,
    share,
    strategy,
)
from .labels import NamedCounts

__all__ = ["POSITIONS", "LabelledTexts", "labelled_texts"]

POSITIONS = ("start", "middle", "end", "anywhere")
"""Where in a text the word may stand that decides its label."""


@dataclass(frozen=True, eq=False)
class LabelledTexts:
    """A small corpus.

    Attributes
    ----------
    label_names
        Names by id.
    keywords
        Words by id: that of its label stands once in each text, and no other one does.
    texts
        The texts: words of the alphabet with a blank between them.
    labels
        ``(n,) int``: their label ids, all or all but a share of them those of the keywords.
    """

    label_names: tuple[str, ...]
    keywords: tuple[str, ...]
    texts: list[str]
    labels: Ids

    @property
    def named_labels(self) -> list[str]:
        """The name of each text's label, for a pipeline that is trained on names."""
        return [self.label_names[label] for label in self.labels]


@strategy
def labelled_texts(
    names: st.SearchStrategy[Sequence[str]] | None = None,
    *,
    min_labels: int | None = None,
    max_labels: int | None = None,
    min_size: int | None = None,
    max_size: int | None = None,
    min_words: int | None = None,
    max_words: int | None = None,
    alphabet: str = ascii_lowercase,
    informative_position: str = "anywhere",
    min_noise: float | None = None,
    max_noise: float | None = None,
    min_majority: float | None = None,
    max_majority: float | None = None,
) -> Callable[[st.DrawFn], LabelledTexts]:
    """Draw a small corpus in which one planted word of each text decides its label.

    The planted words have at least two letters, which the tokenizers of scikit-learn take for the
    fewest that a word has, and differ in more than case; all other words are longer and say
    nothing.

    Shrinks to two labels and one text of each, to as few words as may be, all but the planted one
    the same, and to no noise.

    Parameters
    ----------
    names
        Strategy for the names by id; :func:`label_names` by default.
    min_labels, max_labels
        Bounds of the number of labels, 2 to 200; by default 2 and 10. Not together with ``names``.
    min_size, max_size
        Bounds of the number of texts; by default as many as labels, and 200.
    min_words, max_words
        Bounds of the words of each text, the planted one included; by default 1 and 30.
    alphabet
        Characters that the words are made of, at least two that differ in more than case.
    informative_position
        Where the planted word stands: ``"start"``, ``"middle"``, ``"end"``, where truncation cuts
        it off, or ``"anywhere"``.
    min_noise, max_noise
        Bounds of the share of texts whose label is not that of their planted word, up to one half;
        by default none has another one, or at least ``min_noise`` have.
    min_majority, max_majority
        Bounds of the share of the label that most planted words stand for; any by default.

    Raises
    ------
    InvalidArgument
        If an argument is not as above, or if no corpus meets all bounds together.

    Examples
    --------
    >>> from hypothesis import find
    >>> corpus = find(labelled_texts(min_words=3, informative_position="end"), lambda corpus: True)
    >>> corpus.texts, corpus.labels
    (['aaa aaa aa', 'aaa aaa ab'], array([0, 1]))
    """
    fewest, most = bounded("words", min_words, max_words, least=1, usual=30)
    letters = _letters(alphabet)
    if informative_position not in POSITIONS:
        raise InvalidArgument(
            f"informative_position: expected one of {[*POSITIONS]}, got "
            f"{informative_position!r:.60}"
        )
    share("min_noise", min_noise, most=0.5, why="beyond which another word decides the label")
    share("max_noise", max_noise, most=0.5, why="beyond which another word decides the label")
    interval("min_noise", min_noise, "max_noise", max_noise)
    least_noise = 0.0 if min_noise is None else float(min_noise)
    most_noise = 0.0 if max_noise is None else float(max_noise)
    if max_noise is None and min_noise is not None:
        most_noise = 0.5

    def noisy(size: int) -> tuple[int, int]:
        return ceil(least_noise * size - 1e-9), floor(most_noise * size + 1e-9)

    def fits(sizes: Array, labels: int) -> Array:
        return np.ceil(least_noise * sizes - 1e-9) <= np.floor(most_noise * sizes + 1e-9)

    bounds = NamedCounts.of(
        names,
        min_labels,
        max_labels,
        min_size=min_size,
        max_size=max_size,
        min_majority=min_majority,
        max_majority=max_majority,
        fits=fits,
        why=f" and {least_noise:.4g} to {most_noise:.4g} of noise",
    )

    def define(draw: st.DrawFn) -> LabelledTexts:
        drawn, counts = bounds.draw(draw)
        labels, total = len(counts), int(counts.sum())
        width = 2
        while len(letters) ** width < labels:
            width += 1
        keywords = tuple(_word(letters, label, width) for label in range(labels))
        planted = np.repeat(np.arange(labels), counts)
        wrong = draw(st.integers(*noisy(total)))
        noise = np.zeros(total, dtype=np.int64)
        noise[total - wrong :] = 1 + np.arange(wrong) % (labels - 1)
        order = draw_order(draw, total)
        words = draw(st.integers(fewest, most))
        generator = generator_or_none(draw)
        lengths = np.full(total, words)
        if generator is not None:
            lengths = generator.integers(fewest, words, total, endpoint=True)
        texts = []
        for label, others in zip(planted[order], (lengths - 1).tolist(), strict=True):
            filler, anywhere = [alphabet[0] * (width + 1)] * others, 0
            if generator is not None:
                filler = _fillers(generator, alphabet, width + 1, others)
                anywhere = int(generator.integers(0, others, endpoint=True))
            places = {"start": 0, "middle": others // 2, "end": others, "anywhere": anywhere}
            place = places[informative_position]
            texts.append(" ".join([*filler[:place], keywords[label], *filler[place:]]))
        return LabelledTexts(drawn, keywords, texts, ((planted + noise) % labels)[order])

    return define


def _letters(alphabet: str) -> str:
    """Return the characters of which no two differ in case only."""
    if not isinstance(alphabet, str):
        raise InvalidArgument(f"alphabet: expected a string of characters, got {alphabet!r:.60}")
    blank = [char for char in alphabet if char.isspace() or not char.isprintable()]
    if blank:
        raise InvalidArgument(
            f"alphabet: expected characters that words are made of, got {blank[0]!r} among them"
        )
    letters = "".join({char.casefold(): char for char in reversed(alphabet)}.values())[::-1]
    if len(letters) < 2:
        raise InvalidArgument(
            "alphabet: expected at least two characters that differ in more than case, got "
            f"{alphabet!r:.60}"
        )
    return letters


def _word(letters: str, number: int, width: int) -> str:
    """Return a number as a word, with letters for digits."""
    digits = (number // len(letters) ** place % len(letters) for place in reversed(range(width)))
    return "".join(letters[digit] for digit in digits)


def _fillers(generator: np.random.Generator, alphabet: str, width: int, number: int) -> list[str]:
    """Return so many words that say nothing."""
    letters = generator.integers(0, len(alphabet), (number, width)).tolist()
    return ["".join(alphabet[letter] for letter in word) for word in letters]
