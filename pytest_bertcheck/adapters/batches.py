"""What models of all frameworks share: batches, and by how much a step moved the weights."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..evidence import outputs_to_array
from ..progress import progress

__all__ = ["BATCH_SIZE", "Forward", "copied", "in_batches", "relative_change"]

BATCH_SIZE = 32


class Forward(NamedTuple):
    """How to call a model.

    Attributes
    ----------
    outputs_of
        Takes a batch of inputs.
    size
        Texts in a batch at most.
    tokens
        Tokens in a batch, padding among them, if so many make fewer texts; only of inputs that
        have ``input_ids``.
    at_once
        Batches at the same time.
    """

    outputs_of: Callable[[Any], Any]
    size: int = BATCH_SIZE
    tokens: int | None = None
    at_once: int = 1


def in_batches(
    forward: Forward | Callable[[Any], Any],
    texts: Sequence[str],
    inputs_of: Callable[[list[str]], Any] = list,
) -> npt.NDArray[Any]:
    """Return outputs in the order of the texts, computed in batches of texts of like length.

    Sorted by length, a batch holds little padding; a text's place in the result is its own. What
    takes more than two seconds shows a bar on a terminal. Batches that are computed at the same
    time are so in threads; ``inputs_of`` is always called in this one.

    Examples
    --------
    >>> in_batches(lambda texts: [[len(text)] for text in texts], ["ccc", "a", "bb"]).tolist()
    [[3], [1], [2]]
    """
    forward = forward if isinstance(forward, Forward) else Forward(forward)
    order = np.argsort([len(text) for text in texts], kind="stable")
    with progress(len(texts), unit="text") as advance:
        inputs = _inputs([texts[row] for row in order], forward, inputs_of, advance)
        found = [outputs_to_array(outputs) for outputs in _ahead(forward, inputs)]
    outputs = np.concatenate(found)
    if len(outputs) != len(texts):
        raise ValueError(
            f"predict: expected outputs for {len(texts)} texts, got {outputs.shape} (logits)"
        )
    in_order = np.empty_like(outputs)
    in_order[order] = outputs
    return in_order


def _inputs(
    texts: Sequence[str],
    forward: Forward,
    inputs_of: Callable[[list[str]], Any],
    advance: Callable[[int], Any],
) -> Iterator[Any]:
    """Yield the inputs of each batch of texts that are sorted by length."""
    start, size = 0, forward.size
    while start < len(texts):
        batch = list(texts[start : start + size])
        inputs = inputs_of(batch)
        yield inputs
        advance(len(batch))
        start += size
        if forward.tokens is not None:  # the next texts are hardly longer than these
            size = min(forward.size, max(1, forward.tokens // max(1, inputs["input_ids"].shape[1])))


def _ahead(forward: Forward, inputs: Iterable[Any]) -> Iterator[Any]:
    """Yield the outputs of each batch in order, with no more than ``at_once`` begun."""
    if forward.at_once == 1:
        yield from map(forward.outputs_of, inputs)
        return
    pool = ThreadPoolExecutor(forward.at_once)
    begun: deque[Future[Any]] = deque()
    try:
        for batch in inputs:
            if len(begun) == forward.at_once:
                yield begun.popleft().result()
            begun.append(pool.submit(forward.outputs_of, batch))
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # whoever gave up waits no longer


def copied(weights: Mapping[str, Sequence[Any]]) -> dict[str, list[npt.NDArray[Any]]]:
    """Return arrays of groups of weights, arrays or tensors, that later steps do not change."""
    return {group: [np.array(weight) for weight in these] for group, these in weights.items()}


def relative_change(
    before: Mapping[str, Sequence[npt.NDArray[Any]]], after: Mapping[str, Sequence[Any]]
) -> dict[str, float]:
    """Return ``norm(after - before) / norm(before)`` of each group of weights that has any.

    What came after may be tensors: they are read one after another.

    Examples
    --------
    >>> relative_change({"head": [np.array([3.0, 4.0])]}, {"head": [np.array([3.0, 4.5])]})
    {'head_update': 0.1}
    """
    updates = {}
    for group, weights in before.items():
        if not weights:
            continue
        norm = change = 0.0
        for old, weight in zip(weights, after[group], strict=True):
            norm += _sum_of_squares(old)
            change += _sum_of_squares(np.asarray(weight) - old)
        with np.errstate(divide="ignore", invalid="ignore"):
            updates[f"{group}_update"] = float(np.sqrt(np.divide(change, norm))) if change else 0.0
    return updates


def _sum_of_squares(weights: npt.NDArray[Any]) -> float:
    return float(np.square(weights, dtype=np.float64).sum())
