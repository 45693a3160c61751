"""What the user asked for: command line, ``[tool.bertcheck]``, ``bertcheck.toml``."""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

__all__ = ["ExpectedFailure", "Settings", "read_settings"]

SOURCES = ("bertcheck_evidence", "bertcheck_model", "bertcheck_data")
KEYS = {
    "pipeline": str,
    "alpha": float,
    "strict": bool,
    "baseline": str,
    "margin": float,
    "expected_failed_checks": dict,
    "cache": bool,
}
CI = ("CI", "BUILD_NUMBER")
"""Variables that say that nobody is there to review what is written; pytest knows the same."""


@dataclass(frozen=True)
class ExpectedFailure:
    """Why a check is known to fail, and the last day on which that is accepted, if there is one."""

    reason: str
    until: datetime.date | None = None


@dataclass(frozen=True)
class Settings:
    """What one run of ``pytest --bertcheck`` is to do.

    Attributes
    ----------
    evidence
        A recorded bundle to judge, instead of a live pipeline.
    model, data
        A saved transformers model and labelled texts, instead of a pipeline in code.
    pipeline
        ``package.module:factory``, which returns the pipeline.
    alpha
        Probability at most with which a healthy pipeline fails the run.
    strict
        Whether an inconclusive check fails.
    baseline
        Name of the committed baseline to compare with: ``bertcheck_baselines/<name>.json``.
    margin
        How much of the accuracy a new model may lose against the baseline.
    expected_failed_checks
        Check name -> reason, or ``{ reason = "...", until = 2030-01-31 }``: known failures. One
        that passes is a failure, and so is one after its last day.
    update
        Whether the model is to be accepted as the new baseline.
    cache
        Whether what is observed is kept between runs, and read if every content is the same.
    json, sarif, html
        Where to write a report of the results, if anywhere.
    file
        The configuration file that says so, if any.
    """

    evidence: Path | None = None
    model: Path | None = None
    data: Path | None = None
    pipeline: str | None = None
    alpha: float = 0.001
    strict: bool = False
    baseline: str | None = None
    margin: float = 0.0
    expected_failed_checks: Mapping[str, ExpectedFailure] = field(default_factory=dict)
    update: bool = False
    cache: bool = False
    json: Path | None = None
    sarif: Path | None = None
    html: Path | None = None
    file: Path | None = None


def read_settings(config: pytest.Config) -> Settings:
    """Return the settings of this run.

    Raises
    ------
    pytest.UsageError
        If a file is missing or unreadable, or a setting is not what it should be.
    """
    file, table = _configured(config.rootpath)
    for key, value in table.items():
        if key not in KEYS:
            raise pytest.UsageError(
                f"{file}: unknown key {key!r} in [tool.bertcheck]; expected one of {sorted(KEYS)}"
            )
        kind = KEYS[key]
        if not isinstance(value, kind) or (kind is float and isinstance(value, bool)):
            raise pytest.UsageError(f"{file}: {key}: expected a {kind.__name__}, got {value!r:.60}")
    alpha = table.get("alpha", Settings.alpha)
    if not 0 < alpha < 1:
        raise pytest.UsageError(
            f"{file}: alpha: expected a probability between 0 and 1, got {alpha!r}"
        )
    margin = table.get("margin", Settings.margin)
    if not 0 <= margin < 1:
        raise pytest.UsageError(f"{file}: margin: expected a share from 0 to 1, got {margin!r}")
    baseline = config.getoption("bertcheck_baseline") or table.get("baseline")
    update = config.getoption("bertcheck_update")
    if update:
        _reject_unreviewed(baseline)
    evidence, model, data = (_existing(config, source) for source in SOURCES)
    if (model is None) != (data is None):
        given, missing = (
            ("--bertcheck-model", "--bertcheck-data")
            if data is None
            else ("--bertcheck-data", "--bertcheck-model")
        )
        raise pytest.UsageError(f"{given}: expected {missing} beside it, got none")
    if evidence is not None and model is not None:
        raise pytest.UsageError(
            "--bertcheck-evidence and --bertcheck-model: expected one of the two, got both"
        )
    if config.getoption("bertcheck_html") is not None and find_spec("jinja2") is None:
        raise pytest.UsageError(
            "--bertcheck-html: expected Jinja2 to be installed: "
            "pip install 'pytest-bertcheck[html]'"
        )
    strict, cache = (config.getoption(f"bertcheck_{key}") for key in ("strict", "cache"))
    return Settings(
        evidence=evidence,
        model=model,
        data=data,
        pipeline=table.get("pipeline"),
        alpha=float(alpha),
        strict=table.get("strict", False) if strict is None else strict,
        baseline=baseline,
        margin=float(margin),
        expected_failed_checks=_expected_failures(file, table.get("expected_failed_checks", {})),
        update=update,
        cache=table.get("cache", False) if cache is None else cache,
        json=_report(config, "bertcheck_json"),
        sarif=_report(config, "bertcheck_sarif"),
        html=_report(config, "bertcheck_html"),
        file=file,
    )


