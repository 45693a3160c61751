"""Train and record every scenario: ``python -m benchmarks.zoo make DIR``.

Each recording is written once, whole, with what is known of it beside it; a run that was stopped
goes on where it was.
"""

from __future__ import annotations

import fnmatch
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from pytest_bertcheck import Evidence
from pytest_bertcheck.reference import (
    FEWEST_ROWS,
    cross_validated,
    cross_validated_alike,
    reference_model,
)
from pytest_bertcheck.statistics import paired_worse

from . import models
from .data import TASKS, Split, split
from .scenarios import HEALTHY, SERVED, TRAINED, Rows, Scenario, Serving

Array = npt.NDArray[Any]

MAX_LENGTH = {"minilm": 24, "tiny": 32}
PROBED_ROWS = 32
TAIL_ROWS = 100
TRAIN_ROWS_RECORDED = 150
BOILERPLATE = "this message was sent to all readers of the service and may be read by them " * 8
HARMFUL_AT = 0.01
"""Significance at which answers count as worse than those of the healthy model."""


@dataclass(frozen=True)
class Recording:
    """One recording to be made."""

    model: str
    name: str
    task: str
    seed: int
    scenario: Scenario

    def __str__(self) -> str:
        return f"{self.model}_{self.name}_{self.task}-{self.seed}"

    @property
    def parent(self) -> str:
        """Name of the scenario whose weights are used."""
        return self.name if self.name in TRAINED else HEALTHY


def recordings_to_make(seeds: list[int], patterns: Sequence[str] = ("*",)) -> Iterator[Recording]:
    """Yield the recordings seed by seed, those that share a training one after the other."""
    scenarios = {HEALTHY: TRAINED[HEALTHY], **SERVED, **TRAINED}
    for seed in seeds:
        for model in MAX_LENGTH:
            for task in TASKS:
                for name, scenario in scenarios.items():
                    recording = Recording(model, name, task, seed, scenario)
                    possible = task in scenario.tasks and model in scenario.models
                    if possible and any(fnmatch.fnmatch(str(recording), p) for p in patterns):
                        yield recording


