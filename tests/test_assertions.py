"""The assertions of a team's own tests: pass, AssertionError with the message, or a warning."""

from __future__ import annotations

import inspect
import re
import types
import warnings

import numpy as np
import pytest
from sklearn.metrics import f1_score
from sklearn.preprocessing import LabelEncoder

import pytest_bertcheck
from pytest_bertcheck import (
    InconclusiveWarning,
    assert_accuracy_as_reported,
    assert_attention_mask_valid,
    assert_batch_invariant,
    assert_beats_majority,
    assert_classes_balanced,
    assert_decoding_consistent,
    assert_deterministic,
    assert_every_class_predicted,
    assert_few_negative_flips,
    assert_inputs_distinct,
    assert_label_mapping_consistent,
    assert_labels_clean,
    assert_labels_informative,
    assert_labels_not_swapped,
    assert_labels_valid,
    assert_learning_rate_schedule,
    assert_logits_valid,
    assert_loss_matches_outputs,
    assert_metric_at_least,
    assert_no_class_regression,
    assert_no_regression,
    assert_not_collapsed,
    assert_not_far_below_reference,
    assert_not_far_below_validation,
    assert_overfits_small_batch,
    assert_padding_invariant,
    assert_predictions_aligned,
    assert_reload_equal,
    assert_splits_consistent,
    assert_training_data_shuffled,
    assert_training_progressed,
    assert_truncation_harmless,
    assert_vocabulary_matches,
    assert_weights_updated,
    assertions,
)
from pytest_bertcheck.checks import all_checks
from pytest_bertcheck.findings import CAUSES

from .simulate import softmax, trained, write_texts

RUN = trained(3, 0, n=300)
Y, OUTPUTS, NAMES = RUN.y_true, RUN.outputs, list(RUN.names)
GUESSES = np.random.default_rng(0).integers(0, 3, 300)
NOISE = np.random.default_rng(1).normal(size=OUTPUTS.shape)
LONG, SHORT = [90] * 300, [20] * 300
TEXTS = write_texts(Y, np.random.default_rng(2), own_words=6)
WRONG = np.where(GUESSES == 0, (Y + 1) % 3, Y)
IN_ORDER = np.sort(RUN.y_train)

RIGHT = float((RUN.answers == Y).mean())
LOSS = float(-np.log(softmax(OUTPUTS)[np.arange(300), Y]).mean())
TWICE = float(-np.log(softmax(softmax(OUTPUTS))[np.arange(300), Y]).mean())


def f1_score_of_label_0(y_true, y_pred):
    return f1_score(y_true, y_pred, labels=[0], average="macro")


WITHOUT_CULTURE = np.where(Y == 1, 0, RUN.answers)

