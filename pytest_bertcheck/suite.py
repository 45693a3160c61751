"""The built-in checks as pytest items, and the gate that never lets a failure turn green."""

from __future__ import annotations

import dataclasses
import datetime
import importlib
import re
import shlex
import sys
import types
from collections.abc import Callable, Generator, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import pytest
from _pytest._code.code import (
    ReprEntryNative,
    ReprExceptionInfo,
    ReprFileLocation,
    ReprTraceback,
)

from . import observations
from .baselines import (
    FOLDER,
    BaselineMismatch,
    baseline_path,
    read_baseline,
    update_baseline,
    with_baseline,
)
from .checks import ALPHA, Check, run_checks, select_checks, suite_checks
from .diagnosis import diagnose, overall, rank_causes, with_expected_failures
from .evidence import Evidence
from .findings import STAGES, Diagnosis, Finding, Verdict
from .messages import first_line, render_finding, safe
from .pipeline import Pipeline
from .progress import show_on
from .reports.results import Result, Results, plot_data
from .reports.terminal import summary_lines
from .reports.writing import write_reports
from .settings import ExpectedFailure, Settings

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

__all__ = [
    "CheckFailed",
    "Gate",
    "check_pipeline",
    "load_pipeline",
    "observe",
    "parametrize_with_checks",
]

FINDING = pytest.StashKey[Finding]()
UPDATED = pytest.StashKey[list[str]]()
OF_A_MODEL = STAGES[STAGES.index("training") : STAGES.index("gate")]
"""Stages whose checks say something of a model; those before take its data, `gate` another one."""
UPDATER = "no_regression"
"""The check in whose place ``--bertcheck-update`` accepts the model."""


class CheckFailed(AssertionError):
    """A built-in check failed; the message is the whole report of the failure."""


def check_pipeline(
    pipeline: Pipeline | Evidence,
    *,
    checks: Iterable[str] | None = None,
    expected_failed_checks: Mapping[str, str] | None = None,
    alpha: float = ALPHA,
) -> list[Finding]:
    """Run the built-in checks and return every finding; nothing is raised for a failure.

    Parameters
    ----------
    pipeline
        A live pipeline, or evidence recorded from one.
    checks
        Names of the checks to run; all by default.
    expected_failed_checks
        Check name -> reason, for failures that are known; the finding carries the reason.
    alpha
        Probability at most with which a healthy pipeline has any failed finding.

    Raises
    ------
    TypeError
        If ``pipeline`` is neither.
    ValueError
        If a check name is unknown.

    Examples
    --------
    >>> findings = check_pipeline(Evidence(y_true=[0, 1, 7], label_names=["ham", "spam"]))
    >>> [finding.check for finding in findings if finding.verdict == "failed"]
    ['labels_valid']
    """
    if isinstance(pipeline, Pipeline):
        evidence, unusable = observations.observe_anew(pipeline)
        if unusable is not None:
            evidence = pipeline.observe()  # raises what made it unusable
    elif isinstance(pipeline, Evidence):
        evidence = pipeline
    else:
        raise TypeError(
            f"check_pipeline: expected a Pipeline or Evidence, got {type(pipeline).__name__}"
        )
    expected = _expected(expected_failed_checks)
    return list(with_expected_failures(run_checks(evidence, checks, alpha=alpha), expected))


