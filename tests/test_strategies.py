"""The strategies: what they draw is valid, shrinks to what a person would write, and is clean."""

from __future__ import annotations

import dataclasses
import random
import re
import string

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument, NoSuchExample
from hypothesis.vendor.pretty import pretty
from sklearn.feature_extraction.text import CountVectorizer

from pytest_bertcheck import Evidence, strategies
from pytest_bertcheck.findings import CAUSES
from pytest_bertcheck.logits import are_probabilities
from pytest_bertcheck.strategies import (
    COLLAPSES,
    COURSES,
    FAULTS,
    MAPPING_FLAWS,
    MISTAKES,
    POSITIONS,
    classifier_outputs,
    collapsed_outputs,
    decoding_faults,
    evidences,
    imbalanced_labels,
    inconsistent_label_mappings,
    label_mappings,
    label_names,
    label_swaps,
    labelled_texts,
    training_histories,
)

DEFAULTS = {name: getattr(strategies, name) for name in strategies.__all__ if name[0].islower()}
"""Every strategy by name; all of them draw without any argument."""

every_example = settings(deadline=None, max_examples=700)
some_examples = settings(deadline=None, max_examples=40)


def minimal(strategy, condition=lambda value: True):
    """Return what a strategy shrinks to, as builtins; without the phase that varies the result."""
    phases = [Phase.generate, Phase.shrink]
    search = settings(database=None, phases=phases, max_examples=2000)
    return builtins(find(strategy, condition, settings=search))


def builtins(value):
    if isinstance(value, Evidence):
        return {name: builtins(item) for name, item in value.fields().items()}
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        return {field.name: builtins(getattr(value, field.name)) for field in fields}
    return value.tolist() if isinstance(value, np.ndarray) else value


def accuracy(y_true, y_pred):
    return float((y_true == y_pred).mean())


def majority(labels):
    return np.bincount(labels).max() / len(labels)


def assert_good_model(y_true, logits, y_pred, labels):
    """Every label has examples of which two thirds are right, and the answers are the argmax."""
    assert (len(y_true), labels) == logits.shape
    assert np.isfinite(logits).all()
    np.testing.assert_array_equal(logits.argmax(axis=1), y_pred)
    assert list(range(labels)) == np.unique(y_true).tolist()
    for label in range(labels):
        assert 3 * (y_pred[y_true == label] == label).sum() >= 2 * (y_true == label).sum()


# What is drawn is valid


@given(names=label_names())
@pytest.mark.simulation
@every_example
def test_label_names_are_distinct_and_readable(names):
    """Names are 2 to 10 distinct strings that hold something, and survive a NumPy array."""
    assert 2 <= len(names) <= 10
    assert len(names) == len(set(names))
    assert all(name and "\n" not in name for name in names)
    assert list(names) == np.asarray(names).tolist()


@pytest.mark.parametrize("trap", ["10", "LABEL_0", " a", "é", "nan", "Spam"])
def test_label_names_hold_the_traps(trap):
    """Names on which label encoding is known to trip are among those drawn."""
    assert trap in find(label_names(), lambda names: trap in names)


@given(mapping=label_mappings())
@pytest.mark.simulation
@every_example
def test_label_mappings_agree(mapping):
    """The two mappings are inverse, number the labels from 0, and agree with the data set."""
    assert mapping.flaw is None
    assert {name: number for number, name in mapping.id2label.items()} == mapping.label2id
    assert dict(enumerate(mapping.dataset_label_names)) == mapping.id2label


WRONG = {
    "other order": lambda m, names: (
        {**m.id2label} != dict(enumerate(names))
        and {name: i for i, name in m.id2label.items()} == m.label2id
        and set(names) == set(m.label2id)
    ),
    "not inverse": lambda m, names: (
        dict(enumerate(names)) == m.id2label
        and {name: i for i, name in m.id2label.items()} != m.label2id
        and sorted(m.label2id.values()) == sorted(m.id2label)
    ),
    "duplicate": lambda m, names: len(set(m.id2label.values())) == len(names) - 1,
    "gap": lambda m, names: max(m.id2label) == len(names) == len(m.id2label),
    "wrong length": lambda m, names: 0 < len(m.id2label) == len(m.label2id) < len(names),
    "string keys": lambda m, names: {str(i): name for i, name in enumerate(names)} == m.id2label,
}


