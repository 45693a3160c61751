"""Assertions for a team's own tests: arrays in, a check, ``AssertionError`` with the message.

Each ``assert_X`` runs the check ``X``. An inconclusive finding is a warning of the class
:class:`InconclusiveWarning`; with ``strict=True`` it is a failure. Bad input is a ``ValueError``
or ``TypeError``, never an ``AssertionError``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .checks import ALPHA, find_check
from .evidence import Evidence, outputs_to_array
from .experiments import loaded_again, one_at_a_time, overfit, reject_no_predict
from .findings import Finding, Verdict
from .logits import are_probabilities
from .reference import cross_validated

__all__ = [
    "InconclusiveWarning",
    "assert_accuracy_as_reported",
    "assert_attention_mask_valid",
    "assert_batch_invariant",
    "assert_beats_majority",
    "assert_classes_balanced",
    "assert_decoding_consistent",
    "assert_deterministic",
    "assert_every_class_predicted",
    "assert_few_negative_flips",
    "assert_inputs_distinct",
    "assert_label_mapping_consistent",
    "assert_labels_clean",
    "assert_labels_informative",
    "assert_labels_not_swapped",
    "assert_labels_valid",
    "assert_learning_rate_schedule",
    "assert_logits_valid",
    "assert_loss_matches_outputs",
    "assert_metric_at_least",
    "assert_no_class_regression",
    "assert_no_regression",
    "assert_not_collapsed",
    "assert_not_far_below_reference",
    "assert_not_far_below_validation",
    "assert_overfits_small_batch",
    "assert_padding_invariant",
    "assert_predictions_aligned",
    "assert_reload_equal",
    "assert_splits_consistent",
    "assert_training_data_shuffled",
    "assert_training_progressed",
    "assert_truncation_harmless",
    "assert_vocabulary_matches",
    "assert_weights_updated",
]

__tracebackhide__ = True
"""pytest shows the user's test as the place of a failure, not this module."""


RELOAD_TIMEOUT = 600.0
"""Seconds in which a pipeline must load in another process and answer."""


class InconclusiveWarning(UserWarning):
    """A check could not tell, for want of data; the message says how much would do."""


InconclusiveWarning.__module__ = "pytest_bertcheck"


def assert_classes_balanced(
    y_train: Any,
    *,
    label_names: Any = None,
    max_imbalance_ratio: float = 10.0,
    alpha: float = ALPHA,
    strict: bool = False,
) -> None:
    """Assert that no training class outnumbers another by more than ``max_imbalance_ratio``.

    Parameters
    ----------
    y_train : (m,) int
        Training label ids.
    label_names : (C,) str, optional
        Names by id; needed to see that a class is missing altogether.

    Raises
    ------
    AssertionError
        If the imbalance is significant at ``alpha``.

    Examples
    --------
    >>> assert_classes_balanced([0, 1, 1, 0, 1], label_names=["ham", "spam"])
    """
    evidence = Evidence(y_train=y_train, dataset_label_names=label_names)
    _judge("classes_balanced", evidence, alpha, strict, max_imbalance_ratio=max_imbalance_ratio)


def assert_labels_valid(
    labels: Any, *, num_labels: int | None = None, label_names: Any = None, strict: bool = False
) -> None:
    """Assert that all label ids lie in ``0..C-1``.

    Parameters
    ----------
    labels : (n,) int
        Label ids.
    num_labels, label_names
        C, or the names by id; with neither, only negative ids are found.

    Examples
    --------
    >>> assert_labels_valid([0, 2, 1], num_labels=3)
    """
    names = _names_of(num_labels) if label_names is None else label_names
    evidence = Evidence(y_true=labels, dataset_label_names=names)
    _judge("labels_valid", evidence, ALPHA, strict)


def assert_training_data_shuffled(
    y_train: Any, *, label_names: Any = None, alpha: float = ALPHA, strict: bool = False
) -> None:
    """Assert that the training rows are fed in random order.

    Parameters
    ----------
    y_train : (m,) int
        Training label ids in the order in which the training loop gets them: one epoch of the
        loader, not the data set as it is stored.
    label_names : (C,) str, optional
        Names by id, for the message.

    Raises
    ------
    AssertionError
        If equal labels stand together: sorted rows, blocks of a label, a shuffle buffer smaller
        than the data. Wald and Wolfowitz' runs test, exact.

    Examples
    --------
    >>> import numpy as np
    >>> stored = np.repeat([0, 1, 2], 40)
    >>> assert_training_data_shuffled(np.random.default_rng(0).permutation(stored))
    """
    evidence = Evidence(y_train=y_train, dataset_label_names=label_names)
    _judge("training_data_shuffled", evidence, alpha, strict, only_if_harmful=False)


def assert_splits_consistent(
    y_train: Any,
    y_true: Any,
    *,
    label_names: Any = None,
    max_difference: float = 0.1,
    allow_missing: bool = False,
    alpha: float = ALPHA,
    strict: bool = False,
) -> None:
    """Assert that training and evaluation hold the same labels in about the same shares.

    Parameters
    ----------
    y_train, y_true : (m,) int, (n,) int
        Label ids of the training and of the evaluation rows.
    label_names : (C,) str, optional
        Names by id, for the message.
    max_difference
        How far the shares of a label in the two may be apart.
    allow_missing
        Accept an evaluation set without some of the training labels.

    Raises
    ------
    AssertionError
        If a label is missing from one of the two, or its shares differ by more than
        ``max_difference``, and chance does not explain it at ``alpha``.

    Examples
    --------
    >>> assert_splits_consistent([0, 1, 2] * 50, [0, 1, 2] * 20)
    """
    evidence = Evidence(y_train=y_train, y_true=y_true, dataset_label_names=label_names)
    limits = {"max_difference": max_difference, "allow_missing": allow_missing}
    _judge("splits_consistent", evidence, alpha, strict, **limits)


