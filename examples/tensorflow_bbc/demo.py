"""Fine-tune the classifier twice, healthy and collapsed, and let `pytest --bertcheck` judge both.

Exits 0 only if the healthy one passes and the collapsed one fails.
"""

import sys

from commands import EXAMPLE, bertcheck, train

ANNOUNCED_EXIT_CODES = {"healthy": 0, "learning-rate-too-high": 1}
SEED = 0


def main() -> int:
    """Run the demo and return its exit code."""
    exit_codes = {}
    for fault, announced in ANNOUNCED_EXIT_CODES.items():
        directory = EXAMPLE / "runs" / f"demo-{fault}"
        print(f"\n=== {fault}: fine-tune MiniLM on BBC News, then pytest --bertcheck", flush=True)
        print(f"    announced: exit {announced}\n", flush=True)
        train(fault, SEED, directory)
        exit_codes[fault] = bertcheck(directory)

    print("\n=== verdict")
    for fault, announced in ANNOUNCED_EXIT_CODES.items():
        outcome = "as announced" if exit_codes[fault] == announced else f"announced: {announced}"
        print(f"    {fault}: exit {exit_codes[fault]} ({outcome})")
    return 0 if exit_codes == ANNOUNCED_EXIT_CODES else 1


if __name__ == "__main__":
    sys.exit(main())
