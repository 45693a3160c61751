"""Properties of the team's own code around the models."""

import json
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from mailroom import label_bugs, labels
from mailroom.versions import version

from pytest_bertcheck import strategies as bst


@given(y_train=bst.imbalanced_labels(max_labels=2))
def test_rare_labels_never_weigh_less(y_train: np.ndarray) -> None:
    """The rarer of two labels has the larger weight, or the same."""
    weights = version(fixed=labels, buggy=label_bugs).class_weights(y_train.tolist())
    common, rare = (label for label, _ in Counter(y_train.tolist()).most_common())
    assert weights[rare] >= weights[common]


@given(rows=st.lists(st.integers()), size=st.integers(1, 8))
def test_batches_hold_every_row_once(rows: list[int], size: int) -> None:
    """Put together again, the batches are the rows."""
    batches = version(fixed=labels, buggy=label_bugs).batches(rows, size)
    assert [row for batch in batches for row in batch] == rows


@given(mapping=bst.label_mappings())
def test_names_by_id_outlive_a_file(mapping: bst.LabelMapping) -> None:
    """What was saved with a model is loaded as it was: JSON makes keys into strings."""
    loaded = version(fixed=labels.saved_and_loaded, buggy=lambda m: json.loads(json.dumps(m)))
    assert loaded(mapping.id2label) == mapping.id2label