def assert_labels_informative(
    texts: Sequence[str],
    labels: Any,
    *,
    label_names: Any = None,
    min_skill: float = 0.1,
    alpha: float = ALPHA,
    strict: bool = False,
) -> None:
    """Assert that the labels are about the texts.

    TF-IDF and logistic regression are cross-validated on the rows. It passes if that beats labels
    dealt at random, and fails if it is significantly short of ``min_skill``: labels were shuffled,
    or the task is beyond a bag of words.

    Parameters
    ----------
    texts : sequence of m str
        Training texts.
    labels : (m,) int
        Their label ids, at least three rows of each.
    label_names : (C,) str, optional
        Names by id, for the message.
    min_skill
        Share of the way from the majority's share of rows to 1 that labels worth learning allow.

    Raises
    ------
    AssertionError
        If the labels tell nothing about the texts.

    Examples
    --------
    >>> texts = ["cheap pills", "lunch today", "cheap watches", "lunch with me"] * 5
    >>> assert_labels_informative(texts, [1, 0, 1, 0] * 5)
    """
    evidence = _out_of_fold(texts, labels, label_names)
    _judge("labels_informative", evidence, alpha, strict, min_skill=min_skill)


def assert_labels_clean(
    texts: Sequence[str],
    labels: Any,
    *,
    label_names: Any = None,
    probabilities: Any = None,
    max_share: float = 0.1,
    alpha: float = ALPHA,
    strict: bool = False,
) -> None:
    """Assert that at most ``max_share`` of the labels are confidently contradicted.

    Confident learning (Northcutt, Jiang and Chuang 2021, JAIR 70) on probabilities of a model that
    did not see the row. The message shows the rows that are contradicted most. What is contradicted
    need not be wrong: a hard task contradicts good labels too, so read the rows before the limit.

    Parameters
    ----------
    texts : sequence of m str
        Training texts.
    labels : (m,) int
        Their label ids.
    label_names : (C,) str, optional
        Names by id, for the message.
    probabilities : (m, C) float, optional
        Out-of-fold probabilities of a model of your own. Without them TF-IDF and logistic
        regression are cross-validated, which takes at least three rows of each label.
    max_share
        Share of the rows that may be contradicted.

    Raises
    ------
    AssertionError
        If significantly more are.

    Examples
    --------
    >>> texts = ["cheap pills", "lunch today", "cheap watches", "lunch with me"] * 5
    >>> assert_labels_clean(texts, [1, 0, 1, 0] * 5)
    """
    evidence = _out_of_fold(texts, labels, label_names, probabilities)
    _judge("labels_clean", evidence, alpha, strict, max_share=max_share, texts=list(texts))


def assert_label_mapping_consistent(
    model: Any, *, dataset_labels: Any = None, label2id: Any = None, strict: bool = False
) -> None:
    """Assert that the model and the data set give the same names to the same ids.

    Parameters
    ----------
    model
        A transformers config, or whatever has one (a model); or names by id, ``id2label`` with
        ``int`` or ``str`` keys, ``label2id``, or a fitted scikit-learn encoder.
    dataset_labels
        The data set's side, in any of those forms.
    label2id
        The model's ``label2id``, if it is to be compared with ``id2label``; a config's own is read.

    Examples
    --------
    >>> assert_label_mapping_consistent({0: "ham", 1: "spam"}, dataset_labels=["ham", "spam"])
    """
    config = getattr(model, "config", model)
    id2label = getattr(config, "id2label", None)
    if id2label is not None:
        label2id = getattr(config, "label2id", None) if label2id is None else label2id
        model = id2label
    evidence = Evidence(
        label_names=model,
        label2id_names=label2id,
        dataset_label_names=dataset_labels,
    )
    _judge("label_mapping_consistent", evidence, ALPHA, strict)


def assert_labels_not_swapped(
    outputs: Any,
    *,
    y_true: Any,
    label_names: Any = None,
    alpha: float = ALPHA,
    strict: bool = False,
) -> None:
    """Assert that no exchange of labels explains the answers better than the data set's order.

    Parameters
    ----------
    outputs : (n, C) float or (n,) int
        Logits, a framework's output object, or label ids.
    y_true : (n,) int
        True label ids.

    Examples
    --------
    >>> assert_labels_not_swapped([0, 1, 2, 1], y_true=[0, 1, 2, 2])
    """
    evidence = Evidence(y_true=y_true, dataset_label_names=label_names, **_either(outputs))
    _judge("labels_not_swapped", evidence, alpha, strict)


def assert_logits_valid(
    logits: Any,
    *,
    label_names: Any = None,
    allow_probabilities: bool = False,
    strict: bool = False,
) -> None:
    """Assert that raw outputs are finite, (n, C), no probabilities yet, and vary with the input.

    Parameters
    ----------
    logits : (n, C) float
        What the model returned.
    label_names : (C,) str, optional
        Names by id, to check the width.
    allow_probabilities
        Accept outputs that went through a softmax.

    Examples
    --------
    >>> assert_logits_valid([[2.1, -0.3], [-1.2, 0.9]])
    """
    evidence = Evidence(logits=logits, dataset_label_names=label_names)
    _judge("logits_valid", evidence, ALPHA, strict, allow_probabilities=allow_probabilities)


def assert_not_collapsed(
    outputs: Any,
    *,
    y_true: Any = None,
    label_names: Any = None,
    max_share: float = 0.95,
    max_share_of_others: float = 0.8,
    alpha: float = ALPHA,
    strict: bool = False,
) -> None:
    """Assert that the model does not answer everything with one label.

    Parameters
    ----------
    outputs : (n, C) float or (n,) int
        Logits, a framework's output object, or label ids.
    y_true : (n,) int, optional
        True label ids; with them the test conditions on the true balance, and needs far fewer
        examples.
    max_share
        Without ``y_true``: the largest share of one answer in a healthy model.
    max_share_of_others
        With ``y_true``: the largest share of the examples of other labels that a healthy model
        answers with the most predicted one.

    Examples
    --------
    >>> import numpy as np
    >>> assert_not_collapsed(np.eye(3)[[0, 1, 2] * 20], y_true=[0, 1, 2] * 20)
    """
    evidence = Evidence(y_true=y_true, dataset_label_names=label_names, **_either(outputs))
    limits = {"max_share": max_share, "max_share_of_others": max_share_of_others}
    _judge("not_collapsed", evidence, alpha, strict, **limits)


