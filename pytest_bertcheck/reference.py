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

__all__ = [
    "FEWEST_ROWS",
    "FOLDS",
    "cross_validated",
    "cross_validated_alike",
    "readable",
    "reference_model",
    "rows_alike",
]

FOLDS = 5
"""Folds in which the reference model is cross-validated: it learns from four fifths of the rows."""

FEWEST_ROWS = 3
"""Rows that a label must have for it: two are left to learn from where the third is answered."""

MOST_OF_TRAINING = 0.95
"""Share of the training rows that have a label that is asked about in the evaluation set, too."""

NEARER = 0.1
"""Difference of cosines from which on texts of one set are more alike than those of another."""


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


def cross_validated_alike(
    texts: Sequence[str],
    labels: npt.NDArray[np.integer[Any]],
    train_texts: Sequence[str],
    y_train: npt.NDArray[np.integer[Any]],
    num_labels: int,
) -> npt.NDArray[np.integer[Any]] | None:
    """Return answers as :func:`cross_validated` does, to evaluation rows that are like training.

    What a model finds depends on how many rows it learns from, on their balance, and on how alike
    their texts are. So as many rows are asked about as there are training rows, at most, in the
    balance of ``y_train`` (:func:`rows_alike`); and if the nearest of those texts to each other are
    nearer than those of as many training rows, by more than ``NEARER`` on the average (copies,
    spellings, templates), there is nothing to compare.

    Parameters
    ----------
    texts : sequence of n str
        The evaluation texts.
    labels : (n,) int
        Their label ids; those that are none of ``0..num_labels - 1`` are left out.
    train_texts : sequence of m str
        The training texts.
    y_train : (m,) int
        Their label ids.
    num_labels
        C.

    Returns
    -------
    (n,) int or None
        -1 for rows that were left out; None if there are no rows that are like those of training.

    Examples
    --------
    >>> texts = [f"{word} {row}" for row in ("one", "two", "six") for word in ("pills", "lunch")]
    >>> labels = np.array([1, 0] * 3)
    >>> cross_validated_alike(texts, labels, texts, labels, 2).tolist()
    [1, 0, 1, 0, 1, 0]
    """
    rows = rows_alike(labels, y_train, num_labels)
    asked = [texts[row] for row in rows]
    like = rows_alike(y_train, labels[rows], num_labels)
    trained = [train_texts[row] for row in like]
    if not len(rows) or not len(like) or not readable(asked) or not readable(trained):
        return None
    weighed = reference_model().steps[0][1].fit_transform([*asked, *trained])
    if _nearest(weighed[: len(asked)]) - _nearest(weighed[len(asked) :]) > NEARER:
        return None
    answers = np.full(len(texts), -1)
    answers[rows], _ = cross_validated(asked, labels[rows], num_labels)
    return answers


def _nearest(texts: Any) -> float:
    """Return the mean cosine of each text, a sparse row of norm 1, to the one nearest to it."""
    some = texts[np.linspace(0, texts.shape[0] - 1, min(texts.shape[0], 1000)).astype(int)]
    cosines = (some @ some.T).toarray()
    np.fill_diagonal(cosines, 0)
    return float(cosines.max(axis=1).mean())


def rows_alike(
    labels: npt.NDArray[np.integer[Any]], y_train: npt.NDArray[np.integer[Any]], num_labels: int
) -> npt.NDArray[np.intp]:
    """Return evaluation rows from all over, no more than training rows and in their balance.

    A label has three rows at least, or none. If those that have any hold less than
    ``MOST_OF_TRAINING`` of the training rows, no row is returned: fewer labels are an easier task.

    Examples
    --------
    >>> rows_alike(np.array([0, 0, 0, 0, 0, 0, 1, 1, 1]), np.array([0, 1] * 9), 2).tolist()
    [0, 2, 5, 6, 7, 8]
    """
    rows_of = [np.flatnonzero(labels == label) for label in range(num_labels)]
    trained = y_train[(y_train >= 0) & (y_train < num_labels)]
    wanted = np.bincount(trained, minlength=num_labels)
    found = np.array([len(rows) for rows in rows_of])
    there = (wanted > 0) & (found >= FEWEST_ROWS)
    share = (found[there] / wanted[there]).min(initial=1.0)
    counts = np.where(there, (share * wanted + 1e-9).astype(int), 0)
    counts[counts < FEWEST_ROWS] = 0
    if np.count_nonzero(counts) < 2 or wanted[counts > 0].sum() < MOST_OF_TRAINING * wanted.sum():
        return np.array([], dtype=np.intp)
    return np.concatenate(
        [
            rows[np.linspace(0, len(rows) - 1, count).round().astype(int)]
            for rows, count in zip(rows_of, counts.tolist(), strict=True)
        ]
    )
