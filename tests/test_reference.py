"""The plain reference model: answers to rows that it did not see."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pytest_bertcheck import Pipeline
from pytest_bertcheck.reference import (
    FEWEST_ROWS,
    cross_validated,
    cross_validated_alike,
    readable,
    reference_model,
    rows_alike,
)

from .simulate import trained, write_texts


@pytest.mark.parametrize("num_labels", [2, 3, 5])
def test_answers_and_probabilities_go_together(num_labels):
    """Each row has a probability for each label, and the likeliest label is the answer."""
    run = trained(num_labels)
    answers, probabilities = cross_validated(run.train_texts, run.y_train, num_labels)
    assert (len(run.y_train), num_labels) == probabilities.shape
    np.testing.assert_allclose(1, probabilities.sum(axis=1))
    np.testing.assert_array_equal(probabilities.argmax(axis=1), answers)
    assert 1.2 / num_labels < (answers == run.y_train).mean()


def test_nothing_is_random():
    """Two calls give the same answers, whatever the state of NumPy's global generator."""
    run = trained(3)
    first = cross_validated(run.train_texts, run.y_train, 3)
    before = np.random.get_state()[1].tolist()
    second = cross_validated(run.train_texts, run.y_train, 3)
    np.testing.assert_array_equal(first[1], second[1])
    assert before == np.random.get_state()[1].tolist()


def test_a_row_does_not_see_its_own_label():
    """A label changed on one row changes no answer to that row, unless by its fold."""
    run = trained(2)
    _, before = cross_validated(run.train_texts, run.y_train, 2)
    swapped = run.y_train.copy()
    first, second = np.flatnonzero(swapped == 0)[0], np.flatnonzero(swapped == 1)[0]
    swapped[[first, second]] = 1, 0
    _, after = cross_validated(run.train_texts, swapped, 2)
    assert abs(before[first, 0] - after[first, 0]) < 0.1


def test_a_label_that_does_not_occur_has_no_probability():
    """Columns are label ids; one without rows stays at zero."""
    run = trained(2)
    answers, probabilities = cross_validated(run.train_texts, 2 * run.y_train, 4)
    assert {0, 2} == set(answers.tolist())
    assert 0 == probabilities[:, [1, 3]].max()


@pytest.mark.parametrize("order", ["as drawn", "sorted"])
def test_the_order_of_the_rows_does_not_matter(order):
    """Sorted rows are cross-validated as well as shuffled ones: folds are stratified."""
    run = trained(3)
    rows = np.arange(len(run.y_train)) if order == "as drawn" else np.argsort(run.y_train)
    answers, _ = cross_validated([run.train_texts[i] for i in rows], run.y_train[rows], 3)
    assert 0.7 < (answers == run.y_train[rows]).mean()


def test_shuffled_labels_are_no_better_than_chance():
    """Over 60 sets of labels dealt to texts at random, as many answers are right as by chance."""
    generator = np.random.default_rng(0)
    right = 0
    for _ in range(60):
        texts = write_texts(generator.integers(0, 2, 90), generator)
        labels = generator.permutation(np.resize([0, 1], 90))
        right += int((cross_validated(texts, labels, 2)[0] == labels).sum())
    assert stats.binomtest(right, 60 * 90, 0.5, alternative="greater").pvalue > 0.001


REFUSED = {
    "no word": (["!", "?", "1", "."] * 3, [0, 1] * 6, "texts: expected words"),
    "one label": (["some words"] * 6, [1] * 6, "labels: expected at least two labels"),
    "a rare label": (["some words"] * 6, [0, 0, 0, 0, 1, 1], r"at least 3 rows .* fewer of \[1\]"),
}