def parametrize_with_checks(
    pipelines: Iterable[Any],
    *,
    checks: Iterable[str] | None = None,
    expected_failed_checks: Mapping[str, str] | None = None,
) -> pytest.MarkDecorator:
    """Parametrize a test with ``pipeline`` and ``check``, as scikit-learn does for estimators.

    Parameters
    ----------
    pipelines
        Pipelines or evidence bundles.
    checks
        Names of the checks; all by default.
    expected_failed_checks
        Check name -> reason; those are marked ``xfail``.

    Raises
    ------
    ValueError
        If a check name is unknown, or there is no pipeline.

    Examples
    --------
    >>> evidence = Evidence(y_true=[0, 1], label_names=["ham", "spam"])
    >>> @parametrize_with_checks([evidence], checks=["labels_valid"])
    ... def test_pipeline(pipeline, check):
    ...     check(pipeline)
    """
    if isinstance(pipelines, (Pipeline, Evidence)):
        raise TypeError(
            "parametrize_with_checks: expected a list of pipelines, "
            f"got a single {type(pipelines).__name__}"
        )
    known = list(pipelines)
    if not known:
        raise ValueError("parametrize_with_checks: expected at least one pipeline, got none")
    for odd in (item for item in known if not isinstance(item, (Pipeline, Evidence))):
        raise TypeError(
            f"parametrize_with_checks: expected a Pipeline or Evidence, got {odd!r:.60}"
        )
    expected = _expected(expected_failed_checks)
    parameters = []
    for number, pipeline in enumerate(known):
        label = getattr(pipeline, "name", "evidence")
        prefix = label if len(known) == 1 else f"{label}{number}"
        for item in select_checks(checks):
            reason = expected.get(item.name)
            marks = [] if reason is None else [pytest.mark.xfail(reason=reason, strict=True)]
            parameters.append(
                pytest.param(
                    pipeline,
                    _asserting(item.name),
                    id=f"{prefix}-{item.stage}-{item.name}",
                    marks=marks,
                )
            )
    return pytest.mark.parametrize(("pipeline", "check"), parameters)


def _expected(reasons: Mapping[str, str] | None) -> dict[str, str]:
    """Return reason by check name; a misspelt name would expect nothing, silently, so it raises."""
    if not isinstance(reasons, Mapping | None):
        raise TypeError(
            "expected_failed_checks: expected a mapping from check name to reason, "
            f"got {reasons!r:.60}"
        )
    return {select_checks([name])[0].name: reason for name, reason in (reasons or {}).items()}


def _asserting(name: str) -> Callable[[Pipeline | Evidence], None]:
    def check(pipeline: Pipeline | Evidence) -> None:
        __tracebackhide__ = True
        evidence = pipeline if isinstance(pipeline, Evidence) else observe(pipeline)
        diagnosis = diagnosis_of(evidence, ALPHA)
        finding = _finding(diagnosis, name)
        _reject_unusable(evidence, finding)
        judge(finding, diagnosis, strict=False)

    check.__name__ = name
    return check


_DIAGNOSED: WeakKeyDictionary[Evidence, Diagnosis] = WeakKeyDictionary()
_UNUSABLE: WeakKeyDictionary[Evidence, str] = WeakKeyDictionary()
"""Of which pipelines a part cannot be used, and why: its checks are misuse, the others go on."""


def observe(pipeline: Any, shared: Path | None = None) -> Evidence:
    """Observe a pipeline once in this process, however many checks ask.

    What cannot be observed is missing from the evidence, and misuse of the checks that need it.
    Processes that are given the same file share what is observed.

    Raises
    ------
    pytest.UsageError
        If it is no pipeline, or its names or what was recorded are no evidence.
    """
    if isinstance(pipeline, Evidence):
        return pipeline
    if not isinstance(pipeline, Pipeline):
        raise pytest.UsageError(
            "bertcheck_pipeline: expected a pytest_bertcheck.Pipeline or Evidence, "
            f"got {type(pipeline).__name__}"
        )
    cannot = f"the pipeline {pipeline.name!r} cannot be checked"
    try:
        evidence, unusable = observations.observe(pipeline, shared)
    except (TypeError, ValueError) as error:
        raise pytest.UsageError(f"{cannot}: {type(error).__name__}: {error}") from error
    if unusable is not None:
        _UNUSABLE[evidence] = f"{cannot}: {unusable}"
    return evidence


def shared_file(request: pytest.FixtureRequest, pipeline: Any) -> Path | None:
    """Return the file in which the workers of xdist share what is observed of the pipeline.

    ``None`` if there are no workers, or nothing tells which of several pipelines this one is.
    """
    gate = request.config.pluginmanager.get_plugin("bertcheck-gate")
    if gate is None or gate.controller or not isinstance(pipeline, Pipeline):
        return None
    made_by = gate.made_by.get(pipeline)
    if made_by is None or not request.config.pluginmanager.has_plugin("tmpdir"):
        return None
    run = request.config.workerinput["testrunuid"]  # type: ignore[attr-defined]
    factory = request.getfixturevalue("tmp_path_factory")
    folder: Path = factory.getbasetemp().parent / "bertcheck"  # as xdist documents it
    return folder / f"{observations.run_key(pipeline, run, made_by)}.npz"


