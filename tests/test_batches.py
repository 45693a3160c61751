"""Batches of texts: what comes back, in which thread it is made, and what is not waited for."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_bertcheck.adapters.batches import Forward, in_batches, relative_change


def lengths(texts: list[str]) -> list[list[int]]:
    return [[len(text)] for text in texts]


@given(
    texts=st.lists(st.text(max_size=20), min_size=1, max_size=40),
    size=st.integers(1, 9),
    at_once=st.integers(1, 3),
)
@settings(deadline=None)
def test_outputs_come_back_in_the_order_of_the_texts(texts, size, at_once):
    """Whatever the size of the batches, and however many at a time, a text has its own outputs."""
    outputs = in_batches(Forward(lengths, size, at_once=at_once), texts)
    assert [[len(text)] for text in texts] == outputs.tolist()


@given(texts=st.lists(st.text("x", max_size=40), min_size=1, max_size=60))
@settings(deadline=None)
def test_a_batch_has_few_tokens_or_few_texts(texts):
    """A batch is cut at 16 texts, or where it has as many tokens as are wanted.

    How many texts that makes is known from the batch before: of texts that are hardly shorter.
    """
    batches = []

    def inputs_of(batch):
        width = max(1, *map(len, batch))
        return {"input_ids": np.zeros((len(batch), width))}

    def outputs_of(inputs):
        batches.append(inputs["input_ids"].shape)
        return inputs["input_ids"][:, :1]

    outputs = in_batches(Forward(outputs_of, size=16, tokens=64), texts, inputs_of)
    assert len(texts) == len(outputs) == sum(rows for rows, _ in batches)
    allowed = [16] + [min(16, max(1, 64 // width)) for _, width in batches]
    sizes = [rows for rows, _ in batches]
    assert allowed[: len(sizes) - 1] == sizes[:-1]
    assert sizes[-1] <= allowed[len(sizes) - 1]


def test_two_batches_are_computed_at_the_same_time_and_no_more():
    """Two batches meet in a barrier of two; inputs are made in the thread of the caller."""
    together = threading.Barrier(2, timeout=60)
    running, most, encoders = [], [], set()

    def outputs_of(texts):
        running.append(texts)
        most.append(len(running))
        together.wait()
        running.remove(texts)
        return lengths(texts)

    def inputs_of(texts):
        encoders.add(threading.current_thread())
        return texts

    texts = ["x" * length for length in range(16)]
    assert [[n] for n in range(16)] == in_batches(
        Forward(outputs_of, size=2, at_once=2), texts, inputs_of
    ).tolist()
    assert 2 == max(most)
    assert {threading.current_thread()} == encoders


def test_an_error_is_that_of_the_batch_and_waits_for_no_other():
    """While one batch hangs, the error of another reaches the caller."""
    hangs = threading.Event()

    def outputs_of(texts):
        if texts == ["b"]:
            hangs.wait(timeout=60)
        raise ArithmeticError(texts[0])

    try:
        with pytest.raises(ArithmeticError, match="a"):
            in_batches(Forward(outputs_of, size=1, at_once=2), ["a", "b", "c"])
        assert not hangs.is_set()
    finally:
        hangs.set()


def test_outputs_of_other_numbers_of_texts_are_refused():
    """Outputs for fewer texts than were handed over are an error that says so."""
    with pytest.raises(ValueError, match="expected outputs for 3 texts"):
        in_batches(lambda texts: lengths(texts[1:]), ["a", "b", "c"])


def test_relative_changes_of_groups_of_weights():
    """Each group's change is a share of its norm; a group without weights has none."""
    before = {"encoder": [np.array([3.0]), np.array([4.0])], "head": [np.ones(4)], "none": []}
    after = {"encoder": [np.array([3.0]), np.array([9.0])], "head": [np.ones(4)], "none": []}
    assert {"encoder_update": 1.0, "head_update": 0.0} == relative_change(before, after)