def _reject_unreviewed(baseline: str | None) -> None:
    for variable in CI:
        if os.environ.get(variable):
            raise pytest.UsageError(
                f"--bertcheck-update: expected a person to review what it writes, but the "
                f"environment variable {variable} is set, as it is in CI; run it on your machine "
                "and commit the result"
            )
    if baseline is None:
        raise pytest.UsageError(
            "--bertcheck-update: expected the name of the baseline, from baseline = 'name' under "
            "[tool.bertcheck] or from --bertcheck-baseline=NAME, got none"
        )


def _expected_failures(file: Path | None, table: Mapping[str, Any]) -> dict[str, ExpectedFailure]:
    expected = {}
    for name, given in table.items():
        entry = {"reason": given} if isinstance(given, str) else given
        where = f"{file}: expected_failed_checks: {name}"
        if not isinstance(entry, dict) or not set(entry) <= {"reason", "until"}:
            raise pytest.UsageError(
                f"{where}: expected a reason, or {{ reason = '...', until = 2030-01-31 }}, "
                f"got {given!r:.60}"
            )
        reason, until = entry.get("reason"), entry.get("until")
        if not isinstance(reason, str) or not reason.strip():
            raise pytest.UsageError(f"{where}: expected a reason, got {reason!r:.60}")
        if until is not None and type(until) is not datetime.date:
            raise pytest.UsageError(
                f"{where}: until: expected a date such as 2030-01-31, without quotes, "
                f"got {until!r:.60}"
            )
        expected[name] = ExpectedFailure(reason, until)
    return expected


def _existing(config: pytest.Config, source: str) -> Path | None:
    given = config.getoption(source)
    if given is None:
        return None
    path: Path = config.invocation_params.dir / given
    option = "--" + source.replace("_", "-")
    wants_folder = source == "bertcheck_model"
    if not (path.is_dir() if wants_folder else path.is_file()):
        kind = "a folder" if wants_folder else "a file"
        what = "is something else" if path.exists() else "does not exist"
        raise pytest.UsageError(f"{option}: expected {kind}, got {given!r}, which {what}")
    return path


def _report(config: pytest.Config, option: str) -> Path | None:
    given = config.getoption(option)
    return None if given is None else config.invocation_params.dir / given


def _configured(root: Path) -> tuple[Path | None, Mapping[str, Any]]:
    """Return the configuration file and its table; ``bertcheck.toml`` wins.

    There the table may have the name that it has in pyproject.toml, or none.
    """
    for name, default in (("bertcheck.toml", True), ("pyproject.toml", False)):
        file = root / name
        if not file.is_file():
            continue
        content = _toml(file)
        table = content.get("tool", {}).get("bertcheck", content if default else None)
        if table is None:
            continue
        if not isinstance(table, dict):
            raise pytest.UsageError(
                f"{file}: [tool.bertcheck]: expected a table, got {table!r:.60}"
            )
        return file, table
    return None, {}


def _toml(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise pytest.UsageError(f"{path}: expected TOML, got: {error}") from error
    return content
