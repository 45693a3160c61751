"""Comparing with other tools: what is handed to them, counted, translated, and written down."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import re
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.peers.__main__ import MEASURED, PAGE, main, measured
from benchmarks.peers.comparison import (
    PEERS,
    SHOWN,
    TOOLS,
    Run,
    ask,
    causes_table,
    code,
    quotations,
    quoted,
    read_answers,
    score,
    scores_table,
)
from benchmarks.peers.environments import HERE, Unusable, interpreter
from benchmarks.peers.session import Answer, Recording, Statement, answer
from benchmarks.peers.words import CAUSES_OF, causes_of
from pytest_bertcheck.findings import CAUSES

from .simulate import trained
from .test_zoo_score import HARMFUL, HARMLESS, record

ANSWERS = """\
{"recording": "fine", "seconds": 0.25, "statements": [], "error": ""}
{"recording": "alarm", "seconds": 0.75, "statements": [{"kind": "High class imbalance", \
"text": "[SKD004] High class imbalance. Class ['ham'] represents more than 80% of the dataset \
samples.", "count": 1}], "error": ""}
{"recording": "untrained", "seconds": 0.5, "statements": [{"kind": "Potential overfitting", \
"text": "[SKD001] Potential overfitting.", "count": 1}, {"kind": "High class imbalance", \
"text": "[SKD004] High class imbalance.", "count": 1}, {"kind": "Potential underfitting", \
"text": "[SKD002] Potential underfitting.", "count": 1}], "error": ""}
{"recording": "skewed", "seconds": 0.5, "statements": [{"kind": "Potential overfitting", \
"text": "[SKD001] Potential overfitting. Significant train/test gaps were found for 12/21 default \
predictive metrics.", "count": 1}], "error": ""}
{"recording": "short", "seconds": 9.0, "statements": [], "error": "IndexError: index 50 is out of \
bounds for axis 0 with size 5"}
"""
KNOWN = {
    "fine": {"causes": [], **HARMLESS},
    "alarm": {"causes": [], **HARMLESS},
    "weak": {"causes": [], **HARMLESS, "weak": True},
    "harmless": {"causes": ["labels-noisy"], **HARMLESS},
    "untrained": {"causes": ["too-few-steps"], **HARMFUL},
    "skewed": {"causes": ["class-imbalance"], **HARMFUL},
    "short": {"causes": ["argmax-wrong-axis"], **HARMFUL, "identifiable": False},
}


@pytest.fixture
def skore():
    """Return what skore said of five recordings."""
    return Run("skore", "0.28.0", "3.11.7", 1.75, read_answers(ANSWERS.splitlines()))


def test_every_kind_of_answer_is_counted(skore):
    """Flags, errors, false alarms and causes are counted; weak and harmless recordings are not."""
    total = score(skore, KNOWN)
    assert (3, 2, 1) == (total.harmful, total.flagged, total.raised)
    assert (2, 1, 0) == (total.healthy, total.false_alarms, total.healthy_raised)
    assert (2, 1, 0, 1) == (total.identifiable, total.named, total.first, total.among)
    assert 0.5 == total.seconds, "what raised at once or late says nothing about the time"
    assert (1 + 1 + 1 + 0.5) / 4 == total.ranking


def test_ranking_needs_both_kinds(skore):
    """Without a healthy recording nothing can be told about telling them apart."""
    harmful = {name: truth for name, truth in KNOWN.items() if truth["harmful"]}
    assert score(skore, harmful).ranking is None
    assert "-" in scores_table([skore], harmful).splitlines()[-1]


def test_the_tables_show_the_counts(skore):
    """A row for each tool, and one for each cause with what the tool says most often of it."""
    *_, row = scores_table([skore], KNOWN).splitlines()
    assert [
        "skore", "0.28.0, 3.11.7", "2/3", "1, healthy 0", "1/2", "0.88", "1/2", "0/2", "1/2",
        "0.500", "1.8",
    ] == [cell.strip() for cell in row.strip("|").split("|")]  # fmt: skip
    head, _, *rows = causes_table([skore], KNOWN).splitlines()
    assert ["cause", "recordings", "skore"] == [cell.strip() for cell in head.strip("|").split("|")]
    assert {
        "(healthy)": "High class imbalance 1",
        "argmax-wrong-axis": "IndexError 1",
        "class-imbalance": "Potential overfitting 1",
        "too-few-steps": "High class imbalance 1",
    } == {row.split("|")[1].strip(): row.split("|")[3].strip() for row in rows}


def test_a_tool_that_cannot_be_used_is_listed_with_its_error(skore):
    """Its row says why, and the other tables leave it out."""
    broken = Run("deepchecks", failure="exit code 1: AttributeError: a | b")
    row = scores_table([broken, skore], KNOWN).splitlines()[2]
    assert r"cannot be used: exit code 1: AttributeError: a \| b" in row
    assert "deepchecks" not in causes_table([broken, skore], KNOWN)


def test_tools_are_quoted_on_the_commonest_faults(skore):
    """Word for word what was said of the first recording of a fault, and which recording it is."""
    said = quotations([skore], KNOWN)
    assert f"### {SHOWN['class-imbalance']}\n\n`skewed`\n" in said
    assert "- **skore**: `[SKD001] Potential overfitting. Significant train/test gaps" in said


def test_quotations_are_cut_and_errors_and_silence_said():
    """Three statements and how many more, an error as what was raised, nothing as nothing."""
    four = tuple(Statement("kind", f"text {i}") for i in range(4))
    assert "`text 0`; `text 1`; `text 2`; 1 more" == quoted(Answer("a", 1.0, four))
    assert "`text 0`; `text 1`; `text 2`" == quoted(Answer("a", 1.0, four[:3]))
    assert "raises `KeyError: 5`" == quoted(Answer("a", 1.0, error="KeyError: 5"))
    assert "`text 0`; raises `KeyError: 5`" == quoted(Answer("a", 1.0, four[:1], "KeyError: 5"))
    assert "flags nothing" == quoted(Answer("a", 1.0))


@given(st.text())
def test_text_of_any_origin_stays_code(text):
    """Nothing that a tool says can end the code that it is quoted in."""
    shown = code(text)
    assert 2 == shown.count("`")
    assert 1 == len(shown.splitlines())
    assert ("`", "`") == (shown[0], shown[-1])


@pytest.mark.parametrize("tool", PEERS)
def test_words_mean_causes_that_there_are(tool):
    """What a peer says is translated into the vocabulary, and only what is listed names a cause."""
    meanings = CAUSES_OF[tool]
    assert {cause for causes in meanings.values() for cause in causes} <= {*CAUSES} - {"unknown"}
    assert all(meanings.values())
    assert () == causes_of(tool, "anything else")


def test_our_own_words_are_causes():
    """What pytest-bertcheck names is taken as it is; not to know is not to name a cause."""
    assert ("class-imbalance",) == causes_of("bertcheck", "class-imbalance")
    assert () == causes_of("bertcheck", "unknown")


@pytest.mark.parametrize("tool", PEERS)
def test_requirements_pin_versions(tool):
    """Each peer's file names its Python and pins all that it lists, the peer among them."""
    first, *lines = (HERE / f"{tool}.txt").read_text(encoding="utf-8").splitlines()
    assert re.fullmatch(r"# python3\.\d+", first)
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z-]+(\[[a-z]+\])?==[\d.]+", pin) for pin in pins)
    assert any(re.match(rf"{tool}(\[|==)", pin) for pin in pins)
    assert not any(pin.startswith("torch") for pin in pins)


