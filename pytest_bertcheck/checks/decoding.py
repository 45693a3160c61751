"""Checks of how outputs are turned into labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import correlate
from scipy.special import expit

from .. import statistics
from ..evidence import Evidence
from ..findings import Finding, Verdict
from ..messages import count, probability, safe, share
from ..statistics import Confusion
from . import ALPHA, check, reject_health
from .outputs import argmax_decoded, in_range, label_weights, not_one_label_each
from .serving import difference

__all__ = ["Mistake", "decoding_consistent", "known_mistakes", "predictions_aligned"]

Array = npt.NDArray[Any]

ARGMAX_LINE = "y_pred = outputs.logits.argmax(axis=-1)  # one label per row, shape (n,)"
CUT_LINE = "y_pred = (outputs.logits[:, 0] > 0).astype(int)  # > 0.5 if it is a probability"
MOST_BATCH_SIZES = 64


@dataclass(frozen=True)
class Mistake:
    """A known way to decode wrongly, and what it gives for these outputs."""

    causes: tuple[str, ...]
    description: str
    answers: Callable[[], Array | None]

    @property
    def proves_itself(self) -> bool:
        """Whether giving the answers makes it a fact: one described by 'perhaps' only fits them."""
        return "perhaps" not in self.description


@check(
    stage="decoding",
    needs=["logits", "y_pred"],
    causes=[
        "argmax-wrong-axis",
        "wrong-tensor-decoded",
        "threshold-on-logits",
        "argmin-decoded",
        "label-mapping-swapped",
        "labels-misaligned",
        "label-out-of-range",
        "loss-misconfigured",
    ],
)
def decoding_consistent(evidence: Evidence, *, alpha: float = ALPHA) -> Finding:
    """Are the pipeline's answers the argmax of its outputs, and if not, which mistake was made?

    A fact rather than a test where the number of answers is not the number of examples or an id
    cannot be a label, and where a known mistake gives every single answer. Where ``y_pred``
    differs from the argmax and ``y_true`` is known, the check fails only if the difference costs
    accuracy and balanced accuracy: null hypothesis, of the rows on which exactly one of the two is
    right, ``y_pred`` is right on at least half (exact McNemar), or on rows of at least half the
    weight, all labels weighing the same (by betting on each row); both must reject. If only the
    first does, and balanced accuracy is lower all the same, it is inconclusive: rare labels have
    too few rows to tell. A threshold tuned for a rare label or a mapping between two label orders
    that helps is a decision, not a mistake. Without ``y_true``, a difference that no known mistake
    explains is inconclusive.
    """
    logits, y_pred = evidence.logits, evidence.y_pred
    num_labels = evidence.num_labels or logits.shape[1]
    plain = evidence.argmax
    rows = len(logits)
    if len(y_pred) == rows and bool((y_pred == plain).all()) and logits.shape[1] > 1:
        return Finding(
            Verdict.PASSED,
            f"all {rows} answers are the argmax of their outputs",
            statistics={"differing": 0},
            signs={"decoding-differs": False},
        )
    one_each = len(y_pred) == rows
    differing = _differing(logits, y_pred, plain) if one_each else rows
    outside = int(np.count_nonzero((y_pred < 0) | (y_pred >= num_labels)))
    stats: dict[str, Any] = {"answers": len(y_pred), "examples": rows, "differing": differing}
    if not differing and not outside:
        kind = "equals the argmax" if logits.shape[1] > 1 else "is the output cut at one half"
        return Finding(
            Verdict.PASSED,
            f"every one of {rows} answers {kind}",
            statistics=stats,
            signs={"decoding-differs": False},
        )
    summary = (
        f"decoding inconsistent: {count(len(y_pred), 'answer')} for {count(rows, 'example')}"
        if not one_each
        else f"decoding inconsistent: {outside}/{rows} answers are no label id 0..{num_labels - 1}"
        if outside
        else f"decoding inconsistent: {differing}/{rows} answers are not the argmax"
    )
    p_value = None
    if one_each and not outside and evidence.y_true is not None:
        plain_right = plain == evidence.y_true
        right = y_pred == evidence.y_true
        by_accuracy, p_value, balanced_cost = _cost(evidence, right, plain_right)
        stats |= {"accuracy": float(right.mean()), "argmax_accuracy": float(plain_right.mean())}
        cost = int(plain_right.sum()) - int(right.sum())
        if by_accuracy <= alpha < p_value and balanced_cost > 0:
            return Finding(
                Verdict.INCONCLUSIVE,
                f"{differing}/{rows} answers not the argmax cost {cost} right ones; "
                "more rows of rare labels would tell",
                statistics=stats,
                p_value=p_value,
                signs={"decoding-differs": True},
            )
        if p_value > alpha and not _proved_all_the_same(evidence, right, plain_right, alpha):
            at_what_cost = f"cost {cost}" if cost > 0 else f"gain {-cost}"
            return Finding(
                Verdict.PASSED,
                f"{differing}/{rows} answers are not the argmax; they {at_what_cost} right answers",
                statistics=stats,
                p_value=p_value,
                signs={"decoding-differs": True, "decoding-costs": False},
            )
        summary += (
            f"; {share(int(right.sum()), rows)} right, argmax {share(int(plain_right.sum()), rows)}"
        )
    elif one_each and not outside and _is_a_threshold(logits, y_pred):
        return Finding(
            Verdict.PASSED,
            f"{differing}/{rows} answers follow another threshold than one half",
            statistics=stats,
            signs={"decoding-differs": True},
        )
    explained = [m for m in known_mistakes(evidence) if _gives(m, y_pred)]
    if not explained and one_each and not outside and evidence.y_true is None:
        return Finding(
            Verdict.INCONCLUSIVE,
            f"{differing}/{rows} answers are not the argmax: tuned, or wrong?",
            statistics=stats,
            needs=("y_true",),
            signs={"decoding-differs": True},
        )
    renamed = explained and explained[0].causes == ("label-mapping-swapped",)
    if renamed and evidence.y_true is None and not _same_names(evidence):
        return Finding(
            Verdict.INCONCLUSIVE,
            f"answers renamed by a fixed permutation: {differing}/{rows} are not the argmax; "
            "right or wrong?",
            statistics=stats,
            needs=("y_true",),
            signs={"decoding-differs": True},
        )
    causes = tuple(dict.fromkeys(code for mistake in explained for code in mistake.causes))
    # Where two mistakes give the same answers, neither is a fact.
    proved = {m.causes[0] for m in explained if m.proves_itself}
    certain = len(proved) == 1
    stats["explained_by"] = [mistake.description for mistake in explained]
    if not causes:
        causes = ("wrong-tensor-decoded", "labels-misaligned")
    signs = {"decoding-differs": True, "decoding-costs": True}
    signs["decoding-explained"] = certain
    return Finding(
        Verdict.FAILED,
        summary if p_value is None or certain else f"{summary}, {probability(p_value)}",
        statistics=stats,
        p_value=None if certain else p_value,
        causes=causes,
        certain=certain,
        fix=_fix(causes[0], explained, logits.shape[1]),
        signs=signs,
        table=_answer_table(evidence) if one_each else (),
    )


def _cost(evidence: Evidence, right: Array, plain_right: Array) -> tuple[float, float, float]:
    """Return the p-values of 'the answers cost no accuracy', and of that or 'no balanced accuracy'.

    And what they cost of the recalls of the labels together.
    """
    num_labels = evidence.num_labels or 0
    by_accuracy = statistics.paired_worse(
        int((plain_right & ~right).sum()), int((right & ~plain_right).sum())
    )
    rows = in_range(num_labels, evidence.y_true)
    decided = (right != plain_right)[rows]
    if by_accuracy > 0.5 or not decided.any():
        return by_accuracy, by_accuracy, 0.0
    weights = label_weights(evidence.y_true[rows], num_labels)[decided]
    gained = np.where(right[rows][decided], weights, -weights)
    by_weight = statistics.mean_below_zero(gained, float(weights.max()))
    return by_accuracy, max(by_accuracy, by_weight), -float(gained.sum())


def _proved_all_the_same(
    evidence: Evidence, right: Array, plain_right: Array, alpha: float
) -> bool:
    """Whether answers that cost little are a mistake nevertheless: one that gives every answer.

    It takes more changed answers than chance makes agree, and they must not gain. A cut of two
    labels' margin may have been tuned, and a renaming may be what the data set asks for.
    """
    gain = statistics.paired_worse(
        int((right & ~plain_right).sum()), int((plain_right & ~right).sum())
    )
    y_pred = evidence.y_pred
    differing = _differing(evidence.logits, y_pred, evidence.argmax)
    by_chance = float(evidence.num_labels or 2) ** -differing
    if gain <= alpha or by_chance > alpha or _is_a_threshold(evidence.logits, y_pred):
        return False
    return any(
        _gives(mistake, y_pred)
        for mistake in known_mistakes(evidence)
        if mistake.causes != ("label-mapping-swapped",) and mistake.proves_itself
    )


def _same_names(evidence: Evidence) -> bool:
    """Whether model and data set are known to number their labels alike."""
    model, dataset = evidence.label_names, evidence.dataset_label_names
    return model is not None and dataset is not None and np.array_equal(model, dataset)


def _differing(logits: Array, y_pred: Array, plain: Array) -> int:
    """Count answers that are not a largest output of their row; a tie may go either way."""
    rows = np.flatnonzero(y_pred != plain)
    valid = rows[(y_pred[rows] >= 0) & (y_pred[rows] < logits.shape[1])]
    if logits.shape[1] == 1:
        return len(rows)
    ties = int((logits[valid, y_pred[valid]] == logits[valid].max(axis=1)).sum())
    return len(rows) - ties


def _is_a_threshold(logits: Array, y_pred: Array) -> bool:
    """Whether two-label answers are the margin cut at some level, as a tuned threshold gives."""
    if logits.shape[1] > 2 or not np.isin(y_pred, (0, 1)).all():
        return False
    margin = logits[:, -1] - (logits[:, 0] if logits.shape[1] == 2 else 0)
    yes, no = margin[y_pred == 1], margin[y_pred == 0]
    return bool(len(yes) and len(no) and yes.min() >= no.max())


def _gives(mistake: Mistake, y_pred: Array) -> bool:
    answers = mistake.answers()
    return answers is not None and np.array_equal(answers, y_pred)


def _fix(cause: str, explained: list[Mistake], width: int) -> str:
    seen = f"\n# seen: {explained[0].description}" if explained else ""
    if cause == "label-mapping-swapped":
        return "map names through the data set's own order, not the model's" + seen
    if cause == "labels-misaligned":
        return "predict without shuffling: shuffle=False, and keep y_true beside the texts" + seen
    if cause == "label-out-of-range":
        return "use the same first id, 0, when encoding and decoding" + seen
    return (ARGMAX_LINE if width > 1 else CUT_LINE) + seen


def _answer_table(evidence: Evidence) -> tuple[tuple[str, ...], ...]:
    plain, y_pred, names = evidence.argmax, evidence.y_pred, evidence.names
    pairs, times = np.unique(
        np.stack([plain, y_pred], axis=1)[plain != y_pred], axis=0, return_counts=True
    )
    order = np.argsort(-times, kind="stable")

    def name(label: int) -> str:
        return names[label] if 0 <= label < len(names) else str(label)

    return (
        ("argmax", "reported", "times"),
        *((name(int(pairs[i][0])), name(int(pairs[i][1])), f"{times[i]:,}") for i in order),
    )


def known_mistakes(evidence: Evidence) -> Iterator[Mistake]:
    """Yield the ways in which teams decode wrongly, certain ones first."""
    logits, y_pred = evidence.logits, evidence.y_pred
    rows, width = logits.shape
    num_labels = evidence.num_labels or width
    plain = evidence.argmax
    if width == 1:
        yield Mistake(
            ("threshold-on-logits", "loss-misconfigured", "wrong-tensor-decoded"),
            "argmax of a single column, which is always 0",
            lambda: np.zeros(rows, dtype=np.int64),
        )
        yield Mistake(
            ("threshold-on-logits", "loss-misconfigured"),
            "a single raw output cut at 0.5, or a probability cut at 0",
            lambda: (logits[:, 0] > 0.5 * (not evidence.outputs.probabilities)).astype(int),
        )
        yield Mistake(
            ("threshold-on-logits", "loss-misconfigured"),
            "a single output cast to int",
            lambda: np.trunc(logits[:, 0]),
        )
        return
    yield Mistake(("argmin-decoded",), "argmin instead of argmax", lambda: logits.argmin(axis=1))
    yield Mistake(
        ("argmax-wrong-axis",),
        "argmax over the examples (axis=0)",
        lambda: logits.argmax(axis=0),
    )
    for size in _batch_sizes(len(y_pred), rows, width, evidence.batch_size):
        yield Mistake(
            ("argmax-wrong-axis",),
            f"argmax over the examples (axis=0) of batches of {size}",
            lambda size=size: np.concatenate(  # type: ignore[misc]
                [logits[start : start + size].argmax(axis=0) for start in range(0, rows, size)]
            ),
        )
    if y_pred.min() == y_pred.max():
        yield Mistake(
            ("argmax-wrong-axis",),
            "argmax of the flattened outputs (no axis)",
            lambda: np.full(len(y_pred), logits.argmax()),
        )
        yield Mistake(
            ("argmax-wrong-axis", "threshold-on-logits"),
            "argmax of the first row only, for all",
            lambda: np.full(len(y_pred), plain[0]),
        )
        yield Mistake(
            ("threshold-on-logits", "argmax-wrong-axis"),
            "probabilities cast to int, which are all 0",
            lambda: np.zeros(rows, dtype=np.int64),
        )
    yield from _thresholds(evidence)
    yield from _rows_moved(plain, y_pred)
    outside = (y_pred < 0) | (y_pred >= num_labels)
    if not outside.any():
        mapping = _mapping(plain, y_pred, width)
        if mapping is not None:
            seen = ", ".join(f"{a}->{b}" for a, b in list(mapping.items())[:6] if a != b)
            yield Mistake(
                ("label-mapping-swapped",),
                f"the argmax renamed by a fixed permutation, {safe(seen, 60)}",
                lambda: y_pred,
            )
    elif len(y_pred) == rows:
        offset = int(y_pred[0]) - int(plain[0])
        yield Mistake(
            ("label-out-of-range",),
            f"the argmax plus {offset}",
            lambda: plain.astype(np.int64) + offset,
        )
        # More different ids than there are labels cannot be labels under any other numbering.
        perhaps = "" if len(np.unique(y_pred)) > num_labels else "perhaps "
        yield Mistake(
            ("wrong-tensor-decoded",),
            f"{perhaps}ids up to {int(y_pred.max())} of a wider tensor than {width} labels",
            lambda: y_pred,
        )


def _thresholds(evidence: Evidence) -> Iterator[Mistake]:
    logits, probabilities = evidence.logits, evidence.probabilities
    if probabilities is None:
        return
    yield Mistake(
        ("threshold-on-logits",),
        "argmax of rounded probabilities",
        lambda: probabilities.round().argmax(axis=1),
    )
    if logits.shape[1] != 2:
        return
    for column in (1, 0):
        for what, values in (
            ("raw output", logits[:, column]),
            ("sigmoid of the output", expit(logits[:, column].astype(np.float64))),
        ):
            codes: tuple[str, ...] = ("threshold-on-logits",)
            if column == 0:
                codes += ("argmin-decoded", "label-mapping-swapped")
            yield Mistake(
                codes,
                f"{what} of column {column} cut at 0.5",
                lambda values=values: (values > 0.5).astype(np.int64),  # type: ignore[misc]
            )


def _rows_moved(plain: Array, y_pred: Array) -> Iterator[Mistake]:
    """Yield the ways in which right answers land on other rows."""
    rows = len(plain)
    if len(y_pred) != rows or y_pred.min() == y_pred.max():
        return
    yield Mistake(("labels-misaligned",), "answers in reverse order", lambda: plain[::-1])
    for shift in _shifts(plain, y_pred):
        yield Mistake(
            ("labels-misaligned",),
            f"answers shifted by {count(shift, 'row')}",
            lambda shift=shift: np.roll(plain, shift),  # type: ignore[misc]
        )
    for size in BATCH_SIZES:
        if size >= rows:
            break
        for which, start in (("first", 0), ("last", (rows - 1) // size * size)):
            yield Mistake(
                ("labels-misaligned",),
                f"answers of the {which} batch of {size} repeated",
                lambda size=size, start=start: np.resize(  # type: ignore[misc]
                    plain[start : start + size], rows
                ),
            )
    if np.array_equal(np.sort(plain), np.sort(y_pred)):
        yield Mistake(
            ("labels-misaligned",),
            "perhaps the same answers in another order: the counts are equal",
            lambda: y_pred,
        )


def _shifts(plain: Array, y_pred: Array) -> list[int]:
    """Return shifts that give ``y_pred``; only those that fit its first rows are tried in full."""
    rows = len(plain)
    head = min(rows, 64)
    doubled = np.concatenate([plain, plain[:head]])
    windows = np.lib.stride_tricks.sliding_window_view(doubled, head)[:rows]
    starts = np.flatnonzero((windows[:, :8] == y_pred[: min(8, head)]).all(axis=1))
    starts = starts[(windows[starts] == y_pred[:head]).all(axis=1)] if len(starts) else starts
    return [int(-start % rows) for start in starts[:MOST_BATCH_SIZES] if start]


def _batch_sizes(answers: int, rows: int, width: int, stated: int | None) -> list[int]:
    """Return the batch sizes for which argmax over each batch's examples gives so many answers."""
    if answers % width:
        return []
    batches = answers // width
    if batches < 2:
        return []
    sizes = range(-(-rows // batches), -(-rows // (batches - 1)))
    fitting = [size for size in sizes if -(-rows // size) == batches]
    # What is known is the batch size of training, which prediction need not have.
    return sorted(fitting, key=lambda size: size != stated)[:MOST_BATCH_SIZES]


def _mapping(plain: Array, y_pred: Array, width: int) -> dict[int, int] | None:
    """Return the one-to-one mapping from argmax to answer, if there is one on enough rows.

    With C labels a wrong answer meets a fixed permutation by chance once in C, so that the rows
    that test it (all but the first of each label) must make it as good as impossible.
    """
    if len(plain) != len(y_pred):
        return None
    first: dict[int, int] = {}
    for label in np.unique(plain):
        answers = np.unique(y_pred[plain == label])
        if len(answers) > 1:
            return None
        first[int(label)] = int(answers[0])
    distinct = len(set(first.values())) == len(first)
    tested = len(plain) - len(first)
    if not distinct or len(first) < 2 or tested * np.log(max(width, 2)) < np.log(1e6):
        return None
    return first if any(a != b for a, b in first.items()) else None


def _examples_of_misaligned_rows(
    *, alpha: float, power: float, num_labels: int = 2, accuracy: float = 0.9, shift: int = 1
) -> int:
    """Count for rows shifted by that much, and labels that are equally frequent."""
    reject_health("accuracy", accuracy, 1 / num_labels)
    only_shifted = accuracy * (1 - 1 / num_labels)
    only_given = (1 - accuracy) / num_labels
    trials = statistics.trials_for_power(
        0.5, only_shifted / (only_shifted + only_given), alpha / _shift_price(shift), power
    )
    return ceil(trials / (only_shifted + only_given)) + shift


@check(
    stage="decoding",
    needs=["y_true", ("y_pred", "logits")],
    causes=["labels-misaligned"],
    examples=_examples_of_misaligned_rows,
)
def predictions_aligned(evidence: Evidence, *, alpha: float = ALPHA) -> Finding:
    """Is each prediction that of its own row, or of another one?

    Known ways to lose the order are tried where the answers are at chance, that is where they do
    not agree with the labels (Fisher's exact test for each label, Bonferroni over labels, at 0.01):
    rows shifted, reversed, gathered from several workers or dealt out to them. Null hypothesis for
    each: of the rows on which exactly one of the two is right, the given order is right on at least
    half (exact McNemar). A shift by s costs 4 s (s + 1) times its p-value, the other orders share
    the other half of ``alpha`` evenly, so that all together fail a healthy pipeline with
    probability at most ``alpha``, rows taken as independent; labels may come in any order. Where
    renaming the labels would do as well no order is claimed: labels that take turns look the same
    shifted and renamed.

    One batch of up to 4096 rows repeated for all others is found at any accuracy. Null hypothesis:
    two rows of different labels have the same answer no more often than two answers drawn at
    random; Bonferroni over the sizes.

    Rows in a random order cannot be told from a model that knows nothing by its outputs alone: then
    the finding is inconclusive if they are sure of their answers. With ``rebatched_logits`` and
    ``reference_y_pred`` they can: each text gets its own outputs if it gets the same ones alone,
    and has its own label if a reference that reads the texts is above chance (Fisher's exact test
    for each label, Bonferroni over labels, at ``alpha``).

    Source: McNemar (1947), Psychometrika 12; keras#6499, DeBERTa#147 for what happens to rows.
    """
    confusion = evidence.confusion
    if confusion is None:
        return not_one_label_each(evidence)
    total, hits = confusion.total, confusion.right
    right = f"{hits}/{total} right ({share(hits, total)})"
    stats: dict[str, Any] = {"accuracy": hits / total, "examples": total}
    size, p_value = _repeated_batch(evidence, confusion)
    if p_value <= alpha:
        return Finding(
            Verdict.FAILED,
            f"rows misaligned: the same {size} answers repeat over {total} rows; {right}, "
            f"{probability(p_value)}",
            statistics={**stats, "period": size},
            p_value=p_value,
            causes=("labels-misaligned",),
            fix="predict every batch, not one of them again and again: look at the loop that "
            "collects the outputs",
            signs={"order-recovered": True},
        )
    if statistics.match_above_chance(confusion) <= 0.01:
        return Finding(
            Verdict.PASSED,
            f"predictions belong to their rows: {right}",
            statistics=stats,
            p_value=p_value,
        )
    if np.count_nonzero(confusion.support) < 2 or np.count_nonzero(confusion.predicted) < 2:
        return Finding(
            Verdict.PASSED,
            f"one label only on one side, no order to lose: {right}",
            statistics=stats,
            p_value=p_value,
        )
    y_true, answers = evidence.y_true, evidence.answers
    tried = [
        (min(1.0, price * _worse_than(y_true, answers, rows, source)), description, rows, source)
        for description, price, rows, source in _lost_orders(y_true, answers)
    ]
    p_value, description, rows, source = min(tried, key=lambda item: item[0])
    moved = int((answers[source] == y_true[rows]).sum())
    renamed = int(np.maximum(confusion.hits, confusion.largest_errors().count).sum())
    if p_value <= alpha and renamed * len(rows) < 0.9 * moved * total:
        return Finding(
            Verdict.FAILED,
            f"rows misaligned: {share(hits, total)} of {total:,} right, "
            f"{share(moved, len(rows))} with {description}, {probability(p_value)}",
            statistics={**stats, "accuracy_realigned": moved / len(rows), "order": description},
            p_value=p_value,
            causes=("labels-misaligned",),
            fix="predict with shuffle=False and keep y_true beside the texts\n"
            f"# seen: right with {description}",
            signs={"order-recovered": True},
        )
    p_value = max(p_value, alpha)  # what renamed labels explain is no finding of this check
    outputs = evidence.outputs
    if (
        outputs is not None
        and outputs.confidence > 0.5
        and evidence.rebatched_logits is None
        and total >= _examples_of_misaligned_rows(alpha=alpha, power=0.9)
    ):
        return Finding(
            Verdict.INCONCLUSIVE,
            f"outputs are sure, answers at chance: {right}; rows in a random order?",
            statistics={**stats, "confidence": outputs.confidence},
            p_value=p_value,
            needs=("rebatched_logits",),
            signs={"order-recovered": False},
        )
    return Finding(
        Verdict.PASSED,
        f"no order of the rows explains the answers better: {right}",
        statistics=stats,
        p_value=p_value,
        signs={"order-recovered": False, "order-kept": _order_kept(evidence, alpha)},
    )


def _order_kept(evidence: Evidence, alpha: float) -> bool:
    """Whether each text is known to have its own outputs and its own label."""
    logits, alone, reference = evidence.logits, evidence.rebatched_logits, evidence.reference_y_pred
    if logits is None or alone is None or reference is None:
        return False
    batched, num_labels = logits[: len(alone)], evidence.num_labels or 0
    rows = in_range(num_labels, evidence.y_true, reference)
    if (
        batched.shape != alone.shape
        or not argmax_decoded(evidence)
        or not difference(batched, alone)[0]
        or difference(batched, np.roll(alone, 1, axis=0))[0]  # rows so alike prove nothing
        or not rows.any()
    ):
        return False
    told = statistics.confusion_matrix(evidence.y_true[rows], reference[rows], num_labels)
    return statistics.match_above_chance(told) <= alpha


BATCH_SIZES = (8, 16, 32, 64, 128, 256)
"""Usual batch sizes."""

LARGEST_BATCH = 4096
"""Up to this size a batch that repeats is looked for."""


def _repeated_batch(evidence: Evidence, confusion: Confusion) -> tuple[int, float]:
    """Return after how many rows the answers repeat, and the p-value of that."""
    y_true, answers = evidence.y_true, evidence.answers
    total = len(answers)
    shares = confusion.predicted / confusion.total
    by_chance = float(shares @ shares)
    sizes = min(total // 2, LARGEST_BATCH)
    other = np.flatnonzero(answers[: sizes + 1] != answers[0])
    if not len(other):
        return 0, 1.0  # constant for as long as a batch: nothing but that one answer repeats
    # Few sizes bring the rows around the first change again; only for those is all compared.
    first = max(0, int(other[0]) - 8)
    rows = answers[first : min(first + 16, total - sizes)]
    later = answers[first + 1 : first + len(rows) + sizes]
    windows = np.lib.stride_tricks.sliding_window_view(later, len(rows))
    likely = 1 + np.flatnonzero((windows == rows).all(axis=1))
    for size in likely.tolist():
        if all(
            np.array_equal(answers[size:end], answers[: end - size])
            for end in (min(size + 512, total), total)
        ):
            told = int(np.count_nonzero(y_true[size:] != y_true[:-size]))
            return size, min(1.0, sizes * by_chance**told)
    return 0, 1.0


MOST_SHIFTED = 2**16
"""Rows on which orders are compared: more would not make a swap of rows any clearer."""

WORKERS = (2, 3, 4, 5, 6, 7, 8, 16)
"""Numbers of workers whose shares of the rows may have been put together in another order."""


def _shift_price(shift: int) -> float:
    """Return what a p-value of a shift is multiplied by: the inverses sum to one half."""
    return 4 * abs(shift) * (abs(shift) + 1)


def _worse_than(y_true: Array, answers: Array, rows: Array, source: Array) -> float:
    """Return the p-value of 'these rows are no better answered by the answers of those rows'."""
    given, moved = answers[rows] == y_true[rows], answers[source] == y_true[rows]
    return statistics.paired_worse(int((moved & ~given).sum()), int((given & ~moved).sum()))


def _lost_orders(y_true: Array, answers: Array) -> Iterator[tuple[str, float, Array, Array]]:
    """Yield what may have happened to the rows: its name, its price, rows, and where they went."""
    total = min(len(y_true), MOST_SHIFTED)
    rows = np.arange(total)
    for shift in _likely_shifts(y_true[:total], answers[:total]):
        kept = rows[max(0, -shift) : total - max(0, shift)]
        moved = f"{count(abs(shift), 'row')} {'later' if shift > 0 else 'earlier'}"
        yield f"the answer {moved}", _shift_price(shift), kept, kept + shift
    others = [("the order reversed", rows[::-1])]
    for workers in WORKERS:
        dealt = np.concatenate([rows[first::workers] for first in range(workers)])
        others.append((f"the shares of {workers} workers interleaved", np.argsort(dealt)))
        others.append((f"the shares of {workers} workers end to end", dealt))
    for description, source in others:
        yield description, 2 * len(others), rows, source


def _likely_shifts(y_true: Array, answers: Array) -> list[int]:
    """Return the shifts by which most answers become right; others need not be tried."""
    total = len(y_true)
    labels = np.unique(answers)
    right = np.zeros(2 * total - 1)
    for label in labels[:64]:
        right += correlate(
            (answers == label).astype(float), (y_true == label).astype(float), method="fft"
        )
    best = np.argsort(-right, kind="stable")[:8] - (total - 1)
    return [int(shift) for shift in best if shift and abs(shift) < total - 1]
