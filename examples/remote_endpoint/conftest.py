"""What the tests are about: the service, started here, asked through its client."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from client import Client

from pytest_bertcheck import Pipeline

NAMES = ["normal", "urgent"]
PARTS = {
    "normal": ["a question about", "a feature for", "an idea for"],
    "urgent": ["an outage of", "we are down with", "we lost data, lost"],
}
THINGS = ["billing", "the search", "our reports", "the new app"]


def tickets(size: int, seed: int) -> tuple[list[str], list[int]]:
    """Return tickets and their label ids."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, len(NAMES), size)
    texts = [f"{generator.choice(PARTS[NAMES[y]])} {generator.choice(THINGS)}" for y in labels]
    return texts, labels.tolist()


@pytest.fixture(scope="session")
def service() -> Iterator[Client]:
    """The service in a process of its own, for as long as the tests run."""
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("server.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        yield Client(f"http://127.0.0.1:{int(server.stdout.readline())}")
        server.terminate()


@pytest.fixture(scope="session")
def bertcheck_pipeline(service: Client) -> Pipeline:
    """The service, for every built-in check of `pytest --bertcheck`."""
    texts, y_true = tickets(200, seed=1)
    return Pipeline(
        service.predict,
        texts,
        y_true,
        label_names=NAMES,
        dataset_label_names=NAMES,
        timeout=3.0,
        name="triage",
    )
