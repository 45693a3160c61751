"""Checks of the model as it is served: loaded again, and called again in another way."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats as scipy_stats

from .. import statistics
from ..evidence import Evidence
from ..findings import Finding, Verdict
from ..logits import answers_of
from ..messages import count, quoted
from . import ALPHA, check

__all__ = ["batch_invariant", "deterministic", "padding_invariant", "reload_equal"]

RELATIVE_TOLERANCE = 1e-3
"""Difference allowed between two runs of the same model, as a share of the outputs' size.

Batched float32 kernels may sum in another order from call to call; a difference that size moves
no answer."""

BLOWN_UP_SPAN = 1000
"""Span of logits beyond which the weights behind them magnify rounding: a trained classifier's
span some 20, and one that a learning rate has blown up tens of thousands."""


def difference(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> tuple[bool, float, int]:
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
    causes=["dropout-at-inference", "labels-misaligned", "wrong-tensor-decoded"],
)
def deterministic(evidence: Evidence, *, alpha: float = ALPHA) -> Finding:
    """Does an identical second call return the same outputs?

    A fact rather than a test: outputs that differ by more than a thousandth of their size. Each row
    of one call is another row of the other, and only that one: the order is lost
    (``labels-misaligned``). Each row differs a little from itself: dropout, a fact where rows are
    closer to themselves than to most others (one-sided sign test at ``alpha`` of 'no closer').
    Else it may be either.

    Source: huggingface/transformers#432, dropout left on by model.train() or training=True;
    keras#6499, a generator that shuffles at every call.
    """
    again = evidence.repeated_logits
    first = evidence.logits[: len(again)]
    if first.shape != again.shape:
        return _other_shape("repeated_logits", first, again)
    same, largest, changed = difference(first, again)
    stats = {"largest_difference": largest, "changed_answers": changed, "examples": len(again)}
    if same:
        return Finding(
            Verdict.PASSED,
            f"a second call gives the same {len(again)} outputs",
            statistics=stats,
            signs={"calls-differ": False},
        )
    signs = {"calls-differ": True}
    moved = _rows_moved(again, evidence.logits, "a second call", stats, signs)
    if moved is not None:
        return moved
    around_themselves = _closer_to_themselves(first, again, alpha)
    return Finding(
        Verdict.FAILED,
        f"two identical calls differ: {changed}/{len(again)} answers change, "
        f"outputs by up to {largest:.2g}",
        statistics=stats,
        causes=("dropout-at-inference",)
        if around_themselves
        else ("dropout-at-inference", "labels-misaligned"),
        certain=around_themselves,
        fix="call the model with training=False (TensorFlow) or after model.eval() (PyTorch)",
        signs=signs,
    )


def _closer_to_themselves(first: npt.NDArray[Any], again: npt.NDArray[Any], alpha: float) -> bool:
    """Whether rows of a second call are nearer to the same rows of the first than to others."""
    few, first = again[:MOST_COMPARED], first[:MOST_COMPARED]
    if len(few) < 2 or not (np.isfinite(first).all() and np.isfinite(few).all()):
        return False
    distances = np.abs(few[:, None].astype(np.float64) - first).sum(axis=2)
    own = distances.diagonal()
    others = distances[~np.eye(len(few), dtype=bool)].reshape(len(few), -1)
    nearer = int((own < np.median(others, axis=1)).sum())
    return statistics.binomial_at_least(nearer, len(few), 0.5) <= alpha


MOST_COMPARED = 64
"""Rows of two calls that are compared each with each."""


def _rows_moved(
    again: npt.NDArray[Any],
    logits: npt.NDArray[Any],
    when: str,
    stats: dict[str, Any],
    signs: dict[str, bool],
) -> Finding | None:
    """Return the finding that rows come in another order, if that is what differs."""
    moved = _rows_of_others(again, logits)
    if not moved:
        return None
    return Finding(
        Verdict.FAILED,
        f"rows misaligned: {when} gives {moved}/{len(again)} texts the outputs of another row",
        statistics={**stats, "rows_of_others": moved},
        causes=("labels-misaligned",),
        certain=True,
        fix="predict with shuffle=False; put gathered batches back in the order of the texts",
        signs={**signs, "rows-of-others": True},
    )


@check(
    stage="serving",
    needs=[("reloaded_logits", "unloaded_weights")],
    causes=["weights-not-loaded"],
)
def reload_equal(evidence: Evidence, *, alpha: float = ALPHA) -> Finding:
    """Is the model that is served the one that was trained?

    Facts rather than tests: loading left named weights at random values, or the outputs after
    saving and loading differ by more than a thousandth of their size. If identical calls differ
    already, the outputs prove nothing.

    Source: huggingface/transformers#2770, #11334, an untrained classification head.
    """
    signs: dict[str, bool] = {}
    stats: dict[str, Any] = {}
    problems: list[str] = []
    calls_differ = False
    unloaded = evidence.unloaded_weights
    if unloaded is not None:
        signs["weights-unloaded"] = len(unloaded) > 0
        stats["unloaded_weights"] = [str(name) for name in unloaded]
        if len(unloaded):
            such_as = ", such as" if len(unloaded) > 1 else ":"
            problems.append(f"{len(unloaded)} left random{such_as} {quoted(unloaded[0], 20)}")
    again = evidence.reloaded_logits
    if again is not None and evidence.logits is not None:
        first = evidence.logits[: len(again)]
        if first.shape != again.shape:
            return _other_shape("reloaded_logits", first, again)
        same, largest, changed = difference(first, again)
        # A call that shuffles, or drops units, does so with any weights.
        calls_differ = not same and (
            bool(_calls_differ(evidence)) or _rows_of_others(again, evidence.logits) > 0
        )
        if not calls_differ:
            signs["reload-differs"] = not same
        stats |= {"largest_difference": largest, "changed_answers": changed}
        if not same and not calls_differ:
            size = "" if problems else f" on reload, outputs by up to {largest:.2g}"
            problems.append(f"{changed}/{len(again)} answers change{size}")
    if calls_differ and not problems:
        return Finding(
            Verdict.INCONCLUSIVE,
            "outputs change on reload, but so they do without: see deterministic, batch_invariant",
            statistics=stats,
            signs=signs,
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


def _other_shape(field: str, first: npt.NDArray[Any], again: npt.NDArray[Any]) -> Finding:
    reloaded = field == "reloaded_logits"
    return Finding(
        Verdict.FAILED,
        f"{field} has {again.shape[1]} columns, logits has {first.shape[1]}",
        causes=("weights-not-loaded" if reloaded else "wrong-tensor-decoded",),
        certain=reloaded,
        fix="load the model with the num_labels that it was trained with"
        if reloaded
        else "take outputs.logits in both calls, not hidden states or a tuple element",
    )


KERNEL_TOLERANCE = 0.03
"""Difference, as a share of the outputs' size, up to which another batch may be to blame.

