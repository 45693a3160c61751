"""Labelled texts from CSV and JSON Lines."""

from __future__ import annotations

import csv
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_bertcheck.adapters.files import label_ids, read_labelled_texts

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1)
ROWS = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8)


@given(rows=ROWS)
@settings(deadline=None, max_examples=60)
def test_csv_round_trip(rows, tmp_path_factory):
    """What Python's csv module wrote is read back: quotes, commas, newlines, any script."""
    path = tmp_path_factory.mktemp("csv") / "texts.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows(rows)
    assert ([text for text, _ in rows], [label for _, label in rows]) == read_labelled_texts(path)


@given(rows=ROWS, ending=st.sampled_from([".jsonl", ".ndjson", ".JSONL"]), ascii_only=st.booleans())
@settings(deadline=None, max_examples=60)
def test_json_lines_round_trip(rows, ending, ascii_only, tmp_path_factory):
    """What Python's json module wrote, a row a line, is read back."""
    path = tmp_path_factory.mktemp("json") / f"texts{ending}"
    lines = [
        json.dumps({"text": text, "label": label}, ensure_ascii=ascii_only) for text, label in rows
    ]
    path.write_bytes(("\n".join(lines) + "\n").encode())
    assert ([text for text, _ in rows], [label for _, label in rows]) == read_labelled_texts(path)


CONTENTS = {
    "columns in another order, others beside": ("a.csv", "id,label,text\n7,ham,hello\n"),
    "byte order mark": ("a.csv", "\ufefftext,label\nhello,ham\n"),
    "Windows line ends": ("a.csv", "text,label\r\nhello,ham\r\n"),
    "no line end": ("a.csv", "text,label\nhello,ham"),
    "upper-case ending": ("a.CSV", "text,label\nhello,ham\n"),
    "blank lines": ("a.jsonl", '\n{"text": "hello", "label": "ham"}\n\n'),
    "byte order mark in JSON": ("a.jsonl", '\ufeff{"text": "hello", "label": "ham"}\n'),
    "fields beside": ("a.ndjson", '{"label": "ham", "id": [1], "text": "hello"}'),
}


@pytest.mark.parametrize(("name", "content"), CONTENTS.values(), ids=CONTENTS.keys())
def test_files_as_people_write_them(name, content, tmp_path):
    """Order of columns, other columns, byte order marks, line ends and blanks do not matter."""
    path = tmp_path / name
    path.write_bytes(content.encode("utf-8"))
    assert (["hello"], ["ham"]) == read_labelled_texts(path)
    assert (["hello"], ["ham"]) == read_labelled_texts(str(path))


def test_a_label_may_be_a_number(tmp_path):
    """A label of 0 is a label, not a missing value."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a", "label": 0}\n{"text": "b", "label": 1}\n')
    assert (["a", "b"], ["0", "1"]) == read_labelled_texts(path)


def test_the_line_of_a_missing_value_is_named(tmp_path):
    """An error points to the line in the file, where texts span lines too."""
    path = tmp_path / "a.csv"
    path.write_text('text,label\n"two\nlines",ham\nno label,\n')
    with pytest.raises(ValueError, match="line 4: expected the columns text and label, got nothing "
                                         "for label"):  # fmt: skip
        read_labelled_texts(path)


# Labels


@given(
    names=st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=9, unique=True),
    data=st.data(),
)
@settings(deadline=None, max_examples=60)
def test_names_become_their_ids(names, data):
    """Labels that are names become their ids, names that are numbers included."""
    ids = data.draw(st.lists(st.integers(0, len(names) - 1), min_size=1, max_size=9))
    assert ids == label_ids([names[i] for i in ids], names)


def test_numbers_become_ids():
    """Labels that are ids already are taken as such, out of range or not: a check judges them."""
    assert [0, 1, 7, -1] == label_ids(["0", "1", "7", "-1"], ["ham", "spam"])


def test_names_come_before_ids():
    """Star ratings are names that look like ids: '1' is the first label, not the second."""
    assert [0, 4, 2] == label_ids(["1", "5", "3"], ["1", "2", "3", "4", "5"])


def test_an_unknown_label_is_refused():
    """A label that is neither is refused, and shown with the names that there are."""
    with pytest.raises(ValueError, match=r"one of the model's labels \['ham', 'spam'\].*'eggs'"):
        label_ids(["ham", "eggs"], ["ham", "spam"])
    with pytest.raises(ValueError, match="'ham'"):
        label_ids(["0", "ham"], ["spam"])
