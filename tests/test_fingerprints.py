"""What the adapters' fingerprints tell apart, and what they refuse to tell."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.naive_bayes import ComplementNB
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler
from sklearn.tree import DecisionTreeClassifier

from pytest_bertcheck import Pipeline
from pytest_bertcheck.adapters.fingerprints import config_of, files_in
from pytest_bertcheck.pipeline import NotPossible

TEXTS, LABELS = ["lunch today", "win money now", "see you", "cheap money"] * 4, [0, 1, 0, 1] * 4


def fitted(*steps, texts=TEXTS):
    """Return a classifier that has learnt the texts."""
    return make_pipeline(*steps).fit(texts, LABELS)


def fingerprint(estimator, **parts) -> str:
    """Return the fingerprint of the pipeline of an estimator."""
    return Pipeline.from_sklearn(estimator, texts=TEXTS, y_true=LABELS, **parts).fingerprint()


DIFFERENT = {
    "plain": fitted(TfidfVectorizer(), LogisticRegression()),
    "regularised": fitted(TfidfVectorizer(), LogisticRegression(C=0.5)),
    "other texts": fitted(TfidfVectorizer(), LogisticRegression(), texts=["lunch now", *TEXTS[1:]]),
    "counts": fitted(CountVectorizer(), LogisticRegression()),
    "lower case": fitted(CountVectorizer(preprocessor=str.lower), LogisticRegression()),
    "stop words": fitted(CountVectorizer(stop_words=["now"]), LogisticRegression()),
    "union": fitted(
        make_union(CountVectorizer(), TfidfVectorizer()), SGDClassifier(random_state=1)
    ),
    "weighted union": fitted(
        FeatureUnion(
            [("a", CountVectorizer()), ("b", TfidfVectorizer())], transformer_weights={"a": 0.5}
        ),
        SGDClassifier(random_state=1),
    ),
    "bayes": fitted(CountVectorizer(), MaxAbsScaler(), ComplementNB()),
    "tree": fitted(CountVectorizer(), DecisionTreeClassifier(random_state=1)),
}


def test_estimators_are_told_apart() -> None:
    """Whatever was set or learnt otherwise is another fingerprint."""
    assert len(DIFFERENT) == len({fingerprint(estimator) for estimator in DIFFERENT.values()})


@pytest.mark.parametrize("name", DIFFERENT)
def test_predicting_does_not_change_the_fingerprint(name: str) -> None:
    """A classifier that has answered is the same as before."""
    estimator = DIFFERENT[name]
    before = fingerprint(estimator)
    estimator.predict(TEXTS)
    assert before == fingerprint(estimator)


def test_a_weight_that_changes_in_place_is_another_fingerprint() -> None:
    """The smallest change of a single coefficient is seen."""
    estimator = fitted(TfidfVectorizer(), LogisticRegression())
    before = fingerprint(estimator)
    coefficients = estimator[-1].coef_
    coefficients[0, 0] = np.nextafter(coefficients[0, 0], 9)
    assert before != fingerprint(estimator)


SCRIPT = """
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from pytest_bertcheck import Pipeline
texts, labels = ["lunch today", "win money now", "see you", "cheap money"] * 4, [0, 1, 0, 1] * 4
model = make_pipeline(TfidfVectorizer(stop_words=["see"]), LogisticRegression()).fit(texts, labels)
print(Pipeline.from_sklearn(model, texts=texts, y_true=labels).fingerprint())
"""


def test_another_process_gives_the_same_fingerprint() -> None:
    """Neither an address in memory nor the hash seed is part of it."""
    answers = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert 1 == len(answers)


def own_words(text: str) -> list[str]:
    """Split as the team does."""
    return text.split()


class OwnScaler(MaxAbsScaler):
    """A step of the team's own."""


OWN = {
    "tokenizer": CountVectorizer(tokenizer=own_words, token_pattern=None),
    "function": make_pipeline(CountVectorizer(), FunctionTransformer(abs), OwnScaler()),
    "lambda": make_pipeline(CountVectorizer(), FunctionTransformer(lambda rows: rows)),
}


@pytest.mark.parametrize("step", OWN.values(), ids=OWN.keys())
def test_code_of_ones_own_has_no_fingerprint(step) -> None:
    """A function or a class of the team may change while its name stays."""
    with pytest.raises(NotPossible, match="is code of your own"):
        fingerprint(fitted(step, LogisticRegression()))


@pytest.mark.parametrize("part", ["predict", "encode", "predict_padded", "load", "start_training"])
def test_a_part_of_ones_own_takes_the_fingerprint_away(part: str) -> None:
    """What a team puts in the place of an adapter's part, no adapter tells the content of."""
    with pytest.raises(NotPossible, match=f"{part} is code of your own"):
        fingerprint(DIFFERENT["plain"], **{part: own_words})


def test_a_fingerprint_of_ones_own_stands() -> None:
    """With a fingerprint for all of it, a team's own parts are kept."""
    parts = {"predict": own_words, "fingerprint": "v1"}
    pipeline = Pipeline.from_sklearn(DIFFERENT["plain"], texts=TEXTS, y_true=LABELS, **parts)
    assert "v1" == pipeline.fingerprint


def test_files_are_told_apart(tmp_path: Path) -> None:
    """Name, place and content of every file count."""
    seen = set()
    for name, content in (("a", b"1"), ("b", b"1"), ("sub/a", b"1"), ("a", b"2"), ("c", b"")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
        seen.add(repr(files_in(tmp_path)))
    assert 5 == len(seen)


@pytest.mark.parametrize(
    "config",
    [
        {"class_name": "Own", "module": "newsroom.layers", "registered_name": "Own"},
        [{"config": {"loss": {"class_name": "function", "module": "builtins"}}}],
        {"class_name": "__lambda__", "config": {}},
        {"activation": own_words},
    ],
)
def test_own_code_in_a_configuration_is_found(config) -> None:
    """However deep a layer, a loss or a function of the team stands, there is no fingerprint."""
    with pytest.raises(NotPossible, match="code of your own"):
        config_of({"layers": [config]})


def test_an_estimator_is_cached(pytester: pytest.Pytester) -> None:
    """Of a classifier of scikit-learn the second run calls nothing, its own answers included."""
    pytester.makeconftest(
        """
import pathlib
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from pytest_bertcheck import Pipeline

TEXTS, LABELS = ["lunch today", "win money now", "see you", "cheap money"] * 20, [0, 1, 0, 1] * 20

@pytest.fixture(scope="session")
def bertcheck_pipeline():
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, LABELS)
    return Pipeline.from_sklearn(
        model, texts=TEXTS, y_true=LABELS, train_texts=TEXTS, y_train=LABELS
    )
"""
    )
    results = [pytester.runpytest("--bertcheck", "--bertcheck-cache") for _ in range(2)]
    first, second = (result.parseoutcomes() for result in results)
    assert first == second
    results[1].stdout.fnmatch_lines(["*observed in an earlier run*"])
    results[0].stdout.no_fnmatch_line("*not cached*")
