"""Every message of a failed or inconclusive check, word for word, in ``messages.txt``.

The message is what somebody reads at night: a change of its wording is a change of the product
and shows in the diff of that file. ``python -m tests.test_message_snapshots`` writes it anew.
"""

from __future__ import annotations

import ast
import functools
import re
import sys
import warnings
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_bertcheck import Evidence, Finding, Verdict, assert_not_collapsed, checks, diagnose
from pytest_bertcheck.checks import find_check, run_checks
from pytest_bertcheck.messages import FIRST_LINE_LIMIT, render_finding

from .simulate import run_check, softmax

GOLDEN = Path(__file__).with_name("messages.txt")
CHECKS = Path(checks.__file__).parent
DOCS = Path(__file__).parents[1] / "docs" / "checks.md"
UPDATE = "python -m tests.test_message_snapshots"

# Small data, the same on every Python, NumPy and SciPy

NAMES = ["business", "culture", "sport"]
MORE_NAMES = ["business", "culture", "politics", "science", "sport"]
TWO = ["ham", "spam"]


def turns(n, num_labels=3):
    """Labels that take turns."""
    return np.arange(n) % num_labels


def drawn(n, num_labels=3, seed=0):
    """Labels drawn at random."""
    return np.random.default_rng(seed).integers(0, num_labels, n)


def erring(labels, every, num_labels=3):
    """Answers of which one in ``every`` is another label than the true one."""
    return np.where(np.arange(len(labels)) % every == 0, (labels + 1) % num_labels, labels)


def outputs_for(answers, num_labels=3, margin=4.0):
    """Logits whose argmax is ``answers``, and that differ from row to row."""
    logits = np.zeros((len(answers), num_labels))
    logits[np.arange(len(answers)), answers] = margin + np.arange(len(answers)) % 8 / 8
    return logits


def waves(n, num_labels=2, scale=1.0):
    """Logits of all sizes, none of them equal: multiples of an irrational number, modulo 1."""
    numbers = (np.arange(1, n * num_labels + 1) * (5**0.5 - 1) / 2) % 1
    return scale * (2 * numbers.reshape(n, num_labels) - 1)


def imbalanced(common, rare):
    return np.repeat([0, 1], [common, rare])


def leaning(y_true):
    """Logits that tell two labels apart, and too high for the first: two of five others get it."""
    margin = 4 * y_true - 2 + np.linspace(0, 1, len(y_true)) - np.where(y_true == 1, 2.4, 2)
    return np.stack([np.zeros(len(y_true)), margin], axis=1)


def cross_entropy(logits, y_true):
    return float(-np.log(softmax(logits)[np.arange(len(y_true)), y_true]).mean())


def good(n=90, **fields):
    """Evidence of a good model, and whatever else."""
    y_true = turns(n)
    own = {"y_true": y_true, "logits": outputs_for(erring(y_true, 15)), "label_names": NAMES}
    return Evidence(**{**own, **fields})


def clueless(n=90, **fields):
    """Evidence of a model at chance that commits to nothing, and whatever else."""
    own = {"y_true": drawn(n, seed=3), "logits": 0.1 * waves(n, 3), "dataset_label_names": NAMES}
    return Evidence(**{**own, **fields})


def decoded(decode, logits=None, **fields):
    """Evidence of outputs that were decoded in some way."""
    logits = outputs_for(drawn(90)) if logits is None else logits
    return Evidence(logits=logits, y_pred=decode(logits), **fields)


def two_columns(decode):
    return decoded(decode, waves(90, scale=3))


def renamed(logits):
    return np.array([1, 2, 0])[logits.argmax(axis=1)]


def ids(n=40, length=8):
    """Token ids with a first, a last and no padding, all rows different."""
    inner = 1000 + np.arange(n * (length - 2)).reshape(n, length - 2)
    return np.hstack([np.full((n, 1), 101), inner, np.full((n, 1), 102)])


def padded(n=40, length=8, pad=0):
    """Token ids whose rows end in three times the padding, and their mask."""
    tokens = ids(n, length)
    tokens[:, -3:] = pad
    return tokens, (np.arange(length) < length - 3) * np.ones((n, 1), dtype=int)


def masked(change, *, with_ids=True, **fields):
    """Evidence of a mask that was changed."""
    tokens, mask = padded()
    return Evidence(
        attention_mask=change(mask), **({"input_ids": tokens} if with_ids else {}), **fields
    )


def before(answers, baseline=None, **fields):
    """Evidence of answers beside those of a model in production that knew better."""
    y_true = turns(len(answers))
    own = {
        "y_true": y_true,
        "y_pred": answers,
        "label_names": NAMES,
        "baseline_y_pred": erring(y_true, 50) if baseline is None else baseline,
        "example_keys": [f"article {row}: nothing \x1b[31mred" for row in range(len(answers))],
    }
    return Evidence(**{**own, **fields})


def with_holes(mask):
    return np.where(np.arange(mask.shape[1]) == 2, 0, mask)


def long_texts(n=90, **fields):
    y_true = turns(n)
    own = {
        "y_true": y_true,
        "label_names": NAMES,
        "logits": outputs_for(erring(y_true, 2)),
        "token_counts": np.full(n, 900),
        "kept_token_counts": np.full(n, 128),
        "max_length": 128,
    }
    return Evidence(**{**own, **fields})


def stalled(first=0.7, last=0.69, **fields):
    return Evidence(**{"loss": np.linspace(first, last, 12), "label_names": TWO, **fields})


def reported(loss_of, logits=None, **fields):
    """Evidence whose ``val_loss`` ends at what ``loss_of`` makes of outputs and labels."""
    logits = waves(60, 3, scale=2) if logits is None else logits
    y_true = drawn(60, max(2, logits.shape[1]))
    loss = np.array([9.0, float(np.mean(loss_of(logits, y_true)))])
    return Evidence(**{"logits": logits, "y_true": y_true, "val_loss": loss, **fields})


def log_softmax_at(logits, y_true):
    return np.log(softmax(logits)[np.arange(len(y_true)), y_true])


def binary(logits, targets):
    return np.logaddexp(0, logits) - logits * targets


def clipped_binary(outputs, targets):
    low, high = float(np.float32(1e-7)), float(np.float32(1 - 1e-7))
    clipped = np.clip(outputs, low, high)
    return -(targets * np.log(clipped) + (1 - targets) * np.log(1 - clipped))


def normalised_log(logits, y_true):
    clipped = np.clip(logits, 1e-7, 1 - 1e-7)
    return np.log(clipped.sum(axis=1)) - np.log(clipped[np.arange(len(y_true)), y_true])


def metric(value, logits=None, **fields):
    """Evidence of an accuracy that was reported beside the loss of these very rows."""
    logits = waves(60, 3, scale=2) if logits is None else logits
    y_true = drawn(60)
    loss = cross_entropy(logits, y_true)
    own = {"logits": logits, "y_true": y_true, "val_loss": [loss], "val_accuracy": [value(logits)]}
    return Evidence(**{**own, **fields})


def moved_rows(source, n=120):
    """Right answers that stand at other rows."""
    y_true = drawn(n)
    return Evidence(y_true=y_true, y_pred=erring(y_true, 12)[source], label_names=NAMES)


def dealt(n, workers):
    return np.concatenate([np.arange(n)[first::workers] for first in range(workers)])


def served(field, change, **fields):
    logits = outputs_for(drawn(40))
    return Evidence(**{"logits": logits, field: change(logits), **fields})


def partly_padded(n=40):
    """A call in which the padded half of the rows gets other outputs alone."""
    logits = outputs_for(drawn(n))
    alone = logits + 2.0 * (np.arange(n) % 2 == 0)[:, None] * np.array([1.0, 0.0, -1.0])
    return Evidence(
        logits=logits, rebatched_logits=alone, kept_token_counts=np.where(turns(n, 2) == 0, 5, 9)
    )


