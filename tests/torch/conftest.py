"""A tiny BERT in PyTorch, trained for seconds in the test session, and saved as a team would."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.mails import NAMES, WORDS, texts_and_labels

os.environ.setdefault("HF_HUB_OFFLINE", "1")

torch = pytest.importorskip("torch", reason="needs the extra torch")
torch.set_num_threads(1)  # tiny tensors: threads would only wait for each other


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory):
    """A word piece tokenizer of those words."""
    from transformers import BertTokenizerFast

    vocabulary = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    return BertTokenizerFast(str(vocabulary), model_max_length=16)


@pytest.fixture(scope="session")
def untrained(tokenizer):
    """Makes an untrained model of a class, the same one on each call."""
    from transformers import BertConfig

    tiny = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 16,
        "id2label": dict(enumerate(NAMES)),
        "label2id": {name: label for label, name in enumerate(NAMES)},
    }

    def make(model_class, **options):
        config = BertConfig(**{**tiny, **options})
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return model_class(config).eval()

    return make


@pytest.fixture(scope="session")
def trained(tokenizer, untrained):
    """A trained ``BertForSequenceClassification`` and its optimizer."""
    from transformers import BertForSequenceClassification

    model = untrained(BertForSequenceClassification)
    texts, labels = texts_and_labels(64, seed=1)
    inputs = tokenizer(texts, padding=True, return_tensors="pt")
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for _ in range(60):
        optimizer.zero_grad()
        model(**inputs, labels=torch.tensor(labels)).loss.backward()
        optimizer.step()
    return model, optimizer


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory, trained, tokenizer) -> Path:
    """A folder with the trained model and its tokenizer."""
    folder = tmp_path_factory.mktemp("model")
    trained[0].save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
