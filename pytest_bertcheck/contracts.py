"""Contracts: relations that a team's own functions keep, whatever the data.

Each ``assert_X`` calls the functions that it is given, in a plain test or inside ``@given``, and
raises ``AssertionError`` with the message if the relation is broken. Bad input is a ``ValueError``
or ``TypeError``, never an ``AssertionError``. What the functions raise themselves is let through.

Training a model and starting a process take longer than Hypothesis allows an example by default:
``@settings(deadline=None)``.
"""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from .checks.serving import RELATIVE_TOLERANCE
from .evidence import outputs_to_array
from .findings import Finding, Verdict
from .fresh_process import FreshProcess, import_path, plain
from .messages import count, quoted, render_finding, safe, share

__all__ = [
    "assert_encoding_roundtrip",
    "assert_label_permutation_equivariant",
    "assert_metric_detects_collapse",
    "assert_metric_detects_swap",
    "assert_order_invariant",
    "assert_survives_imbalance",
]

__tracebackhide__ = True
"""pytest shows the user's test as the place of a failure, not this module."""

PAGE = "docs/contracts.md"
HASH_SEEDS = (0, 1, 2)
"""Of fresh processes. A set of two names keeps its order under one other seed half of the time."""
RECALL_OF_A_MEDIOCRE_MODEL = 0.8
"""What a model that is accepted without enthusiasm gets right of every label."""
EVAL_TEXTS_PER_LABEL = 20
"""If a pipeline finds 30% of the texts of small labels, it misses 20 in a row with p < .001."""

Array = npt.NDArray[Any]
FitPredict = Callable[[list[str], list[Any], list[str]], Any]


def assert_label_permutation_equivariant(
    fit_predict: FitPredict,
    texts: Sequence[str],
    labels: Any,
    *,
    eval_texts: Sequence[str] | None = None,
    renaming: Mapping[Any, Any] | None = None,
    min_agreement: float = 1.0,
) -> None:
    """Assert that renaming the labels of the training data renames the answers, nothing else.

    A pipeline that takes ids from one order of the labels and names from another breaks this, and
    so does one in which a label is treated by its name. The pipeline is trained twice, and again
    only if answers differ. A difference counts if it is still there when each text in dispute is a
    training row too, with the answer that it had: how a tie between labels falls is no fault.

    Parameters
    ----------
    fit_predict
        ``fit_predict(texts, labels, eval_texts)`` trains on the first two and returns a label for
        each of the third. Two calls on the same data must give the same answers: fix the seed.
    texts, labels : m str, m str or int
        Training texts and their labels, at least two different ones.
    eval_texts : n str, optional
        Texts to answer; by default the training texts.
    renaming
        Old label -> new label, one-to-one. By default each label takes the name of the next in
        sorted order, the last that of the first.
    min_agreement
        Share of the answers that must agree. Lower it if training starts from weights that favour
        a label, as a randomly initialised head does.

    Raises
    ------
    AssertionError
        If fewer answers agree, or if they are no labels of the training data.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import CountVectorizer
    >>> from sklearn.naive_bayes import MultinomialNB
    >>> from sklearn.pipeline import make_pipeline
    >>> def fit_predict(texts, labels, eval_texts):
    ...     model = make_pipeline(CountVectorizer(), MultinomialNB())
    ...     return model.fit(texts, labels).predict(eval_texts)
    >>> texts, labels = ["hello friend", "win money"], ["ham", "spam"]
    >>> assert_label_permutation_equivariant(fit_predict, texts, labels)
    """
    contract = "label_permutation_equivariant"
    _callable(fit_predict, "fit_predict")
    texts, labels = _training_rows(texts, labels)
    eval_texts = texts if eval_texts is None else _texts(eval_texts, "eval_texts")
    renaming = _renaming(renaming, labels)
    if not 0 < min_agreement <= 1:
        raise ValueError(
            f"min_agreement: expected a share of more than 0, at most 1, got {min_agreement!r}"
        )

    def answers(more_texts: Sequence[str] = (), more_labels: Sequence[Any] = ()) -> list[Any]:
        rows = [*texts, *more_texts], [*labels, *more_labels]
        return _answers(contract, fit_predict, *rows, eval_texts)

    def renamed_answers(
        more_texts: Sequence[str] = (), more_labels: Sequence[Any] = ()
    ) -> list[Any]:
        new_labels = [renaming[label] for label in [*labels, *more_labels]]
        return _answers(contract, fit_predict, [*texts, *more_texts], new_labels, eval_texts)

    before, after = answers(), renamed_answers()
    disputed = [n for n, answer in enumerate(before) if renaming[answer] != after[n]]
    if not disputed:
        return
    again = answers()
    if again != before:
        differ = sum(first != second for first, second in zip(before, again, strict=True))
        raise ValueError(
            "fit_predict: expected the same answers from two trainings on the same data, got "
            f"{differ} of {len(before)} others; fix its seed"
        )
    # Rows that decide a tie, and a row of nothing for each label: where classes are weighted, the
    # text must also be less typical of the others.
    names = sorted(set(labels))
    rows = (
        [*(eval_texts[n] for n in disputed), *(" ".join(FILLER) for _ in names)],
        [*(before[n] for n in disputed), *names],
    )
    decided, decided_after = answers(*rows), renamed_answers(*rows)
    disputed = [n for n in disputed if renaming[decided[n]] != decided_after[n]]
    if len(disputed) <= (1 - min_agreement) * len(before) + 1e-9:
        return
    changes = [f"{quoted(old, 8)} -> {quoted(new, 8)}" for old, new in renaming.items()]
    named = ", ".join(changes[:2]) + (", ..." if len(changes) > 2 else "")
    # One wrong name for each label, another for each: only the names are wrong.
    pairs = {(renaming[before[n]], after[n]) for n in disputed}
    swapped = len(pairs) == len({old for old, _ in pairs}) == len({new for _, new in pairs})
    _fail(
        contract,
        f"renamed labels, wrong answers: {len(disputed)}/{len(before)} after {named}",
        table=[
            ("text", "before", "expected", "after"),
            *((eval_texts[n], before[n], renaming[before[n]], after[n]) for n in disputed),
        ],
        causes=("label-mapping-swapped",) if swapped else (),
        fix="take ids and names from one list, made once from the training labels and saved with "
        "the model\ntreat no label by its name: not in weights, not in thresholds",
    )


