"""What the tokenizer makes of the texts: truncation, inputs alike, vocabulary, mask."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from pytest_bertcheck import Evidence, required_examples, statistics

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
    assert "% right, tail " in finding.summary


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


@pytest.mark.parametrize(
    ("kept", "right", "expected"),
    [(4, 70, "failed"), (4, 96, "passed"), (8, 70, "failed"), (9, 70, "inconclusive"),
     (9, 96, "passed")],
)  # fmt: skip
def test_hardly_a_word_must_be_enough(kept, right, expected):
    """Cut to 8 tokens of 150 at most, a model that errs more than once in twenty times fails."""
    y_true = np.arange(100) % 2
    answers = np.where(np.arange(100) < right, y_true, 1 - y_true)
    finding = harmless(
        {"token_counts": [150] * 100, "kept_token_counts": [kept] * 100, "y_true": y_true,
         "y_pred": answers}
    )  # fmt: skip
    assert expected == finding.verdict
    assert "cut-part-decides" not in finding.signs


def test_hardly_a_word_is_too_little_whatever_the_tail_says():
    """Four tokens of either end are as bad: that the tail is no better is no excuse."""
    y_true = np.arange(100) % 2
    logits = np.eye(2)[np.where(np.arange(100) < 70, y_true, 1 - y_true)]
    finding = harmless(
        {"token_counts": [150] * 100, "kept_token_counts": [4] * 100, "y_true": y_true,
         "logits": logits, "tail_logits": logits}
    )  # fmt: skip
    assert "failed" == finding.verdict
    assert "4 of 150 tokens kept" in finding.summary


def test_a_plain_model_that_does_far_better_on_what_is_kept_clears_truncation():
    """At chance on what a plain model reads well, the model under test has another fault."""
    generator = np.random.default_rng(0)
    y_true = generator.integers(0, 3, 400)
    whole = np.where(generator.random(400) < 0.97, y_true, (y_true + 1) % 3)
    kept = np.where(generator.random(400) < 0.7, y_true, (y_true + 1) % 3)
    fields = {
        "token_counts": [150] * 400, "kept_token_counts": [20] * 400, "y_true": y_true,
        "reference_y_pred": whole, "kept_reference_y_pred": kept, "label_names": list("abc"),
    }  # fmt: skip
    at_chance = harmless({**fields, "y_pred": generator.permutation(y_true)})
    as_good_as_it_gets = harmless({**fields, "y_pred": kept})
    assert ("passed", "failed") == (at_chance.verdict, as_good_as_it_gets.verdict)
    assert at_chance.signs["cut-part-decides"] is False
    assert as_good_as_it_gets.signs["cut-part-decides"] is True


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


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "int64"])
def test_ids_of_any_type_are_compared_under_the_mask(dtype):
    """Token ids without a sign, as a compact recording has them, are masked like all others."""
    ids = np.array([[7, 1, 3], [7, 2, 3], [7, 1, 9]], dtype=dtype)
    assert "passed" == distinct(input_ids=ids, attention_mask=[[1, 1, 0]] * 3).verdict
    assert "failed" == distinct(input_ids=ids, attention_mask=[[1, 0, 0]] * 3).verdict


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


def test_ids_in_the_place_of_the_mask_make_no_inputs_equal():
    """Where the mask holds token ids, it is the mask that is wrong, and no text is taken out."""
    generator = np.random.default_rng(0)
    ids = generator.integers(5, 900, (60, 8))
    assert "passed" == run_check("inputs_distinct", Evidence(input_ids=ids)).verdict
    exchanged = Evidence(input_ids=ids, attention_mask=generator.permutation(ids))
    assert "passed" == run_check("inputs_distinct", exchanged).verdict
    assert "failed" == run_check("attention_mask_valid", exchanged).verdict


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


# Do tokenizer and model belong together?


def matches(**fields):
    return run_check("vocabulary_matches", Evidence(**fields))


WORDS = [f"common{word}" for word in range(40)]


def word_pieces(texts, *, known, length=16, pad=0, lower=True):
    """Encode with a vocabulary of whole words, as WordPiece does words that it cannot spell."""
    vocabulary = {word: 5 + number for number, word in enumerate(known)}
    ids = np.full((len(texts), length), pad)
    mask = np.zeros_like(ids)
    for row, text in enumerate(texts):
        words = (text.lower() if lower else text).split()[: length - 2]
        encoded = [2, *(vocabulary.get(word, 1) for word in words), 3]
        ids[row, : len(encoded)] = encoded
        mask[row, : len(encoded)] = 1
    unknown = ((ids == 1) & (mask == 1)).sum(axis=1) / mask.sum(axis=1)
    return {"input_ids": ids, "attention_mask": mask, "unknown_token_share": unknown}


def some_texts(generator, n, *, words=WORDS):
    return [" ".join(generator.choice(words, generator.integers(3, 14))) for _ in range(n)]


@given(seed=SEEDS, n=st.integers(1, 60), spare=st.integers(0, 100))
@settings(deadline=None, max_examples=30)
def test_a_tokenizer_and_its_model_pass(seed, n, spare):
    """The vocabulary that the model was made for passes, with embeddings to spare too."""
    texts = some_texts(np.random.default_rng(seed), n)
    size = 5 + len(WORDS)
    finding = matches(
        **word_pieces(texts, known=WORDS),
        tokenizer_size=size, embedding_rows=size + spare, pad_token_id=0,
    )  # fmt: skip
    assert "passed" == finding.verdict
    assert finding.signs["unknown-tokens-above-usual"] is False


@given(seed=SEEDS, missing=st.integers(1, 30))
@settings(deadline=None, max_examples=30)
def test_ids_without_an_embedding_are_a_fact(seed, missing):
    """A tokenizer of a larger vocabulary gives ids that the model has no embedding for."""
    texts = [" ".join(WORDS[:12]), " ".join(WORDS[-12:])]
    texts += some_texts(np.random.default_rng(seed), 10)
    rows = 5 + len(WORDS) - missing
    fields = word_pieces(texts, known=WORDS)
    finding = matches(**fields, embedding_rows=rows)
    assert "failed" == finding.verdict
    assert finding.certain
    assert int((fields["input_ids"] >= rows).sum()) == finding.statistics["ids_outside"]
    assert f"outside the {rows} embeddings" in finding.summary


def test_a_larger_tokenizer_is_a_fact_unless_its_ids_are_seen_to_fit():
    """More tokens than embeddings fail by themselves; with texts that avoid them it is open."""
    assert "failed" == matches(tokenizer_size=30523, embedding_rows=30522).verdict
    assert "passed" == matches(tokenizer_size=30522, embedding_rows=30522).verdict
    fitting = word_pieces(some_texts(np.random.default_rng(0), 20), known=WORDS)
    finding = matches(**fitting, tokenizer_size=60, embedding_rows=50)
    assert "inconclusive" == finding.verdict
    assert "the tokenizer has 60 tokens, the model 50 embeddings" in finding.summary
    del fitting["unknown_token_share"]
    assert "inconclusive" == matches(**fitting, tokenizer_size=60, embedding_rows=50).verdict


@pytest.mark.parametrize("pad", [1, 4, 44])
def test_padding_with_another_id_is_a_fact(pad):
    """Texts padded with another id than the model's configuration says."""
    fields = word_pieces(["common1 common2", "common3 " * 5], known=WORDS, pad=pad)
    finding = matches(**fields, pad_token_id=0)
    assert "failed" == finding.verdict
    assert finding.certain
    assert f"padded with the id {pad}, the model's pad_token_id is 0" in finding.summary
    assert "passed" == matches(**fields, pad_token_id=pad).verdict


