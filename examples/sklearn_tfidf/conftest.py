"""What the tests are about: the classifier, with the data to judge it by."""

import helpdesk
import pytest

from pytest_bertcheck import Pipeline


@pytest.fixture(scope="session")
def bertcheck_pipeline() -> Pipeline:
    """The classifier of requests, for every built-in check of `pytest --bertcheck`."""
    texts, y_true = helpdesk.requests(300, seed=3)
    train_texts, y_train = helpdesk.requests(600, seed=1)
    return Pipeline.from_sklearn(
        helpdesk.train(),
        texts=texts,
        y_true=y_true,
        train_texts=train_texts,
        y_train=y_train,
        label_names=helpdesk.label_names(),
        dataset_label_names=helpdesk.NAMES,
        decode=helpdesk.decode,
        load=helpdesk.load,
        name="helpdesk",
    )
