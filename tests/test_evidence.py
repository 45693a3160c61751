"""The evidence bundle: what it takes, what it refuses nothing of, how it is written and read."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import types
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import softmax as scipy_softmax
from sklearn.metrics import confusion_matrix as sklearn_confusion_matrix
from sklearn.preprocessing import LabelEncoder

from pytest_bertcheck import Evidence, diagnose
from pytest_bertcheck.evidence import label_names_of, outputs_to_array

from .simulate import every_field

FIELDS = [declared.name for declared in dataclasses.fields(Evidence)]
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def bundles(draw):
    """Any subset of the fields, of any size."""
    generator = np.random.default_rng(draw(SEEDS))
    n, num_labels = draw(st.integers(1, 12)), draw(st.integers(2, 5))
    fields = every_field(generator, n, num_labels)
    kept = draw(st.sets(st.sampled_from(FIELDS)))
    return {name: value for name, value in fields.items() if name in kept}


def test_every_field_is_covered_by_the_generator():
    """The round-trip property below covers every declared field."""
    assert set(FIELDS) == set(every_field(np.random.default_rng(0), 4, 3))


@given(fields=bundles())
@settings(deadline=None, max_examples=60)
def test_save_and_load_round_trip(fields, tmp_path_factory):
    """A loaded bundle has the fields that were saved: values, types, shapes, nothing else."""
    saved = Evidence(**fields)
    path = tmp_path_factory.mktemp("bundles") / "run.npz"
    saved.save(path)
    loaded = Evidence.load(path).fields()
    assert set(fields) == set(loaded)
    for name, value in saved.fields().items():
        assert type(value) is type(loaded[name])
        if isinstance(value, np.ndarray):
            assert value.dtype == loaded[name].dtype
            np.testing.assert_array_equal(value, loaded[name])
        else:
            assert value == loaded[name]


@given(fields=bundles())
@settings(deadline=None, max_examples=60)
def test_values_and_kinds_are_those_given(fields):
    """Conversion changes no value: ids stay integers, floats stay floats, names stay text."""
    evidence = Evidence(**fields)
    for name, given_value in fields.items():
        value = getattr(evidence, name)
        if isinstance(given_value, list):
            assert [str(item) for item in given_value] == value.tolist()
        else:
            assert np.asarray(given_value).dtype.kind.replace("u", "i") == (
                np.asarray(value).dtype.kind.replace("u", "i")
            )
            np.testing.assert_array_equal(np.asarray(given_value), value)


@given(fields=bundles())
@settings(deadline=None, max_examples=30)
def test_any_evidence_can_be_diagnosed(fields):
    """Whatever subset of fields is given, the checks answer: no exception, no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        diagnosis = diagnose(Evidence(**fields))
    for finding in diagnosis.findings:
        if finding.verdict == "skipped":
            named = {name for need in finding.needs for name in need.split(" or ")}
            assert set() == named - set(FIELDS)
            assert set() == named & set(fields)


def refusal(path, *, otherwise):
    """Return what loading says against a file; ``otherwise`` if it is a bundle all the same."""
    try:
        Evidence.load(path)
    except (TypeError, ValueError) as error:
        return str(error)
    return otherwise


@given(seed=SEEDS, damage=st.lists(st.tuples(SEEDS, st.integers(0, 255)), min_size=1, max_size=4))
@settings(deadline=None, max_examples=150)
def test_a_damaged_file_is_a_value_error(seed, damage, tmp_path_factory):
    """A bundle with any bytes changed is read as evidence or refused with its path, no more."""
    path = tmp_path_factory.mktemp("damaged") / "run.npz"
    Evidence(**every_field(np.random.default_rng(seed), 5, 3)).save(path)
    content = bytearray(path.read_bytes())
    for position, byte in damage:
        content[position % len(content)] = byte
    path.write_bytes(content)
    assert str(path) in refusal(path, otherwise=str(path))


@given(seed=SEEDS, kept=st.floats(0, 0.999))
@settings(deadline=None, max_examples=40)
def test_a_cut_off_file_is_a_value_error(seed, kept, tmp_path_factory):
    """A bundle whose writing was interrupted is refused, and its path is named."""
    path = tmp_path_factory.mktemp("cut") / "run.npz"
    Evidence(**every_field(np.random.default_rng(seed), 5, 3)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ValueError, match=r"evidence file: expected a \.npz bundle") as error:
        Evidence.load(path)
    assert str(path) in str(error.value)


