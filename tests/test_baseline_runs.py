"""Runs of pytest against a committed baseline: exit codes, what is printed, known failures."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import numpy as np
import pytest

from pytest_bertcheck import Evidence
from pytest_bertcheck.baselines import read_baseline

from .conftest import PIPELINE

NAMES = ["ham", "phish", "spam"]
ROWS = 300


def save(path: Path, *, lost: int = 0, keys: str = "text", names: list[str] = NAMES) -> None:
    """Record a model that answers every fifteenth row, and its first ``lost`` rows, wrongly."""
    y_true = np.arange(ROWS) % 3
    wrong = (np.arange(ROWS) % 15 == 14) | (np.arange(ROWS) < lost)
    Evidence(
        y_true=y_true,
        y_pred=np.where(wrong, (y_true + 1) % 3, y_true),
        dataset_label_names=names,
        example_keys=[f"{keys} {row}" for row in range(ROWS)],
    ).save(path)


@pytest.fixture
def runs(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with bundles of an old model and of others, outside CI, and no baseline yet."""
    for variable in ("CI", "BUILD_NUMBER"):
        monkeypatch.delenv(variable, raising=False)
    save(pytester.path / "old.npz")
    save(pytester.path / "good.npz", lost=1)
    save(pytester.path / "worse.npz", lost=40)
    save(pytester.path / "other.npz", keys="article")
    save(pytester.path / "order.npz", names=NAMES[::-1])
    (pytester.path / "bertcheck.toml").write_text('baseline = "mail"\n')
    return pytester


def check(runs: pytest.Pytester, bundle: str, *options: str) -> pytest.RunResult:
    """Check a bundle."""
    return runs.runpytest(f"--bertcheck-evidence={bundle}.npz", *options)


def accepted(runs: pytest.Pytester) -> Path:
    """Accept the old model, and return the file of its baseline."""
    assert 0 == check(runs, "old", "--bertcheck-update").ret
    return runs.path / "bertcheck_baselines" / "mail.json"


# Exit codes


def test_a_baseline_is_created_kept_missed_and_accepted_anew(runs: pytest.Pytester) -> None:
    """Missing fails, creating passes, the same passes, worse fails, accepting it passes."""
    codes = [
        check(runs, bundle, *more).ret
        for bundle, more in (
            ("old", []),
            ("old", ["--bertcheck-update"]),
            ("good", []),
            ("worse", []),
            ("worse", ["--bertcheck-update"]),
            ("worse", []),
        )
    ]
    assert [1, 0, 0, 1, 0, 0] == codes
    stored = read_baseline(runs.path / "bertcheck_baselines" / "mail.json")
    assert 2 == stored.summary["gates"]


def test_workers_compare_with_one_baseline_and_write_it_once(runs: pytest.Pytester) -> None:
    """Under xdist the exit codes are the same, and the controller alone prints what changed."""
    accepted(runs)
    updated = check(runs, "good", "--bertcheck-update", "-n2")
    assert 0 == updated.ret
    assert 1 == updated.outlines.count("gates: 1 -> 2")
    assert 1 == check(runs, "worse", "-n2").ret
    other = check(runs, "other", "-n2")
    assert 4 == other.ret
    assert "of its 300 examples 0 are among the 300 of now" in other.stdout.str()
    expecting(runs, 'no_regression = "issue 12"')
    known = check(runs, "worse", "-n2")
    assert 0 == known.ret
    assert 1 == known.parseoutcomes()["xfailed"]


@pytest.mark.parametrize(
    ("bundle", "message"),
    [
        ("other", "of its 300 examples 0 are among the 300 of now"),
        ("order", "label order differs from the baseline's: 0 was 'ham', is 'spam'"),
    ],
)
def test_other_data_and_labels_are_misuse(runs: pytest.Pytester, bundle: str, message: str) -> None:
    """What cannot be compared exits with 4 and says what changed; other checks still report."""
    accepted(runs)
    result = check(runs, bundle)
    assert 4 == result.ret
    assert message in result.stdout.str()
    assert 1 <= result.parseoutcomes()["passed"]


def test_another_schema_is_misuse(runs: pytest.Pytester) -> None:
    """A baseline that another version wrote exits with 4 and names both schemas."""
    file = accepted(runs)
    file.write_text(json.dumps({**json.loads(file.read_text()), "schema": 2}))
    result = check(runs, "old")
    assert 4 == result.ret
    result.stdout.fnmatch_lines(
        ["*expected schema 1, got 2; write it anew with --bertcheck-update"]
    )


