"""Checks of the mapping between ids and names, and of labels that were exchanged."""

from __future__ import annotations

import ast
import re
import types

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import confusion_matrix
from sklearn.preprocessing import LabelEncoder

from pytest_bertcheck import (
    Evidence,
    assert_label_mapping_consistent,
    diagnose,
    statistics,
)

from .simulate import NAMES, healthy_sessions, run_check, session, trained

SEEDS = st.integers(0, 2**32 - 1)
LABEL_NAMES = st.lists(
    st.text("abcdefghij'\"\\ éß", min_size=1, max_size=8).filter(
        lambda name: name.strip() and not re.fullmatch(r"(label_?)?\d*", name)
    ),
    min_size=2,
    max_size=8,
    unique_by=lambda name: name.strip().casefold(),
)


def mapping(model, dataset=None, **fields):
    """Run the check of the names."""
    evidence = Evidence(label_names=model, dataset_label_names=dataset, **fields)
    return run_check("label_mapping_consistent", evidence)


@given(names=LABEL_NAMES, seed=SEEDS)
@settings(deadline=None, max_examples=60)
def test_the_same_names_in_the_same_order_pass(names, seed):
    """Names that are equal up to case and outer blanks pass, in every form of mapping."""
    generator = np.random.default_rng(seed)
    written = [name.upper() if "ß" not in name and generator.random() < 0.5 else f" {name} "
               for name in names]  # fmt: skip
    assume(all(a.strip().casefold() == b.strip().casefold()
               for a, b in zip(names, written, strict=True)))  # fmt: skip
    for model in (names, dict(enumerate(names)), {name: i for i, name in enumerate(names)}):
        finding = mapping(model, written)
        assert "passed" == finding.verdict
        assert finding.signs["names-in-other-order"] is False


@pytest.mark.parametrize("names", [("US", "us"), ("b", "a", " a"), ("ß", "ss", "SS")])
def test_names_that_differ_in_case_only_are_told_apart(names):
    """Names that differ in case or outer blanks only pass in the same order, and only in that."""
    finding = mapping(names, names)
    assert "passed" == finding.verdict
    assert finding.signs["names-in-other-order"] is False
    assert ("label-mapping-swapped",) == mapping(names, names[::-1]).causes


@given(names=LABEL_NAMES, seed=SEEDS)
@settings(deadline=None, max_examples=80)
def test_the_same_names_in_another_order_are_a_fact(names, seed):
    """Any other order of the same names fails for certain, and counts the names that moved."""
    order = np.random.default_rng(seed).permutation(len(names)).tolist()
    assume(order != list(range(len(names))))
    finding = mapping(names, [names[i] for i in order])
    assert "failed" == finding.verdict
    assert finding.certain
    assert ("label-mapping-swapped",) == finding.causes
    assert finding.signs["names-in-other-order"]
    moved = sum(i != to for i, to in enumerate(order))
    assert f"{moved}/{len(names)} names moved" in finding.summary


@given(names=LABEL_NAMES, seed=SEEDS)
@settings(deadline=None, max_examples=80)
def test_the_corrected_mapping_can_be_pasted(names, seed):
    """The fix is valid Python that gives each id the data set's name, whatever the names hold."""
    order = np.random.default_rng(seed).permutation(len(names)).tolist()
    assume(order != list(range(len(names))))
    dataset = [names[i] for i in order]
    config = types.SimpleNamespace()
    model = types.SimpleNamespace(config=config)
    first, second = mapping(names, dataset).fix.splitlines()
    tree = ast.parse(f"{first}\n{second}")
    assert dict(enumerate(dataset)) == ast.literal_eval(tree.body[0].value)
    exec(compile(tree, "fix", "exec"), {"model": model})  # that it runs is the test
    assert {name: i for i, name in enumerate(dataset)} == config.label2id


def test_an_encoder_refitted_on_another_order():
    """A LabelEncoder sorts its classes; a model trained with another order does not agree."""
    model = {0: "spam", 1: "ham"}
    encoder = LabelEncoder().fit(["ham", "spam", "ham"])
    finding = mapping(model, encoder)
    assert ("label-mapping-swapped",) == finding.causes
    assert "0 is 'spam' in the model, 'ham' in the data" in finding.summary


