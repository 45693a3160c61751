"""Plain values that checks return and reports read: verdicts, findings, causes, diagnoses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

__all__ = ["CAUSES", "STAGES", "Cause", "Diagnosis", "Finding", "LabelCount", "Verdict"]

STAGES = ("data", "labels", "tokens", "training", "outputs", "decoding", "serving", "gate")
"""Where in a pipeline a fault sits, in the order in which data flows through it."""

CAUSES: dict[str, tuple[str, str]] = {
    "class-imbalance": (
        "data",
        "one class dominates training so far that the model learnt the prior",
    ),
    "labels-shuffled": ("data", "training labels carry no information about the text"),
    "labels-noisy": ("data", "a share of the training labels is corrupted"),
    "training-data-sorted": ("data", "rows were fed in label order, or split by position"),
    "label-mapping-swapped": ("labels", "ids mean different labels on the two sides"),
    "label-out-of-range": ("labels", "label ids lie outside 0..C-1"),
    "label-names-missing": ("labels", "label names are placeholders, missing or contradictory"),
    "truncation-loses-signal": ("tokens", "what decides the label was cut away"),
    "vocabulary-mismatch": ("tokens", "tokenizer and model do not belong together"),
    "attention-mask-ignored": ("tokens", "padding changes the answer"),
    "inputs-constant": ("tokens", "different texts reach the model as the same input"),
    "learning-rate-too-high": ("training", "optimisation collapsed or jumps"),
    "learning-rate-too-low": ("training", "the weights hardly moved"),
    "too-few-steps": ("training", "training stopped before the model could learn"),
    "weights-not-updated": ("training", "the optimizer never reached the weights"),
    "learning-rate-schedule-broken": ("training", "the learning rate is zero, negative or jumps"),
    "loss-misconfigured": ("training", "loss and output layer disagree"),
    "diverged": ("training", "NaN or infinity in loss, weights or logits"),
    "weights-not-loaded": ("serving", "head or encoder is random at inference"),
    "dropout-at-inference": ("serving", "two identical calls differ"),
    "argmax-wrong-axis": ("decoding", "decoded over examples, or flattened, not over labels"),
    "wrong-tensor-decoded": ("decoding", "something other than the logits was decoded"),
    "threshold-on-logits": (
        "decoding",
        "a probability threshold, rounding or int cast decides on raw outputs",
    ),
    "labels-misaligned": ("decoding", "predictions are paired with other rows"),
    "argmin-decoded": ("decoding", "the least likely label is reported"),
    "metric-misreported": (
        "outputs",
        "the accuracy reported is not the accuracy of these predictions",
    ),
    "regression": ("gate", "significantly worse than the baseline"),
    "unknown": ("any", "something is wrong and no listed cause explains it"),
}
"""The fixed vocabulary of causes: code -> (stage, one line of meaning). Codes are stable."""


class Verdict(str, Enum):
    """The answer of a check, or of a whole diagnosis."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    SKIPPED = "skipped"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Finding:
    """The answer of one check.

    Attributes
    ----------
    verdict
        Passed, failed, inconclusive (too little data to tell) or skipped (a field is missing).
    summary
        One line with the numbers; the first line of a failure message.
    check, stage
        Name of the check and its stage; filled in by the check's registration.
    statistics
        The numbers that the verdict rests on, builtins only.
    p_value
        Of the check's test, already corrected for the hypotheses tried within the check.
        ``None`` where the verdict is a fact rather than a test.
    causes
        Codes of the causes that this finding by itself supports, best first.
    certain
        True if the first of ``causes`` is a fact, not a likelihood.
    fix
        One or two concrete settings or lines of code.
    needs
        Fields of the evidence that would settle an inconclusive or skipped finding.
    signs
        What the check saw, for the diagnosis: sign -> seen or not. A sign that is not there
        could not be looked at.
    table
        Rows for the reader, the first one the header.
    expected_failure
        The reason why a failure of this check is expected, if it is.

    Raises
    ------
    ValueError
        If the finding is certain and names no cause.
    """

    verdict: Verdict
    summary: str
    check: str = ""
    stage: str = ""
    statistics: Mapping[str, Any] = field(default_factory=dict)
    p_value: float | None = None
    causes: tuple[str, ...] = ()
    certain: bool = False
    fix: str = ""
    needs: tuple[str, ...] = ()
    signs: Mapping[str, bool] = field(default_factory=dict)
    table: tuple[tuple[str, ...], ...] = ()
    expected_failure: str | None = None

    def __post_init__(self) -> None:
        if self.certain and not self.causes:
            raise ValueError("a certain finding needs the cause that is certain, got causes=()")

    def __str__(self) -> str:
        from .messages import render_finding

        return render_finding(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as builtins, ready for JSON and for pytest-xdist."""
        return _builtins(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Finding:
        """Return the finding that :meth:`to_dict` turned into builtins."""
        return cls(
            **{
                **values,
                "verdict": Verdict(values["verdict"]),
                "causes": tuple(values["causes"]),
                "needs": tuple(values["needs"]),
                "table": tuple(tuple(row) for row in values["table"]),
            }
        )


@dataclass(frozen=True)
class Cause:
    """One cause that the findings leave standing.

    Attributes
    ----------
    code, stage
        From the fixed vocabulary :data:`CAUSES`.
    certain
        A fact, not a likelihood.
    reasons
        What speaks for it, one sentence each.
    fix
        What to change.
    settled_by
        The experiment or the evidence that would confirm or refute it; empty if certain.
    """

    code: str
    stage: str
    certain: bool
    reasons: tuple[str, ...]
    fix: str
    settled_by: str = ""

    @property
    def meaning(self) -> str:
        """One line that says what the code stands for."""
        return CAUSES[self.code][1]


@dataclass(frozen=True)
class LabelCount:
    """How often a label is true and how often it is predicted in the evaluation set."""

    name: str
    true: int | None
    predicted: int | None


@dataclass(frozen=True)
class Diagnosis:
    """What the findings together say; ``str()`` of it is the report.

    Attributes
    ----------
    verdict
        Failed if any finding failed; else inconclusive if any was; else passed. Skipped if every
        check was skipped.
    causes
        Causes left standing, best first; empty unless something failed.
    findings
        All findings, in the order of the stages.
    labels
        True and predicted counts per label, by id.
    confusion
        Rows are true labels, columns predicted ones; ``None`` if it cannot be counted, or has
        more labels than anybody reads.
    """

    verdict: Verdict
    causes: tuple[Cause, ...]
    findings: tuple[Finding, ...]
    labels: tuple[LabelCount, ...] = ()
    confusion: tuple[tuple[int, ...], ...] | None = None

    def __str__(self) -> str:
        from .messages import render_diagnosis

        return render_diagnosis(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the diagnosis as builtins, ready for JSON and for pytest-xdist."""
        return _builtins(self)

    def to_markdown(self) -> str:
        """Return the report as Markdown, for a pull request or the summary of a CI job."""
        from .messages import diagnosis_markdown

        return diagnosis_markdown(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Diagnosis:
        """Return the diagnosis that :meth:`to_dict` turned into builtins."""
        confusion = values["confusion"]
        return cls(
            verdict=Verdict(values["verdict"]),
            causes=tuple(
                Cause(**{**cause, "reasons": tuple(cause["reasons"])}) for cause in values["causes"]
            ),
            findings=tuple(Finding.from_dict(finding) for finding in values["findings"]),
            labels=tuple(LabelCount(**label) for label in values["labels"]),
            confusion=None if confusion is None else tuple(tuple(row) for row in confusion),
        )


def _builtins(value: Finding | Diagnosis) -> dict[str, Any]:
    return {name: _to_builtin(item) for name, item in asdict(value).items()}


def _to_builtin(value: Any) -> Any:
    """Return ``value`` made of builtins only.

    pytest-xdist cannot serialise NumPy scalars: a report that holds one is lost, and with it the
    failure. So everything that leaves a check for a report passes through here.
    """
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): _to_builtin(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_to_builtin(item) for item in value]
    if value is None or type(value) in (bool, int, float, str):
        return value
    if hasattr(value, "tolist"):  # NumPy scalars and arrays, without importing NumPy
        return _to_builtin(value.tolist())
    for builtin in (bool, int, float, str):
        if isinstance(value, builtin):
            return builtin(value)
    return str(value)
