"""Each cause as it arises in real code, beside a healthy look-alike; each symptom and its causes.

A builder takes the trained pipeline of this module, goes wrong (or right) in the way in which real
code does, and returns the evidence that a team would have of it. ``CASES`` says which cause a
builder must be found under, ``LOOK_ALIKES`` which builders nothing may fail, and ``SYMPTOMS`` which
causes show themselves alike. The symptoms are those of section 2 of CAUSES.md.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import io
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import joblib
import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.base import clone
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestCentroid
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelBinarizer, LabelEncoder

from pytest_bertcheck import Evidence, diagnose
from pytest_bertcheck.findings import CAUSES
from pytest_bertcheck.reference import cross_validated, cross_validated_alike, reference_model

from .simulate import Run, trained, write_texts

Builder = Callable[[Run], Evidence]


@pytest.fixture(scope="module")
def run() -> Run:
    """The pipeline that works, and that every builder starts from."""
    return trained(3, 0, n=300, m=600)


# What a team records of any run


def evidence(run: Run, **fields) -> Evidence:
    """Return what is known of the healthy pipeline, with what a builder observed in its place."""
    own = {"y_train": run.y_train, "reference_y_pred": reference(run)}
    return run.evidence(**{**own, **fields})


@functools.cache
def reference(run: Run):
    return reference_model().fit(run.train_texts, run.y_train).predict(run.texts)


def references(run: Run, train_texts, y_train) -> dict:
    """Train and cross-validate the reference model on other training rows, as the probe does."""
    answers, probabilities = cross_validated(train_texts, y_train, len(run.names))
    return {
        "y_train": y_train,
        "reference_y_pred": reference_model().fit(train_texts, y_train).predict(run.texts),
        "evaluation_reference_y_pred": cross_validated_alike(
            run.texts, run.y_true, train_texts, y_train, len(run.names)
        ),
        "train_reference_y_pred": answers,
        "train_reference_probabilities": probabilities,
    }


def logits_of(model, features):
    """Return log-probabilities, (n, C): they differ from logits by a constant in each row."""
    return np.log(np.maximum(model.predict_proba(features), 1e-30))


def fit(run: Run, y_train=None, *, train_texts=None, model=None, rate=1e-3, epochs=10,
        most_steps=None) -> dict:  # fmt: skip
    """Train a network batch by batch; return its logits and the history that training recorded.

    ``model`` is a trained one to go on with.
    """
    y_train = run.y_train if y_train is None else y_train
    features = run.vectorizer.transform(run.train_texts if train_texts is None else train_texts)
    texts = run.vectorizer.transform(run.texts)
    labels, size = np.arange(len(run.names)), 32
    generator = np.random.default_rng(0)
    model = model or MLPClassifier((32,), learning_rate_init=rate, random_state=0)
    loss, val_loss, val_accuracy = [], [], []
    for _ in range(epochs):
        order = generator.permutation(len(y_train))
        for start in range(0, len(order), size):
            if most_steps is not None and len(loss) >= most_steps:
                break
            rows = order[start : start + size]
            loss.append(model.partial_fit(features[rows], y_train[rows], classes=labels).loss_)
        probabilities = model.predict_proba(texts)
        val_loss.append(log_loss(run.y_true, probabilities, labels=labels))
        val_accuracy.append(accuracy_score(run.y_true, probabilities.argmax(axis=1)))
    return {
        "logits": logits_of(model, texts),
        "y_train": y_train,
        "loss": loss,
        "val_loss": val_loss,
        "val_accuracy": val_accuracy,
        "learning_rate": np.full(len(loss), rate),
        "train_steps": len(loss),
        "batch_size": size,
    }


def descend(run: Run, *, rates, apply=True, softmaxes=1, dtype=np.float64,
            broken_row=False) -> dict:  # fmt: skip
    """Train softmax regression by a loop of the team's own, with Adam; return logits and history.

    ``rates`` has a learning rate for each step. ``softmaxes`` is how many are applied before the
    logarithm, ``apply`` whether the steps reach the weights, and ``broken_row`` whether the second
    half of the rows, which comes in the second half of the steps, holds NaN.
    """
    features = run.vectorizer.transform(run.train_texts).toarray().astype(dtype)
    texts = run.vectorizer.transform(run.texts).toarray().astype(dtype)
    one_hot = np.eye(len(run.names), dtype=dtype)
    if broken_row:
        features[-1] = np.nan
    generator = np.random.default_rng(0)
    start = generator.normal(scale=0.02, size=(features.shape[1], len(run.names))).astype(dtype)
    weights, mean, square = start, 0 * start, 0 * start

    def losses(logits, labels):
        return -log_softmax(softmax(logits, 1) if softmaxes == 2 else logits, 1)[
            np.arange(len(labels)), labels
        ]

    loss, val_loss = [], []
    for step, rate in enumerate(rates, start=1):
        there = len(features) // (1 + (broken_row and step <= len(rates) // 2))
        rows = generator.choice(there, 32, replace=False)
        logits, labels = features[rows] @ weights, run.y_train[rows]
        loss.append(losses(logits, labels).mean())
        once = softmax(logits, 1)
        if softmaxes == 2:
            outer = softmax(once, 1) - one_hot[labels]
            downhill = once * (outer - (once * outer).sum(axis=1, keepdims=True))
        else:
            downhill = once - one_hot[labels]
        gradient = features[rows].T @ downhill / dtype(len(rows))
        mean = dtype(0.9) * mean + dtype(0.1) * gradient
        square = dtype(0.999) * square + dtype(0.001) * gradient**2
        moved = dtype(rate) * mean / dtype(1 - 0.9**step)
        moved = moved / (np.sqrt(square / dtype(1 - 0.999**step)) + dtype(1e-8))
        if apply:
            weights = weights - moved
        if step % 20 == 0:
            val_loss.append(losses(texts @ weights, run.y_true).mean())
    return {
        "logits": texts @ weights,
        "loss": loss,
        "val_loss": val_loss,
        "learning_rate": rates,
        "train_steps": len(rates),
        "batch_size": 32,
        "head_update": float(np.linalg.norm(weights - start) / np.linalg.norm(start)),
    }


# data


def prior_learnt(run):
    """Three rows in a hundred are of the other label, and their words weigh next to nothing."""
    return rare_label(run, own_words=1, strength=0.1)


def rare_label_learnt(run):
    """One row in a hundred is of the other label, and the model knows it when it sees it."""
    return rare_label(run, own_words=5, strength=100.0, rare=0.01)


def rare_label(run, *, own_words, strength, rare=0.03):
    generator = np.random.default_rng(1)
    y_train, y_true = ((generator.random(size) < rare).astype(int) for size in (3000, 2000))
    train_texts, texts = (
        write_texts(labels, generator, own_words=own_words) for labels in (y_train, y_true)
    )
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=strength, max_iter=1000))
    margins = model.fit(train_texts, y_train).decision_function(texts)
    plain = reference_model().fit(train_texts, y_train)
    return Evidence(
        y_true=y_true,
        logits=np.stack([-margins, margins], axis=1),
        y_train=y_train,
        reference_y_pred=plain.predict(texts),
        dataset_label_names=run.names[:2],
    )


def slice_of_one_class(run):
    """The evaluation set is a slice that truly holds one class, and is answered so."""
    rows = run.y_true == 1
    return evidence(
        run, y_true=run.y_true[rows], logits=run.outputs[rows],
        reference_y_pred=reference(run)[rows],
    )  # fmt: skip


def texts_shuffled_without_their_labels(run):
    """The texts are shuffled, their labels stay where they were."""
    train_texts = np.random.default_rng(1).permutation(run.train_texts).tolist()
    return evidence(
        run,
        **{**fit(run, train_texts=train_texts), **references(run, train_texts, run.y_train)},
    )


def task_without_a_signal(run):
    """Labels that nothing in any text tells, in training and in evaluation: useless, no defect."""
    generator = np.random.default_rng(2)
    y_train, y_true = generator.integers(0, 3, 600), generator.integers(0, 3, 300)
    found = fit(run, y_train)
    return evidence(
        run, y_true=y_true, logits=found["logits"], **references(run, run.train_texts, y_train)
    )


def crowd_source_that_guesses(run):
    """Two sources labelled the training rows; one of them, with 40 % of the rows, guessed."""
    return annotated(noise_in_training=0.4)


def careless_evaluation_labels(run):
    """It is the evaluation rows that were labelled by guessing in part; training rows are right."""
    return annotated(noise_in_evaluation=0.2)


def annotated(*, noise_in_training=0.0, noise_in_evaluation=0.0):
    run = trained(3, 0, n=1500, m=3000, own_words=8)
    generator = np.random.default_rng(3)

    def guessed(labels, share):
        by_guessing = generator.random(len(labels)) < share
        return np.where(by_guessing, generator.integers(0, 3, len(labels)), labels)

    y_train, y_true = guessed(run.y_train, noise_in_training), run.y_true
    y_true = guessed(y_true, noise_in_evaluation)
    vectorizer = TfidfVectorizer()
    model = LogisticRegression(C=0.1, max_iter=500)
    model.fit(vectorizer.fit_transform(run.train_texts), y_train)
    return run.evidence(
        y_true=y_true,
        logits=model.decision_function(vectorizer.transform(run.texts)),
        y_train=y_train,
        train_y_true=y_train,
        train_logits=model.decision_function(vectorizer.transform(run.train_texts)),
    )


def tail_of_a_sorted_file(run):
    """validation_split=0.4 of a file sorted by label: the tail holds a class never trained."""
    return of_sorted_file(run, shuffle=False)


def stratified_split_of_a_sorted_file(run):
    """The same file, split by scikit-learn with stratify: training rows are sorted no more."""
    return of_sorted_file(run, stratify=np.sort(run.y_train), random_state=0)


def of_sorted_file(run, **how):
    order = np.argsort(run.y_train, kind="stable")
    rows, held_out = train_test_split(order, test_size=0.4, **how)
    y_train, y_true = run.y_train[rows], run.y_train[held_out]
    train_texts, texts = ([run.train_texts[i] for i in part] for part in (rows, held_out))
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=100, max_iter=1000))
    model.fit(train_texts, y_train)
    plain = reference_model().fit(train_texts, y_train)
    known = model.predict_proba(texts)
    logits = np.full((len(texts), 3), -20.0)  # the head has three units, trained or not
    logits[:, model.classes_] = np.log(known)
    return Evidence(
        y_true=y_true, logits=logits, y_train=y_train, reference_y_pred=plain.predict(texts),
        dataset_label_names=run.names,
    )  # fmt: skip


# labels


def ids_of_two_encoders(run):
    """The data set numbers its labels as they are declared, the model's encoder by the alphabet."""
    return declared_order(run, rename=False)