def test_what_does_no_harm_passes():
    """A token too many, or another id under a mask, passes beside demonstrably good answers."""
    y_true = np.resize([0, 1], 200)
    texts = some_texts(np.random.default_rng(0), 200)
    good = {"y_true": y_true, "y_pred": y_true, **word_pieces(texts, known=WORDS, pad=7)}
    assert "passed" == matches(**good, pad_token_id=0).verdict
    assert "passed" == matches(**good, tokenizer_size=99, embedding_rows=98).verdict
    assert "passed" == matches(**good | word_pieces(texts, known=[])).verdict
    assert "failed" == matches(**good, embedding_rows=40).verdict  # no embedding: never harmless


def test_cased_text_under_an_uncased_vocabulary_shows():
    """Capitals that the vocabulary has not got become [UNK]: seen as a sign, failed at 2 %."""
    generator = np.random.default_rng(0)
    texts = [text.title() for text in some_texts(generator, 60)]
    fields = word_pieces(texts, known=WORDS, lower=False)
    finding = run_check("vocabulary_matches", Evidence(**fields), max_unknown_share=0.02)
    assert "failed" == finding.verdict
    assert not finding.certain
    assert ("vocabulary-mismatch",) == finding.causes
    assert "passed" == matches(**word_pieces(texts, known=WORDS)).verdict


