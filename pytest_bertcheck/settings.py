"""What the user asked for: command line, ``[tool.bertcheck]``, ``bertcheck.toml``."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Settings", "read_settings"]

SOURCES = ("bertcheck_evidence", "bertcheck_model", "bertcheck_data")
KEYS = {"pipeline": str, "alpha": float, "strict": bool}


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
    strict = config.getoption("bertcheck_strict")
    return Settings(
        evidence=evidence,
        model=model,
        data=data,
        pipeline=table.get("pipeline"),
        alpha=float(alpha),
        strict=table.get("strict", False) if strict is None else strict,
        json=_report(config, "bertcheck_json"),
        sarif=_report(config, "bertcheck_sarif"),
        html=_report(config, "bertcheck_html"),
        file=file,
    )


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
