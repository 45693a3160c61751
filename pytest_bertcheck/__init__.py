"""Find out in a pull request why a text classifier collapsed, or is mislabelled.

The public API. Names are imported when they are first used (PEP 562): pytest imports this package
on every run of every project that has the plugin installed.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_MODULES = {
    "assertions": (
        "InconclusiveWarning",
        "assert_accuracy_as_reported",
        "assert_attention_mask_valid",
        "assert_batch_invariant",
        "assert_beats_majority",
        "assert_classes_balanced",
        "assert_decoding_consistent",
        "assert_deterministic",
        "assert_every_class_predicted",
        "assert_few_negative_flips",
        "assert_inputs_distinct",
        "assert_label_mapping_consistent",
        "assert_labels_clean",
        "assert_labels_informative",
        "assert_labels_not_swapped",
        "assert_labels_valid",
        "assert_learning_rate_schedule",
        "assert_logits_valid",
        "assert_loss_matches_outputs",
        "assert_metric_at_least",
        "assert_no_class_regression",
        "assert_no_regression",
        "assert_not_collapsed",
        "assert_not_far_below_reference",
        "assert_not_far_below_validation",
        "assert_overfits_small_batch",
        "assert_padding_invariant",
        "assert_predictions_aligned",
        "assert_reload_equal",
        "assert_splits_consistent",
        "assert_training_data_shuffled",
        "assert_training_progressed",
        "assert_truncation_harmless",
        "assert_vocabulary_matches",
        "assert_weights_updated",
    ),
    "checks": ("required_examples",),
    "contracts": (
        "assert_encoding_roundtrip",
        "assert_label_permutation_equivariant",
        "assert_metric_detects_collapse",
        "assert_metric_detects_swap",
        "assert_order_invariant",
        "assert_survives_imbalance",
    ),
    "diagnosis": ("diagnose",),
    "evidence": ("Evidence",),
    "findings": ("Cause", "Diagnosis", "Finding", "Verdict"),
    "pipeline": ("Pipeline",),
    "suite": ("check_pipeline", "parametrize_with_checks"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

if TYPE_CHECKING:
    from . import strategies as strategies
    from .assertions import InconclusiveWarning as InconclusiveWarning
    from .assertions import assert_accuracy_as_reported as assert_accuracy_as_reported
    from .assertions import assert_attention_mask_valid as assert_attention_mask_valid
    from .assertions import assert_batch_invariant as assert_batch_invariant
    from .assertions import assert_beats_majority as assert_beats_majority
    from .assertions import assert_classes_balanced as assert_classes_balanced
    from .assertions import assert_decoding_consistent as assert_decoding_consistent
    from .assertions import assert_deterministic as assert_deterministic
    from .assertions import assert_every_class_predicted as assert_every_class_predicted
    from .assertions import assert_few_negative_flips as assert_few_negative_flips
    from .assertions import assert_inputs_distinct as assert_inputs_distinct
    from .assertions import assert_label_mapping_consistent as assert_label_mapping_consistent
    from .assertions import assert_labels_clean as assert_labels_clean
    from .assertions import assert_labels_informative as assert_labels_informative
    from .assertions import assert_labels_not_swapped as assert_labels_not_swapped
    from .assertions import assert_labels_valid as assert_labels_valid
    from .assertions import assert_learning_rate_schedule as assert_learning_rate_schedule
    from .assertions import assert_logits_valid as assert_logits_valid
    from .assertions import assert_loss_matches_outputs as assert_loss_matches_outputs
    from .assertions import assert_metric_at_least as assert_metric_at_least
    from .assertions import assert_no_class_regression as assert_no_class_regression
    from .assertions import assert_no_regression as assert_no_regression
    from .assertions import assert_not_collapsed as assert_not_collapsed
    from .assertions import assert_not_far_below_reference as assert_not_far_below_reference
    from .assertions import assert_not_far_below_validation as assert_not_far_below_validation
    from .assertions import assert_overfits_small_batch as assert_overfits_small_batch
    from .assertions import assert_padding_invariant as assert_padding_invariant
    from .assertions import assert_predictions_aligned as assert_predictions_aligned
    from .assertions import assert_reload_equal as assert_reload_equal
    from .assertions import assert_splits_consistent as assert_splits_consistent
    from .assertions import assert_training_data_shuffled as assert_training_data_shuffled
    from .assertions import assert_training_progressed as assert_training_progressed
    from .assertions import assert_truncation_harmless as assert_truncation_harmless
    from .assertions import assert_vocabulary_matches as assert_vocabulary_matches
    from .assertions import assert_weights_updated as assert_weights_updated
    from .checks import required_examples as required_examples
    from .contracts import assert_encoding_roundtrip as assert_encoding_roundtrip
    from .contracts import (
        assert_label_permutation_equivariant as assert_label_permutation_equivariant,
    )
    from .contracts import assert_metric_detects_collapse as assert_metric_detects_collapse
    from .contracts import assert_metric_detects_swap as assert_metric_detects_swap
    from .contracts import assert_order_invariant as assert_order_invariant
    from .contracts import assert_survives_imbalance as assert_survives_imbalance
    from .diagnosis import diagnose as diagnose
    from .evidence import Evidence as Evidence
    from .findings import Cause as Cause
    from .findings import Diagnosis as Diagnosis
    from .findings import Finding as Finding
    from .findings import Verdict as Verdict
    from .pipeline import Pipeline as Pipeline
    from .suite import check_pipeline as check_pipeline
    from .suite import parametrize_with_checks as parametrize_with_checks

__all__ = ["strategies"]
__all__ += list(_HOME)


def __getattr__(name: str) -> Any:
    if name == "strategies":
        return importlib.import_module(".strategies", __name__)
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    if name == "Evidence":
        register_with_hypothesis()
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def register_with_hypothesis() -> None:
    """Let ``st.from_type(Evidence)`` draw healthy bundles: the entry point of Hypothesis.

    Hypothesis calls it when it is imported, which its plugin does on every run; registering takes
    the type, whose module imports NumPy. So whichever of the two is imported last registers.
    """
    if "Evidence" in globals() and "hypothesis" in sys.modules:
        from hypothesis import strategies as st

        def healthy(_: object) -> st.SearchStrategy[Evidence]:
            from .strategies import evidences

            return evidences()

        st.register_type_strategy(globals()["Evidence"], healthy)
