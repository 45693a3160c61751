"""Misuse: ValueError or TypeError whose message names the field, what was given and expected.

Never an AssertionError, a pass, or a stack trace from NumPy.
"""

from __future__ import annotations

import gc
import types
import zipfile
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from pytest_bertcheck import (
    Evidence,
    Pipeline,
    assert_accuracy_as_reported,
    assert_beats_majority,
    assert_classes_balanced,
    assert_decoding_consistent,
    assert_deterministic,
    assert_every_class_predicted,
    assert_inputs_distinct,
    assert_label_mapping_consistent,
    assert_labels_clean,
    assert_labels_informative,
    assert_labels_not_swapped,
    assert_labels_valid,
    assert_learning_rate_schedule,
    assert_logits_valid,
    assert_metric_at_least,
    assert_not_collapsed,
    assert_not_far_below_reference,
    assert_predictions_aligned,
    assert_reload_equal,
    assert_splits_consistent,
    assert_training_data_shuffled,
    assert_training_progressed,
    assert_truncation_harmless,
    assert_vocabulary_matches,
    assert_weights_updated,
    check_pipeline,
    diagnose,
    parametrize_with_checks,
    required_examples,
)
from pytest_bertcheck.adapters.files import label_ids, read_labelled_texts

LOGITS = [[0.5, -1.0], [1.0, 2.0], [0.0, 3.0]]
IDS = [0, 1, 1]


@dataclass
class Case:
    """A call that must be refused, and fragments of what the message says."""

    call: Any
    says: tuple
    error: type | tuple = (ValueError, TypeError)


def case(call, *says, error=(ValueError, TypeError)):
    """Return a case: all of ``says`` are in the message."""
    return Case(call, says, error)


def evidence(**fields):
    return lambda: Evidence(**fields)


def pipeline(**parts):
    """Make a pipeline with one part replaced."""
    own = {"predict": predict, "texts": ["a b", "c d", "e f"], "y_true": IDS}
    return lambda: Pipeline(**{**own, **parts})


def observed(**parts):
    """Make such a pipeline and run it."""
    return lambda: pipeline(**parts)().observe()


def predict(texts):
    return np.resize(np.array(LOGITS), (len(texts), 2))