@given(mapping=inconsistent_label_mappings())
@pytest.mark.simulation
@every_example
def test_inconsistent_label_mappings_are_wrong_as_they_say(mapping):
    """What a pair of mappings says is wrong with it is what is wrong with it."""
    assert set(WRONG) == set(MAPPING_FLAWS)
    assert WRONG[mapping.flaw](mapping, mapping.dataset_label_names)


@given(swap=label_swaps())
@pytest.mark.simulation
@every_example
def test_label_swaps_move_labels_of_a_good_model(swap):
    """The model is good, some labels move, and all readings of the swap are the same one."""
    labels = len(swap.label_names)
    assert_good_model(swap.y_true, swap.logits, swap.y_pred, labels)
    assert accuracy(swap.y_true, swap.y_pred) >= 0.8
    assert list(range(labels)) == sorted(swap.permutation.tolist()) != swap.permutation.tolist()
    read = [swap.swapped_label_names[label] for label in swap.y_pred]
    assert read == [swap.label_names[label] for label in swap.swapped_y_pred]
    np.testing.assert_array_equal(swap.swapped_logits.argmax(axis=1), swap.swapped_y_pred)
    moved = np.isin(swap.y_true, np.flatnonzero(swap.permutation != np.arange(labels)))
    assert accuracy(swap.y_true[moved], swap.swapped_y_pred[moved]) <= 1 / 3


@given(labels=imbalanced_labels())
@pytest.mark.simulation
@every_example
def test_imbalanced_labels_have_a_majority(labels):
    """Every label from 0 on has an example, and one has at least 60 % of them."""
    assert (1, np.dtype(np.int64)) == (labels.ndim, labels.dtype)
    assert np.bincount(labels).min() > 0
    assert majority(labels) >= 0.6


@given(evidence=classifier_outputs())
@pytest.mark.simulation
@every_example
def test_classifier_outputs_are_those_of_a_good_model(evidence):
    """The model is right on 80 % and surer than 75 % of each answer."""
    assert_good_model(evidence.y_true, evidence.logits, evidence.y_pred, evidence.num_labels)
    assert accuracy(evidence.y_true, evidence.y_pred) >= 0.8
    confidence = evidence.probabilities.max(axis=1)
    assert confidence.min() >= 0.75 - 1e-9
    assert confidence.max() <= 0.999 + 1e-9
    assert not are_probabilities(evidence.logits)


@pytest.mark.parametrize("kind", COLLAPSES)
def test_collapsed_outputs_are_collapsed(kind):
    """Each kind of collapse is what it says, on an evaluation set with every label."""

    @given(evidence=collapsed_outputs([kind]))
    @settings(deadline=None, max_examples=200)
    def holds(evidence):
        counts = np.bincount(evidence.y_pred, minlength=evidence.num_labels)
        assert np.bincount(evidence.y_true).min() > 0
        np.testing.assert_array_equal(evidence.logits.argmax(axis=1), evidence.y_pred)
        if kind == "dead class":
            assert evidence.num_labels > 2
            assert 1 == np.count_nonzero(counts == 0)
            assert accuracy(evidence.y_true, evidence.y_pred) > 0
        else:
            assert counts.max() >= 0.98 * len(evidence.y_true)
        if kind == "constant":
            assert 1 == len(np.unique(evidence.logits, axis=0))
        if kind == "prior":
            assert np.bincount(evidence.y_train).argmax() == evidence.y_pred[0]

    holds()


@given(fault=decoding_faults())
@pytest.mark.simulation
@every_example
def test_decoding_faults_never_give_the_right_answers(fault):
    """The answers differ from those of the right decoding, in number or in some row."""
    right = Evidence(logits=fault.logits).argmax
    assert MISTAKES[fault.mistake].cause == fault.cause
    assert not np.array_equal(right, fault.y_pred)
    assert len(right) == len(fault.y_true)
    assert accuracy(fault.y_true, right) >= 0.75


@given(corpus=labelled_texts())
@pytest.mark.simulation
@every_example
def test_labelled_texts_are_decided_by_a_planted_word(corpus):
    """Each text holds the keyword of its label once and no other keyword."""
    for text, label in zip(corpus.texts, corpus.labels, strict=True):
        words = text.split(" ")
        assert [corpus.keywords[label]] == [word for word in words if word in corpus.keywords]
        assert 1 <= len(words) <= 30
        assert set(text) <= {" ", *string.ascii_lowercase}
    assert list(range(len(corpus.label_names))) == np.unique(corpus.labels).tolist()


