"""The built-in checks: pure functions ``Evidence -> Finding``, one module for each stage.

A new check is one function in the module of its stage, under the decorator :func:`check`. It then
appears in ``pytest --bertcheck``, in ``parametrize_with_checks``, in the report and in the docs.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from .. import statistics
from ..evidence import Evidence
from ..findings import CAUSES, STAGES, Finding, Verdict
from ..messages import FIRST_LINE_LIMIT, above, probability, safe

__all__ = [
    "ALPHA",
    "COMPARISON",
    "Check",
    "all_checks",
    "check",
    "find_check",
    "required_examples",
    "run_checks",
    "select_checks",
    "suite_checks",
]

ALPHA = 0.001
"""Probability at most with which one check fails a healthy pipeline, by default."""

COMPARISON = 4.0
"""Weight of a check that compares how often two are right.

It has a moderate difference to find in few rows. Where order, mapping or variety are lost, each row
tells of it, and p-values are so small that a smaller part of alpha is enough."""

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
    suite
        Whether ``pytest --bertcheck`` runs it; a question with an answer of the team's own, such
        as how good is good enough, only an assertion can ask.
    examples
        How many examples it takes to fail a fault, ``(*, alpha, power, ...) -> int``; ``None`` for
        a check of facts, which one example can show.
    weight
        How much of alpha it may use beside checks of weight 1, see :func:`run_checks`.
    """

    name: str
    stage: str
    function: Callable[..., Finding]
    needs: tuple[str | tuple[str, ...], ...]
    causes: tuple[str, ...]
    limits: Mapping[str, tuple[float, float]]
    suite: bool
    examples: Callable[..., int] | None
    weight: float

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
        for name, limits in {"alpha": (0, 1), **self.limits}.items():
            _reject_outside(name, {"alpha": alpha, **options}.get(name, _WITHIN), *limits)
        missing = self.missing(evidence)
        if missing:
            finding = _without(missing, evidence)
        else:
            finding = self.function(evidence, alpha=alpha, **options)
        return dataclasses.replace(finding, check=self.name, stage=self.stage)


def _without(missing: tuple[str, ...], evidence: Evidence) -> Finding:
    """Return the finding of a check whose fields are missing, with the reason if one is known.

    A probe that failed leaves a question open that was asked; otherwise nobody asked.
    """
    needs = f"needs {', '.join(missing)}"
    failed, skipped = evidence.reasons_missing
    known = [
        (name in failed, failed.get(name) or skipped[name])
        for choice in missing
        for name in choice.split(" or ")
        if name in failed or name in skipped
    ]
    asked = all(any(name in failed for name in choice.split(" or ")) for choice in missing)
    said, verdict = (
        ("not observed", Verdict.INCONCLUSIVE) if asked else ("skipped", Verdict.SKIPPED)
    )
    summary = f"{said}: {needs}"
    if known:
        summary += "; " + safe(max(known)[1], FIRST_LINE_LIMIT - len(summary) - 2)
    return Finding(verdict, summary, needs=missing)


_WITHIN = object()
"""Stands for the default of an option, which lies within its limits."""


def _reject_outside(name: str, value: Any, low: float, high: float) -> None:
    if value is _WITHIN:
        return
    if not isinstance(value, (int, float)) or not low < value < high:
        raise ValueError(
            f"{name}: expected a number between {low:g} and {high:g}, got {value!r:.60}"
        )