def _reject_unusable(evidence: Evidence, finding: Finding) -> None:
    """Raise if a check lacks what a part that cannot be used should have given."""
    if evidence in _UNUSABLE and finding.verdict is Verdict.INCONCLUSIVE:
        failed, _ = evidence.reasons_missing
        if failed.keys() & {name for need in finding.needs for name in need.split(" or ")}:
            raise pytest.UsageError(_UNUSABLE[evidence])


def diagnosis_of(evidence: Evidence, alpha: float) -> Diagnosis:
    """Diagnose evidence once in this process, however many items ask."""
    if evidence not in _DIAGNOSED:
        _DIAGNOSED[evidence] = diagnose(evidence, alpha=alpha)
    return _DIAGNOSED[evidence]


def load_pipeline(settings: Settings) -> Any:
    """Return what the settings name: the factory's pipeline, or a saved model on its data.

    Raises
    ------
    pytest.UsageError
        If nothing is named, or what is named cannot be made.
    """
    if settings.model is not None and settings.data is not None:
        from .adapters.transformers import from_folder

        try:
            return from_folder(settings.model, settings.data)
        except (ImportError, ValueError) as error:
            raise pytest.UsageError(f"--bertcheck-model: {error}") from error
    if settings.pipeline is None:
        raise pytest.UsageError(
            "no pipeline to check; expected a fixture bertcheck_pipeline in conftest.py, "
            "pipeline = 'package.module:factory' under [tool.bertcheck], --bertcheck-evidence or "
            "--bertcheck-model"
        )
    where = f"{settings.file}: pipeline = {settings.pipeline!r}"
    module_name, _, factory_name = settings.pipeline.partition(":")
    if not factory_name:
        raise pytest.UsageError(f"{where}: expected 'package.module:factory'")
    root = str(settings.file.parent) if settings.file else ""
    try:
        if root and root not in sys.path:
            sys.path.insert(0, root)  # as pytest's own rootdir conftest does
        factory = getattr(importlib.import_module(module_name), factory_name)
        return factory()
    except Exception as error:
        raise pytest.UsageError(f"{where}: {type(error).__name__}: {error}") from error


def _finding(diagnosis: Diagnosis, name: str) -> Finding:
    return next(finding for finding in diagnosis.findings if finding.check == name)


def judge(finding: Finding, diagnosis: Diagnosis, *, strict: bool) -> None:
    """Raise what the verdict of a finding asks for."""
    __tracebackhide__ = True
    if finding.verdict is Verdict.SKIPPED:
        pytest.skip(finding.summary)
    failed = finding.verdict is Verdict.FAILED
    if failed or (strict and finding.verdict is Verdict.INCONCLUSIVE):
        # What names no cause has a fix of its own: the list of known failures, a missing baseline.
        raise CheckFailed(
            render_finding(finding, diagnosis.causes if failed and finding.causes else ())
        )


# The committed baseline, and known failures


def _gated(
    evidence: Evidence, item: pytest.Item, settings: Settings
) -> tuple[Diagnosis, str | None]:
    """Diagnose evidence beside the baseline; or without it, with what speaks against comparing."""
    diagnosis, mismatch = diagnosis_of(evidence, settings.alpha), None
    if settings.baseline is not None and not settings.update:
        path = _baseline_file(item, settings)
        try:
            compared = _compared(evidence, path, settings.margin)
        except FileNotFoundError:
            diagnosis = _with_finding(diagnosis, _missing_baseline(item, path))
        except BaselineMismatch as error:
            mismatch = f"baseline: {error}"
        else:
            diagnosis = diagnosis_of(compared, settings.alpha)
    return _expecting(diagnosis, settings), mismatch


_COMPARED: WeakKeyDictionary[Evidence, Evidence] = WeakKeyDictionary()


def _compared(evidence: Evidence, path: Path, margin: float) -> Evidence:
    """Pair evidence with its baseline once in this process, however many items ask."""
    if evidence not in _COMPARED:
        _COMPARED[evidence] = with_baseline(evidence, read_baseline(path), margin=margin)
    return _COMPARED[evidence]


