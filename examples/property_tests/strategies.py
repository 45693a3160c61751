"""What the properties are about, drawn with plain Hypothesis.

The names are those of `pytest_bertcheck.strategies`, which will draw more and worse.
"""

from typing import NamedTuple

from hypothesis import strategies as st

NAMES = ("billing", "returns", "technical", "1", "2", "10", "LABEL_0", "Billing")
PLANTED = ("invoice", "parcel", "screen")
FILLER = ("hello", "please", "thanks", "again")


class Corpus(NamedTuple):
    """Mails, each with a word that decides its label."""

    texts: list[str]
    labels: list[str]


def label_names(*, min_size: int = 2, max_size: int = 3) -> st.SearchStrategy[list[str]]:
    """Distinct names, those included that sort oddly."""
    names = st.sampled_from(NAMES)
    return st.lists(names, min_size=min_size, max_size=max_size, unique=True)


@st.composite
def labelled_texts(draw: st.DrawFn, *, max_size: int = 6) -> Corpus:
    """Every label has a mail or more, in any order."""
    names = draw(label_names())
    more = draw(st.lists(st.sampled_from(names), max_size=max_size - len(names)))
    labels = draw(st.permutations([*names, *more]))
    fillers = st.lists(st.sampled_from(FILLER), max_size=3)
    texts = [" ".join([PLANTED[names.index(label)], *draw(fillers)]) for label in labels]
    return Corpus(texts, labels)


@st.composite
def imbalanced_labels(draw: st.DrawFn, *, max_labels: int = 2) -> list[str]:
    """Two labels or more, the first the commonest."""
    names = draw(label_names(max_size=max_labels))
    rare = [draw(st.integers(1, 10)) for _ in names[1:]]
    common = draw(st.integers(max(rare), 100))
    return [name for name, n in zip(names, [common, *rare], strict=True) for _ in range(n)]


def label_mappings() -> st.SearchStrategy[dict[int, str]]:
    """Names by id, as a config keeps them."""
    return label_names(min_size=1).map(lambda names: dict(enumerate(names)))


def texts(*, min_size: int = 2, max_size: int = 9) -> st.SearchStrategy[list[str]]:
    """Mails without labels."""
    words = st.lists(st.sampled_from(PLANTED + FILLER), min_size=1, max_size=5).map(" ".join)
    return st.lists(words, min_size=min_size, max_size=max_size)
