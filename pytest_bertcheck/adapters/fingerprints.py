"""Fingerprints of what the adapters call: weights, settings and the code of known libraries."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..content import content_hash
from ..pipeline import CALLABLES, NotPossible

__all__ = ["config_of", "files_in", "reject_changed_layers", "reject_own_code", "with_fingerprint"]

LIBRARIES = {
    "builtins",
    "keras",
    "numpy",
    "scipy",
    "sklearn",
    "tensorflow",
    "tf_keras",
    "tokenizers",
    "torch",
    "transformers",
}
"""Whose version tells their code. A package of the team's own changes without a new version."""


def with_fingerprint(
    own: Mapping[str, Any], parts: Mapping[str, Any], content: Callable[[], Any]
) -> dict[str, Any]:
    """Return the parts of a pipeline, with a fingerprint if the adapter made all that is called.

    Parameters
    ----------
    own, parts
        What the adapter made, and what was given, which takes its place. Of a given ``decode``
        no fingerprint needs to tell: it is called again.
    content
        Returns what the answers of the adapter's own parts depend on.
    """
    given = [part for part in CALLABLES if part != "decode" and parts.get(part) is not None]

    def fingerprint() -> str:
        if given:
            raise NotPossible(f"{given[0]} is code of your own")
        return content_hash(content())

    return {**own, "fingerprint": fingerprint, **parts}


def reject_own_code(*things: Any) -> None:
    """Raise if any class or function is none of a known library: nothing tells when it changes.

    Raises
    ------
    NotPossible
        With the name of that code.
    """
    for thing in things:
        module = getattr(thing, "__module__", None) or type(thing).__module__
        if module.partition(".")[0] not in LIBRARIES:
            name = getattr(thing, "__qualname__", type(thing).__qualname__)
            raise NotPossible(f"{name} is code of your own")


def reject_changed_layers(*prefixes: str) -> None:
    """Raise if a layer was replaced by code of the team's own, or what it does when it is called.

    A model that is loaded later is made of these layers. It takes what is imported by now: what is
    not, nobody has changed.

    Parameters
    ----------
    *prefixes
        How the names of the modules begin that define the layers.

    Raises
    ------
    NotPossible
        With the name of that code.
    """
    for name, module in list(sys.modules.items()):
        if not name.startswith(prefixes):
            continue
        for layer in [value for value in vars(module).values() if isinstance(value, type)]:
            calls = [getattr(layer, call, None) for call in ("call", "forward")]
            if any(map(callable, calls)):
                reject_own_code(layer, *filter(callable, calls))


def config_of(config: Any) -> str:
    """Return a configuration of Keras as text.

    Raises
    ------
    NotPossible
        If it names a layer, a loss or a function that is none of Keras.
    """
    _reject_own_in(config)
    return json.dumps(config, default=str)


def _reject_own_in(config: Any) -> None:
    if isinstance(config, Mapping):
        name = config.get("class_name")
        module = str(config.get("module", "keras"))
        if name == "__lambda__" or module.partition(".")[0] not in ("keras", "tf_keras"):
            raise NotPossible(f"{config.get('registered_name') or name} is code of your own")
        for value in config.values():
            _reject_own_in(value)
    elif isinstance(config, Iterable) and not isinstance(config, (str, bytes)):
        for value in config:
            _reject_own_in(value)
    elif callable(config):
        reject_own_code(config)


def files_in(folder: Path) -> list[tuple[str, int, str]]:
    """Return the name, size and content of every file in a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(path.relative_to(folder).as_posix(), *_content(path)) for path in paths]


def _content(path: Path) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()
