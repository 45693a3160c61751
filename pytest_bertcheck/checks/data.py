"""Checks of the labels that a model is trained and evaluated on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, comb, exp, inf, log
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .. import statistics
from ..evidence import Evidence
from ..findings import Finding, Verdict
from ..logits import answers_of
from ..messages import MAX_ROWS, count, probability, quoted, share
from ..statistics import Confusion
from . import ALPHA, COMPARISON, check, reject_health
from .outputs import Collapse, beyond_halfway, collapse_test, demonstrably_good, in_range

__all__ = [
    "classes_balanced",
    "labels_as_predictable",
    "labels_clean",
    "labels_informative",
    "labels_not_noisier",
    "labels_valid",
    "splits_consistent",
    "training_data_shuffled",
]

READ_TRAINING_ROWS = (
    "read twenty training rows with their labels; assert_labels_clean(texts, labels)\n"
    "lists the most doubtful ones"
)

SENTINELS = {-1: "hidden test labels", -100: "positions that the loss ignores"}


@check(stage="data", needs=[("y_true", "y_train")], causes=["label-out-of-range"])
def labels_valid(evidence: Evidence, *, alpha: float = ALPHA) -> Finding:
    """Are all label ids within ``0..C-1``?

    A fact rather than a test: one id outside the range is a defect. On a GPU, TensorFlow turns
    such a label into a NaN loss instead of an error. C is the number of names of the data set,
    else of output columns, else of names of the model; where none is known, only negative ids
    can be found.

    Source: tensorflow#8484, datasets#245.
    """
    num_labels = evidence.num_labels
    limit = "below 0" if num_labels is None else f"outside 0..{num_labels - 1}"
    problems: list[tuple[str, ...]] = []
    fixes: list[str] = []
    wrong_rows = 0
    for field in ("y_true", "y_train", "train_y_true"):
        labels = getattr(evidence, field)
        if labels is None:
            continue
        outside = labels < 0
        if num_labels is not None:
            outside |= labels >= num_labels
        wrong = int(np.count_nonzero(outside))
        if not wrong:
            continue
        wrong_rows += wrong
        values = sorted(int(value) for value in np.unique(labels[outside])[:5])
        problems.append((field, f"{wrong}/{len(labels)}", share(wrong, len(labels)), _some(values)))
        fixes.append(_range_fix(field, labels, values, num_labels))
    statistics_ = {"num_labels": num_labels, "out_of_range": wrong_rows}
    if problems:
        field, rows, _, some = problems[0]
        several = len(problems) > 1
        return Finding(
            Verdict.FAILED,
            f"labels out of range: {', '.join(f'{p[2]} of {p[0]}' for p in problems)} {limit}"
            if several
            else f"labels out of range: {field} has {rows} ids {limit}: {some}",
            statistics=statistics_,
            causes=("label-out-of-range",),
            certain=True,
            fix="\n".join(dict.fromkeys(fixes)),
            signs={"labels-out-of-range": True},
            table=(("field", "rows", "share", "ids"), *problems) if several else (),
        )
    known = "at least 0" if num_labels is None else f"within 0..{num_labels - 1}"
    return Finding(
        Verdict.PASSED,
        f"all label ids are {known}",
        statistics=statistics_,
        signs={"labels-out-of-range": False},
    )


def _some(values: list[int]) -> str:
    return ", ".join(map(str, values[:4])) + (", ..." if len(values) > 4 else "")


def _range_fix(
    field: str, labels: npt.NDArray[Any], values: list[int], num_labels: int | None
) -> str:
    if num_labels is not None and labels.min() == 1 and labels.max() == num_labels:
        return f"ids run from 1 to {num_labels}: use {field} - 1, or name the label of id 0"
    for value in values:
        if value in SENTINELS:
            return f"{value} marks {SENTINELS[value]}: drop the rows, {field}[{field} >= 0]"
    if num_labels is not None and max(values) >= num_labels:
        return (
            f"set num_labels={labels.max() + 1} if the label exists; otherwise look for a header "
            f"row or an empty label in {field}"
        )
    return f"encode {field} as 0..C-1, for example with sklearn.preprocessing.LabelEncoder"


@check(
    stage="data",
    needs=["y_train"],
    causes=["class-imbalance"],
    limits={"max_imbalance_ratio": (1, inf)},
)
def classes_balanced(
    evidence: Evidence, *, alpha: float = ALPHA, max_imbalance_ratio: float = 10.0
) -> Finding:
    """Is the training set so imbalanced that the model learnt the prior?

    Null hypothesis: of the training rows of the largest and of any other class, at least one in
    ``max_imbalance_ratio + 1`` is of the other. Test: exact binomial on the largest and the
    smallest class, times the C (C - 1) / 2 pairs that they were chosen from; rows are taken
    as independent draws. An imbalanced training set is no defect in itself, so where outputs are at
    hand the check fails only if it did harm, in one of four ways whose tests share ``alpha``:

    - The answers to all other labels go to the largest training class: the test of
      ``not_collapsed``.
    - More than half of them do, and those labels are evaluated more than twice as often as they
      were trained (exact binomial for both; of the share in training its upper bound counts).
    - Labels beyond ``max_imbalance_ratio`` in training that have more than half of the evaluation
      rows are never the answer, though to a fifth of their rows they should be (exact).
    - More than a fifth of them do and less than a fifth of that class's rows get another, those
      labels are evaluated more than twice as often as they were trained (exact binomial for each),
      and the outputs tell the labels apart all the same: another cut than the argmax gains a tenth
      of accuracy, rows of that class and all others counting half each (each half of the rows is
      cut where it is best for the other half). So does a calibrated model whose evaluation set has
      another balance than its training set: its answers are those for the latter.

    A healthy model on imbalanced data therefore fails with probability at most ``alpha``; evaluated
    in the balance that it was trained in, it can fail by the first alone. Where one label has more
    than half of the training rows, answers and ``y_true`` are judged however few rows there are.

    Source: the imbalance ratio of Fernandez et al. (2018), Learning from Imbalanced Data Sets;
    another cut than the argmax, Collell, Prelec and Patil (2018), Neurocomputing 275.
    """
    names, counts = _train_counts(evidence)
    rows, num_labels = int(counts.sum()), len(counts)
    if num_labels < 2:
        return Finding(
            Verdict.INCONCLUSIVE,
            "y_train holds no two labels to compare: label_names would tell which it lacks",
        )
    largest, smallest = int(counts.argmax()), int(counts.argmin())
    pair = int(counts[largest] + counts[smallest])
    rate = 1 / (1 + max_imbalance_ratio)
    p_value = statistics.binomial_at_most(int(counts[smallest]), pair, rate)
    p_value = min(1.0, p_value * comb(num_labels, 2))
    ratio = counts[largest] / counts[smallest] if counts[smallest] else float("inf")
    order = np.argsort(-counts, kind="stable")
    weights = rows / (num_labels * np.maximum(counts, 1))
    majority = counts[largest] / max(rows, 1)
    stats: dict[str, Any] = {
        "imbalance_ratio": float(ratio),
        "majority_label": names[largest],
        "majority_share": float(majority),
        "prior_entropy": statistics.entropy(counts),
    }
    signs = {"training-imbalanced": bool(ratio > max_imbalance_ratio)}
    name = quoted(names[largest], 10)
    part = f"{share(int(counts[largest]), rows)} of {count(rows, 'training row')}"
    description = f"{part} are {name}, {counts[smallest]:,} {quoted(names[smallest], 10)}"
    # What most rows say is no accident of a few; so the answers may show that it did harm.
    dominates = ratio > max_imbalance_ratio and majority > 0.5
    judged = evidence.confusion is not None or _answers_are(evidence, largest)
    finite = evidence.logits is None or not evidence.outputs.broken_rows
    if p_value > alpha and not (dominates and judged and finite):
        summary = f"training labels within {max_imbalance_ratio:g}:1: {description}"
        if ratio > max_imbalance_ratio:
            summary = f"{description}: too few rows to tell if beyond {max_imbalance_ratio:g}:1"
        return Finding(Verdict.PASSED, summary, statistics=stats, signs=signs)
    if evidence.confusion is not None and largest < evidence.confusion.num_labels:
        harms = _harms(evidence, evidence.confusion, counts, max_imbalance_ratio, alpha)
        harm = min(harms, key=lambda harm: harm.p_value)
        p_value = stats["harm_p_value"] = harm.p_value
        if p_value > alpha:
            signs["imbalance-collapse"] = False
            summary = f"imbalanced, and the model copes: {description}"
            return Finding(Verdict.PASSED, summary, statistics=stats, p_value=p_value, signs=signs)
        for seen in harms:
            if seen.p_value <= alpha:
                signs[seen.sign] = True
                stats |= seen.figures
        description = f"{name} is {part}, {harm.seen}"
    elif evidence.answers is not None:
        summary = f"{description}: harmful? y_true would tell"
        return Finding(
            Verdict.INCONCLUSIVE, summary, statistics=stats, needs=("y_true",), signs=signs
        )
    shown = ", ".join(f"{label}: {weights[label]:.3g}" for label in order[::-1][:8])
    return Finding(
        Verdict.FAILED,
        f"imbalanced: {description}, {probability(p_value)}",
        statistics=stats,
        p_value=p_value,
        causes=("class-imbalance",),
        fix=f"class_weight={{{shown}}}  # compute_class_weight('balanced', ...)\n"
        "or sample the rare classes more often; judge by balanced accuracy, not accuracy",
        signs=signs,
        table=(
            ("label", "training rows", "share"),
            *(
                (names[label], f"{counts[label]:,}", share(int(counts[label]), rows))
                for label in order
            ),
        ),
    )


class _Harm(NamedTuple):
    """A way in which an imbalanced training set may do harm, and the p-value of 'it did not'."""

    sign: str
    p_value: float
    seen: str
    figures: Mapping[str, float] = {}


def _harms(
    evidence: Evidence,
    confusion: Confusion,
    counts: npt.NDArray[np.int64],
    max_ratio: float,
    alpha: float,
) -> list[_Harm]:
    """Return what may speak against 'no harm', each p-value for all four tests (Bonferroni)."""
    tests, rows, largest = 4, int(counts.sum()), int(counts.argmax())
    collapse = collapse_test(confusion, largest, alpha / tests)
    collapsed = collapse.p_value if collapse.collapsed else 1.0
    trained = statistics.clopper_pearson(rows - int(counts[largest]), rows, alpha / tests)[1]
    twice = min(1.0, 2 * trained)
    more_often = statistics.binomial_at_least(collapse.others, confusion.total, twice)
    given_away = statistics.binomial_at_least(collapse.answered_others, collapse.others, 0.5)
    leaning = _leaning(evidence, confusion, collapse, largest)
    answered = f"the answer to {share(collapse.answered_others, collapse.others)} of others"
    harms = (
        # A model that weighs up what it was trained on may well give up a label that is rare there;
        # where that is twice as frequent, it is no good bargain any more.
        _Harm("imbalance-collapse", min(collapsed, max(more_often, given_away)), answered),
        _given_up(confusion, evidence.names, counts, max_ratio),
        leaning._replace(p_value=max(more_often, leaning.p_value), seen=answered),
    )
    return [harm._replace(p_value=min(1.0, tests * harm.p_value)) for harm in harms]


LEANING, LEANING_COSTS = 0.2, 0.1
"""Share of the rows of other labels that get the largest training label, though no such share of
its own get others, and what another cut must gain, for answers to lean to that label."""


def _leaning(evidence: Evidence, confusion: Confusion, collapse: Collapse, largest: int) -> _Harm:
    """Test whether rows of other labels get the label, though the outputs tell them apart.

    Null hypothesis: at most a fifth of them get it, or at least a fifth of its own rows get others
    (both exact binomial; both must be rejected). And another cut than the argmax must gain a tenth,
    or it is a hard task that costs the rows.
    """
    nothing = _Harm("leans-to-the-prior", 1.0, "")
    probabilities = evidence.probabilities
    if probabilities is None or probabilities.shape[1] <= largest:
        return nothing
    if not np.array_equal(probabilities.argmax(axis=1), evidence.answers):
        return nothing  # where the team cuts otherwise, what its cut costs is not known
    gained = _gained_by_another_cut(probabilities, evidence.y_true, largest)
    if gained < LEANING_COSTS:
        return nothing
    own, lost = int(confusion.support[largest]), collapse.answered_others
    return nothing._replace(
        p_value=max(
            statistics.binomial_at_least(lost, collapse.others, LEANING),
            statistics.binomial_at_most(own - int(confusion.hits[largest]), own, LEANING),
        ),
        figures={"gained_by_another_cut": gained},
    )


def _gained_by_another_cut(
    probabilities: npt.NDArray[np.float64], y_true: npt.NDArray[Any], label: int
) -> float:
    """Return the accuracy that is gained if the label must lead the next by some factor.

    Its rows and those of all others count half each, in one scale. The factor for one half of the
    rows is what is best for the other half, so that nothing is gained by accident; each half has as
    many rows of every label.
    """
    own = y_true == label
    if own.all() or not own.any():
        return 0.0
    weights = np.where(own, 0.5 / own.sum(), 0.5 / (~own).sum())
    rows = np.flatnonzero(probabilities.argmax(axis=1) == label)
    rows = rows[np.argsort(y_true[rows], kind="stable")]
    others = probabilities[rows]
    others[:, label] = -1
    following = others.argmax(axis=1)
    with np.errstate(divide="ignore"):
        lead = probabilities[rows, label] / others[np.arange(len(rows)), following]
    gain = weights[rows] * ((following == y_true[rows]).astype(int) - own[rows])
    total = 0.0
    for learnt, used in ((np.s_[::2], np.s_[1::2]), (np.s_[1::2], np.s_[::2])):
        order = np.argsort(lead[learnt], kind="stable")
        gained = np.cumsum(gain[learnt][order])
        if len(gained) and gained.max() > 0:
            factor = lead[learnt][order][gained.argmax()]
            total += float(gain[used][lead[used] <= factor].sum())
    return total


def _given_up(
    confusion: Confusion, names: tuple[str, ...], counts: npt.NDArray[np.int64], max_ratio: float
) -> _Harm:
    """Test whether labels that were rare in training are given up, and most rows with them.

    Null hypothesis: of the rows of any label beyond ``max_ratio`` a fifth or more is answered
    rightly. Test: exact, of those that are never the answer, times the number of sets of labels
    that they could have been; and they have more than half of the rows.
    """
    trained = counts > 0  # a label that never was is for splits_consistent to report
    rare = trained & (counts * max_ratio < counts.max())
    given_up = np.flatnonzero(rare & (confusion.predicted == 0) & (confusion.support > 0))
    rows = int(confusion.support[given_up].sum())
    if 2 * rows <= confusion.total:
        return _Harm("rare-labels-given-up", 1.0, "")
    p_value = exp(min(0.0, int(rare.sum()) * log(2) + rows * log(0.8)))
    several = len(given_up) > 1
    which = count(len(given_up), "rare label") if several else quoted(names[given_up[0]], 10)
    return _Harm("rare-labels-given-up", p_value, f"{which} never answered")


def _train_counts(evidence: Evidence) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Return names and counts of the training labels; ids that cannot be labels are left out."""
    values, counts = np.unique(evidence.y_train, return_counts=True)
    num_labels = evidence.num_labels
    if num_labels is None:
        return tuple(str(value) for value in values), counts
    valid = (values >= 0) & (values < num_labels)
    full = np.zeros(num_labels, dtype=np.int64)
    full[values[valid]] = counts[valid]
    return evidence.names, full


