"""``python -m benchmarks.zoo make DIR`` records models, ``score DIR`` how they are diagnosed."""

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
    making = commands.add_parser("make", help="train and record what is missing in a folder")
    making.add_argument("folder", type=Path, help="is given index.json and bundles/*.npz")
    making.add_argument("--seeds", type=int, nargs="+", default=[0, 1], metavar="SEED")
    making.add_argument(
        "--only",
        nargs="+",
        default=["*"],
        metavar="PATTERN",
        help="such as 'tiny_*_spam-*'; default: all",
    )
    options = parser.parse_args(arguments)
    try:
        if options.command == "make":
            from .make import make

            make(options.folder, seeds=options.seeds, patterns=options.only)
            return 0
        scores = score(options.folder, part=options.part)
    except (FileNotFoundError, ModuleNotFoundError, ValueError) as error:
        parser.error(str(error))
    print(report(scores, missed=options.missed))
    return int(any(group.wrong_facts or group.healthy_failed for group in scores))


if __name__ == "__main__":
    sys.exit(main())
