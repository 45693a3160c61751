"""A failing check is never green, and a run that checked nothing is never a pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import PIPELINE

pytestmark = pytest.mark.gate

MODES = {
    "warnings-are-errors": ["-W", "error"],
    "assert-plain": ["--assert=plain"],
    "no-cacheprovider": ["-p", "no:cacheprovider"],
    "no-terminal": ["-p", "no:terminal"],
    "no-summary": ["--no-summary"],
    "quiet": ["-q"],
    "first-failure": ["-x"],
}


@pytest.mark.parametrize("options", MODES.values(), ids=MODES.keys())
def test_collapse_fails_in_every_mode(
    pytester: pytest.Pytester, bundles: Path, options: list[str]
) -> None:
    """A collapsed bundle exits with 1 however pytest is run, without an internal error."""
    result = pytester.runpytest("--bertcheck-evidence=collapsed.npz", *options)
    assert 1 == result.ret
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()


DISTRIBUTED = {
    "no-xdist": ["-p", "no:xdist"],
    "idle-xdist": [],
    "n2": ["-n2"],
    # A test that kills its worker is given to the next one, eight times by default.
    "n2-loadfile": ["-n2", "--dist", "loadfile", "--max-worker-restart=1"],
}
BROKEN = "\ndef pytest_runtest_logreport(report):\n    raise RuntimeError('a plugin of the team')\n"
OUTCOMES = {
    # outcome: bundle, options, conftest, exit code
    "pass": ("healthy", [], "", 0),
    "fail": ("collapsed", [], "", 1),
    "inconclusive": ("tiny", [], "", 0),
    "strict": ("tiny", ["--bertcheck-strict"], "", 1),
    "internal-error": ("healthy", [], BROKEN, 3),
    "nothing-selected": ("healthy", ["-k", "no_such_check"], "", 4),
    "nothing-to-check": ("bare", [], "", 4),
    "no-answers": ("unanswered", [], "", 4),
    "data-set-alone": ("unanswered", ["unanswered.npz::data", "unanswered.npz::labels"], "", 0),
}


@pytest.mark.parametrize("mode", ["no-xdist", "idle-xdist", "n2"])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_exit_codes(pytester: pytest.Pytester, bundles: Path, outcome: str, mode: str) -> None:
    """Each outcome has its exit code, with pytest-xdist and without."""
    bundle, own, conftest, exit_code = OUTCOMES[outcome]
    pytester.makeconftest(conftest)
    result = pytester.runpytest(f"--bertcheck-evidence={bundle}.npz", *own, *DISTRIBUTED[mode])
    assert exit_code == result.ret


@pytest.mark.parametrize("options", [[], ["-n2"]], ids=["plain", "n2"])
def test_a_path_beside_the_flag_does_not_lose_the_checks(
    pytester: pytest.Pytester, bundles: Path, options: list[str]
) -> None:
    """``pytest --bertcheck tests/`` runs the tests and the checks, and fails if a check fails."""
    tests = pytester.mkdir("tests")
    (tests / "test_own.py").write_text("def test_own():\n    pass\n")
    result = pytester.runpytest(
        "--bertcheck", "--bertcheck-evidence=collapsed.npz", "tests", *options
    )
    assert 1 == result.ret
    assert 1 <= result.parseoutcomes()["failed"]


@pytest.mark.parametrize(
    ("mode", "exit_code"), [("no-xdist", 7), ("idle-xdist", 7), ("n2", 1), ("n2-loadfile", 1)]
)
def test_a_killed_process_is_never_green(
    pytester: pytest.Pytester, mode: str, exit_code: int
) -> None:
    """A pipeline that kills its process ends the run with its code, or fails it under xdist."""
    pytester.makeconftest(
        PIPELINE
        + """
import os

@pytest.fixture(scope="session")
def bertcheck_pipeline():
    return pipeline(lambda texts: os._exit(7))