def assert_encoding_roundtrip(
    encode: Callable[[list[Any]], Any],
    decode: Callable[[Any], Any],
    labels: Any,
    *,
    fresh_process: bool = True,
    timeout: float = 60.0,
) -> None:
    """Assert that encoded labels decode to themselves, and have the same ids in another process.

    Ids that follow the order of a ``set`` change from process to process, with the hash seed: what
    training saved, serving reads under other names. So both functions also run in fresh processes
    with other values of ``PYTHONHASHSEED``. Those import the functions, start once for all
    examples of a property, and end with the test run.

    Parameters
    ----------
    encode
        A list of n labels to n ids, or n rows of one-hot ids.
    decode
        What ``encode`` returned to n labels.
    labels : n str or int
        The labels to encode.
    fresh_process
        False for functions that only this process has: closures, lambdas, methods of an encoder
        fitted in the test.
    timeout
        Seconds that a fresh process may take, with the import of the team's modules.

    Raises
    ------
    AssertionError
        If a label is decoded to another, has another id elsewhere, or cannot be encoded there.
    TypeError
        If a fresh process cannot import the functions.
    TimeoutError
        If a fresh process does not answer in time.

    Examples
    --------
    >>> names = ["ham", "spam"]
    >>> def encode(labels):
    ...     return [names.index(label) for label in labels]
    >>> def decode(ids):
    ...     return [names[id_] for id_ in ids]
    >>> assert_encoding_roundtrip(encode, decode, ["spam", "ham"], fresh_process=False)
    """
    contract = "encoding_roundtrip"
    _callable(encode, "encode")
    _callable(decode, "decode")
    labels = _labels(labels, "labels")
    if not isinstance(timeout, (int, float)) or not 0 < timeout < math.inf:
        raise ValueError(f"timeout: expected seconds, more than 0, got {timeout!r}")
    paths = (_importable(encode, "encode"), _importable(decode, "decode")) if fresh_process else ()
    encoded = encode(list(labels))
    ids, decoded = _plain(encoded, "encode"), _plain(decode(encoded), "decode")
    for name, returned in (("ids", ids), ("labels", decoded)):
        if len(returned) != len(labels):
            _fail(
                contract,
                f"encoding does not come back: {count(len(labels), 'label')}, "
                f"{len(returned)} {name}",
                fix="return one id for each label, and one label for each id, in their order",
            )
    wrong = _differences(labels, decoded)
    if wrong:
        first = wrong[0]
        _fail(
            contract,
            f"encoding does not come back: {len(wrong)}/{count(len(labels), 'label')} changed, "
            f"{quoted(labels[first], 16)} -> {quoted(ids[first], 8)} -> "
            f"{quoted(decoded[first], 16)}",
            table=[
                ("label", "id", "decoded"),
                *dict.fromkeys((str(labels[n]), str(ids[n]), str(decoded[n])) for n in wrong),
            ],
            causes=("label-mapping-swapped",),
            certain=True,
            fix="let encode and decode read one list of names, sorted once; do not fit an encoder "
            "again\non other labels",
        )
    for process in _fresh_processes(encode, decode) if paths else ():
        try:
            answer = process.roundtrip(paths, labels, timeout)
        except ChildProcessError as error:
            answer = {"at": "encode or decode", "error": str(error)}
        if answer.get("at") == "import":
            raise TypeError(
                "encode, decode: expected functions that a fresh process can import, got "
                f"{safe(answer['error'], 200)}; move them to a module, or pass fresh_process=False"
            )
        if "error" in answer:
            _fail(
                contract,
                f"encoding lost in a fresh process: {answer['at']}: {safe(answer['error'], 50)}",
                fix="make ids and names from what is saved with the code or the model, not from "
                "what this\nprocess has seen before",
            )
        changed = _differences(ids, answer["ids"]) or _differences(labels, answer["labels"])
        if changed:
            there = answer["ids"] + ["-"] * len(labels)
            _fail(
                contract,
                f"encoding differs in a fresh process: {len(changed)}/"
                f"{count(len(labels), 'label')} changed under PYTHONHASHSEED={process.hash_seed}",
                table=[
                    ("label", "id here", "id there"),
                    *dict.fromkeys((str(labels[n]), str(ids[n]), str(there[n])) for n in changed),
                ],
                causes=("label-mapping-swapped",),
                certain=True,
                fix="sorted(set(labels)) in place of list(set(labels)): a set has another order in "
                "each process",
            )


