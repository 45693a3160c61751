"""Checks of what a model returns and answers: valid, not collapsed, better than nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import f1_score

from pytest_bertcheck import Evidence, diagnose, statistics
from pytest_bertcheck.checks import COMPARISON, all_checks, run_checks

from .simulate import healthy_sessions, run_check, session, softmax, trained

SEEDS = st.integers(0, 2**32 - 1)
NAMES3 = ["a", "b", "c"]


# Valid logits


@pytest.mark.parametrize("num_labels", [2, 3, 5])
def test_real_outputs_are_valid(num_labels):
    """A real classifier's scores, and its probabilities, pass."""
    run = trained(num_labels, 0)
    for outputs in (run.outputs, softmax(run.outputs), run.outputs.astype(np.float32)):
        finding = run_check("logits_valid", run.evidence(logits=outputs))
        assert "passed" == finding.verdict
        assert not finding.signs["logits-constant"]


def test_a_softmax_over_one_unit_is_named():
    """A single column of ones, whatever the text, is a softmax over one unit."""
    y_true = np.arange(80) % 2
    scores = np.random.default_rng(0).normal(size=(80, 1))
    given = {"y_true": y_true, "label_names": ["ham", "spam"]}
    diagnosis = diagnose(Evidence(logits=softmax(scores), **given))
    assert "loss-misconfigured" == diagnosis.causes[0].code
    assert "sigmoid" in diagnosis.causes[0].fix
    assert not diagnosis.causes[0].certain
    sigmoid = Evidence(logits=1 / (1 + np.exp(-scores)), **given)
    assert "passed" == run_check("logits_valid", sigmoid).verdict


@pytest.mark.parametrize("rounded", [range(296), range(0, 300, 7), [299], []])
def test_a_softmax_over_one_unit_is_named_where_the_processor_rounds(rounded):
    """x / x is 1, or the float32 below it where a processor divides fast, in any of the rows."""
    ones = np.ones((300, 1), np.float32)
    ones[list(rounded)] = np.nextafter(np.float32(1), np.float32(0))
    evidence = Evidence(logits=ones, y_true=np.arange(300) % 2, label_names=["ham", "spam"])
    cause = diagnose(evidence).causes[0]
    assert "loss-misconfigured" == cause.code, str(cause)
    assert "sigmoid" in cause.fix


@pytest.mark.parametrize(("wrong", "verdict"), [(0, "passed"), (2, "passed"), (25, "failed")])
@pytest.mark.parametrize("least", [1, 1 - 1e-7, 1 - 1e-6])
def test_one_unit_that_is_sure_of_a_slice_of_one_label_is_valid(wrong, verdict, least):
    """A sigmoid may be sure of a slice of one label, two of 50 mislabelled: no softmax over one."""
    logits = np.linspace(least, 1, 50)[:, np.newaxis]
    y_true = (np.arange(50) >= wrong).astype(int)
    evidence = Evidence(y_true=y_true, logits=logits, label_names=["ham", "spam"])
    finding = run_check("logits_valid", evidence)
    assert (verdict if least > 1 - 1e-6 else "passed") == finding.verdict


@given(
    seed=SEEDS,
    num_labels=st.integers(2, 6),
    value=st.sampled_from([np.nan, np.inf, -np.inf]),
    rows=st.integers(1, 5),
)
@settings(deadline=None, max_examples=40)
def test_one_value_that_is_not_finite_is_a_fact(seed, num_labels, value, rows):
    """A single NaN or infinity fails for certain, and the rows that hold one are counted."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(20, num_labels))
    hit = generator.choice(20, rows, replace=False)
    logits[hit, generator.integers(0, num_labels, rows)] = value
    finding = run_check("logits_valid", Evidence(logits=logits))
    assert "failed" == finding.verdict
    assert finding.certain
    assert ("diverged",) == finding.causes
    assert f"{rows}/20 rows" in finding.summary


@given(seed=SEEDS, width=st.integers(2, 40), num_labels=st.integers(2, 40))
@settings(deadline=None, max_examples=40)
def test_another_width_than_there_are_labels_fails(seed, width, num_labels):
    """Hidden states or another model's logits have another width than there are labels."""
    assume(width != num_labels)
    logits = np.random.default_rng(seed).normal(size=(20, width))
    names = [f"l{i}" for i in range(num_labels)]
    finding = run_check("logits_valid", Evidence(logits=logits, dataset_label_names=names))
    assert "failed" == finding.verdict
    assert "wrong-tensor-decoded" in finding.causes
    assert f"{width} columns for {num_labels} labels" in finding.summary


