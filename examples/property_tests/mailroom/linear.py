"""TF-IDF and logistic regression: the pipeline in service."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from mailroom.labels import batches, class_weights

BATCH_SIZE = 4


class LinearPipeline:
    """Trained on mails and their labels; a step of it is a method."""

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> "LinearPipeline":
        """Train."""
        weights = self.class_weights(labels)
        self.model = make_pipeline(TfidfVectorizer(), LogisticRegression())
        # Not LogisticRegression(class_weight=weights), which takes the name "1" for a number.
        mail_weights = [weights[label] for label in labels]
        self.model.fit(texts, labels, logisticregression__sample_weight=mail_weights)
        self.names = self.names_by_column(labels)
        return self

    def class_weights(self, labels: Sequence[str]) -> dict[str, float]:
        """How much a mail of each label counts in training."""
        return class_weights(labels)

    def names_by_column(self, labels: Sequence[str]) -> list[str]:
        """The label that each column of the scores is about."""
        return list(self.model.classes_)

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """Probabilities, (n, C), a batch at a time to save memory."""
        return np.concatenate(
            [self.model.predict_proba(part) for part in batches(texts, BATCH_SIZE)]
        )

    def predict(self, texts: Sequence[str]) -> list[str]:
        """A label for each mail."""
        return [self.names[column] for column in self.scores(texts).argmax(axis=-1)]

    @classmethod
    def fit_predict(cls, texts: list[str], labels: list[Any], eval_texts: list[str]) -> list[Any]:
        """Train on mails with labels, and give others theirs."""
        return cls().fit(texts, labels).predict(eval_texts)
