"""The column of the table of probes for scikit-learn, and what holds of probes in general."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.metrics import log_loss
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC

from pytest_bertcheck import (
    Evidence,
    Pipeline,
    assert_batch_invariant,
    assert_deterministic,
    assert_overfits_small_batch,
    assert_padding_invariant,
    assert_reload_equal,
    check_pipeline,
    diagnose,
)
from pytest_bertcheck.adapters.answers import read_answers
from pytest_bertcheck.adapters.random_state import unchanged_random_state
from pytest_bertcheck.experiments import HASH_SEED
from pytest_bertcheck.pipeline import NotPossible
from pytest_bertcheck.probes import (
    OVERFIT_ROWS,
    PROBES,
    REFERENCE_LEARNING_RATE,
    SAMPLE_SIZE,
    observe,
)

from .mails import FILLER, NAMES, WORDS, texts_and_labels
from .probe_cells import JUDGES, judged, judged_alone

TEXTS, Y_TRUE = texts_and_labels(150, seed=1)
TRAIN_TEXTS, Y_TRAIN = texts_and_labels(240, seed=2)
LIMIT = 12


@functools.cache
def fitted(classifier=LogisticRegression, labels="ids"):
    """A pipeline of scikit-learn, fitted on ids or on names."""
    y_train = Y_TRAIN if labels == "ids" else [NAMES[label] for label in Y_TRAIN]
    return make_pipeline(CountVectorizer(), classifier()).fit(TRAIN_TEXTS, y_train)


def pipeline(estimator=None, **parts):
    """The pipeline of a fitted estimator, with the data to judge it by."""
    own = {
        "texts": TEXTS,
        "y_true": Y_TRUE,
        "dataset_label_names": NAMES,
        "train_texts": TRAIN_TEXTS,
        "y_train": Y_TRAIN,
    }
    return Pipeline.from_sklearn(estimator or fitted(), **{**own, **parts})


def numbered(texts):
    """Encode texts by their words, the first of them kept, as a tokenizer would; 1 is [UNK]."""
    ids = [[WORDS.index(w) + 2 if w in WORDS else 1 for w in text.split()] for text in texts]
    longest = min(LIMIT, max(map(len, ids)))
    return {
        "input_ids": [(row + [0] * longest)[:longest] for row in ids],
        "token_counts": [len(row) for row in ids],
        "kept_token_counts": [min(LIMIT, len(row)) for row in ids],
        "unknown_token_share": [np.mean(np.equal(row[:LIMIT], 1)) for row in ids],
    }


def first_words(texts):
    """Cut texts to the words that a model with a limit sees."""
    return [" ".join(text.split()[:LIMIT]) for text in texts]


def truncating():
    """An estimator that sees the first words only."""
    cut = FunctionTransformer(first_words)
    return make_pipeline(cut, CountVectorizer(), LogisticRegression()).fit(TRAIN_TEXTS, Y_TRAIN)


def dropping_out(texts):
    """Drop words of a document at random, as augmentation left on at inference does."""
    generator = np.random.default_rng(time.perf_counter_ns())
    return [" ".join(w for w in text.split() if generator.random() < 0.5) for text in texts]


def scaled_by_batch(counts):
    """Scale features by their largest value in the batch, instead of in the training data."""
    dense = np.asarray(counts.todense(), dtype=float)
    return dense / np.maximum(dense.sum(axis=0, keepdims=True), 1)


def load_by_hash():
    """Load a classifier whose vocabulary is a set: numbered anew in each process."""
    words = {word: number for number, word in enumerate(set(WORDS))}
    weights = np.array([hash(word) % 7 - 3 for word in words], dtype=float)
    return lambda texts: np.array(
        [[0.0, sum(weights[words[word]] for word in text.split())] for text in texts]
    )


def load_fitted():
    """Load the classifier as serving does: with its vocabulary."""
    return pipeline().predict


@functools.cache
def cells():
    """Probe -> a healthy pipeline, and one with the fault that the probe is for."""
    late, y_late = texts_and_labels(150, seed=4, opening=LIMIT)
    early = [f"{text} {' '.join(FILLER * 2)}" for text in TEXTS]
    cut = {"encode": numbered, "max_length": LIMIT}
    healthy = pipeline(encode=numbered, load=load_fitted)
    prior = make_pipeline(CountVectorizer(), DummyClassifier()).fit(TRAIN_TEXTS, Y_TRAIN)
    noisy = make_pipeline(FunctionTransformer(dropping_out), clone(fitted()))
    noisy.fit(TRAIN_TEXTS, Y_TRAIN)
    batchwise = make_pipeline(
        CountVectorizer(), FunctionTransformer(scaled_by_batch), LogisticRegression()
    ).fit(TRAIN_TEXTS, Y_TRAIN)
    return {
        "predicted": (healthy, pipeline(prior)),
        "decoded": (healthy, pipeline(decode=lambda outputs: outputs.logits.argmin(axis=1))),
        "encoded": (healthy, pipeline(encode=lambda texts: numbered([texts[0]] * len(texts)))),
        "in_lower_case": (healthy, pipeline(encode=numbered, texts=[t.title() for t in TEXTS])),
        "repeated": (healthy, pipeline(noisy)),
        "rebatched": (healthy, pipeline(batchwise)),
        "reloaded": (healthy, pipeline(predict=load_by_hash(), decode=None, load=load_by_hash)),
        "tail": (
            pipeline(truncating(), texts=early, **cut),
            pipeline(truncating(), texts=late, y_true=y_late, **cut),
        ),
        "reference": (healthy, pipeline(prior)),
    }


CELLS = ("predicted", "decoded", "encoded", "in_lower_case", "repeated", "rebatched", "reloaded",
         "tail", "reference")  # fmt: skip
NO_CELLS = {
    "padded": "the pipeline has no predict_padded",
    "stepped": "the pipeline has no start_training",
    "overfitted": "the pipeline has no start_training",
}


def test_the_column_has_a_cell_for_every_probe() -> None:
    """What has no cell is named with its reason."""
    assert {*JUDGES} == {*CELLS, *NO_CELLS}


@pytest.mark.parametrize("probe", CELLS)
def test_a_healthy_model_passes_the_probe(probe) -> None:
    """What the probe finds of a fitted classifier is judged to be healthy."""
    verdict, summary, failures = judged(cells()[probe][0], probe)
    assert ("passed", None) == (verdict, failures), summary


@pytest.mark.parametrize("probe", CELLS)
def test_the_probe_shows_its_fault(probe) -> None:
    """What the probe finds of a classifier with the fault that it is for is a failure."""
    verdict, summary, failures = judged_alone(cells()[probe][1], probe)
    assert ("failed", None) == (verdict, failures), summary


@pytest.mark.parametrize("probe", NO_CELLS)
def test_a_probe_that_is_not_possible_is_skipped_with_its_reason(probe) -> None:
    """The finding of the check that needs it says what the pipeline lacks."""
    verdict, summary, _ = judged(pipeline(), probe)
    assert "skipped" == verdict
    assert NO_CELLS[probe] in summary


# The adapter of scikit-learn


@pytest.mark.filterwarnings("ignore:The default value of `dual`:FutureWarning")  # scikit-learn 1.3
@pytest.mark.parametrize(
    "classifier", [LogisticRegression, LinearSVC, RidgeClassifier, SGDClassifier, MultinomialNB]
)
@pytest.mark.parametrize("labels", ["ids", "names"])
def test_a_classifier_is_observed_as_it_answers(classifier, labels) -> None:
    """Outputs have a column for each class, and the answers are the estimator's own."""
    estimator = fitted(classifier, labels)
    y_true = Y_TRUE if labels == "ids" else [NAMES[label] for label in Y_TRUE]
    evidence = Pipeline.from_sklearn(estimator, texts=TEXTS, y_true=y_true).observe()
    answers = estimator.predict(TEXTS).tolist()
    assert answers == [estimator.classes_[label] for label in evidence.y_pred]
    assert (len(TEXTS), 2) == evidence.logits.shape
    assert Y_TRUE == evidence.y_true.tolist()
    assert [] == [f.check for f in check_pipeline(evidence) if f.verdict == "failed"]


