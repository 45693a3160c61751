"""Error rates: healthy sessions fail no check more often than alpha, and alpha is used up."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.calibration import FAILED, SUITE, Outcomes, simulate, write_cells
from benchmarks.simulation import (
    CELLS,
    FACTORS,
    LABELS,
    MOST_OF_OTHERS,
    Cell,
    answer_rates,
    cell_of,
    evaluation_shares,
    healthy_session,
    label_shares,
    numbered_session,
)
from pytest_bertcheck import Evidence, statistics
from pytest_bertcheck.checks import all_checks

from .simulate import run_check

ALPHA = 0.05
SEEDS = st.integers(0, 2**32 - 1)
pytestmark = pytest.mark.simulation
CHECKS = [*(check.name for check in all_checks()), SUITE]


@pytest.fixture(scope="module", params=[0.05, 0.001])
def outcomes(request):
    """Verdicts on 150 healthy sessions; what holds at one level may not in a test's far tail."""
    return simulate(150, alpha=request.param, seed=1)


# Healthy sessions


@pytest.mark.parametrize("check", CHECKS)
def test_healthy_sessions_fail_no_more_often_than_alpha(outcomes, check):
    """No check, nor the suite, fails significantly more healthy sessions than alpha allows."""
    assert outcomes.asked(check) > 0
    assert not outcomes.too_many(check), (outcomes.failed(check), outcomes.asked(check))


def test_every_field_is_simulated():
    """A session in which everything was recorded has every field, but for notes of live probes."""
    cell = Cell(num_labels=3, rows="60-249", balance="even", accuracy="best", kind="even")
    session = healthy_session(np.random.default_rng(0), cell, recorded="everything")
    notes = {"skipped_probes", "failed_probes"}
    fields = {field.name for field in dataclasses.fields(Evidence)}
    assert fields - notes == set(session.evidence.fields())


@given(seed=SEEDS, cell=st.sampled_from(CELLS))
@settings(deadline=None, max_examples=200)
def test_answers_stay_within_the_null_hypotheses(seed, cell):
    """No label prefers another to itself, save the most frequent one, which is no collapse."""
    generator = np.random.default_rng(seed)
    majority = {"even": 0, "60/40": 0.6, "90/10": 0.9, "99/1": 0.99}[cell.balance]
    train_prior = label_shares(generator, cell.num_labels, majority)
    prior = evaluation_shares(generator, train_prior, cell.kind)
    rates = answer_rates(generator, cell, prior, train_prior)
    np.testing.assert_allclose(rates.sum(axis=1), 1)
    assert rates.min() >= 0
    frequent = int(train_prior.argmax())
    other = np.delete(rates, frequent, axis=1) if cell.kind in ("to frequent", "shift") else rates
    assert (other.max(axis=1) <= np.diag(rates) + 1e-9)[np.arange(len(rates)) != frequent].all()
    assert rates[frequent].argmax() == frequent or cell.kind not in ("to frequent", "shift")
    for label in range(cell.num_labels):
        others = np.delete(prior, label)
        if others.sum():
            answered = others @ np.delete(rates[:, label], label) / others.sum()
            assert answered <= MOST_OF_OTHERS + 1e-9


@pytest.mark.parametrize("number", [0, 7, 2560, 20_001])
def test_a_session_is_had_again_by_its_number(number):
    """The same number gives the same session, bit for bit, and another seed another one."""
    first, again = (numbered_session(number, 3) for _ in range(2))
    assert first.cell == again.cell
    assert first.evidence.fields().keys() == again.evidence.fields().keys()
    for name, value in first.evidence.fields().items():
        np.testing.assert_array_equal(value, again.evidence.fields()[name])
    other = numbered_session(number, 4).evidence.y_true, first.evidence.y_true
    assert not np.array_equal(*other) or None in other


def test_every_cell_gets_as_many_sessions():
    """As many sessions in a row as there are cells lie in all of them."""
    assert sorted(CELLS) == sorted({cell_of(number, 0) for number in range(len(CELLS))})


# The edge of the null hypotheses: a test that never fails there proves nothing


def collapsed_up_to_the_limit(generator):
    """Answers that say nothing of the label, four in five of them the same."""
    y_true, y_pred = generator.integers(0, 2, 200), generator.random(200) < 0.8
    return Evidence(y_true=y_true, y_pred=y_pred.astype(int), label_names=["a", "b"])


def collapsed_up_to_the_limit_without_y_true(generator):
    """Answers of which 95 % are the same, with no true labels to compare."""
    y_pred = (generator.random(400) < 0.95).astype(int)
    return Evidence(y_pred=y_pred, label_names=["a", "b"])


def guessed(generator):
    """Answers that say nothing of the label."""
    return Evidence(
        y_true=generator.integers(0, 2, 300),
        y_pred=generator.integers(0, 2, 300),
        label_names=["a", "b"],
    )


def right_as_often_from_head_as_from_tail(generator):
    """Truncated texts that are as often right from their first tokens as from their last."""
    y_true, head, tail = generator.integers(0, 2, (3, 300))
    logits, tail_logits = np.eye(2)[head], np.eye(2)[tail]
    return Evidence(
        y_true=y_true,
        logits=logits,
        tail_logits=tail_logits,
        token_counts=[90] * 300,
        kept_token_counts=[64] * 300,
    )


