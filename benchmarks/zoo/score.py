"""Diagnose recordings whose causes are known, with more and more of what they hold."""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_bertcheck import Diagnosis, Evidence, diagnose
from pytest_bertcheck.messages import share
from pytest_bertcheck.statistics import clopper_pearson

OUTPUTS = ("logits", "y_pred")
LABELS = ("y_true", "label_names", "label2id_names", "dataset_label_names")
TOKENS = (
    "token_counts",
    "kept_token_counts",
    "unknown_token_share",
    "lowercase_unknown_token_share",
    "input_ids",
    "attention_mask",
    "max_length",
    "embedding_rows",
    "tokenizer_size",
    "pad_token_id",
)
HISTORY = (
    "y_train",
    "loss",
    "val_loss",
    "val_accuracy",
    "grad_norm",
    "learning_rate",
    "train_steps",
    "batch_size",
    "encoder_update",
    "head_update",
)
ALL = tuple(declared.name for declared in dataclasses.fields(Evidence))
AMOUNTS: dict[str, tuple[str, ...]] = {
    "outputs": OUTPUTS,
    "labels, names": OUTPUTS + LABELS,
    "tokens": OUTPUTS + LABELS + TOKENS,
    "history": OUTPUTS + LABELS + TOKENS + HISTORY,
    "all": ALL,
}
"""How much a team has recorded -> the fields; each amount holds those before it."""

TOLD_BY: dict[str, str] = {
    # Answers that another decoding of the same outputs gives; outputs that do not vary at all.
    "argmax-wrong-axis": "outputs",
    "argmin-decoded": "outputs",
    "diverged": "outputs",
    "inputs-constant": "outputs",
    "threshold-on-logits": "outputs",
    "wrong-tensor-decoded": "outputs",
    # Orders of labels or rows under which the answers are right; ids and names themselves.
    "label-mapping-swapped": "labels, names",
    "label-names-missing": "labels, names",
    "label-out-of-range": "labels, names",
    "labels-misaligned": "labels, names",
    # What became of the texts.
    "truncation-loses-signal": "tokens",
    "vocabulary-mismatch": "tokens",
    # How the model became what it is: any that learnt little, or its prior, has such outputs.
    "class-imbalance": "history",
    "learning-rate-schedule-broken": "history",
    "learning-rate-too-high": "history",
    "learning-rate-too-low": "history",
    "loss-misconfigured": "history",
    "metric-misreported": "history",
    "too-few-steps": "history",
    "training-data-sorted": "history",
    "weights-not-updated": "history",
    # What another call, another load or another model says.
    "attention-mask-ignored": "all",
    "dropout-at-inference": "all",
    "labels-noisy": "all",
    "labels-shuffled": "all",
    "weights-not-loaded": "all",
}
"""Cause -> the least amount of evidence that holds an array by which it can be told from others."""


@dataclass
class Score:
    """What became of the recordings, given one amount of evidence.

    Attributes
    ----------
    amount
        Name of the amount of evidence.
    harmful, detected
        Faults that cost accuracy, and those of them that fail.
    identifiable, first, among_three
        Harmful faults whose cause the arrays can tell, those whose cause is named first, and those
        whose cause is among the first three.
    tellable, tellable_first
        Of those, the ones whose cause this amount can tell (:data:`TOLD_BY`), and is named first.
    healthy, healthy_failed
        Healthy recordings, and the names of those that fail.
    wrong_facts
        Name of the recording and the cause that was called certain without being one.
    causes
        Cause -> harmful, detected, identifiable, named first.
    misses
        What was not detected, or named otherwise: recording, its causes, what was named.
    """

    amount: str
    harmful: int = 0
    detected: int = 0
    identifiable: int = 0
    first: int = 0
    among_three: int = 0
    tellable: int = 0
    tellable_first: int = 0
    healthy: int = 0
    healthy_failed: list[str] = field(default_factory=list)
    wrong_facts: list[tuple[str, str]] = field(default_factory=list)
    causes: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0] * 4))
    misses: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, name: str, known: Mapping[str, Any], diagnosis: Diagnosis) -> None:
        """Count one recording."""
        right, failed = known["causes"], diagnosis.verdict == "failed"
        named = [cause.code for cause in diagnosis.causes]
        self.wrong_facts += [
            (name, cause.code)
            for cause in diagnosis.causes
            if cause.certain and cause.code not in right
        ]
        if not right:
            if is_healthy(known):
                self.healthy += 1
                self.healthy_failed += [name] * failed
            return
        if not known["harmful"]:
            return
        first, three = named[:1], named[:3]
        told = [
            True,
            failed,
            known["identifiable"],
            known["identifiable"] and bool({*first} & {*right}),
        ]
        self.harmful += 1
        self.detected += failed
        self.identifiable += told[2]
        self.first += told[3]
        self.among_three += known["identifiable"] and bool({*three} & {*right})
        amounts = list(AMOUNTS)
        least = min(amounts.index(TOLD_BY[cause]) for cause in right)
        tellable = known["identifiable"] and least <= amounts.index(self.amount)
        self.tellable += tellable
        self.tellable_first += tellable and told[3]
        self.causes[right[0]] = [a + b for a, b in zip(self.causes[right[0]], told, strict=True)]
        if not failed or (known["identifiable"] and not told[3]):
            self.misses.append((name, right[0], first[0] if first else diagnosis.verdict.value))


