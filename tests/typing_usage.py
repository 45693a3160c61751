"""How a typed project uses the public names: mypy checks this file, nothing runs it."""

from __future__ import annotations

import numpy as np
import pytest
from typing_extensions import assert_type

from pytest_bertcheck import (
    Cause,
    Diagnosis,
    Evidence,
    Finding,
    Pipeline,
    Verdict,
    assert_label_mapping_consistent,
    assert_not_collapsed,
    check_pipeline,
    diagnose,
    parametrize_with_checks,
)

evidence = Evidence(y_true=[0, 1], logits=np.eye(2))
assert_type(evidence, Evidence)
assert_type(Evidence.load("run.npz"), Evidence)

pipeline = Pipeline(predict=lambda texts: np.ones((len(texts), 2)), texts=["a"], y_true=[0])
assert_type(pipeline.observe(), Evidence)
assert_type(Pipeline.from_transformers("model", texts=["a"], y_true=[0]), Pipeline)

findings = check_pipeline(pipeline, expected_failed_checks={"deterministic": "dropout is on"})
assert_type(findings, list[Finding])
assert_type(findings[0].verdict, Verdict)

diagnosis = diagnose(evidence, alpha=0.01, checks=["not_collapsed"])
assert_type(diagnosis, Diagnosis)
assert_type(diagnosis.causes, tuple[Cause, ...])
assert_type(str(diagnosis), str)

assert_not_collapsed(evidence.logits, y_true=[0, 1], strict=True)
assert_label_mapping_consistent({0: "ham", 1: "spam"}, dataset_labels=["ham", "spam"])
assert_type(parametrize_with_checks([pipeline, evidence]), pytest.MarkDecorator)
