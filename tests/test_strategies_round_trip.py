"""Strategies and checks agree: what is put in is found, and nothing else is named for certain.

The checks and the causes that they name are read from their registration, so that a new check is
held to this too. ``benchmarks/strategies.py`` does the same on more cases.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from pytest_bertcheck import Evidence, Verdict, diagnose
from pytest_bertcheck.checks import all_checks
from pytest_bertcheck.checks.decoding import known_mistakes
from pytest_bertcheck.statistics import paired_worse
from pytest_bertcheck.strategies import (
    COURSES,
    FAULTS,
    MAPPING_FLAWS,
    MISTAKES,
    classifier_outputs,
    collapsed_outputs,
    decoding_faults,
    evidences,
    inconsistent_label_mappings,
    label_mappings,
    label_swaps,
    training_histories,
)

pytestmark = pytest.mark.simulation
some_examples = settings(deadline=None, max_examples=15)
ENOUGH = 150
"""Examples with which every check that can tell a fault has the data to."""


def assert_healthy(evidence):
    """Return the diagnosis, by which no check fails: for certain, which needs no allowance."""
    diagnosis = diagnose(evidence)
    failed = [finding.summary for finding in diagnosis.findings if finding.verdict == "failed"]
    assert [] == failed
    assert () == diagnosis.causes
    return diagnosis


def assert_no_other_certain(evidence, cause):
    """Return the diagnosis, in which no other cause is a fact."""
    diagnosis = diagnose(evidence)
    certain = {named.code for named in diagnosis.causes if named.certain}
    assert certain <= {cause}
    return diagnosis


def assert_found(evidence, cause):
    """A check that can name the cause does, or says that it cannot tell."""
    diagnosis = assert_no_other_certain(evidence, cause)
    owners = {check.name for check in all_checks() if cause in check.causes}
    answers = [finding for finding in diagnosis.findings if finding.check in owners]
    could = [finding for finding in answers if finding.verdict is not Verdict.SKIPPED]
    assert not could or any(
        finding.verdict is Verdict.INCONCLUSIVE
        or (finding.verdict is Verdict.FAILED and cause in finding.causes)
        for finding in could
    ), [finding.summary for finding in could]


@given(evidence=evidences())
@settings(deadline=None, max_examples=150)
def test_no_check_fails_on_a_healthy_bundle(evidence):
    """A healthy pipeline passes every check, all of which it gives the fields that they need."""
    diagnosis = assert_healthy(evidence)
    assert [] == [f.check for f in diagnosis.findings if f.verdict is Verdict.SKIPPED]


@pytest.mark.parametrize(
    "bounds",
    [
        {},
        {"min_labels": 20},
        {"min_majority": 0.97},
        {"min_accuracy": 0.67, "max_accuracy": 0.75},
        {"max_confidence": 0.52},
        {"min_confidence": 0.9999},
        {"max_size": 4},
    ],
    ids=str,
)
def test_no_check_fails_on_healthy_outputs(bounds):
    """Whatever bounds are asked for, healthy outputs are healthy."""

    @given(evidence=classifier_outputs(**bounds))
    @some_examples
    def holds(evidence):
        assert_healthy(evidence)

    holds()


@given(mapping=label_mappings())
@settings(deadline=None, max_examples=100)
def test_no_check_fails_on_mappings_that_agree(mapping):
    """Mappings that agree pass, whatever the names are."""
    assert_healthy(
        Evidence(
            label_names=mapping.id2label,
            label2id_names=mapping.label2id,
            dataset_label_names=mapping.dataset_label_names,
        )
    )


@pytest.mark.parametrize("flaw", MAPPING_FLAWS)
def test_the_flaw_of_a_mapping_is_found(flaw):
    """Each flaw is found for certain, but for keys that are strings, which are read as ids."""
    cause = "label-mapping-swapped" if flaw == "other order" else "label-names-missing"

    @given(mapping=inconsistent_label_mappings(flaws=[flaw]))
    @settings(deadline=None, max_examples=30)
    def holds(mapping):
        evidence = Evidence(
            label_names=mapping.id2label,
            label2id_names=mapping.label2id,
            dataset_label_names=mapping.dataset_label_names,
        )
        if flaw == "string keys":
            assert_healthy(evidence)
            return
        (named,) = assert_no_other_certain(evidence, cause).causes
        assert (cause, True) == (named.code, named.certain)

    holds()


@given(swap=label_swaps(min_size=ENOUGH, max_labels=4, max_majority=0.5))
@settings(deadline=None, max_examples=100)
def test_swapped_labels_are_found(swap):
    """Answers read through the wrong mapping are found by the answers, and by the names."""
    logits, names = swap.swapped_logits, swap.label_names
    assert_found(Evidence(y_true=swap.y_true, logits=logits), "label-mapping-swapped")
    assert_found(
        Evidence(label_names=swap.swapped_label_names, dataset_label_names=names),
        "label-mapping-swapped",
    )


@pytest.mark.parametrize("kind", ["constant", "near-constant", "prior"])
def test_collapses_are_found(kind):
    """An answer to everything fails the check of collapse, or it says that it cannot tell."""

    @given(evidence=collapsed_outputs([kind], min_size=2 * ENOUGH, max_majority=0.7))
    @some_examples
    def holds(evidence):
        diagnosis = diagnose(evidence)
        assert "failed" == diagnosis.verdict
        assert "failed" == next(f.verdict for f in diagnosis.findings if f.check == "not_collapsed")
        assert not any(cause.certain for cause in diagnosis.causes)

    holds()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_of_decoding_are_found(mistake):
    """A mistake that costs is found, and the first that explains the answers has its cause."""

    @given(fault=decoding_faults([mistake], min_size=ENOUGH))
    @some_examples
    def holds(fault):
        evidence = Evidence(y_true=fault.y_true, logits=fault.logits, y_pred=fault.y_pred)
        (assert_found if costs(fault) else assert_no_other_certain)(evidence, fault.cause)
        fitting = (m for m in known_mistakes(evidence) if same(m.answers(), fault.y_pred))
        assert fault.cause == next(fitting).causes[0]

    holds()


@given(fault=decoding_faults())
@settings(deadline=None, max_examples=150)
def test_no_mistake_is_taken_for_another(fault):
    """On however few rows, no cause but that of the mistake is named for certain."""
    evidence = Evidence(y_true=fault.y_true, logits=fault.logits, y_pred=fault.y_pred)
    assert_no_other_certain(evidence, fault.cause)


def costs(fault):
    """Whether the wrong decoding is significantly worse than the argmax, or answers no rows."""
    if len(fault.y_pred) != len(fault.y_true) or fault.y_pred.max() >= fault.logits.shape[1]:
        return True
    if fault.logits.shape[1] == 1:
        return True
    plain, own = fault.logits.argmax(axis=1) == fault.y_true, fault.y_pred == fault.y_true
    return paired_worse(int((plain & ~own).sum()), int((own & ~plain).sum())) <= 1e-3


def same(answers, y_pred):
    return answers is not None and answers.tolist() == y_pred.tolist()


@pytest.mark.parametrize("course", COURSES)
def test_courses_of_training_are_judged(course):
    """A training that learns passes; of any other, no cause but its own is certain."""

    @given(history=training_histories([course]))
    @some_examples
    def holds(history):
        evidence = Evidence(**history.fields())
        if history.cause is None:
            assert_healthy(evidence)
        else:
            assert_no_other_certain(evidence, history.cause)
        if course in ("flat", "prior", "diverges"):
            assert_found(evidence, history.cause)
            assert "failed" == diagnose(evidence).verdict

    holds()


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_a_bundle_are_found(fault):
    """On enough rows a check that owns the fault finds it, or says that it cannot tell."""

    @given(evidence=evidences(fault, min_size=ENOUGH))
    @some_examples
    def holds(evidence):
        assert_found(evidence, fault)

    holds()


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_of_a_small_bundle_are_not_taken_for_others(fault):
    """On however few rows, no other cause is named for certain."""

    @given(evidence=evidences(fault, max_size=12))
    @some_examples
    def holds(evidence):
        assert_no_other_certain(evidence, fault)

    holds()
