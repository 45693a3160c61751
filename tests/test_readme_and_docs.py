"""What the README and the docs say is what happens."""

from __future__ import annotations

import doctest
import importlib.util
import pkgutil
import re
from pathlib import Path

import hypothesis
import pytest

import pytest_bertcheck
from pytest_bertcheck.checks import all_checks
from pytest_bertcheck.findings import CAUSES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BUNDLES = ROOT / "examples" / "tensorflow_bbc" / "bundles"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
PAGES += sorted((ROOT / "docs").glob("*.md"))
MODULES = ["pytest_bertcheck"] + [
    module.name for module in pkgutil.walk_packages(pytest_bertcheck.__path__, "pytest_bertcheck.")
]
PYTHON = re.compile(r"```python\n# (\S+)\n(.*?)```", re.DOTALL)

NEWSROOM = """
from types import SimpleNamespace
import numpy as np

NAMES = ["business", "sport", "tech"]
WORDS = ["market", "goal", "software"]

def rows(number):
    labels = np.arange(number) % 3
    texts = [f"{WORDS[label]} report, page {page}" for page, label in enumerate(labels)]
    return SimpleNamespace(texts=texts, labels=labels, label_names=NAMES)

def predict(texts):
    return np.array([[4.0 * (word in text) + sum(map(ord, text)) % 7 / 10 for word in WORDS]
                     for text in texts])

def decode(logits):
    return logits.argmax(axis=1)

def class_weights(labels):
    counts = np.bincount(labels)
    return len(labels) / (len(counts) * counts)

config = SimpleNamespace(id2label=dict(enumerate(NAMES)),
                         label2id={name: label for label, name in enumerate(NAMES)})
classifier = SimpleNamespace(predict=predict, decode=decode, config=config)
training_set, evaluation_set = rows(150), rows(120)
history = {"loss": [1.1, 0.6, 0.2], "val_loss": [1.1, 0.5, 0.3]}
"""
"""What stands behind the ``newsroom`` of the README."""


@pytest.fixture(scope="session")
def generated() -> dict[str, str]:
    """The generated pages by name, as ``python docs/generate.py`` would write them now."""
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {str(path.relative_to(ROOT)): text for path, text in module.generated().items()}


@pytest.fixture
def files(pytester: pytest.Pytester) -> Path:
    """A folder with every Python file that the README shows, and the newsroom behind them."""
    (pytester.path / "newsroom.py").write_text(NEWSROOM)
    for name, code in PYTHON.findall(README):
        (pytester.path / name).write_text(code)
    return pytester.path


def test_every_python_block_of_the_readme_is_a_file() -> None:
    """A block says in its first line which file it is, so that it can be run here."""
    assert ["test_classifier.py", "record.py", "conftest.py", "test_class_weights.py"] == [
        name for name, _ in PYTHON.findall(README)
    ]
    assert README.count("```python") == len(PYTHON.findall(README))


def test_quick_start_a_runs(pytester: pytest.Pytester, files: Path) -> None:
    """The assertions of the README pass on a classifier that works."""
    pytester.syspathinsert(files)
    result = pytester.runpytest("test_classifier.py", "-W", "error")
    result.assert_outcomes(passed=1)


def test_the_property_test_runs(pytester: pytest.Pytester, files: Path) -> None:
    """The property test of the README passes on class weights that are right."""
    pytester.syspathinsert(files)
    result = pytester.runpytest("test_class_weights.py", "-W", "error")
    result.assert_outcomes(passed=1)


def test_quick_start_b_runs(pytester: pytest.Pytester, files: Path) -> None:
    """A run that is recorded as the README says passes the gate."""
    assert 0 == pytester.runpython(files / "record.py").ret
    for name in ("conftest.py", "test_class_weights.py"):
        (files / name).unlink()
    result = pytester.runpytest("--bertcheck", "--bertcheck-evidence=run.npz")
    assert 0 == result.ret
    result.stdout.fnmatch_lines(["verdict: passed"])


def test_quick_start_c_runs(pytester: pytest.Pytester, files: Path) -> None:
    """The pipeline that the README hands over is checked and passes."""
    pytester.syspathinsert(files)
    result = pytester.runpytest("--bertcheck")
    assert 0 == result.ret
    result.stdout.fnmatch_lines(["verdict: passed"])


@pytest.mark.parametrize(("bundle", "exit_code"), [("healthy", 0), ("collapsed", 1)])
def test_the_recorded_bundles_show_what_they_are_for(
    pytester: pytest.Pytester, bundle: str, exit_code: int
) -> None:
    """Of the two bundles of the example the healthy one passes and the collapsed one fails."""
    result = pytester.runpytest("--bertcheck", f"--bertcheck-evidence={BUNDLES / bundle}.npz")
    assert exit_code == result.ret


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        *(
            f"docs/{name}.md"
            for name in ("checks", "contracts", "evidence", "options", "pipelines", "strategies")
        ),
    ],
)
def test_generated_pages_are_current(generated: dict[str, str], page: str) -> None:
    """Every page that follows from the code says what the code says."""
    assert generated[page] == (ROOT / page).read_text(encoding="utf-8")


def test_the_anchors_of_the_messages_exist() -> None:
    """A failure message links to a heading whose text is the name of the check or the cause."""
    page = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    headings = re.findall(r"^### (.*)$", page, re.MULTILINE)
    assert [*(check.name for check in all_checks()), *CAUSES] == headings
    assert len(set(headings)) == len(headings)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Each relative link is to a file that is there, and to a heading in it."""
    text = page.read_text(encoding="utf-8")
    broken = []
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        name, _, anchor = target.partition("#")
        linked = page.parent / name if name else page
        if not linked.exists() or (anchor and anchor not in anchors(linked)):
            broken.append(target)
    assert [] == broken


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_ci_runs_the_test_command_of_the_readme() -> None:
    """What CI runs is what the README tells a reader to run."""
    command = "python -m pip install tox && tox run-parallel"
    assert f"$ {command}\n" in README
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_check_of_the_contributing_guide_works(pytester: pytest.Pytester) -> None:
    """The check that CONTRIBUTING.md adds in one file is found, and fails what it is meant to."""
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (_, code), *rest = PYTHON.findall(guide)
    assert [] == rest
    script = pytester.makepyfile(
        script="import numpy as np\n"
        "from pytest_bertcheck import Evidence, Finding, Verdict, diagnose\n"
        "from pytest_bertcheck.checks import ALPHA, check\n"
        f"{code}\n"
        "diagnosis = diagnose(Evidence(unknown_token_share=[0.9, 0.8]), checks=['tokens_known'])\n"
        "print(diagnosis.verdict, diagnosis.causes[0].code)\n"
    )
    assert ["failed vocabulary-mismatch"] == pytester.runpython(script).outlines


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_show_what_happens(name: str) -> None:
    """Every ``>>>`` in a docstring of the package gives what stands below it."""
    if "strategies" in name and (6, 130) > hypothesis.__version_info__:
        pytest.skip("the examples show how far Hypothesis shrinks; older ones do not get there")
    module = importlib.import_module(name)
    assert 0 == doctest.testmod(module).failed