def test_environments_are_kept_until_their_requirements_change(tmp_path, monkeypatch):
    """An environment is found again; changed requirements make it anew, or say what is missing."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    requirements = tmp_path / "peer.txt"
    requirements.write_text(f"# {sys.executable}\n")
    python = interpreter(requirements, tmp_path / "environments")
    left = python.parent / "left"
    left.touch()
    assert python == interpreter(requirements, tmp_path / "environments")
    assert left.exists()

    requirements.write_text(f"# {sys.executable}\nno-such-peer==1.0\n")
    run = ask("skore", lambda: interpreter(requirements, tmp_path / "environments"), tmp_path, [])
    assert not left.exists()
    assert "no-such-peer==1.0" in run.failure
    with pytest.raises(Unusable):
        interpreter(requirements, tmp_path / "environments")


def test_a_python_that_is_not_there_is_named(tmp_path):
    """The file that asks for it is named, too."""
    requirements = tmp_path / "peer.txt"
    requirements.write_text("# python2.99\n")
    with pytest.raises(Unusable, match=r"peer\.txt: expected python2\.99 on the PATH"):
        interpreter(requirements, tmp_path)


@pytest.mark.skipif(importlib.util.find_spec("cleanlab") is not None, reason="it is installed")
def test_a_peer_that_cannot_be_imported_says_why(tmp_path):
    """The last line of its traceback is what is reported, and there are no answers."""
    run = ask("cleanlab", lambda: sys.executable, tmp_path, ["fine"])
    assert "exit code 1: ModuleNotFoundError: No module named 'cleanlab'" == run.failure
    assert ("", {}) == (run.version, run.answers)


@pytest.fixture(scope="module")
def simulated():
    """Return a trained program with three labels."""
    return trained(3, 0, n=300)


def recording(tmp_path, evidence, **changes):
    """Return a recording as peers get it."""
    evidence.save(tmp_path / "bundle.npz")
    with np.load(tmp_path / "bundle.npz") as bundle:
        fields = dict(bundle)
    k, n = 20, len(fields["y_true"])
    fields |= {"train_logits": fields["logits"][:k], "train_y_true": fields["y_true"][:k]}
    fields |= {"y_train": fields["y_true"]}
    fields |= {"label_names": np.array(["sport", "arts", "news"])}
    fields |= {"dataset_label_names": np.array(["arts", "sport", "news"])}
    fields |= {name: np.ones(n) for name in ("token_counts", "kept_token_counts")}
    fields |= {"unknown_token_share": np.zeros(n), **changes}
    np.savez(tmp_path / "bundle.npz", **fields)
    return fields, Recording(tmp_path / "bundle.npz")


def test_peers_get_names_and_probabilities(tmp_path, simulated):
    """Labels bear the data set's names, answers the model's; columns are in order of names."""
    fields, shown = recording(tmp_path, simulated.evidence(y_pred=simulated.outputs.argmax(axis=1)))
    assert ["arts", "news", "sport"] == shown.classes.tolist()
    assert np.allclose(1, shown.probabilities.sum(axis=1))
    names = fields["label_names"]
    most_likely = shown.classes[shown.probabilities.argmax(axis=1)]
    assert names[fields["logits"].argmax(axis=1)].tolist() == most_likely.tolist()
    assert most_likely[:20].tolist() == shown.train_y_pred.tolist()
    assert fields["dataset_label_names"][fields["y_true"]].tolist() == shown.y_true.tolist()


def test_peers_get_what_a_broken_pipeline_gives(tmp_path, simulated):
    """Ids without a name are called by their number; a single logit is that of the second label."""
    evidence = simulated.evidence()
    logits = np.linspace(-2, 2, len(evidence.y_true))[:, None]
    _, shown = recording(
        tmp_path, evidence, logits=logits, y_pred=np.array([0, 3, -1]), y_true=evidence.y_true + 1
    )
    assert ["sport", "3", "-1"] == shown.y_pred.tolist()
    assert {"sport", "news", "3"} == {*shown.y_true.tolist()}
    assert ["arts", "sport"] == shown.classes.tolist()
    assert np.allclose(1 / (1 + np.exp(-logits[:, 0])), shown.probabilities[:, 0])


def test_the_program_of_a_tool_is_asked_about_every_recording(tmp_path, simulated, capsys):
    """A healthy and a broken recording, judged in a process of their own, come out as they are."""
    argmin = simulated.evidence(y_pred=simulated.outputs.argmin(axis=1))
    folder = record(
        tmp_path,
        {
            "healthy": (simulated.evidence(), {"causes": [], **HARMLESS}),
            "broken": (argmin, {"causes": ["argmin-decoded"], **HARMFUL}),
            "misread@part": (argmin, {"causes": ["labels-noisy"], **HARMFUL}),
        },
    )
    tools = ["bertcheck", "bertcheck_same_inputs"]
    assert 0 == main([str(folder), "--tools", *tools])
    printed = capsys.readouterr().out
    for tool in tools:
        row = next(line for line in printed.splitlines() if line.startswith(f"| {tool} "))
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert ["2/2", "0, healthy 0", "0/1", "1.00", "2/2", "1/2", "1/2"] == cells[2:9]
    assert re.search(r"\| argmin-decoded +\| 1 +\| argmin-decoded 1 +\| argmin-decoded 1 ", printed)
    assert re.search(r"\| \(healthy\) +\| 1 +\| nothing 1 +\| nothing 1 ", printed)


def test_a_recording_that_cannot_be_read_ends_the_program(tmp_path, simulated):
    """That is no fault of the tool: it is said, with what was answered until then."""
    folder = record(tmp_path, {"fine": (simulated.evidence(), {"causes": [], **HARMLESS})})
    run = ask("bertcheck", lambda: sys.executable, folder, ["fine", "gone", "fine"])
    assert run.failure.startswith("exit code 1: ValueError")
    assert "gone.npz" in run.failure
    assert {"fine": Answer("fine", run.answers["fine"].seconds)} == run.answers


def test_what_a_tool_raises_is_its_answer():
    """It is kept in one line, after what the tool had stated before."""

    def work():
        yield Statement("drift", "drifted")
        raise ValueError("pos_label\n  is undefined")

    given = answer("some", work)
    assert ((Statement("drift", "drifted"),), "ValueError: pos_label is undefined") == (
        given.statements,
        given.error,
    )
    assert given == Answer.from_dict(json.loads(json.dumps(dataclasses.asdict(given))))


@pytest.mark.parametrize("index", [None, {}], ids=["no folder", "empty"])
def test_nothing_to_compare_is_an_error(tmp_path, index, capsys):
    """A folder without recordings is named, with what was expected, and the exit code is 2."""
    if index is not None:
        (tmp_path / "index.json").write_text(json.dumps(index))
    with pytest.raises(SystemExit) as stopped:
        main([str(tmp_path)])
    assert 2 == stopped.value.code
    assert str(tmp_path) in capsys.readouterr().err


def test_an_unknown_tool_is_an_error(tmp_path, capsys):
    """It is named together with those that there are."""
    with pytest.raises(SystemExit) as stopped:
        main([str(tmp_path), "--tools", "giskard"])
    assert 2 == stopped.value.code
    printed = capsys.readouterr().err
    assert all(name in printed for name in ("giskard", *TOOLS))


def test_figures_go_where_the_page_keeps_a_place_for_them():
    """What stands around them stays, and writing twice is writing once."""
    page = PAGE.read_text(encoding="utf-8")
    assert 1 == len(MEASURED.findall(page))
    written = measured(page, r"a \1 table")
    assert "<!-- measured -->\n\na \\1 table\n\n<!-- end -->" in written
    assert written == measured(written, r"a \1 table")
    assert page.partition("<!-- measured -->")[0] == written.partition("<!-- measured -->")[0]


def test_the_page_holds_a_measurement_of_every_tool():
    """The date, and a row of figures for each tool in each of the two tables."""
    (figures,) = re.findall(r"<!-- measured -->(.*)<!-- end -->", PAGE.read_text(), re.DOTALL)
    assert re.search(r"Measured on 20\d\d-\d\d-\d\d, \d+ recordings", figures)
    for tool in TOOLS:
        assert 2 == len(re.findall(rf"^\| {tool} +\| [\d.]+, 3", figures, re.MULTILINE))
