"""The training history: learning, flat, at the prior, diverged, not recorded."""

from __future__ import annotations

import types
import warnings

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import special
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss

from pytest_bertcheck import Evidence, diagnose, statistics
from pytest_bertcheck.assertions import history_fields
from pytest_bertcheck.checks.outputs import demonstrably_poor

from .simulate import run_check, trained

SEEDS = st.integers(0, 2**32 - 1)


def names(num_labels):
    return [f"l{i}" for i in range(num_labels)]


def progressed(num_labels=2, **fields):
    """Run the check; nothing in a history may make NumPy warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evidence = Evidence(dataset_label_names=names(num_labels), **fields)
        return run_check("training_progressed", evidence)


def real_history(run, y_train, *, rate, epochs=8):
    """Train a real linear classifier by SGD and record its losses after each epoch."""
    train = run.vectorizer.transform(run.train_texts)
    test = run.vectorizer.transform(run.texts)
    labels = np.arange(len(run.names))
    model = SGDClassifier(
        loss="log_loss", learning_rate="constant", eta0=rate, random_state=0, alpha=1e-6
    )
    history = {"loss": [], "val_loss": [], "val_accuracy": []}
    for _ in range(epochs):
        model.partial_fit(train, y_train, classes=labels)
        history["loss"].append(log_loss(y_train, model.predict_proba(train), labels=labels))
        history["val_loss"].append(log_loss(run.y_true, model.predict_proba(test), labels=labels))
        history["val_accuracy"].append(model.score(test, run.y_true))
    return history, model.decision_function(test)


def as_logits(scores):
    return np.stack([-scores / 2, scores / 2], axis=1) if scores.ndim == 1 else scores


@pytest.mark.parametrize("num_labels", [2, 3, 5])
def test_a_real_training_that_learns_passes(num_labels):
    """A real classifier trained by SGD brings its loss down and passes, by its history alone."""
    run = trained(num_labels, 0)
    history, _ = real_history(run, run.y_train, rate=5.0)
    finding = progressed(num_labels, y_train=run.y_train, **history)
    assert "passed" == finding.verdict
    assert finding.signs["val-loss-learnt"]
    assert finding.signs["train-loss-learnt"]


@pytest.mark.parametrize("num_labels", [2, 3, 5])
def test_a_real_training_at_a_tiny_rate_fails(num_labels):
    """The same training at a rate of 1e-9 stays at ln C, and its answers tell nothing."""
    run = trained(num_labels, 0)
    history, _ = real_history(run, run.y_train, rate=1e-9)
    assert pytest.approx(np.log(num_labels), rel=0.02) == history["loss"][-1]
    finding = progressed(
        num_labels, y_train=run.y_train, learning_rate=[1e-9] * 8, train_steps=2400, **history
    )
    assert "failed" == finding.verdict
    assert "learning-rate-too-low" == finding.causes[0]
    assert finding.signs["val-loss-never-moved"]
    assert finding.signs["rate-far-below-usual"]


def test_a_real_training_on_shuffled_labels_fails():
    """A real classifier fits shuffled labels on its training rows, and no others."""
    run = trained(2, 0)
    shuffled = np.random.default_rng(0).permutation(run.y_train)
    history, scores = real_history(run, shuffled, rate=5.0, epochs=30)
    finding = progressed(
        2, y_train=shuffled, y_true=run.y_true, logits=as_logits(scores), **history
    )
    assert finding.verdict in ("failed", "inconclusive")
    if finding.verdict == "failed":
        assert "labels-shuffled" in finding.causes


CHANCE = [(2, 0.6931), (3, 1.0986), (5, 1.6094), (10, 2.3026), (20, 2.9957)]


@pytest.mark.parametrize(("num_labels", "chance"), CHANCE, ids=str)
@pytest.mark.parametrize("series", ["loss", "val_loss"])
def test_flat_at_chance_fails(num_labels, chance, series):
    """A loss that stays at ln C fails, and the message shows ln C."""
    flat = chance + np.random.default_rng(0).normal(0, 0.002, 12)
    finding = progressed(num_labels, **{series: flat})
    assert "failed" == finding.verdict
    assert f"knowing nothing costs {chance:.3f}" in finding.summary
    assert pytest.approx(chance, abs=1e-4) == finding.statistics["loss_of_knowing_nothing"]


PRIOR = [((50, 50), 0.6931), ((90, 10), 0.3251), ((80, 20), 0.5004), ((96, 4), 0.1679)]


@pytest.mark.parametrize(("counts", "entropy"), PRIOR, ids=str)
def test_flat_at_the_prior_fails(counts, entropy):
    """A loss that fell from ln 2 to H(p) learnt the class prior and nothing else."""
    loss = np.r_[0.6931, np.full(9, entropy)]
    y_train = np.repeat([0, 1], counts)
    finding = progressed(2, loss=loss, val_loss=loss, y_train=y_train)
    assert "failed" == finding.verdict
    assert f"{entropy:.3f}" in finding.summary
    below = progressed(2, loss=loss * 0.8, val_loss=loss * 0.8, y_train=y_train)
    assert "passed" == below.verdict


@given(
    num_labels=st.integers(2, 30),
    gain=st.floats(0.06, 0.99),
    points=st.integers(3, 40),
)
@settings(deadline=None, max_examples=40)
def test_any_gain_beyond_the_limit_passes(num_labels, gain, points):
    """A loss that ends more than 5 % below that of knowing nothing passes."""
    end = np.log(num_labels) * (1 - gain)
    loss = np.r_[np.log(num_labels), np.full(points, end)]
    finding = progressed(num_labels, loss=loss)
    assert "passed" == finding.verdict
    assert pytest.approx(gain, abs=1e-6) == finding.statistics["train_gain"]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("series", ["loss", "val_loss"])
@pytest.mark.parametrize("points", [1, 5])
def test_ending_at_nan_or_infinity_is_a_fact(bad, series, points):
    """A loss that became NaN or infinite and stayed so is diverged, for certain, and since when."""
    values = [0.7, 0.6, *[bad] * points]
    finding = progressed(2, **{series: values})
    assert "failed" == finding.verdict
    assert finding.certain
    assert "diverged" == finding.causes[0]
    assert f"first at point 3 of {len(values)}" in finding.summary


def test_nan_before_the_first_point_was_not_recorded():
    """Validation that starts later leaves NaN before it: not a divergence."""
    finding = progressed(2, loss=[0.69, 0.5, 0.3], val_loss=[np.nan, np.nan, 0.35])
    assert "passed" == finding.verdict
    assert not finding.signs["loss-not-finite"]


def test_nan_between_points_was_not_recorded():
    """A series recorded every other step has NaN between its points."""
    finding = progressed(2, loss=[0.69, 0.6, 0.5, 0.4], val_loss=[np.nan, 0.6, np.nan, 0.4])
    assert "passed" == finding.verdict


def test_a_series_that_was_never_recorded_is_as_good_as_none():
    """NaN throughout says nothing: the other series decides, and without one it stays open."""
    nothing = [np.nan] * 3
    assert "passed" == progressed(2, loss=[0.6, 0.3, 0.2], val_loss=nothing).verdict
    assert "inconclusive" == progressed(2, loss=nothing, val_loss=nothing).verdict


@given(
    loss=st.lists(st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=9),
    val_loss=st.lists(
        st.floats(allow_nan=True, allow_infinity=True, width=32), min_size=1, max_size=9
    ),
    rate=st.lists(st.floats(allow_nan=True, width=32), min_size=1, max_size=4),
)
@example(loss=[0.7, 0.1], val_loss=[0.7, np.inf, np.inf, 0.1], rate=[2e-5])
@example(loss=[0.7, np.inf, -np.inf, 0.1], val_loss=[0.7], rate=[np.inf])
@settings(deadline=None, max_examples=120)
def test_any_history_is_judged(loss, val_loss, rate):
    """Whatever numbers a history holds, there is a finding and no warning."""
    finding = progressed(2, loss=loss, val_loss=val_loss, learning_rate=rate)
    assert finding.verdict in ("passed", "failed", "inconclusive")
    if np.isinf(loss[-1]) or np.isinf(val_loss[-1]):
        assert "failed" == finding.verdict


def test_no_step_is_a_fact():
    """Zero optimizer steps are no training, whatever else is known."""
    finding = progressed(2, train_steps=0, loss=[0.2])
    assert "failed" == finding.verdict
    assert finding.certain
    assert "weights-not-updated" == finding.causes[0]


def test_without_a_loss_or_the_labels_it_stays_open():
    """Steps alone, or a loss without the number of labels, do not tell; both are named."""
    steps = run_check("training_progressed", Evidence(train_steps=500))
    unknown = run_check("training_progressed", Evidence(loss=[0.7, 0.7]))
    for finding in (steps, unknown):
        assert "inconclusive" == finding.verdict
        assert {"loss", "y_train"} == set(finding.needs)


def test_the_number_of_labels_may_come_from_the_training_labels():
    """The training labels tell the entropy, and with it what knowing nothing costs."""
    finding = run_check("training_progressed", Evidence(loss=[0.69, 0.2], y_train=[0, 1] * 20))
    assert "passed" == finding.verdict
    assert pytest.approx(np.log(2)) == finding.statistics["loss_of_knowing_nothing"]


def test_good_answers_excuse_any_loss():
    """A loss on another scale, beside answers that are demonstrably good, is no defect."""
    run = trained(3, 0)
    evidence = run.evidence(loss=[30.0, 29.0], val_loss=[31.0, 30.0])
    assert "passed" == run_check("training_progressed", evidence).verdict


def test_a_hard_task_is_open():
    """A loss near chance beside answers that tell something: hard task, not broken training."""
    generator = np.random.default_rng(0)
    y_true = generator.integers(0, 2, 600)
    y_pred = np.where(generator.random(600) < 0.62, y_true, 1 - y_true)
    evidence = Evidence(
        y_true=y_true, y_pred=y_pred, label_names=["a", "b"],
        loss=[0.693, 0.68, 0.675], val_loss=[0.69, 0.68, 0.676], train_steps=900,
    )  # fmt: skip
    finding = run_check("training_progressed", evidence)
    assert "inconclusive" == finding.verdict
    assert ("reference_y_pred",) == finding.needs


@pytest.mark.parametrize(
    ("train_steps", "reference_right", "verdict"),
    [(4, 0.94, "failed"), (900, 0.94, "inconclusive"), (4, 0.7, "inconclusive")],
    ids=["cut short", "trained for long", "a hard task"],
)
def test_a_training_cut_short_fails_where_a_reference_learnt_more(
    train_steps, reference_right, verdict
):
    """Few steps, hardly any progress, and a plain model does better after the same rows."""
    y_true = np.arange(200) % 2
    answers, reference = (
        np.where(np.arange(200) % 50 < 50 * right, y_true, 1 - y_true)
        for right in (0.68, reference_right)
    )
    evidence = Evidence(
        y_true=y_true, y_pred=answers, reference_y_pred=reference, label_names=["a", "b"],
        loss=[0.6955, 0.7, 0.6917, 0.6873], val_loss=[0.6849], train_steps=train_steps,
        batch_size=16, y_train=np.arange(240) % 2,
    )  # fmt: skip
    assert not demonstrably_poor(evidence, 0.001)
    finding = run_check("training_progressed", evidence)
    assert verdict == finding.verdict
    if verdict == "failed":
        assert "too-few-steps" == diagnose(evidence).causes[0].code


def test_shuffled_labels_learnt_by_heart_are_no_hard_task():
    """Each topic gets the labels that it was dealt: answers depend on topics, and are not right."""
    y_true = np.repeat(np.arange(5), 40)
    dealt = np.array([[1, 11, 11, 8, 9], [13, 4, 8, 5, 10], [4, 6, 13, 6, 11], [7, 8, 1, 16, 8],
                      [6, 12, 11, 4, 7]])  # fmt: skip
    y_pred = np.concatenate([np.repeat(np.arange(5), row) for row in dealt])
    evidence = Evidence(
        y_true=y_true, y_pred=y_pred, label_names=list("abcde"), loss=[1.617, 0.3, 0.026],
        val_loss=[1.604, 1.9, 2.268], train_steps=130,
    )  # fmt: skip
    assert statistics.match_above_chance(evidence.confusion) <= 0.01
    finding = run_check("training_progressed", evidence)
    assert "failed" == finding.verdict
    assert finding.signs["learnt-by-heart"]
    assert finding.summary.startswith("learnt by heart only: loss 1.617 -> 0.026")


def weighted_history(generator, *, epochs=30):
    """Train with balanced class weights on a hard task, 9 of 10 labels equal; its losses."""
    y = generator.random((2, 4000)) < 0.1
    x = generator.normal(size=(2, 4000)) + y
    weights = np.where(y, 5.0, 0.5 / 0.9)
    slope, bias, history = 0.0, 0.0, {"loss": [], "val_loss": []}
    for _ in range(epochs):
        error = weights[0] * (1 / (1 + np.exp(-slope * x[0] - bias)) - y[0])
        slope, bias = slope - 0.2 * (error * x[0]).mean(), bias - 0.2 * error.mean()
        for name, part in (("loss", 0), ("val_loss", 1)):
            chances = 1 / (1 + np.exp(-slope * x[part] - bias))
            history[name].append(log_loss(y[part], chances, sample_weight=weights[part]))
    return y[0].astype(int), history


@pytest.mark.parametrize("seed", range(5))
def test_a_class_weighted_loss_is_open(seed):
    """A model trained with class weights learns, yet its loss stays above the prior's entropy."""
    y_train, history = weighted_history(np.random.default_rng(seed))
    assert history["loss"][-1] < 0.95 * history["loss"][0]
    assert history["val_loss"][-1] > statistics.entropy(np.bincount(y_train))
    finding = progressed(2, y_train=y_train, **history)
    assert "inconclusive" == finding.verdict
    assert "class-weighted" in finding.summary