def _baseline_file(item: pytest.Item, settings: Settings) -> Path:
    """Return the file of the baseline; each parametrized pipeline has its own."""
    parameters = re.sub(r"[^\w.\-]+", "-", _parameters(item.nodeid), flags=re.ASCII)
    name = f"{settings.baseline}-{parameters}" if parameters else str(settings.baseline)
    try:
        return baseline_path(item.config.rootpath / FOLDER, name)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error


def _missing_baseline(item: pytest.Item, path: Path) -> Finding:
    worker = getattr(item.config, "workerinput", {})
    given = worker.get("mainargv", ["", *item.config.invocation_params.args])[1:]
    command = shlex.join(["pytest", *map(str, given), "--bertcheck-update"])
    return Finding(
        Verdict.FAILED,
        f"no baseline: expected the file {FOLDER}/{path.name}, found none",
        check=UPDATER,
        stage="gate",
        fix=f"{safe(command, 400)}\n# with the model in production; then commit {FOLDER}/",
    )


def _with_finding(diagnosis: Diagnosis, finding: Finding) -> Diagnosis:
    findings = tuple(
        finding if other.check == finding.check else other for other in diagnosis.findings
    )
    return dataclasses.replace(diagnosis, findings=findings, verdict=overall(findings))


def _expecting(diagnosis: Diagnosis, settings: Settings) -> Diagnosis:
    """Return the diagnosis of what is not known already; a known failure may not pass."""
    expected = settings.expected_failed_checks
    if not expected:
        return diagnosis
    accepted = {name: known.reason for name, known in expected.items() if _is_accepted(known)}
    findings = with_expected_failures(diagnosis.findings, accepted)
    news = [f for f in findings if f.verdict is not Verdict.FAILED or f.expected_failure is None]
    causes = rank_causes(news)
    mended = {f.check: _mended(f, settings) for f in news if _is_mended(f, settings)}
    return dataclasses.replace(
        diagnosis,
        findings=tuple(mended.get(finding.check, finding) for finding in findings),
        verdict=overall([*news, *mended.values()]),
        causes=causes,
    )


def _is_mended(finding: Finding, settings: Settings) -> bool:
    return finding.verdict is Verdict.PASSED and finding.check in settings.expected_failed_checks


def _mended(finding: Finding, settings: Settings) -> Finding:
    """Return the failure of a check that passes, and is on the list of those that fail."""
    reason = safe(settings.expected_failed_checks[finding.check].reason)
    return Finding(
        Verdict.FAILED,
        f"{finding.check} passes, and is expected to fail ({reason})",
        check=finding.check,
        stage=finding.stage,
        fix=f"remove it from expected_failed_checks in {settings.file}",
    )


def _is_accepted(known: ExpectedFailure) -> bool:
    return known.until is None or datetime.date.today() <= known.until


def _expect(finding: Finding, diagnosis: Diagnosis, settings: Settings) -> None:
    """Raise what a known failure asks for: it may fail until its last day."""
    __tracebackhide__ = True
    if finding.expected_failure is not None and finding.verdict is Verdict.FAILED:
        pytest.xfail(safe(finding.expected_failure, 200))
    known = settings.expected_failed_checks.get(finding.check)
    if known is not None and not _is_accepted(known) and finding.verdict is Verdict.FAILED:
        raise CheckFailed(
            f"{render_finding(finding, diagnosis.causes)}\n"
            f"note:  expected to fail until {known.until} ({safe(known.reason)}), which is past"
        )


def _accept(
    evidence: Evidence, diagnosis: Diagnosis, item: pytest.Item, settings: Settings
) -> Finding:
    """Write the baseline of a model that no check fails.

    Raises
    ------
    CheckFailed
        If one does, as that is no model to compare others with.
    pytest.UsageError
        If the evidence is none to compare with.
    """
    __tracebackhide__ = True
    path = _baseline_file(item, settings)
    failed = [f for f in diagnosis.findings if f.verdict is Verdict.FAILED]
    news = [finding for finding in failed if finding.expected_failure is None]
    if news:
        raise CheckFailed(
            first_line(f"no baseline written: {news[0].stage}::{news[0].check} fails")
            + f"\n  because {first_line(news[0].summary)}"
            "\nfix:   mend that first; a failure that is known belongs in expected_failed_checks"
        )
    try:
        changed = update_baseline(path, evidence, margin=settings.margin)
    except ValueError as error:
        raise pytest.UsageError(str(error)) from error
    item.stash[UPDATED] = [f"{_relative(path, item.config.rootpath)}:", *changed]
    return Finding(
        Verdict.PASSED,
        f"{path.name} written, {len(changed)} values changed",
        check=UPDATER,
        stage="gate",
    )


