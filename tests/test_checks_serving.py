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

from pytest_bertcheck import Evidence, diagnose

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


@pytest.mark.parametrize(("rate", "certain"), [(0.1, True), (0.9, False)])
@pytest.mark.parametrize("num_labels", [2, 5])
def test_dropout_left_on_is_a_fact(rate, certain, num_labels):
    """A real dropout layer, left on at inference: a fact unless it leaves nothing of the texts."""
    run = trained(num_labels, 0)
    generator = np.random.default_rng(0)

    def predict(texts):
        features = run.vectorizer.transform(texts).toarray()
        kept = generator.random(features.shape) >= rate
        scores = run.model.decision_function(features * kept / (1 - rate))
        return np.stack([-scores / 2, scores / 2], axis=1) if scores.ndim == 1 else scores

    finding = judge("deterministic", "repeated_logits", predict(run.texts), predict(run.texts[:32]))
    assert "failed" == finding.verdict
    assert certain is finding.certain
    assert "dropout-at-inference" == finding.causes[0]
    assert certain is (len(finding.causes) == 1)
    assert finding.signs["calls-differ"]
    assert 32 == finding.statistics["examples"]


@BOTH
@given(seed=SEEDS, n=st.integers(40, 80))
@settings(deadline=None, max_examples=20)
def test_a_call_that_shuffles_loses_the_order_and_no_weights(check, field, seed, n):
    """Outputs of the same texts in another order are neither dropout nor weights not loaded."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(n, 3))
    evidence = Evidence(
        logits=logits[generator.permutation(n)],
        **{field: logits[:32]},
    )
    diagnosis = diagnose(evidence)
    assert [] == [c.code for c in diagnosis.causes if c.code != "labels-misaligned"]
    if check == "deterministic":
        assert ["labels-misaligned"] == [c.code for c in diagnosis.causes if c.certain]


def test_outputs_of_other_texts_are_not_certainly_dropout():
    """A last batch that is repeated gives outputs that have nothing to do with their texts."""
    run = trained(5, 0)
    batch = np.resize(run.outputs[-8:], run.outputs.shape)
    finding = judge("deterministic", "repeated_logits", batch, run.outputs[:32])
    assert "failed" == finding.verdict
    assert not finding.certain
    assert "labels-misaligned" in finding.causes


def test_dropout_left_on_is_not_taken_for_weights_that_were_not_loaded():
    """Where identical calls differ, so does a reloaded model, and that proves nothing."""
    run = trained(3, 0)
    repeated, reloaded = run.outputs[:32] * 1.25, run.outputs[:32] * 0.75
    evidence = run.evidence(repeated_logits=repeated, reloaded_logits=reloaded)
    finding = run_check("reload_equal", evidence)
    assert "inconclusive" == finding.verdict
    assert "reload-differs" not in finding.signs
    diagnosis = diagnose(evidence)
    assert ["dropout-at-inference"] == [cause.code for cause in diagnosis.causes]


def test_weights_left_at_random_values_are_a_fact_under_dropout():
    """Weights that loading did not find need no outputs to be a fact."""
    run = trained(3, 0)
    again = dict.fromkeys(AGAIN.values(), run.outputs[:32] * 1.25)
    evidence = run.evidence(unloaded_weights=["classifier.weight"], **again)
    finding = run_check("reload_equal", evidence)
    assert ("failed", True) == (finding.verdict, finding.certain)


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
    """Outputs of another width are another model's, or another tensor; both widths are shown."""
    logits = np.random.default_rng(0).normal(size=(20, 2))
    finding = judge(check, field, logits, np.ones((5, width)))
    assert "failed" == finding.verdict
    assert f"{field} has {width} column" in finding.summary
    assert ("num_labels" if check == "reload_equal" else "outputs.logits") in finding.fix


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


# Another batch, more padding


def bag_of_ids(ids, mask, *, ignore_mask=False):
    """A linear model of the mean embedding, as a pooled encoder is, with or without its mask."""
    weights = np.random.default_rng(5).normal(size=(50, 3))
    used = np.ones_like(mask) if ignore_mask else mask
    return (weights[ids] * used[..., None]).sum(axis=1) / used.sum(axis=1, keepdims=True)


def padded_texts(n=40, seed=0, length=12):
    generator = np.random.default_rng(seed)
    counts = generator.choice([4, 6, length], n)
    mask = (np.arange(length) < counts[:, None]).astype(int)
    return np.where(mask == 1, generator.integers(5, 50, (n, length)), 0), mask


def one_at_a_time(ids, mask, **how):
    return np.concatenate(
        [bag_of_ids(i[None, : m.sum()], m[None, : m.sum()], **how)
         for i, m in zip(ids, mask, strict=True)]
    )  # fmt: skip


def test_a_model_that_minds_its_mask_is_invariant():
    """With the mask, neither batch nor padding changes an output."""
    ids, mask = padded_texts()
    logits = bag_of_ids(ids, mask)
    wider = bag_of_ids(np.pad(ids, ((0, 0), (0, 20))), np.pad(mask, ((0, 0), (0, 20))))
    alone = one_at_a_time(ids, mask)
    assert "passed" == judge("batch_invariant", "rebatched_logits", logits, alone).verdict
    assert "passed" == judge("padding_invariant", "padded_logits", logits, wider).verdict


