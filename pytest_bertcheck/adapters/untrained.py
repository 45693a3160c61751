"""Untrained copies of models of transformers, for experiments with training."""

from __future__ import annotations

import copy
from typing import Any

__all__ = ["rate_for", "shallow"]

LAYERS = 2
"""Layers of a copy that is to learn a few rows by heart: more only learn later, and cost more."""

DEPTHS = ("num_hidden_layers", "decoder_layers", "num_decoder_layers")
"""What the numbers of layers are called; the first is an alias in all configurations."""

WIDTH, DEEP = 256, 4
"""Hidden size and layers up to which an untrained model learns at the rate of shallow ones."""


def shallow(config: Any) -> Any:
    """Return the config of a model that is alike in all but that it has no more than two layers.

    One that does not let its layers be fewer comes back as it is.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> vars(shallow(SimpleNamespace(num_hidden_layers=3, layer_types=["a", "b", "c"])))
    {'num_hidden_layers': 2, 'layer_types': ['a', 'b']}
    """
    fewer = copy.deepcopy(config)
    layers = getattr(config, DEPTHS[0], None) or 0
    try:
        for name in DEPTHS:
            if (getattr(config, name, None) or 0) > LAYERS:
                setattr(fewer, name, LAYERS)
    except (AttributeError, NotImplementedError):
        return copy.deepcopy(config)
    for name, value in vars(fewer).items():
        if isinstance(value, list) and len(value) == layers > LAYERS:  # one item a layer
            setattr(fewer, name, value[:LAYERS])
    return fewer


def rate_for(config: Any, learning_rate: float) -> float:
    """Return the rate at which a model learns that is wider or deeper than those of the rate given.

    What works at one width works at another in inverse proportion to it: at 1e-3 a BERT of two
    layers and 768 units learns nothing by heart, at 3e-4 it needs 15 steps. One of more than four
    layers takes a tenth.

    Source: Yang et al. (2022), Tensor Programs V, on Adam and matrices of weights.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> rate_for(SimpleNamespace(hidden_size=1024), 1e-3)
    0.00025
    """
    if (getattr(config, DEPTHS[0], None) or 0) > DEEP:
        learning_rate /= 10
    return learning_rate * min(1.0, WIDTH / (getattr(config, "hidden_size", None) or WIDTH))
