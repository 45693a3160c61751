"""Causes as TensorFlow and transformers bring them about, from real code to the diagnosis."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_bertcheck import Evidence, Pipeline, diagnose
from tests.mails import texts_and_labels


def test_names_that_transformers_made_up(tmp_path, model_folder, tokenizer) -> None:
    """A config that was told num_labels alone names labels LABEL_0, and is found; names pass."""
    from transformers import TFBertForSequenceClassification

    texts, y_true = texts_and_labels(120, seed=5)
    parts = {"texts": texts, "y_true": y_true, "dataset_label_names": ["ham", "spam"]}
    assert () == diagnose(Pipeline.from_transformers(model_folder, **parts).observe()).causes
    model = TFBertForSequenceClassification.from_pretrained(model_folder)
    model.config.id2label = None
    model.config.num_labels = 2
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    diagnosis = diagnose(Pipeline.from_transformers(tmp_path, **parts).observe())
    assert "failed" == diagnosis.verdict
    cause = diagnosis.causes[0]
    assert ("label-names-missing", True) == (cause.code, cause.certain)


@pytest.mark.parametrize(
    ("activation", "cause"), [("softmax", "loss-misconfigured"), ("sigmoid", None)]
)
def test_one_unit_trained_by_keras(activation, cause) -> None:
    """Dense(1, "softmax") says 1 to everything however it is trained; "sigmoid" learns."""
    import tensorflow as tf

    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 600)
    inputs = (generator.normal(size=(600, 8)) + labels[:, None]).astype(np.float32)
    model = tf.keras.Sequential(
        [tf.keras.layers.Dense(16, activation="relu"), tf.keras.layers.Dense(1, activation)]
    )
    model.compile(tf.keras.optimizers.legacy.Adam(0.01), "binary_crossentropy", ["accuracy"])
    rows, held_out = np.arange(300), np.arange(300, 600)
    history = model.fit(
        inputs[rows], labels[rows], epochs=8, verbose=0,
        validation_data=(inputs[held_out], labels[held_out]),
    ).history  # fmt: skip
    evidence = Evidence(
        y_true=labels[held_out],
        logits=model.predict(inputs[held_out], verbose=0),
        y_train=labels[rows],
        loss=history["loss"],
        val_loss=history["val_loss"],
        val_accuracy=history["val_accuracy"],
        train_steps=80,
        dataset_label_names=["ham", "spam"],
    )
    diagnosis = diagnose(evidence)
    assert (cause is not None) is (diagnosis.verdict == "failed"), str(diagnosis)
    assert cause == (diagnosis.causes[0].code if diagnosis.causes else None), str(diagnosis)