FIELDS = {
    # of one field, by kind
    "strings as ids": case(
        evidence(y_true=["ham", "spam", "ham"]), "y_true", "label ids", "map names to ids",
        error=TypeError),
    "strings as answers": case(
        evidence(y_pred=np.array(["ham"])), "y_pred", "expected label ids", "<U3",
        error=TypeError),
    "dates as ids": case(
        evidence(y_train=np.array(["2020-01-01"], dtype="datetime64[D]")), "y_train",
        "expected label ids", "datetime64", error=TypeError),
    "strings as logits": case(
        evidence(logits=[["a", "b"]]), "logits", "expected floats", "<U1", error=TypeError),
    "complex logits": case(
        evidence(logits=np.ones((3, 2)) * 1j), "logits", "expected floats", "complex128",
        error=TypeError),
    "complex ids": case(
        evidence(y_true=np.array([1j, 0])), "y_true", "expected label ids", "complex128",
        error=TypeError),
    "objects": case(
        evidence(logits=np.array([[None, 1.0]], dtype=object)), "logits", "expected an array of",
        "Python objects", error=TypeError),
    "None in a list": case(
        evidence(y_true=[0, None, 1]), "y_true", "expected an array of numbers", "list",
        error=TypeError),
    "numbers beyond 64 bits": case(
        evidence(y_true=[0, 2**70]), "y_true", "expected"),
    "a function": case(
        evidence(logits=print), "logits", "expected an array of numbers", "builtin_function",
        error=TypeError),
    "a mapping as output": case(
        evidence(logits={"logits": LOGITS, "loss": 0.1}), "logits", "expected an array",
        "mapping with keys ['logits', 'loss']", error=TypeError),
    "a mapping with keys of two kinds": case(
        evidence(logits={"logits": LOGITS, 0: 1}), "logits", "expected an array", "mapping",
        error=TypeError),
    "a tuple of arrays": case(
        evidence(logits=(np.zeros((3, 2)), np.zeros((3, 8)))), "logits", "expected an array",
        "tuple of 2 arrays", error=TypeError),
    "a loss and an array": case(
        evidence(logits=(0.3, np.zeros((3, 2)))), "logits", "expected an array",
        "tuple of 2", error=TypeError),
    "a tuple of ragged lists": case(
        evidence(logits=([[1.0, 2.0], [3.0]], [1.0])), "logits", "expected"),
    # of one field, by shape
    "ragged logits": case(
        evidence(logits=[[1.0, 2.0], [3.0]]), "logits", "expected rows of the same length",
        "ragged", error=ValueError),
    "ragged ids": case(
        evidence(input_ids=[[101, 5, 102], [101, 102]]), "input_ids",
        "expected rows of the same length", "ragged", error=ValueError),
    "logits of rank 1": case(
        evidence(logits=[0.5, 0.1]), "logits", "expected shape (n, C)", "got (2,)",
        "reshaped to (-1, 1)", error=ValueError),
    "logits of rank 3": case(
        evidence(logits=np.zeros((2, 3, 4))), "logits", "expected shape (n, C)", "got (2, 3, 4)",
        error=ValueError),
    "a single logit": case(
        evidence(logits=0.5), "logits", "expected shape (n, C)", "got ()", error=ValueError),
    "one-hot labels": case(
        evidence(y_true=np.eye(3)), "y_true", "expected shape (n,)", "got (3, 3)",
        "argmax(axis=1)", error=ValueError),
    "answers of rank 2": case(
        evidence(y_pred=[[0], [1]]), "y_pred", "expected shape", "got (2, 1)", error=ValueError),
    "a single true label": case(
        evidence(y_true=1), "y_true", "expected shape (n,)", "got ()", error=ValueError),
    "no rows": case(
        evidence(logits=np.zeros((0, 3))), "logits", "expected at least one", "(0, 3)",
        error=ValueError),
    "no columns": case(
        evidence(logits=np.zeros((3, 0))), "logits", "expected at least one", "(3, 0)",
        error=ValueError),
    "no labels": case(
        evidence(y_true=[]), "y_true", "expected at least one", "(0,)", error=ValueError),
    "a loss of rank 2": case(
        evidence(loss=[[0.7], [0.6]]), "loss", "expected shape (T,)", "got (2, 1)",
        error=ValueError),
    # of one field, by value
    "fractional ids": case(
        evidence(y_true=[0.0, 0.5]), "y_true", "expected label ids (whole numbers)", "0.5",
        error=ValueError),
    "probabilities as answers": case(
        evidence(y_pred=[0.91, 0.2]), "y_pred", "expected label ids (whole numbers)", "0.91",
        error=ValueError),
    "NaN among ids": case(
        evidence(y_true=[0.0, np.nan]), "y_true", "expected label ids (whole numbers)", "nan",
        error=ValueError),
    "infinity among ids": case(
        evidence(y_train=[0.0, np.inf]), "y_train", "expected label ids (whole numbers)", "inf",
        error=ValueError),
    "an id of 1e300": case(
        evidence(y_true=[0.0, 1e300]), "y_true", "expected label ids", "1e+300",
        error=ValueError),
    "negative counts": case(
        evidence(token_counts=[5, -1]), "token_counts", "expected counts of at least 0", "-1",
        error=ValueError),
    "fractional counts": case(
        evidence(kept_token_counts=[5.5]), "kept_token_counts", "expected counts", "5.5",
        error=ValueError),
    "a share beyond 1": case(
        evidence(unknown_token_share=[0.5, 1.5]), "unknown_token_share",
        "expected shares between 0 and 1", "1.5", error=ValueError),
    "a negative share": case(
        evidence(unknown_token_share=[-0.1]), "unknown_token_share",
        "expected shares between 0 and 1", "-0.1", error=ValueError),
    "percentages": case(
        evidence(unknown_token_share=[3, 40]), "unknown_token_share", "between 0 and 1", "40",
        error=ValueError),
    "a share that is NaN": case(
        evidence(unknown_token_share=[np.nan]), "unknown_token_share", "between 0 and 1", "nan",
        error=ValueError),
    "zero max_length": case(
        evidence(max_length=0), "max_length", "expected a whole number of at least 1", "got 0",
        error=ValueError),
    "negative batch_size": case(
        evidence(batch_size=-8), "batch_size", "expected a whole number of at least 1", "-8",
        error=ValueError),
    "negative train_steps": case(
        evidence(train_steps=-1), "train_steps", "at least 0", "-1", error=ValueError),
    "fractional max_length": case(
        evidence(max_length=12.5), "max_length", "expected a whole number", "12.5",
        error=ValueError),
    "max_length NaN": case(
        evidence(max_length=np.nan), "max_length", "expected a whole number", "nan",
        error=ValueError),
    "max_length infinite": case(
        evidence(max_length=np.inf), "max_length", "expected", "inf"),
    "max_length as text": case(
        evidence(max_length="128"), "max_length", "expected a single number", "'128'",
        error=TypeError),
    "max_length True": case(
        evidence(max_length=True), "max_length", "expected a single number", "True",
        error=TypeError),
    "a list of max_length": case(
        evidence(max_length=[64, 128]), "max_length", "expected a single number", "[64, 128]",
        error=TypeError),
    "a negative update": case(
        evidence(encoder_update=-0.5), "encoder_update", "at least 0", "-0.5", error=ValueError),
    # of the names
    "a single name": case(
        evidence(label_names="ham"), "label_names", "expected names by id", "single string 'ham'",
        error=TypeError),
    "no names": case(
        evidence(dataset_label_names=[]), "dataset_label_names", "expected at least one name",
        error=ValueError),
    "an empty mapping": case(
        evidence(label_names={}), "label_names", "expected at least one name", error=ValueError),
    "a number for names": case(
        evidence(label_names=3), "label_names", "expected names by id", "int", error=TypeError),
    "negative ids of names": case(
        evidence(label_names={-1: "none", 0: "a"}), "label_names", "expected ids from 0", "-1",
        error=ValueError),
    "a mapping between names": case(
        evidence(label_names={"ham": "spam"}), "label_names", "expected a mapping between ids and",
        "'ham'", error=TypeError),
    "an id of a million": case(
        evidence(label_names={0: "a", 10**6: "b"}), "label_names", "expected ids 0..1", "1000000",
        error=ValueError),
    "names without an order": case(
        evidence(label_names={"ham", "spam"}), "label_names", "expected", "set"),
    "ragged names": case(
        evidence(label_names=[["a", "b"], ["c"]]), "label_names", "expected"),
    "a single weight": case(
        evidence(unloaded_weights="classifier.weight"), "unloaded_weights", "expected",
        "classifier.weight"),
    "a number of weights": case(
        evidence(unloaded_weights=2), "unloaded_weights", "expected", "2|int"),
    # of fields together
    "an unknown field": case(
        evidence(logit=LOGITS), "Evidence", "unknown field 'logit'", "did you mean 'logits'?",
        error=TypeError),
    "a field unlike any": case(
        evidence(zzz=1), "unknown field 'zzz'", "expected one of", "y_true", error=TypeError),
    "fields without names": case(
        lambda: Evidence(LOGITS, IDS), "Evidence", "expected fields by name", "2",
        error=TypeError),
    "labels and logits of other lengths": case(
        evidence(y_true=[0, 1], logits=LOGITS), "y_true", "logits", "expected the same number",
        "y_true has 2, logits has 3", error=ValueError),
    "tokens of another length": case(
        evidence(y_true=IDS, token_counts=[5, 5]), "token_counts has 2", "y_true has 3",
        "expected the same number", error=ValueError),
    "training sample of another length": case(
        evidence(train_logits=LOGITS, train_y_true=[0]), "train_logits has 3",
        "train_y_true has 1", "expected the same number", error=ValueError),
    "more repeated rows than rows": case(
        evidence(logits=LOGITS, repeated_logits=LOGITS * 2), "repeated_logits",
        "expected at most the 3 rows", "6", error=ValueError),
}  # fmt: skip

