"""Checks of the labels: ids in range, classes in balance, labels that say something."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.class_weight import compute_class_weight

from pytest_bertcheck import Evidence, statistics

from .simulate import healthy_sessions, run_check, trained, write_texts

SEEDS = st.integers(0, 2**32 - 1)
LABELS = ("y_true", "y_train", "train_y_true")


def known_by(num_labels):
    """The ways in which evidence tells how many labels there are."""
    names = [f"label{i}" for i in range(num_labels)]
    return {
        "data set's names": {"dataset_label_names": names},
        "model's names": {"label_names": names},
        "both": {"label_names": names, "dataset_label_names": names},
    }


@given(seed=SEEDS, num_labels=st.integers(2, 30), field=st.sampled_from(LABELS))
@settings(deadline=None, max_examples=40)
def test_ids_in_range_pass(seed, num_labels, field):
    """Ids within 0..C-1 pass, wherever C comes from and whether all labels occur or not."""
    ids = np.random.default_rng(seed).integers(0, num_labels, 12)
    beside = {} if field != "train_y_true" else {"y_true": [0]}
    for known in known_by(num_labels).values():
        finding = run_check("labels_valid", Evidence(**{field: ids}, **beside, **known))
        assert "passed" == finding.verdict
        assert {"labels-out-of-range": False} == finding.signs


@given(
    seed=SEEDS,
    num_labels=st.integers(2, 30),
    outside=st.sampled_from([-100, -6, -1, 0, 1, 70]),
    field=st.sampled_from(LABELS),
)
@settings(deadline=None, max_examples=40)
def test_one_id_out_of_range_is_a_fact(seed, num_labels, outside, field):
    """A single id outside fails for certain; it is counted, shown, and its field is named."""
    generator = np.random.default_rng(seed)
    ids = generator.integers(0, num_labels, 12)
    wrong = outside if outside < 0 else num_labels + outside
    ids[generator.integers(12)] = wrong
    beside = {} if field != "train_y_true" else {"y_true": [0]}
    for known in known_by(num_labels).values():
        finding = run_check("labels_valid", Evidence(**{field: ids}, **beside, **known))
        assert "failed" == finding.verdict
        assert finding.certain
        assert ("label-out-of-range",) == finding.causes
        assert f"{field} has 1/12 ids {wrong} outside 0..{num_labels - 1}" in finding.summary
        assert 1 == finding.statistics["out_of_range"]
        assert finding.fix


FIXES = {
    "ids from 1": ([1, 2, 3, 3], "y_true - 1"),
    "hidden test labels": ([-1, -1, -1], "-1 marks hidden test labels: drop the rows"),
    "ignored positions": ([-100, 0, 2], "-100 marks positions that the loss ignores"),
    "an extra class": ([0, 1, 2, 3], "num_labels=4"),
    "minus one and one": ([-7, 1, 1], "LabelEncoder"),
}


@pytest.mark.parametrize(("ids", "fix"), FIXES.values(), ids=FIXES.keys())
def test_the_fix_fits_the_kind_of_mistake(ids, fix):
    """Off by one, sentinels and an extra class each come with their own line of code."""
    evidence = Evidence(y_true=ids, dataset_label_names=["a", "b", "c"])
    assert fix in run_check("labels_valid", evidence).fix


@pytest.mark.parametrize(
    ("ids", "verdict"), [([0, 5, 99], "passed"), ([0, -1], "failed")], ids=["large", "negative"]
)
def test_without_the_number_of_labels_only_negative_ids_are_found(ids, verdict):
    """Where nothing tells C, a large id may be a label; a negative one never is."""
    assert verdict == run_check("labels_valid", Evidence(y_train=ids)).verdict


def test_ids_are_found_in_every_field_at_once():
    """Evaluation and training labels that are both wrong are both named."""
    evidence = Evidence(y_true=[1, 2, 3], y_train=[0, -1], dataset_label_names=["a", "b", "c"])
    summary = run_check("labels_valid", evidence).summary
    assert "y_true has 1/3 ids 3" in summary
    assert "y_train has 1/2 ids -1" in summary


def test_an_encoder_fitted_on_raw_ids_from_one():
    """Labels 1..5, as star ratings come, fail until a LabelEncoder maps them."""
    stars = np.random.default_rng(0).integers(1, 6, 60)
    names = ["1", "2", "3", "4", "5"]
    raw = Evidence(y_train=stars, label_names=names)
    encoded = Evidence(y_train=LabelEncoder().fit_transform(stars), label_names=names)
    assert "failed" == run_check("labels_valid", raw).verdict
    assert "passed" == run_check("labels_valid", encoded).verdict


# Balance


@given(seed=SEEDS, num_labels=st.integers(2, 20), per_label=st.integers(1, 60))
@settings(deadline=None, max_examples=30)
def test_balanced_classes_pass(seed, num_labels, per_label):
    """As many rows of each class pass, however few they are and whatever the order."""
    y_train = np.random.default_rng(seed).permutation(np.repeat(np.arange(num_labels), per_label))
    finding = run_check("classes_balanced", Evidence(y_train=y_train))
    assert "passed" == finding.verdict
    assert {"training-imbalanced": False} == finding.signs


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ((90, 10), "passed"),
        ((900, 60), "failed"),
        ((999, 1), "failed"),
        ((400, 400, 2), "failed"),
        ((10, 0), "passed"),
        ((20, 1), "passed"),
        ((200, 0), "failed"),
    ],
    ids=["9:1", "15:1", "999:1", "one rare of three", "10 rows tell nothing", "21 rows either",
         "a class that never occurs"],
)  # fmt: skip
def test_imbalance_is_judged_by_its_rows(counts, verdict):
    """Beyond 10:1 fails where the rows prove it; few rows prove nothing."""
    y_train = np.repeat(np.arange(len(counts)), counts)
    names = [f"label{i}" for i in range(len(counts))]
    finding = run_check("classes_balanced", Evidence(y_train=y_train, label_names=names))
    assert verdict == finding.verdict
    assert ("class-imbalance",) == finding.causes or verdict == "passed"


def test_class_weights_are_scikit_learns():
    """The weights in the fix are compute_class_weight('balanced') and can be pasted."""
    y_train = np.repeat([0, 1, 2], [600, 30, 300])
    finding = run_check("classes_balanced", Evidence(y_train=y_train))
    weights = compute_class_weight("balanced", classes=np.arange(3), y=y_train)
    for label, weight in enumerate(weights):
        assert f"{label}: {weight:.3g}" in finding.fix
    assert finding.fix.startswith("class_weight={")


def test_the_table_of_classes():
    """The table lists classes with their rows, the largest first."""
    evidence = Evidence(y_train=np.repeat([0, 1], [5, 995]), label_names=["rare", "usual"])
    header, first, last = run_check("classes_balanced", evidence).table
    assert ("label", "training rows", "share") == header
    assert ("usual", "995", "99.5%") == first
    assert ("rare", "5", "0.5%") == last


def imbalanced_run(share_of_majority, *, own_words, seed=0, weight=None, strength=1.0):
    """Train a real classifier on imbalanced text; return evidence on a test set of like balance."""
    generator = np.random.default_rng(seed)
    y_train, y_true = (
        (generator.random(size) > share_of_majority).astype(int) for size in (1500, 1500)
    )
    model = make_pipeline(
        TfidfVectorizer(), LogisticRegression(C=strength, class_weight=weight, max_iter=500)
    )
    model.fit(write_texts(y_train, generator, own_words=own_words), y_train)
    margin = model.decision_function(write_texts(y_true, generator, own_words=own_words))
    return Evidence(y_train=y_train, y_true=y_true, logits=np.stack([-margin, margin], axis=1))


def test_a_model_that_copes_with_imbalance_passes():
    """A real model on 96/4 data that finds the rare class passes: imbalance is no defect."""
    evidence = imbalanced_run(0.96, own_words=6, weight="balanced")
    assert 0.9 < (evidence.answers == evidence.y_true).mean()
    for name in ("classes_balanced", "not_collapsed", "beats_majority"):
        assert "passed" == run_check(name, evidence).verdict


def test_a_model_that_learnt_the_prior_fails():
    """A real model that on 96/4 data answers the majority to everything fails, with the cause."""
    evidence = imbalanced_run(0.96, own_words=1, strength=0.01)
    assert 0 == evidence.answers.max()
    finding = run_check("classes_balanced", evidence)
    assert "failed" == finding.verdict
    assert ("class-imbalance",) == finding.causes
    assert finding.signs["imbalance-collapse"]
    assert "failed" == run_check("not_collapsed", evidence).verdict


def test_imbalance_with_outputs_but_without_labels_is_open():
    """Whether a model copes with imbalance cannot be told without the true labels."""
    y_train = np.repeat([0, 1], [990, 10])
    evidence = Evidence(y_train=y_train, y_pred=[0] * 300, label_names=["a", "b"])
    finding = run_check("classes_balanced", evidence)
    assert "inconclusive" == finding.verdict
    assert ("y_true",) == finding.needs


@pytest.mark.parametrize("ids", [[-1] * 40, [-1, -100] * 20], ids=["hidden", "sentinels"])
def test_hidden_training_labels_leave_nothing_to_balance(ids):
    """Training labels that are all sentinels are for labels_valid to report, not for balance."""
    assert "failed" == run_check("labels_valid", Evidence(y_train=ids)).verdict
    assert "failed" != run_check("classes_balanced", Evidence(y_train=ids)).verdict


@pytest.mark.parametrize("ratio", [2.0, 10.0, 50.0])
def test_imbalance_at_the_limit_fails_no_more_often_than_allowed(ratio):
    """Classes drawn at exactly the allowed ratio fail in at most 5 % of 600 training sets."""
    generator = np.random.default_rng(int(ratio))
    failed = 0
    for _ in range(600):
        n = int(generator.integers(20, 2000))
        y_train = (generator.random(n) < 1 / (1 + ratio)).astype(int)
        evidence = Evidence(y_train=y_train, label_names=["a", "b"])
        finding = run_check("classes_balanced", evidence, alpha=0.05, max_imbalance_ratio=ratio)
        failed += finding.verdict == "failed"
    assert statistics.clopper_pearson(failed, 600, 0.001)[0] <= 0.05


def test_healthy_models_on_imbalanced_training_sets_pass():
    """Over 400 healthy sessions whose training set is as imbalanced as can be, none fails."""
    generator = np.random.default_rng(5)
    failed = 0
    for evidence in healthy_sessions(generator, 400):
        y_train = np.r_[np.zeros(500, dtype=int), np.ones(3, dtype=int)]
        judged = Evidence(y_train=y_train, **evidence.fields())
        failed += run_check("classes_balanced", judged).verdict == "failed"
    assert statistics.clopper_pearson(failed, 400, 0.001)[0] <= 0.001


# Labels that say something


def out_of_fold(texts, labels):
    """Cross-validate the plain reference model, as the probe does."""
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=500))
    return cross_val_predict(model, texts, labels, cv=3)


@pytest.mark.parametrize("num_labels", [2, 3, 5])
def test_shuffled_training_labels_are_noticed(num_labels):
    """Real labels tell of their texts and pass; the same labels shuffled are an open question."""
    run = trained(num_labels, seed=1)
    shuffled = np.random.default_rng(0).permutation(run.y_train)
    for labels, verdict, tells_nothing in (
        (run.y_train, "passed", False),
        (shuffled, "inconclusive", True),
    ):
        evidence = Evidence(
            y_train=labels, train_reference_y_pred=out_of_fold(run.train_texts, labels)
        )
        finding = run_check("labels_informative", evidence)
        assert verdict == finding.verdict
        assert {"training-labels-tell-nothing": tells_nothing} == finding.signs


def test_labels_that_say_nothing_are_no_failure():
    """A task beyond a bag of words looks the same as shuffled labels: never failed by itself."""
    generator = np.random.default_rng(0)
    for _ in range(50):
        y_train, answers = generator.integers(0, 3, (2, 90))
        evidence = Evidence(y_train=y_train, train_reference_y_pred=answers)
        assert "failed" != run_check("labels_informative", evidence).verdict


def test_sentinels_are_left_out():
    """Hidden training labels are not counted, and if nothing else is left nothing is said."""
    labels = np.array([0, 1] * 30 + [-1] * 20)
    answers = np.array([0, 1] * 30 + [1] * 20)
    finding = run_check(
        "labels_informative", Evidence(y_train=labels, train_reference_y_pred=answers)
    )
    assert "passed" == finding.verdict
    assert 60 == finding.statistics["rows"]
    hidden = Evidence(y_train=[-1, -1], train_reference_y_pred=[0, 1])
    assert "inconclusive" == run_check("labels_informative", hidden).verdict
