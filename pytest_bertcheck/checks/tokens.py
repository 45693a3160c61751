"""Checks of what the tokenizer makes of the texts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .. import statistics
from ..evidence import Evidence
from ..findings import Finding, Verdict
from ..logits import answers_of
from ..messages import count, probability, share
from . import ALPHA, COMPARISON, check, reject_health
from .outputs import demonstrably_good, far_below, in_range, worse_than_reference

__all__ = [
    "attention_mask_valid",
    "inputs_distinct",
    "truncation_harmless",
    "vocabulary_matches",
]


@check(
    stage="tokens",
    needs=["token_counts", "kept_token_counts"],
    causes=["truncation-loses-signal"],
    weight=COMPARISON,
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
    are demonstrably good (beyond halfway from the majority's share to 1) show that it did no harm,
    unless hardly a word is kept: at most 8 tokens in the median, special ones included, and less
    than a tenth of all. Whoever feeds a model so little must know that it is enough; null
    hypothesis: at most 5 % of the answers are wrong (exact binomial).
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
    enough = False
    if _has_reference(evidence):
        enough, p_value, description = _kept_against_whole(evidence, alpha)
        signs["cut-part-decides"] = False  # unless a comparison rejects
        if not enough:
            compared.append((p_value, description))
    table = (
        ("tokens", "median", "99th percentile", "max"),
        _quantiles("whole text", evidence.token_counts),
        _quantiles("kept", evidence.kept_token_counts),
    )
    told = bool(compared)
    if signs["hardly-a-word-kept"] and not enough and evidence.confusion is not None:
        compared.append(_mostly_right(evidence.confusion))
    if enough and not compared:
        return Finding(
            Verdict.PASSED,
            f"what is kept is enough for a plain model: {facts}",
            statistics=stats,
            signs=signs,
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
            f"{facts}: harmful? {_SETTLED_BY[0]} would tell",
            statistics=stats,
            needs=_SETTLED_BY,
            signs=signs,
            table=table,
        )
    p_value, description = min(compared)
    p_value = min(1.0, p_value * len(compared))
    if told:
        signs["cut-part-decides"] = p_value <= alpha
    if p_value > alpha:
        return Finding(
            Verdict.PASSED,
            f"truncation does no harm that shows: {facts}",
            statistics=stats,
            p_value=p_value,
            signs=signs,
        )
    longest = stats["max_length_for_99_percent"]
    gain = "keeps 99% of the texts whole" if longest <= MOST_TOKENS else "is the most BERT takes"
    return Finding(
        Verdict.FAILED,
        f"truncation loses the label: {kept} of {whole} tokens kept; {description}, "
        f"{probability(p_value)}",
        statistics=stats,
        p_value=p_value,
        causes=("truncation-loses-signal",),
        fix=f"max_length={_next_length(longest)} {gain};\n"
        "or cut the middle: keep the first and the last tokens",
        signs=signs,
        table=table,
    )


MOST_TOKENS = 512
"""What BERT has position embeddings for."""

_SETTLED_BY = ("tail_logits", "kept_reference_y_pred")


def _tail_against_head(evidence: Evidence, cut: Any) -> tuple[float, str]:
    size = len(evidence.tail_logits)
    rows = np.flatnonzero(cut[:size])
    y_true = evidence.y_true[rows]
    head = evidence.answers[rows] == y_true if evidence.answers is not None else y_true < 0
    tail = answers_of(evidence.tail_logits)[rows] == y_true
    p_value = statistics.paired_worse(int((tail & ~head).sum()), int((head & ~tail).sum()))
    right = f"head {share(int(head.sum()), len(rows))} right"
    return p_value, f"{right}, tail {share(int(tail.sum()), len(rows))}"


def _has_reference(evidence: Evidence) -> bool:
    fields = (evidence.kept_reference_y_pred, evidence.reference_y_pred, evidence.y_true)
    return all(field is not None for field in fields) and evidence.answers is not None


def _kept_against_whole(evidence: Evidence, alpha: float) -> tuple[bool, float, str]:
    """Test the reference on what is kept against the reference on the whole texts.

    The first says that what is kept is enough: the reference does far better on it than the model
    does, or as well as on the whole. Then truncation is not what is wrong.
    """
    whole, kept = evidence.reference_y_pred, evidence.kept_reference_y_pred
    num_labels = evidence.num_labels or 0
    rows = in_range(num_labels, evidence.y_true, whole)
    if not rows.any():
        return False, 1.0, ""
    y_true, whole, kept = evidence.y_true[rows], whole[rows], kept[rows]
    answers = evidence.answers[rows]
    p_value = max(
        far_below(y_true, kept, whole, num_labels),
        far_below(y_true, answers, whole, num_labels),
    )
    total, right = len(y_true), int((kept == y_true).sum())
    enough = right >= int((whole == y_true).sum()) or (
        far_below(y_true, answers, kept, num_labels) <= alpha
    )
    on_whole = share(int((whole == y_true).sum()), total)
    return enough, p_value, f"TF-IDF {share(right, total)} right on them, {on_whole} on all"


def _mostly_right(confusion: statistics.Confusion) -> tuple[float, str]:
    wrong = confusion.total - confusion.right
    p_value = statistics.binomial_at_least(wrong, confusion.total, MOST_WRONG)
    return p_value, f"{share(confusion.right, confusion.total)} right"


MOST_WRONG = 0.05
"""Share of wrong answers above which a few words are too few."""


def _quantiles(name: str, counts: Any) -> tuple[str, ...]:
    numbers = (np.median(counts), np.quantile(counts, 0.99), counts.max())
    return (name, *(f"{int(number):,}" for number in numbers))


def _next_length(tokens: int) -> int:
    return int(min(MOST_TOKENS, max(8, 8 * np.ceil(tokens / 8))))


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
    problems: list[tuple[str, str]] = []  # each in full, and in a word
    causes: list[str] = []
    stats: dict[str, Any] = {}
    total = 0
    if evidence.input_ids is not None:
        ids = evidence.input_ids
        mask = evidence.attention_mask
        if mask is None or mask.shape != ids.shape or mask.min() < 0 or mask.max() > 1:
            mask = None  # what is no mask is for attention_mask_valid to report
        total = len(ids)
        _, times = np.unique(_fingerprints(ids, mask), return_counts=True)
        most = int(times.max())
        same_texts = (
            evidence.token_counts is not None
            and len(np.unique(evidence.token_counts)) == 1
            and evidence.y_true is None
        )
        stats |= {"distinct_inputs": len(times), "examples": total, "most_repeated": most}
        signs["inputs-equal"] = total > 1 and most > 0.98 * total and not same_texts
        if signs["inputs-equal"]:
            problems.append((f"{most}/{total} texts are encoded as the same ids", "alike"))
            causes += ["inputs-constant", "truncation-loses-signal"]
    if evidence.token_counts is not None:
        # Rare among many texts, but no proof: codes and forms have a length of their own.
        signs["lengths-equal"] = (
            len(evidence.token_counts) >= 20 and len(np.unique(evidence.token_counts)) == 1
        )
    if evidence.kept_token_counts is not None:
        total = len(evidence.kept_token_counts)
        empty = int(np.count_nonzero(evidence.kept_token_counts <= 2))
        stats["empty_inputs"] = empty
        # Not every tokenizer adds special tokens: ids that differ are no empty inputs.
        signs["inputs-empty"] = empty > 0.98 * total and signs.get("inputs-equal", True)
        if signs["inputs-empty"]:
            problems.append((f"{empty}/{total} texts keep no token but special ones", "empty"))
            causes.append("inputs-constant")
    if evidence.unknown_token_share is not None:
        total = len(evidence.unknown_token_share)
        unknown = int(np.count_nonzero(evidence.unknown_token_share > 0.5))
        stats["mean_unknown_share"] = float(evidence.unknown_token_share.mean())
        signs["inputs-unknown"] = unknown > 0.98 * total
        signs["unknown-tokens-many"] = unknown > total / 2
        if signs["inputs-unknown"]:
            problems.append((f"{unknown}/{total} texts are mostly [UNK]", "mostly [UNK]"))
            causes += ["vocabulary-mismatch", "inputs-constant"]
    if problems:
        return Finding(
            Verdict.FAILED,
            f"inputs constant: {problems[0][0]}"
            + (f" (also {', '.join(word for _, word in problems[1:])})" if problems[1:] else ""),
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


def _fingerprints(ids: npt.NDArray[Any], mask: npt.NDArray[Any] | None) -> npt.NDArray[np.int64]:
    """Return a number for each row of ids, (n,), the same for rows that are the same.

    Two rows that differ in what the mask keeps share one with a probability below 1e-12; sorting
    numbers is far faster than sorting rows.
    """
    factors = np.random.default_rng(0).integers(-(2**63), 2**63, (2, ids.shape[1]))
    prints: npt.NDArray[np.int64]
    if mask is None:
        prints = np.einsum("ij,j->i", ids, factors[0])
    else:  # unlike products of whole arrays, einsum needs no memory for the steps between
        prints = np.einsum("ij,ij,j->i", ids, mask, factors[0])
        prints += np.einsum("ij,j->i", mask, factors[1])
    return prints


MAX_UNKNOWN_SHARE = 0.5
LARGE_VOCABULARY, HIGH_UNKNOWN_SHARE = 20_000, 0.1
"""Tokens of a vocabulary that covers its language, and a share of [UNK] that shows it does not."""

LEAST_HARM = 0.05
"""By how much more often a reference must be right where answers are demonstrably good."""

USUAL_UNKNOWN_SHARE = 0.05
"""Share of [UNK] above which a text looks foreign to a WordPiece vocabulary.