@given(seed=SEEDS, scale=st.floats(1e-4, 1e3), shift=st.floats(-1e3, 1e3), rows=st.integers(2, 50))
@settings(deadline=None, max_examples=40)
def test_equal_rows_fail_and_any_difference_passes(seed, scale, shift, rows):
    """Outputs that are the same for all inputs fail; a shift common to a row does not hide it."""
    generator = np.random.default_rng(seed)
    row = scale * generator.normal(size=(1, 3)) + shift
    same = np.repeat(row, rows, axis=0)
    finding = run_check("logits_valid", Evidence(logits=same))
    assert "failed" == finding.verdict
    assert finding.signs["logits-bit-equal"]
    assert finding.signs["logits-constant"]
    assert not finding.certain
    different = generator.normal(size=(rows, 3)) + shift
    finding = run_check("logits_valid", Evidence(logits=different))
    assert "passed" == finding.verdict
    assert not finding.signs["logits-bit-equal"]


def rounded_up(which, row=(1.5, -0.5, 0.25)):
    """Rows that are all the same, but those that are rounded up by the last bit."""
    same = np.tile(np.float32(row), (len(which), 1))
    return np.where(which[:, np.newaxis], np.nextafter(same, np.float32(9)), same)


@pytest.mark.parametrize("batch", [8, 50, 64])
def test_rows_that_are_rounded_by_their_place_in_a_batch_are_equal(batch):
    """The last two rows of each batch may differ in the last bit, and inputs are constant still."""
    logits = rounded_up(np.arange(200) % batch >= batch - 2)
    finding = run_check("logits_valid", Evidence(logits=logits))
    assert "failed" == finding.verdict
    assert finding.signs["logits-bit-equal"]
    assert "inputs-constant" == diagnose(Evidence(logits=logits)).causes[0].code


@pytest.mark.parametrize("seed", range(5))
def test_rows_that_are_rounded_here_and_there_let_something_through(seed):
    """Where the last bit goes by the text, the model's weights are to blame, not its inputs."""
    logits = rounded_up(np.random.default_rng(seed).random(200) < 0.1)
    finding = run_check("logits_valid", Evidence(logits=logits))
    assert not finding.signs["logits-bit-equal"]
    assert finding.signs["logits-vary-by-rounding"]


@pytest.mark.parametrize("rows", [2, 3, 20])
def test_sure_probabilities_of_one_label_are_no_constant(rows):
    """A slice of one label may be certain to the last bit: half of its rows are, the others not."""
    probabilities = rounded_up(np.arange(rows) < rows / 2, row=(0.99999994, 6e-8))
    assert "passed" == run_check("logits_valid", Evidence(logits=probabilities)).verdict


@pytest.mark.parametrize("row", [[1.0], [0.0], [0.0, 1.0, 0.0]])
def test_equal_rows_of_zeros_and_ones_are_answers(row):
    """Rounded probabilities of a slice of one class are all the same, and no fault of the model."""
    label = int(np.argmax(row)) if len(row) > 1 else int(row[0])
    rounded = Evidence(logits=[row] * 60, y_true=[label] * 60)
    finding = run_check("logits_valid", rounded)
    assert "passed" == finding.verdict
    assert finding.signs["logits-bit-equal"]
    assert (row == [1.0]) == finding.signs["one-unit-always-1"]
    other = Evidence(logits=[row] * 60, y_true=[label] * 20 + [1 - label] * 40)
    assert "failed" == run_check("not_collapsed", other).verdict


def test_one_row_cannot_be_constant():
    """A single example tells nothing of whether outputs vary."""
    finding = run_check("logits_valid", Evidence(logits=[[1.0, 2.0]]))
    assert "passed" == finding.verdict
    assert "logits-constant" not in finding.signs


def test_a_shift_common_to_each_row_is_no_variation():
    """Scores that differ between rows by a constant only decide nothing: spread is about 0."""
    generator = np.random.default_rng(0)
    logits = np.array([[2.0, 0.0, -1.0]]) + generator.normal(scale=5, size=(40, 1))
    finding = run_check("logits_valid", Evidence(logits=logits))
    assert finding.signs["logits-constant"]
    assert not finding.signs["logits-bit-equal"]


def test_probabilities_are_an_error_only_where_logits_were_asked_for():
    """A head with a softmax is legitimate, unless raw logits are demanded."""
    run = trained(3, 0)
    evidence = run.evidence(logits=softmax(run.outputs))
    assert "passed" == run_check("logits_valid", evidence).verdict
    finding = run_check("logits_valid", evidence, allow_probabilities=False)
    assert "failed" == finding.verdict
    assert ("loss-misconfigured",) == finding.causes
    raw = run_check("logits_valid", run.evidence(), allow_probabilities=False)
    assert "passed" == raw.verdict


def test_an_untrained_head_is_faint():
    """A head at its random start, on real features, hardly varies and commits to nothing."""
    run = trained(3, 0)
    features = run.vectorizer.transform(run.texts)
    head = 0.02 * np.random.default_rng(0).normal(size=(features.shape[1], 3))
    untrained = run_check("logits_valid", run.evidence(logits=features @ head))
    trained_signs = run_check("logits_valid", run.evidence(logits=3 * run.outputs)).signs
    for sign in ("logits-faint", "confidence-faint"):
        assert untrained.signs[sign]
        assert not trained_signs[sign]


