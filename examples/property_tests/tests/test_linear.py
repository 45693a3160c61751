"""The contracts of the linear pipeline."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from mailroom import label_bugs, labels, linear_bugs
from mailroom.linear import LinearPipeline
from mailroom.metrics import worst_recall
from mailroom.versions import version

from pytest_bertcheck import strategies as bst
from pytest_bertcheck.contracts import (
    assert_encoding_roundtrip,
    assert_label_permutation_equivariant,
    assert_metric_detects_collapse,
    assert_metric_detects_swap,
    assert_order_invariant,
    assert_survives_imbalance,
)

MAILS = bst.labelled_texts(max_labels=3, max_size=9)


@given(mails=MAILS)
def test_names_follow_the_training_labels(mails: bst.LabelledTexts) -> None:
    """Renaming the labels of the training mails renames the answers."""
    pipeline = version(fixed=LinearPipeline, buggy=linear_bugs.NamesByFirstSight)
    assert_label_permutation_equivariant(pipeline.fit_predict, mails.texts, mails.named_labels)


@given(desks=st.lists(st.sampled_from(labels.DESKS), min_size=1))
def test_desks_have_one_id(desks: list[str]) -> None:
    """A desk comes back from its id, and has the same id in every process."""
    module = version(fixed=labels, buggy=label_bugs)
    assert_encoding_roundtrip(module.encode, module.decode, desks)


@given(mails=MAILS)
def test_mails_keep_their_answers(mails: bst.LabelledTexts) -> None:
    """Shuffled mails get shuffled scores."""
    pipeline = version(fixed=LinearPipeline, buggy=linear_bugs.SortedByLength)
    assert_order_invariant(pipeline().fit(mails.texts, mails.named_labels).scores, mails.texts)


@given(y_true=bst.imbalanced_labels())
def test_the_score_sees_a_collapse(y_true: np.ndarray) -> None:
    """A model that gives every mail the same label is not accepted."""
    metric = version(fixed=worst_recall, buggy=linear_bugs.accuracy)
    assert_metric_detects_collapse(metric, y_true)


@given(y_true=bst.imbalanced_labels(max_labels=2))
def test_the_score_sees_a_swap(y_true: np.ndarray) -> None:
    """A model that exchanges two labels is not accepted."""
    metric = version(fixed=worst_recall, buggy=linear_bugs.auc_either_way)
    assert_metric_detects_swap(metric, y_true)


@given(majority_share=st.sampled_from([0.6, 0.7, 0.8, 0.9, 0.95]))
def test_rare_labels_are_found(majority_share: float) -> None:
    """Where words decide, the commonest label is not the only answer."""
    pipeline = version(fixed=LinearPipeline, buggy=linear_bugs.WeightsOfTheCommon)
    assert_survives_imbalance(pipeline.fit_predict, majority_share=majority_share)
