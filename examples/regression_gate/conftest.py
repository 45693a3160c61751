"""The pipeline under test: the version that the environment variable `HEADLINES` names."""

import os

import pytest
from headlines import split, train_model

from pytest_bertcheck import Pipeline


@pytest.fixture(scope="session")
def bertcheck_pipeline():
    """Train the version; what it answers to the evaluation headlines is what is gated."""
    train, texts, labels = split()
    model = train_model(os.environ.get("HEADLINES", "new"), train)
    return Pipeline(
        predict=model.decision_function,
        texts=texts,
        y_true=labels,
        label_names=list(train),
        dataset_label_names=list(train),
    )