def assert_beats_majority(
    outputs: Any,
    *,
    y_true: Any,
    label_names: Any = None,
    alpha: float = ALPHA,
    strict: bool = False,
) -> None:
    """Assert that the answers are not worse than chance; at chance is inconclusive.

    Examples
    --------
    >>> assert_beats_majority([0, 1, 1, 0] * 10, y_true=[0, 1, 1, 1] * 10)
    """
    evidence = Evidence(y_true=y_true, dataset_label_names=label_names, **_either(outputs))
    _judge("beats_majority", evidence, alpha, strict)


def assert_every_class_predicted(
    outputs: Any,
    *,
    y_true: Any,
    label_names: Any = None,
    min_recall: float = 0.1,
    alpha: float = ALPHA,
    strict: bool = False,
) -> None:
    """Assert that each label that occurs in ``y_true`` is predicted at all.

    Parameters
    ----------
    outputs : (n, C) float or (n,) int
        Logits, a framework's output object, or label ids.
    y_true : (n,) int
        True label ids.
    min_recall
        The least recall of a label in a healthy model.

    Examples
    --------
    >>> assert_every_class_predicted([0, 1, 2, 1], y_true=[0, 1, 2, 2])
    """
    evidence = Evidence(y_true=y_true, dataset_label_names=label_names, **_either(outputs))
    _judge("every_class_predicted", evidence, alpha, strict, min_recall=min_recall)


def assert_metric_at_least(
    metric: str | Callable[[Any, Any], float],
    limit: float,
    outputs: Any,
    *,
    y_true: Any,
    label_names: Any = None,
    alpha: float = 0.05,
    strict: bool = False,
) -> None:
    """Assert that a metric is at least as high as ``limit``, as far as so many examples can tell.

    Fails if the metric's upper confidence bound is below the limit, passes if its lower bound is
    at least the limit, and is inconclusive between: ``strict=True`` asks for proof.

    Parameters
    ----------
    metric
        The name of a scikit-learn scorer (``"f1_macro"``, ``"neg_log_loss"``), or a function
        ``(y_true, y_pred) -> float`` that is the better the higher.
    limit
        The least value that will do.
    outputs : (n, C) float or (n,) int
        Logits, a framework's output object, or label ids; a metric of probabilities takes logits.
    y_true : (n,) int
        True label ids.
    alpha
        Probability at most with which a model exactly at the limit fails.

    Raises
    ------
    ValueError
        If scikit-learn has no such scorer, or it cannot be computed of these outputs.

    Examples
    --------
    >>> y_true = [0, 1] * 50
    >>> assert_metric_at_least("balanced_accuracy", 0.8, y_true, y_true=y_true)
    """
    if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not np.isfinite(limit):
        raise ValueError(f"limit: expected a finite number, got {limit!r:.60}")
    evidence = Evidence(y_true=y_true, dataset_label_names=label_names, **_either(outputs))
    _judge("metric_at_least", evidence, alpha, strict, metric=metric, limit=limit)


def assert_not_far_below_reference(
    outputs: Any,
    *,
    y_true: Any,
    reference_y_pred: Any,
    min_share_of_skill: float = 0.75,
    label_names: Any = None,
    alpha: float = ALPHA,
    strict: bool = False,
) -> None:
    """Assert that the model keeps at least ``min_share_of_skill`` of a plain reference's skill.

    Examples
    --------
    >>> y = [0, 1] * 20
    >>> assert_not_far_below_reference(y, y_true=y, reference_y_pred=y)
    """
    evidence = Evidence(
        y_true=y_true,
        reference_y_pred=reference_y_pred,
        dataset_label_names=label_names,
        **_either(outputs),
    )
    limits = {"min_share_of_skill": min_share_of_skill}
    _judge("not_far_below_reference", evidence, alpha, strict, **limits)


def assert_not_far_below_validation(
    outputs: Any,
    *,
    y_true: Any,
    val_accuracy: float,
    y_train: Any,
    min_share_of_skill: float = 0.5,
    label_names: Any = None,
    alpha: float = ALPHA,
    strict: bool = False,
) -> None:
    """Assert that the answers are anywhere near as good as training reported in validation.

    Parameters
    ----------
    outputs
        ``(n, C)`` logits or probabilities, or ``(n,)`` label ids.
    y_true : (n,) int
        True label ids.
    val_accuracy
        The last accuracy on the validation set, between 0 and 1.
    y_train : (m,) int
        Training label ids, which tell how the validation set may have been balanced.
    min_share_of_skill
        Share of what was gained over the most frequent label in validation that must be left.
    label_names, alpha, strict
        As for :func:`assert_not_collapsed`.

    Raises
    ------
    AssertionError
        If the answers are far worse.

    Examples
    --------
    >>> y = [0, 1] * 20
    >>> assert_not_far_below_validation(y, y_true=y, val_accuracy=0.925, y_train=y)
    """
    evidence = Evidence(
        y_true=y_true,
        val_accuracy=[val_accuracy],
        y_train=y_train,
        dataset_label_names=label_names,
        **_either(outputs),
    )
    limits = {"min_share_of_skill": min_share_of_skill}
    _judge("not_far_below_validation", evidence, alpha, strict, **limits)