def ids_of_two_encoders_joined_by_name(run):
    """The same two orders, but answers are handed over by name: right all along."""
    return declared_order(run, rename=True)


def declared_order(run, *, rename):
    declared = ("science", "business", "culture", "sport", "politics")
    five = trained(5, 0, n=300, m=600)
    words = np.array(five.names)
    encoder = LabelEncoder().fit(words[five.y_train])
    model = clone(five.model).fit(
        five.vectorizer.transform(five.train_texts), encoder.transform(words[five.y_train])
    )
    logits = model.decision_function(five.vectorizer.transform(five.texts))
    ids = np.array([declared.index(name) for name in encoder.classes_])
    return Evidence(
        y_true=np.array([declared.index(name) for name in words[five.y_true]]),
        logits=logits,
        y_pred=ids[logits.argmax(axis=1)] if rename else logits.argmax(axis=1),
    )


def twin_labels(run):
    """Two of three labels are written about in the same words, and one is answered for both."""
    generator = np.random.default_rng(4)
    y_train, y_true = generator.integers(0, 3, 600), generator.integers(0, 3, 300)
    train_texts, texts = (
        write_texts(np.minimum(labels, 1), generator) for labels in (y_train, y_true)
    )
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
    logits = model.fit(train_texts, y_train).decision_function(texts)
    return run.evidence(y_true=y_true, logits=logits, y_train=y_train)


def binary_run():
    return trained(2, 0, n=300, m=600)


def positive_first(run):
    """The data set has spam = 0, ham = 1; the model was trained by the alphabet: all is flipped."""
    two = binary_run()
    return Evidence(y_true=1 - two.y_true, logits=two.outputs)


def inverted_class_weights(run):
    """Class weights the wrong way round: the frequent class is answered to everything."""
    return weighted({0: 5.0, 1: 0.2})


def weighted(class_weight):
    generator = np.random.default_rng(5)
    y_train, y_true = ((generator.random(size) < 0.3).astype(int) for size in (600, 400))
    train_texts, texts = (write_texts(y, generator, own_words=1) for y in (y_train, y_true))
    model = make_pipeline(
        TfidfVectorizer(), LogisticRegression(class_weight=class_weight, max_iter=1000)
    )
    margins = model.fit(train_texts, y_train).decision_function(texts)
    plain = reference_model().fit(train_texts, y_train)
    return Evidence(
        y_true=y_true, logits=np.stack([-margins, margins], axis=1), y_train=y_train,
        reference_y_pred=plain.predict(texts),
    )  # fmt: skip


def header_row(run):
    """The CSV file is read with its header as a row: 'label' becomes a label, and ids move."""
    file = "text,label\n" + "\n".join(
        f"{text},{('ham', 'spam')[label]}"
        for text, label in zip(binary_run().train_texts, binary_run().y_train, strict=True)
    )
    return of_file(file.splitlines())


def csv_without_its_header(run):
    """The same file, read as it is meant."""
    lines = (
        f"{text},{('ham', 'spam')[label]}"
        for text, label in zip(binary_run().train_texts, binary_run().y_train, strict=True)
    )
    return of_file(list(lines))