def test_any_flipped_bit_is_a_value_error(tmp_path):
    """No single flipped bit at the start of the zip lets another exception through."""
    whole = tmp_path / "whole.npz"
    Evidence(y_true=[0, 1], logits=[[0.0, 1.0], [1.0, 0.0]]).save(whole)
    content = whole.read_bytes()
    path = tmp_path / "flipped.npz"
    for position in range(200):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[position] ^= 1 << bit
            path.write_bytes(flipped)
            assert str(path) in refusal(path, otherwise=str(path))


def test_save_keeps_the_path_as_given(tmp_path):
    """A path without the ending .npz is written and read as it is."""
    path = tmp_path / "recording"
    Evidence(y_true=[0, 1]).save(path)
    assert [path] == list(tmp_path.iterdir())
    assert [0, 1] == Evidence.load(path).y_true.tolist()


def test_a_saved_bundle_is_plain_npz(tmp_path):
    """NumPy alone reads a bundle, without unpickling and without arrays that are no field."""
    path = tmp_path / "run.npz"
    fields = every_field(np.random.default_rng(3), 4, 3)
    Evidence(**fields).save(path)
    with np.load(path, allow_pickle=False) as bundle:
        assert set(fields) == set(bundle.files)
        assert all(bundle[name].dtype != object for name in bundle.files)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_float_arrays_are_not_copied(dtype):
    """Logits in single or double precision are looked at, not copied, and never written to."""
    logits = np.ones((4, 2), dtype=dtype)
    evidence = Evidence(logits=logits)
    assert np.shares_memory(logits, evidence.logits)
    assert logits.flags.writeable
    assert not evidence.logits.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        evidence.logits[0, 0] = 7


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint32", "int64"])
def test_integer_arrays_are_not_copied(dtype):
    """Label ids of any integer type are looked at, not copied, and never written to."""
    y_true = np.array([0, 1, 1], dtype=dtype)
    evidence = Evidence(y_true=y_true)
    assert np.shares_memory(y_true, evidence.y_true)
    assert y_true.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        evidence.y_true[0] = 7


def test_fields_cannot_be_assigned():
    """Evidence is frozen: a field is set when it is made, and never again."""
    evidence = Evidence(y_true=[0, 1])
    with pytest.raises(dataclasses.FrozenInstanceError):
        evidence.y_true = [1, 1]


class Tensor:
    """What the checks may rely on of a torch.Tensor: NumPy only after detach, cpu and float."""

    def __init__(self, values, dtype="torch.float32", *, requires_grad=True, device="cuda:0"):
        self.values, self.dtype = np.asarray(values), dtype
        self.requires_grad, self.device = requires_grad, device

    def _with(self, **changes):
        state = {
            "dtype": self.dtype,
            "requires_grad": self.requires_grad,
            "device": self.device,
            **changes,
        }
        return Tensor(self.values, state.pop("dtype"), **state)

    def detach(self):
        return self._with(requires_grad=False)

    def cpu(self):
        return self._with(device="cpu")

    def float(self):
        return self._with(dtype="torch.float32")

    def numpy(self):
        if self.requires_grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        if self.device != "cpu":
            raise TypeError("can't convert cuda:0 device type tensor to numpy.")
        if self.dtype == "torch.bfloat16":
            raise TypeError("Got unsupported ScalarType BFloat16")
        return self.values


class ArrowColumn:
    """What the checks may rely on of an Arrow array with a null bitmap or several chunks."""

    def __init__(self, values):
        self.values = values

    def __iter__(self):
        return iter(self.values)

    def to_numpy(self, zero_copy_only=True):
        if zero_copy_only:
            raise ValueError("Needed to copy 1 chunks with 0 nulls, but zero_copy_only was True")
        return np.asarray(self.values)


class Column:
    """What the checks may rely on of a pandas Series."""

    def __init__(self, values):
        self.values = values

    def __iter__(self):
        return iter(self.values)

    def to_numpy(self):
        return np.asarray(self.values)


LOGITS = [[0.5, -1.5], [2.0, 0.25], [-1.0, 1.0]]

