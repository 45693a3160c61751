"""What the words of each peer mean in the vocabulary of causes, as generously as they allow.

A kind of statement that is not listed names no cause: it says that something is wrong (`worse than
guessing`), or where (`drift of the predictions`), and leaves open why.
"""

from __future__ import annotations

WRONG_LABELS = (
    "labels-noisy",
    "labels-shuffled",
    "label-mapping-swapped",
    "labels-misaligned",
    "label-out-of-range",
)
OTHER_LABELS = ("class-imbalance", "training-data-sorted", "label-out-of-range")
NEVER_LEARNT = ("learning-rate-too-low", "too-few-steps", "weights-not-updated")

CAUSES_OF: dict[str, dict[str, tuple[str, ...]]] = {
    "cleanlab": {
        "evaluation label": WRONG_LABELS,
        "evaluation class_imbalance": ("class-imbalance",),
        "evaluation non_iid": ("training-data-sorted", "labels-misaligned"),
        "training class_imbalance": ("class-imbalance",),
    },
    "skore": {
        "Potential underfitting": NEVER_LEARNT,
        "High class imbalance": ("class-imbalance",),
        "Underrepresented classes": ("class-imbalance",),
    },
    "evidently": {
        "Value Drift for column target": OTHER_LABELS,
    },
    "deepchecks": {
        "Label Drift": OTHER_LABELS,
        "Weak Segments Performance": ("truncation-loses-signal", "vocabulary-mismatch"),
    },
}
"""Peer -> kind of statement -> the causes that it can be read as."""


def causes_of(tool: str, kind: str) -> tuple[str, ...]:
    """Return the causes that a statement names; those of pytest-bertcheck are its own words."""
    if tool in CAUSES_OF:
        return CAUSES_OF[tool].get(kind, ())
    return () if kind == "unknown" else (kind,)