def of_file(lines):
    two = binary_run()
    texts, names = zip(*(line.split(",") for line in lines), strict=True)
    encoder = LabelEncoder().fit(names)
    y_train = encoder.transform(names)
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=100, max_iter=1000))
    logits = logits_of(model.fit(texts, y_train), two.texts)
    return Evidence(
        y_true=encoder.transform(np.array(["ham", "spam"])[two.y_true]),
        logits=logits,
        y_train=y_train,
        label_names=encoder.classes_,
        dataset_label_names=["ham", "spam"],
    )


def hidden_test_labels(run):
    """The test split of a benchmark, whose labels are all -1."""
    return evidence(run, y_true=np.full(len(run.texts), -1))


def ids_from_one(run):
    """Labels as the file numbers them, 1 to 3; training took one off, evaluation did not."""
    file = [f"{label + 1}" for label in run.y_true]
    return evidence(run, y_true=[int(line) for line in file])


def split_without_the_last_label(run):
    """An evaluation set in which a label does not happen to occur."""
    rows = run.y_true < 2
    return evidence(
        run, y_true=run.y_true[rows], logits=run.outputs[rows],
        reference_y_pred=reference(run)[rows],
    )  # fmt: skip


def encoder_refitted_on_evaluation(run):
    """LabelEncoder.fit_transform on an evaluation split that lacks the first label."""
    rows = run.y_true != 0
    refitted = LabelEncoder().fit_transform(np.array(run.names)[run.y_true[rows]])
    return evidence(
        run, y_true=refitted, logits=run.outputs[rows], reference_y_pred=reference(run)[rows],
        label_names=None, dataset_label_names=None,
    )  # fmt: skip


def names_saved_before_a_label_was_added(run):
    """labels.joblib is of the model before, which had a label less."""
    file = io.BytesIO()
    joblib.dump(LabelEncoder().fit(run.names[:-1]), file)
    file.seek(0)
    return evidence(run, label_names=joblib.load(file).classes_, dataset_label_names=None)


def labels_that_are_called_so(run):
    """A data set whose labels are truly called LABEL_0, LABEL_1, LABEL_2."""
    names = [f"LABEL_{label}" for label in range(3)]
    return evidence(run, label_names=names, dataset_label_names=names)


# tokens


@dataclass(frozen=True)
class Averager:
    """A network in little: words to ids, ids to vectors, their mean over the text, a linear head.

    ``masked`` says whether the mean leaves padding out; id 0 is padding, id 1 an unknown word.
    """

    ids: Mapping[str, int]
    vectors: np.ndarray
    head: LogisticRegression
    max_length: int = 64
    masked: bool = True

    def encode(self, texts, *, length=None):
        whole = [[self.ids.get(word, 1) for word in text.split()] for text in texts]
        kept = [ids[: self.max_length] for ids in whole]
        length = length or max(map(len, kept))
        ids = np.array([row + [0] * (length - len(row)) for row in kept])
        counts = np.array([len(row) for row in kept])
        return {
            "input_ids": ids,
            "attention_mask": (np.arange(length) < counts[:, None]).astype(int),
            "token_counts": [len(row) for row in whole],
            "kept_token_counts": counts,
            "unknown_token_share": [np.mean(np.array(row) == 1) for row in kept],
            "max_length": self.max_length,
        }

    def hidden(self, encoding):
        ids, mask = encoding["input_ids"], encoding["attention_mask"]
        mask = mask if self.masked else np.ones_like(mask)
        vectors = self.vectors[ids] * mask[:, :, None]
        return vectors.sum(axis=1) / mask.sum(axis=1, keepdims=True)

    def logits(self, encoding, hidden=None):
        hidden = self.hidden(encoding) if hidden is None else hidden
        return hidden @ self.head.coef_.T + self.head.intercept_


@functools.cache
def averager(run: Run, *, turned=False, **options) -> Averager:
    """Train the head on the run's texts; ``turned``: on texts whose telling words come last."""
    words = sorted({word for text in run.train_texts for word in text.split()})
    ids = {word: number for number, word in enumerate(words, start=2)}
    vectors = np.random.default_rng(0).normal(size=(len(ids) + 2, 256))
    vectors[1] = 0
    network = Averager(ids, vectors, LogisticRegression(C=10, max_iter=2000), **options)
    network.head.fit(network.hidden(network.encode(texts_of(run, turned)[0])), run.y_train)
    return network


def texts_of(run, turned=False):
    """Return training and evaluation texts, some shorter than others."""
    generator = np.random.default_rng(6)
    return [
        [" ".join(text.split()[: generator.integers(6, 15)][:: -1 if turned else 1])
         for text in texts]
        for texts in (run.train_texts, run.texts)
    ]  # fmt: skip


def of_averager(run, network, *, turned=False, texts=None, **fields):
    """Return what is observed of the network, reference models included."""
    train_texts, own = texts_of(run, turned)
    texts = own if texts is None else texts
    encoding, train_encoding = network.encode(texts), network.encode(train_texts)

    def as_text(ids):
        return [" ".join(map(str, row[row > 0])) for row in ids["input_ids"]]

    kept = reference_model(token_pattern=r"\S+").fit(as_text(train_encoding), run.y_train)
    return run.evidence(**{
        "logits": network.logits(encoding),
        **encoding,
        "embedding_rows": len(network.vectors),
        "pad_token_id": 0,
        "y_train": run.y_train,
        "train_logits": network.logits(train_encoding)[:200],
        "train_y_true": run.y_train[:200],
        "reference_y_pred": reference_model().fit(train_texts, run.y_train).predict(own),
        "kept_reference_y_pred": kept.predict(as_text(encoding)),
        **fields,
    })  # fmt: skip


def conclusion_cut_off(run):
    """What decides stands in the last words, and four are kept, the first ones."""
    network = averager(run, turned=True, max_length=4)
    return of_averager(run, network, turned=True)


def body_cut_off(run):
    """Four words are kept of each text, and it is the title that decides."""
    return of_averager(run, averager(run, max_length=4))


def capitals_for_an_uncased_vocabulary(run):
    """Texts of the service come in capitals, words were stored in lower case: most are unknown."""
    generator = np.random.default_rng(7)
    texts = [
        " ".join(word.upper() if generator.random() < 0.8 else word for word in text.split())
        for text in texts_of(run)[1]
    ]
    return of_averager(run, averager(run), texts=texts)


def words_never_seen(run):
    """A third of the words of each text are new, and the model copes with the others."""
    generator = np.random.default_rng(7)
    texts = [
        " ".join(
            f"new{word}" if "common" in word and generator.random() < 0.4 else word
            for word in text.split()
        )
        for text in texts_of(run)[1]
    ]
    return of_averager(run, averager(run), texts=texts)


def mean_over_padding(run):
    """The mean is taken over padding too, so that an answer depends on the longest of its batch."""
    return padded_and_alone(run, averager(run, masked=False))


def mean_without_padding(run):
    """The mean leaves padding out; sums in another order differ in the last digits of float32."""
    return padded_and_alone(run, averager(run))