def test_the_softmax_of_a_logit_is_the_probability() -> None:
    """decision_function of two classes becomes two columns that keep its meaning."""
    evidence = pipeline().observe()
    np.testing.assert_allclose(fitted().predict_proba(TEXTS), evidence.probabilities)


@pytest.mark.parametrize(
    ("estimator", "error", "message"),
    [
        (TfidfVectorizer(), TypeError, "expected a classifier with decision_function"),
        (make_pipeline(CountVectorizer(), LogisticRegression()), ValueError, "not fitted"),
        (print, TypeError, "got builtin_function_or_method"),
    ],
    ids=["no classifier", "not fitted", "no estimator"],
)
def test_what_is_no_fitted_classifier_is_refused(estimator, error, message) -> None:
    """An object that cannot be asked for scores is a TypeError, one not fitted a ValueError."""
    with pytest.raises(error, match=message):
        Pipeline.from_sklearn(estimator, texts=TEXTS, y_true=Y_TRUE)


# Probes in general


def test_a_probe_that_raises_takes_no_other_with_it() -> None:
    """The check that needs it says what was raised and is open; every other check is as it was."""

    def alone(texts):
        if len(texts) == 1:
            raise RuntimeError("expected a batch of 16")
        return pipeline().predict(texts)

    expected = {f.check: f.verdict for f in check_pipeline(pipeline())}
    found = {f.check: f for f in check_pipeline(pipeline(predict=alone))}
    finding = found.pop("batch_invariant")
    assert "inconclusive" == finding.verdict
    assert "predict raised RuntimeError: expected a batch" in finding.summary
    del expected["batch_invariant"]
    assert expected == {name: f.verdict for name, f in found.items()}


