from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import pytest_bertcheck.suite  # noqa: F401  # inner runs in this process then find it imported
from pytest_bertcheck import Evidence

pytest_plugins = ["pytester"]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out inner runs under ``-n2`` where pytest-xdist is not installed."""
    callspec = getattr(item, "callspec", None)
    options = callspec.params.get("options", []) if callspec else []
    if "-n2" in options and find_spec("xdist") is None:
        pytest.skip("needs pytest-xdist")


@pytest.fixture
def pytester(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Inner runs without the plugin of Hypothesis, which takes longer to import than they run."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")
    return pytester


@pytest.fixture
def bundles(pytester: pytest.Pytester) -> Path:
    """Recorded bundles in the folder of the inner run, by name."""
    generator = np.random.default_rng(7)
    y_true = generator.integers(0, 3, 300)
    logits = generator.normal(0, 1, (300, 3)).astype(np.float32)
    logits[np.arange(300), y_true] += 4
    names = ["ham", "phish", "spam"]
    labels = {"y_true": y_true, "label_names": names, "dataset_label_names": names}
    constant = np.tile(np.float32([2, 0, -1]), (300, 1)) + generator.normal(0, 1e-5, (300, 3))
    Evidence(logits=logits, **labels).save(pytester.path / "healthy.npz")
    Evidence(logits=constant, **labels).save(pytester.path / "collapsed.npz")
    Evidence(y_pred=[0] * 12, label_names=names).save(pytester.path / "tiny.npz")
    Evidence(**labels).save(pytester.path / "unanswered.npz")
    Evidence(max_length=20).save(pytester.path / "bare.npz")
    return pytester.path


PIPELINE = """
import numpy as np
import pytest
from pytest_bertcheck import Pipeline

TEXTS = ["win money now", "hello my friend"] * 40
Y_TRUE = [1, 0] * 40

def logits(texts):
    return np.array([[-2.0, 2.0] if "money" in text else [2.0, -2.0] for text in texts])

def constant(texts):
    return np.tile([2.0, -2.0], (len(texts), 1))

def pipeline(predict=logits, **parts):
    return Pipeline(predict, TEXTS, Y_TRUE, label_names=["ham", "spam"], **parts)
"""
"""Start of an inner conftest.py: a pipeline that works, and a predict that has collapsed."""
