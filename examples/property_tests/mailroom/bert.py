"""Its successor, a tiny `TFBertForSequenceClassification`, trained from nothing in a second."""

import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

import numpy as np
import tensorflow as tf
from transformers import BertConfig, TFBertForSequenceClassification

from mailroom.labels import batches, class_weights

BATCH_SIZE = 4
MAX_LENGTH = 16
PAD, UNKNOWN, CLS, SEP = range(4)
STEPS = 40


class Network:
    """A model for a number of labels and its training step, built once.

    Building takes longer than training, and Hypothesis trains again and again: so a pipeline
    keeps its weights and borrows the network.
    """

    def __init__(self, num_labels: int) -> None:
        config = BertConfig(
            vocab_size=80,
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=MAX_LENGTH,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            num_labels=num_labels,
        )
        self.model = TFBertForSequenceClassification(config)
        self.model(self.model.dummy_inputs)
        generator = np.random.default_rng(0)
        for weight in self.model.weights:
            # The head starts at zero, so that no label has a head start.
            if weight.shape.rank > 1 and "classifier" not in weight.name:
                weight.assign(generator.normal(0, 0.1, weight.shape))
            elif "classifier" in weight.name:
                weight.assign(tf.zeros_like(weight))
        self.start = self.model.get_weights()
        self.optimizer = tf.keras.optimizers.Adam(1e-2)
        self.optimizer.build(self.model.trainable_variables)

    def restart(self) -> None:
        """Forget all training."""
        self.model.set_weights(self.start)
        for variable in self.optimizer.variables:
            if "learning_rate" not in variable.name:
                variable.assign(tf.zeros_like(variable))

    @tf.function(reduce_retracing=True)
    def step(self, inputs: dict[str, tf.Tensor], ids: tf.Tensor, weights: tf.Tensor) -> None:
        """Take one step."""
        with tf.GradientTape() as tape:
            logits = self.model(inputs, training=True).logits
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(ids, logits)
            loss = tf.reduce_mean(weights * losses)
        variables = self.model.trainable_variables
        gradients = tape.gradient(loss, variables)
        pairs = zip(gradients, variables, strict=True)
        self.optimizer.apply_gradients((g, v) for g, v in pairs if g is not None)

    @tf.function(reduce_retracing=True)
    def logits(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        """Run the model on one batch."""
        return self.model(inputs, training=False).logits


network = lru_cache(Network)


class BertPipeline:
    """Trained on mails and their labels; a step of it is a method."""

    def fit(self, texts: Sequence[str], labels: Sequence[str]) -> "BertPipeline":
        """Train on all mails at once."""
        self.vocabulary = {
            word: SEP + 1 + place
            for place, word in enumerate(sorted({w for text in texts for w in text.split()}))
        }
        self.names = sorted(set(labels))
        ids = self.ids_of(labels)
        self.network = network(len(self.names))
        self.network.restart()
        inputs = self.encode(texts)
        weights = tf.constant(self.weights_of(ids), tf.float32)
        for _ in range(STEPS):
            self.network.step(inputs, tf.constant(ids), weights)
        self.trained = self.network.model.get_weights()
        return self

    def ids_of(self, labels: Sequence[str]) -> list[int]:
        """The id of each label, in the order of the names."""
        return [self.names.index(label) for label in labels]

    def weights_of(self, ids: Sequence[int]) -> list[float]:
        """How much each mail counts in training."""
        weights = class_weights(ids)
        return [weights[id_] for id_ in ids]

    def encode(self, texts: Sequence[str]) -> dict[str, tf.Tensor]:
        """Token ids, padded to the longest mail, and which of them are no padding."""
        rows = [
            [CLS, *(self.vocabulary.get(word, UNKNOWN) for word in text.split()), SEP][:MAX_LENGTH]
            for text in texts
        ]
        longest = max(map(len, rows))
        return {
            "input_ids": tf.constant([row + [PAD] * (longest - len(row)) for row in rows]),
            "attention_mask": tf.constant(
                [[1] * len(row) + [0] * (longest - len(row)) for row in rows]
            ),
        }

    def scores(self, texts: Sequence[str]) -> np.ndarray:
        """Logits, (n, C), a batch at a time."""
        self.network.model.set_weights(self.trained)
        parts = [self.network.logits(self.encode(part)) for part in batches(texts, BATCH_SIZE)]
        return np.concatenate([part.numpy() for part in parts])

    def predict(self, texts: Sequence[str]) -> list[str]:
        """A label for each mail."""
        return [self.names[id_] for id_ in self.scores(texts).argmax(axis=-1)]

    @classmethod
    def fit_predict(cls, texts: list[str], labels: list[Any], eval_texts: list[str]) -> list[Any]:
        """Train on mails with labels, and give others theirs."""
        return cls().fit(texts, labels).predict(eval_texts)