ASSERTIONS = {
    "no outputs": case(
        lambda: assert_not_collapsed(None), "assert_not_collapsed", "expected y_pred or logits"),
    "no y_true": case(
        lambda: assert_beats_majority(LOGITS, y_true=None), "assert_beats_majority",
        "expected y_true"),
    "answers as names": case(
        lambda: assert_not_collapsed(["ham", "spam"]), "y_pred", "map names to ids"),
    "outputs as text": case(lambda: assert_not_collapsed("ham"), "expected", "<U3|'ham'"),
    "empty outputs": case(lambda: assert_labels_not_swapped([], y_true=[]), "expected at least"),
    "other lengths": case(
        lambda: assert_labels_not_swapped(LOGITS, y_true=[0, 1]), "y_true has 2", "logits has 3"),
    "alpha of 0": case(
        lambda: assert_beats_majority(LOGITS, y_true=IDS, alpha=0), "alpha",
        "expected a number between 0 and 1", "got 0"),
    "alpha of 1": case(
        lambda: assert_not_collapsed(LOGITS, alpha=1), "alpha", "between 0 and 1", "got 1"),
    "alpha of NaN": case(
        lambda: assert_not_collapsed(LOGITS, alpha=np.nan), "alpha", "between 0 and 1", "nan"),
    "alpha as text": case(
        lambda: assert_not_collapsed(LOGITS, alpha="0.01"), "alpha", "expected", "0.01"),
    "max_share beyond 1": case(
        lambda: assert_not_collapsed(LOGITS, max_share=1.5), "max_share", "expected", "1.5"),
    "max_share of 1": case(
        lambda: assert_not_collapsed([0] * 200, label_names=["a", "b"], max_share=1.0),
        "max_share", "expected", "1.0"),
    "max_share in percent": case(
        lambda: assert_not_collapsed([0] * 200, label_names=["a", "b"], max_share=95),
        "max_share", "expected", "95"),
    "max_share_of_others negative": case(
        lambda: assert_not_collapsed(LOGITS, y_true=IDS, max_share_of_others=-1),
        "max_share_of_others", "expected", "-1"),
    "no feed order": case(
        lambda: assert_training_data_shuffled(None), "assert_training_data_shuffled",
        "expected y_train"),
    "an unknown metric": case(
        lambda: assert_metric_at_least("acc", 0.5, IDS, y_true=IDS), "metric", "f1_macro", "'acc'"),
    "a metric that is a number": case(
        lambda: assert_metric_at_least(3, 0.5, IDS, y_true=IDS), "metric",
        "expected a scorer's name or a function", "3", error=TypeError),
    "a metric that gives text": case(
        lambda: assert_metric_at_least(lambda a, b: "high", 0.5, IDS, y_true=IDS), "metric",
        "expected a number", "'high'", error=TypeError),
    "a metric of probabilities without them": case(
        lambda: assert_metric_at_least("roc_auc_ovr", 0.5, IDS, y_true=IDS), "roc_auc_ovr",
        "only label ids were given"),
    "a metric of two labels": case(
        lambda: assert_metric_at_least("f1", 0.5, [0, 1, 2], y_true=[0, 1, 2]), "f1", "multiclass"),
    "a limit that is text": case(
        lambda: assert_metric_at_least("accuracy", "0.9", IDS, y_true=IDS), "limit",
        "expected a finite number", "'0.9'"),
    "a limit of NaN": case(
        lambda: assert_metric_at_least("accuracy", np.nan, IDS, y_true=IDS), "limit",
        "expected a finite number", "nan"),
    "a metric without y_true": case(
        lambda: assert_metric_at_least("accuracy", 0.9, IDS, y_true=None),
        "assert_metric_at_least", "expected y_true"),
    "a recall in percent": case(
        lambda: assert_every_class_predicted(IDS, y_true=IDS, min_recall=30), "min_recall",
        "expected a number between 0 and 1", "30"),
    "classes without y_true": case(
        lambda: assert_every_class_predicted(IDS, y_true=None), "assert_every_class_predicted",
        "expected y_true"),
    "order without y_true": case(
        lambda: assert_predictions_aligned(LOGITS, y_true=None), "assert_predictions_aligned",
        "expected y_true"),
    "order of other lengths": case(
        lambda: assert_predictions_aligned(LOGITS, y_true=[0, 1]), "y_true has 2",
        "logits has 3"),
    "examples for a fact": case(
        lambda: required_examples("labels_valid"), "required_examples", "'labels_valid'",
        "which states facts"),
    "examples for no check": case(
        lambda: required_examples("zzz"), "unknown check 'zzz'", "not_collapsed"),
    "examples of another check's fault": case(
        lambda: required_examples("not_collapsed", shift=1), "not_collapsed", "unknown 'shift'",
        "true_share", error=TypeError),
    "examples for a power of 1": case(
        lambda: required_examples("not_collapsed", power=1), "power",
        "expected a number between 0 and 1", "got 1"),
    "examples for one label": case(
        lambda: required_examples("labels_not_swapped", num_labels=1), "num_labels",
        "expected a number from 2 on", "got 1"),
    "examples for half a label": case(
        lambda: required_examples("labels_not_swapped", num_labels=2.5), "num_labels", "got 2.5"),
    "examples for an accuracy in percent": case(
        lambda: required_examples("labels_not_swapped", accuracy=90), "accuracy",
        "expected a share from 0 to 1", "got 90"),
    "examples for an accuracy below chance": case(
        lambda: required_examples("predictions_aligned", accuracy=0.3), "accuracy",
        "expected a fault, above 0.5", "got 0.3"),
    "examples for more swapped labels than labels": case(
        lambda: required_examples("labels_not_swapped", swapped_labels=5), "swapped_labels",
        "below 3", "got 5"),
    "examples for a healthy share": case(
        lambda: required_examples("not_collapsed", answered_share=0.9), "answered_share",
        "expected a fault, above 0.95", "got 0.9"),
    "examples for a healthy metric": case(
        lambda: required_examples("metric_at_least", limit=0.8, accuracy=0.9), "accuracy",
        "below 0.8", "got 0.9"),
    "feed order as names": case(
        lambda: assert_training_data_shuffled(["ham", "spam"]), "y_train", "map names to ids"),
    "one split": case(
        lambda: assert_splits_consistent(IDS, None), "assert_splits_consistent",
        "expected y_true"),
    "difference in points": case(
        lambda: assert_splits_consistent(IDS, IDS, max_difference=10), "max_difference",
        "expected a number between 0 and 1", "10"),
    "texts as one text": case(
        lambda: assert_labels_informative("a b", [0]), "texts", "expected a sequence of str",
        "'a b'", error=TypeError),
    "no texts": case(
        lambda: assert_labels_clean(None, IDS), "texts", "expected a sequence of str", "None",
        error=TypeError),
    "texts that are none": case(
        lambda: assert_labels_informative(["a", None, "c"], IDS), "texts", "expected str", "None",
        error=TypeError),
    "fewer labels than texts": case(
        lambda: assert_labels_clean(["a b"] * 4, IDS), "labels", "expected one for each of 4",
        "got 3", error=ValueError),
    "no labels": case(
        lambda: assert_labels_clean(["a b"] * 3, None), "labels", "expected label ids", "None",
        error=ValueError),
    "hidden labels": case(
        lambda: assert_labels_informative(["a b"] * 3, [0, -1, 1]), "labels",
        "expected ids within 0..C-1", "-1 to 1", error=ValueError),
    "labels without a name": case(
        lambda: assert_labels_clean(["a b"] * 3, [0, 2, 1], label_names=["a", "b"]), "labels",
        "expected ids within 0..2-1", "0 to 2", error=ValueError),
    "a label of one row": case(
        lambda: assert_labels_informative(["some words"] * 7, [0, 0, 0, 1, 1, 1, 2]), "labels",
        "expected at least 3 rows of each label", "[2]", error=ValueError),
    "one label to tell apart": case(
        lambda: assert_labels_clean(["some words"] * 7, [1] * 7), "labels",
        "expected at least two labels", error=ValueError),
    "texts without words": case(
        lambda: assert_labels_clean(["!"] * 6, [0, 1] * 3), "texts", "expected words",
        error=ValueError),
    "logits as probabilities": case(
        lambda: assert_labels_clean(["a b"] * 3, IDS, probabilities=LOGITS), "probabilities",
        "expected rows that sum to 1", "(3, 2)", error=ValueError),
    "probabilities of too few labels": case(
        lambda: assert_labels_clean(["a b"] * 3, [0, 1, 2], probabilities=[[0.5, 0.5]] * 3),
        "probabilities", "a column for each label id", "(3, 2)", error=ValueError),
    "probabilities of too few rows": case(
        lambda: assert_labels_clean(["a b"] * 3, IDS, probabilities=[[0.5, 0.5]] * 2),
        "y_train has 3", "train_reference_probabilities has 2", error=ValueError),
    "skill in percent": case(
        lambda: assert_labels_informative(["aa bb", "cc dd"] * 9, [0, 1] * 9, min_skill=10),
        "min_skill", "expected a number between 0 and 1", "10"),
    "max_share of doubtful labels of 0": case(
        lambda: assert_labels_clean(["aa bb", "cc dd"] * 9, [0, 1] * 9, max_share=0),
        "max_share", "expected a number between 0 and 1", "0"),
    "imbalance ratio of 0": case(
        lambda: assert_classes_balanced([0, 1] * 20, max_imbalance_ratio=0),
        "max_imbalance_ratio", "expected", "0"),
    "imbalance ratio of -1": case(
        lambda: assert_classes_balanced([0, 1] * 20, max_imbalance_ratio=-1),
        "max_imbalance_ratio", "expected", "-1"),
    "skill beyond 1": case(
        lambda: assert_not_far_below_reference(LOGITS, y_true=IDS, reference_y_pred=IDS,
                                               min_share_of_skill=7.5),
        "min_share_of_skill", "expected", "7.5"),
    "progress beyond 1": case(
        lambda: assert_training_progressed({"loss": [0.7, 0.1]}, num_labels=2, min_progress=2),
        "min_progress", "expected", "2"),
    "progress as text": case(
        lambda: assert_training_progressed({"loss": [0.7, 0.1]}, num_labels=2, min_progress="5%"),
        "min_progress", "expected", "5%"),
    "num_labels of 0": case(
        lambda: assert_labels_valid(IDS, num_labels=0), "num_labels", "expected", "0"),
    "num_labels as text": case(
        lambda: assert_labels_valid(IDS, num_labels="2"), "num_labels", "expected", "2"),
    "num_labels of -3 for training": case(
        lambda: assert_training_progressed({"loss": [0.7]}, num_labels=-3), "num_labels",
        "expected", "-3"),
    "no mapping": case(
        lambda: assert_label_mapping_consistent(None), "label_names", "expected"),
    "a model without names": case(
        lambda: assert_label_mapping_consistent(types.SimpleNamespace()), "label_names",
        "expected names by id", "SimpleNamespace"),
    "data set names as text": case(
        lambda: assert_label_mapping_consistent(["a", "b"], dataset_labels="a,b"),
        "dataset_label_names", "expected names by id", "a,b"),
    "no history": case(
        lambda: assert_training_progressed(None), "history", "expected a Keras History",
        "NoneType"),
    "a history as text": case(
        lambda: assert_training_progressed("loss"), "history", "expected a Keras History", "str"),
    "an empty history": case(
        lambda: assert_training_progressed({}), "history", "expected one of the series", "[]"),
    "a history without known series": case(
        lambda: assert_training_progressed({"train_loss": [0.5]}), "history",
        "expected one of the series", "train_loss"),
    "a log of numbers": case(
        lambda: assert_training_progressed([0.7, 0.5]), "history", "expected entries like", "0.7"),
    "a loss as text": case(
        lambda: assert_training_progressed({"loss": ["high", "low"]}), "loss", "expected floats"),
    "no probabilities but text": case(
        lambda: assert_logits_valid("logits"), "logits", "expected"),
    "logits of rank 1": case(
        lambda: assert_logits_valid([0.1, 0.9]), "logits", "expected shape (n, C)"),
    "answers beside no logits": case(
        lambda: assert_decoding_consistent(IDS, None), "assert_decoding_consistent",
        "expected logits"),
    "arguments exchanged": case(
        lambda: assert_decoding_consistent(LOGITS, IDS), "y_pred|logits", "expected shape"),
    "a second call of more rows": case(
        lambda: assert_deterministic(LOGITS, LOGITS * 2), "repeated_logits", "expected at most"),
    "nothing to reload": case(
        lambda: assert_reload_equal(LOGITS, None), "assert_reload_equal", "expected",
        "reloaded_logits"),
    "token counts exchanged for texts": case(
        lambda: assert_truncation_harmless(["a b"], [2]), "token_counts", "expected counts"),
    "inputs of rank 1": case(
        lambda: assert_inputs_distinct([101, 102]), "input_ids", "expected shape (n, L)"),
    "a mask of another length": case(
        lambda: assert_inputs_distinct([[1, 2], [3, 4]], attention_mask=[[1, 1]]),
        "attention_mask has 1", "expected the same number"),
    "an accuracy in percent": case(
        lambda: assert_accuracy_as_reported(91.3, IDS, y_true=IDS), "reported",
        "between 0 and 1", "91.3", error=ValueError),
    "a schedule without rates": case(
        lambda: assert_learning_rate_schedule({"loss": [0.7]}), "history", "'learning_rate'",
        "['loss']", error=ValueError),
    "a peak of zero": case(
        lambda: assert_learning_rate_schedule([2e-5], peak=0), "peak", "expected", "got 0",
        error=ValueError),
    "a model without a vocabulary": case(
        lambda: assert_vocabulary_matches(model="bert"), "model", "vocab_size", "'bert'",
        error=TypeError),
    "texts without a tokenizer": case(
        lambda: assert_vocabulary_matches(texts=["a b"]), "tokenizer", "expected", "None",
        error=TypeError),
    "no updates": case(
        assert_weights_updated, "assert_weights_updated", "encoder_update", "got none",
        error=ValueError),
}  # fmt: skip

