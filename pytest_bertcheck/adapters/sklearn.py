"""Fitted classifiers of scikit-learn that take texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import joblib
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .fingerprints import reject_own_code, with_fingerprint

__all__ = ["parts_of"]


def parts_of(estimator: Any, **parts: Any) -> dict[str, Any]:
    """Return the parts of a pipeline that a fitted classifier tells by itself."""
    method = next(
        (name for name in ("decision_function", "predict_proba") if hasattr(estimator, name)), None
    )
    if method is None:
        raise TypeError(
            "estimator: expected a classifier with decision_function or predict_proba, "
            f"got {type(estimator).__name__}"
        )
    if not hasattr(estimator, "classes_"):
        check_is_fitted(estimator)
        raise ValueError(f"estimator: expected classes_, got none of {type(estimator).__name__}")
    classes = estimator.classes_.tolist()
    by_class = {label: number for number, label in enumerate(classes)}

    def predict(texts: Sequence[str]) -> Scores:
        outputs = np.asarray(getattr(estimator, method)(texts))
        # Of two classes decision_function returns the second's logit only.
        columns = np.column_stack([-outputs, outputs]) / 2 if outputs.ndim == 1 else outputs
        return Scores(columns, texts)

    for labels in ("y_true", "y_train"):
        if parts.get(labels) is not None:
            parts[labels] = _as_ids(parts[labels], by_class)
    decode = Answers(estimator, by_class, in_fingerprint="fingerprint" not in parts)
    own = {"predict": predict, "decode": decode, "label_names": tuple(map(str, classes))}
    return with_fingerprint(own, parts, lambda: _content(estimator))


STOP_WORDS_ID = "_stop_words_id"


class Scores:
    """The scores of texts, and the texts: what a classifier answers it does not read off scores.

    ``SVC(probability=True)`` and classifiers under a threshold answer otherwise than their argmax.
    """

    def __init__(self, logits: Any, texts: Sequence[str]) -> None:
        self.logits = logits
        self.texts = texts


class Answers:
    """What a classifier answers, of which its fingerprint tells too."""

    def __init__(
        self, estimator: Any, by_class: Mapping[Any, int], *, in_fingerprint: bool
    ) -> None:
        self.estimator = estimator
        self.by_class = by_class
        self.in_fingerprint = in_fingerprint

    def __call__(self, outputs: Scores) -> list[int]:
        answers = self.estimator.predict(outputs.texts).tolist()
        return [self.by_class[label] for label in answers]


def _content(value: Any) -> Any:
    """Return what an estimator is made of and has learnt, as values of known content.

    Raises
    ------
    NotPossible
        If it calls code that is none of a known library.
    """
    if value is None or isinstance(value, (bool, int, float, str, bytes, np.generic)):
        return value
    if isinstance(value, np.ndarray):
        return _content(value.tolist()) if value.dtype == object else value
    if isinstance(value, (list, tuple)):
        return [_content(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(map(repr, value))
    if isinstance(value, Mapping):
        return [[_content(key), _content(item)] for key, item in value.items()]
    if isinstance(value, BaseEstimator):
        reject_own_code(type(value))
        # The one attribute that is an address in memory, another one in each process.
        learnt = [name for name in sorted(vars(value)) if name != STOP_WORDS_ID]
        return [type(value).__qualname__, *([name, _content(vars(value)[name])] for name in learnt)]
    reject_own_code(value if isinstance(value, type) or callable(value) else type(value))
    return [type(value).__qualname__, str(joblib.hash(value))]


def _as_ids(labels: Any, by_class: dict[Any, int]) -> Any:
    """Return the places of labels among the classes; what is none of them is left as it is."""
    given = np.asarray(labels).tolist()
    known = all(label in by_class for label in given)
    return [by_class[label] for label in given] if known else labels