def assert_truncation_harmless(
    token_counts: Any,
    kept_token_counts: Any,
    *,
    max_length: int | None = None,
    y_true: Any = None,
    logits: Any = None,
    tail_logits: Any = None,
    reference_y_pred: Any = None,
    kept_reference_y_pred: Any = None,
    alpha: float = ALPHA,
    strict: bool = False,
) -> None:
    """Assert that what decides the label survives truncation.

    Parameters
    ----------
    token_counts, kept_token_counts : (n,) int
        Tokens before and after truncation.
    y_true, logits, tail_logits
        Labels, outputs, and outputs from the last ``max_length`` tokens of the first r texts.
    reference_y_pred, kept_reference_y_pred
        A reference model on the whole texts and on what is kept of them.

    Examples
    --------
    >>> assert_truncation_harmless([12, 30, 25], [12, 30, 25])
    """
    evidence = Evidence(
        token_counts=token_counts,
        kept_token_counts=kept_token_counts,
        max_length=max_length,
        y_true=y_true,
        logits=logits,
        tail_logits=tail_logits,
        reference_y_pred=reference_y_pred,
        kept_reference_y_pred=kept_reference_y_pred,
    )
    _judge("truncation_harmless", evidence, alpha, strict)


def assert_inputs_distinct(
    input_ids: Any, *, attention_mask: Any = None, strict: bool = False
) -> None:
    """Assert that different texts reach the model as different inputs.

    Parameters
    ----------
    input_ids, attention_mask : (n, L) int
        The encoded texts.

    Examples
    --------
    >>> assert_inputs_distinct([[101, 2003, 102], [101, 2054, 102]])
    """
    evidence = Evidence(input_ids=input_ids, attention_mask=attention_mask)
    _judge("inputs_distinct", evidence, ALPHA, strict)


def assert_vocabulary_matches(
    tokenizer: Any = None,
    model: Any = None,
    texts: Any = None,
    *,
    embedding_rows: int | None = None,
    tokenizer_size: int | None = None,
    pad_token_id: int | None = None,
    input_ids: Any = None,
    attention_mask: Any = None,
    unknown_token_share: Any = None,
    lowercase_unknown_token_share: Any = None,
    max_unknown_share: float = 0.02,
    alpha: float = ALPHA,
    strict: bool = False,
) -> None:
    """Assert that tokenizer and model belong together, and that the texts are in their language.

    Give the objects, or the arrays that they would give; an array that is given counts.

    Parameters
    ----------
    tokenizer
        A transformers tokenizer: called on ``texts``; ``len(tokenizer)`` and ``unk_token_id``
        are read.
    model
        A transformers config, or whatever has one: ``vocab_size``, the embedding rows, and
        ``pad_token_id`` are read.
    texts : list of str
        At least 10 texts of the kind that the model is for.
    embedding_rows, tokenizer_size, pad_token_id : int
        Ids that the model has an embedding for, ids of the tokenizer, and the model's padding.
    input_ids, attention_mask : (n, L) int
        The encoded texts.
    unknown_token_share : (n,) float
        Share of [UNK] among the tokens of each text.
    lowercase_unknown_token_share : (r,) float
        The same of the first r texts in lower case.
    max_unknown_share
        Share of [UNK] that at most half of the texts may exceed.

    Examples
    --------
    >>> assert_vocabulary_matches(
    ...     embedding_rows=30522, tokenizer_size=30522, unknown_token_share=[0.0, 0.0, 0.1] * 10
    ... )
    """
    fields = {} if tokenizer is None and texts is None else _encoded(tokenizer, texts)
    config = getattr(model, "config", model)
    if config is not None and not hasattr(config, "vocab_size"):
        raise TypeError(f"model: expected a config with vocab_size, or a model, got {model!r:.60}")
    read = {
        "embedding_rows": getattr(config, "vocab_size", None),
        "pad_token_id": getattr(config, "pad_token_id", None),
        **fields,
    }
    given = {
        "embedding_rows": embedding_rows,
        "tokenizer_size": tokenizer_size,
        "pad_token_id": pad_token_id,
        "input_ids": input_ids,
        "attention_mask": attention_mask,
        "unknown_token_share": unknown_token_share,
        "lowercase_unknown_token_share": lowercase_unknown_token_share,
    }
    evidence = Evidence(**read | {name: item for name, item in given.items() if item is not None})
    _judge("vocabulary_matches", evidence, alpha, strict, max_unknown_share=max_unknown_share)


def assert_attention_mask_valid(
    attention_mask: Any,
    *,
    input_ids: Any = None,
    pad_token_id: int | None = None,
    kept_token_counts: Any = None,
    strict: bool = False,
) -> None:
    """Assert that the attention mask leaves out the padding, and nothing but the padding.

    Parameters
    ----------
    attention_mask : (n, L) int
        1 for tokens, 0 for padding, as the model gets it.
    input_ids : (n, L) int, optional
        The token ids, as the model gets them.
    pad_token_id : int, optional
        The id with which texts are padded.
    kept_token_counts : (n,) int, optional
        Tokens of each text without padding.

    Examples
    --------
    >>> assert_attention_mask_valid(
    ...     [[1, 1, 1], [1, 1, 0]], input_ids=[[101, 7, 102], [101, 102, 0]], pad_token_id=0
    ... )
    """
    evidence = Evidence(
        attention_mask=attention_mask,
        input_ids=input_ids,
        pad_token_id=pad_token_id,
        kept_token_counts=kept_token_counts,
    )
    _judge("attention_mask_valid", evidence, ALPHA, strict)


def assert_training_progressed(
    history: Any,
    *,
    num_labels: int | None = None,
    y_train: Any = None,
    min_progress: float | None = None,
    strict: bool = False,
) -> None:
    """Assert that training brought the loss below what knowing nothing costs.

    Parameters
    ----------
    history
        A Keras ``History``, a transformers ``Trainer.state.log_history``, or a mapping with
        ``loss``, ``val_loss``, ``val_accuracy``, ``learning_rate``.
    num_labels
        C, for the chance loss ln C.
    y_train : (m,) int, optional
        Training label ids, for the entropy of the class prior.
    min_progress
        Share of the cost of knowing nothing that training must have taken off.

    Examples
    --------
    >>> assert_training_progressed({"loss": [0.69, 0.4, 0.2]}, num_labels=2)
    """
    names = _names_of(num_labels)
    evidence = Evidence(y_train=y_train, dataset_label_names=names, **history_fields(history))
    limits = {} if min_progress is None else {"min_progress": min_progress}
    _judge("training_progressed", evidence, ALPHA, strict, **limits)


