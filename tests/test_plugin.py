"""The checks as pytest items: where they come from, how they are selected, what they show."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from pytest_bertcheck.checks import suite_checks

from .conftest import PIPELINE

FIXTURE = (
    PIPELINE
    + """
@pytest.fixture(scope="session")
def bertcheck_pipeline():
    return pipeline()
"""
)
TWO_MODELS = (
    PIPELINE
    + """
@pytest.fixture(scope="session", params=["old", "new"])
def bertcheck_pipeline(request):
    return pipeline(constant if request.param == "new" else logits)
"""
)


def check_ids(file: str) -> list[str]:
    return [f"{file}::{check.stage}::{check.name}" for check in suite_checks()]


def collected(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if "::" in line and " " not in line]


def test_marked_tests_run_only_under_the_flag(pytester: pytest.Pytester, bundles: Path) -> None:
    """A test marked bertcheck is skipped with that reason, and runs under ``--bertcheck``."""
    pytester.makepyfile(
        "import pytest\n\n@pytest.mark.bertcheck\ndef test_model():\n    pass\n"
        "\ndef test_other():\n    pass\n"
    )
    result = pytester.runpytest("-rs", "--strict-markers")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*marked bertcheck: needs --bertcheck"])
    active = pytester.runpytest("--bertcheck-evidence=healthy.npz", "-k", "test_model")
    active.assert_outcomes(passed=1, deselected=len(suite_checks()) + 1)


def test_evidence_file_is_where_the_checks_are(pytester: pytest.Pytester, bundles: Path) -> None:
    """Every check is an item ``<file>::<stage>::<check>``, in the order of the stages."""
    result = pytester.runpytest(
        "--bertcheck-evidence=healthy.npz", "--collect-only", "-q", "-p", "no:cacheprovider"
    )
    assert check_ids("healthy.npz") == collected(result)


def test_evidence_file_outside_the_root_has_node_ids(
    pytester: pytest.Pytester, bundles: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A bundle that lies elsewhere is named by its path in the node ids."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "run.npz"
    elsewhere.write_bytes((bundles / "healthy.npz").read_bytes())
    result = pytester.runpytest(f"--bertcheck-evidence={elsewhere}", "--collect-only", "-q")
    assert check_ids(elsewhere.as_posix()) == collected(result)


def test_fixture_in_conftest_is_checked(pytester: pytest.Pytester) -> None:
    """A fixture bertcheck_pipeline is all that ``pytest --bertcheck`` needs."""
    pytester.makeconftest(FIXTURE)
    result = pytester.runpytest("--bertcheck")
    assert 0 == result.ret
    result.stdout.fnmatch_lines(["verdict: passed"])


def test_fixture_in_a_subfolder_is_found(pytester: pytest.Pytester) -> None:
    """A conftest.py below the root serves the checks from its own folder."""
    tests = pytester.mkdir("tests")
    (tests / "conftest.py").write_text(FIXTURE)
    result = pytester.runpytest("--bertcheck", "tests", "--collect-only", "-q")
    assert check_ids("tests/conftest.py") == collected(result)


def test_config_file_beside_the_fixture_is_where_the_checks_are(pytester: pytest.Pytester) -> None:
    """With a bertcheck.toml beside conftest.py, node ids begin with bertcheck.toml."""
    pytester.makeconftest(FIXTURE)
    pytester.path.joinpath("bertcheck.toml").write_text("alpha = 0.01\n")
    result = pytester.runpytest("--bertcheck", "--collect-only", "-q")
    assert check_ids("bertcheck.toml") == collected(result)


@pytest.mark.parametrize("file", ["bertcheck.toml", "pyproject.toml"])
def test_factory_in_the_settings_is_checked(pytester: pytest.Pytester, file: str) -> None:
    """``pipeline = "package.module:factory"`` is imported from the project and checked."""
    pytester.makepyfile(newsroom=PIPELINE)
    pytester.path.joinpath(file).write_text('[tool.bertcheck]\npipeline = "newsroom:pipeline"\n')
    result = pytester.runpytest("--bertcheck", "-v")
    assert 0 == result.ret
    result.stdout.fnmatch_lines([f"{file}::outputs::not_collapsed PASSED*"])


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        (["healthy.npz::outputs::not_collapsed"], ["not_collapsed"]),
        (
            ["healthy.npz::serving"],
            ["deterministic", "reload_equal", "padding_invariant", "batch_invariant"],
        ),
        (["-k", "swapped or collapsed"], ["labels_not_swapped", "not_collapsed"]),
        (["-m", "bertcheck", "-k", "labels_valid"], ["labels_valid"]),
    ],
    ids=["node-id", "stage", "k", "m"],
)
def test_checks_are_selected_as_any_test(
    pytester: pytest.Pytester, bundles: Path, selection: list[str], names: list[str]
) -> None:
    """Node ids, ``-k`` and ``-m`` select checks."""
    result = pytester.runpytest(
        "--bertcheck", "--bertcheck-evidence=healthy.npz", "--collect-only", "-q", *selection
    )
    assert names == [line.split("::")[2] for line in collected(result)]


def test_deselect_leaves_a_check_out(pytester: pytest.Pytester, bundles: Path) -> None:
    """``--deselect`` with a node id leaves that check out and keeps the others."""
    result = pytester.runpytest(
        "--bertcheck-evidence=collapsed.npz", "--deselect", "collapsed.npz::outputs::not_collapsed"
    )
    assert 1 == result.parseoutcomes()["deselected"]


def test_last_failed_runs_the_failed_checks_again(pytester: pytest.Pytester, bundles: Path) -> None:
    """``--lf`` after a failure runs the failed checks only, and they fail again."""
    first = pytester.runpytest("--bertcheck-evidence=collapsed.npz").parseoutcomes()
    again = pytester.runpytest("--bertcheck-evidence=collapsed.npz", "--lf")
    assert first["failed"] == again.parseoutcomes()["failed"]
    assert "passed" not in again.parseoutcomes()


def test_parametrized_pipeline_is_checked_for_each_parameter(pytester: pytest.Pytester) -> None:
    """Two models in one run give two sets of items and a report for each."""
    pytester.makeconftest(TWO_MODELS)
    result = pytester.runpytest("--bertcheck", "-v")
    result.stdout.fnmatch_lines(
        [
            "conftest.py::outputs::not_collapsed?old? PASSED*",
            "conftest.py::outputs::not_collapsed?new? FAILED*",
            "*= bertcheck new =*",
            "verdict: failed, *",
            "*= bertcheck old =*",
            "verdict: passed",
        ],
        consecutive=False,
    )
    assert 1 == result.ret


def test_evaluation_set_passes_through_the_model_once(pytester: pytest.Pytester) -> None:
    """All checks and a user's own tests share one pass over the evaluation texts."""
    pytester.makeconftest(
        PIPELINE
        + """
CALLS = []

def counted(texts):
    CALLS.append(len(texts))
    return logits(texts)

@pytest.fixture(scope="session")
def bertcheck_pipeline():
    yield pipeline(counted)
    assert [80, 32, *[1] * 32] == CALLS, CALLS  # the set, the first rows again, and each alone
"""
    )
    pytester.makepyfile(
        "import pytest\n\n@pytest.mark.bertcheck\n"
        "def test_own(bertcheck_evidence):\n    assert 80 == len(bertcheck_evidence.logits)\n"
    )
    result = pytester.runpytest("--bertcheck")
    assert 0 == result.ret


