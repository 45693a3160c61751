"""The live pipeline: what is observed of real classifiers, and the faults put into their path."""

from __future__ import annotations

import functools
import pickle
import random
import warnings

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import LabelEncoder

from pytest_bertcheck import Evidence, Pipeline, check_pipeline, diagnose, parametrize_with_checks
from pytest_bertcheck.checks import suite_checks
from pytest_bertcheck.probes import SAMPLE_SIZE
from pytest_bertcheck.statistics import confusion_matrix

from .simulate import NAMES, trained, write_texts

RUN = trained(3, 0)
SMALL = trained(3, 0, n=40, m=90)


class Words:
    """A plain word-level tokenizer with padding, truncation and an unknown token."""

    def __init__(self, texts, max_length):
        words = sorted({word for text in texts for word in text.split()})
        self.ids = {word: i for i, word in enumerate(words, start=3)}
        self.max_length = max_length

    def __call__(self, texts):
        whole = [[self.ids.get(word, 2) for word in text.split()] for text in texts]
        kept = [ids[: self.max_length] for ids in whole]
        longest = max(map(len, kept))
        ids = np.array([row + [0] * (longest - len(row)) for row in kept])
        mask = (np.arange(longest) < np.array([[len(row)] for row in kept])).astype(int)
        unknown = ((ids == 2) & (mask == 1)).sum(axis=1) / np.maximum(mask.sum(axis=1), 1)
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "token_counts": [len(row) for row in whole],
            "unknown_token_share": unknown,
        }


def complete(run=RUN, **parts):
    """A healthy pipeline with every part that a team can hand over."""
    saved = pickle.dumps((run.vectorizer, run.model))

    def load():
        vectorizer, model = pickle.loads(saved)  # written three lines above
        return lambda texts: model.decision_function(vectorizer.transform(texts))

    own = {
        "predict": run.logits,
        "texts": run.texts,
        "y_true": run.y_true,
        "decode": lambda outputs: outputs.argmax(axis=1),
        "encode": Words(run.train_texts, 20),
        "load": load,
        "label_names": dict(enumerate(run.names)),
        "label2id_names": {name: i for i, name in enumerate(run.names)},
        "dataset_label_names": list(run.names),
        "max_length": 20,
        "train_texts": run.train_texts,
        "y_train": run.y_train,
        "recorded": {
            "loss": [1.1, 0.6, 0.3],
            "val_loss": [1.0, 0.5, 0.4],
            "val_accuracy": [0.5, 0.8, 0.9],
            "learning_rate": [5e-5, 3e-5, 1e-5],
            "overfit_loss": [1.1, 0.4, 0.01],
            "encoder_update": 0.02,
            "head_update": 0.4,
            "train_steps": 90,
            "rebatched_logits": run.logits(run.texts[:32]),
            "padded_logits": run.logits(run.texts[:32]),
            "train_logits": run.logits(run.train_texts[:90]),
            "train_y_true": run.y_train[:90],
        },
    }
    return Pipeline(**{**own, **parts})


@functools.cache
def healthy_evidence(run=RUN):
    """What is observed of the healthy pipeline, once for this module."""
    return complete(run).observe()


def failed(evidence):
    """The checks that fail, and the first cause."""
    diagnosis = diagnose(evidence)
    names = {finding.check for finding in diagnosis.findings if finding.verdict == "failed"}
    return names, diagnosis.causes[0].code if diagnosis.causes else None


# What is observed


def test_a_healthy_pipeline_passes_every_check():
    """A real classifier with every part, itself in production, passes; 150 rows may miss a drop."""
    fields = healthy_evidence().fields()
    size = confusion_matrix(fields["y_true"], fields["y_pred"], 3).cells.toarray()
    fields |= {"baseline_y_pred": fields["y_pred"], "baseline_confusion": size}
    diagnosis = diagnose(Evidence(**fields))
    verdicts = {finding.check: finding.verdict.value for finding in diagnosis.findings}
    assert len(suite_checks()) == len(verdicts)
    assert "inconclusive" == verdicts.pop("no_regression")
    assert {"passed"} == set(verdicts.values()), verdicts