def assert_loss_matches_outputs(
    loss: float,
    logits: Any,
    *,
    y_true: Any,
    batch_size: int | None = None,
    label_smoothing: float | None = None,
    tolerance: float = 1e-3,
    strict: bool = False,
) -> None:
    """Assert that the loss reported for these rows is the cross-entropy of their outputs.

    Parameters
    ----------
    loss : float
        What ``model.evaluate`` or the Trainer reported for exactly these rows and these weights.
        The training loss of an epoch is none such: the weights moved while it was averaged.
    logits : (n, C) float
        What the model returned, logits or probabilities.
    y_true : (n,) int
        True label ids.
    batch_size : int, optional
        Rows in an evaluation batch, if the loss is averaged over batches whose last is shorter.
    label_smoothing : float, optional
        That of the loss.
    tolerance
        Largest relative difference; differences below 1e-4 are always allowed.

    Examples
    --------
    >>> assert_loss_matches_outputs(0.1269, [[2.0, 0.0], [0.0, 2.0]], y_true=[0, 1])
    """
    evidence = Evidence(val_loss=[loss], logits=logits, y_true=y_true, batch_size=batch_size)
    options: dict[str, Any] = {"same_rows": True, "tolerance": tolerance}
    if label_smoothing is not None:
        options["label_smoothing"] = label_smoothing
    _judge("loss_matches_outputs", evidence, ALPHA, strict, **options)


def assert_accuracy_as_reported(
    reported: float, outputs: Any, *, y_true: Any, tolerance: float = 5e-4, strict: bool = False
) -> None:
    """Assert that the accuracy reported for these rows is that of these predictions.

    Parameters
    ----------
    reported : float
        Accuracy between 0 and 1.
    outputs : (n, C) float or (n,) int
        Logits, a framework's output object, or label ids.
    y_true : (n,) int
        True label ids.
    tolerance
        What rounding explains: half of the third decimal by default.

    Examples
    --------
    >>> assert_accuracy_as_reported(0.667, [0, 1, 1], y_true=[0, 1, 0])
    """
    if not isinstance(reported, (int, float, np.number)) or not 0 <= reported <= 1:
        raise ValueError(f"reported: expected an accuracy between 0 and 1, got {reported!r:.60}")
    evidence = Evidence(val_accuracy=[reported], y_true=y_true, **_either(outputs))
    _judge("accuracy_as_reported", evidence, ALPHA, strict, same_rows=True, tolerance=tolerance)


def assert_learning_rate_schedule(
    history: Any, *, peak: float | None = None, strict: bool = False
) -> None:
    """Assert that the learning rate takes a course on which a model can learn.

    Parameters
    ----------
    history
        A Keras ``History``, a transformers ``Trainer.state.log_history``, a mapping with
        ``learning_rate``, or the rates themselves, (T,) float.
    peak
        The highest rate that was asked for.

    Examples
    --------
    >>> assert_learning_rate_schedule([0.0, 1e-5, 2e-5, 1.5e-5, 1e-5, 5e-6, 0.0], peak=2e-5)
    """
    evidence = Evidence(**_series("learning_rate", history))
    limits = {} if peak is None else {"peak": peak}
    _judge("learning_rate_schedule", evidence, ALPHA, strict, **limits)


def assert_weights_updated(
    *,
    encoder_update: float | None = None,
    head_update: float | None = None,
    strict: bool = False,
) -> None:
    """Assert that training changed the weights of the head; a frozen encoder is allowed.

    Parameters
    ----------
    encoder_update, head_update : float >= 0
        Relative norm of the change: ``norm(after - before) / norm(before)``.

    Examples
    --------
    >>> assert_weights_updated(encoder_update=0.02, head_update=0.4)
    """
    evidence = Evidence(encoder_update=encoder_update, head_update=head_update)
    _judge("weights_updated", evidence, ALPHA, strict)


def assert_overfits_small_batch(
    overfit_loss: Any,
    batch: Any = None,
    *,
    num_labels: int | None = None,
    max_share: float = 0.45,
    strict: bool = False,
) -> None:
    """Assert that a fresh copy of the model learns a small batch by heart.

    ``assert_overfits_small_batch(fit_step, (texts, labels))`` takes the steps itself, as many as
    it needs to tell, 1,000 at most.

    Parameters
    ----------
    overfit_loss : (T,) float
        Loss at each step on the same few rows (16, balanced) at a learning rate known to work; or
        ``fit_step(texts, labels)``, which takes one step and returns the loss.
    batch
        With ``fit_step``, the texts and their label ids.
    num_labels
        C, for the cost of knowing nothing, ln C.
    max_share
        Share of that cost under which the loss must come.

    Examples
    --------
    >>> assert_overfits_small_batch([0.7, 0.6, 0.4, 0.2, 0.1, 0.03], num_labels=2)
    >>> from sklearn.feature_extraction.text import HashingVectorizer
    >>> from sklearn.linear_model import SGDClassifier
    >>> from sklearn.metrics import log_loss
    >>> model, vectorizer = SGDClassifier("log_loss", random_state=0), HashingVectorizer()
    >>> def fit_step(texts, labels):
    ...     rows = vectorizer.transform(texts)
    ...     model.partial_fit(rows, labels, classes=[0, 1])
    ...     return log_loss(labels, model.predict_proba(rows))
    >>> assert_overfits_small_batch(fit_step, (["lunch today", "win money now"] * 8, [0, 1] * 8))
    """
    if callable(overfit_loss):
        if not isinstance(batch, Sequence) or len(batch) != 2:
            raise TypeError(f"batch: expected texts and labels, got {batch!r:.60}")
        num_labels = num_labels or max(2, len(np.unique(outputs_to_array(batch[1], "batch"))))
        overfit_loss = overfit(overfit_loss, (_texts(batch[0]), batch[1]))
    evidence = Evidence(overfit_loss=overfit_loss, dataset_label_names=_names_of(num_labels))
    _judge("overfits_small_batch", evidence, ALPHA, strict, max_share=max_share)


