"""Misuse on the command line: exit code 4, one line that says what was expected."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from .conftest import PIPELINE


def write_pickled(path: Path) -> None:
    np.savez(path, y_true=np.array([{"a": 1}], dtype=object), allow_pickle=True)


def write_single(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.arange(3))


FILES = {
    "truncated.npz": lambda path: path.write_bytes(b"PK\x03\x04 cut off"),
    "text.npz": lambda path: path.write_text("not a bundle"),
    "empty.npz": lambda path: path.write_bytes(b""),
    "pickled.npz": write_pickled,
    "single.npz": write_single,
    "unknown.npz": lambda path: np.savez(path, logit=np.zeros((2, 2))),
    "ragged.npz": lambda path: np.savez(path, y_true=[0, 1], logits=np.zeros((3, 2))),
    "texts.csv": lambda path: path.write_text("text,label\nhello,ham\n"),
    "model/config.json": lambda path: path.write_text(json.dumps({"model_type": "bert"})),
}

CASES = {
    "missing": (["--bertcheck-evidence=none.npz"], "expected a file, got 'none.npz'"),
    "folder": (["--bertcheck-evidence=model"], "expected a file, got 'model'"),
    "truncated": (["--bertcheck-evidence=truncated.npz"], "expected a .npz bundle"),
    "text": (["--bertcheck-evidence=text.npz"], "expected a .npz bundle"),
    "empty": (["--bertcheck-evidence=empty.npz"], "expected a .npz bundle"),
    "pickled": (["--bertcheck-evidence=pickled.npz"], "y_true holds pickled Python objects"),
    "single": (["--bertcheck-evidence=single.npz"], "it holds a single array"),
    "unknown field": (["--bertcheck-evidence=unknown.npz"], "did you mean 'logits'?"),
    "lengths": (["--bertcheck-evidence=ragged.npz"], "y_true has 2, logits has 3"),
    "model without data": (["--bertcheck-model=model"], "expected --bertcheck-data beside it"),
    "data without model": (["--bertcheck-data=texts.csv"], "expected --bertcheck-model beside it"),
    "model is a file": (
        ["--bertcheck-model=texts.csv", "--bertcheck-data=texts.csv"],
        "--bertcheck-model: expected a folder, got 'texts.csv'",
    ),
    "evidence and model": (
        ["--bertcheck-evidence=text.npz", "--bertcheck-model=model", "--bertcheck-data=texts.csv"],
        "expected one of the two, got both",
    ),
    "nothing to check": (["--bertcheck"], "no pipeline to check; expected a fixture"),
}


@pytest.mark.parametrize(("options", "message"), CASES.values(), ids=CASES.keys())
def test_bad_options_are_usage_errors(
    pytester: pytest.Pytester, options: list[str], message: str
) -> None:
    """Each bad option exits with 4 and says what was given and what was expected."""
    for name, write in FILES.items():
        path = pytester.path / name
        path.parent.mkdir(exist_ok=True)
        write(path)
    result = pytester.runpytest(*options)
    assert 4 == result.ret
    assert message in " ".join((result.stdout.str() + result.stderr.str()).split())


SETTINGS = {
    "unknown key": ("pipelin = 'a:b'", "unknown key 'pipelin'"),
    "wrong type": ("pipeline = 3", "pipeline: expected a str, got 3"),
    "alpha as text": ("alpha = '0.1'", "alpha: expected a float, got '0.1'"),
    "alpha out of range": ("alpha = 1.5", "alpha: expected a probability between 0 and 1"),
    "no TOML": ("pipeline = ", "expected TOML, got"),
    "no colon": ("pipeline = 'newsroom'", "expected 'package.module:factory'"),
    "no module": ("pipeline = 'nowhere:make'", "ModuleNotFoundError"),
    "no factory": ("pipeline = 'newsroom:make'", "AttributeError"),
    "factory raises": ("pipeline = 'newsroom:broken'", "OSError: no such checkpoint"),
    "no pipeline": ("pipeline = 'newsroom:nothing'", "got NoneType"),
    "no table": ("[tool]\nbertcheck = 3", "expected a table"),
}


@pytest.mark.parametrize(("content", "message"), SETTINGS.values(), ids=SETTINGS.keys())
def test_bad_settings_are_usage_errors(
    pytester: pytest.Pytester, content: str, message: str
) -> None:
    """Each bad setting exits with 4 and names file, key, what was given and what was expected."""
    pytester.makepyfile(
        newsroom=PIPELINE
        + "\ndef broken():\n    raise OSError('no such checkpoint')\n"
        + "\ndef nothing():\n    pass\n"
    )
    pytester.path.joinpath("bertcheck.toml").write_text(content)
    result = pytester.runpytest("--bertcheck")
    assert 4 == result.ret
    assert message in " ".join((result.stdout.str() + result.stderr.str()).split())


PIPELINES = {
    "too few outputs": ("pipeline(lambda texts: logits(texts)[:-1])", "expected outputs for 80"),
    "strings": ("pipeline(lambda texts: ['junk'] * len(texts))", "expected one of the labels"),
    "list of dicts": (
        "pipeline(lambda texts: [{'name': 'ham', 'score': 0.9}] * len(texts))",
        "Python objects",
    ),
    "labels differ": ("Pipeline(logits, TEXTS, [0, 1])", "expected the same number"),
    "names as answers": (
        "pipeline(decode=lambda outputs: ['ham'] * len(outputs))",
        "map names to ids first",
    ),
    "encode returns a list": ("pipeline(encode=lambda texts: [1])", "encode: expected a mapping"),
    "load returns nothing": ("pipeline(load=lambda: None)", "load: expected it to return predict"),
    "unknown recorded field": ("pipeline(recorded={'losses': [1]})", "did you mean 'loss'?"),
}


@pytest.mark.parametrize(("made", "message"), PIPELINES.values(), ids=PIPELINES.keys())
def test_pipelines_that_no_classifier_is_are_usage_errors(
    pytester: pytest.Pytester, made: str, message: str
) -> None:
    """What no classifier returns exits with 4, names the part and never passes silently."""
    pytester.makeconftest(
        f"{PIPELINE}\n@pytest.fixture(scope='session')\ndef bertcheck_pipeline():\n"
        f"    return {made}\n"
    )
    result = pytester.runpytest("--bertcheck")
    assert 4 == result.ret
    assert message in " ".join(result.stdout.str().split())
