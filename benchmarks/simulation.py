"""Simulated healthy sessions: whole evidence bundles, as a team whose pipeline is in order records.

A session is made from the probabilities with which a model gives each label as the answer to each
true label, so that what a check's null hypothesis says of them holds exactly, up to its edge. What
'healthy' means, and why, stands in README.md beside this file. Everything random comes from the
generator that is handed in.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats
from scipy.special import log_softmax, softmax

from pytest_bertcheck import Evidence
from pytest_bertcheck.checks.outputs import label_weights
from pytest_bertcheck.reference import rows_alike
from pytest_bertcheck.statistics import confusion_matrix

__all__ = [
    "CELLS",
    "FACTORS",
    "OUTPUTS",
    "RECORDED",
    "Cell",
    "Session",
    "cell_of",
    "healthy_session",
    "numbered_session",
]

Array = npt.NDArray[Any]

LABELS = (2, 3, 5, 10, 20)
ROWS = {"20-59": (20, 60), "60-249": (60, 250), "250-999": (250, 1000), "1000-5000": (1000, 5001)}
"""Band of the number of evaluation examples -> its first number and the one after its last."""
BALANCES = {"even": 0.0, "60/40": 0.6, "90/10": 0.9, "99/1": 0.99}
"""Balance of the labels -> share of the most frequent one (even: 1 / C)."""
ACCURACIES = {
    "near chance": (0.02, 0.15),
    "fair": (0.15, 0.5),
    "good": (0.5, 0.9),
    "best": (0.9, 1),
}
"""Band of balanced accuracy -> how far it is on the way from 1 / C to .99."""
KINDS = ("even", "uneven", "pairs", "cycles", "to frequent", "to rare", "shift", "slice")
"""How the answers err, or what the evaluation set lacks: see README.md."""
OUTPUTS = (
    "calibrated",
    "overconfident",
    "underconfident",
    "rows shifted",
    "columns shifted",
    "rounded",
    "probabilities",
    "one column",
)
"""What the model returns for the same answers.

One column goes with two labels only, and shifted columns with answers that take the shift off.
"""
RECORDED = {
    "everything": 0.6,
    "some fields": 0.2,
    "outputs": 0.08,
    "answers": 0.06,
    "no y_true": 0.06,
}
"""Which fields a team recorded -> share of the sessions."""

MOST_OF_OTHERS = 0.8
"""Most that may be answered with one label, of the examples of all others: see not_collapsed."""
MOST_OF_SHIFTED = 0.2
"""Most of them where they are evaluated far more often than trained: see classes_balanced."""
MOST_OF_ALL = 0.95
"""Most that may be answered with one label where y_true is not recorded: see not_collapsed."""
LEAST_OF_SKILL = 0.75
"""Least that a model has of the reference's skill: see not_far_below_reference."""
LEAST_PROGRESS = 0.03
"""Least that a recorded loss is below what knowing nothing costs: see training_progressed."""
VOCABULARY = 30_522
TOKENS = 32
"""Longest encoded input: more would only take time."""


@dataclass(frozen=True, order=True)
class Cell:
    """A cell of the grid: which sessions are alike in what matters to most checks."""

    num_labels: int
    rows: str
    balance: str
    accuracy: str
    kind: str

    def __str__(self) -> str:
        return (
            f"C={self.num_labels}, n={self.rows}, {self.balance}, {self.accuracy}, "
            f"errors: {self.kind}"
        )


FACTORS: dict[str, tuple[Any, ...]] = {
    "num_labels": LABELS,
    "rows": tuple(ROWS),
    "balance": tuple(BALANCES),
    "accuracy": tuple(ACCURACIES),
    "kind": KINDS,
}
"""What spans the grid, and its levels."""
CELLS = tuple(itertools.starmap(Cell, itertools.product(*FACTORS.values())))


