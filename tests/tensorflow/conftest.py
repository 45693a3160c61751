"""A tiny BERT, trained for seconds in the test session, and saved as a team would."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.mails import WORDS, texts_and_labels

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

pytest.importorskip("tensorflow", reason="needs the extra tensorflow")


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory):
    """A word piece tokenizer of those words."""
    from transformers import BertTokenizerFast

    vocabulary = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    return BertTokenizerFast(str(vocabulary), model_max_length=16)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory, tokenizer) -> Path:
    """A folder with a trained ``TFBertForSequenceClassification`` and its tokenizer."""
    import tensorflow as tf
    from transformers import BertConfig, TFBertForSequenceClassification

    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=16,
        id2label={0: "ham", 1: "spam"},
        label2id={"ham": 0, "spam": 1},
    )
    model = TFBertForSequenceClassification(config)
    texts, labels = texts_and_labels(256, seed=1)
    inputs = dict(tokenizer(texts, padding=True, return_tensors="tf"))
    labels = tf.constant(labels)
    optimizer = tf.keras.optimizers.legacy.Adam(1e-3)
    loss_of = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(inputs, training=True).logits)
        gradients = tape.gradient(loss, model.trainable_variables)
        pairs = zip(gradients, model.trainable_variables, strict=True)
        optimizer.apply_gradients((g, v) for g, v in pairs if g is not None)
        return loss

    for _ in range(40):
        step()
    folder = tmp_path_factory.mktemp("model")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