def make(folder: Path, *, seeds: list[int], patterns: Sequence[str] = ("*",)) -> None:
    """Make what is missing in ``folder``, then write its index.

    Raises
    ------
    ModuleNotFoundError
        If TensorFlow, transformers or the packages with the texts and weights are missing.
    ValueError
        If no recording has such a name.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    wanted = list(recordings_to_make(seeds, patterns))
    if not wanted:
        raise ValueError(f"no recording is called {' or '.join(map(repr, patterns))}")
    from tqdm import tqdm

    for part in ("bundles", "known"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    missing = [item for item in wanted if not (folder / "known" / f"{item}.json").is_file()]
    trained: Trained | None = None
    made = len(wanted) - len(missing)
    try:
        with tqdm(missing, unit="recording", initial=made, total=len(wanted)) as bar:
            for item in bar:
                bar.set_description(str(item))
                key = (item.model, item.parent, item.task, item.seed)
                if trained is None or trained.key != key:
                    trained = Trained(item, folder)
                fields, known = trained.record(item)
                _write(folder, str(item), fields, known)
    finally:  # what was made until an interruption can be scored
        _write_index(folder)


def _write_index(folder: Path) -> None:
    index = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((folder / "known").glob("*.json"))
    }
    _replace(folder / "index.json", json.dumps(index, indent=1, sort_keys=True) + "\n")


class Trained:
    """A model that was trained for one scenario, and all that its training recorded."""

    def __init__(self, item: Recording, folder: Path) -> None:
        import tf_keras

        scenario = TRAINED[item.parent]
        self.key = (item.model, item.parent, item.task, item.seed)
        self.kind, self.seed, self.encoding = item.model, item.seed, scenario.serving
        self.length = scenario.serving.max_length or MAX_LENGTH[item.model]
        self.split = _split(item, scenario.rows, folder)
        self.tokenizer = models.tokenizer()
        tf_keras.utils.set_random_seed(item.seed)  # a program of its own: head and dropout need it
        self.model = models.build(item.model, self.split.label_names)
        texts, labels = self.split.train
        encoded = self._encode(texts, self.encoding)
        validated = self._encode(self.split.validation[0], self.encoding)
        self.recorded = models.fit(
            self.model,
            item.model,
            (encoded, labels),
            (validated, self.split.validation[1]),
            scenario.training,
            seed=item.seed,
        )
        sample = np.random.default_rng(item.seed).permutation(len(labels))[:TRAIN_ROWS_RECORDED]
        few = {name: values[sample] for name, values in encoded.items()}
        self.recorded |= {
            "train_logits": models.predict(self.model, few),
            "train_y_true": labels[sample],
            "overfit_loss": models.overfit(
                item.model, encoded, labels, scenario.training, seed=item.seed
            ),
            **self._references(),
        }
        self.healthy = self._healthy_answers(item, folder)

    def record(self, item: Recording) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the evidence of one way to serve the model, and what is known of it."""
        serving = item.scenario.serving
        texts, y_true = self.split.evaluation
        rows = _rows(serving, y_true)
        texts, y_true = [texts[i] for i in rows], y_true[rows]
        served = self._served(serving.weights, seed=1)
        encoded = self._encode(texts, serving)
        logits = models.predict(served, encoded, training=serving.dropout)
        own_reference = self.recorded["reference_y_pred"][rows]
        fields = {
            **self.recorded,
            **self._tokens(texts, encoded, serving),
            **self._probes(served, texts, encoded, serving),
            "reference_y_pred": own_reference,
            "kept_reference_y_pred": self._kept_reference(serving, encoded),
            "unloaded_weights": _unloaded(served, serving.weights),
            "dataset_label_names": list(self.split.label_names),
        }
        order = _order(serving.order, len(logits))
        outputs = OUTPUTS[serving.outputs](logits)[order]
        decoded = outputs
        if serving.decoding == "hidden state":
            decoded = models.predict(served, encoded, hidden=True)[order]
        fields |= {"logits": outputs, "y_pred": DECODINGS[serving.decoding](decoded)}
        for again in ("repeated_logits", "reloaded_logits", "rebatched_logits", "padded_logits",
                      "tail_logits"):  # fmt: skip
            fields[again] = OUTPUTS[serving.outputs](fields[again])
        fields |= _labelled(serving.labels, y_true, fields["y_pred"], self.split.label_names)
        if "train_reference_y_pred" in fields:
            fields["evaluation_reference_y_pred"] = cross_validated_alike(
                texts, fields["y_true"], *self.split.train, len(self.split.label_names)
            )
        return fields, self._known(item, fields, y_true, rows)

    def _known(
        self, item: Recording, fields: dict[str, Any], y_true: Array, rows: Array
    ) -> dict[str, Any]:
        given, y_pred = fields["y_true"], fields["y_pred"]
        one_each = len(y_pred) == len(given)
        right = y_pred == given if one_each else np.zeros(len(given), dtype=bool)
        healthy = self.healthy[rows] == y_true
        worse = paired_worse(int((healthy & ~right).sum()), int((right & ~healthy).sum()))
        causes = list(item.scenario.causes)
        if causes[:1] == ["argmin-decoded"] and len(self.split.label_names) == 2:
            causes.append("label-mapping-swapped")  # of two labels they are the same
        reference = fields["reference_y_pred"] == y_true
        majority = np.bincount(y_true).max()
        skill = (right.mean() - majority / len(y_true), reference.mean() - majority / len(y_true))
        # Where neither learnt more than the majority, the training came to nothing, too.
        weak = skill[0] <= 0 or skill[0] < 0.75 * skill[1]
        return {
            "causes": causes,
            "harmful": bool(causes and worse <= HARMFUL_AT),
            "identifiable": True,
            "weak": bool(not causes and len(np.unique(y_true)) > 1 and weak),
            "accuracy": round(float(right.mean()), 4),
            "healthy_accuracy": round(float(healthy.mean()), 4),
            "family": "training" if item.name in TRAINED else "serving",
            "scenario": f"{item.name}@{item.task}",
            "task": item.task,
            "backend": item.model,
        }

    def _healthy_answers(self, item: Recording, folder: Path) -> Array:
        """Return the answers of the healthy model to the evaluation rows, (n,) int."""
        if item.parent == HEALTHY or not TRAINED[item.parent].causes:
            return models.predict(
                self.model, self._encode(self.split.evaluation[0], self.encoding)
            ).argmax(axis=1)
        healthy = Recording(item.model, HEALTHY, item.task, item.seed, TRAINED[HEALTHY])
        known = folder / "bundles" / f"{healthy}.npz"
        same_rows = _split(healthy, TRAINED[HEALTHY].rows, folder).evaluation[0]
        if not known.is_file() or same_rows != self.split.evaluation[0]:
            raise ValueError(f"{item}: expected {known} on the same evaluation rows; make it first")
        return Evidence.load(known).y_pred

    def _encode(
        self, texts: list[str], serving: Serving, *, alone: bool = False, kept: str = "first"
    ) -> models.Encoded:
        length = serving.max_length or self.length
        return _encode(self.tokenizer, texts, serving, length, alone=alone, kept=kept)

    def _served(self, weights: str, *, seed: int) -> Any:
        """Return the model with the weights that are served; random ones differ by the seed."""
        import tf_keras

        if weights == "trained":
            return self.model
        tf_keras.utils.set_random_seed(1000 * self.seed + seed)
        fresh = models.build(self.kind, self.split.label_names, pretrained=weights != "random")
        if weights == "head new":
            fresh.bert.set_weights(self.model.bert.get_weights())
        return fresh

    def _tokens(
        self, texts: list[str], encoded: models.Encoded, serving: Serving
    ) -> dict[str, Any]:
        ids, mask = encoded["input_ids"], encoded["attention_mask"]
        real = ids != self.tokenizer.pad_token_id
        whole = self.tokenizer(_changed(texts, serving), truncation=False, verbose=False)[
            "input_ids"
        ]
        kept = real.sum(axis=1)
        lower = self._encode([text.lower() for text in texts], serving)["input_ids"]
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "token_counts": np.array([len(row) for row in whole]),
            "kept_token_counts": kept,
            "unknown_token_share": self._unknown(ids) / kept,
            "lowercase_unknown_token_share": self._unknown(lower)
            / (lower != self.tokenizer.pad_token_id).sum(axis=1),
            "max_length": self.length,
            "embedding_rows": self.model.config.vocab_size,
            "tokenizer_size": len(self.tokenizer),
            "pad_token_id": self.tokenizer.pad_token_id,
        }

    def _unknown(self, ids: Array) -> Array:
        return (ids == self.tokenizer.unk_token_id).sum(axis=1)

    def _probes(
        self, served: Any, texts: list[str], encoded: models.Encoded, serving: Serving
    ) -> dict[str, Any]:
        few = texts[:PROBED_ROWS]
        first = {name: values[:PROBED_ROWS] for name, values in encoded.items()}
        again = {"training": serving.dropout}
        alone = [models.predict(served, self._encode([text], serving, alone=True), **again)
                 for text in few]  # fmt: skip
        longer = {
            name: np.pad(values, [(0, 0), (0, 32)], constant_values=_padding(name, serving))
            for name, values in first.items()
        }
        ends = self._encode(texts[:TAIL_ROWS], serving, kept="last")
        return {
            "repeated_logits": models.predict(served, first, **again),
            "reloaded_logits": models.predict(
                _reloaded(self._served(serving.weights, seed=2), self.kind), first, **again
            ),
            "rebatched_logits": np.concatenate(alone),
            "padded_logits": models.predict(served, longer, **again),
            "tail_logits": models.predict(served, ends, **again),
        }

    def _references(self) -> dict[str, Any]:
        texts, labels = self.split.train
        model = reference_model().fit(texts, labels)
        found = {"reference_y_pred": model.predict(self.split.evaluation[0])}
        if np.bincount(labels).min() >= FEWEST_ROWS:
            answers, probabilities = cross_validated(texts, labels, len(self.split.label_names))
            found["train_reference_y_pred"] = answers
            found["train_reference_probabilities"] = probabilities
        return found

    def _kept_reference(self, serving: Serving, encoded: models.Encoded) -> Array:
        texts, labels = self.split.train
        kept = _as_text(self._encode(texts, serving))
        return reference_model(token_pattern=r"\S+").fit(kept, labels).predict(_as_text(encoded))


