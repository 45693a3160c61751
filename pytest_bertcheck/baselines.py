"""Committed baselines of the model in production: read, pair with new evidence, write whole.

``bertcheck_baselines/<name>.json`` is what people review. The answers to each example lie beside
it, in a file whose name says what it holds: ``<name>-<digest>.npz``. It is written first, so that
the JSON file never points to nothing, whenever a process is killed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .evidence import Evidence
from .messages import quoted, safe
from .statistics import Confusion, clopper_pearson, label_counts
from .whole_files import whole_file

__all__ = ["Baseline", "BaselineMismatch", "read_baseline", "update_baseline", "with_baseline"]

Array = npt.NDArray[Any]

SCHEMA = 1
FOLDER = "bertcheck_baselines"
"""Where baselines lie, below pytest's root folder."""
CONFIDENCE = 0.95
"""Of the intervals that are printed beside a value, for people."""
PACKAGES = (
    "numpy",
    "pytest-bertcheck",
    "scikit-learn",
    "scipy",
    "tensorflow",
    "torch",
    "transformers",
)
IGNORED = "*.lock\n*.tmp\n"


class BaselineMismatch(ValueError):
    """Evidence and baseline are not of the same data, labels or schema; the message says how."""


BaselineMismatch.__module__ = "pytest_bertcheck.baselines"


@dataclass(frozen=True, eq=False)
class Baseline:
    """What is committed of the model in production.

    Attributes
    ----------
    summary
        What the JSON file holds.
    keys
        Hash of each example, (n, 16) bytes; empty if examples have no keys, and stand for
        themselves by their row.
    y_pred
        What the model answered, (n,) int.
    """

    summary: Mapping[str, Any]
    keys: Array
    y_pred: Array


def baseline_path(folder: Path, name: str) -> Path:
    """Return the file of a baseline.

    Raises
    ------
    ValueError
        If the name is no file name that every system allows.
    """
    if not re.fullmatch(r"[A-Za-z0-9][\w.\-]{0,99}", name, re.ASCII):
        raise ValueError(
            f"baseline: expected a name of letters, digits, '.', '_' and '-', got {quoted(name)}"
        )
    return folder / f"{name}.json"


def read_baseline(path: Path) -> Baseline:
    """Read a baseline, its answers included.

    Raises
    ------
    FileNotFoundError
        If there is none.
    BaselineMismatch
        If it is of another schema, or damaged.
    """
    try:
        return _read(path)
    except FileNotFoundError:
        if not path.is_file():
            raise
    try:  # it was replaced, together with its answers, while it was read
        return _read(path)
    except FileNotFoundError as error:
        raise BaselineMismatch(f"{path}: expected its answers beside it, found none") from error


def _read(path: Path) -> Baseline:
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BaselineMismatch(f"{path}: expected JSON, got: {error}") from error
    if not isinstance(summary, dict) or summary.get("schema") != SCHEMA:
        found = summary.get("schema") if isinstance(summary, dict) else summary
        raise BaselineMismatch(
            f"{path}: expected schema {SCHEMA}, got {found!r:.60}; write it anew with "
            "--bertcheck-update"
        )
    answers = path.parent / str(summary.get("predictions"))
    try:
        # Opened here: NumPy leaves a file open that it cannot read.
        with answers.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            baseline = Baseline(summary, stored["keys"], stored["y_pred"])
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise BaselineMismatch(
            f"{path}: expected its answers in {answers.name}: {error}"
        ) from error
    if _digest(baseline.keys, baseline.y_pred) not in answers.name:
        raise BaselineMismatch(f"{path}: expected its answers in {answers.name}, got other ones")
    return baseline


def with_baseline(evidence: Evidence, baseline: Baseline, *, margin: float = 0.0) -> Evidence:
    """Return the evidence with what the model in production answered to the same examples.

    Raises
    ------
    BaselineMismatch
        If the labels, the data or the margin are not those of the baseline.
    """
    _reject_other_labels(evidence, baseline)
    stored = baseline.summary["tolerance"]["margin"]
    if stored != margin:
        raise BaselineMismatch(
            f"margin: the baseline was accepted with {stored:g}, the settings say {margin:g}; "
            "accept that with --bertcheck-update"
        )
    fields = {
        **evidence.fields(),
        "baseline_y_pred": _paired_answers(evidence, baseline),
        "baseline_confusion": baseline.summary["confusion"],
        "baseline_gates": baseline.summary["gates"],
        "baseline_margin": margin,
    }
    return Evidence(**fields)


