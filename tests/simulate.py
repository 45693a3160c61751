"""Small real classifiers on made-up text, simulated sessions, and helpers, for the tests.

Everything random comes from a local generator; nothing seeds globally.
"""

from __future__ import annotations

import functools
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from benchmarks.simulation import OUTPUTS, healthy_session
from pytest_bertcheck import Evidence
from pytest_bertcheck.checks import ALPHA, find_check
from pytest_bertcheck.findings import Verdict

NAMES = ("business", "culture", "politics", "science", "sport")
ZOO = Path(os.environ.get("BERTCHECK_ZOO", Path(__file__).parents[2] / "shared" / "zoo"))


def run_check(name, evidence, *, alpha=ALPHA, **options):
    """Run one check and hold its finding to what holds for all of them."""
    check = find_check(name)
    finding = check(evidence, alpha=alpha, **options)
    assert (name, check.stage) == (finding.check, finding.stage)
    assert [finding.summary] == finding.summary.splitlines()
    assert finding.p_value is None or 0 <= finding.p_value <= 1
    assert finding.verdict is Verdict.FAILED or not finding.certain
    json.dumps(finding.to_dict())
    return finding


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


# Real models


def write_texts(labels, generator, *, own_words=2, words=14):
    """Write a text for each label: some words of the label's own, the rest common to all."""
    return [
        " ".join(
            f"{NAMES[label]}{word}" if position < own_words else f"common{word}"
            for position, word in enumerate(generator.integers(0, 60, words))
        )
        for label in labels
    ]


@dataclass(frozen=True, eq=False)
class Run:
    """A trained classifier with its data; ``logits`` is its real prediction path."""

    names: tuple
    train_texts: list
    y_train: np.ndarray
    texts: list
    y_true: np.ndarray
    vectorizer: TfidfVectorizer
    model: LogisticRegression

    def logits(self, texts=None):
        """Raw scores, (n, C): LogisticRegression gives a single margin for two labels."""
        features = self.vectorizer.transform(self.texts if texts is None else texts)
        scores = self.model.decision_function(features)
        return np.stack([-scores / 2, scores / 2], axis=1) if scores.ndim == 1 else scores

    @functools.cached_property
    def outputs(self):
        return self.logits()

    @property
    def answers(self):
        return self.outputs.argmax(axis=1)

    def evidence(self, **fields):
        own = {
            "y_true": self.y_true,
            "logits": self.outputs,
            "label_names": self.names,
            "dataset_label_names": self.names,
        }
        return Evidence(**{**own, **fields})


@functools.lru_cache(maxsize=64)
def trained(num_labels=3, seed=0, *, own_words=None, n=150, m=300):
    """Train TF-IDF and logistic regression on texts made from ``seed``; about 0.9 are right."""
    own_words = own_words or (1 if num_labels == 2 else 2)
    generator = np.random.default_rng(seed)
    y_train = generator.integers(0, num_labels, m)
    y_true = generator.permutation(np.resize(np.arange(num_labels), n))
    train_texts = write_texts(y_train, generator, own_words=own_words)
    texts = write_texts(y_true, generator, own_words=own_words)
    vectorizer = TfidfVectorizer()
    model = LogisticRegression(C=100.0, max_iter=1000).fit(
        vectorizer.fit_transform(train_texts), y_train
    )
    names = NAMES[:num_labels]
    return Run(names, train_texts, y_train, texts, y_true, vectorizer, model)


# Simulated sessions, for error rates


def session(generator, *, num_labels, n, majority=None, skill=3.5, tilt=0.0):
    """Simulate a trained model: Bayes-optimal logits under noise, for any balance of labels.

    ``skill`` is the distance of the labels in standard deviations, ``majority`` the share of
    label 0, ``tilt`` a constant added to random columns, as by training on another balance.
    """
    if majority is None:
        prior = np.full(num_labels, 1 / num_labels)
    else:
        prior = np.full(num_labels, (1 - majority) / (num_labels - 1))
        prior[0] = majority
    y_true = generator.choice(num_labels, size=n, p=prior)
    seen = generator.normal(size=(n, num_labels))
    seen[np.arange(n), y_true] += skill
    logits = skill * seen + np.log(prior) + tilt * generator.normal(size=num_labels)
    shift = generator.normal(scale=10, size=(n, 1))  # common to a row: decides nothing
    return y_true, logits + shift