PASSES = {
    "assert_no_regression": [
        lambda: assert_no_regression(OUTPUTS, RUN.answers, y_true=Y, label_names=NAMES),
        lambda: assert_no_regression(
            Y, OUTPUTS, y_true=Y, margin=0.02, drop=0.1, example_keys=RUN.texts
        ),
    ],
    "assert_no_class_regression": [
        lambda: assert_no_class_regression(OUTPUTS, RUN.answers, y_true=Y, label_names=NAMES),
        lambda: assert_no_class_regression(Y, OUTPUTS, y_true=Y, margin=0.02),
    ],
    "assert_few_negative_flips": [
        lambda: assert_few_negative_flips(OUTPUTS, RUN.answers, y_true=Y),
        lambda: assert_few_negative_flips(Y, OUTPUTS, y_true=Y, max_rate=0.03),
    ],
    "assert_every_class_predicted": [
        lambda: assert_every_class_predicted(OUTPUTS, y_true=Y, label_names=NAMES),
    ],
    "assert_metric_at_least": [
        lambda: assert_metric_at_least("f1_macro", 0.7, OUTPUTS, y_true=Y),
        lambda: assert_metric_at_least(f1_score_of_label_0, 0.7, RUN.answers, y_true=Y),
        lambda: assert_metric_at_least("roc_auc_ovr", 0.7, OUTPUTS, y_true=Y),
    ],
    "assert_predictions_aligned": [
        lambda: assert_predictions_aligned(OUTPUTS, y_true=Y, label_names=NAMES),
        lambda: assert_predictions_aligned(RUN.answers, y_true=Y),
    ],
    "assert_classes_balanced": [
        lambda: assert_classes_balanced(RUN.y_train, label_names=NAMES),
        lambda: assert_classes_balanced([0, 1] * 30),
    ],
    "assert_labels_valid": [
        lambda: assert_labels_valid(Y, num_labels=3),
        lambda: assert_labels_valid(Y, label_names=NAMES),
        lambda: assert_labels_valid([0, 7]),
    ],
    "assert_training_data_shuffled": [
        lambda: assert_training_data_shuffled(RUN.y_train, label_names=NAMES),
        lambda: assert_training_data_shuffled([0, 1] * 30),
    ],
    "assert_splits_consistent": [
        lambda: assert_splits_consistent(RUN.y_train, Y, label_names=NAMES),
        lambda: assert_splits_consistent(
            [0, 1, 2] * 50, [1] * 60 + [0] * 40, allow_missing=True, max_difference=0.5
        ),
    ],
    "assert_labels_informative": [
        lambda: assert_labels_informative(TEXTS, Y, label_names=NAMES),
        lambda: assert_labels_informative(tuple(TEXTS), (Y + 1000).tolist(), min_skill=0.5),
    ],
    "assert_labels_clean": [
        lambda: assert_labels_clean(TEXTS, Y, label_names=NAMES),
        lambda: assert_labels_clean(TEXTS, 10**9 * Y),
        lambda: assert_labels_clean(TEXTS, Y, probabilities=softmax(np.eye(3)[Y] * 3)),
        lambda: assert_labels_clean(TEXTS, WRONG, max_share=0.5),
    ],
    "assert_label_mapping_consistent": [
        lambda: assert_label_mapping_consistent(dict(enumerate(NAMES)), dataset_labels=NAMES),
    ],
    "assert_labels_not_swapped": [
        lambda: assert_labels_not_swapped(OUTPUTS, y_true=Y, label_names=NAMES),
        lambda: assert_labels_not_swapped(RUN.answers, y_true=Y),
    ],
    "assert_logits_valid": [
        lambda: assert_logits_valid(OUTPUTS, label_names=NAMES),
        lambda: assert_logits_valid(softmax(OUTPUTS), allow_probabilities=True),
    ],
    "assert_not_collapsed": [
        lambda: assert_not_collapsed(OUTPUTS, y_true=Y, label_names=NAMES),
        lambda: assert_not_collapsed(RUN.answers, y_true=Y),
        lambda: assert_not_collapsed(RUN.answers),
    ],
    "assert_beats_majority": [
        lambda: assert_beats_majority(OUTPUTS, y_true=Y),
        lambda: assert_beats_majority(RUN.answers.tolist(), y_true=Y.tolist()),
    ],
    "assert_not_far_below_reference": [
        lambda: assert_not_far_below_reference(OUTPUTS, y_true=Y, reference_y_pred=RUN.answers),
    ],
    "assert_not_far_below_validation": [
        lambda: assert_not_far_below_validation(OUTPUTS, y_true=Y, val_accuracy=0.97, y_train=Y),
    ],
    "assert_truncation_harmless": [
        lambda: assert_truncation_harmless(SHORT, SHORT),
        lambda: assert_truncation_harmless(LONG, SHORT, y_true=Y, logits=OUTPUTS),
    ],
    "assert_inputs_distinct": [
        lambda: assert_inputs_distinct(np.arange(60).reshape(20, 3)),
    ],
    "assert_training_progressed": [
        lambda: assert_training_progressed({"loss": [1.1, 0.5, 0.2]}, num_labels=3),
        lambda: assert_training_progressed({"loss": [0.7, 0.2]}, y_train=[0, 1] * 9),
    ],
    "assert_decoding_consistent": [
        lambda: assert_decoding_consistent(RUN.answers, OUTPUTS, y_true=Y, label_names=NAMES),
        lambda: assert_decoding_consistent(RUN.answers, OUTPUTS),
    ],
    "assert_vocabulary_matches": [
        lambda: assert_vocabulary_matches(tokenizer_size=90, embedding_rows=90),
        lambda: assert_vocabulary_matches(unknown_token_share=[0.0] * 20),
    ],
    "assert_attention_mask_valid": [lambda: assert_attention_mask_valid([[1, 1], [1, 0]])],
    "assert_loss_matches_outputs": [
        lambda: assert_loss_matches_outputs(LOSS, OUTPUTS, y_true=Y),
        lambda: assert_loss_matches_outputs(round(LOSS, 4), softmax(OUTPUTS), y_true=Y),
    ],
    "assert_accuracy_as_reported": [
        lambda: assert_accuracy_as_reported(round(RIGHT, 3), OUTPUTS, y_true=Y),
        lambda: assert_accuracy_as_reported(RIGHT, RUN.answers, y_true=Y),
    ],
    "assert_learning_rate_schedule": [
        lambda: assert_learning_rate_schedule([0, 2e-5, 1e-5, 0], peak=2e-5),
        lambda: assert_learning_rate_schedule([{"learning_rate": 2e-5, "step": 1}]),
        lambda: assert_learning_rate_schedule({"lr": [2e-5, 1e-5]}),
    ],
    "assert_weights_updated": [lambda: assert_weights_updated(encoder_update=0, head_update=0.2)],
    "assert_overfits_small_batch": [
        lambda: assert_overfits_small_batch([1.1, 0.6, 0.3, 0.1, 0.05, 0.01], num_labels=3),
    ],
    "assert_batch_invariant": [lambda: assert_batch_invariant(OUTPUTS, OUTPUTS[:32])],
    "assert_padding_invariant": [lambda: assert_padding_invariant(OUTPUTS, OUTPUTS[:32])],
    "assert_deterministic": [lambda: assert_deterministic(OUTPUTS, OUTPUTS[:32])],
    "assert_reload_equal": [
        lambda: assert_reload_equal(OUTPUTS, OUTPUTS[:32]),
        lambda: assert_reload_equal(OUTPUTS, OUTPUTS[:32], unloaded_weights=[]),
    ],
}