def assert_order_invariant(
    predict: Callable[[list[str]], Any],
    texts: Sequence[str],
    *,
    order: Sequence[int] | None = None,
) -> None:
    """Assert that shuffling the texts shuffles the outputs, nothing else.

    A pipeline breaks this if it shuffles its data when it predicts, sorts texts by length and does
    not put the answers back, or lets a text depend on those beside it in the batch.

    Parameters
    ----------
    predict
        n texts to n labels, or to outputs (n, C). Outputs tell more: they may differ by rounding,
        a thousandth of their size, where labels must be equal.
    texts : n str
        At least two. To see that batches are mixed, more than fit in one.
    order : permutation of 0..n-1, optional
        The order to try, such as ``st.permutations(range(n))`` draws. By default two: the reverse,
        and every text moved up by one.

    Raises
    ------
    AssertionError
        If the outputs are not those of the texts in their new order.

    Examples
    --------
    >>> assert_order_invariant(lambda texts: [len(text) for text in texts], ["a", "bcd", "ef"])
    """
    _callable(predict, "predict")
    texts = _texts(texts, "texts")
    if len(texts) < 2:
        raise ValueError("texts: expected at least 2 texts, got 1")
    first = _outputs(predict, texts)
    for places in _orders(order, len(texts)):
        expected, found = first[places], _outputs(predict, [texts[n] for n in places])
        if _changed_rows(expected, found).any():
            _fail_order(predict, [texts[n] for n in places], expected, found)