@dataclass(frozen=True)
class Session:
    """A healthy session, and what is true of the population that it is drawn from.

    Attributes
    ----------
    cell, outputs, recorded
        Where in the grid it lies, what the model returns, which fields were recorded.
    evidence
        What a check sees.
    accuracy, recalls
        Probability that an answer is right, and that of each label, (C,).
    negative_flip_rate
        Probability that the model before is right and this one, as good, is wrong.
    reference
        Draws the out-of-fold probabilities of the training rows again.
    """

    cell: Cell
    outputs: str
    recorded: str
    evidence: Evidence
    accuracy: float
    recalls: Array
    negative_flip_rate: float
    reference: Callable[[np.random.Generator], Array]


def healthy_session(
    generator: np.random.Generator,
    cell: Cell | None = None,
    *,
    outputs: str | None = None,
    recorded: str | None = None,
) -> Session:
    """Simulate a healthy session of a cell; what is not given is drawn.

    Examples
    --------
    >>> session = healthy_session(np.random.default_rng(0), recorded="everything")
    >>> session.evidence.num_labels == session.cell.num_labels
    True
    """
    cell = cell or CELLS[generator.integers(len(CELLS))]
    outputs = outputs or str(generator.choice(OUTPUTS))
    if outputs == "one column" and cell.num_labels > 2:
        outputs = "calibrated"
    recorded = recorded or str(generator.choice([*RECORDED], p=[*RECORDED.values()]))
    if outputs == "columns shifted" and recorded != "everything":
        outputs = "calibrated"

    n = int(np.exp(generator.uniform(*np.log(ROWS[cell.rows]))))
    train_prior = label_shares(generator, cell.num_labels, BALANCES[cell.balance])
    prior = evaluation_shares(generator, train_prior, cell.kind)
    rates = answer_rates(generator, cell, prior, train_prior)
    offsets = np.zeros(cell.num_labels)
    if outputs == "columns shifted":
        offsets = harmful_offsets(generator, rates, prior)
    model = Model(rates, outputs, float(generator.uniform(0.8, 1.25)), offsets)
    y_true = generator.choice(cell.num_labels, size=n, p=prior)
    logits, y_pred = model.answer(generator, y_true)
    fields: dict[str, Any] = {"y_true": y_true, "logits": logits, "y_pred": y_pred}
    fields |= names_of(cell.num_labels)
    fields |= training_data(generator, model, train_prior, y_true)
    # One that learnt hardly more than the prior is no help where another prior holds.
    weak = prior is train_prior and generator.random() < 0.3
    y_train = fields["y_train"]
    fields |= references(generator, model, prior, y_true, y_pred, y_train=y_train, weak=weak)
    skill = skill_for(cell.num_labels, float(np.diag(rates).mean()))

    def reference(generator: np.random.Generator) -> Array:
        return out_of_fold(generator, y_train, train_prior, skill)

    fields["train_reference_probabilities"] = reference(generator)
    fields |= encoded_inputs(generator, n)
    fields |= served_again(generator, model, y_true, logits)
    fields |= training_history(generator, model, train_prior, fields)
    if recorded == "no y_true" and (prior @ rates).max() > MOST_OF_ALL:
        recorded = "everything"
    return Session(
        cell=cell,
        outputs=outputs,
        recorded=recorded,
        evidence=Evidence(**_kept(generator, fields, recorded)),
        accuracy=float(prior @ np.diag(rates)),
        recalls=np.diag(rates),
        negative_flip_rate=float(prior @ (np.diag(rates) * (1 - np.diag(rates)))),
        reference=reference,
    )


def numbered_session(number: int, seed: int = 0) -> Session:
    """Simulate one of the sessions of a run: the same for the same number, whoever asks."""
    own = np.random.SeedSequence(seed, spawn_key=(number,))  # what SeedSequence(seed).spawn gives
    return healthy_session(np.random.default_rng(own), cell_of(number, seed))


def cell_of(number: int, seed: int = 0) -> Cell:
    """Return the cell of a session of a run: they take turns, in an order that ``seed`` sets."""
    order = np.random.default_rng(seed).permutation(len(CELLS))
    return CELLS[order[number % len(CELLS)]]


