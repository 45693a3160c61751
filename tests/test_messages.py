"""The grammar of failure messages: one line, a capped table, cause, fix, docs, nothing harmful."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from pytest_bertcheck import Cause, Evidence, Finding, Verdict, diagnose
from pytest_bertcheck.findings import CAUSES
from pytest_bertcheck.messages import (
    FIRST_LINE_LIMIT,
    above,
    cause_lines,
    count,
    first_line,
    probability,
    render_finding,
    safe,
    share,
    table_lines,
)

ANY_TEXT = st.text(st.characters(), max_size=80)
"""Every code point: control characters, bidirectional marks, lone surrogates."""

HOSTILE = {
    "ANSI escape": "\x1b[2J\x1b[31mred",
    "OSC title": "\x1b]0;owned\x07",
    "newlines": "a\nb\r\nverdict: passed\n",
    "line separators": "a\u2028b\u2029c\x85d\x0be",
    "bidi override": "\u202egpj.exe\u2066\u200f",
    "zero width": "sp\u200bort\ufeff",
    "C1 control": "a\x9b31mb",
    "very long": "x" * 10_000,
    "long and escaped": "\x00" * 10_000,
    "workflow command": "::error file=a::owned",
    "markup": "<script>alert(1)</script>",
    "format": "{0} %s {name!r}",
    "blank": " \t ",
}


@given(text=ANY_TEXT, limit=st.integers(4, 60))
@example(text="\x1b" * 50, limit=40)
@example(text="\U000e0001" * 50, limit=40)
@settings(deadline=None, max_examples=200)
def test_safe_is_printable_and_bounded(text, limit):
    """User text is shown printable and no longer than its limit, whatever is in it."""
    shown = safe(text, limit)
    assert shown.isprintable()
    assert len(shown) <= limit


@given(text=st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=40))
@settings(deadline=None, max_examples=80)
def test_safe_leaves_readable_text_alone(text):
    """Short text of letters, digits and signs of any script is shown as it is."""
    assert text == safe(text)


@given(text=ANY_TEXT)
@settings(deadline=None, max_examples=80)
def test_safe_tells_texts_apart_by_what_is_hidden(text):
    """What cannot be printed is shown as an escape, not dropped."""
    assume(len(text) <= 5 and any(not letter.isprintable() for letter in text))
    shown = safe(text, 100)
    assert "\\" in shown
    assert len(shown) > len(text)


@given(text=ANY_TEXT)
@settings(deadline=None, max_examples=100)
def test_the_first_line_is_one_line_of_at_most_100_characters(text):
    """Whatever a summary holds, its first line is one line within the limit."""
    line = first_line(text * 4)
    assert len(line) <= FIRST_LINE_LIMIT == 100
    assert len(line.splitlines()) <= 1


@given(whole=st.integers(1, 10**9), data=st.data())
@settings(deadline=None, max_examples=300)
def test_share_is_never_a_false_zero_or_hundred(whole, data):
    """0 % and 100 % are shown only if they are exact, and what is shown is close."""
    part = data.draw(st.one_of(
        st.integers(0, whole), st.integers(0, min(3, whole)), st.integers(max(0, whole - 3), whole)
    ))  # fmt: skip
    shown = share(part, whole)
    number = float(shown.removesuffix("%"))
    assert shown.endswith("%")
    assert (part == 0) == (number == 0)
    assert (part == whole) == (number == 100)
    assert abs(number - 100 * part / whole) <= 0.5


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [(0, 0, "0%"), (1, 4, "25%"), (199, 200, "99.5%"), (1, 3000, "0.03%"), (3, 3, "100%")],
    ids=str,
)
def test_share_examples(part, whole, expected):
    """Whole percents where they tell, more digits where they would lie."""
    assert expected == share(part, whole)


@pytest.mark.parametrize(
    ("p_value", "expected"),
    [(0.0, "p < 1e-12"), (1e-13, "p < 1e-12"), (3e-5, "p = 3e-05"), (0.04, "p = 0.04"),
     (1.0, "p = 1")],
    ids=str,
)  # fmt: skip
def test_probability(p_value, expected):
    """p-values have one digit, and none pretends to be zero."""
    assert expected == probability(p_value)


@given(limit=st.floats(1e-12, 1), p_value=st.floats(1e-12, 1))
@example(limit=3.8e-05, p_value=4.1e-05)
@example(limit=0.5, p_value=float(np.nextafter(0.5, 1)))
def test_above(limit, p_value):
    """Of a p-value above a limit, the two numbers that are shown are in that order."""
    assume(p_value > limit)
    shown, limit_shown = above(p_value, limit).removeprefix("p = ").split(" > ")
    assert float(shown) > float(limit_shown)


@pytest.mark.parametrize(
    ("number", "expected"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (12345, "12,345 rows")]
)
def test_count(number, expected):
    """Nouns agree with their number."""
    assert expected == count(number, "row")


def test_count_with_an_irregular_plural():
    """A plural of its own is used where one is given."""
    assert "2 batches" == count(2, "batch", "batches")


@given(rows=st.integers(0, 40))
@settings(deadline=None, max_examples=40)
def test_a_table_has_at_most_twelve_rows(rows):
    """Rows beyond the twelfth are counted, not shown; every row is counted once."""
    body = [(f"label{i}", str(i)) for i in range(rows)]
    lines = table_lines([("label", "times"), *body])
    if rows == 0:
        assert [] == lines
    elif rows <= 12:
        assert 1 + rows == len(lines)
    else:
        assert 14 == len(lines)
        assert f"... {rows - 12} more" == lines[-1].strip()


@given(
    cells=st.lists(st.tuples(ANY_TEXT, ANY_TEXT, ANY_TEXT), min_size=1, max_size=14),
)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_a_table_is_aligned_and_harmless(cells):
    """Whatever the cells hold, each row is one printable line within a terminal's width."""
    for line in table_lines([("label", "true", "predicted"), *cells]):
        assert line.isprintable()
        assert len(line) <= 100
    numbers = table_lines([("label", "true"), ("a", "7"), ("long name", "1,234")])
    assert 1 == len({len(line) for line in numbers})