# How texts are encoded


def _encode(
    tokenizer: Any, texts: list[str], serving: Serving, length: int, *, alone: bool, kept: str
) -> models.Encoded:
    """Encode texts as they are served, faults and all, by their first or their last tokens."""
    how = serving.encoding
    if how == "cased":
        tokenizer = models.tokenizer(cased=True)
    tokenizer.truncation_side = "left" if kept == "last" else "right"
    encoded = tokenizer(
        _changed(texts, serving),
        truncation=True,
        max_length=length,
        padding=True if alone else "max_length" if how not in ("padded", "unmasked") else True,
        return_token_type_ids=False,
        return_tensors="np",
    )
    tokenizer.truncation_side = "right"
    ids, mask = encoded["input_ids"], encoded["attention_mask"]
    ordinary = ids > 999  # special and unused ids come first in the vocabulary
    if how == "unknown":
        ids = np.where(ordinary, tokenizer.unk_token_id, ids)
    if how == "other ids":  # the vocabulary of another model: as large, in another order
        ids = np.where(ordinary, 1000 + np.random.default_rng(0).permutation(
            len(tokenizer) - 1000)[ids - 1000], ids)  # fmt: skip
    if how in ("padded", "unmasked") and not alone:
        wider = [(0, 0), (0, length + 48 - ids.shape[1])]
        ids = np.pad(ids, wider, constant_values=tokenizer.pad_token_id)
        mask = np.pad(mask, wider)
        mask = np.ones_like(mask) if how == "unmasked" else mask
    return {"input_ids": ids, "attention_mask": mask}


