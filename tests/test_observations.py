"""A pipeline is observed once in a run, and between runs as often as any of its content changes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from pytest_bertcheck.content import content_hash

CONFTEST = """
import os
import pathlib
import numpy as np
import pytest
from pytest_bertcheck import Pipeline

TEXTS = ["win money now", "hello my friend"] * 40
Y_TRUE = [1, 0] * 40
CALLS = pathlib.Path("calls.txt")
WEIGHT = 2.0

def predict(texts):
    if len(texts) == len(TEXTS):
        with CALLS.open("a") as calls:
            calls.write("call\\n")
    return np.array([[-WEIGHT, WEIGHT] if "money" in text else [WEIGHT, -WEIGHT] for text in texts])

def pipeline(predict=predict, texts=TEXTS, **parts):
    return Pipeline(
        **{
            "predict": predict,
            "texts": texts,
            "y_true": Y_TRUE,
            "label_names": ["ham", "spam"],
            "fingerprint": f"weight {WEIGHT}",
            **parts,
        }
    )
"""
FIXTURE = """
@pytest.fixture(scope="session")
def bertcheck_pipeline():
    return pipeline({})
"""
CACHED = ("--bertcheck", "--bertcheck-cache", "-rA")


def calls(pytester: pytest.Pytester) -> int:
    """Return how often the evaluation set has passed through the model."""
    path = pytester.path / "calls.txt"
    return len(path.read_text().splitlines()) if path.exists() else 0


def entries(pytester: pytest.Pytester) -> list[Path]:
    """Return the cached observations."""
    return sorted(pytester.path.glob(".pytest_cache/d/bertcheck/*.npz"))


@pytest.fixture
def cached(pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """A run with the cache, of a pipeline with the given parts."""

    def run(parts: str = "", *options: str) -> pytest.RunResult:
        pytester.makeconftest(CONFTEST + FIXTURE.format(parts))
        return pytester.runpytest(*CACHED, *options)

    return run


# Within a run


@pytest.mark.parametrize(
    "options", [["-n2"], ["-n3", "--dist", "loadfile", "-p", "no:cacheprovider"]]
)
def test_the_workers_of_a_run_share_one_pass(pytester: pytest.Pytester, options: list[str]) -> None:
    """However many workers ask, the evaluation set passes through the model once."""
    pytester.makeconftest(CONFTEST + FIXTURE.format("fingerprint=None"))
    pytester.makepyfile(
        *(
            "import pytest\n\n"
            "@pytest.mark.parametrize('number', range(4))\n"
            "def test_own(number, bertcheck_evidence):\n"
            "    assert (80, 2) == bertcheck_evidence.logits.shape\n"
            f"# {number}"
            for number in range(3)
        ),
        test_other="def test_other(bertcheck_evidence):\n    pass\n",
    )
    assert 0 == pytester.runpytest("--bertcheck", *options).ret
    assert 1 == calls(pytester)
    assert 0 == pytester.runpytest("--bertcheck").ret
    assert 2 == calls(pytester)  # nothing of a run is left for the next


TWO = {
    "own-params": """
@pytest.fixture(scope="session", params=[pytest.param("healthy", id="x"), "collapsed"])
def bertcheck_pipeline(request):
    return made(request.param)
""",
    "objects": """
@pytest.fixture(scope="session", params=[{"is": "healthy"}, {"is": "collapsed"}])
def bertcheck_pipeline(request):
    return made(request.param["is"])
""",
    "fixture-of-a-fixture": """
@pytest.fixture(scope="session", params=["healthy", "collapsed"])
def kind(request):
    return request.param

@pytest.fixture(scope="session")
def bertcheck_pipeline(kind):
    return made(kind)
""",
}
MADE = """
def made(kind):
    weight = 0.0 if kind == "collapsed" else 2.0
    def predict(texts):
        return np.array([[-weight, weight] if "money" in text else [2.0, -2.0] for text in texts])
    return pipeline(predict)
