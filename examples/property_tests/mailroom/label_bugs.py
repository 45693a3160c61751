"""What was first done with labels, most bugs seen in real projects.

Where a real project had it, its repository and issue are named.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

# A set has another order in every process (dmvr#6).
DESKS = list({"billing", "complaints", "delivery", "returns", "technical"})


def encode(labels: Sequence[str]) -> list[int]:
    """Desks to ids."""
    return [DESKS.index(label) for label in labels]


def decode(ids: Sequence[int]) -> list[str]:
    """Ids to desks."""
    return [DESKS[id_] for id_ in ids]


# Ids by urgency, names in the order of strings: "10" < "2" (openml/automlbenchmark#212).
PRIORITIES = sorted(["1", "2", "10"])


def decode_priorities(ids: Sequence[int]) -> list[str]:
    """Ids to priorities."""
    return [PRIORITIES[id_] for id_ in ids]


def class_weights(labels: Sequence[Any]) -> dict[Any, float]:
    """Give each label its share of the mails."""
    return {label: number / len(labels) for label, number in Counter(labels).items()}


def batches(rows: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Leave out what does not fill a batch, as `drop_remainder=True` does."""
    for start in range(0, len(rows) - size + 1, size):
        yield rows[start : start + size]