"""
    )
    options = ["-k", "not_collapsed", *DISTRIBUTED[mode]]
    assert exit_code == pytester.runpytest_subprocess("--bertcheck", *options).ret


@pytest.mark.parametrize("options", DISTRIBUTED.values(), ids=DISTRIBUTED.keys())
def test_a_check_that_never_reports_is_never_green(
    pytester: pytest.Pytester, options: list[str]
) -> None:
    """A plugin of the team's that swallows what a check of a fixture reports ends in an error."""
    pytester.makeconftest(
        PIPELINE
        + """
from _pytest.runner import runtestprotocol

@pytest.fixture(scope="session")
def bertcheck_pipeline():
    return pipeline(logits)

def pytest_runtest_protocol(item, nextitem):
    if item.name == "not_collapsed":
        runtestprotocol(item, log=False, nextitem=nextitem)
        return True
"""
    )
    result = pytester.runpytest("--bertcheck", *options)
    assert 3 == result.ret
    result.stdout.fnmatch_lines(["1 of * checks did not report: this run proves nothing"])


@pytest.mark.parametrize("options", [[], ["-n2"]], ids=["plain", "n2"])
def test_numpy_scalars_in_a_finding_do_not_lose_the_failure(
    pytester: pytest.Pytester, bundles: Path, options: list[str]
) -> None:
    """A check of one's own whose statistics are NumPy scalars still fails the run under xdist."""
    pytester.makeconftest(
        """
import numpy as np
from pytest_bertcheck import Finding, Verdict
from pytest_bertcheck.checks import check

@check(stage="outputs", needs=["logits"], causes=["unknown"])
def mean_below_nine(evidence, *, alpha=0.001):
    mean = evidence.logits.mean()
    return Finding(
        Verdict.FAILED,
        f"mean is {mean:.2f}",
        statistics={"mean": mean, "rows": np.int64(3), "counts": np.arange(3)},
        signs={"seen": np.bool_(True)},
        causes=("unknown",),
    )
"""
    )
    result = pytester.runpytest_subprocess("--bertcheck-evidence=healthy.npz", *options)
    assert 1 == result.ret
    assert {"failed": 1} == {
        word: number for word, number in result.parseoutcomes().items() if word == "failed"
    }


@pytest.mark.parametrize("options", [["-n2"]], ids=["n2"])
def test_a_report_that_cannot_be_serialised_is_never_green(
    pytester: pytest.Pytester, bundles: Path, options: list[str]
) -> None:
    """A user's failing test that records a NumPy scalar breaks xdist, and the run is not a pass."""
    pytester.makepyfile(
        """
import numpy as np
import pytest

@pytest.mark.bertcheck
def test_f1(record_property):
    record_property("f1", np.float64(0.2))
    raise AssertionError("f1 too low")
"""
    )
    result = pytester.runpytest("--bertcheck-evidence=healthy.npz", *options)
    assert result.ret in (1, 3)


@pytest.mark.parametrize("options", [[], ["-n2"]], ids=["plain", "n2"])
@pytest.mark.parametrize(
    "selection",
    [["-k", "no_such_check"], ["-m", "not bertcheck"], ["--deselect", "healthy.npz"]],
    ids=["k", "m", "deselect"],
)
def test_a_selection_that_runs_no_check_is_misuse(
    pytester: pytest.Pytester, bundles: Path, selection: list[str], options: list[str]
) -> None:
    """A selection under which no check runs exits with 4, even if other tests pass."""
    pytester.makepyfile("def test_other_no_such_check():\n    pass\n")
    result = pytester.runpytest("--bertcheck-evidence=healthy.npz", *selection, *options)
    assert 4 == result.ret
    result.stdout.fnmatch_lines(["no check ran*"])