PIPELINES = {
    "predict is no function": case(
        pipeline(predict=LOGITS), "predict", "expected a callable", "list", error=TypeError),
    "predict is missing": case(
        pipeline(predict=None), "predict", "expected a callable", "NoneType", error=TypeError),
    "decode is no function": case(
        pipeline(decode="argmax"), "decode", "expected a callable", "str", error=TypeError),
    "encode is no function": case(
        pipeline(encode={"input_ids": []}), "encode", "expected a callable", "dict",
        error=TypeError),
    "load is a path": case(
        pipeline(load="model/"), "load", "expected a callable", "str", error=TypeError),
    "texts are one string": case(
        pipeline(texts="a b"), "texts", "expected a sequence of str", "str", error=TypeError),
    "texts are a number": case(
        pipeline(texts=3), "texts", "expected a sequence of str", "int", error=TypeError),
    "a text is None": case(
        pipeline(texts=["a", None, "c"]), "texts", "expected str", "None", error=TypeError),
    "a text is a number": case(
        pipeline(texts=["a", 3.5, "c"]), "texts", "expected str", "3.5", error=TypeError),
    "texts are bytes": case(
        pipeline(texts=[b"a", b"b", b"c"]), "texts", "expected str", "b'a'", error=TypeError),
    "texts are pairs": case(
        pipeline(texts=[("a", "b")] * 3), "texts", "expected str", "('a', 'b')", error=TypeError),
    "no texts": case(
        pipeline(texts=[], y_true=[]), "texts", "expected at least one", error=ValueError),
    "texts and labels of other lengths": case(
        pipeline(y_true=[0, 1]), "texts and y_true", "expected the same number", "3 and 2",
        error=ValueError),
    "training rows of other lengths": case(
        pipeline(train_texts=["a"], y_train=[0, 1]), "train_texts and y_train",
        "expected the same number", "1 and 2", error=ValueError),
    "labels are a number": case(
        pipeline(y_true=1), "y_true", "expected shape (n,)", "()"),
    "training texts are one string": case(
        pipeline(train_texts="a b", y_train=[0]), "train_texts", "expected a sequence of str",
        error=TypeError),
    "recorded is a list": case(
        pipeline(recorded=[0.7]), "recorded", "expected a mapping of evidence fields", "list",
        error=TypeError),
    "recorded has an unknown field": case(
        pipeline(recorded={"los": [0.7]}), "unknown field 'los'", "did you mean 'loss'?",
        error=TypeError),
    "recorded replaces what is observed": case(
        observed(recorded={"logits": np.zeros((3, 2))}), "recorded", "logits"),
    "predict returns too few": case(
        observed(predict=lambda texts: LOGITS[:2]), "predict", "expected outputs for 3 texts",
        "(2, 2)", error=ValueError),
    "predict returns nothing": case(
        observed(predict=lambda texts: None), "predict|logits", "expected", "NoneType",
        error=TypeError),
    "predict returns a number": case(
        observed(predict=lambda texts: 0.5), "predict|logits", "expected"),
    "predict returns words": case(
        observed(predict=lambda texts: ["ham"] * len(texts)), "predict", "expected floats",
        "give label_names", error=TypeError),
    "predict returns a label that has no name": case(
        observed(predict=lambda texts: ["ham"] * len(texts), label_names=["a", "b"]), "predict",
        "expected one of the labels ['a', 'b']", "'ham'", error=ValueError),
    "predict returns fewer labels": case(
        observed(predict=lambda texts: ["a"], label_names=["a", "b"]), "predict",
        "expected answers for 3 texts", "got 1", error=ValueError),
    "no time to answer": case(
        pipeline(timeout=0), "timeout", "above 0", "got 0", error=ValueError),
    "predict returns a mapping": case(
        observed(predict=lambda texts: {"scores": LOGITS}), "logits", "expected an array",
        "mapping with keys ['scores']", error=TypeError),
    "predict returns a tuple": case(
        observed(predict=lambda texts: (predict(texts), predict(texts))), "logits",
        "expected an array", "tuple of 2", error=TypeError),
    "predict returns another number the second time": case(
        observed(predict=lambda texts, calls=[]: (  # counts the calls
            calls.append(1), LOGITS[: 3 if len(calls) == 1 else 1])[1]),
        "predict", "expected outputs for 3 texts", "(1, 2)", error=ValueError),
    "decode returns words": case(
        observed(decode=lambda outputs: ["ham"] * 3), "y_pred", "map names to ids",
        error=TypeError),
    "decode returns nothing": case(
        observed(decode=lambda outputs: None), "decode", "expected", "None"),
    "encode returns a list": case(
        observed(encode=lambda texts: [[101, 102]] * 3), "encode", "expected a mapping", "list",
        error=TypeError),
    "encode returns ragged ids": case(
        observed(encode=lambda texts: {"input_ids": [[1, 2], [3], [4]]}), "input_ids",
        "rows of the same length", error=ValueError),
    "encode returns a mask of rank 1": case(
        observed(encode=lambda texts: {"attention_mask": [1, 1, 1]}), "attention_mask",
        "expected shape (n, L)", "(3,)"),
    "encode returns ids of fewer texts": case(
        observed(encode=lambda texts: {"input_ids": [[1, 2]]}), "input_ids has 1",
        "expected the same number", error=ValueError),
    "load returns no function": case(
        observed(load=lambda: None), "load", "expected it to return predict", "NoneType",
        error=TypeError),
    "true labels as words": case(
        observed(y_true=["ham", "spam", "ham"]), "y_true", "map names to ids", error=TypeError),
    "one-hot training labels": case(
        observed(train_texts=["aa", "bb"], y_train=[[0, 1], [1, 0]]), "y_train",
        "expected shape (m,)"),
    "training labels with NaN": case(
        observed(train_texts=["aa", "bb"], y_train=[0.0, np.nan]), "y_train", "expected label ids"),
    "check_pipeline of a model": case(
        lambda: check_pipeline(print), "check_pipeline", "expected a Pipeline or Evidence",
        "builtin_function", error=TypeError),
    "an unknown check": case(
        lambda: check_pipeline(Evidence(y_true=IDS), checks=["colapsed"]), "checks",
        "unknown check 'colapsed'", "not_collapsed", error=ValueError),
    "an unknown expected failure": case(
        lambda: check_pipeline(Evidence(y_true=IDS), expected_failed_checks={"colapsed": "x"}),
        "unknown check 'colapsed'", error=ValueError),
    "one name for checks": case(
        lambda: check_pipeline(Evidence(y_true=IDS), checks="labels_valid"), "checks", "expected",
        "'labels_valid'"),
    "a number for checks": case(
        lambda: diagnose(Evidence(y_true=IDS), checks=3), "checks", "expected", "3|int"),
    "a name for expected failures": case(
        lambda: check_pipeline(Evidence(y_true=IDS), expected_failed_checks="labels_valid"),
        "expected_failed_checks", "expected a mapping|expected", "labels_valid|str"),
    "alpha of check_pipeline": case(
        lambda: check_pipeline(Evidence(y_true=IDS), alpha=2), "alpha", "between 0 and 1", "2"),
    "diagnose of arrays": case(
        lambda: diagnose({"logits": LOGITS}), "diagnose", "expected an Evidence", "dict",
        error=TypeError),
    "alpha of diagnose": case(
        lambda: diagnose(Evidence(y_true=IDS), alpha=-1), "alpha", "between 0 and 1", "-1"),
    "no pipelines": case(
        lambda: parametrize_with_checks([]), "parametrize_with_checks",
        "expected at least one pipeline", error=ValueError),
    "a pipeline that is not in a list": case(
        lambda: parametrize_with_checks(Evidence(y_true=IDS)), "parametrize_with_checks|pipelines",
        "expected", "Evidence"),
    "a name in place of a pipeline": case(
        lambda: parametrize_with_checks(["model/"]), "parametrize_with_checks|pipelines",
        "expected", "model/|str"),
    "an unknown check to parametrize with": case(
        lambda: parametrize_with_checks([Evidence(y_true=IDS)], checks=["colapsed"]),
        "unknown check 'colapsed'", error=ValueError),
}  # fmt: skip