def test_confidence_lost_since_training_is_seen():
    """Outputs far less sure than the same model's on its training rows are a sign, not a verdict.

    The sign is missing where no training outputs were given.
    """
    run = trained(3, 0)
    sample = run.train_texts[:60]
    known = {"train_logits": 3 * run.logits(sample), "train_y_true": run.y_train[:60]}
    kept = run_check("logits_valid", run.evidence(logits=3 * run.outputs, **known))
    lost = run_check("logits_valid", run.evidence(logits=run.outputs / 30, **known))
    assert "passed" == kept.verdict == lost.verdict
    assert not kept.signs["confidence-lost-since-training"]
    assert lost.signs["confidence-lost-since-training"]
    alone = run_check("logits_valid", run.evidence())
    assert "confidence-lost-since-training" not in alone.signs


# Collapse


def constant(n, label=0, num_labels=2):
    """Answers of a model that says the same to everything."""
    return {"y_pred": np.full(n, label), "label_names": [f"l{i}" for i in range(num_labels)]}


@pytest.mark.parametrize(
    ("n", "verdict"), [(20, "inconclusive"), (134, "inconclusive"), (135, "failed")]
)
def test_equal_answers_without_true_labels(n, verdict):
    """134 equal answers may be a healthy model's, within its limit of 95 %; 135 are not."""
    finding = run_check("not_collapsed", Evidence(**constant(n)))
    assert verdict == finding.verdict
    if verdict == "inconclusive":
        assert 135 == finding.statistics["needed"]
        assert ("y_true",) == finding.needs
        assert "135" in finding.summary


@pytest.mark.parametrize(("n", "verdict"), [(134, "inconclusive"), (135, "failed")])
def test_equal_answers_and_nothing_else(n, verdict):
    """The same with a bare list of ids: neither names nor outputs are needed to count."""
    assert verdict == run_check("not_collapsed", Evidence(y_pred=[0] * n)).verdict


@pytest.mark.parametrize(("others", "verdict"), [(30, "inconclusive"), (31, "failed")])
@pytest.mark.parametrize("own", [0, 10, 500])
def test_equal_answers_given_true_labels(others, verdict, own):
    """31 examples of other labels prove a collapse, however many of its own label there are."""
    y_true = np.repeat([0, 1], [own, others])
    finding = run_check("not_collapsed", Evidence(y_true=y_true, **constant(own + others)))
    assert verdict == finding.verdict
    assert others == finding.statistics["others"] == finding.statistics["answered_others"]


@pytest.mark.parametrize("majority", [0.5, 0.6, 0.69])
def test_constant_answers_are_found_with_a_hundred_rows(majority):
    """A constant answer on data as uneven as 69/31 is found with 100 rows."""
    y_true = (np.arange(100) >= round(100 * majority)).astype(int)
    finding = run_check("not_collapsed", Evidence(y_true=y_true, **constant(100)))
    assert "failed" == finding.verdict
    assert "100/100 predictions are 'l0'" in finding.summary


@pytest.mark.parametrize("seed", range(5))
def test_a_good_model_on_very_uneven_data_passes(seed):
    """A good model on 99/1 data answers the majority nearly always, and that is no collapse."""
    generator = np.random.default_rng(seed)
    y_true, logits = session(generator, num_labels=2, n=2000, majority=0.99, skill=4)
    evidence = Evidence(y_true=y_true, logits=logits)
    finding = run_check("not_collapsed", evidence)
    assert 0.97 < finding.statistics["share"]
    assert "passed" == finding.verdict


@pytest.mark.parametrize("n", [1, 20, 200, 2000])
def test_one_label_in_the_evaluation_set_is_no_collapse(n):
    """A slice of one class, all answered with that class, proves nothing against the model."""
    finding = run_check("not_collapsed", Evidence(y_true=[1] * n, **constant(n, 1)))
    assert "failed" != finding.verdict


@pytest.mark.parametrize("num_labels", [2, 3, 5])
def test_outputs_under_one_answer_may_still_rank_the_labels(num_labels):
    """A constant added to one column collapses the answers and leaves the ranking; noise has none.

    Outputs without a difference rank nothing.
    """
    run = trained(num_labels, 0, n=300)
    tilted = run.outputs + 1000 * np.eye(num_labels)[1]
    noise = np.random.default_rng(0).normal(size=tilted.shape) + 1000 * np.eye(num_labels)[1]
    for logits, ranked in ((tilted / 500, True), (noise / 500, False), (0 * noise, False)):
        finding = run_check("not_collapsed", Evidence(y_true=run.y_true, logits=logits))
        assert "failed" == finding.verdict
        assert ranked is finding.signs["outputs-rank-labels"]
    codes = [cause.code for cause in diagnose(run.evidence(logits=tilted / 500)).causes]
    assert "learning-rate-too-high" not in codes[:1]


@pytest.mark.parametrize("num_labels", [2, 3])
def test_exchanged_labels_are_no_collapse(num_labels):
    """Where labels are exchanged, all of one go to another, which is not the answer to all."""
    run = trained(num_labels, 0, n=300)
    evidence = run.evidence(y_pred=np.array([1, 0, 2])[run.answers])
    finding = run_check("not_collapsed", evidence)
    assert "passed" == finding.verdict
    assert not finding.signs["collapsed"]


