"""The contracts of the BERT pipeline, with fewer examples: each trains."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mailroom import label_bugs, labels
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

pytest.importorskip("tensorflow", reason="needs TensorFlow")

from mailroom import bert_bugs
from mailroom.bert import BertPipeline

MAILS = bst.labelled_texts(max_labels=3, max_size=9, max_words=5)


@given(mails=MAILS)
@settings(max_examples=10)
def test_names_follow_the_training_labels(mails: bst.LabelledTexts) -> None:
    """Renaming the labels of the training mails renames the answers."""
    pipeline = version(fixed=BertPipeline, buggy=bert_bugs.IdsByFirstSight)
    assert_label_permutation_equivariant(pipeline.fit_predict, mails.texts, mails.named_labels)


@given(priorities=st.lists(st.sampled_from(labels.PRIORITIES), min_size=1))
def test_priorities_have_one_id(priorities: list[str]) -> None:
    """A priority comes back from its id, and has the same id in every process."""
    decode = version(fixed=labels.decode_priorities, buggy=label_bugs.decode_priorities)
    assert_encoding_roundtrip(labels.encode_priorities, decode, priorities)


@given(mails=MAILS)
@settings(max_examples=20)
def test_mails_keep_their_answers(mails: bst.LabelledTexts) -> None:
    """Shuffled mails get shuffled scores."""
    pipeline = version(fixed=BertPipeline, buggy=bert_bugs.PaddingUnmasked)
    assert_order_invariant(pipeline().fit(mails.texts, mails.named_labels).scores, mails.texts)


@given(y_true=bst.imbalanced_labels())
def test_the_score_sees_a_collapse(y_true: np.ndarray) -> None:
    """A model that gives every mail the same label is not accepted."""
    metric = version(fixed=worst_recall, buggy=bert_bugs.weighted_f1)
    assert_metric_detects_collapse(metric, y_true)


@given(y_true=bst.imbalanced_labels(max_labels=3))
def test_the_score_sees_a_swap(y_true: np.ndarray) -> None:
    """A model that exchanges two labels is not accepted."""
    metric = version(fixed=worst_recall, buggy=bert_bugs.accuracy)
    assert_metric_detects_swap(metric, y_true)


@given(
    majority_share=st.sampled_from([0.6, 0.75, 0.9]),
    label_names=st.permutations(["billing", "returns"]),
)
@settings(max_examples=6)
def test_rare_labels_are_found(majority_share: float, label_names: list[str]) -> None:
    """Where words decide, the commonest label is not the only answer."""
    pipeline = version(fixed=BertPipeline, buggy=bert_bugs.WeightsByRank)
    assert_survives_imbalance(
        pipeline.fit_predict, majority_share=majority_share, label_names=label_names
    )
