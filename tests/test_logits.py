"""One pass over the outputs gives what NumPy gives in many."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_bertcheck.logits import BLOCK, FEW_COLUMNS, answers_of, probabilities_of, summarise

from .simulate import softmax

SEEDS = st.integers(0, 2**32 - 1)


@given(
    seed=SEEDS,
    rows=st.sampled_from([1, 2, 7, 100, BLOCK // 3, BLOCK + 1]),
    width=st.integers(2, 7),
    dtype=st.sampled_from([np.float32, np.float64]),
    scale=st.sampled_from([1e-3, 1.0, 30.0]),
    shift=st.sampled_from([0.0, 100.0]),
)
@settings(deadline=None, max_examples=60)
def test_the_summary_is_what_numpy_computes(*, seed, rows, width, dtype, scale, shift):
    """Answers, spread and confidence, over one block of rows or several, in either precision."""
    generator = np.random.default_rng(seed)
    logits = scale * generator.normal(size=(rows, width)) + generator.normal(size=(1, width))
    logits = (logits + shift * generator.normal(size=(rows, 1))).astype(dtype)
    summary = summarise(logits)
    wide = logits.astype(np.float64)
    centred = wide - wide.mean(axis=1, keepdims=True)
    chance = 1 / width
    confidence = (softmax(wide).max(axis=1).mean() - chance) / (1 - chance)
    np.testing.assert_array_equal(logits.argmax(axis=1), summary.answers)
    assert pytest.approx(centred.std(axis=0).mean(), rel=1e-3, abs=1e-5) == summary.spread
    assert pytest.approx(confidence, rel=1e-4, abs=1e-4) == summary.confidence
    assert 0 == summary.broken_rows
    assert (rows == 1) == summary.equal


@given(seed=SEEDS, width=st.sampled_from([2, 5, FEW_COLUMNS, FEW_COLUMNS + 1, 300]))
@settings(deadline=None, max_examples=40)
def test_of_equal_outputs_the_first_is_the_answer(seed, width):
    """Ties go to the lower id, as NumPy's argmax has it, for few columns and for many."""
    logits = np.random.default_rng(seed).integers(0, 3, (50, width)).astype(np.float32)
    np.testing.assert_array_equal(logits.argmax(axis=1), answers_of(logits))


@given(seed=SEEDS, value=st.sampled_from([np.nan, np.inf, -np.inf]), rows=st.integers(1, 9))
@settings(deadline=None, max_examples=40)
def test_rows_that_are_not_finite_are_counted(seed, value, rows):
    """However many blocks they lie in; the answers are NumPy's, NaN included."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(BLOCK, 3)).astype(np.float32)
    hit = generator.choice(BLOCK, rows, replace=False)
    logits[hit, generator.integers(0, 3, rows)] = value
    summary = summarise(logits)
    assert rows == summary.broken_rows
    np.testing.assert_array_equal(logits.argmax(axis=1), summary.answers)
    assert probabilities_of(logits) is None


@pytest.mark.parametrize("value", [1e38, 3e38])
def test_outputs_at_the_end_of_float32_are_finite(value):
    """Sums beyond float32 are no infinite outputs."""
    logits = np.full((4, 6), -value, dtype=np.float32)
    logits[np.arange(4), np.arange(4)] = value
    summary = summarise(logits)
    assert 0 == summary.broken_rows
    assert [0, 1, 2, 3] == summary.answers.tolist()
    assert pytest.approx(1) == summary.confidence


def test_one_row_that_differs_in_the_last_block_is_seen():
    """Rows are equal only if all are, and probabilities only if all are."""
    logits = np.full((2 * BLOCK, 2), 0.5, dtype=np.float32)
    assert summarise(logits).equal
    assert summarise(logits).probabilities
    logits[-1] = [2.0, -1.0]
    assert not summarise(logits).equal
    assert not summarise(logits).probabilities
