"""``st.from_type(Evidence)`` draws healthy bundles, and costs nothing where nobody asks for it."""

from __future__ import annotations

import json
import sys
from importlib.metadata import entry_points

import pytest

FIRST = {
    "Hypothesis first": "from hypothesis import find, strategies as st\n"
    "from pytest_bertcheck import Evidence",
    "Evidence first": "from pytest_bertcheck import Evidence\n"
    "from hypothesis import find, strategies as st",
    "a check first": "from pytest_bertcheck import diagnose\n"
    "from hypothesis import find, strategies as st\n"
    "from pytest_bertcheck import Evidence",
}
CONFTEST = """
import json, pathlib, sys
import pytest

@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    pathlib.Path("modules.json").write_text(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("imports", FIRST.values(), ids=FIRST.keys())
def test_the_type_resolves_to_healthy_bundles(pytester: pytest.Pytester, imports: str) -> None:
    """Whichever is imported first, the type alone draws a whole bundle that fails no check."""
    script = pytester.makepyfile(
        script=f"{imports}\nfrom pytest_bertcheck import diagnose\n"
        "evidence = find(st.from_type(Evidence), lambda evidence: True)\n"
        "print(diagnose(evidence).verdict != 'failed', len(evidence.fields()) > 20)\n"
    )
    assert ["True True"] == pytester.runpython(script).outlines


def test_the_type_resolves_in_builds(pytester: pytest.Pytester) -> None:
    """A parameter annotated with the type needs no strategy of its own."""
    pytester.makepyfile(
        """
        from hypothesis import given, infer, settings
        from pytest_bertcheck import Evidence, diagnose

        @given(evidence=infer)
        @settings(deadline=None, max_examples=25)
        def test_gate(evidence: Evidence):
            assert diagnose(evidence).verdict != "failed"
        """
    )
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=1)


FIRST_EXAMPLE = {
    "diagnose": "diagnose(evidence)",
    "an assertion": "assert_not_collapsed(evidence.logits, y_true=evidence.y_true)",
}


@pytest.mark.parametrize("judged", FIRST_EXAMPLE.values(), ids=FIRST_EXAMPLE.keys())
def test_a_first_example_imports_no_library(pytester: pytest.Pytester, judged: str) -> None:
    """Libraries take longer to import than the deadline of an example: they are there before."""
    script = pytester.makepyfile(
        script="import sys\n"
        "from hypothesis import find\n"
        "from pytest_bertcheck import assert_not_collapsed, diagnose, strategies\n"
        "evidence = find(strategies.evidences(min_size=50), lambda evidence: True)\n"
        "before = set(sys.modules)\n"
        f"{judged}\n"
        "print({name.partition('.')[0] for name in set(sys.modules) - before})\n"
    )
    assert ["set()"] == pytester.runpython(script).outlines


def test_importing_hypothesis_imports_nothing_of_ours(pytester: pytest.Pytester) -> None:
    """Hypothesis runs the entry point on each import, and that imports the light package only."""
    script = pytester.makepyfile(
        script="import hypothesis, sys\n"
        "print(sorted(m for m in sys.modules if m.startswith('pytest_bertcheck')))\n"
        "print({'numpy', 'scipy', 'sklearn'} & set(sys.modules))\n"
    )
    assert ["['pytest_bertcheck']", "set()"] == pytester.runpython(script).outlines


def test_a_run_with_the_plugin_of_hypothesis_stays_light(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a property test in the run, too, an unused plugin imports neither NumPy nor a check."""
    monkeypatch.delenv("PYTEST_ADDOPTS")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(
        """
        from hypothesis import given, strategies as st

        @given(st.integers())
        def test_property(number):
            assert number * 2 % 2 == 0
        """
    )
    assert 0 == pytester.runpytest_subprocess().ret
    modules = set(json.loads((pytester.path / "modules.json").read_text()))
    ours = {name for name in modules if name.partition(".")[0] == "pytest_bertcheck"}
    assert {"pytest_bertcheck", "pytest_bertcheck.plugin", "pytest_bertcheck.settings"} >= ours
    assert set() == modules & {"numpy", "scipy", "sklearn"}


def test_the_entry_point_is_installed() -> None:
    """The installed distribution tells Hypothesis which function to call."""
    (entry,) = (item for item in entry_points(group="hypothesis") if item.name == "bertcheck")
    assert "pytest_bertcheck:register_with_hypothesis" == entry.value
    assert entry.load() is sys.modules["pytest_bertcheck"].register_with_hypothesis


def test_the_strategies_are_a_public_name(pytester: pytest.Pytester) -> None:
    """The strategies are imported when they are used, by either way of writing it."""
    script = pytester.makepyfile(
        script="import sys, pytest_bertcheck\n"
        "before = 'hypothesis' in sys.modules\n"
        "first = pytest_bertcheck.strategies\n"
        "from pytest_bertcheck import strategies\n"
        "print(before, first is strategies, 'strategies' in dir(pytest_bertcheck))\n"
    )
    assert ["False True True"] == pytester.runpython(script).outlines
