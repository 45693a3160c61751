"""A plain reference model: what a bag of words can learn from the same rows.

TF-IDF and logistic regression tell a hard task from a broken pipeline, and labels that are about
the texts from labels that are not. It trains in seconds, and nothing in it is random.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

__all__ = ["FEWEST_ROWS", "FOLDS", "cross_validated", "readable", "reference_model"]

FOLDS = 5
"""Folds in which the reference model is cross-validated: it learns from four fifths of the rows."""

FEWEST_ROWS = 3
"""Rows that a label must have for it: two are left to learn from where the third is answered."""


def reference_model(**vectorizer: Any) -> Any:
    """Return the model, not yet fitted; ``vectorizer`` are options of ``TfidfVectorizer``."""
    return make_pipeline(
        TfidfVectorizer(sublinear_tf=True, **vectorizer),
        LogisticRegression(max_iter=1000),
    )


def readable(texts: Sequence[str]) -> bool:
    """Whether there is a word in any of the texts."""
    words = TfidfVectorizer().build_analyzer()
    return any(words(text) for text in texts)


def cross_validated(
    texts: Sequence[str], labels: npt.NDArray[np.integer[Any]], num_labels: int
) -> tuple[npt.NDArray[np.integer[Any]], npt.NDArray[np.float64]]:
    """Return answers and probabilities for each row by a model that did not see the row's label.

    Words are counted and weighed once, over all texts: that looks at no label.

    Parameters
    ----------
    texts : sequence of m str
        The training texts.
    labels : (m,) int
        Their label ids, within ``0..num_labels - 1``.
    num_labels
        C, the number of columns to return.

    Returns
    -------
    (m,) int and (m, C) float
        Labels that do not occur have probability 0.

    Raises
    ------
    ValueError
        If no text holds a word, there are fewer than two labels, or a label has fewer than three
        rows.

    Examples
    --------
    >>> texts = ["cheap pills", "lunch today", "cheap watches", "lunch with me"] * 3
    >>> answers, probabilities = cross_validated(texts, np.array([1, 0, 1, 0] * 3), 2)
    >>> answers.tolist()
    [1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0]
    """
    ids, counts = np.unique(labels, return_counts=True)
    if not readable(texts):
        raise ValueError("texts: expected words of two letters or more, found none in any text")
    if len(ids) < 2:
        raise ValueError(f"labels: expected at least two labels to tell apart, got {ids.tolist()}")
    if counts.min() < FEWEST_ROWS:
        rare = ids[counts < FEWEST_ROWS].tolist()
        raise ValueError(
            f"labels: expected at least {FEWEST_ROWS} rows of each label to cross-validate, got "
            f"fewer of {rare[:5]}"
        )
    vectorizer, classifier = (step for _, step in reference_model().steps)
    # Rows may come sorted; and scikit-learn takes no more folds than the largest label has rows.
    folds = StratifiedKFold(min(FOLDS, counts.max()), shuffle=True, random_state=0)
    with warnings.catch_warnings():  # of labels with fewer rows than folds: each row has its own
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        found = cross_val_predict(
            classifier, vectorizer.fit_transform(texts), labels, cv=folds, method="predict_proba"
        )
    probabilities = np.zeros((len(labels), num_labels))
    probabilities[:, ids] = found
    return ids[found.argmax(axis=1)], probabilities