@given(history=training_histories())
@pytest.mark.simulation
@every_example
def test_training_histories_take_the_course_that_they_say(history):
    """The losses end where the course says, measured by what knowing nothing costs."""
    shares = np.bincount(history.y_train) / len(history.y_train)
    ignorance = -(shares * np.log(shares)).sum()
    first, last, best = history.val_loss[0], history.val_loss[-1], np.nanmin(history.val_loss)
    assert abs(first / ignorance - 1) < 0.02
    assert COURSES[history.course] == history.cause
    assert len(history.loss) == len(history.val_loss) == len(history.learning_rate) >= 4
    if history.course == "learns":
        assert last < 0.6 * ignorance
    elif history.course == "overfits":
        assert best < 0.8 * ignorance < 1.4 * ignorance < last
        assert history.loss[-1] < 0.6 * ignorance
    elif history.course in ("flat", "prior"):
        assert np.abs(history.val_loss / ignorance - 1).max() < 2e-4
        assert (ignorance > 0.99 * np.log(len(shares))) == (history.course == "flat")
    elif history.course == "diverges":
        assert np.isnan([last, history.loss[-1]]).all()
    else:
        assert best < 0.9 * ignorance < 0.98 * ignorance < last
        assert history.learning_rate.min() < 0
    Evidence(**history.fields())


@given(evidence=evidences())
@pytest.mark.simulation
@every_example
def test_healthy_evidence_tells_one_story(evidence):
    """Every field but notes of live probes is there, and all stages agree with one another."""
    notes = ("skipped_probes", "failed_probes")
    names = [field.name for field in dataclasses.fields(Evidence) if field.name not in notes]
    assert names == list(evidence.fields())
    labels = evidence.num_labels
    assert_good_model(evidence.y_true, evidence.logits, evidence.y_pred, labels)
    right = evidence.probabilities[np.arange(len(evidence.y_true)), evidence.y_true]
    assert evidence.val_loss[-1] == pytest.approx(-np.log(right).mean())
    assert evidence.val_accuracy[-1] == pytest.approx(accuracy(evidence.y_true, evidence.y_pred))
    shares = np.bincount(evidence.y_true) / len(evidence.y_true)
    np.testing.assert_allclose(np.bincount(evidence.y_train) / len(evidence.y_train), shares)
    assert len(evidence.y_true) == len(np.unique(evidence.input_ids, axis=0))
    np.testing.assert_array_equal(evidence.attention_mask.sum(axis=1), evidence.kept_token_counts)
    assert evidence.input_ids.max() < evidence.tokenizer_size == evidence.embedding_rows
    assert {evidence.pad_token_id} >= set(evidence.input_ids[evidence.attention_mask == 0].tolist())
    reference = evidence.train_reference_probabilities
    np.testing.assert_array_equal(reference.argmax(axis=1), evidence.train_reference_y_pred)
    np.testing.assert_allclose(reference.sum(axis=1), 1)
    np.testing.assert_array_equal(evidence.baseline_logits.argmax(axis=1), evidence.baseline_y_pred)


NOT_A_FAULT = {"unknown": "is what a diagnosis answers when it knows no cause to put in"}


def test_every_cause_can_be_put_in():
    """There is a fault for each cause, in their order, but for those with a reason."""
    assert [code for code in CAUSES if code not in NOT_A_FAULT] == list(FAULTS)


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_causes_and_can_be_drawn(fault):
    """Each fault is named by the code of a cause, and its bundles are valid evidence."""
    assert fault in CAUSES

    @given(evidence=evidences(fault))
    @some_examples
    def holds(evidence):
        assert evidence.fields()

    holds()


# Bounds


@given(data=st.data())
@settings(deadline=None, max_examples=150)
def test_labels_keep_within_their_bounds(data):
    """Any bounds that can be met are met, those of the share exactly."""
    labels = sorted(data.draw(st.lists(st.integers(2, 8), min_size=2, max_size=2)))
    shares = sorted(data.draw(st.lists(st.floats(0.3, 0.99), min_size=2, max_size=2)))
    drawn = data.draw(
        imbalanced_labels(
            min_labels=labels[0],
            max_labels=labels[1],
            min_majority=shares[0],
            max_majority=min(1.0, shares[1] + 0.2),
            allow_absent=True,
        )
    )
    assert shares[0] <= majority(drawn) <= min(1.0, shares[1] + 0.2)
    assert drawn.max() < labels[1]