@pytest.mark.parametrize("options", [[], ["-n2"]], ids=["plain", "n2"])
@pytest.mark.parametrize(
    ("selection", "exit_code"),
    [([], 4), (["-k", "healthy or labels_valid"], 0), (["-k", "healthy or beats_majority"], 4)],
    ids=["all", "its-data-alone", "its-model"],
)
def test_labels_without_answers_are_no_pass(
    pytester: pytest.Pytester,
    bundles: Path,
    selection: list[str],
    exit_code: int,
    options: list[str],
) -> None:
    """A pipeline of two that gives nothing of a model exits with 4, if its model was asked for."""
    pytester.makeconftest(
        """
import pytest
from pytest_bertcheck import Evidence

@pytest.fixture(scope="session", params=["healthy", "unanswered"])
def bertcheck_pipeline(request):
    return Evidence.load(request.config.rootpath / f"{request.param}.npz")
"""
    )
    result = pytester.runpytest("--bertcheck", *selection, *options)
    assert exit_code == result.ret
    problem = "no check of a model ran for [[]unanswered]: give y_pred or logits*conftest.py::data*"
    if exit_code:
        result.stdout.fnmatch_lines([problem])
    else:
        result.stdout.no_fnmatch_line("no check of a model*")


@pytest.mark.parametrize("options", [[], ["-n2"]], ids=["plain", "n2"])
def test_pipelines_of_two_folders_are_misuse_in_one_run(
    pytester: pytest.Pytester, bundles: Path, options: list[str]
) -> None:
    """A session has one set of evidence: by that of the first folder the second would pass."""
    for folder in ("healthy", "collapsed"):
        pytester.mkdir(folder).joinpath("conftest.py").write_text(
            "import pytest\nfrom pytest_bertcheck import Evidence\n\n"
            "@pytest.fixture(scope='session')\ndef bertcheck_pipeline(request):\n"
            f"    return Evidence.load(request.config.rootpath / '{folder}.npz')\n"
        )
    result = pytester.runpytest("--bertcheck", "healthy", "collapsed", *options)
    assert 4 == result.ret
    result.stderr.fnmatch_lines(["*expected one conftest.py*collapsed/conftest.py, healthy/*"])
    assert 0 == pytester.runpytest("--bertcheck", "healthy").ret
    assert 1 == pytester.runpytest("--bertcheck", "collapsed").ret


@pytest.mark.parametrize("option", ["--collect-only", "--setup-plan", "--setup-only"])
def test_a_run_that_only_looks_is_no_misuse(
    pytester: pytest.Pytester, bundles: Path, option: str
) -> None:
    """Options that never run a test leave the exit code alone."""
    result = pytester.runpytest("--bertcheck-evidence=collapsed.npz", option)
    assert 0 == result.ret


def test_inconclusive_is_visible_and_strict_fails_it(
    pytester: pytest.Pytester, bundles: Path
) -> None:
    """Too little data is reported as inconclusive by name, and is a failure under strict."""
    result = pytester.runpytest("--bertcheck-evidence=tiny.npz")
    assert 0 == result.ret
    assert 1 == result.parseoutcomes()["inconclusive"]
    result.stdout.fnmatch_lines(["*outputs::not_collapsed*about 135 would tell"])
    strict = pytester.runpytest("--bertcheck-evidence=tiny.npz", "--bertcheck-strict")
    assert 1 == strict.ret


@pytest.mark.parametrize("options", [[], ["-n2"]], ids=["plain", "n2"])
def test_a_pipeline_that_raises_is_misuse(pytester: pytest.Pytester, options: list[str]) -> None:
    """An exception in the team's predict exits with 4 and is shown in one line, with its text."""
    pytester.makeconftest(
        PIPELINE
        + """
def broken(texts):
    raise RuntimeError("CUDA out of memory")

@pytest.fixture(scope="session")
def bertcheck_pipeline():
    return pipeline(broken)
"""
    )
    result = pytester.runpytest("--bertcheck", *options)
    assert 4 == result.ret
    told = "the pipeline 'pipeline' cannot be checked: RuntimeError: CUDA out of memory"
    # In full once in each process; a worker that gets none of the checks that need it says nothing.
    assert 1 <= result.outlines.count(told) <= (2 if options else 1)
    result.stdout.fnmatch_lines(["the same as for *"])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_an_interrupted_run_keeps_its_exit_code(pytester: pytest.Pytester, bundles: Path) -> None:
    """Exit codes are never combined: an interrupt stays 2."""
    pytester.makepyfile("def test_stop():\n    raise KeyboardInterrupt\n")
    result = pytester.runpytest_subprocess("--bertcheck-evidence=healthy.npz")
    assert 2 == result.ret
