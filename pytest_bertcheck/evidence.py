"""The evidence bundle: arrays observed at the stages of a pipeline.

Two kinds of wrong are kept apart. What a broken pipeline really produces (ids out of range, a
``y_pred`` of another length, NaN, too few names) is evidence, and a check names it. What no
pipeline produces (ragged lists, wrong rank, strings where ids belong) is misuse, and raises here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from .logits import answers_of, probabilities_of, summarise
from .messages import safe
from .statistics import Confusion, confusion_matrix

__all__ = ["Evidence", "label_names_of", "outputs_to_array"]

Array = npt.NDArray[Any]

IDS, TOKENS, FLOATS, COUNTS, SHARES, NAMES, KEYS, NUMBER, NORM = (
    "label ids",
    "token ids",
    "floats",
    "counts",
    "shares",
    "names",
    "keys",
    "whole number",
    "norm",
)


def _field(shape: str, kind: str) -> Any:
    """Declare an evidence field: its shape in terms of n, m, k, r, C, L, T, and what it holds."""
    return field(default=None, metadata={"shape": shape, "kind": kind})


MOST_VALUES_SHOWN = 12
"""Values of an array that are shown where an example is printed; others show their shape."""

MOST_UNNAMED_LABELS = 1000
"""Label ids from here on are not taken for labels where nothing names them."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Evidence:
    """Arrays observed at the stages of a pipeline; every field is optional.

    Give more, catch more: a check whose fields are missing is skipped and names them.
    In the shapes, n = evaluation examples, m = training examples, C = number of labels,
    T = recorded training points (each series may have its own), k and r = sample sizes,
    L = encoded length.

    Parameters
    ----------
    y_true : (n,) int
        True label ids of the evaluation set, as the caller believes them.
    logits : (n, C) float
        What the model returned, before decoding. A framework's output object will do.
    y_pred : (n,) int
        What the pipeline's own decoding made of it, of whatever length that is.
    label_names : (C,) str
        Names by id as the model uses them (``id2label`` in id order).
    label2id_names : (C,) str
        Names by id as the model's ``label2id`` has them; differs from ``label_names`` only if the
        two contradict each other.
    dataset_label_names : (C,) str
        Names by id as the data set encodes them.
    y_train : (m,) int
        Training label ids, in the order in which they were fed.
    train_logits, train_y_true : (k, C) float, (k,) int
        Outputs and labels on a sample of the training rows.
    token_counts, kept_token_counts : (n,) int
        Tokens of each example before truncation, and those that the model saw.
    unknown_token_share : (n,) float in [0, 1]
        Share of [UNK] among the kept tokens.
    lowercase_unknown_token_share : (r,) float in [0, 1]
        The same of the first r examples, their texts in lower case.
    input_ids, attention_mask : (n, L) int
        The encoded evaluation inputs.
    max_length : int
        The truncation limit in use, in tokens.
    embedding_rows, tokenizer_size : int
        Token ids that the model has an embedding for, and that the tokenizer can give.
    pad_token_id : int
        The id with which the model's configuration says that texts are padded.
    loss, val_loss, val_accuracy, grad_norm, learning_rate : (T,) float
        Training history; NaN where nothing was recorded.
    train_steps, batch_size : int
        Optimizer steps taken; examples per step, over all devices and accumulated batches.
    repeated_logits, reloaded_logits, rebatched_logits, padded_logits, tail_logits : (r, C) float
        The first r examples again: in an identical call; after saving and loading; one at a time
        and unpadded; padded further; encoded from their last ``max_length`` tokens.
    reference_y_pred : (n,) int
        A plain reference model (TF-IDF and logistic regression) trained on the same rows.
    kept_reference_y_pred : (n,) int
        The same reference model, trained and evaluated on what truncation keeps of each text.
    evaluation_reference_y_pred : (n,) int
        The same reference model cross-validated on evaluation rows: as many as there are training
        rows, at most, in the balance of ``y_train``, with texts no more alike; -1 for the others.
    train_reference_y_pred : (m,) int
        The same reference model cross-validated on the training rows: out-of-fold answers, from
        four fifths of the rows or more.
    train_reference_probabilities : (m, C) float
        The probabilities that go with those answers.
    encoder_update, head_update : float >= 0
        Relative norm of the change of those weights over training: NaN if they became NaN,
        infinite if they started at zero.
    overfit_loss : (T,) float
        Loss while a fresh copy overfits 16 balanced rows at a reference learning rate.
    unloaded_weights : (k,) str
        Names of weights that loading left at random values; empty if all were loaded.
    skipped_probes, failed_probes : (k,) str
        Fields that a live pipeline did not give, each with its reason as ``field: reason``: since
        it lacks a part, or since the part raised, did not answer in time or gave what it should
        not.
    example_keys : (n,) str
        What identifies each example: its text, or an id of its own. A long one is kept as its
        beginning and a hash. With it, reordered and extended evaluation sets pair up with a
        baseline; without it, only rows in the same order do.
    baseline_y_pred, baseline_logits : (n,) int, (n, C) float
        The model in production on the same examples; -1 where it was not asked.
    baseline_confusion : (C, C) int
        How the model in production answered when its baseline was made: rows are true labels,
        columns answers.
    baseline_gates : int
        How many models were accepted on this evaluation set, the one in production included.
    baseline_margin : float in [0, 1]
        How much of the accuracy a new model may lose against the one in production.

    Raises
    ------
    TypeError
        If a field is unknown or holds the wrong kind of thing.
    ValueError
        If a field has the wrong rank, is empty, ragged or out of bounds, or if two fields that
        describe the same examples have different lengths.

    Examples
    --------
    >>> evidence = Evidence(y_true=[0, 1, 1], logits=[[2.0, -1.0], [0.5, 1.0], [-1.0, 3.0]])
    >>> evidence.num_labels
    2
    >>> evidence
    Evidence(y_true=(3,), logits=(3, 2))
    """

    y_true: Any = _field("(n,)", IDS)
    logits: Any = _field("(n, C)", FLOATS)
    y_pred: Any = _field("(any,)", IDS)
    label_names: Any = _field("(C,)", NAMES)
    label2id_names: Any = _field("(C,)", NAMES)
    dataset_label_names: Any = _field("(C,)", NAMES)
    y_train: Any = _field("(m,)", IDS)
    train_logits: Any = _field("(k, C)", FLOATS)
    train_y_true: Any = _field("(k,)", IDS)
    token_counts: Any = _field("(n,)", COUNTS)
    kept_token_counts: Any = _field("(n,)", COUNTS)
    unknown_token_share: Any = _field("(n,)", SHARES)
    lowercase_unknown_token_share: Any = _field("(r,)", SHARES)
    input_ids: Any = _field("(n, L)", TOKENS)
    attention_mask: Any = _field("(n, L)", TOKENS)
    max_length: Any = _field("()", NUMBER)
    embedding_rows: Any = _field("()", NUMBER)
    tokenizer_size: Any = _field("()", NUMBER)
    pad_token_id: Any = _field("()", NUMBER)
    loss: Any = _field("(T,)", FLOATS)
    val_loss: Any = _field("(T,)", FLOATS)
    val_accuracy: Any = _field("(T,)", FLOATS)
    grad_norm: Any = _field("(T,)", FLOATS)
    learning_rate: Any = _field("(T,)", FLOATS)
    train_steps: Any = _field("()", NUMBER)
    batch_size: Any = _field("()", NUMBER)
    repeated_logits: Any = _field("(r, C)", FLOATS)
    reloaded_logits: Any = _field("(r, C)", FLOATS)
    rebatched_logits: Any = _field("(r, C)", FLOATS)
    padded_logits: Any = _field("(r, C)", FLOATS)
    tail_logits: Any = _field("(r, C)", FLOATS)
    reference_y_pred: Any = _field("(n,)", IDS)
    kept_reference_y_pred: Any = _field("(n,)", IDS)
    evaluation_reference_y_pred: Any = _field("(n,)", IDS)
    train_reference_y_pred: Any = _field("(m,)", IDS)
    train_reference_probabilities: Any = _field("(m, C)", FLOATS)
    encoder_update: Any = _field("()", NORM)
    head_update: Any = _field("()", NORM)
    overfit_loss: Any = _field("(T,)", FLOATS)
    unloaded_weights: Any = _field("(any,)", NAMES)
    skipped_probes: Any = _field("(any,)", NAMES)
    failed_probes: Any = _field("(any,)", NAMES)
    example_keys: Any = _field("(n,)", KEYS)
    baseline_y_pred: Any = _field("(n,)", IDS)
    baseline_logits: Any = _field("(n, C)", FLOATS)
    baseline_confusion: Any = _field("(C, C)", COUNTS)
    baseline_gates: Any = _field("()", NUMBER)
    baseline_margin: Any = _field("()", SHARES)

    def __new__(cls, *positional: Any, **fields: Any) -> Evidence:
        """Reject unknown fields; the generated ``__init__`` would not say which ones there are."""
        if positional:
            raise TypeError(
                "Evidence: expected fields by name, such as Evidence(logits=...), "
                f"got {len(positional)} without one"
            )
        _reject_unknown(fields)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for declared in dataclasses.fields(self):
            value = getattr(self, declared.name)
            if value is not None:
                converted = _convert(declared.name, value, **declared.metadata)
                object.__setattr__(self, declared.name, converted)
        self._check_lengths()

    def _check_lengths(self) -> None:
        for symbol, described in (
            ("n", "the evaluation examples"),
            ("m", "the training rows"),
            ("k", "the training sample"),
        ):
            lengths = {
                declared.name: len(getattr(self, declared.name))
                for declared in dataclasses.fields(self)
                if declared.metadata["shape"].startswith(f"({symbol},")
                and getattr(self, declared.name) is not None
            }
            if len(set(lengths.values())) > 1:
                given = ", ".join(f"{name} has {length}" for name, length in lengths.items())
                raise ValueError(
                    f"{' and '.join(lengths)}: expected the same number of rows, since all "
                    f"describe {described}; {given}"
                )
        for name in (d.name for d in _declared() if d.metadata["shape"].startswith("(r,")):
            again = getattr(self, name)
            if again is not None and self.logits is not None and len(again) > len(self.logits):
                raise ValueError(
                    f"{name}: expected at most the {len(self.logits)} rows of logits, whose first "
                    f"rows it repeats; got {len(again)}"
                )

    def __repr__(self) -> str:
        shapes = (
            f"{name}={value.shape if isinstance(value, np.ndarray) else value}"
            for name, value in self.fields().items()
        )
        return f"Evidence({', '.join(shapes)})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Show the values of small arrays and the shapes of others, in Hypothesis and IPython.

        What Hypothesis has shrunk is small; of a bundle that it has not, it would print every value
        over thousands of lines, and warn.
        """
        with printer.group(4, "Evidence(", ")"):
            for place, (name, value) in enumerate(self.fields().items()):
                printer.text("," if place else "")
                printer.breakable(" " if place else "")
                printer.text(f"{name}=")
                if isinstance(value, np.ndarray) and value.size > MOST_VALUES_SHOWN:
                    printer.text(f"<{value.dtype} {value.shape}>")
                else:
                    printer.pretty(value)

    def fields(self) -> dict[str, Any]:
        """Return the fields that were given, by name."""
        values = {declared.name: getattr(self, declared.name) for declared in _declared()}
        return {name: value for name, value in values.items() if value is not None}

    def save(self, path: str | Path | IO[bytes]) -> None:
        """Write the bundle to a file, as a compressed ``.npz`` without pickled objects.

        Examples
        --------
        >>> import tempfile, os
        >>> path = os.path.join(tempfile.mkdtemp(), "run.npz")
        >>> Evidence(y_true=[0, 1]).save(path)
        >>> Evidence.load(path)
        Evidence(y_true=(2,))
        """
        with (
            Path(path).open("wb")  # a path without .npz stays as it is
            if isinstance(path, (str, Path))
            else contextlib.nullcontext(path)
        ) as file:
            np.savez_compressed(file, **self.fields())  # no field holds objects to pickle

    @classmethod
    def load(cls, path: str | Path) -> Evidence:
        """Read a bundle that :meth:`save` or a training job wrote; nothing is unpickled.

        Raises
        ------
        ValueError
            If the file is missing, is not a readable ``.npz``, holds pickled objects, or if a
            field in it is not what :class:`Evidence` expects.
        TypeError
            If the file holds an array that is not a field of the evidence.
        """
        try:
            with Path(path).open("rb") as file:
                bundle = np.load(file, allow_pickle=False)
                if isinstance(bundle, np.ndarray):
                    raise ValueError("it holds a single array")
                fields = {name: _read(bundle, name) for name in bundle.files}
        except FileNotFoundError as error:
            raise ValueError(f"evidence file: expected a .npz bundle, {path} is missing") from error
        except Exception as error:  # a damaged archive raises whatever its damage leads to
            raise ValueError(
                f"evidence file: expected a .npz bundle of plain arrays, got {path}, which cannot "
                f"be read as one ({_first_line(error)})"
            ) from error
        try:
            return cls(**fields)
        except (TypeError, ValueError) as error:
            raise type(error)(f"evidence file {path}: {error}") from error

    # What several checks derive from the fields, each computed once.

    @cached_property
    def num_examples(self) -> int | None:
        """Number of evaluation examples, if any field tells it."""
        for declared in _declared():
            value = getattr(self, declared.name)
            if value is not None and declared.metadata["shape"].startswith("(n,"):
                return len(value)
        return None

    @cached_property
    def num_labels(self) -> int | None:
        """Number of labels: by the data set's names, else the logits, else the model's names.

        With none of them, by the largest label id that occurs; at least two.
        """
        if self.dataset_label_names is not None:
            return len(self.dataset_label_names)
        if self.logits is not None and self.logits.shape[1] > 1:
            return int(self.logits.shape[1])
        if self.label_names is not None:
            return len(self.label_names)
        given = (self.y_true, self.y_pred, self.y_train, self.train_y_true)
        ids = [labels for labels in given if labels is not None]
        if self.logits is None and not ids:
            return None
        largest = max([1, *(int(labels.max()) for labels in ids)])
        return largest + 1 if largest < MOST_UNNAMED_LABELS else None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Label names for people: the data set's, else the model's, else the ids."""
        for names in (self.dataset_label_names, self.label_names):
            if names is not None and len(names) == self.num_labels:
                return tuple(str(name) for name in names)
        return tuple(str(label) for label in range(self.num_labels or 0))

    @cached_property
    def outputs(self) -> Any:
        """What one pass over the logits tells: :class:`pytest_bertcheck.logits.LogitsSummary`."""
        return None if self.logits is None else summarise(self.logits)

    @property
    def argmax(self) -> Any:
        """Label ids that plain decoding gives: (n,) int; a single column is cut at one half."""
        return None if self.outputs is None else self.outputs.answers

    @cached_property
    def probabilities(self) -> Array | None:
        """Predicted probabilities, (n, C) float; ``None`` unless the outputs are finite."""
        return None if self.logits is None else probabilities_of(self.logits)

    @cached_property
    def answers(self) -> Any:
        """One label id per example: ``y_pred`` if it is that, the argmax if it was not given.

        ``None`` if the pipeline's answers cannot be read as one label per example; what is wrong
        with them is for the decoding check to say.
        """
        answers = self.argmax if self.y_pred is None else self.y_pred
        if answers is None or self.num_labels is None:
            return None
        if self.num_examples is not None and len(answers) != self.num_examples:
            return None
        in_range = answers.min() >= 0 and answers.max() < self.num_labels
        return answers if in_range else None

    @cached_property
    def masked_ids(self) -> Array | None:
        """The different token ids at positions that the attention mask leaves out, ascending.

        ``None`` unless both were given, in the same shape.
        """
        ids, mask = self.input_ids, self.attention_mask
        if ids is None or mask is None or ids.shape != mask.shape:
            return None
        left_out = ids[mask == 0]
        # Nearly always they are one and the same, which needs no sorting.
        return np.unique(np.append(left_out[:1], left_out[left_out != left_out[:1]]))

    @cached_property
    def reasons_missing(self) -> tuple[dict[str, str], dict[str, str]]:
        """Field -> why it is missing: of probes that failed, and of those that were skipped."""
        failed, skipped = (
            dict(str(probe).split(": ", 1) for probe in probes if ": " in probe)
            for probes in (
                () if self.failed_probes is None else self.failed_probes,
                () if self.skipped_probes is None else self.skipped_probes,
            )
        )
        return failed, skipped

    @cached_property
    def baseline_answers(self) -> Any:
        """What the model in production answered, (n,) int, or ``None``: as :attr:`answers`."""
        if self.baseline_y_pred is not None or self.baseline_logits is None:
            return self.baseline_y_pred
        return answers_of(self.baseline_logits)

    @cached_property
    def confusion(self) -> Confusion | None:
        """Counts of (true, answered) labels over the rows whose true id is in range."""
        if self.y_true is None or self.answers is None or self.num_labels is None:
            return None
        y_true, answers = self.y_true, self.answers
        if y_true.min() < 0 or y_true.max() >= self.num_labels:
            in_range = (y_true >= 0) & (y_true < self.num_labels)
            if not in_range.any():
                return None
            y_true, answers = y_true[in_range], answers[in_range]
        return confusion_matrix(y_true, answers, self.num_labels)