@given(data=st.data())
@settings(deadline=None, max_examples=300)
def test_outputs_keep_within_their_bounds(data):
    """Accuracy, confidence, calibration, size and majority lie where they were asked for."""
    low, high = sorted(data.draw(st.lists(st.integers(70, 100), min_size=2, max_size=2)))
    size = data.draw(st.integers(1, 60))
    evidence = data.draw(
        classifier_outputs(
            min_size=size,
            min_accuracy=low / 100,
            max_accuracy=high / 100 + 0.05 * (high < 95),
            min_confidence=0.55,
            max_confidence=0.995,
            max_calibration_gap=0.2,
            max_majority=0.9,
        )
    )
    assert len(evidence.y_true) >= size
    right = accuracy(evidence.y_true, evidence.y_pred)
    assert low / 100 - 1e-9 <= right <= high / 100 + 0.05 * (high < 95) + 1e-9
    confidence = evidence.probabilities.max(axis=1)
    assert confidence.min() >= 0.55 - 1e-9
    assert confidence.max() <= 0.995 + 1e-9
    assert abs(confidence.mean() - right) <= 0.2 + 1e-9
    assert majority(evidence.y_true) <= 0.9


@given(data=st.data())
@settings(deadline=None, max_examples=200)
def test_swaps_keep_within_their_bounds(data):
    """As many labels move as were asked for, all of them where there are fewer."""
    fewest, most = sorted(data.draw(st.lists(st.integers(2, 6), min_size=2, max_size=2)))
    swap = data.draw(label_swaps(min_labels=2, max_labels=6, min_moved=fewest, max_moved=most))
    moved = int((swap.permutation != np.arange(len(swap.label_names))).sum())
    assert min(fewest, len(swap.label_names)) <= moved <= most


