"""What the tests are about: the run directory named by the environment variable NEWSROOM_RUN."""

import os
from pathlib import Path

import pytest

from pytest_bertcheck import Pipeline

RUN_VARIABLE = "NEWSROOM_RUN"


@pytest.fixture(scope="session")
def run_directory() -> Path:
    """The run directory under test."""
    value = os.environ.get(RUN_VARIABLE)
    if not value:
        raise pytest.UsageError(
            f"{RUN_VARIABLE} is not set: set it to a run directory, such as the one that "
            "`python -m newsroom train --output runs/healthy-0` writes"
        )
    directory = Path(value)
    if not (directory / "run.json").is_file():
        raise pytest.UsageError(f"{RUN_VARIABLE}: no finished run in {directory}")
    return directory


@pytest.fixture(scope="session")
def bertcheck_pipeline(run_directory: Path) -> Pipeline:
    """The newsroom's classifier, for every built-in check of `pytest --bertcheck`."""
    # Imported here: TensorFlow takes seconds, which a run without --bertcheck need not spend.
    from newsroom.quality import build_pipeline

    return build_pipeline(run_directory)