def _declared() -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(Evidence)


def _reject_unknown(fields: Iterable[str]) -> None:
    known = [declared.name for declared in _declared()]
    for name in fields:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            advice = f"did you mean {close[0]!r}?" if close else f"expected one of {known}"
            raise TypeError(f"Evidence: unknown field {name!r}; {advice}")


def _read(bundle: Any, name: str) -> Any:
    try:
        return bundle[name]
    except ValueError as error:
        if "pickle" in str(error):
            raise ValueError(f"{name} holds pickled Python objects") from error
        raise


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def outputs_to_array(value: Any, name: str = "logits") -> Array:
    """Return an array for whatever a model returned.

    Takes arrays, nested lists, tensors of TensorFlow and PyTorch (any device and float type,
    requiring grad or not), pandas and Arrow columns, and the output objects of transformers
    (``.logits`` or ``.predictions``).

    Raises
    ------
    TypeError
        If it is none of those, or is ambiguous.
    ValueError
        If the rows differ in length.

    Examples
    --------
    >>> outputs_to_array([[1, 2], [3, 4]]).shape
    (2, 2)
    """
    for attribute in ("logits", "predictions"):
        inner = getattr(value, attribute, None)
        if inner is not None and not callable(inner):
            return outputs_to_array(inner, name)
    if hasattr(value, "detach"):  # torch: off the graph, off the device, out of bfloat16
        value = value.detach().cpu()
        if "bfloat16" in str(value.dtype):
            value = value.float()
    if isinstance(value, Mapping):
        keys = sorted(map(str, value))
        raise TypeError(f"{name}: expected an array, got a mapping with keys {keys}")
    try:
        if isinstance(value, tuple) and any(np.ndim(_plain(item)) > 1 for item in value):
            raise TypeError(
                f"{name}: expected an array, got a tuple of {len(value)} arrays; pass the one "
                "that holds the logits"
            )
        array = np.asarray(_plain(value))
    except ValueError as error:
        raise ValueError(f"{name}: expected rows of the same length, got a ragged list") from error
    if array.dtype.name == "bfloat16":  # ml_dtypes, from TensorFlow
        array = array.astype(np.float32)
    if array.dtype == object:
        raise TypeError(
            f"{name}: expected an array of numbers, got {type(value).__name__} of Python objects"
        )
    return array