@pytest.mark.parametrize("position", POSITIONS)
def test_planted_words_stand_where_they_should(position):
    """The deciding word is the first, the last, the middle one, or at any place."""

    @given(corpus=labelled_texts(informative_position=position, min_words=5, max_words=9))
    @some_examples
    def holds(corpus):
        for text, label in zip(corpus.texts, corpus.labels, strict=True):
            words = text.split(" ")
            assert 5 <= len(words) <= 9
            place = words.index(corpus.keywords[label])
            expected = {"start": 0, "middle": (len(words) - 1) // 2, "end": len(words) - 1}
            assert expected.get(position, place) == place

    holds()


@given(corpus=labelled_texts(min_noise=0.1, max_noise=0.3, max_majority=0.7, alphabet="añøÄ日"))
@settings(deadline=None, max_examples=200)
def test_noise_and_alphabet_of_texts(corpus):
    """The noise keeps within its bounds, and scikit-learn reads each word of the alphabet."""
    planted = [next(w for w in text.split() if w in corpus.keywords) for text in corpus.texts]
    own = np.asarray([corpus.keywords.index(word) for word in planted])
    assert 0.1 - 1e-9 <= 1 - accuracy(own, corpus.labels) <= 0.3 + 1e-9
    assert majority(own) <= 0.7
    vocabulary = CountVectorizer().fit(corpus.texts).vocabulary_
    assert {word.lower() for text in corpus.texts for word in text.split()} == set(vocabulary)


NAMES = st.sampled_from([("ham", "spam"), ("neg", "neutral", "pos")])


@pytest.mark.parametrize(
    "strategy", [label_mappings, inconsistent_label_mappings, label_swaps, labelled_texts]
)
def test_names_may_be_given(strategy):
    """A strategy for names decides the names and the number of labels."""

    @given(value=strategy(NAMES))
    @some_examples
    def holds(value):
        names = getattr(value, "dataset_label_names", None) or value.label_names
        assert names in (("ham", "spam"), ("neg", "neutral", "pos"))

    holds()


ALONE = {
    "fewer labels": (imbalanced_labels, {"max_labels": 2}),
    "more labels": (imbalanced_labels, {"min_labels": 30}),
    "few examples": (classifier_outputs, {"max_size": 3}),
    "many examples": (classifier_outputs, {"min_size": 1000}),
    "a small majority": (imbalanced_labels, {"max_majority": 0.4}),
    "an extreme majority": (imbalanced_labels, {"min_majority": 0.998}),
    "a poor model": (classifier_outputs, {"max_accuracy": 0.7}),
    "an unsure model": (classifier_outputs, {"max_confidence": 0.6}),
    "a sure model": (classifier_outputs, {"min_confidence": 0.9999}),
    "a calibrated model": (classifier_outputs, {"max_calibration_gap": 0.001}),
    "noise": (labelled_texts, {"min_noise": 0.4}),
    "no noise to speak of": (labelled_texts, {"max_noise": 0.01}),
    "long texts": (labelled_texts, {"min_words": 200}),
    "short texts": (labelled_texts, {"max_words": 1}),
    "many moved": (label_swaps, {"min_moved": 12}),
    "few moved": (label_swaps, {"max_moved": 2}),
    "many names": (label_names, {"min_size": 200}),
    "two names": (label_names, {"max_size": 2}),
    "many labels": (evidences, {"min_labels": 200}),
    "a long training": (training_histories, {"min_points": 200}),
    "a short training": (training_histories, {"max_points": 4}),
    "two labels to decode": (decoding_faults, {"max_labels": 2}),
    "many labels to decode": (decoding_faults, {"min_labels": 20}),
    "two labels to collapse": (collapsed_outputs, {"max_labels": 2}),
}


@pytest.mark.parametrize(("strategy", "bound"), ALONE.values(), ids=ALONE.keys())
def test_a_bound_may_be_given_alone(strategy, bound):
    """A default gives way to a bound that would exclude it."""

    @given(value=strategy(**bound))
    @settings(deadline=None, max_examples=20)
    def draws(value):
        assert value is not None

    draws()


# What it shrinks to

SHRINKS = {
    "label_names": (label_names(), ("a", "b")),
    "label_names, as many": (label_names(min_size=4), ("a", "b", "c", "d")),
    "label_mappings": (
        label_mappings(),
        {
            "id2label": {0: "a", 1: "b"},
            "label2id": {"a": 0, "b": 1},
            "dataset_label_names": ("a", "b"),
            "flaw": None,
        },
    ),
    "inconsistent_label_mappings": (
        inconsistent_label_mappings(),
        {
            "id2label": {1: "a", 0: "b"},
            "label2id": {"a": 1, "b": 0},
            "dataset_label_names": ("a", "b"),
            "flaw": "other order",
        },
    ),
    "label_swaps": (
        label_swaps(),
        {
            "label_names": ("a", "b"),
            "permutation": [1, 0],
            "y_true": [0, 1],
            "logits": [[1.0, -1.0], [-1.0, 1.0]],
            "y_pred": [0, 1],
        },
    ),
    "imbalanced_labels": (imbalanced_labels(), [0, 0, 1]),
    "imbalanced_labels, extreme": (imbalanced_labels(min_majority=0.95), [0] * 19 + [1]),
    "imbalanced_labels, more labels": (imbalanced_labels(max_majority=0.4), [0, 0, 1, 1, 2]),
    "imbalanced_labels, absent": (imbalanced_labels(allow_absent=True), [0]),
    "classifier_outputs": (
        classifier_outputs(),
        {"y_true": [0, 1], "logits": [[1.0, -1.0], [-1.0, 1.0]], "y_pred": [0, 1]},
    ),
    "collapsed_outputs": (
        collapsed_outputs(),
        {"y_true": [0, 1], "logits": [[1.0, -1.0], [1.0, -1.0]], "y_pred": [0, 0]},
    ),
    "decoding_faults": (
        decoding_faults(),
        {
            "mistake": "argmin",
            "cause": "argmin-decoded",
            "y_true": [0, 0, 1],
            "logits": [[1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]],
            "y_pred": [1, 1, 0],
        },
    ),
    "labelled_texts": (
        labelled_texts(),
        {
            "label_names": ("a", "b"),
            "keywords": ("aa", "ab"),
            "texts": ["aa", "ab"],
            "labels": [0, 1],
        },
    ),
}


@pytest.mark.parametrize(("strategy", "expected"), SHRINKS.values(), ids=SHRINKS.keys())
def test_strategies_shrink_to_a_plain_example(strategy, expected):
    """What a strategy shrinks to is what a person would have written."""
    assert expected == minimal(strategy)


MISTAKEN = {
    "argmin": ([0, 0, 1], [1, 1, 0]),
    "over the examples": ([0, 0, 1], [0, 2]),
    "over the examples of each batch": ([0, 0, 1], [0, 0, 0, 0]),
    "flattened": ([0, 0, 1], [0]),
    "first row for all": ([0, 0, 1], [0, 0, 0]),
    "threshold on one output": ([0, 0, 1], [1, 1, 1]),
    "argmax of a single column": ([0, 0, 1], [0, 0, 0]),
    "probabilities cast to int": ([1, 0, 0], [0, 0, 0]),
    "rounded probabilities": ([1, 0, 0, 2], [0, 0, 0, 0]),
    "shifted rows": ([0, 1, 0], [0, 0, 1]),
    "reversed rows": ([0, 0, 1], [1, 0, 0]),
    "renamed labels": ([0, 0, 1, 2], [1, 1, 0, 2]),
    "ids from 1": ([0, 0, 1], [1, 1, 2]),
    "hidden states": ([0, 0, 1], [2, 3, 4]),
}


@pytest.mark.parametrize(("mistake", "rows"), MISTAKEN.items(), ids=MISTAKEN.keys())
def test_mistakes_shrink_to_a_few_rows(mistake, rows):
    """Each mistake of decoding shrinks to the fewest rows that show it."""
    fault = minimal(decoding_faults([mistake]))
    assert rows == (fault["y_true"], fault["y_pred"])


@pytest.mark.parametrize("course", COURSES)
def test_histories_shrink_to_four_points_of_two_labels(course):
    """The history of each course shrinks to four points of a model of two labels."""
    history = minimal(training_histories([course]))
    assert 4 == len(history["loss"])
    assert (0.0836 if course == "prior" else 0.6931) == round(history["loss"][0], 4)
    assert 8 == history["batch_size"]


@pytest.mark.parametrize("fault", [None, "dropout-at-inference", "label-out-of-range"])
def test_bundles_shrink_to_two_rows(fault):
    """A bundle, healthy or not, shrinks to two labels with an example each."""
    bundle = minimal(evidences(fault))
    assert 2 == len(bundle["y_true"]) == len(bundle["logits"])
    assert [1.5, -1.5] == bundle["logits"][0]
    assert ["a", "b"] == bundle["label_names"]
    assert 4 == len(bundle["val_loss"])


def test_what_matters_is_kept_while_shrinking():
    """A wrong answer or another majority stays, and only what the condition asks for."""
    swap = minimal(label_swaps(), lambda swap: not np.array_equal(swap.y_true, swap.y_pred))
    assert (5, 1) == (len(swap["y_true"]), int(np.not_equal(swap["y_true"], swap["y_pred"]).sum()))
    assert {1.0, -1.0} == set(np.ravel(swap["logits"]))
    labels = minimal(imbalanced_labels(), lambda labels: np.bincount(labels).argmax() == 1)
    assert [0, 1, 1] == labels
    assert ("2", "10") == minimal(label_names(), lambda names: {"2", "10"} <= set(names))
    corpus = minimal(labelled_texts(), lambda corpus: np.bincount(corpus.labels).max() == 2)
    assert ["aa", "aa", "ab"] == corpus["texts"]


# Bad arguments


def e(strategy, message, **arguments):
    """Return a case with a readable id."""
    shown = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return pytest.param(strategy, arguments, message, id=f"{strategy.__name__}({shown})"[:90])


BAD_ARGUMENTS = [
    e(label_names, "min_size: expected a whole number from 2 to 200, got 1", min_size=1),
    e(label_names, "max_size: expected a whole number from 2 to 200, got 1", max_size=1),
    e(label_names, "max_size: expected a whole number .*, got 201", max_size=201),
    e(label_names, "min_size: expected a whole number .*, got 2.5", min_size=2.5),
    e(label_names, "min_size: expected a whole number .*, got True", min_size=True),
    e(label_names, "Cannot have max_size=2 < min_size=3; exchange", min_size=3, max_size=2),
    e(label_mappings, r"names: expected a strategy, such as .*, got \['a'", names=["a", "b"]),
    e(label_mappings, "names decide how many labels", names=NAMES, min_labels=2),
    e(label_mappings, "min_labels: expected a whole number", min_labels="2"),
    e(label_mappings, "Cannot have max_labels=3 < min_labels=5", min_labels=5, max_labels=3),
    e(inconsistent_label_mappings, "flaws: unknown 'hole'; expected some of", flaws=["hole"]),
    e(inconsistent_label_mappings, r"flaws: expected a collection, such as \[", flaws="gap"),
    e(inconsistent_label_mappings, "flaws: expected at least one of", flaws=[]),
    e(label_swaps, "min_moved: expected a whole number from 2", min_moved=1),
    e(label_swaps, "Cannot move min_moved=5 of max_labels=3", min_moved=5, max_labels=3),
    e(label_swaps, "Cannot have max_moved=2 < min_moved=3", min_moved=3, max_moved=2),
    e(label_swaps, "min_accuracy: expected a share from 0.6667 to 1, or the", min_accuracy=0.5),
    e(label_swaps, "min_labels=5, .*max_size=4.*raise max_size", min_labels=5, max_size=4),
    e(label_swaps, "max_majority: expected a share from 0 to 1; got 80", max_majority=80),
    e(label_swaps, "names: expected a strategy", names=("ham", "spam")),
    e(imbalanced_labels, "min_majority: expected a share from 0 to 1", min_majority=float("nan")),
    e(imbalanced_labels, "max_size: expected a whole number of at least 1", max_size=0),
    e(imbalanced_labels, "no number of examples has", min_majority=0.99, max_size=50),
    e(imbalanced_labels, "no number of examples has", max_majority=0.4, max_labels=2),
    e(
        imbalanced_labels,
        "Cannot have max_majority=0.7 < min_majority=0.8",
        min_majority=0.8,
        max_majority=0.7,
    ),
    e(classifier_outputs, "min_accuracy: .* see label_swaps, collapsed", min_accuracy=0.5),
    e(classifier_outputs, "max_accuracy: expected a share", max_accuracy=0.1),
    e(classifier_outputs, "an accuracy from 0.8 to 0.9; widen", max_accuracy=0.9, max_size=5),
    e(classifier_outputs, "min_confidence: expected a share between 0 and 1", min_confidence=1),
    e(classifier_outputs, "max_confidence: expected more than 0.5, the top", max_confidence=0.4),
    e(classifier_outputs, "max_calibration_gap: .* no finite logit", max_calibration_gap=0),
    e(
        classifier_outputs,
        "farther than that from some accuracies between 0.8 and 1; widen",
        max_confidence=0.6,
        max_calibration_gap=0.1,
    ),
    e(collapsed_outputs, "kinds: unknown 'flat'", kinds=["flat"]),
    e(collapsed_outputs, "a dead class takes at least three", kinds=["dead class"], max_labels=2),
    e(collapsed_outputs, "min_labels: expected a whole number", min_labels=1),
    e(decoding_faults, "mistakes: unknown 'softmax'", mistakes=["softmax"]),
    e(
        decoding_faults,
        "'rounded probabilities' takes 3 to 200 labels",
        mistakes=["rounded probabilities"],
        max_labels=2,
    ),
    e(decoding_faults, "no mistake shows with so few examples", max_size=2),
    e(decoding_faults, "no mistake shows", min_labels=2, max_labels=2, min_size=4, max_size=4),
    e(labelled_texts, "alphabet: expected at least two characters", alphabet="aA"),
    e(labelled_texts, "alphabet: expected characters that words are made of", alphabet="ab "),
    e(labelled_texts, "alphabet: expected a string of characters", alphabet=["a", "b"]),
    e(labelled_texts, "informative_position: expected one of", informative_position="tail"),
    e(labelled_texts, "max_noise: expected a share from 0 to 0.5", max_noise=0.9),
    e(labelled_texts, "Cannot have max_noise=0.1 < min_noise=0.2", min_noise=0.2, max_noise=0.1),
    e(labelled_texts, "0.3 to 0.31 of noise", min_noise=0.3, max_noise=0.31, max_size=2),
    e(labelled_texts, "min_words: expected a whole number of at least 1", min_words=0),
    e(training_histories, "courses: unknown 'plateau'", courses=["plateau"]),
    e(training_histories, "min_points: expected a whole number of at least 4", min_points=1),
    e(evidences, "fault: unknown 'mapping-swapped'; expected None or one", fault="mapping-swapped"),
    e(evidences, "fault: no fault is drawn for 'unknown'", fault="unknown"),
    e(evidences, "fault: unknown 3", fault=3),
    e(evidences, "max_size: expected a whole number", max_size=-1),
    e(evidences, "at least 6 examples for the fault", fault="regression", max_size=5),
]


@pytest.mark.parametrize(("strategy", "arguments", "message"), BAD_ARGUMENTS)
def test_bad_arguments_are_rejected_with_advice(strategy, arguments, message):
    """What cannot be is an InvalidArgument, where the strategy is made, that says what can."""
    with pytest.raises(InvalidArgument, match=message) as caught:
        strategy(**arguments)
    assert len(str(caught.value)) < 700
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "drawn", [("a",), ("a", "a"), "ab", (1, 2), 7, [f"{i}" for i in range(201)]]
)
def test_names_that_are_none_are_rejected_when_drawn(drawn):
    """A strategy that draws no names is rejected, with what it drew."""
    with pytest.raises(InvalidArgument, match="names: expected a strategy for 2 to 200 distinct"):
        find(label_swaps(st.just(drawn)), lambda swap: True)


