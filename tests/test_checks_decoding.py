"""How outputs become labels: every known mistake, on the outputs of real classifiers."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pytest_bertcheck import Evidence, diagnose, statistics

from .simulate import healthy_sessions, run_check, softmax, trained

SEEDS = st.integers(0, 2**32 - 1)
RUNS = [(2, 0), (2, 1), (3, 0), (3, 1), (5, 0), (5, 1)]
WIDE = [(3, 0), (5, 0), (5, 1)]


def decoded(run, y_pred, *, y_true=True, **fields):
    """Check answers that some decoding made of a run's outputs."""
    fields = {"logits": run.outputs, "y_pred": y_pred, **fields}
    evidence = run.evidence(**fields) if y_true else Evidence(label_names=run.names, **fields)
    return run_check("decoding_consistent", evidence)


def in_batches(run, size, decode):
    """Apply a decoding to each batch of outputs, as a prediction loop does."""
    outputs = run.outputs
    return np.concatenate([decode(outputs[i : i + size]) for i in range(0, len(outputs), size)])


def assert_explained(finding, cause):
    """The mistake is named, first and for certain, and the fix says what to do."""
    assert "failed" == finding.verdict
    assert finding.certain
    assert cause == finding.causes[0]
    assert finding.p_value is None
    assert finding.statistics["explained_by"]
    assert finding.fix
    assert len(finding.summary) <= 100


# Answers that are right


@pytest.mark.parametrize("key", RUNS, ids=str)
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "float64"])
def test_the_argmax_passes(key, dtype):
    """The argmax of logits, or of their probabilities, in any type of id, passes."""
    run = trained(*key)
    for outputs in (run.outputs, softmax(run.outputs)):
        finding = decoded(run, run.answers.astype(dtype), logits=outputs)
        assert "passed" == finding.verdict
        assert {"decoding-differs": False} == finding.signs


@given(seed=SEEDS, num_labels=st.integers(2, 5), n=st.integers(1, 60))
@settings(deadline=None, max_examples=60)
def test_ties_may_go_either_way(seed, num_labels, n):
    """Where several outputs are the largest, any of them is a right answer."""
    generator = np.random.default_rng(seed)
    logits = generator.integers(0, 3, (n, num_labels)).astype(float)
    jitter = generator.random(logits.shape) / 10
    answers = (logits + jitter).argmax(axis=1)
    for y_true in (None, generator.integers(0, num_labels, n)):
        evidence = Evidence(logits=logits, y_pred=answers, y_true=y_true)
        assert "passed" == run_check("decoding_consistent", evidence).verdict


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.7, 0.9])
@pytest.mark.parametrize("with_y_true", [True, False], ids=["y_true", "no y_true"])
def test_a_tuned_threshold_passes(threshold, with_y_true):
    """Two labels cut at another probability than one half: a decision, not a mistake.

    With the true labels at hand it passes where the cut does not cost accuracy significantly.
    """
    generator = np.random.default_rng(0)
    run = trained(2, 0, n=400)
    # The model's margin is biased, which the tuned threshold makes good.
    bias = np.log(threshold / (1 - threshold))
    margin = run.outputs[:, 1] - run.outputs[:, 0] + generator.normal(size=400)
    logits = np.stack([np.zeros(400), margin + bias], axis=1)
    y_pred = (softmax(logits)[:, 1] > threshold).astype(int)
    assert (y_pred != logits.argmax(axis=1)).any()
    finding = decoded(run, y_pred, logits=logits, y_true=with_y_true)
    assert "passed" == finding.verdict
    assert finding.signs["decoding-differs"]


@pytest.mark.parametrize("key", WIDE, ids=str)
def test_a_mapping_that_helps_passes(key):
    """Answers moved from the model's order of labels to the data set's are right, and pass."""
    run = trained(*key)
    order = np.roll(np.arange(len(run.names)), 1)
    finding = decoded(run, run.answers, logits=run.outputs[:, order])
    assert "passed" == finding.verdict
    assert {"decoding-differs": True, "decoding-costs": False} == finding.signs
    assert "gain" in finding.summary