class CheckFile(pytest.Module):
    """The file that asks for the checks, seen by pytest as a module that holds them.

    The checks are ordinary test functions that take the fixture ``bertcheck_evidence``, so that
    fixtures, parametrization, selection, xdist and JUnit work as for any other test.
    """

    def _getobj(self) -> types.ModuleType:
        module = types.ModuleType("bertcheck")
        for check in suite_checks():
            stage = module.__dict__.get(check.stage)
            if stage is None:
                stage = type(check.stage, (), {"__test__": True})
                stage = pytest.mark.bertcheck(stage)
                setattr(module, check.stage, stage)
            setattr(stage, check.name, self._test(check))
        return module

    def _test(self, check: Check) -> Callable[..., None]:
        name = check.name

        def test(self: Any, request: pytest.FixtureRequest, bertcheck_evidence: Evidence) -> None:
            __tracebackhide__ = True
            settings = request.config.stash[SETTINGS]
            diagnosis, mismatch = _gated(bertcheck_evidence, request.node, settings)
            if mismatch and check.stage == "gate":
                raise pytest.UsageError(mismatch)
            finding = _finding(diagnosis, name)
            accepts = settings.update and name == UPDATER
            if accepts:
                finding = _accept(bertcheck_evidence, diagnosis, request.node, settings)
            request.node.stash[FINDING] = finding
            request.node.stash[DIAGNOSIS] = diagnosis
            request.node.stash[EVIDENCE] = bertcheck_evidence
            request.node.user_properties += [
                ("bertcheck_verdict", finding.verdict.value),
                ("bertcheck_summary", first_line(finding.summary)),
            ]
            _reject_unusable(bertcheck_evidence, finding)
            if not accepts:
                _expect(finding, diagnosis, settings)
            judge(finding, diagnosis, strict=settings.strict)

        # pytest shows where a test's code comes from: the user's file, not this one.
        test.__code__ = test.__code__.replace(co_filename=str(self.path), co_firstlineno=1)
        test.__test__ = True  # type: ignore[attr-defined]
        test.__name__ = name
        return test


SETTINGS = pytest.StashKey[Settings]()
DIAGNOSIS = pytest.StashKey[Diagnosis]()
EVIDENCE = pytest.StashKey[Evidence]()