def test_ids_sorted_as_text():
    """Names sorted as text ('1', '10', '2') are another order than that of the numbers."""
    numbers = [f"topic {i}" for i in range(12)]
    finding = mapping(numbers, sorted(numbers))
    assert ("label-mapping-swapped",) == finding.causes


CASES = {
    "placeholders, no data set": (
        {"model": ["LABEL_0", "LABEL_1"]}, "inconclusive", ()),
    "placeholders beside names": (
        {"model": ["LABEL_0", "LABEL_1"], "dataset": ["ham", "spam"]},
        "failed", ("label-names-missing",)),
    "placeholders on both sides": (
        {"model": ["LABEL_0", "LABEL_1"], "dataset": ["LABEL_0", "LABEL_1"]}, "passed", ()),
    "names, no data set": ({"model": ["ham", "spam"]}, "passed", ()),
    "star ratings": ({"model": ["1", "2", "3"], "dataset": ["1", "2", "3"]}, "passed", ()),
    "a gap": ({"model": {0: "a", 2: "c"}, "dataset": ["a", "b", "c"]},
              "failed", ("label-names-missing",)),
    "a name twice": ({"model": ["a", "b", "a"]}, "failed", ("label-names-missing",)),
    "fewer than the data set": ({"model": ["a", "b"], "dataset": ["a", "b", "c"]},
                                "failed", ("label-names-missing",)),
    "more than the data set": ({"model": ["a", "b", "c"], "dataset": ["a", "b"]},
                               "failed", ("label-names-missing",)),
    "fewer than the columns": ({"model": ["a", "b"], "logits": np.zeros((2, 3))},
                               "failed", ("label-names-missing",)),
    "as many as the columns": ({"model": ["a", "b"], "logits": np.zeros((2, 2))}, "passed", ()),
    "one column for two names": ({"model": ["a", "b"], "logits": np.zeros((2, 1))}, "passed", ()),
    "no name in common": ({"model": ["positive", "negative"], "dataset": ["pos", "neg"]},
                          "inconclusive", ()),
    "label2id inverse": ({"model": {0: "a", 1: "b"}, "label2id_names": {"a": 0, "b": 1}},
                         "passed", ()),
    "label2id not inverse": ({"model": {0: "a", 1: "b"}, "label2id_names": {"a": 1, "b": 0}},
                             "failed", ("label-names-missing",)),
    "label2id untouched": ({"model": {0: "a", 1: "b"},
                            "label2id_names": {"LABEL_0": 0, "LABEL_1": 1}},
                           "failed", ("label-names-missing",)),
    "label2id shorter": ({"model": {0: "a", 1: "b"}, "label2id_names": {"a": 0}},
                         "failed", ("label-names-missing",)),
}  # fmt: skip


@pytest.mark.parametrize(("sides", "verdict", "causes"), CASES.values(), ids=CASES.keys())
def test_names_case_by_case(sides, verdict, causes):
    """Names that are missing, doubled, too many or contradictory fail; a mere lack of them not."""
    finding = mapping(**sides)
    assert verdict == finding.verdict
    assert causes == finding.causes
    assert finding.certain == (verdict == "failed")
    assert finding.fix or verdict != "failed"


def test_names_that_differ_are_shown():
    """Where some names agree and others differ, those that differ are shown."""
    finding = mapping(["ham", "junk"], ["ham", "spam"])
    assert "failed" != finding.verdict
    assert "'junk'" in finding.summary
    assert "'spam'" in finding.summary


def test_hidden_states_in_place_of_logits_leave_the_names_right():
    """Two names beside 384 columns: the columns are wrong, so the names are not blamed."""
    generator = np.random.default_rng(0)
    evidence = Evidence(
        label_names=["ham", "spam"],
        logits=generator.normal(size=(60, 384)),
        y_true=generator.integers(0, 2, 60),
    )
    certain = [cause.code for cause in diagnose(evidence).causes if cause.certain]
    assert "label-names-missing" not in certain


def test_two_names_for_one_id_are_noticed():
    """label2id that gives one id to two names is no mapping, and is not taken for one."""
    with pytest.raises((AssertionError, ValueError), match=r"junk|ham"):
        assert_label_mapping_consistent({"ham": 0, "junk": 0, "spam": 1})