OUTPUTS = {
    "list": LOGITS,
    "tuple of rows": tuple(map(tuple, LOGITS)),
    "list of arrays": [np.array(row) for row in LOGITS],
    "float16": np.array(LOGITS, dtype=np.float16),
    "float32": np.array(LOGITS, dtype=np.float32),
    "float64": np.array(LOGITS),
    "big-endian": np.array(LOGITS, dtype=">f4"),
    "transposed": np.array(LOGITS).T.copy().T,
    "torch on a device, requiring grad": Tensor(LOGITS),
    "torch bfloat16": Tensor(LOGITS, "torch.bfloat16"),
    "object with logits": types.SimpleNamespace(logits=np.array(LOGITS), hidden_states=None),
    "object with torch logits": types.SimpleNamespace(logits=Tensor(LOGITS)),
    "PredictionOutput": types.SimpleNamespace(predictions=np.array(LOGITS), label_ids=[1, 0, 1]),
    "memory view": memoryview(np.array(LOGITS)),
}


@pytest.mark.parametrize("outputs", OUTPUTS.values(), ids=OUTPUTS.keys())
def test_outputs_are_taken_as_frameworks_return_them(outputs):
    """Whatever a framework returns as outputs is the same evidence, of at least 32 bits."""
    evidence = Evidence(logits=outputs)
    assert LOGITS == evidence.logits.tolist()
    assert evidence.logits.dtype.kind == "f"
    assert 4 <= evidence.logits.dtype.itemsize
    assert [0, 0, 1] == evidence.answers.tolist()


IDS = {
    "list": [0, 2, 1],
    "tuple": (0, 2, 1),
    "range": range(3),
    "whole floats": np.array([0.0, 2.0, 1.0]),
    "bool": np.array([False, True, True]),
    "uint64": np.array([0, 2, 1], dtype=np.uint64),
    "negative": [-1, -100, 0],
    "torch": Tensor([0, 2, 1], "torch.int64", requires_grad=False),
    "pandas": Column([0, 2, 1]),
    "Arrow": ArrowColumn([0, 2, 1]),
}


@pytest.mark.parametrize("ids", IDS.values(), ids=IDS.keys())
def test_ids_are_taken_as_people_have_them(ids):
    """Label ids of any whole kind become integers of the same value."""
    values = getattr(ids, "values", ids)
    for name in ("y_true", "y_pred", "y_train"):
        taken = getattr(Evidence(**{name: ids}), name)
        assert taken.dtype.kind in "iu"
        assert [int(value) for value in values] == taken.tolist()


def test_a_single_answer_is_evidence():
    """An argmax over everything gives a single number: evidence of that very mistake."""
    assert [4] == Evidence(y_pred=np.int64(4)).y_pred.tolist()


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [(np.int64(128), 128), (np.array(128), 128), ([128], 128), (128.0, 128)],
    ids=["NumPy scalar", "0-d array", "list of one", "whole float"],
)
def test_single_numbers_become_builtins(given_value, expected):
    """A single number is a Python int, whatever it came as."""
    evidence = Evidence(max_length=given_value)
    assert expected == evidence.max_length
    assert type(evidence.max_length) is int


def healthy_logits(n=40, num_labels=3):
    return 6 * np.eye(num_labels)[np.arange(n) % num_labels]


BROKEN = {
    "y_pred of another length": ({"y_pred": [0, 1, 2]}, "decoding_consistent"),
    "y_pred out of range": ({"y_pred": [7] * 40}, "decoding_consistent"),
    "negative y_pred": ({"y_pred": [-1] * 40}, "decoding_consistent"),
    "a single answer": ({"y_pred": 2}, "decoding_consistent"),
    "y_true from 1": ({"y_true": np.arange(40) % 3 + 1}, "labels_valid"),
    "y_true with -100": ({"y_true": [-100] + [0, 1, 2] * 13}, "labels_valid"),
    "y_train with an extra class": ({"y_train": [0, 1, 2, 3]}, "labels_valid"),
    "NaN logits": ({"logits": np.full((40, 3), np.nan)}, "logits_valid"),
    "one NaN": ({"logits": np.where(np.arange(120).reshape(40, 3) == 7, np.nan, 1.5)},
                "logits_valid"),
    "infinite logits": ({"logits": np.where(healthy_logits() > 0, np.inf, 0.0)}, "logits_valid"),
    "infinity of both signs": ({"logits": np.where(healthy_logits() > 0, np.inf, -np.inf)},
                               "logits_valid"),
    "wider than the labels": ({"logits": np.random.default_rng(0).normal(size=(40, 8))},
                              "logits_valid"),
    "too few names": ({"label_names": ["ham", "spam"]}, "label_mapping_consistent"),
    "a name missing": ({"label_names": {0: "a", 2: "c"}}, "label_mapping_consistent"),
    "NaN weights": ({"head_update": np.nan, "logits": None}, "weights_updated"),
    "NaN loss at the end": ({"loss": [1.1, 0.9, np.nan]}, "training_progressed"),
}  # fmt: skip


