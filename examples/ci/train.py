"""Train the classifier and record how it did: the last lines are what a team adds to its own.

The gate reads nothing but the bundle, so its job installs no framework.
"""

import sys

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from pytest_bertcheck import Evidence

NAMES = ["billing", "login"]
WORDS = {
    "billing": ["invoice", "refund", "charged", "payment"],
    "login": ["password", "locked", "code", "account"],
}


def requests(size: int, seed: int) -> tuple[list[str], np.ndarray]:
    """Return requests and their label ids."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, len(NAMES), size)
    texts = [
        f"hello, about my {generator.choice(WORDS[NAMES[label]])}, number {row}"
        for row, label in enumerate(labels)
    ]
    return texts, labels


def main(path: str) -> None:
    """Train, and write the evidence of the evaluation set to a file."""
    train_texts, y_train = requests(400, seed=1)
    texts, y_true = requests(200, seed=2)
    # For you: model.fit(...), and model.predict(...).logits
    classifier = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(train_texts, y_train)
    margins = classifier.decision_function(texts)

    Evidence(
        y_true=y_true,
        logits=np.stack([-margins / 2, margins / 2], axis=1),
        y_train=y_train,
        label_names=NAMES,  # model.config.id2label
        dataset_label_names=NAMES,
        example_keys=texts,  # for the baseline: the same examples in any order
    ).save(path)


if __name__ == "__main__":
    main(sys.argv[1])