def assert_decoding_consistent(
    y_pred: Any,
    logits: Any,
    *,
    y_true: Any = None,
    label_names: Any = None,
    alpha: float = ALPHA,
    strict: bool = False,
) -> None:
    """Assert that the answers are the argmax of the outputs, or name the mistake that was made.

    Parameters
    ----------
    y_pred : (n,) int
        What the pipeline's decoding made of the outputs.
    logits : (n, C) float
        The outputs.

    Examples
    --------
    >>> assert_decoding_consistent([1, 0], [[0.2, 1.4], [0.9, -0.5]])
    """
    evidence = Evidence(
        y_true=y_true, y_pred=y_pred, logits=logits, dataset_label_names=label_names
    )
    _judge("decoding_consistent", evidence, alpha, strict)


def assert_predictions_aligned(
    outputs: Any,
    *,
    y_true: Any,
    label_names: Any = None,
    alpha: float = ALPHA,
    strict: bool = False,
) -> None:
    """Assert that no known way of losing the rows' order explains the answers better.

    Parameters
    ----------
    outputs : (n, C) float or (n,) int
        Logits, a framework's output object, or label ids, in the order in which they came.
    y_true : (n,) int
        True label ids, in the order of the data set.

    Examples
    --------
    >>> assert_predictions_aligned([0, 1, 1, 0] * 10, y_true=[0, 1, 1, 0] * 10)
    """
    evidence = Evidence(y_true=y_true, dataset_label_names=label_names, **_either(outputs))
    _judge("predictions_aligned", evidence, alpha, strict)


def assert_no_regression(
    outputs: Any,
    baseline_outputs: Any,
    *,
    y_true: Any,
    label_names: Any = None,
    example_keys: Any = None,
    margin: float = 0.0,
    drop: float = 0.05,
    alpha: float = ALPHA,
    strict: bool = False,
) -> None:
    """Assert that a new model is at least as often right as an old one, on the same examples.

    Parameters
    ----------
    outputs, baseline_outputs : (n, C) float or (n,) int
        Logits or label ids of the new model and of the old one, row by row.
    y_true : (n,) int
        True label ids.
    label_names : (C,) str, optional
        Names by id, for the message.
    example_keys : (n,) str, optional
        Texts or ids of the examples, for the message, which names the worst flips.
    margin
        How much of the accuracy may be lost.
    drop
        Loss of accuracy that the examples have to be enough for; if not, it is inconclusive.

    Raises
    ------
    AssertionError
        If it is significantly less often right: McNemar's exact test, one-sided.

    Examples
    --------
    >>> y_true = [0, 1, 2] * 100
    >>> assert_no_regression(y_true, y_true, y_true=y_true)
    """
    evidence = _against(
        outputs, baseline_outputs, y_true, label_names, example_keys, baseline_margin=margin
    )
    _judge("no_regression", evidence, alpha, strict, drop=drop)


def assert_no_class_regression(
    outputs: Any,
    baseline_outputs: Any,
    *,
    y_true: Any,
    label_names: Any = None,
    example_keys: Any = None,
    margin: float = 0.0,
    alpha: float = ALPHA,
    strict: bool = False,
) -> None:
    """Assert that a new model is at least as often right on each label as an old one.

    Parameters
    ----------
    outputs, baseline_outputs, y_true, label_names, example_keys, margin
        As for :func:`assert_no_regression`.

    Raises
    ------
    AssertionError
        If it is significantly less often right on some label: McNemar's exact test for each label,
        by Holm's method.

    Examples
    --------
    >>> y_true = [0, 1, 2] * 100
    >>> assert_no_class_regression(y_true, y_true, y_true=y_true)
    """
    evidence = _against(
        outputs, baseline_outputs, y_true, label_names, example_keys, baseline_margin=margin
    )
    _judge("no_class_regression", evidence, alpha, strict)


def assert_few_negative_flips(
    outputs: Any,
    baseline_outputs: Any,
    *,
    y_true: Any,
    label_names: Any = None,
    example_keys: Any = None,
    max_rate: float = 0.05,
    alpha: float = ALPHA,
    strict: bool = False,
) -> None:
    """Assert that a new model is wrong on few of the examples that an old one gets right.

    Parameters
    ----------
    outputs, baseline_outputs, y_true, label_names, example_keys
        As for :func:`assert_no_regression`.
    max_rate
        Share of all examples that may flip from right to wrong.

    Raises
    ------
    AssertionError
        If significantly more do.

    Examples
    --------
    >>> y_true = [0, 1, 2] * 100
    >>> assert_few_negative_flips(y_true, y_true, y_true=y_true)
    """
    evidence = _against(outputs, baseline_outputs, y_true, label_names, example_keys)
    _judge("few_negative_flips", evidence, alpha, strict, max_rate=max_rate)


def assert_deterministic(logits: Any, repeated_logits: Any, *, strict: bool = False) -> None:
    """Assert that an identical second call returned the same outputs, both (n, C) float.

    ``assert_deterministic(predict, texts)`` makes both calls itself.

    Examples
    --------
    >>> assert_deterministic([[0.2, 1.4]], [[0.2, 1.4]])
    >>> assert_deterministic(lambda texts: [[len(text), 3.0] for text in texts], ["a", "bbbbb"])
    """
    if callable(logits):
        predict, texts = logits, _texts(repeated_logits)
        logits, repeated_logits = predict(texts), predict(texts)
    evidence = Evidence(logits=logits, repeated_logits=repeated_logits)
    _judge("deterministic", evidence, ALPHA, strict)