def _fail_order(
    predict: Callable[[list[str]], Any], texts: list[str], expected: Array, found: Array
) -> NoReturn:
    """Find out how outputs depend on the order of the texts, and say it."""
    again = _outputs(predict, texts)
    repeatable = not _changed_rows(found, again).any()
    header = ("text", "expected", "got") if repeatable else ("text", "first call", "second call")
    one, other = (expected, found) if repeatable else (found, again)
    # The same outputs in other places? Of bare labels too few differ to say so.
    floats = one.dtype.kind == "f"
    moved = floats and not _changed_rows(_in_order(one), _in_order(other)).any()
    changed = _changed_rows(one, other)
    numbers = f"{changed.sum()}/{count(len(texts), 'output')}"
    causes: tuple[str, ...] = ("labels-misaligned",)
    fix = "predict without shuffling; put the order back where texts are sorted or grouped"
    if moved:
        when = "" if repeatable else " of a second, identical call"
        summary = f"order lost: {numbers}{when} are those of other texts"
    elif not repeatable:
        summary = f"two identical calls differ: {numbers} change"
        causes = ("dropout-at-inference",) if floats else ("dropout-at-inference", *causes)
        fix = "predict with training=False (TensorFlow), after model.eval() (PyTorch), unshuffled"
    else:
        summary = f"order matters: {numbers} change when the texts are shuffled"
        causes = ("attention-mask-ignored", *(("loss-misconfigured",) if floats else causes))
        fix = (
            "pass attention_mask to the model; decode and normalise along the last axis\n"
            "to settle it: predict each text alone, which differs if its batch decides"
        )
    rows = [(texts[n], _shown(one[n]), _shown(other[n])) for n in np.flatnonzero(changed).tolist()]
    _fail(
        "order_invariant",
        summary,
        table=[header, *rows],
        causes=causes,
        certain=len(causes) == 1,
        fix=fix,
    )


def assert_metric_detects_collapse(
    metric: Callable[[Any, Any], Any],
    y_true: Any,
    *,
    threshold: float | None = None,
    greater_is_better: bool = True,
) -> None:
    """Assert that a metric does not accept a model that gives everything the same label.

    Accuracy on labels of which 95% are alike does: it gives that model .95.

    Parameters
    ----------
    metric
        ``metric(y_true, y_pred) -> float``, any of ``sklearn.metrics`` that takes labels.
    y_true : n str or int
        The labels of the evaluation set, or drawn ones; at least two different ones.
    threshold
        The score that a model needs to be accepted. By default that of a mediocre model, which
        gets 80% of every label right.
    greater_is_better
        False for a loss or an error rate.

    Raises
    ------
    AssertionError
        If a model that always gives one label scores no worse than ``threshold``.
    ValueError
        If a better model gets a lower score: the direction of the metric is not as said.

    Examples
    --------
    >>> from sklearn.metrics import balanced_accuracy_score
    >>> assert_metric_detects_collapse(balanced_accuracy_score, ["ham"] * 95 + ["spam"] * 5)
    """
    y_true = _two_labels(y_true, "y_true")
    answers = {
        f"always {quoted(label, 20)}": [label] * len(y_true) for label in _by_frequency(y_true)
    }
    _judge_metric(
        "collapse",
        metric,
        y_true,
        answers,
        threshold=threshold,
        greater_is_better=greater_is_better,
        fix="balanced_accuracy_score or matthews_corrcoef, which do not favour the commonest label;"
        "\nor the lowest of recall_score(average=None)",
    )


def assert_metric_detects_swap(
    metric: Callable[[Any, Any], Any],
    y_true: Any,
    *,
    threshold: float | None = None,
    greater_is_better: bool = True,
) -> None:
    """Assert that a metric does not accept a model that is right but for two exchanged labels.

    Each label is exchanged with its neighbours in the order of frequency. A score that is
    symmetric in the labels, such as ``max(auc, 1 - auc)`` or the adjusted Rand index, sees no
    exchange; one that counts rows overlooks that of two rare labels.

    Parameters
    ----------
    metric, y_true, threshold, greater_is_better
        As for :func:`assert_metric_detects_collapse`.

    Raises
    ------
    AssertionError
        If a model with two labels exchanged scores no worse than ``threshold``.
    ValueError
        If a better model gets a lower score: the direction of the metric is not as said.

    Examples
    --------
    >>> from sklearn.metrics import accuracy_score
    >>> assert_metric_detects_swap(accuracy_score, ["ham", "spam", "ham"])
    """
    y_true = _two_labels(y_true, "y_true")
    names = _by_frequency(y_true)
    answers = {}
    for one, other in zip(names, names[1:] + (names[:1] if len(names) > 2 else []), strict=False):
        exchanged = {one: other, other: one}
        answers[f"{quoted(one, 12)} <-> {quoted(other, 12)}"] = [
            exchanged.get(label, label) for label in y_true
        ]
    _judge_metric(
        "swap",
        metric,
        y_true,
        answers,
        threshold=threshold,
        greater_is_better=greater_is_better,
        fix="the lowest of recall_score(average=None), which is 0 when a label is exchanged;\n"
        "or a higher threshold",
    )


