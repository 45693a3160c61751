"""The model as it is served: called again, loaded again."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from pytest_bertcheck import Evidence

from .simulate import run_check, trained

SEEDS = st.integers(0, 2**32 - 1)
AGAIN = {"deterministic": "repeated_logits", "reload_equal": "reloaded_logits"}
BOTH = pytest.mark.parametrize(("check", "field"), AGAIN.items(), ids=AGAIN)


def judge(check, field, logits, again, **fields):
    """Run one of the two checks; NumPy may not warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return run_check(check, Evidence(**{"logits": logits, field: again, **fields}))


@BOTH
@pytest.mark.parametrize("size", [1, 32, 150])
def test_the_same_outputs_pass(check, field, size):
    """A real model called again, on all or on the first examples, gives the same outputs."""
    run = trained(3, 0)
    finding = judge(check, field, run.outputs, run.logits(run.texts[:size]))
    assert "passed" == finding.verdict
    assert 0 == finding.statistics["changed_answers"]


@BOTH
@given(seed=SEEDS, scale=st.floats(1e-3, 1e3), num_labels=st.integers(1, 5))
@settings(deadline=None, max_examples=40)
def test_float_noise_passes(check, field, seed, scale, num_labels):
    """Sums in another order differ in the last digits of float32, at any size of outputs."""
    generator = np.random.default_rng(seed)
    logits = (scale * generator.normal(size=(20, num_labels))).astype(np.float32)
    noise = 1 + 1e-6 * generator.normal(size=logits.shape)
    assert "passed" == judge(check, field, logits, (logits * noise).astype(np.float32)).verdict


@BOTH
def test_half_precision_noise_passes(check, field):
    """The same outputs through float16 are the same outputs."""
    run = trained(3, 0)
    assert "passed" == judge(check, field, run.outputs, run.outputs.astype(np.float16)).verdict


@pytest.mark.parametrize("rate", [0.1, 0.5])
@pytest.mark.parametrize("num_labels", [2, 5])
def test_dropout_left_on_is_a_fact(rate, num_labels):
    """A real dropout layer on the features, left on at inference, makes two calls differ."""
    run = trained(num_labels, 0)
    generator = np.random.default_rng(0)

    def predict(texts):
        features = run.vectorizer.transform(texts).toarray()
        kept = generator.random(features.shape) >= rate
        scores = run.model.decision_function(features * kept / (1 - rate))
        return np.stack([-scores / 2, scores / 2], axis=1) if scores.ndim == 1 else scores

    finding = judge("deterministic", "repeated_logits", predict(run.texts), predict(run.texts[:32]))
    assert "failed" == finding.verdict
    assert finding.certain
    assert ("dropout-at-inference",) == finding.causes
    assert finding.signs["calls-differ"]
    assert 32 == finding.statistics["examples"]


def test_a_saved_model_is_the_same_model():
    """A real model that is saved and loaded gives its outputs again."""
    run = trained(3, 0)
    vectorizer, model = pickle.loads(pickle.dumps((run.vectorizer, run.model)))
    again = model.decision_function(vectorizer.transform(run.texts[:32]))
    finding = judge("reload_equal", "reloaded_logits", run.outputs, again)
    assert "passed" == finding.verdict
    assert finding.signs["reload-differs"] is False


def test_a_vectorizer_fitted_again_is_another_model():
    """The weights of one vocabulary on the columns of another: the reloaded model differs."""
    run = trained(3, 0)
    again = TfidfVectorizer(max_features=len(run.vectorizer.vocabulary_)).fit(run.texts)
    features = again.transform(run.texts[:32]).toarray()
    padded = np.zeros((32, run.model.coef_.shape[1]))
    padded[:, : features.shape[1]] = features
    finding = judge(
        "reload_equal", "reloaded_logits", run.outputs, run.model.decision_function(padded)
    )
    assert "failed" == finding.verdict
    assert finding.certain
    assert ("weights-not-loaded",) == finding.causes


def test_a_head_that_was_not_saved():
    """A classifier trained anew from another start, as a fresh head is, differs."""
    run = trained(3, 0)
    features = run.vectorizer.transform(run.train_texts)
    other = LogisticRegression(C=0.1).fit(
        features, np.random.default_rng(0).permutation(run.y_train)
    )
    again = other.decision_function(run.vectorizer.transform(run.texts[:32]))
    finding = judge("reload_equal", "reloaded_logits", run.outputs, again)
    assert "failed" == finding.verdict
    changed = (again.argmax(axis=1) != run.answers[:32]).sum()
    assert changed == finding.statistics["changed_answers"]


@pytest.mark.parametrize("names", [["classifier.weight"], ["classifier/kernel", "classifier/bias"]])
def test_weights_left_at_random_values_are_a_fact(names):
    """Names of weights that loading did not find fail, and are listed."""
    finding = run_check("reload_equal", Evidence(unloaded_weights=names))
    assert "failed" == finding.verdict
    assert finding.certain
    assert finding.signs["weights-unloaded"]
    assert names == finding.statistics["unloaded_weights"]
    assert [(name,) for name in names] == list(finding.table[1:])


def test_no_weights_left_pass():
    """An empty list of names says that everything was loaded."""
    finding = run_check("reload_equal", Evidence(unloaded_weights=[]))
    assert "passed" == finding.verdict
    assert finding.signs["weights-unloaded"] is False


def test_both_ways_of_telling_are_combined():
    """Missing weights and other outputs are both in the message."""
    run = trained(3, 0)
    summary = judge(
        "reload_equal", "reloaded_logits", run.outputs, -run.outputs[:30],
        unloaded_weights=["head"],
    ).summary  # fmt: skip
    assert "'head'" in summary
    assert "30/30 answers change" in summary


def test_reloaded_outputs_without_outputs_to_compare_with():
    """Outputs after loading alone cannot be compared: skipped, naming the other field."""
    finding = run_check("reload_equal", Evidence(reloaded_logits=[[0.5, 1.0]]))
    assert "skipped" == finding.verdict
    assert ("logits",) == finding.needs


@BOTH
@pytest.mark.parametrize("width", [1, 3])
def test_another_width_fails(check, field, width):
    """Outputs of another number of labels are another model's, and both widths are shown."""
    logits = np.random.default_rng(0).normal(size=(20, 2))
    finding = judge(check, field, logits, np.ones((5, width)))
    assert "failed" == finding.verdict
    assert f"{field} has {width} column" in finding.summary
    assert "num_labels" in finding.fix


@BOTH
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_outputs_that_broke_are_not_the_same(check, field, bad):
    """NaN or infinity where the first outputs were finite is a difference, not an agreement."""
    logits = np.random.default_rng(0).normal(size=(20, 3))
    again = np.where(np.arange(60).reshape(20, 3) == 4, bad, logits)
    assert "failed" == judge(check, field, logits, again).verdict


@BOTH
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_outputs_broken_alike_agree(check, field, bad):
    """NaN or infinity in both is for logits_valid to report; the two calls do agree."""
    logits = np.where(np.arange(60).reshape(20, 3) == 4, bad, 1.5)
    assert "passed" == judge(check, field, logits, logits[:10]).verdict


@BOTH
def test_changed_answers_of_a_single_column_are_counted(check, field):
    """One output column answers by its sign: answers that change are counted as such."""
    logits = np.array([[2.0], [-1.0], [3.0], [-2.0]])
    finding = judge(check, field, logits, -logits)
    assert "failed" == finding.verdict
    assert 4 == finding.statistics["changed_answers"]
