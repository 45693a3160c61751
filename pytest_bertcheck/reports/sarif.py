"""The report for code scanning: ``--bertcheck-sarif``, in SARIF 2.1.0."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from pytest_bertcheck import __version__

from ..diagnosis import TABLE, Row
from ..findings import CAUSES, Finding, Verdict
from ..messages import DOCS, first_line, render_finding, safe
from .results import Result, Results

__all__ = ["render_sarif"]

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render_sarif(results: Results) -> str:
    """Return the failed checks as SARIF 2.1.0, with the code of the cause as the id of the rule.

    A failure is an error; a check that could not tell is of kind ``open``, as SARIF calls it.
    """
    notifications = []
    if results.problem:
        notifications = [{"level": "error", "message": {"text": _line(results.problem)}}]
    run = {
        "tool": {
            "driver": {
                "name": "pytest-bertcheck",
                "informationUri": "https://pypi.org/project/pytest-bertcheck/",
                "semanticVersion": __version__,
                "rules": [_rule(code, *about) for code, about in CAUSES.items()],
            }
        },
        "invocations": [
            {
                "executionSuccessful": not results.problem,
                "toolExecutionNotifications": notifications,
            }
        ],
        "results": [found for result in results.results for found in _results(result)],
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=1, sort_keys=True, allow_nan=False) + "\n"


def _rule(code: str, stage: str, meaning: str) -> dict[str, Any]:
    row = TABLE.get(code, Row())
    advice = [part for part in (row.fix, row.settled_by, f"{DOCS}#{code}") if part]
    return {
        "id": code,
        "shortDescription": {"text": meaning},
        "fullDescription": {"text": f"{meaning} ({stage})"},
        "help": {"text": "\n".join(advice)},  # GitHub shows no rule without it
        "properties": {"tags": [stage]},
    }


def _results(result: Result) -> Iterator[dict[str, Any]]:
    for finding in result.diagnosis.findings:
        if finding.verdict is Verdict.FAILED:
            outcome = {"kind": "fail", "level": "error"}
        elif finding.verdict is Verdict.INCONCLUSIVE:
            outcome = {"kind": "open", "level": "none"}
        else:
            continue
        code = _cause(finding, result)
        identity = f"{result.name}\0{finding.stage}::{finding.check}"
        found: dict[str, Any] = {
            **outcome,
            "ruleId": code,
            "ruleIndex": list(CAUSES).index(code),
            "message": {"text": "\n".join(map(_line, render_finding(finding).splitlines()))},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": quote(result.source, errors="replace")},
                        "region": {"startLine": 1},
                    },
                    "logicalLocations": [
                        {"fullyQualifiedName": f"{finding.stage}::{finding.check}"}
                    ],
                }
            ],
            "partialFingerprints": {
                "bertcheck/v1": hashlib.sha256(identity.encode(errors="replace")).hexdigest()
            },
        }
        if finding.expected_failure is not None:
            reason = safe(finding.expected_failure, 200)
            found["suppressions"] = [{"kind": "external", "justification": reason}]
        yield found


def _cause(finding: Finding, result: Result) -> str:
    """Return the best cause of the diagnosis that this finding supports, or the finding's own."""
    diagnosed = (c.code for c in result.diagnosis.causes if c.code in finding.causes)
    return next(diagnosed, finding.causes[0] if finding.causes else "unknown")


def _line(text: str) -> str:
    return safe(first_line(text) if len(text) > 1000 else text, 1000)
