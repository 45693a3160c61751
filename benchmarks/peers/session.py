"""What the program of every peer shares; a peer's interpreter runs it, so it needs NumPy only.

A program answers on its standard output, one JSON object a line: first which version of the peer
runs on which Python, then for each recording named on its standard input what the peer states.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

INPUTS = (
    "y_true",
    "y_pred",
    "logits",
    "label_names",
    "dataset_label_names",
    "y_train",
    "train_y_true",
    "train_logits",
    "token_counts",
    "kept_token_counts",
    "unknown_token_share",
)
"""What peers are given of a recording: they have no place for the rest."""


@dataclass(frozen=True)
class Statement:
    """One thing that a peer says of a recording.

    Attributes
    ----------
    kind
        Which of the peer's checks says it: what statements are counted and translated by.
    text
        The peer's own words.
    count
        How much the peer flags: rows, or 1 for a failed test.
    """

    kind: str
    text: str
    count: int = 1


@dataclass(frozen=True)
class Answer:
    """What a peer makes of one recording: statements that flag something, or an error after them.

    Attributes
    ----------
    recording
        Its name.
    seconds
        How long the peer took, its import and the reading of the file left out.
    statements
        What is flagged, in the peer's order.
    error
        What the peer raised, empty if it did not.
    """

    recording: str
    seconds: float
    statements: tuple[Statement, ...] = ()
    error: str = ""

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Answer:
        """Return the answer that ``asdict`` turned into builtins."""
        statements = tuple(Statement(**statement) for statement in values["statements"])
        return cls(**{**values, "statements": statements})


class Recording:
    """A recording as peers want it: names instead of ids, probabilities instead of logits.

    Labels are named by the data set, answers by the model. An id that has no name is called by its
    number, as a data frame of a user would hold it. Classes are in alphabetical order, which is
    that of scikit-learn and of every peer.

    Attributes
    ----------
    y_true, y_pred, classes, probabilities
        The evaluation set; the classes are those of the columns of the probabilities.
    train_y_true, train_y_pred, train_classes, train_probabilities
        The training rows whose outputs were recorded; answers are the most likely class.
    y_train
        Labels of all training rows.
    tokens
        Counts and shares of tokens by evaluation row: what is known of the texts.
    """

    def __init__(self, file: Path) -> None:
        with np.load(file, allow_pickle=False) as bundle:
            fields = {name: bundle[name] for name in INPUTS}
        names = fields["label_names"].tolist()
        dataset_names = fields["dataset_label_names"].tolist()
        self.y_true = _names(fields["y_true"], dataset_names)
        self.y_pred = _names(fields["y_pred"], names)
        self.classes, self.probabilities = _probabilities(fields["logits"], names)
        self.train_y_true = _names(fields["train_y_true"], dataset_names)
        self.train_classes, self.train_probabilities = _probabilities(fields["train_logits"], names)
        self.train_y_pred = self.train_classes[self.train_probabilities.argmax(axis=1)]
        self.y_train = _names(fields["y_train"], dataset_names)
        self.tokens = {
            name: fields[name]
            for name in ("token_counts", "kept_token_counts", "unknown_token_share")
        }


def _names(ids: Any, names: list[str]) -> Any:
    return np.array([names[i] if 0 <= i < len(names) else str(i) for i in ids.tolist()])


def _probabilities(logits: Any, names: list[str]) -> tuple[Any, Any]:
    """Return the classes of the columns, in alphabetical order, and the probabilities."""
    logits = logits.astype(float)
    if logits.shape[1] == 1:  # a single logit is that of the second label
        logits = np.hstack([np.zeros_like(logits), logits])
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    classes = _names(np.arange(logits.shape[1]), names)
    order = np.argsort(classes)
    return classes[order], (exponentials / exponentials.sum(axis=1, keepdims=True))[:, order]


def serve(version: str, examine: Callable[[Path], Callable[[], Iterable[Statement]]]) -> None:
    """Answer for every recording that standard input names, in the folder of the command line.

    Parameters
    ----------
    version
        Of the peer.
    examine
        Reads a file and returns the peer's work on it: only that work is timed.
    """
    # Peers print and log as they please: what goes to standard output is ours alone.
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def reply(values: dict[str, Any]) -> None:
        print(json.dumps(values), file=replies, flush=True)

    folder = Path(sys.argv[1])
    reply({"version": version, "python": platform.python_version()})
    for name in map(str.strip, sys.stdin):
        reply(asdict(answer(name, examine(folder / "bundles" / f"{name}.npz"))))


def answer(name: str, work: Callable[[], Iterable[Statement]]) -> Answer:
    """Return what a peer states of one recording, up to what it may raise."""
    statements, error = [], ""
    started = time.perf_counter()
    try:
        for statement in work():
            statements.append(statement)  # noqa: PERF402 - what was stated before it raises counts
    except Exception as raised:  # noqa: BLE001 - what a peer raises is what it says
        error = f"{type(raised).__name__}: {' '.join(str(raised).split())[:300]}"
    return Answer(name, time.perf_counter() - started, tuple(statements), error)