SEVERAL = {**FIELDS, **{f"assert: {name}": item for name, item in ASSERTIONS.items()},
           **{f"pipeline: {name}": item for name, item in PIPELINES.items()}}  # fmt: skip


def refuse(call, says, error):
    """Fail unless the call is refused with a message that says all of it."""
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) in (ValueError, TypeError), "an error of another library"
    message = str(caught.value)
    for fragment in says:
        assert any(part in message for part in fragment.split("|")), (fragment, message)
    assert len(message) < 1500


@pytest.mark.parametrize("name", SEVERAL)
def test_misuse_is_refused(name):
    """ValueError or TypeError that names the field, what was given and what was expected."""
    item = SEVERAL[name]
    refuse(item.call, item.says, item.error)


# Files


def write_npz(path, **arrays):
    np.savez(path, **arrays)


def write_pickled(path):
    np.savez(path, y_true=np.array([{"a": 1}, None], dtype=object), allow_pickle=True)


def write_single(path):
    with path.open("wb") as file:
        np.save(file, np.arange(3))


def write_half(path):
    np.savez(path, y_true=np.arange(5000))
    path.write_bytes(path.read_bytes()[:900])


def write_other_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("y_true.txt", "0 1 1")


BUNDLES = {
    "missing": (lambda path: None, "expected a .npz bundle", "missing"),
    "a folder": (lambda path: path.mkdir(), "expected a .npz bundle"),
    "empty": (lambda path: path.write_bytes(b""), "expected a .npz bundle"),
    "text": (lambda path: path.write_text("y_true,logits\n"), "expected a .npz bundle"),
    "not quite a zip": (lambda path: path.write_bytes(b"PK\x03\x04rest"), "expected a .npz bundle"),
    "half a zip": (write_half, "expected a .npz bundle"),
    "a zip of something else": (write_other_zip, "y_true.txt|expected"),
    "pickled objects": (write_pickled, "y_true holds pickled Python objects"),
    "a single array": (write_single, "expected a .npz bundle", "single array"),
    "an array that is no field": (
        lambda path: write_npz(path, y_true=IDS, logit=LOGITS), "unknown field 'logit'",
        "did you mean 'logits'?"),
    "names for ids": (
        lambda path: write_npz(path, y_true=["ham", "spam"]), "y_true", "map names to ids"),
    "other lengths": (
        lambda path: write_npz(path, y_true=[0, 1], logits=LOGITS), "y_true has 2, logits has 3"),
}  # fmt: skip


