"""Short mails whose label their words decide, for the models that tests train in seconds."""

from __future__ import annotations

import numpy as np

HAM = ["hello my friend", "lunch on friday", "see you at home", "my notes on friday"]
SPAM = ["win money now", "claim your free prize", "free money now", "win a prize today"]
FILLER = ["please", "again", "ok", "soon", "well", "so", "and", "then"]
WORDS = sorted({word for text in [*HAM, *SPAM, *FILLER] for word in text.split()})
NAMES = ["ham", "spam"]


def texts_and_labels(size: int, seed: int, *, opening: int = 0) -> tuple[list[str], list[int]]:
    """Return mails and their label ids; the words that decide come after ``opening`` fillers."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, size)
    texts = [
        " ".join(
            [
                *generator.choice(FILLER, opening),
                generator.choice((HAM, SPAM)[label]),
                *generator.choice(FILLER, generator.integers(4)),
            ]
        )
        for label in labels
    ]
    return texts, labels.tolist()