@pytest.mark.parametrize(("fields", "check"), BROKEN.values(), ids=BROKEN.keys())
def test_what_broken_pipelines_produce_is_evidence(fields, check):
    """Evidence of a broken pipeline is taken without complaint, and the check that is for it fails.

    Nothing else happens: no warning from NumPy either.
    """
    names = ["a", "b", "c"]
    healthy = {"y_true": np.arange(40) % 3, "logits": healthy_logits(), "y_train": [0, 1, 2],
               "label_names": names, "dataset_label_names": names}  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        diagnosis = diagnose(Evidence(**{**healthy, **fields}))
    failed = [finding.check for finding in diagnosis.findings if finding.verdict == "failed"]
    assert check in failed


def test_one_output_column_for_five_labels_is_named():
    """A single output column cannot tell five labels apart, and some check says so."""
    generator = np.random.default_rng(0)
    evidence = Evidence(
        y_true=np.arange(100) % 5,
        logits=generator.normal(size=(100, 1)),
        label_names=list("abcde"),
        dataset_label_names=list("abcde"),
    )
    assert "failed" == diagnose(evidence).verdict


HUGE = 10**15
"""An id such as a hash or a timestamp gives; counting up to it would take petabytes."""


@pytest.mark.parametrize(
    "fields",
    [
        {"y_train": [0, 1] * 20 + [HUGE]},
        {"y_train": [0, 1] * 20 + [HUGE], "loss": [0.7, 0.3], "label_names": ["ham", "spam"]},
        {"y_true": [0, 1] * 20 + [HUGE], "label_names": ["ham", "spam"], "y_pred": [0] * 41},
        {"logits": healthy_logits(), "y_pred": [HUGE] + [0, 1, 2] * 13},
    ],
    ids=["y_train", "y_train and loss", "y_true", "y_pred"],
)
def test_a_huge_id_is_a_finding(fields):
    """An absurd label id is evidence like any other: memory is not taken in proportion to it."""
    assert diagnose(Evidence(**fields)).verdict in ("failed", "inconclusive", "passed")


@pytest.mark.skipif(sys.platform == "win32", reason="limits memory by the module resource")
def test_a_huge_id_beside_nothing_that_names_labels():
    """Ids alone, one of them absurd: judged within two gigabytes, which an array of it breaks."""
    code = f"""
import resource
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
from pytest_bertcheck import Evidence, diagnose
print(diagnose(Evidence(y_true=[0, 1] * 30 + [{HUGE}], y_pred=[0, 1] * 30 + [0])).verdict)
"""
    limited = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # each thread would reserve memory
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=limited
    )
    assert result.stdout.strip() in ("failed", "inconclusive", "passed"), result.stderr[-500:]


FLOAT32 = st.floats(width=32, allow_nan=True, allow_infinity=True)


