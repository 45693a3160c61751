"""The results of one run, as every report reads them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..evidence import Evidence
from ..findings import Diagnosis, Verdict
from ..statistics import entropy

__all__ = ["Result", "Results", "plot_data"]

BINS = 20
"""Bars of the histogram of confidence, each 1 / 20 wide."""

MOST_POINTS = 300
"""Points of a curve that are kept: as many as a plot can show."""

CURVES = ("loss", "val_loss", "val_accuracy", "learning_rate")


@dataclass(frozen=True)
class Result:
    """What one run found out about one pipeline.

    Attributes
    ----------
    name
        What tells this pipeline from others of the run; empty if there is one.
    source
        The file that asked for the checks, as in the node ids.
    diagnosis
        What the findings together say.
    plots
        What :func:`plot_data` kept of the evidence; empty unless a report draws it.
    """

    name: str
    source: str
    diagnosis: Diagnosis
    plots: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Results:
    """What one run found out: a result for each pipeline, and why it proves nothing, if so."""

    results: tuple[Result, ...]
    problem: str = ""

    @property
    def verdict(self) -> str:
        """The worst verdict of all; a run with a problem has failed, one without results too."""
        seen = {result.diagnosis.verdict for result in self.results}
        if self.problem or not seen:
            return Verdict.FAILED.value
        order = (Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.PASSED, Verdict.SKIPPED)
        return next(verdict.value for verdict in order if verdict in seen)


def plot_data(evidence: Evidence) -> dict[str, Any]:
    """Return what plots need of the evidence, as builtins of a size that does not grow with n.

    Returns
    -------
    dict
        ``confidence``: counts of the top probability in bins of equal width from 0 to 1, of
        answers that are ``right`` and ``wrong``, or ``all`` where nothing says which. ``curves``:
        points (step, value) of each recorded series, value ``None`` where it is not finite.
        ``chance_loss``: ln C. ``prior_loss``: the entropy H(p) of the training labels, in nats.

    Examples
    --------
    >>> data = plot_data(Evidence(logits=[[9, 0], [0, 9.0]], y_true=[0, 0], loss=[0.7, 0.1]))
    >>> data["confidence"]["right"][-1], data["confidence"]["wrong"][-1]
    (1, 1)
    >>> data["curves"]
    {'loss': [[1, 0.7], [2, 0.1]]}
    """
    data: dict[str, Any] = {"curves": {}}
    for name in CURVES:
        series = getattr(evidence, name)
        if series is not None:
            data["curves"][name] = _points(series)
    confidence = _confidence(evidence)
    if confidence:
        data["confidence"] = confidence
    labels = evidence.num_labels
    if labels is not None and labels > 1:
        data["chance_loss"] = math.log(labels)
        y_train = evidence.y_train
        if y_train is not None and y_train.min() >= 0 and y_train.max() < labels:
            data["prior_loss"] = entropy(np.bincount(y_train, minlength=labels))
    return data


def _confidence(evidence: Evidence) -> dict[str, list[int]]:
    probabilities, answers, y_true = evidence.probabilities, evidence.answers, evidence.y_true
    if probabilities is None:
        return {}
    top = probabilities.max(axis=1)

    def counts(of: npt.NDArray[Any]) -> list[int]:
        numbers: list[int] = np.histogram(of, bins=BINS, range=(0, 1))[0].tolist()
        return numbers

    if y_true is None or answers is None or not len(y_true) == len(answers) == len(top):
        return {"all": counts(top)}
    right = answers == y_true
    return {"right": counts(top[right]), "wrong": counts(top[~right])}


def _points(series: npt.NDArray[Any]) -> list[list[float | None]]:
    """Return points of a curve; of a long one the extremes of each stretch, so no spike is lost."""
    steps = np.arange(len(series))
    if len(series) > MOST_POINTS:
        kept: set[int] = {0, len(series) - 1}
        for stretch in np.array_split(steps, MOST_POINTS // 3):
            values = series[stretch]
            finite = np.isfinite(values)
            if not finite.all():
                kept.add(int(stretch[np.argmin(finite)]))
            if finite.any():
                kept.add(int(stretch[np.argmin(np.where(finite, values, np.inf))]))
                kept.add(int(stretch[np.argmax(np.where(finite, values, -np.inf))]))
        steps = np.array(sorted(kept))
    return [
        [int(step) + 1, float(series[step]) if math.isfinite(series[step]) else None]
        for step in steps
    ]
