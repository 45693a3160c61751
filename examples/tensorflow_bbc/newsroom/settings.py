"""Every number and choice that a run of the classifier depends on."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class TrainingSettings:
    """What the weights depend on, beside the seed."""

    train_rows: int = 400
    """Training articles in all, the same number of each label."""
    majority_share: float | None = None
    """Share of the training articles that carry the first label; None keeps the labels balanced."""
    labels_shuffled_apart: bool = False
    """Whether texts and labels are shuffled each in an order of its own."""
    max_length: int = 40
    """Tokens of an article that the model sees, [CLS] and [SEP] included."""
    batch_size: int = 16
    learning_rate: float = 5e-5
    epochs: int = 3
    max_steps: int | None = None
    """Optimizer steps after which training stops early; None trains all epochs."""


@dataclass(frozen=True)
class ServingSettings:
    """What is done with trained weights: none of this needs another training."""

    label_order: Literal["alphabetical", "first-seen"] = "alphabetical"
    """Rule by which `id2label` is written into the model's config."""
    checkpoint: Literal["fine-tuned", "pretrained"] = "fine-tuned"
    """Which checkpoint is served: the run's own, or the one that training started from."""
    decoded_tensor: Literal["logits", "cls"] = "logits"
    """What is decoded: the logits, or the last hidden state of the [CLS] token."""
    argmax_axis: int = -1
    """The axis over which decoding takes the argmax; the labels are the last one."""