@pytest.mark.parametrize("name", BUNDLES)
def test_bundles_that_are_none_are_refused(name, tmp_path):
    """Evidence.load says which file, what was expected and what is wrong; nothing is unpickled."""
    write, *says = BUNDLES[name]
    path = tmp_path / "run.npz"
    write(path)
    says = (str(path), "evidence file", *says)
    refuse(lambda: Evidence.load(path), says, (ValueError, TypeError))
    gc.collect()  # a file left open would be a ResourceWarning here


def test_no_path_is_refused():
    """A path that is None, as from an unset option, is refused by name."""
    refuse(lambda: Evidence.load(None), ("evidence file", "None"), (ValueError, TypeError))


TEXTS = {
    "missing": ("a.csv", None, "expected labelled texts", "No such file"),
    "another kind": ("a.tsv", "text\tlabel\n", "expected one of ['.csv', '.jsonl', '.ndjson']",
                     "'.tsv'"),
    "no ending": ("texts", "text,label\n", "expected one of", "''"),
    "empty CSV": ("a.csv", "", "expected at least one row", "none"),
    "header only": ("a.csv", "text,label\n", "expected at least one row", "none"),
    "without the columns": ("a.csv", "sentence,class\nhello,ham\n", "line 2",
                            "expected the columns text and label", "['class', 'sentence']"),
    "without a label": ("a.csv", "text\nhello\n", "line 2", "nothing for label", "['text']"),
    "a row too short": ("a.csv", "text,label\nhello,ham\nbye\n", "line 3", "nothing for label"),
    "an empty text": ("a.csv", "text,label\n,ham\n", "line 2", "nothing for text"),
    "semicolons": ("a.csv", "text;label\nhello;ham\n", "expected the columns text and label",
                   "text;label"),
    "another encoding": ("a.csv", "text,label\ncaf\u00e9,ham\n".encode("latin-1"),
                         "expected labelled texts", "utf-8"),
    "a field too long for CSV": ("a.csv", f"text,label\n{'x' * 140_000},ham\n",
                                 "expected labelled texts", "field larger"),
    "empty JSON Lines": ("a.jsonl", "\n\n", "expected at least one row", "none"),
    "a bad line": ("a.jsonl", '{"text": "a", "label": "b"}\n{"text": \n', "line 2",
                   "expected a JSON object"),
    "a JSON array": ("a.jsonl", '["hello", "ham"]\n', "line 1", "expected a JSON object",
                     "['hello'"),
    "a whole JSON file": ("a.jsonl", '[\n{"text": "a", "label": "b"}\n]\n', "line 1",
                          "expected a JSON object", "["),
    "a null label": ("a.jsonl", '{"text": "a", "label": null}\n', "line 1", "nothing for label"),
    "other keys": ("a.ndjson", '{"sentence": "a"}\n', "nothing for text and label",
                   "['sentence']"),
    "a text that is a list": ("a.jsonl", '{"text": ["a", "b"], "label": "x"}\n', "text",
                              "expected"),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_labelled_texts_that_are_none_are_refused(name, tmp_path):
    """read_labelled_texts says which file and line, what was expected and what was found."""
    file, content, *says = TEXTS[name]
    path = tmp_path / file
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    refuse(lambda: read_labelled_texts(path), (str(path), *says), ValueError)


def test_a_folder_of_texts_is_refused(tmp_path):
    """A folder in place of a file is refused by its path."""
    path = tmp_path / "texts.csv"
    path.mkdir()
    refuse(lambda: read_labelled_texts(path), (str(path), "expected labelled texts"), ValueError)


def test_an_unknown_label_is_refused():
    """A label that no name has is refused, with the names that there are."""
    refuse(
        lambda: label_ids(["Ham"], ["ham", "spam"]),
        ("label", "expected one of", "['ham', 'spam']", "'Ham'"),
        ValueError,
    )


def test_the_table_is_long_enough():
    """The tables above hold well over forty kinds of misuse."""
    assert 120 < len(SEVERAL) + len(BUNDLES) + len(TEXTS)