def finding(**parts):
    given_parts = {
        "verdict": Verdict.FAILED,
        "summary": "collapsed: 200/200 predictions are 'sport' (25% of y_true), p < 1e-12",
        "check": "not_collapsed",
        "stage": "outputs",
        "causes": ("class-imbalance", "learning-rate-too-high"),
        "fix": "learning_rate=2e-5\nwith warm-up",
        "table": (("label", "true", "predicted"), ("sport", "50", "200"), ("tech", "150", "0")),
        **parts,
    }
    return Finding(**given_parts)


def test_the_grammar_of_a_message():
    """First line, blank, table, blank, cause, fix over its lines, docs: in this order."""
    first, blank, *table, blank_again, cause, fix, fix_again, docs = str(finding()).splitlines()
    assert finding().summary == first
    assert "" == blank == blank_again
    assert ["  label  true  predicted", "  sport    50        200", "  tech    150          0"] == (
        table
    )
    assert "cause: class-imbalance | learning-rate-too-high" == cause
    assert "fix:   learning_rate=2e-5" == fix
    assert "       with warm-up" == fix_again
    assert re.fullmatch(r"docs:  \S+#not_collapsed", docs)


def test_a_single_cause_comes_with_its_meaning():
    """One cause is explained in a line; candidates are listed."""
    lines = str(finding(causes=("class-imbalance",))).splitlines()
    assert f"cause: class-imbalance: {CAUSES['class-imbalance'][1]}" in lines


def test_a_certain_cause_is_named_alone():
    """A fact needs no alternatives beside it."""
    text = str(finding(certain=True))
    assert "class-imbalance" in text
    assert "learning-rate-too-high" not in text


def test_an_open_finding_says_what_it_needs():
    """An inconclusive finding names the fields that would settle it."""
    text = str(finding(verdict=Verdict.INCONCLUSIVE, causes=(), needs=("y_true", "loss")))
    assert "needs: y_true, loss" in text.splitlines()
    assert "cause:" not in text


def test_a_message_without_parts_is_its_first_line_and_docs():
    """Nothing is said about what there is not."""
    text = str(Finding(Verdict.PASSED, "fine", check="deterministic"))
    assert ["fine", "docs:  "] == [line[:7] for line in text.splitlines()]


def cause(code="class-imbalance", **parts):
    return Cause(**{"code": code, "stage": CAUSES[code][0], "certain": False,
                    "reasons": tuple(f"r{i}" for i in range(1, 20)), "fix": "do",
                    "settled_by": "try", **parts})  # fmt: skip


def test_the_likeliest_cause_comes_with_the_others():
    """Candidates: the best one first, at most three others, why, what separates them, the fix."""
    others = [cause(code) for code in ("diverged", "too-few-steps", "unknown", "regression")]
    lines = cause_lines([cause(), *others])
    assert lines[0].startswith("cause: class-imbalance (likeliest): ")
    assert "  or else: diverged, too-few-steps, unknown" == lines[1]
    *reasons, settle, fix, docs = lines[2:]
    assert [f"  because r{i}" for i in range(1, len(reasons) + 1)] == reasons
    assert 3 <= len(reasons) < 9
    assert "  to settle it: try" == settle
    assert "fix:   do" == fix
    assert docs.endswith("#class-imbalance")


