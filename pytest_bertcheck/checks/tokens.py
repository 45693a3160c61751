"""Checks of what the tokenizer makes of the texts."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import statistics
from ..evidence import Evidence
from ..findings import Finding, Verdict
from ..logits import answers_of
from ..messages import count, probability, share
from . import ALPHA, check
from .outputs import demonstrably_good, far_below, in_range

__all__ = ["inputs_distinct", "truncation_harmless"]


@check(
    stage="tokens",
    needs=["token_counts", "kept_token_counts"],
    causes=["truncation-loses-signal"],
)
def truncation_harmless(evidence: Evidence, *, alpha: float = ALPHA) -> Finding:
    """Does what decides the label survive truncation?

    A share of truncated texts proves nothing by itself: a title may decide. Two things do.
    With ``tail_logits``: null hypothesis, a truncated text is at least as often right from its
    first tokens as from its last (exact McNemar). With ``kept_reference_y_pred``: null hypothesis,
    a plain reference model keeps most of its skill on what truncation leaves of the texts, or the
    model under test has most of that skill all the same (both by the test of
    ``not_far_below_reference``; both must reject).
    Fails with probability at most ``alpha`` on a harmless truncation. With neither, answers that
    are demonstrably good (beyond halfway from the majority's share to 1) show that it did no harm.
    """
    total = len(evidence.token_counts)
    cut = evidence.token_counts > evidence.kept_token_counts
    truncated = int(np.count_nonzero(cut))
    kept = int(np.median(evidence.kept_token_counts))
    whole = int(np.median(evidence.token_counts))
    kept_share = float(evidence.kept_token_counts.sum() / max(evidence.token_counts.sum(), 1))
    stats: dict[str, Any] = {
        "truncated": truncated,
        "examples": total,
        "median_tokens": whole,
        "median_kept_tokens": kept,
        "kept_share": kept_share,
        "max_length_for_99_percent": int(np.quantile(evidence.token_counts, 0.99)),
    }
    longest = int(evidence.kept_token_counts.max())
    signs = {
        "truncated": truncated > 0,
        "truncated-mostly": truncated > total / 2,
        "hardly-a-word-kept": truncated > total / 2 and kept_share < 0.1 and kept <= 8,
    }
    if evidence.max_length is not None and truncated:
        # A sequence that was cut fills the limit; a shorter one was cut by something else.
        signs["cut-below-max-length"] = longest < evidence.max_length / 2
    facts = f"{truncated}/{total} texts cut, median {kept} of {whole} tokens kept"
    if not truncated:
        return Finding(
            Verdict.PASSED, f"no text is truncated: {facts}", statistics=stats, signs=signs
        )
    compared: list[tuple[float, str]] = []
    if evidence.tail_logits is not None and evidence.y_true is not None:
        compared.append(_tail_against_head(evidence, cut))
    if _has_reference(evidence):
        compared.append(_kept_against_whole(evidence))
    table = (
        ("tokens", "median", "99th percentile", "max"),
        _quantiles("whole text", evidence.token_counts),
        _quantiles("kept", evidence.kept_token_counts),
    )
    if not compared and demonstrably_good(evidence, alpha):
        return Finding(
            Verdict.PASSED,
            f"truncation or not, the answers are good: {facts}",
            statistics=stats,
            signs=signs,
        )
    if not compared:
        return Finding(
            Verdict.INCONCLUSIVE,
            f"{facts}: whether that hurts takes one of {' or '.join(_SETTLED_BY)}",
            statistics=stats,
            needs=_SETTLED_BY,
            signs=signs,
            table=table,
        )
    p_value, description = min(compared)
    p_value = min(1.0, p_value * len(compared))
    signs["cut-part-decides"] = p_value <= alpha
    if p_value > alpha:
        return Finding(
            Verdict.PASSED,
            f"truncation does no harm that shows: {facts}",
            statistics=stats,
            p_value=p_value,
            signs=signs,
        )
    return Finding(
        Verdict.FAILED,
        f"truncation loses the label: {kept} of {whole} tokens kept; {description}, "
        f"{probability(p_value)}",
        statistics=stats,
        p_value=p_value,
        causes=("truncation-loses-signal",),
        fix=f"max_length={_next_length(stats['max_length_for_99_percent'])} keeps 99% of the texts "
        "whole (512 is BERT's limit);\nor cut the middle: keep the first and the last tokens",
        signs=signs,
        table=table,
    )


_SETTLED_BY = ("tail_logits", "kept_reference_y_pred")


def _tail_against_head(evidence: Evidence, cut: Any) -> tuple[float, str]:
    size = len(evidence.tail_logits)
    rows = np.flatnonzero(cut[:size])
    y_true = evidence.y_true[rows]
    head = evidence.answers[rows] == y_true if evidence.answers is not None else y_true < 0
    tail = answers_of(evidence.tail_logits)[rows] == y_true
    p_value = statistics.paired_worse(int((tail & ~head).sum()), int((head & ~tail).sum()))
    right = f"{share(int(head.sum()), len(rows))} right from the head"
    return p_value, f"{right}, {share(int(tail.sum()), len(rows))} from the tail"


def _has_reference(evidence: Evidence) -> bool:
    fields = (evidence.kept_reference_y_pred, evidence.reference_y_pred, evidence.y_true)
    return all(field is not None for field in fields) and evidence.answers is not None


def _kept_against_whole(evidence: Evidence) -> tuple[float, str]:
    whole, kept = evidence.reference_y_pred, evidence.kept_reference_y_pred
    num_labels = evidence.num_labels or 0
    rows = in_range(num_labels, evidence.y_true, whole)
    if not rows.any():
        return 1.0, ""
    y_true, whole, kept = evidence.y_true[rows], whole[rows], kept[rows]
    p_value = max(
        far_below(y_true, kept, whole, num_labels),
        far_below(y_true, evidence.answers[rows], whole, num_labels),
    )
    total = len(y_true)
    on_kept = share(int((kept == y_true).sum()), total)
    on_whole = share(int((whole == y_true).sum()), total)
    return p_value, f"TF-IDF gets {on_kept} on them, {on_whole} on all"


def _quantiles(name: str, counts: Any) -> tuple[str, ...]:
    numbers = (np.median(counts), np.quantile(counts, 0.99), counts.max())
    return (name, *(f"{int(number):,}" for number in numbers))


def _next_length(tokens: int) -> int:
    return int(min(512, max(8, 8 * np.ceil(tokens / 8))))


@check(
    stage="tokens",
    needs=[("input_ids", "kept_token_counts", "unknown_token_share")],
    causes=["inputs-constant", "vocabulary-mismatch", "truncation-loses-signal"],
)
def inputs_distinct(evidence: Evidence, *, alpha: float = ALPHA) -> Finding:
    """Do different texts reach the model as different inputs?

    Facts rather than tests: of at least two texts, more than 98 % are encoded as the same ids, or
    have nothing but unknown tokens, or no token besides the special ones. Texts that are repeated
    in the data are told from a faulty encoding by ``token_counts``: if the whole texts all have
    the same number of tokens too, they may well be the same.
    """
    signs: dict[str, bool] = {}
    problems: list[str] = []
    causes: list[str] = []
    stats: dict[str, Any] = {}
    total = 0
    if evidence.input_ids is not None:
        ids = evidence.input_ids
        if evidence.attention_mask is not None and evidence.attention_mask.shape == ids.shape:
            ids = np.where(evidence.attention_mask == 1, ids, -1)
        total = len(ids)
        _, times = np.unique(ids, axis=0, return_counts=True)
        most = int(times.max())
        same_texts = (
            evidence.token_counts is not None
            and len(np.unique(evidence.token_counts)) == 1
            and evidence.y_true is None
        )
        stats |= {"distinct_inputs": len(times), "examples": total, "most_repeated": most}
        signs["inputs-equal"] = total > 1 and most > 0.98 * total and not same_texts
        if signs["inputs-equal"]:
            problems.append(f"{most}/{total} texts are encoded as the same ids")
            causes += ["inputs-constant", "truncation-loses-signal"]
    if evidence.kept_token_counts is not None:
        total = len(evidence.kept_token_counts)
        empty = int(np.count_nonzero(evidence.kept_token_counts <= 2))
        stats["empty_inputs"] = empty
        # Not every tokenizer adds special tokens: ids that differ are no empty inputs.
        signs["inputs-empty"] = empty > 0.98 * total and signs.get("inputs-equal", True)
        if signs["inputs-empty"]:
            problems.append(f"{empty}/{total} texts keep no token but the special ones")
            causes.append("inputs-constant")
    if evidence.unknown_token_share is not None:
        total = len(evidence.unknown_token_share)
        unknown = int(np.count_nonzero(evidence.unknown_token_share > 0.5))
        stats["mean_unknown_share"] = float(evidence.unknown_token_share.mean())
        signs["inputs-unknown"] = unknown > 0.98 * total
        signs["unknown-tokens-many"] = unknown > total / 2
        if signs["inputs-unknown"]:
            problems.append(f"{unknown}/{total} texts are mostly [UNK]")
            causes += ["vocabulary-mismatch", "inputs-constant"]
    if problems:
        return Finding(
            Verdict.FAILED,
            f"inputs constant: {'; '.join(problems)}",
            statistics=stats,
            causes=tuple(dict.fromkeys(causes)),
            certain=True,
            fix="encode two different texts and compare their ids; "
            "use the tokenizer that was saved with the model",
            signs=signs,
        )
    told = stats.get("distinct_inputs")
    shown = f"{told:,} distinct among {count(total, 'input')}" if told else "inputs hold tokens"
    return Finding(Verdict.PASSED, f"inputs vary: {shown}", statistics=stats, signs=signs)