def decoded(generator, accuracy):
    """Answers that differ from an argmax that is right half of the time."""
    y_true, plain = generator.integers(0, 2, (2, 300))
    y_pred = np.where(generator.random(300) < accuracy, y_true, 1 - y_true)
    return Evidence(y_true=y_true, logits=np.eye(2)[plain], y_pred=y_pred)


def imbalanced_up_to_the_limit(generator):
    """Training rows of which one in eleven is of the other class."""
    return Evidence(y_train=(generator.random(400) < 1 / 11).astype(int), label_names=["a", "b"])


def as_skilled_as(generator, accuracy):
    """Answers beside a reference that is always right, whose skill at .875 is kept to 3/4."""
    y_true = np.resize([0, 1], 1000)
    y_pred = np.where(generator.random(1000) < accuracy, y_true, 1 - y_true)
    return Evidence(y_true=y_true, y_pred=y_pred, reference_y_pred=y_true, label_names=["a", "b"])


EDGES = [
    ("not_collapsed", collapsed_up_to_the_limit),
    ("not_collapsed", collapsed_up_to_the_limit_without_y_true),
    ("beats_majority", guessed),
    ("labels_not_swapped", guessed),
    ("truncation_harmless", right_as_often_from_head_as_from_tail),
    ("classes_balanced", imbalanced_up_to_the_limit),
]


@pytest.mark.parametrize(
    ("check", "draw"), EDGES, ids=[f"{check}-{draw.__name__}" for check, draw in EDGES]
)
def test_the_edge_of_a_null_hypothesis_fails_now_and_then(check, draw):
    """At its edge a test fails at most 5 % of 600 samples, and more than half a per cent."""
    generator = np.random.default_rng(5)
    failed = sum(
        run_check(check, draw(generator), alpha=ALPHA).verdict == "failed" for _ in range(600)
    )
    assert statistics.clopper_pearson(failed, 600, 0.001)[0] <= ALPHA
    assert failed > 3


@pytest.mark.parametrize(
    ("check", "draw", "edge", "beyond"),
    [
        ("not_far_below_reference", as_skilled_as, 0.875, 0.82),
        ("decoding_consistent", decoded, 0.5, 0.3),
    ],
    ids=["far below", "decoding"],
)
def test_betting_is_safe_at_the_edge_and_not_vacuous_beyond(check, draw, edge, beyond):
    """Tests by betting fail hardly ever at their null hypothesis' edge, and mostly beyond it."""
    generator = np.random.default_rng(5)
    failed = [
        sum(run_check(check, draw(generator, accuracy), alpha=ALPHA).verdict == "failed"
            for _ in range(200))
        for accuracy in (edge, beyond)
    ]  # fmt: skip
    assert failed[0] <= ALPHA * 200
    assert failed[1] > 150


# The counting


def test_the_worst_cell_is_no_worse_than_chance_says():
    """If all cells fail at a rate of exactly alpha, the worst is so bad as often as it says."""
    generator = np.random.default_rng(0)
    where = np.zeros((6000, 3), dtype=int)
    where[:, 0] = np.arange(6000) % len(CELLS)
    passed = simulate(1).verdicts[0, -1]
    by_chance = []
    for _ in range(400):
        verdicts = np.where(generator.random((6000, 1)) < ALPHA, FAILED, passed)
        outcomes = Outcomes(ALPHA, 0, ("check",), where, verdicts, ({},) * 6000)
        by_chance.append(outcomes.worst("check").by_chance)
    for level in (0.02, 0.1, 0.3, 0.7):
        as_bad = sum(chance <= level for chance in by_chance)
        assert statistics.clopper_pearson(as_bad, 400, 0.001)[0] <= level


def test_the_outcome_does_not_depend_on_the_processes():
    """Two processes come to the verdicts of one."""
    alone, shared = (simulate(40, seed=2, processes=number) for number in (1, 2))
    np.testing.assert_array_equal(alone.verdicts, shared.verdicts)
    np.testing.assert_array_equal(alone.where, shared.where)
    assert alone.summaries == shared.summaries


def test_no_cell_is_left_out(outcomes, tmp_path):
    """The table of cells holds each cell of the grid for each check, and adds up."""
    write_cells(outcomes, tmp_path / "cells.csv")
    with (tmp_path / "cells.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(CELLS) * len(CHECKS) == len(rows)
    assert [*FACTORS, "check", "asked", "failed"] == [*rows[0]]
    for check, own in itertools.groupby(rows, key=lambda row: row["check"]):
        numbers = np.array([[int(row["asked"]), int(row["failed"])] for row in own])
        assert (outcomes.asked(check), outcomes.failed(check)) == tuple(numbers.sum(axis=0))
    for _, levels in outcomes.levels():
        for check in outcomes.checks:
            by_level = [outcomes.asked(check, at_level) for at_level in levels.values()]
            assert outcomes.asked(check) == sum(by_level)


def test_the_program_asks_every_check():
    """The benchmark names each check, the number of sessions and the edge of the grid."""
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks.calibration", "--sessions=20", "--processes=1"],
        cwd=Path(__file__).parents[1],
        check=False,
        capture_output=True,
        text=True,
    )
    assert 0 == finished.returncode, finished.stderr
    assert "20 healthy sessions" in finished.stdout
    assert "was not asked" not in finished.stdout
    for check in CHECKS:
        assert f"\n{check} " in finished.stdout
    assert all(f"  {labels}" in finished.stdout for labels in LABELS)
