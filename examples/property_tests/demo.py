"""Run the properties on the pipelines as they are, which pass, and as they were, which all fail.

Prints what Hypothesis found, and exits 0 only if both runs end as announced. `--write` puts it into
the README, `--check` compares it with the README: it is the same on every run, but not with every
version of Hypothesis.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

from mailroom.versions import VARIABLE

EXAMPLE = Path(__file__).resolve().parent
README = EXAMPLE / "README.md"
BLOCK = re.compile(r"(<!-- printed -->\n).*(<!-- /printed -->)", re.DOTALL)
ANNOUNCED = {"fixed": "passed", "buggy": "failed"}


def main() -> int:
    """Run the demo and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="Write the README")
    parser.add_argument("--check", action="store_true", help="Exit 1 if the README is outdated")
    parser.add_argument("paths", nargs="*", default=["tests"], help="Tests to run, all by default")
    options = parser.parse_args()

    as_announced = True
    for version, announced in ANNOUNCED.items():
        print(f"\n=== {version}: pytest, announced: every test {announced}", flush=True)
        outcomes = run(version, options.paths)
        for test, printed in outcomes.items():
            print(f"{test}: {'failed' if printed else 'passed'}")
        others = [t for t, printed in outcomes.items() if bool(printed) != (announced == "failed")]
        as_announced &= bool(outcomes) and not others

    blocks = [f"### {test}\n\n```text\n{printed}```\n" for test, printed in outcomes.items()]
    print(f"\n{''.join(blocks)}\n=== {'as announced' if as_announced else 'not as announced'}")
    text = README.read_text(encoding="utf-8")
    current = BLOCK.sub(lambda match: f"{match[1]}\n{chr(10).join(blocks)}\n{match[2]}", text)
    if options.write:
        README.write_text(current, encoding="utf-8")
    elif options.check and current != text:
        print("README.md: outdated, run `python demo.py --write`")
        return 1
    return 0 if as_announced else 1


def run(version: str, paths: list[str]) -> dict[str, str]:
    """Return each test with what it printed when it failed, empty if it passed."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        options = ("--tb=short", "-p", "no:cacheprovider", f"--junitxml={report}", *paths)
        subprocess.run(
            [sys.executable, "-m", "pytest", *options],
            cwd=EXAMPLE,
            # The hash seed decides the order of a set, and so which label the example shows.
            env={**os.environ, VARIABLE: version, "PYTHONHASHSEED": "42"},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        cases = list(ElementTree.parse(report).iter("testcase"))
    return {
        f"{case.get('classname')}::{case.get('name')}": printed_by(case)
        for case in cases
        if case.find("skipped") is None
    }


def printed_by(case: ElementTree.Element) -> str:
    """Return the message of a failure and the example, without the traceback."""
    failed = [outcome.text or "" for tag in ("failure", "error") for outcome in case.findall(tag)]
    lines = (
        line[1:].removeprefix("   ") for line in "".join(failed).splitlines() if line[:1] == "E"
    )
    return "".join(f"{line.rstrip()}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