def _answers_are(evidence: Evidence, label: int) -> bool:
    return evidence.answers is not None and bool((evidence.answers == label).all())


def _name(evidence: Evidence, label: int, limit: int = 20) -> str:
    """Return the name of a label in quotes, or its id where it has none."""
    return quoted(evidence.names[label] if 0 <= label < len(evidence.names) else label, limit)


def _enough(plan: Callable[..., int], **case: Any) -> str:
    """Say how many rows would settle what was seen, if it is that, with a power of 0.9."""
    try:
        return f"; about {plan(power=0.9, **case):,} rows would tell"
    except ValueError:  # so close to the limit that no number of rows would
        return ""


def _rows_to_see_order(
    *, alpha: float, power: float, num_labels: int = 2, equal_share: float = 1.0
) -> int:
    """Count rows of ``num_labels`` balanced labels, sorted or in part.

    ``equal_share`` is the share of rows with the label of the row before them: 1 if sorted. The
    number is on the safe side: it takes the rows of one label for independent draws.
    """
    reject_health("equal_share", equal_share, 1 / num_labels)
    each = statistics.trials_for_power(
        1 - 1 / num_labels, 1 - equal_share, alpha / num_labels, power
    )
    return num_labels * (each + 1)


@check(
    stage="data",
    needs=["y_train"],
    causes=["training-data-sorted"],
    examples=_rows_to_see_order,
)
def training_data_shuffled(
    evidence: Evidence, *, alpha: float = ALPHA, only_if_harmful: bool = True
) -> Finding:
    """Were the training rows fed in random order?

    Null hypothesis: all orders of ``y_train`` are equally likely. Test: the exact number of runs
    of each label (Wald and Wolfowitz; see :func:`~.statistics.runs_too_few`), Bonferroni over
    labels, against 'too few'. It finds sorted rows, blocks of a label and a shuffle buffer smaller
    than the data; labels that take turns are fine. Rows batched by length or source are in no
    random order either if those go with the label.

    ``y_train`` often is the order of the data set although training shuffled it. So by default the
    check fails only if, besides, the answers to all other labels go to the label fed last (the
    test of ``not_collapsed``; both tests must reject, so the error rate is at most ``alpha``
    whatever the order). A good accuracy passes; anything else in label order is inconclusive.
    With ``only_if_harmful=False`` the order alone fails.

    The sign ``loss-jumps-with-labels`` says that it was fed so: the training loss, if there is one
    for each step and ``batch_size``, jumps where the label of the batches changes. In a window
    around each change within an epoch, no wider than to halfway to the next, the step there is the
    largest (or one of two, where both labels are in the batch), more often than if it were
    anywhere in the window with the same chance (exact test at ``alpha``). No more than a sign: rows
    shuffled once, or grouped by length, have a loss that jumps at the same steps in every epoch,
    too, which may be those.

    Source: Wald and Wolfowitz (1940); keras#8346, gbert#154, Socialbird BERT-Classification#11.
    """
    y_train = evidence.y_train
    labels = np.unique(y_train, return_counts=True)[1]
    rows, last = len(y_train), int(y_train[-1])
    if len(labels) < 2:
        return Finding(
            Verdict.INCONCLUSIVE,
            "y_train holds one label only: two or more would tell whether it is shuffled",
        )
    in_order = statistics.runs_too_few(y_train)
    runs = 1 + int(np.count_nonzero(y_train[1:] != y_train[:-1]))
    expected = float(labels @ (rows - labels + 1)) / rows
    figures: dict[str, Any] = {"rows": rows, "runs": runs, "expected_runs": expected}
    versus = (
        f"{count(runs, 'run')} of equal labels in {count(rows, 'row')}, {expected:,.0f} at random"
    )
    signs = {"training-in-label-order": in_order <= alpha}
    if in_order > alpha:
        # Whether sorted rows would have been found: the least number of runs is one a label.
        if statistics.runs_too_few(np.repeat(np.arange(len(labels)), labels)) <= alpha:
            return Finding(
                Verdict.PASSED,
                f"rows in random order: {versus}",
                statistics=figures,
                p_value=in_order,
                signs=signs,
            )
        needed = _rows_to_see_order(alpha=alpha, power=0.9, num_labels=len(labels))
        return Finding(
            Verdict.INCONCLUSIVE,
            f"order open: {versus}; {needed:,} balanced rows would tell",
            statistics=figures,
        )
    fix = (
        "shuffle once before anything else: rows = rows.sample(frac=1, random_state=0)\n"
        "then fit(shuffle=True), or dataset.shuffle(buffer_size=len(rows))"
    )
    failure = Finding(
        Verdict.FAILED,
        f"rows in label order: {versus}, {probability(in_order)}",
        statistics=figures,
        p_value=in_order,
        causes=("training-data-sorted",),
        fix=fix,
        signs=signs,
        table=_longest_runs(evidence),
    )
    if not only_if_harmful:
        return failure
    jumps = _jumps_where_labels_change(evidence)
    fed = versus
    if jumps is not None and jumps.least_p_value <= alpha:
        figures |= {"label_changes": jumps.changes, "loss_jumps": jumps.jumps}
        signs["loss-jumps-with-labels"] = jumps.p_value <= alpha
        if jumps.p_value <= alpha:
            fed = f"the loss jumps at {jumps.jumps} of {count(jumps.changes, 'change')} of label"
    collapse = _collapse_on(evidence, last, alpha)
    p_value = None
    if collapse is not None:
        p_value = max(in_order, collapse.p_value)
        signs["last-fed-is-the-answer"] = collapse.collapsed
        if collapse.collapsed:
            return dataclasses.replace(
                failure,
                summary=f"fed in label order: {collapse.answered_others}/{collapse.others} other "
                f"rows get {_name(evidence, last, 14)}, the last label fed, {probability(p_value)}",
                p_value=p_value,
            )
    if demonstrably_good(evidence, alpha):
        return Finding(
            Verdict.PASSED,
            f"y_train is in label order and the model copes: {versus}",
            statistics=figures,
            p_value=p_value,
            signs=signs,
        )
    return Finding(
        Verdict.INCONCLUSIVE,
        f"y_train in label order: {fed}; fed so?",
        statistics=figures,
        p_value=p_value,
        causes=("training-data-sorted",),
        fix="record y_train as the training loop gets it: assert_training_data_shuffled(y_fed)",
        signs=signs,
    )