def _kept(generator: np.random.Generator, fields: dict[str, Any], recorded: str) -> dict[str, Any]:
    """Leave out what a team did not record."""
    if recorded == "outputs":
        return {name: fields[name] for name in ("y_true", "logits")}
    if recorded == "answers":
        data = ("y_train",) if generator.random() < 0.5 else ()
        return {name: fields[name] for name in ("y_true", "y_pred", *data)}
    if recorded == "no y_true":
        return {name: value for name, value in fields.items() if name != "y_true"}
    if recorded == "some fields":
        always = ("y_true", "logits" if generator.random() < 0.8 else "y_pred")
        return {
            name: value
            for name, value in fields.items()
            if name in always or generator.random() < 0.7
        }
    return fields


# The labels


def label_shares(generator: np.random.Generator, num_labels: int, majority: float) -> Array:
    """Return the shares of the labels, (C,): one has ``majority``, the others what is left."""
    if majority <= 1 / num_labels:
        return np.full(num_labels, 1 / num_labels)
    rest = generator.dirichlet(np.full(num_labels - 1, 2.0)) * (1 - majority)
    return generator.permutation([majority, *rest])


def evaluation_shares(generator: np.random.Generator, train_prior: Array, kind: str) -> Array:
    """Return the shares of the labels in the evaluation set, (C,)."""
    num_labels = len(train_prior)
    if kind == "shift":
        balanced = np.full(num_labels, 1 / num_labels)
        other = generator.dirichlet(np.ones(num_labels))
        return balanced if generator.random() < 0.5 else other
    if kind == "slice":
        kept = 1 if generator.random() < 0.5 else int(generator.integers(1, num_labels))
        prior = np.zeros(num_labels)
        there = generator.choice(num_labels, size=kept, replace=False)
        prior[there] = train_prior[there]
        return prior / prior.sum()
    return train_prior


# The answers


def answer_rates(
    generator: np.random.Generator, cell: Cell, prior: Array, train_prior: Array
) -> Array:
    """Return the probability of each answer to each true label, (C, C), rows are true labels.

    No label is answered with another one more often than with itself, save that a model may prefer
    the most frequent label of training, up to what is no collapse.
    """
    num_labels = cell.num_labels
    low, high = ACCURACIES[cell.accuracy]
    skill = generator.uniform(low, high) * 0.99
    if cell.kind == "uneven":
        own = 1 / num_labels + skill * generator.uniform(0.3, 1, num_labels) * (1 - 1 / num_labels)
        confusion = generator.dirichlet(np.full(num_labels - 1, 0.5), num_labels)
    else:
        own = np.full(num_labels, 1 / num_labels + skill * (1 - 1 / num_labels))
        confusion = np.full((num_labels, num_labels - 1), 1 / (num_labels - 1))
    rates = _with_diagonal(own, confusion)
    if cell.kind in ("pairs", "cycles"):
        rates = _confused(generator, rates, 2 if cell.kind == "pairs" else 3)
    frequent, rare = int(train_prior.argmax()), int(train_prior.argmin())
    if cell.kind in ("to frequent", "shift"):
        more_often = 1 - prior[frequent] > 2 * (1 - train_prior[frequent])
        most = MOST_OF_SHIFTED if more_often else MOST_OF_OTHERS
        rates = _leaning(generator, rates, frequent, prior, most)
    if cell.kind == "to rare":
        others = np.arange(num_labels) != rare
        most = (np.diag(rates)[others] / rates[others, rare]).min()
        rates = _favoured(rates, rare, float(np.exp(generator.uniform(0, np.log(most)))))
    return rates


def _with_diagonal(own: Array, confusion: Array) -> Array:
    """Put recalls, (C,), and how errors are shared out, (C, C - 1), into one matrix."""
    num_labels = len(own)
    # Where one error would be likelier than the right answer, errors are evened out up to that.
    even = 1 / (num_labels - 1)
    most = own / np.maximum(1 - own, 1e-9)
    largest = confusion.max(axis=1)
    excess = largest > most
    weight = np.where(excess, (most - even) / np.where(excess, largest - even, 1), 1)[:, None]
    confusion = weight * confusion + (1 - weight) * even
    rates = np.empty((num_labels, num_labels))
    for label in range(num_labels):
        rates[label] = np.insert(confusion[label] * (1 - own[label]), label, own[label])
    return rates