def test_failure_has_a_first_line_and_no_traceback(
    pytester: pytest.Pytester, bundles: Path
) -> None:
    """The failure shows verdict, table, cause, fix and docs, and no line of Python."""
    result = pytester.runpytest(
        "--bertcheck-evidence=collapsed.npz", "-k", "not_collapsed", "-p", "no:cacheprovider"
    )
    result.stdout.fnmatch_lines(
        [
            "*_ outputs.not_collapsed _*",
            "collapsed: 300/300 predictions are 'ham' (*% of y_true), p < 1e-12",
            "",
            "  label  true  predicted",
            "  ham *300",
            "cause: *",
            "fix:   *",
            "docs:  docs/checks.md#*",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    assert "suite.py" not in result.stdout.str()


@pytest.mark.parametrize("options", [[], ["-n2"]], ids=["plain", "n2"])
def test_a_failure_reaches_junit_the_short_summary_and_a_section(
    pytester: pytest.Pytester, bundles: Path, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """JUnit and short summary begin with verdict and numbers; the section is printed once.

    It has label counts, the confusion matrix and the cause.
    """
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("CI", "true")
    result = pytester.runpytest(
        "--bertcheck-evidence=collapsed.npz", "--junitxml=junit.xml", *options
    )
    start = "collapsed: 300/300 predictions are 'ham'"
    result.stdout.fnmatch_lines(
        [
            "*= bertcheck =*",
            "verdict: failed, *",
            "  label  true  predicted",
            "confusion (rows true, columns predicted)",
            "failed:",
            "  outputs::not_collapsed  collapsed: *",
            "cause: *",
            f"FAILED collapsed.npz::outputs::not_collapsed - {start}*",
        ]
    )
    assert 1 == result.stdout.str().count("verdict: ")
    cases = ElementTree.parse(pytester.path / "junit.xml").iter("testcase")
    case = next(case for case in cases if case.get("name") == "not_collapsed")
    failure = case.find("failure")
    assert failure is not None
    assert start == (failure.get("message") or "")[: len(start)]
    properties = {item.get("name"): item.get("value") for item in case.iter("property")}
    assert "failed" == properties["bertcheck_verdict"]


def test_nothing_is_shown_without_the_flag(pytester: pytest.Pytester) -> None:
    """Without ``--bertcheck`` there is no header line and no section."""
    pytester.makepyfile("def test_other():\n    pass\n")
    result = pytester.runpytest()
    result.stdout.no_fnmatch_line("bertcheck:*")
    result.stdout.no_fnmatch_line("*= bertcheck*")


def test_skipped_check_names_the_field_that_it_misses(
    pytester: pytest.Pytester, bundles: Path
) -> None:
    """The skip reason of a check names the missing fields, at the user's file."""
    result = pytester.runpytest("--bertcheck-evidence=healthy.npz", "-rs")
    result.stdout.fnmatch_lines(["SKIPPED ??? healthy.npz:1: skipped: needs y_train"])


def test_hostile_label_names_never_reach_the_terminal_raw(pytester: pytest.Pytester) -> None:
    """Escape sequences, line breaks and direction marks in label names are shown as escapes."""
    pytester.makeconftest(
        PIPELINE
        + r"""
@pytest.fixture(scope="session")
def bertcheck_pipeline():
    names = ["\x1b[31mham\x1b[0m\r\n", "\u202espam" + "x" * 5000]
    return Pipeline(constant, TEXTS, Y_TRUE, label_names=names, dataset_label_names=names)
"""
    )
    result = pytester.runpytest("--bertcheck", "--color=no")
    assert 1 == result.ret
    shown = result.stdout.str()
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "x" * 100 not in shown
    result.stdout.fnmatch_lines(["*predictions are '?x1b?31mham*"])


def test_bertcheck_fixture_records_the_findings(pytester: pytest.Pytester) -> None:
    """The fixture ``bertcheck`` returns the findings and puts the verdicts into JUnit."""
    pytester.makeconftest(FIXTURE)
    pytester.makepyfile(
        """
import pytest

@pytest.mark.bertcheck
def test_own(bertcheck, bertcheck_pipeline):
    findings = bertcheck(bertcheck_pipeline, checks=["labels_valid", "not_collapsed"])
    assert ["labels_valid", "not_collapsed"] == [finding.check for finding in findings]
"""
    )
    result = pytester.runpytest("--bertcheck", "--junitxml=junit.xml", "-k", "test_own")
    assert 0 == result.ret
    properties = ElementTree.parse(pytester.path / "junit.xml").iter("property")
    recorded = {item.get("name"): item.get("value") for item in properties}
    assert {"bertcheck_labels_valid": "passed", "bertcheck_not_collapsed": "passed"} == recorded


def test_parametrize_with_checks_makes_ordinary_tests(pytester: pytest.Pytester) -> None:
    """Each check is a test of its own function; an expected failure is an xfail with its reason."""
    pytester.makepyfile(
        PIPELINE
        + """
from pytest_bertcheck import parametrize_with_checks

@parametrize_with_checks(
    [pipeline(constant)],
    checks=["labels_valid", "not_collapsed", "logits_valid"],
    expected_failed_checks={"not_collapsed": "known since May"},
)
def test_pipeline(pipeline, check):
    check(pipeline)
"""
    )
    result = pytester.runpytest("-rx")
    result.assert_outcomes(passed=1, failed=1, xfailed=1)
    result.stdout.fnmatch_lines(
        ["XFAIL *::test_pipeline?pipeline-outputs-not_collapsed? - known since May"]
    )


def test_check_in_conftest_appears_everywhere(pytester: pytest.Pytester, bundles: Path) -> None:
    """One decorated function is a new item, without any other edit."""
    pytester.makeconftest(
        """
from pytest_bertcheck import Finding, Verdict
from pytest_bertcheck.checks import check

@check(stage="tokens", needs=["logits"], causes=["unknown"])
def house_rule(evidence, *, alpha=0.001):
    return Finding(Verdict.PASSED, "fine")
"""
    )
    result = pytester.runpytest_subprocess(
        "--bertcheck", "--bertcheck-evidence=healthy.npz", "-v", "-k", "house_rule"
    )
    assert 0 == result.ret
    result.stdout.fnmatch_lines(["healthy.npz::tokens::house_rule PASSED*"])


@pytest.mark.parametrize("folder", ["runs", "build"])
def test_bundle_below_the_root_leaves_the_tests_in(
    pytester: pytest.Pytester, bundles: Path, folder: str
) -> None:
    """A bundle in any folder, even one that pytest passes over, is checked beside the tests."""
    pytester.mkdir(folder)
    (bundles / "healthy.npz").rename(bundles / folder / "healthy.npz")
    (bundles / folder / "test_inner.py").write_text("def test_inner():\n    pass\n")
    pytester.makepyfile("def test_own():\n    raise AssertionError\n")
    result = pytester.runpytest(f"--bertcheck-evidence={folder}/healthy.npz")
    outcomes = result.parseoutcomes()
    assert 1 == outcomes["failed"]
    assert 1 == result.ret
    inner = 1 if folder == "runs" else 0
    assert 7 + inner == outcomes["passed"]
