"""What the tokenizer makes of the texts: truncation that loses the label, inputs that are alike."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from pytest_bertcheck import Evidence, statistics

from .simulate import NAMES, run_check, session

SEEDS = st.integers(0, 2**32 - 1)
KEPT = 12
"""Words that the truncated texts of this module keep."""


def long_texts(labels, generator, *, where):
    """Write texts of 30 to 60 words whose label is told by their first or their last words."""
    texts = []
    for label in labels:
        words = [f"common{word}" for word in generator.integers(0, 40, generator.integers(30, 60))]
        own = [f"{NAMES[label]}{word}" for word in generator.integers(0, 30, 5)]
        position = 2 if where == "first" else len(words) - 5
        texts.append(" ".join(words[:position] + own + words[position:]))
    return texts


def head(texts):
    return [" ".join(text.split()[:KEPT]) for text in texts]


def tail(texts):
    return [" ".join(text.split()[-KEPT:]) for text in texts]


@functools.cache
def truncated(where, *, num_labels=3, seed=0, trained_on=head, n=150):
    """Train real models on what is kept and on whole texts; return all that can be observed."""
    generator = np.random.default_rng(seed)
    y_train, y_true = (np.arange(size) % num_labels for size in (300, n))
    train, texts = (long_texts(y, generator, where=where) for y in (y_train, y_true))

    def fit(cut):
        return make_pipeline(TfidfVectorizer(), LogisticRegression(C=50.0, max_iter=1000)).fit(
            cut(train), y_train
        )

    model, kept_reference, reference = fit(trained_on), fit(head), fit(list)
    return {
        "y_true": y_true,
        "label_names": NAMES[:num_labels],
        "logits": model.decision_function(head(texts)),
        "tail_logits": model.decision_function(tail(texts)),
        "reference_y_pred": reference.predict(texts),
        "kept_reference_y_pred": kept_reference.predict(head(texts)),
        "token_counts": [len(text.split()) for text in texts],
        "kept_token_counts": [KEPT] * n,
        "max_length": KEPT,
    }


def harmless(fields, *without):
    """Run the check on these fields, some left out."""
    kept = {name: value for name, value in fields.items() if name not in without}
    return run_check("truncation_harmless", Evidence(**kept))


@given(seed=SEEDS, n=st.integers(1, 50))
@settings(deadline=None, max_examples=30)
def test_nothing_cut_passes(seed, n):
    """Texts that fit, short ones included, pass whatever else is known."""
    counts = np.random.default_rng(seed).integers(1, 30, n)
    evidence = Evidence(token_counts=counts, kept_token_counts=counts, max_length=30)
    finding = run_check("truncation_harmless", evidence)
    assert "passed" == finding.verdict
    assert not finding.signs["truncated"]
    assert 0 == finding.statistics["truncated"]


@pytest.mark.parametrize("trained_on", [head, list], ids=["trained cut", "trained whole"])
def test_truncation_that_keeps_the_label_passes(trained_on):
    """Every text is cut to a third, but the first words decide: no harm, by either comparison."""
    fields = truncated("first", trained_on=trained_on)
    for without in ((), ("tail_logits",), ("kept_reference_y_pred",)):
        finding = harmless(fields, *without)
        assert "passed" == finding.verdict
        assert finding.signs["truncated-mostly"]
        assert finding.signs["cut-part-decides"] is False


def test_truncation_that_loses_the_label_fails():
    """The last words decide and are cut: a model trained on what is kept is at chance."""
    finding = harmless(truncated("last"), "tail_logits")
    assert "failed" == finding.verdict
    assert ("truncation-loses-signal",) == finding.causes
    assert finding.signs["cut-part-decides"]
    assert f"{KEPT} of " in finding.summary


def test_the_tail_does_better():
    """A model trained on whole texts is right from the last words and not from the first."""
    finding = harmless(truncated("last", trained_on=list), "kept_reference_y_pred")
    assert "failed" == finding.verdict
    assert "from the tail" in finding.summary


def test_the_tail_of_a_single_output_column():
    """One output column is read as answers, cut at one half, here as everywhere else."""
    fields = truncated("last", num_labels=2, trained_on=list)
    margins = {name: np.asarray(fields[name]).reshape(-1, 1) for name in ("logits", "tail_logits")}
    finding = harmless({**fields, **margins}, "kept_reference_y_pred")
    assert "failed" == finding.verdict


def test_without_a_comparison_it_stays_open():
    """A share of cut texts alone proves nothing: inconclusive, naming the fields that would."""
    fields = truncated("last")
    finding = harmless(fields, "tail_logits", "kept_reference_y_pred")
    assert "inconclusive" == finding.verdict
    assert ("tail_logits", "kept_reference_y_pred") == finding.needs
    counts = {name: fields[name] for name in ("token_counts", "kept_token_counts")}
    assert "inconclusive" == harmless(counts).verdict


def test_good_answers_show_that_it_did_no_harm():
    """Without a comparison, answers that are demonstrably good settle it."""
    finding = harmless(truncated("first"), "tail_logits", "kept_reference_y_pred")
    assert "passed" == finding.verdict


def test_a_hard_task_is_not_truncation():
    """Where whole texts do not tell the label either, truncation is not to blame."""
    generator = np.random.default_rng(0)
    fields = truncated("first")
    noise = {
        name: generator.integers(0, 3, 150)
        for name in ("y_true", "reference_y_pred", "kept_reference_y_pred")
    }
    finding = harmless({**fields, **noise, "logits": generator.normal(size=(150, 3))},
                       "tail_logits")  # fmt: skip
    assert "passed" == finding.verdict


def test_the_fix_is_a_length_that_keeps_the_texts():
    """The length in the fix keeps 99 % of the texts whole, within BERT's limit of 512."""
    fields = truncated("last")
    fix = harmless(fields, "tail_logits").fix
    length = int(fix.partition("max_length=")[2].split()[0])
    assert 0.98 < (np.array(fields["token_counts"]) <= length).mean()
    assert 0 == length % 8
    long = {**fields, "token_counts": [9000] * 150}
    assert "max_length=512 " in harmless(long, "tail_logits").fix


