"""``python -m benchmarks.peers DIR``: what other tools say of the same recordings."""

from __future__ import annotations

import argparse
import datetime
import functools
import os
import platform
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.zoo.score import recordings

from .comparison import (
    PEERS,
    ROOT,
    TOOLS,
    ask,
    causes_table,
    quotations,
    scores_table,
)
from .environments import HERE, interpreter

PAGE = ROOT / "docs" / "peers.md"
MEASURED = re.compile(r"(<!-- measured -->\n).*?(<!-- end -->)", re.DOTALL)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 1 if a tool could not be asked about every recording."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("folder", type=Path, help="holds index.json and bundles/*.npz")
    parser.add_argument(
        "--tools", nargs="+", choices=TOOLS, default=TOOLS, metavar="TOOL", help=", ".join(TOOLS)
    )
    parser.add_argument(
        "--environments",
        type=Path,
        default=Path(tempfile.gettempdir()) / "bertcheck-peers",
        help="folder of the peers' virtual environments (default: %(default)s)",
    )
    parser.add_argument("--write", action="store_true", help=f"write the figures to {PAGE.name}")
    options = parser.parse_args(arguments)
    try:
        known = dict(recordings(options.folder))
        unseen = dict(recordings(options.folder, "reporting"))
    except (FileNotFoundError, ValueError) as error:
        parser.error(str(error))
    runs = []
    for tool in options.tools:
        print(f"{tool}: {len(known)} recordings", file=sys.stderr)
        runs.append(ask(tool, python_of(tool, options.environments), options.folder, known))
    parts = [
        f"Measured on {datetime.date.today()}, {len(known)} recordings, {machine()}.",
        "## All recordings",
        scores_table(runs, known),
        "## The reporting half",
        scores_table(runs, unseen),
        "## What is said most often, by cause",
        causes_table(runs, known),
        "## Word for word",
        quotations(runs, known),
    ]
    text = "\n\n".join(parts)
    print(text)
    if options.write:
        PAGE.write_text(measured(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    return int(any(run.failure for run in runs))


def measured(page: str, text: str) -> str:
    """Return the page with the figures in the place that it keeps for them."""
    return MEASURED.sub(lambda match: f"{match[1]}\n{text.strip()}\n\n{match[2]}", page)


def python_of(tool: str, environments: Path) -> Callable[[], Path | str]:
    """Return what finds the Python of a tool: an environment of its own, ours for ourselves."""
    if tool not in PEERS:
        return lambda: sys.executable
    return functools.partial(interpreter, HERE / f"{tool}.txt", environments)


def machine() -> str:
    """Return what the figures were measured on."""
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"


if __name__ == "__main__":
    sys.exit(main())