def test_a_part_that_hangs_is_given_up() -> None:
    """A call that does not return ends after the timeout, and the others go on."""

    def load():
        time.sleep(60)

    evidence = pipeline(load=load, timeout=0.2).observe()
    assert [
        f"{name}: load raised TimeoutError: load gave no answer in 0.2 seconds"
        for name in ("reloaded_logits", "unloaded_weights")
    ] == evidence.failed_probes.tolist()
    assert evidence.rebatched_logits is not None


def test_a_pipeline_that_raises_keeps_what_needs_no_model() -> None:
    """Without outputs, the labels and the training data are judged all the same."""

    def broken(texts):
        raise RuntimeError("CUDA out of memory")

    evidence, error, _ = observe(pipeline(predict=broken))
    assert isinstance(error, RuntimeError)
    verdicts = {f.check: f.verdict.value for f in diagnose(evidence).findings}
    assert "inconclusive" == verdicts["not_collapsed"]
    assert {"passed"} == {verdicts[name] for name in ("labels_valid", "labels_informative")}
    with pytest.raises(RuntimeError, match="CUDA out of memory"):
        pipeline(predict=broken).observe()


def test_the_run_goes_on_beside_a_part_that_raises(pytester: pytest.Pytester) -> None:
    """Checks that need no outputs run, those that do name the error, and the exit code is 4."""
    pytester.makeconftest(
        """
import pytest
from pytest_bertcheck import Pipeline

def broken(texts):
    raise RuntimeError("CUDA out of memory")

@pytest.fixture(scope="session")
def bertcheck_pipeline():
    return Pipeline(broken, ["a", "b"] * 40, [0, 1] * 40, label_names=["ham", "spam"])
"""
    )
    result = pytester.runpytest_subprocess("--bertcheck", "-v")
    assert 4 == result.ret
    result.stdout.fnmatch_lines(
        [
            "*::data::labels_valid PASSED*",
            "*::outputs::not_collapsed FAILED*",
            "*cannot be checked: RuntimeError: CUDA out of memory",
            "not everything was checked: *CUDA out of memory",
        ]
    )