def test_a_few_exceptions_are_still_a_collapse():
    """Three answers of another label, not where it belongs, do not hide a collapse."""
    y_true = np.repeat([0, 1], 100)
    y_pred = np.zeros(200, dtype=int)
    y_pred[[3, 50, 120]] = 1
    finding = run_check(
        "not_collapsed", Evidence(y_true=y_true, y_pred=y_pred, label_names=["a", "b"])
    )
    assert "failed" == finding.verdict
    assert finding.signs["answers-nearly-constant"]
    assert not finding.signs["answers-constant"]


def test_a_real_model_at_an_absurd_learning_rate():
    """An SGD classifier at a constant rate of 1e-9 keeps its start and answers one label to all."""
    run = trained(2, 0, n=200)
    features = run.vectorizer.transform(run.train_texts)
    model = SGDClassifier(
        loss="log_loss", learning_rate="constant", eta0=1e-9, max_iter=1, tol=None, random_state=0
    )
    y_train = np.r_[np.ones(250, dtype=int), run.y_train[250:]]
    model.fit(features, y_train)
    margin = model.decision_function(run.vectorizer.transform(run.texts))
    evidence = Evidence(y_true=run.y_true, logits=np.stack([-margin, margin], axis=1))
    assert "failed" == run_check("not_collapsed", evidence).verdict
    assert run_check("logits_valid", evidence).signs["logits-faint"]


def test_the_table_of_answers():
    """True and predicted counts by label, the most predicted first; '-' where unknown."""
    evidence = Evidence(y_true=np.repeat([0, 1], 50), **constant(100, 1))
    header, first, second = run_check("not_collapsed", evidence).table
    assert ("label", "true", "predicted") == header
    assert ("l1", "50", "100") == first
    assert ("l0", "50", "0") == second
    unknown = run_check("not_collapsed", Evidence(**constant(200))).table
    assert {"-"} == {true for _, true, _ in unknown[1:]}


@given(seed=SEEDS, n=st.integers(1, 300), limit=st.floats(0.5, 0.99))
@settings(deadline=None, max_examples=60)
def test_the_limit_without_true_labels_is_the_users(seed, n, limit):
    """At most ``max_share`` equal answers never fail."""
    generator = np.random.default_rng(seed)
    top = int(limit * n)
    y_pred = generator.permutation(np.repeat([0, 1], [top, n - top]))
    evidence = Evidence(y_pred=y_pred, label_names=["a", "b"])
    assume(max(top, n - top) <= limit * n)
    assert "passed" == run_check("not_collapsed", evidence, max_share=limit).verdict


def test_answers_that_cannot_be_read_are_open():
    """Answers of another number than examples are for the decoding check to explain."""
    evidence = Evidence(y_true=[0, 1, 1], y_pred=[0, 1], label_names=["a", "b"])
    for name in ("not_collapsed", "beats_majority"):
        finding = run_check(name, evidence)
        assert "inconclusive" == finding.verdict
        assert "decoding_consistent" in finding.summary


def test_collapse_at_the_limit_is_called_no_more_often_than_allowed():
    """With 80 % of the others answered alike, the null hypothesis at its edge, 5 % fail at most."""
    generator = np.random.default_rng(0)
    failed = 0
    for _ in range(600):
        n = int(generator.integers(20, 400))
        y_true = generator.integers(0, 3, n)
        y_pred = np.where(
            (y_true == 0) | (generator.random(n) < 0.8), 0, generator.integers(1, 3, n)
        )
        evidence = Evidence(y_true=y_true, y_pred=y_pred, label_names=NAMES3)
        failed += run_check("not_collapsed", evidence, alpha=0.05).verdict == "failed"
    assert statistics.clopper_pearson(failed, 600, 0.001)[0] <= 0.05


# Better than the majority


@pytest.mark.parametrize("num_labels", [2, 3, 5])
def test_a_real_model_beats_the_majority(num_labels):
    """A real trained classifier passes, and its accuracy lies in its interval."""
    run = trained(num_labels, 1)
    finding = run_check("beats_majority", run.evidence())
    assert "passed" == finding.verdict
    assert finding.signs["informative"]
    low, high = finding.statistics["accuracy_interval"]
    assert low < finding.statistics["accuracy"] <= high
    assert (run.answers == run.y_true).mean() == finding.statistics["accuracy"]


@pytest.mark.parametrize("seed", range(4))
def test_guessing_is_open(seed):
    """A model at chance may face a hard task or be broken: inconclusive, and it says what helps."""
    y_true, y_pred = np.random.default_rng(seed).integers(0, 2, (2, 300))
    evidence = Evidence(y_true=y_true, y_pred=y_pred, label_names=["a", "b"])
    finding = run_check("beats_majority", evidence)
    assert finding.verdict in ("inconclusive", "passed")
    assert not finding.signs["informative"]
    assert ("reference_y_pred",) == finding.needs or finding.verdict == "passed"


