"""Fingerprints of models in TensorFlow: of transformers, of Keras 3 and of tf-keras."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from pytest_bertcheck import Pipeline
from pytest_bertcheck.pipeline import NotPossible
from tests.own_code import assert_told

TEXTS, Y_TRUE = ["win money now", "hello my friend"] * 4, [1, 0] * 4


def transformers_fingerprint(model, tokenizer=None, **parts) -> str:
    """Return the fingerprint of the pipeline of a model of transformers."""
    given = Pipeline.from_transformers(model, tokenizer, texts=TEXTS, y_true=Y_TRUE, **parts)
    return given.fingerprint()


def test_the_same_folder_has_the_same_fingerprint(model_folder, tmp_path) -> None:
    """Loading again changes nothing; a weight, a file or the tokenizer does, and so does a call."""
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    first = transformers_fingerprint(folder)
    assert first == transformers_fingerprint(folder)
    pipeline = Pipeline.from_transformers(folder, texts=TEXTS, y_true=Y_TRUE)
    pipeline.predict(TEXTS)
    pipeline.encode(TEXTS)
    assert first == pipeline.fingerprint()
    (folder / "notes.txt").write_text("one more file")
    assert first != transformers_fingerprint(folder)


def test_a_weight_and_the_optimizer_are_part_of_it(model_folder, tokenizer, tmp_path) -> None:
    """A model in memory is told by its weights, its tokenizer and how it is compiled."""
    import tf_keras
    from transformers import BertTokenizerFast, TFAutoModelForSequenceClassification

    model = TFAutoModelForSequenceClassification.from_pretrained(model_folder)
    seen = [transformers_fingerprint(model, tokenizer)]
    model.compile(optimizer=tf_keras.optimizers.Adam(1e-3))
    seen.append(transformers_fingerprint(model, tokenizer))
    model.compile(optimizer=tf_keras.optimizers.Adam(1e-4))
    seen.append(transformers_fingerprint(model, tokenizer))
    model.classifier.bias.assign_add([1e-6, 0])
    seen.append(transformers_fingerprint(model, tokenizer))
    model.bert.trainable = False
    seen.append(transformers_fingerprint(model, tokenizer))
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text("\n".join(sorted(tokenizer.get_vocab())))
    other = BertTokenizerFast(str(vocabulary), model_max_length=16)
    seen.append(transformers_fingerprint(model, other))
    assert len(seen) == len(set(seen))


def test_a_patched_model_has_no_fingerprint(model_folder, tokenizer) -> None:
    """A call that is replaced on the model, or a class of the team, is code of its own."""
    from transformers import TFBertForSequenceClassification

    class Own(TFBertForSequenceClassification):
        """The team's own model."""

    model = TFBertForSequenceClassification.from_pretrained(model_folder)
    model.call = lambda *arguments, **options: None
    for one in (model, Own.from_pretrained(model_folder)):
        with pytest.raises(NotPossible, match="code of your own"):
            transformers_fingerprint(one, tokenizer)


def test_a_saved_model_of_ones_own_code_has_no_fingerprint(model_folder, monkeypatch) -> None:
    """A class that is registered, or a layer whose call is replaced, may change with the files."""
    import tf_keras
    from transformers import TFAutoModelForSequenceClassification, TFBertForSequenceClassification
    from transformers.models.bert.modeling_tf_bert import TFBertLayer

    assert_told(
        lambda: transformers_fingerprint(model_folder),
        monkeypatch,
        auto=TFAutoModelForSequenceClassification,
        base=TFBertForSequenceClassification,
        layers=[TFBertLayer, tf_keras.layers.Dense],
        call="call",
    )


def test_keras_tells_its_precision_before_it_is_imported(tmp_path) -> None:
    """The file in which Keras finds its precision says the same as Keras itself."""
    (tmp_path / "keras.json").write_text('{"floatx": "float16"}')
    code = (
        "from pytest_bertcheck.adapters.tensorflow import precision; before = precision()\n"
        "import tf_keras; print(before, precision())"
    )
    told = []
    for home in (tmp_path, tmp_path / "nothing"):
        environment = {**os.environ, "KERAS_HOME": str(home)}
        run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True,
                             text=True, check=True)  # fmt: skip
        told.append(run.stdout.split())
    assert [["float16", "float16"], ["float32", "float32"]] == told


@pytest.fixture(params=["keras", "tf_keras"])
def keras(request):
    """Keras 3, and the Keras of transformers."""
    return importlib.import_module(request.param)


def vectorizer_of(keras, **options):
    """Return a vectorizer that has seen the texts."""
    layer = keras.layers.TextVectorization(**options)
    layer.adapt(TEXTS)
    return layer


