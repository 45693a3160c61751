"""Checks of the labels: ids in range, classes in balance, labels that say something."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.class_weight import compute_class_weight

from benchmarks.simulation import CELLS, healthy_session
from pytest_bertcheck import Evidence, diagnose, required_examples, statistics
from pytest_bertcheck.checks import suite_checks
from pytest_bertcheck.messages import MAX_ROWS
from pytest_bertcheck.reference import (
    cross_validated,
    cross_validated_alike,
    rows_alike,
)

from .simulate import NAMES, healthy_sessions, run_check, trained, write_texts

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
        assert f"{field} has 1/12 ids outside 0..{num_labels - 1}: {wrong}" in finding.summary
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
    finding = run_check("labels_valid", evidence)
    assert "33% of y_true, 50% of y_train outside 0..2" in finding.summary
    assert {("y_true", "1/3", "33%", "3"), ("y_train", "1/2", "50%", "-1")} <= {*finding.table}


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
    assert "'0' is 96% of 1,500 training rows, the answer to 100% of others" in finding.summary
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


@pytest.mark.parametrize("kind", ["even", "to frequent", "shift", "slice"])
def test_healthy_models_on_imbalanced_training_sets_pass(kind):
    """Of 100 healthy sessions trained on 99/1 data none fails, however they are evaluated."""
    generator = np.random.default_rng(5)
    cells = [cell for cell in CELLS if (cell.balance, cell.kind) == ("99/1", kind)]
    failed = 0
    for turn in range(100):
        session = healthy_session(generator, cells[turn % len(cells)], recorded="everything")
        failed += run_check("classes_balanced", session.evidence).verdict == "failed"
    assert statistics.clopper_pearson(failed, 100, 0.001)[0] <= 0.001


@pytest.mark.parametrize(("rare_right", "verdict"), [(0.2, "failed"), (0.45, "passed")])
def test_a_rare_label_that_is_evaluated_more_often_must_be_found(rare_right, verdict):
    """Trained on 97/3 and evaluated on 50/50, a model must not miss most of the rare label."""
    y_true = np.repeat([0, 1], 100)
    y_pred = y_true.copy()
    y_pred[100 : 200 - int(100 * rare_right)] = 0
    evidence = Evidence(y_train=np.repeat([0, 1], [970, 30]), y_true=y_true, y_pred=y_pred)
    finding = run_check("classes_balanced", evidence)
    assert verdict == finding.verdict
    assert (verdict == "failed") is finding.signs["imbalance-collapse"]


def leaning_run(lean, *, labels=2, train=(970, 30), skill=4.0, rows=200, seed=0):
    """Return evidence of outputs that tell labels apart, with a constant added for the first."""
    generator = np.random.default_rng(seed)
    y_true = np.arange(rows) % labels
    logits = generator.normal(size=(rows, labels))
    logits[np.arange(rows), y_true] += skill
    logits[:, 0] += lean
    return Evidence(y_train=np.repeat(np.arange(labels), train), y_true=y_true, logits=logits)


@pytest.mark.parametrize(
    ("labels", "train"), [(2, (970, 30)), (4, (940, 20, 20, 20))], ids=["2 labels", "4 labels"]
)
def test_outputs_that_tell_labels_apart_and_lean_to_the_largest_are_harm(labels, train):
    """Two fifths of the rare labels' rows go to the frequent one; where it is cut decides."""
    evidence = leaning_run(3.6, labels=labels, train=train, rows=400)
    finding = run_check("classes_balanced", evidence)
    assert "failed" == finding.verdict
    assert {"training-imbalanced": True, "leans-to-the-prior": True} == finding.signs
    assert 0.1 <= finding.statistics["gained_by_another_cut"] < 0.5
    diagnosis = diagnose(evidence)
    assert "class-imbalance" == diagnosis.causes[0].code
    assert any("another cut gains" in reason for reason in diagnosis.causes[0].reasons)


@pytest.mark.parametrize(
    "evidence",
    [
        leaning_run(0.0),
        leaning_run(2.0, skill=4.0),
        leaning_run(3.6, train=(900, 100)),
        leaning_run(0.5, skill=0.5, rows=400),
        Evidence(**leaning_run(3.6).fields() | {"y_pred": leaning_run(0.0).argmax}),
        Evidence(
            **{
                name: field if name == "y_train" else field[:110]
                for name, field in leaning_run(3.6, rows=220).fields().items()
            }
        ),
    ],
    ids=["no lean", "a little", "less than 10:1", "a hard task", "cut elsewhere", "few rows"],
)
def test_a_lean_that_another_cut_would_not_mend_is_no_harm(evidence):
    """Few rows lost, hardly an imbalance, outputs that tell little or are cut elsewhere: passed."""
    finding = run_check("classes_balanced", evidence)
    assert "passed" == finding.verdict
    assert not finding.signs.get("leans-to-the-prior", False)


@pytest.mark.parametrize("own", [2, 5, 20])
def test_few_rows_of_the_largest_label_tell_of_no_lean(own):
    """What another cut gains is noise where hardly a row could be lost by it: passed."""
    generator = np.random.default_rng(own)
    y_true = np.repeat([0, 1], [own, 300])
    margin = np.where(y_true == 1, 0.3 + generator.normal(size=len(y_true)), -3)
    logits = np.stack([np.zeros(len(y_true)), margin], axis=1)
    evidence = Evidence(y_train=np.repeat([0, 1], [970, 30]), y_true=y_true, logits=logits)
    assert 0.2 < (evidence.answers[own:] == 0).mean()
    assert "passed" == run_check("classes_balanced", evidence).verdict


def test_a_largest_label_without_an_output_leans_to_nothing():
    """Outputs with fewer columns than the data set has labels are for others to report."""
    y_true = np.arange(200) % 2
    evidence = Evidence(
        y_train=np.repeat([0, 1, 2], [15, 15, 970]), y_true=y_true,
        logits=np.eye(2)[y_true], dataset_label_names=["a", "b", "c"],
    )  # fmt: skip
    assert "passed" == run_check("classes_balanced", evidence).verdict


def test_a_collapse_that_another_cut_would_mend_shows_both_signs():
    """Nine of ten rare rows are lost, and told apart: both say so, and the cause is the same."""
    evidence = leaning_run(6.0)
    finding = run_check("classes_balanced", evidence)
    assert {"imbalance-collapse", "leans-to-the-prior"} <= {
        s for s, seen in finding.signs.items() if seen
    }
    assert "class-imbalance" == diagnose(evidence).causes[0].code