def _plain(value: Any) -> Any:
    for method in ("numpy", "to_numpy"):  # tensors; pandas and Arrow
        convert = getattr(value, method, None)
        if callable(convert):
            try:
                return convert()
            except TypeError:
                return value
            except ValueError:  # Arrow, when a copy is needed
                return convert(zero_copy_only=False)
    return value


def label_names_of(value: Any, name: str = "label_names") -> tuple[str, ...]:
    """Return names by id from a list of names, id2label, label2id or a fitted encoder.

    Keys may be ``int`` or ``str``; an id without a name gives ``""``, which a check reports.

    Raises
    ------
    TypeError
        If it is none of those.
    ValueError
        If it is empty or an id is negative.

    Examples
    --------
    >>> label_names_of({"1": "spam", "0": "ham"})
    ('ham', 'spam')
    >>> label_names_of({"ham": 0, "spam": 1})
    ('ham', 'spam')
    """
    if hasattr(value, "classes_"):
        value = value.classes_
    if isinstance(value, (str, bytes)):
        raise TypeError(f"{name}: expected names by id, got the single string {value!r}")
    if isinstance(value, Mapping):
        value = _names_by_id(value, name)
    elif isinstance(value, Iterable) and not isinstance(value, (set, frozenset)):
        value = np.asarray(_plain(value)).ravel().tolist() if hasattr(value, "dtype") else [*value]
    else:
        raise TypeError(
            f"{name}: expected names by id (a list, id2label, label2id or an encoder with "
            f"classes_), got {type(value).__name__}"
        )
    odd = [item for item in value if not isinstance(item, (str, int, float, np.generic))]
    if odd:
        raise TypeError(f"{name}: expected names, got {odd[0]!r:.60} among them")
    if not value:
        raise ValueError(f"{name}: expected at least one name, got none")
    return tuple(str(item) for item in value)