def assert_survives_imbalance(
    fit_predict: FitPredict,
    texts: Sequence[str] | None = None,
    labels: Any = None,
    *,
    majority_share: float | None = None,
    label_names: Sequence[Any] = ("ham", "spam"),
    size: int = 100,
) -> None:
    """Assert that on separable texts an imbalance does not leave the majority the only answer.

    Without ``texts`` the contract writes its own: the words of a text say plainly which label it
    has, the first of ``label_names`` has ``majority_share`` of the ``size`` training texts, and 20
    other texts of each label are to be answered. With ``texts`` and ``labels`` their own imbalance
    is what counts, and the training texts are to be answered.

    Parameters
    ----------
    fit_predict
        As for :func:`assert_label_permutation_equivariant`.
    texts, labels : m str, m str or int, optional
        Separable training texts and their labels, at least two different ones.
    majority_share
        Share of the commonest label, more than 1/C and less than 1. By default 0.9.
    label_names
        2 to 8 labels, the first the commonest; the others are equally rare.
    size
        Number of training texts.

    Raises
    ------
    AssertionError
        If every answer is the commonest label, though other labels are there to be found.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import CountVectorizer
    >>> from sklearn.naive_bayes import MultinomialNB
    >>> from sklearn.pipeline import make_pipeline
    >>> def fit_predict(texts, labels, eval_texts):
    ...     model = make_pipeline(CountVectorizer(), MultinomialNB())
    ...     return model.fit(texts, labels).predict(eval_texts)
    >>> assert_survives_imbalance(fit_predict, majority_share=0.8)
    """
    contract = "survives_imbalance"
    _callable(fit_predict, "fit_predict")
    if texts is not None or labels is not None:
        if texts is None or labels is None or majority_share is not None:
            raise ValueError(
                "texts, labels, majority_share: expected texts with their labels, or a "
                "majority_share for texts of the contract's own"
            )
        texts, labels = _training_rows(texts, labels)
        eval_texts, y_true = texts, labels
    else:
        shares = 0.9 if majority_share is None else majority_share
        texts, labels, eval_texts, y_true = _separable(label_names, shares, size)
    y_pred = _answers(contract, fit_predict, texts, labels, eval_texts)
    majority = _by_frequency(labels)[0]
    if any(answer != majority for answer in y_pred):
        return
    trained, true = Counter(labels), Counter(y_true)
    _fail(
        contract,
        f"majority alone: {len(y_pred)}/{count(len(y_pred), 'answer')} are {quoted(majority, 20)}, "
        f"{share(true[majority], len(y_true))} of the texts, "
        f"{share(trained[majority], len(labels))} in training",
        table=[
            ("label", "training", "true", "predicted"),
            *(
                (label, trained[label], true[label], len(y_pred) if label == majority else 0)
                for label in _by_frequency(labels)
            ),
        ],
        causes=("class-imbalance",),
        fix="weigh each class by n / (C * its count): class_weight='balanced' in scikit-learn;\n"
        "or sample the rare labels more often; or train longer",
    )


# What the functions are given


def _callable(function: Any, name: str) -> None:
    if not callable(function):
        raise TypeError(f"{name}: expected a callable, got {type(function).__name__}")


def _importable(function: Callable[..., Any], name: str) -> str:
    path = import_path(function)
    if path is None:
        shown = getattr(function, "__qualname__", None) or type(function).__name__
        raise TypeError(
            f"{name}: expected a function that a fresh process can import by its name, got "
            f"{quoted(shown, 60)}; move it to a module, or pass fresh_process=False"
        )
    return path


def _fresh_processes(
    encode: Callable[..., Any], decode: Callable[..., Any]
) -> Sequence[FreshProcess]:
    """Return the running processes of a pair of functions."""
    processes = _started_processes(encode, decode)
    if all(process.close.alive for process in processes):
        return processes
    _started_processes.cache_clear()
    return _started_processes(encode, decode)


