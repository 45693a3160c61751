"""A progress bar on a terminal for what takes more than two seconds, through pytest's reporter."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .settings import CI

if TYPE_CHECKING:
    import pytest

__all__ = ["progress", "show_on"]

DELAY = 2.0
"""Seconds from which on there is a bar."""


class _Terminal:
    """What tqdm writes to: pytest's terminal, past the capture of what a test prints."""

    def __init__(self, config: pytest.Config) -> None:
        self.reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
        self.capture: Any = config.pluginmanager.get_plugin("capturemanager")
        self.begun = False

    def write(self, text: str) -> None:
        """Write at once; before the first time leave the line of pytest's own progress."""
        if not self.begun:
            self.begun, text = True, f"\n{text}"
        if self.capture is None:
            self.reporter.write(text, flush=True)
        else:
            with self.capture.global_and_fixture_disabled():
                self.reporter.write(text, flush=True)

    def flush(self) -> None:
        """Nothing waits: every write is flushed."""


_shown: list[pytest.Config | None] = [None]
"""The last is in use: a run of pytest within a run of pytest has its own."""


def show_on(config: pytest.Config) -> Callable[[], None]:
    """Show progress on the terminal of this run, if it has one; return how to end that.

    It has none under ``-q``, without a terminal, in CI (``CI`` or ``BUILD_NUMBER``, as pytest
    itself tells it), and in a worker of xdist.
    """
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    shown = (
        reporter is not None
        and reporter.isatty
        and config.get_verbosity() >= 0
        and not hasattr(config, "workerinput")
        and not any(os.environ.get(name) for name in CI)
    )
    _shown.append(config if shown else None)
    return lambda: _shown.remove(config if shown else None)


@contextmanager
def progress(total: int, unit: str) -> Iterator[Callable[[int], Any]]:
    """Show a bar of how many of a total are through; what is yielded is told how many more are."""
    config = _shown[-1]
    if config is None:
        yield lambda done: None
        return
    from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[misc]
        monitor_interval = 0  # no thread beside the tests

    Bar.set_lock(threading.RLock())  # nor a lock for other processes
    columns = shutil.get_terminal_size().columns
    with Bar(
        total=total,
        unit=unit,
        delay=DELAY,
        leave=False,
        file=_Terminal(config),
        ncols=min(columns - 1, 80),
        desc="bertcheck",
    ) as bar:
        yield bar.update