def _names_by_id(mapping: Mapping[Any, Any], name: str) -> list[str]:
    def as_id(item: Any) -> int | None:
        try:
            return int(item) if float(item) == int(item) else None
        except (TypeError, ValueError):
            return None

    by_key = {as_id(key): str(text) for key, text in mapping.items()}  # id2label
    by_value = {as_id(number): str(key) for key, number in mapping.items()}  # label2id
    # With names that are numbers, both sides read as ids; JSON makes id2label's keys strings, so
    # it is the values' type that tells: label2id's are integers.
    values_are_ids = mapping and all(
        isinstance(number, (int, np.integer)) for number in mapping.values()
    )
    names = by_value if values_are_ids else by_key
    if len(names) < len(mapping):
        twice = [key for key, number in mapping.items() if by_value.get(as_id(number)) != str(key)]
        raise ValueError(f"{name}: expected one name for each id, got two, {twice[0]!r:.60} is one")
    if None in names:
        raise TypeError(
            f"{name}: expected a mapping between ids and names, got keys {list(mapping)[:4]} "
            f"and values {list(mapping.values())[:4]}"
        )
    ids = [number for number in names if number is not None]
    if min(ids, default=0) < 0:
        raise ValueError(f"{name}: expected ids from 0, got {min(ids)}")
    if max(ids, default=0) > max(1000, 10 * len(ids)):
        raise ValueError(f"{name}: expected ids 0..{len(ids) - 1}, got the id {max(ids)}")
    return [names.get(number, "") for number in range(max(ids, default=-1) + 1)]


