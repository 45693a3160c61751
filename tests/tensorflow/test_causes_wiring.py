"""Wiring faults as they arise in real TensorFlow code, each beside the healthy form that passes."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_bertcheck import (
    assert_accuracy_as_reported,
    assert_attention_mask_valid,
    assert_batch_invariant,
    assert_learning_rate_schedule,
    assert_loss_matches_outputs,
    assert_overfits_small_batch,
    assert_padding_invariant,
    assert_vocabulary_matches,
    assert_weights_updated,
)
from tests.mails import texts_and_labels

Y_TRUE = np.random.default_rng(0).integers(0, 3, 60)
LOGITS = np.random.default_rng(1).normal(size=(60, 3)).astype(np.float32) + 2 * np.eye(3)[Y_TRUE]
LOGITS = LOGITS.astype(np.float32)


@pytest.fixture(scope="module")
def model(model_folder):
    """The trained tiny BERT."""
    from transformers import TFBertForSequenceClassification

    return TFBertForSequenceClassification.from_pretrained(model_folder)


def outputs(model, **inputs):
    return model(inputs, training=False).logits.numpy()


def test_attention_mask_dropped(tokenizer) -> None:
    """Without its mask a real BERT changes its outputs with padding; with it, it does not."""
    from transformers import BertConfig, TFBertForSequenceClassification

    config = BertConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2,
                        num_attention_heads=2, intermediate_size=64, initializer_range=0.5,
                        max_position_embeddings=16)  # fmt: skip
    model = TFBertForSequenceClassification(config)
    texts, _ = texts_and_labels(40, seed=11)
    short = dict(tokenizer(texts, padding=True, return_tensors="np"))
    long = dict(tokenizer(texts, padding="max_length", max_length=16, return_tensors="np"))
    logits = outputs(model, **short)
    alone = [outputs(model, **tokenizer([text], return_tensors="np")) for text in texts]
    assert_padding_invariant(logits, outputs(model, **long), repeated_logits=logits)
    assert_batch_invariant(logits, np.concatenate(alone))
    bare = outputs(model, input_ids=short["input_ids"])
    wider = outputs(model, input_ids=long["input_ids"])
    with pytest.raises(AssertionError, match="attention-mask-ignored"):
        assert_padding_invariant(bare, wider, repeated_logits=bare)


def test_mask_and_segments_exchanged(tokenizer) -> None:
    """The tokenizer's token_type_ids in the mask's place are seen, for single texts and pairs."""
    texts, _ = texts_and_labels(20, seed=12)
    for encoding in (
        tokenizer(texts, padding=True),
        tokenizer(texts, texts[::-1], padding=True, truncation=True),
    ):
        own = {"input_ids": encoding["input_ids"], "pad_token_id": tokenizer.pad_token_id}
        assert_attention_mask_valid(encoding["attention_mask"], **own)
        with pytest.raises(AssertionError, match="as by token_type_ids"):
            assert_attention_mask_valid(encoding["token_type_ids"], **own)


def test_tokenizer_of_another_model(model, tokenizer, tmp_path) -> None:
    """Another vocabulary, another padding id and cased text are found; the model's own passes."""
    from transformers import BertTokenizerFast

    texts, _ = texts_and_labels(30, seed=13)
    assert_vocabulary_matches(tokenizer, model, texts)
    words = [f"other{number}" for number in range(90)]
    known = sorted({word for text in texts for word in text.split()})
    file = tmp_path / "vocab.txt"
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    file.write_text("\n".join([*special, *words, *known]))
    larger = BertTokenizerFast(str(file), model_max_length=16)
    with pytest.raises(AssertionError, match="outside the"):
        assert_vocabulary_matches(larger, model, texts)
    file.write_text("\n".join([*special[1:], "[PAD]", *known]))
    padded = BertTokenizerFast(str(file), model_max_length=16)
    with pytest.raises(AssertionError, match="padded with the id 4"):
        assert_vocabulary_matches(padded, model, texts)
    file.write_text("\n".join([*special, *known]))
    cased = BertTokenizerFast(str(file), model_max_length=16, do_lower_case=False)
    with pytest.raises(AssertionError, match="words are unknown for their capitals"):
        assert_vocabulary_matches(cased, texts=[text.title() for text in texts])


