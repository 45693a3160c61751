"""The column of the table of probes for TensorFlow models of transformers: a real, tiny BERT."""

from __future__ import annotations

import hashlib
import random
import threading

import numpy as np
import pytest

from pytest_bertcheck import Pipeline
from pytest_bertcheck.experiments import overfit
from pytest_bertcheck.probes import REFERENCE_LEARNING_RATE
from tests.mails import FILLER, NAMES, texts_and_labels
from tests.probe_cells import JUDGES, judged, judged_alone


@pytest.fixture(scope="module")
def make_model(model_folder):
    """Makes a model of a class with the trained weights, or one that is not trained."""
    from transformers import TFBertForSequenceClassification

    trained = TFBertForSequenceClassification.from_pretrained(model_folder)

    def make(model_class=TFBertForSequenceClassification, *, untrained=False, **options):
        config = type(trained.config)(**{**trained.config.to_dict(), **options})
        model = model_class(config)
        model.build_in_name_scope()
        if not untrained:
            model.set_weights(trained.get_weights())
        return model

    return make


@pytest.fixture(scope="module")
def cells(tokenizer, make_model, model_folder, tmp_path_factory):
    """Probe -> a healthy pipeline, and one with the fault that the probe is for."""
    import tensorflow as tf
    import tf_keras
    from transformers import BertTokenizerFast, TFBertForSequenceClassification, TFBertModel

    class Unmasked(TFBertForSequenceClassification):
        def call(self, inputs, **named):
            mask = tf.ones_like(inputs["input_ids"])
            return super().call(**{**inputs, "attention_mask": mask}, **named)

    class SoftmaxOverBatch(TFBertForSequenceClassification):
        def call(self, *inputs, **named):
            outputs = super().call(*inputs, **named)
            outputs.logits = tf.nn.softmax(outputs.logits, axis=0)
            return outputs

    class DropsOut(TFBertForSequenceClassification):
        def call(self, *inputs, training=False, **named):
            return super().call(*inputs, training=True, **named)

    def softmax_again(labels, logits):
        shares = tf.identity(tf.nn.softmax(logits))  # or Keras would see it, and repair it
        return tf_keras.losses.sparse_categorical_crossentropy(labels, shares, from_logits=True)

    texts, y_true = texts_and_labels(150, seed=2)
    train_texts, y_train = texts_and_labels(240, seed=3)
    late, y_late = texts_and_labels(150, seed=4, opening=20)
    early = [f"{text} {' '.join(FILLER * 2)}" for text in texts]
    short = [" ".join(text.split()[:3]) for text in texts]  # most of the input is padding

    def pipeline(model=None, tokenizer=tokenizer, **parts):
        own = {
            "texts": texts,
            "y_true": y_true,
            "dataset_label_names": NAMES,
            "train_texts": train_texts,
            "y_train": y_train,
            "decode": lambda outputs: outputs.argmax(axis=1),
        }
        return Pipeline.from_transformers(model or compiled, tokenizer, **{**own, **parts})

    compiled = make_model()
    compiled.compile(tf_keras.optimizers.Adam(1e-3))
    unmasked = make_model(Unmasked)
    table = unmasked.bert.embeddings.weight
    money, free, win = tokenizer.convert_tokens_to_ids(["money", "free", "win"])
    table.assign(
        tf.tensor_scatter_nd_update(table, [[0]], [3 * (table[money] + table[free] + table[win])])
    )
    collapsed = make_model()
    for weight in collapsed.classifier.weights:
        weight.assign(tf.zeros_like(weight))
    headless = tmp_path_factory.mktemp("headless")
    TFBertModel.from_pretrained(model_folder).save_pretrained(headless)
    frozen = make_model(untrained=True)
    frozen.trainable = False
    frozen.compile(tf_keras.optimizers.Adam(1e-3))
    twice = make_model(untrained=True)
    twice.compile(
        tf_keras.optimizers.Adam(1e-3),
        loss=softmax_again,
    )
    (vocabulary,) = tokenizer.save_vocabulary(str(headless))
    cased = BertTokenizerFast(vocabulary, model_max_length=16, do_lower_case=False)
    encode = pipeline().encode
    healthy = pipeline()
    return {
        "predicted": (healthy, pipeline(collapsed)),
        "decoded": (healthy, pipeline(decode=lambda outputs: outputs.argmin(axis=1))),
        "encoded": (healthy, pipeline(encode=lambda given: encode([given[0]] * len(given)))),
        "in_lower_case": (
            healthy,
            pipeline(tokenizer=cased, texts=[text.title() for text in texts]),
        ),
        "repeated": (healthy, pipeline(make_model(DropsOut, hidden_dropout_prob=0.5))),
        "rebatched": (healthy, pipeline(make_model(SoftmaxOverBatch))),
        "padded": (healthy, pipeline(unmasked, texts=short)),
        "reloaded": (pipeline(model_folder), pipeline(headless)),
        "tail": (pipeline(texts=early), pipeline(texts=late, y_true=y_late)),
        "stepped": (healthy, pipeline(frozen)),
        "overfitted": (healthy, pipeline(twice)),
        "reference": (healthy, pipeline(collapsed)),
    }


@pytest.mark.parametrize("probe", JUDGES)
def test_a_healthy_model_passes_the_probe(cells, probe) -> None:
    """What the probe finds of a trained model is judged to be healthy."""
    verdict, summary, failures = judged(cells[probe][0], probe)
    assert ("passed", None) == (verdict, failures), summary


