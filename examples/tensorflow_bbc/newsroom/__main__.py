"""`python -m newsroom train`: fine-tune the classifier, healthy or with one fault in it."""

import argparse
from pathlib import Path

from newsroom.faults import FAULTS, HEALTHY
from newsroom.runs import Run
from newsroom.training import derive, train


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m newsroom", description=__doc__)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("train", help="Fine-tune and save a run directory")
    command.add_argument("--fault", choices=FAULTS, default=HEALTHY, help="The fault to put in")
    command.add_argument("--seed", type=int, default=0, help="Seed of split, head and dropout")
    command.add_argument("--output", type=Path, required=True, help="The run directory to write")
    command.add_argument(
        "--reuse", type=Path, help="A run of the same training: take its weights, do not train"
    )
    arguments = parser.parse_args()

    run = Run.with_fault(arguments.fault, arguments.seed)
    if arguments.reuse is None:
        train(run, arguments.output)
    else:
        derive(run, arguments.reuse, arguments.output)


if __name__ == "__main__":
    main()