def healthy_sessions(generator, count):
    """Yield evaluations by healthy models of all sizes, balances and accuracies."""
    fields = ("y_true", "logits", "y_pred", "reference_y_pred")
    several_columns = [kind for kind in OUTPUTS if kind != "one column"]
    for _ in range(count):
        evidence = healthy_session(
            generator, outputs=generator.choice(several_columns), recorded="everything"
        ).evidence
        yield Evidence(**{name: getattr(evidence, name) for name in fields})


# The zoo


def zoo_index():
    """Return what is known of each recorded bundle, or nothing where the zoo is not there."""
    file = ZOO / "index.json"
    return json.loads(file.read_text()) if file.is_file() else {}


def load_bundle(name):
    return Evidence.load(ZOO / "bundles" / f"{name}.npz")


# Evidence of every kind


def every_field(generator, n, num_labels):
    """Return a value for each field of the evidence, of sizes that go together."""
    m, k, r, t = (int(generator.integers(1, 8)) for _ in range(4))
    r = min(r, n)

    def ids(size):
        return generator.integers(0, num_labels, size)

    def floats(*shape):
        return generator.normal(size=shape).astype(generator.choice(["float32", "float64"]))

    names = [f"label {label} é" for label in range(num_labels)]
    series = {
        name: np.where(generator.random(t) < 0.2, np.nan, floats(t))
        for name in ("loss", "val_loss", "val_accuracy", "grad_norm", "learning_rate")
    }
    return {
        "y_true": ids(n).astype(np.int32),
        "logits": floats(n, num_labels),
        "y_pred": ids(n + 3) - 1,
        "label_names": names,
        "label2id_names": names[::-1],
        "dataset_label_names": names,
        "y_train": ids(m).astype(np.int8),
        "train_logits": floats(k, num_labels),
        "train_y_true": ids(k),
        "token_counts": generator.integers(3, 90, n),
        "kept_token_counts": generator.integers(3, 20, n),
        "unknown_token_share": generator.random(n),
        "lowercase_unknown_token_share": generator.random(r),
        "input_ids": generator.integers(0, 30_000, (n, 6)).astype(np.uint16),
        "attention_mask": generator.integers(0, 2, (n, 6)),
        "max_length": int(generator.integers(1, 513)),
        "embedding_rows": int(generator.integers(1, 40_000)),
        "tokenizer_size": int(generator.integers(1, 40_000)),
        "pad_token_id": int(generator.integers(0, 3)),
        **series,
        "train_steps": int(generator.integers(0, 99)),
        "batch_size": int(generator.integers(1, 99)),
        "repeated_logits": floats(r, num_labels),
        "reloaded_logits": floats(r, num_labels),
        "rebatched_logits": floats(r, num_labels),
        "padded_logits": floats(r, num_labels),
        "tail_logits": floats(r, num_labels),
        "reference_y_pred": ids(n),
        "kept_reference_y_pred": ids(n),
        "evaluation_reference_y_pred": ids(n),
        "train_reference_y_pred": ids(m),
        "train_reference_probabilities": generator.dirichlet(np.ones(num_labels), m),
        "encoder_update": float(generator.random()),
        "head_update": float(generator.random()),
        "overfit_loss": floats(t),
        "unloaded_weights": [f"classifier/w{i}" for i in range(int(generator.integers(0, 3)))],
        "skipped_probes": ["tail_logits: the pipeline has no encode"],
        "failed_probes": ["padded_logits: predict_padded raised ValueError: too long"],
        "baseline_y_pred": ids(n),
        "baseline_logits": floats(n, num_labels),
        "example_keys": [f"text {row}" for row in range(n)],
        "baseline_confusion": generator.integers(1, 90, (num_labels, num_labels)),
        "baseline_gates": int(generator.integers(1, 9)),
        "baseline_margin": float(generator.random()),
    }