@pytest.mark.parametrize("gain", [0.012, 0.03, 0.048])
def test_a_little_progress_fails_a_short_training_with_poor_answers(gain):
    """A loss a little below ln C may be a hard task's; after few steps it is a short training's.

    Unless its answers are good: 18 steps may take a fine-tuned model to 85 % before it is sure.
    """
    loss = [np.log(2), (1 - gain) * np.log(2)]
    generator = np.random.default_rng(0)
    y_true = np.arange(200) % 2

    def verdict(accuracy, steps):
        y_pred = np.where(generator.random(200) < accuracy, y_true, 1 - y_true)
        evidence = Evidence(
            y_true=y_true, y_pred=y_pred, label_names=["a", "b"], loss=loss, val_loss=loss,
            train_steps=steps,
        )  # fmt: skip
        return run_check("training_progressed", evidence).verdict

    assert "inconclusive" == progressed(2, loss=loss, val_loss=loss).verdict
    assert "inconclusive" == progressed(2, loss=loss, val_loss=loss, train_steps=5).verdict
    assert ("failed", "inconclusive") == (verdict(0.6, 5), verdict(0.6, 500))
    assert "failed" not in {verdict(accuracy, 18) for accuracy in (0.75, 0.85, 0.95)}


@pytest.mark.parametrize(
    ("fields", "sign", "expected"),
    [
        ({"learning_rate": [2e-5]}, "rate-above-usual", False),
        ({"learning_rate": [2e-5]}, "rate-far-below-usual", False),
        ({"learning_rate": [1e-3]}, "rate-above-usual", True),
        ({"learning_rate": [1e-7]}, "rate-far-below-usual", True),
        ({"learning_rate": [0.0, 5e-5, 0.0]}, "rate-far-below-usual", False),
        ({"learning_rate": [0.0, 0.0]}, "rate-zero-or-negative", True),
        ({"learning_rate": [2e-5, -1e-6]}, "rate-zero-or-negative", True),
        ({"train_steps": 5}, "steps-few", True),
        ({"train_steps": 500}, "steps-few", False),
        ({"train_steps": 5, "batch_size": 8, "y_train": [0, 1] * 50}, "less-than-an-epoch", True),
        ({"train_steps": 50, "batch_size": 8, "y_train": [0, 1] * 50}, "less-than-an-epoch", False),
    ],
    ids=lambda value: str(value).replace("learning_", ""),
)
def test_rate_and_steps_are_compared_with_the_usual(fields, sign, expected):
    """Learning rate and steps lie in, above or below what fine-tuning takes, with warm-up."""
    finding = progressed(2, loss=[0.69, 0.69], **fields)
    assert expected is finding.signs[sign]