def assert_reload_equal(
    logits: Any, reloaded_logits: Any, *, unloaded_weights: Any = None, strict: bool = False
) -> None:
    """Assert that the model loaded again returns the same outputs, both (n, C) float.

    ``assert_reload_equal(load, texts)`` loads twice and compares: ``load()`` returns ``predict``.
    The second time is in a process of its own under another ``PYTHONHASHSEED`` if that can import
    ``load``, so that what is random or built from a set at loading differs.

    Examples
    --------
    >>> assert_reload_equal([[0.2, 1.4]], [[0.2, 1.4]], unloaded_weights=[])
    >>> def load():
    ...     return lambda texts: [[len(text), 3.0] for text in texts]
    >>> assert_reload_equal(load, ["a", "bbbbb"])
    """
    if callable(logits):
        load, texts = logits, _texts(reloaded_logits)
        again, here = loaded_again(load, RELOAD_TIMEOUT), load()
        for predict in (again, here):
            reject_no_predict(predict)
        reloaded_logits, logits = again(texts), here(texts)
    evidence = Evidence(
        logits=logits, reloaded_logits=reloaded_logits, unloaded_weights=unloaded_weights
    )
    _judge("reload_equal", evidence, ALPHA, strict)


def assert_batch_invariant(
    logits: Any,
    rebatched_logits: Any,
    *,
    kept_token_counts: Any = None,
    repeated_logits: Any = None,
    alpha: float = ALPHA,
    strict: bool = False,
) -> None:
    """Assert that a text gets the same outputs alone as in a batch, both (n, C) float.

    ``assert_batch_invariant(predict, texts)`` makes the calls itself: all texts in a call, twice,
    and one at a time.

    Parameters
    ----------
    logits, rebatched_logits : (n, C), (r, C) float
        Outputs in batches, and those of the first r texts one at a time.
    kept_token_counts : (n,) int, optional
        Tokens of each text without padding: tells whether it is the padded ones that differ.
    repeated_logits : (r, C) float, optional
        A second identical call: tells dropout apart.

    Examples
    --------
    >>> assert_batch_invariant([[0.2, 1.4], [0.7, 0.1]], [[0.2, 1.4], [0.7, 0.1]])
    >>> assert_batch_invariant(lambda texts: [[len(text), 3.0] for text in texts], ["a", "bbbbb"])
    """
    if callable(logits):
        predict, texts = logits, _texts(rebatched_logits)
        logits, repeated_logits = predict(texts), predict(texts)
        rebatched_logits = one_at_a_time(predict, texts)
    evidence = Evidence(
        logits=logits,
        rebatched_logits=rebatched_logits,
        kept_token_counts=kept_token_counts,
        repeated_logits=repeated_logits,
    )
    _judge("batch_invariant", evidence, alpha, strict)


def assert_padding_invariant(
    logits: Any,
    padded_logits: Any,
    texts: Any = None,
    *,
    repeated_logits: Any = None,
    strict: bool = False,
) -> None:
    """Assert that padding the inputs further leaves the outputs as they are, both (n, C) float.

    ``assert_padding_invariant(predict, predict_padded, texts)`` makes the calls itself, the first
    one twice.

    Examples
    --------
    >>> assert_padding_invariant([[0.2, 1.4]], [[0.2, 1.4]])
    >>> def predict(texts):
    ...     return [[len(text.strip()), 3.0] for text in texts]
    >>> def predict_padded(texts):
    ...     return predict([f"{text}   " for text in texts])
    >>> assert_padding_invariant(predict, predict_padded, ["a", "bbbbb"])
    """
    if callable(logits) and callable(padded_logits):
        texts, predict = _texts(texts), logits
        logits, repeated_logits = predict(texts), predict(texts)
        padded_logits = padded_logits(texts)
    evidence = Evidence(logits=logits, padded_logits=padded_logits, repeated_logits=repeated_logits)
    _judge("padding_invariant", evidence, ALPHA, strict)


def history_fields(history: Any) -> dict[str, Any]:
    """Return the evidence fields that a training history holds.

    Raises
    ------
    TypeError
        If it is no Keras ``History``, no ``log_history`` and no mapping of series.
    ValueError
        If it holds no series that is known.
    """
    history = getattr(history, "history", history)
    if isinstance(history, Sequence) and not isinstance(history, str):
        history = _series_of_log(history)
    if not isinstance(history, Mapping):
        raise TypeError(
            "history: expected a Keras History, Trainer.state.log_history or a mapping of series, "
            f"got {type(history).__name__}"
        )
    fields: dict[str, Any] = {}
    for name, others in _SERIES.items():
        series = next((history[key] for key in (name, *others) if key in history), None)
        if series is not None:
            fields[name] = series
    if not fields:
        raise ValueError(
            f"history: expected one of the series {list(_SERIES)}, got {sorted(map(str, history))}"
        )
    return fields


_SERIES: dict[str, tuple[str, ...]] = {
    # evidence field: what Keras and the transformers Trainer call it
    "loss": (),
    "val_loss": ("eval_loss",),
    "val_accuracy": ("val_sparse_categorical_accuracy", "val_acc", "eval_accuracy"),
    "grad_norm": (),
    "learning_rate": ("lr",),
}


def _series_of_log(log: Sequence[Any]) -> dict[str, list[float]]:
    series: dict[str, list[float]] = {}
    for entry in log:
        if not isinstance(entry, Mapping):
            raise TypeError(
                f"history: expected entries like {{'loss': 0.4, 'step': 10}}, got {entry!r:.60}"
            )
        for key, value in entry.items():
            if isinstance(value, (int, float, np.number)):
                series.setdefault(str(key), []).append(float(value))
    return series


def _series(name: str, history: Any) -> dict[str, Any]:
    """Return one series of a history, which may be the series itself."""
    plain = not hasattr(history, "history") and not isinstance(history, (str, Mapping))
    if plain and not any(isinstance(entry, Mapping) for entry in np.atleast_1d(history)):
        return {name: history}
    fields = history_fields(history)
    if name not in fields:
        raise ValueError(f"history: expected the series {name!r}, got {sorted(fields)}")
    return {name: fields[name]}