# Labels that were exchanged


def derangement(generator, size):
    """Return a random permutation of one cycle: each of ``size`` labels goes to another one."""
    cycle = generator.permutation(size)
    permutation = np.empty(size, dtype=int)
    permutation[cycle] = np.roll(cycle, 1)
    return permutation


@pytest.mark.parametrize("num_labels", [2, 3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_a_real_model_is_not_swapped(num_labels, seed):
    """A real trained classifier passes."""
    run = trained(num_labels, seed)
    finding = run_check("labels_not_swapped", run.evidence())
    assert "passed" == finding.verdict
    assert {"permutation-recovered": False} == finding.signs


@pytest.mark.parametrize("num_labels", [2, 3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_a_permutation_is_recovered(num_labels, seed):
    """Evaluation labels encoded in another order are found, and the order is recovered whole."""
    run = trained(num_labels, seed)
    permutation = derangement(np.random.default_rng(seed), num_labels)
    # y_true in another encoding: what the model calls permutation[i] is i here.
    y_true = np.argsort(permutation)[run.y_true]
    finding = run_check("labels_not_swapped", run.evidence(y_true=y_true))
    assert "failed" == finding.verdict
    assert "label-mapping-swapped" == finding.causes[0]
    assert permutation.tolist() == finding.statistics["permutation"]
    assert (run.answers == run.y_true).mean() == finding.statistics["accuracy_after"]
    assert finding.signs["permutation-recovered"]


def test_the_fix_of_a_swap_names_the_ids_right():
    """The mapping to paste gives each answered id the name of the label that it means."""
    run = trained(3, 0)
    spoken = ["science", "sport", "culture"]  # how the data set orders the labels of the run
    ids = np.array([spoken.index(name) for name in ("culture", "science", "sport")])
    # The model was trained with culture = 0, science = 1, sport = 2.
    evidence = run.evidence(y_true=ids[run.y_true], label_names=spoken, dataset_label_names=spoken)
    finding = run_check("labels_not_swapped", evidence)
    pasted = finding.fix.splitlines()[0].partition(" = ")[2]
    assert {0: "culture", 1: "science", 2: "sport"} == ast.literal_eval(pasted)


def test_an_encoder_refitted_on_the_evaluation_split():
    """A LabelEncoder fitted again on a split that lacks the first class moves every id."""
    run = trained(5, 2, n=200)
    kept = run.y_true != 0
    names = np.array(NAMES)[run.y_true[kept]]
    refitted = LabelEncoder().fit(names).transform(names)  # culture is 0 now, and so on
    evidence = run.evidence(y_true=refitted, logits=run.outputs[kept])
    accuracy = (evidence.answers == refitted).mean()
    assert accuracy < 0.1
    diagnosis = diagnose(evidence)
    assert "failed" == diagnosis.verdict
    assert "label-mapping-swapped" == diagnosis.causes[0].code


@pytest.mark.parametrize("seed", range(10))
def test_two_of_twenty_labels_are_found(seed):
    """A swap of two labels among twenty is found, and the other eighteen are left alone."""
    generator = np.random.default_rng(seed)
    y_true, logits = session(generator, num_labels=20, n=800, skill=5)
    first, second = generator.choice(20, 2, replace=False)
    swapped = y_true.copy()
    swapped[y_true == first], swapped[y_true == second] = second, first
    finding = run_check("labels_not_swapped", Evidence(y_true=swapped, logits=logits))
    assert "failed" == finding.verdict
    assert 2 == len(finding.statistics["moved_labels"])
    assert {str(first), str(second)} == set(finding.statistics["moved_labels"])
    assert finding.statistics["accuracy"] < finding.statistics["accuracy_after"]


def renamed_session(seed, num_labels, n, skill):
    """Return labels of which some were exchanged, the outputs, and which label each one means."""
    generator = np.random.default_rng(seed)
    y_true, logits = session(generator, num_labels=num_labels, n=n * num_labels, skill=skill)
    moved = generator.permutation(num_labels)[: generator.integers(2, num_labels + 1)]
    renamed = np.arange(num_labels)
    renamed[moved] = np.roll(moved, 1)
    return renamed[y_true], logits, np.argsort(renamed)


@given(seed=SEEDS, num_labels=st.integers(2, 12), n=st.integers(1, 40), skill=st.floats(0, 5))
@settings(deadline=None, max_examples=150)
def test_what_is_recovered_is_the_best_assignment(seed, num_labels, n, skill):
    """Of the labels that moved, a report gives the best assignment (Hungarian algorithm)."""
    y_true, logits, _ = renamed_session(seed, num_labels, n, skill)
    finding = run_check("labels_not_swapped", Evidence(y_true=y_true, logits=logits))
    if finding.verdict == "failed":
        permutation = np.array(finding.statistics["permutation"])
        moved = np.flatnonzero(permutation != np.arange(num_labels))
        table = confusion_matrix(y_true, logits.argmax(1), labels=range(num_labels))
        rows, columns = linear_sum_assignment(table[np.ix_(moved, moved)], maximize=True)
        best = table[moved[rows], moved[columns]].sum()
        assert best == table[moved, permutation[moved]].sum()


@pytest.mark.parametrize(
    ("seed", "num_labels", "n", "skill"),
    [(102, 9, 4, 2.5), (231997905, 7, 6, 2.81), (1927252045, 6, 6, 1.759)],
)
def test_a_tie_is_settled_by_the_label_that_is_left(seed, num_labels, n, skill):
    """A label that is answered as often with several others means the one that no other means."""
    y_true, logits, means = renamed_session(seed, num_labels, n, skill)
    table = confusion_matrix(y_true, logits.argmax(1), labels=range(num_labels))
    np.fill_diagonal(table, 0)
    most, second = np.sort(table, axis=1)[:, :-3:-1].T
    assert (most == second)[means != np.arange(num_labels)].any()
    finding = run_check("labels_not_swapped", Evidence(y_true=y_true, logits=logits))
    assert "failed" == finding.verdict
    assert means.tolist() == finding.statistics["permutation"]


def test_what_two_labels_claim_is_no_recovered_order():
    """Where a label that stays is answered with what a moved one means as often, it is open."""
    y_true, logits, means = renamed_session(75669392, 8, 16, 1.6453993019956532)
    finding = run_check("labels_not_swapped", Evidence(y_true=y_true, logits=logits))
    assert means.tolist() != finding.statistics["permutation"]
    assert "inconclusive" == finding.verdict


def test_a_swap_among_ten_thousand_labels_is_found():
    """Two labels of 10,000 that were exchanged are found and named, and a healthy model passes."""
    y_true = np.repeat(np.arange(10_000), 3)
    y_pred = y_true.copy()
    y_pred[::7] = (y_true[::7] + 5000) % 10_000  # each such error another pair of labels
    names = [f"label {label}" for label in range(10_000)]
    healthy = Evidence(y_true=y_true, y_pred=y_pred, label_names=names)
    assert "failed" != diagnose(healthy).verdict
    many = np.repeat([17, 4242], 20)
    swapped = Evidence(
        y_true=np.r_[y_true, many],
        y_pred=np.r_[y_pred, np.where(many == 17, 4242, 17)],
        label_names=names,
    )
    finding = run_check("labels_not_swapped", swapped)
    assert "failed" == finding.verdict
    assert ["label 17", "label 4242"] == finding.statistics["moved_labels"]


@pytest.mark.parametrize("n", [20, 40, 100])
def test_two_labels_exchanged_take_few_rows(n):
    """With two labels a swap of a good model is proved by 20 rows."""
    run = trained(2, 0, n=n)
    evidence = run.evidence(y_true=1 - run.y_true)
    finding = run_check("labels_not_swapped", evidence)
    assert "failed" == finding.verdict
    assert [1, 0] == finding.statistics["permutation"]


def test_answers_that_cannot_be_counted_are_open():
    """Answers that are no label ids, or true ids out of range, are for other checks to report."""
    outside = Evidence(y_true=[0, 1], y_pred=[5, 6], label_names=["a", "b"])
    hidden = Evidence(y_true=[-1, 1] * 40, y_pred=[0, 1] * 40, label_names=["a", "b"])
    assert "inconclusive" == run_check("labels_not_swapped", outside).verdict
    assert "inconclusive" == run_check("labels_not_swapped", hidden).verdict


def test_label_ids_alone_are_enough():
    """Two lists of ids, the simplest evidence there is, show a swap."""
    evidence = Evidence(y_true=[0, 1] * 30, y_pred=[1, 0] * 30)
    assert "failed" == run_check("labels_not_swapped", evidence).verdict


@pytest.mark.parametrize("side", ["label_names", "label2id_names"])
def test_one_of_two_maps_that_is_permuted_is_a_swap(side):
    """The data set's names tell which of id2label and label2id is wrong: it is no missing name."""
    names = ["business", "sport", "tech"]
    sides = dict.fromkeys(("label_names", "label2id_names", "dataset_label_names"), names)
    evidence = Evidence(**{**sides, side: ["tech", "business", "sport"]})
    finding = run_check("label_mapping_consistent", evidence)
    assert "failed" == finding.verdict
    expected = "label-mapping-swapped" if side == "label_names" else "label-names-missing"
    assert (expected,) == finding.causes


def test_a_strong_confusion_is_no_swap():
    """A model that takes most of one label for another, and knows the other, is not swapped."""
    y_true = np.repeat([0, 1, 2], 100)
    y_pred = np.where(y_true == 0, 1, y_true)
    finding = run_check(
        "labels_not_swapped", Evidence(y_true=y_true, y_pred=y_pred, label_names=list("abc"))
    )
    assert "failed" != finding.verdict


def test_exchanged_answers_that_a_plain_model_beats_even_unswapped_are_no_swap():
    """Worse than chance and 63 % unswapped, where TF-IDF gets 95 %: another fault, not a mapping.

    Beside a reference of 70 %, 63 % is what such a model would get: then it is swapped.
    """
    generator = np.random.default_rng(0)
    y_true = np.arange(400) % 2
    y_pred = np.where(generator.random(400) < 0.63, 1 - y_true, y_true)

    def verdict(accuracy):
        reference = np.where(generator.random(400) < accuracy, y_true, 1 - y_true)
        evidence = Evidence(
            y_true=y_true, y_pred=y_pred, reference_y_pred=reference, label_names=["ham", "spam"]
        )
        return run_check("labels_not_swapped", evidence).verdict

    assert ("inconclusive", "failed") == (verdict(0.95), verdict(0.7))


def test_a_random_head_is_not_as_sure_as_a_swapped_model():
    """A permuted answer of a trained model is sure of itself, that of a fresh head is not."""
    run = trained(5, 1)
    permutation = derangement(np.random.default_rng(3), 5)
    y_true = permutation[run.y_true]
    sure = run_check("labels_not_swapped", run.evidence(y_true=y_true, logits=3 * run.outputs))
    unsure = run_check("labels_not_swapped", run.evidence(y_true=y_true, logits=run.outputs / 50))
    assert not sure.signs["unsure-of-permutation"]
    assert unsure.signs["unsure-of-permutation"]


@pytest.mark.simulation
def test_healthy_sessions_are_hardly_ever_swapped():
    """Over 1500 healthy sessions of all kinds, no more fail than alpha allows."""
    generator = np.random.default_rng(11)
    failed = sum(
        run_check("labels_not_swapped", evidence).verdict == "failed"
        for evidence in healthy_sessions(generator, 1500)
    )
    assert statistics.clopper_pearson(failed, 1500, 0.001)[0] <= 0.001


@pytest.mark.parametrize("num_labels", [2, 3, 5, 20])
def test_answers_at_chance_are_called_swapped_no_more_often_than_allowed(num_labels):
    """On a hard task, answered by guessing, at most 5 % of 400 sessions look exchanged."""
    generator = np.random.default_rng(num_labels)
    failed = 0
    for _ in range(400):
        y_true, y_pred = generator.integers(0, num_labels, (2, int(generator.integers(20, 300))))
        evidence = Evidence(
            y_true=y_true, y_pred=y_pred, label_names=[f"l{i}" for i in range(num_labels)]
        )
        failed += run_check("labels_not_swapped", evidence, alpha=0.05).verdict == "failed"
    assert statistics.clopper_pearson(failed, 400, 0.001)[0] <= 0.05
