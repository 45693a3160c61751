"""The global random states of Python, NumPy and whatever framework is loaded, put back after."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

__all__ = ["unchanged_random_state"]


@contextlib.contextmanager
def unchanged_random_state() -> Iterator[None]:
    """Put the global random states back on leaving; nothing is seeded.

    Examples
    --------
    >>> with unchanged_random_state():
    ...     inside = random.random()
    >>> inside == random.random()
    True
    """
    restore = [_python(), _numpy(), *(state() for name, state in _LOADED if name in sys.modules)]
    try:
        yield
    finally:
        for put_back in restore:
            put_back()


def _python() -> Callable[[], object]:
    state = random.getstate()
    return lambda: random.setstate(state)


def _numpy() -> Callable[[], object]:
    state = np.random.get_state()
    return lambda: np.random.set_state(state)


def _torch() -> Callable[[], object]:
    torch = sys.modules["torch"]
    state = torch.get_rng_state()
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None

    def put_back() -> None:
        torch.set_rng_state(state)
        if devices is not None:
            torch.cuda.set_rng_state_all(devices)

    return put_back


def _tensorflow() -> Callable[[], object]:
    """Put back what follows from ``tf.random.set_seed``, and the generator of new code.

    The first has no public way to be read: operations draw their seeds from a ``random.Random``
    in the context.
    """
    context = sys.modules["tensorflow.python.eager.context"].context()
    operations: Any = getattr(context, "_rng", None)
    state = operations.getstate() if operations is not None else None
    generator = sys.modules["tensorflow"].random.get_global_generator()
    counter = generator.state.numpy()

    def put_back() -> None:
        if operations is not None:
            operations.setstate(state)
        generator.state.assign(counter)

    return put_back


def _keras() -> Callable[[], object]:
    """Put back the generator from which Keras 3 draws where no seed is given."""
    states = sys.modules["keras.src.backend.common.global_state"]
    generator: Any = states.get_global_attribute("global_seed_generator")
    state = None if generator is None else np.asarray(generator.state).copy()

    def put_back() -> None:
        if generator is None:
            states.set_global_attribute("global_seed_generator", None)
        else:
            generator.state.assign(state)

    return put_back


def _tf_keras() -> Callable[[], object]:
    """Put back the generator of ``tf_keras.utils.set_random_seed``."""
    seeds = sys.modules["tf_keras.src.backend"]._SEED_GENERATOR
    generator = getattr(seeds, "generator", None)
    if generator is None:
        return lambda: None
    state = generator.getstate()
    return lambda: generator.setstate(state)


_LOADED: tuple[tuple[str, Callable[[], Callable[[], object]]], ...] = (
    ("torch", _torch),
    ("tensorflow.python.eager.context", _tensorflow),
    ("keras.src.backend.common.global_state", _keras),
    ("tf_keras.src.backend", _tf_keras),
)
