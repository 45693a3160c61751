"""The reports of a run as files: schemas, hostile text, and a gate that a lost report turns red."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from pytest_bertcheck import Evidence, diagnose
from pytest_bertcheck.findings import CAUSES, Cause, Diagnosis, Verdict
from pytest_bertcheck.messages import markdown_text
from pytest_bertcheck.reports.html import render_html
from pytest_bertcheck.reports.json_report import json_schema
from pytest_bertcheck.reports.markdown import append_markdown, render_markdown
from pytest_bertcheck.reports.results import MOST_POINTS, Result, Results, plot_data
from pytest_bertcheck.reports.sarif import render_sarif

HOSTILE = ("<script>alert(1)</script>|`*", "\x1b[31mred\u202e\0\ud800", "x" * 1_000_000)
FILES = ("out/run.json", "out/run.sarif", "out/run.html")
REPORTS = tuple(f"--bertcheck-{path.rpartition('.')[2]}={path}" for path in FILES)


def results_of(evidence: Evidence) -> Results:
    return Results((Result("", "run.npz", diagnose(evidence), plot_data(evidence)),))


@pytest.mark.parametrize(
    "options",
    [[], ["-n2"], ["-p", "no:terminal"], ["-p", "no:xdist"]],
    ids=["plain", "-n2", "no-terminal", "no-xdist"],
)
def test_every_report_is_written_once(
    pytester: pytest.Pytester,
    bundles: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
) -> None:
    """One run writes all reports, each valid and about one pipeline, and stays red."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "summary.md"))
    result = pytester.runpytest("--bertcheck-evidence=collapsed.npz", *REPORTS, *options)
    assert 1 == result.ret
    text = (bundles / FILES[0]).read_text(encoding="ascii")
    report = json.loads(text)
    jsonschema.Draft202012Validator(json_schema()).validate(report)
    assert text == json.dumps(report, indent=1, sort_keys=True) + "\n"
    assert ["failed"] == [item["diagnosis"]["verdict"] for item in report["pipelines"]]
    (run,) = json.loads((bundles / FILES[1]).read_text())["runs"]
    assert list(CAUSES) == [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    failed = [
        f for f in report["pipelines"][0]["diagnosis"]["findings"] if f["verdict"] == "failed"
    ]
    assert len(failed) == sum(item["kind"] == "fail" for item in run["results"])
    assert "Confidence" in (bundles / FILES[2]).read_text(encoding="utf-8")
    assert 1 == (bundles / "summary.md").read_text(encoding="utf-8").count("**verdict: failed")
    assert set(FILES) == {f"out/{path.name}" for path in (bundles / "out").iterdir()}


def test_sarif_has_what_code_scanning_requires_of_a_rule() -> None:
    """GitHub shows no rule without descriptions and a help text (rule GH2012 of its validator)."""
    (run,) = json.loads(render_sarif(results_of(Evidence(y_true=[0, 1], y_pred=[0, 0]))))["runs"]
    for rule in run["tool"]["driver"]["rules"]:
        code, (stage, meaning) = rule["id"], CAUSES[rule["id"]]
        assert meaning == rule["shortDescription"]["text"]
        assert f"{meaning} ({stage})" == rule["fullDescription"]["text"]
        assert rule["help"]["text"].endswith(f"docs/checks.md#{code}")


@pytest.mark.parametrize("option", ["json", "sarif", "html"])
def test_report_that_cannot_be_written_is_never_green(
    pytester: pytest.Pytester, bundles: Path, option: str
) -> None:
    """A healthy run whose report cannot be written exits with 4 and says which and why."""
    (bundles / "folder").mkdir()
    result = pytester.runpytest("--bertcheck-evidence=healthy.npz", f"--bertcheck-{option}=folder")
    assert 4 == result.ret
    result.stdout.fnmatch_lines([f"--bertcheck-{option}: not written: IsADirectoryError*"])
    assert [] == list((bundles / "folder").iterdir())


def test_annotation_of_github_is_the_first_line(
    pytester: pytest.Pytester, bundles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What pytest-github-actions-annotate-failures shows of a failure has our first line."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = pytester.runpytest("--bertcheck-evidence=collapsed.npz")
    lines = result.outlines + result.errlines
    annotations = [line for line in lines if line.startswith("::error")]
    assert any("collapsed: 300/300 predictions are 'ham'" in line for line in annotations)


def test_hostile_names_are_inert() -> None:
    """Markup, escapes, NUL, surrogates and megabytes in names reach no page as they are."""
    y_true = np.arange(300) % 3
    logits = 9.0 * np.eye(3)[np.array([1, 0, 2])[y_true]]
    results = results_of(Evidence(y_true=y_true, logits=logits, label_names=HOSTILE))
    page, summary = render_html(results), render_markdown(results)
    before, _, rest = summary.partition("```python\n")  # the fix, where markup is plain text
    prose = before + rest.partition("\n```\n")[2]
    assert "<script>alert" not in page + prose
    for text in (page, summary):
        assert set() == set("\x1b\u202e\0\ud800") & set(text)
        assert len(text.encode()) < 100_000


def test_a_known_failure_is_told_apart_in_every_report(
    pytester: pytest.Pytester, bundles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that passes but for known failures counts none of them as a failure anywhere."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "summary.md"))
    known = [
        finding.check
        for finding in diagnose(Evidence.load(bundles / "collapsed.npz")).findings
        if finding.verdict == "failed"
    ]
    listed = "\n".join(f'{check} = "issue 12"' for check in known)
    (pytester.path / "bertcheck.toml").write_text(f"[expected_failed_checks]\n{listed}\n")
    result = pytester.runpytest("--bertcheck-evidence=collapsed.npz", *REPORTS)
    assert 0 == result.ret
    assert len(known) == result.parseoutcomes()["xfailed"]
    page = (pytester.path / FILES[2]).read_text(encoding="utf-8")
    assert len(known) == page.count(">failed, as expected<")
    assert 0 == page.count(">failed<")
    summary = (pytester.path / "summary.md").read_text(encoding="utf-8")
    assert "\nfailed, as expected:\n" in summary
    assert "\nfailed:\n" not in summary
    (run,) = json.loads((pytester.path / FILES[1]).read_text())["runs"]
    failures = [item for item in run["results"] if item["kind"] == "fail"]
    assert len(known) == len([item for item in failures if "suppressions" in item])


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.INCONCLUSIVE])
@pytest.mark.parametrize("certain", [True, False])
def test_page_is_as_sure_of_a_cause_as_the_terminal(verdict: Verdict, certain: bool) -> None:
    """A cause that is a fact, likely or merely possible is called that on the page, too."""
    cause = Cause("regression", "gate", certain, (), "keep the old model")
    diagnosis = Diagnosis(verdict, (cause,), (), (), None)
    page = render_html(Results((Result("", "run.npz", diagnosis),)))
    line = next(line for line in str(diagnosis).splitlines() if line.startswith("cause: "))
    assert f"<h3>{line.removeprefix('cause: ')}</h3>" in page


def test_markdown_shows_text_letter_for_letter() -> None:
    """No pipe, backtick, tag, link or mention of a name is read as markup."""
    shown = markdown_text("a|b`<i>@me http://x #12")
    assert "a&#124;b&#96;&#60;i&#62;&#64;&#8203;me http&#58;//x &#35;&#8203;12" == shown


def test_summary_keeps_within_the_limit_of_github(tmp_path: Path) -> None:
    """The summary is appended to, cut with a note at the limit, and never beyond it."""
    path = tmp_path / "new" / "summary.md"
    append_markdown(path, "first\n", limit=400)
    append_markdown(path, "é line\n" * 200, limit=400)
    append_markdown(path, "more\n", limit=400)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("first\n")
    assert "The rest of the report is cut" in text
    assert path.stat().st_size <= 400


def test_page_lists_the_flips_of_a_regression() -> None:
    """Examples that the new model lost stand in a table of the page, hostile names escaped."""
    generator = np.random.default_rng(0)
    y_true = generator.integers(0, 3, 2000)
    logits = np.eye(3)[y_true] * 9
    lost = generator.random(2000) < 0.1
    logits[lost] = np.roll(logits[lost], 1, axis=1)
    names = ("a", "<script>alert(1)</script>", "c")
    page = render_html(
        results_of(
            Evidence(y_true=y_true, logits=logits, label_names=names, baseline_y_pred=y_true)
        )
    )
    assert "Flips against the baseline" in page
    assert "<script>alert" not in page


def test_page_of_a_large_set_is_small() -> None:
    """The page does not grow with n: 100,000 examples and 100,000 steps stay under 5 MB."""
    generator = np.random.default_rng(5)
    y_true = generator.integers(0, 50, 100_000)
    logits = generator.normal(0, 1, (100_000, 50)).astype(np.float32)
    logits[np.arange(100_000), y_true] += 4
    loss = generator.random(100_000) + 1
    loss[777] = 1e3
    evidence = Evidence(y_true=y_true, logits=logits, loss=loss)
    points = plot_data(evidence)["curves"]["loss"]
    assert [778, 1e3] in points
    assert len(points) <= MOST_POINTS
    assert len(render_html(results_of(evidence)).encode()) < 5_000_000