def padded_and_alone(run, network):
    texts = texts_of(run)[1]
    encoding = network.encode(texts)
    alone = [network.logits(network.encode([text])) for text in texts[:32]]
    logits = network.logits(encoding).astype(np.float32)
    return of_averager(
        run,
        network,
        logits=logits,
        repeated_logits=logits[:32],
        rebatched_logits=np.concatenate(alone).astype(np.float32),
        padded_logits=network.logits(network.encode(texts[:32], length=96)).astype(np.float32),
    )


class CacheByLength:
    """Features cached under the number of texts, as under the name of a file."""

    def __init__(self, vectorizer):
        self.vectorizer = vectorizer
        self.features = {}

    def transform(self, texts):
        if len(texts) not in self.features:
            self.features[len(texts)] = self.vectorizer.transform(texts)
        return self.features[len(texts)]


def cached(run, size):
    cache = CacheByLength(run.vectorizer)
    return np.concatenate([
        run.model.decision_function(cache.transform(run.texts[start : start + size]))
        for start in range(0, len(run.texts), size)
    ])  # fmt: skip


def stale_cache_of_single_texts(run):
    """Features are cached by the number of texts, and texts come one at a time."""
    return evidence(run, **{**fit(run), "logits": cached(run, 1)})


def stale_cache_of_batches(run):
    """Features are cached by the number of texts, and texts come in batches of 50."""
    return evidence(run, **{**fit(run), "logits": cached(run, 50)})


def sure_of_one_class(run):
    """A slice of one class, and probabilities rounded to three decimals: all rows are equal."""
    rows = np.flatnonzero(run.y_true == 1)
    probabilities = softmax(8 * run.outputs[rows], axis=1).round(3)
    sure = rows[probabilities[:, 1] == 1]
    return evidence(
        run, y_true=run.y_true[sure], logits=probabilities[probabilities[:, 1] == 1],
        reference_y_pred=reference(run)[sure],
    )  # fmt: skip


# training


def rate_of_ten(run):
    """Adam at a learning rate of 10: every unit of the network dies in the first steps."""
    return evidence(run, **fit(run, rate=10.0))


def rate_that_suits_this_network(run):
    """Adam at .05, a thousand times what fine-tuning takes: this network learns with it."""
    return evidence(run, **fit(run, rate=0.05))


def rate_of_nothing(run):
    """A learning rate of 1e-7, as of a misread unit."""
    return evidence(run, **fit(run, rate=1e-7))


def trained_on(run, **how):
    """Go on with a network that is trained already."""
    model = MLPClassifier((32,), learning_rate_init=0.02, random_state=0)
    fit(run, model=model, epochs=6)
    model._optimizer.learning_rate_init = how.get("rate", 1e-3)  # there is no public way
    return evidence(run, **fit(run, model=model, **how))


def trained_on_at_a_low_rate(run):
    """A trained network is tuned further at 1e-7: nothing moves, and it was good before."""
    return trained_on(run, rate=1e-7)


def three_steps(run):
    """most_steps=3 from a trial run was left in."""
    return evidence(run, **fit(run, most_steps=3, epochs=1))


def three_steps_more(run):
    """Three steps on top of a training that is done."""
    return trained_on(run, most_steps=3, epochs=1)


def steps_never_applied(run):
    """The loop computes every step and never takes it."""
    return evidence(run, **descend(run, rates=np.full(300, 0.01), apply=False))


def steps_applied(run):
    """The same loop with its steps taken."""
    return evidence(run, **descend(run, rates=np.full(300, 0.01)))


def linear_schedule(steps, planned, warm_up, peak=0.02):
    """Return the rates of a warm-up followed by a linear decay to zero at ``planned`` steps."""
    step = np.arange(1, steps + 1)
    return peak * np.minimum(step / warm_up, (planned - step) / (planned - warm_up))


def steps_after_the_schedule_ended(run):
    """The schedule was made for a third of the steps: the rate turns negative, loss climbs."""
    return evidence(run, **descend(run, rates=linear_schedule(300, 100, 10)))


def schedule_to_the_end(run):
    """Warm-up and decay to zero at the last step."""
    return evidence(run, **descend(run, rates=linear_schedule(300, 300, 30)))


def softmax_twice(run):
    """Probabilities are handed to a loss that takes logits, in training and in validation."""
    found = descend(run, rates=np.full(300, 0.01), softmaxes=2)
    return evidence(run, **{**found, "logits": softmax(found["logits"], axis=1)})


def softmax_once(run):
    """A head that ends in a softmax, and a loss of its probabilities: unusual, and right."""
    found = descend(run, rates=np.full(300, 0.01))
    return evidence(run, **{**found, "logits": softmax(found["logits"], axis=1)})


def softmax_over_one_unit(run):
    """A single output unit under a softmax: 1 for whatever text."""
    two = binary_run()
    margins = two.outputs[:, 1:]
    return Evidence(y_true=two.y_true, logits=softmax(margins, axis=1), y_train=two.y_train,
                    dataset_label_names=two.names)  # fmt: skip


def sigmoid_over_one_unit(run):
    """The same unit under a sigmoid."""
    two = binary_run()
    return Evidence(
        y_true=two.y_true, logits=1 / (1 + np.exp(-two.outputs[:, 1:])), y_train=two.y_train,
        dataset_label_names=two.names,
    )  # fmt: skip


def half_precision_weights(run):
    """Adam in float16: its epsilon is 0 there, and the first unused word divides 0 by 0."""
    with np.errstate(all="ignore"):
        return evidence(run, **descend(run, rates=np.full(100, 0.01), dtype=np.float16))


def evaluated_now_and_then(run):
    """The log has a line for each step, and NaN where a step was not evaluated."""
    found = descend(run, rates=np.full(300, 0.01))
    val_loss = np.full(300, np.nan)
    val_loss[19::20] = found["val_loss"]
    return evidence(run, **{**found, "val_loss": val_loss})


# serving


def saved_and_loaded(run, *, new_head=None):
    """Save a pipeline with joblib, load it again, and predict, by a new head if there is a seed."""
    file = io.BytesIO()
    saved = {"vectorizer": run.vectorizer, **({"model": run.model} if new_head is None else {})}
    joblib.dump(saved, file)
    file.seek(0)
    loaded = joblib.load(file)
    features = loaded["vectorizer"].transform(run.texts)
    if new_head is None:
        return loaded["model"].decision_function(features)
    weights = np.random.default_rng(new_head).normal(scale=0.02, size=(features.shape[1], 3))
    return features @ weights


def head_not_saved(run):
    """Training saved the vectoriser alone; serving makes a new head, another one each time."""
    return evidence(
        run,
        **{
            **fit(run),
            "logits": saved_and_loaded(run, new_head=10),
            "reloaded_logits": saved_and_loaded(run, new_head=17)[:32],
        },
    )


def head_not_saved_seen_from_outside(run):
    """The same service, asked once: its outputs beside those of the training process."""
    return evidence(
        run,
        **{
            **fit(run),
            "logits": saved_and_loaded(run, new_head=10),
            "train_logits": run.logits(run.train_texts)[:200],
            "train_y_true": run.y_train[:200],
        },
    )


