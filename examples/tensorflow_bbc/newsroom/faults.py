"""The one switch: each fault, and the settings that it changes in the team's own code."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

HEALTHY = "healthy"


@dataclass(frozen=True)
class Fault:
    """Changes to the healthy settings; serving changes need no other training."""

    training: Mapping[str, Any] = field(default_factory=dict)
    serving: Mapping[str, Any] = field(default_factory=dict)


FAULTS: Mapping[str, Fault] = {
    HEALTHY: Fault(),
    "severe-imbalance": Fault(training={"majority_share": 0.98}),
    "learning-rate-too-high": Fault(training={"learning_rate": 5e-3}),
    "learning-rate-too-low": Fault(training={"learning_rate": 1e-7}),
    "too-few-steps": Fault(training={"max_steps": 3}),
    "shuffled-labels": Fault(training={"labels_shuffled_apart": True}),
    "truncation": Fault(training={"max_length": 4}),
    "swapped-mapping": Fault(serving={"label_order": "first-seen"}),
    "argmax-wrong-axis": Fault(serving={"argmax_axis": 0}),
    "wrong-tensor-decoded": Fault(serving={"decoded_tensor": "cls"}),
    "weights-not-loaded": Fault(serving={"checkpoint": "pretrained"}),
}