@pytest.mark.parametrize(
    ("kept", "max_length", "expected"), [(20, 128, True), (128, 128, False), (100, 128, False)]
)
def test_inputs_cut_below_the_limit_are_seen(kept, max_length, expected):
    """Texts that are cut far below max_length were cut by something else."""
    evidence = Evidence(
        token_counts=[400] * 50, kept_token_counts=[kept] * 50, max_length=max_length
    )
    assert expected is run_check("truncation_harmless", evidence).signs["cut-below-max-length"]


def test_harmless_truncation_fails_no_more_often_than_allowed():
    """Where head and tail, kept and whole do equally well, at most 5 % of 300 sessions fail."""
    generator = np.random.default_rng(0)
    failed = 0
    for _ in range(300):
        n = int(generator.integers(20, 500))
        y_true, logits = session(generator, num_labels=3, n=n, skill=2)
        again = 2 * generator.normal(size=(n, 3))
        again[np.arange(n), y_true] += 4
        answers = again.argmax(axis=1)
        evidence = Evidence(
            y_true=y_true,
            logits=logits,
            tail_logits=again,
            reference_y_pred=logits.argmax(axis=1),
            kept_reference_y_pred=answers,
            token_counts=generator.integers(10, 90, n),
            kept_token_counts=[9] * n,
        )
        finding = run_check("truncation_harmless", evidence, alpha=0.05)
        # Head and tail differ only by chance here: their noise has the same size.
        failed += finding.verdict == "failed"
    assert statistics.clopper_pearson(failed, 300, 0.001)[0] <= 0.05


# Inputs


def encoded(texts, *, length=12, vocabulary=5000):
    """Encode words as a plain word-level tokenizer does: [CLS] ids [SEP] and padding."""
    ids = np.zeros((len(texts), length), dtype=int)
    for row, text in enumerate(texts):
        words = [hash_of(word) % vocabulary + 1000 for word in text.split()[: length - 2]]
        ids[row, : len(words) + 2] = [101, *words, 102]
    return {"input_ids": ids, "attention_mask": (ids != 0).astype(int)}


