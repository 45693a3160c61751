"""A strategy for whole bundles of evidence: of a healthy pipeline, or of one with a fault."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from ..evidence import Evidence
from ..findings import CAUSES
from ..logits import answers_of, probabilities_of
from ..statistics import confusion_matrix, entropy
from .decoding import MISTAKES, draw_fault
from .drawing import (
    Array,
    Ids,
    accuracy_beyond_majority,
    draw_answers,
    draw_order,
    generator_or_none,
    outputs,
    strategy,
)
from .labels import NamedCounts, draw_permutation
from .outputs import collapse, draw_interleaved
from .training import draw_history

__all__ = ["FAULTS", "evidences"]

PAD, CLS, SEP, FIRST_WORD, VOCABULARY = 0, 101, 102, 1000, 30_522
"""Token ids of BERT: the special ones, from where on there are words, and how many ids."""


@dataclass
class Bundle:
    """The fields of the evidence of a pipeline, healthy until a fault is put in."""

    draw: st.DrawFn
    counts: Ids
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def labels(self) -> int:
        """The number of labels."""
        return len(self.counts)

    @property
    def y_true(self) -> Ids:
        """The true labels of the evaluation set."""
        labels: Ids = self.fields["y_true"]
        return labels

    def answer(self, logits: Array) -> None:
        """Let the model return these logits, in every call, and answer with their argmax."""
        again = logits[:16]
        self.fields |= {"logits": logits, "y_pred": logits.argmax(axis=1)}
        self.fields |= {"repeated_logits": again, "reloaded_logits": again}
        self.fields |= {"rebatched_logits": again, "padded_logits": again, "tail_logits": logits}

    def feed(self, y_train: Ids, answers: Ids, *, told: Ids | None = None) -> None:
        """Let these labels be trained on, and a plain reference give them these answers.

        ``told`` are the labels that the texts tell of, by default those that were fed; the
        reference is less sure where it answers with another one.
        """
        told = y_train if told is None else told
        heard = 0.55 * one_hot(answers, self.labels) + 0.45 * one_hot(told, self.labels)
        self.fields |= {
            "y_train": y_train,
            "train_reference_y_pred": answers,
            "train_reference_probabilities": 0.9 * heard + 0.1 / self.labels,
        }

    def collapse(self) -> int:
        """Let the model answer nearly every input with one label, and return which.

        It is not the most frequent one, or an imbalance would explain it as well.
        """
        others = np.flatnonzero(np.arange(self.labels) != self.counts.argmax()).tolist()
        only: int = self.draw(st.sampled_from(others))
        place = places(self.y_true)
        drawn = collapse(self.draw, "near-constant", self.counts, place, only=only)
        self.answer(drawn["logits"])
        return only

    def know_nothing(self, strength: float) -> None:
        """Let the model answer each label with all labels in turn, with outputs of a strength."""
        answered = one_hot(unrelated(self.y_true, self.labels), self.labels)
        wobble = 1 + np.arange(len(self.y_true))[:, None] % 7 / 7  # no two rows need be equal
        self.answer((2 * answered - 1) * strength * wobble)

    def train(self, course: str) -> None:
        """Let the losses take another course; learning rate and steps stay usual."""
        points = len(self.fields["loss"])
        drawn = draw_history(self.draw, course, self.fields["y_train"], points)
        self.fields |= {name: drawn[name] for name in ("loss", "val_loss", "grad_norm")}
        self.report()

    def hover(self, *names: str) -> None:
        """Let these losses go up and down about what knowing nothing costs."""
        ignorance = entropy(np.bincount(self.fields["y_train"]))
        points = np.arange(len(self.fields["loss"]))
        for name in names:
            self.fields[name] = ignorance * (1 + 0.02 * (-1.0) ** points)
        self.report()

    def report(self) -> None:
        """Let the training report the accuracy that the answers have, from the start."""
        accuracy = float((self.fields["y_pred"] == self.y_true).mean())
        self.fields["val_accuracy"] = np.full_like(self.fields["loss"], accuracy)

    def validate(self) -> None:
        """Let the last validation be that of the outputs, whatever the pipeline reads from them."""
        logits = self.fields["logits"]
        self.fields["val_loss"][-1] = cross_entropy(logits, self.y_true)
        self.fields["val_accuracy"][-1] = (answers_of(logits) == self.y_true).mean()


def cross_entropy(logits: Array, labels: Ids) -> float:
    """Return the mean loss of finite outputs."""
    probabilities = np.asarray(probabilities_of(logits))
    return float(-np.log(probabilities[np.arange(len(labels)), labels]).mean())


def one_hot(labels: Ids, number: int) -> Array:
    """Return 1 where a row has the label and 0 elsewhere, (n, C) float."""
    hot: Array = np.eye(number)[labels]
    return hot


def places(labels: Ids) -> Ids:
    """Return where each row stands among rows sorted by label."""
    return np.argsort(np.argsort(labels, kind="stable"), kind="stable")


def unrelated(labels: Ids, number: int) -> Ids:
    """Return answers independent of the labels: each label is answered with all in turn."""
    answers = np.zeros_like(labels)
    for label in np.unique(labels):
        rows = labels == label
        answers[rows] = np.arange(np.count_nonzero(rows)) % number
    return answers


def mostly(labels: Ids, number: int, *, wrong: int = 6) -> Ids:
    """Return labels of which, of each label, every sixth one is wrong, as a reference answers."""
    answers: Ids = labels.copy()
    for label in np.unique(labels):
        answers[np.flatnonzero(labels == label)[wrong - 1 :: wrong]] = (label + 1) % number
    return answers


def draw_healthy(draw: st.DrawFn, names: tuple[str, ...], counts: Ids) -> Bundle:
    """Draw the bundle of a healthy pipeline: every field tells the same story."""
    labels, total = len(counts), int(counts.sum())
    accuracy = accuracy_beyond_majority(counts)
    answers = draw_answers(draw, counts, min_accuracy=accuracy)
    y_true = np.repeat(np.arange(labels), counts)
    wrong = float((answers != y_true).mean())
    order = draw_order(draw, total)
    y_true, answers = y_true[order], answers[order]
    # About as sure as right: so the loss is below that of the prior, however imbalanced.
    doubt = max(wrong, (1 - accuracy) / 2)
    logits = outputs(draw, answers, labels, min_confidence=1 - doubt, max_confidence=1 - doubt / 2)
    bundle = Bundle(draw, counts, {"y_true": y_true})
    bundle.answer(logits)
    y_train = draw_interleaved(draw, counts * max(2, -(-60 // total)))
    bundle.feed(y_train, mostly(y_train, labels))
    reference = np.where(answers == y_true, mostly(y_true, labels), answers)
    history = draw_history(
        draw,
        "learns",
        y_train,
        draw(st.integers(4, 30)),
        last_val_loss=cross_entropy(logits, y_true),
        last_val_accuracy=1 - wrong,
    )
    bundle.fields |= {
        "label_names": names,
        "label2id_names": names,
        "dataset_label_names": names,
        "train_logits": logits,
        "train_y_true": y_true,
        "reference_y_pred": reference,
        "kept_reference_y_pred": reference,
        "evaluation_reference_y_pred": reference,
        "baseline_y_pred": answers,
        "baseline_logits": logits,
        "baseline_confusion": confusion_matrix(y_true, answers, labels).cells.toarray(),
        "baseline_gates": 1,
        "baseline_margin": 0.0,
        "example_keys": [f"text {row}" for row in range(total)],
        "overfit_loss": np.log(labels) / 2.0 ** np.arange(12),
        "unloaded_weights": [],
        "encoder_update": 0.01,
        "head_update": 0.5,
        **draw_inputs(draw, total),
        **history,
    }
    return bundle


def draw_inputs(draw: st.DrawFn, total: int) -> dict[str, Any]:
    """Draw what the tokenizer made of so many texts, all of them different and none cut."""
    generator = generator_or_none(draw)
    tokens = np.full(total, 3) if generator is None else generator.integers(3, 33, total)
    place = np.arange(tokens.max())
    mask = place < tokens[:, None]
    words = np.zeros(mask.shape, dtype=np.int64)
    if generator is not None:
        words[:] = generator.integers(0, 20_000, mask.shape)
    words[:, 1] = np.arange(total)
    ids = np.where(place == 0, CLS, np.where(place == tokens[:, None] - 1, SEP, FIRST_WORD + words))
    vocabulary = max(VOCABULARY, int(ids.max()) + 1)
    return {
        "token_counts": tokens,
        "kept_token_counts": tokens,
        "unknown_token_share": np.zeros(total),
        "lowercase_unknown_token_share": np.zeros(total),
        "input_ids": np.where(mask, ids, PAD),
        "attention_mask": mask.astype(np.int64),
        "max_length": 64,
        "embedding_rows": vocabulary,
        "tokenizer_size": vocabulary,
        "pad_token_id": PAD,
    }


def fields_of_rows(bundle: Bundle) -> list[str]:
    """Return the fields that have a row for each evaluation example, or for the first of them."""
    shapes = {item.name: item.metadata["shape"] for item in dataclasses.fields(Evidence)}
    return [name for name in bundle.fields if shapes[name].startswith(("(n", "(r", "(any"))]


# Faults: each puts its own into a healthy bundle


def _mapping_swapped(bundle: Bundle) -> None:
    permutation = draw_permutation(bundle.draw, bundle.labels, 2, bundle.labels)
    # The most frequent label is moved, or too few answers might show it.
    frequent = int(bundle.counts.argmax())
    if permutation[frequent] == frequent:
        exchange = np.arange(bundle.labels)
        moved = int(np.flatnonzero(permutation != exchange)[0])
        exchange[[frequent, moved]] = moved, frequent
        permutation = exchange[permutation[exchange]]
    order = np.argsort(permutation)
    bundle.answer(bundle.fields["logits"][:, order])
    names = tuple(bundle.fields["label_names"][label] for label in order)
    if bundle.draw(st.booleans()):  # the model's names tell, or nothing but the answers does
        del bundle.fields["dataset_label_names"]
    else:
        bundle.fields |= {"label_names": names, "label2id_names": names}


def _out_of_range(bundle: Bundle) -> None:
    name = bundle.draw(st.sampled_from(["y_true", "y_train"]))
    labels = bundle.fields[name].copy()
    kind = bundle.draw(st.sampled_from(["from 1", "hidden", "ignored", "extra"]))
    if kind == "from 1":
        labels += 1
    else:
        rows = bundle.draw(st.integers(1, len(labels)))
        labels[:rows] = {"hidden": -1, "ignored": -100, "extra": bundle.labels}[kind]
    bundle.fields[name] = labels


def _names_missing(bundle: Bundle) -> None:
    names = [
        f"label {chr(ord('a') + label % 26)}{label // 26 or ''}" for label in range(bundle.labels)
    ]
    bundle.fields["dataset_label_names"] = tuple(names)
    flaw = bundle.draw(st.sampled_from(["placeholders", "not inverse", "duplicate", "gap"]))
    own = list(names)
    if flaw == "placeholders":
        own = [f"LABEL_{label}" for label in range(bundle.labels)]
    elif flaw == "duplicate":
        own[-1] = own[0]
    elif flaw == "gap":
        own[-1] = ""
    inverse = own[::-1] if flaw == "not inverse" else own
    bundle.fields |= {"label_names": tuple(own), "label2id_names": tuple(inverse)}


def _class_imbalance(bundle: Bundle) -> None:
    drawn = collapse(bundle.draw, "prior", bundle.counts, places(bundle.y_true))
    bundle.answer(drawn["logits"])
    bundle.feed(drawn["y_train"], mostly(drawn["y_train"], bundle.labels))
    bundle.train("prior")


def _labels_shuffled(bundle: Bundle) -> None:
    bundle.know_nothing(0.25)
    bundle.hover("val_loss")  # the training rows can be learnt by heart
    chance = unrelated(bundle.y_true, bundle.labels)
    bundle.fields |= {"reference_y_pred": chance, "kept_reference_y_pred": chance}
    answers = unrelated(bundle.fields["y_train"], bundle.labels)
    bundle.feed(bundle.fields["y_train"], answers, told=answers)


def _labels_noisy(bundle: Bundle) -> None:
    """Every third or fourth label is wrong in training, and what is wrong cannot be learnt."""
    wrong = bundle.draw(st.sampled_from([3, 4]))
    told = bundle.fields["y_train"]
    noisy = mostly(told, bundle.labels, wrong=wrong)
    bundle.feed(noisy, mostly(told, bundle.labels), told=told)
    bundle.fields["train_y_true"] = mostly(bundle.y_true, bundle.labels, wrong=wrong)
    loss = bundle.fields["loss"]
    bundle.fields["loss"] = entropy(np.bincount(noisy)) * (1 + loss / loss[0]) / 2


def _training_data_sorted(bundle: Bundle) -> None:
    last = bundle.collapse()
    turn = (bundle.fields["y_train"] - last - 1) % bundle.labels
    y_train = (np.sort(turn) + last + 1) % bundle.labels
    bundle.feed(y_train, mostly(y_train, bundle.labels))
    bundle.hover("val_loss")


def _truncation(bundle: Bundle) -> None:
    tail = bundle.fields["tail_logits"]
    bundle.know_nothing(1.0)
    bundle.hover("val_loss")
    kept = bundle.fields["kept_token_counts"]
    bundle.fields |= {
        "tail_logits": tail,
        "token_counts": 200 + kept,
        "max_length": int(kept.max()),
        "kept_reference_y_pred": unrelated(bundle.y_true, bundle.labels),
    }


def _vocabulary(bundle: Bundle) -> None:
    bundle.collapse()
    unknown = bundle.draw(st.integers(12, 20)) / 20
    if unknown < 1:
        shares = np.full(len(bundle.y_true), unknown)
        cased = bundle.draw(st.booleans())
        bundle.fields |= {
            "unknown_token_share": shares,
            "lowercase_unknown_token_share": 0 * shares if cased else shares,
        }
    else:  # nothing is unknown to the tokenizer, and every word to the model
        bundle.fields["embedding_rows"] = FIRST_WORD


def _attention_mask(bundle: Bundle) -> None:
    alone = bundle.fields["rebatched_logits"]
    bundle.know_nothing(1.0)
    bundle.fields["rebatched_logits"] = alone
    bundle.fields["padded_logits"] = -bundle.fields["padded_logits"]


def _inputs_constant(bundle: Bundle) -> None:
    bundle.answer(np.tile(bundle.fields["logits"][0], (len(bundle.y_true), 1)))
    for name in ("input_ids", "attention_mask", "token_counts", "kept_token_counts"):
        bundle.fields[name] = np.repeat(bundle.fields[name][:1], len(bundle.y_true), axis=0)


def _rate_too_high(bundle: Bundle) -> None:
    bundle.collapse()
    bundle.hover("loss", "val_loss")
    peak = bundle.draw(st.sampled_from([1e-2, 1e-3, 0.1]))
    bundle.fields["learning_rate"] *= peak / bundle.fields["learning_rate"].max()


def _hardly_trained(bundle: Bundle) -> None:
    bundle.know_nothing(0.01)
    bundle.train("flat")
    bundle.fields |= {"encoder_update": 1e-6, "head_update": 1e-5}


def _rate_too_low(bundle: Bundle) -> None:
    _hardly_trained(bundle)
    peak = bundle.draw(st.sampled_from([1e-8, 1e-7]))
    bundle.fields["learning_rate"] *= peak / bundle.fields["learning_rate"].max()


def _too_few_steps(bundle: Bundle) -> None:
    _hardly_trained(bundle)
    bundle.fields["train_steps"] = bundle.draw(st.integers(1, 10))


def _weights_not_updated(bundle: Bundle) -> None:
    _hardly_trained(bundle)
    bundle.fields |= {"encoder_update": 0.0, "head_update": 0.0}
    bundle.fields["overfit_loss"] = np.full(12, np.log(bundle.labels))


def _schedule_broken(bundle: Bundle) -> None:
    bundle.collapse()
    points = len(bundle.fields["loss"])
    y_train = bundle.fields["y_train"]
    bundle.fields |= draw_history(bundle.draw, "collapses late", y_train, points)
    bundle.fields["val_accuracy"][-1] = (bundle.fields["y_pred"] == bundle.y_true).mean()


def _loss_misconfigured(bundle: Bundle) -> None:
    bundle.collapse()
    bundle.hover("loss", "val_loss")
    bundle.fields["loss"] += 2 * np.log(bundle.labels)
    floor = np.log1p((bundle.labels - 1) / np.e)  # of probabilities that pass through a softmax
    bundle.fields["overfit_loss"] = np.maximum(bundle.fields["overfit_loss"], floor)


def _diverged(bundle: Bundle) -> None:
    bundle.answer(np.full_like(bundle.fields["logits"], np.nan))
    bundle.train("diverges")


def _weights_not_loaded(bundle: Bundle) -> None:
    bundle.know_nothing(0.1)
    if bundle.draw(st.booleans()):
        bundle.fields["reloaded_logits"] = -bundle.fields["reloaded_logits"]
    else:
        bundle.fields["unloaded_weights"] = ["classifier/kernel:0", "classifier/bias:0"]


def _dropout(bundle: Bundle) -> None:
    """Let one unit be dropped in some calls, so that no call returns what another one did."""
    unit = np.arange(bundle.labels) == 0
    step = bundle.draw(st.integers(1, 8)) / 4
    calls = ("repeated_logits", "reloaded_logits", "rebatched_logits", "padded_logits")
    for number, name in enumerate(calls, start=1):
        bundle.fields[name] = bundle.fields[name] + number * step * unit


def _metric_misreported(bundle: Bundle) -> None:
    bundle.fields["val_accuracy"] = bundle.fields["val_accuracy"] / 2


def _regression(bundle: Bundle) -> None:
    worse = mostly(bundle.y_true, bundle.labels, wrong=3)
    bundle.fields["baseline_y_pred"] = bundle.y_true
    bundle.fields["baseline_logits"] = 2 * one_hot(bundle.y_true, bundle.labels) - 1
    bundle.answer(2 * one_hot(worse, bundle.labels) - 1)


def _decoded(cause: str) -> Callable[[Bundle], None]:
    """Return the fault of decoding by some mistake that has this cause."""

    def put_in(bundle: Bundle) -> None:
        fitting = [
            name
            for name, mistake in MISTAKES.items()
            if mistake.cause == cause
            and mistake.min_labels <= bundle.labels <= mistake.max_labels
            and mistake.min_size <= len(bundle.y_true)
        ]
        fault = draw_fault(bundle.draw, bundle.draw(st.sampled_from(fitting)), bundle.counts)
        # A mistake chooses the order of the rows, to which what is known of each row belongs.
        for name in fields_of_rows(bundle):
            del bundle.fields[name]
        bundle.fields |= {"y_true": fault.y_true, "logits": fault.logits, "y_pred": fault.y_pred}
        bundle.fields["reference_y_pred"] = mostly(fault.y_true, bundle.labels)
        bundle.validate()

    return put_in


@dataclass(frozen=True)
class Fault:
    """How to put a fault into a healthy bundle, and what labels can have it."""

    put_in: Callable[[Bundle], None]
    min_size: int = 1
    max_majority: float = 0.8
    decodes: bool = False
    """Whether the number of examples must be no multiple of the labels, as in decoding_faults."""

    def fits(self, sizes: Array, labels: int) -> Array:
        """Return which numbers of examples of so many labels can have the fault."""
        possible: Array = (sizes >= self.min_size) & (not self.decodes or sizes % labels != 0)
        return possible


FAULTS: dict[str, Fault] = {
    "class-imbalance": Fault(_class_imbalance),
    "labels-shuffled": Fault(_labels_shuffled),
    # Of a dominant label so many rows go wrong that what they are called means nothing any more.
    "labels-noisy": Fault(_labels_noisy, max_majority=0.5),
    "training-data-sorted": Fault(_training_data_sorted),
    "label-mapping-swapped": Fault(_mapping_swapped),
    "label-out-of-range": Fault(_out_of_range),
    "label-names-missing": Fault(_names_missing),
    "truncation-loses-signal": Fault(_truncation),
    "vocabulary-mismatch": Fault(_vocabulary),
    "attention-mask-ignored": Fault(_attention_mask),
    "inputs-constant": Fault(_inputs_constant),
    "learning-rate-too-high": Fault(_rate_too_high),
    "learning-rate-too-low": Fault(_rate_too_low),
    "too-few-steps": Fault(_too_few_steps),
    "weights-not-updated": Fault(_weights_not_updated),
    "learning-rate-schedule-broken": Fault(_schedule_broken),
    "loss-misconfigured": Fault(_loss_misconfigured),
    "diverged": Fault(_diverged),
    "weights-not-loaded": Fault(_weights_not_loaded),
    "dropout-at-inference": Fault(_dropout),
    "argmax-wrong-axis": Fault(_decoded("argmax-wrong-axis"), 3, decodes=True),
    "wrong-tensor-decoded": Fault(_decoded("wrong-tensor-decoded"), 3, decodes=True),
    "threshold-on-logits": Fault(_decoded("threshold-on-logits"), 3, decodes=True),
    "labels-misaligned": Fault(_decoded("labels-misaligned"), 3, decodes=True),
    "argmin-decoded": Fault(_decoded("argmin-decoded"), 3, decodes=True),
    "metric-misreported": Fault(_metric_misreported),
    "regression": Fault(_regression, 6),
}
"""Code of a cause -> how to put it in. Adding a fault is adding a row."""


@strategy
def evidences(
    fault: str | None = None,
    *,
    min_labels: int | None = None,
    max_labels: int | None = None,
    min_size: int | None = None,
    max_size: int | None = None,
) -> Callable[[st.DrawFn], Evidence]:
    """Draw the evidence of a whole pipeline, healthy or with a chosen fault.

    A healthy bundle has every field of the evidence, and all of them tell the same story: the last
    validation loss is that of the outputs, a second call returns what the first one did, training
    and evaluation data are balanced alike. No check fails on it. A fault changes what follows from
    it. Whether a check can tell depends on the number of examples: on few it answers
    ``inconclusive``, or passes.

    ``st.from_type(Evidence)`` is ``evidences()``.

    Shrinks to two labels, to the fewest examples, to no wrong answer, to outputs of few digits and
    to a history of four points.

    Parameters
    ----------
    fault
        Code of a cause, one of :data:`FAULTS`; ``None`` for a healthy pipeline.
    min_labels, max_labels
        Bounds of the number of labels, 2 to 200; by default 2 and 10.
    min_size, max_size
        Bounds of the number of examples; by default as few as have the fault, and 200.

    Raises
    ------
    InvalidArgument
        If an argument is not as above, or if the bounds exclude each other.

    Examples
    --------
    >>> from hypothesis import find
    >>> from pytest_bertcheck import diagnose
    >>> def is_certain(evidence):
    ...     return any(cause.certain for cause in diagnose(evidence).causes)
    >>> len(find(evidences("dropout-at-inference"), is_certain).y_true) < 20
    True
    """
    if fault is not None and (not isinstance(fault, str) or fault not in FAULTS):
        known = isinstance(fault, str) and fault in CAUSES
        advice = f"no fault is drawn for {fault!r}" if known else f"unknown {fault!r:.60}"
        raise InvalidArgument(f"fault: {advice}; expected None or one of {[*FAULTS]}")
    chosen = None if fault is None else FAULTS[fault]
    bounds = NamedCounts.of(
        None,
        min_labels,
        max_labels,
        min_size=min_size,
        max_size=max_size,
        max_majority=chosen.max_majority if chosen else 0.9,
        fits=None if chosen is None else chosen.fits,
        why=f" and at least {chosen.min_size} examples for the fault" if chosen else "",
    )

    def define(draw: st.DrawFn) -> Evidence:
        names, counts = bounds.draw(draw)
        bundle = draw_healthy(draw, names, counts)
        if chosen is not None:
            chosen.put_in(bundle)
        return Evidence(**bundle.fields)

    return define
