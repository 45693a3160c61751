"""Write the pages that follow from the code: the checks, the evidence, the options, the README.

``python docs/generate.py`` writes what is out of date; with ``--check`` it only says so, and
exits with 1.
"""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import itertools
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest_bertcheck
from pytest_bertcheck import Evidence, contracts, strategies
from pytest_bertcheck.checks import Check, all_checks, suite_checks
from pytest_bertcheck.diagnosis import TABLE
from pytest_bertcheck.findings import CAUSES, STAGES
from pytest_bertcheck.probes import PROBES
from pytest_bertcheck.settings import KEYS, Settings

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BUNDLE = "examples/tensorflow_bbc/bundles/collapsed.npz"
SHOWN_CHECK = "outputs.not_collapsed"
QUICK_START = ("--bertcheck", f"--bertcheck-evidence={BUNDLE}")
BLOCK = re.compile(r"(<!-- generated: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)
NOTE = "<!-- Written by docs/generate.py from the code: edit the docstring instead. -->\n"


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="Write nothing, exit 1 if outdated")
    only_check = parser.parse_args().check
    outdated = {path: text for path, text in generated().items() if not is_current(path, text)}
    for path, text in outdated.items():
        print(f"{path.relative_to(ROOT)}: {'outdated' if only_check else 'written'}")
        if not only_check:
            path.write_text(text, encoding="utf-8")
    return 1 if only_check and outdated else 0


def generated() -> dict[Path, str]:
    """Return every generated file with the text that it should have."""
    return {
        ROOT / "docs" / "checks.md": checks_page(),
        ROOT / "docs" / "contracts.md": contracts_page(),
        ROOT / "docs" / "evidence.md": evidence_page(),
        ROOT / "docs" / "options.md": options_page(),
        ROOT / "docs" / "strategies.md": strategies_page(),
        **{
            path: BLOCK.sub(
                lambda match: match[1] + BLOCKS[match[2]]() + match[3],
                path.read_text(encoding="utf-8"),
            )
            for path in (README, ROOT / "docs" / "pipelines.md")
        },
    }


def is_current(path: Path, text: str) -> bool:
    """Return whether the file has this text already."""
    return path.is_file() and path.read_text(encoding="utf-8") == text


# checks.md: a failure message links to `#<check>` or `#<cause>`, so each has a heading of that name


def checks_page() -> str:
    """Return the page of all checks and all causes."""
    checks = itertools.chain.from_iterable(check_section(check) for check in all_checks())
    causes = itertools.chain.from_iterable(cause_section(code) for code in CAUSES)
    return "\n".join([NOTE, CHECKS_INTRODUCTION, *checks, CAUSES_INTRODUCTION, *causes])


CHECKS_INTRODUCTION = """\
# Checks and causes

A check asks one question of the [evidence](evidence.md) and answers `passed`, `failed`,
`inconclusive` (too little data to tell) or `skipped` (a field that it needs was not given). From
all answers together the plugin names the causes that are left standing.

The tests of a run share `alpha` by Holm's method; one that compares how often two are right, and so
has small differences to find, has four times the weight of another.

## Checks
"""
CAUSES_INTRODUCTION = """\
## Causes

What a check establishes beyond doubt is a fact and is named as it is. Any other cause is weighed by
the signs that the checks saw, those listed first weighing most, and the report says what would
settle the question. `not` means that a sign was looked for and is not there.
"""


def check_section(check: Check) -> Iterator[str]:
    """Yield the section of one check, paragraph by paragraph."""
    yield f"### {check.name}\n"
    yield markdown(check.description)
    yield f"- **Id:** `{check.stage}::{check.name}`"
    yield f"- **Needs:** {needs_of(check)}"
    if not check.suite:
        yield "- **Runs:** only where a test asks for it"
    limits = ", ".join(f"`{name}={value}`" for name, value in limits_of(check).items())
    if limits:
        yield f"- **Limits:** {limits}"
    assertion = getattr(pytest_bertcheck, f"assert_{check.name}", None)
    if assertion is not None:
        yield f"- **In a test:** `{assertion.__name__}({signature(assertion)})`"
    if check.examples is not None:
        yield f"- **Examples needed:** `{required_examples_call(check)}`"
    if check.causes:
        yield f"- **Causes:** {', '.join(link(code) for code in check.causes)}"
    yield ""


