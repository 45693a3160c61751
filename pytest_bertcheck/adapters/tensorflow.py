"""TensorFlow models of transformers 4.x."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..content import content_hash
from ..pipeline import FitStep, NotPossible
from .batches import Forward, copied, relative_change
from .fingerprints import reject_own_code
from .keras import optimizer_content, same_optimizer, training_content
from .untrained import rate_for, shallow

__all__ = [
    "LAYERS",
    "REGISTRY",
    "WEIGHTS",
    "content_of",
    "embedding_rows",
    "forward_of",
    "load",
    "optimizer_content",
    "precision",
    "reject_own_code_in",
    "start_training",
]

LAYERS = "tf_keras.src."
"""How the modules begin that define the layers of Keras."""

REGISTRY = ("modeling_tf_auto", "TF_MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING")
"""Where transformers keeps which class a configuration stands for."""

WEIGHTS = (
    "tf_model.h5",
    "tf_model.h5.index.json",
    "model.safetensors",
    "model.safetensors.index.json",
)
"""Files one of which a saved model has."""

Inputs = Mapping[str, Any]

GRAPH_ON_CPU = {"size": 16, "tokens": 1024, "at_once": 2}
"""Batches of a graph on a CPU: larger ones are slower, and take more memory; of two at the same
time one fills the gaps that the other leaves."""


def load(folder: Path) -> tuple[Any, dict[str, Any]]:
    """Return the saved model and what loading says of its weights.

    Raises
    ------
    ImportError
        If TensorFlow, tf-keras or the models of transformers for them are missing.
    OSError, ValueError
        If the folder holds no such model.
    """
    import transformers

    try:
        import tensorflow  # noqa: F401  # named in the message if it is what is missing

        auto = transformers.TFAutoModelForSequenceClassification
    except (ImportError, AttributeError, RuntimeError) as error:
        raise ImportError(
            "a TensorFlow model of transformers needs TensorFlow, tf-keras and transformers 4.x: "
            f"pip install 'pytest-bertcheck[tensorflow]' ({error})"
        ) from error
    try:
        model, info = auto.from_pretrained(folder, output_loading_info=True, local_files_only=True)
    except TypeError as error:
        if "safe_open" not in str(error):
            raise
        # transformers 4.55 to 4.57 cannot read safetensors that PyTorch wrote.
        model, info = _load_pytorch_safetensors(folder)
    return model, info


def _load_pytorch_safetensors(folder: Path) -> tuple[Any, dict[str, Any]]:
    import safetensors.numpy
    import transformers
    from transformers.modeling_tf_pytorch_utils import load_pytorch_state_dict_in_tf2_model

    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    model = transformers.TFAutoModelForSequenceClassification.from_config(config)
    weights = safetensors.numpy.load_file(str(folder / "model.safetensors"))
    model, info = load_pytorch_state_dict_in_tf2_model(
        model, weights, allow_missing_keys=True, output_loading_info=True
    )
    return model, info


def embedding_rows(model: Any) -> int:
    """Return the number of token ids that the model has an embedding for."""
    return int(model.config.vocab_size)


def content_of(model: Any, optimizer: Any) -> list[Any]:
    """Return what the answers of the model and its training depend on.

    Raises
    ------
    NotPossible
        If some of it is code that is none of a known library.
    """
    import tf_keras

    reject_own_code_in(model)
    return [
        type(model).__qualname__,
        str(model.compute_dtype),
        # Their names are numbered by how many models there were before.
        [[content_hash(weight.numpy()), bool(weight.trainable)] for weight in model.weights],
        [bool(layer.trainable) for layer in model.layers],
        optimizer_content(optimizer),
        training_content(tf_keras, model),
    ]


def precision() -> str:
    """Return in which precision a model is loaded that says nothing of it."""
    tf_keras = sys.modules.get("tf_keras")
    if tf_keras is not None:
        return str(tf_keras.mixed_precision.global_policy().name)
    folder = Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    try:  # which it reads when it is imported
        return str(json.loads((folder / "keras.json").read_text(encoding="utf-8"))["floatx"])
    except (KeyError, OSError, TypeError, ValueError):
        return "float32"


def reject_own_code_in(model: Any) -> None:
    """Raise ``NotPossible`` if a layer of the model, or its call, is none of a known library."""
    for module in (model, *model.submodules):
        calls = (vars(module).get("call"), getattr(type(module), "call", None))
        reject_own_code(type(module), *filter(None, calls))


def forward_of(model: Any) -> Callable[[Inputs], Forward]:
    """Return how the model is called at inference, given inputs such as it is to get.

    As a graph, if it is code of known libraries: that is a fifth faster than the model called as it
    is, and holds a third less memory. Code of the team's own is called as it is, in the thread of
    the caller: a graph would keep what Python did once.
    """
    import tensorflow as tf

    made: dict[Any, Forward] = {}

    def as_it_is(inputs: Inputs) -> Any:
        return model(_tensors(inputs), training=False)

    def make(inputs: Inputs) -> Forward:
        @tf.function(autograph=False)  # type: ignore[untyped-decorator]
        def graph(inputs: Any) -> Any:
            outputs = model(inputs, training=False)
            return getattr(outputs, "logits", outputs)

        of_any_size = {
            name: tf.TensorSpec([None] * tensor.ndim, tensor.dtype)
            for name, tensor in _tensors(inputs).items()
        }
        try:
            reject_own_code_in(model)
            call = graph.get_concrete_function(of_any_size)
        except (NotPossible, TypeError, ValueError):  # a tensor in an if is a TypeError
            return Forward(as_it_is)
        shape = {} if tf.config.list_logical_devices("GPU") else GRAPH_ON_CPU
        return Forward(lambda inputs: call(_tensors(inputs)), **shape)

    def forward(inputs: Inputs) -> Forward:
        # A graph knows new weights, but neither another head nor another way to call the model.
        now = (*inputs, vars(model).get("call"), *model.layers)
        if now not in made:
            made.clear()
            made[now] = make(inputs)
        return made[now]

    return forward


def _tensors(inputs: Inputs) -> dict[str, Any]:
    import tensorflow as tf

    return {name: tf.constant(array) for name, array in inputs.items()}


def start_training(
    model: Any, inputs_of: Callable[[Sequence[str]], Inputs], optimizer: Any
) -> Callable[[float | None], FitStep]:
    """Return how to train an untrained copy of the model; by default as it was compiled."""
    optimizer = optimizer or getattr(model, "optimizer", None)

    def start(learning_rate: float | None) -> FitStep:
        import tensorflow as tf
        import tf_keras

        if learning_rate is None and optimizer is None:
            raise NotPossible("no optimizer is known: give optimizer or compile the model")
        config = shallow(model.config)
        fresh = type(model)(config)
        fresh.build_in_name_scope()
        if learning_rate is None:
            own = same_optimizer(tf_keras, optimizer)
            for layer, original in zip(fresh.layers, model.layers, strict=True):
                layer.trainable = original.trainable
        else:
            own = tf_keras.optimizers.Adam(rate_for(config, learning_rate), clipnorm=1.0)
        # Random embeddings tell words apart as well as learnt ones, and are most of the weights.
        fresh.get_input_embeddings().trainable = False
        # Each look costs a copy.
        before = copied(_weights(fresh)) if learning_rate is None else {}

        def step(inputs: Any, labels: Any) -> Any:
            with tf.GradientTape() as tape:
                # Dropout only makes learning by heart slower, and draws random numbers.
                logits = fresh(inputs, training=False).logits
                loss = tf.reduce_mean(_loss_of(model, fresh, tf_keras)(labels, logits))
            weights = fresh.trainable_weights
            pairs = zip(tape.gradient(loss, weights), weights, strict=True)
            own.apply_gradients([(g, w) for g, w in pairs if g is not None])
            return loss

        if hasattr(own, "build"):
            own.build(fresh.trainable_weights)
        if learning_rate is not None:  # a single step is over before its graph is made
            step = tf.function(step, autograph=False)

        def fit_step(texts: Sequence[str], y_true: Any) -> dict[str, float]:
            loss = step(_tensors(inputs_of(texts)), tf.constant(y_true))
            moved = relative_change(before, _weights(fresh)) if before else {}
            return {"loss": float(loss), **moved}

        return fit_step

    return start


def _loss_of(model: Any, fresh: Any, tf_keras: Any) -> Any:
    """Return the loss with which the model was compiled, or that which it brings along."""
    given = getattr(model, "loss", None)
    if given is None or getattr(model, "_using_dummy_loss", False):
        return fresh.hf_compute_loss
    return tf_keras.losses.get(given)


def _weights(model: Any) -> dict[str, list[Any]]:
    """Return the weights of encoder and head, but not the input embeddings."""
    embeddings = {id(weight) for weight in model.get_input_embeddings().weights}
    encoder = f"/{model.base_model_prefix}/"
    groups: dict[str, list[Any]] = {"encoder": [], "head": []}
    for weight in model.weights:
        if id(weight) not in embeddings:
            groups["encoder" if encoder in f"/{weight.name}" else "head"].append(weight)
    return groups
