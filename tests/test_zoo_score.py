"""Scoring recordings whose causes are known: what is counted, and what is refused."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from benchmarks.zoo.__main__ import main
from benchmarks.zoo.score import AMOUNTS, TOLD_BY, recordings, score
from pytest_bertcheck.findings import CAUSES

from .simulate import trained

HARMLESS = {"harmful": False, "identifiable": True, "weak": False}
HARMFUL = {"harmful": True, "identifiable": True, "weak": False}


@pytest.fixture(scope="module")
def run():
    return trained(3, 0, n=300)


def record(folder, bundles):
    """Write recordings as the zoo has them: name -> (evidence, what is known of it)."""
    (folder / "bundles").mkdir()
    index = {}
    for name, (evidence, known) in bundles.items():
        evidence.save(folder / "bundles" / f"{name}.npz")
        index[name] = {"scenario": name, **known}
    (folder / "index.json").write_text(json.dumps(index))
    return folder


def test_every_kind_of_recording_is_counted(tmp_path, run):
    """Found, missed, unidentifiable and harmless faults, healthy and weak models, one of each."""
    argmin = run.evidence(y_pred=run.outputs.argmin(axis=1))
    bundles = {
        "healthy": (run.evidence(), {"causes": [], **HARMLESS}),
        "weak": (run.evidence(), {"causes": [], **HARMLESS, "weak": True}),
        "found": (argmin, {"causes": ["argmin-decoded"], **HARMFUL}),
        "missed": (run.evidence(), {"causes": ["labels-noisy"], **HARMFUL}),
        "beyond": (argmin, {"causes": ["argmin-decoded"], **HARMFUL, "identifiable": False}),
        "harmless": (run.evidence(), {"causes": ["labels-noisy"], **HARMLESS}),
    }
    scores = score(record(tmp_path, bundles))
    # Outputs tell that the decoding is wrong, and not that labels were noisy.
    assert (1, 1) == (scores[0].tellable, scores[0].tellable_first)
    everything = scores[-1]
    assert (3, 2) == (everything.harmful, everything.detected)
    assert (2, 1, 1) == (everything.identifiable, everything.first, everything.among_three)
    assert (2, 1) == (everything.tellable, everything.tellable_first)
    assert (1, []) == (everything.healthy, everything.healthy_failed)
    assert [] == everything.wrong_facts
    assert [2, 2, 1, 1] == everything.causes["argmin-decoded"]
    assert [("missed", "labels-noisy", "passed")] == everything.misses


def test_wrong_facts_and_failed_healthy_recordings_are_named(tmp_path, run, capsys):
    """A cause called certain that is none, and a failure of a healthy one: exit code 1, by name."""
    argmin = run.evidence(y_pred=run.outputs.argmin(axis=1))
    bundles = {
        "blamed": (argmin, {"causes": ["labels-noisy"], **HARMFUL}),
        "accused": (argmin, {"causes": [], **HARMLESS}),
    }
    assert 1 == main(["score", str(record(tmp_path, bundles)), "--missed"])
    printed = capsys.readouterr().out
    assert "wrong fact, all: blamed argmin-decoded" in printed
    assert "healthy failed, all: accused" in printed
    assert "1/1, at most 100.0%" in printed


def test_each_amount_holds_those_before_it():
    """From outputs alone to all fields, nothing is taken away again."""
    amounts = [set(fields) for fields in AMOUNTS.values()]
    assert all(less < more for less, more in itertools.pairwise(amounts))


def test_every_cause_of_a_recording_is_told_by_an_amount():
    """The table says of each cause by how much evidence it can be told, but of a regression."""
    assert {*CAUSES} - {"regression", "unknown"} == {*TOLD_BY}
    assert {*TOLD_BY.values()} <= {*AMOUNTS}


def test_the_halves_share_no_scenario(tmp_path, run):
    """Every recording is in one half, and so are all seeds and tasks of its scenario."""
    known = {
        f"{scenario}@{task}-{seed}": (
            run.evidence(), {"causes": [], **HARMLESS, "scenario": f"{scenario}@{task}"})
        for scenario in "abcdefgh" for task in ("bbc5", "spam") for seed in range(2)
    }  # fmt: skip
    folder = record(tmp_path, known)
    halves = [dict(recordings(folder, part)) for part in ("tuning", "reporting")]
    assert set(known) == {*halves[0], *halves[1]}
    scenarios = [
        {entry["scenario"].partition("@")[0] for entry in half.values()} for half in halves
    ]
    assert set() == scenarios[0] & scenarios[1]
    assert all(scenarios)


@pytest.mark.parametrize("index", [None, {}], ids=["no folder", "empty"])
def test_nothing_to_score_is_an_error(tmp_path, index, capsys):
    """A folder without recordings is named, with what was expected, and the exit code is 2."""
    if index is not None:
        (tmp_path / "index.json").write_text(json.dumps(index))
    with pytest.raises(SystemExit) as stopped:
        main(["score", str(tmp_path)])
    assert 2 == stopped.value.code
    printed = capsys.readouterr().err
    assert str(tmp_path) in printed
    assert ("expected index.json" if index is None else "no recordings") in printed


def test_a_program_that_passes_prints_every_amount(tmp_path, run, capsys):
    """A healthy recording that passes: exit code 0, one row for each amount of evidence."""
    folder = record(tmp_path, {"fine": (run.evidence(), {"causes": [], **HARMLESS})})
    assert 0 == main(["score", str(folder)])
    rows = capsys.readouterr().out.splitlines()[1 : 1 + len(AMOUNTS)]
    assert list(AMOUNTS) == [row.split("  ")[0] for row in rows]
    assert np.all(["0/1" in row for row in rows])