@given(
    logits=hnp.arrays(
        np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=7), elements=FLOAT32
    )
)
@settings(deadline=None, max_examples=150)
def test_any_float32_outputs_are_judged_without_a_warning(logits):
    """NaN, infinity and outputs near the end of float32 lead to findings, under -W error too."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evidence = Evidence(logits=logits, repeated_logits=logits[:2])
        if logits.shape[1] > 1:
            np.testing.assert_array_equal(logits.argmax(axis=1), evidence.argmax)
        diagnosis = diagnose(evidence)
    finite = bool(np.isfinite(logits).all())
    failed = {finding.check for finding in diagnosis.findings if finding.verdict == "failed"}
    facts = [cause.code for cause in diagnosis.causes if cause.certain]
    assert finite is not ("diverged" in facts)
    assert "deterministic" not in failed


@given(
    logits=hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=80),
        elements=st.floats(-3, 3, width=16),
    )
)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_argmax_is_numpys_argmax_with_ties(logits):
    """The fast argmax answers ties as NumPy does: with the first."""
    np.testing.assert_array_equal(logits.argmax(axis=1), Evidence(logits=logits).argmax)


@given(seed=SEEDS, width=st.integers(2, 6), scale=st.floats(0.01, 50))
@settings(deadline=None, max_examples=40)
def test_probabilities_are_the_softmax_applied_once(seed, width, scale):
    """Logits become probabilities by one softmax; probabilities are left as they are."""
    logits = np.random.default_rng(seed).normal(0, scale, size=(9, width))
    expected = scipy_softmax(logits, axis=1)
    evidence = Evidence(logits=logits)
    assert not evidence.outputs.probabilities
    np.testing.assert_allclose(expected, evidence.probabilities, atol=1e-12)
    again = Evidence(logits=expected)
    assert again.outputs.probabilities
    np.testing.assert_allclose(expected, again.probabilities, atol=1e-12)


@given(seed=SEEDS, probabilities=st.booleans())
@settings(deadline=None, max_examples=40)
def test_a_single_column_is_cut_at_one_half(seed, probabilities):
    """One output column is a margin, or the probability of label 1: both are cut at one half."""
    margin = np.random.default_rng(seed).normal(0, 4, size=(12, 1))
    margin[0] = 2.5
    outputs = 1 / (1 + np.exp(-margin)) if probabilities else np.append(margin, [[-1.0]], axis=0)
    evidence = Evidence(logits=outputs)
    limit = 0.5 if probabilities else 0
    assert (outputs[:, 0] > limit).astype(int).tolist() == evidence.argmax.tolist()
    assert (len(outputs), 2) == evidence.probabilities.shape
    np.testing.assert_allclose(1, evidence.probabilities.sum(axis=1))
    np.testing.assert_array_equal(evidence.argmax, evidence.probabilities.argmax(axis=1))


@given(seed=SEEDS, num_labels=st.integers(2, 6), outside=st.integers(0, 5))
@settings(deadline=None, max_examples=40)
def test_the_confusion_matrix_is_scikit_learns(seed, num_labels, outside):
    """Rows are true labels, columns answers; rows whose true id is no label are left out."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(30, num_labels))
    y_true = generator.integers(0, num_labels, 30)
    y_true[:outside] = generator.choice([-1, num_labels, 99])
    expected = sklearn_confusion_matrix(
        y_true[outside:], logits[outside:].argmax(axis=1), labels=range(num_labels)
    )
    confusion = Evidence(y_true=y_true, logits=logits).confusion
    np.testing.assert_array_equal(expected, confusion.cells.toarray())


def test_no_row_in_range_gives_no_confusion_matrix():
    """Where every true id is hidden (-1), there is nothing to count."""
    assert Evidence(y_true=[-1, -1], logits=[[0.0, 1.0], [1.0, 0.0]]).confusion is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"logits": np.zeros((2, 4))}, 4),
        ({"logits": np.zeros((2, 1))}, 2),
        ({"logits": np.zeros((2, 1)), "label_names": ["a", "b", "c"]}, 3),
        ({"logits": np.zeros((2, 4)), "label_names": ["a", "b"]}, 4),
        ({"logits": np.zeros((2, 4)), "dataset_label_names": ["a", "b"]}, 2),
        ({"label_names": ["a", "b"]}, 2),
        ({"y_true": [0, 3], "y_pred": [1, 1]}, 4),
        ({"y_true": [0, 0]}, 2),
        ({"loss": [0.5]}, None),
    ],
    ids=["columns", "one column", "one column, names", "columns before the model's names",
         "data set's names first", "model's names", "largest id", "two at least", "nothing tells"],
)  # fmt: skip
def test_the_number_of_labels(fields, expected):
    """The data set's names tell the number of labels, else the columns, else the model's names."""
    assert expected == Evidence(**fields).num_labels


