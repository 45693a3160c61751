"""What the tests are about: the classifier, with the data to judge it by."""

from pathlib import Path

import newsdesk
import pytest

from pytest_bertcheck import Pipeline


@pytest.fixture(scope="session")
def bertcheck_pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """The classifier of news, for every built-in check of `pytest --bertcheck`."""
    folder: Path = tmp_path_factory.mktemp("newsdesk")
    (train_texts, y_train), (texts, y_true) = newsdesk.split()
    return Pipeline.from_transformers(
        newsdesk.classifier(folder),
        newsdesk.tokenizer(),
        texts=texts,
        y_true=y_true,
        train_texts=train_texts,
        y_train=y_train,
        dataset_label_names=newsdesk.label_names(),
        name="newsdesk",
    )
