"""Observing once: what was seen of a pipeline is shared by the workers of a run, and by runs.

An entry is an evidence bundle, written to another name and then renamed, under a lock that the
operating system releases if its holder dies. One that cannot be read is made anew.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import sys
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from weakref import WeakKeyDictionary

from filelock import FileLock

from . import probes
from .content import content_hash
from .evidence import Evidence
from .messages import safe
from .pipeline import CALLABLES, NotPossible, Pipeline
from .whole_files import whole_file

__all__ = ["Observation", "Store", "observe", "observe_anew", "run_key", "take_notes", "use"]


MOST_BYTES = 65_535
"""Bytes of the comment of an archive, which holds why a pipeline is unusable."""


class Observation(NamedTuple):
    """What was observed of a pipeline, and what makes it unusable, if anything does."""

    evidence: Evidence
    unusable: str | None


@dataclass
class Store:
    """Where a run keeps observations for the runs after it.

    Attributes
    ----------
    cache
        The folder of the entries; ``None`` if nothing is kept.
    notes
        What is to be told of them: what was read, and what was not kept and why.
    """

    cache: Path | None = None
    notes: list[str] = field(default_factory=list)

    def note(self, pipeline: Pipeline, what: str) -> None:
        """Add what is to be told of a pipeline."""
        self.notes.append(f"{safe(pipeline.name, 40)}: {safe(what, 200)}")


_stores = [Store()]
"""The last is in use: a run of pytest within a run of pytest has its own."""

_OBSERVED: WeakKeyDictionary[Pipeline, Observation] = WeakKeyDictionary()


def use(store: Store) -> Callable[[], None]:
    """Take a store in use, and return how to put it away."""
    _stores.append(store)
    return lambda: _stores.remove(store)


def take_notes() -> list[str]:
    """Return what is to be told of the store in use, once."""
    notes, _stores[-1].notes = _stores[-1].notes, []
    return notes


def observe(pipeline: Pipeline, shared: Path | None = None) -> Observation:
    """Return what was observed of a pipeline, once in this process, however often it is asked.

    Parameters
    ----------
    pipeline
        The pipeline.
    shared
        The file through which other processes of this run share it: one of them observes while
        the others wait.

    Raises
    ------
    ValueError, TypeError
        If its names, what was recorded or its fingerprint are none.
    """
    if pipeline not in _OBSERVED:
        _OBSERVED[pipeline] = _shared(pipeline, shared)
    return _OBSERVED[pipeline]


def _shared(pipeline: Pipeline, shared: Path | None) -> Observation:
    if shared is None:
        return observe_anew(pipeline)
    with _locked(shared) as problem:
        observed = _read(shared) if problem is None else None
        if observed is None:
            observed = observe_anew(pipeline)
            if problem is None:
                _write(shared, observed)
    return observed


def observe_anew(pipeline: Pipeline) -> Observation:
    """Return what was observed of a pipeline as it is now, in this run or in an earlier one.

    An earlier observation is read only if every content is the same; ``decode`` is called again.

    Raises
    ------
    ValueError, TypeError
        If its names, what was recorded or its fingerprint are none.
    """
    store = _stores[-1]
    if store.cache is None:
        return _told(probes.observe(pipeline))
    try:
        key = _content_key(pipeline)
    except NotPossible as unknown:
        store.note(pipeline, f"not cached: {unknown}; give Pipeline(fingerprint=...)")
        return _told(probes.observe(pipeline))
    path = store.cache / f"{key}.npz"
    with _locked(path) as problem:
        known = _read(path) if problem is None else None
        if known is None:
            observed = probes.observe(pipeline)
            reason = (
                problem or _not_to_be_kept(pipeline, observed, key) or _write(path, _told(observed))
            )
            if reason is not None:
                store.note(pipeline, f"not cached: {reason}")
            return _told(observed)
    store.note(
        pipeline, "observed in an earlier run, of the same content; --cache-clear forgets it"
    )
    if pipeline.decode is None or _in_fingerprint(pipeline):
        return known
    return _told(probes.decode_again(pipeline, known.evidence))


def _told(observed: probes.Observed) -> Observation:
    broken = observed.broken
    return Observation(
        observed.evidence, None if broken is None else f"{type(broken).__name__}: {broken}"
    )


# Keys


def run_key(pipeline: Pipeline, run: str, made_by: Sequence[str]) -> str:
    """Return what tells a pipeline from the others of a run, and the run from others."""
    return content_hash(_data(pipeline), pipeline.name, run, list(made_by))


def _content_key(pipeline: Pipeline) -> str:
    """Return the hash of all that an observation may depend on.

    Raises
    ------
    NotPossible
        If a part is code whose content nobody can tell.
    ValueError, TypeError
        If the fingerprint is no text.
    """
    return content_hash(_fingerprint(pipeline), _data(pipeline), sys.version, _installed())


def _fingerprint(pipeline: Pipeline) -> str:
    given = pipeline.fingerprint
    if given is None:
        raise NotPossible("predict is code of your own")
    if callable(given):
        try:
            given = given()
        except NotPossible:
            raise
        except Exception as error:
            raise NotPossible(f"fingerprint raised {type(error).__name__}: {error}") from error
    if not isinstance(given, str):
        raise TypeError(f"fingerprint: expected a str, got {type(given).__name__}")
    if not given:
        raise ValueError("fingerprint: expected what tells the pipeline from others, got ''")
    return given


def _data(pipeline: Pipeline) -> list[object]:
    """Return all that a pipeline consists of but code."""
    given = Evidence(
        y_true=pipeline.y_true,
        y_train=pipeline.y_train,
        label_names=pipeline.label_names,
        label2id_names=pipeline.label2id_names,
        dataset_label_names=pipeline.dataset_label_names,
        max_length=pipeline.max_length,
        **pipeline.recorded,
    )
    parts = [part for part in CALLABLES if getattr(pipeline, part) is not None]
    return [parts, pipeline.texts, pipeline.train_texts, given.fields()]


def _installed() -> list[str]:
    """Return the name and version of every installed distribution.

    Any may compute what is observed: a framework, a tokenizer, what the code of a team calls.
    """
    told = (found.metadata for found in importlib.metadata.distributions())  # each is a file
    return sorted(f"{metadata['Name']} {metadata['Version']}" for metadata in told)


def _in_fingerprint(pipeline: Pipeline) -> bool:
    """Whether the fingerprint tells of ``decode`` too, as that of scikit-learn does."""
    return bool(getattr(pipeline.decode, "in_fingerprint", False))


def _not_to_be_kept(pipeline: Pipeline, observed: probes.Observed, key: str) -> str | None:
    """Return why an observation is not to be read by the runs after this one."""
    if observed.broken is not None or observed.evidence.failed_probes is not None:
        return "probes failed, which may not last"
    if pipeline.decode is not None and not _in_fingerprint(pipeline) and not observed.decodable:
        return "predict returns no array on which decode could be called again"
    try:
        unchanged = key == _content_key(pipeline)
    except NotPossible as reason:
        return str(reason)
    return None if unchanged else "its fingerprint changed while it was observed"


# Entries


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[str | None]:
    """Have an entry to oneself; yields why that is not possible, in a folder of another."""
    lock = FileLock(path.with_suffix(".lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        yield str(error)
        return
    try:
        yield None
    finally:
        lock.release()


def _read(path: Path) -> Observation | None:
    try:
        evidence = Evidence.load(path)
        with zipfile.ZipFile(path) as bundle:
            return Observation(evidence, bundle.comment.decode("utf-8", "replace") or None)
    except (OSError, TypeError, ValueError, zipfile.BadZipFile):
        return None


def _write(path: Path, observed: Observation) -> str | None:
    """Write an entry, whole or not at all; return why it could not be."""
    try:
        with whole_file(path) as file:
            observed.evidence.save(file)
            if observed.unusable is not None:
                with zipfile.ZipFile(file, "a") as bundle:
                    bundle.comment = observed.unusable.encode("utf-8", "replace")[:MOST_BYTES]
    except OSError as error:
        return str(error)
    return None