def overfit(*losses, **fields):
    return Evidence(overfit_loss=losses, **{"label_names": NAMES, **fields})


def a_metric_with_quite_a_long_name_of_its_own(y_true, y_pred):
    return float((y_true == y_pred).mean())


# name of the case: check, its settings, evidence

CASES = {
    # data
    "an id too high": ("labels_valid", {}, lambda: Evidence(
        y_true=[*turns(30), 3], dataset_label_names=NAMES)),
    "ids from 1": ("labels_valid", {}, lambda: Evidence(
        y_train=1 + turns(300), dataset_label_names=NAMES)),
    "a hidden test label": ("labels_valid", {}, lambda: Evidence(
        y_true=np.full(50, -1), logits=outputs_for(turns(50)))),
    "ids that no names or outputs bound": ("labels_valid", {}, lambda: Evidence(
        y_true=[0, 1, 2, -7])),
    "many ids in all fields": ("labels_valid", {}, lambda: Evidence(
        y_true=1000 * turns(40, 9), y_train=-3 - 1000 * turns(60, 9), train_y_true=[0, 1, 7, -100],
        dataset_label_names=NAMES)),
    "imbalanced, nothing answered yet": ("classes_balanced", {}, lambda: Evidence(
        y_train=imbalanced(1940, 60), dataset_label_names=TWO)),
    "imbalanced, and the answers follow": ("classes_balanced", {}, lambda: Evidence(
        y_train=imbalanced(1940, 60), y_true=turns(200, 2), y_pred=np.zeros(200, dtype=int),
        dataset_label_names=TWO)),
    "imbalanced, and rare labels never answered": ("classes_balanced", {}, lambda: Evidence(
        y_train=np.repeat(np.arange(5), [900, 50, 50, 50, 50]), y_true=turns(200, 5),
        y_pred=turns(200, 5) % 2, dataset_label_names=MORE_NAMES)),
    "imbalanced, and the answers lean": ("classes_balanced", {}, lambda: Evidence(
        y_train=imbalanced(1940, 60), y_true=turns(200, 2), dataset_label_names=TWO,
        logits=leaning(turns(200, 2)))),
    "imbalanced, no y_true": ("classes_balanced", {}, lambda: Evidence(
        y_train=imbalanced(1940, 60), y_pred=turns(200, 2), dataset_label_names=TWO)),
    "no two labels in training": ("classes_balanced", {}, lambda: Evidence(
        y_train=[0] * 50, dataset_label_names=["ham"])),
    "fed in label order": (
        "training_data_shuffled", {"only_if_harmful": False}, lambda: Evidence(
            y_train=np.repeat([0, 1, 2], 100), dataset_label_names=NAMES)),
    "fed in label order, the last one answered": ("training_data_shuffled", {}, lambda: Evidence(
        y_train=np.repeat([0, 1, 2], 100), y_true=turns(90), y_pred=np.full(90, 2),
        dataset_label_names=NAMES)),
    "fed in label order, the loss jumps": ("training_data_shuffled", {}, lambda: Evidence(
        y_train=np.repeat([0, 1, 2], 96), dataset_label_names=NAMES, batch_size=16, train_steps=54,
        loss=[2 - 0.2 * (step % 6) - 0.01 * step for step in range(54)])),
    "stored in label order": ("training_data_shuffled", {}, lambda: Evidence(
        y_train=np.repeat([0, 1, 2], 100), dataset_label_names=NAMES)),
    "stored in label order, the model weak": ("training_data_shuffled", {}, lambda: Evidence(
        y_train=np.repeat([0, 1, 2], 100), y_true=turns(90), y_pred=erring(turns(90), 2))),
    "an order of one label": ("training_data_shuffled", {}, lambda: Evidence(y_train=[1] * 50)),
    "too few rows for an order": ("training_data_shuffled", {}, lambda: Evidence(
        y_train=[0, 0, 1, 1, 0, 1])),
    "a label that was never trained": ("splits_consistent", {}, lambda: Evidence(
        y_train=turns(300, 2), y_true=turns(90), dataset_label_names=NAMES)),
    "a label that is never evaluated": (
        "splits_consistent", {"allow_missing": False}, lambda: Evidence(
            y_train=turns(300), y_true=turns(90, 2), dataset_label_names=NAMES)),
    "shares that differ": ("splits_consistent", {"max_difference": 0.1}, lambda: Evidence(
        y_train=imbalanced(900, 100), y_true=turns(400, 2), dataset_label_names=TWO)),
    "a label missing by chance perhaps": ("splits_consistent", {}, lambda: Evidence(
        y_train=turns(30, 2), y_true=[*turns(30, 2), 2], dataset_label_names=NAMES)),
    "shares that differ by chance perhaps": (
        "splits_consistent", {"max_difference": 0.1}, lambda: Evidence(
            y_train=imbalanced(14, 6), y_true=turns(20, 2), dataset_label_names=TWO)),
    "splits, an id that is none": ("splits_consistent", {}, lambda: Evidence(
        y_train=[0, 1, -1], y_true=[0, 1], dataset_label_names=TWO)),
    "labels that tell nothing": ("labels_informative", {"min_skill": 0.1}, lambda: Evidence(
        y_train=drawn(600, 2), train_reference_y_pred=drawn(600, 2, seed=1))),
    "labels that may tell nothing": ("labels_informative", {}, lambda: Evidence(
        y_train=drawn(600, 2), train_reference_y_pred=drawn(600, 2, seed=1))),
    "labels that may tell nothing, with a limit": (
        "labels_informative", {"min_skill": 0.1}, lambda: Evidence(
            y_train=turns(40, 2), train_reference_y_pred=turns(40, 4) // 2)),
    "training labels that are no ids": ("labels_informative", {}, lambda: Evidence(
        y_train=[-1, -1], train_reference_y_pred=[0, 1])),
    "noisier in training": ("labels_not_noisier", {}, lambda: Evidence(
        y_true=turns(300), logits=outputs_for(erring(turns(300), 10)),
        train_y_true=turns(300), train_logits=outputs_for(erring(turns(300), 2)),
        dataset_label_names=NAMES)),
    "noisier in training by chance perhaps": ("labels_not_noisier", {}, lambda: Evidence(
        y_true=turns(30), logits=outputs_for(erring(turns(30), 10)),
        train_y_true=turns(30), train_logits=outputs_for(erring(turns(30), 3)))),
    "no label on both sides": ("labels_not_noisier", {}, lambda: Evidence(
        y_true=[0, 0], logits=outputs_for([0, 0]), train_y_true=[1, 1],
        train_logits=outputs_for([1, 1]))),
    "NaN in the training sample": ("labels_not_noisier", {}, lambda: Evidence(
        y_true=[0, 1], logits=outputs_for([0, 1]), train_y_true=[0, 1],
        train_logits=[[np.nan, 1, 0], [1, 0, 0]])),
    "hardly predictable in training": ("labels_as_predictable", {}, lambda: Evidence(
        y_train=turns(300), train_reference_y_pred=erring(turns(300), 2),
        y_true=turns(300), evaluation_reference_y_pred=erring(turns(300), 10))),
    "too few training rows to compare": ("labels_as_predictable", {}, lambda: Evidence(
        y_train=turns(30), train_reference_y_pred=turns(30), y_true=turns(30),
        evaluation_reference_y_pred=turns(30))),
    "contradicted labels": ("labels_clean", {}, lambda: Evidence(
        y_train=turns(300, 2), train_reference_probabilities=softmax(
            outputs_for(erring(turns(300, 2), 3, 2), 2)), dataset_label_names=TWO)),
    "contradicted labels, with their texts": (
        "labels_clean", {"texts": [f"message number {row}" for row in range(300)]},
        lambda: Evidence(y_train=turns(300, 2), train_reference_probabilities=softmax(
            outputs_for(erring(turns(300, 2), 3, 2), 2)), dataset_label_names=TWO)),
    "contradicted labels by chance perhaps": ("labels_clean", {}, lambda: Evidence(
        y_train=turns(30, 2), train_reference_probabilities=softmax(
            outputs_for(erring(turns(30, 2), 4, 2), 2)))),
    "doubtful labels that are no ids": ("labels_clean", {}, lambda: Evidence(
        y_train=[-1, -1], train_reference_probabilities=[[0.5, 0.5], [0.5, 0.5]])),
    # labels
    "id2label and label2id, exchanged": ("label_mapping_consistent", {}, lambda: Evidence(
        label_names=NAMES, label2id_names=NAMES[::-1])),
    "id2label and label2id, other names": ("label_mapping_consistent", {}, lambda: Evidence(
        label_names=NAMES, label2id_names=["a", "b", "c"])),
    "an id without a name": ("label_mapping_consistent", {}, lambda: Evidence(
        label_names={0: "ham", 2: "spam"})),
    "a name given twice": ("label_mapping_consistent", {}, lambda: Evidence(
        label_names=["ham", "spam", "ham"])),
    "another number of names": ("label_mapping_consistent", {}, lambda: Evidence(
        label_names=TWO, dataset_label_names=NAMES)),
    "another number of outputs than names": ("label_mapping_consistent", {}, lambda: Evidence(
        label_names=TWO, logits=outputs_for(turns(9)))),
    "names beside hidden states": ("label_mapping_consistent", {}, lambda: Evidence(
        label_names=TWO, logits=waves(9, 768))),
    "names in another order": ("label_mapping_consistent", {}, lambda: Evidence(
        label_names=NAMES, dataset_label_names=NAMES[::-1])),
    "placeholders beside names": ("label_mapping_consistent", {}, lambda: Evidence(
        label_names=["LABEL_0", "LABEL_1"], dataset_label_names=TWO)),
    "placeholders alone": ("label_mapping_consistent", {}, lambda: Evidence(
        label_names=["LABEL_0", "LABEL_1"])),
    "names that differ": ("label_mapping_consistent", {}, lambda: Evidence(
        label_names=["ham", "junk"], dataset_label_names=TWO)),
    "two labels swapped": ("labels_not_swapped", {}, lambda: Evidence(
        y_true=turns(200, 2), y_pred=1 - erring(turns(200, 2), 10, 2), label_names=TWO)),
    "three labels in a cycle": ("labels_not_swapped", {}, lambda: Evidence(
        y_true=turns(300), y_pred=(erring(turns(300), 10) + 1) % 3, label_names=NAMES)),
    "two of five labels swapped": ("labels_not_swapped", {}, lambda: Evidence(
        y_true=turns(300, 5), y_pred=np.array([0, 1, 4, 3, 2])[erring(turns(300, 5), 10, 5)],
        label_names=MORE_NAMES)),
    "swapped or confused": ("labels_not_swapped", {}, lambda: Evidence(
        y_true=turns(200, 2), y_pred=np.array([1, 1, 1, 0])[turns(200, 4)])),
    "swapped or confused, with names": ("labels_not_swapped", {}, lambda: Evidence(
        y_true=turns(200, 2), y_pred=np.array([1, 1, 1, 0])[turns(200, 4)], label_names=TWO)),
    "swapped, y_true is no id": ("labels_not_swapped", {}, lambda: Evidence(
        y_true=[0, 1, 3], y_pred=[0, 1, 2], label_names=NAMES)),
    "swapped, answers that are no ids": ("labels_not_swapped", {}, lambda: Evidence(
        y_true=[0, 1, 2], y_pred=[0, 1], label_names=NAMES)),
    # tokens
    "cut, and the last tokens are better": ("truncation_harmless", {}, lambda: long_texts(
        tail_logits=outputs_for(erring(turns(90), 30)))),
    "cut, and a reference loses too": ("truncation_harmless", {}, lambda: long_texts(
        300, reference_y_pred=erring(turns(300), 20),
        kept_reference_y_pred=erring(turns(300), 2))),
    "cut, with what it costs unknown": ("truncation_harmless", {}, long_texts),
    "the same ids for all": ("inputs_distinct", {}, lambda: Evidence(
        input_ids=ids(1).repeat(40, 0))),
    "nothing but special tokens": ("inputs_distinct", {}, lambda: Evidence(
        kept_token_counts=np.full(40, 2))),
    "nothing but [UNK]": ("inputs_distinct", {}, lambda: Evidence(
        unknown_token_share=np.full(40, 0.9))),
    "the same ids, empty and [UNK]": ("inputs_distinct", {}, lambda: Evidence(
        input_ids=ids(1).repeat(40, 0), kept_token_counts=np.full(40, 2),
        unknown_token_share=np.full(40, 0.9))),
    "ids without an embedding": ("vocabulary_matches", {}, lambda: Evidence(
        input_ids=ids(), embedding_rows=1200)),
    "a larger tokenizer": ("vocabulary_matches", {}, lambda: Evidence(
        tokenizer_size=30522, embedding_rows=28996)),
    "a larger tokenizer, its ids unused": ("vocabulary_matches", {}, lambda: Evidence(
        tokenizer_size=30522, embedding_rows=28996, input_ids=ids())),
    "a larger tokenizer, its ids unused, [UNK] known": ("vocabulary_matches", {}, lambda: Evidence(
        tokenizer_size=30522, embedding_rows=28996, input_ids=ids(),
        unknown_token_share=np.zeros(40))),
    "padding with another id": ("vocabulary_matches", {}, lambda: masked(
        lambda mask: mask, pad_token_id=1)),
    "texts full of [UNK]": ("vocabulary_matches", {}, lambda: Evidence(
        unknown_token_share=np.linspace(0.45, 0.95, 40))),
    "a large vocabulary that lacks words": ("vocabulary_matches", {}, lambda: Evidence(
        unknown_token_share=np.full(60, 0.2), tokenizer_size=30522,
        y_true=drawn(60), y_pred=erring(drawn(60), 3), reference_y_pred=drawn(60))),
    "capitals that the vocabulary has not got": ("vocabulary_matches", {}, lambda: Evidence(
        unknown_token_share=np.linspace(0.06, 0.4, 40),
        lowercase_unknown_token_share=np.zeros(40))),
    "too few texts full of [UNK]": ("vocabulary_matches", {}, lambda: Evidence(
        unknown_token_share=np.full(5, 0.9))),
    "a mask of other values": ("attention_mask_valid", {}, lambda: masked(
        lambda mask: -10000 * (1 - mask))),
    "a mask of another shape": ("attention_mask_valid", {}, lambda: masked(
        lambda mask: mask[:, :-1])),
    "token_type_ids of single texts": ("attention_mask_valid", {}, lambda: masked(
        lambda mask: 0 * mask)),
    "token_type_ids of pairs": ("attention_mask_valid", {}, lambda: masked(
        lambda mask: mask * (np.arange(8) > 2))),
    "real tokens masked out": ("attention_mask_valid", {}, lambda: masked(
        lambda mask: mask * (np.arange(8) < 4))),
    "padding that is not masked": ("attention_mask_valid", {}, lambda: masked(
        lambda mask: 0 * mask + 1, pad_token_id=0)),
    "a mask of ones throughout": ("attention_mask_valid", {}, lambda: masked(
        lambda mask: 0 * mask + 1, with_ids=False, kept_token_counts=3 + turns(40, 6))),
    "a text without a token": ("attention_mask_valid", {}, lambda: masked(
        lambda mask: mask * (np.arange(40) > 0)[:, None], with_ids=False)),
    "a mask with gaps": ("attention_mask_valid", {}, lambda: masked(with_holes, with_ids=False)),
    "a mask that keeps other tokens": ("attention_mask_valid", {}, lambda: masked(
        lambda mask: mask, kept_token_counts=4 + turns(40, 2))),
    # training
    "a loss of NaN": ("training_progressed", {}, lambda: Evidence(loss=[0.7, 0.6, np.nan, np.nan])),
    "an infinite val_loss": ("training_progressed", {}, lambda: Evidence(
        loss=[0.7, 0.6], val_loss=[0.7, np.inf])),
    "no step": ("training_progressed", {}, lambda: Evidence(train_steps=0)),
    "no progress": ("training_progressed", {}, lambda: stalled(
        0.7, 0.695, val_loss=[0.696, 0.695, 0.694], learning_rate=[2e-5, 1e-5], train_steps=500)),
    "no progress on validation data": ("training_progressed", {}, lambda: stalled(
        0.7, 0.2, val_loss=[0.70, 0.71, 0.93])),
    "progress that was lost again": ("training_progressed", {}, lambda: Evidence(
        loss=[0.7, 0.4, 0.6], val_loss=[0.6, 0.4, 0.9], val_accuracy=[0.71, 0.88, 0.53],
        y_train=turns(400, 2), y_true=turns(100, 2), y_pred=turns(100, 2) * (np.arange(100) < 10),
        dataset_label_names=TWO)),
    "progress without a loss": ("training_progressed", {}, lambda: Evidence(train_steps=500)),
    "little progress, answers that tell": ("training_progressed", {}, lambda: stalled(
        0.7, 0.695, y_true=turns(200, 2), y_pred=erring(turns(200, 2), 4, 2))),
    "little progress on a hard task": ("training_progressed", {}, lambda: stalled(
        0.68, 0.67, reference_y_pred=turns(9, 2))),
    "little progress on a hard task, no reference": ("training_progressed", {}, lambda: stalled(
        0.68, 0.67)),
    "little progress or class weights": ("training_progressed", {}, lambda: stalled(
        0.61, 0.60, y_train=imbalanced(900, 100))),
    "loss of softmax twice": ("loss_matches_outputs", {}, lambda: reported(
        lambda logits, y: -log_softmax_at(softmax(logits), y))),
    "loss of probabilities as logits": ("loss_matches_outputs", {}, lambda: reported(
        lambda logits, y: -log_softmax_at(logits, y), softmax(waves(60, 3, scale=4)))),
    "loss of logits as probabilities": ("loss_matches_outputs", {}, lambda: reported(
        normalised_log)),
    "loss without a softmax": ("loss_matches_outputs", {}, lambda: reported(
        lambda logits, y: -logits[np.arange(60), y])),
    "squared error to ids": ("loss_matches_outputs", {}, lambda: reported(
        lambda logits, y: (logits - y[:, None]) ** 2)),
    "binary cross-entropy to ids": ("loss_matches_outputs", {}, lambda: reported(
        lambda logits, y: binary(logits, y[:, None]))),
    "binary cross-entropy of logits": ("loss_matches_outputs", {}, lambda: reported(
        lambda logits, y: clipped_binary(logits, np.eye(3)[y]))),
    "softmax over one unit": ("loss_matches_outputs", {}, lambda: reported(
        lambda logits, y: 0.0, waves(60, 1))),
    "binary softmax over one unit": ("loss_matches_outputs", {}, lambda: reported(
        lambda logits, y: -np.log(1e-7) * (y == 0), waves(60, 1))),
    "one unit, probabilities as logits": ("loss_matches_outputs", {}, lambda: reported(
        lambda outputs, y: binary(outputs[:, 0], y), (1 + waves(60, 1)) / 2)),
    "one unit, logits as probabilities": ("loss_matches_outputs", {}, lambda: reported(
        lambda outputs, y: clipped_binary(outputs[:, 0], y), waves(60, 1, scale=3))),
    "loss summed over a batch": ("loss_matches_outputs", {"same_rows": True}, lambda: reported(
        lambda logits, y: -20 * log_softmax_at(logits, y), batch_size=20)),
    "loss summed over the rows": ("loss_matches_outputs", {"same_rows": True}, lambda: reported(
        lambda logits, y: -60 * log_softmax_at(logits, y))),
    "squared error to one-hot rows": ("loss_matches_outputs", {"same_rows": True}, lambda: reported(
        lambda logits, y: (logits - np.eye(3)[y]) ** 2)),
    "binary cross-entropy to one-hot rows": (
        "loss_matches_outputs", {"same_rows": True}, lambda: reported(
            lambda logits, y: binary(logits, np.eye(3)[y]))),
    "loss of no known kind": ("loss_matches_outputs", {"same_rows": True}, lambda: reported(
        lambda logits, y: 0.25)),
    "loss below that of flat outputs": ("loss_matches_outputs", {}, lambda: reported(
        lambda logits, y: 0.1, waves(60, 3, scale=0.02), loss=[1.1, 0.2, 0.04],
        train_logits=waves(60, 3, scale=0.02), train_y_true=drawn(60),
        reference_y_pred=drawn(60))),
    "wrong loss that any rows have": ("loss_matches_outputs", {}, lambda: reported(
        lambda logits, y: -log_softmax_at(softmax(logits), y), 2.0 * np.eye(3)[drawn(60)])),
    "loss of outputs that are not finite": ("loss_matches_outputs", {}, lambda: reported(
        lambda logits, y: 0.7, np.full((60, 3), np.nan))),
    "accuracy misreported": ("accuracy_as_reported", {}, lambda: metric(lambda logits: 0.98)),
    "accuracy beside a loss that any rows have": ("accuracy_as_reported", {}, lambda: metric(
        lambda logits: 0.5, 2.0 * np.eye(3)[drawn(60)])),
    "accuracy over all columns": ("accuracy_as_reported", {}, lambda: metric(
        lambda logits: ((logits > 0.5) == np.eye(3)[drawn(60)]).mean())),
    "accuracy that counts label 0": ("accuracy_as_reported", {}, lambda: metric(
        lambda logits: (logits.argmax(axis=1) == 0).mean(),
        outputs_for(np.where(turns(60, 5) < 1, 0, drawn(60))))),
    "accuracy of other rows": ("accuracy_as_reported", {"same_rows": True}, lambda: Evidence(
        y_true=[0, 1, 1], y_pred=[0, 1], val_accuracy=[0.5])),
    "an infinite rate": ("learning_rate_schedule", {}, lambda: Evidence(
        learning_rate=[2e-5, np.inf, 2e-5])),
    "negative rates": ("learning_rate_schedule", {}, lambda: Evidence(
        learning_rate=np.linspace(2e-5, -1e-5, 10))),
    "a rate above what was asked": ("learning_rate_schedule", {"peak": 2e-5}, lambda: Evidence(
        learning_rate=[1e-3] * 10)),
    "a rate below what was asked": ("learning_rate_schedule", {"peak": 2e-5}, lambda: Evidence(
        learning_rate=[1e-6] * 10)),
    "a rate of zero": ("learning_rate_schedule", {}, lambda: Evidence(learning_rate=[0.0] * 10)),
    "a rate that is zero mostly": ("learning_rate_schedule", {}, lambda: Evidence(
        learning_rate=[2e-5, 1e-5, 0, 0, 0, 0, 0, 0])),
    "a rate that rises to the end": ("learning_rate_schedule", {}, lambda: Evidence(
        learning_rate=np.linspace(1e-6, 2e-5, 10))),
    "a rate that jumps": ("learning_rate_schedule", {}, lambda: Evidence(
        learning_rate=[1e-6] * 6 + [1e-3] * 4)),
    "weights that are NaN": ("weights_updated", {}, lambda: Evidence(
        encoder_update=np.nan, head_update=np.nan)),
    "nothing moved": ("weights_updated", {}, lambda: Evidence(encoder_update=0.0, head_update=0.0)),
    "the head did not move": ("weights_updated", {}, lambda: Evidence(
        encoder_update=0.012, head_update=0.0)),
    "the encoder did not move": ("weights_updated", {}, lambda: Evidence(encoder_update=0.0)),
    "overfitting diverges": ("overfits_small_batch", {}, lambda: overfit(1.1, 2.0, np.nan)),
    "overfitting from exactly zero": ("overfits_small_batch", {}, lambda: overfit(*[0.0] * 9)),
    "overfitting never moves": ("overfits_small_batch", {}, lambda: overfit(*[1.0986] * 9)),
    "overfitting stops at the floor": ("overfits_small_batch", {}, lambda: overfit(
        1.1, 0.9, 0.7, *[0.5514] * 12)),
    "overfitting stops elsewhere": ("overfits_small_batch", {}, lambda: overfit(
        1.1, 0.9, 0.8, *[0.75] * 12)),
    "overfitting stopped too early": ("overfits_small_batch", {}, lambda: overfit(1.1, 0.9, 0.7)),
    # outputs
    "NaN in the logits": ("logits_valid", {}, lambda: Evidence(
        logits=np.where(turns(90, 30)[:, None] == 7, np.nan, outputs_for(turns(90))))),
    "hidden states for logits": ("logits_valid", {}, lambda: Evidence(
        logits=waves(9, 768), dataset_label_names=NAMES)),
    "constant logits": ("logits_valid", {}, lambda: Evidence(
        logits=np.tile([0.3, 0.1, -0.2], (90, 1)))),
    "constant logits but for rounding": ("logits_valid", {}, lambda: Evidence(
        logits=np.array([[0.3, 0.1, -0.2], [0.3, np.nextafter(0.1, 1), -0.2]])[
            (np.arange(200) % 50 > 47).astype(int)])),
    "a column of ones": ("logits_valid", {}, lambda: Evidence(
        logits=np.ones((90, 1)), y_true=turns(90, 2))),
    "probabilities for logits": ("logits_valid", {"allow_probabilities": False}, lambda: Evidence(
        logits=softmax(outputs_for(turns(90))))),
    "a probability for a logit": ("logits_valid", {"allow_probabilities": False}, lambda: Evidence(
        logits=(1 + waves(90, 1)) / 2)),
    "collapsed": ("not_collapsed", {}, lambda: Evidence(
        y_true=turns(200, 4) // 2, y_pred=[1] * 200, label_names=TWO)),
    "collapsed, no y_true": ("not_collapsed", {}, lambda: Evidence(
        y_pred=[2] * 200, label_names=NAMES)),
    "nearly collapsed": ("not_collapsed", {}, lambda: Evidence(
        y_true=turns(200), y_pred=[0] * 198 + [1, 2], label_names=NAMES)),
    "too few answers to tell": ("not_collapsed", {}, lambda: Evidence(
        y_pred=[0] * 12, label_names=NAMES)),
    "too few answers of other labels to tell": ("not_collapsed", {}, lambda: Evidence(
        y_true=imbalanced(190, 10), y_pred=[0] * 200, label_names=TWO)),
    "too many answers": ("not_collapsed", {}, lambda: Evidence(
        logits=outputs_for(turns(90)), y_pred=[0, 1, 2])),
    "an output for no label": ("not_collapsed", {}, lambda: Evidence(
        logits=waves(9, 768), dataset_label_names=NAMES)),
    "worse than chance": ("beats_majority", {}, lambda: Evidence(
        y_true=turns(200, 2), y_pred=1 - erring(turns(200, 2), 10, 2), label_names=TWO)),
    "at chance": ("beats_majority", {}, clueless),
    "at chance, with a reference": ("beats_majority", {}, lambda: clueless(
        reference_y_pred=turns(90))),
    "beating the majority, unreadable": ("beats_majority", {}, lambda: Evidence(
        y_true=[0, 1, 1], y_pred=[0, 1])),
    "far below a reference": ("not_far_below_reference", {}, lambda: clueless(
        reference_y_pred=erring(drawn(90, seed=3), 10))),
    "a reference that has other labels": ("not_far_below_reference", {}, lambda: clueless(
        reference_y_pred=np.full(90, 7))),
    "far below a reference, unreadable": ("not_far_below_reference", {}, lambda: Evidence(
        y_true=[0, 1, 1], y_pred=[0, 1], reference_y_pred=[0, 1, 1])),
    "far below validation": ("not_far_below_validation", {}, lambda: clueless(
        val_accuracy=[0.6, 0.91], y_train=turns(300))),
    "a validation accuracy in percent": ("not_far_below_validation", {}, lambda: clueless(
        val_accuracy=[91.0], y_train=turns(300))),
    "far below validation, unreadable": ("not_far_below_validation", {}, lambda: Evidence(
        y_true=[0, 1, 1], y_pred=[0, 1], val_accuracy=[0.9], y_train=[0, 1])),
    "far below validation, labels hidden": ("not_far_below_validation", {}, lambda: clueless(
        val_accuracy=[0.91], y_train=np.full(300, -1))),
    "a dead class": ("every_class_predicted", {}, lambda: Evidence(
        y_true=turns(300), y_pred=turns(300) % 2, label_names=NAMES)),
    "perhaps a dead class": ("every_class_predicted", {}, lambda: Evidence(
        y_true=turns(30), y_pred=turns(30) % 2, label_names=NAMES)),
    "every class, unreadable": ("every_class_predicted", {}, lambda: Evidence(
        y_true=[0, 1, 1], y_pred=[0, 1])),
    "accuracy too low": ("metric_at_least", {"limit": 0.9}, lambda: Evidence(
        y_true=turns(300), y_pred=erring(turns(300), 4), label_names=NAMES)),
    "accuracy perhaps too low": ("metric_at_least", {"limit": 0.9}, lambda: Evidence(
        y_true=turns(30), y_pred=erring(turns(30), 6), label_names=NAMES)),
    "accuracy exactly at its limit": ("metric_at_least", {"limit": 0.9}, lambda: Evidence(
        y_true=turns(30), y_pred=erring(turns(30), 10), label_names=NAMES)),
    "a metric of the team's own": (
        "metric_at_least",
        {"limit": 0.9, "metric": a_metric_with_quite_a_long_name_of_its_own},
        lambda: Evidence(y_true=turns(300), y_pred=erring(turns(300), 4), label_names=NAMES)),
    "a metric of the team's own, perhaps": (
        "metric_at_least",
        {"limit": 0.765, "metric": a_metric_with_quite_a_long_name_of_its_own},
        lambda: Evidence(y_true=turns(300), y_pred=erring(turns(300), 4), label_names=NAMES)),
    "a metric, unreadable": ("metric_at_least", {"limit": 0.9}, lambda: Evidence(
        y_true=[0, 1, 1], y_pred=[0, 1])),
    # decoding
    "argmin": ("decoding_consistent", {}, lambda: decoded(
        lambda logits: logits.argmin(axis=1), waves(90, 3))),
    "argmin that costs": ("decoding_consistent", {}, lambda: decoded(
        lambda logits: logits.argmin(axis=1), outputs_for(turns(90)), y_true=turns(90))),
    "argmax over the examples": ("decoding_consistent", {}, lambda: decoded(
        lambda logits: logits.argmax(axis=0))),
    "argmax over the examples of a batch": ("decoding_consistent", {}, lambda: decoded(
        lambda logits: np.concatenate([logits[:32].argmax(0), logits[32:64].argmax(0),
                                       logits[64:].argmax(0)]), batch_size=32)),
    "argmax of everything": ("decoding_consistent", {}, lambda: decoded(
        lambda logits: logits.argmax())),
    "argmax of the first row": ("decoding_consistent", {}, lambda: decoded(
        lambda logits: np.full(90, logits[0].argmax()))),
    "probabilities cast to int": ("decoding_consistent", {}, lambda: decoded(
        lambda logits: np.zeros(90, dtype=int), outputs_for((drawn(90) + 2) % 3))),
    "probabilities rounded": ("decoding_consistent", {}, lambda: decoded(
        lambda logits: softmax(logits).round().argmax(axis=1), waves(90, 3, scale=0.8))),
    "a column cut at one half": ("decoding_consistent", {}, lambda: decoded(
        lambda logits: logits[:, 1] > 0.5, waves(300), y_true=waves(300).argmax(axis=1))),
    "a sigmoid cut at one half": ("decoding_consistent", {}, lambda: two_columns(
        lambda logits: logits[:, 1] > 0)),
    "the first column cut at one half": ("decoding_consistent", {}, lambda: two_columns(
        lambda logits: logits[:, 0] > 0.5)),
    "the first sigmoid cut at one half": ("decoding_consistent", {}, lambda: two_columns(
        lambda logits: logits[:, 0] > 0)),
    "argmax of one column": ("decoding_consistent", {}, lambda: decoded(
        lambda logits: logits.argmax(axis=1), waves(90, 1, scale=3))),
    "one logit cut at one half": ("decoding_consistent", {}, lambda: decoded(
        lambda logits: logits[:, 0] > 0.5, waves(90, 1), label_names=TWO,
        y_true=waves(90, 1)[:, 0] > 0)),
    "one logit cast to int": ("decoding_consistent", {}, lambda: decoded(
        lambda logits: np.trunc(logits[:, 0]), waves(90, 1, scale=3), label_names=TWO)),
    "answers reversed": ("decoding_consistent", {}, lambda: decoded(
        lambda logits: logits.argmax(axis=1)[::-1])),
    "answers shifted": ("decoding_consistent", {}, lambda: decoded(
        lambda logits: np.roll(logits.argmax(axis=1), 1))),
    "answers of the first batch repeated": ("decoding_consistent", {}, lambda: decoded(
        lambda logits: np.resize(logits.argmax(axis=1)[:32], 90))),
    "answers of the last batch repeated": ("decoding_consistent", {}, lambda: decoded(
        lambda logits: np.resize(logits.argmax(axis=1)[64:], 90))),
    "the same answers in another order": ("decoding_consistent", {}, lambda: decoded(
        lambda logits: np.sort(logits.argmax(axis=1)))),
    "answers renamed": ("decoding_consistent", {}, lambda: decoded(renamed)),
    "answers renamed, at a cost": ("decoding_consistent", {}, lambda: decoded(
        renamed, y_true=drawn(90))),
    "answers renamed, the names agree": ("decoding_consistent", {}, lambda: decoded(
        renamed, label_names=NAMES, dataset_label_names=NAMES)),
    "answers from 1": ("decoding_consistent", {}, lambda: decoded(
        lambda logits: logits.argmax(axis=1) + 1)),
    "answers of a wider tensor": ("decoding_consistent", {}, lambda: decoded(
        lambda logits: turns(90, 77))),
    "answers of another tensor, perhaps": ("decoding_consistent", {}, lambda: decoded(
        lambda logits: 7 * turns(90, 2))),
    "another number of answers": ("decoding_consistent", {}, lambda: decoded(
        lambda logits: turns(7))),
    "answers that nothing explains": ("decoding_consistent", {}, lambda: decoded(
        lambda logits: drawn(90, seed=8))),
    "answers that nothing explains, at a cost": ("decoding_consistent", {}, lambda: decoded(
        lambda logits: drawn(90, seed=8), outputs_for(turns(90)), y_true=turns(90))),
    "a cost that rare labels leave open": ("decoding_consistent", {}, lambda: Evidence(
        y_true=np.repeat([0, 1, 2], [120, 29, 1]),
        logits=2 * np.eye(3)[np.repeat([0, 1, 2], [120, 29, 1])] - 1,
        y_pred=np.repeat([1, 0, 2, 1, 0], [6, 114, 10, 19, 1]))),
    "one batch again and again": ("predictions_aligned", {}, lambda: moved_rows(
        np.resize(np.arange(16), 120))),
    "rows a step later": ("predictions_aligned", {}, lambda: moved_rows(
        np.roll(np.arange(120), 1))),
    "rows two steps earlier": ("predictions_aligned", {}, lambda: moved_rows(
        np.roll(np.arange(120), -2))),
    "rows reversed": ("predictions_aligned", {}, lambda: moved_rows(np.arange(120)[::-1])),
    "workers interleaved": ("predictions_aligned", {}, lambda: moved_rows(dealt(120, 4))),
    "workers end to end": ("predictions_aligned", {}, lambda: moved_rows(
        np.argsort(dealt(120, 16)))),
    "sure and at chance": ("predictions_aligned", {}, lambda: Evidence(
        y_true=drawn(120), logits=outputs_for(drawn(120, seed=5), margin=8.0))),
    "rows of another number": ("predictions_aligned", {}, lambda: Evidence(
        y_true=[0, 1, 1], y_pred=[0, 1])),
    # serving
    "dropout": ("deterministic", {}, lambda: served(
        "repeated_logits", lambda logits: logits + waves(40, 3, scale=2))),
    "a second call that has little to do with the first": ("deterministic", {}, lambda: served(
        "repeated_logits", lambda logits: waves(40, 3, scale=6))),
    "a second call of another width": ("deterministic", {}, lambda: served(
        "repeated_logits", lambda logits: logits[:, :2])),
    "a random head": ("reload_equal", {}, lambda: Evidence(unloaded_weights=["classifier/kernel"])),
    "random weights": ("reload_equal", {}, lambda: Evidence(
        unloaded_weights=[f"bert/encoder/layer_{layer}/attention/self/query/kernel"
                          for layer in range(14)])),
    "another model on reload": ("reload_equal", {}, lambda: served(
        "reloaded_logits", lambda logits: logits[::-1])),
    "random weights and another model on reload": ("reload_equal", {}, lambda: served(
        "reloaded_logits", lambda logits: -1e8 * logits,
        unloaded_weights=[f"bert/encoder/layer_{layer}/attention/self/query/kernel"
                          for layer in range(14)])),
    "a reload of another width": ("reload_equal", {}, lambda: served(
        "reloaded_logits", lambda logits: logits[:, :2])),
    "padding that matters": ("padding_invariant", {}, lambda: served(
        "padded_logits", lambda logits: logits[::-1])),
    "padding that matters for certain": ("padding_invariant", {}, lambda: served(
        "padded_logits", lambda logits: logits[::-1], repeated_logits=outputs_for(drawn(40)))),
    "padding that matters to a few rows": ("padding_invariant", {}, lambda: served(
        "padded_logits", lambda logits: np.where(np.arange(40)[:, None] < 9, -logits, logits))),
    "padding under outputs that are blown up": ("padding_invariant", {}, lambda: Evidence(
        logits=1e5 * outputs_for(drawn(40)), padded_logits=-1e5 * outputs_for(drawn(40)))),
    "padding of another width": ("padding_invariant", {}, lambda: served(
        "padded_logits", lambda logits: logits[:, :2])),
    "a reload under dropout": ("reload_equal", {}, lambda: served(
        "reloaded_logits", lambda logits: logits + 1,
        repeated_logits=outputs_for(drawn(40)) + waves(40, 3))),
    "padding under dropout": ("padding_invariant", {}, lambda: served(
        "padded_logits", lambda logits: logits + 1,
        repeated_logits=outputs_for(drawn(40)) + waves(40, 3))),
    "padding that matters a little": ("padding_invariant", {}, lambda: served(
        "padded_logits", lambda logits: 1.01 * logits)),
    "a batch that matters": ("batch_invariant", {}, lambda: served(
        "rebatched_logits", lambda logits: logits + waves(40, 3, scale=6))),
    "a batch that matters a little": ("batch_invariant", {}, lambda: served(
        "rebatched_logits", lambda logits: 1.01 * logits)),
    "rows of others": ("batch_invariant", {}, lambda: Evidence(
        logits=waves(40, 3), rebatched_logits=waves(40, 3)[::-1])),
    "softmax over the batch": ("batch_invariant", {}, lambda: Evidence(
        logits=softmax(waves(40, 3).T).T, rebatched_logits=np.ones((40, 3)))),
    "padded rows that differ": ("batch_invariant", {}, partly_padded),
    "no answer of the baseline": ("no_regression", {}, lambda: good(
        baseline_y_pred=np.full(90, -1))),
    "worse than before": ("no_regression", {}, lambda: before(erring(turns(300), 8))),
    "worse than before by more than the margin": ("no_regression", {}, lambda: before(
        erring(turns(300), 4), baseline_margin=0.05, logits=outputs_for(erring(turns(300), 4)))),
    "too few rows to see a drop": ("no_regression", {}, lambda: before(
        erring(turns(90), 30), turns(90))),
    "evaluation set spent": ("no_regression", {}, lambda: before(
        turns(300), baseline_gates=8)),
    "one label worse than before": ("no_class_regression", {}, lambda: before(
        np.where((turns(300) == 1) & (np.arange(300) % 5 == 0), 2, turns(300)))),
    "too many flips": ("few_negative_flips", {}, lambda: before(erring(turns(300), 6))),
    "a few flips": ("few_negative_flips", {}, lambda: before(erring(turns(300), 20))),
    "a baseline out of range": ("labels_match_baseline", {}, lambda: Evidence(
        y_pred=turns(90), label_names=NAMES, baseline_y_pred=np.full(90, -1))),
    "labels swapped since the baseline": ("labels_match_baseline", {}, lambda: Evidence(
        y_pred=np.array([1, 0, 2])[turns(90)], label_names=NAMES,
        baseline_y_pred=erring(turns(90), 9))),
    "labels swapped, or another model": ("labels_match_baseline", {}, lambda: Evidence(
        y_pred=np.where(turns(90) == 0, 1, np.where(turns(90) == 1, np.arange(90) % 2, 2)),
        label_names=NAMES, baseline_y_pred=turns(90))),
    "a baseline of other labels": ("label_shares_explained", {}, lambda: good(
        baseline_confusion=np.eye(2))),
    "shares that no data explain": ("label_shares_explained", {}, lambda: Evidence(
        y_pred=np.zeros(300, dtype=int), label_names=NAMES,
        baseline_confusion=[[70, 15, 15], [15, 70, 15], [15, 15, 70]])),
    "shares that these data do not explain": ("label_shares_explained", {}, lambda: good(
        y_pred=np.zeros(90, dtype=int), baseline_confusion=60 * np.eye(3))),
}  # fmt: skip


def healthy_but_for_one_doubt():
    """A label that is missing from training at p = .0004: enough alone, not among many tests."""
    return good(
        y_train=turns(26, 2),
        dataset_label_names=NAMES,
        y_true=np.where(np.arange(90) < 30, 2, turns(90, 2)),
        logits=outputs_for(np.where(np.arange(90) < 30, 2, turns(90, 2))),
    )


DIAGNOSES = {
    "collapsed": lambda: Evidence(
        y_true=turns(200, 4) // 2, logits=outputs_for(np.ones(200, dtype=int), 2),
        label_names=TWO, y_train=turns(600, 2), learning_rate=[2e-3, 1e-3], loss=[0.9, 0.8, 0.70],
        val_loss=[0.71, 0.70]),
    "imbalanced": lambda: Evidence(
        y_true=imbalanced(120, 80), logits=outputs_for(np.zeros(200, dtype=int), 2),
        label_names=TWO, y_train=imbalanced(1940, 60)),
    "labels swapped": lambda: Evidence(
        y_true=turns(200, 2), logits=outputs_for(1 - erring(turns(200, 2), 10, 2), 2),
        label_names=TWO, dataset_label_names=TWO[::-1]),
    "labels swapped, names not known": lambda: Evidence(
        y_true=turns(300), logits=outputs_for((erring(turns(300), 10) + 1) % 3),
        label_names=NAMES),
    "rows misaligned": lambda: Evidence(
        y_true=drawn(120), logits=np.roll(outputs_for(erring(drawn(120), 12)), 1, axis=0),
        label_names=NAMES),
    "argmax over the wrong axis": lambda: good(
        y_pred=outputs_for(erring(turns(90), 15)).argmax(axis=0)),
    "threshold on logits": lambda: Evidence(
        y_true=waves(300).argmax(axis=1), logits=waves(300), y_pred=waves(300)[:, 1] > 0.5,
        label_names=TWO),
    "NaN": lambda: good(logits=np.full((90, 3), np.nan), loss=[0.9, np.nan, np.nan]),
    "labels out of range": lambda: good(y_true=1 + turns(90), dataset_label_names=NAMES),
    "inputs that are all alike": lambda: Evidence(
        y_true=turns(90), logits=np.tile([0.3, 0.1, -0.2], (90, 1)),
        input_ids=ids(1).repeat(90, 0), label_names=NAMES),
    "unknown cause": lambda: Evidence(
        y_true=drawn(300),
        logits=outputs_for(np.where(turns(300, 2), drawn(300, seed=5), drawn(300))),
        reference_y_pred=erring(drawn(300), 30), label_names=NAMES, dataset_label_names=NAMES,
        val_loss=[1.0, 0.4, 0.3], learning_rate=[2e-5, 1e-5],
        train_steps=900, unloaded_weights=[], train_logits=outputs_for(drawn(60)),
        train_y_true=drawn(60)),
    "decoding that nothing explains": lambda: good(y_pred=turns(90) // 2),
    "far below a reference": lambda: clueless(reference_y_pred=erring(drawn(90, seed=3), 10)),
    "worse than the model in production": lambda: before(erring(turns(300), 8)),
    "healthy": good,
    "too little to tell": lambda: Evidence(y_pred=[0] * 12, label_names=NAMES),
    "one doubt among many tests": healthy_but_for_one_doubt,
    "nothing given": lambda: Evidence(max_length=128),
}  # fmt: skip


MISUSES = {
    "a field that there is not": lambda: Evidence(logit=[[0.5, 0.2]]),
    "names where ids belong": lambda: Evidence(y_true=["ham", "spam"]),
    "ragged rows": lambda: Evidence(logits=[[0.5, 0.2], [0.1]]),
    "fields of different lengths": lambda: Evidence(y_true=[0, 1], logits=[[0.5, 0.2]]),
    "a check that there is not": lambda: diagnose(good(), checks=["not_colapsed"]),
    "a limit out of bounds": lambda: run_check("not_collapsed", good(), max_share=95),
}


@functools.cache
def finding_of(name):
    check, options, evidence = CASES[name]
    return run_check(check, evidence(), **options)


def message(name):
    finding = finding_of(name)
    return f"{finding.verdict}\n\n{render_finding(finding)}"


def report(name):
    return str(diagnose(DIAGNOSES[name]()))


def misuse(name):
    with pytest.raises((TypeError, ValueError)) as caught:
        MISUSES[name]()
    return f"{caught.type.__name__}: {caught.value}"


def warning():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert_not_collapsed([0] * 12)
    return f"{caught[0].category.__name__}: {caught[0].message}"


SECTIONS = {
    **{f"{CASES[name][0]}: {name}": partial(message, name) for name in CASES},
    **{f"diagnosis: {name}": partial(report, name) for name in DIAGNOSES},
    **{f"misuse: {name}": partial(misuse, name) for name in MISUSES},
    "warning: too few answers to tell": warning,
}
"""Heading in messages.txt -> what makes the text below it."""


def main():
    """Write messages.txt."""
    text = "\n".join(f"=== {heading}\n\n{make()}\n" for heading, make in SECTIONS.items())
    GOLDEN.write_text(text, encoding="utf-8")


# The golden file


@functools.cache
def recorded():
    """Return the text below each heading of messages.txt."""
    text = GOLDEN.read_text(encoding="utf-8")
    parts = re.split(r"^=== (.*)\n\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], [text.rstrip("\n") for text in parts[1::2]], strict=True))


def test_the_file_holds_these_messages_and_no_others():
    """Each case has one section in messages.txt, in the order of the cases."""
    assert [*recorded()] == [*SECTIONS], f"write it anew: {UPDATE}"


@pytest.mark.parametrize("heading", SECTIONS)
def test_a_message_is_the_recorded_one(heading):
    """Not a word of a message changes unless messages.txt changes with it."""
    assert recorded()[heading] == SECTIONS[heading](), f"write it anew: {UPDATE}"


# Every place that makes a failure


def makes_a_finding(node, local):
    """Whether a call in a check may give a failed or inconclusive finding its words."""
    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
    if name == "Finding":
        named = [keyword.value for keyword in node.keywords if keyword.arg == "verdict"]
        return not re.search("PASSED|SKIPPED", ast.unparse([*node.args, *named][0]))
    if name == "replace":
        return any(keyword.arg == "summary" for keyword in node.keywords)
    return name in local


def places():
    """Return (file, first line, last line) of each such call; helpers count where they are called.

    A helper is a function of the module that returns a finding and is no check itself.
    """
    found = []
    for path in sorted(CHECKS.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        local = {
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef)
            and not node.decorator_list
            and ast.unparse(node.returns or ast.Constant(None)) == "Finding"
        }
        found += [
            (path.name, node.lineno, node.end_lineno)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and makes_a_finding(node, local)
        ]
    return found


@contextmanager
def recorded_origins():
    """Yield a list that fills with a finding's verdict and the lines of checks that made it."""
    origins = []
    made_by = Finding.__post_init__.__code__

    def look(frame, event, argument):
        if event != "call" or frame.f_code is not made_by:
            return
        verdict = frame.f_locals["self"].verdict
        while frame is not None:
            path = Path(frame.f_code.co_filename)
            if path.parent == CHECKS:
                origins.append((verdict, path.name, frame.f_lineno))
            frame = frame.f_back

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        yield origins
    finally:
        sys.setprofile(before)


def test_every_place_that_makes_a_failure_has_a_case():
    """No check can fail, or be inconclusive, in words that messages.txt does not hold."""
    reached = set()
    with recorded_origins() as origins:
        for check, options, evidence in CASES.values():
            origins.clear()
            verdict = find_check(check)(evidence(), **options).verdict
            # What a check makes and does not return is no message.
            reached |= {(file, line) for of, file, line in origins if of is verdict}
        run_checks(healthy_but_for_one_doubt())
        reached |= {(file, line) for _, file, line in origins}
    missed = [
        f"{file}:{first}"
        for file, first, last in places()
        if not any((file, line) in reached for line in range(first, last + 1))
    ]
    assert [] == missed


# What each message owes its reader


def anchors():
    return set(re.findall(r"^###? (\S+)$", DOCS.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("name", CASES)
def test_a_message_has_what_its_reader_needs(name):
    """A first line that fits, numbers, a fix and a page; or else what would settle it."""
    finding = finding_of(name)
    lines = render_finding(finding).splitlines()
    assert finding.verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE)
    assert len(finding.summary) <= FIRST_LINE_LIMIT
    assert f"docs:  docs/checks.md#{finding.check}" == lines[-1]
    assert {finding.check, *finding.causes} <= anchors()
    if finding.verdict is Verdict.FAILED:
        assert re.search(r"\d", finding.summary)
        assert any(line.startswith("fix:   ") for line in lines)
    else:
        settled = re.search(r"would tell|see (\w+)", finding.summary)
        assert settled or finding.needs or finding.fix
        assert settled is None or settled[1] is None or settled[1] in anchors()


@pytest.mark.parametrize("name", DIAGNOSES)
def test_a_report_has_what_its_reader_needs(name):
    """The findings of a report are quoted whole, and its cause comes with a way on."""
    diagnosis = diagnose(DIAGNOSES[name]())
    told = [f for f in diagnosis.findings if f.verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE)]
    for finding in told:
        assert len(finding.summary) <= FIRST_LINE_LIMIT
        assert finding.summary in str(diagnosis)
    for cause in diagnosis.causes[:1]:
        assert cause.fix or cause.settled_by
        assert f"docs:  docs/checks.md#{cause.code}" in str(diagnosis)
        assert cause.code in anchors()


HISTORY = ("loss", "val_loss", "val_accuracy", "learning_rate", "overfit_loss")
MOST_NUMBERS = 10**6


def enlarged(evidence, rows, letters):
    """Return the evidence over again until it has so many rows, with names of so many letters."""
    arrays = [value for value in evidence.fields().values() if isinstance(value, np.ndarray)]
    widest = max([1, *(array.shape[1] for array in arrays if array.ndim == 2)])
    fields = {}
    for name, value in evidence.fields().items():
        if name in ("label_names", "dataset_label_names", "label2id_names", "unloaded_weights"):
            fields[name] = [text.rjust(letters, "w") for text in value.tolist()]
        elif isinstance(value, np.ndarray) and name not in HISTORY:
            times = -(-min(rows, MOST_NUMBERS // widest) // len(value))
            fields[name] = np.tile(value, (times, *[1] * (value.ndim - 1)))
        else:
            fields[name] = value
    return Evidence(**fields)


@pytest.mark.parametrize("name", CASES)
@given(letters=st.integers(1, 60))
@settings(deadline=None, max_examples=6)
def test_a_first_line_fits_whatever_the_names(name, letters):
    """Names of any length leave a first line within 100 characters."""
    check, options, evidence = CASES[name]
    finding = run_check(check, enlarged(evidence(), 1, letters), **options)
    assert len(finding.summary) <= FIRST_LINE_LIMIT or finding.verdict is Verdict.PASSED


@pytest.mark.parametrize("name", CASES)
def test_a_first_line_fits_a_million_rows(name):
    """Counts of seven digits, beside the longest names, leave it within 100 characters.

    On a tenth of the rows, whose counts then get the missing digits: so it takes seconds.
    """
    check, options, evidence = CASES[name]
    finding = run_check(check, enlarged(evidence(), MOST_NUMBERS // 10, 60), **options)
    line = re.sub(r"\b\d{2,3}(,?)\d{3}\b", r"1\g<1>000\g<1>000", finding.summary)
    assert len(line) <= FIRST_LINE_LIMIT or finding.verdict is Verdict.PASSED


if __name__ == "__main__":
    main()