@pytest.mark.parametrize("probe", JUDGES)
def test_the_probe_shows_its_fault(cells, probe) -> None:
    """What the probe finds of a model with the fault that it is for is judged to be a failure."""
    verdict, summary, failures = judged_alone(cells[probe][1], probe)
    assert ("failed", None) == (verdict, failures), summary


def test_outputs_are_those_of_the_model_for_each_text_alone(make_model, tokenizer) -> None:
    """Two batches at a time, of any length, in a graph: each text gets the outputs of its own."""
    model = make_model()
    texts, _ = texts_and_labels(75, seed=8)
    texts = [" ".join([text] * (1 + row % 3)) for row, text in enumerate(texts)]
    outputs = Pipeline.from_transformers(model, tokenizer, texts=texts, y_true=[0] * 75).predict(
        texts
    )
    alone = [
        model(dict(tokenizer(text, truncation=True, return_tensors="tf"))).logits.numpy()[0]
        for text in texts
    ]
    np.testing.assert_allclose(outputs, alone, atol=1e-5)


def test_code_of_the_teams_own_is_called_as_it_is(make_model, tokenizer) -> None:
    """A model that draws noise with NumPy is not made a graph, which would keep one draw."""
    from transformers import TFBertForSequenceClassification

    generator = np.random.default_rng(0)
    calls, threads = [], set()

    class Noisy(TFBertForSequenceClassification):
        def call(self, inputs, **named):
            outputs = super().call(inputs, **named)
            calls.append(len(outputs.logits))
            threads.add(threading.current_thread())
            outputs.logits += generator.normal(size=outputs.logits.shape)
            return outputs

    model = make_model(Noisy)
    texts, y_true = texts_and_labels(40, seed=8)
    pipeline = Pipeline.from_transformers(model, tokenizer, texts=texts, y_true=y_true)
    calls.clear()
    pipeline.predict(texts)
    assert 40 == sum(calls)
    assert {threading.current_thread()} == threads
    verdict, summary, _ = judged(pipeline, "repeated")
    assert "failed" == verdict, summary


def test_another_head_and_another_call_are_followed(make_model, tokenizer) -> None:
    """A pipeline whose model gets a new head, or is patched, answers as the model now does."""
    import tf_keras

    model = make_model()
    texts, y_true = texts_and_labels(20, seed=8)
    predict = Pipeline.from_transformers(model, tokenizer, texts=texts, y_true=y_true).predict
    before = predict(texts)
    model.classifier = tf_keras.layers.Dense(2, kernel_initializer="zeros")
    assert before.any()
    assert not predict(texts).any()

    def broken(*inputs, **named):
        raise RuntimeError("patched")

    model.call = broken
    with pytest.raises(RuntimeError, match="patched"):
        predict(texts)


def test_a_wide_and_deep_model_is_learnt_by_heart(make_model, tokenizer) -> None:
    """A copy of a model with the layers and the width of BERT-base learns its rows in few steps."""
    model = make_model(
        untrained=True, num_hidden_layers=12, hidden_size=768, intermediate_size=3072
    )
    texts, y_true = texts_and_labels(60, seed=9)
    start = Pipeline.from_transformers(model, tokenizer, texts=texts, y_true=y_true).start_training
    losses = overfit(start(REFERENCE_LEARNING_RATE), (texts[:16], y_true[:16]))
    assert losses[-1] < 0.1 * np.log(2)
    assert len(losses) < 100


def draws() -> list:
    """Return what each global random state gives next."""
    import keras
    import tensorflow as tf
    import tf_keras

    return [
        random.random(),
        np.random.random(2).tolist(),  # the legacy state is the one that is global
        tf.random.uniform([2]).numpy().tolist(),
        tf.random.get_global_generator().uniform([2]).numpy().tolist(),
        np.asarray(keras.random.uniform([2])).tolist(),
        tf_keras.initializers.GlorotUniform()([2, 2]).numpy().tolist(),
    ]


def test_probes_leave_the_model_and_random_states_as_they_were(make_model, tokenizer) -> None:
    """Weights, optimizer and what would be drawn next are the same with and without probes."""
    import keras
    import tensorflow as tf
    import tf_keras

    model = make_model()
    model.compile(tf_keras.optimizers.Adam(1e-3))
    texts, y_true = texts_and_labels(60, seed=6)
    pipeline = Pipeline.from_transformers(model, tokenizer, texts=texts, y_true=y_true)

    def state() -> str:
        arrays = [weight.tolist() for weight in model.get_weights()]
        optimizer = [np.asarray(variable).tolist() for variable in model.optimizer.variables]
        trainable = [layer.trainable for layer in model.layers]
        return hashlib.sha256(repr((arrays, optimizer, trainable)).encode()).hexdigest()

    def seeded() -> None:
        keras.utils.set_random_seed(7)
        tf_keras.utils.set_random_seed(7)
        tf.random.get_global_generator().reset_from_seed(7)

    with kept_global_states():
        seeded()
        expected = draws()
        seeded()
        before = state()
        evidence = pipeline.observe()
        assert expected == draws()
    assert before == state()
    assert evidence.overfit_loss is not None


class kept_global_states:  # noqa: N801  # used as a function is
    """Puts back the states of Python and NumPy that a test seeds."""

    def __enter__(self) -> None:
        self.states = random.getstate(), np.random.get_state()

    def __exit__(self, *error: object) -> None:
        random.setstate(self.states[0])
        np.random.set_state(self.states[1])
