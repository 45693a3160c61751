"""Findings, causes and diagnoses: plain values that reach a report whole."""

from __future__ import annotations

import dataclasses
import json
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_bertcheck import Cause, Diagnosis, Finding, Verdict
from pytest_bertcheck.checks import all_checks
from pytest_bertcheck.findings import CAUSES, STAGES, LabelCount

NUMBERS = st.one_of(
    st.integers(-(2**40), 2**40),
    st.floats(allow_nan=False),
    st.booleans(),
    st.none(),
    st.text(max_size=5),
    st.integers(0, 100).map(np.int64),
    st.integers(0, 100).map(np.uint8),
    st.floats(0, 1, width=32).map(np.float32),
    st.booleans().map(np.bool_),
    st.text(max_size=5).map(np.str_),
    st.lists(st.integers(0, 9), max_size=3).map(lambda values: np.array(values, dtype=np.int64)),
    st.sampled_from(list(Verdict)),
)
NESTED = st.recursive(
    NUMBERS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=4), inner, max_size=3),
    ),
    max_leaves=6,
)


@st.composite
def findings(draw):
    """A finding with whatever a check may put in, NumPy scalars and arrays included."""
    causes = tuple(draw(st.lists(st.sampled_from(sorted(CAUSES)), max_size=3)))
    certain = st.booleans() if causes else st.just(False)
    return Finding(
        draw(st.sampled_from(list(Verdict))),
        draw(st.text(max_size=20)),
        check=draw(st.sampled_from([check.name for check in all_checks()])),
        stage=draw(st.sampled_from(STAGES)),
        statistics=draw(st.dictionaries(st.text(max_size=6), NESTED, max_size=4)),
        p_value=draw(st.one_of(st.none(), st.floats(0, 1), st.floats(0, 1).map(np.float64))),
        causes=causes,
        certain=draw(st.one_of(certain, certain.map(np.bool_))),
        fix=draw(st.text(max_size=9)),
        needs=tuple(draw(st.lists(st.text(max_size=5), max_size=2))),
        signs=draw(st.dictionaries(st.text(max_size=5), st.booleans().map(np.bool_), max_size=3)),
        table=tuple(draw(st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4))))),
        expected_failure=draw(st.one_of(st.none(), st.text(max_size=5))),
    )


@st.composite
def diagnoses(draw):
    """A diagnosis of such findings."""
    counts = st.one_of(st.none(), st.integers(0, 9).map(np.int64))
    names = draw(st.lists(st.text(max_size=4), max_size=3))
    confusion = tuple(tuple(range(len(names))) for _ in names)
    return Diagnosis(
        draw(st.sampled_from(list(Verdict))),
        causes=tuple(
            Cause(code, CAUSES[code][0], draw(st.booleans()), ("because",), "fix", "settle")
            for code in draw(st.lists(st.sampled_from(sorted(CAUSES)), max_size=3))
        ),
        findings=tuple(draw(st.lists(findings(), max_size=3))),
        labels=tuple(LabelCount(name, draw(counts), draw(counts)) for name in names),
        confusion=draw(st.sampled_from([None, confusion])) if names else None,
    )


def assert_builtins(value):
    """Fail if anything in ``value`` is not of a builtin type, exactly."""
    assert type(value) in (dict, list, str, int, float, bool, type(None)), type(value)
    for item in value.items() if isinstance(value, dict) else ():
        assert type(item[0]) is str
        assert_builtins(item[1])
    for item in value if isinstance(value, list) else ():
        assert_builtins(item)


@given(finding=findings())
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_a_finding_survives_the_way_through_json(finding):
    """to_dict is made of builtins only, and from_dict gives back what JSON carried."""
    values = finding.to_dict()
    assert_builtins(values)
    again = Finding.from_dict(json.loads(json.dumps(values)))
    assert json.dumps(values) == json.dumps(again.to_dict())
    assert finding.verdict is again.verdict
    assert (finding.causes, finding.needs, finding.table) == (
        again.causes,
        again.needs,
        again.table,
    )


@given(diagnosis=diagnoses())
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_a_diagnosis_survives_the_way_through_json(diagnosis):
    """A worker's diagnosis reaches the controller equal, and reads the same."""
    values = diagnosis.to_dict()
    assert_builtins(values)
    again = Diagnosis.from_dict(json.loads(json.dumps(values)))
    assert json.dumps(values) == json.dumps(again.to_dict())
    assert diagnosis.causes == again.causes
    assert str(diagnosis) == str(again)


@given(diagnosis=diagnoses())
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
def test_values_can_be_pickled(diagnosis):
    """Findings and diagnoses may cross process boundaries of any kind."""
    assert str(diagnosis) == str(pickle.loads(pickle.dumps(diagnosis)))  # our own


