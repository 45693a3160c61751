"""What holds of the source as a whole: the direction of imports, the wheel, the house rules."""

from __future__ import annotations

import ast
import configparser
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "pytest_bertcheck"
LAYERS = (
    {
        "content",
        "findings",
        "fresh_process",
        "logits",
        "messages",
        "progress",
        "settings",
        "statistics",
        "whole_files",
    },
    {"evidence"},
    {"checks"},
    {"diagnosis", "experiments", "reference"},
    {"assertions", "contracts", "strategies"},
    {"adapters", "baselines", "observations", "pipeline", "probes", "reports"},
    {"suite"},
    {"plugin"},
)
"""What a module may import stands in its own layer or in one before it."""
FRAMEWORKS = {"keras", "safetensors", "tensorflow", "tf_keras", "torch", "transformers"}
PURE = {"numpy", "pytest_bertcheck", "scipy", "sklearn"}
TEST_FILES = sorted((ROOT / "tests").rglob("test_*.py"))


@dataclass(frozen=True)
class Import:
    """One import: from which file, of what, and whether it runs when the file is imported."""

    path: Path
    line: int
    module: str
    at_start: bool

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line} imports {self.module}"


def imports_of(path: Path) -> Iterator[Import]:
    """Yield every import of a file, with absolute module names."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    later = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).with_suffix("").parts[: -node.level or None]
            start = [*package, node.module] if node.level else [node.module]
            base = ".".join(part for part in start if part)
            # `from . import suite` is about modules, `from .suite import Gate` about names.
            names = [alias.name for alias in node.names] if node.module is None else []
            modules = [f"{base}.{name}" for name in names] or [base]
        else:
            continue
        for module in modules:
            yield Import(path, node.lineno, module, id(node) not in later)


IMPORTS = [item for path in sorted(PACKAGE.rglob("*.py")) for item in imports_of(path)]


def part_of(module: str) -> str | None:
    """Return which part of the package a module belongs to; ``None`` for the package itself."""
    top, _, rest = module.partition(".")
    return rest.partition(".")[0] or None if top == "pytest_bertcheck" else None


def home_of(item: Import) -> str | None:
    """Return which part of the package an import stands in."""
    return part_of(".".join(item.path.relative_to(ROOT).with_suffix("").parts))


def layer_of(part: str) -> int:
    """Return the number of the layer of a part."""
    return next(number for number, layer in enumerate(LAYERS) if part in layer)


def test_every_module_has_a_layer() -> None:
    """A new part of the package says where in the direction of imports it stands."""
    parts = {
        path.stem if path.is_file() else path.name
        for path in PACKAGE.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert set() == parts - {"__init__"} - set().union(*LAYERS)


def test_imports_point_one_way() -> None:
    """Data flows from evidence to report, and no module imports from a later layer."""
    backwards = [
        str(item)
        for item in IMPORTS
        if (home := home_of(item)) not in (None, "__init__")
        and (target := part_of(item.module)) is not None
        and layer_of(target) > layer_of(home or "")
    ]
    assert [] == backwards


def test_nothing_imports_the_plugin() -> None:
    """Only pytest imports the entry point."""
    assert [] == [str(item) for item in IMPORTS if part_of(item.module) == "plugin"]


def test_checks_are_pure() -> None:
    """A check imports the standard library, NumPy, SciPy and scikit-learn, at any time."""
    allowed = PURE | set(sys.stdlib_module_names)
    foreign = [
        str(item)
        for item in IMPORTS
        if home_of(item) == "checks" and item.module.partition(".")[0] not in allowed
    ]
    assert [] == foreign


def test_frameworks_are_imported_when_used() -> None:
    """No module imports a framework when it is imported itself."""
    early = [
        str(item)
        for item in IMPORTS
        if item.at_start and item.module.partition(".")[0] in FRAMEWORKS
    ]
    assert [] == early


def test_what_every_run_imports_is_light() -> None:
    """The modules that pytest imports on every run import the standard library and pytest only."""
    allowed = {"pytest", "pytest_bertcheck", *sys.stdlib_module_names}
    light = ("__init__.py", "plugin.py", "settings.py")
    heavy = [
        str(item)
        for item in IMPORTS
        if item.path.parent == PACKAGE
        and item.path.name in light
        and item.at_start
        and (
            item.module.partition(".")[0] not in allowed
            or part_of(item.module) not in (None, "settings")
        )
    ]
    assert [] == heavy


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, as the build backend makes it from this tree."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        yield archive


def test_the_wheel_is_typed_and_complete(wheel: zipfile.ZipFile) -> None:
    """Every module of the package is in the wheel, what reports read, and the marker of types."""
    files = (path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".pyc")
    modules = {path.relative_to(ROOT).as_posix() for path in files}
    names = {name for name in wheel.namelist() if not name.partition("/")[0].endswith("info")}
    assert modules | {"pytest_bertcheck/py.typed"} == names


def test_the_wheel_says_what_it_is(wheel: zipfile.ZipFile) -> None:
    """The metadata carry the licence, the classifiers and the readme of a pytest plugin."""
    metadata = Parser().parsestr(read_from(wheel, "METADATA"))
    wanted = {"Framework :: Hypothesis", "Framework :: Pytest", "Typing :: Typed"}
    assert set() == wanted - set(metadata.get_all("Classifier", []))
    assert "MIT" == metadata["License-Expression"]
    assert metadata.get_payload().startswith("# pytest-bertcheck")


def test_the_entry_point_is_named_bertcheck(wheel: zipfile.ZipFile) -> None:
    """``-p no:bertcheck`` is what turns the plugin off."""
    entry_points = configparser.ConfigParser()
    entry_points.read_string(read_from(wheel, "entry_points.txt"))
    assert {"bertcheck": "pytest_bertcheck.plugin"} == dict(entry_points["pytest11"])


def read_from(wheel: zipfile.ZipFile, name: str) -> str:
    """Return a file of the wheel's metadata."""
    path = next(path for path in wheel.namelist() if path.endswith(f"info/{name}"))
    return wheel.read(path).decode("utf-8")


def test_the_lowest_versions_are_the_ones_tested() -> None:
    """The environment ``lowest`` pins each dependency, and Jinja2, to the lower bound of users."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    pins = tox["testenv:lowest"]["deps"].split()
    wanted = versions(project["dependencies"] + project["optional-dependencies"]["html"])
    pinned = versions(pins)
    pinned.pop("jsonschema")  # reads the schema in tests only, so users have no bound of it
    assert wanted == pinned


def versions(requirements: list[str]) -> dict[str, Version]:
    """Return the version that each requirement states."""
    parsed = [Requirement(requirement) for requirement in requirements]
    return {item.name: Version(next(iter(item.specifier)).version) for item in parsed}


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: path.stem)
def test_every_test_says_in_a_sentence_what_holds(path: Path) -> None:
    """Each test has a docstring that begins with a sentence."""
    unclear = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            sentence = (ast.get_docstring(node) or "").partition("\n\n")[0]
            if not sentence.endswith("."):
                unclear.append(f"{path.name}:{node.lineno} {node.name}")
    assert [] == unclear