class Gate:
    """The hooks of an active run. Registered only under ``--bertcheck``.

    On every process it collects the checks and writes their reports; on the controller it counts,
    and turns a run green only if every check that was collected has reported.
    """

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        self.config = config
        self.settings = settings
        self.host = _host(config, settings)
        self.controller = not hasattr(config, "workerinput")
        self.expected: set[str] = set()
        self.reported: set[str] = set()
        self.ran = 0
        self.not_set_up = 0
        self.misuse: list[str] = []
        self.internal_errors = 0
        self.results: dict[str, Result] = {}
        self.not_written: list[tuple[str, Exception]] = []
        self.opened: set[Path] = set()
        self.updated: list[str] = []
        _reject_unknown_checks(settings)
        self.parameters: dict[str, str | None] = {}
        self.made_by: WeakKeyDictionary[Pipeline, list[str]] = WeakKeyDictionary()
        self.notes: dict[str, None] = {}
        self._sent: set[str] = set()
        self._mistakes: dict[str, str] = {}
        self.store = observations.Store(_cache_folder(config) if settings.cache else None)
        config.add_cleanup(observations.use(self.store))
        self._add_host_to_args()

    def _add_host_to_args(self) -> None:
        """Have the checks collected whatever path was given beside ``--bertcheck``.

        ``config.args`` is no documented interface, so it is touched here only. Workers of xdist
        get the arguments of the command line and therefore run this too.
        """
        given = {
            (self.config.invocation_params.dir / str(arg).split("::")[0]).resolve()
            for arg in self.config.args
        }
        # Of two arguments that overlap, pytest 8.4 collects the inner one only.
        if any(self.host.is_relative_to(path) for path in given):
            self.opened |= _ignored_folders(self.config, self.host, given)
        else:
            self.config.args.append(str(self.host))

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self.config.add_cleanup(show_on(self.config))  # the reporter is there by now

    # Collection

    @pytest.hookimpl(tryfirst=True)
    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Reach the host in a folder that pytest would pass over (build, dist), and no more."""
        path = collection_path.resolve()
        if path in self.opened or (path == self.host and path.parent in self.opened):
            return False
        return True if path.parent in self.opened else None

    def pytest_collect_file(
        self, file_path: Path, parent: pytest.Collector
    ) -> pytest.Collector | None:
        if file_path.resolve() == self.host:
            # Without it, a file that is outside rootdir has no node id at all.
            nodeid = _relative(file_path, self.config.rootpath)
            return CheckFile.from_parent(parent, path=file_path, nodeid=nodeid)
        return None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.expected |= {item.nodeid for item in session.items if _is_check(item)}

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        for nodeid in ids:
            file = Path(nodeid.partition("::")[0])
            if file.name == self.host.name and _stage(nodeid) in STAGES:  # it may hold tests, too
                self.expected.add(nodeid)

    # Reports

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        """Keep by which fixture a pipeline was made, and by which parameters, if all can be told.

        Those of every fixture that lives as long as a pipeline: it may have asked for any of them.
        """
        name = fixturedef.argname
        if fixturedef.scope == "session" and hasattr(request, "param"):
            self.parameters[name] = _parameter(fixturedef, request)
        value = yield
        if name == "bertcheck_pipeline" and isinstance(value, Pipeline):
            told = sorted(self.parameters.items())
            if None not in self.parameters.values():
                self.made_by[value] = [fixturedef.baseid, *(f"{one}={by}" for one, by in told)]
        return value

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if notes := observations.take_notes():
            _attach(report, notes=notes)
        if not _is_check(item):
            return report
        error = call.excinfo.value if call.excinfo is not None else None
        if isinstance(error, CheckFailed):
            report.longrepr = _message_only(item, str(error))
        if isinstance(error, pytest.UsageError):
            # One mistake is one for every check: in full once in each process.
            first = self._mistakes.setdefault(str(error), item.nodeid)
            message = str(error) if first == item.nodeid else f"the same as for {first}"
            report.longrepr = _message_only(item, message)
            _attach(report, misuse=str(error))
        if isinstance(report.longrepr, tuple):  # a skip: where, line, why
            report.longrepr = (str(item.path), 1, report.longrepr[2])
        if report.when == "call" and UPDATED in item.stash:
            _attach(report, updated=item.stash[UPDATED])
        finding = item.stash.get(FINDING, None)
        if finding is not None and report.when == "call":
            _attach(report, verdict=finding.verdict.value)
            if _parameters(item.nodeid) not in self._sent:  # once for each process and pipeline
                self._sent.add(_parameters(item.nodeid))
                _attach(report, diagnosis=item.stash[DIAGNOSIS].to_dict())
                if self.settings.html is not None:
                    _attach(report, plots=plot_data(item.stash[EVIDENCE]))
        return report

    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, tuple[str, Mapping[str, bool]]] | None:
        inconclusive = _attached(report, "verdict") == Verdict.INCONCLUSIVE.value
        if inconclusive and report.when == "call" and report.passed:
            return "inconclusive", "i", ("INCONCLUSIVE", {"yellow": True})
        return None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not self.controller:
            return
        self.reported.add(report.nodeid)
        if "bertcheck" in report.keywords and report.when == "call" and not report.skipped:
            self.ran += 1
        if "bertcheck" in report.keywords and report.when == "setup" and report.failed:
            self.not_set_up += 1
        self.notes |= dict.fromkeys(_attached(report, "notes") or ())
        if misuse := _attached(report, "misuse"):
            self.misuse.append(misuse)
        self.updated += _attached(report, "updated") or []
        if values := _attached(report, "diagnosis"):
            name = _parameters(report.nodeid)
            self.results.setdefault(
                name,
                Result(
                    name=name,
                    source=report.nodeid.partition("::")[0],
                    diagnosis=Diagnosis.from_dict(values),
                    plots=_attached(report, "plots") or {},
                ),
            )

    def pytest_report_header(self) -> list[str]:
        root = self.config.rootpath
        shown = _relative(self.host, root)
        lines = [f"bertcheck: {len(suite_checks())} checks of {shown}"]
        if self.store.cache is not None:
            lines.append(f"bertcheck cache: {_relative(self.store.cache, root)}")
        return lines

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        for name, result in sorted(self.results.items()):
            terminalreporter.section(f"bertcheck {name}".strip())
            for line, markup in summary_lines(result.diagnosis):
                terminalreporter.write_line(line, **markup)
        if self.updated:
            terminalreporter.section("bertcheck baseline, old -> new")
            for line in self.updated:
                terminalreporter.write_line(line)
        if self.notes:
            terminalreporter.section("bertcheck cache")
            for note in self.notes:
                terminalreporter.write_line(note)
        problem = self._problem(terminalreporter.config)
        problems = [problem] if problem else []
        problems += [
            f"{report}: not written: {type(error).__name__}: {safe(error, 500)}"
            for report, error in self.not_written
        ]
        if problems:
            terminalreporter.section("bertcheck")
        for line in problems:
            terminalreporter.write_line(line, red=True)

    # The gate

    def pytest_internalerror(self) -> None:
        self.internal_errors += 1

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not self.controller or _only_looks(session.config):
            return
        green = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        unusable = self.misuse or (self.not_set_up and not self.ran)
        if unusable and session.exitstatus in (*green, pytest.ExitCode.TESTS_FAILED):
            session.exitstatus = pytest.ExitCode.USAGE_ERROR
        elif session.exitstatus in green:
            if self.internal_errors or self.expected - self.reported:
                session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
            elif not self.ran or self._unjudged or (self.settings.update and not self.updated):
                session.exitstatus = pytest.ExitCode.USAGE_ERROR
        results = Results(
            tuple(result for _, result in sorted(self.results.items())),
            self._problem(session.config),
        )
        self.not_written = list(write_reports(results, self.settings))
        if self.not_written and session.exitstatus in green:
            unwritable = all(isinstance(error, OSError) for _, error in self.not_written)
            session.exitstatus = (
                pytest.ExitCode.USAGE_ERROR if unwritable else pytest.ExitCode.INTERNAL_ERROR
            )

    @property
    def _unjudged(self) -> list[str]:
        """The pipelines of which a model's checks were collected, and none of those could run."""
        asked = {_parameters(nodeid) for nodeid in self.expected if _stage(nodeid) in OF_A_MODEL}
        return sorted(
            name
            for name, result in self.results.items()
            if name in asked and not _judges_a_model(result.diagnosis)
        )

    def _problem(self, config: pytest.Config) -> str:
        if _only_looks(config):
            return ""
        if self.misuse:
            nothing = "nothing" if not self.results else "not everything"
            return f"{nothing} was checked: {self.misuse[0]}"
        lost = len(self.expected - self.reported)
        if self.internal_errors or lost:
            return f"{lost} of {len(self.expected)} checks did not report: this run proves nothing"
        if not self.ran and self.not_set_up:
            return "no check ran: the pipeline could not be made"
        if not self.ran:
            return (
                "no check ran: select some of them, or give the evidence that they need "
                "(-rs shows what was missing)"
            )
        if self._unjudged:
            name, host = self._unjudged[0], _relative(self.host, config.rootpath)
            of = f" for [{name}]" if name else ""
            return (
                f"no check of a model ran{of}: give y_pred or logits, or a training's loss; for "
                f"the checks of a data set alone add {host}::data {host}::labels"
            )
        if self.settings.update and not self.updated:
            return f"no baseline written: gate::{UPDATER} has to run, and nothing else to fail"
        return ""


