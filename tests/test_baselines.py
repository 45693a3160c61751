"""Committed baselines: what is written, pairs up and is refused, and that nothing is lost."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.regression import kill_at_random, race
from pytest_bertcheck import Evidence
from pytest_bertcheck.baselines import (
    BaselineMismatch,
    baseline_path,
    read_baseline,
    update_baseline,
    with_baseline,
)

NAMES = ["business", "culture", "sport"]


def evidence(n=300, *, wrong=0, names=NAMES, keys="text", **fields):
    """Evidence of a model that answers its first ``wrong`` rows wrongly."""
    y_true = np.arange(n) % 3
    own = {
        "y_true": y_true,
        "y_pred": np.where(np.arange(n) < wrong, (y_true + 1) % 3, y_true),
        "dataset_label_names": names,
        "example_keys": None if keys is None else [f"{keys} {row}" for row in range(n)],
    }
    return Evidence(**{**own, **fields})


def rows_of(whole, rows):
    """Return evidence of some rows, in that order."""
    fields = whole.fields()
    names = ("y_true", "y_pred", "example_keys")
    return Evidence(**{**fields, **{name: fields[name][rows] for name in names if name in fields}})


@pytest.fixture
def path(tmp_path):
    return baseline_path(tmp_path / "bertcheck_baselines", "news")


# What is written


def test_the_file_is_small_and_holds_what_a_reviewer_wants(path):
    """Metrics with intervals, counts by label, confusion, tolerance, provenance, on few lines."""
    update_baseline(path, evidence(wrong=30), margin=0.01)
    text = path.read_text(encoding="utf-8")
    summary = json.loads(text)
    assert ["schema", "name", "gates", "examples", "metrics", "label_names", "classes", "confusion",
            "tolerance", "predictions", "provenance"] == list(summary)  # fmt: skip
    accuracy = summary["metrics"]["accuracy"]
    assert accuracy["low"] < accuracy["value"] == 0.9 < accuracy["high"]
    assert {"support": 100, "right": 90, "predicted": 100} == summary["classes"]["0 business"]
    assert [[90, 10, 0], [0, 90, 10], [10, 0, 90]] == summary["confusion"]
    assert {"margin": 0.01} == summary["tolerance"]
    assert {"data", "python", "numpy", "scikit-learn"} <= set(summary["provenance"])
    assert len(text.splitlines()) < 50
    assert len(text) < 2000


def test_each_change_is_told_old_and_new(path):
    """Writing tells each value that changes, and nothing of those that stay."""
    first = update_baseline(path, evidence(wrong=30))
    assert "metrics.accuracy.value: none -> 0.9" in first
    second = update_baseline(path, evidence(wrong=15))
    assert "metrics.accuracy.value: 0.9 -> 0.95" in second
    assert "classes.0 business.right: 90 -> 95" in second
    assert "gates: 1 -> 2" in second
    assert not any(line.startswith(("schema", "examples", "label_names")) for line in second)


def test_what_is_read_is_what_was_written(path):
    """Answers and summary come back, in one file of answers; the same model again is no gate."""
    for wrong in (30, 15, 15):
        update_baseline(path, evidence(wrong=wrong))
    stored = read_baseline(path)
    np.testing.assert_array_equal(evidence(wrong=15).y_pred, stored.y_pred)
    assert 2 == stored.summary["gates"]
    assert {stored.summary["predictions"], "news.json", ".gitignore"} == {
        file.name for file in path.parent.iterdir() if file.suffix != ".lock"
    }


def test_fresh_examples_start_the_count_anew(path):
    """A set of which fewer than half of the examples are known has been gated on once."""
    for wrong in (30, 15):
        update_baseline(path, evidence(wrong=wrong))
    lines = update_baseline(path, evidence(wrong=15, keys="fresh text"))
    assert "gates: 2 -> 1" in lines


def test_neither_texts_nor_control_characters_are_written(path):
    """The committed files hold no text of an example, and names are escaped."""
    secret = [f"secret {row}" for row in range(300)]
    names = ["ham\x1b[31m", "\u202espam", "<b>"]
    update_baseline(path, evidence(example_keys=secret, names=names))
    for file in path.parent.iterdir():
        content = file.read_bytes()
        assert b"secret" not in content
        assert b"\x1b" not in content or file.suffix == ".npz"
    assert names == read_baseline(path).summary["label_names"]
    assert path.read_text(encoding="utf-8").isascii()


def test_many_labels_leave_the_confusion_out(path):
    """With 150 labels the matrix, which nobody reviews, is not stored, and comparing works."""
    many = evidence(names=[f"label {label}" for label in range(150)])
    update_baseline(path, many)
    assert read_baseline(path).summary["confusion"] is None
    assert with_baseline(many, read_baseline(path)).baseline_confusion is None


@pytest.mark.parametrize("name", ["", "../evil", "a/b", "a b", ".hidden", "x" * 200, "a\n"])
def test_a_name_is_a_file_name(tmp_path, name):
    """Names that leave the folder, or that some system does not allow, are refused."""
    with pytest.raises(ValueError, match="baseline: expected a name"):
        baseline_path(tmp_path, name)


def test_evidence_without_labels_is_no_baseline(path):
    """A baseline takes true labels and an answer to each example."""
    with pytest.raises(ValueError, match="expected y_true"):
        update_baseline(path, Evidence(y_pred=[0, 1]))
    assert not path.exists()


# What pairs up


@given(
    order=st.permutations(range(40)),
    kept=st.integers(20, 40),
    added=st.integers(0, 30),
    wrong=st.integers(0, 40),
)
@settings(deadline=None, max_examples=40)
def test_reordered_cut_and_extended_sets_pair_up(tmp_path_factory, order, kept, added, wrong):
    """Each example meets its own answer of the baseline; those it never saw meet -1."""
    path = tmp_path_factory.mktemp("baselines") / "news.json"
    old = evidence(40, wrong=wrong)
    update_baseline(path, old)
    now = rows_of(evidence(40 + added), [*order[:kept], *range(40, 40 + added)])
    paired = with_baseline(now, read_baseline(path))
    np.testing.assert_array_equal(old.y_pred[list(order[:kept])], paired.baseline_y_pred[:kept])
    assert (paired.baseline_y_pred[kept:] == -1).all()


def test_equal_texts_are_different_examples(path):
    """Of a text that stands there twice, the second copy meets the answer to the second."""
    keys = ["same", "same", "other", "same"]
    own = {"y_true": [0, 1, 2, 0], "y_pred": [0, 1, 2, 1], "example_keys": keys}
    twice = Evidence(**own, dataset_label_names=NAMES)
    update_baseline(path, twice)
    paired = with_baseline(twice, read_baseline(path))
    np.testing.assert_array_equal([0, 1, 2, 1], paired.baseline_y_pred)


def test_corrected_labels_still_pair_up(path):
    """A label that was annotated anew belongs to the same example."""
    update_baseline(path, evidence())
    corrected = evidence(y_true=np.where(np.arange(300) < 20, 2, np.arange(300) % 3))
    paired = with_baseline(corrected, read_baseline(path))
    np.testing.assert_array_equal(evidence().y_pred, paired.baseline_y_pred)


def test_without_keys_rows_pair_up_in_order(path):
    """A bundle without keys is compared row by row, if its labels are those of the baseline."""
    update_baseline(path, evidence(keys=None, wrong=9))
    paired = with_baseline(evidence(keys=None), read_baseline(path))
    np.testing.assert_array_equal(evidence(wrong=9).y_pred, paired.baseline_y_pred)


def test_long_keys_are_cut_and_stay_different():
    """Texts that differ after their thousandth letter have different keys, all of them short."""
    texts = ["a" * 1000 + letter for letter in "xyz"] + ["\ud800", "a\x00", "a"]
    keys = Evidence(example_keys=texts).example_keys
    assert len(texts) == len(set(keys.tolist()))
    assert max(map(len, keys)) <= 74
    np.testing.assert_array_equal(keys, Evidence(example_keys=keys).example_keys)


# What is refused


def cut(file):
    file.write_bytes(file.read_bytes()[:40])


def of_schema(number):
    def write(file):
        file.write_text(json.dumps({**json.loads(file.read_text()), "schema": number}))

    return write


MISMATCHES = {
    "another order of labels": (
        evidence(names=["culture", "business", "sport"]),
        "label order differs from the baseline's: 0 was 'business', is 'culture'"),
    "another label": (
        evidence(names=["business", "arts", "sport"]), "gone 'culture', new 'arts'"),
    "one label more": (evidence(names=[*NAMES, "tech"]), "3 then, 4 now; gone none, new 'tech'"),
    "other data": (
        evidence(keys="article"), "of its 300 examples 0 are among the 300 of now"),
    "less than half of the data": (evidence(100), "300 examples 100 are among the 100"),
    "no keys": (evidence(keys=None), "example_keys: the baseline has them, the evidence has not"),
}  # fmt: skip


@pytest.mark.parametrize(("now", "message"), MISMATCHES.values(), ids=MISMATCHES)
def test_other_data_and_labels_are_refused_in_words(path, now, message):
    """What is not comparable is refused, and the message says what changed."""
    update_baseline(path, evidence())
    with pytest.raises(BaselineMismatch) as caught:
        with_baseline(now, read_baseline(path))
    assert message in str(caught.value)


@pytest.mark.parametrize("now", [evidence(299, keys=None), evidence(keys=None, y_true=[0] * 300)])
def test_without_keys_other_rows_are_refused(path, now):
    """Rows that do not stand where they stood cannot be paired without keys."""
    update_baseline(path, evidence(keys=None))
    with pytest.raises(BaselineMismatch, match="give example_keys"):
        with_baseline(now, read_baseline(path))


def test_another_margin_has_to_be_accepted(path):
    """A margin that was widened in the settings counts once the baseline says so too."""
    update_baseline(path, evidence())
    with pytest.raises(BaselineMismatch, match="accepted with 0, the settings say"):
        with_baseline(evidence(), read_baseline(path), margin=0.1)
    update_baseline(path, evidence(), margin=0.1)
    assert 0.1 == with_baseline(evidence(), read_baseline(path), margin=0.1).baseline_margin


DAMAGES = {
    "schema": ("json", of_schema(99), "expected schema 1, got 99"),
    "no schema": ("json", lambda file: file.write_text("[]"), "expected schema 1"),
    "no JSON": ("json", cut, "expected JSON"),
    "no UTF-8": ("json", lambda file: file.write_bytes(b"\xff\xfe"), "expected JSON"),
    "answers cut off": ("npz", cut, "expected its answers in news-"),
    "answers gone": ("npz", lambda file: file.unlink(), "expected its answers beside it"),
    "other answers": (
        "npz",
        lambda file: np.savez(file, keys=np.zeros((300, 16), np.uint8), y_pred=np.zeros(300)),
        "got other ones"),
    "no answers": ("npz", lambda file: np.savez(file, x=[1]), "expected its answers in news-"),
}  # fmt: skip


@pytest.mark.parametrize(("suffix", "damage", "message"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_baseline_is_refused_and_can_be_written_anew(path, suffix, damage, message):
    """Damage is named, never taken for a model, and an update mends it."""
    update_baseline(path, evidence())
    damage(next(path.parent.glob(f"news*.{suffix}")))
    with pytest.raises(BaselineMismatch, match=message.replace("(", r"\(")):
        read_baseline(path)
    update_baseline(path, evidence(wrong=3))
    np.testing.assert_array_equal(evidence(wrong=3).y_pred, read_baseline(path).y_pred)


def test_a_missing_baseline_is_missing(path):
    """No file is another matter than a damaged one."""
    with pytest.raises(FileNotFoundError):
        read_baseline(path)


# Crashes and races


def test_a_killed_update_leaves_a_whole_baseline(tmp_path):
    """After each of five kills the baseline is the old or the new one, answers and all."""
    models, problems = kill_at_random(tmp_path, 5, seed=3)
    assert [] == problems
    assert models > 1


def test_updates_at_the_same_time_are_all_counted(tmp_path):
    """Five processes that update one baseline wait for one another; the count holds all."""
    assert [] == race(tmp_path, 5)