def test_names_beyond_the_other_bounds_are_rejected_when_drawn():
    """More names than examples are allowed for are rejected, with advice."""
    with pytest.raises(InvalidArgument, match=r"names: drew 3, which .* raise max_size"):
        find(label_swaps(st.just(("a", "b", "c")), max_size=2), lambda swap: True)


# Manners


@pytest.mark.parametrize("name", DEFAULTS)
def test_nothing_touches_global_random_state(name):
    """Drawing leaves the global generators of Python and NumPy where they were."""

    @given(data=st.data())
    @some_examples
    def draws(data):
        before = random.getstate(), np.random.get_state(legacy=False)
        data.draw(DEFAULTS[name]())
        after = random.getstate(), np.random.get_state(legacy=False)
        assert before[0] == after[0]
        np.testing.assert_equal(after[1], before[1])

    draws()


@pytest.mark.parametrize("name", DEFAULTS)
def test_the_same_choices_give_the_same_example(name):
    """An example is a function of what Hypothesis drew, so that a failure can be replayed."""
    strategy = DEFAULTS[name]()
    seen = []

    @settings(database=None, derandomize=True, deadline=None, max_examples=30)
    @given(strategy)
    def collect(value):
        seen[-1].append(repr(builtins(value)))

    for _ in range(2):
        seen.append([])
        collect()
    assert seen[0] == seen[1]


