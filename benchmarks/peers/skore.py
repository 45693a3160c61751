"""skore: the checks of an EstimatorReport on the recorded answers.

A flag is a check that skore lists under "Issues"; its tips are advice, not flags.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from skore import EstimatorReport

from .session import Recording, Statement, serve

# They judge features, or fit another model to them; the recordings hold none.
ABOUT_FEATURES = ["SKD009", "SKD010", "SKD011", "SKD012"]


class Recorded(ClassifierMixin, BaseEstimator):
    """A classifier that looks up what was recorded: its one feature is the number of the row.

    Rows of training come first, those of the evaluation set follow.
    """

    def __init__(self, recording=None) -> None:
        self.recording = recording

    def fit(self, X, y):  # noqa: N803 - scikit-learn's names
        """Learn nothing but the classes."""
        self.classes_ = self.recording.classes
        return self

    def predict(self, X):  # noqa: N803
        """Return the recorded answers."""
        rows, training = self._rows(X)
        return (self.recording.train_y_pred if training else self.recording.y_pred)[rows]

    def predict_proba(self, X):  # noqa: N803
        """Return the recorded probabilities."""
        rows, training = self._rows(X)
        recording = self.recording
        return (recording.train_probabilities if training else recording.probabilities)[rows]

    def _rows(self, X):  # noqa: N803
        rows, train = np.asarray(X)[:, 0], len(self.recording.train_y_true)
        return (rows, True) if rows.max() < train else (rows - train, False)


def examine(file: Path) -> Callable[[], Iterator[Statement]]:
    """Read a recording; report on the training rows and on the evaluation set."""
    recording = Recording(file)

    def work() -> Iterator[Statement]:
        train, test = len(recording.train_y_true), len(recording.y_true)
        report = EstimatorReport(
            Recorded(recording),
            X_train=pd.DataFrame({"row": range(train)}),
            y_train=recording.train_y_true,
            X_test=pd.DataFrame({"row": range(train, train + test)}),
            y_test=recording.y_true,
        )
        issues = report.checks.summarize(ignore=ABOUT_FEATURES).frame(section="issue")
        for issue in issues.itertuples():
            yield Statement(issue.title, f"[{issue.code}] {issue.title}. {issue.explanation}")

    return work


if __name__ == "__main__":
    serve(metadata.version("skore"), examine)