def _judges_a_model(diagnosis: Diagnosis) -> bool:
    return any(
        finding.stage in OF_A_MODEL and finding.verdict is not Verdict.SKIPPED
        for finding in diagnosis.findings
    )


def _reject_unknown_checks(settings: Settings) -> None:
    """Raise for a misspelt name, which would expect nothing."""
    try:
        select_checks(settings.expected_failed_checks)
    except ValueError as error:
        raise pytest.UsageError(f"{settings.file}: expected_failed_checks: {error}") from error


def _cache_folder(config: pytest.Config) -> Path:
    """Return the folder of ours in pytest's own cache.

    Raises
    ------
    pytest.UsageError
        If pytest runs without a cache.
    """
    if getattr(config, "cache", None) is None:
        raise pytest.UsageError(
            "--bertcheck-cache: expected pytest's cache, which -p no:cacheprovider turns off"
        )
    return Path(config.cache.mkdir("bertcheck"))


def _parameter(fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest) -> str | None:
    """Return what tells the value of a fixture from others of its name, the same in all workers.

    ``None`` if nothing does: a test has given the fixture an object of its own by ``indirect``, or
    taken the place of it, and another test may give another one at the same place.
    """
    if isinstance(request.param, (str, int, float, bool, type(None))):
        return f"{fixturedef.baseid}: {request.param!r}"
    place: int = request.param_index  # type: ignore[attr-defined]
    own = [
        param.values[0] if isinstance(param, type(pytest.param())) else param
        for param in fixturedef.params or ()
    ]
    if place < len(own) and own[place] is request.param:
        return f"{fixturedef.baseid} {place}"
    return None


