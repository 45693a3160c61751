"""The built-in checks as pytest items, and the gate that never lets a failure turn green."""

from __future__ import annotations

import importlib
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

from .checks import ALPHA, run_checks, select_checks, suite_checks
from .diagnosis import diagnose, with_expected_failures
from .evidence import Evidence
from .findings import Diagnosis, Finding, Verdict
from .messages import first_line, render_finding, safe
from .pipeline import Pipeline
from .reports.results import Result, Results, plot_data
from .reports.terminal import summary_lines
from .reports.writing import write_reports
from .settings import Settings

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
        evidence = pipeline.observe()
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
        judge(_finding(diagnosis, name), diagnosis, strict=False)

    check.__name__ = name
    return check


_OBSERVED: WeakKeyDictionary[Any, Evidence] = WeakKeyDictionary()
_DIAGNOSED: WeakKeyDictionary[Evidence, Diagnosis] = WeakKeyDictionary()


def observe(pipeline: Any) -> Evidence:
    """Observe a pipeline once in this process, however many checks ask.

    Raises
    ------
    pytest.UsageError
        If the pipeline raises, or returns what no classifier returns.
    """
    if isinstance(pipeline, Evidence):
        return pipeline
    if not isinstance(pipeline, Pipeline):
        raise pytest.UsageError(
            "bertcheck_pipeline: expected a pytest_bertcheck.Pipeline or Evidence, "
            f"got {type(pipeline).__name__}"
        )
    if pipeline not in _OBSERVED:
        try:
            _OBSERVED[pipeline] = pipeline.observe()
        except Exception as error:
            raise pytest.UsageError(
                f"the pipeline {pipeline.name!r} cannot be checked: {type(error).__name__}: {error}"
            ) from error
    return _OBSERVED[pipeline]


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
        raise CheckFailed(render_finding(finding, diagnosis.causes if failed else ()))


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
            setattr(stage, check.name, self._test(check.name))
        return module

    def _test(self, name: str) -> Callable[..., None]:
        def test(self: Any, request: pytest.FixtureRequest, bertcheck_evidence: Evidence) -> None:
            __tracebackhide__ = True
            settings = request.config.stash[SETTINGS]
            diagnosis = diagnosis_of(bertcheck_evidence, settings.alpha)
            finding = _finding(diagnosis, name)
            request.node.stash[FINDING] = finding
            request.node.stash[DIAGNOSIS] = diagnosis
            request.node.stash[EVIDENCE] = bertcheck_evidence
            request.node.user_properties += [
                ("bertcheck_verdict", finding.verdict.value),
                ("bertcheck_summary", first_line(finding.summary)),
            ]
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
        self.hosts = _hosts(config, settings)
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
        self._sent: set[str] = set()
        self._add_hosts_to_args()

    def _add_hosts_to_args(self) -> None:
        """Have the checks collected whatever path was given beside ``--bertcheck``.

        ``config.args`` is no documented interface, so it is touched here only. Workers of xdist
        get the arguments of the command line and therefore run this too.
        """
        given = {
            (self.config.invocation_params.dir / str(arg).split("::")[0]).resolve()
            for arg in self.config.args
        }
        for host in self.hosts:
            # Of two arguments that overlap, pytest 8.4 collects the inner one only.
            if any(host.is_relative_to(path) for path in given):
                self.opened |= _ignored_folders(self.config, host, given)
            else:
                self.config.args.append(str(host))

    # Collection

    @pytest.hookimpl(tryfirst=True)
    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Reach a host in a folder that pytest would pass over (build, dist), and nothing else."""
        path = collection_path.resolve()
        if path in self.opened or (path in self.hosts and path.parent in self.opened):
            return False
        return True if path.parent in self.opened else None

    def pytest_collect_file(
        self, file_path: Path, parent: pytest.Collector
    ) -> pytest.Collector | None:
        if file_path.resolve() in self.hosts:
            # Without it, a file that is outside rootdir has no node id at all.
            nodeid = _relative(file_path, self.config.rootpath)
            return CheckFile.from_parent(parent, path=file_path, nodeid=nodeid)
        return None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.expected |= {item.nodeid for item in session.items if _is_check(item)}

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        hosts = {host.name for host in self.hosts}
        self.expected |= {nodeid for nodeid in ids if Path(nodeid.split("::")[0]).name in hosts
                          and not nodeid.split("::")[0].endswith(".py")}  # fmt: skip

    # Reports

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if not _is_check(item):
            return report
        error = call.excinfo.value if call.excinfo is not None else None
        if isinstance(error, (CheckFailed, pytest.UsageError)):
            report.longrepr = _message_only(item, str(error))
        if isinstance(error, pytest.UsageError):
            _attach(report, misuse=str(error))
        if isinstance(report.longrepr, tuple):  # a skip: where, line, why
            report.longrepr = (str(item.path), 1, report.longrepr[2])
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
        if misuse := _attached(report, "misuse"):
            self.misuse.append(misuse)
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

    def pytest_report_header(self) -> str:
        shown = ", ".join(_relative(host, self.config.rootpath) for host in self.hosts)
        return f"bertcheck: {len(suite_checks())} checks of {shown}"

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        for name, result in sorted(self.results.items()):
            terminalreporter.section(f"bertcheck {name}".strip())
            for line, markup in summary_lines(result.diagnosis):
                terminalreporter.write_line(line, **markup)
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
            elif not self.ran:
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

    def _problem(self, config: pytest.Config) -> str:
        if _only_looks(config):
            return ""
        if self.misuse:
            return f"nothing was checked: {self.misuse[0]}"
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
        return ""


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


def _hosts(config: pytest.Config, settings: Settings) -> list[Path]:
    """Return the files under which the checks are collected.

    Raises
    ------
    pytest.UsageError
        If nothing says what to check.
    """
    source = settings.evidence or settings.data
    if source is not None:
        return [source.resolve()]
    own = [
        Path(plugin.__file__).resolve()
        for plugin in config.pluginmanager.get_plugins()
        if hasattr(plugin, "bertcheck_pipeline") and Path(plugin.__file__).name == "conftest.py"
    ]
    if settings.file is not None and (
        settings.pipeline or any(path.parent == settings.file.parent for path in own)
    ):
        return [settings.file.resolve()]
    if not own:
        load_pipeline(settings)  # raises: it knows what to say
    return sorted(own)