def test_a_strategy_is_shown_as_it_was_made():
    """The repr of a strategy is the call that makes it."""
    assert "label_swaps(min_labels=3)" == repr(label_swaps(min_labels=3))
    assert "evidences('diverged')" == repr(evidences("diverged"))


def test_a_bundle_is_shown_in_few_lines():
    """Of a failing example, small arrays show their values and others their shapes."""
    small = pretty(Evidence(y_true=[0, 1], logits=[[1.0, -1.0], [-1.0, 1.0]]))
    assert "y_true=array([0, 1])" in small
    assert "logits=array([[ 1., -1.]" in small
    large = pretty(find(evidences(min_size=100, max_size=100), lambda evidence: True))
    assert "y_true=<int64 (100,)>" in large
    assert "max_length=64" in large
    assert len(large.splitlines()) <= 80


@pytest.mark.parametrize("name", DEFAULTS)
def test_the_default_strategies_pass_the_health_checks(pytester, name):
    """With every default of Hypothesis and warnings as errors a first property test is clean."""
    pytester.makepyfile(
        f"""
        from hypothesis import given
        from pytest_bertcheck import strategies

        @given(strategies.{name}())
        def test_property(value):
            assert value is not None
        """
    )
    result = pytester.runpytest_inprocess("-W", "error", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)


def test_impossible_conditions_are_told_by_hypothesis():
    """No strategy loops where nothing meets the condition of a search."""

    def unchanged(swap):  # by name: old versions of Hypothesis trip over the source of a lambda
        return np.array_equal(swap.y_pred, swap.swapped_y_pred)

    with pytest.raises(NoSuchExample):
        find(label_swaps(), unchanged, settings=settings(max_examples=200))


def test_documented_names_are_public():
    """Every strategy states its shrink order and its errors, and shows an example."""
    for name, strategy in DEFAULTS.items():
        text = strategy.__doc__
        for part in ("Shrinks to", "InvalidArgument", ">>> "):
            assert part in text, name
        assert re.match(r"Draw[ s]", text)