def test_answers_alone_can_be_counted():
    """With label ids and nothing else, the answers are what they are: one label id each."""
    evidence = Evidence(y_true=[0, 1, 2, 1], y_pred=[0, 1, 1, 1])
    assert [0, 1, 1, 1] == evidence.answers.tolist()
    assert [[1, 0, 0], [0, 2, 0], [0, 1, 0]] == evidence.confusion.cells.toarray().tolist()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"label_names": ["ham", "spam"]}, ("ham", "spam")),
        ({"label_names": ["a", "b"], "dataset_label_names": ["c", "d"]}, ("c", "d")),
        ({"label_names": ["a", "b"], "logits": np.zeros((1, 3))}, ("0", "1", "2")),
        ({}, ()),
    ],
    ids=["the model's", "the data set's first", "too few", "none"],
)
def test_names_for_people(fields, expected):
    """Names are the data set's, else the model's, else the ids, always one for each label."""
    assert expected == Evidence(**fields).names


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({"y_true": [0, 1]}, 2), ({"token_counts": [5]}, 1), ({"y_pred": [0, 1]}, None), ({}, None)],
    ids=["y_true", "tokens", "y_pred does not tell", "none"],
)
def test_the_number_of_examples(fields, expected):
    """The number of examples comes from fields that have one value for each, never from y_pred."""
    assert expected == Evidence(**fields).num_examples


def test_repr_shows_shapes_and_no_data():
    """The repr of evidence tells shapes only, so that no text of a user's data is printed."""
    evidence = Evidence(y_true=[0, 1], label_names=["secret", "other"], max_length=20)
    assert "Evidence(y_true=(2,), label_names=(2,), max_length=20)" == repr(evidence)


# Names


CLASSES = np.array(["ham", "phish", "spam"])

SAME_NAMES = {
    "list": ["ham", "phish", "spam"],
    "tuple": ("ham", "phish", "spam"),
    "array": CLASSES,
    "object array": CLASSES.astype(object),
    "id2label": {0: "ham", 1: "phish", 2: "spam"},
    "id2label from JSON": {"0": "ham", "1": "phish", "2": "spam"},
    "id2label out of order": {2: "spam", 0: "ham", 1: "phish"},
    "id2label with NumPy keys": {np.int64(i): name for i, name in enumerate(CLASSES)},
    "label2id": {"ham": 0, "phish": 1, "spam": 2},
    "label2id out of order": {"spam": 2, "phish": 1, "ham": 0},
    "label2id with NumPy ids": {name: np.int32(i) for i, name in enumerate(CLASSES)},
    "fitted LabelEncoder": LabelEncoder().fit(["spam", "ham", "phish", "ham"]),
    "values of id2label": {0: "ham", 1: "phish", 2: "spam"}.values(),
    "keys of label2id": {"ham": 0, "phish": 1, "spam": 2}.keys(),
    "pandas": Column(CLASSES),
    "Arrow": ArrowColumn(CLASSES),
}


@pytest.mark.parametrize("names", SAME_NAMES.values(), ids=SAME_NAMES.keys())
def test_names_in_every_form(names):
    """Names by id are read from whatever holds them, in the order of the ids."""
    assert ("ham", "phish", "spam") == label_names_of(names)
    assert ["ham", "phish", "spam"] == Evidence(label_names=names).label_names.tolist()


@given(
    names=st.lists(
        st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12),
        min_size=1,
        max_size=9,
        unique=True,
    ),
    seed=SEEDS,
)
@settings(deadline=None, max_examples=80)
def test_all_forms_of_a_mapping_agree(names, seed):
    """id2label with either kind of key and label2id, in any order, give the same names.

    Names may themselves be numbers, as those of star ratings are.
    """
    order = np.random.default_rng(seed).permutation(len(names)).tolist()
    assert tuple(names) == label_names_of({i: names[i] for i in order})
    assert tuple(names) == label_names_of({str(i): names[i] for i in order})
    assert tuple(names) == label_names_of({names[i]: i for i in order})


def test_numeric_names_are_read_by_the_type_of_the_values():
    """Star ratings are names that look like ids: label2id has integer values, id2label has text."""
    assert ("5", "4", "3") == label_names_of({"0": "5", "1": "4", "2": "3"})
    assert ("5", "4", "3") == label_names_of({"5": 0, "4": 1, "3": 2})


def test_a_gap_in_the_ids_is_an_empty_name():
    """An id without a name gets an empty one, for a check to report."""
    assert ("a", "", "c") == label_names_of({0: "a", 2: "c"})


def test_outputs_to_array_names_the_field():
    """A message of a conversion names the field that the caller was filling."""
    with pytest.raises(TypeError, match=r"^tail_logits: expected an array"):
        outputs_to_array({"logits": [[1.0]]}, "tail_logits")
