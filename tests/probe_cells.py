"""The table of probes by frameworks: which check judges what a probe finds, and on what models.

Each framework's test module makes its pipelines: a healthy one, and for each probe one with the
fault that the probe is for, or the reason why the framework has no such thing.
"""

from __future__ import annotations

import functools

import pytest

from pytest_bertcheck import probes
from pytest_bertcheck.diagnosis import diagnose
from pytest_bertcheck.probes import PROBES

JUDGES = {
    "predicted": "not_collapsed",
    "decoded": "decoding_consistent",
    "encoded": "inputs_distinct",
    "in_lower_case": "vocabulary_matches",
    "repeated": "deterministic",
    "rebatched": "batch_invariant",
    "padded": "padding_invariant",
    "reloaded": "reload_equal",
    "tail": "truncation_harmless",
    "stepped": "weights_updated",
    "overfitted": "overfits_small_batch",
    "reference": "not_far_below_reference",
}
"""Probe -> the check that says whether its outcome is healthy."""

assert list(JUDGES) == [probe.function.__name__ for probe in PROBES]


def observed(pipeline):
    """Return the evidence and the findings of a pipeline."""
    evidence = pipeline.observe()
    return evidence, {finding.check: finding for finding in diagnose(evidence).findings}


observed_once = functools.lru_cache(maxsize=2)(observed)  # most probes share the healthy one


def judged(pipeline, probe):
    """Return the verdict on what a probe finds of a pipeline, and the summary, for a failure."""
    return _verdict(*observed_once(pipeline), probe)


ALWAYS = ("predicted", "decoded", "encoded", "in_lower_case", "repeated")
"""Probes that others are compared with."""


def judged_alone(pipeline, probe):
    """As :func:`judged`, without the probes that have nothing to do with it, which take long."""
    needed = tuple(one for one in PROBES if one.function.__name__ in (*ALWAYS, probe))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probes, "PROBES", needed)
        return _verdict(*observed(pipeline), probe)


def _verdict(evidence, findings, probe):
    finding = findings[JUDGES[probe]]
    failures = None if evidence.failed_probes is None else evidence.failed_probes.tolist()
    return finding.verdict.value, finding.summary, failures
