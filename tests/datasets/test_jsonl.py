"""JSON lines."""

import json

import pytest
from small_tables import flawed, refused, table, values, whole

from xplain_cli.datasets import (
    kinds,
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": \n', "line 1 is not an object"),
        ('{"a": 1}\n3\n4\n', "line 2 is not an object: a bare value"),
        ('[{"a": 1}]\n', "one object a line"),
        ('{"a": 1, "a": 2}\n', "a key stands twice: 'a'"),
        ('{"a": null}\n{"a": [1]}\n', "row 1, line 2, column 'a' holds an object or a list"),
        ('{"a": {"b": 1}}\n', "row 0, line 1, column 'a' holds an object or a list"),
        ('{"a": "\\ud800"}\n', "lone surrogate"),
        ('{"a": ' + "[" * 100_000 + "}\n", "nested too deeply"),
        ("{}\n", "without a key"),
        ("\n", "without a key"),
    ],
)
def test_broken_jsonl_is_refused(tmp_path, text, message):
    assert message in refused(tmp_path, text, "data.jsonl")


def test_jsonl_of_another_encoding_is_refused(tmp_path):
    message = refused(tmp_path, '{"a": 1}\n', "data.jsonl", encoding="utf-16")
    assert "is not utf-16; try another --encoding" in message


def test_jsonl_keeps_types_apart(tmp_path):
    text = '{"i": 1, "s": "1", "m": 1, "b": true}\n\n{"s": "", "m": "x", "b": null}\n'
    opened = table(tmp_path, text, "data.jsonl")
    expected = {"i": "integer", "s": "text", "m": "text", "b": "bool"}
    assert kinds(opened, opened.columns) == expected
    frame = whole(opened)
    assert [values(frame, c) for c in frame] == [[1.0, None], ["1", ""], ["1", "x"], [True, None]]


GOOD = [[float(i), f"w{i}"] for i in range(4)]


BAD_OBJECTS = [
    ("3", "line 3 is not an object: a bare value"),
    ('{"x": 1', "line 3 is not an object"),
    ('{"x": 1, "x": 2}', "a key stands twice: 'x'"),
    ('{"x": "\\ud800"}', "line 3 has half a character (a lone surrogate)"),
    ('{"x": \0}', "line 3 has a NUL byte"),
    ('{"x": ' + "[" * 100_000, "line 3 is nested too deeply"),
    ('{"x": [1], "t": "w"}', "row 2, line 3, column 'x' holds an object or a list"),
    ('{"x": 1' + "0" * 400 + "}", "is not a number"),
]


@pytest.mark.parametrize(("line", "message"), BAD_OBJECTS)
def test_a_bad_object_costs_its_row_alone(tmp_path, line, message):
    objects = [json.dumps({"x": x, "t": t}) for x, t in GOOD]
    objects.insert(2, line)
    reasons, rest = flawed(table(tmp_path, "\n".join(objects), "data.jsonl"), x="number", t="text")
    assert (list(reasons), rest) == ([2], GOOD)
    assert message in reasons[2]


def test_a_cut_off_last_line_costs_its_row_alone(tmp_path):
    reasons, rest = flawed(table(tmp_path, 'x,t\n0,w0\n1,w1\n2,"w'))
    assert (list(reasons), rest) == ([2], GOOD[:2])
    assert "a quote in line 4 is never closed" in reasons[2]