def check(
    *,
    stage: str,
    needs: Sequence[str | tuple[str, ...]],
    causes: Sequence[str],
    limits: Mapping[str, tuple[float, float]] | None = None,
    suite: bool = True,
    examples: Callable[..., int] | None = None,
    weight: float = 1.0,
) -> Callable[[Callable[..., Finding]], Check]:
    """Register a function ``(evidence, *, alpha, ...) -> Finding`` as a built-in check."""
    if stage not in STAGES or not set(causes) <= set(CAUSES):
        raise ValueError(f"check: unknown stage {stage!r} or cause among {list(causes)}")

    def register(function: Callable[..., Finding]) -> Check:
        registered = Check(
            name=function.__name__,
            stage=stage,
            function=function,
            needs=tuple(needs),
            causes=tuple(causes),
            limits=limits or {},
            suite=suite,
            examples=examples,
            weight=weight,
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
    """Return every check, in the order of the stages."""
    return tuple(sorted(_REGISTRY.values(), key=lambda item: STAGES.index(item.stage)))


def suite_checks() -> tuple[Check, ...]:
    """Return the checks that ``pytest --bertcheck`` runs, in the order of the stages."""
    return tuple(item for item in all_checks() if item.suite)


def find_check(name: str) -> Check:
    """Return the check of this name, ``not_collapsed`` or ``outputs::not_collapsed``.

    Raises
    ------
    ValueError
        If no check has that name.
    """
    known = all_checks()
    for item in known:
        if name in (item.name, f"{item.stage}::{item.name}"):
            return item
    raise ValueError(
        f"checks: unknown check {name!r}; expected one of {[item.name for item in known]}"
    )


def required_examples(check: str, *, power: float = 0.9, alpha: float = ALPHA, **case: Any) -> int:
    """Return how many examples a check needs to fail a given fault with a given power.

    Parameters
    ----------
    check
        Name of the check.
    power
        Probability with which it is to fail the fault.
    alpha
        Probability at most with which it may fail a healthy pipeline.
    **case
        The fault and the data, as far as they matter to the check: see "Examples needed" of the
        check in the docs.

    Raises
    ------
    ValueError
        If there is no such check, it states facts (one example can show a fact), a number is out
        of its bounds, or no number of examples would do.
    TypeError
        If the check knows no such ``case``.

    Examples
    --------
    >>> required_examples("not_collapsed")
    135
    >>> required_examples("not_collapsed", true_share=0.5)
    62
    """
    item = find_check(check)
    if item.examples is None:
        raise ValueError(
            f"required_examples: expected a check that tests a hypothesis, got {item.name!r}, "
            "which states facts: one example can show it"
        )
    for name, value in (("power", power), ("alpha", alpha)):
        _reject_outside(name, value, 0, 1)
    known = dict(list(inspect.signature(item.examples).parameters.items())[2:])  # no alpha, power
    for name, value in case.items():
        if name not in known:
            raise TypeError(
                f"required_examples: {item.name}: unknown {name!r}; expected one of {list(known)}"
            )
        if value is not known[name].default:
            _reject_bad_case(name, value)
    return item.examples(alpha=alpha, power=power, **case)


LEAST_NUMBERS = {"num_labels": 2, "swapped_labels": 2, "shift": 1}
"""Parts of a case that are counted; others are shares, or rows for each row."""


def reject_health(name: str, value: float, limit: float, *, below: bool = False) -> None:
    """Raise where a fault to plan for is none, being on the healthy side of the limit."""
    if value >= limit if below else value <= limit:
        side = "below" if below else "above"
        raise ValueError(f"{name}: expected a fault, {side} {limit:g}, got {value:g}")


def _reject_bad_case(name: str, value: Any) -> None:
    if name in LEAST_NUMBERS:
        least = LEAST_NUMBERS[name]
        if not isinstance(value, Integral) or int(value) < least:
            raise ValueError(f"{name}: expected a number from {least} on, got {value!r:.60}")
    elif not name.endswith("_per_row") and not (isinstance(value, Real) and 0 <= float(value) <= 1):
        raise ValueError(f"{name}: expected a share from 0 to 1, got {value!r:.60}")


def select_checks(names: Iterable[str] | None) -> tuple[Check, ...]:
    """Return the checks of these names, ``not_collapsed`` or ``outputs::not_collapsed``.

    Raises
    ------
    TypeError
        If ``names`` is no collection of names.
    ValueError
        If a name is not that of a check.
    """
    if names is None:
        return suite_checks()
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise TypeError(f"checks: expected names of checks, got {names!r:.60}")
    chosen = {find_check(name).name for name in names}
    return tuple(item for item in all_checks() if item.name in chosen)


def run_checks(
    evidence: Evidence, checks: Iterable[str] | None = None, *, alpha: float = ALPHA
) -> tuple[Finding, ...]:
    """Run checks together, holding their family-wise error rate at ``alpha`` by Holm's method.

    It is weighted: a check that compares how often two are right may use :data:`COMPARISON` times
    as much of ``alpha`` as another. A failure that its test alone would allow, but the family does
    not, becomes inconclusive.
    """
    chosen = select_checks(checks)
    findings = [item(evidence, alpha=alpha) for item in chosen]
    tested = [index for index, finding in enumerate(findings) if finding.p_value is not None]
    p_values = [findings[index].p_value or 0.0 for index in tested]
    weights = [chosen[index].weight for index in tested]
    rejected = statistics.holm(p_values, alpha, weights)
    left = sum(weight for weight, gone in zip(weights, rejected, strict=True) if not gone)
    for index, weight, is_rejected in zip(tested, weights, rejected, strict=True):
        finding = findings[index]
        if finding.verdict is Verdict.FAILED and not is_rejected:
            p_value, limit = finding.p_value or 0.0, alpha * weight / left
            seen = finding.summary.removesuffix(f", {probability(p_value)}")
            among = f"; {above(p_value, limit)} in {len(tested)} tests"
            findings[index] = dataclasses.replace(
                finding,
                verdict=Verdict.INCONCLUSIVE,
                summary=safe(seen, FIRST_LINE_LIMIT - len(among)) + among,
                fix="among so many tests that may be chance (Holm's method): more rows would tell",
            )
    return tuple(findings)


# The modules register their checks. Not on first use: that would fall into the first example of a
# property test, for which SciPy and scikit-learn alone take longer to import than its deadline.
for _module in pkgutil.iter_modules(__path__, f"{__name__}."):
    importlib.import_module(_module.name)
