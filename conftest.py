"""The repository's own root: lets the README's quick start judge a bundle and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the plugin's own tests out of a run that judges a recorded bundle."""
    judging = config.getoption("bertcheck_evidence", None) is not None
    own = collection_path.is_relative_to(config.rootpath / "tests")
    return True if judging and own else None