@lru_cache(maxsize=1)
def _started_processes(*functions: Callable[..., Any]) -> tuple[FreshProcess, ...]:
    """Start processes, which end when those of another pair take their place."""
    return tuple(FreshProcess(seed) for seed in HASH_SEEDS)


def _texts(value: Any, name: str) -> list[str]:
    if isinstance(value, str) or not hasattr(value, "__iter__"):
        raise TypeError(f"{name}: expected a sequence of str, got {type(value).__name__}")
    texts = list(value)
    odd = [text for text in texts if not isinstance(text, str)]
    if odd:
        raise TypeError(f"{name}: expected str, got {odd[0]!r:.60}")
    if not texts:
        raise ValueError(f"{name}: expected at least one text, got none")
    return texts


def _labels(value: Any, name: str) -> list[Any]:
    """Return labels as a list of either ``str`` or ``int``."""
    labels = _plain(value, name)
    if not labels:
        raise ValueError(f"{name}: expected at least one label, got none")
    for kind in (str, int):
        if isinstance(labels[0], kind):
            odd = next((label for label in labels if not isinstance(label, kind)), None)
            if odd is not None:
                raise TypeError(f"{name}: expected {kind.__name__} like the first, got {odd!r:.60}")
            return labels
    raise TypeError(f"{name}: expected str or int, got {labels[0]!r:.60}")


def _two_labels(value: Any, name: str) -> list[Any]:
    labels = _labels(value, name)
    if len(set(labels)) < 2:
        raise ValueError(f"{name}: expected at least 2 different labels, got {labels[0]!r:.60}")
    return labels


def _training_rows(texts: Any, labels: Any) -> tuple[list[str], list[Any]]:
    texts, labels = _texts(texts, "texts"), _two_labels(labels, "labels")
    if len(texts) != len(labels):
        raise ValueError(
            f"texts and labels: expected the same number, got {len(texts)} and {len(labels)}"
        )
    return texts, labels


def _renaming(renaming: Any, labels: list[Any]) -> dict[Any, Any]:
    names = sorted(set(labels))
    if renaming is None:
        return dict(zip(names, names[1:] + names[:1], strict=True))
    if not isinstance(renaming, Mapping):
        raise TypeError(f"renaming: expected a mapping, got {type(renaming).__name__}")
    missing = [name for name in names if name not in renaming]
    if missing:
        raise ValueError(f"renaming: expected a new name for {missing[0]!r:.60}, got none")
    chosen = {name: renaming[name] for name in names}
    if len(set(chosen.values())) < len(chosen):
        raise ValueError(f"renaming: expected different new names, got {list(chosen.values())}")
    if all(old == new for old, new in chosen.items()):
        raise ValueError("renaming: expected at least one label to change, got all unchanged")
    return chosen


def _orders(order: Any, size: int) -> list[list[int]]:
    if order is None:
        forward = list(range(size))
        return [forward[::-1], forward[1:] + forward[:1]]
    places = _plain(order, "order")
    if sorted(map(str, places)) != sorted(map(str, range(size))):
        raise ValueError(f"order: expected a permutation of 0..{size - 1}, got {places!r:.60}")
    return [places]


def _by_frequency(labels: Sequence[Hashable]) -> list[Any]:
    """Return the labels, commonest first; of equally common ones the smaller first."""
    counts = Counter(labels)
    return sorted(counts, key=lambda label: (-counts[label], label))


TOPICS = (
    ("friend", "lunch", "home", "weekend"),
    ("money", "prize", "free", "claim"),
    ("goal", "match", "team", "league"),
    ("election", "minister", "vote", "party"),
    ("film", "actor", "music", "stage"),
    ("doctor", "nurse", "patient", "hospital"),
    ("engine", "driver", "wheel", "road"),
    ("rain", "storm", "cloud", "wind"),
)
"""Words that decide a label, so plain that every tokenizer has them."""
FILLER = ("the", "and", "of", "to", "in", "a", "is", "it", "for", "on")