def _reject_other_labels(evidence: Evidence, baseline: Baseline) -> None:
    before, now = baseline.summary["label_names"], list(evidence.names)
    if before == now:
        return
    if sorted(before) == sorted(now):
        place = next(i for i, (a, b) in enumerate(zip(before, now, strict=True)) if a != b)
        raise BaselineMismatch(
            f"label order differs from the baseline's: {place} was {quoted(before[place], 30)}, "
            f"is {quoted(now[place], 30)}"
        )
    gone = [name for name in before if name not in now]
    new = [name for name in now if name not in before]
    raise BaselineMismatch(
        f"labels differ from the baseline's: {len(before)} then, {len(now)} now; "
        f"gone {_some(gone)}, new {_some(new)}"
    )


def _some(names: list[str]) -> str:
    shown = ", ".join(quoted(name, 20) for name in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "") if names else "none"


def _paired_answers(evidence: Evidence, baseline: Baseline) -> Array:
    """Return what the baseline answered to each example, (n,) int; -1 where it has none."""
    keys = example_hashes(evidence)
    size = len(baseline.y_pred)
    if (len(keys) == 0) != (len(baseline.keys) == 0):
        sides = ("the baseline", "the evidence")
        has, lacks = sides if len(keys) == 0 else sides[::-1]
        raise BaselineMismatch(f"example_keys: {has} has them, {lacks} has not")
    if len(keys) == 0:
        if evidence.num_examples != size or _labels_digest(evidence) != _of_data(baseline):
            raise BaselineMismatch(
                f"data differ from the baseline's: {size:,} rows then, "
                f"{evidence.num_examples or 0:,} now, or other labels; give example_keys, by which "
                "sets pair up whose order changed"
            )
        return baseline.y_pred
    known = {key.tobytes(): row for row, key in enumerate(baseline.keys)}
    rows = np.array([known.get(key.tobytes(), -1) for key in keys])
    found = int(np.count_nonzero(rows >= 0))
    if 2 * found < size:
        raise BaselineMismatch(
            f"data differ from the baseline's: of its {size:,} examples {found:,} are among the "
            f"{len(keys):,} of now; at least half must be"
        )
    return np.where(rows >= 0, baseline.y_pred[rows], -1)


def example_hashes(evidence: Evidence) -> Array:
    """Return what identifies each example, (n, 16) bytes; none if no keys are given.

    The second of two equal examples is another one than the first.
    """
    if evidence.example_keys is None:
        return np.empty((0, 16), dtype=np.uint8)
    seen: dict[str, int] = {}
    digests = []
    for key in evidence.example_keys.tolist():
        seen[key] = seen.get(key, 0) + 1
        content = f"{seen[key]} {key}".encode("utf-8", "surrogatepass")
        digests.append(hashlib.blake2b(content, digest_size=16).digest())
    return np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, 16)


def _labels_digest(evidence: Evidence) -> str:
    labels = np.asarray([] if evidence.y_true is None else evidence.y_true, dtype="<i8")
    return hashlib.blake2b(labels.tobytes(), digest_size=8).hexdigest()


def _data_digest(evidence: Evidence) -> str:
    """Return a fingerprint of the data: of the keys, in any order; without keys, of the labels."""
    keys = example_hashes(evidence)
    if len(keys) == 0:
        return _labels_digest(evidence)
    return hashlib.blake2b(b"".join(sorted(map(bytes, keys))), digest_size=8).hexdigest()


def _of_data(baseline: Baseline) -> str:
    return str(baseline.summary["provenance"]["data"])


def _digest(keys: Array, y_pred: Array) -> str:
    content = keys.tobytes() + np.asarray(y_pred, dtype="<i8").tobytes()
    return hashlib.blake2b(content, digest_size=8).hexdigest()


# Writing


def update_baseline(path: Path, evidence: Evidence, *, margin: float = 0.0) -> list[str]:
    """Accept the model that was observed: write its baseline, whole or not at all.

    Processes that update the same baseline wait for one another.

    Returns
    -------
    list of str
        What changed, a line for each value: old -> new.

    Raises
    ------
    ValueError
        If the evidence has no true labels, or no answer for each example.
    """
    from filelock import FileLock

    confusion, answers = evidence.confusion, evidence.answers
    if confusion is None or answers is None:
        raise ValueError(
            "baseline: expected y_true, and one label id in range for each example, in y_pred or "
            "logits"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path.parent / ".gitignore", IGNORED.encode())
    with FileLock(path.with_suffix(".lock")):
        before = _old_summary(path)
        keys = example_hashes(evidence)
        y_pred = np.asarray(answers, dtype=np.int32)
        file = path.with_name(f"{path.stem}-{_digest(keys, y_pred)}.npz")
        summary = {
            "schema": SCHEMA,
            "name": path.stem,
            "gates": _gates(path, evidence, file.name),
            **_measured(evidence, confusion),
            "tolerance": {"margin": margin},
            "predictions": file.name,
            "provenance": {
                "data": _data_digest(evidence),
                "python": ".".join(map(str, sys.version_info[:3])),
                **dict(_versions()),
            },
        }
        with whole_file(file) as opened:
            np.savez_compressed(opened, keys=keys, y_pred=y_pred)
        _write(path, _reviewable(summary).encode("utf-8"))
        _remove_others(path, file)
    return [*changes(before, summary)]