NO_CAUSE = "a number below a limit says nothing about where it comes from"
# assertion: (call, how the message starts, its first cause or None for any, part of its fix)
FAILS = {
    "assert_no_regression": (
        lambda: assert_no_regression(WITHOUT_CULTURE, OUTPUTS, y_true=Y, label_names=NAMES),
        "worse than the baseline: ", "regression", "--bertcheck-update"),
    "assert_no_class_regression": (
        lambda: assert_no_class_regression(WITHOUT_CULTURE, OUTPUTS, y_true=Y, label_names=NAMES),
        "1 label worse: 'culture' 0.0% right, was 9", "regression", "train on more examples"),
    "assert_few_negative_flips": (
        lambda: assert_few_negative_flips(WITHOUT_CULTURE, OUTPUTS, y_true=Y, label_names=NAMES),
        "9", "regression", "old model's weights"),
    "assert_every_class_predicted": (
        lambda: assert_every_class_predicted(
            np.where(RUN.answers == 1, 0, RUN.answers), y_true=Y, label_names=NAMES
        ),
        "dead class: 1 of 3 labels never predicted, 'culture' in 100 examples", None,
        "class_weight="),
    "assert_metric_at_least": (
        lambda: assert_metric_at_least("accuracy", 0.99, GUESSES, y_true=Y),
        "accuracy too low: 0.", NO_CAUSE, "diagnose(evidence)"),
    "assert_predictions_aligned": (
        lambda: assert_predictions_aligned(OUTPUTS[::-1], y_true=Y, label_names=NAMES),
        "rows misaligned: ", "labels-misaligned", "shuffle=False"),
    "assert_classes_balanced": (
        lambda: assert_classes_balanced([0] * 990 + [1] * 10, label_names=["ham", "spam"]),
        "imbalanced: 99% of 1,000 training rows are 'ham'", "class-imbalance", "class_weight="),
    "assert_labels_valid": (
        lambda: assert_labels_valid(Y + 1, num_labels=3),
        "labels out of range: y_true has ", "label-out-of-range", "y_true - 1"),
    "assert_training_data_shuffled": (
        lambda: assert_training_data_shuffled(IN_ORDER, label_names=NAMES),
        "rows in label order: 3 runs of equal labels in 300 rows, 200 at random, p < 1e-12",
        "training-data-sorted", "dataset.shuffle(buffer_size=len(rows))"),
    "assert_splits_consistent": (
        lambda: assert_splits_consistent(IN_ORDER[IN_ORDER < 2], Y, label_names=NAMES),
        f"splits differ: '{NAMES[2]}' is never in training, 33% of 300 evaluation rows, p < ",
        "training-data-sorted", "train_test_split(rows, stratify=labels"),
    "assert_labels_informative": (
        lambda: assert_labels_informative(TEXTS, GUESSES, label_names=NAMES, min_skill=0.3),
        "labels tell nothing: TF-IDF right on ", "labels-shuffled", "print five pairs"),
    "assert_labels_clean": (
        lambda: assert_labels_clean(TEXTS, WRONG, label_names=NAMES),
        "labels noisy: ", "labels-noisy", "read the rows shown"),
    "assert_label_mapping_consistent": (
        lambda: assert_label_mapping_consistent(NAMES, dataset_labels=NAMES[::-1]),
        "label mapping differs: 2/3 names", "label-mapping-swapped", "id2label = {0: "),
    "assert_labels_not_swapped": (
        lambda: assert_labels_not_swapped(OUTPUTS, y_true=(Y + 1) % 3, label_names=NAMES),
        "labels swapped: 3/3, ", "label-mapping-swapped", "id2label = {0: "),
    "assert_logits_valid": (
        lambda: assert_logits_valid(np.where(NOISE > 2, np.nan, OUTPUTS)),
        "logits not finite: ", "diverged", "learning rate"),
    "assert_not_collapsed": (
        lambda: assert_not_collapsed([2] * 300, y_true=Y, label_names=NAMES),
        f"collapsed: 300/300 predictions are '{NAMES[2]}' (33% of y_true)", None, "learning rate"),
    "assert_beats_majority": (
        lambda: assert_beats_majority((Y + 1) % 3, y_true=Y, label_names=NAMES),
        "worse than chance: 0/100 'business' right, chance gets 33; 0% of all",
        "label-mapping-swapped", "id2label"),
    "assert_not_far_below_reference": (
        lambda: assert_not_far_below_reference(GUESSES, y_true=Y, reference_y_pred=RUN.answers,
                                               label_names=NAMES),
        "far below a plain reference: ", None, "look for the fault"),
    "assert_not_far_below_validation": (
        lambda: assert_not_far_below_validation(GUESSES, y_true=Y, val_accuracy=0.97, y_train=Y),
        "far below validation: ", None, "what evaluation does otherwise"),
    "assert_truncation_harmless": (
        lambda: assert_truncation_harmless(LONG, SHORT, y_true=Y, logits=NOISE,
                                           tail_logits=OUTPUTS),
        "truncation loses the label: 20 of 90 tokens", "truncation-loses-signal", "max_length="),
    "assert_inputs_distinct": (
        lambda: assert_inputs_distinct([[101, 5, 102]] * 20),
        "inputs constant: 20/20 texts", "inputs-constant", "encode two different texts"),
    "assert_training_progressed": (
        lambda: assert_training_progressed({"loss": [1.1, 1.098, 1.099]}, num_labels=3),
        "no progress: loss 1.100 -> 1.099, knowing nothing costs 1.099", None, "learning_rate"),
    "assert_decoding_consistent": (
        lambda: assert_decoding_consistent(OUTPUTS.argmax(axis=0), OUTPUTS),
        "decoding inconsistent: 3 answers for 300 examples", "argmax-wrong-axis",
        "argmax(axis=-1)"),
    "assert_vocabulary_matches": (
        lambda: assert_vocabulary_matches(tokenizer_size=28996, embedding_rows=100),
        "vocabulary mismatch: the tokenizer has 28,996 tokens, the model 100 embeddings",
        "vocabulary-mismatch", "from_pretrained"),
    "assert_attention_mask_valid": (
        lambda: assert_attention_mask_valid(np.ones((2, 3)), kept_token_counts=[3, 2]),
        "attention mask wrong: padding is left in for 1/2 texts", "attention-mask-ignored",
        "attention_mask="),
    "assert_loss_matches_outputs": (
        lambda: assert_loss_matches_outputs(TWICE, OUTPUTS, y_true=Y),
        f"loss misconfigured: {TWICE:.4g} is the softmax applied twice, expected {LOSS:.4g}",
        "loss-misconfigured", "from_logits=True"),
    "assert_accuracy_as_reported": (
        lambda: assert_accuracy_as_reported(0.3, OUTPUTS, y_true=Y),
        "accuracy misreported: 0.3000, but ", "metric-misreported", "accuracy_score"),
    "assert_learning_rate_schedule": (
        lambda: assert_learning_rate_schedule({"learning_rate": [2e-5, 0, -1e-5]}),
        "learning-rate schedule broken: 1 of 3 rates are negative, the first at point 3",
        "learning-rate-schedule-broken", "num_warmup_steps"),
    "assert_weights_updated": (
        lambda: assert_weights_updated(encoder_update=0.1, head_update=0),
        "weights not updated: training moved encoder by 0.1, head by 0", "weights-not-updated",
        "apply_gradients"),
    "assert_overfits_small_batch": (
        lambda: assert_overfits_small_batch([1.1] * 9, num_labels=3),
        "cannot overfit a small batch: loss 1.100 -> 1.100, expected below 0.494",
        "weights-not-updated", "before and after one step"),
    "assert_batch_invariant": (
        lambda: assert_batch_invariant(np.roll(OUTPUTS, 1, axis=0), OUTPUTS[:32]),
        "rows misaligned: one at a time gives 32/32 texts", "labels-misaligned", "shuffle=False"),
    "assert_padding_invariant": (
        lambda: assert_padding_invariant(OUTPUTS, NOISE, repeated_logits=OUTPUTS),
        "more padding changes ", "attention-mask-ignored", "attention_mask="),
    "assert_deterministic": (
        lambda: assert_deterministic(OUTPUTS, (OUTPUTS + NOISE)[:32]),
        "two identical calls differ: ", "dropout-at-inference", "training=False"),
    "assert_reload_equal": (
        lambda: assert_reload_equal(OUTPUTS, NOISE[:32], unloaded_weights=["classifier.weight"]),
        "weights not loaded: ", "weights-not-loaded", "from_pretrained"),
}  # fmt: skip

