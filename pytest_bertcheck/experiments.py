"""Small experiments on a team's own callables, of which probes and assertions are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from .evidence import outputs_to_array
from .fresh_process import FreshProcess, import_path, imported

__all__ = ["loaded_again", "one_at_a_time", "overfit", "reject_no_predict"]

Predict = Callable[[Sequence[str]], Any]

HASH_SEED = 7
"""``PYTHONHASHSEED`` of the process in which a pipeline is loaded again: not the default, 0."""

OVERFIT_STEPS = (150, 1000)
"""Steps after which a loss that rests has settled, and steps at most. One that can be learnt takes
20 to 100; the last are for shallow models, which are slow at this rate but quick to step."""


def one_at_a_time(outputs_of: Predict, texts: Sequence[str]) -> npt.NDArray[Any]:
    """Return the outputs of texts that are each alone in their batch, (n, C) float."""
    return np.concatenate([outputs_to_array(outputs_of([text])) for text in texts])


def loaded_again(load: Callable[[], Predict], timeout: float) -> Predict:
    """Return the ``predict`` of a pipeline that is loaded again.

    If another process can import ``load``, it is loaded in one, under another hash seed, once it is
    called; that raises ``RuntimeError`` if something raises there, and ``TimeoutError`` if there is
    no answer in ``timeout`` seconds.
    """
    path = import_path(load)
    return load() if path is None else partial(_outputs_elsewhere, path, timeout)


def reject_no_predict(predict: Any) -> None:
    """Raise if what ``load`` returned cannot be called.

    Raises
    ------
    TypeError
        If it is no callable.
    """
    if not callable(predict):
        raise TypeError(f"load: expected it to return predict, got {type(predict).__name__}")


def _outputs_elsewhere(load: str, timeout: float, texts: Sequence[str]) -> Any:
    there = import_path(_outputs_of_loaded)
    assert there is not None
    process = FreshProcess(HASH_SEED)
    try:
        return process.call(there, {"load": load, "texts": list(texts)}, timeout)
    finally:
        process.close()


def _outputs_of_loaded(question: Mapping[str, Any]) -> Any:
    """Load a pipeline by the import path of its ``load``; runs in the other process."""
    outputs = imported(question["load"])()(question["texts"])
    try:
        return outputs_to_array(outputs).tolist()
    except TypeError:  # labels, to be read by their names
        return outputs


def overfit(fit_step: Callable[[Sequence[str], Any], Any], batch: tuple[Any, Any]) -> list[float]:
    """Train on one batch until it is learnt by heart or more steps would tell nothing.

    Parameters
    ----------
    fit_step
        ``fit_step(texts, y_true)`` takes one optimizer step and returns the loss, or a mapping
        that has it.
    batch
        The texts, and their label ids.

    Returns
    -------
    list of float
        The loss at each step.
    """
    ignorance = float(np.log(max(2, len(np.unique(outputs_to_array(batch[1], "batch"))))))
    losses: list[float] = []
    while not _learnt_or_settled(losses, ignorance):
        told = fit_step(*batch)
        loss = outputs_to_array(told["loss"] if isinstance(told, Mapping) else told, "loss")
        losses.append(float(loss.item()))
    return losses


def _learnt_or_settled(losses: Sequence[float], ignorance: float) -> bool:
    """Whether more steps would tell ``overfits_small_batch`` nothing, by its notion of settled."""
    steps = len(losses)
    rests, most = OVERFIT_STEPS
    if steps >= most or (steps >= 6 and not losses[-1] >= 0.1 * ignorance):  # or is NaN
        return True
    if steps < rests:  # a loss may rest for a while before it falls
        return False
    third = steps // 3
    return bool(np.mean(losses[-2 * third : -third]) - np.mean(losses[-third:]) < 0.02 * ignorance)
