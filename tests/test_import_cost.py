"""Installed and unused, the plugin imports next to nothing, from the start of pytest to its end."""

from __future__ import annotations

import json

import pytest

CONFTEST = """
import json, pathlib, sys
import pytest

@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    pathlib.Path("modules.json").write_text(json.dumps(sorted(sys.modules)))
"""
ALLOWED = {"pytest_bertcheck", "pytest_bertcheck.plugin", "pytest_bertcheck.settings"}
HEAVY = {"hypothesis", "numpy", "scipy", "sklearn", "tensorflow", "torch", "transformers"}
RUNS = {
    "a test": [],
    "no xdist": ["-p", "no:xdist"],
    "verbose": ["-vv", "-ra", "--durations=3"],
    "collect only": ["--collect-only"],
    "fixtures": ["--fixtures"],
    "markers": ["--markers"],
    "help": ["--help"],
}


@pytest.mark.parametrize("options", RUNS.values(), ids=RUNS.keys())
def test_an_unused_plugin_imports_nothing_heavy(
    pytester: pytest.Pytester, options: list[str]
) -> None:
    """Neither NumPy nor Hypothesis nor a check is imported up to the very end of the run."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile("def test_one():\n    assert True\n")
    # The plugin of Hypothesis is not ours, and imports what it needs.
    result = pytester.runpytest_subprocess("-p", "no:hypothesispytest", *options)
    assert 0 == result.ret
    modules = set(json.loads((pytester.path / "modules.json").read_text()))
    ours = {name for name in modules if name.partition(".")[0] == "pytest_bertcheck"}
    assert set() == ours - ALLOWED
    assert "pytest_bertcheck.plugin" in ours
    assert set() == modules & HEAVY


def test_a_marked_test_that_is_skipped_imports_nothing_heavy(pytester: pytest.Pytester) -> None:
    """A test that waits for ``--bertcheck`` costs nothing without it."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(
        "import pytest\n\n@pytest.mark.bertcheck\ndef test_model(bertcheck_evidence):\n    pass\n"
    )
    result = pytester.runpytest_subprocess("-p", "no:hypothesispytest")
    result.assert_outcomes(skipped=1)
    modules = set(json.loads((pytester.path / "modules.json").read_text()))
    assert set() == modules & HEAVY


def test_the_public_api_is_imported_when_it_is_used(pytester: pytest.Pytester) -> None:
    """Importing the package loads no module of it; a name loads its own."""
    script = pytester.makepyfile(
        script="import sys\nimport pytest_bertcheck\nassert 'numpy' not in sys.modules\n"
        "before = {m for m in sys.modules if m.startswith('pytest_bertcheck.')}\n"
        "pytest_bertcheck.Verdict\n"
        "after = {m for m in sys.modules if m.startswith('pytest_bertcheck.')}\n"
        "print(sorted(before), sorted(after))\n"
    )
    result = pytester.runpython(script)
    assert ["[] ['pytest_bertcheck.findings']"] == result.outlines
