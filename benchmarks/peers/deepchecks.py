"""deepchecks: its suite for model evaluation, label drift, and weak segments by counts of tokens.

A flag is a condition that did not pass, warnings included: so does ``SuiteResult.passed()`` count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pandas as pd
from deepchecks.tabular import Dataset, Suite
from deepchecks.tabular.checks import LabelDrift, WeakSegmentsPerformance
from deepchecks.tabular.suites import model_evaluation

from .session import Recording, Statement, serve

# Nothing is known of the texts of training rows: so the suite that compares both sets has no
# feature but the number of the row, and segments are looked for in the evaluation set alone.
BOTH_SETS = Suite(
    "evaluation", model_evaluation(), LabelDrift().add_condition_drift_score_less_than()
)
ONE_SET = Suite(
    "segments",
    WeakSegmentsPerformance().add_condition_segments_relative_performance_greater_than(),
)


def examine(file: Path) -> Callable[[], Iterator[Statement]]:
    """Read a recording; judge the answers against training, and segments by length of text."""
    recording = Recording(file)

    def work() -> Iterator[Statement]:
        n, k = len(recording.y_true), len(recording.train_y_true)
        result = BOTH_SETS.run(
            dataset(
                pd.DataFrame({"row": range(n, n + k)}, range(n, n + k)), recording.train_y_true
            ),
            dataset(pd.DataFrame({"row": range(n)}), recording.y_true),
            y_pred_train=recording.train_y_pred,
            y_pred_test=recording.y_pred,
            y_proba_train=recording.train_probabilities,
            y_proba_test=recording.probabilities,
            model_classes=recording.classes.tolist(),
            with_display=False,
        )
        yield from not_passed(result)
        result = ONE_SET.run(  # a single set is the first argument, whatever that is called
            dataset(pd.DataFrame(recording.tokens), recording.y_true),
            y_pred_train=recording.y_pred,
            y_proba_train=recording.probabilities,
            model_classes=recording.classes.tolist(),
            with_display=False,
        )
        yield from not_passed(result)

    return work


def dataset(features: pd.DataFrame, labels) -> Dataset:
    """Return one set of rows, all features being numbers."""
    return Dataset(features, label=pd.Series(labels, features.index), cat_features=[])


def not_passed(result) -> Iterator[Statement]:
    """Yield the conditions of a suite that did not pass."""
    for check in result.get_not_passed_checks():
        for condition in check.conditions_results:
            if not condition.is_pass():
                text = f"{check.get_header()}: {condition.name}: {condition.details}"
                yield Statement(check.check.name(), text)


if __name__ == "__main__":
    serve(metadata.version("deepchecks"), examine)
