"""Checks of the model as it is served: loaded again, and called again."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..evidence import Evidence
from ..findings import Finding, Verdict
from ..logits import answers_of
from ..messages import quoted
from . import ALPHA, check

__all__ = ["deterministic", "reload_equal"]

RELATIVE_TOLERANCE = 1e-3
"""Difference allowed between two runs of the same model, as a share of the outputs' size.

Batched float32 kernels may sum in another order from call to call; a difference that size moves
no answer."""


def _difference(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> tuple[bool, float, int]:
    """Return whether two recordings agree, the largest difference, and how many answers changed."""
    changed = int((answers_of(first) != answers_of(second)).sum())
    wide, other = first.astype(np.float64), second.astype(np.float64)
    finite = np.isfinite(wide) & np.isfinite(other)
    # What broke alike in both is for logits_valid to report.
    alike = finite | (np.isnan(wide) & np.isnan(other)) | (wide == other)
    if not alike.all():
        return False, float("inf"), changed
    wide, other = wide[finite], other[finite]
    scale = max(float(np.abs(wide).max(initial=0)), float(np.abs(other).max(initial=0)))
    largest = float(np.abs(wide - other).max(initial=0))
    # The least tolerance absorbs the rounding of outputs that are themselves next to nothing.
    return largest <= max(RELATIVE_TOLERANCE * scale, 1e-5), largest, changed


@check(
    stage="serving",
    needs=["logits", "repeated_logits"],
    causes=["dropout-at-inference"],
)
def deterministic(evidence: Evidence, *, alpha: float = ALPHA) -> Finding:
    """Does an identical second call return the same outputs?

    A fact rather than a test: outputs that differ by more than a thousandth of their size.

    Source: huggingface/transformers#432, dropout left on by model.train() or training=True.
    """
    again = evidence.repeated_logits
    first = evidence.logits[: len(again)]
    if first.shape != again.shape:
        return _other_shape("repeated_logits", first, again, "dropout-at-inference", certain=False)
    same, largest, changed = _difference(first, again)
    stats = {"largest_difference": largest, "changed_answers": changed, "examples": len(again)}
    if same:
        return Finding(
            Verdict.PASSED,
            f"a second call gives the same {len(again)} outputs",
            statistics=stats,
            signs={"calls-differ": False},
        )
    return Finding(
        Verdict.FAILED,
        f"two identical calls differ: {changed}/{len(again)} answers change, "
        f"outputs by up to {largest:.2g}",
        statistics=stats,
        causes=("dropout-at-inference",),
        certain=True,
        fix="call the model with training=False (TensorFlow) or after model.eval() (PyTorch)",
        signs={"calls-differ": True},
    )


@check(
    stage="serving",
    needs=[("reloaded_logits", "unloaded_weights")],
    causes=["weights-not-loaded"],
)
def reload_equal(evidence: Evidence, *, alpha: float = ALPHA) -> Finding:
    """Is the model that is served the one that was trained?

    Facts rather than tests: loading left named weights at random values, or the outputs after
    saving and loading differ by more than a thousandth of their size.

    Source: huggingface/transformers#2770, #11334, an untrained classification head.
    """
    signs: dict[str, bool] = {}
    stats: dict[str, Any] = {}
    problems: list[str] = []
    unloaded = evidence.unloaded_weights
    if unloaded is not None:
        signs["weights-unloaded"] = len(unloaded) > 0
        stats["unloaded_weights"] = [str(name) for name in unloaded]
        if len(unloaded):
            more = f" and {len(unloaded) - 1} more" if len(unloaded) > 1 else ""
            problems.append(f"{quoted(unloaded[0], 30)}{more} left random")
    again = evidence.reloaded_logits
    if again is not None and evidence.logits is not None:
        first = evidence.logits[: len(again)]
        if first.shape != again.shape:
            return _other_shape("reloaded_logits", first, again, "weights-not-loaded", certain=True)
        same, largest, changed = _difference(first, again)
        signs["reload-differs"] = not same
        stats |= {"largest_difference": largest, "changed_answers": changed}
        if not same:
            problems.append(
                f"{changed}/{len(again)} answers change on reload, outputs by up to {largest:.2g}"
            )
    if not signs:
        return Finding(Verdict.SKIPPED, "skipped: needs logits to compare with", needs=("logits",))
    if problems:
        return Finding(
            Verdict.FAILED,
            f"weights not loaded: {'; '.join(problems)}",
            statistics=stats,
            causes=("weights-not-loaded",),
            certain=True,
            fix="load what training saved: from_pretrained(output_dir), not the base checkpoint or "
            "Model(config);\nfail on missing_keys from from_pretrained(..., "
            "output_loading_info=True)",
            signs=signs,
            table=(("left at random values",), *((str(name),) for name in unloaded))
            if unloaded is not None and len(unloaded)
            else (),
        )
    return Finding(
        Verdict.PASSED, "loading gives the same model back", statistics=stats, signs=signs
    )


def _other_shape(
    field: str, first: npt.NDArray[Any], again: npt.NDArray[Any], cause: str, *, certain: bool
) -> Finding:
    return Finding(
        Verdict.FAILED,
        f"{field} has {again.shape[1]} columns, logits has {first.shape[1]}",
        causes=(cause,),
        certain=certain,
        fix="load the model with the num_labels that it was trained with",
    )