@pytest.mark.parametrize("verdict", Verdict)
def test_a_verdict_is_its_word(verdict):
    """A verdict compares equal to its word and prints as it."""
    assert verdict.value == verdict
    assert verdict.value == str(verdict) == f"{verdict}"
    assert verdict is Verdict(verdict.value)


def test_values_are_frozen():
    """What a check said cannot be changed afterwards."""
    finding = Finding(Verdict.PASSED, "fine")
    with pytest.raises(dataclasses.FrozenInstanceError):
        finding.verdict = Verdict.FAILED
    with pytest.raises(dataclasses.FrozenInstanceError):
        Cause("diverged", "training", True, (), "").certain = False


def test_nothing_is_certain_without_a_cause():
    """A finding that calls its cause a fact, and names none, is an error of its check."""
    with pytest.raises(ValueError, match=r"certain finding needs the cause .* got causes=\(\)"):
        Finding(Verdict.FAILED, "wrong", certain=True)


@pytest.mark.parametrize("code", CAUSES)
def test_every_cause_has_a_stage_and_a_meaning(code):
    """Every code of the vocabulary sits in a stage and says in one line what it stands for."""
    stage, meaning = CAUSES[code]
    assert stage in (*STAGES, "any")
    assert meaning == Cause(code, stage, False, (), "").meaning
    assert 10 < len(meaning) < 80
    assert meaning.isprintable()
    assert not meaning.endswith(".")


DESIGNED = {
    "data": "class-imbalance labels-shuffled labels-noisy training-data-sorted",
    "labels": "label-mapping-swapped label-out-of-range label-names-missing",
    "tokens": "truncation-loses-signal vocabulary-mismatch attention-mask-ignored inputs-constant",
    "training": "learning-rate-too-high learning-rate-too-low too-few-steps weights-not-updated "
    "learning-rate-schedule-broken loss-misconfigured diverged",
    "serving": "weights-not-loaded dropout-at-inference",
    "decoding": "argmax-wrong-axis wrong-tensor-decoded threshold-on-logits labels-misaligned "
    "argmin-decoded",
    "outputs": "metric-misreported",
    "gate": "regression",
    "any": "unknown",
}


def test_codes_are_stable():
    """Baselines and users' tests store these codes: none may vanish, be renamed or move."""
    expected = {code: stage for stage, codes in DESIGNED.items() for code in codes.split()}
    assert expected == {code: stage for code, (stage, _) in CAUSES.items()}


HOSTILE = ["a|b", "<script>alert(1)</script>", "`x` *y* _z_", "[x](http://e.org)", "# h\n- i",
           "www.e.org", "\x1b[31m", "```\n", "@all", "\u202ereversed"]  # fmt: skip


@given(diagnosis=diagnoses())
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_markdown_says_what_the_report_says(diagnosis):
    """Verdict, first cause, and each finding that did not pass are in the Markdown, too."""
    text = diagnosis.to_markdown()
    assert text.startswith(f"**verdict: {diagnosis.verdict.value}**")
    assert text.endswith("\n")
    assert all(line.isprintable() for line in text.split("\n"))
    for cause in diagnosis.causes[:1]:
        assert f"`{cause.code}`" in text
    for finding in diagnosis.findings:
        listed = f"- `{finding.stage}::{finding.check}` " in text
        assert listed or finding.verdict in (Verdict.PASSED, Verdict.SKIPPED)


@pytest.mark.parametrize("name", HOSTILE)
def test_user_text_is_no_markup(name):
    """A label's name is text in Markdown, whatever it holds: no tag, link, code or table cell."""
    finding = Finding(
        Verdict.FAILED, f"the label {name} is odd", check="c", stage="outputs", causes=("unknown",),
        fix=f"rename {name}",
    )  # fmt: skip
    cause = Cause("unknown", "any", False, (f"because of {name}",), f"rename {name}")
    text = Diagnosis(
        Verdict.FAILED, (cause,), (finding,), (LabelCount(name, 3, 0), LabelCount("b", 0, 3)),
        ((0, 3), (0, 0)),
    ).to_markdown()  # fmt: skip
    before, _, after = text.partition("python\n")
    outside = before + after.partition("\n```")[2]
    for sign in ("<", ">", "[", "](", "*y*", "://", "www.", "@", "# h"):
        assert sign not in outside
    rows = [line for line in outside.split("\n") if line.startswith("| ")]
    assert {4} == {line.count("|") for line in rows[:4]}
    assert 1 == len([line for line in text.split("\n") if line.startswith("```") and "p" in line])
