"""What the zoo records: its table of scenarios, its order of work, and its splits."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.zoo import models
from benchmarks.zoo.__main__ import main
from benchmarks.zoo.data import _body, split
from benchmarks.zoo.make import DECODINGS, OUTPUTS, recordings_to_make
from benchmarks.zoo.scenarios import SERVED, TRAINED, Rows, Serving
from pytest_bertcheck.findings import CAUSES

SCENARIOS = {**TRAINED, **SERVED}
FOLDERS = {name: [f"{name} {number}" for number in range(100)] for name in "abc"}


def test_every_cause_that_can_be_recorded_is():
    """Each cause of training, data, labels, tokens, decoding and serving has a scenario."""
    of_other_arrays = {"metric-misreported", "regression", "unknown"}
    recorded = {cause for scenario in SCENARIOS.values() for cause in scenario.causes}
    assert set(CAUSES) - of_other_arrays == recorded


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_is_healthy_by_name_and_by_cause(name):
    """Names tell the healthy from the faulty, and what a row asks for exists."""
    scenario = SCENARIOS[name]
    assert name.startswith("healthy") == (scenario.causes == ())
    assert scenario.serving.decoding in DECODINGS
    assert scenario.serving.outputs in OUTPUTS
    if name in SERVED:
        assert scenario.serving != Serving()
        assert (scenario.training, scenario.rows) == (models.Training(), Rows())


def test_a_fifth_of_the_scenarios_is_healthy():
    """There are healthy recordings in plenty to fail."""
    healthy = sum(not scenario.causes for scenario in SCENARIOS.values())
    assert healthy >= len(SCENARIOS) / 5


@given(seeds=st.lists(st.integers(0, 99), min_size=1, max_size=3, unique=True))
def test_no_model_is_trained_twice(seeds):
    """Recordings come once each, and those of one training one after the other."""
    recordings = list(recordings_to_make(seeds))
    names = [str(recording) for recording in recordings]
    assert len(set(names)) == len(names)
    trainings = [(r.model, r.parent, r.task, r.seed) for r in recordings]
    runs = [key for key, _ in itertools.groupby(trainings)]
    assert len(set(runs)) == len(runs)


def test_a_pattern_selects():
    """``--only`` takes the names that it matches, and no others."""
    names = {str(r) for r in recordings_to_make([0, 1], ["tiny_rate_*_spam-1"])}
    assert {f"tiny_rate_{rate}_spam-1"
            for rate in ("x20", "x100", "x1000", "x1e7", "x1e-3", "x1e-4")} == names  # fmt: skip


def test_a_pattern_that_selects_nothing_is_an_error(tmp_path, capsys):
    """The pattern is named, the exit code is 2, and nothing is written."""
    with pytest.raises(SystemExit) as stopped:
        main(["make", str(tmp_path / "zoo"), "--only", "huge_*"])
    assert 2 == stopped.value.code
    assert "'huge_*'" in capsys.readouterr().err
    assert not (tmp_path / "zoo").exists()


@given(seed=st.integers(0, 999), majority=st.sampled_from([None, 0.5, 0.8, 0.97]))
def test_a_split_shares_no_text(seed, majority):
    """No text is in two parts, labels go with their texts, and the first has its share."""
    drawn = split(FOLDERS, seed=seed, train_rows=90, evaluation_rows=30, majority=majority)
    parts = [drawn.train, drawn.validation, drawn.evaluation]
    texts = [text for part, _ in parts for text in part]
    assert len(set(texts)) == len(texts)
    for part, labels in parts:
        assert [drawn.label_names[label] for label in labels] == [text[0] for text in part]
    shares = [np.bincount(labels, minlength=3)[0] / len(labels) for _, labels in parts]
    expected = 1 / 3 if majority is None else majority
    assert [pytest.approx(expected, abs=0.06)] * 2 == shares[:2]
    assert pytest.approx(1 / 3) == shares[2]


def test_a_split_comes_again_by_its_seed():
    """The same seed draws the same evaluation rows, however many training rows there are."""
    first, again, other = (
        split(FOLDERS, seed=seed, train_rows=rows, evaluation_rows=30)
        for seed, rows in ((1, 30), (1, 60), (2, 30))
    )
    assert first.evaluation[0] == again.evaluation[0]
    assert first.evaluation[0] != other.evaluation[0]


def test_there_are_no_more_rows_than_texts():
    """More training rows than there are texts are as many as there are, equally of each label."""
    drawn = split(FOLDERS, seed=0, train_rows=900, evaluation_rows=30)
    assert [80, 80, 80] == np.bincount(drawn.train[1]).tolist()


def test_too_few_texts_are_an_error():
    """A label that has too few texts for its share is named, with how many are missing."""
    with pytest.raises(ValueError, match=r"b: expected \d+ more texts, got \d+"):
        split(FOLDERS, seed=0, train_rows=900, evaluation_rows=90, majority=0.3)


def test_a_mail_is_its_subject_and_its_text():
    """Headers and markup would give the label away; an entity is a character."""
    raw = "From: a@b\nSubject: Hello there\nX-Spam: yes\n\n<b>Tom &amp; J=\nerry</b>"
    assert "Hello there Tom & Jerry" == " ".join(_body(raw).split())


@pytest.mark.parametrize(("schedule", "shape"), [
    ("decay", "falls"), ("rise", "rises"), ("zero", "zero"), ("jump", "jumps"),
    ("constant", "flat"),
])  # fmt: skip
def test_a_schedule_does_what_it_is_called(schedule, shape):
    """The rates of a training follow from its schedule and the model's reference rate."""
    rates = models._rates(models.Training(rate=2, schedule=schedule), 1e-4, 50)
    told = {
        "falls": rates[-1] < rates[25] < rates.max() == pytest.approx(2e-4),
        "rises": bool((np.diff(rates) > 0).all()) and rates.max() < 1e-5,
        "zero": not rates.any(),
        "jumps": rates[-1] > 100 * rates[0] > 0,
        "flat": np.ptp(rates) == 0 and rates[0] == 2e-4,
    }
    assert [shape] == [name for name, is_so in told.items() if is_so]


def test_the_index_is_what_is_known(tmp_path):
    """The index of a folder holds what is known of each recording, by its name."""
    from benchmarks.zoo.make import _write_index

    (tmp_path / "known").mkdir()
    for name in ("b", "a"):
        (tmp_path / "known" / f"{name}.json").write_text(json.dumps({"causes": [name]}))
    _write_index(tmp_path)
    index = json.loads((tmp_path / "index.json").read_text())
    assert {"a": {"causes": ["a"]}, "b": {"causes": ["b"]}} == index
    assert ["index.json", "known"] == sorted(path.name for path in tmp_path.iterdir())
