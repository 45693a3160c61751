"""Experiments on a live pipeline, whose outcomes become evidence.

Each probe is a function of the run so far, and returns evidence fields; :data:`PROBES` is the table
of them. A probe for which the pipeline lacks a part is skipped, one whose part raises, hangs or
returns what it should not has failed: the reason becomes evidence, and the others go on. Nothing
here seeds anything or changes a model.
"""

from __future__ import annotations

import contextlib
import gc
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .adapters.answers import read_answers
from .adapters.random_state import unchanged_random_state
from .checks.serving import difference
from .checks.tokens import USUAL_UNKNOWN_SHARE
from .evidence import Evidence, outputs_to_array
from .experiments import loaded_again, one_at_a_time, overfit, reject_no_predict
from .messages import safe
from .pipeline import NotPossible, Pipeline

__all__ = [
    "PROBES",
    "SAMPLE_SIZE",
    "TAIL_SAMPLE_SIZE",
    "Observed",
    "Probe",
    "decode_again",
    "observe",
]

SAMPLE_SIZE = 32
"""Examples that a probe runs again. That outputs differ, one of them shows; that padding is why,
Fisher's exact test shows at .001 if 3 of 32 are not padded (1 / C(32, 3) = .0002)."""

TAIL_SAMPLE_SIZE = 96
"""Truncated texts whose last tokens are tried. Where the tail is right nine times in ten and the
head half of the time (discordant .45 to .05), exact McNemar rejects at .0001, which Holm's method
leaves it of .001 among checks that weigh 40, with power .88 at 64 truncated texts and .99 at 96."""

LOWERCASE_SAMPLE_SIZE = 96
"""Texts that are encoded in lower case too. Where three of four hold words that only their capitals
make unknown, the exact binomial test rejects 'half of them' at .00003, which Holm's method leaves
it of .001 among checks that weigh 40, with power .86; with four of five .99."""

OVERFIT_ROWS = 16
REFERENCE_LEARNING_RATE = 1e-3
"""Adam's default, at which an untrained copy learns 16 rows."""

TOKEN_FIELDS = (
    "input_ids",
    "attention_mask",
    "token_counts",
    "kept_token_counts",
    "unknown_token_share",
)

Array = npt.NDArray[Any]
Fields = dict[str, Any]


class CallFailed(Exception):
    """A part raised, or gave no answer in time; the cause is what it raised."""


