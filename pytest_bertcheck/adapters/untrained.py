"""Untrained copies of models of transformers, for experiments with training."""

from __future__ import annotations

import copy
from typing import Any

from ..pipeline import NotPossible

__all__ = ["rate_for", "shallow"]

LAYERS = 2
"""Layers of a copy that is to learn a few rows by heart: more only learn later, and cost more."""

WIDTH = 256
"""Hidden size up to which an untrained copy learns at the reference rate of shallow models."""


def shallow(config: Any) -> Any:
    """Return the config of a model that is alike in all but that it has no more than two layers.

    Raises
    ------
    NotPossible
        If the number of layers is not a setting of its own.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> vars(shallow(SimpleNamespace(num_hidden_layers=3, layer_types=["a", "b", "c"])))
    {'num_hidden_layers': 2, 'layer_types': ['a', 'b']}
    """
    layers = getattr(config, "num_hidden_layers", 0)
    fewer = copy.deepcopy(config)
    if layers <= LAYERS:
        return fewer
    try:
        fewer.num_hidden_layers = LAYERS
    except (AttributeError, NotImplementedError) as error:
        raise NotPossible(f"no copy of {LAYERS} layers can be made of the model") from error
    for name, value in vars(fewer).items():
        if isinstance(value, list) and len(value) == layers:  # one item a layer
            setattr(fewer, name, value[:LAYERS])
    return fewer


def rate_for(config: Any, learning_rate: float) -> float:
    """Return the rate at which a model learns that is wider than those whose rate is given.

    What works at one width works at another in inverse proportion to it: at 1e-3 a BERT of two
    layers and 768 units learns nothing by heart, at 3e-4 it needs 15 steps.

    Source: Yang et al. (2022), Tensor Programs V, on Adam and matrices of weights.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> rate_for(SimpleNamespace(hidden_size=1024), 1e-3)
    0.00025
    """
    return learning_rate * min(1.0, WIDTH / getattr(config, "hidden_size", WIDTH))
