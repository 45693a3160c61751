"""Properties of the team's own code around the models."""

import json
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from mailroom import label_bugs, labels
from mailroom.versions import version
from strategies import imbalanced_labels, label_mappings


@given(y_train=imbalanced_labels())
def test_rare_labels_never_weigh_less(y_train: list[str]) -> None:
    """The rarer of two labels has the larger weight, or the same."""
    weights = version(fixed=labels, buggy=label_bugs).class_weights(y_train)
    common, rare = (label for label, _ in Counter(y_train).most_common())
    assert weights[rare] >= weights[common]


@given(rows=st.lists(st.integers()), size=st.integers(1, 8))
def test_batches_hold_every_row_once(rows: list[int], size: int) -> None:
    """Put together again, the batches are the rows."""
    batches = version(fixed=labels, buggy=label_bugs).batches(rows, size)
    assert [row for batch in batches for row in batch] == rows


@given(id2label=label_mappings())
def test_names_by_id_outlive_a_file(id2label: dict[int, str]) -> None:
    """What was saved with a model is loaded as it was: JSON makes keys into strings."""
    loaded = version(fixed=labels.saved_and_loaded, buggy=lambda m: json.loads(json.dumps(m)))
    assert loaded(id2label) == id2label