def _separable(
    label_names: Any, majority_share: Any, size: Any
) -> tuple[list[str], list[Any], list[str], list[Any]]:
    """Return training texts and labels with the imbalance asked for, and evaluation ones with none.

    A text has two words of its label's topic and four that say nothing.
    """
    names = _labels(label_names, "label_names")
    if not 2 <= len(names) <= len(TOPICS) or len(set(names)) < len(names):
        raise ValueError(
            f"label_names: expected 2 to {len(TOPICS)} different labels, got {names!r:.60}"
        )
    if not isinstance(majority_share, (int, float)) or not 1 / len(names) < majority_share < 1:
        raise ValueError(
            f"majority_share: expected more than 1/{len(names)} and less than 1, got "
            f"{majority_share!r}"
        )
    if not isinstance(size, int) or round(size * (1 - majority_share)) < len(names) - 1:
        raise ValueError(
            f"size: expected enough texts for each label at majority_share={majority_share!r}, "
            f"got {size!r}"
        )
    rare = round(size * (1 - majority_share))
    train_ids = [0] * (size - rare) + [1 + n % (len(names) - 1) for n in range(rare)]
    eval_ids = list(range(len(names))) * EVAL_TEXTS_PER_LABEL
    generator = np.random.default_rng(0)
    generator.shuffle(train_ids)

    def texts_of(ids: Sequence[int]) -> list[str]:
        return [
            " ".join(
                generator.permutation(
                    [*generator.choice(TOPICS[id_], 2, replace=False), *generator.choice(FILLER, 4)]
                )
            )
            for id_ in ids
        ]

    return (
        texts_of(train_ids),
        [names[id_] for id_ in train_ids],
        texts_of(eval_ids),
        [names[id_] for id_ in eval_ids],
    )


# What the functions return


def _plain(value: Any, name: str) -> list[Any]:
    try:
        found = plain(value)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
    if not isinstance(found, list):
        raise TypeError(f"{name}: expected a list or an array, got {type(value).__name__}")
    return found


def _answers(
    contract: str,
    fit_predict: FitPredict,
    texts: list[str],
    labels: list[Any],
    eval_texts: list[str],
) -> list[Any]:
    """Return one label of the training data for each text, or fail."""
    answers = _plain(fit_predict(list(texts), list(labels), list(eval_texts)), "fit_predict")
    if any(isinstance(answer, list) for answer in answers):
        raise TypeError("fit_predict: expected a label for each text, got a list for each")
    known = set(labels)
    if len(answers) != len(eval_texts):
        _fail(
            contract,
            f"{count(len(answers), 'answer')} for {count(len(eval_texts), 'text')}",
            causes=("argmax-wrong-axis",) if len(answers) == len(known) else (),
            fix="decode along the last axis, logits.argmax(axis=-1), and keep every batch",
        )
    foreign = [answer for answer in answers if answer not in known]
    if foreign:
        names = ", ".join(quoted(name, 12) for name in sorted(known)[:3])
        _fail(
            contract,
            f"no labels: {len(foreign)}/{count(len(answers), 'answer')} such as {foreign[0]!r:.20} "
            f"are not in the training labels {names}{', ...' if len(known) > 3 else ''}",
            fix="return labels as they came, names[id], and not ids",
        )
    return answers


def _outputs(predict: Callable[[list[str]], Any], texts: list[str]) -> Array:
    outputs = outputs_to_array(predict(list(texts)), "predict")
    if outputs.ndim == 0 or len(outputs) != len(texts):
        number = len(outputs) if outputs.ndim else 0
        width = outputs.shape[-1] if outputs.ndim > 1 else None
        _fail(
            "order_invariant",
            f"{count(number, 'output')} for {count(len(texts), 'text')}",
            fix="return one output for each text: decode along the last axis, keep every batch"
            + ("" if width is None else f"\nthe shape is {outputs.shape}"),
        )
    return outputs


def _changed_rows(first: Array, second: Array) -> Array:
    """Return which rows differ, floats by more than rounding."""
    if first.shape != second.shape:
        return np.ones(len(first), dtype=bool)
    if first.dtype.kind != "f" or second.dtype.kind != "f":
        differ = np.asarray(first != second)
    else:
        finite = np.abs(first[np.isfinite(first)])
        # The least tolerance absorbs the rounding of outputs that are themselves next to nothing.
        tolerance = max(RELATIVE_TOLERANCE * float(finite.max(initial=0)), 1e-5)
        differ = ~np.isclose(first, second, rtol=0, atol=tolerance, equal_nan=True)
    return np.asarray(differ.reshape(len(first), -1).any(axis=1))