def _convert(name: str, value: Any, *, shape: str, kind: str) -> Any:
    if kind == NAMES:
        if name == "unloaded_weights" and isinstance(value, Iterable) and len([*value]) == 0:
            return np.asarray([], dtype=str)  # the one list of names that may be empty
        return np.asarray(label_names_of(value, name), dtype=str)
    if kind == KEYS:
        return _example_keys(name, value)
    if shape == "()":
        return _scalar(name, value, kind)
    array = outputs_to_array(value, name)
    if array.dtype.kind not in "biuf":
        advice = "; map names to ids first" if array.dtype.kind in "US" and kind == IDS else ""
        raise TypeError(f"{name}: expected {kind}, got an array of {array.dtype}{advice}")
    if array.ndim == 0 and shape == "(any,)":
        array = array.reshape(1)  # an argmax over everything gives a single number
    rank = shape.count(",") + (0 if shape.endswith(",)") else 1)
    if array.ndim != rank:
        raise ValueError(
            f"{name}: expected shape {shape}, got {array.shape}{_rank_advice(array, kind)}"
        )
    if array.size == 0:
        raise ValueError(f"{name}: expected at least one value, got shape {array.shape}")
    if kind in (IDS, TOKENS, COUNTS):
        array = _whole_numbers(name, array, kind)
    elif array.dtype.kind != "f" or array.dtype.itemsize < 4:
        array = array.astype(np.float32 if array.dtype == np.float16 else np.float64)
    if kind == COUNTS and array.min() < 0:
        raise ValueError(f"{name}: expected counts of at least 0, got {array.min()}")
    if kind == SHARES and not (array.min() >= 0 and array.max() <= 1):
        raise ValueError(
            f"{name}: expected shares between 0 and 1, got {array.min():g} to {array.max():g}"
        )
    view = array.view()
    view.flags.writeable = False
    return view