OPEN = {
    "assert_every_class_predicted": lambda **how: assert_every_class_predicted(
        [0] * 20, y_true=[0, 1] * 10, **how
    ),
    "assert_metric_at_least": lambda **how: assert_metric_at_least(
        "accuracy", 0.9, RUN.answers[:20], y_true=Y[:20], **how
    ),
    "assert_predictions_aligned": lambda **how: assert_predictions_aligned(
        OUTPUTS[np.random.default_rng(5).permutation(300)], y_true=Y, **how
    ),
    "assert_training_data_shuffled": lambda **how: assert_training_data_shuffled([0, 1], **how),
    "assert_splits_consistent": lambda **how: assert_splits_consistent([0] * 9, [0, 1], **how),
    "assert_labels_informative": lambda **how: assert_labels_informative(
        TEXTS[:60], GUESSES[:60], **how
    ),
    "assert_labels_clean": lambda **how: assert_labels_clean(
        TEXTS[:30],
        Y[:30],
        max_share=0.01,
        probabilities=softmax(3 * np.eye(3)[np.r_[(Y[:2] + 1) % 3, Y[2:30]]]),
        **how,
    ),
    "assert_vocabulary_matches": lambda **how: assert_vocabulary_matches(
        unknown_token_share=[0.5] * 3, **how
    ),
    "assert_attention_mask_valid": lambda **how: assert_attention_mask_valid([[1, 0, 1]], **how),
    "assert_loss_matches_outputs": lambda **how: assert_loss_matches_outputs(
        0.5, OUTPUTS, y_true=Y - 1, **how
    ),
    "assert_learning_rate_schedule": lambda **how: assert_learning_rate_schedule(
        np.arange(10) / 1e6, **how
    ),
    "assert_weights_updated": lambda **how: assert_weights_updated(encoder_update=0, **how),
    "assert_overfits_small_batch": lambda **how: assert_overfits_small_batch([0.7, 0.6], **how),
    "assert_batch_invariant": lambda **how: assert_batch_invariant(OUTPUTS, OUTPUTS * 1.01, **how),
    "assert_padding_invariant": lambda **how: assert_padding_invariant(
        OUTPUTS, OUTPUTS * 1.01, **how
    ),
    "assert_label_mapping_consistent": lambda **how: assert_label_mapping_consistent(
        ["LABEL_0", "LABEL_1"], **how
    ),
    "assert_labels_not_swapped": lambda **how: assert_labels_not_swapped(
        RUN.answers, y_true=np.where(Y == 0, -1, Y), label_names=NAMES, **how
    ),
    "assert_not_collapsed": lambda **how: assert_not_collapsed(
        [0] * 20, label_names=["ham", "spam"], **how
    ),
    "assert_beats_majority": lambda **how: assert_beats_majority(
        np.resize([0, 1, 1, 0], 40), y_true=[0, 1] * 20, label_names=["ham", "spam"], **how
    ),
    "assert_truncation_harmless": lambda **how: assert_truncation_harmless(LONG, SHORT, **how),
    "assert_training_progressed": lambda **how: assert_training_progressed(
        {"loss": [0.7, 0.7]}, **how
    ),
    "assert_not_far_below_reference": lambda **how: assert_not_far_below_reference(
        OUTPUTS, y_true=np.full(300, -1), reference_y_pred=GUESSES, **how
    ),
    "assert_not_far_below_validation": lambda **how: assert_not_far_below_validation(
        OUTPUTS, y_true=Y, val_accuracy=97.0, y_train=Y, **how
    ),
}