def test_a_certain_cause_needs_no_settling():
    """A fact is stated as one: no doubt, no alternatives, no experiment."""
    lines = cause_lines([cause(certain=True), cause("diverged")])
    assert f"cause: class-imbalance: {CAUSES['class-imbalance'][1]}" == lines[0]
    assert not any("likel" in line or "settle" in line or "or else" in line for line in lines)


def test_no_cause_no_lines():
    """Without a cause, nothing is said about one."""
    assert [] == cause_lines([])


def test_the_diagnosis_replaces_the_findings_own_causes():
    """Where all evidence was looked at, its cause is shown in place of the finding's own."""
    text = render_finding(finding(), [cause("diverged", certain=True)])
    assert "cause: diverged: " in text
    assert "learning-rate-too-high" not in text


def hostile_evidence(name):
    """A failing session in which every name that a user supplies is hostile."""
    generator = np.random.default_rng(0)
    y_true = generator.integers(0, 3, 120)
    logits = 0.1 * generator.normal(size=(120, 3)) + 5 * np.eye(3)[y_true]
    names = [name, name + "2", "third " + name]
    return Evidence(
        y_true=y_true,
        logits=logits,
        y_pred=np.array([1, 2, 0])[logits.argmax(axis=1)],
        label_names=names,
        dataset_label_names=names[::-1],
        label2id_names=[name + "3", name, "x"],
        y_train=[0] * 400 + [1],
        unloaded_weights=[name, name],
        reloaded_logits=-logits[:30],
    )


def assert_harmless(text):
    """Fail if ``text`` could do more to a terminal than print lines."""
    for letter in text:
        assert letter == "\n" or unicodedata.category(letter)[0] != "C", repr(letter)
        assert letter not in "\u2028\u2029\x85"
    first, *_ = text.split("\n")
    assert len(first) <= FIRST_LINE_LIMIT
    assert all(len(line) < 1000 for line in text.split("\n"))


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_names_do_no_harm(name):
    """Names that hold escapes, newlines or bidi marks reach no report as such."""
    diagnosis = diagnose(hostile_evidence(name))
    assert "failed" == diagnosis.verdict
    assert_harmless(str(diagnosis))
    for item in diagnosis.findings:
        assert_harmless(str(item))
        assert_harmless(render_finding(item, diagnosis.causes))
        assert item.summary.isprintable()


@given(name=ANY_TEXT.filter(bool))
@settings(deadline=None, max_examples=25)
def test_any_name_does_no_harm(name):
    """The same for names of any code points."""
    assume(name.strip("\x00"))
    diagnosis = diagnose(hostile_evidence(name))
    for text in (str(diagnosis), *map(str, diagnosis.findings)):
        assert_harmless(text)


def test_the_report_of_a_diagnosis():
    """The report: verdict, counts per label, confusion matrix, findings by verdict, cause, fix."""
    y_true = np.repeat([0, 1], 60)
    evidence = Evidence(
        y_true=y_true,
        logits=np.tile([2.0, -1.0], (120, 1)),
        label_names=["ham", "spam"],
        dataset_label_names=["ham", "spam"],
    )
    lines = str(diagnose(evidence)).splitlines()
    assert lines[0].startswith("verdict: failed")
    assert ["label", "true", "predicted"] == lines[2].split()
    assert ["ham", "60", "120"] == lines[3].split()
    assert ["spam", "60", "0"] == lines[4].split()
    assert "confusion (rows true, columns predicted)" in lines
    assert ["ham", "60", "0"] == lines[8].split()
    assert ["spam", "60", "0"] == lines[9].split()
    assert "failed:" in lines
    assert any(line.startswith("  outputs::not_collapsed  collapsed: ") for line in lines)
    assert any(line.startswith("cause: inputs-constant") for line in lines)
    (start,) = (
        i for i, line in enumerate(lines) if re.match(r"\d+ checks skipped; give y_train", line)
    )
    assert max(map(len, lines[start : lines.index("", start)])) <= 100


def test_a_report_of_many_labels_stays_short():
    """With 150 labels (Banking77, CLINC150) the report caps its table and leaves the matrix out."""
    generator = np.random.default_rng(0)
    y_true = generator.integers(0, 150, 600)
    text = str(diagnose(Evidence(y_true=y_true, logits=9 * np.eye(150)[y_true])))
    assert "  ... 138 more" in text.splitlines()
    assert "confusion (" not in text
    assert len(text.splitlines()) < 40