def _confused(generator: np.random.Generator, rates: Array, size: int) -> Array:
    """Confuse labels in pairs, or in cycles of three, as strongly as leaves each its own."""
    num_labels = len(rates)
    rates = rates.copy()
    if num_labels == 2:  # with both at the edge, the answers would say nothing at all
        rates[generator.integers(2)] = 0.5
        return rates
    size = min(size, num_labels)
    groups = generator.permutation(num_labels)[: num_labels // size * size].reshape(-1, size)
    for group in groups[: generator.integers(1, len(groups) + 1)]:
        following = np.roll(group, -1)
        half = (rates[group, group] + rates[group, following]) / 2
        rates[group, group] = rates[group, following] = half
    return rates


def _favoured(rates: Array, label: int, factor: float) -> Array:
    """Multiply the odds of one answer: what a constant added to its column of logits does."""
    favoured = rates.copy()
    favoured[:, label] *= factor
    return favoured / favoured.sum(axis=1, keepdims=True)


def _leaning(
    generator: np.random.Generator, rates: Array, label: int, prior: Array, most: float
) -> Array:
    """Favour a label until up to ``most`` of the others' examples are answered with it."""
    others = np.delete(prior, label)
    if not others.sum() or np.count_nonzero(prior) == 1 or not prior[label]:
        return rates

    def share(factor: float) -> float:
        return float(others @ np.delete(_favoured(rates, label, factor)[:, label], label))

    edge = generator.random() < 0.5
    wanted = most if edge else generator.uniform(0, most)
    low, high = 1.0, 1e6
    if share(low) >= wanted * others.sum():
        return rates
    for _ in range(60):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if share(middle) < wanted * others.sum() else (low, middle)
    return _favoured(rates, label, low)


def harmful_offsets(generator: np.random.Generator, rates: Array, prior: Array) -> Array:
    """Return what to add to the columns of logits, (C,), so that the argmax is no more often right.

    Whoever tuned a threshold, or an offset for each label, takes it off again.
    """
    label, offset = generator.integers(len(rates)), generator.uniform(0.2, 1.5)
    offsets = np.zeros(len(rates))
    for sign in (1, -1):
        shifted = _favoured(rates, label, float(np.exp(sign * offset)))
        if prior @ np.diag(shifted) <= prior @ np.diag(rates):
            offsets[label] = sign * offset
            break
    return offsets


@dataclass(frozen=True)
class Model:
    """A model: what it answers, and how its outputs look."""

    rates: Array
    outputs: str
    temperature: float
    offsets: Array

    def answer(
        self, generator: np.random.Generator, y_true: Array, knowing: float = 0.0
    ) -> tuple[Array, Array]:
        """Return outputs and answers for rows, of which a share of ``knowing`` are remembered.

        The largest of the log-probabilities plus Gumbel noise is a draw from them.
        """
        num_labels = len(self.rates)
        rates = (1 - knowing) * self.rates + knowing * np.eye(num_labels)
        logits = np.log(np.maximum(rates, 1e-7))[y_true]
        logits += generator.gumbel(size=logits.shape)
        y_pred = logits.argmax(axis=1)
        logits = self.temperature * (logits + self.offsets)
        if self.outputs == "overconfident":
            logits *= 5
        if self.outputs == "underconfident":
            logits *= 0.2
        if self.outputs == "rows shifted":
            logits += generator.normal(scale=10, size=(len(logits), 1))
        if self.outputs == "probabilities":
            logits = softmax(logits, axis=1)
        if self.outputs == "one column":
            logits = logits[:, 1:] - logits[:, :1]
        if self.outputs == "rounded":  # ties come about: y_pred takes either
            logits = logits.astype(np.float16)
        return logits.astype(np.float32), y_pred

    def cross_entropy(self, logits: Array, y_true: Array, factor: float = 1.0) -> float:
        """Return the loss of outputs, in nats, with their logits multiplied by ``factor``."""
        wide = logits.astype(np.float64)
        if self.outputs == "probabilities":
            wide = np.log(np.maximum(wide, 1e-7))  # Keras clips there
        if self.outputs == "one column":
            wide = np.hstack([np.zeros_like(wide), wide])
        return float(-log_softmax(factor * wide, axis=1)[np.arange(len(y_true)), y_true].mean())


def names_of(num_labels: int) -> dict[str, Any]:
    """Name the labels, alike on all sides."""
    names = [f"topic {label}" for label in range(num_labels)]
    return dict.fromkeys(("label_names", "label2id_names", "dataset_label_names"), names)


# Training data and reference models


def training_data(
    generator: np.random.Generator, model: Model, train_prior: Array, y_true: Array
) -> dict[str, Any]:
    """Return shuffled training labels, and a sample of them with a slightly better model."""
    num_labels = len(train_prior)
    m = int(min(max(60, len(y_true) * generator.uniform(0.5, 4)), 6000))
    y_train = generator.choice(num_labels, size=m, p=train_prior)
    # Nobody evaluates on a label without a training row: a few are there, in some place or other.
    unseen = np.setdiff1d(y_true, y_train)
    for label in unseen:
        common = np.bincount(y_train, minlength=num_labels).argmax()
        y_train[generator.choice(np.flatnonzero(y_train == common), 3, replace=False)] = label
    train_y_true = generator.choice(y_train, size=min(m, 500), replace=False)
    knowing = generator.choice([0.0, 0.1, 0.5])
    train_logits, _ = model.answer(generator, train_y_true, knowing)
    return {"y_train": y_train, "train_logits": train_logits, "train_y_true": train_y_true}


def references(
    generator: np.random.Generator,
    model: Model,
    prior: Array,
    y_true: Array,
    y_pred: Array,
    *,
    y_train: Array,
    weak: bool,
) -> dict[str, Any]:
    """Return a reference's answers on whole, on kept and on training texts, and a former model's.

    The reference has up to 1 / LEAST_OF_SKILL of the model's skill, by one of the scales of
    ``far_below``; it errs on the same rows as the model, or on others. A ``weak`` one guesses
    every other answer. On training rows, up to a fifth of the skill that it has on evaluation rows
    is lost to the most frequent label.
    """
    n, num_labels = len(y_true), len(prior)
    recalls = np.diag(model.rates)[y_true]
    most = 0.0
    for weights in (np.ones(n), label_weights(y_true, num_labels)):
        right, chance = float((weights * recalls).mean()), np.bincount(y_true, weights).max() / n
        within = (1 / LEAST_OF_SKILL - 1) * (right - chance) / max(1 - right, 1e-9)
        most = max(most, float(np.clip(within, 0, 1)))
    better = generator.choice([0.0, most, generator.uniform(0, most)])
    alike = generator.choice([0.0, 0.5, 0.9])

    def drawn(labels: Array, own: Array) -> Array:
        own = np.where(generator.random(len(labels)) < better, labels, own)
        if weak:
            guesses = generator.choice(num_labels, len(labels), p=prior)
            own = np.where(generator.random(len(labels)) < 0.5, guesses, own)
        return own

    def answers() -> Array:
        _, own = model.answer(generator, y_true)
        return drawn(y_true, np.where(generator.random(n) < alike, y_pred, own))

    lost = generator.choice([0.0, 0.2, generator.uniform(0, 0.2)])
    unseen = drawn(y_train, model.answer(generator, y_train)[1])
    missed = generator.random(len(y_train)) < lost
    whole = answers()
    within = np.full(n, -1)
    alike_rows = rows_alike(y_true, y_train, num_labels)
    within[alike_rows] = answers()[alike_rows]
    kept = np.where(generator.random(n) < 0.1, answers(), whole)
    baseline_logits, baseline_y_pred = model.answer(generator, y_true)
    # The baseline was made on this evaluation set, or on another one of this or another balance.
    elsewhere = generator.choice([0.0, 1.0, generator.random()])
    other = (1 - elsewhere) * prior + elsewhere * generator.dirichlet(np.ones(num_labels))
    y_before = y_true if generator.random() < 0.5 else generator.choice(num_labels, n, p=other)
    before = baseline_y_pred if y_before is y_true else model.answer(generator, y_before)[1]
    return {
        "reference_y_pred": whole,
        "kept_reference_y_pred": kept,
        "evaluation_reference_y_pred": within,
        "train_reference_y_pred": np.where(missed, np.bincount(y_train).argmax(), unseen),
        "baseline_y_pred": baseline_y_pred,
        "baseline_logits": baseline_logits,
        "baseline_confusion": confusion_matrix(y_before, before, num_labels).cells.toarray(),
        "baseline_gates": int(generator.choice([1, 1, 1, 4])),
        "baseline_margin": float(generator.choice([0.0, 0.0, 0.02])),
        "example_keys": [f"text {row}" for row in range(n)],
    }


@lru_cache
def _accuracy_of_skill(num_labels: int) -> tuple[Array, Array]:
    """Tabulate the accuracy of the best guess among C labels, ``skill`` standard deviations apart.

    One of C independent normal variables has the mean ``skill``; it is the largest.
    """
    points = np.linspace(-8, 16, 2401)
    skills = np.linspace(0, 8, 81)
    largest = stats.norm.cdf(points) ** (num_labels - 1)
    density = stats.norm.pdf(points[None, :] - skills[:, None])
    return (density * largest).sum(axis=1) * (points[1] - points[0]), skills


def skill_for(num_labels: int, accuracy: float) -> float:
    """Return the distance of the labels, in standard deviations, that gives an accuracy."""
    return float(np.interp(accuracy, *_accuracy_of_skill(num_labels)))


def out_of_fold(generator: np.random.Generator, labels: Array, prior: Array, skill: float) -> Array:
    """Return the probabilities of a reference that knows how far they can be trusted: (m, C)."""
    seen = generator.normal(size=(len(labels), len(prior)))
    seen[np.arange(len(labels)), labels] += skill
    return softmax(skill * seen + np.log(prior), axis=1)


# Inputs, and the model called again


def encoded_inputs(generator: np.random.Generator, n: int) -> dict[str, Any]:
    """Return encoded texts of any length, cut at any limit: whatever was cut did not matter."""
    median = generator.uniform(4, 60)
    token_counts = 3 + generator.poisson(median * generator.lognormal(0, 0.5, n))
    limit = int(generator.choice([10, 16, TOKENS]))  # more than the 8 of truncation_harmless
    kept = np.minimum(token_counts, limit)
    mask = np.arange(kept.max()) < kept[:, None]
    ids = generator.integers(1000, VOCABULARY, mask.shape)
    ids[:, 0] = 101
    ids[np.arange(n), kept - 1] = 102
    repeated = generator.random(n) < generator.choice([0.0, 0.3])  # the same title again
    ids[repeated & (kept == kept[0])] = ids[0]
    rows = VOCABULARY + int(generator.choice([0, 6, 100]))  # some round up to a multiple
    at_the_edge = generator.random() < 0.2  # of what vocabulary_matches lets a large one miss
    unknown = generator.choice([0.05, 0.15], n) if at_the_edge else generator.beta(0.5, 20, n)
    capitals = generator.random(n) < (0.5 if generator.random() < 0.2 else 0.1)
    return {
        "token_counts": token_counts,
        "kept_token_counts": kept,
        "unknown_token_share": unknown,
        "lowercase_unknown_token_share": np.where(capitals, 0, unknown),
        "input_ids": np.where(mask, ids, 0),
        "attention_mask": mask.astype(np.int64),
        "max_length": limit,
        "tokenizer_size": VOCABULARY,
        "embedding_rows": rows,
        "pad_token_id": 0,
    }


def served_again(
    generator: np.random.Generator, model: Model, y_true: Array, logits: Array
) -> dict[str, Any]:
    """Return the first rows again, equal up to the order of a sum, and from their other end."""
    first = logits[: int(generator.integers(8, 65))]

    def again() -> Array:
        noisy = first * (1 + 1e-6 * generator.normal(size=first.shape))
        bounded = np.clip(noisy, 0, 1) if model.outputs == "probabilities" else noisy
        return bounded.astype(np.float32)

    tail_logits, _ = model.answer(generator, y_true[: len(first)])
    return {
        "repeated_logits": first if generator.random() < 0.5 else again(),
        "reloaded_logits": first if generator.random() < 0.5 else again(),
        "rebatched_logits": again(),
        "padded_logits": again(),
        "tail_logits": tail_logits,
        "unloaded_weights": [],
    }


# Training history


def training_history(
    generator: np.random.Generator, model: Model, train_prior: Array, fields: dict[str, Any]
) -> dict[str, Any]:
    """Return the history of a training that got where the model is.

    A loss that ends where knowing nothing does is not recorded: see README.md.
    """
    num_labels, y_train = len(train_prior), fields["y_train"]
    batch_size = int(generator.choice([8, 16, 32]))
    steps = -(-len(y_train) // batch_size)
    epochs = max(int(generator.integers(2, 8)), -(-30 // steps))
    points = int(min(steps * epochs, generator.integers(20, 60)))
    ignorance = min(float(np.log(num_labels)), float(stats.entropy(np.bincount(y_train)) or np.inf))
    if generator.random() < 0.3:  # validated on the evaluation set itself
        logits, y_val, y_pred = (fields[name] for name in ("logits", "y_true", "y_pred"))
    else:
        y_val = generator.choice(num_labels, int(generator.integers(50, 1000)), p=train_prior)
        logits, y_pred = model.answer(generator, y_val)
    last = model.cross_entropy(logits, y_val)
    # A model that became too sure was less so, and no worse, some epochs before.
    best = min(model.cross_entropy(logits, y_val, factor) for factor in (1, 0.5, 0.2, 0.1))
    train_last = model.cross_entropy(fields["train_logits"], fields["train_y_true"])
    accuracy = float((y_pred == y_val).mean())
    first = float(np.log(num_labels)) * generator.uniform(0.9, 1.1)
    peak = float(np.exp(generator.uniform(*np.log([1e-5, 1e-4]))))
    history = {
        "train_steps": steps * epochs,
        "batch_size": batch_size,
        "val_accuracy": accuracy - (accuracy - 1 / num_labels) * np.linspace(1, 0, epochs) ** 4,
        "learning_rate": peak * schedule(generator, points),
        "grad_norm": generator.lognormal(0, 0.7, points),
        "encoder_update": float(np.exp(generator.uniform(*np.log([1e-3, 0.2])))),
        "head_update": float(np.exp(generator.uniform(*np.log([0.05, 2])))),
        "overfit_loss": _course(generator, first, 0.02, 0.02, int(generator.integers(20, 60))),
    }
    if best < (1 - LEAST_PROGRESS) * ignorance:
        history["val_loss"] = _course(generator, first, best, last, epochs)
    if train_last < (1 - LEAST_PROGRESS) * ignorance:
        history["loss"] = _course(generator, first, train_last, train_last, points)
    return history


def _course(
    generator: np.random.Generator, first: float, best: float, last: float, points: int
) -> Array:
    """Return a series that starts near ``first``, comes to ``best`` and ends with ``last``."""
    turn = int(points * generator.uniform(0.5, 1))
    turn = min(turn, points - 2) if best != last else points - 1
    done = np.arange(turn) / max(turn, 1)
    best = max(best, 1e-6)
    falling = best * (first / best) ** ((1 - done) ** 4)
    noise = 1 + 0.01 * generator.normal(size=turn)
    return np.r_[falling * noise, np.linspace(best, last, points - turn)]


def schedule(generator: np.random.Generator, points: int) -> Array:
    """Return one of the usual learning rate schedules, as a share of its peak."""
    done = np.arange(points) / points
    warm_up = generator.choice([0.0, 0.06, 0.1])
    after = np.clip((done - warm_up) / (1 - warm_up), 0, 1)
    falling = {
        "constant": np.ones(points),
        "linear": 1 - after,
        "cosine": (1 + np.cos(np.pi * after)) / 2,
        "cosine with restarts": (1 + np.cos(np.pi * (2 * after % 1))) / 2,
        "polynomial": (1 - after) ** 2,
        "steps": 0.1 ** np.floor(3 * after),
        "inverse square root": 1 / np.sqrt(1 + 20 * after),
    }
    rates = falling[str(generator.choice([*falling]))]
    return np.where(done < warm_up, done / max(warm_up, 1e-9), rates)
