"""What is recorded: one row for each scenario, healthy or with a known cause.

A scenario is either a training of its own (:data:`TRAINED`) or another way to serve a model that
was trained as it should be (:data:`SERVED`). Which arrays a fault changes follows from running it;
nothing is made up.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .models import Training

MODELS = ("tiny", "minilm")


@dataclass(frozen=True)
class Rows:
    """Which rows there are, and what their labels say.

    ``majority`` and ``evaluation_majority`` are shares of the first label, where the labels are not
    equally frequent; ``labels`` are those of training: ``intact``, ``shuffled`` or ``noisy``.
    """

    majority: float | None = None
    evaluation_majority: float | None = None
    labels: str = "intact"
    train: int = 240
    evaluation: int = 200


@dataclass(frozen=True)
class Serving:
    """How a model is used: see the tables of ``make``. By default as it should be."""

    encoding: str = "plain"
    max_length: int | None = None
    weights: str = "trained"
    dropout: bool = False
    outputs: str = "logits"
    decoding: str = "argmax"
    order: str = "kept"
    labels: str = "same"
    rows: int | None = None
    """Evaluation rows; all by default."""


@dataclass(frozen=True)
class Scenario:
    """One row.

    Attributes
    ----------
    causes
        What is wrong; any of them is right, none if it is healthy.
    training, rows
        How the model is trained and on what; in :data:`SERVED` as it should be.
    serving
        How it is used; in :data:`TRAINED` its ``encoding`` and ``max_length`` hold for training.
    tasks, models
        Where it makes sense.
    """

    causes: tuple[str, ...] = ()
    training: Training = field(default_factory=Training)
    rows: Rows = field(default_factory=Rows)
    serving: Serving = field(default_factory=Serving)
    tasks: tuple[str, ...] = ("news", "spam")
    models: tuple[str, ...] = MODELS


HEALTHY = "healthy"

TRAINED: dict[str, Scenario] = {
    HEALTHY: Scenario(),
    "healthy_ten_labels": Scenario(rows=Rows(train=480), tasks=("folders",)),
    "healthy_short": Scenario(serving=Serving(max_length=12)),
    "healthy_few_rows": Scenario(rows=Rows(train=96)),
    "healthy_constant_rate": Scenario(training=Training(schedule="constant")),
    "healthy_more_epochs": Scenario(training=Training(steps=90), models=("minilm",)),
    "healthy_80_20": Scenario(rows=Rows(majority=0.8, evaluation_majority=0.8), tasks=("spam",)),
    "healthy_90_10": Scenario(
        rows=Rows(majority=0.9, evaluation_majority=0.9, train=400), tasks=("spam",)
    ),
    "healthy_shifted": Scenario(rows=Rows(majority=0.6)),
    "healthy_slightly_noisy": Scenario(rows=Rows(labels="slightly noisy")),
    # The learning rate
    "rate_x20": Scenario(("learning-rate-too-high",), Training(rate=20)),
    "rate_x100": Scenario(("learning-rate-too-high",), Training(rate=100)),
    "rate_x1000": Scenario(("learning-rate-too-high", "diverged"), Training(rate=1000)),
    "rate_x1e7": Scenario(("diverged", "learning-rate-too-high"), Training(rate=1e7)),
    "rate_x1e-3": Scenario(("learning-rate-too-low",), Training(rate=1e-3)),
    "rate_x1e-4": Scenario(("learning-rate-too-low",), Training(rate=1e-4)),
    "schedule_rises": Scenario(
        ("learning-rate-schedule-broken", "learning-rate-too-low"), Training(schedule="rise")
    ),
    "schedule_zero": Scenario(
        ("learning-rate-schedule-broken", "weights-not-updated"), Training(schedule="zero")
    ),
    "schedule_jumps": Scenario(
        ("learning-rate-schedule-broken", "learning-rate-too-high", "diverged"),
        Training(schedule="jump"),
    ),
    # The steps
    "steps_1": Scenario(("too-few-steps",), Training(steps=1, schedule="constant")),
    "steps_4": Scenario(("too-few-steps",), Training(steps=4, schedule="constant")),
    "never_updated": Scenario(("weights-not-updated",), Training(trained="none")),
    "head_alone_briefly": Scenario(
        ("weights-not-updated", "learning-rate-too-low"), Training(trained="head", rate=0.5)
    ),
    # The loss
    "softmax_twice": Scenario(("loss-misconfigured",), Training(loss="twice-softmax")),
    "logits_as_probabilities": Scenario(("loss-misconfigured",), Training(loss="probabilities")),
    "squared_error": Scenario(("loss-misconfigured",), Training(loss="squared-error")),
    # The rows and their labels
    "labels_shuffled": Scenario(("labels-shuffled",), rows=Rows(labels="shuffled")),
    "labels_noisy": Scenario(("labels-noisy",), rows=Rows(labels="noisy", train=400)),
    "rows_sorted": Scenario(("training-data-sorted",), Training(fed_as_given=True)),
    "imbalance_97": Scenario(("class-imbalance",), rows=Rows(majority=0.97, train=400)),
    "imbalance_99": Scenario(
        ("class-imbalance",), rows=Rows(majority=0.99, train=400), tasks=("spam",)
    ),
    # What the model reads, in training and after
    "cut_to_4": Scenario(("truncation-loses-signal",), serving=Serving(max_length=4)),
    "boilerplate_first": Scenario(
        ("truncation-loses-signal", "inputs-constant"), serving=Serving(encoding="boilerplate")
    ),
    "one_text_for_all": Scenario(("inputs-constant",), serving=Serving(encoding="constant")),
    "all_unknown": Scenario(
        ("vocabulary-mismatch", "inputs-constant"), serving=Serving(encoding="unknown")
    ),
}

SERVED: dict[str, Scenario] = {
    # Harmless
    "healthy_30_rows": Scenario(serving=Serving(rows=30)),
    "healthy_12_rows": Scenario(serving=Serving(rows=12)),
    "healthy_softmax": Scenario(serving=Serving(outputs="softmax")),
    "healthy_softmax_twice": Scenario(serving=Serving(outputs="softmax twice")),
    "healthy_half_precision": Scenario(serving=Serving(outputs="half precision")),
    "healthy_padded": Scenario(serving=Serving(encoding="padded")),
    "healthy_slice": Scenario(serving=Serving(order="one label")),
    # Decoding
    "argmin": Scenario(("argmin-decoded",), serving=Serving(decoding="argmin")),
    "axis_0": Scenario(("argmax-wrong-axis",), serving=Serving(decoding="axis 0")),
    "axis_0_of_batches": Scenario(
        ("argmax-wrong-axis",), serving=Serving(decoding="axis 0 of batches")
    ),
    "flattened": Scenario(("argmax-wrong-axis",), serving=Serving(decoding="flattened")),
    "hidden_state": Scenario(("wrong-tensor-decoded",), serving=Serving(decoding="hidden state")),
    "cast_to_int": Scenario(
        ("threshold-on-logits", "argmax-wrong-axis"), serving=Serving(decoding="int")
    ),
    "cut_at_half": Scenario(
        ("threshold-on-logits",), serving=Serving(decoding="cut at half"), tasks=("spam",)
    ),
    "rows_shuffled": Scenario(("labels-misaligned",), serving=Serving(order="shuffled")),
    "rows_shifted": Scenario(("labels-misaligned",), serving=Serving(order="shifted")),
    "rows_reversed": Scenario(("labels-misaligned",), serving=Serving(order="reversed")),
    "last_batch_repeated": Scenario(("labels-misaligned",), serving=Serving(order="last batch")),
    # Labels
    "two_labels_swapped": Scenario(
        ("label-mapping-swapped",), serving=Serving(labels="two swapped")
    ),
    "all_labels_permuted": Scenario(
        ("label-mapping-swapped",), serving=Serving(labels="permuted"), tasks=("news",)
    ),
    "names_permuted": Scenario(
        ("label-mapping-swapped",), serving=Serving(labels="names permuted")
    ),
    "ids_from_1": Scenario(("label-out-of-range",), serving=Serving(labels="from 1")),
    "ids_hidden": Scenario(("label-out-of-range",), serving=Serving(labels="hidden")),
    "names_missing": Scenario(("label-names-missing",), serving=Serving(labels="no names")),
    # Tokens
    "served_cut_to_4": Scenario(("truncation-loses-signal",), serving=Serving(max_length=4)),
    "served_boilerplate": Scenario(
        ("truncation-loses-signal", "inputs-constant"), serving=Serving(encoding="boilerplate")
    ),
    "served_constant": Scenario(("inputs-constant",), serving=Serving(encoding="constant")),
    "served_empty": Scenario(("inputs-constant",), serving=Serving(encoding="empty")),
    "served_unknown": Scenario(
        ("vocabulary-mismatch", "inputs-constant"), serving=Serving(encoding="unknown")
    ),
    "served_cased": Scenario(("vocabulary-mismatch",), serving=Serving(encoding="cased")),
    "served_other_ids": Scenario(("vocabulary-mismatch",), serving=Serving(encoding="other ids")),
    "served_unmasked": Scenario(("attention-mask-ignored",), serving=Serving(encoding="unmasked")),
    # Weights
    "head_new": Scenario(("weights-not-loaded",), serving=Serving(weights="head new")),
    "not_loaded": Scenario(("weights-not-loaded",), serving=Serving(weights="pretrained")),
    "all_random": Scenario(("weights-not-loaded",), serving=Serving(weights="random")),
    "dropout_left_on": Scenario(("dropout-at-inference",), serving=Serving(dropout=True)),
}