def test_a_first_loss_above_chance_is_seen():
    """A fresh head starts at ln C; a first loss far above it shows another scale of outputs."""
    assert progressed(2, train_steps=3, loss=[3.2, 3.1, 3.1]).signs["first-loss-off"]
    assert not progressed(2, train_steps=3, loss=[0.70, 0.69, 0.69]).signs["first-loss-off"]


def test_the_mean_loss_of_an_epoch_is_no_first_loss():
    """What an epoch costs on average is no fresh head's loss, so that nothing is said of it."""
    for loss, steps in (([3.2] * 5, None), ([3.2] * 5, 500), ([3.2] * 30, 3000)):
        fields = {"loss": loss} | ({} if steps is None else {"train_steps": steps})
        assert "first-loss-off" not in progressed(2, **fields).signs


def test_a_loss_that_fell_and_came_back_leaves_open_what_was_kept():
    """A network that learnt and then collapsed was not good at the end; a good one may be kept."""
    nothing = np.log(2)
    collapsed = {"loss": [0.7, 0.3, 0.7, nothing], "val_loss": [0.6, 0.3, nothing, nothing]}
    assert "val-loss-learnt" not in progressed(2, **collapsed).signs
    too_sure = {"loss": [0.7, 0.3, 0.1, 0.01], "val_loss": [0.6, 0.3, 0.6, 0.9]}
    assert progressed(2, **too_sure).signs["val-loss-learnt"]