def cause_section(code: str) -> Iterator[str]:
    """Yield the section of one cause, paragraph by paragraph."""
    stage, meaning = CAUSES[code]
    yield f"### {code}\n"
    yield f"{meaning[0].upper()}{meaning[1:]}.\n"
    if stage in STAGES:
        yield f"- **Stage:** {stage}"
    checks = [link(check.name) for check in all_checks() if code in check.causes]
    if code != "unknown":
        yield f"- **Named by:** {', '.join(checks) or 'no check yet'}"
    row = TABLE.get(code)
    if row is None and checks:
        yield "- **Fix:** the failure message gives it, with the names and numbers of the case"
    if row is not None:
        for title, direction in (("Speaks for it", 1), ("Speaks against it", -1)):
            signs = sorted(
                (-direction * weight, word + f"`{sign}`")
                for sign, weights in row.weights.items()
                for weight, word in zip(weights, ("", "not "), strict=True)
                if direction * weight > 0
            )
            if signs:
                yield f"- **{title}:** {', '.join(sign for _, sign in signs)}"
        if row.fix:
            yield f"- **Fix:** {row.fix}"
        if row.settled_by:
            yield f"- **What would settle it:** {row.settled_by}"
    yield ""


def needs_of(check: Check) -> str:
    """Return the fields that a check needs, as words."""
    choices = [(need,) if isinstance(need, str) else need for need in check.needs]
    return ", and ".join(" or ".join(f"`{name}`" for name in choice) for choice in choices)


def limits_of(check: Check) -> dict[str, object]:
    """Return the limits that a check's own parameters set, with their defaults."""
    parameters = inspect.signature(check.function).parameters
    return {
        name: parameter.default
        for name, parameter in parameters.items()
        if name not in ("evidence", "alpha")
    }


def required_examples_call(check: Check) -> str:
    """Return the call that says how many examples the check needs, with every case's default."""
    parameters = list(inspect.signature(check.examples).parameters.values())  # type: ignore[arg-type]
    case = [f"{p.name}={p.default!r}" for p in parameters if p.name not in ("alpha", "power")]
    return f"required_examples({', '.join([repr(check.name), *case])})"


def signature(function: object) -> str:
    """Return the parameters of a function without their types."""
    parameters = inspect.signature(function).parameters.values()  # type: ignore[arg-type]
    names = [
        p.name if p.default is p.empty else f"{p.name}={p.default!r}"
        for p in parameters
        if p.name not in ("alpha", "strict")
    ]
    first_keyword = next(
        (place for place, p in enumerate(parameters) if p.kind is p.KEYWORD_ONLY), len(names)
    )
    return ", ".join([*names[:first_keyword], "*", *names[first_keyword:]]).removesuffix(", *")


def link(name: str) -> str:
    """Return a link to the section of a check or a cause."""
    return f"[{name}](#{name})"


def markdown(docstring: str) -> str:
    """Return a docstring as Markdown: its paragraphs, and roles and literals as code."""
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", inspect.cleandoc(docstring))
    return text.replace("``", "`") + "\n"


# contracts.md: a failure message links to `#<contract>`


def contracts_page() -> str:
    """Return the page of the contracts."""
    sections = itertools.chain.from_iterable(map(contract_section, contracts.__all__))
    return "\n".join([NOTE, CONTRACTS_INTRODUCTION, *sections])


CONTRACTS_INTRODUCTION = """\
# Contracts

Relations that a team's own functions keep, whatever the data: metamorphic tests of the code around
the model. Each is a plain function to call in a test, or inside `@given`, where Hypothesis looks
for the data that break it and shrinks them. A contract that is broken is an `AssertionError` with
a message; bad input is a `ValueError` or `TypeError`. Training a model and starting a process take
longer than Hypothesis allows an example by default: `@settings(deadline=None)`.

The folder `examples/property_tests` has two pipelines under these contracts, each with the bugs
that they find.
"""


def contract_section(name: str) -> Iterator[str]:
    """Yield the section of one contract, paragraph by paragraph."""
    function = getattr(contracts, name)
    docstring = inspect.getdoc(function) or ""
    yield f"## {name.removeprefix('assert_')}\n"
    yield f"`{name}({signature(function)})`\n"
    yield markdown(docstring.split("\nParameters\n")[0])
    for names, description in grouped_parameters(function):
        yield f"- {', '.join(f'`{item}`' for item in names)}: {description}"
    example = textwrap.dedent(docstring.split("\nExamples\n--------\n")[1])
    yield f"\n```pycon\n{example}\n```\n"


def grouped_parameters(documented: object) -> Iterator[tuple[list[str], str]]:
    """Yield the parameters that are described together, and their description."""
    described = described_parameters(documented).items()
    for description, group in itertools.groupby(described, lambda item: item[1]):
        yield [name for name, _ in group], description