"""
OWN_TEST = """
def test_accuracy(bertcheck_evidence, request):
    accuracy = (bertcheck_evidence.argmax == bertcheck_evidence.y_true).mean()
    assert accuracy == (0.5 if "collapsed" in request.node.name or "1]" in request.node.name else 1)
"""


@pytest.mark.parametrize(
    ("fixture", "options"),
    [
        *((fixture, []) for fixture in TWO.values()),
        (TWO["objects"], ["-n2", "--dist", "loadscope"]),
        (TWO["fixture-of-a-fixture"], ["-n2"]),
    ],
)
def test_two_pipelines_on_the_same_texts_are_never_confused(
    pytester: pytest.Pytester, fixture: str, options: list[str]
) -> None:
    """Parametrized pipelines of the same name and texts keep their own answers on every worker."""
    pytester.makeconftest(CONFTEST + MADE + fixture)
    names = [f"test_{letter}" for letter in "abcd"]
    pytester.makepyfile(**dict.fromkeys(names, OWN_TEST))
    result = pytester.runpytest("--bertcheck", *options)
    failed = [line for line in result.outlines if line.startswith("FAILED")]
    assert [] == [line for line in failed if "test_accuracy" in line]
    assert 1 == result.ret
    collapsed = [line for line in failed if "not_collapsed" in line]
    assert 1 == len(collapsed)


def test_objects_that_tests_give_a_fixture_are_not_shared(pytester: pytest.Pytester) -> None:
    """What two tests put in the place of a pipeline by ``indirect`` is observed by each worker."""
    pytester.makeconftest(
        CONFTEST
        + MADE
        + """
@pytest.fixture(scope="session")
def bertcheck_pipeline(request):
    return made(getattr(request, "param", ["healthy"])[0])
"""
    )
    test = """
import pytest

@pytest.mark.parametrize("bertcheck_pipeline", [[{kind!r}]], indirect=True, scope="session")
@pytest.mark.parametrize("number", range(3))
def test_accuracy(bertcheck_evidence, number):
    assert {expected} == (bertcheck_evidence.argmax == bertcheck_evidence.y_true).mean()
"""
    pytester.makepyfile(
        test_a=test.format(kind="healthy", expected=1.0),
        test_b=test.format(kind="collapsed", expected=0.5),
    )
    for options in (["-n2"], ["-n2", "--dist", "loadfile"]):
        assert 0 == pytester.runpytest("--bertcheck", *options).ret


def test_a_worker_that_dies_leaves_the_pass_to_the_others(pytester: pytest.Pytester) -> None:
    """A worker that is killed while it computes fails its own test, and no other waits for it."""
    pytester.makeconftest(
        CONFTEST
        + """
import time

def dying(texts):
    try:
        pathlib.Path("died.txt").touch(exist_ok=False)
    except FileExistsError:
        return predict(texts)
    time.sleep(1)  # the others wait for the lock by now
    os._exit(9)

@pytest.fixture(scope="session")
def bertcheck_pipeline():
    return pipeline(dying)
"""
    )
    result = pytester.runpytest("--bertcheck", "-n2")
    assert 1 == result.ret
    outcomes = result.parseoutcomes()
    assert 1 == outcomes["failed"]
    assert 1 < outcomes["passed"]
    assert 1 == calls(pytester)


def test_a_pipeline_that_raises_is_told_by_every_worker(pytester: pytest.Pytester) -> None:
    """What one worker found unusable, all call misuse, in the words of the exception."""
    pytester.makeconftest(
        CONFTEST
        + """
def broken(texts):
    predict(texts)
    raise RuntimeError("CUDA out of memory\\n\\u00e9 on device 0")

@pytest.fixture(scope="session")
def bertcheck_pipeline():
    return pipeline(broken)