def all_saved(run):
    """Vectoriser and head come back from the file as they were."""
    again = saved_and_loaded(run)
    return evidence(run, reloaded_logits=again[:32])


def dropout_left_on(run):
    """A tenth of the features is dropped at random, in every call."""
    generator = np.random.default_rng(8)
    features = run.vectorizer.transform(run.texts).toarray()

    def call():
        return run.model.decision_function(features * (generator.random(features.shape) > 0.1))

    return evidence(run, logits=call(), repeated_logits=call()[:32])


def sums_in_another_order(run):
    """A second call adds up in another order, in float32: the last digits differ."""
    features = run.vectorizer.transform(run.texts).toarray().astype(np.float32)
    weights = run.model.coef_.T.astype(np.float32)
    backwards = features[:32, ::-1] @ weights[::-1]
    return evidence(
        run,
        logits=features @ weights + run.model.intercept_.astype(np.float32),
        repeated_logits=backwards + run.model.intercept_.astype(np.float32),
    )


def vectoriser_refitted_in_the_service(run):
    """The service numbers the words of its own texts by their counts: each has another column."""
    counts = Counter(word for text in run.texts for word in text.split())
    words = [word for word, _ in counts.most_common(len(run.vectorizer.vocabulary_))]
    return read_in_the_service(run, TfidfVectorizer(vocabulary=words))


def words_hashed_in_the_service(run):
    """The service hashes words to columns where training had numbered them."""
    width = run.model.coef_.shape[1]
    return read_in_the_service(run, HashingVectorizer(n_features=width, alternate_sign=False))


def read_in_the_service(run, vectorizer):
    width = run.model.coef_.shape[1]
    features = vectorizer.fit_transform(run.texts).toarray()
    features = np.pad(features, [(0, 0), (0, width - features.shape[1])])
    logits = run.model.decision_function(features)
    return evidence(
        run,
        **{
            **fit(run),
            "logits": logits,
            "rebatched_logits": logits[:32],
            "train_logits": run.logits(run.train_texts)[:200],
            "train_y_true": run.y_train[:200],
        },
    )


# decoding and reporting


def argmax_over_examples(run):
    """logits.argmax(axis=0): a row number for each label."""
    return evidence(run, y_pred=run.outputs.argmax(axis=0))


def argmax_of_everything(run):
    """np.argmax without an axis, and its one number stands for all rows."""
    return evidence(run, y_pred=np.full(len(run.texts), np.argmax(run.outputs[:1])))


def as_many_examples_as_labels(run):
    """Three examples of three labels: (3, 3) looks the same along both axes, and is right."""
    rows = [int(np.flatnonzero(run.y_true == label)[0]) for label in range(3)]
    return run.evidence(y_true=run.y_true[rows], logits=run.outputs[rows], y_pred=run.answers[rows])


def hidden_layer_decoded(run):
    """The argmax of 32 hidden units, of which the network returned a tuple, for that of 3."""
    model = MLPClassifier((32,), random_state=0)
    fit(run, model=model)
    texts = run.vectorizer.transform(run.texts)
    hidden = np.maximum(texts @ model.coefs_[0] + model.intercepts_[0], 0)
    return evidence(run, y_pred=hidden.argmax(axis=1))


def slice_of_many_labels(run):
    """A model of five labels, evaluated on texts of two of them: three columns are never right."""
    five = trained(5, 0, n=300, m=600)
    rows = five.y_true < 2
    return five.evidence(
        y_true=five.y_true[rows], logits=five.outputs[rows], y_pred=five.answers[rows]
    )


def threshold_on_raw_outputs(run):
    """A threshold of one half, right for a probability, is applied to a margin, where 0 is."""
    two = binary_run()
    features = two.vectorizer.transform(two.train_texts)
    margins = (
        LogisticRegression(C=0.3)
        .fit(features, two.y_train)
        .decision_function(two.vectorizer.transform(two.texts))
    )
    return two.evidence(
        logits=np.stack([0 * margins, margins], axis=1), y_pred=(margins > 0.5).astype(int)
    )


def probabilities_cast_to_int(run):
    """predict_proba(texts).astype(int): whatever is below 1 becomes 0, and so does the argmax."""
    probabilities = softmax(run.outputs, axis=1)
    return evidence(run, logits=probabilities, y_pred=probabilities.astype(int).argmax(axis=1))


def threshold_tuned_for_recall(run):
    """A rare label is answered from .2 on, on purpose: accuracy is traded for recall."""
    generator = np.random.default_rng(5)
    y_train, y_true = ((generator.random(size) < 0.1).astype(int) for size in (1000, 600))
    train_texts, texts = (write_texts(y, generator, own_words=1) for y in (y_train, y_true))
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(max_iter=1000))
    probabilities = model.fit(train_texts, y_train).predict_proba(texts)
    return Evidence(
        y_true=y_true,
        logits=probabilities,
        y_pred=(probabilities[:, 1] > 0.2).astype(int),
        y_train=y_train,
        reference_y_pred=reference_model().fit(train_texts, y_train).predict(texts),
    )


def batches(rows, size, *, shuffle):
    """Yield the rows batch by batch, as a data loader does."""
    order = np.random.default_rng(10).permutation(rows) if shuffle else rows
    for start in range(0, len(order), size):
        yield order[start : start + size]


def shuffled_loader(run):
    """predict goes through a loader that shuffles; y_true stays in the order of the file."""
    return loaded_in_batches(run, shuffle=True)


def loader_in_order(run):
    """The same loader without shuffling."""
    return loaded_in_batches(run, shuffle=False)


def loaded_in_batches(run, *, shuffle):
    rows = np.arange(len(run.texts))
    order = np.concatenate(list(batches(rows, 32, shuffle=shuffle)))
    alone = run.logits(run.texts[:32])
    return evidence(
        run,
        **{
            **fit(run),
            "logits": run.outputs[order],
            "repeated_logits": run.outputs[order][:32],
            "rebatched_logits": alone,
        },
    )


def answers_of_the_next_row(run):
    """The service's answers were read from a log that starts a line later."""
    log = [str(answer) for answer in run.answers]
    return evidence(run, logits=None, y_pred=[int(line) for line in [*log[1:], log[0]]])


def labels_in_the_order_of_the_file(run):
    """A sorted evaluation set that a good model answers in its order."""
    order = np.argsort(run.y_true, kind="stable")
    return evidence(
        run, y_true=run.y_true[order], logits=run.outputs[order],
        reference_y_pred=reference(run)[order],
    )  # fmt: skip


def first_of_an_ascending_sort(run):
    """The best label is taken from the wrong end: argsort goes upwards."""
    return evidence(run, y_pred=np.argsort(run.outputs, axis=1)[:, 0])


def nearest_of_distances(run):
    """A model whose outputs are distances: here the least one is the answer."""
    features, texts = (
        run.vectorizer.transform(part).toarray() for part in (run.train_texts, run.texts)
    )
    model = NearestCentroid().fit(features, run.y_train)
    distances = np.linalg.norm(texts[:, None] - model.centroids_, axis=2)
    return evidence(run, logits=distances, y_pred=distances.argmin(axis=1))


