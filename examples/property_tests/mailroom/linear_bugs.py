"""The linear pipeline as it was first written: a bug for each contract.

Where a real project had it, its repository and issue are named.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, roc_auc_score

from mailroom.label_bugs import class_weights
from mailroom.linear import LinearPipeline


class NamesByFirstSight(LinearPipeline):
    """The columns of scikit-learn are sorted, the names are not (setfit#462)."""

    def names_by_column(self, labels: Sequence[str]) -> list[str]:
        """Take the labels as they come."""
        return list(dict.fromkeys(labels))


class SortedByLength(LinearPipeline):
    """Mails of similar length share a batch, and nobody puts the answers back."""

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """Score short mails first."""
        return super().scores(sorted(texts, key=len))


class WeightsOfTheCommon(LinearPipeline):
    """The commoner a label, the more it counts (the weights are upside down, multilogue-net#21)."""

    def class_weights(self, labels: Sequence[str]) -> dict[str, float]:
        """Weigh by the share of a label."""
        return class_weights(labels)


def accuracy(y_true: Any, y_pred: Any) -> float:
    """Count mails, of which most are alike."""
    return float(accuracy_score(y_true, y_pred))


def auc_either_way(y_true: Any, y_pred: Any) -> float:
    """Turn an AUC below one half around: "the sign of the score is arbitrary"."""
    first = y_true[0]
    auc = roc_auc_score(y_true == first, y_pred == first)
    return float(max(auc, 1 - auc))