"""
    )
    result = pytester.runpytest("--bertcheck", "-n3")
    assert 4 == result.ret
    assert 1 == calls(pytester)
    result.stdout.fnmatch_lines(
        ["*'pipeline' cannot be checked: RuntimeError: CUDA out of memory*"]
    )


# Between runs


def test_a_second_run_does_not_call_the_model(pytester, cached) -> None:
    """Of the same content the findings come from the cache, and the report says so."""
    first = cached()
    assert 0 == first.ret
    assert 1 == calls(pytester)
    assert 1 == len(entries(pytester))
    second = cached()
    assert 0 == second.ret
    assert 1 == calls(pytester)
    second.stdout.fnmatch_lines(["*pipeline: observed in an earlier run*--cache-clear*"])
    assert verdicts(first) == verdicts(second)
    assert 0 == pytester.runpytest(*CACHED, "-n2").ret
    assert 1 == calls(pytester)
    cached("", "--cache-clear")
    assert 2 == calls(pytester)


def verdicts(result: pytest.RunResult) -> set[str]:
    """Return the lines of the summary that say what became of each check."""
    words = ("PASSED", "FAILED", "SKIPPED", "INCONCLUSIVE")
    return {line for line in result.outlines if line.startswith(words)}


CHANGES = {
    "fingerprint": ("", "fingerprint='another'"),
    "fingerprint-function": ("fingerprint=lambda: 'one'", "fingerprint=lambda: 'two'"),
    "texts": ("", "texts=['win money'] + TEXTS[1:]"),
    "order": ("", "texts=TEXTS[::-1], y_true=Y_TRUE[::-1]"),
    "y_true": ("", "y_true=[0] + Y_TRUE[1:]"),
    "label names": ("", "label_names=['ham', 'Spam']"),
    "names of the data set": ("", "dataset_label_names=['ham', 'spam']"),
    "label2id": ("", "label2id_names=['ham', 'spam']"),
    "max_length": ("max_length=8", "max_length=9"),
    "training rows": (
        "train_texts=TEXTS, y_train=Y_TRUE",
        "train_texts=TEXTS, y_train=Y_TRUE[::-1]",
    ),
    "training texts": (
        "train_texts=TEXTS, y_train=Y_TRUE",
        "train_texts=['win'] + TEXTS[1:], y_train=Y_TRUE",
    ),
    "recorded": ("recorded={'loss': [0.7, 0.1]}", "recorded={'loss': [0.7, 0.2]}"),
    "a part": ("", "load=lambda: predict"),
}


@pytest.mark.parametrize(("before", "after"), CHANGES.values(), ids=CHANGES.keys())
def test_what_changes_is_observed_again(pytester, cached, before: str, after: str) -> None:
    """A change of any content makes the pipeline be observed again, and going back does not."""
    cached(before)
    cached(after)
    assert 2 == calls(pytester)
    cached(before)
    assert 2 == calls(pytester)


def test_another_version_of_a_package_is_another_content(pytester, cached, monkeypatch) -> None:
    """An upgrade of whatever is installed makes the pipeline be observed again."""
    monkeypatch.syspath_prepend(pytester.path)
    metadata = pytester.mkdir("framework.dist-info") / "METADATA"
    for number, version in enumerate(("1.0", "1.0", "1.1"), start=1):
        metadata.write_text(f"Metadata-Version: 2.1\nName: framework\nVersion: {version}\n")
        cached()
        assert {1: 1, 2: 1, 3: 2}[number] == calls(pytester)


DECODE = "decode=lambda outputs: {}"


def test_decode_is_called_again_on_the_cached_logits(pytester, cached) -> None:
    """Another decoding is judged although the model is not called: answers are never cached."""
    assert 0 == cached(DECODE.format("outputs.argmax(axis=1)")).ret
    swapped = cached(DECODE.format("outputs.argmin(axis=1)"))
    assert 1 == swapped.ret
    swapped.stdout.fnmatch_lines(["FAILED *decoding*"])
    assert 0 == cached(DECODE.format("outputs.argmax(axis=1)")).ret
    raising = cached(DECODE.format("1 / 0"))
    assert 4 == raising.ret
    raising.stdout.fnmatch_lines(["*cannot be checked: ZeroDivisionError*"])
    assert 1 == calls(pytester)


def test_a_decoding_that_writes_to_the_outputs_is_cached_right(pytester, cached) -> None:
    """What ``decode`` does to the array that it is given is not in the entry."""
    parts = "decode=lambda outputs: (outputs.__imul__(-1), (-outputs).argmax(axis=1))[1]"
    assert [0, 0, 0] == [cached(parts).ret for _ in range(3)]
    assert 1 == calls(pytester)


NOT_CACHED = {
    "plain callables": ("fingerprint=None", "*not cached: predict is code of your own*"),
    "outputs that are no array": (
        "predict=lambda texts: predict(texts).tolist(), decode=lambda outputs: Y_TRUE",
        "*not cached: predict returns no array*",
    ),
    "outputs of another type": (
        "predict=lambda texts: predict(texts).astype('float16'), decode=lambda o: o.argmax(axis=1)",
        "*not cached: predict returns no array*",
    ),
    "a fingerprint that changes": (
        "fingerprint=lambda: os.urandom(8).hex()",
        "*not cached: its fingerprint changed while it was observed*",
    ),
    "a fingerprint that raises": (
        "fingerprint=lambda: open('missing').read()",
        "*not cached: fingerprint raised FileNotFoundError*",
    ),
    "a failed probe": ("load=lambda: open('missing')", "*not cached: probes failed*"),
}


@pytest.mark.parametrize(("parts", "line"), NOT_CACHED.values(), ids=NOT_CACHED.keys())
def test_what_cannot_be_kept_says_so(pytester, cached, parts: str, line: str) -> None:
    """What nothing tells apart, or what may not last, is observed in every run, with the reason."""
    for number in (1, 2):
        result = cached(parts)
        assert number == calls(pytester)
        result.stdout.fnmatch_lines([line])
    assert [] == entries(pytester)


def test_a_broken_pipeline_is_not_kept(pytester, cached) -> None:
    """A model that raised is called again in the next run, and may have recovered."""
    broken = "predict=lambda texts: predict(texts) / np.array(['x'])"
    assert 4 == cached(broken).ret
    assert [] == entries(pytester)
    assert 0 == cached().ret


@pytest.mark.parametrize("given", ["fingerprint=lambda: 3", "fingerprint=''"])
def test_a_fingerprint_that_is_none_is_misuse(cached, given: str) -> None:
    """What is no text, or empty, would be the same for every pipeline."""
    result = cached(given)
    assert 4 == result.ret
    result.stdout.fnmatch_lines(["*fingerprint: expected *"])


def damaged(content: bytes) -> dict[str, bytes]:
    """Return an entry in states in which a full disk or a bad one may leave it."""
    states = {"empty": b"", "text": b"no archive", "half": content[: len(content) // 2]}
    states["without its end"] = content[:-30]
    for place in np.linspace(0, len(content) - 1, 60).astype(int):
        flipped = bytearray(content)
        flipped[place] ^= 0xFF
        states[f"flipped at {place}"] = bytes(flipped)
    return states


def test_a_damaged_entry_is_made_anew(pytester, cached) -> None:
    """An entry that is empty, cut off or no archive is observed again, to the right result."""
    assert 0 == cached().ret
    (entry,) = entries(pytester)
    whole = entry.read_bytes()
    for number, state in enumerate(("empty", "text", "half"), start=2):
        entry.write_bytes(damaged(whole)[state])
        assert 0 == cached().ret
        assert number == calls(pytester)
        assert whole[:2] == entry.read_bytes()[:2]
    entry.unlink()
    entry.mkdir()
    assert 0 == cached().ret


def test_no_damage_is_read_as_something_else(tmp_path: Path) -> None:
    """Bytes that changed anywhere in an entry are noticed, or change nothing that is read."""
    from pytest_bertcheck import Evidence
    from pytest_bertcheck.observations import _read

    path = tmp_path / "entry.npz"
    logits = np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32)
    Evidence(logits=logits, y_true=[0, 1] * 25, label_names=["a", "b", "c"]).save(path)
    whole = path.read_bytes()
    expected = Evidence.load(path).fields()
    for state, content in damaged(whole).items():
        path.write_bytes(content)
        found = _read(path)
        if found is not None:
            fields = found.evidence.fields()
            assert expected.keys() == fields.keys(), state
            for name, value in fields.items():
                assert np.array_equal(expected[name], value), state


def test_two_runs_at_once_observe_once(pytester: pytest.Pytester) -> None:
    """Of two runs in parallel one calls the model, and the other reads what came of it."""
    pytester.makeconftest(CONFTEST + FIXTURE.format(""))
    command = [sys.executable, "-m", "pytest", *CACHED]
    runs = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [0, 0] == [run.wait() for run in runs]
    assert 1 == calls(pytester)


def test_the_cache_needs_that_of_pytest(pytester: pytest.Pytester) -> None:
    """Without pytest's cache the option is misuse, and says why."""
    pytester.makeconftest(CONFTEST + FIXTURE.format(""))
    result = pytester.runpytest(*CACHED, "-p", "no:cacheprovider")
    assert 4 == result.ret
    result.stderr.fnmatch_lines(["*--bertcheck-cache: expected pytest's cache*no:cacheprovider*"])


