"""The desks and the priorities of the mailroom, and what the pipelines do with labels."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

DESKS = sorted({"billing", "complaints", "delivery", "returns", "technical"})
PRIORITIES = ["1", "2", "10"]  # in the order of urgency


def encode(labels: Sequence[str]) -> list[int]:
    """Desks to ids."""
    return [DESKS.index(label) for label in labels]


def decode(ids: Sequence[int]) -> list[str]:
    """Ids to desks."""
    return [DESKS[id_] for id_ in ids]


def encode_priorities(labels: Sequence[str]) -> list[int]:
    """Priorities to ids."""
    return [PRIORITIES.index(label) for label in labels]


def decode_priorities(ids: Sequence[int]) -> list[str]:
    """Ids to priorities."""
    return [PRIORITIES[id_] for id_ in ids]


def class_weights(labels: Sequence[Any]) -> dict[Any, float]:
    """Weights with which every label counts alike, however rare."""
    counts = Counter(labels)
    return {label: len(labels) / (len(counts) * number) for label, number in counts.items()}


def batches(rows: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """All rows in their order, at most `size` at a time."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def saved_and_loaded(id2label: Mapping[int, str]) -> dict[int, str]:
    """The names by id, once through the JSON file that is kept with a model."""
    return {int(id_): name for id_, name in json.loads(json.dumps(id2label)).items()}