def reported(run, count):
    """Return evidence whose history reports what ``count`` makes of one-hot labels and answers."""
    found = fit(run, epochs=14)
    probabilities = np.exp(np.array(found["logits"]))
    one_hot = LabelBinarizer().fit(range(3)).transform(run.y_true)
    found["val_accuracy"] = [*found["val_accuracy"][:-1], count(one_hot, probabilities)]
    return evidence(run, **found)


def binary_accuracy_of_many_labels(run):
    """The accuracy over all cells of the one-hot table: each absent label counts as right."""
    return reported(
        run, lambda one_hot, p: accuracy_score(one_hot.ravel(), (p > 0.5).ravel().astype(int))
    )


def accuracy_of_rows(run):
    """The accuracy over rows."""
    return reported(run, lambda one_hot, p: accuracy_score(one_hot.argmax(1), p.argmax(1)))


# More of what shows the same symptoms


def network_that_collapsed(run):
    """Plain gradient descent at a rate of 1: one answer to all, from outputs that all but agree."""
    model = MLPClassifier((32,), solver="sgd", learning_rate_init=1.0, random_state=0)
    return evidence(run, **fit(run, model=model, rate=1.0))


def zeroes_divided(run):
    """Rows of texts without a known word are divided by their length, 0: NaN, whose argmax is 0."""
    features = run.vectorizer.transform(run.texts).toarray()
    features[:, :] *= 0  # the service reads texts of another language
    with np.errstate(invalid="ignore"):
        features /= np.linalg.norm(features, axis=1, keepdims=True)
        logits = features @ run.model.coef_.T
    return evidence(run, logits=logits, y_pred=logits.argmax(axis=1))


def collapsed_on_imbalanced_rows(run):
    """Three rows in a hundred are of the other label, and the network died at a rate of 10."""
    generator = np.random.default_rng(1)
    y_train = (generator.random(3000) < 0.03).astype(int)
    y_true = np.resize([0, 0, 0, 1], 400)
    train_texts, texts = (write_texts(y, generator, own_words=5) for y in (y_train, y_true))
    rare = dataclasses.replace(
        run, names=run.names[:2], train_texts=train_texts, y_train=y_train, texts=texts,
        y_true=y_true,
    )  # fmt: skip
    return Evidence(y_true=y_true, reference_y_pred=reference(rare), **fit(rare, rate=10.0))


def cross_entropy_of_one_unit(run):
    """A softmax and a cross-entropy over a single unit: the loss is exactly 0 from the start."""
    two = binary_run()
    margins = two.outputs[:, 1:]
    loss = -log_softmax(margins, axis=1).mean()
    return Evidence(
        y_true=two.y_true, logits=softmax(margins, axis=1), y_train=two.y_train,
        loss=[loss] * 60, val_loss=[loss] * 3, overfit_loss=[loss] * 40, train_steps=60,
        learning_rate=[2e-5] * 60, dataset_label_names=two.names,
    )  # fmt: skip


def loss_of_a_slice_of_one_class(run):
    """The validation rows are all of one class, which costs a sure model next to nothing."""
    rows = run.y_true == 1
    found = descend(run, rates=np.full(300, 0.01))
    logits = 50 * found["logits"][rows]
    val_loss = -log_softmax(logits, axis=1)[:, 1].mean()
    return evidence(
        run,
        **{
            **found,
            "y_true": run.y_true[rows],
            "logits": logits,
            "val_loss": [val_loss] * 3,
            "reference_y_pred": reference(run)[rows],
        },
    )


def rate_spike(run):
    """The scheduler of a resumed run is scaled again: the rate rises to the ten-thousandfold."""
    model = MLPClassifier((32,), random_state=0)
    before = fit(run, model=model, epochs=6)
    model._optimizer.learning_rate_init = 10.0  # nothing public changes the rate between calls
    after = fit(run, model=model, epochs=6, rate=10.0)
    history = ("loss", "val_loss", "val_accuracy", "learning_rate")
    whole = {name: [*before[name], *after[name]] for name in history}
    return evidence(run, **{**after, **whole, "train_steps": len(whole["loss"])})


def rate_spike_that_was_survived(run):
    """The same rise, under a model without hidden units: its answers stay right."""
    rates = np.r_[np.full(150, 0.01), np.full(150, 10.0)]
    return evidence(run, **descend(run, rates=rates))


def names_in_the_order_of_a_set(run):
    """The id map is built of a set in training and in the service, two processes."""
    return of_two_processes(run, "list(set({names}))")


def names_in_the_order_of_a_sorted_set(run):
    """The same map, sorted."""
    return of_two_processes(run, "sorted(set({names}))")


def of_two_processes(run, expression):
    five = trained(5, 0, n=300, m=600)
    program = f"print(*{expression.format(names=list(five.names))})"
    training, service = (
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for seed in ("1", "2")
    )
    ids = np.array([training.index(name) for name in five.names])
    logits = np.empty_like(five.outputs)
    logits[:, ids] = five.outputs
    y_true = [service.index(five.names[label]) for label in five.y_true]
    return Evidence(y_true=y_true, logits=logits)


def broken_row_in_the_second_shard(run):
    """A row of the second shard holds NaN, and from there on so do all weights."""
    return evidence(run, **descend(run, rates=np.full(300, 0.01), broken_row=True))


def task_without_a_signal_and_its_history(run):
    """The useless task with all that training recorded.

    That training got nowhere is a fact, and arrays do not tell labels that were shuffled from
    labels that no text could tell: both carry no information about it.
    """
    generator = np.random.default_rng(2)
    y_train, y_true = generator.integers(0, 3, 600), generator.integers(0, 3, 300)
    useless = dataclasses.replace(run, y_true=y_true)
    return evidence(
        useless, **{**fit(useless, y_train), **references(run, run.train_texts, y_train)}
    )


def labels_that_the_loss_ignores(run):
    """Every label is -100, which the loss leaves out: there is nothing to sum up."""
    return evidence(run, y_true=np.full(300, -100), loss=[0.0] * 90, val_loss=[0.0] * 3)


def ids_and_mask_exchanged(run):
    """The mask is looked up as ids, and the ids weigh as a mask: one input for all texts."""
    network = averager(run)
    encoding = network.encode(texts_of(run)[1])
    ids, mask = encoding["input_ids"], encoding["attention_mask"]
    fed = {"input_ids": mask, "attention_mask": ids}
    return of_averager(run, network, logits=network.logits(fed), **fed)


def mask_left_out_by_the_service(run):
    """Training left padding out, the service does not: short texts drown in it."""
    network = dataclasses.replace(averager(run), masked=False)
    return padded_and_alone(run, network)


def conclusion_of_long_texts_cut_off(run):
    """What decides stands at the end, and eight words are kept: long texts lose it."""
    return of_averager(run, averager(run, turned=True, max_length=8), turned=True)


def few_rows_of_a_weak_model(run):
    """Twelve rows and a weak model: some exchange of labels is bound to fit better."""
    weak = trained(5, 0, own_words=1, n=300, m=30)
    rows = np.arange(12)
    return weak.evidence(
        y_true=weak.y_true[rows], logits=weak.outputs[rows], label_names=None,
        dataset_label_names=None,
    )  # fmt: skip