def test_each_part_is_observed_where_it_belongs():
    """Evidence holds the outputs, the answers, the tokens, the second call and the reference."""
    evidence = healthy_evidence()
    np.testing.assert_array_equal(RUN.outputs, evidence.logits)
    np.testing.assert_array_equal(RUN.answers, evidence.y_pred)
    np.testing.assert_array_equal(RUN.y_true, evidence.y_true)
    np.testing.assert_allclose(RUN.outputs[:SAMPLE_SIZE], evidence.repeated_logits)
    np.testing.assert_allclose(RUN.outputs[:SAMPLE_SIZE], evidence.reloaded_logits)
    assert evidence.attention_mask.sum(axis=1).tolist() == evidence.kept_token_counts.tolist()
    assert RUN.y_train.tolist() == evidence.y_train.tolist()
    assert 0.7 < (evidence.reference_y_pred == RUN.y_true).mean()
    assert 0.7 < (evidence.kept_reference_y_pred == RUN.y_true).mean()
    assert 0.7 < (evidence.train_reference_y_pred == RUN.y_train).mean()
    asked = evidence.evaluation_reference_y_pred >= 0
    assert 0.45 < (evidence.evaluation_reference_y_pred == RUN.y_true)[asked].mean()
    assert [1.1, 0.6, 0.3] == evidence.loss.tolist()
    assert list(RUN.names) == evidence.label_names.tolist()


def test_the_least_pipeline():
    """predict, texts and labels are enough: outputs, and calls in other ways, are observed."""
    evidence = Pipeline(RUN.logits, RUN.texts, RUN.y_true).observe()
    observed = {"y_true", "logits", "repeated_logits", "rebatched_logits", "skipped_probes"}
    assert observed | {"example_keys"} == set(evidence.fields())
    assert "passed" == diagnose(evidence).verdict


PARTS = {
    "decode": {"y_pred"},
    "encode": {"input_ids", "attention_mask", "token_counts", "kept_token_counts",
               "unknown_token_share", "lowercase_unknown_token_share", "kept_reference_y_pred"},
    "load": {"reloaded_logits"},
    "train_texts": {"reference_y_pred", "kept_reference_y_pred", "evaluation_reference_y_pred",
                    "train_reference_y_pred", "train_reference_probabilities"},
    "label_names": {"label_names"},
    "dataset_label_names": {"dataset_label_names"},
    "max_length": {"max_length"},
    "recorded": {"loss", "val_loss", "val_accuracy", "learning_rate", "overfit_loss", "train_steps",
                 "encoder_update", "head_update", "train_logits", "train_y_true",
                 "padded_logits"},
}  # fmt: skip


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_missing_leaves_its_fields_out(part):
    """Each part is optional; without it, exactly what it would have shown is missing."""
    everything = set(healthy_evidence(SMALL).fields())
    without = set(complete(SMALL, **{part: None}).observe().fields())
    assert PARTS[part] == everything - without


def test_probes_do_not_disturb_each_other():
    """What a probe finds does not depend on how often it or another one was run."""
    first, second = complete(SMALL).observe().fields(), complete(SMALL).observe().fields()
    assert set(first) == set(second)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def test_the_model_is_called_as_often_as_said():
    """One pass over the evaluation set and one over the sample: models are slow."""
    calls = []

    def predict(texts):
        calls.append(len(texts))
        return RUN.logits(texts)

    complete(predict=predict, load=None).observe()
    assert [150, SAMPLE_SIZE] == calls


def test_fewer_texts_than_the_sample():
    """A small evaluation set is called again whole."""
    pipeline = Pipeline(RUN.logits, RUN.texts[:5], RUN.y_true[:5])
    assert 5 == len(pipeline.observe().repeated_logits)