WordPiece spells unknown words out in pieces, so that [UNK] is left for signs that it has not got
at all: under 2 % of the tokens (CAUSES.md, id 12). A cased text under an uncased vocabulary has
about 20 %."""


def _examples_of_unknown_tokens(*, alpha: float, power: float, faulty_share: float = 0.95) -> int:
    """Count for a tokenizer under which ``faulty_share`` of the texts are beyond the limit."""
    reject_health("faulty_share", faulty_share, 0.5)
    return statistics.trials_for_power(0.5, faulty_share, alpha, power)


@check(
    stage="tokens",
    needs=[("embedding_rows", "pad_token_id", "unknown_token_share")],
    causes=["vocabulary-mismatch"],
    limits={"max_unknown_share": (0, 1)},
    examples=_examples_of_unknown_tokens,
)
def vocabulary_matches(
    evidence: Evidence, *, alpha: float = ALPHA, max_unknown_share: float = MAX_UNKNOWN_SHARE
) -> Finding:
    """Do tokenizer and model belong together?

    Facts: a token id for which the model has no embedding; a tokenizer that can give such ids
    (undecided if the texts at hand do not use them); padding with another id than the one in
    the model's configuration. And a test. Null hypothesis: at most half of the texts have more
    than ``max_unknown_share`` of their tokens unknown; exact binomial (sign) test, texts taken as
    independent; fails with probability at most ``alpha`` where it holds. The default lets texts
    full of emoji or of another language pass; for WordPiece on its own language 2 % is usual. The
    limit is 10 % if, besides, a plain reference, which reads all words, is right more often (exact
    McNemar; the larger of the two p-values counts, and twice that of either limit), unless the
    vocabulary is known to have fewer than 20,000 tokens, and so may miss words of its own language,
    or a limit above the default is asked for.

    With ``lowercase_unknown_token_share`` another test. Null hypothesis: at most half of the texts
    have over 5 % [UNK] of which more than half are known in lower case (exact binomial), and half
    of all texts must have as many. An uncased vocabulary is such under a tokenizer that keeps
    capitals, and a cased one on texts that are all in capitals; no other, of whatever size. It does
    not depend on ``max_unknown_share``. The tests share ``alpha`` (Bonferroni).

    Whatever is neither an id out of range nor for want of lower case passes if the answers are
    demonstrably good (accuracy beyond halfway from the majority's share to 1): then it does no
    harm; under the lower limit the reference must be right more often by over five points there. A
    vocabulary of the same size in another order leaves no trace here.

    Source: huggingface/transformers PR 4264 (cased tokenizer, uncased model), vllm#11184.
    """
    rows, size = evidence.embedding_rows, evidence.tokenizer_size
    stats: dict[str, Any] = {"embedding_rows": rows, "tokenizer_size": size}
    ids = evidence.input_ids
    if rows is not None and ids is not None:
        stats["ids_outside"] = 0
        if ids.min() < 0 or ids.max() >= rows:
            outside = (ids < 0) | (ids >= rows)
            stats["ids_outside"] = int(np.count_nonzero(outside))
            worst = int(ids[outside].max())
            return _mismatch(
                f"{stats['ids_outside']}/{ids.size} token ids outside the {rows:,} embeddings, "
                f"such as {worst:,}",
                stats,
            )
    good = demonstrably_good(evidence, alpha)
    undecided = ""
    if rows is not None and size is not None and size > rows:
        problem = f"the tokenizer has {size:,} tokens, the model {rows:,} embeddings"
        if ids is None and not good:
            return _mismatch(problem, stats)
        undecided = "" if good else f"{problem}; no text at hand uses the others"
    pads = evidence.masked_ids
    if evidence.pad_token_id is not None and pads is not None and len(pads) == 1:
        # Several ids under the mask are no padding: that is for attention_mask_valid to report.
        stats |= {"pad_token_id": evidence.pad_token_id, "padded_with": int(pads[0])}
        if pads[0] != evidence.pad_token_id and not good:
            return _mismatch(
                f"texts are padded with the id {pads[0]}, the model's pad_token_id is "
                f"{evidence.pad_token_id}",
                stats,
                "or model.config.pad_token_id = tokenizer.pad_token_id",
            )
    if evidence.unknown_token_share is not None:
        return _unknown_tokens(evidence, stats, undecided, alpha, max_unknown_share)
    if undecided:
        return Finding(
            Verdict.INCONCLUSIVE,
            undecided,
            statistics=stats,
            fix=_RESIZE,
            needs=("unknown_token_share",),
        )
    wanted = ("input_ids",) if rows is not None else ("input_ids", "attention_mask")
    missing = tuple(field for field in wanted if getattr(evidence, field) is None)
    if missing and (rows is None or size is None):
        return Finding(Verdict.SKIPPED, f"skipped: needs {' and '.join(missing)}", needs=missing)
    return Finding(Verdict.PASSED, "tokenizer and model agree on the token ids", statistics=stats)


def _unknown_tokens(
    evidence: Evidence,
    stats: dict[str, Any],
    undecided: str,
    alpha: float,
    max_unknown_share: float,
) -> Finding:
    shares = evidence.unknown_token_share
    total = len(shares)
    above = int(np.count_nonzero(shares > max_unknown_share))
    median = float(np.median(shares))
    p_value = statistics.binomial_at_least(above, total, 0.5)
    good, because = demonstrably_good(evidence, alpha), ""
    size = max(evidence.tokenizer_size or 0, evidence.embedding_rows or 0)
    small = 0 < size < LARGE_VOCABULARY
    lower = not small and max_unknown_share <= MAX_UNKNOWN_SHARE
    compared = lower and evidence.reference_y_pred is not None
    lowercase = evidence.lowercase_unknown_token_share
    tests = 1 + compared + (lowercase is not None)
    p_value = min(1.0, tests * p_value)  # Bonferroni
    stats |= {"median_unknown_share": median, "examples": total}
    signs = {"unknown-tokens-above-usual": median > USUAL_UNKNOWN_SHARE}
    if lowercase is not None:
        first, lowercase = shares[: len(lowercase)], lowercase[:total]
        lost = int(np.count_nonzero((first > USUAL_UNKNOWN_SHARE) & (lowercase < first / 2)))
        p_lost = min(1.0, tests * statistics.binomial_at_least(lost, len(first), 0.5))
        medians = float(np.median(first)), float(np.median(lowercase))
        stats["median_lowercase_unknown_share"] = medians[1]
        signs["capitals-unknown"] = p_lost <= alpha and median > USUAL_UNKNOWN_SHARE
        if signs["capitals-unknown"]:
            return Finding(
                Verdict.FAILED,
                f"vocabulary mismatch: words are unknown for their capitals: {medians[0]:.0%} "
                f"[UNK], {medians[1]:.0%} in lower case, {probability(p_lost)}",
                statistics=stats,
                p_value=p_lost,
                causes=("vocabulary-mismatch",),
                fix=f"{_THE_SAME_FOLDER}an uncased vocabulary needs do_lower_case=True",
                signs=signs,
            )
    if compared:
        many = int(np.count_nonzero(shares > HIGH_UNKNOWN_SHARE))
        p_costs = max(
            statistics.binomial_at_least(many, total, 0.5),
            worse_than_reference(evidence, LEAST_HARM if good else 0.0),
        )
        p_costs = min(1.0, tests * p_costs)
        if p_costs <= alpha and (good or p_value > alpha):
            max_unknown_share, above, p_value = HIGH_UNKNOWN_SHARE, many, p_costs
            because = ", and TF-IDF does better"
    stats["texts_above"] = above
    signs["unknown-tokens-above-limit"] = p_value <= alpha
    facts = (
        f"{share(above, total)} of {count(total, 'text')} are over {max_unknown_share:.0%} [UNK]"
    )
    if p_value <= alpha and (because or not good):
        return Finding(
            Verdict.FAILED,
            f"vocabulary mismatch: {facts}{because}, {probability(p_value)}",
            statistics=stats,
            p_value=p_value,
            causes=("vocabulary-mismatch",),
            fix=f"{_THE_SAME_FOLDER}a cased text needs a cased vocabulary, or do_lower_case=True",
            signs=signs,
        )
    needed = statistics.trials_for_power(0.5, 1.0, alpha / tests, 0.9)
    too_few = above > total / 2 and total < needed and not good
    if undecided or too_few:
        return Finding(
            Verdict.INCONCLUSIVE,
            undecided or f"undecided: {facts}; {needed} such texts would tell",
            statistics=stats,
            p_value=p_value,
            fix=_RESIZE if undecided else "",
            signs=signs,
        )
    return Finding(
        Verdict.PASSED,
        f"tokenizer and model agree: {facts}",
        statistics=stats,
        p_value=p_value,
        signs=signs,
    )


_THE_SAME_FOLDER = (
    "AutoTokenizer.from_pretrained of the very folder that the model is loaded from;\n"
)
_RESIZE = "after adding tokens: model.resize_token_embeddings(len(tokenizer))"


def _mismatch(problem: str, stats: dict[str, Any], fix: str = _RESIZE) -> Finding:
    return Finding(
        Verdict.FAILED,
        f"vocabulary mismatch: {problem}",
        statistics=stats,
        causes=("vocabulary-mismatch",),
        certain=True,
        fix=f"{_THE_SAME_FOLDER}{fix}",
    )


@check(
    stage="tokens",
    needs=["attention_mask"],
    causes=["attention-mask-ignored"],
)
def attention_mask_valid(evidence: Evidence, *, alpha: float = ALPHA) -> Finding:
    """Does the attention mask leave out the padding, and nothing but the padding?

    Facts rather than tests: values other than 0 and 1; another shape than the token ids; most
    texts masked out altogether (which is how ``token_type_ids`` of single texts look in the
    mask's place); real tokens left out (which is how those of pairs look): the positions left out
    hold more than one token id; padding left in: texts that end in at least two tokens
    ``pad_token_id``, or a mask of ones throughout over texts with different numbers of real
    tokens. Padding that was left in during training too does no harm, so it passes if the answers
    are demonstrably good (accuracy beyond halfway from the majority's share to 1).

    Source: huggingface/transformers#278 (mask not sent), #2506, #4133 (mask and segments swapped).
    """
    mask, ids = evidence.attention_mask, evidence.input_ids
    total, length = mask.shape
    stats: dict[str, Any] = {"examples": total, "length": length}
    if mask.min() < 0 or mask.max() > 1:
        return _bad_mask(
            f"it holds values from {mask.min()} to {mask.max()}, expected 0 and 1",
            stats,
            "attention_mask=encoding['attention_mask'], by name: 1 for tokens, 0 for padding",
        )
    if ids is not None and ids.shape != mask.shape:
        return _bad_mask(
            f"it is {length} wide, the token ids {ids.shape[1]}",
            stats,
            "take input_ids and attention_mask from the same call of the tokenizer",
        )
    kept = np.count_nonzero(mask, axis=1)
    empty = int(np.count_nonzero(kept == 0))
    stats["empty"] = empty
    if empty > total / 2:
        return _bad_mask(
            f"{empty}/{total} texts are masked out, as by token_type_ids",
            stats,
            _BY_NAME,
        )
    changes = np.count_nonzero(mask[:, 1:] != mask[:, :-1], axis=1)
    holed = int(np.count_nonzero(changes > 1))
    stats["holed"] = holed
    masked = evidence.masked_ids
    if masked is not None and len(masked) > 1:
        real = int(np.count_nonzero(((mask == 0) & (ids != _padding_id(evidence))).any(axis=1)))
        as_segments = ", as by token_type_ids" if (mask[:, 0] == 0).all() else ""
        return _bad_mask(
            f"it leaves real tokens out in {real}/{total} texts{as_segments}", stats, _BY_NAME
        )
    left_in, why = _padding_left_in(evidence, kept)
    stats["padding_left_in"] = left_in
    signs = {"padding-left-in": left_in > 0}
    if left_in and not demonstrably_good(evidence, alpha):
        return _bad_mask(
            f"padding is left in for {left_in}/{total} texts: {why}",
            stats,
            "pass attention_mask=encoding['attention_mask'] to the model, in training and after",
            signs,
        )
    doubts = {
        "no token at all": empty,
        "gaps": holed if masked is None else 0,
        "another number of tokens than kept_token_counts": _counted_otherwise(evidence, kept),
    }
    if any(doubts.values()):
        what, number = next(item for item in doubts.items() if item[1])
        return Finding(
            Verdict.INCONCLUSIVE,
            f"attention mask in doubt: {number}/{total} texts have {what}",
            statistics=stats,
            fix="print the ids of one such text beside its mask: 1 for tokens, 0 for padding",
            needs=("input_ids",) if ids is None else (),
            signs=signs,
        )
    return Finding(
        Verdict.PASSED,
        f"the attention mask leaves out the padding of {count(total, 'text')}",
        statistics=stats,
        signs=signs,
    )


_BY_NAME = "pass them by name: model(input_ids=..., attention_mask=..., token_type_ids=...)"


def _bad_mask(
    problem: str, stats: dict[str, Any], fix: str, signs: dict[str, bool] | None = None
) -> Finding:
    return Finding(
        Verdict.FAILED,
        f"attention mask wrong: {problem}",
        statistics=stats,
        causes=("attention-mask-ignored",),
        certain=True,
        fix=fix,
        signs=signs or {},
    )


def _padding_id(evidence: Evidence) -> int:
    """Return the id of padding: the model's, else the one that the mask leaves out most often."""
    if evidence.pad_token_id is not None:
        return int(evidence.pad_token_id)
    masked, times = np.unique(evidence.input_ids[evidence.attention_mask == 0], return_counts=True)
    return int(masked[times.argmax()])


def _padding_left_in(evidence: Evidence, kept: npt.NDArray[Any]) -> tuple[int, str]:
    """Count the texts whose padding the mask does not leave out, and say how that shows."""
    ids, mask, pad = evidence.input_ids, evidence.attention_mask, evidence.pad_token_id
    if ids is not None and pad is not None and ids.shape[1] > 1:
        # One may be a token that ends texts (pad and end are the same id in GPT-2); two are not.
        ends = np.zeros(len(ids), dtype=bool)
        for end in (np.s_[:, :2], np.s_[:, -2:]):
            ends |= ((ids[end] == pad) & (mask[end] == 1)).all(axis=1)
        if ends.any():
            return int(np.count_nonzero(ends)), f"they end in the pad id {pad}"
    tokens = evidence.kept_token_counts
    if tokens is not None and kept.min() == mask.shape[1] and len(np.unique(tokens)) > 1:
        shorter = int(np.count_nonzero(tokens < kept))
        return shorter, "the mask is all ones"
    return 0, ""


def _counted_otherwise(evidence: Evidence, kept: npt.NDArray[Any]) -> int:
    """Count the texts of which the mask keeps another number of tokens than the tokenizer.

    A difference that all have in common is how special tokens are counted.
    """
    if evidence.kept_token_counts is None or kept.min() == evidence.attention_mask.shape[1]:
        return 0
    difference = evidence.kept_token_counts.astype(np.int64) - kept
    return int(np.count_nonzero(difference != difference[0]))
