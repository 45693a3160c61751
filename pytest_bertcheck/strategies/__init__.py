"""Hypothesis strategies with which a team tests its own pipeline.

For property tests of the code around the model: label encoding, class weights, sampling, batching,
decoding, metrics, evaluation. They generate the label swaps, imbalances and collapses that break
it, and shrink to the example that a person would have written::

    from hypothesis import given
    from pytest_bertcheck import strategies as bst


    @given(bst.imbalanced_labels(min_majority=0.9))
    def test_every_label_gets_a_weight(labels):
        assert set(class_weights(labels)) == set(labels)

They keep to the conventions of Hypothesis: names are plural; every argument has a default; a bound
may be given alone, and a default gives way to it; arguments say which values are valid, never how
often; what cannot be is an ``InvalidArgument`` with advice, raised where the strategy is made. Each
strategy documents what it shrinks to. Where an argument takes a strategy, it takes nothing else.

The arrays of an example are made by NumPy from a few drawn integers, the noise among them from a
generator that is seeded with one: nothing touches global random state.
"""

from __future__ import annotations

from .bundles import FAULTS, evidences
from .decoding import MISTAKES, DecodingFault, decoding_faults
from .labels import (
    MAPPING_FLAWS,
    LabelMapping,
    LabelSwap,
    imbalanced_labels,
    inconsistent_label_mappings,
    label_mappings,
    label_names,
    label_swaps,
)
from .outputs import COLLAPSES, classifier_outputs, collapsed_outputs
from .texts import POSITIONS, LabelledTexts, labelled_texts
from .training import COURSES, TrainingHistory, training_histories

__all__ = [
    "COLLAPSES",
    "COURSES",
    "FAULTS",
    "MAPPING_FLAWS",
    "MISTAKES",
    "POSITIONS",
    "DecodingFault",
    "LabelMapping",
    "LabelSwap",
    "LabelledTexts",
    "TrainingHistory",
    "classifier_outputs",
    "collapsed_outputs",
    "decoding_faults",
    "evidences",
    "imbalanced_labels",
    "inconsistent_label_mappings",
    "label_mappings",
    "label_names",
    "label_swaps",
    "labelled_texts",
    "training_histories",
]