def _in_order(outputs: Array) -> Array:
    """Return the rows in an order of their own."""
    rows = outputs.reshape(len(outputs), -1)
    return rows[np.lexsort(rows.T)]


def _shown(output: Any) -> str:
    values = np.asarray(output).ravel()
    shown = [f"{value:.3g}" if values.dtype.kind == "f" else str(value) for value in values[:3]]
    return ", ".join(shown) + (", ..." if len(values) > 3 else "")


def _differences(first: list[Any], second: list[Any]) -> list[int]:
    """Return the places where two lists differ."""
    return [n for n, item in enumerate(first) if n >= len(second) or second[n] != item]


# Metrics


def _judge_metric(
    failure: str,
    metric: Callable[[Any, Any], Any],
    y_true: list[Any],
    answers: Mapping[str, list[Any]],
    *,
    threshold: float | None,
    greater_is_better: bool,
    fix: str,
) -> None:
    """Fail if any of the broken models, given by their answers, is accepted."""
    _callable(metric, "metric")
    if threshold is not None and not isinstance(threshold, (int, float)):
        raise TypeError(f"threshold: expected a number, got {threshold!r:.60}")
    sign = 1 if greater_is_better else -1
    perfect = _score(metric, y_true, y_true)
    mediocre = _score(metric, y_true, _mediocre(y_true))
    if sign * perfect < sign * mediocre - 1e-9:
        raise ValueError(
            f"metric: expected a {'higher' if greater_is_better else 'lower'} score for better "
            f"answers, got {perfect:.4g} for all right, {mediocre:.4g} for 80% right; pass "
            f"greater_is_better={not greater_is_better}"
        )
    limit = mediocre if threshold is None else float(threshold)
    scores = {name: _score(metric, y_true, y_pred) for name, y_pred in answers.items()}
    # NaN is no warning: `if score < limit` lets it pass.
    blind = [name for name, score in scores.items() if not sign * score < sign * limit - 1e-9]
    if not blind:
        return
    worst = max(blind, key=lambda name: sign * np.nan_to_num(scores[name], nan=-sign * math.inf))
    than = "80% of each label right" if threshold is None else "the threshold"
    named = getattr(metric, "__name__", type(metric).__name__)
    _fail(
        f"metric_detects_{failure}",
        f"blind to {failure}: {quoted(named, 24)[1:-1]} {scores[worst]:.3g} for {worst}, "
        f"{limit:.3g} for {than}",
        table=[
            ("answers", "score"),
            ("all right", f"{perfect:.3f}"),
            ("80% of each label right", f"{mediocre:.3f}"),
            *((name, f"{scores[name]:.3f}") for name in blind),
        ],
        fix=fix,
    )


def _score(metric: Callable[[Any, Any], Any], y_true: list[Any], y_pred: list[Any]) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a label is never predicted is the point
        value = metric(np.asarray(y_true), np.asarray(y_pred))
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"metric: expected a number, got {value!r:.60}") from None


def _mediocre(y_true: list[Any]) -> list[Any]:
    """Return answers of which :data:`RECALL_OF_A_MEDIOCRE_MODEL` are right, label by label.

    The wrong ones are spread evenly over the other labels.
    """
    names = sorted(set(y_true))
    every = round(1 / (1 - RECALL_OF_A_MEDIOCRE_MODEL))
    seen: Counter[Any] = Counter()
    answers = []
    for label in y_true:
        seen[label] += 1
        nth_wrong, right = divmod(seen[label], every)
        step = 0 if right else 1 + (nth_wrong - 1) % (len(names) - 1)
        answers.append(names[(names.index(label) + step) % len(names)])
    return answers


def _fail(
    contract: str,
    summary: str,
    *,
    table: Sequence[Sequence[Any]] = (),
    causes: tuple[str, ...] = (),
    certain: bool = False,
    fix: str = "",
) -> NoReturn:
    """Raise with the message that all checks share."""
    finding = Finding(
        Verdict.FAILED,
        summary,
        check=contract,
        causes=causes,
        certain=certain,
        fix=fix,
        table=tuple(tuple(map(str, row)) for row in table),
    )
    raise AssertionError(render_finding(finding, page=PAGE))