@pytest.mark.parametrize("num_labels", [2, 3, 5])
def test_worse_than_chance_fails(num_labels):
    """Answers that avoid the right label fail: no broken optimiser does that, a mix-up does."""
    run = trained(num_labels, 0, n=600)
    wrong = (run.answers + 1) % num_labels
    finding = run_check("beats_majority", run.evidence(y_pred=wrong))
    assert "failed" == finding.verdict
    assert finding.signs["below-chance"]
    assert "label-mapping-swapped" == finding.causes[0]


def test_recall_of_a_rare_label_may_cost_accuracy():
    """A model below the majority's share that finds the rare label is no worse than a constant."""
    generator = np.random.default_rng(0)
    y_true = (generator.random(2000) < 0.05).astype(int)
    found = generator.random(2000) < np.where(y_true == 1, 0.8, 0.2)
    finding = run_check(
        "beats_majority",
        Evidence(y_true=y_true, y_pred=found.astype(int), label_names=["usual", "rare"]),
    )
    assert finding.statistics["accuracy"] < finding.statistics["majority_share"]
    assert "passed" == finding.verdict


def test_nothing_to_beat():
    """With one label in y_true there is no majority to beat."""
    finding = run_check("beats_majority", Evidence(y_true=[0] * 50, **constant(50)))
    assert "passed" == finding.verdict
    assert "nothing to beat" in finding.summary


@pytest.mark.simulation
@pytest.mark.parametrize("num_labels", [2, 3, 20])
def test_chance_is_called_worse_no_more_often_than_allowed(num_labels):
    """Answers drawn at random, on balanced and on uneven labels, fail in 5 % at most."""
    generator = np.random.default_rng(num_labels)
    failed = 0
    for _ in range(300):
        n = int(generator.integers(20, 500))
        prior = generator.dirichlet(np.full(num_labels, 1.0))
        y_true, y_pred = generator.choice(num_labels, size=(2, n), p=prior)
        evidence = Evidence(
            y_true=y_true, y_pred=y_pred, label_names=[str(i) for i in range(num_labels)]
        )
        failed += run_check("beats_majority", evidence, alpha=0.05).verdict == "failed"
    assert statistics.clopper_pearson(failed, 300, 0.001)[0] <= 0.05


# Far below a reference


def test_a_model_as_good_as_the_reference_passes():
    """The reference itself, and a model on the same features, are not far below it."""
    run = trained(3, 0)
    finding = run_check("not_far_below_reference", run.evidence(reference_y_pred=run.answers))
    assert "passed" == finding.verdict
    assert not finding.signs["reference-weak"]


@pytest.mark.parametrize("num_labels", [2, 3, 5])
def test_a_broken_model_beside_a_good_reference_fails(num_labels):
    """A real model trained on shuffled labels is far below a reference trained on the real ones."""
    run = trained(num_labels, 0)
    shuffled = np.random.default_rng(0).permutation(run.y_train)
    model = SGDClassifier(loss="log_loss", random_state=0)
    model.fit(run.vectorizer.transform(run.train_texts), shuffled)
    answers = model.predict(run.vectorizer.transform(run.texts))
    evidence = run.evidence(y_pred=answers, reference_y_pred=run.answers)
    finding = run_check("not_far_below_reference", evidence)
    assert "failed" == finding.verdict
    assert finding.signs["far-below-reference"]
    assert "look for the fault in the pipeline" in finding.fix


def test_a_hard_task_is_hard_for_both():
    """Where the reference is at chance too, a model at chance is not blamed."""
    y_true, answers, reference = np.random.default_rng(0).integers(0, 2, (3, 400))
    evidence = Evidence(
        y_true=y_true, y_pred=answers, reference_y_pred=reference, label_names=["a", "b"]
    )
    finding = run_check("not_far_below_reference", evidence)
    assert "passed" == finding.verdict
    assert finding.signs["reference-weak"]


def test_a_tiny_evaluation_set_is_not_enough():
    """Ten rows cannot prove that a model is far below its reference, whatever they are."""
    y_true = np.array([0, 1] * 3)
    evidence = Evidence(
        y_true=y_true, y_pred=1 - y_true, reference_y_pred=y_true, label_names=["a", "b"]
    )
    assert "failed" != run_check("not_far_below_reference", evidence).verdict


def test_rows_out_of_range_are_left_out():
    """Hidden true ids and reference answers that are no label are not compared."""
    run = trained(3, 0)
    y_true = run.y_true.copy()
    y_true[:20] = -1
    reference = run.answers.copy()
    reference[20:30] = 7
    finding = run_check(
        "not_far_below_reference", run.evidence(y_true=y_true, reference_y_pred=reference)
    )
    assert f"of the same {len(y_true) - 30}" in finding.summary
    hidden = run.evidence(y_true=np.full(len(y_true), -1), reference_y_pred=reference)
    assert "inconclusive" == run_check("not_far_below_reference", hidden).verdict