def lost_again(accuracies=(0.51, 0.87, 0.57), right=0.5, val_loss=(0.69, 0.4, 0.9)):
    """Run the check on a history, and on answers of which a share is right."""
    y_true = np.arange(200) % 2
    wrong = np.arange(200) >= 200 * right
    return progressed(
        2, val_accuracy=accuracies, val_loss=val_loss, y_true=y_true,
        y_pred=np.where(wrong, 1 - y_true, y_true),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, "failed"),
        ({"right": 0.86}, "passed"),
        ({"right": 0.6}, "passed"),
        ({"accuracies": (0.51, 0.87, 0.75)}, "passed"),
        ({"accuracies": (0.51, 0.57, 0.87)}, "passed"),
        ({"accuracies": (0.4, 0.8, 0.6)}, "passed"),
        ({"accuracies": (51, 87, 57)}, "passed"),
        ({"val_loss": (0.69, 0.4, 0.6)}, "passed"),
    ],
    ids=["lost", "restored", "answers tell", "half is left", "gained", "of five rows",
         "in percent", "loss below nothing"],
)  # fmt: skip
def test_progress_that_was_lost_again_fails(changed, verdict):
    """Good in between and nothing left at the end fails; if anything is left, it passes."""
    finding = lost_again(**changed)
    assert verdict == finding.verdict
    assert (verdict == "failed") is finding.signs.get("progress-lost", False)


@pytest.mark.parametrize(("rows", "digits"), [(20, 17), (60, 4), (997, 4)])
def test_accuracies_that_only_waver_seldom_count_as_lost(rows, digits):
    """Of 300 trainings whose ten points differ by chance alone, at most 5 % fail at alpha .05."""
    generator = np.random.default_rng(rows)
    y_true = np.arange(200) % 2
    failed = 0
    for _ in range(300):
        evidence = Evidence(
            val_accuracy=np.round(generator.binomial(rows, 0.55, 10) / rows, digits),
            val_loss=[0.69, 0.6, 0.8], y_train=y_true, y_true=y_true, y_pred=1 - y_true,
        )  # fmt: skip
        finding = run_check("training_progressed", evidence, alpha=0.05)
        failed += finding.signs.get("progress-lost", False)
    assert statistics.clopper_pearson(failed, 300, 0.001)[0] <= 0.05


def test_the_table_of_the_history():
    """The table shows first, best and last of each recorded series, and the steps."""
    finding = progressed(
        2, loss=[0.7, 0.69, 0.695], val_accuracy=[0.5, 0.52], train_steps=40,
        learning_rate=[2e-5], val_loss=[np.nan],
    )  # fmt: skip
    rows = {row[0]: row[1:] for row in finding.table}
    assert ("first", "best", "last", "points") == rows["history"]
    assert ("0.7", "0.69", "0.695", "3") == rows["loss"]
    assert ("0.5", "0.52", "0.52", "2") == rows["val_accuracy"]
    assert "val_loss" not in rows
    assert "40 steps" in rows["steps"]