def losses():
    """Wrong losses by what a user writes, with outputs and the words of the message."""
    import tensorflow as tf

    keras = tf.keras.losses
    sparse, softmax = keras.sparse_categorical_crossentropy, tf.nn.softmax(LOGITS).numpy()
    eager_identity = tf.constant(LOGITS)
    one_hot = tf.one_hot(Y_TRUE, 3)
    return {
        "softmax head": (sparse(Y_TRUE, softmax, from_logits=True), softmax, "for logits"),
        "sparse": (sparse(Y_TRUE, eager_identity), LOGITS, "taken for probabilities"),
        "one-hot": (
            keras.categorical_crossentropy(one_hot, eager_identity), LOGITS,
            "taken for probabilities"),
        "mse": (keras.mean_squared_error(Y_TRUE[:, None], LOGITS), LOGITS, "error to the ids"),
        "mse one-hot": (keras.mean_squared_error(one_hot, LOGITS), LOGITS, "error to one-hot"),
        "binary": (
            keras.binary_crossentropy(one_hot, LOGITS, from_logits=True), LOGITS,
            "binary cross-entropy to one-hot"),
        "binary of logits": (
            keras.binary_crossentropy(one_hot, LOGITS), LOGITS,
            "binary cross-entropy, logits as probabilities"),
        "one unit": (
            tf.nn.sparse_softmax_cross_entropy_with_logits(np.zeros(60, int), LOGITS[:, :1]),
            LOGITS[:, :1], "one unit"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["softmax head", "sparse", "one-hot", "mse", "mse one-hot", "binary", "binary of logits",
     "one unit"],
)  # fmt: skip
def test_losses_as_keras_computes_them(name) -> None:
    """Each wrong loss, computed by Keras itself, is named; the right one passes."""
    import tensorflow as tf

    loss, given, words = losses()[name]
    y_true = Y_TRUE if given.shape[1] > 1 else (Y_TRUE > 0).astype(int)
    with pytest.raises(AssertionError, match=words):
        assert_loss_matches_outputs(float(tf.reduce_mean(loss)), given, y_true=y_true)
    right = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)(Y_TRUE, LOGITS)
    assert_loss_matches_outputs(float(right), LOGITS, y_true=Y_TRUE)


def test_accuracy_metric_of_another_kind() -> None:
    """Keras' binary accuracy over three columns is not the accuracy; the sparse one is."""
    import tensorflow as tf

    right = tf.keras.metrics.sparse_categorical_accuracy(Y_TRUE, LOGITS)
    assert_accuracy_as_reported(float(tf.reduce_mean(right)), LOGITS, y_true=Y_TRUE)
    binary = tf.keras.metrics.BinaryAccuracy()(tf.one_hot(Y_TRUE, 3), LOGITS)
    with pytest.raises(AssertionError, match="metric-misreported"):
        assert_accuracy_as_reported(float(binary), LOGITS, y_true=Y_TRUE)


def test_warm_up_and_total_steps_exchanged() -> None:
    """create_optimizer with its steps exchanged never reaches its peak; as meant, it passes."""
    from transformers import create_optimizer

    def rates(train, warm_up):
        _, schedule = create_optimizer(2e-5, num_train_steps=train, num_warmup_steps=warm_up)
        return [float(schedule(step)) for step in range(100)]

    assert_learning_rate_schedule(rates(100, 10), peak=2e-5)
    with pytest.raises(AssertionError, match=r"never gets beyond|negative|rises"):
        assert_learning_rate_schedule(rates(100, 1000), peak=2e-5, strict=True)


def train(*, apply=True, freeze_head=False, freeze_encoder=False, twice=False):
    """Overfit 16 rows with a small network; return the losses and the change of both parts."""
    import tensorflow as tf

    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(16, 8)).astype(np.float32)
    labels = np.resize([0, 1], 16)
    encoder = tf.keras.layers.Dense(32, activation="tanh", trainable=not freeze_encoder)
    head = tf.keras.layers.Dense(2, trainable=not freeze_head)
    network = tf.keras.Sequential([encoder, head])
    network.build((None, 8))
    before = [layer.get_weights()[0] for layer in (encoder, head)]
    optimizer = tf.keras.optimizers.legacy.Adam(0.03)
    loss_of = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    history = []
    for _ in range(80):
        with tf.GradientTape() as tape:
            logits = network(inputs)
            loss = loss_of(labels, tf.nn.softmax(logits) if twice else logits)
        history.append(float(loss))
        weights = network.trainable_variables
        if apply:
            gradients = tape.gradient(loss, weights)
            optimizer.apply_gradients(zip(gradients, weights, strict=True))
    after = [layer.get_weights()[0] for layer in (encoder, head)]
    updates = [
        np.linalg.norm(new - old) / np.linalg.norm(old)
        for new, old in zip(after, before, strict=True)
    ]
    return history, {"encoder_update": updates[0], "head_update": updates[1]}


def test_gradients_that_are_never_applied() -> None:
    """Without apply_gradients nothing moves nor is learnt; with it, both assertions pass."""
    history, updates = train()
    assert_weights_updated(**updates)
    assert_overfits_small_batch(history, num_labels=2)
    history, updates = train(apply=False)
    with pytest.raises(AssertionError, match="weights-not-updated"):
        assert_weights_updated(**updates)
    with pytest.raises(AssertionError, match="cause: weights-not-updated"):
        assert_overfits_small_batch(history, num_labels=2)


def test_frozen_head_fails_and_frozen_encoder_passes() -> None:
    """A head that is not trainable fails; a linear probe on a frozen encoder is legitimate."""
    assert_weights_updated(**train(freeze_encoder=True)[1])
    with pytest.raises(AssertionError, match="weights not updated"):
        assert_weights_updated(**train(freeze_head=True)[1])


def test_softmax_twice_cannot_overfit() -> None:
    """A real training through two softmaxes stops above its floor, ln(1 + 1/e)."""
    with pytest.raises(AssertionError, match="cause: loss-misconfigured"):
        assert_overfits_small_batch(train(twice=True)[0], num_labels=2)