def test_a_model_with_the_skill_asked_for_fails_no_more_often_than_allowed():
    """A model that keeps three quarters of a reference's skill, the edge, fails in 5 % at most."""
    generator = np.random.default_rng(0)
    failed = 0
    for _ in range(500):
        n = int(generator.integers(40, 600))
        y_true = generator.integers(0, 2, n)
        reference = np.where(generator.random(n) < 0.9, y_true, 1 - y_true)
        answers = np.where(generator.random(n) < 0.5 + 0.75 * 0.4, y_true, 1 - y_true)
        evidence = Evidence(
            y_true=y_true, y_pred=answers, reference_y_pred=reference, label_names=["a", "b"]
        )
        finding = run_check("not_far_below_reference", evidence, alpha=0.05)
        failed += finding.verdict == "failed"
    assert statistics.clopper_pearson(failed, 500, 0.001)[0] <= 0.05


# Far below validation


def validated(run, y_pred, *, shares=(0.5, 0.955), y_train=None):
    """Judge answers beside the accuracies that training reported."""
    return run_check(
        "not_far_below_validation",
        run.evidence(
            y_pred=y_pred,
            val_accuracy=list(shares),
            y_train=run.y_train if y_train is None else y_train,
        ),
    )


@pytest.mark.parametrize("num_labels", [2, 3, 5])
def test_answers_as_good_as_in_validation_pass(num_labels):
    """A real model passes beside its own accuracy on a part of the rows."""
    run = trained(num_labels, 0)
    part = float((run.answers == run.y_true)[:100].mean())
    finding = validated(run, run.answers, shares=[0.4, part])
    assert "passed" == finding.verdict
    assert finding.signs["far-below-validation"] is False
    assert finding.signs["below-validation"] is False
    assert part == finding.statistics["validation_accuracy"]


def test_answers_below_validation_are_a_sign_before_they_fail():
    """Half of validation's skill passes; that it is less than three quarters of it is noted."""
    y_true = np.arange(1000) % 2
    right = np.arange(1000) * 7 % 1000 < 750
    finding = run_check(
        "not_far_below_validation",
        Evidence(
            y_true=y_true,
            y_pred=np.where(right, y_true, 1 - y_true),
            val_accuracy=[0.941, 0.953],
            y_train=y_true,
        ),
    )
    assert "passed" == finding.verdict
    assert finding.signs["far-below-validation"] is False
    assert finding.signs["below-validation"] is True


@pytest.mark.parametrize("num_labels", [2, 3, 5])
def test_answers_in_another_order_are_far_below_validation(num_labels):
    """Rows shuffled after a good training: the model is what it was, the answers are at chance."""
    run = trained(num_labels, 0)
    finding = validated(run, np.random.default_rng(0).permutation(run.answers))
    assert "failed" == finding.verdict
    assert "labels-misaligned" == finding.causes[0]
    assert "96% in validation" in finding.summary


@pytest.mark.parametrize(
    ("shares", "rows"),
    [([0.85], 20), ([0.85, 0.86], 100), ([0.5, 1 / 3], 6), (np.float32([137 / 150, 0.9]), 150),
     ([1.0], 1), ([np.nan, 0.75, np.nan], 4), ([2**0.5 / 10, 3**0.5 / 10, 0.5], 2),
     ([0.87], 100), ([0.4833, 0.6833, 0.5167], 60), ([0.955], 200)],
)  # fmt: skip
def test_the_rows_of_a_validation_set_follow_from_its_shares(shares, rows):
    """The fewest rows that all reported accuracies, or the last one, can be (rounded) shares of."""
    run = trained(2, 0)
    finding = validated(run, run.answers, shares=shares)
    assert rows == finding.statistics["validation_rows"]


def test_a_validation_set_of_few_rows_proves_nothing():
    """One validation row that was right says nothing about a model at chance."""
    run = trained(2, 0)
    shuffled = np.random.default_rng(0).permutation(run.answers)
    assert "passed" == validated(run, shuffled, shares=[1.0]).verdict
    assert "failed" == validated(run, shuffled, shares=[0.99, 1.0]).verdict


@given(seed=SEEDS, rare=st.floats(0.02, 0.5), recall=st.floats(0.55, 1))
@settings(deadline=None, max_examples=60)
def test_another_balance_than_in_validation_is_no_fault(seed, rare, recall):
    """Training and validation at 98/2 to 50/50, evaluation half and half: only the balance fell."""
    generator = np.random.default_rng(seed)

    def answered(n, share):
        y = (generator.random(n) < share).astype(int)
        return y, np.where(generator.random(n) < np.where(y == 1, recall, 0.98), y, 1 - y)

    y_val, val_pred = answered(500, rare)
    y_true, y_pred = answered(400, 0.5)
    y_train = np.repeat([0, 1], [round(1000 * (1 - rare)), round(1000 * rare)])
    finding = run_check(
        "not_far_below_validation",
        Evidence(
            y_true=y_true, y_pred=y_pred, y_train=y_train,
            val_accuracy=[(y_val == val_pred).mean()],
        ),
    )  # fmt: skip
    assert "passed" == finding.verdict