def _gates(path: Path, evidence: Evidence, predictions: str) -> int:
    """Return how many models have been accepted on these examples, this one included.

    One that gives the answers that were accepted last is no other model.
    """
    try:
        baseline = read_baseline(path)
        _paired_answers(evidence, baseline)
    except (FileNotFoundError, BaselineMismatch):
        return 1  # fresh examples
    again = baseline.summary["predictions"] == predictions
    return int(baseline.summary["gates"]) + (0 if again else 1)


def _old_summary(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


MOST_LABELS = 100
"""Up to here the confusion matrix is stored; nobody reviews a larger one."""


def _measured(evidence: Evidence, confusion: Confusion) -> dict[str, Any]:
    names = evidence.names
    predicted = label_counts(evidence.answers, len(names))
    seen = confusion.support > 0
    recalls = confusion.hits[seen] / confusion.support[seen]
    accuracy = clopper_pearson(confusion.right, confusion.total, 1 - CONFIDENCE)
    return {
        "examples": confusion.total,
        "metrics": {
            "accuracy": _interval(confusion.right / confusion.total, *accuracy),
            "balanced_accuracy": _interval(float(recalls.mean()), *_of_mean(confusion, seen)),
        },
        "label_names": list(names),
        "classes": {
            f"{label} {name}": {
                "support": int(confusion.support[label]),
                "right": int(confusion.hits[label]),
                "predicted": int(predicted[label]),
            }
            for label, name in enumerate(names)
        },
        "confusion": confusion.cells.toarray().tolist() if len(names) <= MOST_LABELS else None,
    }


def _reviewable(summary: Mapping[str, Any]) -> str:
    """Return JSON with a line for each thing that somebody may want to see change."""
    entries = []
    for key, value in summary.items():
        if isinstance(value, dict):
            inner = [f"{_json(name)}: {_json(item)}" for name, item in value.items()]
            shown = "{\n    " + ",\n    ".join(inner) + "\n  }"
        elif isinstance(value, list) and isinstance(value[0], list):
            shown = "[\n    " + ",\n    ".join(map(_json, value)) + "\n  ]"
        else:
            shown = _json(value)
        entries.append(f"  {_json(key)}: {shown}")
    return "{\n" + ",\n".join(entries) + "\n}\n"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True)  # bidirectional marks must not fool a reviewer


def _interval(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": round(value, 6), "low": round(low, 6), "high": round(high, 6)}


def _of_mean(confusion: Confusion, seen: Array) -> tuple[float, float]:
    """Return the interval of the mean recall: each label's own, for all of them together."""
    level = (1 - CONFIDENCE) / np.count_nonzero(seen)
    bounds = [
        clopper_pearson(int(right), int(rows), level)
        for right, rows in zip(confusion.hits[seen], confusion.support[seen], strict=True)
    ]
    low, high = np.mean(bounds, axis=0)
    return float(low), float(high)


def _versions() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            yield package, version(package)


def changes(before: Mapping[str, Any], now: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """Yield ``where: old -> new`` for each value that differs, in the order of the file.

    Examples
    --------
    >>> [*changes({"gates": 1, "metrics": {"accuracy": 0.9}}, {"gates": 2, "metrics": {}})]
    ['gates: 1 -> 2', 'metrics.accuracy: 0.9 -> none']
    """
    for key in dict.fromkeys([*now, *before]):
        old, new = before.get(key), now.get(key)
        path = f"{where}.{key}" if where else str(key)
        if isinstance(old, Mapping) or isinstance(new, Mapping):
            yield from changes(_mapping(old), _mapping(new), path)
        elif old != new:
            yield f"{safe(path, 60)}: {_value(old)} -> {_value(new)}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _value(value: Any) -> str:
    return "none" if value is None else safe(value, 60)


def _write(path: Path, content: bytes) -> None:
    if path.is_file() and path.read_bytes() == content:
        return
    with whole_file(path) as file:
        file.write(content)


def _remove_others(path: Path, kept: Path) -> None:
    """Remove what no summary points to: of models before, and of updates that were cut short."""
    own = re.compile(re.escape(path.stem) + r"-([0-9a-f]{16}\.npz|\w{8}\.tmp)")
    for file in path.parent.iterdir():
        if own.fullmatch(file.name) and file.name != kept.name:
            file.unlink(missing_ok=True)
