"""The column of the table of probes for PyTorch models of transformers, on a real (tiny) BERT."""

from __future__ import annotations

import copy
import hashlib
import random

import numpy as np
import pytest

from pytest_bertcheck import Pipeline
from pytest_bertcheck.experiments import overfit
from pytest_bertcheck.probes import REFERENCE_LEARNING_RATE
from tests.mails import FILLER, NAMES, texts_and_labels
from tests.probe_cells import JUDGES, judged, judged_alone

torch = pytest.importorskip("torch", reason="needs the extra torch")


@pytest.fixture(scope="module")
def cells(tokenizer, untrained, trained, model_folder, tmp_path_factory):
    """Probe -> a healthy pipeline, and one with the fault that the probe is for."""
    from transformers import BertForSequenceClassification, BertModel, BertTokenizerFast

    class Unmasked(BertForSequenceClassification):
        def forward(self, input_ids, attention_mask=None, **inputs):
            return super().forward(input_ids, torch.ones_like(input_ids), **inputs)

    class SoftmaxTwice(BertForSequenceClassification):
        def forward(self, *inputs, labels=None, **named):
            outputs = super().forward(*inputs, **named)
            if labels is not None:
                shares = outputs.logits.softmax(dim=-1)
                outputs.loss = torch.nn.functional.cross_entropy(shares, labels)
            return outputs

    class SoftmaxOverBatch(BertForSequenceClassification):
        def forward(self, *inputs, **named):
            outputs = super().forward(*inputs, **named)
            outputs.logits = outputs.logits.softmax(dim=0)
            return outputs

    model, optimizer = trained
    texts, y_true = texts_and_labels(150, seed=2)
    train_texts, y_train = texts_and_labels(240, seed=3)
    late, y_late = texts_and_labels(150, seed=4, opening=20)
    early = [f"{text} {' '.join(FILLER * 2)}" for text in texts]

    def pipeline(of=model, optimizer=optimizer, tokenizer=tokenizer, **parts):
        own = {
            "texts": texts,
            "y_true": y_true,
            "dataset_label_names": NAMES,
            "train_texts": train_texts,
            "y_train": y_train,
            "decode": lambda outputs: outputs.argmax(axis=1),
        }
        return Pipeline.from_transformers(of, tokenizer, optimizer=optimizer, **{**own, **parts})

    def changed(model_class=BertForSequenceClassification, **options):
        other = untrained(model_class, **options)
        other.load_state_dict(model.state_dict())
        return other

    unmasked = changed(Unmasked)
    words = unmasked.get_input_embeddings().weight.data
    words[tokenizer.pad_token_id] = words[tokenizer.convert_tokens_to_ids("money")]
    collapsed = changed()
    collapsed.classifier.weight.data.zero_()
    headless = tmp_path_factory.mktemp("headless")
    BertModel.from_pretrained(model_folder).save_pretrained(headless)
    vocabulary = headless / "vocab.txt"
    vocabulary.write_text("\n".join(sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)))
    cased = BertTokenizerFast(str(vocabulary), model_max_length=16, do_lower_case=False)
    encode = pipeline().encode
    fresh = untrained(BertForSequenceClassification)
    elsewhere = torch.optim.AdamW(copy.deepcopy(fresh).parameters())
    healthy = pipeline()
    return {
        "predicted": (healthy, pipeline(collapsed)),
        "decoded": (healthy, pipeline(decode=lambda outputs: outputs.argmin(axis=1))),
        "encoded": (healthy, pipeline(encode=lambda given: encode([given[0]] * len(given)))),
        "in_lower_case": (
            healthy,
            pipeline(tokenizer=cased, texts=[text.title() for text in texts]),
        ),
        "repeated": (healthy, pipeline(changed(hidden_dropout_prob=0.5).train())),
        "rebatched": (healthy, pipeline(changed(SoftmaxOverBatch))),
        "padded": (healthy, pipeline(unmasked)),
        "reloaded": (pipeline(model_folder), pipeline(headless)),
        "tail": (pipeline(texts=early), pipeline(texts=late, y_true=y_late)),
        "stepped": (healthy, pipeline(fresh, elsewhere)),
        "overfitted": (healthy, pipeline(untrained(SoftmaxTwice))),
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


def state_of(model, optimizer) -> str:
    """Return a hash of weights, modes and optimizer, and of all global random states."""
    weights = {name: weight.tolist() for name, weight in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    frozen = [weight.requires_grad for weight in model.parameters()]
    seeds = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    gradients = [weight.grad is None or weight.grad.tolist() for weight in model.parameters()]
    everything = repr((weights, modes, frozen, gradients, optimizer.state_dict(), seeds))
    return hashlib.sha256(everything.encode()).hexdigest()


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
def test_probes_leave_the_model_as_it_was(cells, trained, tokenizer, training) -> None:
    """Weights, modes, gradients, optimizer and random states are the same before and after."""
    model, optimizer = trained
    model = copy.deepcopy(model).train(training)
    texts, y_true = texts_and_labels(60, seed=6)
    pipeline = Pipeline.from_transformers(
        model, tokenizer, optimizer=optimizer, texts=texts, y_true=y_true
    )
    before = state_of(model, optimizer)
    pipeline.observe()
    assert before == state_of(model, optimizer)


def test_a_wide_and_deep_model_is_learnt_by_heart(untrained, tokenizer) -> None:
    """A copy of a model with the layers and the width of BERT-base learns its rows in few steps."""
    from transformers import BertForSequenceClassification

    model = untrained(
        BertForSequenceClassification,
        num_hidden_layers=12,
        hidden_size=768,
        intermediate_size=3072,
    )
    texts, y_true = texts_and_labels(60, seed=9)
    start = Pipeline.from_transformers(model, tokenizer, texts=texts, y_true=y_true).start_training
    losses = overfit(start(REFERENCE_LEARNING_RATE), (texts[:16], y_true[:16]))
    assert losses[-1] < 0.1 * np.log(2)
    assert len(losses) < 100