@given(
    seed=SEEDS,
    capitals=st.floats(0.5, 1),
    right=st.floats(0, 1),
    size=st.sampled_from([None, 45, 30_522]),
)
@settings(deadline=None, max_examples=30)
def test_capitals_under_an_uncased_vocabulary_fail_however_good_the_answers(
    seed, capitals, right, size
):
    """That words are known in lower case says what is wrong, in a vocabulary of any size."""
    generator = np.random.default_rng(seed)
    texts = [
        " ".join(w.title() if generator.random() < capitals else w for w in text.split())
        for text in some_texts(generator, 60)
    ]
    y_true = np.resize([0, 1], 60)
    known = word_pieces([text.lower() for text in texts], known=WORDS, lower=False)
    finding = matches(
        y_true=y_true,
        y_pred=np.where(np.arange(60) < 60 * right, y_true, 1 - y_true),
        tokenizer_size=size,
        lowercase_unknown_token_share=known["unknown_token_share"][:40],
        **word_pieces(texts, known=WORDS, lower=False),
    )
    assert "failed" == finding.verdict
    assert ("vocabulary-mismatch",) == finding.causes
    assert "0% in lower case" in finding.summary
    assert "do_lower_case=True" in finding.fix


@given(seed=SEEDS, missing=st.floats(0, 0.35), cased=st.floats(0, 1), n=st.integers(5, 300))
@settings(deadline=None, max_examples=60)
def test_words_that_lower_case_does_not_bring_back_are_no_capitals(seed, missing, cased, n):
    """Emoji, foreign words and a small vocabulary, cased or not, are no such mismatch."""
    generator = np.random.default_rng(seed)
    words = [word.title() if generator.random() < cased else word for word in WORDS]
    texts = some_texts(generator, n, words=[*words, "\U0001f600", "Ünbekannt", "Newly"])
    kept = [word for word in words if generator.random() >= missing]
    lower = word_pieces([text.lower() for text in texts], known=kept, lower=False)
    finding = matches(
        **word_pieces(texts, known=kept, lower=False),
        lowercase_unknown_token_share=lower["unknown_token_share"],
    )
    assert finding.signs["capitals-unknown"] is False


@pytest.mark.parametrize(
    ("unknown", "size", "reference_right", "verdict"),
    [
        (0.2, 30_522, 0.98, "failed"),
        (0.2, None, 0.98, "failed"),
        (0.2, 1_000, 0.98, "passed"),
        (0.2, 30_522, 0.81, "passed"),
        (0.2, 30_522, 0.84, "failed"),
        (0.2, 30_522, None, "passed"),
        (0.05, 30_522, 0.98, "passed"),
    ],
)
def test_a_large_vocabulary_must_know_its_texts(unknown, size, reference_right, verdict):
    """A fifth of [UNK] fails unless the vocabulary is small, or no reference does better."""
    y_true = np.arange(200) % 2
    right = np.arange(200) / 200
    fields = {
        "y_true": y_true,
        "y_pred": np.where(right < 0.77, y_true, 1 - y_true),
        "unknown_token_share": np.full(200, unknown),
    }
    if size is not None:
        fields["tokenizer_size"] = size
    if reference_right is not None:
        fields["reference_y_pred"] = np.where(right < reference_right, y_true, 1 - y_true)
    finding = matches(**fields)
    assert verdict == finding.verdict
    assert (verdict == "failed") is finding.signs["unknown-tokens-above-limit"]


