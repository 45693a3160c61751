"""The score that decides whether a model goes into service."""

from typing import Any

import numpy as np
from sklearn.metrics import recall_score


def worst_recall(y_true: Any, y_pred: Any) -> float:
    """What the worst served label gets right: 0 as soon as one label is dead or exchanged."""
    return float(recall_score(y_true, y_pred, average=None, labels=np.unique(y_true)).min())
