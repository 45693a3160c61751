"""Encoders of a team, as a fresh process imports them; the numbers tell what they depend on."""

from __future__ import annotations

import os
import sys
import time

UNORDERED = list({"ham", "spam", "news", "promo", "social", "forum", "update"})
ORDERED = sorted(UNORDERED)
SEEN: list[str] = []


def encode(labels):
    return [ORDERED.index(label) for label in labels]


def decode(ids):
    return [ORDERED[id_] for id_ in ids]


def encode_one_hot(labels):
    return [[int(label == name) for name in ORDERED] for label in labels]


def decode_one_hot(rows):
    return [ORDERED[row.index(1)] for row in rows]


def encode_by_set(labels):
    return [UNORDERED.index(label) for label in labels]


def decode_by_set(ids):
    return [UNORDERED[id_] for id_ in ids]


def encode_what_was_seen(labels):
    return [SEEN.index(label) for label in labels]


def decode_what_was_seen(ids):
    return [SEEN[id_] for id_ in ids]


def encode_and_talk(labels):
    sys.stdout.write("encoding\n")
    os.write(1, b"{}\n")
    sys.stdin.read()
    return encode(labels)


def in_a_fresh_process():
    return os.environ.get("PYTHONHASHSEED") in ("0", "1", "2")


def encode_but_hang(labels):
    while in_a_fresh_process():
        time.sleep(0.1)
    return encode(labels)


def encode_but_exit(labels):
    if in_a_fresh_process():
        os._exit(7)
    return encode(labels)


class Codes:
    """Encoders that are no plain functions."""

    @staticmethod
    def encode(labels):
        return encode(labels)

    @classmethod
    def decode(cls, ids):
        return decode(ids)

    def encode_bound(self, labels):
        return encode(labels)