def model_of(keras, *body, loss="sparse_categorical_crossentropy", rate=1e-3):
    """Return a small model, each time with the same weights."""
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Embedding(60, 4, embeddings_initializer="ones"),
            *body,
            layers.GlobalAveragePooling1D(),
            layers.Dense(2, kernel_initializer="ones"),
        ]
    )
    model.compile(keras.optimizers.Adam(rate), loss=loss)
    model(np.zeros((1, 3), int))
    return model


def fingerprint(model, vectorizer) -> str:
    """Return the fingerprint of the pipeline of a model of Keras."""
    given = Pipeline.from_keras(model, vectorizer, texts=TEXTS, y_true=Y_TRUE)
    return given.fingerprint()


def test_models_of_keras_are_told_apart(keras) -> None:
    """Weights, layers, loss, rate and vocabulary count; making the same model again does not."""
    vectorizer = vectorizer_of(keras)
    keras.backend.clear_session()
    first = fingerprint(model_of(keras), vectorizer)
    moved = model_of(keras)
    moved.layers[-1].set_weights([np.zeros((4, 2)), np.zeros(2)])
    seen = {
        first,
        fingerprint(moved, vectorizer),
        fingerprint(model_of(keras, keras.layers.Dropout(0.1)), vectorizer),
        fingerprint(model_of(keras, rate=1e-4), vectorizer),
        fingerprint(model_of(keras, loss=keras.losses.SparseCategoricalCrossentropy()), vectorizer),
        fingerprint(model_of(keras), vectorizer_of(keras, max_tokens=4)),
        fingerprint(model_of(keras), vectorizer_of(keras, output_sequence_length=9)),
    }
    assert 7 == len(seen)
    pipeline = Pipeline.from_keras(moved, vectorizer, texts=TEXTS, y_true=Y_TRUE)
    pipeline.predict(TEXTS)
    assert pipeline.fingerprint() in seen


def test_code_of_ones_own_has_no_fingerprint(keras) -> None:
    """A layer, a loss, a lambda or a vectorizer of the team may change while its name stays."""

    class Own(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    def own_loss(y_true, y_pred):
        return y_pred

    layer = vectorizer_of(keras)
    for model, vectorizer in (
        (model_of(keras, Own()), layer),
        (model_of(keras, keras.layers.Lambda(lambda values: values)), layer),
        (model_of(keras, loss=own_loss), layer),
        (model_of(keras), lambda texts: np.zeros((len(texts), 3), int)),
        (model_of(keras), vectorizer_of(keras, standardize=lambda texts: texts)),
    ):
        with pytest.raises(NotPossible, match="code of your own"):
            fingerprint(model, vectorizer)


def test_a_saved_model_is_cached(pytester, model_folder) -> None:
    """The second run of a saved model reads what the first observed, and needs no TensorFlow."""
    data = pytester.path / "mails.csv"
    rows = "".join(f"{text},{label}\n" for text, label in zip(TEXTS, Y_TRUE, strict=True))
    data.write_text("text,label\n" + rows)
    pytester.makeconftest(
        """
        import sys

        def pytest_terminal_summary(terminalreporter):
            terminalreporter.write_line(f"TensorFlow: {'tensorflow' in sys.modules}")
        """
    )
    options = (f"--bertcheck-model={model_folder}", f"--bertcheck-data={data}", "--bertcheck-cache")
    first, second = (pytester.runpytest_subprocess(*options) for _ in range(2))
    assert first.ret == second.ret
    first.stdout.no_fnmatch_line("*not cached*")
    first.stdout.fnmatch_lines(["TensorFlow: True"])
    second.stdout.fnmatch_lines(["*observed in an earlier run*", "TensorFlow: False"])


def test_the_precision_and_the_optimizer_of_a_saved_model_are_part_of_it(model_folder) -> None:
    """A model that is loaded later is loaded under the policy of Keras, and trained as is said."""
    import tf_keras

    before = tf_keras.mixed_precision.global_policy()
    seen = [transformers_fingerprint(model_folder)]
    try:
        tf_keras.mixed_precision.set_global_policy("mixed_bfloat16")
        seen.append(transformers_fingerprint(model_folder))
    finally:
        tf_keras.mixed_precision.set_global_policy(before)
    for rate in (1e-3, 1e-4):
        adam = tf_keras.optimizers.Adam(rate)
        seen.append(transformers_fingerprint(model_folder, optimizer=adam))
    assert len(seen) == len(set(seen))
    assert seen[0] == transformers_fingerprint(model_folder)

    class Own(tf_keras.optimizers.Adam):
        """The team's own optimizer."""

    with pytest.raises(NotPossible, match="Own is code of your own"):
        transformers_fingerprint(model_folder, optimizer=Own())