def test_a_model_that_ignores_its_mask_is_a_fact():
    """Without the mask the padded texts change, and only they: attention-mask-ignored."""
    ids, mask = padded_texts()
    logits = bag_of_ids(ids, mask, ignore_mask=True)
    alone = one_at_a_time(ids, mask, ignore_mask=True)
    finding = judge("batch_invariant", "rebatched_logits", logits, alone,
                    kept_token_counts=mask.sum(axis=1))  # fmt: skip
    assert ("failed", True) == (finding.verdict, finding.certain)
    assert ("attention-mask-ignored",) == finding.causes
    assert finding.signs["padded-rows-differ"]
    wider = np.pad(ids, ((0, 0), (0, 20)))
    padded = bag_of_ids(wider, np.ones_like(wider))
    finding = judge("padding_invariant", "padded_logits", logits, padded, repeated_logits=logits)
    assert ("failed", True) == (finding.verdict, finding.certain)
    finding = judge("padding_invariant", "padded_logits", logits, padded)
    assert ("failed", False) == (finding.verdict, finding.certain)
    assert "dropout-at-inference" in finding.causes


@given(seed=SEEDS, differing=st.integers(1, 32))
@settings(deadline=None, max_examples=40)
def test_padding_that_is_not_masked_changes_more_than_half_of_the_rows(seed, differing):
    """Where it changes few, and the others not at all, something else is at work: undecided."""
    logits = np.random.default_rng(seed).normal(size=(32, 3))
    padded = np.where(np.arange(32)[:, None] < differing, -logits, logits)
    finding = judge("padding_invariant", "padded_logits", logits, padded, repeated_logits=logits)
    assert ("failed" if differing > 16 else "inconclusive") == finding.verdict
    assert (differing > 16) is finding.certain


def test_weights_that_training_blew_up_magnify_rounding():
    """A sum of another length ends in another bit; huge weights make another answer of it."""
    generator = np.random.default_rng(0)
    ids, mask = padded_texts()
    wider = np.pad(ids, ((0, 0), (0, 20))), np.pad(mask, ((0, 0), (0, 20)))
    weights = generator.normal(size=(3, 3)).astype(np.float32)

    def blown_up(ids, mask):
        hidden = bag_of_ids(ids, mask).astype(np.float32)
        return 1e4 * np.sin(1e7 * (hidden + 1e-7 * mask.shape[1]) @ weights)

    logits, padded = blown_up(ids, mask), blown_up(*wider)
    finding = judge("padding_invariant", "padded_logits", logits, padded, repeated_logits=logits)
    assert "inconclusive" == finding.verdict
    assert "outputs so large magnify rounding" in finding.summary
    unpadded = mask.all(axis=1)[:, None]
    alone = np.where(unpadded, logits, padded)
    finding = judge(
        "batch_invariant", "rebatched_logits", logits, alone, kept_token_counts=mask.sum(axis=1)
    )
    assert "inconclusive" == finding.verdict


INVARIANT = pytest.mark.parametrize(
    ("check", "field"),
    [("batch_invariant", "rebatched_logits"), ("padding_invariant", "padded_logits")],
)


@INVARIANT
def test_dropout_is_no_matter_of_batches(check, field):
    """Where identical calls differ already, another batch or padding proves nothing."""
    generator = np.random.default_rng(0)
    logits, again, other = generator.normal(size=(3, 40, 3))
    finding = judge(check, field, logits, other, repeated_logits=again)
    assert "inconclusive" == finding.verdict
    assert "failed" == judge(check, field, logits, other).verdict


@INVARIANT
@given(seed=SEEDS, num_labels=st.integers(2, 6))
@settings(deadline=None, max_examples=30)
def test_half_precision_never_fails(check, field, seed, num_labels):
    """Outputs computed with 8 bits of mantissa are the same model's: passed or undecided."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(32, num_labels))
    again = logits * (1 + generator.uniform(-(2**-8), 2**-8, logits.shape))
    assert "failed" != judge(check, field, logits, again).verdict


@INVARIANT
def test_another_width_in_another_batch(check, field):
    """Outputs of another width are another tensor's."""
    finding = judge(check, field, np.eye(4), np.ones((2, 7)))
    assert ("failed", "wrong-tensor-decoded") == (finding.verdict, finding.causes[0])


@given(seed=SEEDS, n=st.integers(8, 60))
@settings(deadline=None, max_examples=30)
def test_rows_in_another_order_are_a_fact(seed, n):
    """Batches that come back in another order give each text the outputs of another one."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(n, 3))
    order = np.roll(np.arange(n), 1)
    finding = judge("batch_invariant", "rebatched_logits", logits[order], logits)
    assert ("failed", True) == (finding.verdict, finding.certain)
    assert ("labels-misaligned",) == finding.causes
    assert n == finding.statistics["rows_of_others"]


def test_a_softmax_over_the_batch_is_a_fact():
    """Alone, every output of a softmax over the batch is 1; over the labels nothing changes."""
    logits = np.random.default_rng(0).normal(size=(40, 3))

    def over_batch(rows):
        return np.exp(rows) / np.exp(rows).sum(axis=0)

    batched = np.concatenate([over_batch(logits[:20]), over_batch(logits[20:])])
    alone = np.concatenate([over_batch(logits[i : i + 1]) for i in range(40)])
    finding = judge("batch_invariant", "rebatched_logits", batched, alone)
    assert ("failed", True) == (finding.verdict, finding.certain)
    assert ("loss-misconfigured",) == finding.causes