@pytest.mark.parametrize(
    ("right", "unknown", "verdict"),
    [(0.85, 0.2, "failed"), (0.85, 0.6, "failed"), (0.92, 0.2, "passed"), (0.95, 0.6, "passed")],
)
def test_good_answers_excuse_unknown_words_but_for_a_reference_that_is_far_better(
    right, unknown, verdict
):
    """Of 1,000 good answers 13 points too few are harm, significantly over five; 6 may be none."""
    y_true = np.arange(1000) % 2
    place = np.arange(1000) / 1000
    finding = matches(
        y_true=y_true,
        y_pred=np.where(place < right, y_true, 1 - y_true),
        reference_y_pred=np.where(place < 0.98, y_true, 1 - y_true),
        tokenizer_size=30_522,
        unknown_token_share=np.full(1000, unknown),
    )
    assert verdict == finding.verdict


@pytest.mark.simulation
def test_healthy_texts_of_many_unknown_words_fail_no_more_often_than_allowed():
    """Where a reference is no better, a quarter of emoji fails at half of alpha, as p says."""
    generator = np.random.default_rng(0)
    failed, sessions, n = 0, 2000, 200
    for _ in range(sessions):
        y_true = generator.integers(0, 2, n)
        answers, reference = (
            np.where(generator.random(n) < 0.8, y_true, 1 - y_true) for _ in range(2)
        )
        evidence = Evidence(
            y_true=y_true,
            y_pred=answers,
            reference_y_pred=reference,
            tokenizer_size=30_522,
            unknown_token_share=generator.uniform(0.15, 0.35, n),
        )
        finding = run_check("vocabulary_matches", evidence, alpha=0.05)
        failed += finding.verdict == "failed"
        assert (finding.verdict == "failed") <= (finding.p_value <= 0.05)
    low, _ = statistics.clopper_pearson(failed, sessions, 0.001)
    assert low <= 0.05 / 2


def test_a_larger_limit_holds_for_large_vocabularies_too():
    """Who allows 60 % of [UNK] gets no smaller limit for a large vocabulary."""
    y_true = np.arange(200) % 2
    fields = {
        "y_true": y_true,
        "y_pred": np.where(np.arange(200) < 154, y_true, 1 - y_true),
        "reference_y_pred": y_true,
        "tokenizer_size": 30_522,
        "unknown_token_share": np.full(200, 0.2),
    }
    assert "failed" == matches(**fields).verdict
    evidence = Evidence(**fields)
    finding = run_check("vocabulary_matches", evidence, max_unknown_share=0.6)
    assert "passed" == finding.verdict


@given(seed=SEEDS, share=st.floats(0, 0.35), n=st.integers(5, 300))
@settings(deadline=None, max_examples=40)
def test_emoji_and_foreign_words_pass_the_suite(seed, share, n):
    """Words that the vocabulary has not got, here and there, are no mismatch."""
    generator = np.random.default_rng(seed)
    texts = [
        " ".join(word if generator.random() >= share else "\U0001f600" for word in text.split())
        for text in some_texts(generator, n)
    ]
    assert "failed" != matches(**word_pieces(texts, known=WORDS)).verdict


@pytest.mark.parametrize(("n", "verdict"), [(1, "inconclusive"), (9, "inconclusive"),
                                            (10, "failed"), (200, "failed")])  # fmt: skip
def test_how_many_texts_tell_unknown_tokens(n, verdict):
    """Ten texts of [UNK] alone fail at alpha = .001, nine are too few and say so."""
    finding = matches(unknown_token_share=[0.9] * n)
    assert verdict == finding.verdict
    if verdict == "inconclusive":
        assert "10 such texts would tell" in finding.summary