# Histories as frameworks keep them


def test_a_keras_history():
    """A Keras History object gives its series under their evidence names."""
    history = types.SimpleNamespace(
        history={
            "loss": [0.7, 0.4],
            "val_loss": [0.6, 0.5],
            "val_sparse_categorical_accuracy": [0.6, 0.8],
            "accuracy": [0.5, 0.7],
            "lr": [2e-5, 1e-5],
        },
        epoch=[0, 1],
    )
    expected = {
        "loss": [0.7, 0.4],
        "val_loss": [0.6, 0.5],
        "val_accuracy": [0.6, 0.8],
        "learning_rate": [2e-5, 1e-5],
    }
    assert expected == history_fields(history)


def test_a_trainer_log_history():
    """The log of a transformers Trainer, training and evaluation entries mixed, gives series."""
    log = [
        {"loss": 0.7, "grad_norm": 1.5, "learning_rate": 2e-5, "epoch": 0.5, "step": 10},
        {"eval_loss": 0.6, "eval_accuracy": 0.7, "eval_runtime": 3.1, "epoch": 1.0, "step": 20},
        {"loss": np.float32(0.4), "grad_norm": 1.1, "learning_rate": 1e-5, "epoch": 1.5},
        {"eval_loss": 0.5, "eval_accuracy": 0.8, "epoch": 2.0, "step": 40},
        {"train_runtime": 99.0, "train_loss": 0.5, "epoch": 2.0, "step": 40},
    ]
    fields = history_fields(log)
    assert {"loss", "val_loss", "val_accuracy", "grad_norm", "learning_rate"} == set(fields)
    assert [0.7, pytest.approx(0.4)] == fields["loss"]
    assert [0.6, 0.5] == fields["val_loss"]
    assert [0.7, 0.8] == fields["val_accuracy"]
    assert "passed" == progressed(2, **fields).verdict


# The reported loss against that of the outputs


def loss_check(loss, logits, y_true, **options):
    evidence = Evidence(val_loss=[loss], logits=logits, y_true=y_true)
    return run_check("loss_matches_outputs", evidence, **options)


def log_softmax(z):
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def in_form(form, z, y):
    """The loss of logits in one form, written out here a second time."""
    own = np.arange(len(y)), y
    probabilities = np.exp(log_softmax(z))
    clipped = np.clip(z, 1e-7, 1 - 1e-7)
    return {
        "cross-entropy": -log_softmax(z)[own].mean(),
        "the softmax applied twice": -log_softmax(probabilities)[own].mean(),
        "logits taken for probabilities": -log_softmax(np.log(clipped))[own].mean(),
        "no softmax at all": -z[own].mean(),
        "mean squared error to the ids": ((z - y[:, None]) ** 2).mean(),
    }[form]


WRONG = ["the softmax applied twice", "logits taken for probabilities", "no softmax at all",
         "mean squared error to the ids"]  # fmt: skip


@pytest.mark.parametrize("form", WRONG)
@pytest.mark.parametrize("num_labels", [2, 3, 5])
def test_a_wrong_form_of_the_loss_is_a_fact(form, num_labels):
    """A real model's outputs under a wrong loss: the form is named, in the suite and by assert."""
    run = trained(num_labels, 0)
    loss = in_form(form, run.outputs, run.y_true)
    for options in ({}, {"same_rows": True}):
        finding = loss_check(loss, run.outputs, run.y_true, **options)
        assert ("failed", True) == (finding.verdict, finding.certain)
        assert form in finding.summary
        assert len(finding.summary) <= 100
        assert finding.statistics["form"].startswith(form)


def test_the_right_loss_passes_and_another_is_open_to_the_suite():
    """The cross-entropy passes; a loss of other rows fails only where the rows are stated."""
    run = trained(3, 0)
    right = log_loss(run.y_true, np.exp(log_softmax(run.outputs)))
    finding = loss_check(right, run.outputs, run.y_true)
    assert "passed" == finding.verdict
    assert finding.signs["loss-is-cross-entropy"]
    assert "passed" == loss_check(right * 1.3, run.outputs, run.y_true).verdict
    finding = loss_check(right * 1.3, run.outputs, run.y_true, same_rows=True)
    assert ("failed", False) == (finding.verdict, finding.certain)
    assert "no known form" in finding.summary


@given(seed=SEEDS, factor=st.floats(0.2, 5))
@settings(deadline=None, max_examples=40)
def test_the_loss_of_another_validation_set_passes(seed, factor):
    """Whatever other rows cost, a healthy model's own rows are not accused of it."""
    run = trained(3, 0)
    loss = factor * log_loss(run.y_true, np.exp(log_softmax(run.outputs)))
    loss *= np.random.default_rng(seed).lognormal(0, 0.05)
    assert "passed" == loss_check(loss, run.outputs, run.y_true).verdict