@pytest.mark.simulation
def test_a_lean_at_the_limit_fails_no_more_often_than_allowed():
    """A fifth of the rare rows go to the frequent label, and at least a tenth is to be gained."""
    generator = np.random.default_rng(0)
    failed, sessions, rows = 0, 1500, 400
    for _ in range(sessions):
        y_true = np.repeat([0, 1], [rows // 5, rows - rows // 5])
        lost = (generator.random(rows) < 0.2) & (y_true == 1)
        margin = np.where(lost, -1.0, np.where(y_true == 1, 4.0, -4.0)) + generator.random(rows)
        evidence = Evidence(
            y_train=np.repeat([0, 1], [970, 30]), y_true=y_true,
            logits=np.stack([-margin, margin], axis=1),
        )  # fmt: skip
        failed += run_check("classes_balanced", evidence, alpha=0.1).verdict == "failed"
    low, high = statistics.clopper_pearson(failed, sessions, 0.001)
    assert low <= 0.1 / 4  # Bonferroni's share of alpha
    assert high > 0.01


@pytest.mark.parametrize(
    ("train", "true", "verdict"),
    [
        ([900, 30, 30, 30], [50, 50, 60, 60], "failed"),
        ([900, 90, 90, 90], [50, 50, 60, 60], "passed"),
        ([900, 30, 30, 30], [80, 80, 60, 60], "passed"),
        ([900, 30, 30, 30], [4, 4, 9, 9], "passed"),
    ],
    ids=["rare in training", "not that rare", "less than half", "few rows"],
)
def test_labels_rare_in_training_that_most_rows_have_must_be_answered(train, true, verdict):
    """Two of four labels, of most rows, are never the answer: harm if training had few of them."""
    y_true = np.repeat(np.arange(4), true)
    y_pred = np.array([0, 1, 1, 1])[y_true]
    evidence = Evidence(y_train=np.repeat(np.arange(4), train), y_true=y_true, y_pred=y_pred)
    finding = run_check("classes_balanced", evidence)
    assert verdict == finding.verdict
    assert (verdict == "failed") is finding.signs.get("rare-labels-given-up", False)


def test_thousands_of_rare_labels_are_judged_too():
    """With 5,000 labels, all but one of them rare in training, the check gives a verdict."""
    y_true = np.arange(5000)
    y_train = np.r_[np.zeros(40_000, dtype=int), y_true]
    names = [f"l{label}" for label in y_true]
    answers = {"y_pred": np.minimum(y_true, 1), "dataset_label_names": names}
    evidence = Evidence(y_train=y_train, y_true=y_true, **answers)
    assert "passed" == run_check("classes_balanced", evidence).verdict


def test_few_training_rows_of_many_labels_dominate_nothing():
    """Ten rows that lack one of six labels are too few to call the collapse an imbalance."""
    y_true = np.arange(60) % 6
    evidence = Evidence(y_train=[0, 1, 2, 3, 4] * 2, y_true=y_true, y_pred=[0] * 60)
    assert "failed" != run_check("classes_balanced", evidence).verdict
    assert "failed" == run_check("not_collapsed", evidence).verdict


def test_outputs_that_are_not_finite_are_no_imbalance():
    """NaN decodes to the first label; with a few imbalanced rows that is no sign of the prior."""
    fields = {"y_train": [0] * 11 + [1], "y_true": np.arange(60) % 2}
    evidence = Evidence(logits=np.full((60, 2), np.nan), **fields)
    assert "failed" != run_check("classes_balanced", evidence).verdict


def test_a_rare_label_that_is_evaluated_as_rarely_may_be_missed():
    """Trained and evaluated on 97/3, a model that finds a fifth of the rare label passes."""
    y_true = np.repeat([0, 1], [1940, 60])
    y_pred = np.repeat([0, 1, 0], [1940, 12, 48])
    evidence = Evidence(y_train=np.repeat([0, 1], [970, 30]), y_true=y_true, y_pred=y_pred)
    assert "passed" == run_check("classes_balanced", evidence).verdict


# Labels that say something


def out_of_fold_fields(texts, labels):
    """Cross-validate the plain reference model, as the probe does."""
    answers, probabilities = cross_validated(texts, labels, int(labels.max()) + 1)
    return {
        "y_train": labels,
        "train_reference_y_pred": answers,
        "train_reference_probabilities": probabilities,
    }


@pytest.mark.parametrize("num_labels", [2, 3, 5])
def test_shuffled_training_labels_are_noticed(num_labels):
    """Real labels tell of their texts and pass; the same labels shuffled are an open question."""
    run = trained(num_labels, seed=1)
    shuffled = np.random.default_rng(0).permutation(run.y_train)
    for labels, verdict, tells_nothing in (
        (run.y_train, "passed", False),
        (shuffled, "inconclusive", True),
    ):
        evidence = Evidence(**out_of_fold_fields(run.train_texts, labels))
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


@pytest.mark.parametrize("num_labels", [2, 3, 5])
def test_labels_of_another_table_fail_on_request(num_labels):
    """Labels joined to the wrong rows fall short of any skill; the right ones do not.

    The same finding is inconclusive in the suite, where no skill is asked for.
    """
    run = trained(num_labels, seed=1, m=2500)
    own = run.train_texts
    for texts, verdicts in ((own, ("passed", "passed")),
                            (own[1:] + own[:1], ("inconclusive", "failed"))):  # fmt: skip
        evidence = Evidence(**out_of_fold_fields(texts, run.y_train))
        found = (
            run_check("labels_informative", evidence),
            run_check("labels_informative", evidence, min_skill=0.1),
        )
        assert verdicts == tuple(finding.verdict.value for finding in found)
    assert ("labels-shuffled",) == found[1].causes
    assert "labels tell nothing: TF-IDF right on" in found[1].summary


def test_few_shuffled_rows_are_open_with_the_number_that_would_tell():
    """90 rows of shuffled labels prove no lack of skill; the message says how many would."""
    run = trained(2, seed=1, m=90)
    labels = np.random.default_rng(0).permutation(run.y_train)
    evidence = Evidence(**out_of_fold_fields(run.train_texts, labels))
    finding = run_check("labels_informative", evidence, min_skill=0.1)
    assert "inconclusive" == finding.verdict
    majority = finding.statistics["majority_share"]
    needed = required_examples("labels_informative", min_skill=0.1, majority_share=majority)
    assert f"about {needed:,} rows would tell" in finding.summary


def test_a_rare_label_that_is_never_answered_is_informative():
    """On 95/5 data no answer is the rare label, and the probabilities tell all the same."""
    generator = np.random.default_rng(2)
    labels = (generator.random(1500) < 0.05).astype(int)
    fields = out_of_fold_fields(write_texts(labels, generator, own_words=1), labels)
    assert 0 == fields["train_reference_y_pred"].max()
    assert "passed" == run_check("labels_informative", Evidence(**fields), min_skill=0.1).verdict
    del fields["train_reference_probabilities"]
    assert "passed" != run_check("labels_informative", Evidence(**fields), min_skill=0.1).verdict


@pytest.mark.simulation
def test_labels_dealt_at_random_pass_no_more_often_than_stated():
    """Over 100 cross-validations on shuffled labels, at most 1 % tell something at alpha .01."""
    generator = np.random.default_rng(6)
    passed = 0
    for _ in range(100):
        num_labels = int(generator.choice([2, 3, 5]))
        labels = np.resize(np.arange(num_labels), int(generator.integers(40, 150)))
        texts = write_texts(generator.permutation(labels), generator, words=6)
        evidence = Evidence(**out_of_fold_fields(texts, generator.permutation(labels)))
        passed += run_check("labels_informative", evidence, alpha=0.01).verdict == "passed"
    assert statistics.clopper_pearson(passed, 100, 0.001)[0] <= 0.01


@pytest.mark.simulation
@pytest.mark.parametrize("rate", [0.7, 0.9])
def test_the_hits_of_a_cross_validation_vary_no_more_than_a_binomial(rate):
    """Over 100 data sets of which a known share can be learnt, at most 5 % fall short of it.

    This is the error rate of a failure for want of skill, at the very limit.
    """
    generator = np.random.default_rng(int(100 * rate))
    short = 0
    for _ in range(100):
        shown = generator.integers(0, 2, int(generator.integers(100, 300)))
        labels = np.where(generator.random(len(shown)) < rate, shown, 1 - shown)
        answers, _ = cross_validated([f"{NAMES[label]} text" for label in shown], labels, 2)
        hits = int((answers == labels).sum())
        short += statistics.binomial_at_most(hits, len(labels), rate) <= 0.05
    assert statistics.clopper_pearson(short, 100, 0.001)[0] <= 0.05


# The order of the rows

PER_LABEL = 100
ORDERS = {
    "random": (lambda y, generator: generator.permutation(y), "passed"),
    "taking turns": (lambda y, generator: np.resize(np.arange(y.max() + 1), len(y)), "passed"),
    "three epochs, shuffled each time": (
        lambda y, generator: np.concatenate([generator.permutation(y) for _ in range(3)]),
        "passed"),
    "drawn by a weighted sampler": (
        lambda y, generator: generator.choice(y, size=len(y)), "passed"),
    "sorted": (lambda y, generator: y, "failed"),
    "sorted downwards": (lambda y, generator: y[::-1], "failed"),
    "blocks of eight": (
        lambda y, generator: generator.permutation(y[: len(y) // 8 * 8].reshape(-1, 8)).ravel()
        if len(y) % 8 == 0 else np.repeat(generator.permutation(y[::8]), 8), "failed"),
    "a shuffle buffer of a tenth": (
        lambda y, generator: through_a_buffer(y, len(y) // 10, generator), "failed"),
}  # fmt: skip


def through_a_buffer(labels, size, generator):
    """Shuffle as tf.data does: draw from a buffer that is refilled in order."""
    buffer, fed = list(labels[:size]), []
    for label in [*labels[size:], *[None] * size]:
        fed.append(buffer.pop(generator.integers(len(buffer))))
        if label is not None:
            buffer.append(label)
    return np.array(fed)


@pytest.mark.parametrize("num_labels", [2, 5, 20])
@pytest.mark.parametrize(("order", "verdict"), ORDERS.values(), ids=ORDERS)
def test_the_order_of_the_rows_is_judged(order, verdict, num_labels):
    """Rows in random order or taking turns pass; sorted, in blocks or hardly shuffled they fail."""
    y_train = np.repeat(np.arange(num_labels), PER_LABEL)
    fed = order(y_train, np.random.default_rng(num_labels))
    finding = run_check("training_data_shuffled", Evidence(y_train=fed), only_if_harmful=False)
    assert verdict == finding.verdict
    assert {"training-in-label-order": verdict == "failed"} == finding.signs
    assert ("training-data-sorted",) == finding.causes or verdict == "passed"


@given(seed=SEEDS, num_labels=st.integers(2, 30), only_if_harmful=st.booleans())
@settings(deadline=None, max_examples=40)
def test_too_few_rows_have_no_order(seed, num_labels, only_if_harmful):
    """Rows so few that even sorted ones could be chance neither pass nor fail."""
    y_train = np.random.default_rng(seed).integers(0, num_labels, 4)
    evidence = Evidence(y_train=y_train)
    finding = run_check("training_data_shuffled", evidence, only_if_harmful=only_if_harmful)
    assert "inconclusive" == finding.verdict
    assert {} == finding.signs


def test_the_runs_are_shown():
    """The numbers are those of the rows, and the table shows the longest runs first."""
    evidence = Evidence(y_train=[0] * 30 + [1] * 50 + [0] * 10, label_names=["ham", "spam"])
    finding = run_check("training_data_shuffled", evidence, only_if_harmful=False)
    assert "rows in label order: 3 runs of equal labels in 90 rows, 45 at" in finding.summary
    assert ("label", "from row", "rows in a run") == finding.table[0]
    assert ("'spam'", "30", "50") == finding.table[1]
    assert "shuffle" in finding.fix


def fed_batch_by_batch(run, order, *, epochs=3, size=16):
    """Train a real SGD classifier on batches in this order; return its evidence."""
    vectorizer = HashingVectorizer(n_features=2**10)
    model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=5.0, random_state=0)
    features = vectorizer.transform(run.train_texts)
    for _ in range(epochs):
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            model.partial_fit(features[rows], run.y_train[rows], classes=range(len(run.names)))
    scores = model.decision_function(vectorizer.transform(run.texts))
    logits = np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores
    return run.evidence(logits=logits, y_train=run.y_train[order], reference_y_pred=run.answers)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("num_labels", [2, 3, 5])
def test_a_model_fed_in_label_order_is_found_in_the_suite(num_labels, seed):
    """A real model fed sorted batches answers the last label: failed, and the cause comes first.

    Fed the same rows in random order it passes.
    """
    run = trained(num_labels, seed, n=300, m=600)
    as_sorted = fed_batch_by_batch(run, np.argsort(run.y_train, kind="stable"))
    finding = run_check("training_data_shuffled", as_sorted)
    assert "failed" == finding.verdict
    assert f"other rows get '{run.names[-1]}', the last label fed" in finding.summary
    assert "training-data-sorted" == diagnose(as_sorted).causes[0].code
    shuffled = fed_batch_by_batch(run, np.random.default_rng(seed).permutation(600))
    assert "passed" == run_check("training_data_shuffled", shuffled).verdict


def losses_of(run, orders, *, size=16, rate=0.3, running=False):
    """Train a real SGD classifier on batches, an order for each epoch; return its evidence.

    The loss is that of each batch before its step, or the mean over the epoch so far. ``y_train``
    is in the order of the data set.
    """
    features = HashingVectorizer(n_features=2**10).transform(run.train_texts)
    model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=rate, random_state=0)
    names = range(len(run.names))
    loss = []
    for order in orders:
        epoch = []
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            if loss or epoch:
                told = model.predict_proba(features[rows])
                epoch.append(log_loss(run.y_train[rows], told, labels=list(names)))
            else:
                epoch.append(np.log(len(names)))
            model.partial_fit(features[rows], run.y_train[rows], classes=names)
        loss += (np.cumsum(epoch) / np.arange(1, len(epoch) + 1)).tolist() if running else epoch
    return Evidence(y_train=run.y_train, loss=loss, train_steps=len(loss), batch_size=size)


def stored_sorted(run):
    """The same training rows, stored in the order of their labels."""
    order = np.argsort(run.y_train, kind="stable")
    texts = [run.train_texts[row] for row in order]
    return dataclasses.replace(run, train_texts=texts, y_train=run.y_train[order])


@pytest.mark.parametrize(("num_labels", "m"), [(2, 605), (3, 576), (5, 600)])
def test_rows_fed_in_label_order_show_in_the_training_loss(num_labels, m):
    """The loss of a real model jumps where the label of the batches changes.

    That is no more than a sign: other feeds have jumps that recur.
    """
    run = stored_sorted(trained(num_labels, 0, n=300, m=m))
    finding = run_check("training_data_shuffled", losses_of(run, [np.arange(m)] * 5))
    assert "inconclusive" == finding.verdict
    changes = 5 * (num_labels - 1)
    assert changes == finding.statistics["label_changes"]
    assert f"of {changes} changes of label" in finding.summary
    assert finding.signs["loss-jumps-with-labels"]
    dropped = losses_of(run, [np.arange(m // 16 * 16)] * 5)  # without the last, shorter batch
    assert run_check("training_data_shuffled", dropped).signs["loss-jumps-with-labels"]


@pytest.mark.simulation
@pytest.mark.parametrize("running", [False, True], ids=["each batch", "a running mean"])
def test_rows_stored_in_label_order_and_shuffled_show_nothing_in_the_loss(running):
    """Shuffled anew in each epoch, the loss raw or a mean of it so far: at most 5 % of 50 jump.

    A running mean begins anew where the last label meets the first: that change does not count.
    """
    jumped = 0
    for seed in range(50):
        generator = np.random.default_rng(seed)
        run = stored_sorted(trained(2 + seed % 3, seed % 5, n=300, m=320))
        orders = [generator.permutation(320) for _ in range(4)]
        evidence = losses_of(run, orders, running=running)
        finding = run_check("training_data_shuffled", evidence, alpha=0.05)
        jumped += finding.signs.get("loss-jumps-with-labels", False)
    assert statistics.clopper_pearson(jumped, 50, 0.001)[0] <= 0.05


@pytest.mark.parametrize(
    ("changed", "known"),
    [({}, True), ({"train_steps": 100}, False), ({"batch_size": 17}, False),
     ({"batch_size": 1000}, False), ({"batch_size": None}, False), ({"train_steps": None}, False)],
    ids=["whole epochs", "not each step", "half an epoch", "one step an epoch", "no size",
         "no steps"],
)  # fmt: skip
def test_the_loss_of_each_step_of_whole_epochs_is_asked_for(changed, known):
    """Where steps and rows do not go together, nobody knows which batch had which loss."""
    loss = [2 - 0.2 * (step % 6) for step in range(90)]
    fields = {"y_train": np.repeat([0, 1, 2], 96), "loss": loss, "batch_size": 16,
              "train_steps": 90, **changed}  # fmt: skip
    finding = run_check("training_data_shuffled", Evidence(**fields))
    assert known is ("loss-jumps-with-labels" in finding.signs)


def test_a_good_model_copes_with_any_order():
    """The last label fed may be none that is known: good answers pass all the same."""
    run = trained(3, 0, n=300)
    y_train = np.r_[np.sort(run.y_train), 9]
    finding = run_check("training_data_shuffled", run.evidence(y_train=y_train))
    assert "passed" == finding.verdict


@given(seed=SEEDS, labels=st.integers(2, 6), size=st.integers(1, 40), epochs=st.integers(1, 6))
@settings(deadline=None)
def test_any_loss_beside_sorted_rows_is_judged(seed, labels, size, epochs):
    """A loss of any length, with NaN and infinity, never raises; one that rests fails not."""
    generator = np.random.default_rng(seed)
    y_train = np.sort(generator.integers(0, labels, 200))
    steps = int(generator.integers(1, 1 + epochs * -(-200 // size)))
    loss = generator.choice([0.5, 0.7, 0.7, np.nan, np.inf], steps, p=[0.3, 0.3, 0.3, 0.05, 0.05])
    fields = {"y_train": y_train, "train_steps": steps, "batch_size": size}
    assert run_check("training_data_shuffled", Evidence(loss=loss, **fields)).verdict != "skipped"
    rests = run_check("training_data_shuffled", Evidence(loss=np.full(steps, 0.7), **fields))
    assert "inconclusive" == rests.verdict
    assert True is not rests.signs.get("loss-jumps-with-labels")


def test_a_data_set_stored_in_label_order_is_no_defect():
    """Sorted y_train passes where the model is good, and is open where nothing shows it is.

    The order in which a data set is stored says nothing of fit(shuffle=True).
    """
    run = trained(3, 0, n=300)
    y_train = np.sort(run.y_train)
    good = run_check("training_data_shuffled", run.evidence(y_train=y_train))
    assert "passed" == good.verdict
    alone = run_check("training_data_shuffled", Evidence(y_train=y_train))
    assert "inconclusive" == alone.verdict
    assert "fed so?" in alone.summary
    weak = run.evidence(y_train=y_train, logits=np.random.default_rng(0).normal(size=(300, 3)))
    assert "inconclusive" == run_check("training_data_shuffled", weak).verdict
    assert "failed" == run_check(
        "training_data_shuffled", Evidence(y_train=y_train), only_if_harmful=False
    ).verdict  # fmt: skip


@pytest.mark.simulation
def test_healthy_models_of_sorted_data_sets_pass():
    """Over 400 healthy sessions whose training set is stored in label order, none fails."""
    failed = 0
    for evidence in healthy_sessions(np.random.default_rng(8), 400):
        y_train = np.repeat(np.arange(evidence.num_labels)[::-1], 50)
        judged = Evidence(y_train=y_train, **evidence.fields())
        failed += run_check("training_data_shuffled", judged).verdict == "failed"
    assert statistics.clopper_pearson(failed, 400, 0.001)[0] <= 0.001


@pytest.mark.parametrize("equal_share", [1.0, 0.9, 0.7])
@pytest.mark.parametrize("num_labels", [2, 5])
def test_rows_quoted_for_the_order_give_the_power(num_labels, equal_share):
    """Of 200 feeds of the size quoted that repeat labels so often, 90 % fail."""
    rows = required_examples(
        "training_data_shuffled", num_labels=num_labels, equal_share=equal_share
    )
    generator = np.random.default_rng(0)
    found = 0
    for _ in range(200):
        moved = np.where(generator.random(rows) < equal_share, 0,
                         generator.integers(1, num_labels, rows))  # fmt: skip
        fed = np.cumsum(moved) % num_labels
        found += len(set(fed)) < num_labels or statistics.runs_too_few(fed) <= 0.001
    if equal_share == 1.0:  # one run of each label
        sorted_rows = np.sort(np.resize(np.arange(num_labels), rows))
        assert statistics.runs_too_few(sorted_rows) <= 0.001
    assert statistics.clopper_pearson(found, 200, 0.001)[1] >= 0.9


# The two splits


def split(run, **how):
    """Split the rows of a run that is sorted by label with scikit-learn; train on one part."""
    order = np.argsort(run.y_train, kind="stable")
    texts, labels = [run.train_texts[i] for i in order], run.y_train[order]
    train_texts, texts, y_train, y_true = train_test_split(texts, labels, test_size=0.4, **how)
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=500))
    answers = model.fit(train_texts, y_train).predict(texts)
    return Evidence(y_train=y_train, y_true=y_true, y_pred=answers, dataset_label_names=run.names)


@pytest.mark.parametrize("num_labels", [3, 5])
def test_a_split_by_position_is_found(num_labels):
    """A real split of sorted rows fails if not shuffled, with the cause; a shuffled one passes."""
    run = trained(num_labels, m=600)
    by_position = split(run, shuffle=False)
    finding = run_check("splits_consistent", by_position)
    assert "failed" == finding.verdict
    assert f"splits differ: '{run.names[-1]}' is never in training" in finding.summary
    assert {"label-never-trained": True} == finding.signs
    assert "training-data-sorted" == diagnose(by_position).causes[0].code
    healthy = split(run, stratify=np.sort(run.y_train), random_state=0)
    for options in ({}, {"max_difference": 0.1, "allow_missing": False}):
        assert "passed" == run_check("splits_consistent", healthy, **options).verdict


def test_a_slice_is_a_legitimate_evaluation_set():
    """An evaluation set of one label passes, and fails only where all labels were asked for."""
    evidence = Evidence(y_train=[0, 1, 2] * 50, y_true=[1] * 40)
    assert "passed" == run_check("splits_consistent", evidence).verdict
    finding = run_check("splits_consistent", evidence, allow_missing=False)
    assert "failed" == finding.verdict
    assert "is never in evaluation" in finding.summary
    assert {"label-never-trained": False} == finding.signs
    finding = run_check("splits_consistent", evidence, max_difference=0.1)
    assert "splits differ: '1' is 33% of training, 100% of evaluation rows" in finding.summary


@pytest.mark.parametrize(
    ("y_true", "options", "says"),
    [
        ([0, 1, 2], {}, "'2' is never in training, 33% of 3 evaluation rows"),
        ([0] * 9, {"allow_missing": False}, "'1' is never in evaluation, 50% of 8 training"),
        ([0, 0, 1], {"max_difference": 0.1}, "is 50% of training, "),
    ],
    ids=["never trained", "never evaluated", "other shares"],
)
def test_few_rows_prove_no_faulty_split(y_true, options, says):
    """What chance explains is open, and the message says how many rows would tell."""
    evidence = Evidence(y_train=[0, 1] * 4, y_true=y_true)
    finding = run_check("splits_consistent", evidence, **options)
    assert "inconclusive" == finding.verdict
    assert says in finding.summary
    assert "rows would tell" in finding.summary
    assert {} == finding.signs


def test_shares_hardly_beyond_the_limit_are_open_without_a_number():
    """Where no number of rows would settle it, none is quoted."""
    evidence = Evidence(y_train=[0] * 6001 + [1] * 3999, y_true=[0] * 5000 + [1] * 5000)
    finding = run_check("splits_consistent", evidence, max_difference=0.1)
    assert "inconclusive" == finding.verdict
    assert finding.summary.endswith("chance or a faulty split?")


@pytest.mark.parametrize("ids", [[-1, 0, 1], [0, 1, 2]], ids=["sentinel", "extra class"])
@pytest.mark.parametrize("field", ["y_train", "y_true"])
def test_ids_out_of_range_are_not_a_matter_of_the_split(field, ids):
    """A sentinel or an extra class is for labels_valid to name, and no label was missed."""
    fields = {"y_train": [0, 1] * 50, "y_true": [0, 1] * 50, field: ids * 40}
    evidence = Evidence(**fields, label_names=["a", "b"])
    finding = run_check("splits_consistent", evidence, allow_missing=False)
    assert "inconclusive" == finding.verdict
    assert f"{field} holds ids that are no label ids" in finding.summary


@pytest.mark.simulation
@pytest.mark.parametrize(
    "options", [{}, {"allow_missing": False}, {"max_difference": 0.05, "allow_missing": False}],
    ids=["suite", "all labels", "shares"],
)  # fmt: skip
def test_random_splits_fail_no_more_often_than_allowed(options):
    """Over 500 random splits of long-tailed labels, at most 5 % fail."""
    generator = np.random.default_rng(4)
    failed = 0
    for _ in range(500):
        num_labels = int(generator.choice([2, 5, 20]))
        prior = generator.dirichlet(np.full(num_labels, 0.4))
        m, n = (int(generator.integers(10, 500)) for _ in range(2))
        labels = generator.choice(num_labels, size=m + n, p=prior)
        evidence = Evidence(y_train=labels[:m], y_true=labels[m:])
        failed += (
            run_check("splits_consistent", evidence, alpha=0.05, **options).verdict == "failed"
        )
    assert statistics.clopper_pearson(failed, 500, 0.001)[0] <= 0.05


@pytest.mark.parametrize("true_share", [0.05, 0.5])
@pytest.mark.parametrize("ratio", [0.5, 4.0])
def test_rows_quoted_for_a_missing_label_give_the_power(true_share, ratio):
    """Of 200 evaluation sets of the size quoted with a label that training lacks, 90 % fail."""
    rows = required_examples("splits_consistent", true_share=true_share, train_rows_per_row=ratio)
    generator = np.random.default_rng(0)
    failed = 0
    for _ in range(200):
        evidence = Evidence(
            y_train=np.zeros(int(ratio * rows), dtype=int),
            y_true=(generator.random(rows) < true_share).astype(int),
        )
        failed += run_check("splits_consistent", evidence).verdict == "failed"
    assert statistics.clopper_pearson(failed, 200, 0.001)[1] >= 0.9


@pytest.mark.parametrize(
    "case", [{"true_share": 0}, {"train_rows_per_row": -1}, {"num_labels": 0}], ids=str
)
def test_a_case_that_cannot_be_is_refused(case):
    """A share of nothing, or fewer than no rows, is bad input."""
    with pytest.raises(ValueError, match=next(iter(case))):
        required_examples("splits_consistent", **case)


# Predictability


def referred(train_texts, y_train, texts, y_true):
    """Return what the reference model says of training and of evaluation rows."""
    num_labels = int(y_train.max()) + 1
    answers, _ = cross_validated(train_texts, y_train, num_labels)
    return Evidence(
        y_train=y_train,
        train_reference_y_pred=answers,
        y_true=y_true,
        evaluation_reference_y_pred=cross_validated_alike(
            texts, y_true, train_texts, y_train, num_labels
        ),
    )


@pytest.mark.parametrize("num_labels", [2, 3, 5])
def test_training_labels_are_as_predictable_unless_they_were_flipped(num_labels):
    """Sound labels of articles pass; of those flipped, TF-IDF predicts far fewer, and they fail."""
    generator = np.random.default_rng(num_labels)
    y_train, y_true = (generator.integers(0, num_labels, rows) for rows in (900, 400))
    train_texts, texts = (
        write_texts(labels, generator, own_words=12, words=120) for labels in (y_train, y_true)
    )
    sound = referred(train_texts, y_train, texts, y_true)
    assert "passed" == run_check("labels_as_predictable", sound).verdict
    evidence = referred(train_texts, flipped(y_train, 0.4, generator), texts, y_true)
    finding = run_check("labels_as_predictable", evidence)
    assert "failed" == finding.verdict
    assert finding.summary.startswith("labels noisy: TF-IDF predicts ")
    assert "labels-noisy" == diagnose(evidence).causes[0].code


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("num_labels", [2, 3])
def test_a_reference_of_evaluation_rows_finds_noise_in_few_training_rows(num_labels, seed):
    """A reference that learnt from evaluation rows is not spoilt by noise: 300 rows are enough."""
    generator = np.random.default_rng(seed)
    y_train, y_true = (generator.integers(0, num_labels, rows) for rows in (300, 300))
    train_texts, texts = (
        write_texts(labels, generator, own_words=12, words=60) for labels in (y_train, y_true)
    )
    evidence = referred(train_texts, flipped(y_train, 0.4, generator), texts, y_true)
    assert "failed" == run_check("labels_as_predictable", evidence).verdict


@pytest.mark.parametrize("rare", [0.05, 0.2])
def test_imbalance_that_the_evaluation_set_has_not_is_no_noise(rare):
    """Rare in training, frequent in evaluation: the reference is compared in training's balance."""
    for seed in range(6):
        generator = np.random.default_rng(seed)
        y_train = (generator.random(400) < rare).astype(int)
        y_true = generator.integers(0, 2, 400)
        train_texts, texts = (write_texts(labels, generator, own_words=6)
                              for labels in (y_train, y_true))  # fmt: skip
        finding = run_check(
            "labels_as_predictable", referred(train_texts, y_train, texts, y_true), alpha=0.05
        )
        assert "failed" != finding.verdict, finding.summary


@pytest.mark.parametrize("labels_left", [1, 2, 4])
def test_a_slice_with_fewer_labels_is_no_noise(labels_left):
    """Evaluated on some labels alone, which are easier to tell apart, training labels pass."""
    for seed in range(5):
        run = trained(5, seed, n=600, m=900, own_words=4)
        rows = np.flatnonzero(run.y_true < labels_left)
        evidence = referred(
            run.train_texts, run.y_train, [run.texts[row] for row in rows], run.y_true[rows]
        )
        assert evidence.evaluation_reference_y_pred is None
        assert "failed" != run_check("labels_as_predictable", evidence, alpha=0.05).verdict


def test_copies_among_the_evaluation_texts_are_no_noise():
    """Each text in three spellings: their labels are known from each other, and say nothing."""
    for seed in range(5):
        run = trained(3, seed, n=150, m=400, own_words=4)
        texts = [form(text) for form in (str, str.upper, "{}.".format) for text in run.texts]
        evidence = referred(run.train_texts, run.y_train, texts, np.tile(run.y_true, 3))
        assert evidence.evaluation_reference_y_pred is None
        assert "failed" != run_check("labels_as_predictable", evidence, alpha=0.05).verdict


@pytest.mark.parametrize("m", [100, 200])
@pytest.mark.parametrize("num_labels", [2, 3])
def test_cross_validation_on_few_rows_is_no_noise(num_labels, m):
    """A fifth fewer rows to learn from cost a model of few rows skill, but not a fifth of it."""
    for seed in range(5):
        run = trained(num_labels, seed, n=300, m=m, own_words=4)
        evidence = referred(run.train_texts, run.y_train, run.texts, run.y_true)
        finding = run_check("labels_as_predictable", evidence)
        assert "passed" == finding.verdict, finding.summary


@given(seed=SEEDS, num_labels=st.integers(2, 5))
@settings(deadline=None, max_examples=8)
def test_evaluation_labels_cannot_make_training_labels_look_noisy(seed, num_labels):
    """Exchanged, shuffled or flipped, and in any balance, evaluation labels fail nothing."""
    generator = np.random.default_rng(seed)
    sound = sound_labels(num_labels)
    kept = generator.random(600) < np.where(sound.y_true == 0, 1, generator.uniform(0.1, 1))
    y_true = sound.y_true[kept]
    for labels in (
        y_true,
        generator.permutation(num_labels)[y_true],
        generator.permutation(y_true),
        flipped(sound.y_true, 0.4, generator)[kept],
    ):
        evidence = Evidence(
            y_train=sound.y_train, train_reference_y_pred=sound.train_reference_y_pred,
            y_true=labels,
            evaluation_reference_y_pred=cross_validated_alike(
                [sound_run(num_labels).texts[row] for row in np.flatnonzero(kept)], labels,
                sound_run(num_labels).train_texts, sound.y_train, num_labels),
        )  # fmt: skip
        assert "failed" != run_check("labels_as_predictable", evidence).verdict


def sound_run(num_labels):
    return trained(num_labels, 0, n=600, m=900, own_words=6)


@functools.lru_cache
def sound_labels(num_labels):
    run = sound_run(num_labels)
    return referred(run.train_texts, run.y_train, run.texts, run.y_true)


@pytest.mark.parametrize("num_labels", [2, 5])
def test_four_fifths_of_the_skill_fail_no_more_often_than_allowed(num_labels):
    """At the edge, a fifth of the skill lost, at most 5 % of 500 fail."""
    generator = np.random.default_rng(num_labels)
    failed = 0
    for _ in range(500):
        n, m = (int(generator.integers(20 * num_labels, 600)) for _ in range(2))
        y_true = generator.integers(0, num_labels, n)
        y_train = np.arange(m) % num_labels
        skill = generator.uniform(0.3, 1)
        answers = []
        for labels, kept in ((y_true, skill), (y_train, 0.8 * skill)):
            right = 1 / num_labels + kept * (1 - 1 / num_labels)
            hit = generator.random(len(labels)) < right
            answers.append(np.where(hit, labels, (labels + 1) % num_labels))
        evidence = Evidence(
            y_true=y_true, y_train=y_train, train_reference_y_pred=answers[1],
            evaluation_reference_y_pred=np.where(rows_asked(y_true, y_train), answers[0], -1),
        )  # fmt: skip
        finding = run_check("labels_as_predictable", evidence, alpha=0.05)
        failed += finding.verdict == "failed"
    assert statistics.clopper_pearson(failed, 500, 0.001)[0] <= 0.05


def rows_asked(y_true, y_train):
    """Whether each evaluation row is one of those that are like the training rows."""
    rows = rows_alike(y_true, y_train, int(y_train.max()) + 1)
    return np.isin(np.arange(len(y_true)), rows)


def test_labels_of_few_training_rows_are_not_compared():
    """A label with 19 training rows is left out on both sides; with 20 it is not."""
    y_train = np.repeat([0, 1, 2], [100, 100, 19])
    y_true = np.repeat([0, 1, 2], 50)
    wrong = np.where(y_train == 2, 0, y_train)
    fields = {"y_true": y_true, "evaluation_reference_y_pred": y_true}
    few = run_check(
        "labels_as_predictable", Evidence(y_train=y_train, train_reference_y_pred=wrong, **fields)
    )
    assert "passed" == few.verdict
    assert 1 == few.statistics["training_labels_predicted"]
    enough = run_check(
        "labels_as_predictable",
        Evidence(y_train=np.r_[y_train, 2], train_reference_y_pred=np.r_[wrong, 0], **fields),
    )
    assert 200 / 220 == enough.statistics["training_labels_predicted"]
    hidden = Evidence(y_train=y_train, train_reference_y_pred=wrong, y_true=np.full(150, -1),
                      evaluation_reference_y_pred=y_true)  # fmt: skip
    assert "inconclusive" == run_check("labels_as_predictable", hidden).verdict


# Noise


def flipped(labels, rate, generator):
    """Return labels of which a share was replaced by another label."""
    moved = generator.integers(1, labels.max() + 1, len(labels))
    return np.where(generator.random(len(labels)) < rate, (labels + moved) % (labels.max() + 1),
                    labels)  # fmt: skip


def fitted(y_train, train_texts, run, **fields):
    """Train a real regularised model on these labels; return its evidence on both sides."""
    vectorizer = TfidfVectorizer()
    features = vectorizer.fit_transform(train_texts)
    model = LogisticRegression(C=0.1, max_iter=500).fit(features, y_train)

    def logits(matrix):
        scores = model.decision_function(matrix)
        return np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores

    own = {"train_logits": logits(features), "train_y_true": y_train, "y_train": y_train,
           "logits": logits(vectorizer.transform(run.texts))}  # fmt: skip
    return run.evidence(**{**own, **fields})


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("num_labels", [2, 3, 5])
def test_flipped_training_labels_are_found(num_labels, seed):
    """A real model contradicts 30 % flipped labels, and fails; trained on sound ones it passes."""
    run = trained(num_labels, seed, n=1500, m=3000, own_words=8)
    noisy = flipped(run.y_train, 0.3, np.random.default_rng(seed))
    assert "passed" == run_check(
        "labels_not_noisier", fitted(run.y_train, run.train_texts, run)
    ).verdict  # fmt: skip
    evidence = fitted(noisy, run.train_texts, run)
    finding = run_check("labels_not_noisier", evidence)
    assert "failed" == finding.verdict
    assert ("labels-noisy",) == finding.causes
    assert finding.summary.startswith("training labels noisier: ")
    assert num_labels + 1 == len(finding.table)
    assert "labels-noisy" == diagnose(evidence).causes[0].code


def test_a_model_that_is_right_on_training_rows_was_trained():
    """Right on training rows and collapsed on others, a model is not put down to its training."""
    run = trained(3, 0, n=300)
    collapsed = run.outputs + 1000 * np.eye(3)[0]
    seen = {"train_logits": run.logits(run.train_texts), "train_y_true": run.y_train}
    evidence = run.evidence(logits=collapsed, learning_rate=[1e-3] * 30, train_steps=90, **seen)
    assert run_check("labels_not_noisier", evidence).signs["training-rows-learnt"]
    codes = [cause.code for cause in diagnose(evidence).causes]
    training = {"learning-rate-too-high", "learning-rate-too-low", "too-few-steps"}
    assert set() == training & set(codes)


def test_an_evaluation_set_of_another_balance_is_not_cleaner():
    """More rows of the easy label in evaluation look better, and pass: labels are matched."""
    generator = np.random.default_rng(0)
    y_train = np.repeat([0, 1], [300, 1700])
    y_true = np.repeat([0, 1], [1700, 300])
    recall = np.array([0.95, 0.55])

    def outputs(labels):
        right = generator.random(len(labels)) < recall[labels]
        return np.eye(2)[np.where(right, labels, 1 - labels)] * 3.0

    evidence = Evidence(train_y_true=y_train, train_logits=outputs(y_train),
                        y_true=y_true, logits=outputs(y_true))  # fmt: skip
    assert 0.25 < (evidence.argmax == y_true).mean() - (
        evidence.train_logits.argmax(axis=1) == y_train).mean()  # fmt: skip
    assert "passed" == run_check("labels_not_noisier", evidence).verdict


def test_a_hard_task_is_not_noisy():
    """A real model that is hardly better than chance on both sides passes."""
    run = trained(2, 0, n=1500, m=1500)
    evidence = fitted(run.y_train, run.train_texts, run)
    easier = evidence.train_logits + np.random.default_rng(0).normal(scale=3, size=(1500, 2))
    assert "passed" == run_check(
        "labels_not_noisier", run.evidence(
            **{**evidence.fields(), "train_logits": easier,
               "logits": evidence.logits + np.random.default_rng(1).normal(scale=3, size=(1500, 2))}
        )
    ).verdict  # fmt: skip


@pytest.mark.parametrize("fault", ["shifted rows", "exchanged labels"])
def test_faults_of_the_evaluation_side_are_not_noise(fault):
    """What makes evaluation worse never makes the training labels look noisier."""
    run = trained(3, 0, n=600)
    y_true = np.roll(run.y_true, 1) if fault == "shifted rows" else (run.y_true + 1) % 3
    evidence = fitted(run.y_train, run.train_texts, run, y_true=y_true)
    assert "passed" == run_check("labels_not_noisier", evidence).verdict


def test_few_rows_prove_no_noise():
    """A gap that chance explains is open, and the message says how many rows would tell."""
    right = np.eye(2)[[0, 1] * 10] * 3
    wrong = np.where(np.arange(20)[:, None] < 7, right[:, ::-1], right)
    evidence = Evidence(train_y_true=[0, 1] * 10, train_logits=wrong,
                        y_true=[0, 1] * 10, logits=right)  # fmt: skip
    finding = run_check("labels_not_noisier", evidence)
    assert "inconclusive" == finding.verdict
    assert "rows would tell" in finding.summary
    assert {} == finding.signs


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"train_y_true": [-1] * 4}, "no label is both in train_y_true and in y_true"),
        ({"y_true": [1] * 4, "train_y_true": [0] * 4}, "no label is both in"),
        ({"train_logits": np.full((4, 2), np.nan)}, "train_logits hold NaN or infinity"),
    ],
    ids=["hidden labels", "other labels", "not finite"],
)
def test_what_cannot_be_compared_is_open(fields, says):
    """Without a label on both sides, or without finite outputs, nothing is said."""
    own = {"y_true": [0, 1] * 2, "train_y_true": [0, 1] * 2,
           "logits": np.eye(2)[[0, 1] * 2], "train_logits": np.eye(2)[[0, 1] * 2]}  # fmt: skip
    finding = run_check("labels_not_noisier", Evidence(**{**own, **fields}))
    assert "inconclusive" == finding.verdict
    assert says in finding.summary


@pytest.mark.simulation
def test_errors_at_the_limit_fail_no_more_often_than_allowed():
    """Over 300 models that err 10 points more on training rows of each label, at most 5 % fail."""
    generator = np.random.default_rng(9)
    failed = 0
    for _ in range(300):
        num_labels = int(generator.choice([2, 3, 5]))
        error = generator.uniform(0, 0.5, num_labels)
        sides = {}
        for names, added in ((("train_y_true", "train_logits"), 0.1), (("y_true", "logits"), 0.0)):
            prior = generator.dirichlet(np.full(num_labels, 3.0))
            labels = generator.choice(num_labels, size=int(generator.integers(50, 400)), p=prior)
            wrong = generator.random(len(labels)) < error[labels] + added
            answers = np.where(wrong, (labels + 1) % num_labels, labels)
            sides |= dict(zip(names, (labels, 3 * np.eye(num_labels)[answers]), strict=True))
        failed += run_check("labels_not_noisier", Evidence(**sides), alpha=0.05).verdict == "failed"
    assert statistics.clopper_pearson(failed, 300, 0.001)[0] <= 0.05


def test_rows_quoted_for_noise_give_the_power():
    """Of 200 pairs of samples of the size quoted, 90 % fail."""
    rows = required_examples("labels_not_noisier", train_accuracy=0.6, accuracy=0.9)
    generator = np.random.default_rng(0)
    failed = 0
    for _ in range(200):
        sides = {}
        for names, rate in ((("train_y_true", "train_logits"), 0.6), (("y_true", "logits"), 0.9)):
            labels = np.resize([0, 1], rows)
            right = generator.random(rows) < rate
            logits = 3 * np.eye(2)[np.where(right, labels, 1 - labels)]
            sides |= dict(zip(names, (labels, logits), strict=True))
        failed += run_check("labels_not_noisier", Evidence(**sides)).verdict == "failed"
    assert statistics.clopper_pearson(failed, 200, 0.001)[1] >= 0.9


@pytest.mark.parametrize("num_labels", [2, 3, 5])
def test_corrupted_labels_are_contradicted(num_labels):
    """Real labels of which 25 % were flipped fail, the rows shown are the flipped ones."""
    run = trained(num_labels, m=900, own_words=6)
    noisy = flipped(run.y_train, 0.25, np.random.default_rng(0))
    sound = run_check("labels_clean", Evidence(**out_of_fold_fields(run.train_texts, run.y_train)))
    assert "passed" == sound.verdict
    evidence = Evidence(**out_of_fold_fields(run.train_texts, noisy))
    finding = run_check("labels_clean", evidence)
    assert "failed" == finding.verdict
    assert ("labels-noisy",) == finding.causes
    shown = finding.statistics["worst_rows"]
    assert MAX_ROWS == len(shown) == len(finding.table) - 1
    assert 0.9 * MAX_ROWS <= (noisy[shown] != run.y_train[shown]).sum()
    suggested = [row[2].strip("'") for row in finding.table[1:]]
    assert 0.9 * MAX_ROWS <= sum(
        name == str(run.y_train[row]) for name, row in zip(suggested, shown, strict=True)
    )


def test_a_label_column_with_a_mistake_in_the_join_is_contradicted():
    """A join that shifts the last half of the labels by a row is found; the right join passes."""
    run = trained(3, m=900, own_words=6)
    shifted = np.r_[run.y_train[:450], np.roll(run.y_train[450:], 1)]
    for labels, verdict in ((run.y_train, "passed"), (shifted, "failed")):
        evidence = Evidence(**out_of_fold_fields(run.train_texts, labels))
        assert verdict == run_check("labels_clean", evidence).verdict


def test_a_hard_task_is_contradicted_too():
    """Where texts do not decide the label, sound labels are contradicted beyond the usual limit.

    This is why the suite does not ask.
    """
    generator = np.random.default_rng(0)
    shown = generator.integers(0, 2, 900)
    undecided = flipped(shown, 0.25, generator)  # by nature: no label is a mistake
    evidence = Evidence(**out_of_fold_fields(write_texts(shown, generator), undecided))
    assert "failed" == run_check("labels_clean", evidence).verdict
    assert "passed" == run_check("labels_clean", evidence, max_share=0.4).verdict
    assert "labels_clean" not in {check.name for check in suite_checks()}


def test_a_row_is_contradicted_as_the_paper_defines_it():
    """Above the usual probability of another label, and above that of the label given."""
    labels = np.array([0, 0, 0, 1, 1, 1])
    first = np.array([0.9, 0.8, 0.1, 0.3, 0.2, 0.55])
    # usual: 0.6 for label 0, 0.65 for label 1; row 2 is surer of label 1, row 5 not sure enough
    evidence = Evidence(
        y_train=labels, train_reference_probabilities=np.stack([first, 1 - first], axis=1)
    )
    finding = run_check("labels_clean", evidence)
    assert 1 == finding.statistics["contradicted"]
    assert [2] == finding.statistics["worst_rows"]


@given(seed=SEEDS, num_labels=st.integers(2, 8), size=st.integers(1, 40))
@settings(deadline=None, max_examples=60)
def test_contradicted_rows_are_those_off_the_diagonal_of_the_confident_joint(
    seed, num_labels, size
):
    """The count is that of the confident joint, written out row by row as in the paper."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, num_labels, size)
    probabilities = generator.dirichlet(np.ones(num_labels), size)
    usual = {label: probabilities[labels == label, label].mean() for label in set(labels)}
    expected = 0
    for given_label, row in zip(labels, probabilities, strict=True):
        sure = [label for label in usual if row[label] >= usual[label]]
        best = max(sure, key=lambda label: row[label], default=given_label)
        expected += row[best] > row[given_label]
    evidence = Evidence(y_train=labels, train_reference_probabilities=probabilities)
    assert expected == run_check("labels_clean", evidence).statistics["contradicted"]


def test_rows_without_a_label_or_probabilities_are_left_out():
    """Sentinels, labels without a column and rows of NaN are not judged."""
    probabilities = np.tile([0.9, 0.1], (40, 1))
    probabilities[:10] = np.nan
    labels = np.array([0] * 20 + [-1] * 10 + [5] * 10)
    evidence = Evidence(y_train=labels, train_reference_probabilities=probabilities)
    assert 10 == run_check("labels_clean", evidence).statistics["rows"]
    hidden = Evidence(y_train=np.full(40, -1), train_reference_probabilities=probabilities)
    assert "inconclusive" == run_check("labels_clean", hidden).verdict


def test_few_contradicted_rows_are_open():
    """Three of twelve rows prove no share above 10 %; the message says how many would."""
    labels = np.array([0, 1] * 6)
    probabilities = np.eye(2)[labels] * 0.8 + 0.1
    probabilities[:3] = probabilities[:3, ::-1]
    evidence = Evidence(y_train=labels, train_reference_probabilities=probabilities)
    finding = run_check("labels_clean", evidence)
    assert "inconclusive" == finding.verdict
    needed = required_examples("labels_clean", contradicted_share=0.25)
    assert f"about {needed:,} rows would tell" in finding.summary


@pytest.mark.simulation
def test_rows_that_a_limit_allows_fail_no_more_often_than_allowed():
    """Over 500 data sets of which the limit's share is contradicted, at most 5 % fail."""
    generator = np.random.default_rng(3)
    failed = 0
    for _ in range(500):
        labels = generator.integers(0, 2, int(generator.integers(20, 500)))
        probabilities = np.eye(2)[labels] * 0.8 + 0.1
        wrong = generator.random(len(labels)) < 0.1
        probabilities[wrong] = probabilities[wrong, ::-1]
        evidence = Evidence(y_train=labels, train_reference_probabilities=probabilities)
        failed += run_check("labels_clean", evidence, alpha=0.05).verdict == "failed"
    assert statistics.clopper_pearson(failed, 500, 0.001)[0] <= 0.05


def test_summaries_of_failures_fit_the_first_line():
    """With names and numbers as long as they get, the first line of a failure is not cut off."""
    names = [letter * 40 for letter in "abc"]
    labels = np.repeat([0, 1, 2], 40_000)
    answers = np.full(120_000, 2)
    sided = Evidence(y_train=labels, y_true=labels, y_pred=answers, label_names=names)
    noisy = np.where(np.arange(120_000) % 997, (labels + 1) % 3, labels)
    sides = Evidence(
        y_true=labels, logits=np.eye(3)[np.where(np.arange(120_000) % 997, labels, answers)],
        train_y_true=noisy, train_logits=np.eye(3)[labels], label_names=names,
    )  # fmt: skip
    unseen = Evidence(y_train=labels[:80_000], y_true=labels, label_names=names)
    shuffled = np.random.default_rng(0).integers(0, 3, (2, 120_000))
    told = Evidence(y_train=shuffled[0], train_reference_y_pred=shuffled[1])
    doubtful = Evidence(y_train=noisy, train_reference_probabilities=np.eye(3)[labels] * 0.7 + 0.1)
    findings = [
        run_check("training_data_shuffled", sided),
        run_check("training_data_shuffled", sided, only_if_harmful=False),
        run_check("labels_not_noisier", sides),
        run_check("splits_consistent", unseen),
        run_check("splits_consistent", Evidence(y_train=labels, y_true=answers, label_names=names),
                  max_difference=0.1),
        run_check("labels_informative", told, min_skill=0.1),
        run_check("labels_clean", doubtful),
    ]  # fmt: skip
    assert {"failed"} == {finding.verdict.value for finding in findings}
    assert [] == [finding.summary for finding in findings if len(finding.summary) > 100]