In half precision (bfloat16 has 8 bits of mantissa) and under quantisation by batch, a batch of one
is computed by other kernels; over the layers that adds up to a few hundredths. Padding that is
not masked moves the outputs of the same model by more."""


def _calls_differ(evidence: Evidence) -> bool | None:
    """Whether two identical calls differ already; ``None`` if nobody looked."""
    again = evidence.repeated_logits
    if again is None or evidence.logits[: len(again)].shape != again.shape:
        return None
    return not difference(evidence.logits[: len(again)], again)[0]


@check(
    stage="serving",
    needs=["logits", "padded_logits"],
    causes=["attention-mask-ignored", "dropout-at-inference", "wrong-tensor-decoded"],
)
def padding_invariant(evidence: Evidence, *, alpha: float = ALPHA) -> Finding:
    """Do the outputs stay the same when the inputs are padded further?

    A fact rather than a test: outputs that differ by more than 3 % of their size, in more than half
    of the rows by more than 0.1 %. It is the fact that padding is not masked if ``repeated_logits``
    shows that identical calls agree; else dropout may be to blame. A difference between 0.1 % and
    3 % is undecided, since kernels in half precision may differ by that much; so are one in few
    rows, where padding would change all, and one in logits that span over 1,000: weights that
    training has blown up magnify the rounding by which sums of other lengths differ.

    Source: huggingface/transformers#278, #1948, padding that was fed without its mask.
    """
    return _against(evidence, "padded_logits", "padding-changes-outputs", "more padding")


@check(
    stage="serving",
    needs=["logits", "rebatched_logits"],
    causes=[
        "attention-mask-ignored",
        "labels-misaligned",
        "loss-misconfigured",
        "dropout-at-inference",
        "wrong-tensor-decoded",
    ],
)
def batch_invariant(evidence: Evidence, *, alpha: float = ALPHA) -> Finding:
    """Does a text get the same outputs alone as in a batch?

    Facts rather than tests, with the tolerances of ``padding_invariant``. What differs tells why:
    each row alone is another row of the batch, and only that one (``labels-misaligned``); alone
    all outputs are 1 and over the batches the columns sum to whole numbers, which is a softmax
    over the batch (``loss-misconfigured``); the rows that were padded differ and the others do not
    (``attention-mask-ignored``; one-sided Fisher's exact test at ``alpha`` of 'which rows differ
    has nothing to do with padding', by ``kept_token_counts`` or the mask). If identical calls
    differ already, batches prove nothing.

    Source: keras#6499, #11427 (shuffled generators), mrdbourke/pytorch-deep-learning#163 (softmax
    over the batch), huggingface/transformers#278 (padding not masked).
    """
    alone = evidence.rebatched_logits
    batched = evidence.logits[: len(alone)]
    if batched.shape == alone.shape and not _calls_differ(evidence):
        same, largest, changed = difference(batched, alone)
        stats = {"largest_difference": largest, "changed_answers": changed, "examples": len(alone)}
        signs = {"batch-changes-outputs": True}
        if not same:
            moved = _rows_moved(alone, evidence.logits, "one at a time", stats, signs)
            if moved is not None:
                return moved
        if not same and _softmax_over_batch(alone, evidence.logits):
            return Finding(
                Verdict.FAILED,
                f"softmax over the batch: alone, all outputs of {count(len(alone), 'text')} are 1",
                statistics=stats,
                causes=("loss-misconfigured",),
                certain=True,
                fix="softmax over the labels: axis=-1 (TensorFlow), dim=-1 (PyTorch)",
                signs=signs,
            )
        rounded = same or _span(batched) > BLOWN_UP_SPAN
        padded = None if rounded else _padded_rows_differ(evidence, batched, alone, alpha)
        if padded:
            differing, unpadded = padded
            return Finding(
                Verdict.FAILED,
                f"padding changes outputs: {differing} padded texts differ alone, none of "
                f"{unpadded} unpadded ones does",
                statistics=stats,
                causes=("attention-mask-ignored",),
                certain=True,
                fix=_SEND_MASK,
                signs={**signs, "padded-rows-differ": True},
            )
    return _against(evidence, "rebatched_logits", "batch-changes-outputs", "another batch")


_SEND_MASK = "pass attention_mask=encoding['attention_mask'] to the model, in training and after"


def _against(evidence: Evidence, field: str, sign: str, change: str) -> Finding:
    """Compare ``logits`` with the same rows under a change that must not matter."""
    again = getattr(evidence, field)
    first = evidence.logits[: len(again)]
    if first.shape != again.shape:
        return _other_shape(field, first, again)
    same, largest, changed = difference(first, again)
    stats = {"largest_difference": largest, "changed_answers": changed, "examples": len(again)}
    if same:
        return Finding(
            Verdict.PASSED,
            f"{change} leaves {len(again)} outputs as they are",
            statistics=stats,
            signs={sign: False},
        )
    calls_differ = _calls_differ(evidence)
    if calls_differ:
        return Finding(
            Verdict.INCONCLUSIVE,
            f"{change} changes outputs, but so does an identical call: see deterministic",
            statistics=stats,
        )
    # Against what is common to a row the size would hide what decides between the labels.
    scale = _span(first)
    if largest <= KERNEL_TOLERANCE * scale:
        return Finding(
            Verdict.INCONCLUSIVE,
            f"{change} changes outputs by up to {largest:.2g}: half precision, or padding?",
            statistics=stats,
            fix="run both calls in float32: what differs still is not half precision",
        )
    blown_up = scale > BLOWN_UP_SPAN
    differing = _rows_that_differ(first, again, RELATIVE_TOLERANCE * scale)
    if blown_up or (field == "padded_logits" and 2 * differing <= len(again)):
        why = "outputs so large magnify rounding" if blown_up else "padding would change them all"
        return Finding(
            Verdict.INCONCLUSIVE,
            f"{change} changes {differing}/{len(again)} outputs, by up to {largest:.2g}: {why}",
            statistics=stats,
            fix="call once more in float64: what rounding does is gone, what padding does is not",
        )
    likely = ("attention-mask-ignored", "dropout-at-inference")
    certain = field == "padded_logits" and calls_differ is False
    return Finding(
        Verdict.FAILED,
        f"{change} changes {changed}/{len(again)} answers, outputs by up to {largest:.2g}",
        statistics=stats,
        causes=likely[:1] if calls_differ is False else likely,
        certain=certain,
        fix=_SEND_MASK,
        signs={sign: True},
    )


def _span(outputs: npt.NDArray[Any]) -> float:
    finite = outputs[np.isfinite(outputs)].astype(np.float64)
    return float(np.ptp(finite)) if finite.size else 0.0


def _rows_that_differ(first: npt.NDArray[Any], again: npt.NDArray[Any], tolerance: float) -> int:
    with np.errstate(invalid="ignore"):  # infinity less infinity: what is not finite differs
        largest = np.abs(first.astype(np.float64) - again.astype(np.float64)).max(axis=1)
    return int(np.count_nonzero(~(largest <= tolerance)))


def _rows_of_others(alone: npt.NDArray[Any], batch: npt.NDArray[Any]) -> int:
    """Count the rows that alone are another row of the batch; 0 unless every row is found in it.

    A row that has a double in the batch would prove nothing, so each must be found exactly once.
    """
    if not (np.isfinite(alone).all() and np.isfinite(batch).all()):
        return 0
    tolerance = 1e-5 * max(float(np.abs(batch).max()), 1.0)
    moved = 0
    for row, outputs in enumerate(alone):
        found = np.flatnonzero((np.abs(batch - outputs) <= tolerance).all(axis=1))
        if len(found) == 0 or (row not in found and len(found) > 1):
            return 0
        moved += row not in found
    return moved if moved > 1 else 0


def _softmax_over_batch(alone: npt.NDArray[Any], batch: npt.NDArray[Any]) -> bool:
    if batch.shape[1] < 2 or not np.allclose(alone, 1, rtol=0, atol=1e-5):
        return False
    sums = batch.sum(axis=0, dtype=np.float64)
    batches = np.round(sums[0])
    return bool(batches >= 1 and np.allclose(sums, batches, rtol=1e-3))


def _padded_rows_differ(
    evidence: Evidence, batched: npt.NDArray[Any], alone: npt.NDArray[Any], alpha: float
) -> tuple[int, int] | None:
    """Return how many padded rows differ and how many unpadded ones there are, if that is it."""
    counts = evidence.kept_token_counts
    if evidence.attention_mask is not None and not evidence.attention_mask.all():
        counts = evidence.attention_mask.sum(axis=1)
    if counts is None or not (np.isfinite(batched).all() and np.isfinite(alone).all()):
        return None
    unpadded = counts[: len(alone)] == counts.max()
    wide, other = batched.astype(np.float64), alone.astype(np.float64)
    differs = np.abs(wide - other).max(axis=1) > RELATIVE_TOLERANCE * np.abs(wide).max()
    if (differs & unpadded).any():
        return None
    cells = [
        [np.count_nonzero(differs), 0],
        [np.count_nonzero(~differs & ~unpadded), np.count_nonzero(unpadded)],
    ]
    p_value = scipy_stats.fisher_exact(cells, alternative="greater")[1]
    return (int(differs.sum()), int(unpadded.sum())) if p_value <= alpha else None
