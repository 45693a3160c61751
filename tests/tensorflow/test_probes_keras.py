"""The column of the table of probes for Keras 3 and tf-keras, with and without a vectorizer."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from pytest_bertcheck import Pipeline, check_pipeline
from tests.mails import FILLER, NAMES, texts_and_labels
from tests.probe_cells import JUDGES, judged, judged_alone

TEXTS, Y_TRUE = texts_and_labels(150, seed=1)
TRAIN_TEXTS, Y_TRAIN = texts_and_labels(240, seed=2)
LIMIT = 10
CELLS = [probe for probe in JUDGES if probe != "reloaded"]


@pytest.fixture(scope="module", params=["keras", "tf_keras"])
def keras(request):
    """Keras 3, and the Keras of transformers."""
    return importlib.import_module(request.param)


@pytest.fixture(scope="module")
def vectorized(keras):
    """Makes a vectorizer of the training texts."""

    def make(**options):
        vectorizer = keras.layers.TextVectorization(**options)
        vectorizer.adapt(TRAIN_TEXTS)
        return vectorizer

    return make


def build(keras, body, *, fit=True, trainable=True, loss=None):
    """Return a model of these layers, compiled, and trained unless it is to be a poor one."""
    model = keras.Sequential(body)
    model.trainable = trainable
    model.compile(
        keras.optimizers.Adam(2e-2),
        loss=loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def layers_of(keras, *, mask=True, dropout=None, final=None):
    """Return the layers of a mean of embeddings with a head."""
    layers = keras.layers
    return [
        layers.Embedding(60, 16, mask_zero=mask),
        *([] if dropout is None else [dropout]),
        layers.GlobalAveragePooling1D(),
        layers.Dense(2),
        *([] if final is None else [final]),
    ]


def fitted(model, inputs):
    """Train a model for a moment."""
    model.fit(inputs, np.array(Y_TRAIN), epochs=8, batch_size=16, verbose=0)
    return model


@pytest.fixture(scope="module")
def cells(keras, vectorized):
    """Probe -> a healthy pipeline, and one with the fault that the probe is for."""
    import tensorflow as tf

    class AlwaysDropout(keras.layers.Layer):
        supports_masking = True

        def call(self, inputs):
            return tf.nn.dropout(inputs, 0.5)

    class SoftmaxOverBatch(keras.layers.Layer):
        def call(self, inputs):
            return tf.nn.softmax(inputs, axis=0)

    def softmax_again(labels, shares):
        logits = tf.identity(shares)  # Keras would see that it comes from a softmax, and repair it
        return keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)

    vectorizer, short = vectorized(), vectorized(output_sequence_length=LIMIT)
    keeping_capitals = vectorized(standardize="strip_punctuation")
    keeping_capitals.set_vocabulary(vectorizer.get_vocabulary())
    ids = np.asarray(vectorizer(tf.constant(TRAIN_TEXTS)))
    late, y_late = texts_and_labels(150, seed=4, opening=LIMIT)
    early = [f"{text} {' '.join(FILLER * 2)}" for text in TEXTS]

    def pipeline(model=None, vectorizer=vectorizer, **parts):
        own = {
            "texts": TEXTS,
            "y_true": Y_TRUE,
            "dataset_label_names": NAMES,
            "train_texts": TRAIN_TEXTS,
            "y_train": Y_TRAIN,
            "decode": lambda outputs: np.asarray(outputs).argmax(axis=1),
        }
        return Pipeline.from_keras(model or trained, vectorizer, **{**own, **parts})

    trained = fitted(build(keras, layers_of(keras)), ids)

    def with_weights(**options):
        other = build(keras, layers_of(keras, **options))
        other(ids[:2])
        other.set_weights(trained.get_weights())
        return other

    collapsed = with_weights()
    collapsed.layers[-1].set_weights([np.zeros((16, 2)), np.zeros(2)])
    unmasked = with_weights(mask=False)
    inside = fitted(build(keras, [keras.Input((1,), dtype="string"), short, *layers_of(keras)]),
                    tf.constant([[text] for text in TRAIN_TEXTS]))  # fmt: skip
    twice = build(
        keras,
        layers_of(keras, final=keras.layers.Softmax()),
        loss=softmax_again,
    )
    frozen = build(keras, layers_of(keras), trainable=False)
    for model in (twice, frozen):
        model(ids[:2])
    encode = pipeline().encode
    healthy = pipeline()
    return {
        "predicted": (healthy, pipeline(collapsed)),
        "decoded": (healthy, pipeline(decode=lambda outputs: np.asarray(outputs).argmin(axis=1))),
        "encoded": (healthy, pipeline(encode=lambda given: encode([given[0]] * len(given)))),
        "in_lower_case": (
            healthy,
            pipeline(vectorizer=keeping_capitals, texts=[text.title() for text in TEXTS]),
        ),
        "repeated": (healthy, pipeline(with_weights(dropout=AlwaysDropout()))),
        "rebatched": (healthy, pipeline(with_weights(final=SoftmaxOverBatch()))),
        "padded": (healthy, pipeline(unmasked)),
        "tail": (
            pipeline(inside, None, texts=early),
            pipeline(inside, None, texts=late, y_true=y_late),
        ),
        "stepped": (healthy, pipeline(frozen)),
        "overfitted": (healthy, pipeline(twice)),
        "reference": (healthy, pipeline(collapsed)),
    }


@pytest.mark.parametrize("probe", CELLS)
def test_a_healthy_model_passes_the_probe(cells, probe) -> None:
    """What the probe finds of a trained model is judged to be healthy."""
    verdict, summary, failures = judged(cells[probe][0], probe)
    assert ("passed", None) == (verdict, failures), summary


@pytest.mark.parametrize("probe", CELLS)
def test_the_probe_shows_its_fault(cells, probe) -> None:
    """What the probe finds of a model with the fault that it is for is judged to be a failure."""
    verdict, summary, failures = judged_alone(cells[probe][1], probe)
    assert ("failed", None) == (verdict, failures), summary


def test_a_model_loaded_again_is_the_same_or_not(cells) -> None:
    """The probe `reloaded` passes for the saved model and fails for one of other weights."""
    trained, other = cells["stepped"]
    for loaded, verdict in ((trained, "passed"), (other, "failed")):
        given = Pipeline(trained.predict, TEXTS, Y_TRUE, load=lambda loaded=loaded: loaded.predict)
        assert verdict == judged(given, "reloaded")[0]


def test_history_and_schedule_are_read(keras, vectorized) -> None:
    """What fit returned, the optimizer's schedule and the vocabulary's size become evidence."""
    import tensorflow as tf

    vectorizer = vectorized()
    ids = np.asarray(vectorizer(tf.constant(TRAIN_TEXTS)))
    model = keras.Sequential(layers_of(keras))
    schedule = keras.optimizers.schedules.PolynomialDecay(1e-2, 40, 0.0)
    model.compile(
        keras.optimizers.Adam(schedule),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    history = model.fit(ids, np.array(Y_TRAIN), epochs=2, batch_size=16, verbose=0)
    evidence = Pipeline.from_keras(
        model, vectorizer, history=history, texts=TEXTS, y_true=Y_TRUE
    ).observe()
    assert history.history["loss"] == pytest.approx(evidence.loss.tolist())
    assert 30 == evidence.train_steps == len(evidence.learning_rate)
    assert [1e-2, 1e-2 * (1 - 29 / 40)] == pytest.approx(evidence.learning_rate[[0, -1]])
    assert evidence.head_update > 0, "one step is taken at the peak, not at the end"
    assert vectorizer.vocabulary_size() == evidence.tokenizer_size


def test_texts_reach_a_model_that_takes_texts(cells) -> None:
    """A model with its vectorizer inside is encoded by that, and truncated as that says."""
    evidence = cells["tail"][0].observe()
    assert LIMIT == evidence.max_length == evidence.kept_token_counts.max()
    assert (evidence.token_counts > LIMIT).all()
    assert [] == [f.check for f in check_pipeline(evidence) if f.verdict == "failed"]


def test_what_is_no_model_is_refused() -> None:
    """Anything but a Keras model is a TypeError that says so."""
    with pytest.raises(TypeError, match="expected a Keras model, got function"):
        Pipeline.from_keras(build, texts=TEXTS, y_true=Y_TRUE)