def test_a_slice_of_the_labels_is_judged_by_what_it_holds():
    """Evaluated on its two worst labels only, a healthy model of five is not far below."""
    generator = np.random.default_rng(0)
    y_train = np.arange(1000) % 5
    y_true = generator.integers(0, 2, 300)
    y_pred = np.where(generator.random(300) < 0.5, y_true, 1 - y_true)
    evidence = Evidence(
        y_true=y_true, y_pred=y_pred, y_train=y_train, val_accuracy=[0.8, 0.799],
        label_names=list("abcde"),
    )  # fmt: skip
    assert "passed" == run_check("not_far_below_validation", evidence).verdict


@pytest.mark.parametrize("num_labels", [2, 5])
def test_half_of_the_validated_skill_fails_no_more_often_than_allowed(num_labels):
    """At the edge, half of the skill that validation saw, at most 5 % of 120 sessions fail."""
    generator = np.random.default_rng(num_labels)
    failed = 0
    for _ in range(120):
        n, size = (int(generator.integers(40, 600)) for _ in range(2))
        y_true = generator.integers(0, num_labels, n)
        y_train = np.arange(500 * num_labels) % num_labels
        wrong = (y_true + 1) % num_labels
        right = 1 / num_labels + 0.8 * (1 - 1 / num_labels)
        half = 1 / num_labels + 0.4 * (1 - 1 / num_labels)
        evidence = Evidence(
            y_true=y_true,
            y_pred=np.where(generator.random(n) < half, y_true, wrong),
            y_train=y_train,
            val_accuracy=[1 / size, generator.binomial(size, right) / size],
            label_names=[str(label) for label in range(num_labels)],
        )
        finding = run_check("not_far_below_validation", evidence, alpha=0.05)
        failed += finding.verdict == "failed"
    assert statistics.clopper_pearson(failed, 120, 0.001)[0] <= 0.05


@pytest.mark.parametrize("fields", [{"val_accuracy": [85.0]}, {"val_accuracy": [np.nan]},
                                    {"y_train": [-1, 9]}])  # fmt: skip
def test_what_is_no_validation_accuracy_is_inconclusive(fields):
    """Percent, nothing but NaN, and training labels that are no labels give no verdict."""
    run = trained(2, 0)
    evidence = run.evidence(**{"val_accuracy": [0.9], "y_train": run.y_train, **fields})
    assert "inconclusive" == run_check("not_far_below_validation", evidence).verdict


# All of them


@pytest.mark.simulation
def test_no_check_fails_healthy_sessions():
    """Over 800 healthy sessions of 2 to 20 labels, 20 to 2000 rows, balances to 99/1.

    The whole suite fails no more of them than alpha allows to one check.
    """
    generator = np.random.default_rng(2024)
    failed = [
        [finding.summary for finding in findings if finding.verdict == "failed"]
        for findings in map(run_checks, healthy_sessions(generator, 800))
    ]
    assert statistics.clopper_pearson(sum(map(bool, failed)), 800, 0.001)[0] <= 0.001, failed


@given(seed=SEEDS, alpha=st.sampled_from([0.2, 0.01, 0.001]))
@settings(deadline=None, max_examples=40)
def test_the_family_demotes_what_it_cannot_reject(seed, alpha):
    """Together, checks fail no more than each alone; what is demoted says so and stays open."""
    generator = np.random.default_rng(seed)
    y_true = generator.integers(0, 2, 60)
    y_pred = np.where(generator.random(60) < 0.35, y_true, 1 - y_true)
    evidence = Evidence(y_true=y_true, y_pred=y_pred, label_names=["a", "b"])
    together = {finding.check: finding for finding in run_checks(evidence, alpha=alpha)}
    tested = [finding for finding in together.values() if finding.p_value is not None]
    for name in ("labels_not_swapped", "beats_majority", "not_collapsed"):
        alone = run_check(name, evidence, alpha=alpha)
        assert alone.p_value == together[name].p_value
        if alone.verdict != together[name].verdict:
            assert ("failed", "inconclusive") == (alone.verdict, together[name].verdict)
            assert f"in {len(tested)} tests" in together[name].summary


def test_checks_that_compare_how_often_two_are_right_weigh_more():
    """Each of those, and no other, has the weight of a comparison."""
    compare = [item.name for item in all_checks() if item.weight == COMPARISON]
    assert [
        "labels_not_noisier",
        "labels_as_predictable",
        "truncation_harmless",
        "not_far_below_reference",
        "not_far_below_validation",
        "no_regression",
        "no_class_regression",
    ] == compare
    assert {1.0, COMPARISON} == {item.weight for item in all_checks()}


