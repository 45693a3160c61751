"""Models of Keras 3 and of tf-keras, with or without a text vectorizer."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from ..assertions import history_fields
from ..content import content_hash
from ..pipeline import FitStep, NotPossible
from .batches import in_batches, relative_change
from .fingerprints import config_of, reject_own_code, with_fingerprint

__all__ = ["optimizer_content", "parts_of", "same_optimizer", "training_content"]

FURTHER = 8
"""Padding ids by which inputs are padded further."""

PAD, UNKNOWN = 0, 1
"""What ``TextVectorization`` and the ``Embedding(mask_zero=True)`` of Keras take these ids for."""


def parts_of(
    model: Any, vectorizer: Any = None, history: Any = None, **parts: Any
) -> dict[str, Any]:
    """Return the parts of a pipeline that the model and its vectorizer tell by themselves."""
    keras = _keras_of(model)
    separate = vectorizer is not None
    layer = vectorizer if separate else _vectorizer_in(model)
    if layer is not None and not _is_vectorizer(layer):
        layer = None
    inputs_of = _vectorized(vectorizer) if separate else _strings_for(model)

    def outputs_of(inputs: Any) -> Any:
        return np.asarray(model(inputs, training=False))

    recorded = history_fields(history) if history is not None else {}
    recorded |= {**_recorded_by(keras, model), **(parts.pop("recorded", None) or {})}
    own: dict[str, Any] = {
        "predict": lambda texts: in_batches(lambda batch: outputs_of(inputs_of(batch)), texts),
        "recorded": recorded,
    }
    config = {} if layer is None else layer.get_config()
    if config.get("output_mode") == "int":
        own["encode"] = _encode(layer, config)
        # Words that a small vocabulary has not got are nothing to wonder at.
        recorded.setdefault("tokenizer_size", layer.vocabulary_size())
        own["max_length"] = config["output_sequence_length"]
        if separate and config["output_sequence_length"] is None:
            # With a fixed length nobody pads further, and a model may count on that.
            own["predict_padded"] = lambda texts: in_batches(
                lambda batch: outputs_of(_padded(inputs_of(batch))), texts
            )
    if getattr(model, "optimizer", None) is not None:
        own["start_training"] = _start_training(keras, model, inputs_of)
    return with_fingerprint(own, parts, lambda: _content(keras, model, vectorizer))


def _content(keras: ModuleType, model: Any, vectorizer: Any) -> list[Any]:
    """Return what the answers of a model and its vectorizer depend on.

    Raises
    ------
    NotPossible
        If some of it is code that is none of Keras.
    """
    if vectorizer is not None and not _is_vectorizer(vectorizer):
        raise NotPossible("the vectorizer is code of your own")
    try:
        config = json.loads(model.to_json())
    except (NotImplementedError, TypeError, ValueError):
        raise NotPossible(f"{type(model).__name__} is code of your own") from None
    layers = (
        [model, *_layers_in(model)]
        if vectorizer is None
        else [model, *_layers_in(model), vectorizer]
    )
    for layer in layers:
        reject_own_code(type(layer), type(layer).call, *filter(None, [vars(layer).get("call")]))
        if layer.get_config().get("output_mode") == "tf_idf":
            raise NotPossible("nothing tells the weights of tf_idf")
    return [
        config_of(config),
        "" if vectorizer is None else config_of(vectorizer.get_config()),
        [layer.get_vocabulary() for layer in layers if hasattr(layer, "get_vocabulary")],
        [content_hash(np.asarray(weight)) for weight in model.weights],
        [bool(weight.trainable) for weight in model.weights],
        training_content(keras, model),
    ]


def training_content(keras: ModuleType, model: Any) -> list[str]:
    """Return what a step of training depends on, beside the model.

    Raises
    ------
    NotPossible
        If loss, optimizer or schedule are none of Keras.
    """
    loss = getattr(model, "loss", None)
    told = optimizer_content(getattr(model, "optimizer", None))
    if callable(loss):
        reject_own_code(loss)
        return (
            [*told, config_of(keras.losses.serialize(loss))]
            if hasattr(loss, "get_config")
            else [*told, loss.__qualname__]
        )
    return [*told, config_of(loss)]


def optimizer_content(optimizer: Any) -> list[str]:
    """Return what a step of the optimizer depends on.

    Raises
    ------
    NotPossible
        If it, or its schedule, is none of Keras.
    """
    if optimizer is None:
        return []
    reject_own_code(type(optimizer))
    return [type(optimizer).__qualname__, config_of(optimizer.get_config())]


def _layers_in(model: Any) -> list[Any]:
    """Return the layers of a model, those of models within included."""
    layers = []
    for layer in getattr(model, "layers", ()):
        layers += [layer, *_layers_in(layer)]
    return layers


def _keras_of(model: Any) -> ModuleType:
    """Return ``keras`` or ``tf_keras``, whichever the model is of."""
    for base in type(model).__mro__:
        root = base.__module__.partition(".")[0]
        if root in ("keras", "tf_keras") and base.__name__ == "Model":
            return importlib.import_module(root)
    raise TypeError(f"from_keras: expected a Keras model, got {type(model).__name__}")


def _is_vectorizer(layer: Any) -> bool:
    return any(base.__name__ == "TextVectorization" for base in type(layer).__mro__)


def _vectorizer_in(model: Any) -> Any:
    """Return the TextVectorization layer of a model or of a model within, if there is one."""
    for layer in getattr(model, "layers", ()):
        found = layer if _is_vectorizer(layer) else _vectorizer_in(layer)
        if found is not None:
            return found
    return None


def _strings_for(model: Any) -> Callable[[Sequence[str]], Any]:
    """Return how texts reach a model that takes texts: (n, 1) or (n,) strings."""
    shape = getattr(model, "input_shape", None)

    def inputs_of(texts: Sequence[str]) -> Any:
        import tensorflow as tf  # the one backend of Keras that has strings

        return tf.constant([[text] for text in texts] if shape and len(shape) == 2 else [*texts])

    return inputs_of


def _vectorized(vectorizer: Any) -> Callable[[Sequence[str]], Any]:
    if not _is_vectorizer(vectorizer):
        return lambda texts: vectorizer([*texts])

    def inputs_of(texts: Sequence[str]) -> Any:
        import tensorflow as tf

        return vectorizer(tf.constant([*texts]))

    return inputs_of


def _padded(inputs: Any) -> Any:
    return np.pad(np.asarray(inputs), ((0, 0), (0, FURTHER)), constant_values=PAD)


def _encode(layer: Any, config: dict[str, Any]) -> Callable[[Sequence[str]], dict[str, Any]]:
    """Return the ids as the layer gives them, and how many there would be without its limit."""
    unlimited = type(layer)(**{**config, "output_sequence_length": None, "name": None})
    unlimited.set_vocabulary(layer.get_vocabulary())

    def encode(texts: Sequence[str]) -> dict[str, Any]:
        ids = np.asarray(_vectorized(layer)(texts))
        mask = (ids != PAD).astype(int)
        kept = mask.sum(axis=1)
        whole = np.asarray(_vectorized(unlimited)(texts)) != PAD
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "token_counts": whole.sum(axis=1),
            "kept_token_counts": kept,
            "unknown_token_share": (ids == UNKNOWN).sum(axis=1) / np.maximum(kept, 1),
        }

    return encode


# Training


def _schedule_of(keras: ModuleType, optimizer: Any) -> Any:
    """Return the learning rate, a number, or the schedule: a function of the step."""
    rate = optimizer.get_config()["learning_rate"]
    if isinstance(rate, dict):
        return keras.optimizers.schedules.deserialize(rate)
    return rate if callable(rate) else float(rate)


def _course(schedule: Any, steps: int) -> list[float]:
    """Return the rates of a schedule over so many steps, a hundred of them at most."""
    at = np.unique(np.linspace(0, max(steps - 1, 0), 100).astype(int))
    return [float(schedule(int(step))) for step in at]


def _recorded_by(keras: ModuleType, model: Any) -> dict[str, Any]:
    """Return the steps that the optimizer took and the learning rates of its schedule."""
    optimizer = getattr(model, "optimizer", None)
    steps = 0 if optimizer is None else int(np.asarray(optimizer.iterations))
    if not steps:
        return {}
    schedule = _schedule_of(keras, optimizer)
    course = {"learning_rate": _course(schedule, steps)} if callable(schedule) else {}
    return {"train_steps": steps, **course}


def same_optimizer(keras: ModuleType, optimizer: Any) -> Any:
    """Return a new optimizer with the same options, at the highest rate that it came to.

    One that has not stepped yet is taken over the first thousand steps of its schedule.
    """
    schedule = _schedule_of(keras, optimizer)
    if callable(schedule):
        schedule = max(_course(schedule, int(np.asarray(optimizer.iterations)) or 1000))
    return type(optimizer).from_config({**optimizer.get_config(), "learning_rate": schedule})


def _start_training(
    keras: ModuleType, model: Any, inputs_of: Callable[[Sequence[str]], Any]
) -> Callable[[float | None], FitStep]:
    def start(learning_rate: float | None) -> FitStep:
        fresh = _fresh_copy(keras, model)
        if learning_rate is None:
            optimizer = same_optimizer(keras, model.optimizer)
        else:
            optimizer = keras.optimizers.Adam(learning_rate)
            fresh.trainable = True
        fresh.compile(optimizer=optimizer, loss=model.loss)
        before: dict[str, list[Any]] = {}

        def fit_step(texts: Sequence[str], y_true: Any) -> dict[str, float]:
            inputs = inputs_of(texts)
            if not before:
                fresh(inputs, training=False)  # builds what is not built yet
                before.update(_weights(fresh))
            told = fresh.train_on_batch(inputs, _targets(model, y_true))
            return {"loss": float(np.ravel(told)[0]), **relative_change(before, _weights(fresh))}

        return fit_step

    return start


def _fresh_copy(keras: ModuleType, model: Any) -> Any:
    """Return an untrained model of the same layers, with the vocabulary of the original."""
    loss = getattr(model.loss, "__name__", None)
    own = {} if loss is None else {loss: model.loss}  # a function that Keras would not find
    try:
        with keras.utils.custom_object_scope(own):
            fresh = keras.models.clone_model(model)
    except (NotImplementedError, TypeError, ValueError) as error:
        raise NotPossible(f"the model cannot be cloned: {error}") from error
    original, vectorizer = _vectorizer_in(model), _vectorizer_in(fresh)
    if vectorizer is not None:
        vectorizer.set_vocabulary(original.get_vocabulary())
    return fresh


def _targets(model: Any, y_true: Any) -> Any:
    """Return labels as the loss takes them: one-hot rows for those losses of Keras that do, or ids.

    A loss of the team's own gets ids, as labels are handed over.
    """
    ids, loss = np.asarray(y_true), model.loss
    width = int(model.output_shape[-1])
    if width == 1:
        return ids[:, None].astype(np.float32)
    name = getattr(loss, "name", None) or getattr(loss, "__name__", loss)
    where = loss if hasattr(loss, "__name__") else type(loss)
    own = where.__module__.partition(".")[0] not in ("builtins", "keras", "tf_keras")
    return ids if own or "sparse" in str(name) else np.eye(width, dtype=np.float32)[ids]


def _weights(model: Any) -> dict[str, list[Any]]:
    """Return the weights of the last layer that has any, and those of all others."""
    layers = [layer for layer in model.layers if layer.weights]
    groups: dict[str, list[Any]] = {"encoder": [], "head": []}
    for layer in layers:
        for array in layer.get_weights():
            if array.dtype.kind == "f":
                groups["head" if layer is layers[-1] else "encoder"].append(array)
    return groups