LONGEST_KEY = 74
"""Letters of a key that is kept whole; of others 40 are, a space, a mark and 32 of the hash."""


def _example_keys(name: str, value: Any) -> Array:
    """Return keys of bounded length, so that one huge text does not make every row as long."""
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise TypeError(f"{name}: expected a list of texts or ids, got {type(value).__name__}")
    keys = np.asarray(value).ravel().tolist() if hasattr(value, "dtype") else [*value]
    odd = [key for key in keys if not isinstance(key, (str, int, np.integer))]
    if odd:
        raise TypeError(f"{name}: expected texts or ids, got {odd[0]!r:.60} among them")
    if not keys:
        raise ValueError(f"{name}: expected at least one key, got none")
    array = np.asarray([_short_key(str(key)) for key in keys])
    array.flags.writeable = False
    return array


def _short_key(key: str) -> str:
    if len(key) <= LONGEST_KEY and key.isprintable():
        return key
    content = key.encode("utf-8", "surrogatepass")
    return f"{safe(key, 40)} #{hashlib.blake2b(content, digest_size=16).hexdigest()}"


def _rank_advice(array: Array, kind: str) -> str:
    if kind == IDS and array.ndim == 2:
        return "; for one-hot labels or logits pass their argmax(axis=1)"
    if kind == FLOATS and array.ndim == 1:
        return "; for a single output column pass it reshaped to (-1, 1)"
    return ""