def test_the_settings_ask_for_the_cache(pytester: pytest.Pytester) -> None:
    """``cache = true`` in the file is as the option on the command line."""
    pytester.makeconftest(CONFTEST + FIXTURE.format(""))
    (pytester.path / "bertcheck.toml").write_text("cache = true\n")
    for _ in range(2):
        assert 0 == pytester.runpytest("--bertcheck").ret
    assert 1 == calls(pytester)


def test_tests_of_ones_own_read_the_cache(pytester: pytest.Pytester) -> None:
    """``parametrize_with_checks`` and ``check_pipeline`` find what an earlier run observed."""
    pytester.makeconftest(CONFTEST + FIXTURE.format(""))
    pytester.makepyfile(
        """
from conftest import pipeline
from pytest_bertcheck import check_pipeline, parametrize_with_checks

@parametrize_with_checks([pipeline()])
def test_checks(pipeline, check):
    check(pipeline)

def test_whole(bertcheck):
    assert "failed" not in {finding.verdict.value for finding in bertcheck(pipeline())}
"""
    )
    assert 0 == pytester.runpytest(*CACHED).ret
    assert 1 == calls(pytester)
    assert 0 == pytester.runpytest(*CACHED).ret
    assert 1 == calls(pytester)


def test_an_unwritable_cache_loses_nothing(pytester, cached) -> None:
    """Where nothing can be written the pipeline is observed all the same, and the reason told."""
    cached()
    folder = pytester.path / ".pytest_cache/d/bertcheck"
    (entry,) = entries(pytester)
    entry.unlink()
    entry.mkdir()
    assert folder.is_dir()
    result = cached()
    assert 0 == result.ret
    assert 2 == calls(pytester)
    result.stdout.fnmatch_lines(["*not cached: *"])


