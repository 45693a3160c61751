"""The adapter for PyTorch models, on a real (tiny) BERT."""

from __future__ import annotations

import csv
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from pytest_bertcheck import Pipeline, check_pipeline, diagnose
from tests.mails import NAMES, texts_and_labels

torch = pytest.importorskip("torch", reason="needs the extra torch")

TEXTS, Y_TRUE = texts_and_labels(120, seed=8)


def failed(pipeline) -> list[str]:
    """The checks that fail."""
    return [finding.check for finding in check_pipeline(pipeline) if finding.verdict == "failed"]


def test_folder_tells_names_limit_tokens_and_weights(model_folder: Path) -> None:
    """From a folder alone come names, max_length, ids, reload, and that no weight is missing."""
    pipeline = Pipeline.from_transformers(
        model_folder, texts=TEXTS, y_true=Y_TRUE, dataset_label_names=NAMES
    )
    evidence = pipeline.observe()
    assert NAMES == evidence.label_names.tolist() == evidence.label2id_names.tolist()
    assert 16 == evidence.max_length
    assert 0 == evidence.pad_token_id
    assert evidence.tokenizer_size == evidence.embedding_rows
    assert 0 == len(evidence.unloaded_weights)
    assert [len(text.split()) + 2 for text in TEXTS] == evidence.token_counts.tolist()
    np.testing.assert_allclose(evidence.logits[:32], evidence.reloaded_logits, atol=1e-5)
    assert [] == failed(pipeline)


def test_checkpoint_without_head_is_weights_not_loaded(
    tmp_path: Path, model_folder: Path, tokenizer
) -> None:
    """A base checkpoint loads with a random head, and the diagnosis says so as a fact."""
    from transformers import BertModel

    BertModel.from_pretrained(model_folder).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    pipeline = Pipeline.from_transformers(tmp_path, texts=TEXTS, y_true=Y_TRUE)
    cause = diagnose(pipeline.observe()).causes[0]
    assert ("weights-not-loaded", True) == (cause.code, cause.certain)
    assert "classifier" in " ".join(cause.reasons)


def test_weights_that_would_have_to_be_unpickled_are_refused(
    tmp_path: Path, trained, tokenizer
) -> None:
    """A folder with a pickled checkpoint alone is a ValueError, and nothing in it is run."""
    trained[0].config.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    torch.save(trained[0].state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"expected a saved .* model, got no model\.safe"):
        Pipeline.from_transformers(tmp_path, texts=TEXTS, y_true=Y_TRUE)


def test_a_text_classification_pipeline_is_observed_as_it_answers(trained, tokenizer) -> None:
    """Its scores become logits with the labels at their ids, and padding compares with them."""
    from transformers import TextClassificationPipeline

    served = TextClassificationPipeline(model=trained[0], tokenizer=tokenizer)
    evidence = Pipeline.from_transformers(served, texts=TEXTS, y_true=Y_TRUE).observe()
    plain = Pipeline.from_transformers(*trained[:1], tokenizer, texts=TEXTS, y_true=Y_TRUE)
    np.testing.assert_allclose(plain.observe().logits, evidence.logits, atol=1e-4)
    assert evidence.failed_probes is None
    assert [answer["label"] for answer in served(TEXTS)] == [NAMES[i] for i in evidence.answers]
    assert [] == failed(evidence)


def test_its_list_of_dictionaries_is_read_by_plain_callables(trained, tokenizer) -> None:
    """A predict that returns what the pipeline returns is enough: serving code as it is."""
    from transformers import TextClassificationPipeline

    served = TextClassificationPipeline(model=trained[0], tokenizer=tokenizer)
    pipeline = Pipeline(
        lambda texts: served(list(texts)), TEXTS, Y_TRUE, label_names=trained[0].config.id2label
    )
    evidence = pipeline.observe()
    np.testing.assert_allclose(1, evidence.logits.sum(axis=1))
    assert [] == failed(evidence)


@pytest.mark.skipif(find_spec("accelerate") is None, reason="Trainer needs accelerate")
def test_a_trainer_tells_its_history_and_optimizer(untrained, tokenizer, tmp_path: Path) -> None:
    """Losses, learning rates and steps are read, a step is tried, and its mode is left alone."""
    from transformers import BertForSequenceClassification, Trainer, TrainingArguments

    texts, labels = texts_and_labels(96, seed=9)
    rows = [{**tokenizer(text), "labels": label} for text, label in zip(texts, labels, strict=True)]
    trainer = Trainer(
        model=untrained(BertForSequenceClassification),
        args=TrainingArguments(
            str(tmp_path), learning_rate=2e-3, num_train_epochs=20, logging_steps=5,
            per_device_train_batch_size=16, report_to=[], use_cpu=True, disable_tqdm=True,
            save_strategy="no",
        ),
        train_dataset=rows,
        processing_class=tokenizer,
    )  # fmt: skip
    trainer.train()
    trainer.model.train()
    evidence = Pipeline.from_transformers(trainer, texts=TEXTS, y_true=Y_TRUE).observe()
    assert trainer.model.training
    assert 120 == evidence.train_steps
    assert 24 == len(evidence.loss) == len(evidence.learning_rate)
    assert evidence.head_update > 0
    assert evidence.failed_probes is None
    assert [] == failed(evidence)


def test_zero_code_run_needs_no_tensorflow(pytester: pytest.Pytester, model_folder: Path) -> None:
    """``--bertcheck-model`` checks a saved PyTorch model where TensorFlow is not installed."""
    with (pytester.path / "mails.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows((text, NAMES[y]) for text, y in zip(TEXTS, Y_TRUE, strict=True))
    result = pytester.runpytest(
        "--bertcheck", f"--bertcheck-model={model_folder}", "--bertcheck-data=mails.csv", "-v"
    )
    assert find_spec("tensorflow") is None
    assert 0 == result.ret
    result.stdout.fnmatch_lines(["mails.csv::serving::padding_invariant PASSED*"])


def test_what_is_no_model_is_refused() -> None:
    """Anything but a model of transformers is a TypeError that says what would do."""
    with pytest.raises(TypeError, match="expected a transformers model, a folder"):
        Pipeline.from_transformers(torch.nn.Linear(2, 2), texts=TEXTS, y_true=Y_TRUE)