def test_global_random_state_is_left_alone():
    """Observing seeds nothing: a user's own random numbers go on as they were."""
    expected = np.random.get_state()[1].copy(), random.getstate()
    check_pipeline(complete(SMALL))
    np.testing.assert_array_equal(expected[0], np.random.get_state()[1])
    assert expected[1] == random.getstate()


@pytest.mark.parametrize("kind", [list, tuple, iter, np.array], ids=lambda kind: kind.__name__)
def test_texts_in_any_container(kind):
    """Texts may be any iterable of str; predict gets a list."""
    pipeline = Pipeline(RUN.logits, kind(RUN.texts), RUN.y_true)
    assert RUN.texts == list(pipeline.texts)
    assert "passed" == diagnose(pipeline.observe()).verdict


@pytest.mark.parametrize(
    "texts",
    [["!", "?", "!!", "..."] * 3, ["a b", "c d", "e f", "g h"] * 3, [" ", "", " ", ""] * 3],
    ids=["signs", "single letters", "blank"],
)
def test_texts_that_the_reference_cannot_read(texts):
    """Where TF-IDF finds no word in the training texts, the reference is left out.

    The pipeline itself can still be checked.
    """
    pipeline = Pipeline(
        lambda given: np.resize(RUN.outputs[:, :2], (len(given), 2)), texts, [0, 1, 1, 0] * 3,
        train_texts=texts, y_train=[0, 1, 1, 0] * 3,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evidence = pipeline.observe()
    assert evidence.logits is not None


def test_one_training_label_gives_no_reference():
    """A reference cannot be trained on one class; nothing else is lost."""
    evidence = complete(y_train=[0] * len(RUN.train_texts)).observe()
    assert evidence.reference_y_pred is None
    assert evidence.y_train is not None


def test_the_reference_is_not_asked_what_it_was_taught():
    """Evaluation texts among the training rows are left out; if all are, there is no reference.

    It would know them by heart, and make a fair model look far below it.
    """
    texts, labels = [*RUN.train_texts, *RUN.texts], [*RUN.y_train, *(RUN.y_true + 1) % 3]
    beside = complete(train_texts=texts, y_train=labels).observe()
    alone = complete().observe()
    assert alone.reference_y_pred.tolist() == beside.reference_y_pred.tolist()
    assert alone.kept_reference_y_pred.tolist() == beside.kept_reference_y_pred.tolist()
    same = complete(train_texts=RUN.texts, y_train=RUN.y_true).observe()
    assert same.reference_y_pred is None
    _, skipped = same.reasons_missing
    assert "the training texts are the evaluation texts" in skipped["reference_y_pred"]


def test_a_rare_training_label_is_not_cross_validated():
    """With a single row of a label there is no cross-validation, but a reference."""
    y_train = RUN.y_train.copy()
    y_train[0] = 7
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evidence = complete(y_train=y_train).observe()
    assert evidence.train_reference_y_pred is None
    assert evidence.reference_y_pred is not None


# Faults in the real path


def test_a_decode_over_the_wrong_axis():
    """decode = argmax(axis=0)."""
    names, cause = failed(complete(decode=lambda outputs: outputs.argmax(axis=0)).observe())
    assert "decoding_consistent" in names
    assert "argmax-wrong-axis" == cause


def test_a_decode_through_the_wrong_names():
    """decode maps ids to names by the model's order and names to ids by the sorted ones."""
    order = ["sport", "business", "politics"]  # as first seen in training

    def decode(outputs):
        words = np.array(order)[outputs.argmax(axis=1)]
        return LabelEncoder().fit(order).transform(words)

    names, cause = failed(complete(decode=decode).observe())
    assert {"decoding_consistent", "labels_not_swapped"} <= names
    assert "label-mapping-swapped" == cause


def test_dropout_left_on():
    """predict drops features at random, as a model in training mode does."""
    generator = np.random.default_rng(0)

    def predict(texts):
        features = RUN.vectorizer.transform(texts).toarray()
        return RUN.model.decision_function(features * (generator.random(features.shape) > 0.1))

    names, cause = failed(complete(predict=predict, load=None, decode=None).observe())
    assert {"deterministic"} == names
    assert "dropout-at-inference" == cause


def test_a_load_that_forgets_the_head():
    """load takes the vectorizer from disk and starts with a fresh, random head."""

    def load():
        head = np.random.default_rng(0).normal(size=RUN.model.coef_.T.shape)
        return lambda texts: RUN.vectorizer.transform(texts) @ head

    names, cause = failed(complete(load=load).observe())
    assert {"reload_equal"} == names
    assert "weights-not-loaded" == cause


def test_a_tokenizer_of_another_language():
    """encode uses a vocabulary that has hardly a word of the texts."""
    other = Words(["der Satz", "ein anderer"], 20)
    names, cause = failed(complete(encode=other, train_texts=None, y_train=None).observe())
    assert "inputs_distinct" in names
    assert cause in ("vocabulary-mismatch", "inputs-constant")


def test_an_encode_that_ignores_its_argument():
    """encode works on a variable of the outer scope: every text gives the same ids."""
    words = Words(RUN.train_texts, 20)
    evidence = complete(
        encode=lambda texts: words([RUN.texts[0]] * len(texts)), train_texts=None, y_train=None
    ).observe()
    names, cause = failed(evidence)
    assert {"inputs_distinct"} == names
    assert "inputs-constant" == cause


def test_a_vocabulary_built_again_at_inference():
    """Words are numbered as they are first seen, anew for the evaluation texts: others' numbers."""

    def numbered(texts):
        words = dict.fromkeys(word for text in texts for word in text.split())
        return CountVectorizer(vocabulary={word: i for i, word in enumerate(words)})

    known = numbered([*RUN.train_texts, *RUN.texts])
    model = LogisticRegression().fit(known.transform(RUN.train_texts), RUN.y_train)
    width = len(known.vocabulary)

    def predict(texts):
        features = numbered(texts).transform(texts).toarray()
        padded = np.zeros((len(texts), width))
        padded[:, : features.shape[1]] = features
        return model.decision_function(padded)

    names, _ = failed(complete(predict=predict, load=None, decode=None).observe())
    assert "not_far_below_reference" in names


def test_truncation_in_the_real_path():
    """What decides stands at the end of the texts; both model and tokenizer cut it away."""
    generator = np.random.default_rng(0)

    def texts_of(labels):
        fillers = write_texts(labels, generator, own_words=0, words=30)
        return [f"{text} {' '.join([NAMES[label] + 'word'] * 3)}"
                for text, label in zip(fillers, labels, strict=True)]  # fmt: skip

    y_train, y_true = np.arange(240) % 3, np.arange(150) % 3
    train, test = texts_of(y_train), texts_of(y_true)

    def cut(texts):
        return [" ".join(text.split()[:20]) for text in texts]

    vectorizer = CountVectorizer().fit(cut(train))
    model = LogisticRegression().fit(vectorizer.transform(cut(train)), y_train)
    pipeline = Pipeline(
        lambda texts: model.decision_function(vectorizer.transform(cut(texts))), test, y_true,
        encode=Words(train, 20), max_length=20, train_texts=train, y_train=y_train,
    )  # fmt: skip
    names, cause = failed(pipeline.observe())
    assert {"truncation_harmless", "not_far_below_reference"} == names
    assert "truncation-loses-signal" == cause


def test_shuffled_evaluation_texts():
    """predict goes through a loader that shuffles: answers are paired with other labels."""
    generator = np.random.default_rng(0)

    def predict(texts):
        return RUN.logits([texts[i] for i in generator.permutation(len(texts))])

    evidence = complete(predict=predict, load=None, decode=None).observe()
    names, _ = failed(evidence)
    assert {"not_far_below_reference", "deterministic"} <= names


# check_pipeline and parametrize_with_checks


def test_check_pipeline_takes_pipelines_and_evidence():
    """A live pipeline and its recorded evidence give the same findings."""
    pipeline = complete(SMALL)
    live = check_pipeline(pipeline)
    recorded = check_pipeline(pipeline.observe())
    assert [(f.check, f.verdict) for f in live] == [(f.check, f.verdict) for f in recorded]
    assert [check.name for check in suite_checks()] == [finding.check for finding in live]


def test_check_pipeline_runs_what_was_asked_for():
    """Only named checks run, in the order of the stages."""
    findings = check_pipeline(complete(), checks=["not_collapsed", "data::labels_valid"])
    assert ["labels_valid", "not_collapsed"] == [finding.check for finding in findings]


@pytest.mark.parametrize("name", ["labels_valid", "data::labels_valid"])
def test_expected_failures_carry_their_reason(name):
    """A failure that is expected keeps its verdict and carries the reason, by either name."""
    (finding,) = check_pipeline(
        Evidence(y_true=[0, -1]), checks=[name], expected_failed_checks={name: "hidden labels"}
    )
    assert "failed" == finding.verdict
    assert "hidden labels" == finding.expected_failure


def test_alpha_of_check_pipeline():
    """A stricter error rate leaves open what a lax one fails."""
    evidence = Evidence(y_true=[0] * 20 + [1] * 20, y_pred=[0] * 40, label_names=["a", "b"])
    verdicts = {
        alpha: check_pipeline(evidence, checks=["not_collapsed"], alpha=alpha)[0].verdict.value
        for alpha in (0.05, 1e-6)
    }
    assert {0.05: "failed", 1e-6: "inconclusive"} == verdicts


def test_parametrize_with_checks_gives_a_test_for_each_check():
    """Each check of each pipeline is a parameter with a readable id."""
    mark = parametrize_with_checks([complete(name="live"), complete(name="other")])
    (argnames, parameters), _ = mark.args, mark.kwargs
    assert ("pipeline", "check") == tuple(argnames)
    ids = [parameter.id for parameter in parameters]
    assert 2 * len(suite_checks()) == len(set(ids))
    assert "live0-data-labels_valid" in ids
    assert "other1-outputs-not_collapsed" in ids


@pytest.mark.parametrize("name", ["labels_valid", "data::labels_valid"])
def test_parametrize_with_checks_marks_expected_failures(name):
    """A failure that is expected is a strict xfail with its reason, by either name."""
    mark = parametrize_with_checks(
        [Evidence(y_true=[0, -1])], checks=[name], expected_failed_checks={name: "hidden"}
    )
    (parameter,) = mark.args[1]
    (xfail,) = parameter.marks
    assert ("xfail", {"reason": "hidden", "strict": True}) == (xfail.name, xfail.kwargs)


@parametrize_with_checks([complete(name="healthy")])
def test_a_healthy_pipeline_through_the_decorator(pipeline, check):
    """The decorator at work: every check of a healthy pipeline passes as a test."""
    check(pipeline)


@parametrize_with_checks(
    [Evidence(y_true=[0, -1], label_names=["a", "b"])],
    checks=["labels_valid"],
    expected_failed_checks={"labels_valid": "the hidden test set of GLUE"},
)
def test_a_broken_pipeline_through_the_decorator(pipeline, check):
    """The decorator at work: a check that fails as expected is an xfail."""
    check(pipeline)


def test_a_check_from_the_decorator_raises_its_message():
    """The check that a test gets raises an AssertionError with the whole message."""
    mark = parametrize_with_checks([Evidence(y_true=[0, -1])], checks=["labels_valid"])
    pipeline, check = mark.args[1][0].values
    with pytest.raises(AssertionError, match="labels out of range: y_true has 1/2 ids outside"):
        check(pipeline)