def _whole_numbers(name: str, array: Array, kind: str) -> Array:
    if array.dtype.kind in "iu":
        return array.astype(np.int64) if array.dtype == np.uint64 else array
    odd = ~(np.abs(array) < 2**53) | (array != np.floor(array)) if array.dtype.kind == "f" else ()
    if np.any(odd):
        raise ValueError(f"{name}: expected {kind} (whole numbers), got {array[odd][0]}")
    return array.astype(np.int64)


def _scalar(name: str, value: Any, kind: str) -> int | float:
    array = outputs_to_array(value, name)
    if array.size != 1 or array.dtype.kind not in "iuf":
        raise TypeError(f"{name}: expected a single number, got {value!r:.60}")
    number = array.item()
    least = 0 if name in ("train_steps", "pad_token_id", "encoder_update", "head_update") else 1
    in_bounds = least <= number < np.inf
    if kind == SHARES:
        if not 0 <= number <= 1:
            raise ValueError(f"{name}: expected a share between 0 and 1, got {number!r}")
        return float(number)
    if kind == NORM:  # of weights that broke, or that started at zero: evidence
        in_bounds = not number < least
    if not in_bounds or (kind == NUMBER and number != int(number)):
        raise ValueError(f"{name}: expected a {kind} of at least {least}, got {number!r}")
    return int(number) if kind == NUMBER else float(number)
