"""Experiments on a live pipeline, whose outcomes become evidence.

Each probe takes the pipeline and what was observed before it, and returns evidence fields. It is
left out when the pipeline lacks the part that it needs. Nothing here seeds or changes a model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .evidence import Evidence, outputs_to_array
from .pipeline import Pipeline
from .reference import FOLDS, cross_validated, readable, reference_model

__all__ = ["PROBES", "SAMPLE_SIZE", "observe"]

SAMPLE_SIZE = 32
"""Examples that a probe runs again: enough to see that outputs differ, since any difference is."""

TOKEN_FIELDS = (
    "input_ids",
    "attention_mask",
    "token_counts",
    "kept_token_counts",
    "unknown_token_share",
)

Fields = dict[str, Any]


def observe(pipeline: Pipeline) -> Evidence:
    """Pass the evaluation set through the pipeline once, run every probe, return the evidence."""
    outputs = pipeline.predict(pipeline.texts)
    fields: Fields = {
        "y_true": pipeline.y_true,
        "logits": _checked(outputs, pipeline.texts, "logits"),
        "label_names": pipeline.label_names,
        "label2id_names": pipeline.label2id_names,
        "dataset_label_names": pipeline.dataset_label_names,
        "max_length": pipeline.max_length,
        "y_train": pipeline.y_train,
        "example_keys": pipeline.texts,
        **pipeline.recorded,
    }
    if pipeline.decode is not None:
        fields["y_pred"] = pipeline.decode(outputs)
        if fields["y_pred"] is None:
            raise TypeError("decode: expected label ids, got None")
    for probe in PROBES:
        fields |= probe(pipeline, fields)
    return Evidence(**fields)


def encoded(pipeline: Pipeline, fields: Mapping[str, Any]) -> Fields:
    """Encode the evaluation texts and count their tokens."""
    if pipeline.encode is None:
        return {}
    encoding = pipeline.encode(pipeline.texts)
    if not isinstance(encoding, Mapping):
        raise TypeError(
            f"encode: expected a mapping such as {{'input_ids': ...}}, "
            f"got {type(encoding).__name__}"
        )
    found = {name: encoding[name] for name in TOKEN_FIELDS if name in encoding}
    mask = Evidence(**found).attention_mask  # raises if what was returned is no encoding
    if mask is not None and "kept_token_counts" not in found:
        found["kept_token_counts"] = mask.sum(axis=1)
    return found


def repeated(pipeline: Pipeline, fields: Mapping[str, Any]) -> Fields:
    """Call the pipeline a second time on the first texts, in the same batch as before if small."""
    sample = pipeline.texts[:SAMPLE_SIZE]
    return {"repeated_logits": _checked(pipeline.predict(sample), sample, "repeated_logits")}


def reloaded(pipeline: Pipeline, fields: Mapping[str, Any]) -> Fields:
    """Load the pipeline again and call it on the first texts."""
    if pipeline.load is None:
        return {}
    sample = pipeline.texts[:SAMPLE_SIZE]
    predict = pipeline.load()
    if not callable(predict):
        raise TypeError(f"load: expected it to return predict, got {type(predict).__name__}")
    return {"reloaded_logits": _checked(predict(sample), sample, "reloaded_logits")}


def reference(pipeline: Pipeline, fields: Mapping[str, Any]) -> Fields:
    """Train TF-IDF and logistic regression on the same rows, and on what truncation keeps of them.

    The second sees the token ids in place of the words, as many as the model sees. Besides, the
    first is cross-validated on the training rows, to see whether their labels tell of the texts.
    """
    if pipeline.train_texts is None or pipeline.y_train is None:
        return {}
    y_train = Evidence(y_train=pipeline.y_train).y_train
    counts = np.unique(y_train, return_counts=True)[1]
    if len(counts) < 2 or not readable(pipeline.train_texts):
        return {}  # nothing that a bag of words could learn
    model = reference_model().fit(pipeline.train_texts, y_train)
    found = {"reference_y_pred": model.predict(pipeline.texts)}
    num_labels = max(2, np.shape(fields["logits"])[-1])
    if counts.min() >= FOLDS and y_train.min() >= 0 and y_train.max() < num_labels:
        answers, probabilities = cross_validated(pipeline.train_texts, y_train, num_labels)
        found["train_reference_y_pred"] = answers
        found["train_reference_probabilities"] = probabilities
    if pipeline.encode is not None and "input_ids" in fields:
        train_ids = _ids_as_text(pipeline.encode(pipeline.train_texts))
        model = reference_model(token_pattern=r"\S+").fit(train_ids, y_train)
        found["kept_reference_y_pred"] = model.predict(_ids_as_text(fields))
    return found


PROBES: tuple[Callable[[Pipeline, Mapping[str, Any]], Fields], ...] = (
    encoded,
    repeated,
    reloaded,
    reference,
)


def _checked(outputs: Any, texts: Sequence[str], name: str) -> Any:
    array = outputs_to_array(outputs, name)
    if array.ndim == 0 or len(array) != len(texts):
        raise ValueError(
            f"predict: expected outputs for {len(texts)} texts, got {array.shape} ({name})"
        )
    return array


def _ids_as_text(encoding: Mapping[str, Any]) -> list[str]:
    ids = outputs_to_array(encoding["input_ids"], "input_ids")
    mask = encoding.get("attention_mask")
    kept = np.ones_like(ids) if mask is None else outputs_to_array(mask, "attention_mask")
    return [
        " ".join(map(str, row[real == 1].tolist())) for row, real in zip(ids, kept, strict=True)
    ]