# What each builder must be found under


# gate


def replaced_by(run, rows):
    """Train the pipeline again on some rows; the one that works is in production."""
    features = run.vectorizer.transform(run.train_texts)[rows]
    model = clone(run.model).fit(features, run.y_train[rows])
    logits = model.decision_function(run.vectorizer.transform(run.texts))
    return evidence(run, logits=logits, baseline_y_pred=run.answers, example_keys=run.texts)


def one_desk_left_out(run):
    """The export that training reads has hardly any row of one label any more."""
    there = np.cumsum(run.y_train == 1) <= 25
    return replaced_by(run, there | (run.y_train != 1))


def trained_on_other_rows(run):
    """The rows are drawn anew: the model errs on others, and no more often."""
    return replaced_by(run, np.random.default_rng(0).permutation(len(run.y_train))[:540])


CASES: Mapping[str, tuple[tuple[Builder, Builder], ...]] = {
    # cause: pairs of a fault and its healthy look-alike
    "class-imbalance": ((prior_learnt, rare_label_learnt), (prior_learnt, slice_of_one_class)),
    "labels-shuffled": ((texts_shuffled_without_their_labels, task_without_a_signal),),
    "labels-noisy": ((crowd_source_that_guesses, careless_evaluation_labels),),
    "training-data-sorted": ((tail_of_a_sorted_file, stratified_split_of_a_sorted_file),),
    "label-mapping-swapped": (
        (ids_of_two_encoders, ids_of_two_encoders_joined_by_name),
        (encoder_refitted_on_evaluation, twin_labels),
        (names_in_the_order_of_a_set, names_in_the_order_of_a_sorted_set),
        (positive_first, sigmoid_over_one_unit),
        (ids_of_two_encoders, few_rows_of_a_weak_model),
    ),
    "label-out-of-range": (
        (header_row, csv_without_its_header),
        (hidden_test_labels, split_without_the_last_label),
        (ids_from_one, split_without_the_last_label),
    ),
    "label-names-missing": ((names_saved_before_a_label_was_added, labels_that_are_called_so),),
    "truncation-loses-signal": (
        (conclusion_cut_off, body_cut_off),
        (conclusion_of_long_texts_cut_off, body_cut_off),
    ),
    "vocabulary-mismatch": ((capitals_for_an_uncased_vocabulary, words_never_seen),),
    "attention-mask-ignored": (
        (mean_over_padding, mean_without_padding),
        (ids_and_mask_exchanged, mean_without_padding),
    ),
    "inputs-constant": ((stale_cache_of_single_texts, sure_of_one_class),),
    "learning-rate-too-high": (
        (rate_of_ten, rate_that_suits_this_network),
        (network_that_collapsed, rate_that_suits_this_network),
    ),
    "learning-rate-too-low": ((rate_of_nothing, trained_on_at_a_low_rate),),
    "too-few-steps": ((three_steps, three_steps_more),),
    "weights-not-updated": ((steps_never_applied, steps_applied),),
    "learning-rate-schedule-broken": (
        (steps_after_the_schedule_ended, schedule_to_the_end),
        (rate_spike, rate_spike_that_was_survived),
    ),
    "loss-misconfigured": (
        (softmax_twice, softmax_once),
        (softmax_over_one_unit, sigmoid_over_one_unit),
        (cross_entropy_of_one_unit, loss_of_a_slice_of_one_class),
    ),
    "diverged": (
        (half_precision_weights, evaluated_now_and_then),
        (zeroes_divided, sums_in_another_order),
    ),
    "weights-not-loaded": (
        (head_not_saved, all_saved),
        (head_not_saved_seen_from_outside, all_saved),
    ),
    "dropout-at-inference": ((dropout_left_on, sums_in_another_order),),
    "argmax-wrong-axis": (
        (argmax_over_examples, as_many_examples_as_labels),
        (argmax_of_everything, slice_of_one_class),
    ),
    "wrong-tensor-decoded": ((hidden_layer_decoded, slice_of_many_labels),),
    "threshold-on-logits": (
        (threshold_on_raw_outputs, threshold_tuned_for_recall),
        (probabilities_cast_to_int, slice_of_one_class),
    ),
    "labels-misaligned": (
        (shuffled_loader, loader_in_order),
        (answers_of_the_next_row, labels_in_the_order_of_the_file),
        (stale_cache_of_batches, loader_in_order),
    ),
    "argmin-decoded": ((first_of_an_ascending_sort, nearest_of_distances),),
    "metric-misreported": ((binary_accuracy_of_many_labels, accuracy_of_rows),),
    "regression": ((one_desk_left_out, trained_on_other_rows),),
}
FAULTS = [(cause, fault) for cause, pairs in CASES.items() for fault, _ in pairs]
LOOK_ALIKES = [(cause, healthy) for cause, pairs in CASES.items() for _, healthy in pairs]


def named(cases):
    return pytest.mark.parametrize(
        ("cause", "build"), [pytest.param(*case, id=f"{case[0]}-{case[1].__name__}")
                             for case in dict.fromkeys(cases)]
    )  # fmt: skip


@functools.cache
def built(build, run):
    """Build evidence once, however many tables hold its builder."""
    return build(run)


def first_cause(diagnosis):
    return diagnosis.causes[0].code if diagnosis.causes else None


@named(FAULTS)
def test_a_fault_of_real_code_is_named_first(run, cause, build):
    """The run fails, and of all causes the one that was built comes first, with its reasons."""
    diagnosis = diagnose(built(build, run))
    assert "failed" == diagnosis.verdict
    assert cause == first_cause(diagnosis), str(diagnosis)
    assert diagnosis.causes[0].reasons
    assert diagnosis.causes[0].fix


@named(LOOK_ALIKES)
def test_nothing_fails_a_healthy_look_alike(run, cause, build):
    """What looks like the fault from afar, and is right, fails no check and has no cause."""
    diagnosis = diagnose(built(build, run))
    failed = [finding.summary for finding in diagnosis.findings if finding.verdict == "failed"]
    assert [] == failed
    assert () == diagnosis.causes


def test_every_cause_has_a_fault_and_a_look_alike():
    """A new cause belongs into this table; ``unknown`` is no such cause."""
    assert set(CAUSES) - {"unknown"} == set(CASES)


# Symptoms


def answers(evidence):
    return evidence.answers if evidence.y_pred is None else evidence.y_pred


def accuracy(evidence):
    return np.mean(answers(evidence) == evidence.y_true)


def all_alike(evidence):
    """All rows are answered with one label."""
    return len(np.unique(answers(evidence))) == 1


def outputs_alike(evidence):
    """The outputs of all texts agree to a hundredth of a unit."""
    return np.ptp(evidence.logits, axis=0).max() < 0.01


def loss_flat(evidence):
    """The validation loss stays within 5 % of ln C."""
    chance = np.log(evidence.num_labels)
    return (np.abs(np.array(evidence.val_loss) - chance) < 0.05 * chance).all()