@dataclass
class Run:
    """One observation of a pipeline, as far as it has come.

    Attributes
    ----------
    fields
        Evidence observed so far.
    outputs
        What ``predict`` returned for the evaluation texts, for ``decode``.
    skipped, failed
        Field -> why it was not observed.
    """

    pipeline: Pipeline
    fields: Fields
    outputs: Any = None
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def ask(self, part: str, *arguments: Any) -> Any:
        """Call a part of the pipeline, no longer than its timeout.

        Raises
        ------
        CallFailed
            If it raises, or has not answered by then.
        NotPossible
            If it says so.
        """
        return self.call(part, getattr(self.pipeline, part), *arguments)

    def call(self, part: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call what a part of the pipeline returned, as :meth:`ask` does the part."""
        try:
            with _no_longer_than(self.pipeline.timeout, part):
                return function(*arguments)
        except NotPossible:
            raise
        except Exception as error:
            raise CallFailed(f"{part} raised {type(error).__name__}: {error}") from error

    def outputs_of(self, texts: Sequence[str], name: str, part: str = "predict") -> Array:
        """Return the outputs for some texts: every pass through the model goes through here."""
        return self.scores(self.ask(part, texts), texts, name)

    def scores(self, outputs: Any, texts: Sequence[str], name: str) -> Array:
        """Return what a call of ``predict`` returned as an array with a row for each text."""
        answers = read_answers(outputs, self.label_names)
        if answers is not None and "logits" not in answers:
            raise NotPossible("predict returns labels without the scores of all")
        array = outputs_to_array(outputs if answers is None else answers["logits"], name)
        if array.ndim == 0 or len(array) != len(texts):
            raise ValueError(
                f"predict: expected outputs for {len(texts)} texts, got {array.shape} ({name})"
            )
        return array.astype(np.float64) if array.dtype.kind in "biu" else array  # as evidence is

    @property
    def label_names(self) -> Any:
        """Names by id, as the answers have them."""
        own = self.pipeline.label_names
        return self.pipeline.dataset_label_names if own is None else own

    def sample(self, size: int = SAMPLE_SIZE) -> Sequence[str]:
        """Return the first texts; they are to be run again, so their first outputs must be known.

        Raises
        ------
        NotPossible
            If they are not.
        """
        if "logits" not in self.fields:
            raise NotPossible("there are no outputs to compare with")
        return self.pipeline.texts[:size]


@dataclass(frozen=True)
class Probe:
    """A row of the table of probes.

    Attributes
    ----------
    function
        Takes the run so far and returns what it observed.
    fields
        The evidence fields that it may return.
    parts
        Parts without which the pipeline cannot be asked.
    tells_apart
        What its outcome settles.
    first_hand
        Whether it is what every other answer rests on: a part that raises here has no answers.
    """

    function: Callable[[Run], Fields]
    fields: tuple[str, ...]
    parts: tuple[str, ...]
    tells_apart: str
    first_hand: bool = False


class Observed(NamedTuple):
    """What came of the probes.

    Attributes
    ----------
    evidence
        All that was observed.
    broken
        What makes the pipeline itself unusable: what the first-hand parts raised, or what is wrong
        with a value that a part returned. The fields that are missing for it are among
        ``failed_probes``.
    decodable
        Whether the logits are just what ``predict`` returned, so that ``decode`` can be called of
        them again.
    """

    evidence: Evidence
    broken: Exception | None
    decodable: bool


def observe(pipeline: Pipeline) -> Observed:
    """Run every probe once.

    Raises
    ------
    ValueError, TypeError
        If names, ``max_length`` or what was recorded are no evidence.
    """
    run = Run(
        pipeline,
        {
            "y_true": pipeline.y_true,
            "label_names": pipeline.label_names,
            "label2id_names": pipeline.label2id_names,
            "dataset_label_names": pipeline.dataset_label_names,
            "max_length": pipeline.max_length,
            "y_train": pipeline.y_train,
            "example_keys": pipeline.texts,
            **pipeline.recorded,
        },
    )
    Evidence(**run.fields)
    with unchanged_random_state():
        broken = next(filter(None, [_run(probe, run) for probe in PROBES]), None)
    return _observed(run, broken)


def decode_again(pipeline: Pipeline, evidence: Evidence) -> Observed:
    """Return what was observed before, with what ``decode`` makes of those logits now."""
    fields = evidence.fields()
    fields.pop("y_pred", None)
    failed, skipped = evidence.reasons_missing
    run = Run(pipeline, fields, evidence.logits, {**skipped}, {**failed})
    with unchanged_random_state():
        broken = next(_run(probe, run) for probe in PROBES if probe.function is decoded)
    return _observed(run, broken)


def _observed(run: Run, broken: Exception | None) -> Observed:
    for name, reasons in (("skipped_probes", run.skipped), ("failed_probes", run.failed)):
        if reasons:
            run.fields[name] = [f"{one}: {safe(why, 200)}" for one, why in reasons.items()]
    evidence = Evidence(**run.fields)
    return Observed(evidence, broken, _same_array(run.outputs, evidence.logits))


def _same_array(outputs: Any, logits: Array | None) -> bool:
    """Whether the outputs are an array, and of the type and shape in which evidence keeps it."""
    return (
        type(outputs) is np.ndarray
        and logits is not None
        and (outputs.dtype, outputs.shape) == (logits.dtype, logits.shape)
    )


def _run(probe: Probe, run: Run) -> Exception | None:
    """Add what a probe observed, or why it did not; return what makes the pipeline unusable."""
    wanted = [name for name in probe.fields if name not in run.pipeline.recorded]
    lacking = [part for part in probe.parts if getattr(run.pipeline, part) is None]
    if not wanted:
        return None
    if lacking:
        run.skipped |= dict.fromkeys(wanted, f"the pipeline has no {' and no '.join(lacking)}")
        return None
    try:
        found = {n: v for n, v in probe.function(run).items() if n not in run.pipeline.recorded}
        Evidence(**{**run.fields, **found})  # raises for what no such part returns
    except NotPossible as reason:
        run.skipped |= dict.fromkeys(wanted, str(reason))
        return None
    except CallFailed as error:
        run.failed |= dict.fromkeys(wanted, str(error))
        return error.__cause__ if probe.first_hand else None  # type: ignore[return-value]
    except (TypeError, ValueError) as error:
        run.failed |= dict.fromkeys(wanted, f"{error}")
        return error
    run.fields |= found
    return None


# The probes, in the order of the table


def predicted(run: Run) -> Fields:
    """Pass the evaluation set through the model, once."""
    texts = run.pipeline.texts
    run.outputs = run.ask("predict", texts)
    answers = read_answers(run.outputs, run.label_names)
    if answers is None or "logits" in answers:
        return {"logits": run.scores(run.outputs, texts, "logits")}
    if len(answers["y_pred"]) != len(texts):
        raise ValueError(
            f"predict: expected answers for {len(texts)} texts, got {len(answers['y_pred'])}"
        )
    run.skipped["logits"] = "predict returns labels without the scores of all"
    return answers


def decoded(run: Run) -> Fields:
    """Have the pipeline decode its own outputs."""
    if run.outputs is None:
        raise NotPossible("there are no outputs to decode")
    # What decode writes to an array is not what the model returned.
    outputs = run.outputs.copy() if type(run.outputs) is np.ndarray else run.outputs
    y_pred = run.ask("decode", outputs)
    if y_pred is None:
        raise TypeError("decode: expected label ids, got None")
    return {"y_pred": y_pred}


def encoded(run: Run) -> Fields:
    """Encode the evaluation texts and count their tokens."""
    return _encoding(run, run.pipeline.texts)


def in_lower_case(run: Run) -> Fields:
    """Encode the first texts in lower case, if words of most texts are unknown."""
    shares = run.fields.get("unknown_token_share")
    if shares is None:
        raise NotPossible("encode does not tell unknown_token_share")
    if np.median(outputs_to_array(shares)) <= USUAL_UNKNOWN_SHARE:
        raise NotPossible(f"most texts have at most {USUAL_UNKNOWN_SHARE:.0%} [UNK]")
    texts = [text.lower() for text in run.pipeline.texts[:LOWERCASE_SAMPLE_SIZE]]
    try:
        found = _encoding(run, texts).get("unknown_token_share")
    except (TypeError, ValueError) as error:  # of texts that are not the pipeline's own
        raise CallFailed(f"{error} (texts in lower case)") from error
    if found is None or len(found) != len(texts):
        raise CallFailed("encode: expected unknown_token_share for texts in lower case, too")
    return {"lowercase_unknown_token_share": found}


def repeated(run: Run) -> Fields:
    """Call the pipeline again on the first texts; if that differs, find out whether calls do.

    Between the evaluation set and its first texts other rows in the batch may make the difference,
    and that is for the next probe to find. Two calls on the first texts alone are identical.
    """
    sample = run.sample()
    first = outputs_to_array(run.fields["logits"])[: len(sample)]
    again = run.outputs_of(sample, "repeated_logits")
    if len(sample) == len(run.pipeline.texts) or first.shape != again.shape:
        return {"repeated_logits": again}
    if not difference(first, again)[0]:
        once_more = run.outputs_of(sample, "repeated_logits")
        if again.shape == once_more.shape and difference(again, once_more)[0]:
            return {"repeated_logits": first}
    return {"repeated_logits": again}


def rebatched(run: Run) -> Fields:
    """Call the pipeline on the first texts one at a time."""

    def outputs_of(texts: Sequence[str]) -> Array:
        return run.outputs_of(texts, "rebatched_logits")

    return {"rebatched_logits": one_at_a_time(outputs_of, run.sample())}


def padded(run: Run) -> Fields:
    """Call the pipeline on the first texts with more padding than they need."""
    return {"padded_logits": run.outputs_of(run.sample(), "padded_logits", "predict_padded")}


def reloaded(run: Run) -> Fields:
    """Load the pipeline again, in another process if that can import ``load``, and call it."""
    pipeline = run.pipeline
    with _let_go():
        predict = run.call("load", loaded_again, pipeline.load, pipeline.timeout)
        reject_no_predict(predict)
        # The adapter of a folder says so; labels alone are no outputs to compare.
        unloaded = getattr(predict, "unloaded_weights", None)
        found = {} if unloaded is None else {"unloaded_weights": unloaded}
        try:
            sample = run.sample()
        except NotPossible as reason:
            run.skipped["reloaded_logits"] = str(reason)
            return found
        outputs = run.call("load", predict, sample)
        del predict
    return {**found, "reloaded_logits": run.scores(outputs, sample, "reloaded_logits")}


def tail(run: Run) -> Fields:
    """Call the pipeline on the ends of the first texts of which it sees only the beginnings.

    An end is the longest that begins with a word (with a letter, in a text of one word) and is
    encoded in ``max_length`` tokens.
    """
    texts, limit = run.sample(len(run.pipeline.texts)), run.pipeline.max_length or 0
    counts, kept = run.fields.get("token_counts"), run.fields.get("kept_token_counts")
    if counts is None or kept is None:
        raise NotPossible("encode does not tell token_counts and kept_token_counts")
    rows = np.flatnonzero(np.asarray(counts) > np.asarray(kept))[:TAIL_SAMPLE_SIZE]
    if not len(rows):
        raise NotPossible("no text is truncated")
    ends = _longest_ends(run, [texts[int(row)] for row in rows], limit)
    logits = np.array(run.fields["logits"][: rows[-1] + 1])
    logits[rows] = run.outputs_of(ends, "tail_logits")
    return {"tail_logits": logits}


def stepped(run: Run) -> Fields:
    """Train an untrained copy for one step as the team does, and see which weights moved."""
    batch = _small_batch(run)
    with _quiet(), _let_go():
        told = run.call("fit_step", run.ask("start_training", None), *batch)
    found = {
        name: told[name]
        for name in ("encoder_update", "head_update")
        if isinstance(told, Mapping) and name in told
    }
    if not found:
        raise NotPossible("fit_step does not tell by how much the weights moved")
    return found


def overfitted(run: Run) -> Fields:
    """Train an untrained copy on a handful of rows at a rate that is known to work."""
    batch = _small_batch(run)

    def train() -> list[float]:
        return overfit(run.pipeline.start_training(REFERENCE_LEARNING_RATE), batch)  # type: ignore[misc]

    with _quiet(), _let_go():
        return {"overfit_loss": run.call("start_training", train)}


def reference(run: Run) -> Fields:
    """Train TF-IDF and logistic regression on the same rows, and on what truncation keeps of them.

    The second sees the token ids in place of the words, as many as the model sees. Neither is given
    a row whose text it is to answer. Besides, the first is cross-validated on the training rows, to
    see whether their labels tell of the texts, and on evaluation rows that are like them.
    """
    # Models of scikit-learn take half a second to import: not where an observation is cached.
    from .reference import (
        FEWEST_ROWS,
        cross_validated,
        cross_validated_alike,
        readable,
        reference_model,
    )

    pipeline = run.pipeline
    assert pipeline.train_texts is not None
    y_train = Evidence(y_train=pipeline.y_train).y_train
    counts = np.unique(y_train, return_counts=True)[1]
    if len(counts) < 2:
        raise NotPossible("all training rows have the same label")
    if not readable(pipeline.train_texts):
        raise NotPossible("the training texts hold no words that a bag of words could learn")
    asked = set(pipeline.texts)
    unseen = [row for row, text in enumerate(pipeline.train_texts) if text not in asked]
    texts = [pipeline.train_texts[row] for row in unseen]
    if len(np.unique(y_train[unseen])) < 2 or not readable(texts):
        raise NotPossible("the training texts are the evaluation texts, all but a few")
    model = reference_model().fit(texts, y_train[unseen])
    found = {"reference_y_pred": model.predict(pipeline.texts)}
    num_labels = Evidence(**run.fields).num_labels or 2
    if counts.min() >= FEWEST_ROWS and y_train.min() >= 0 and y_train.max() < num_labels:
        answers, probabilities = cross_validated(pipeline.train_texts, y_train, num_labels)
        found["train_reference_y_pred"] = answers
        found["train_reference_probabilities"] = probabilities
        y_true = Evidence(y_true=pipeline.y_true).y_true
        alike = cross_validated_alike(
            pipeline.texts, y_true, pipeline.train_texts, y_train, num_labels
        )
        if alike is not None:
            found["evaluation_reference_y_pred"] = alike
    if "input_ids" in run.fields:
        train_ids = _ids_as_text(run.ask("encode", texts))
        model = reference_model(token_pattern=r"\S+").fit(train_ids, y_train[unseen])
        found["kept_reference_y_pred"] = model.predict(_ids_as_text(run.fields))
    return found


PROBES: tuple[Probe, ...] = (
    Probe(
        predicted,
        ("logits",),
        ("predict",),
        "what every check of the outputs rests on",
        first_hand=True,
    ),
    Probe(
        decoded,
        ("y_pred",),
        ("decode",),
        "own decoding against argmax: decoding or model",
        first_hand=True,
    ),
    Probe(
        encoded,
        TOKEN_FIELDS,
        ("encode",),
        "distinct inputs: constant or cached encoding, truncation, unknown words",
        first_hand=True,
    ),
    Probe(
        in_lower_case,
        ("lowercase_unknown_token_share",),
        ("encode",),
        "cased texts under an uncased vocabulary against words of another language",
    ),
    Probe(repeated, ("repeated_logits",), ("predict",), "dropout at inference"),
    Probe(
        rebatched,
        ("rebatched_logits",),
        ("predict",),
        "mask ignored, softmax over the batch, rows misaligned, features cached by length",
    ),
    Probe(
        padded,
        ("padded_logits",),
        ("predict_padded",),
        "attention mask ignored, wrong pad id",
    ),
    Probe(
        reloaded,
        ("reloaded_logits", "unloaded_weights"),
        ("load",),
        "head or encoder random, maps rebuilt per run, tokenizer fitted again",
    ),
    Probe(tail, ("tail_logits",), ("encode", "max_length"), "truncation loses the signal"),
    Probe(
        stepped,
        ("encoder_update", "head_update"),
        ("start_training",),
        "optimizer not wired, frozen, learning rate zero",
    ),
    Probe(
        overfitted,
        ("overfit_loss",),
        ("start_training",),
        "learning rate against wiring of the loss against data",
    ),
    Probe(
        reference,
        (
            "reference_y_pred",
            "kept_reference_y_pred",
            "evaluation_reference_y_pred",
            "train_reference_y_pred",
            "train_reference_probabilities",
        ),
        ("train_texts", "y_train"),
        "hard task or shuffled labels against broken model",
    ),
)
"""Every probe, in the order in which they are run: what comes later may use what came before."""


@contextlib.contextmanager
def _no_longer_than(seconds: float, part: str) -> Iterator[None]:
    """Raise ``TimeoutError`` in what takes longer.

    By a signal, since code of the team must run in the thread in which it always runs. A timer
    that somebody else has set (pytest-timeout) goes on afterwards.
    """
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def give_up(number: int, frame: Any) -> None:
        raise TimeoutError(f"{part} gave no answer in {seconds:g} seconds")

    started = time.monotonic()
    before = signal.signal(signal.SIGALRM, give_up)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    if 0 < left < seconds:  # the other one comes first, and is not this one's to stop
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, left, interval)
        yield
        return
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left:
            remaining = left - (time.monotonic() - started)
            signal.setitimer(signal.ITIMER_REAL, max(remaining, 1e-6), interval)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep quiet what a framework warns of while a copy is made and trained, also under ``-W``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _let_go() -> Iterator[None]:
    """Free a second model afterwards: it refers to itself, and the next would come on top."""
    try:
        yield
    finally:
        gc.collect()


def _encoding(run: Run, texts: Sequence[str]) -> Fields:
    encoding = run.ask("encode", texts)
    if not isinstance(encoding, Mapping):
        raise TypeError(
            f"encode: expected a mapping such as {{'input_ids': ...}}, "
            f"got {type(encoding).__name__}"
        )
    found = {name: encoding[name] for name in TOKEN_FIELDS if name in encoding}
    mask = Evidence(**found).attention_mask  # raises if what was returned is no encoding
    if mask is not None and "kept_token_counts" not in found:
        found["kept_token_counts"] = mask.sum(axis=1)
    return found


def _longest_ends(run: Run, texts: Sequence[str], limit: int) -> list[str]:
    """Return the longest end of each text that is encoded in ``limit`` tokens, by bisection."""
    starts = [
        [place for place in range(1, len(text)) if text[place - 1].isspace()] or range(1, len(text))
        for text in texts
    ]
    low = [0] * len(texts)  # of these, the first that may fit
    high = [len(places) - 1 for places in starts]
    while any(first < last for first, last in zip(low, high, strict=True)):
        middle = [(first + last) // 2 for first, last in zip(low, high, strict=True)]
        ends = [
            text[places[place]:]
            for text, places, place in zip(texts, starts, middle, strict=True)
        ]  # fmt: skip
        counts = outputs_to_array(run.ask("encode", ends)["token_counts"], "token_counts")
        for row, tokens in enumerate(counts):
            if low[row] < high[row]:
                if tokens <= limit:
                    high[row] = middle[row]
                else:
                    low[row] = middle[row] + 1
    return [
        text[places[place]:] if len(text) > 1 else text
        for text, places, place in zip(texts, starts, low, strict=True)
    ]  # fmt: skip


def _small_batch(run: Run) -> tuple[list[str], list[int]]:
    """Return 16 different texts and their labels, as many of each label as there are.

    They come from the training rows, or without those from the evaluation set: what is trained
    is a copy.
    """
    pipeline = run.pipeline
    given = pipeline.train_texts is not None and pipeline.y_train is not None
    texts = pipeline.train_texts if given else pipeline.texts
    labels = np.asarray(pipeline.y_train if given else pipeline.y_true)
    num_labels = Evidence(**run.fields).num_labels or 2
    rows_of: dict[int, list[int]] = {}
    seen = set()
    for row, (text, label) in enumerate(zip(texts or (), labels.tolist(), strict=True)):
        if 0 <= label < num_labels and text not in seen:
            seen.add(text)
            rows_of.setdefault(int(label), []).append(row)
    if len(rows_of) < 2:
        raise NotPossible("there are no rows of two labels to train on")
    rounds = max(map(len, rows_of.values()))
    in_turn = [
        rows[turn] for turn in range(rounds) for rows in rows_of.values() if turn < len(rows)
    ]
    batch = in_turn[:OVERFIT_ROWS]
    return [str(texts[row]) for row in batch], [int(labels[row]) for row in batch]  # type: ignore[index]


def _ids_as_text(encoding: Mapping[str, Any]) -> list[str]:
    ids = outputs_to_array(encoding["input_ids"], "input_ids")
    mask = encoding.get("attention_mask")
    kept = np.ones_like(ids) if mask is None else outputs_to_array(mask, "attention_mask")
    return [
        " ".join(map(str, row[real == 1].tolist())) for row, real in zip(ids, kept, strict=True)
    ]
