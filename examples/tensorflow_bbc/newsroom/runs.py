"""The run directory: one trained classifier and everything that is known about its training."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from newsroom.faults import FAULTS
from newsroom.settings import ServingSettings, TrainingSettings

RUN_FILE = "run.json"
HISTORY_FILE = "history.npz"


@dataclass(frozen=True)
class Run:
    """What a run was made from."""

    fault: str
    seed: int
    training: TrainingSettings
    serving: ServingSettings

    @classmethod
    def with_fault(cls, fault: str, seed: int) -> "Run":
        """The healthy settings with what the fault changes."""
        changes = FAULTS[fault]
        return cls(
            fault, seed, TrainingSettings(**changes.training), ServingSettings(**changes.serving)
        )

    @classmethod
    def read(cls, directory: Path) -> "Run":
        """The run that was written into a directory."""
        stored = json.loads((directory / RUN_FILE).read_text(encoding="utf-8"))
        return cls(
            stored["fault"],
            stored["seed"],
            TrainingSettings(**stored["training"]),
            ServingSettings(**stored["serving"]),
        )

    def write(self, directory: Path) -> None:
        """Write the run; done last, so that a directory with this file in it is complete."""
        text = json.dumps(asdict(self), indent=2) + "\n"
        (directory / RUN_FILE).write_text(text, encoding="utf-8")


def write_history(directory: Path, history: Mapping[str, NDArray[np.generic]]) -> None:
    """Store what training recorded as plain arrays."""
    np.savez(directory / HISTORY_FILE, **history)


def read_history(directory: Path) -> dict[str, NDArray[np.generic]]:
    """What training recorded."""
    with np.load(directory / HISTORY_FILE, allow_pickle=False) as arrays:
        return dict(arrays)