def test_required_examples_of_unknown_tokens():
    """The number that is needed grows as the fault spares more texts."""
    assert 10 == required_examples("vocabulary_matches", faulty_share=1.0)
    needed = [required_examples("vocabulary_matches", faulty_share=s) for s in (1, 0.95, 0.8, 0.6)]
    assert sorted(needed) == needed


def test_the_sign_test_keeps_its_error_rate():
    """With exactly half of the texts beyond the limit, at most 2 in 100 fail at alpha = .02."""
    generator = np.random.default_rng(3)
    failed = sum(
        "failed"
        == run_check(
            "vocabulary_matches",
            Evidence(unknown_token_share=np.where(generator.random(200) < 0.5, 0.1, 0.0)),
            alpha=0.02,
            max_unknown_share=0.05,
        ).verdict
        for _ in range(1000)
    )
    assert statistics.binomial_at_least(failed, 1000, 0.02) > 1e-6


def test_half_of_a_comparison_is_skipped():
    """Embedding rows alone compare with nothing: skipped, naming what is missing."""
    finding = matches(embedding_rows=30522)
    assert ("skipped", ("input_ids",)) == (finding.verdict, finding.needs)
    padding = matches(pad_token_id=0)
    assert ("skipped", ("input_ids", "attention_mask")) == (padding.verdict, padding.needs)
    padding = matches(pad_token_id=0, input_ids=[[5, 6, 0]])
    assert ("skipped", ("attention_mask",)) == (padding.verdict, padding.needs)


# Does the attention mask leave out the padding?


def valid(mask, **fields):
    return run_check("attention_mask_valid", Evidence(attention_mask=mask, **fields))


def flipped(fields):
    """The same texts padded on the left."""
    return {name: fields[name][:, ::-1] for name in ("input_ids", "attention_mask")}


def masked(n=40, seed=0, **how):
    fields = word_pieces(some_texts(np.random.default_rng(seed), n), known=WORDS, **how)
    return {"input_ids": fields["input_ids"], "attention_mask": fields["attention_mask"]}


@given(seed=SEEDS, n=st.integers(1, 60), left=st.booleans(), pad=st.sampled_from([0, 1, 4]))
@settings(deadline=None, max_examples=40)
def test_padding_on_either_side_passes(seed, n, left, pad):
    """Masks of padding on the right or on the left pass, with and without what goes with them."""
    fields = masked(n, seed, pad=pad)
    fields = flipped(fields) if left else fields
    mask, ids = fields["attention_mask"], fields["input_ids"]
    kept = mask.sum(axis=1)
    for more in ({}, {"input_ids": ids}, {"kept_token_counts": kept},
                  {"input_ids": ids, "pad_token_id": pad, "kept_token_counts": kept},
                  {"kept_token_counts": kept - 2}):  # fmt: skip
        assert "passed" == valid(mask, **more).verdict
    assert "passed" == valid(mask.astype(bool), input_ids=ids).verdict


@pytest.mark.parametrize("left", [False, True])
def test_padding_left_in_is_a_fact(left):
    """A mask of ones over texts that end in the pad id leaves the padding in."""
    fields = flipped(masked()) if left else masked()
    padded = int((fields["attention_mask"].sum(axis=1) < 15).sum())
    ones = np.ones_like(fields["attention_mask"])
    finding = valid(ones, input_ids=fields["input_ids"], pad_token_id=0)
    assert "failed" == finding.verdict
    assert finding.certain
    assert ("attention-mask-ignored",) == finding.causes
    assert f"padding is left in for {padded}/40 texts" in finding.summary
    counts = fields["attention_mask"].sum(axis=1)
    assert "failed" == valid(ones, kept_token_counts=counts).verdict