@pytest.mark.parametrize(("texts", "labels", "says"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_cross_validated_is_refused(texts, labels, says):
    """The message says what is missing; scikit-learn's own errors never come through."""
    with pytest.raises(ValueError, match=says):
        cross_validated(texts, np.array(labels), 2)


def test_words_in_one_text_alone_are_enough():
    """A single text with a word does not leave a fold without vocabulary."""
    texts = ["word", *["!"] * 8]
    assert readable(texts)
    answers, _ = cross_validated(texts, np.array([0, 1, 2] * 3), 3)
    assert 9 == len(answers)
    assert not readable(texts[1:])


def test_the_probe_records_what_the_model_says_of_the_training_rows():
    """A pipeline with training rows has out-of-fold answers and probabilities of the same width."""
    run = trained(3)
    evidence = Pipeline(
        run.logits, run.texts, run.y_true, train_texts=run.train_texts, y_train=run.y_train
    ).observe()
    answers, probabilities = cross_validated(run.train_texts, run.y_train, 3)
    np.testing.assert_array_equal(answers, evidence.train_reference_y_pred)
    np.testing.assert_allclose(probabilities, evidence.train_reference_probabilities)
    expected = reference_model().fit(run.train_texts, run.y_train).predict(run.texts)
    np.testing.assert_array_equal(expected, evidence.reference_y_pred)


@pytest.mark.parametrize("wrong", [-1, 3, 10**9], ids=["sentinel", "extra class", "huge"])
def test_training_ids_out_of_range_leave_out_the_probabilities(wrong):
    """Ids that the outputs have no column for are for labels_valid to report, not to store."""
    run = trained(3)
    y_train = run.y_train.copy()
    y_train[: 2 * FEWEST_ROWS] = wrong
    evidence = Pipeline(
        run.logits, run.texts, run.y_true, train_texts=run.train_texts, y_train=y_train
    ).observe()
    assert evidence.train_reference_probabilities is None
    assert evidence.reference_y_pred is not None


# Evaluation rows that are like the training rows


@given(
    labels=st.lists(st.integers(-1, 4), max_size=200),
    y_train=st.lists(st.integers(-1, 4), max_size=200),
    num_labels=st.integers(1, 5),
)
def test_rows_alike_are_no_more_and_in_the_same_balance(labels, y_train, num_labels):
    """Each label has at most its share of training rows, rounded down, and three rows or none.

    No label could have one row more without another falling behind its share.
    """
    rows = rows_alike(np.array(labels, dtype=int), np.array(y_train, dtype=int), num_labels)
    assert len(rows) == len(set(rows.tolist()))
    given_, wanted, found = (
        np.array([list(ids).count(label) for label in range(num_labels)])
        for ids in (labels, y_train, np.array(labels)[rows].tolist() if len(rows) else [])
    )
    assert (found <= wanted).all()
    assert ((found == 0) | (found >= FEWEST_ROWS)).all()
    assert len(rows) == found.sum()
    if len(rows):
        kept = found > 0
        share = min(1, (given_[kept] / wanted[kept]).min())
        assert (found[kept] <= share * wanted[kept] + 1e-6).all()
        assert wanted[kept].sum() >= 0.95 * wanted.sum()
    balanced = given_.min() >= FEWEST_ROWS <= wanted.min() and wanted.max() == wanted.min()
    assert len(rows) > 0 or not balanced or num_labels < 2


@pytest.mark.parametrize("copies", [1, 2, 3])
def test_texts_that_are_more_alike_than_those_of_training_are_not_asked_about(copies):
    """Copies give each other's labels away; where training has as many, that is no difference."""
    run = trained(3)
    texts, labels = run.texts * copies, np.tile(run.y_true, copies)
    answers = cross_validated_alike(texts, labels, run.train_texts, run.y_train, 3)
    assert (copies > 1) is (answers is None)
    answers = cross_validated_alike(texts, labels, texts, labels, 3)
    assert 0.5 < (answers == labels)[answers >= 0].mean()


def test_evaluation_labels_that_nothing_can_be_learnt_of_have_no_answers():
    """Hidden labels, a single one, or two with two rows each: there is nothing to tell apart."""
    run = trained(2)
    for labels in (np.full(4, -1), np.zeros(4, int), np.array([0, 0, 1, 1])):
        trained_on = run.train_texts, run.y_train
        assert None is cross_validated_alike(run.texts[:4], labels, *trained_on, 2)
    labels = np.array([0, 1, 1] * 3)
    assert None is cross_validated_alike(["!"] * 9, labels, ["words"] * 9, labels, 2)
