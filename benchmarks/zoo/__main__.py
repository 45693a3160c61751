"""``python -m benchmarks.zoo score DIR``: how a folder of recordings is diagnosed."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from .score import report, score


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 1 if a healthy recording fails or a wrong cause is called certain."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zoo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    scoring = commands.add_parser("score", help="diagnose every bundle of a folder")
    scoring.add_argument("folder", type=Path, help="holds index.json and bundles/*.npz")
    scoring.add_argument(
        "--part",
        choices=["tuning", "reporting"],
        help="only the half to tune on, or only the half to report",
    )
    scoring.add_argument("--missed", action="store_true", help="name what was missed")
    options = parser.parse_args(arguments)
    try:
        scores = score(options.folder, part=options.part)
    except (FileNotFoundError, ValueError) as error:
        parser.error(str(error))
    print(report(scores, missed=options.missed))
    return int(any(group.wrong_facts or group.healthy_failed for group in scores))


if __name__ == "__main__":
    sys.exit(main())
