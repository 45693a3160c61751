"""What the tests are about: the classifier, with the data to judge it by."""

import newswire
import pytest

from pytest_bertcheck import Pipeline


@pytest.fixture(scope="session")
def bertcheck_pipeline() -> Pipeline:
    """The classifier of news, for every built-in check of `pytest --bertcheck`."""
    (train_texts, y_train), (texts, y_true) = newswire.split()
    words = newswire.vectorizer(train_texts)
    model, history = newswire.train(words)
    if newswire.fault() == "vocabulary-mismatch":  # the service adapts to the texts of the day
        words = newswire.vectorizer(texts)
    return Pipeline.from_keras(
        model,
        words,
        history=history,
        texts=texts,
        y_true=y_true,
        train_texts=train_texts,
        y_train=y_train,
        dataset_label_names=newswire.label_names(),
        name="newswire",
    )
