"""Labelled texts from a file: CSV or JSON Lines with the columns ``text`` and ``label``."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["label_ids", "read_labelled_texts"]

COLUMNS = ("text", "label")


def read_labelled_texts(path: str | Path) -> tuple[list[str], list[str]]:
    """Return the texts and the labels as written.

    Raises
    ------
    ValueError
        If the file is missing, unreadable, of another kind, empty, or lacks a column or a value.
    """
    path = Path(path)
    readers = {".csv": _csv_rows, ".jsonl": _json_rows, ".ndjson": _json_rows}
    if path.suffix.lower() not in readers:
        raise ValueError(f"{path}: expected one of {sorted(readers)}, got {path.suffix!r}")
    texts, labels = [], []
    try:
        for line, row in readers[path.suffix.lower()](path):
            missing = [column for column in COLUMNS if row.get(column) in (None, "")]
            if missing:
                raise ValueError(
                    f"{path}, line {line}: expected the columns {' and '.join(COLUMNS)}, "
                    f"got nothing for {' and '.join(missing)} among {sorted(map(str, row))}"
                )
            if not isinstance(row["text"], str):
                raise ValueError(f"{path}, line {line}: expected a text, got {row['text']!r:.60}")
            texts.append(row["text"])
            labels.append(str(row["label"]))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: expected labelled texts, got: {error}") from error
    if not texts:
        raise ValueError(f"{path}: expected at least one row of text and label, got none")
    return texts, labels


def _csv_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        for row in reader:
            yield reader.line_num, row


def _json_rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(
                    f"{path}, line {number}: expected a JSON object, got {line[:40]!r}"
                ) from error
            if not isinstance(row, dict):
                raise ValueError(f"{path}, line {number}: expected a JSON object, got {row!r:.40}")
            yield number, row


def label_ids(labels: Sequence[str], label_names: Sequence[str]) -> list[int]:
    """Return the ids of labels that are written as names, or as ids already.

    Raises
    ------
    ValueError
        If a label is neither one of the names nor a whole number.
    """
    by_name = {name: label for label, name in enumerate(label_names)}
    if all(label in by_name for label in labels):
        return [by_name[label] for label in labels]
    try:
        return [int(label) for label in labels]
    except ValueError:
        unknown = next(
            label for label in labels if label not in by_name and not label.lstrip("-").isdigit()
        )
        raise ValueError(
            f"label: expected one of the model's labels {list(label_names)[:12]} or their ids, "
            f"got {unknown!r:.60}"
        ) from None
