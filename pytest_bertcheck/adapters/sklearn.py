"""Fitted classifiers of scikit-learn that take texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

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

    def decode(outputs: Scores) -> Any:
        return [by_class[label] for label in estimator.predict(outputs.texts).tolist()]

    for labels in ("y_true", "y_train"):
        if parts.get(labels) is not None:
            parts[labels] = _as_ids(parts[labels], by_class)
    own = {"predict": predict, "decode": decode, "label_names": tuple(map(str, classes))}
    return {**own, **parts}


class Scores:
    """The scores of texts, and the texts: what a classifier answers it does not read off scores.

    ``SVC(probability=True)`` and classifiers under a threshold answer otherwise than their argmax.
    """

    def __init__(self, logits: Any, texts: Sequence[str]) -> None:
        self.logits = logits
        self.texts = texts


def _as_ids(labels: Any, by_class: dict[Any, int]) -> Any:
    """Return the places of labels among the classes; what is none of them is left as it is."""
    given = np.asarray(labels).tolist()
    known = all(label in by_class for label in given)
    return [by_class[label] for label in given] if known else labels