def flat_run(
    *, spread=0.05, loss=(1.7, 0.4, 0.02), val_loss=(1.2, 0.5, 0.1), right=0.7, reference=0.95
):
    """A model of three labels with flat outputs, some of them right, and the loss of its training.

    Evidence of 300 rows, on 150 of which the model was trained.
    """
    y_true = np.arange(300) % 3
    place = np.arange(300) * 7 % 300 / 300
    y_pred = np.where(place < right, y_true, (y_true + 1) % 3)
    logits = spread * np.eye(3)[y_pred] + np.arange(300)[:, None] / 1e5
    fields = {
        "logits": logits,
        "y_true": y_true,
        "val_loss": val_loss,
        "loss": loss,
        "train_logits": logits[:150],
        "train_y_true": y_true[:150],
    }
    if reference is not None:
        fields["reference_y_pred"] = np.where(place < reference, y_true, (y_true + 1) % 3)
    return Evidence(**fields)


def test_a_loss_that_flat_outputs_cannot_have_is_of_another_kind():
    """Answers poorer than a plain model's, flat outputs, a loss that fell: the loss is to blame."""
    finding = run_check("loss_matches_outputs", flat_run())
    assert ("failed", False) == (finding.verdict, finding.certain)
    assert ("loss-misconfigured",) == finding.causes
    assert finding.signs["loss-out-of-reach"]
    flattest = np.exp([0.05, 0, 0])
    least = -np.log(flattest.max() / flattest.sum())
    assert finding.statistics["least_cross_entropy"] == pytest.approx(least, rel=1e-3)
    assert "loss-misconfigured" == diagnose(flat_run()).causes[0].code


@pytest.mark.parametrize(
    ("y_train", "loss", "sign"),
    [
        (np.arange(150) % 3, [1.7, 0.9, 0.8], True),
        (np.arange(150) % 3, [1.7, 0.9, 0.95], False),
        (np.arange(150) % 3, [0.9, 0.85, 0.65], False),
        (np.r_[np.zeros(20, int), np.arange(130) % 3], [1.7, 0.9, 0.8], False),
        (np.r_[np.arange(30) % 3, np.arange(120) % 2], [1.7, 0.9, 0.8], False),
        (np.arange(63) % 3, [1.7, 0.9, 0.8], False),
        (None, [1.7, 0.9, 0.8], False),
    ],
    ids=[
        "balanced",
        "hardly fell",
        "scaled",
        "one label frequent",
        "one label rare",
        "few rows",
        "balance unknown",
    ],
)
def test_a_loss_a_fifth_too_small_is_enough_on_balanced_labels(y_train, loss, sign):
    """No class weights make it so small: three quarters of what the outputs cost at least fail.

    Where labels may be weighted, or the mean is over few rows, it takes half.
    """
    fields = {**flat_run(loss=loss).fields(), "y_train": y_train}
    if y_train is not None:
        fields["batch_size"] = len(y_train)
    finding = run_check("loss_matches_outputs", Evidence(**fields))
    assert sign is finding.signs["loss-out-of-reach"]
    assert ("failed" if sign else "passed") == finding.verdict


@pytest.mark.parametrize(
    ("changed", "sign"),
    [
        ({"spread": 3.0}, None),
        ({"loss": [1.1, 1.09, 1.05]}, False),
        ({"loss": [0.05, 0.04, 0.03]}, False),
        ({"val_loss": [1.0, 1.2, 1.4]}, False),
        ({"loss": [1.1, *[1.0] * 98, 0.01]}, False),
        ({"reference": 0.72}, True),
        ({"reference": None, "right": 0.95}, True),
    ],
    ids=[
        "sure",
        "never fell",
        "small from the start",
        "the weights of the first epoch",
        "an easy last batch",
        "as good as a plain model",
        "good",
    ],
)
def test_a_loss_of_another_kind_is_excused(changed, sign):
    """Sure outputs, a loss that did not fall for these weights, good answers: nothing is wrong."""
    finding = run_check("loss_matches_outputs", flat_run(**changed))
    assert "passed" == finding.verdict
    assert sign is finding.signs.get("loss-out-of-reach")


def test_smoothing_batches_and_labels_out_of_range():
    """Smoothed and batch-averaged losses pass if stated; ids out of range leave it open."""
    run = trained(3, 0)
    logs = log_softmax(run.outputs)
    each = -logs[np.arange(150), run.y_true]
    smoothed = (0.9 * each - 0.1 * logs.mean(axis=1)).mean()
    states = {"same_rows": True, "tolerance": 1e-6}
    assert "failed" == loss_check(smoothed, run.outputs, run.y_true, **states).verdict
    finding = loss_check(smoothed, run.outputs, run.y_true, label_smoothing=0.1, **states)
    assert "passed" == finding.verdict
    averaged = np.mean([each[:100].mean(), each[100:].mean()])
    evidence = Evidence(val_loss=[averaged], logits=run.outputs, y_true=run.y_true, batch_size=100)
    assert "passed" == run_check("loss_matches_outputs", evidence, **states).verdict
    assert "inconclusive" == loss_check(0.5, run.outputs, run.y_true - 1).verdict


def test_a_softmax_over_one_unit():
    """Cross-entropy over one unit is 0 from the start, whatever the outputs."""
    finding = loss_check(0.0, [[1.5], [-2.0], [0.3]], [0, 1, 1])
    assert ("failed", True) == (finding.verdict, finding.certain)
    assert "one unit" in finding.summary


