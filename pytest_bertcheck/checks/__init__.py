"""The built-in checks: pure functions ``Evidence -> Finding``, one module for each stage.

A new check is one function in the module of its stage, under the decorator :func:`check`. It then
appears in ``pytest --bertcheck``, in ``parametrize_with_checks``, in the report and in the docs.
"""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from .. import statistics
from ..evidence import Evidence
from ..findings import CAUSES, STAGES, Finding, Verdict
from ..messages import probability

__all__ = ["ALPHA", "Check", "all_checks", "check", "run_checks", "select_checks"]

ALPHA = 0.001
"""Probability at most with which one check fails a healthy pipeline, by default."""

_REGISTRY: dict[str, Check] = {}


@dataclass(frozen=True)
class Check:
    """A registered check.

    Attributes
    ----------
    name, stage
        ``outputs::not_collapsed`` is the check ``not_collapsed`` of the stage ``outputs``.
    function
        The function itself: evidence in, finding out.
    needs
        Fields without which the check is skipped; a tuple within is a choice: any one of them.
    causes
        Codes of the causes that it can name.
    limits
        Option of the check -> the numbers that it must lie between.
    """

    name: str
    stage: str
    function: Callable[..., Finding]
    needs: tuple[str | tuple[str, ...], ...]
    causes: tuple[str, ...]
    limits: Mapping[str, tuple[float, float]]

    @property
    def description(self) -> str:
        """The check's docstring."""
        return self.function.__doc__ or ""

    def missing(self, evidence: Evidence) -> tuple[str, ...]:
        """Return the fields that the check needs and ``evidence`` does not have."""
        given = evidence.fields()
        choices = [(need,) if isinstance(need, str) else need for need in self.needs]
        return tuple(
            " or ".join(choice) for choice in choices if not any(name in given for name in choice)
        )

    def __call__(self, evidence: Evidence, *, alpha: float = ALPHA, **options: Any) -> Finding:
        """Run the check on ``evidence``; ``options`` are the check's own limits."""
        for name, value in {"alpha": alpha, **options}.items():
            low, high = {"alpha": (0, 1), **self.limits}.get(name, (-inf, inf))
            if not isinstance(value, (int, float)) or not low < value < high:
                raise ValueError(
                    f"{name}: expected a number between {low:g} and {high:g}, got {value!r:.60}"
                )
        missing = self.missing(evidence)
        if missing:
            finding = Finding(Verdict.SKIPPED, f"skipped: needs {', '.join(missing)}")
            finding = dataclasses.replace(finding, needs=missing)
        else:
            finding = self.function(evidence, alpha=alpha, **options)
        return dataclasses.replace(finding, check=self.name, stage=self.stage)


def check(
    *,
    stage: str,
    needs: Sequence[str | tuple[str, ...]],
    causes: Sequence[str],
    limits: Mapping[str, tuple[float, float]] | None = None,
) -> Callable[[Callable[..., Finding]], Check]:
    """Register a function ``(evidence, *, alpha, ...) -> Finding`` as a built-in check."""
    if stage not in STAGES or not set(causes) <= set(CAUSES):
        raise ValueError(f"check: unknown stage {stage!r} or cause among {list(causes)}")

    def register(function: Callable[..., Finding]) -> Check:
        registered = Check(
            function.__name__, stage, function, tuple(needs), tuple(causes), limits or {}
        )
        known = _REGISTRY.get(registered.name)
        # The same function again is a module that was reloaded.
        if known is not None and known.function.__module__ != function.__module__:
            raise ValueError(
                f"check: expected a new name, got {registered.name!r}, which "
                f"{known.function.__module__} has"
            )
        _REGISTRY[registered.name] = registered
        return registered

    return register


def all_checks() -> tuple[Check, ...]:
    """Return every built-in check, in the order of the stages."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)
    return tuple(sorted(_REGISTRY.values(), key=lambda item: STAGES.index(item.stage)))


def select_checks(names: Iterable[str] | None) -> tuple[Check, ...]:
    """Return the checks of these names, ``not_collapsed`` or ``outputs::not_collapsed``.

    Raises
    ------
    TypeError
        If ``names`` is no collection of names.
    ValueError
        If a name is not that of a check.
    """
    known = all_checks()
    if names is None:
        return known
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise TypeError(f"checks: expected names of checks, got {names!r:.60}")
    wanted = list(names)
    by_name = {item.name: item for item in known}
    by_name |= {f"{item.stage}::{item.name}": item for item in known}
    for name in wanted:
        if name not in by_name:
            raise ValueError(
                f"checks: unknown check {name!r}; expected one of {[item.name for item in known]}"
            )
    chosen = {by_name[name].name for name in wanted}
    return tuple(item for item in known if item.name in chosen)


def run_checks(
    evidence: Evidence, checks: Iterable[str] | None = None, *, alpha: float = ALPHA
) -> tuple[Finding, ...]:
    """Run checks together, holding their family-wise error rate at ``alpha`` by Holm's method.

    A failure that its test alone would allow, but the family does not, becomes inconclusive.
    """
    findings = [item(evidence, alpha=alpha) for item in select_checks(checks)]
    tested = [index for index, finding in enumerate(findings) if finding.p_value is not None]
    p_values = [findings[index].p_value or 0.0 for index in tested]
    for index, rejected in zip(tested, statistics.holm(p_values, alpha), strict=True):
        finding = findings[index]
        if finding.verdict is Verdict.FAILED and not rejected:
            findings[index] = dataclasses.replace(
                finding,
                verdict=Verdict.INCONCLUSIVE,
                summary=f"{finding.summary}; not significant among {len(tested)} tests "
                f"({probability(finding.p_value or 0.0)})",
            )
    return tuple(findings)