@pytest.mark.parametrize("key", WIDE, ids=str)
def test_a_mapping_without_true_labels_is_not_certainly_wrong(key):
    """Without the true labels, a fixed renaming may be the right one: it is no fact."""
    run = trained(*key)
    order = np.roll(np.arange(len(run.names)), 1)
    finding = decoded(run, run.answers, logits=run.outputs[:, order], y_true=False)
    assert not finding.certain


def test_post_processing_that_helps_passes():
    """Rules that overrule the model and are right more often than it pass."""
    run = trained(5, 1)
    wrong = run.answers != run.y_true
    y_pred = np.where(wrong & (np.arange(150) % 2 == 0), run.y_true, run.answers)
    assert "passed" == decoded(run, y_pred).verdict


@pytest.mark.parametrize("probabilities", [False, True])
def test_a_single_column_cut_at_one_half_passes(probabilities):
    """One output unit, cut at 0 as a logit and at 0.5 as a probability, is decoded rightly."""
    run = trained(2, 0)
    margin = run.outputs[:, 1:] - run.outputs[:, :1]
    outputs = 1 / (1 + np.exp(-margin)) if probabilities else margin
    finding = decoded(run, run.answers, logits=outputs)
    assert "passed" == finding.verdict
    assert not finding.signs["decoding-differs"]


# Mistakes


@pytest.mark.parametrize("key", RUNS, ids=str)
@pytest.mark.parametrize("with_y_true", [True, False], ids=["y_true", "no y_true"])
def test_argmax_over_the_examples(key, with_y_true):
    """argmax(axis=0) gives one row number for each label."""
    run = trained(*key)
    finding = decoded(run, run.outputs.argmax(axis=0), y_true=with_y_true)
    assert_explained(finding, "argmax-wrong-axis")
    assert f"{len(run.names)} answers for 150 examples" in finding.summary


@pytest.mark.parametrize("key", RUNS, ids=str)
@pytest.mark.parametrize("size", ["C", 8, 16, 32, 50, 64, 100])
def test_argmax_over_the_examples_of_each_batch(key, size):
    """The same within batches of any size, the number of labels among them."""
    run = trained(*key)
    size = len(run.names) if size == "C" else size
    answers = in_batches(run, size, lambda batch: batch.argmax(axis=0))
    for trained_with in (size, size + 1, None):
        finding = decoded(run, answers, batch_size=trained_with)
        assert_explained(finding, "argmax-wrong-axis")


@pytest.mark.parametrize("key", RUNS, ids=str)
def test_argmax_of_everything(key):
    """argmax without an axis gives one number, alone or for every example."""
    run = trained(*key)
    assert_explained(decoded(run, run.outputs.argmax()), "argmax-wrong-axis")
    repeated = decoded(run, np.full(150, run.outputs.argmax()))
    assert "failed" == repeated.verdict
    assert "argmax-wrong-axis" in repeated.causes


@pytest.mark.parametrize("key", RUNS, ids=str)
def test_argmax_of_the_first_row(key):
    """outputs.logits[0].argmax() answers every example with the first one's label."""
    run = trained(*key)
    finding = decoded(run, np.full(150, run.outputs[0].argmax()))
    assert "failed" == finding.verdict
    assert "argmax-wrong-axis" in finding.causes
    assert any("first row" in text for text in finding.statistics["explained_by"])


@pytest.mark.parametrize("key", WIDE, ids=str)
@pytest.mark.parametrize("with_y_true", [True, False], ids=["y_true", "no y_true"])
def test_argmin(key, with_y_true):
    """The least likely label is reported."""
    run = trained(*key)
    finding = decoded(run, run.outputs.argmin(axis=1), y_true=with_y_true)
    assert_explained(finding, "argmin-decoded")


@pytest.mark.parametrize("key", [(2, 0), (2, 1)], ids=str)
def test_argmin_of_two_labels_is_also_a_swap(key):
    """With two labels, argmin and exchanged names are the same answers: neither is a fact."""
    run = trained(*key)
    finding = decoded(run, run.outputs.argmin(axis=1))
    assert "failed" == finding.verdict
    assert not finding.certain
    assert "argmin-decoded" == finding.causes[0]
    assert "label-mapping-swapped" in finding.causes