def _changed(texts: list[str], serving: Serving) -> list[str]:
    """Return what the tokenizer is given in place of the texts."""
    return {
        "constant": ["the same text for all"] * len(texts),
        "empty": [""] * len(texts),
        "boilerplate": [BOILERPLATE + text for text in texts],
    }.get(serving.encoding, texts)


def _padding(name: str, serving: Serving) -> int:
    return int(name == "attention_mask" and serving.encoding == "unmasked")


def _as_text(encoded: models.Encoded) -> list[str]:
    return [
        " ".join(map(str, row[kept == 1].tolist()))
        for row, kept in zip(encoded["input_ids"], encoded["attention_mask"], strict=True)
    ]


# How outputs become answers


OUTPUTS = {
    "logits": lambda logits: logits,
    "softmax": lambda logits: softmax(logits, axis=1),
    "softmax twice": lambda logits: softmax(softmax(logits, axis=1), axis=1),
    "half precision": lambda logits: logits.astype(np.float16).astype(np.float32),
}

DECODINGS = {
    "argmax": lambda logits: logits.argmax(axis=1),
    "argmin": lambda logits: logits.argmin(axis=1),
    "axis 0": lambda logits: logits.argmax(axis=0),
    "axis 0 of batches": lambda logits: np.concatenate(
        [logits[start : start + 16].argmax(axis=0) for start in range(0, len(logits), 16)]
    ),
    "flattened": lambda logits: np.full(len(logits), logits.argmax()),
    "hidden state": lambda hidden: hidden.argmax(axis=1),
    "int": lambda logits: softmax(logits, axis=1).astype(int).argmax(axis=1),
    "cut at half": lambda logits: (logits[:, 1] > 0.5).astype(int),
}