def _stage(nodeid: str) -> str:
    """Return the stage in the node id of a check, which stands between its file and its name."""
    return nodeid.partition("::")[2].partition("::")[0]


def _parameters(nodeid: str) -> str:
    """Return what tells one parametrized pipeline from another; empty if there is one."""
    return nodeid.partition("[")[2].removesuffix("]")


def _is_check(item: pytest.Item) -> bool:
    return item.getparent(CheckFile) is not None


def _attach(report: pytest.TestReport, **values: Any) -> None:
    """Attach builtins to a report; pytest and xdist carry a report's attributes along."""
    for name, value in values.items():
        setattr(report, f"bertcheck_{name}", value)


def _attached(report: pytest.TestReport, name: str) -> Any:
    return getattr(report, f"bertcheck_{name}", None)


def _only_looks(config: pytest.Config) -> bool:
    """Whether the run was never meant to run tests."""
    options = ("collectonly", "setupplan", "setuponly")
    return any(config.getoption(option, False) for option in options)


def _relative(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def _message_only(item: pytest.Item, message: str) -> ReprExceptionInfo:
    """Return a failure without traceback, whose first line the short summary and JUnit show.

    A plain string would do on screen, but has no line for the summary; an object of our own would
    not survive the way from a worker of xdist. This is what pytest itself serialises.
    """
    entries = ReprTraceback([ReprEntryNative([f"{message}\n"])], None, style="value")
    where = ReprFileLocation(str(item.path), 1, message.splitlines()[0])
    return ReprExceptionInfo(reprtraceback=entries, reprcrash=where)


def _ignored_folders(config: pytest.Config, host: Path, given: set[Path]) -> set[Path]:
    """Return the folders on the way from a given path to the host that pytest passes over."""
    way = [
        folder
        for folder in reversed(host.parents)
        if any(folder != path and folder.is_relative_to(path) for path in given)
    ]
    for depth, folder in enumerate(way):
        if config.hook.pytest_ignore_collect(collection_path=folder, config=config):
            return set(way[depth:])
    return set()


def _host(config: pytest.Config, settings: Settings) -> Path:
    """Return the file under which the checks are collected.

    Raises
    ------
    pytest.UsageError
        If nothing says what to check, or more than one conftest.py does.
    """
    source = settings.evidence or settings.data
    if source is not None:
        return source.resolve()
    own = sorted(
        Path(plugin.__file__).resolve()
        for plugin in config.pluginmanager.get_plugins()
        if hasattr(plugin, "bertcheck_pipeline") and Path(plugin.__file__).name == "conftest.py"
    )
    if settings.file is not None and (
        settings.pipeline or any(path.parent == settings.file.parent for path in own)
    ):
        return settings.file.resolve()
    if not own:
        load_pipeline(settings)  # raises: it knows what to say
    if len(own) > 1:
        # A session observes once: the second would be judged by the evidence of the first.
        raise pytest.UsageError(
            "bertcheck_pipeline: expected one conftest.py that has it, got "
            f"{', '.join(_relative(path, config.rootpath) for path in own)}; give pytest the "
            "folder of one, or one fixture the parameters params=[...]"
        )
    return own[0]
