"""cleanlab: Datalab's audit of the labels of the evaluation set, and of those of training.

A flag is an issue type of which Datalab reports at least one row at its default thresholds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from cleanlab import Datalab

from .session import Recording, Statement, serve


def examine(file: Path) -> Callable[[], Iterator[Statement]]:
    """Read a recording; audit what cleanlab asks for, labels with out-of-sample probabilities."""
    recording = Recording(file)

    def work() -> Iterator[Statement]:
        yield from audit("evaluation", recording.y_true, pred_probs=recording.probabilities)
        yield from audit("training", recording.y_train)

    return work


def audit(where: str, labels, **inputs) -> Iterator[Statement]:
    """Yield the issues of one set of labels, the most frequent first."""
    lab = Datalab({"label": labels}, label_name="label", verbosity=0)
    lab.find_issues(**inputs)
    summary = lab.get_issue_summary().sort_values("num_issues", ascending=False)
    for issue in summary.itertuples():
        if issue.num_issues:
            text = f"{issue.num_issues} of {len(labels)} {where} examples: {issue.issue_type} issue"
            yield Statement(f"{where} {issue.issue_type}", text, int(issue.num_issues))


if __name__ == "__main__":
    serve(metadata.version("cleanlab"), examine)