def hash_of(word):
    """A hash that is the same in every process."""
    return sum(ord(letter) * 31**position for position, letter in enumerate(word))


def distinct(**fields):
    return run_check("inputs_distinct", Evidence(**fields))


@given(seed=SEEDS, n=st.integers(2, 60))
@settings(deadline=None, max_examples=30)
def test_different_texts_pass(seed, n):
    """Different texts, encoded as different ids, pass."""
    generator = np.random.default_rng(seed)
    texts = [f"text{i} " + " ".join(f"w{w}" for w in generator.integers(0, 99, 5))
             for i in range(n)]  # fmt: skip
    finding = distinct(**encoded(texts))
    assert "passed" == finding.verdict
    assert finding.signs["inputs-equal"] is False


@pytest.mark.parametrize("n", [2, 30, 200])
def test_equal_inputs_are_a_fact(n):
    """A pipeline that encodes the same text over and over fails for certain."""
    finding = distinct(**encoded(["the first text of all"] * n), y_true=np.arange(n) % 2)
    assert "failed" == finding.verdict
    assert finding.certain
    assert "inputs-constant" == finding.causes[0]
    assert f"{n}/{n} texts are encoded as the same ids" in finding.summary


def test_differences_under_the_padding_do_not_count():
    """Ids that differ only where the attention mask is 0 are the same input."""
    ids = np.tile([101, 7, 102, 0], (40, 1))
    ids[:, 3] = np.arange(40)
    mask = np.tile([1, 1, 1, 0], (40, 1))
    assert "failed" == distinct(input_ids=ids, attention_mask=mask).verdict
    assert "passed" == distinct(input_ids=ids).verdict


def test_boilerplate_that_fills_the_window():
    """Texts that begin alike and are cut there reach the model as one: truncation is named."""
    texts = ["dear sir or madam " * 5 + f"about {i}" for i in range(40)]
    finding = distinct(**encoded(texts), token_counts=[22 + i % 9 for i in range(40)])
    assert "failed" == finding.verdict
    assert "truncation-loses-signal" in finding.causes


def test_repeated_texts_are_not_a_fault():
    """Texts that repeat in the data in part, as short messages do, pass."""
    texts = ["ok"] * 30 + ["thank you"] * 30 + ["see you"] * 30
    assert "passed" == distinct(**encoded(texts), y_true=[0, 1, 0] * 30).verdict


def test_one_text_cannot_be_constant():
    """A single example is no evidence that all are alike."""
    assert "passed" == distinct(**encoded(["hello"])).verdict


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_empty_inputs_are_a_fact(kept):
    """Texts of which only [CLS] and [SEP] are left, or not even those."""
    finding = distinct(kept_token_counts=[kept] * 60, token_counts=[40] * 60)
    assert "failed" == finding.verdict
    assert "inputs-constant" == finding.causes[0]
    assert finding.signs["inputs-empty"]


def test_short_texts_without_special_tokens_are_not_empty():
    """Two words each, from a tokenizer that adds nothing, are two tokens of text."""
    ids = np.random.default_rng(0).integers(1, 9000, (100, 2))
    finding = distinct(input_ids=ids, kept_token_counts=[2] * 100, token_counts=[2] * 100)
    assert "failed" != finding.verdict


def test_inputs_of_unknown_tokens_are_a_fact():
    """Texts in a script that the vocabulary lacks are all [UNK]; both causes are named."""
    finding = distinct(unknown_token_share=[0.9] * 50)
    assert "failed" == finding.verdict
    assert ("vocabulary-mismatch", "inputs-constant") == finding.causes


@given(seed=SEEDS, n=st.integers(2, 80))
@settings(deadline=None, max_examples=20)
def test_a_few_unknown_tokens_pass(seed, n):
    """Some [UNK] in each text, or some texts full of them, are normal."""
    share = np.random.default_rng(seed).uniform(0, 0.3, n)
    share[0] = 1.0
    finding = distinct(unknown_token_share=share)
    assert "passed" == finding.verdict
    assert finding.signs["unknown-tokens-many"] is False