def at_chance(evidence):
    """The accuracy is about 1/C, and each label is answered about as often as any other."""
    shares = np.bincount(answers(evidence), minlength=3) / len(evidence.y_true)
    return abs(accuracy(evidence) - 1 / 3) < 0.08 and shares.min() > 0.1


def always_wrong(evidence):
    """The accuracy is next to zero."""
    return accuracy(evidence) < 0.1


def loss_zero(evidence):
    """The validation loss is zero, to four decimals."""
    return np.abs(evidence.val_loss).max() < 1e-4


def loss_fell_without_accuracy(evidence):
    """The loss fell to half of ln C, and the accuracy of the evaluation is at chance."""
    return min(evidence.loss) < np.log(3) / 2 and accuracy(evidence) < 0.5


def broke_in_mid_run(evidence):
    """The validation loss had fallen by a tenth, and ends above ln C or at NaN."""
    first, *_, last = evidence.val_loss
    return np.nanmin(evidence.val_loss) < 0.9 * first and not last < np.log(3)


def rare_never_answered(evidence):
    """Training rows are 97/3, and no row is answered with the rare label."""
    return np.mean(evidence.y_train) < 0.05 and all_alike(evidence)


def flipped_or_leaning(evidence):
    """Of the two labels, one is never answered where it is true."""
    y_true, y_pred = evidence.y_true, answers(evidence)
    return evidence.num_labels == 2 and not (y_pred[y_true == 1] == 1).any()


def calls_or_processes_differ(evidence):
    """A second call, a second load or the ids of a second process differ from the first."""
    again = (evidence.repeated_logits, evidence.reloaded_logits)
    differ = [not np.allclose(evidence.logits[:32], other) for other in again if other is not None]
    return any(differ) or accuracy(evidence) < 0.5


def right_on_training_rows(evidence):
    """The model was right on training rows, and is not on these."""
    in_training = np.mean(evidence.train_logits.argmax(axis=1) == evidence.train_y_true)
    return in_training > 0.9 and accuracy(evidence) < 0.6


def wrong_by_length(evidence):
    """Short texts are right and long ones are not, or the other way round."""
    right = answers(evidence) == evidence.y_true
    long = evidence.token_counts > np.median(evidence.token_counts)
    return abs(right[long].mean() - right[~long].mean()) > 0.1


SYMPTOMS: Mapping[Callable[[Evidence], bool], Mapping[Builder, str | None]] = {
    # symptom: builders that show it, and the cause to be named first; None where nothing is wrong
    all_alike: {
        zeroes_divided: "diverged",
        probabilities_cast_to_int: "threshold-on-logits",
        argmax_of_everything: "argmax-wrong-axis",
        prior_learnt: "class-imbalance",
        network_that_collapsed: "learning-rate-too-high",
        softmax_over_one_unit: "loss-misconfigured",
        slice_of_one_class: None,
    },
    outputs_alike: {
        stale_cache_of_single_texts: "inputs-constant",
        ids_and_mask_exchanged: "attention-mask-ignored",
        network_that_collapsed: "learning-rate-too-high",
        softmax_over_one_unit: "loss-misconfigured",
        sure_of_one_class: None,
    },
    loss_flat: {
        rate_of_nothing: "learning-rate-too-low",
        three_steps: "too-few-steps",
        steps_never_applied: "weights-not-updated",
        texts_shuffled_without_their_labels: "labels-shuffled",
    },
    rare_never_answered: {
        prior_learnt: "class-imbalance",
        collapsed_on_imbalanced_rows: "learning-rate-too-high",
    },
    loss_fell_without_accuracy: {
        shuffled_loader: "labels-misaligned",
        stale_cache_of_batches: "labels-misaligned",
        head_not_saved_seen_from_outside: "weights-not-loaded",
        words_hashed_in_the_service: "vocabulary-mismatch",
    },
    loss_zero: {
        cross_entropy_of_one_unit: "loss-misconfigured",
        labels_that_the_loss_ignores: "label-out-of-range",
        loss_of_a_slice_of_one_class: None,
    },
    always_wrong: {
        ids_of_two_encoders: "label-mapping-swapped",
        encoder_refitted_on_evaluation: "label-mapping-swapped",
        hidden_test_labels: "label-out-of-range",
        tail_of_a_sorted_file: "training-data-sorted",
        first_of_an_ascending_sort: "argmin-decoded",
    },
    at_chance: {
        shuffled_loader: "labels-misaligned",
        head_not_saved: "weights-not-loaded",
        words_hashed_in_the_service: "vocabulary-mismatch",
        texts_shuffled_without_their_labels: "labels-shuffled",
        task_without_a_signal_and_its_history: "labels-shuffled",
        task_without_a_signal: None,
    },
    calls_or_processes_differ: {
        dropout_left_on: "dropout-at-inference",
        head_not_saved: "weights-not-loaded",
        names_in_the_order_of_a_set: "label-mapping-swapped",
        shuffled_loader: "labels-misaligned",
    },
    right_on_training_rows: {
        head_not_saved_seen_from_outside: "weights-not-loaded",
        words_hashed_in_the_service: "vocabulary-mismatch",
        vectoriser_refitted_in_the_service: "unknown",
        capitals_for_an_uncased_vocabulary: "vocabulary-mismatch",
    },
    broke_in_mid_run: {
        steps_after_the_schedule_ended: "learning-rate-schedule-broken",
        rate_spike: "learning-rate-schedule-broken",
        broken_row_in_the_second_shard: "diverged",
    },
    flipped_or_leaning: {
        positive_first: "label-mapping-swapped",
        inverted_class_weights: "unknown",
    },
    wrong_by_length: {
        mask_left_out_by_the_service: "attention-mask-ignored",
        conclusion_of_long_texts_cut_off: "truncation-loses-signal",
    },
}


@pytest.mark.parametrize(
    ("symptom", "build", "cause"),
    [
        pytest.param(symptom, build, cause, id=f"{symptom.__name__}-{build.__name__}")
        for symptom, builders in SYMPTOMS.items()
        for build, cause in builders.items()
    ],
)
def test_causes_of_the_same_symptom_are_told_apart(run, symptom, build, cause):
    """Evidence that shows a symptom has the cause that is behind it, or none where all is well.

    ``unknown`` stands where what was recorded cannot tell.
    """
    found = built(build, run)
    assert symptom(found)
    diagnosis = diagnose(found)
    assert (cause is not None) is (diagnosis.verdict == "failed")
    assert cause == first_cause(diagnosis), str(diagnosis)


def test_every_builder_is_judged():
    """A builder that no table holds would be forgotten."""
    judged = {
        *(build for _, build in (*FAULTS, *LOOK_ALIKES)),
        *(build for builders in SYMPTOMS.values() for build in builders),
    }
    builders = {
        item
        for item in globals().values()
        if inspect.isfunction(item) and item.__module__ == __name__
        and list(inspect.signature(item).parameters) == ["run"]
    }  # fmt: skip
    assert set() == {item.__name__ for item in builders - judged}