def test_every_assertion_is_tested():
    """Each public assertion has a passing and a failing case here."""
    public = {name for name in assertions.__all__ if name.startswith("assert_")}
    assert public == set(PASSES) == set(FAILS)


def test_every_assertion_runs_the_check_of_its_name():
    """assert_X stands for the check X."""
    names = {check.name for check in all_checks()}
    assert set() == {name.removeprefix("assert_") for name in PASSES} - names


@pytest.mark.parametrize(
    ("name", "number"), [(name, i) for name, calls in PASSES.items() for i in range(len(calls))]
)
def test_what_is_right_passes_in_silence(name, number):
    """A healthy real classifier passes each assertion, without a warning, and returns nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert PASSES[name][number]() is None


@pytest.mark.parametrize("name", FAILS)
def test_what_is_wrong_raises_with_the_whole_message(name):
    """AssertionError: numbers first, then table, cause, fix and docs, as the grammar says."""
    call, first, cause, fix = FAILS[name]
    with pytest.raises(AssertionError) as caught:
        call()
    lines = str(caught.value).splitlines()
    assert lines[0].startswith(first)
    assert len(lines[0]) <= 100
    kinds = [line[:7] for line in lines if line[:7] in ("cause: ", "fix:   ", "docs:  ")]
    named = [line.split(": ")[1].split(" | ") for line in lines if line.startswith("cause: ")]
    assert ["cause: "] * len(named) + ["fix:   ", "docs:  "] == kinds
    assert (1 if cause != NO_CAUSE else 0) == len(named)
    codes = [code for line in named for code in line]
    assert set() == set(codes) - set(CAUSES)
    assert cause in (None, NO_CAUSE) or cause == codes[0]
    assert fix in str(caught.value)
    assert re.fullmatch(r"docs:  \S+#" + name.removeprefix("assert_"), lines[-1])


def test_the_traceback_ends_in_the_users_test(pytester):
    """A failing assertion shows the user's line and the message, and no line of the plugin."""
    pytester.makepyfile(
        """
        from pytest_bertcheck import assert_beats_majority, assert_not_collapsed

        def test_failed():
            assert_not_collapsed([0] * 300)

        def test_strict():
            assert_beats_majority([0, 1, 1, 0] * 9, y_true=[0, 1] * 18, strict=True)
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines([">       assert_not_collapsed(*", "E *collapsed: 300/300 *"])
    result.stdout.no_fnmatch_line("*assertions.py*")
    result.stdout.no_fnmatch_line("*_judge*")


@pytest.mark.parametrize("name", OPEN)
def test_what_cannot_be_told_warns(name):
    """Too little data is a warning of a class of its own, raised at the caller's line."""
    with pytest.warns(InconclusiveWarning) as caught:
        assert OPEN[name]() is None
    assert 1 == len(caught)
    assert __file__ == caught[0].filename
    assert str(caught[0].message)


@pytest.mark.parametrize("name", OPEN)
def test_what_cannot_be_told_fails_if_strict(name):
    """strict=True turns what cannot be told into a failure that says so."""
    with pytest.raises(AssertionError, match="inconclusive is a failure under strict=True"):
        OPEN[name](strict=True)


def test_the_warning_can_be_filtered_by_its_public_name():
    """The class of the warning lives where users import it from."""
    assert "pytest_bertcheck" == InconclusiveWarning.__module__
    assert issubclass(InconclusiveWarning, UserWarning)


@pytest.mark.parametrize("name", PASSES)
def test_every_assertion_takes_strict_and_documents_itself(name):
    """Each has strict as a keyword, a docstring and an example in it."""
    function = getattr(pytest_bertcheck, name)
    parameters = inspect.signature(function).parameters
    assert parameters["strict"].kind is inspect.Parameter.KEYWORD_ONLY
    assert parameters["strict"].default is False
    assert f">>> {name}(" in function.__doc__ or ">>>" in function.__doc__


# What they accept


class Config:
    """What a transformers config holds of the names."""

    def __init__(self, id2label, label2id=None):
        self.id2label = id2label
        self.label2id = label2id or {name: i for i, name in id2label.items()}


MODELS = {
    "model": types.SimpleNamespace(config=Config({0: "ham", 1: "spam"})),
    "config": Config({0: "ham", 1: "spam"}),
    "config from JSON": Config({"0": "ham", "1": "spam"}, {"ham": 0, "spam": 1}),
    "id2label": {0: "ham", 1: "spam"},
    "label2id": {"spam": 1, "ham": 0},
    "encoder": LabelEncoder().fit(["spam", "ham"]),
    "list": ["ham", "spam"],
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
@pytest.mark.parametrize("dataset", list(MODELS.values())[3:], ids=list(MODELS)[3:])
def test_mappings_in_every_form(model, dataset):
    """Either side may be a mapping, an encoder or a list; the model's side a config or a model."""
    assert_label_mapping_consistent(model, dataset_labels=dataset)
    reversed_names = ["spam", "ham"]
    with pytest.raises(AssertionError, match="label-mapping-swapped"):
        assert_label_mapping_consistent(model, dataset_labels=reversed_names)


def test_doubtful_labels_are_shown_beside_their_texts():
    """The table has the texts, harmless and cut off, the row, the label given and one suggested."""
    texts = [f"\x1b[31m{text}" for text in TEXTS]
    with pytest.raises(AssertionError) as caught:
        assert_labels_clean(texts, WRONG, label_names=NAMES)
    message = str(caught.value)
    assert all(line.isprintable() for line in message.splitlines())
    header, *rows = message.split("\n\n")[1].splitlines()
    assert ["text", "row", "given", "suggested"] == header.split()
    assert 12 == len(rows)
    right = 0
    for line in rows:
        row, given, suggested = line.split()[-3:]
        assert line.split("...")[0].strip().encode().decode("unicode_escape") in texts[int(row)]
        assert NAMES[WRONG[int(row)]] == given.strip("'")
        right += NAMES[Y[int(row)]] == suggested.strip("'")
    assert 11 <= right


def test_probabilities_of_an_own_model_are_judged_by_label_id():
    """Columns are label ids, however many of them occur; ids are shown for want of names."""
    labels = np.resize([0, 3], 200)
    probabilities = np.full((200, 5), 0.05)
    probabilities[np.arange(200), labels] = 0.8
    assert_labels_clean(["some words"] * 200, labels, probabilities=probabilities)
    with pytest.raises(AssertionError, match=r"(?s)labels noisy: 200/200 .* '3' +'0'") as caught:
        assert_labels_clean(["some words"] * 200, 3 - labels, probabilities=probabilities)
    assert "cause: labels-noisy" in str(caught.value)


def test_a_config_that_contradicts_itself():
    """A config's own label2id is compared with its id2label."""
    config = Config({0: "ham", 1: "spam"}, {"ham": 1, "spam": 0})
    with pytest.raises(AssertionError, match="contradict each other"):
        assert_label_mapping_consistent(config)


def test_label2id_beside_a_plain_mapping():
    """label2id may be given beside id2label."""
    assert_label_mapping_consistent({0: "a", 1: "b"}, label2id={"a": 0, "b": 1})
    with pytest.raises(AssertionError, match="contradict each other"):
        assert_label_mapping_consistent({0: "a", 1: "b"}, label2id={"a": 1, "b": 0})


SAME_OUTPUTS = {
    "array": OUTPUTS,
    "float32": OUTPUTS.astype(np.float32),
    "list": OUTPUTS.tolist(),
    "list of arrays": list(OUTPUTS),
    "tuple of rows": tuple(map(tuple, OUTPUTS)),
    "object with logits": types.SimpleNamespace(logits=OUTPUTS),
    "EvalPrediction": types.SimpleNamespace(predictions=OUTPUTS, label_ids=Y),
    "ids": RUN.answers,
    "list of ids": RUN.answers.tolist(),
    "whole floats": RUN.answers.astype(float),
}


@pytest.mark.parametrize("outputs", SAME_OUTPUTS.values(), ids=SAME_OUTPUTS.keys())
def test_outputs_or_ids_in_every_form(outputs):
    """Logits, output objects and label ids are told apart by their rank, in any container."""
    assert_not_collapsed(outputs, y_true=Y, label_names=NAMES)
    assert_beats_majority(outputs, y_true=Y, label_names=NAMES)
    assert_labels_not_swapped(outputs, y_true=Y, label_names=NAMES)
    with pytest.raises(AssertionError, match="labels swapped"):
        assert_labels_not_swapped(outputs, y_true=(Y + 1) % 3, label_names=NAMES)


HISTORIES = {
    "mapping": lambda loss: {"loss": loss},
    "arrays": lambda loss: {"loss": np.array(loss)},
    "Keras History": lambda loss: types.SimpleNamespace(history={"loss": loss}, epoch=[0, 1, 2]),
    "Trainer log": lambda loss: [{"loss": value, "step": i} for i, value in enumerate(loss)],
    "evaluation log": lambda loss: [{"eval_loss": value, "epoch": i}
                                    for i, value in enumerate(loss)],
}  # fmt: skip


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES.keys())
def test_histories_in_every_form(history):
    """A Keras History, a Trainer's log or a mapping: the same series, the same verdict."""
    assert_training_progressed(history([0.7, 0.4, 0.2]), num_labels=2)
    with pytest.raises(AssertionError, match="no progress"):
        assert_training_progressed(history([0.69, 0.693, 0.692]), num_labels=2)
    with pytest.raises(AssertionError, match="diverged"):
        assert_training_progressed(history([0.69, 0.5, float("nan")]), num_labels=2)


# Limits are the user's


def test_limits_can_be_set():
    """Each limit moves its verdict."""
    counts = [0] * 940 + [1] * 60
    assert_classes_balanced(counts, max_imbalance_ratio=20)
    with pytest.raises(AssertionError, match="imbalanced"):
        assert_classes_balanced(counts, max_imbalance_ratio=5)
    y_pred = np.where(np.arange(300) % 10 == 0, 1, 0)
    assert_not_collapsed(y_pred, label_names=["a", "b"])
    with pytest.raises(AssertionError, match="collapsed"):
        assert_not_collapsed(y_pred, label_names=["a", "b"], max_share=0.7)
    history = {"loss": [0.69, 0.6, 0.6]}
    assert_training_progressed(history, num_labels=2)
    with pytest.raises(AssertionError, match="no progress"):
        assert_training_progressed(history, num_labels=2, min_progress=0.5)
    worse = np.where(np.arange(300) % 5 == 0, (Y + 1) % 3, Y)
    judged = {"y_true": Y, "reference_y_pred": Y, "label_names": NAMES}
    assert_not_far_below_reference(worse, **judged, min_share_of_skill=0.5)
    with pytest.raises(AssertionError, match="far below"):
        assert_not_far_below_reference(worse, **judged, min_share_of_skill=0.95)
    judged = {"y_true": Y, "val_accuracy": 0.99, "y_train": Y}
    assert_not_far_below_validation(worse, **judged, min_share_of_skill=0.5)
    with pytest.raises(AssertionError, match="far below"):
        assert_not_far_below_validation(worse, **judged, min_share_of_skill=0.95)


def test_alpha_can_be_set():
    """A stricter error rate asks for more evidence."""
    y_true, y_pred = [0] * 20 + [1] * 20, [0] * 40
    with pytest.raises(AssertionError, match="collapsed"):
        assert_not_collapsed(y_pred, y_true=y_true, label_names=["a", "b"], alpha=0.05)
    with pytest.warns(InconclusiveWarning):
        assert_not_collapsed(y_pred, y_true=y_true, label_names=["a", "b"], alpha=1e-6)


def test_probabilities_are_not_raw_logits():
    """assert_logits_valid asks for raw logits unless it is told otherwise."""
    with pytest.raises(AssertionError, match="not raw logits"):
        assert_logits_valid(softmax(OUTPUTS))
