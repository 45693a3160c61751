"""The BERT pipeline as it was first written: a bug for each contract.

Where a real project had it, its repository and issue are named.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from sklearn.metrics import accuracy_score, f1_score

from mailroom.bert import BertPipeline


class IdsByFirstSight(BertPipeline):
    """Ids as `pandas.factorize` gives them, names in alphabetical order (amaiya/ktrain#277)."""

    def ids_of(self, labels: Sequence[str]) -> list[int]:
        """Number the labels as they come."""
        seen = list(dict.fromkeys(labels))
        return [seen.index(label) for label in labels]


class PaddingUnmasked(BertPipeline):
    """The batch decides how much padding the model attends to (huggingface/transformers#278)."""

    def encode(self, texts: Sequence[str]) -> dict[str, tf.Tensor]:
        """Leave out the mask, for which the model then takes ones."""
        return {"input_ids": super().encode(texts)["input_ids"]}


class WeightsByRank(BertPipeline):
    """The weights stand in the order of frequency, and are read by id."""

    def weights_of(self, ids: Sequence[int]) -> list[float]:
        """Weigh by the inverse of the counts."""
        ranked = Counter(ids).most_common()
        weights = [len(ids) / (len(ranked) * number) for _, number in ranked]
        return [weights[id_] for id_ in ids]


def weighted_f1(y_true: Any, y_pred: Any) -> float:
    """Weigh the labels by their mails, and so the commonest most."""
    return float(f1_score(y_true, y_pred, average="weighted", zero_division=0))


def accuracy(y_true: Any, y_pred: Any) -> float:
    """Count mails, and so overlook that two rare labels are exchanged."""
    return float(accuracy_score(y_true, y_pred))