def _encoded(tokenizer: Any, texts: Any) -> dict[str, Any]:
    """Return what a tokenizer makes of texts, as evidence."""
    if not callable(tokenizer) or not hasattr(tokenizer, "__len__"):
        raise TypeError(
            f"tokenizer: expected a tokenizer, with a call and a length, got {tokenizer!r:.60}"
        )
    fields: dict[str, Any] = {"tokenizer_size": len(tokenizer)}
    if texts is None:
        return fields
    texts = _texts(texts)
    ids, mask = _ids_and_mask(tokenizer, texts)
    unknown = getattr(tokenizer, "unk_token_id", None)
    if unknown is not None:
        fields["unknown_token_share"] = _share_of(unknown, ids, mask)
        lowercase = _ids_and_mask(tokenizer, [text.lower() for text in texts])
        fields["lowercase_unknown_token_share"] = _share_of(unknown, *lowercase)
    return {**fields, "input_ids": ids, "attention_mask": mask}


def _ids_and_mask(tokenizer: Any, texts: list[str]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    encoding = tokenizer(texts, padding=True, truncation=True)
    return np.asarray(encoding["input_ids"]), np.asarray(encoding["attention_mask"])


def _share_of(token: int, ids: npt.NDArray[Any], mask: npt.NDArray[Any]) -> npt.NDArray[Any]:
    kept = np.maximum(mask.sum(axis=1), 1)
    share: npt.NDArray[Any] = ((ids == token) & (mask == 1)).sum(axis=1) / kept
    return share


def _texts(texts: Any) -> list[str]:
    """Return texts that a callable is to be asked about."""
    if isinstance(texts, str) or not hasattr(texts, "__iter__"):
        raise TypeError(f"texts: expected a list of texts, got {texts!r:.60}")
    given: list[str] = [*texts]
    if not given or not all(isinstance(text, str) for text in given):
        raise ValueError(f"texts: expected at least one text and only texts, got {given!r:.60}")
    return given


def _either(outputs: Any) -> dict[str, Any]:
    """Return the outputs as ``logits``, or as ``y_pred`` if they are one label id each."""
    if outputs is None:
        return {}
    array = outputs_to_array(outputs)
    return {"y_pred": array} if array.ndim == 1 else {"logits": array}


def _against(
    outputs: Any, baseline_outputs: Any, y_true: Any, names: Any, keys: Any, **fields: Any
) -> Evidence:
    """Return evidence of a model and of the one before it."""
    before = {f"baseline_{name}": value for name, value in _either(baseline_outputs).items()}
    own = {"y_true": y_true, "dataset_label_names": names, "example_keys": keys}
    return Evidence(**own, **_either(outputs), **before, **fields)


def _out_of_fold(
    texts: Sequence[str], labels: Any, label_names: Any, probabilities: Any = None
) -> Evidence:
    """Return evidence of labels and of a model's answers to rows that it did not see.

    Ids are numbered anew, so that large ones and gaps between them cost nothing.
    """
    if isinstance(texts, str) or not hasattr(texts, "__len__"):
        raise TypeError(f"texts: expected a sequence of str, got {texts!r:.60}")
    odd = [text for text in texts if not isinstance(text, str)]
    if odd:
        raise TypeError(f"texts: expected str, got {odd[0]!r:.60}")
    given = Evidence(y_train=labels, dataset_label_names=label_names)
    if given.y_train is None:
        raise ValueError("labels: expected label ids, got None")
    if len(texts) != len(given.y_train):
        raise ValueError(
            f"labels: expected one for each of {len(texts)} texts, got {len(given.y_train)}"
        )
    ids, labels = np.unique(given.y_train, return_inverse=True)
    names = given.dataset_label_names
    if ids[0] < 0 or (names is not None and ids[-1] >= len(names)):
        raise ValueError(
            f"labels: expected ids within 0..{'C' if names is None else len(names)}-1, got "
            f"{ids[0]} to {ids[-1]}; leave out the rows without a label"
        )
    fields: dict[str, Any] = {
        "y_train": labels,
        "dataset_label_names": [str(label if names is None else names[label]) for label in ids],
    }
    if probabilities is None:
        answers, found = cross_validated(texts, labels, len(ids))
        fields |= {"train_reference_y_pred": answers, "train_reference_probabilities": found}
    else:
        outputs = Evidence(logits=probabilities)
        width = outputs.logits.shape[1]
        if width <= ids[-1] or not are_probabilities(outputs.logits):
            raise ValueError(
                "probabilities: expected rows that sum to 1, a column for each label id, got "
                f"shape {outputs.logits.shape}"
            )
        fields["train_reference_probabilities"] = outputs.logits[:, ids]
    return Evidence(**fields)


def _names_of(num_labels: int | None) -> list[str] | None:
    """Return ids for names, so that their number is known."""
    if num_labels is None:
        return None
    if not isinstance(num_labels, int) or num_labels < 1:
        raise ValueError(f"num_labels: expected a whole number of at least 1, got {num_labels!r}")
    return [str(label) for label in range(num_labels)]


def _judge(name: str, evidence: Evidence, alpha: float, strict: bool, **options: Any) -> None:
    """Run one check; raise if it failed, warn if it could not tell."""
    finding: Finding = find_check(name)(evidence, alpha=alpha, **options)
    if finding.verdict is Verdict.FAILED:
        raise AssertionError(str(finding))
    if finding.verdict is Verdict.SKIPPED:
        raise ValueError(f"assert_{name}: expected {', '.join(finding.needs)}, got none")
    if finding.verdict is Verdict.INCONCLUSIVE:
        if strict:
            raise AssertionError(f"{finding}\n(inconclusive is a failure under strict=True)")
        warnings.warn(finding.summary, InconclusiveWarning, stacklevel=3)