@pytest.mark.parametrize("variable", ["CI", "BUILD_NUMBER"])
def test_ci_never_writes_a_baseline(
    runs: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Where nobody reviews, an update exits with 4, names the variable and writes nothing."""
    monkeypatch.setenv(variable, "1")
    result = check(runs, "old", "--bertcheck-update")
    assert 4 == result.ret
    assert f"the environment variable {variable} is set" in result.stderr.str()
    assert not (runs.path / "bertcheck_baselines").exists()


def test_an_update_needs_a_name(runs: pytest.Pytester) -> None:
    """Without a name an update exits with 4 and says where to give one."""
    (runs.path / "bertcheck.toml").unlink()
    result = check(runs, "old", "--bertcheck-update")
    assert 4 == result.ret
    assert "--bertcheck-baseline=NAME" in result.stderr.str()
    assert 0 == check(runs, "old", "--bertcheck-update", "--bertcheck-baseline=mail").ret
    assert 1 == check(runs, "worse", "--bertcheck-baseline=mail").ret


def test_an_update_that_writes_nothing_is_misuse(runs: pytest.Pytester) -> None:
    """Where the selection leaves the writer out, the run exits with 4 and says so."""
    result = check(runs, "old", "--bertcheck-update", "-k", "not_collapsed")
    assert 4 == result.ret
    result.stdout.fnmatch_lines(["no baseline written: gate::no_regression has to run*"])


def test_a_model_that_a_check_fails_is_no_baseline(runs: pytest.Pytester, bundles: Path) -> None:
    """A collapsed model is not accepted, and what stood there before stays."""
    file = accepted(runs)
    before = file.read_text()
    result = check(runs, "collapsed", "--bertcheck-update")
    assert 1 == result.ret
    result.stdout.fnmatch_lines(
        [
            "no baseline written: outputs::not_collapsed fails",
            "  because collapsed: *",
            "fix:   mend that first; *",
        ]
    )
    assert before == file.read_text()


def test_a_run_that_only_looks_writes_nothing(runs: pytest.Pytester) -> None:
    """Collecting under ``--bertcheck-update`` exits with 0 and leaves no folder behind."""
    assert 0 == check(runs, "old", "--bertcheck-update", "--collect-only").ret
    assert not (runs.path / "bertcheck_baselines").exists()


def test_without_a_name_nothing_asks_for_a_baseline(runs: pytest.Pytester) -> None:
    """Teams that do not use the gate are not failed for want of a baseline."""
    (runs.path / "bertcheck.toml").unlink()
    assert 0 == check(runs, "old").ret


# What is printed


def test_a_missing_baseline_gives_the_command(runs: pytest.Pytester) -> None:
    """The failure ends in the command that would write the baseline."""
    result = check(runs, "old", "-q")
    result.stdout.fnmatch_lines(
        [
            "no baseline: expected the file bertcheck_baselines/mail.json, found none",
            "fix:   pytest*--bertcheck-evidence=old.npz -q *--bertcheck-update",
        ]
    )


def test_an_update_prints_old_and_new(runs: pytest.Pytester) -> None:
    """Each value that changes is printed once."""
    accepted(runs)
    result = check(runs, "good", "--bertcheck-update")
    result.stdout.fnmatch_lines(
        [
            "bertcheck_baselines/mail.json:",
            "gates: 1 -> 2",
            "metrics.accuracy.value: 0.933333 -> 0.93",
            "classes.0 ham.right: 100 -> 99",
        ]
    )
    assert 1 == result.outlines.count("gates: 1 -> 2")


def test_the_gate_names_the_worst_flips(runs: pytest.Pytester) -> None:
    """A regression is the cause, and examples that were lost stand in the table."""
    accepted(runs)
    result = check(runs, "worse")
    result.stdout.fnmatch_lines(
        [
            "worse than the baseline: 80.7% right, was 93.3%; lost 38, won 0, p *",
            "*example*true*baseline*now*",
            "*text 0 *ham*ham*phish*",
            "cause: regression*",
        ]
    )


def test_a_set_that_is_spent_is_inconclusive(runs: pytest.Pytester) -> None:
    """After many accepted models the gate says that the set is spent and what restores it."""
    for bundle in ("old", "good") * 4 + ("old",):
        check(runs, bundle, "--bertcheck-update")
    result = check(runs, "old")
    assert 0 == result.ret
    result.stdout.fnmatch_lines(["*evaluation set spent: after 9 gates 300 rows*fresh rows*"])
    assert 1 == check(runs, "old", "--bertcheck-strict").ret


# Live pipelines


def test_each_parametrized_pipeline_has_a_baseline_of_its_own(runs: pytest.Pytester) -> None:
    """Of two pipelines both are written, keyed by their texts, whose copies count one by one."""
    runs.makeconftest(
        PIPELINE
        + """
@pytest.fixture(scope="session", params=["a/b", "c d"])
def bertcheck_pipeline(request):
    return pipeline()
"""
    )
    result = runs.runpytest("--bertcheck", "--bertcheck-update", "-n2")
    assert 0 == result.ret
    folder = runs.path / "bertcheck_baselines"
    assert ["mail-a-b.json", "mail-c-d.json"] == sorted(f.name for f in folder.glob("*.json"))
    assert 80 == len({key.tobytes() for key in read_baseline(folder / "mail-a-b.json").keys})
    assert 0 == runs.runpytest("--bertcheck").ret


# Known failures


def expecting(runs: pytest.Pytester, value: str) -> None:
    (runs.path / "bertcheck.toml").write_text(
        f'baseline = "mail"\n[expected_failed_checks]\n{value}\n'
    )


TODAY = datetime.date.today()


def test_a_known_failure_does_not_fail_the_run(runs: pytest.Pytester) -> None:
    """A failure that is expected is an xfail, up to and on its last day."""
    accepted(runs)
    expecting(
        runs,
        f'no_regression = {{ reason = "issue 12", until = {TODAY} }}\n'
        'no_class_regression = "issue 12"',
    )
    result = check(runs, "worse")
    assert 0 == result.ret
    assert 2 == result.parseoutcomes()["xfailed"]
    result.stdout.fnmatch_lines(["verdict: passed", "failed, as expected:"])


def test_a_known_failure_fails_after_its_last_day(runs: pytest.Pytester) -> None:
    """The day after, the failure counts, and says that it was put off until then."""
    accepted(runs)
    yesterday = TODAY - datetime.timedelta(days=1)
    expecting(
        runs,
        f'no_regression = {{ reason = "issue 12", until = {yesterday} }}\n'
        'no_class_regression = "issue 12"',
    )
    result = check(runs, "worse")
    assert 1 == result.ret
    result.stdout.fnmatch_lines(
        [f"note:  expected to fail until {yesterday} (issue 12), which is past"]
    )


@pytest.mark.parametrize(("bundle", "cause"), [("good", ""), ("worse", ", regression*")])
def test_a_known_failure_that_passes_is_a_failure(
    runs: pytest.Pytester, bundle: str, cause: str
) -> None:
    """What no longer fails has to leave the list; the diagnosis agrees, whatever else fails."""
    accepted(runs)
    expecting(runs, 'labels_valid = "issue 12"')
    result = check(runs, bundle)
    assert 1 == result.ret
    result.stdout.fnmatch_lines(
        [
            "labels_valid passes, and is expected to fail (issue 12)",
            "fix:   remove it from expected_failed_checks in *bertcheck.toml",
            f"verdict: failed{cause}",
            "  data::labels_valid  labels_valid passes, and is expected to fail (issue 12)",
        ]
    )


BAD_SETTINGS = {
    "unknown check": ('no_regresion = "x"', "unknown check 'no_regresion'"),
    "no reason": ('no_regression = ""', "no_regression: expected a reason"),
    "number": ("no_regression = 3", "expected a reason, or { reason = "),
    "other key": ('no_regression = { reason = "x", til = 1 }', "expected a reason, or {"),
    "no date": ('no_regression = { reason = "x", until = "2030-01-31" }', "expected a date"),
    "date and time": (
        'no_regression = { reason = "x", until = 2030-01-31T10:00:00 }', "expected a date"),
}  # fmt: skip


@pytest.mark.parametrize(("value", "message"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_a_bad_list_of_known_failures_is_misuse(
    runs: pytest.Pytester, value: str, message: str
) -> None:
    """A list that expects nothing, or says not why, exits with 4."""
    expecting(runs, value)
    result = check(runs, "old")
    assert 4 == result.ret
    assert message in result.stderr.str()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("margin = 1.5", "margin: expected a share from 0 to 1"),
        ('baseline = "../x"', "baseline: expected a name of letters"),
        ("margin = 0.5", "accepted with 0, the settings say 0.5"),
    ],
)
def test_a_bad_margin_or_name_is_misuse(runs: pytest.Pytester, setting: str, message: str) -> None:
    """A margin that was never accepted, or a name that leaves the folder, exits with 4."""
    accepted(runs)
    name = "" if setting.startswith("baseline") else 'baseline = "mail"\n'
    (runs.path / "bertcheck.toml").write_text(f"{name}{setting}\n")
    result = check(runs, "old")
    assert 4 == result.ret
    assert message in result.stdout.str() + result.stderr.str()