# The reported accuracy


def test_an_accuracy_is_judged_only_on_its_own_rows():
    """The suite fails an accuracy only where the loss shows that it is of these rows."""
    run = trained(3, 0)
    loss = in_form("cross-entropy", run.outputs, run.y_true)
    accuracy = float((run.answers == run.y_true).mean())

    def check(val_loss, val_accuracy, **options):
        evidence = run.evidence(val_loss=[val_loss], val_accuracy=[val_accuracy])
        return run_check("accuracy_as_reported", evidence, **options)

    assert "passed" == check(loss, accuracy).verdict
    assert "passed" == check(1.2 * loss, 0.3).verdict
    finding = check(loss, 0.3)
    assert ("failed", True) == (finding.verdict, finding.certain)
    assert ("metric-misreported",) == finding.causes
    binary = ((run.outputs > 0.5) == np.eye(3)[run.y_true]).mean()
    assert "binary accuracy" in check(loss, binary).summary or abs(binary - accuracy) < 1e-3
    assert "failed" == check(1.2 * loss, 0.3, same_rows=True).verdict
    # Logits below 0, clipped as probabilities, cost ln C on whatever rows.
    clipped = run.evidence(
        logits=run.outputs - run.outputs.max() - 1, val_loss=[np.log(3)], val_accuracy=[0.3]
    )
    assert "inconclusive" == run_check("accuracy_as_reported", clipped).verdict
    bare = Evidence(val_accuracy=[0.5], y_true=[0, 1], y_pred=[0, 1])
    assert "skipped" == run_check("accuracy_as_reported", bare).verdict


@pytest.mark.parametrize("spread", [0.003, 0.01, 0.1])
def test_losses_of_other_rows_that_come_close_are_taken_for_what_they_are(spread):
    """Flat outputs cost nearly the same on any rows: that says nothing of which rows they were."""
    generator = np.random.default_rng(3)
    facts = 0
    for _ in range(500):
        y_true = generator.integers(0, 5, (2, 200))
        logits = spread * generator.normal(size=(2, 200, 5))
        chosen = np.take_along_axis(special.log_softmax(logits, axis=2), y_true[..., None], axis=2)
        evidence = Evidence(
            logits=logits[0], y_true=y_true[0], val_loss=[-chosen[1].mean()], val_accuracy=[0.9]
        )
        facts += run_check("accuracy_as_reported", evidence).verdict == "failed"
    assert statistics.clopper_pearson(facts, 500, 0.01)[0] <= 0.001


@pytest.mark.parametrize("num_labels", [2, 5])
def test_the_same_rows_are_known_by_their_loss(num_labels):
    """A loss to all digits of float32 is that of these rows, so their accuracy is known."""
    generator = np.random.default_rng(num_labels)
    for _ in range(20):
        y_true = generator.integers(0, num_labels, 200)
        logits = generator.normal(size=(200, num_labels)) + 2 * np.eye(num_labels)[y_true]
        own = np.float32(-log_softmax(logits)[np.arange(200), y_true].mean())
        evidence = Evidence(
            logits=logits, y_true=y_true, val_loss=[own], val_accuracy=[0.12], batch_size=16
        )
        finding = run_check("accuracy_as_reported", evidence)
        assert "failed" == finding.verdict
        assert finding.certain


@pytest.mark.parametrize(("accuracy", "verdict"), [(1.0, "passed"), (0.5, "inconclusive")])
def test_rows_that_all_cost_the_same_are_known_by_no_loss(accuracy, verdict):
    """Any rows would have that loss; whether the accuracy is that of these rows stays open."""
    y_true = np.arange(40) % 2
    logits = 2.0 * np.eye(2)[y_true]
    loss = in_form("cross-entropy", logits, y_true)
    evidence = Evidence(logits=logits, y_true=y_true, val_loss=[loss], val_accuracy=[accuracy])
    assert verdict == run_check("accuracy_as_reported", evidence).verdict


def test_a_wrong_loss_that_any_rows_would_have_is_open():
    """Of equal outputs the wrong form says nothing of which rows it was computed on."""
    y_true = np.arange(40) % 2
    logits = 2.0 * np.eye(2)[y_true]
    twice = in_form("the softmax applied twice", logits, y_true)
    finding = loss_check(twice, logits, y_true)
    assert "inconclusive" == finding.verdict
    assert finding.summary.startswith("loss misconfigured? ")


# The schedule