# evidence.md


def evidence_page() -> str:
    """Return the table of the fields of the evidence; fields described together share a row."""
    needed_by: dict[str, list[str]] = {}
    for check in all_checks():
        for need in check.needs:
            for name in (need,) if isinstance(need, str) else need:
                needed_by.setdefault(name, []).append(f"[{check.name}](checks.md#{check.name})")
    descriptions = described_parameters(Evidence)
    together = itertools.groupby(
        dataclasses.fields(Evidence), lambda field: descriptions[field.name]
    )
    rows = []
    for description, group in together:
        fields = list(group)
        kinds = (f"`{field.metadata['shape']}` {field.metadata['kind']}" for field in fields)
        checks = itertools.chain.from_iterable(needed_by.get(field.name, ()) for field in fields)
        rows.append(
            (
                ", ".join(f"`{field.name}`" for field in fields),
                ", ".join(dict.fromkeys(kinds)),
                description,
                ", ".join(dict.fromkeys(checks)),
            )
        )
    return "\n".join(
        [
            NOTE,
            "# The evidence bundle\n",
            EVIDENCE_INTRODUCTION,
            table(("field", "shape and content", "what it is", "needed by"), rows),
        ]
    )


EVIDENCE_INTRODUCTION = """\
`Evidence` holds arrays observed at the stages of a pipeline. Every field is optional: give more,
catch more. A training job writes a bundle with `Evidence(...).save("run.npz")`, or with NumPy:
`np.savez_compressed("run.npz", logits=logits, y_true=y_true)`. CI judges it without a model:
`pytest --bertcheck --bertcheck-evidence=run.npz`. Nothing in a bundle is unpickled.

In the shapes, n = evaluation examples, m = training examples, C = number of labels, T = recorded
training points (each series may have its own), k and r = sample sizes, L = encoded length.
"""


def described_parameters(documented: object) -> dict[str, str]:
    """Return what the numpydoc section "Parameters" says of each name."""
    text = inspect.getdoc(documented) or ""
    section = text.split("Parameters\n----------\n")[1].split("\n\n")[0]
    descriptions: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", section):
        head, _, body = entry.partition("\n")
        for name in head.partition(" : ")[0].split(", "):
            descriptions[name] = markdown(" ".join(textwrap.dedent(body).split())).strip()
    return descriptions


# options.md


def options_page() -> str:
    """Return the options as ``pytest --help`` shows them, and the settings of the TOML files."""
    attributes = described_attributes(Settings)
    defaults = dataclasses.asdict(Settings())
    rows = [
        (f"`{key}`", kind.__name__, shown(defaults[key]), attributes[key])
        for key, kind in KEYS.items()
    ]
    return "\n".join(
        [
            NOTE,
            "# Options\n",
            "## Command line\n",
            f"```text\n{help_text()}```\n",
            "## bertcheck.toml, or `[tool.bertcheck]` in pyproject.toml\n",
            "`bertcheck.toml` wins over `pyproject.toml`, the command line over both.\n",
            table(("key", "type", "default", "meaning"), rows),
        ]
    )


def help_text() -> str:
    """Return the plugin's part of ``pytest --help``, in the form of the newest pytest."""
    text = pytest_output("--help")
    group = text.split("Checks of text classifiers (pytest-bertcheck):\n")[1].split("\n\n")[0]
    return textwrap.dedent(group) + "\n"


def described_attributes(documented: type) -> dict[str, str]:
    """Return what the numpydoc section "Attributes" says of each name."""
    text = (inspect.getdoc(documented) or "").replace("Attributes\n", "Parameters\n")
    return described_parameters(type("", (), {"__doc__": text}))


def shown(value: object) -> str:
    """Return a default for the table."""
    if value is None or value == {}:
        return "not set"
    return str(value).lower() if isinstance(value, bool) else f"`{value}`"


# strategies.md


def strategies_page() -> str:
    """Return the page of the strategies: what their docstrings say, and the values they draw."""
    module = strategies.__doc__ or ""
    public = [getattr(strategies, name) for name in strategies.__all__]
    functions = [item for item in public if inspect.isfunction(item)]
    drawn = [item for item in public if inspect.isclass(item)]
    sections = itertools.chain.from_iterable(
        documented_section(item) for item in [*functions, *drawn]
    )
    return "\n".join([NOTE, f"# Strategies\n\n{paragraphs(module)}", *sections])