# Content

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=[]))
    | st.binary()
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


@given(VALUES, VALUES)
def test_content_is_told_apart(one, other) -> None:
    """Two values have the same hash exactly if they are written alike."""
    assert (content_hash(one) == content_hash(other)) == (repr(one) == repr(other))


@given(st.lists(st.text(), max_size=3), st.lists(st.text(), max_size=3))
def test_no_text_runs_into_the_next(one: list[str], other: list[str]) -> None:
    """Where a text ends is part of the content."""
    assert (content_hash(*one) == content_hash(*other)) == (one == other)


def test_arrays_are_told_apart_by_type_and_shape() -> None:
    """The same bytes of another type or shape are another content, and order in memory is none."""
    array = np.arange(6, dtype=np.float32)
    shapes = [array, array.reshape(2, 3), array.reshape(3, 2), array.view(np.int32), array[:0]]
    assert len(shapes) == len({content_hash(one) for one in shapes})
    transposed = np.asfortranarray(array.reshape(2, 3))
    assert content_hash(array.reshape(2, 3)) == content_hash(transposed)


@pytest.mark.parametrize("odd", [object(), {1, 2}, np.array([object()]), [lambda: 0]])
def test_what_has_no_content_is_refused(odd: object) -> None:
    """An object whose content nobody knows has no hash."""
    with pytest.raises(TypeError, match="expected values of known content"):
        content_hash(odd)