def test_labels_that_take_turns_are_shifted_or_renamed():
    """Where labels take turns, shifted and renamed answers are the same: neither is a fact."""
    y_true = np.arange(90) % 3
    logits = 4 * np.eye(3)[y_true]
    evidence = Evidence(y_true=y_true, logits=logits, y_pred=(y_true + 1) % 3)
    finding = run_check("decoding_consistent", evidence)
    assert "failed" == finding.verdict
    assert not finding.certain
    assert {"labels-misaligned", "label-mapping-swapped"} == set(finding.causes)


@pytest.mark.parametrize("column", [0, 1])
@pytest.mark.parametrize("seed", range(3))
def test_a_probability_threshold_on_a_raw_output(column, seed):
    """logits[:, 1] > 0.5, as if it were a probability, costs answers and is named."""
    run = trained(2, seed, n=400)
    logits = run.outputs - 1.0 if column else run.outputs + 1.0
    y_pred = (logits[:, column] > 0.5).astype(int)
    finding = decoded(run, y_pred, logits=logits)
    assert_explained(finding, "threshold-on-logits")
    assert f"column {column} cut at 0.5" in finding.fix


def test_rounded_probabilities():
    """Rounding before the argmax answers 0 wherever no label is beyond one half."""
    run = trained(5, 0, n=400)
    probabilities = softmax(run.outputs)
    assert (probabilities.max(axis=1) < 0.5).mean() > 0.05
    finding = decoded(run, probabilities.round().argmax(axis=1))
    assert_explained(finding, "threshold-on-logits")


@pytest.mark.parametrize("key", RUNS, ids=str)
def test_probabilities_cast_to_int(key):
    """Probabilities cast to int are all 0, and so is every answer."""
    run = trained(*key)
    outputs = softmax(run.outputs)
    y_pred = outputs.astype(int).argmax(axis=1)
    assert 0 == y_pred.max()
    finding = decoded(run, y_pred, logits=outputs)
    assert "failed" == finding.verdict
    assert "threshold-on-logits" in finding.causes


@pytest.mark.parametrize(
    "decode",
    [
        lambda margin: np.zeros(len(margin), dtype=int),
        lambda margin: margin[:, 0].astype(int),
        lambda margin: (margin[:, 0] > 0.5).astype(int),
    ],
    ids=["argmax of one column", "int cast", "0.5 on a logit"],
)
def test_a_single_output_decoded_wrongly(decode):
    """One output unit, decoded as if there were two or as if it were a probability."""
    run = trained(2, 1, n=400)
    margin = (run.outputs[:, 1:] - run.outputs[:, :1]) / 4
    finding = decoded(run, decode(margin), logits=margin)
    assert_explained(finding, "threshold-on-logits")


@pytest.mark.parametrize("key", RUNS, ids=str)
@pytest.mark.parametrize("shift", [1, -1, 7, 75])
def test_shifted_rows(key, shift):
    """Answers rolled by any number of rows are paired with other texts; the shift is named."""
    run = trained(*key)
    finding = decoded(run, np.roll(run.answers, shift))
    assert_explained(finding, "labels-misaligned")
    assert f"shifted by {shift % 150} row" in " ".join(finding.statistics["explained_by"])


@pytest.mark.parametrize("key", RUNS, ids=str)
def test_reversed_rows(key):
    """Answers from the last row to the first."""
    run = trained(*key)
    assert_explained(decoded(run, run.answers[::-1]), "labels-misaligned")


@pytest.mark.parametrize("key", RUNS, ids=str)
@pytest.mark.parametrize("size", [8, 16, 32, 64])
def test_a_repeated_batch(key, size):
    """The answers of the first batch over and over, as a loop over a stale variable gives."""
    run = trained(*key)
    assert_explained(decoded(run, np.resize(run.answers[:size], 150)), "labels-misaligned")


