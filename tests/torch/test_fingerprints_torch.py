"""Fingerprints of models in PyTorch."""

from __future__ import annotations

import copy
import shutil

import pytest
import torch

from pytest_bertcheck import Pipeline
from pytest_bertcheck.pipeline import NotPossible
from tests.own_code import assert_told

TEXTS, Y_TRUE = ["win money now", "hello my friend"] * 4, [1, 0] * 4


def fingerprint(model, tokenizer=None, **parts) -> str:
    """Return the fingerprint of the pipeline of a model of transformers."""
    given = Pipeline.from_transformers(model, tokenizer, texts=TEXTS, y_true=Y_TRUE, **parts)
    return given.fingerprint()


def test_what_the_answers_depend_on_is_told_apart(trained, tokenizer) -> None:
    """Weights, buffers, type, mode, dropout, what is frozen, optimizer: each is part of it."""
    model, _ = trained

    def changed(change) -> str:
        other = copy.deepcopy(model)
        change(other)
        return fingerprint(other, tokenizer)

    def nudge(other) -> None:
        with torch.no_grad():
            other.classifier.bias[0] += 1e-6

    def drop(other) -> None:
        other.dropout.p = 0.4

    same = fingerprint(model, tokenizer)
    assert same == changed(lambda other: None)
    seen = {
        same,
        changed(nudge),
        changed(drop),
        changed(lambda other: other.train()),
        changed(lambda other: other.classifier.requires_grad_(requires_grad=False)),
        changed(lambda other: other.to(torch.bfloat16)),
        *(
            fingerprint(model, tokenizer, optimizer=torch.optim.AdamW(weights, lr=rate))
            for weights, rate in (
                (model.parameters(), 1e-3),
                (model.parameters(), 1e-4),
                (model.classifier.parameters(), 1e-3),
            )
        ),
    }
    assert 9 == len(seen)


def test_observing_changes_nothing(trained, tokenizer, model_folder) -> None:
    """After all probes a model and a folder have the fingerprint that they had."""
    for given in ((trained[0], tokenizer), (model_folder, None)):
        pipeline = Pipeline.from_transformers(*given, texts=TEXTS, y_true=Y_TRUE)
        before = pipeline.fingerprint()
        pipeline.observe()
        assert before == pipeline.fingerprint()


def test_a_served_pipeline_is_told_by_its_settings(trained, tokenizer) -> None:
    """How a TextClassificationPipeline calls its tokenizer is part of it."""
    from transformers import TextClassificationPipeline

    def served(**options):
        return TextClassificationPipeline(model=trained[0], tokenizer=tokenizer, **options)

    kinds = ({}, {"truncation": True}, {"batch_size": 4})
    seen = {fingerprint(served(**options)) for options in kinds}
    assert 3 == len(seen)
    assert seen == {fingerprint(served(**options)) for options in kinds}


def test_code_of_ones_own_has_no_fingerprint(trained, tokenizer, untrained) -> None:
    """A class, a replaced forward or a hook of the team may change while its name stays."""
    from transformers import BertForSequenceClassification

    class Own(BertForSequenceClassification):
        """The team's own model."""

    patched, hooked = copy.deepcopy(trained[0]), copy.deepcopy(trained[0])
    patched.classifier.forward = lambda states: states
    hooked.bert.register_forward_hook(lambda module, inputs, outputs: None)
    for model in (patched, hooked, untrained(Own)):
        with pytest.raises(NotPossible, match="code of your own"):
            fingerprint(model, tokenizer)


def test_a_saved_model_of_ones_own_code_has_no_fingerprint(model_folder, monkeypatch) -> None:
    """A class that is registered, or a layer whose call is replaced, may change with the files."""
    from transformers import AutoModelForSequenceClassification, BertForSequenceClassification
    from transformers.models.bert.modeling_bert import BertLayer

    assert_told(
        lambda: fingerprint(model_folder),
        monkeypatch,
        auto=AutoModelForSequenceClassification,
        base=BertForSequenceClassification,
        layers=[BertLayer, torch.nn.Linear],
        call="forward",
    )


def test_an_adapter_has_no_fingerprint(model_folder, tmp_path) -> None:
    """The base model of an adapter may change without a file of the folder."""
    folder = tmp_path / "model"
    shutil.copytree(model_folder, folder)
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "elsewhere"}')
    pipeline = Pipeline.from_transformers(folder, texts=TEXTS, y_true=Y_TRUE)
    with pytest.raises(NotPossible, match="base model elsewhere"):
        pipeline.fingerprint()
