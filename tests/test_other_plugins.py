"""Beside plugins that change how tests run, and under options that change what pytest does.

`tox run -e plugins` installs the plugins; without them their rows are skipped.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

PLUGINS = {
    "pytest_randomly": ["-p", "randomly"],
    "pytest_rerunfailures": ["--reruns=1"],
    "pytest_timeout": ["--timeout=60"],
    "pytest_cov": ["--cov=."],
}
OPTIONS = {
    "warnings-are-errors": ["-W", "error"],
    "no-terminal": ["-p", "no:terminal"],
    "no-cacheprovider": ["-p", "no:cacheprovider"],
    "assert-plain": ["--assert=plain"],
    "n2": ["-n2"],
    "no-xdist": ["-p", "no:xdist"],
    "quiet": ["-q"],
    "no-summary": ["--no-summary"],
}
LOOKS = {
    "collect-only": ["--collect-only"],
    "collect-only-quiet": ["--co", "-q"],
    "setup-plan": ["--setup-plan"],
}
SETTINGS = {
    "native": '[tool.pytest]\naddopts = ["-ra"]\n',
    "strict": "[tool.pytest]\nstrict = true\n",
    "ini_options": '[tool.pytest.ini_options]\naddopts = "-ra --strict-markers --strict-config"\n',
}


def run(pytester: pytest.Pytester, *options: str) -> int:
    """Run pytest in a process of its own; return its exit code, if nothing broke within it."""
    return exit_code(pytester.runpytest_subprocess(*options))


def exit_code(result: pytest.RunResult) -> int:
    """Return the exit code of a run, if nothing broke within it."""
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    return int(result.ret)


def own_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_own():\n    assert 1 + 1 == 2\n")


@pytest.mark.parametrize("plugin", PLUGINS)
def test_verdicts_beside_another_plugin(
    pytester: pytest.Pytester, bundles: Path, plugin: str
) -> None:
    """The exit codes are what they are without it, and a run of other tests is not touched."""
    if find_spec(plugin) is None:
        pytest.skip(f"needs {plugin}")
    options = PLUGINS[plugin]
    assert 1 == run(pytester, "--bertcheck-evidence=collapsed.npz", *options)
    assert 0 == run(pytester, "--bertcheck-evidence=healthy.npz", *options)
    own_test(pytester)
    assert 0 == run(pytester, *options)


@pytest.mark.parametrize("options", [*OPTIONS.values(), *LOOKS.values()], ids=[*OPTIONS, *LOOKS])
def test_a_run_without_the_checks_is_not_touched(
    pytester: pytest.Pytester, options: list[str]
) -> None:
    """Installed and not asked for, the plugin changes no run of other tests."""
    own_test(pytester)
    assert 0 == run(pytester, *options)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_verdicts_under_settings_of_pytest(
    pytester: pytest.Pytester, bundles: Path, settings: str
) -> None:
    """A native table and strict mode are read by pytest 9, and are no obstacle."""
    if "ini_options" not in settings and not hasattr(pytest, "Subtests"):
        pytest.skip("needs pytest 9")
    (pytester.path / "pyproject.toml").write_text(settings)
    assert 1 == exit_code(pytester.runpytest("--bertcheck-evidence=collapsed.npz"))
    assert 0 == exit_code(pytester.runpytest("--bertcheck-evidence=healthy.npz"))
    own_test(pytester)
    assert 0 == exit_code(pytester.runpytest())