def documented_section(documented: Callable[..., object]) -> Iterator[str]:
    """Yield the section of a strategy or of what it draws, numpydoc sections as Markdown."""
    yield f"## {documented.__name__}\n"
    if inspect.isfunction(documented):
        yield f"```python\n{documented.__name__}({signature(documented)})\n```\n"
    text = inspect.cleandoc(documented.__doc__ or "")
    body, *rest = re.split(r"\n\n(\w+)\n-+\n", text)
    yield paragraphs(body)
    for title, section in zip(rest[::2], rest[1::2], strict=True):
        if title == "Examples":
            yield f"```pycon\n{section.strip()}\n```\n"
            continue
        yield f"**{title}**\n"
        for entry in re.split(r"\n(?=\S)", section.strip()):
            names, _, meaning = entry.partition("\n")
            names = ", ".join(f"`{name}`" for name in names.split(", "))
            yield f"- {names}: {paragraphs(meaning).strip()}"
        yield ""


def paragraphs(text: str) -> str:
    """Return paragraphs of a docstring as Markdown, simple tables and code blocks too."""
    text = re.sub(r"::\n\n((?:    .*\n|\n)+)", code_block, inspect.cleandoc(text) + "\n")
    text = re.sub(r"(?m)^(=+ +=+)\n(.*)\n\1\n((?:.*\n)*?)\1$", simple_table, text)
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", text)
    return re.sub(r"(?<!`)``(?!`)", "`", text)


def code_block(match: re.Match[str]) -> str:
    """Return an indented block after ``::`` as fenced code."""
    return f":\n\n```python\n{textwrap.dedent(match[1]).strip()}\n```\n\n"


def simple_table(match: re.Match[str]) -> str:
    """Return a reStructuredText table of two columns; a row without a first cell goes on."""
    width = match[1].index(" ")
    rows: list[list[str]] = []
    for line in [match[2], *match[3].splitlines()]:
        first, second = line[:width].strip(), line[width:].strip()
        if first:
            rows.append([first, second])
        else:
            rows[-1][1] += f" {second}"
    return table(rows[0], rows[1:]).rstrip()


# README.md


def failure_block() -> str:
    """Return what the quick start prints of one failure, and its last lines.

    Left out are the other failures, the full report, and what differs between machines.
    """
    with tempfile.TemporaryDirectory() as folder:
        # Beside the bundle alone: this page is checked by a test, which must not run itself.
        bundle = Path(folder, BUNDLE)
        bundle.parent.mkdir(parents=True)
        bundle.write_bytes((ROOT / BUNDLE).read_bytes())
        lines = pytest_output(*QUICK_START, folder=Path(folder)).splitlines()
    title = next(number for number, line in enumerate(lines) if SHOWN_CHECK in line)
    end = next(n for n, line in enumerate(lines) if n > title and re.match("[_=]{3,}", line))
    summary = next(n for n, line in enumerate(lines) if "short test summary info" in line)
    *failures, outcome = lines[summary + 1 :]
    outcome = re.sub(" in [0-9.]+s", "", outcome.strip("= "))
    shown = [f"$ pytest {' '.join(QUICK_START)}", "...", *lines[title + 1 : end], "...", *failures]
    return "```console\n" + "\n".join([*shown, outcome]) + "\n```\n"


def check_table() -> str:
    """Return the table of the checks."""
    rows = [
        (
            f"[`{check.stage}::{check.name}`](docs/checks.md#{check.name})",
            markdown(check.description.splitlines()[0]).strip(),
            needs_of(check),
        )
        for check in suite_checks()
    ]
    return table(("check", "what it asks", "needs"), rows)


def probe_table() -> str:
    """Return the table of probes."""
    rows = [
        (
            inspect.getdoc(probe.function).splitlines()[0],
            ", ".join(f"`{part}`" for part in probe.parts),
            ", ".join(f"`{field}`" for field in probe.fields),
            probe.tells_apart,
        )
        for probe in PROBES
    ]
    return table(("probe", "needs", "gives", "tells apart"), rows) + "\n"


BLOCKS = {"failure": failure_block, "checks": check_table, "probes": probe_table}


# Helpers


def pytest_output(*options: str, folder: Path = ROOT) -> str:
    """Return what pytest prints in a folder, for a reader 100 columns wide."""
    unwanted = ("BUILD_NUMBER", "CI", "PYTEST_ADDOPTS")  # change what pytest prints
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    environment |= {"COLUMNS": "100", "PY_COLORS": "0"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    finished = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=False
    )
    return finished.stdout


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