class _Jumps(NamedTuple):
    """How often the training loss jumps where the label of the batches changes.

    ``p_value`` is the probability of so many by chance; ``least_p_value`` that of one at each.
    """

    jumps: int
    changes: int
    p_value: float
    least_p_value: float


def _jumps_where_labels_change(evidence: Evidence) -> _Jumps | None:
    """Count changes of label between the batches of an epoch, and those at which the loss jumps.

    None if the loss is not recorded for each step, or labels do not change within an epoch.
    """
    epoch = _steps_per_epoch(evidence)
    if epoch is None:
        return None
    changes = _label_changes(evidence.y_train, evidence.batch_size, epoch)
    with np.errstate(invalid="ignore", over="ignore"):  # a loss may be infinite, or huge
        steps = np.abs(np.diff(evidence.loss))
    jumps, chances = 0, []
    for start in range(0, len(evidence.loss), epoch):
        within = steps[start : start + epoch - 1]
        for place, (first, last) in enumerate(changes):
            before = changes[place - 1][1] if place else -len(within)
            after = changes[place + 1][0] if place + 1 < len(changes) else 2 * len(within)
            halfway = (min(first - before, after - last) - 1) // 2
            reach = min(first, len(within) - 1 - last, halfway)
            if reach > 0:
                window = within[first - reach : last + reach + 1]
                largest = np.flatnonzero(window == window.max())
                jumps += len(largest) == 1 and reach <= largest[0] <= reach + last - first
                chances.append((1 + last - first) / len(window))
    if not chances:
        return None
    each = statistics.successes_at_least(len(chances), chances)
    return _Jumps(jumps, len(chances), statistics.successes_at_least(jumps, chances), each)