STEPS = np.arange(100)
SOUND = {
    "constant": np.full(100, 2e-5),
    "warm-up and linear decay": 2e-5 * np.minimum(STEPS / 10, (99 - STEPS) / 89),
    "warm-up, then constant": 2e-5 * np.minimum(STEPS / 10, 1),
    "cosine with restarts": 1e-5 * (1 + np.cos(np.pi * (STEPS % 25) / 25)),
    "one cycle": 2e-5 * np.interp(STEPS, [0, 30, 99], [0.04, 1, 0]),
    "polynomial": 2e-5 * (1 - STEPS / 99) ** 2,
    "plateau": 2e-5 * 0.1 ** (STEPS // 40),
    "one point": np.array([2e-5]),
    "per epoch": np.array([0.0, 2e-5, 1e-5]),
    "rising epochs": np.array([1e-5, 2e-5]),
}
BROKEN = {
    "negative": (2e-5 * (1 - STEPS / 60), "39 of 100 rates are negative"),
    "zero": (np.zeros(5), "zero at all 5 points"),
    "infinite": (np.array([1e-5, np.inf]), "infinite"),
}
UNUSUAL = {
    "rate-rises-to-the-end": 2e-5 * STEPS / 1000,
    "rate-zero-mostly": 2e-5 * np.maximum(0, 1 - STEPS / 10),
    "rate-jumps": np.where(STEPS < 60, 2e-5, 1e-3),
}


def schedule(rates, **options):
    return run_check("learning_rate_schedule", Evidence(learning_rate=rates), **options)


@pytest.mark.parametrize("rates", SOUND.values(), ids=SOUND)
def test_sound_schedules_pass(rates):
    """Every usual schedule passes, with its peak and without."""
    assert "passed" == schedule(rates).verdict
    assert "passed" == schedule(rates, peak=2e-5).verdict


@pytest.mark.parametrize(("rates", "says"), BROKEN.values(), ids=BROKEN)
def test_broken_schedules_are_facts(rates, says):
    """A rate below zero, zero throughout or infinite fails as a fact."""
    finding = schedule(rates)
    assert ("failed", True) == (finding.verdict, finding.certain)
    assert says in finding.summary


@pytest.mark.parametrize(("sign", "rates"), UNUSUAL.items(), ids=UNUSUAL)
def test_unusual_schedules_are_open(sign, rates):
    """What may be meant is undecided, and a sign; good answers let it pass."""
    finding = schedule(rates)
    assert "inconclusive" == finding.verdict
    assert finding.signs[sign]
    y = np.resize([0, 1], 200)
    good = Evidence(learning_rate=rates, y_true=y, y_pred=y)
    assert "passed" == run_check("learning_rate_schedule", good).verdict


def test_the_peak_is_as_asked():
    """A peak above or far below what was asked for fails; NaN alone is skipped."""
    assert "asked was 2e-05" in schedule(SOUND["constant"] * 10, peak=2e-5).summary
    assert "never gets beyond" in schedule(UNUSUAL["rate-rises-to-the-end"], peak=2e-5).summary
    assert "skipped" == schedule([np.nan]).verdict


# What training did to the weights


@pytest.mark.parametrize(
    ("encoder", "head", "verdict"),
    [(0.02, 0.4, "passed"), (0.0, 0.4, "passed"), (None, 0.1, "passed"), (0.1, None, "passed"),
     (0.0, 0.0, "failed"), (0.1, 0.0, "failed"), (None, 0.0, "failed"),
     (0.0, None, "inconclusive")],
)  # fmt: skip
def test_weights_that_did_not_move(encoder, head, verdict):
    """A head that never moved is a fact; a frozen encoder under a moving head passes."""
    finding = run_check("weights_updated", Evidence(encoder_update=encoder, head_update=head))
    assert verdict == finding.verdict
    assert (verdict == "failed") is finding.certain


@pytest.mark.parametrize(
    ("encoder", "head", "verdict"),
    [(np.nan, 0.4, "failed"), (0.02, np.nan, "failed"), (0.02, np.inf, "passed")],
)
def test_weights_that_are_not_a_number(encoder, head, verdict):
    """NaN fails, diverged; a head that started at zero has moved by infinitely much, and passes."""
    evidence = Evidence(encoder_update=encoder, head_update=head)
    assert verdict == run_check("weights_updated", evidence).verdict
    causes = [cause.code for cause in diagnose(evidence).causes]
    assert (["diverged"] if verdict == "failed" else []) == causes


def overfit(loss, num_labels=2):
    evidence = Evidence(overfit_loss=loss, dataset_label_names=names(num_labels))
    return run_check("overfits_small_batch", evidence)


@pytest.mark.parametrize("num_labels", [2, 3, 5, 20])
def test_a_small_batch_learnt_by_heart(num_labels):
    """A loss to zero passes; one at the floor of a softmax applied twice fails and says so."""
    chance, floor = np.log(num_labels), np.log1p((num_labels - 1) / np.e)
    steps = np.arange(60)
    assert "passed" == overfit(chance * 0.9**steps, num_labels).verdict
    finding = overfit(floor + (chance - floor) * 0.8**steps, num_labels)
    assert ("failed", "loss-misconfigured") == (finding.verdict, finding.causes[0])
    assert "softmax applied twice" in finding.summary
    flat = overfit(np.full(60, chance), num_labels)
    assert ("failed", "weights-not-updated") == (flat.verdict, flat.causes[0])
    assert "inconclusive" == overfit(chance * (1 - steps / 200), num_labels).verdict
    assert "inconclusive" == overfit([chance] * 5, num_labels).verdict


def test_a_small_batch_that_breaks():
    """NaN at the end and exactly 0 from the start fail; nothing recorded is skipped."""
    assert "diverged" == overfit([0.7, 0.5, np.nan]).causes[0]
    assert "exactly 0" in overfit([0.0] * 8).summary
    assert "skipped" == overfit([np.nan]).verdict
