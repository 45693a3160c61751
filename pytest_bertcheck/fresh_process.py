"""A Python process of its own, in which functions run as they will on another day.

Both ends are here: :class:`FreshProcess` starts the process and asks it, :func:`serve` answers.
A request and its answer are a line of JSON each; nothing is pickled. The process imports what it
is asked for and stays, so that a hundred questions cost one start.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["FreshProcess", "import_path", "plain", "serve"]

_START = (
    "import sys; sys.path[:] = sys.argv[1:]; "
    "from pytest_bertcheck.fresh_process import serve; serve()"
)


class FreshProcess:
    """A process with another hash seed, which ends with this object or with its parent.

    Parameters
    ----------
    hash_seed
        Its ``PYTHONHASHSEED``. Everything else, ``sys.path`` included, is as it is here.
    """

    def __init__(self, hash_seed: int) -> None:
        self.hash_seed = hash_seed
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, *map(os.fspath, sys.path)],
            env={**os.environ, "PYTHONHASHSEED": str(hash_seed)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
        )
        self.close = weakref.finalize(self, _end, self._process)

    def roundtrip(
        self, functions: Sequence[str], labels: list[Any], timeout: float
    ) -> dict[str, Any]:
        """Return what a function makes of ``labels`` there, and another of that.

        ``functions`` are the import paths of the two, to encode and to decode. The answer has
        ``ids`` and ``labels``, or ``error`` and the step ``at`` which it happened. A process that
        did not answer is closed.

        Raises
        ------
        TimeoutError
            If there is no answer after ``timeout`` seconds.
        ChildProcessError
            If the process ended before it answered.
        """
        encode, decode = functions
        return self._ask({"encode": encode, "decode": decode, "labels": labels}, encode, timeout)

    def call(self, function: str, argument: Any, timeout: float) -> Any:
        """Return what the function at an import path makes of ``argument`` there, as builtins.

        Raises
        ------
        RuntimeError
            If the function raised there, or cannot be imported.
        TimeoutError, ChildProcessError
            As :meth:`roundtrip` does.
        """
        answer = self._ask({"function": function, "argument": argument}, function, timeout)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["value"]

    def _ask(self, question: dict[str, Any], function: str, timeout: float) -> dict[str, Any]:
        request = json.dumps(question)
        timed_out = threading.Event()

        def give_up() -> None:
            timed_out.set()
            self._process.kill()

        watch = threading.Timer(timeout, give_up)
        watch.start()
        answer = ""
        try:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            with contextlib.suppress(OSError):  # it has ended: there will be no answer
                self._process.stdin.write(request + "\n")
                self._process.stdin.flush()
            answer = self._process.stdout.readline()
        finally:
            watch.cancel()
            if not answer.endswith("\n"):  # or was interrupted, and would answer the next request
                self.close()
        if answer.endswith("\n"):
            found: dict[str, Any] = json.loads(answer)
            return found
        if timed_out.is_set():
            raise TimeoutError(f"{function}: no answer from a fresh process in {timeout:g} seconds")
        raise ChildProcessError(f"it ended with exit code {self._process.returncode}")


def _end(process: subprocess.Popen[str]) -> None:
    """End a process and collect it: first by closing its input, then by force."""
    with contextlib.suppress(OSError), process:  # leaving `with` closes the pipes and waits
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()


def serve() -> None:
    """Answer requests until there are no more."""
    # What the functions read and print is no business of the two ends.
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(nothing, stream)
    for request in requests:
        question = json.loads(request)
        answer = _value(**question) if "function" in question else _answer(**question)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _value(function: str, argument: Any) -> dict[str, Any]:
    try:
        return {"value": plain(imported(function)(argument))}
    except Exception as error:  # noqa: BLE001  # whatever their code raises is the answer
        return {"error": f"{type(error).__name__}: {error}"}


def _answer(encode: str, decode: str, labels: list[Any]) -> dict[str, Any]:
    at = "import"
    try:
        encoder, decoder = imported(encode), imported(decode)
        at = "encode"
        encoded = encoder(list(labels))
        ids = plain(encoded)
        at = "decode"
        return {"ids": ids, "labels": plain(decoder(encoded))}
    except Exception as error:  # noqa: BLE001  # whatever their code raises is the answer
        return {"at": at, "error": f"{type(error).__name__}: {error}"}


def imported(path: str) -> Any:
    """Return the object at ``module:qualified.name``."""
    module, _, name = path.partition(":")
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found


def import_path(function: Callable[..., Any]) -> str | None:
    """Return where another process can import a function from, or ``None`` if it cannot.

    Examples
    --------
    >>> import_path(json.dumps)
    'json:dumps'
    >>> import_path(lambda labels: labels) is None
    True
    """
    module = getattr(function, "__module__", None)
    name = getattr(function, "__qualname__", None)
    if not module or not name or module == "__main__":
        return None
    path = f"{module}:{name}"
    try:
        return path if imported(path) == function else None
    except (AttributeError, ImportError):
        return None


def plain(value: Any) -> Any:
    """Return labels or ids as builtins: lists of ``str`` and numbers, as JSON has them.

    Raises
    ------
    TypeError
        If the value is or holds anything else.
    """
    for method in ("tolist", "to_pylist", "numpy"):  # NumPy, pandas, PyTorch; Arrow; TensorFlow
        convert = getattr(value, method, None)
        if callable(convert):
            return plain(convert())
    if isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [plain(item) for item in value]
    raise TypeError(f"expected a list or an array of str or numbers, got {type(value).__name__}")