def test_a_comparison_may_use_more_of_alpha_than_other_tests():
    """Of five tests one compares how often two are right: it fails up to half of alpha."""
    y_true = np.arange(400) % 2
    place = np.arange(400) // 2
    evidence = Evidence(
        y_true=y_true,
        y_pred=np.where(place < 140, y_true, 1 - y_true),
        reference_y_pred=np.where(place < 196, y_true, 1 - y_true),
        label_names=["a", "b"],
    )
    alone = run_check("not_far_below_reference", evidence)
    findings = run_checks(evidence, alpha=alone.p_value * 2 * 1.001)
    tested = [finding for finding in findings if finding.p_value is not None]
    assert 5 == len(tested)
    verdicts = {finding.check: finding.verdict for finding in findings}
    assert "failed" == verdicts["not_far_below_reference"]
    findings = run_checks(evidence, alpha=alone.p_value * 2 * 0.999)
    verdicts = {finding.check: finding.verdict for finding in findings}
    assert "inconclusive" == verdicts["not_far_below_reference"]


# Classes that are never predicted


@given(seed=SEEDS, num_labels=st.integers(2, 6), support=st.integers(1, 200))
@settings(deadline=None, max_examples=60)
def test_a_dead_class_is_found_from_as_many_examples_as_its_recall_asks(seed, num_labels, support):
    """It fails as soon as so many misses are less likely than alpha, and is open before."""
    y_true = np.repeat(np.arange(num_labels), support)
    y_pred = np.where(y_true == 0, 1, y_true)
    finding = run_check("every_class_predicted", Evidence(y_true=y_true, y_pred=y_pred))
    enough = num_labels * 0.9**support <= 0.001
    assert ("failed" if enough else "inconclusive") == finding.verdict
    assert ["0"] == finding.statistics["never_predicted"]
    if not enough:
        assert num_labels * 0.9 ** finding.statistics["needed"] <= 0.001


def test_a_label_that_does_not_occur_need_not_be_predicted():
    """A slice with some of the labels only is no dead class, whatever names there are."""
    evidence = Evidence(y_true=[0, 1] * 90, y_pred=[0, 1] * 90, label_names=["a", "b", "c"])
    assert "passed" == run_check("every_class_predicted", evidence).verdict


# Metrics against a limit


@given(seed=SEEDS, limit=st.floats(0.05, 0.99), n=st.integers(5, 400))
@settings(deadline=None, max_examples=60)
def test_accuracy_is_judged_by_its_exact_bounds(seed, limit, n):
    """It passes above the lower Clopper-Pearson bound, fails beyond the upper one."""
    generator = np.random.default_rng(seed)
    y_true = generator.integers(0, 2, n)
    y_pred = np.where(generator.random(n) < generator.random(), y_true, 1 - y_true)
    evidence = Evidence(y_true=y_true, y_pred=y_pred)
    finding = run_check("metric_at_least", evidence, alpha=0.025, limit=limit)
    low, high = statistics.clopper_pearson(int((y_true == y_pred).sum()), n, 0.05)
    expected = "failed" if high < limit else "passed" if low >= limit else "inconclusive"
    assert expected == finding.verdict


@pytest.mark.parametrize("metric", ["f1_macro", "neg_log_loss", "roc_auc_ovo"])
def test_any_scorer_is_compared_with_its_bounds(metric):
    """A limit well below the value passes, one well above fails, one at the value is open."""
    run = trained(3, 0)
    evidence = run.evidence()
    value = run_check("metric_at_least", evidence, metric=metric, limit=-9.0).statistics["value"]
    for limit, expected in (
        (value - 0.5, "passed"),
        (value, "inconclusive"),
        (value + 0.5, "failed"),
    ):
        assert (
            expected
            == run_check(
                "metric_at_least", evidence, metric=metric, limit=limit, alpha=0.05
            ).verdict
        )


def test_the_value_is_scikit_learns():
    """The point value is what scikit-learn's own function gives."""
    run = trained(3, 0)
    finding = run_check("metric_at_least", run.evidence(), metric="f1_macro", limit=0.5)
    assert (
        pytest.approx(f1_score(run.y_true, run.answers, average="macro"))
        == (finding.statistics["value"])
    )


@pytest.mark.parametrize("n", [5, 20, 100])
def test_a_few_right_answers_prove_no_high_limit(n):
    """All answers right: the bound is that of so many examples, not certainty."""
    y = np.arange(n) % 2
    evidence = Evidence(y_true=y, y_pred=y)
    finding = run_check("metric_at_least", evidence, metric="f1_macro", limit=0.999, alpha=0.05)
    assert "inconclusive" == finding.verdict


@pytest.mark.simulation
@pytest.mark.parametrize("metric", ["accuracy", "f1_macro"])
def test_a_model_at_the_limit_fails_as_seldom_as_alpha_says(metric):
    """Of models whose accuracy is the limit, no more than 5 % fail, significantly."""
    generator = np.random.default_rng(0)
    models = 400 if metric == "accuracy" else 25  # a bootstrap each
    failed = 0
    for _ in range(models):
        y_true = generator.permutation(np.resize([0, 1], 200))
        y_pred = np.where(generator.random(200) < 0.8, y_true, 1 - y_true)
        evidence = Evidence(y_true=y_true, y_pred=y_pred)
        finding = run_check("metric_at_least", evidence, metric=metric, limit=0.8, alpha=0.05)
        failed += finding.verdict == "failed"
    assert statistics.clopper_pearson(failed, models, 0.01)[0] <= 0.05
