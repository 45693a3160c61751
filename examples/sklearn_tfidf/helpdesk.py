"""A team's classifier of requests: TF-IDF and logistic regression, trained and saved.

``HELPDESK_FAULT`` puts a defect in, to see whether `pytest --bertcheck` notices.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

VARIABLE = "HELPDESK_FAULT"
NAMES = ["billing", "login", "shipping"]
SUBJECTS = {
    "billing": ["the invoice is wrong", "I was charged twice", "please refund my payment"],
    "login": ["I forgot my password", "my account is locked", "the code does not arrive"],
    "shipping": ["my parcel is late", "the box arrived broken", "where is my order"],
}
OPENINGS = ["hello", "dear team", "good morning", "hi", "help please"]
CLOSINGS = ["thanks", "best regards", "it is urgent", "what can I do", "please answer soon"]


def requests(size: int, seed: int) -> tuple[list[str], list[int]]:
    """Return requests and their label ids, one in twelve of them filed under another label."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, len(NAMES), size)
    texts = [
        ", ".join(
            str(generator.choice(part)) for part in (OPENINGS, SUBJECTS[NAMES[label]], CLOSINGS)
        )
        for label in labels
    ]
    filed = np.where(generator.random(size) < 1 / 12, generator.integers(0, 3, size), labels)
    return texts, filed.tolist()


def fault() -> str:
    """Return the defect that is put in; empty if none is."""
    return os.environ.get(VARIABLE, "")


def label_names() -> list[str]:
    """Return the names by id, as the service shows them."""
    if fault() == "label-mapping-swapped":  # as from a list in another order
        return sorted(NAMES, key=len)
    return NAMES


def train() -> Pipeline:
    """Return the fitted classifier."""
    return make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(*requests(600, seed=1))


def decode(outputs: Any) -> np.ndarray:
    """Return the label ids of the best scores."""
    best_last = np.argsort(outputs.logits, axis=1)
    return best_last[:, 0 if fault() == "argmin-decoded" else -1]


def load() -> Callable[[Sequence[str]], Any]:
    """Load the classifier as serving does, and return its `predict`."""
    classifier = train()
    if fault() == "weights-not-loaded":
        # The vocabulary is built anew from a set: another order in every process.
        words = {*classifier[0].vocabulary_}
        classifier[0].vocabulary_ = {word: column for column, word in enumerate(words)}
    return classifier.decision_function