def _order(how: str, rows: int) -> Array:
    """Return which row of outputs lands where, (n,) int."""
    kept = np.arange(rows)
    return {
        "shuffled": np.random.default_rng(rows).permutation(rows),
        "shifted": np.roll(kept, 1),
        "reversed": kept[::-1],
        "last batch": np.resize(kept[rows - rows % 16 or rows - 16 :], rows),
    }.get(how, kept)


def _rows(serving: Serving, y_true: Array) -> Array:
    """Return the evaluation rows that are used, (n,) int."""
    rows = np.arange(len(y_true))[: serving.rows]
    return rows[y_true[rows] == y_true[0]] if serving.order == "one label" else rows


# How labels are numbered


def _labelled(how: str, y_true: Array, y_pred: Array, names: tuple[str, ...]) -> dict[str, Any]:
    """Return labels, answers and the model's names, where two encodings of labels meet."""
    num_labels = len(names)
    permutation = np.roll(np.arange(num_labels), 1)
    if how == "two swapped":
        permutation = np.r_[1, 0, np.arange(2, num_labels)]
    found = {"y_true": y_true, "y_pred": y_pred, "label_names": list(names)}
    if how in ("two swapped", "permuted"):  # the evaluation's own encoder numbered them so
        found["y_true"] = permutation[y_true]
    elif how == "names permuted":  # the answers go through names that stand in another order
        found["label_names"] = [names[label] for label in permutation]
        found["y_pred"] = permutation[y_pred]
    elif how == "from 1":
        found["y_true"] = y_true + 1
    elif how == "hidden":
        found["y_true"] = np.full_like(y_true, -1)
    elif how == "no names":
        found["label_names"] = [f"LABEL_{label}" for label in range(num_labels)]
    return found


# Weights


def _unloaded(model: Any, weights: str) -> list[str]:
    lost = {"head new": "classifier", "pretrained": "classifier", "random": ""}
    if weights not in lost:
        return []
    return [weight.name for weight in model.trainable_variables if lost[weights] in weight.name]


def _reloaded(model: Any, kind: str) -> Any:
    """Return the model after its weights went through a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/weights.h5"
        model.save_weights(path)
        again = models.build(kind, list(model.config.id2label.values()), pretrained=False)
        again.load_weights(path)
    return again


# Rows and files


def _split(item: Recording, rows: Rows, folder: Path) -> Split:
    drawn = split(
        TASKS[item.task](folder / "texts"),
        seed=item.seed,
        train_rows=models.ROWS[item.model] * rows.train,
        evaluation_rows=rows.evaluation,
        majority=rows.majority,
        evaluation_majority=rows.evaluation_majority,
    )
    generator = np.random.default_rng(item.seed)
    texts, labels = drawn.train
    if rows.labels == "shuffled":
        labels = generator.permutation(labels)
    elif rows.labels != "intact":
        share = {"noisy": 0.4, "slightly noisy": 0.03}[rows.labels]
        wrong = generator.random(len(labels)) < share
        other = labels + generator.integers(1, len(drawn.label_names), len(labels))
        labels = np.where(wrong, other % len(drawn.label_names), labels)
    if TRAINED[item.parent].training.fed_as_given:
        order = np.argsort(labels, kind="stable")
        texts, labels = [texts[row] for row in order], labels[order]
    return Split(drawn.label_names, (texts, labels), drawn.validation, drawn.evaluation)


def _write(folder: Path, name: str, fields: dict[str, Any], known: dict[str, Any]) -> None:
    """Write a bundle, then what is known of it: whoever finds the second finds the first whole."""
    unfinished = folder / f"{name}.part.npz"
    Evidence(**fields).save(unfinished)
    unfinished.replace(folder / "bundles" / f"{name}.npz")
    _replace(folder / "known" / f"{name}.json", json.dumps(known, sort_keys=True) + "\n")


def _replace(path: Path, text: str) -> None:
    unfinished = path.with_suffix(".part")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
