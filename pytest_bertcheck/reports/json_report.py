"""The report for programs: ``--bertcheck-json``."""

from __future__ import annotations

import json
import math
from importlib.resources import files
from typing import Any

from pytest_bertcheck import __version__

from .results import Results

__all__ = ["SCHEMA_VERSION", "json_schema", "render_json"]

SCHEMA_VERSION = 1


def render_json(results: Results) -> str:
    """Return the results as JSON: ASCII only, keys sorted, with a final newline.

    JSON knows no NaN and no infinity: a number that is not finite is ``null``.
    """
    content = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "pytest-bertcheck", "version": __version__},
        "verdict": results.verdict,
        "problem": results.problem,
        "pipelines": [
            {
                "name": result.name,
                "source": result.source,
                "diagnosis": result.diagnosis.to_dict(),
            }
            for result in results.results
        ],
    }
    return json.dumps(_finite(content), indent=1, sort_keys=True, allow_nan=False) + "\n"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the report, draft 2020-12."""
    text = files(__package__).joinpath("report.schema.json").read_text(encoding="utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
