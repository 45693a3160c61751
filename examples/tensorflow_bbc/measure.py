"""Measure every fault: make its runs, let `pytest --bertcheck` judge them, fill README.md.

Runs that exist are reused; without any it takes about half an hour on two cores.
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from commands import EXAMPLE, bertcheck, train
from newsroom.faults import FAULTS, HEALTHY
from newsroom.quality import build_pipeline

README = EXAMPLE / "README.md"
BUNDLES = {"healthy": HEALTHY, "collapsed": "learning-rate-too-high"}
TABLE = re.compile(r"(<!-- measured -->\n).*(<!-- /measured -->)", re.DOTALL)


@dataclass(frozen=True)
class Measurement:
    """One run: how it answers the evaluation articles, and what `pytest --bertcheck` says of it."""

    fault: str
    seed: int
    accuracy: str
    top_share: float
    exit_code: int
    first_line: str
    cause: str


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=EXAMPLE / "runs", help="Run directories")
    parser.add_argument("--seeds", type=int, default=2, help="Seeds of every fault")
    parser.add_argument("--healthy-seeds", type=int, default=5, help="Seeds without a fault")
    parser.add_argument(
        "--bundles", action="store_true", help="Record bundles/*.npz, measure nothing"
    )
    arguments = parser.parse_args()

    if arguments.bundles:
        for name, fault in BUNDLES.items():
            record_bundle(ensure_run(fault, 0, arguments.runs), EXAMPLE / "bundles" / f"{name}.npz")
        return
    measurements = [
        measure(fault, seed, ensure_run(fault, seed, arguments.runs))
        for fault in FAULTS
        for seed in range(arguments.healthy_seeds if fault == HEALTHY else arguments.seeds)
    ]
    readme = README.read_text(encoding="utf-8")
    table = TABLE.sub(lambda match: match[1] + format_table(measurements) + match[2], readme)
    README.write_text(table, encoding="utf-8")


def ensure_run(fault: str, seed: int, runs: Path) -> Path:
    """The run directory of a fault and seed, made if it is not there yet."""
    directory = runs / f"{fault}-{seed}"
    if not (directory / "run.json").is_file():
        # A fault in serving alone has the weights of the healthy run.
        own_training = fault == HEALTHY or FAULTS[fault].training
        reuse = () if own_training else ("--reuse", str(ensure_run(HEALTHY, seed, runs).resolve()))
        train(fault, seed, directory, *reuse)
    return directory


def measure(fault: str, seed: int, directory: Path) -> Measurement:
    """Let the classifier answer the evaluation articles, then let pytest judge it."""
    pipeline = build_pipeline(directory)
    y_true = np.asarray(pipeline.y_true)
    y_pred = pipeline.decode(pipeline.predict(pipeline.texts))
    if len(y_pred) == len(y_true):
        accuracy = f"{np.mean(y_pred == y_true):.3f}"
    else:
        accuracy = f"{len(y_pred)} answers for {len(y_true)} articles"
    top_share = float(np.unique(y_pred, return_counts=True)[1].max() / len(y_pred))

    junit = directory / "bertcheck.xml"
    exit_code = bertcheck(directory, f"--junitxml={junit.resolve()}", quiet=True)
    first_line, cause = first_failure(junit)
    measurement = Measurement(fault, seed, accuracy, top_share, exit_code, first_line, cause)
    print(f"{fault}, seed {seed}: exit {exit_code}, {cause or 'no failure'}", flush=True)
    return measurement


def first_failure(junit: Path) -> tuple[str, str]:
    """First line of the first built-in check that failed, and the cause that it names."""
    for case in ElementTree.parse(junit).iter("testcase"):
        failure = case.find("failure")
        if failure is not None and case.attrib["classname"].startswith("bertcheck.toml"):
            text = (failure.text or "").strip()
            cause = re.search(r"^cause: ([\w-]+)", text, re.MULTILINE)
            return text.splitlines()[0], cause[1] if cause else "none"
    return "", ""


def record_bundle(directory: Path, path: Path) -> None:
    """Record the evidence of a run, to be judged later without TensorFlow."""
    path.parent.mkdir(exist_ok=True)
    build_pipeline(directory).observe().save(path)


def format_table(measurements: Sequence[Measurement]) -> str:
    """The measurements as a Markdown table."""
    header = (
        "fault",
        "seed",
        "accuracy",
        "top share",
        "exit",
        "first line of the failure",
        "cause",
    )
    rows = [
        (
            f"`{measured.fault}`",
            str(measured.seed),
            measured.accuracy,
            f"{measured.top_share:.2f}",
            str(measured.exit_code),
            measured.first_line.replace("|", "\\|") or "-",
            f"`{measured.cause}`" if measured.cause else "-",
        )
        for measured in measurements
    ]
    lines = [header, tuple("---" for _ in header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