def test_ones_without_padding_pass():
    """Texts of one length have no padding, and a mask of ones is right."""
    ones = np.ones((20, 8), int)
    assert "passed" == valid(ones, kept_token_counts=[8] * 20).verdict
    ids = np.arange(160).reshape(20, 8) + 5
    assert "passed" == valid(ones, input_ids=ids, pad_token_id=0).verdict


def test_an_end_that_is_the_padding_token_passes():
    """Where padding and end of text are one id, a text that ends in it once is whole."""
    ids = np.arange(160).reshape(20, 8) + 5
    ids[:, -1] = 0
    assert "passed" == valid(np.ones_like(ids), input_ids=ids, pad_token_id=0).verdict


def test_a_model_trained_on_padding_passes():
    """Padding left in does no harm where it was in training too: good answers show it."""
    fields = masked(200)
    y_true = np.resize([0, 1], 200)
    ones = np.ones_like(fields["input_ids"])
    finding = valid(
        ones, input_ids=fields["input_ids"], pad_token_id=0, y_true=y_true, y_pred=y_true
    )
    assert "passed" == finding.verdict
    assert finding.signs["padding-left-in"]


def test_segments_of_single_texts_in_place_of_the_mask():
    """token_type_ids of single texts are all zero: every text is masked out."""
    fields = masked()
    finding = valid(np.zeros_like(fields["attention_mask"]), input_ids=fields["input_ids"])
    assert "failed" == finding.verdict
    assert "40/40 texts are masked out, as by token_type_ids" in finding.summary
    assert "by name" in finding.fix


def test_segments_of_pairs_in_place_of_the_mask():
    """token_type_ids of pairs are 1 in the second text only: the first one is masked out."""
    fields = masked()
    ids, mask = fields["input_ids"], fields["attention_mask"]
    segments = mask * (np.arange(mask.shape[1]) >= 3)
    finding = valid(segments, input_ids=ids, pad_token_id=0)
    assert "failed" == finding.verdict
    assert "real tokens out in 40/40 texts, as by token_type_ids" in finding.summary


def test_token_ids_in_place_of_the_mask():
    """Values beyond 1 are no mask: arguments were exchanged."""
    ids = masked()["input_ids"]
    finding = valid(ids, input_ids=ids)
    assert "failed" == finding.verdict
    assert f"values from 0 to {ids.max()}" in finding.summary
    assert "values from -10000 to 0" in valid([[0, -10000]] * 3).summary


def test_a_mask_of_another_width_is_a_fact():
    """Ids and mask of two calls of the tokenizer differ in width."""
    fields = masked()
    finding = valid(fields["attention_mask"][:, :-2], input_ids=fields["input_ids"])
    assert "failed" == finding.verdict
    assert "it is 14 wide, the token ids 16" in finding.summary


def test_gaps_are_judged_by_what_is_in_them():
    """Padding between two texts of a pair passes; without the ids a gap is open."""
    ids = np.array([[2, 7, 8, 3, 0, 0, 9, 10, 3, 0]] * 6)
    mask = (ids != 0).astype(int)
    assert "passed" == valid(mask, input_ids=ids, pad_token_id=0).verdict
    finding = valid(mask)
    assert ("inconclusive", ("input_ids",)) == (finding.verdict, finding.needs)
    mask[:, 2] = 0
    finding = valid(mask, input_ids=ids)
    assert "failed" == finding.verdict
    assert "real tokens out in 6/6 texts" in finding.summary


def test_a_few_empty_texts_are_open():
    """An empty text without special tokens has an empty mask, which is no fault by itself."""
    mask = np.ones((40, 6), int)
    mask[3] = 0
    finding = valid(mask, input_ids=np.where(mask == 1, np.arange(6) + 9, 0))
    assert "inconclusive" == finding.verdict
    assert "1/40 texts have no token at all" in finding.summary


def test_counts_of_other_texts_are_open():
    """A mask that keeps other numbers of tokens than the tokenizer is in doubt."""
    mask = masked()["attention_mask"]
    finding = valid(mask, kept_token_counts=mask.sum(axis=1)[::-1])
    assert "inconclusive" == finding.verdict
    assert "another number of tokens" in finding.summary