def is_healthy(known: Mapping[str, Any]) -> bool:
    """Return whether a recording is of a healthy model, and of one that is not weak."""
    return not known["causes"] and not known["weak"]


def recordings(folder: Path, part: str | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and what is known of each recording of a folder, or of one half of it.

    Halves go by the scenario, seeds and tasks of one never being in both: whoever tunes on the one
    has not seen the other.

    Raises
    ------
    FileNotFoundError
        If the folder has no ``index.json``.
    ValueError
        If nothing in it belongs to that half.
    """
    file = folder / "index.json"
    if not file.is_file():
        raise FileNotFoundError(f"{folder}: expected index.json and bundles/*.npz, found neither")
    found = False
    for name, known in json.loads(file.read_text(encoding="utf-8")).items():
        scenario = known["scenario"].partition("@")[0]
        half = ("tuning", "reporting")[zlib.crc32(scenario.encode()) % 2]
        if part in (None, half):
            found = True
            yield name, known
    if not found:
        raise ValueError(f"{folder}: no recordings{'' if part is None else f' to be {part} on'}")


def score(folder: Path, *, part: str | None = None) -> list[Score]:
    """Diagnose every recording with each amount of evidence."""
    scores = [Score(amount) for amount in AMOUNTS]
    for name, known in recordings(folder, part):
        fields = Evidence.load(folder / "bundles" / f"{name}.npz").fields()
        for group in scores:
            kept = {key: value for key, value in fields.items() if key in AMOUNTS[group.amount]}
            group.add(name, known, diagnose(Evidence(**kept)))
    return scores


def report(scores: list[Score], *, missed: bool = False) -> str:
    """Put the scores into words: by amount of evidence, then by cause with all of it."""
    rows: list[tuple[str, ...]] = [
        (
            "evidence",
            "detected",
            "named first",
            "in first 3",
            "first, if tellable",
            "wrong facts",
            "healthy failed",
        )
    ]
    for group in scores:
        healthy = len(group.healthy_failed)
        most = clopper_pearson(healthy, group.healthy, 0.1)[1] if group.healthy else 1.0
        rows.append(
            (
                group.amount,
                _rate(group.detected, group.harmful),
                _rate(group.first, group.identifiable),
                _rate(group.among_three, group.identifiable),
                _rate(group.tellable_first, group.tellable),
                str(len(group.wrong_facts)),
                f"{healthy}/{group.healthy}, at most {most:.1%}",
            )
        )
    everything = scores[-1]
    by_cause: list[tuple[str, ...]] = [
        ("cause", "detected with all", *(f"named first: {group.amount}" for group in scores))
    ]
    for code, (harmful, detected, *_) in sorted(everything.causes.items()):
        named = (group.causes[code] for group in scores)
        by_cause.append(
            (
                code,
                _rate(detected, harmful),
                *(_rate(first, identifiable) for *_, identifiable, first in named),
            )
        )
    notes = [
        "if tellable: of causes that these fields can tell (TOLD_BY in score.py)",
        "at most: 95 % upper bound (Clopper-Pearson)",
    ]
    lines = [*_table(rows), *notes, "", *_table(by_cause)]
    for group in scores:
        lines += [f"wrong fact, {group.amount}: {name} {code}" for name, code in group.wrong_facts]
        lines += [f"healthy failed, {group.amount}: {name}" for name in group.healthy_failed]
    if missed:
        lines += ["", *_table([("missed", "is", "named"), *everything.misses])]
    return "\n".join(lines)


def _rate(part: int, whole: int) -> str:
    return f"{part}/{whole} {share(part, whole)}" if whole else "-"


def _table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    shown = list(rows)
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in shown
    ]