ANSWERS = {
    "numbers": (lambda x: x, "logits"),
    "names": (lambda x: [NAMES[label] for label in x.argmax(axis=1)], "y_pred"),
    "the best of two": (
        lambda x: [{"label": NAMES[row.argmax()], "score": row.max()} for row in x], "logits"),
    "all scores": (
        lambda x: [[{"label": n, "score": s} for n, s in zip(NAMES, row, strict=True)][::-1]
                   for row in x], "logits"),
    "scores that are no probabilities": (
        lambda x: [{"label": NAMES[row.argmax()], "score": 7.0 + row.max()} for row in x],
        "y_pred"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ANSWERS)
def test_answers_that_name_labels_are_read(kind) -> None:
    """Names and dictionaries become scores where those are all known, and answers otherwise."""
    returned, field = ANSWERS[kind]
    scores = fitted().predict_proba(TEXTS)
    given = Pipeline(
        lambda texts: returned(fitted().predict_proba(texts)), TEXTS, Y_TRUE, label_names=NAMES
    )
    evidence = given.observe()
    assert scores.argmax(axis=1).tolist() == evidence.answers.tolist()
    if field == "logits":
        np.testing.assert_allclose(scores, evidence.logits)
        assert evidence.rebatched_logits is not None
    else:
        assert evidence.logits is None
        assert "logits: predict returns labels" in " ".join(evidence.skipped_probes)
    assert [] == [f.check for f in check_pipeline(evidence) if f.verdict == "failed"]


@pytest.mark.parametrize(
    ("outputs", "names", "error", "message"),
    [
        (["junk"], NAMES, ValueError, "expected one of the labels"),
        (["ham"], None, TypeError, "give label_names"),
        (["a"], ["a", "a"], ValueError, "expected distinct names"),
    ],
    ids=["unknown", "no names", "one name twice"],
)
def test_names_that_are_ambiguous_are_refused(outputs, names, error, message) -> None:
    """A label that is none of the names, or could be two, is misuse."""
    with pytest.raises(error, match=message):
        read_answers(outputs, names)


def test_answers_that_change_between_calls_are_a_finding() -> None:
    """A pipeline that is not deterministic fails the check of that, and loses no other."""
    noise = np.random.default_rng(1)
    noisy = pipeline(
        predict=lambda texts: noise.normal(size=(len(texts), 2)), decode=None, y_train=None
    )
    verdicts = {f.check: f.verdict.value for f in check_pipeline(noisy)}
    assert "failed" == verdicts["deterministic"]
    assert "passed" == verdicts["labels_valid"]


def test_nan_is_a_finding() -> None:
    """Outputs that are NaN are evidence: every probe runs, and a check names them."""
    nothing = pipeline(predict=lambda texts: np.full((len(texts), 2), np.nan), decode=None)
    evidence = nothing.observe()
    assert evidence.failed_probes is None
    assert "failed" == next(
        f.verdict for f in check_pipeline(evidence) if f.check == "logits_valid"
    )


def test_a_load_that_can_be_imported_is_called_in_another_process() -> None:
    """It runs under another hash seed, in a process of its own."""
    here = {"pid": os.getpid(), "seed": os.environ.get("PYTHONHASHSEED")}
    evidence = Pipeline(lambda texts: [[0.0, 1.0]] * len(texts), TEXTS, Y_TRUE, load=load_process)
    pid, seed = evidence.observe().reloaded_logits[0].tolist()
    assert here["pid"] != pid
    assert HASH_SEED == seed


def load_process():
    """Load a pipeline that returns where it runs."""
    return lambda texts: [[os.getpid(), int(os.environ["PYTHONHASHSEED"])]] * len(texts)


def load_broken():
    """Load nothing."""
    raise OSError("no such checkpoint")


def test_a_load_that_raises_in_another_process_is_named() -> None:
    """The reason has what was raised there."""
    evidence = pipeline(load=load_broken).observe()
    assert "OSError: no such checkpoint" in evidence.failed_probes[0]


def test_training_probes_ask_for_both_rates() -> None:
    """One step at the team's own rate, many at the reference rate, each on a copy of its own."""
    started, batches = [], []

    def start_training(learning_rate):
        started.append(learning_rate)
        losses = iter(np.geomspace(0.7, 1e-3, 100))

        def fit_step(texts, y_true):
            batches.append((texts, y_true))
            return {"loss": next(losses), "encoder_update": 0.01, "head_update": 0.3}

        return fit_step

    evidence = pipeline(start_training=start_training).observe()
    assert [None, REFERENCE_LEARNING_RATE] == started
    assert (0.01, 0.3) == (evidence.encoder_update, evidence.head_update)
    assert evidence.overfit_loss[-1] < 0.1 * np.log(2) <= evidence.overfit_loss[-2]
    assert len(batches) == 1 + len(evidence.overfit_loss)
    texts, labels = batches[0]
    assert OVERFIT_ROWS == len(set(texts))
    assert [OVERFIT_ROWS // 2] * 2 == np.bincount(labels).tolist()


def test_a_loss_alone_tells_no_update() -> None:
    """fit_step may return a number: what it does not tell is skipped."""
    given = pipeline(start_training=lambda rate: lambda texts, y_true: 0.01)
    evidence = given.observe()
    assert [0.01] * 6 == evidence.overfit_loss.tolist()
    assert evidence.head_update is None
    assert "head_update: fit_step does not tell" in " ".join(evidence.skipped_probes)


def test_a_part_may_say_that_it_cannot() -> None:
    """NotPossible from a part skips the probe with its text."""

    def start_training(learning_rate):
        raise NotPossible("it is served from another machine")

    evidence = pipeline(start_training=start_training).observe()
    assert "overfit_loss: it is served from another machine" in evidence.skipped_probes
    assert evidence.failed_probes is None


def test_ends_are_the_longest_that_fit() -> None:
    """The tail of a text is its last words, as many as are encoded within the limit."""
    seen = []

    def predict(texts):
        seen.append(list(texts))
        return np.zeros((len(texts), 2))

    texts = [" ".join(WORDS[:size]) for size in (LIMIT + 1, LIMIT + 5, LIMIT, 3)]
    Pipeline(predict, texts, [0, 1, 0, 1], encode=numbered, max_length=LIMIT).observe()
    assert [" ".join(text.split()[-LIMIT:]) for text in texts[:2]] == seen[-1]


@pytest.mark.parametrize(
    "change",
    [
        lambda encoding: encoding.pop("unknown_token_share"),
        lambda encoding: encoding.update(unknown_token_share=[np.nan] * len(TEXTS)),
        lambda encoding: encoding.update(unknown_token_share=[0.1]),
        lambda encoding: encoding.update(input_ids="none"),
    ],
    ids=["left out", "not a number", "too few", "no encoding"],
)
def test_an_encoding_of_lower_case_that_is_none_takes_nothing_else_with_it(change) -> None:
    """What the second call of encode leaves out, or gets wrong, is a field that failed."""
    calls = []

    def encode(texts):
        calls.append(texts)
        encoding = numbered(texts)
        if len(calls) == 2:
            change(encoding)
        return encoding

    shouted = [text.title() for text in TEXTS]
    own = {"texts": shouted, "train_texts": None, "y_train": None}
    evidence = pipeline(encode=encode, **own).observe()
    assert evidence.lowercase_unknown_token_share is None
    assert evidence.unknown_token_share is not None
    (failed,) = evidence.failed_probes
    assert failed.startswith("lowercase_unknown_token_share: ")


def test_lower_case_is_asked_for_only_where_words_are_unknown() -> None:
    """A tokenizer that knows the texts, or does not tell, is called no second time for it."""
    calls = []

    def encode(texts):
        calls.append(texts)
        return numbered(texts)

    evidence = pipeline(encode=encode, train_texts=None, y_train=None).observe()
    reason = "lowercase_unknown_token_share: most texts have at most 5% [UNK]"
    assert reason in evidence.skipped_probes
    assert 1 == len(calls)


def test_random_states_are_put_back() -> None:
    """What is drawn inside is drawn again outside: nothing that was drawn is used up."""
    with unchanged_random_state():
        inside = np.random.random(3)  # the legacy state is the one that is global
    assert inside.tolist() == np.random.random(3).tolist()


def test_frameworks_are_not_imported_for_other_pipelines() -> None:
    """Observing a pipeline of scikit-learn imports no other framework."""
    code = (
        "import sys; from tests.test_probes_sklearn import pipeline; pipeline().observe(); "
        "print({'torch', 'tensorflow', 'keras', 'transformers'} & {*sys.modules})"
    )
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert "set()\n" == done.stdout


def test_every_probe_runs_on_the_sample_it_says() -> None:
    """One pass over the evaluation set, one over the sample, and each of the sample alone."""
    calls = []

    def predict(texts):
        calls.append(len(texts))
        return fitted().decision_function(texts)[:, None]

    Pipeline(predict, TEXTS, Y_TRUE).observe()
    assert [len(TEXTS), SAMPLE_SIZE, *[1] * SAMPLE_SIZE] == calls


def test_the_reasons_survive_saving(tmp_path: Path) -> None:
    """A recorded bundle says as much about what is missing as the live pipeline did."""
    evidence = pipeline().observe()
    evidence.save(tmp_path / "run.npz")
    again = Evidence.load(tmp_path / "run.npz")
    assert evidence.skipped_probes.tolist() == again.skipped_probes.tolist()
    finding = next(f for f in check_pipeline(again) if f.check == "padding_invariant")
    assert "skipped: needs padded_logits; the pipeline has no predict_padded" == finding.summary


def test_every_field_of_a_probe_is_evidence() -> None:
    """The table names fields that evidence has, and says what each probe tells apart."""
    for probe in PROBES:
        assert set(probe.fields) <= set(Evidence.__dataclass_fields__)
        assert probe.tells_apart


# The assertions on callables


def steps(rate, *, shuffled=False):
    """fit_step of a logistic regression; labels that change with each call cannot be learnt."""
    model, words = SGDClassifier("log_loss", random_state=0, alpha=rate), HashingVectorizer()
    generator = np.random.default_rng(3)

    def fit_step(texts, labels):
        rows = words.transform(texts)
        taught = generator.integers(0, 2, len(labels)) if shuffled else labels
        model.partial_fit(rows, taught, classes=[0, 1])
        return log_loss(labels, model.predict_proba(rows))

    return fit_step


def draws_anew():
    """Load a model with a random head."""
    head = np.random.default_rng(time.perf_counter_ns()).normal(size=2)
    return lambda texts: np.array([[len(text) * weight for weight in head] for text in texts])


def anew(texts):
    """Predict with a model that is drawn on each call."""
    return draws_anew()(texts)


def batchwise(texts):
    """Predict with a softmax over the batch."""
    outputs = np.exp(fitted().predict_proba(texts))
    return outputs / outputs.sum(axis=0)


def padded(texts):
    """Predict with padding that counts as a word."""
    return fitted().predict_proba([f"{text} {'money ' * 9}" for text in texts])


PREDICT = fitted().predict_proba
BATCH = (TRAIN_TEXTS[:16], Y_TRAIN[:16])
LIVE = {
    "deterministic": (
        lambda: assert_deterministic(PREDICT, TEXTS),
        lambda: assert_deterministic(anew, TEXTS)),
    "reload": (
        lambda: assert_reload_equal(lambda: PREDICT, TEXTS),
        lambda: assert_reload_equal(draws_anew, TEXTS)),
    "reload by hash": (
        lambda: assert_reload_equal(load_fitted, TEXTS),
        lambda: assert_reload_equal(load_by_hash, TEXTS)),
    "batch": (
        lambda: assert_batch_invariant(PREDICT, TEXTS),
        lambda: assert_batch_invariant(batchwise, TEXTS)),
    "padding": (
        lambda: assert_padding_invariant(PREDICT, PREDICT, TEXTS),
        lambda: assert_padding_invariant(PREDICT, padded, TEXTS)),
    "overfit": (
        lambda: assert_overfits_small_batch(steps(1e-6), BATCH),
        lambda: assert_overfits_small_batch(steps(1e-6, shuffled=True), BATCH)),
}  # fmt: skip


@pytest.mark.parametrize("name", LIVE)
def test_an_assertion_on_callables_makes_the_calls(name) -> None:
    """Given callables and texts it passes a pipeline that works, and fails one that does not."""
    healthy, faulty = LIVE[name]
    healthy()
    with pytest.raises(AssertionError):
        faulty()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: assert_deterministic(PREDICT, "one text"), "texts: expected a list of texts"),
        (lambda: assert_deterministic(PREDICT, []), "texts: expected at least one text"),
        (lambda: assert_padding_invariant(PREDICT, PREDICT), "texts: expected a list of texts"),
        (lambda: assert_overfits_small_batch(steps(1e-6)), "batch: expected texts and labels"),
        (lambda: assert_reload_equal(lambda: None, TEXTS), "load: expected it to return predict"),
    ],
    ids=["one text", "no texts", "no texts to pad", "no batch", "load returns nothing"],
)
def test_callables_without_what_they_are_asked_about_are_refused(call, message) -> None:
    """Misuse names the argument that is missing, and is no AssertionError."""
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_whole_numbers_are_outputs() -> None:
    """A ``predict`` that returns whole numbers is judged as one that returns floats."""
    by_type = [
        pipeline(predict=lambda texts: [[0, len(text)] for text in texts], decode=None).observe(),
        pipeline(
            predict=lambda texts: [[0.0, float(len(text))] for text in texts], decode=None
        ).observe(),
    ]
    first, second = (evidence.fields() for evidence in by_type)
    assert first.keys() == second.keys()
    assert "failed_probes" not in first
    assert np.array_equal(first["repeated_logits"], second["repeated_logits"])