@pytest.mark.parametrize("size", [8, 16, 32, 64])
def test_the_last_batch_repeated(size):
    """The answers of the last, incomplete batch over and over."""
    run = trained(3, 0)
    last = run.answers[149 // size * size :]
    assert_explained(decoded(run, np.resize(last, 150)), "labels-misaligned")


@pytest.mark.parametrize("key", RUNS, ids=str)
@pytest.mark.parametrize("seed", range(2))
def test_shuffled_rows(key, seed):
    """The same answers in another order, as a shuffling loader gives: likely, never certain."""
    run = trained(*key)
    shuffled = np.random.default_rng(seed).permutation(run.answers)
    finding = decoded(run, shuffled)
    assert "failed" == finding.verdict
    assert "labels-misaligned" == finding.causes[0]
    assert not finding.certain
    assert finding.p_value <= 0.001


@pytest.mark.parametrize("key", WIDE, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_a_fixed_permutation(key, seed):
    """Answers renamed by a permutation that costs accuracy: every pair of it is shown."""
    run = trained(*key)
    size = len(run.names)
    shift = int(np.random.default_rng(seed).integers(1, size))
    permutation = np.roll(np.arange(size), shift)
    finding = decoded(run, permutation[run.answers])
    assert_explained(finding, "label-mapping-swapped")
    assert f"0->{permutation[0]}" in " ".join(finding.statistics["explained_by"])
    assert ("argmax", "reported", "times") == finding.table[0]


@pytest.mark.parametrize("key", RUNS, ids=str)
@pytest.mark.parametrize("offset", [1, -1, 2])
def test_ids_off_by_one(key, offset):
    """Ids that start at another number than 0 are out of range, whatever y_true is."""
    run = trained(*key)
    for with_y_true in (True, False):
        finding = decoded(run, run.answers + offset, y_true=with_y_true)
        assert_explained(finding, "label-out-of-range")


@given(seed=SEEDS, num_labels=st.integers(3, 5), n=st.integers(6, 12), offset=st.integers(1, 3))
@settings(deadline=None, max_examples=60)
def test_a_few_answers_prove_no_other_cause(seed, num_labels, n, offset):
    """Ids that are off by one on few rows are not for certain something else."""
    logits = np.random.default_rng(seed).normal(size=(n, num_labels))
    answers = logits.argmax(axis=1) + offset
    assume(answers.max() >= num_labels and answers.min() != answers.max())
    evidence = Evidence(logits=logits, y_pred=answers)
    finding = run_check("decoding_consistent", evidence)
    assert "failed" == finding.verdict
    if finding.certain:
        assert "label-out-of-range" == finding.causes[0]


def test_off_by_one_of_a_collapsed_model():
    """Where the model answers one label only, ids off by one are not for certain another tensor."""
    logits = np.random.default_rng(0).normal(size=(50, 3)) + np.array([9, 0, 0])
    finding = run_check(
        "decoding_consistent", Evidence(logits=logits, y_pred=logits.argmax(axis=1) + 3)
    )
    assert "failed" == finding.verdict
    assert not finding.certain or "label-out-of-range" == finding.causes[0]


@pytest.mark.parametrize("key", RUNS, ids=str)
@pytest.mark.parametrize("width", [64, 384])
def test_ids_from_a_wider_tensor(key, width):
    """The argmax of hidden states gives ids that no label has."""
    run = trained(*key)
    features = run.vectorizer.transform(run.texts)
    projection = np.random.default_rng(0).normal(size=(features.shape[1], width))
    hidden = np.tanh(features @ projection)
    finding = decoded(run, hidden.argmax(axis=1))
    assert_explained(finding, "wrong-tensor-decoded")


@pytest.mark.parametrize("num_labels", [3, 5])
@pytest.mark.parametrize("mistake", [
    lambda outputs: outputs.argmin(axis=1),
    lambda outputs: softmax(outputs).round().argmax(axis=1),
    lambda outputs: outputs.argmax(axis=1)[::-1],
], ids=["argmin", "rounded", "reversed"])  # fmt: skip
def test_a_mistake_that_costs_nothing_is_one_all_the_same(mistake, num_labels):
    """Decoded wrongly, outputs that tell nothing are as often right: the fact stays a fact."""
    generator = np.random.default_rng(num_labels)
    outputs, y_true = (
        generator.normal(size=(200, num_labels)),
        generator.integers(0, num_labels, 200),
    )
    answers = mistake(outputs)
    names = [str(label) for label in range(num_labels)]
    for known in ({}, {"y_true": y_true}):
        evidence = Evidence(logits=outputs, y_pred=answers, label_names=names, **known)
        finding = run_check("decoding_consistent", evidence)
        assert "failed" == finding.verdict
        assert finding.certain


def test_one_other_answer_is_no_mistake_by_chance():
    """A single answer changed by hand happens to be what rounding would have given: it passes."""
    run = trained(3, 0)
    sure = np.eye(3)[run.y_true] * 6
    sure[0] = [0.0, 0.1, 0.05]  # rounded, all three are 0: argmax 0
    answers = sure.argmax(axis=1)
    answers[0] = 0
    finding = decoded(run, answers, logits=sure)
    assert "passed" == finding.verdict


def test_an_unknown_mistake_is_not_explained():
    """Answers that no known mistake gives fail by their cost, without a certain cause."""
    run = trained(3, 0, n=400)
    generator = np.random.default_rng(0)
    y_pred = np.where(generator.random(400) < 0.4, generator.integers(0, 3, 400), run.answers)
    finding = decoded(run, y_pred)
    assert "failed" == finding.verdict
    assert not finding.certain
    assert [] == finding.statistics["explained_by"]
    assert finding.p_value <= 0.001


def test_other_answers_at_no_cost_pass():
    """Answers beside the argmax that are right as often pass: nothing is lost."""
    run = trained(5, 0, n=400)
    wrong = np.flatnonzero(run.answers != run.y_true)
    y_pred = run.answers.copy()
    y_pred[wrong] = (run.y_true[wrong] + 1) % 5
    finding = decoded(run, y_pred)
    assert "passed" == finding.verdict


@pytest.mark.parametrize(
    ("mistake", "cause"),
    [
        (lambda outputs: outputs.argmax(axis=0), "argmax-wrong-axis"),
        (lambda outputs: outputs.argmin(axis=1), "argmin-decoded"),
        (lambda outputs: np.roll(outputs.argmax(axis=1), 1), "labels-misaligned"),
        (lambda outputs: outputs.argmax(axis=1) + 1, "label-out-of-range"),
        (lambda outputs: (outputs.argmax(axis=1) + 1) % 5, "label-mapping-swapped"),
    ],
    ids=["axis", "argmin", "shift", "off by one", "permutation"],
)
def test_a_decoding_mistake_is_the_diagnosis(mistake, cause):
    """What the decoding check knows for certain leads the diagnosis of everything."""
    run = trained(5, 0)
    evidence = run.evidence(y_pred=mistake(run.outputs), reference_y_pred=run.answers)
    diagnosis = diagnose(evidence)
    assert "failed" == diagnosis.verdict
    assert cause == diagnosis.causes[0].code
    assert diagnosis.causes[0].certain


@given(seed=SEEDS, num_labels=st.integers(2, 5), n=st.integers(1, 80))
@settings(deadline=None, max_examples=80)
def test_random_answers_are_explained_by_nothing_certain(seed, num_labels, n):
    """Answers that have nothing to do with the outputs are not taken for a known mistake.

    Only where few rows could give them by accident.
    """
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(n, num_labels))
    y_pred = generator.integers(0, num_labels, n)
    evidence = Evidence(logits=logits, y_pred=y_pred, y_true=generator.integers(0, num_labels, n))
    finding = run_check("decoding_consistent", evidence)
    assume(n >= 40)
    assert not finding.certain


@given(
    logits=hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=4),
        elements=st.floats(width=32, allow_nan=True, allow_infinity=True),
    ),
    y_pred=st.lists(st.integers(-2, 5), min_size=4, max_size=4),
)
@example(logits=np.float32([[1000, -1000], [-1000, 1000]]), y_pred=[1, 1, 0, 0])
@example(logits=np.float32([[np.nan], [1e30]]), y_pred=[0, 3, 0, 0])
@settings(deadline=None, max_examples=120)
def test_any_outputs_and_answers_are_judged_without_a_warning(logits, y_pred):
    """Huge, infinite or missing outputs beside any answers: a finding, under -W error too."""
    evidence = Evidence(logits=logits, y_pred=y_pred[: len(logits)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        finding = run_check("decoding_consistent", evidence)
    assert finding.verdict in ("passed", "failed", "inconclusive")


@pytest.mark.simulation
def test_healthy_decoding_fails_no_more_often_than_allowed():
    """Over 500 healthy sessions, decoded by argmax with noise that costs nothing, 5 % fail.

    The noise moves answers between argmax and truth symmetrically: the null hypothesis' edge.
    """
    generator = np.random.default_rng(3)
    failed = 0
    for evidence in healthy_sessions(generator, 500):
        y_pred = evidence.argmax.copy()
        rows = np.flatnonzero(generator.random(len(y_pred)) < 0.1)
        for row in rows:  # half of the changed answers were right, half become right
            truth = evidence.y_true[row]
            y_pred[row] = truth if y_pred[row] != truth else y_pred[row]
        other = np.flatnonzero((evidence.argmax != evidence.y_true) & (y_pred == evidence.y_true))
        right = np.flatnonzero(evidence.argmax == evidence.y_true)
        for row in generator.choice(right, min(len(other), len(right)), replace=False):
            y_pred[row] = (y_pred[row] + 1) % evidence.logits.shape[1]
        judged = Evidence(y_true=evidence.y_true, logits=evidence.logits, y_pred=y_pred)
        failed += run_check("decoding_consistent", judged, alpha=0.05).verdict == "failed"
    assert statistics.clopper_pearson(failed, 500, 0.001)[0] <= 0.05


# The order of the rows


def aligned(y_true, y_pred, **fields):
    return run_check("predictions_aligned", Evidence(y_true=y_true, y_pred=y_pred, **fields))


@pytest.mark.parametrize("num_labels", [2, 3, 5])
def test_predictions_of_a_real_model_belong_to_their_rows(num_labels):
    """A real classifier's answers pass in whatever order the rows come, sorted too."""
    run = trained(num_labels, 0)
    for order in (np.arange(len(run.y_true)), np.argsort(run.y_true, kind="stable")):
        finding = aligned(run.y_true[order], run.answers[order], logits=run.outputs[order])
        assert "passed" == finding.verdict


def dealt(rows, workers):
    return np.concatenate([np.arange(rows)[first::workers] for first in range(workers)])


ORDERS = {
    "later": lambda n: np.roll(np.arange(n), 1),
    "earlier": lambda n: np.roll(np.arange(n), -1),
    "7 rows later": lambda n: np.roll(np.arange(n), 7),
    "reversed": lambda n: np.arange(n)[::-1],
    "end to end": lambda n: dealt(n, 4),
    "interleaved": lambda n: np.argsort(dealt(n, 4)),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("num_labels", [2, 3, 5])
def test_a_known_way_to_lose_the_order_is_found(num_labels, order):
    """Answers that were shifted, reversed or gathered in another order are put back."""
    run = trained(num_labels, 1, n=200)
    answers = run.answers[ORDERS[order](200)]
    finding = aligned(run.y_true, answers)
    assert "failed" == finding.verdict
    assert ("labels-misaligned",) == finding.causes
    assert finding.statistics["accuracy_realigned"] > 0.7 > finding.statistics["accuracy"]


@pytest.mark.parametrize("size", [8, 32, 50, 64, 150])
@pytest.mark.parametrize("which", ["first", "last"])
def test_one_batch_repeated_for_all_is_found(size, which):
    """A loop that collects one batch again and again repeats its answers."""
    run = trained(3, 2, n=300)
    start = 0 if which == "first" else (300 - 1) // size * size
    finding = aligned(run.y_true, np.resize(run.answers[start : start + size], 300))
    assert "failed" == finding.verdict
    assert f"the same {finding.statistics['period']} answers repeat" in finding.summary


@pytest.mark.parametrize("n", [2, 3, 9])
@pytest.mark.parametrize("answers", [[0, 1], [1, 1, 0], [0, 0, 0, 0, 0, 1]])
def test_few_rows_that_repeat_are_not_enough(n, answers):
    """A handful of answers repeats by chance: no batch is claimed, whatever the number of rows."""
    y_true = np.random.default_rng(0).integers(0, 2, n)
    assert "period" not in aligned(y_true, np.resize(answers, n)).statistics


def test_labels_that_take_turns_may_repeat():
    """Perfect answers to labels in turns repeat too, and are those of their rows."""
    y_true = np.arange(300) % 4
    assert "passed" == aligned(y_true, y_true).verdict


def test_turns_of_swapped_labels_are_no_shift():
    """Labels in turns, renamed in a cycle, look shifted by a row: no order is claimed."""
    y_true = np.arange(300) % 3
    assert "failed" != aligned(y_true, (y_true + 1) % 3).verdict


@pytest.mark.parametrize(("lost", "kept"), [("words", True), ("outputs", False), ("labels", False)])
def test_texts_with_their_own_outputs_and_labels_are_in_order(lost, kept):
    """A model at chance whose outputs and labels are those of each text has lost no order.

    Words read as other words leave the order; shuffled outputs or labels do not, and with the
    labels the reference is at chance too, which proves nothing.
    """
    run = trained(3, 1, n=300)
    order = np.random.default_rng(0).permutation(300)
    if lost == "words":
        columns = run.vectorizer.transform(run.texts).toarray()
        columns = np.random.default_rng(0).permutation(columns, axis=1)
        outputs = run.model.decision_function(columns)
    else:
        outputs = run.outputs[order] if lost == "outputs" else run.outputs
    alone = run.outputs if lost == "outputs" else outputs
    y_true = run.y_true[order] if lost == "labels" else run.y_true
    evidence = run.evidence(
        y_true=y_true,
        logits=outputs,
        rebatched_logits=alone[:32],
        reference_y_pred=run.answers,
    )
    finding = run_check("predictions_aligned", evidence)
    assert "passed" == finding.verdict
    assert kept is finding.signs["order-kept"]
    diagnosis = diagnose(evidence)
    assert not (kept and "labels-misaligned" in {cause.code for cause in diagnosis.causes})
    assert (lost == "labels") is (diagnosis.verdict != "failed")


def test_rows_in_a_random_order_are_open():
    """Sure outputs at chance may be shuffled rows: what would tell is asked for."""
    run = trained(3, 0)
    order = np.random.default_rng(0).permutation(len(run.y_true))
    finding = run_check("predictions_aligned", run.evidence(logits=3 * run.outputs[order]))
    assert "inconclusive" == finding.verdict
    assert ("rebatched_logits",) == finding.needs


def test_guesses_fail_no_more_often_than_alpha():
    """Answers that know nothing are found in another order in at most 5 % of 300 samples."""
    generator = np.random.default_rng(1)
    failed = 0
    for _ in range(300):
        y_true, y_pred = generator.integers(0, 3, (2, int(generator.integers(20, 200))))
        evidence = Evidence(y_true=y_true, y_pred=y_pred)
        failed += run_check("predictions_aligned", evidence, alpha=0.05).verdict == "failed"
    assert statistics.clopper_pearson(failed, 300, 0.001)[0] <= 0.05


@pytest.mark.parametrize("collapsed", [[0] * 60, [1] * 60])
def test_a_constant_answer_has_no_order_to_lose(collapsed):
    """A collapsed model is no misaligned one."""
    assert "passed" == aligned([0, 1, 2] * 20, collapsed).verdict


def test_a_cost_that_rare_labels_leave_open_is_not_passed():
    """Answers that are certainly less accurate, and perhaps balanced so, are inconclusive."""
    y_true = np.repeat([0, 1, 2], [120, 29, 1])
    logits = 2 * np.eye(3)[y_true] - 1
    wrong = y_true.copy()
    wrong[:6], wrong[120:130], wrong[149] = 1, 2, 0
    finding = run_check("decoding_consistent", Evidence(y_true=y_true, logits=logits, y_pred=wrong))
    assert "inconclusive" == finding.verdict
    assert "17/150 answers not the argmax cost 17 right ones" in finding.summary
    assert "decoding-costs" not in finding.signs


def test_a_decoding_that_trades_accuracy_for_balance_still_passes():
    """Answers that cost many right ones of a common label and win a few of a rare one pass."""
    y_true = np.repeat([0, 1], [180, 20])
    logits = np.stack([np.ones(200), np.zeros(200)], axis=1)
    y_pred = np.where((y_true == 1) | (np.arange(200) < 60), 1, 0)
    finding = run_check(
        "decoding_consistent", Evidence(y_true=y_true, logits=logits, y_pred=y_pred)
    )
    assert "passed" == finding.verdict
    assert (0.7, 0.9) == (finding.statistics["accuracy"], finding.statistics["argmax_accuracy"])
