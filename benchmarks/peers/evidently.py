"""evidently: the tests of its presets for classification and for drift, at their defaults.

A flag is a test that fails. Without a reference the preset tests that the model beats guessing;
with the training rows as reference it would want every metric to be within 20 % of that in
training, which most healthy models miss. It is asked in the way that does it more justice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pandas as pd
from evidently import (
    BinaryClassification,
    DataDefinition,
    Dataset,
    MulticlassClassification,
    Report,
)
from evidently.presets import ClassificationPreset, DataDriftPreset

from .session import Recording, Statement, serve


def examine(file: Path) -> Callable[[], Iterator[Statement]]:
    """Read a recording; compare it with guessing, and labels and answers with those of training."""
    recording = Recording(file)

    def work() -> Iterator[Statement]:
        current = dataset(
            recording.y_true, recording.y_pred, recording.classes, recording.probabilities
        )
        reference = dataset(
            recording.train_y_true,
            recording.train_y_pred,
            recording.train_classes,
            recording.train_probabilities,
        )
        quality = Report([ClassificationPreset()], include_tests=True)
        yield from failed(quality.run(current, None))
        drift = Report([DataDriftPreset(columns=["target", "prediction"])], include_tests=True)
        yield from failed(drift.run(current, reference))

    return work


def dataset(y_true, y_pred, classes, probabilities) -> Dataset:
    """Return one set of rows with the roles of its columns."""
    columns = {"target": "target", "prediction_labels": "prediction"}
    if len(classes) == 2:
        task = BinaryClassification(**columns, prediction_probas=classes[1], pos_label=classes[1])
    else:
        task = MulticlassClassification(**columns, prediction_probas=list(classes))
    frame = pd.DataFrame(probabilities, columns=classes)
    frame = frame.assign(target=y_true, prediction=y_pred)
    definition = DataDefinition(
        classification=[task],
        categorical_columns=["target", "prediction"],
        numerical_columns=list(classes),
    )
    return Dataset.from_pandas(frame, data_definition=definition)


def failed(snapshot) -> Iterator[Statement]:
    """Yield the failed tests of a report that was run."""
    for test in snapshot.dict()["tests"]:
        if test["status"].value == "FAIL":
            kind = test["name"].partition(":")[0]
            yield Statement(kind, f"{test['name']}. {test['description']}")


if __name__ == "__main__":
    serve(metadata.version("evidently"), examine)