def _steps_per_epoch(evidence: Evidence) -> int | None:
    """Return how many steps go through all rows, if the loss of whole epochs is known by step."""
    loss, rows = evidence.loss, len(evidence.y_train)
    size: int | None = evidence.batch_size
    if loss is None or size is None or len(loss) != evidence.train_steps:
        return None
    for epoch in (ceil(rows / size), rows // size):  # with a shorter last batch, or without it
        if epoch and len(loss) % epoch == 0:
            return epoch
    return None


def _label_changes(y_train: npt.NDArray[Any], size: int, epoch: int) -> list[tuple[int, int]]:
    """Return the first and the last step at which the loss would jump for each change of label.

    Step k leads from batch k to the next. The label of a batch is that of its middle row; where it
    has more than a quarter of the one before or after, the loss may jump before it or after it.
    """

    def holds(batch: int, label: int) -> bool:
        return bool(np.mean(y_train[batch * size : (batch + 1) * size] == label) > 0.25)

    middle = np.minimum(np.arange(epoch) * size + size // 2, len(y_train) - 1)
    labels = y_train[middle]
    changes = []
    for step in np.flatnonzero(labels[1:] != labels[:-1]).tolist():
        early = step > 0 and holds(step, labels[step + 1])
        late = not early and holds(step + 1, labels[step])
        changes.append((step - early, step + late))
    return changes


def _longest_runs(evidence: Evidence) -> tuple[tuple[str, ...], ...]:
    y_train = evidence.y_train
    starts = np.flatnonzero(np.r_[True, y_train[1:] != y_train[:-1]])
    lengths = np.diff(np.r_[starts, len(y_train)])
    longest = np.argsort(-lengths, kind="stable")
    return (
        ("label", "from row", "rows in a run"),
        *(
            (
                _name(evidence, int(y_train[starts[run]])),
                f"{starts[run]:,}",
                f"{lengths[run]:,}",
            )
            for run in longest[:MAX_ROWS]
        ),
    )


def _collapse_on(evidence: Evidence, label: int, alpha: float) -> Collapse | None:
    confusion = evidence.confusion
    if confusion is None or not 0 <= label < confusion.num_labels:
        return None
    return collapse_test(confusion, label, alpha)


def _rows_to_miss_a_label(
    *,
    alpha: float,
    power: float,
    true_share: float = 0.1,
    num_labels: int = 2,
    train_rows_per_row: float = 1.0,
) -> int:
    """Count evaluation rows, of which ``true_share`` are of a label that training never saw.

    ``train_rows_per_row`` is m / n.
    """
    if not 0 < true_share <= 1 or train_rows_per_row <= 0 or num_labels < 1:
        raise ValueError(
            "expected true_share in (0, 1], train_rows_per_row above 0 and num_labels of at "
            f"least 1, got {true_share!r}, {train_rows_per_row!r} and {num_labels!r}"
        )
    of_label = ceil(log(num_labels / alpha) / log(1 + train_rows_per_row))
    return statistics.trials_for_successes(of_label, true_share, power)


@check(
    stage="data",
    needs=["y_train", "y_true"],
    causes=["training-data-sorted"],
    limits={"max_difference": (0, 1)},
    examples=_rows_to_miss_a_label,
)
def splits_consistent(
    evidence: Evidence,
    *,
    alpha: float = ALPHA,
    max_difference: float | None = None,
    allow_missing: bool = True,
) -> Finding:
    """Do training and evaluation hold the same labels?

    A label of the evaluation set that training never saw cannot be answered: the data were split
    by position. Null hypothesis: the label has the same share in both, rows are independent
    draws. Test: given how often it occurs in both together, the probability that none of its rows
    is a training row (Fisher's exact test), Bonferroni over labels; error rate at most ``alpha``.
    An evaluation set balanced by hand may hold a label rare enough to be missing from training:
    that fails too, since the model never saw it.

    On request only, since a slice is a legitimate evaluation set: a training label missing from
    the evaluation set (``allow_missing=False``; the same test), and shares that differ by more
    than ``max_difference`` (null hypothesis: at most that; Clopper-Pearson bounds of both shares
    at half the level, see :func:`~.statistics.rate_above`). Bonferroni is over all that is asked.

    Source: keras#8346, keras#597, where ``validation_split`` cuts off the tail before shuffling.
    """
    y_train, y_true = evidence.y_train, evidence.y_true
    told = (evidence.dataset_label_names, evidence.label_names, evidence.logits)
    known = any(field is not None for field in told)  # else by y_true, which may lack a label
    limit = evidence.num_labels if known and evidence.num_labels else inf
    for field, ids in (("y_train", y_train), ("y_true", y_true)):
        if ids.min() < 0 or ids.max() >= limit:
            return Finding(
                Verdict.INCONCLUSIVE, f"{field} holds ids that are no label ids: see labels_valid"
            )
    labels, ids = np.unique(np.concatenate([y_train, y_true]), return_inverse=True)
    m, n = len(y_train), len(y_true)
    train = np.bincount(ids[:m], minlength=len(labels))
    true = np.bincount(ids[m:], minlength=len(labels))
    names = [_name(evidence, label, 14) for label in labels.tolist()]
    tries = len(labels) * (1 + (not allow_missing) + 2 * (max_difference is not None))
    level = alpha / tries
    suspicions = _never_there("training", names, train, true, level)
    if not allow_missing:
        suspicions += _never_there("evaluation", names, true, train, level)
    if max_difference is not None:
        suspicions += _far_apart(names, train, true, max_difference, level)
    figures: dict[str, Any] = {
        "train_rows": m,
        "rows": n,
        "never_trained": labels[train == 0].tolist(),
        "never_evaluated": labels[true == 0].tolist(),
        "largest_difference": float(np.abs(train / m - true / n).max()),
    }
    signs = {"label-never-trained": False}
    if not suspicions:
        same = f"training and evaluation hold the same {count(len(labels), 'label')}"
        all_seen = f"training saw the {count(int(np.count_nonzero(true)), 'label')} of evaluation"
        summary = same if true.all() else all_seen
        return Finding(Verdict.PASSED, summary, statistics=figures, p_value=1.0, signs=signs)
    worst = min(suspicions, key=lambda item: item.p_value)
    p_value = min(1.0, worst.p_value * tries)
    if p_value > alpha:
        return Finding(
            Verdict.INCONCLUSIVE,
            f"{worst.seen}{worst.enough() or ': chance or a faulty split?'}",
            statistics=figures,
            p_value=p_value,
            fix="if the split is faulty: train_test_split(rows, stratify=labels, random_state=0)",
        )
    order = np.argsort(-np.abs(train / m - true / n), kind="stable")
    return Finding(
        Verdict.FAILED,
        f"splits differ: {worst.seen}, {probability(p_value)}",
        statistics=figures,
        p_value=p_value,
        causes=("training-data-sorted",),
        fix="shuffle before splitting: train_test_split(rows, stratify=labels, random_state=0);\n"
        "validation_split=... takes the tail of the data as it stands",
        signs={"label-never-trained": worst.never_trained},
        table=(
            ("label", "training rows", "evaluation rows"),
            *((names[label], f"{train[label]:,}", f"{true[label]:,}") for label in order),
        ),
    )


@dataclass(frozen=True)
class Suspicion:
    """What is odd about one label in two splits, and how many rows would tell if it is chance."""

    p_value: float
    seen: str
    enough: Callable[[], str]
    never_trained: bool = False


def _never_there(
    split: str,
    names: Sequence[str],
    absent: npt.NDArray[np.intp],
    there: npt.NDArray[np.intp],
    level: float,
) -> list[Suspicion]:
    """Suspect the labels that one split, given its counts, lacks and the other has."""
    lacking, having = int(absent.sum()), int(there.sum())
    other = "evaluation" if split == "training" else "training"
    return [
        Suspicion(
            statistics.hypergeometric_at_most(0, lacking + having, int(there[label]), lacking),
            f"{names[label]} is never in {split}, {share(int(there[label]), having)} of "
            f"{having:,} {other} rows",
            partial(
                _enough,
                _rows_to_miss_a_label,
                alpha=level,
                true_share=there[label] / having,
                num_labels=1,
                train_rows_per_row=lacking / having,
            ),
            never_trained=split == "training",
        )
        for label in np.flatnonzero(absent == 0).tolist()
    ]


def _far_apart(
    names: Sequence[str],
    train: npt.NDArray[np.intp],
    true: npt.NDArray[np.intp],
    max_difference: float,
    level: float,
) -> list[Suspicion]:
    """Suspect the labels whose shares differ by more than ``max_difference``."""
    found = []
    m, n = int(train.sum()), int(true.sum())
    for label in np.flatnonzero(np.abs(train / m - true / n) > max_difference).tolist():
        sides = sorted([(train[label] / m, int(train[label]), m),
                        (true[label] / n, int(true[label]), n)])  # fmt: skip
        (low, *fewer), (high, *more) = sides
        found.append(
            Suspicion(
                statistics.rate_above(*more, *fewer, margin=max_difference),
                f"{names[label]} is {share(int(train[label]), m)} of training, "
                f"{share(int(true[label]), n)} of evaluation rows",
                partial(
                    _enough,
                    statistics.trials_for_gap,
                    rate=high,
                    other_rate=low,
                    margin=max_difference,
                    alpha=level,
                ),
            )
        )
    return found


def _rows_for_skill(
    *, alpha: float, power: float, min_skill: float = 0.1, majority_share: float = 0.5
) -> int:
    """Count rows whose labels say nothing, of which ``majority_share`` have the same label."""
    level = majority_share + min_skill * (1 - majority_share)
    return statistics.trials_for_power(level, majority_share, alpha, power)


@check(
    stage="data",
    needs=["y_train", "train_reference_y_pred"],
    causes=["labels-shuffled"],
    limits={"min_skill": (0, 1)},
    examples=_rows_for_skill,
)
def labels_informative(
    evidence: Evidence, *, alpha: float = ALPHA, min_skill: float = 0.0
) -> Finding:
    """Do the training labels say anything about the training texts?

    A plain reference model (TF-IDF and logistic regression) is cross-validated on the training
    rows. It passes if this null hypothesis is rejected at ``alpha``: labels were dealt to the texts
    at random. Test: Fisher's exact test for each label, on the out-of-fold answers and, where
    ``train_reference_probabilities`` are at hand, on as many rows as the label has, those to which
    the model gives it the highest probability (on imbalanced data no answer may be the rare
    label); Bonferroni over all. Not rejecting it is inconclusive: labels may be shuffled, or the
    task may be beyond a bag of words.

    With ``min_skill`` above 0 it fails if, besides, the skill is significantly below it. Skill is
    the share of the way from the majority's share to 1; null hypothesis, it is at least
    ``min_skill``; exact binomial test on the number of out-of-fold answers that are right; error
    rate at most ``alpha``. The answers of one cross-validation are slightly dependent, which the
    binomial leaves out; stratified folds make them, if anything, less variable.

    Source: Ojala and Garriga (2010), Permutation Tests for Studying Classifier Performance.
    """
    kept = (evidence.y_train >= 0) & (evidence.train_reference_y_pred >= 0)
    if not kept.any():
        return Finding(Verdict.INCONCLUSIVE, "no training label is a label id: see labels_valid")
    y_train, answers = evidence.y_train[kept], evidence.train_reference_y_pred[kept]
    labels, ids = np.unique(np.concatenate([y_train, answers]), return_inverse=True)
    confusion = statistics.confusion_matrix(ids[: len(y_train)], ids[len(y_train) :], len(labels))
    p_value = statistics.match_above_chance(confusion)
    if evidence.train_reference_probabilities is not None:
        ranked = _match_of_the_surest(y_train, evidence.train_reference_probabilities[kept])
        p_value = min(1.0, 2 * min(p_value, ranked))
    total, hits = confusion.total, confusion.right
    majority = float(confusion.support.max()) / total
    right = f"TF-IDF right on {share(hits, total)} of {total:,} rows"
    tells = p_value <= alpha
    figures: dict[str, Any] = {
        "accuracy": hits / total,
        "majority_share": majority,
        "rows": total,
        "independence_p_value": p_value,
    }
    signs = {"training-labels-tell-nothing": not tells}
    if tells:
        return Finding(
            Verdict.PASSED,
            f"training labels tell of the texts: {right}",
            statistics=figures,
            signs=signs,
        )
    enough = ""
    if min_skill > 0 and majority < 1:
        level = majority + min_skill * (1 - majority)
        below = statistics.binomial_at_most(hits, total, level)
        if below <= alpha:
            return Finding(
                Verdict.FAILED,
                f"labels tell nothing: {right}, one label is {majority:.0%} of them, "
                f"{probability(below)}",
                statistics=figures,
                p_value=below,
                causes=("labels-shuffled",),
                fix="keep texts and labels in one table while shuffling, and print five pairs;\n"
                "if the pairs are right, the task is beyond a bag of words",
                signs=signs,
            )
        enough = _enough(_rows_for_skill, alpha=alpha, min_skill=min_skill, majority_share=majority)
    return Finding(
        Verdict.INCONCLUSIVE,
        f"labels may tell nothing: {right}{enough}",
        statistics=figures,
        causes=("labels-shuffled",),
        fix="read five (text, label) pairs: if they are right, the task is beyond a bag of words",
        signs=signs,
    )


def _match_of_the_surest(
    labels: npt.NDArray[Any], probabilities: npt.NDArray[np.floating[Any]]
) -> float:
    """Test independence on the rows, as many as a label has, where the label is likeliest.

    Whichever rows those are, if labels were dealt at random the number of them that do have the
    label is hypergeometric.
    """
    present, counts = np.unique(labels, return_counts=True)
    p_values = [1.0]
    for label, rows in zip(present.tolist(), counts.tolist(), strict=True):
        if label < probabilities.shape[1]:
            surest = np.argpartition(-probabilities[:, label], rows - 1)[:rows]
            hits = int(np.count_nonzero(labels[surest] == label))
            p_values.append(statistics.hypergeometric_at_least(hits, len(labels), rows, rows))
    return min(1.0, min(p_values) * len(present))


def _rows_for_noise(
    *,
    alpha: float,
    power: float,
    train_accuracy: float = 0.6,
    accuracy: float = 0.9,
    max_gap: float = 0.1,
) -> int:
    """Count rows of each side for a model's accuracies on training and on evaluation labels."""
    return statistics.trials_for_gap(1 - train_accuracy, 1 - accuracy, max_gap, alpha, power)


@check(
    stage="data",
    needs=["y_true", "logits", "train_y_true", "train_logits"],
    causes=["labels-noisy"],
    limits={"max_gap": (0, 1)},
    examples=_rows_for_noise,
    weight=COMPARISON,
)
def labels_not_noisier(
    evidence: Evidence, *, alpha: float = ALPHA, max_gap: float = 0.1
) -> Finding:
    """Are the training labels noisier than the evaluation labels?

    A model errs no more often on rows that it was fitted on than on new ones, if both are
    labelled alike. Null hypothesis: for each label, its error on the training sample is at most
    ``max_gap`` above that on the evaluation set. Test: Clopper-Pearson bounds of both errors, at
    half the level (see :func:`~.statistics.rate_above`); error rate at most ``alpha``. Both sides
    are cut down, by a local generator, to as many rows of each label, so that another balance of
    labels is no difference; errors of unlike rows vary less than the binomial allows (Hoeffding
    1956).

    Faults on the evaluation side make that side worse and so cannot fail the check. A model that
    has memorised its noise hides it. What fails too is an evaluation set that is easier than the
    training set by more than ``max_gap``.

    The sign ``training-rows-learnt`` says that the model is demonstrably right on the training
    rows (beyond halfway from the largest label's share to 1): then it was trained.

    Source: Song et al. (2022), Learning from Noisy Labels with Deep Neural Networks: A Survey.
    """
    y_train, y_true = evidence.train_y_true, evidence.y_true
    labels, ids = np.unique(np.concatenate([y_train, y_true]), return_inverse=True)
    sides = ids[: len(y_train)], ids[len(y_train) :]
    counts = np.minimum(*(np.bincount(side, minlength=len(labels)) for side in sides))
    counts[labels < 0] = 0
    total = int(counts.sum())
    if not total or not np.isfinite(evidence.train_logits).all():
        return Finding(
            Verdict.INCONCLUSIVE,
            "no label is both in train_y_true and in y_true: nothing to compare"
            if not total
            else "train_logits hold NaN or infinity: nothing to compare",
            fix="give train_logits and train_y_true of training rows with the labels of y_true"
            if not total
            else "find out first why training rows give NaN: see training_progressed",
        )
    train_rows, rows = (_some_of_each(side, counts) for side in sides)
    train_wrong = y_train[train_rows] != answers_of(evidence.train_logits)[train_rows]
    wrong = y_true[rows] != evidence.argmax[rows]
    train_errors, errors = int(np.count_nonzero(train_wrong)), int(np.count_nonzero(wrong))
    p_value = statistics.rate_above(train_errors, total, errors, total, margin=max_gap)
    figures: dict[str, Any] = {
        "train_accuracy": 1 - train_errors / total,
        "accuracy": 1 - errors / total,
        "rows_of_each": total,
    }
    right = (
        f"{share(total - train_errors, total)} right on training, "
        f"{share(total - errors, total)} on evaluation rows"
    )
    signs = {
        "training-labels-noisier": p_value <= alpha,
        "training-rows-learnt": beyond_halfway(
            total - train_errors, total, int(counts.max()), alpha
        ),
    }
    if p_value <= alpha:
        return Finding(
            Verdict.FAILED,
            f"training labels noisier: {right}, {probability(p_value)}",
            statistics=figures,
            p_value=p_value,
            causes=("labels-noisy",),
            fix=READ_TRAINING_ROWS,
            signs=signs,
            table=(
                ("label", "rows of each", "wrong in training", "wrong in evaluation"),
                *(
                    (
                        _name(evidence, int(labels[label])),
                        f"{counts[label]:,}",
                        f"{np.count_nonzero(train_wrong & (sides[0][train_rows] == label)):,}",
                        f"{np.count_nonzero(wrong & (sides[1][rows] == label)):,}",
                    )
                    for label in np.argsort(-counts, kind="stable")[:MAX_ROWS]
                ),
            ),
        )
    if train_errors <= errors + max_gap * total:
        return Finding(
            Verdict.PASSED,
            f"training labels no noisier than evaluation labels: {right}",
            statistics=figures,
            p_value=p_value,
            signs=signs,
        )
    enough = _enough(
        _rows_for_noise,
        alpha=alpha,
        train_accuracy=1 - train_errors / total,
        accuracy=1 - errors / total,
        max_gap=max_gap,
    )
    return Finding(
        Verdict.INCONCLUSIVE,
        f"labels noisier? {right}{enough}",
        statistics=figures,
        p_value=p_value,
        causes=("labels-noisy",),
    )


def _some_of_each(ids: npt.NDArray[Any], counts: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Return row numbers, ``counts[label]`` of each label, drawn by a local generator."""
    shuffled = np.random.default_rng(0).permutation(len(ids))
    by_label = shuffled[np.argsort(ids[shuffled], kind="stable")]
    sizes = np.bincount(ids, minlength=len(counts))
    place = np.arange(len(ids)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    drawn: npt.NDArray[np.intp] = by_label[place < counts[ids[by_label]]]
    return drawn


FEWEST_TO_LEARN = 20
"""Training rows of a label under which too little can be learnt of it to compare anything."""


@check(
    stage="data",
    needs=["y_train", "train_reference_y_pred", "y_true", "evaluation_reference_y_pred"],
    causes=["labels-noisy"],
    limits={"min_share_of_skill": (0, 1)},
    weight=COMPARISON,
)
def labels_as_predictable(
    evidence: Evidence, *, alpha: float = ALPHA, min_share_of_skill: float = 0.8
) -> Finding:
    """Are the training labels as predictable from their texts as the evaluation labels?

    A plain reference model learns the same from rows that are alike. So, cross-validated, it finds
    the labels of training rows as often as those of evaluation rows, of which it is asked about no
    more than there are training rows, and in their balance; unless the labels that it learnt from,
    or those that it is asked for, are wrong more often. Null hypothesis: it keeps
    ``min_share_of_skill`` of its skill, on rows balanced as the evaluation rows that were asked
    about; labels with fewer than 20 training rows are left out. Test:
    :func:`~.statistics.skill_below`; it fails with probability at most ``alpha``.

    Faults on the evaluation side make that side worse and so cannot fail the check, nor can
    exchanged labels. What fails too is an evaluation set that is far easier than the training set.

    Source: Song et al. (2022), Learning from Noisy Labels with Deep Neural Networks: A Survey.
    """
    num_labels = evidence.num_labels or 1 + max(evidence.y_true.max(), evidence.y_train.max())
    trained = in_range(num_labels, evidence.y_train)
    rows_of = np.bincount(evidence.y_train[trained], minlength=num_labels)
    known = np.append(rows_of >= FEWEST_TO_LEARN, False)  # the last stands for what is no label

    def judged(labels: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        return known[np.where((labels >= 0) & (labels < num_labels), labels, num_labels)]

    answers = evidence.evaluation_reference_y_pred
    rows, others = judged(evidence.y_train), judged(evidence.y_true) & (answers >= 0)
    y_train, y_true = evidence.y_train[rows], evidence.y_true[others]
    if len(np.unique(y_true)) < 2:
        return Finding(
            Verdict.INCONCLUSIVE,
            f"{FEWEST_TO_LEARN} training rows of two labels of y_true or more would tell",
        )
    right = evidence.train_reference_y_pred[rows] == y_train
    other_right = answers[others] == y_true
    p_value = statistics.skill_below(
        y_train, right, np.bincount(y_true, minlength=num_labels), other_right, min_share_of_skill
    )
    figures = {
        "training_labels_predicted": float(right.mean()),
        "evaluation_labels_predicted": float(other_right.mean()),
    }
    versus = (
        f"TF-IDF predicts {share(int(right.sum()), len(right))} of training labels, "
        f"{share(int(other_right.sum()), len(other_right))} of evaluation labels"
    )
    signs = {"training-labels-less-predictable": p_value <= alpha}
    if p_value > alpha:
        return Finding(
            Verdict.PASSED,
            f"training labels as predictable: {versus}",
            statistics=figures,
            p_value=p_value,
            signs=signs,
        )
    return Finding(
        Verdict.FAILED,
        f"labels noisy: {versus}, {probability(p_value)}",
        statistics=figures,
        p_value=p_value,
        causes=("labels-noisy",),
        fix=READ_TRAINING_ROWS,
        signs=signs,
    )


def _rows_for_contradictions(
    *, alpha: float, power: float, contradicted_share: float = 0.2, max_share: float = 0.1
) -> int:
    """Count rows of which ``contradicted_share`` are confidently contradicted."""
    reject_health("contradicted_share", contradicted_share, max_share)
    trials = statistics.trials_for_power(max_share, contradicted_share, alpha, power)
    return ROWS_PER_TRIAL * trials


ROWS_PER_TRIAL = 3
"""Rows that tell as much as one independent trial of whether a label is contradicted.

What is usual for a label is averaged over the same rows, which makes the number contradicted more
variable than a binomial: by up to 2.8 in variance over simulated healthy sessions."""


@check(
    stage="data",
    needs=["y_train", "train_reference_probabilities"],
    causes=["labels-noisy"],
    limits={"max_share": (0, 1)},
    suite=False,
    examples=_rows_for_contradictions,
)
def labels_clean(
    evidence: Evidence,
    *,
    alpha: float = ALPHA,
    max_share: float = 0.1,
    texts: Sequence[str] | None = None,
) -> Finding:
    """Are few of the given labels confidently contradicted?

    Confident learning: a row is contradicted if a model that did not see it gives another label at
    least the probability that it gives that label on average where it was given, and more than the
    label given. Null hypothesis: at most ``max_share`` of rows are; exact binomial test, in which
    three rows count as one, since what is usual was averaged over these very rows and the
    probabilities come from one cross-validation; error rate at most ``alpha`` by simulation.

    What is contradicted need not be wrong: where texts do not decide the label, a good label is
    contradicted too. So this is asked on request only, with a limit of the author's, and ``texts``
    to show beside the labels.

    Source: Northcutt, Jiang and Chuang (2021), Confident Learning, JAIR 70.
    """
    labels, probabilities = evidence.y_train, evidence.train_reference_probabilities
    width = probabilities.shape[1]
    kept = (labels >= 0) & (labels < width) & np.isfinite(probabilities).all(axis=1)
    rows = np.flatnonzero(kept)
    if not len(rows):
        return Finding(Verdict.INCONCLUSIVE, "no training label is a label id: see labels_valid")
    labels, probabilities = labels[rows], probabilities[rows]
    given = probabilities[np.arange(len(rows)), labels]
    counts = np.bincount(labels, minlength=width)
    usual = np.full(width, inf)  # what never was given is never suggested
    usual[counts > 0] = np.bincount(labels, given, width)[counts > 0] / counts[counts > 0]
    confident = np.where(probabilities >= usual, probabilities, -inf)
    suggested = confident.argmax(axis=1)
    excess = confident.max(axis=1) - given
    contradicted = np.flatnonzero((suggested != labels) & (excess > 0))
    total, found = len(rows), len(contradicted)
    p_value = statistics.binomial_at_least(
        found // ROWS_PER_TRIAL, total // ROWS_PER_TRIAL, max_share
    )
    worst = contradicted[np.argsort(-excess[contradicted], kind="stable")][:MAX_ROWS]
    figures: dict[str, Any] = {
        "rows": total,
        "contradicted": found,
        "share": found / total,
        "worst_rows": rows[worst].tolist(),
    }
    seen = f"{found}/{total} labels ({share(found, total)}) are confidently contradicted"
    if found <= max_share * total:
        return Finding(
            Verdict.PASSED,
            f"labels clean: {seen}, at most {max_share:.0%} allowed",
            statistics=figures,
            p_value=p_value,
        )
    table = (
        ("row" if texts is None else "text", *(() if texts is None else ("row",)), "given",
         "suggested"),
        *(
            (
                *(() if texts is None else (texts[rows[i]],)),
                f"{rows[i]:,}",
                _name(evidence, int(labels[i])),
                _name(evidence, int(suggested[i])),
            )
            for i in worst
        ),
    )  # fmt: skip
    if p_value > alpha:
        enough = _enough(
            _rows_for_contradictions,
            alpha=alpha,
            contradicted_share=found / total,
            max_share=max_share,
        )
        return Finding(
            Verdict.INCONCLUSIVE,
            f"{seen}, {max_share:.0%} allowed{enough}",
            statistics=figures,
            p_value=p_value,
            table=table,
        )
    return Finding(
        Verdict.FAILED,
        f"labels noisy: {seen}, {max_share:.0%} allowed, {probability(p_value)}",
        statistics=figures,
        p_value=p_value,
        causes=("labels-noisy",),
        fix="read the rows shown; drop or correct what is wrong, and look at the annotation\n"
        "or the join that gave them; if they are right, the task is hard: raise max_share",
        table=table,
    )
