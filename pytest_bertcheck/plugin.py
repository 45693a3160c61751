"""pytest hooks and fixtures; imports the standard library and pytest only.

Everything else is imported when ``--bertcheck`` or a fixture asks for it, so that a run that does
not use the plugin does not pay for it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .evidence import Evidence
    from .findings import Finding

MARKER = "bertcheck: test of a text classifier; runs only under --bertcheck"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("bertcheck", "Checks of text classifiers (pytest-bertcheck)")
    group.addoption(
        "--bertcheck",
        action="store_true",
        default=False,
        help="Run the built-in checks on the pipeline under test, and tests marked bertcheck",
    )
    group.addoption(
        "--bertcheck-evidence",
        metavar="FILE.npz",
        default=None,
        help="Check this recorded evidence bundle; no model and no framework needed",
    )
    group.addoption(
        "--bertcheck-model",
        metavar="DIR",
        default=None,
        help="Check the transformers model saved in this folder, on --bertcheck-data",
    )
    group.addoption(
        "--bertcheck-data",
        metavar="FILE",
        default=None,
        help="Labelled texts for --bertcheck-model: CSV or JSON Lines with text and label",
    )
    group.addoption(
        "--bertcheck-strict",
        action="store_true",
        default=None,
        help="Fail checks that have too little data to tell, instead of reporting them",
    )
    group.addoption(
        "--bertcheck-baseline",
        metavar="NAME",
        default=None,
        help="Compare with the model in production: bertcheck_baselines/NAME.json",
    )
    group.addoption(
        "--bertcheck-update",
        action="store_true",
        default=False,
        help="Accept the model that is checked: write its baseline, print old -> new; not in CI",
    )
    group.addoption(
        "--bertcheck-cache",
        action="store_true",
        default=None,
        help="Keep what is observed in pytest's cache, and observe again only what has changed",
    )
    group.addoption(
        "--bertcheck-json",
        metavar="PATH",
        default=None,
        help="Write the results as JSON, for programs; docs/reports.md has the JSON Schema",
    )
    group.addoption(
        "--bertcheck-sarif",
        metavar="PATH",
        default=None,
        help="Write the failed checks as SARIF 2.1.0, for code scanning",
    )
    group.addoption(
        "--bertcheck-html",
        metavar="PATH",
        default=None,
        help="Write the results as one web page with plots; needs Jinja2 (the extra html)",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", MARKER)
    if _is_active(config):
        from . import suite
        from .settings import read_settings

        settings = read_settings(config)
        config.stash[suite.SETTINGS] = settings
        if settings.evidence is not None:
            config.pluginmanager.register(_recorded(settings.evidence))
        config.pluginmanager.register(suite.Gate(config, settings), "bertcheck-gate")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _is_active(config):
        return
    skip = pytest.mark.skip(reason="marked bertcheck: needs --bertcheck")
    for item in items:
        if "bertcheck" in item.keywords and item.get_closest_marker("bertcheck"):
            item.add_marker(skip)


@pytest.fixture(scope="session")
def bertcheck_pipeline(pytestconfig: pytest.Config) -> Any:
    """The pipeline under test; override it in conftest.py, or name a factory in the settings."""
    from . import suite
    from .settings import read_settings

    return suite.load_pipeline(
        pytestconfig.stash.get(suite.SETTINGS, None) or read_settings(pytestconfig)
    )


@pytest.fixture(scope="session")
def bertcheck_evidence(request: pytest.FixtureRequest, bertcheck_pipeline: Any) -> Evidence:
    """What was observed of the pipeline under test: one pass, shared by all tests and workers."""
    from .suite import observe, shared_file

    return observe(bertcheck_pipeline, shared_file(request, bertcheck_pipeline))


def _is_active(config: pytest.Config) -> bool:
    """Whether the run asks for the checks; naming what is to be checked asks for them too."""
    options = (
        "bertcheck",
        "bertcheck_evidence",
        "bertcheck_model",
        "bertcheck_data",
        "bertcheck_baseline",
        "bertcheck_update",
    )
    return any(config.getoption(option) for option in options)


def _recorded(path: Path) -> ModuleType:
    """Return a plugin whose fixture gives the recorded bundle, so that no pipeline is made.

    Raises
    ------
    pytest.UsageError
        If the file is no evidence bundle.
    """
    from .evidence import Evidence

    try:
        evidence = Evidence.load(path)
    except (TypeError, ValueError) as error:
        raise pytest.UsageError(f"--bertcheck-evidence: {error}") from error

    @pytest.fixture(scope="session", name="bertcheck_evidence")
    def recorded_evidence() -> Evidence:
        """The recorded bundle of ``--bertcheck-evidence``."""
        return evidence

    plugin = ModuleType("bertcheck_recorded")
    plugin.bertcheck_evidence = recorded_evidence  # type: ignore[attr-defined]
    return plugin


@pytest.fixture
def bertcheck(request: pytest.FixtureRequest) -> Callable[[Any], list[Finding]]:
    """Check a pipeline or evidence within a test, and record the findings in the report.

    Returns the findings; a failed one is for the test to judge.
    """
    from .suite import check_pipeline

    def check(pipeline: Any, **options: Any) -> list[Finding]:
        findings = check_pipeline(pipeline, **options)
        request.node.user_properties.extend(
            (f"bertcheck_{finding.check}", finding.verdict.value) for finding in findings
        )
        return findings

    return check
