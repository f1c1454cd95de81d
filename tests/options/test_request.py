"""How options become one request."""

import os
from pathlib import Path

import pytest
from project_files import write

from xplain_cli.errors import UsageError
from xplain_cli.options.project import resolve
from xplain_cli.options.request import stdin_holds_data, to_request


def request(folder, *words, environ=None, stdin_ready=False, **given):
    resolved = resolve("tabular", {"words": words, **given}, environ or {}, folder)
    return to_request(resolved, "tabular", stdin_ready=stdin_ready)


@pytest.mark.parametrize(
    ("words", "given", "expected"),
    [
        (("m", "a", "b"), {}, ("m", ("a", "b"))),
        (("a", "b"), {"model": "m"}, ("m", ("a", "b"))),
        (("m",), {"data": ["a", "b"]}, ("m", ("a", "b"))),
        ((), {"model": "m", "data": ["a"]}, ("m", ("a",))),
    ],
)
def test_positional_words_are_model_then_data(tmp_path, words, given, expected):
    asked = request(tmp_path, *words, **given)
    assert (asked.model, asked.data) == expected


def test_a_single_word_beside_a_configured_model_is_data(tmp_path):
    write(tmp_path, 'model = "m.pkl"\ndata = "d.csv"')
    assert (request(tmp_path, "a").model, request(tmp_path, "a").data) == ("m.pkl", ("a",))
    assert (request(tmp_path, "n", "a").model, request(tmp_path).data) == ("n", ("d.csv",))
    assert request(tmp_path, "n", data=["a"]).model == "n"
    assert request(tmp_path, environ={"XPLAIN_MODEL": "e"}).model == "e"


def test_data_given_twice_is_refused(tmp_path):
    with pytest.raises(UsageError, match="DATA is given twice"):
        request(tmp_path, "m", "a", data=["b"])


def test_stdin_is_data_when_nothing_else_is(tmp_path):
    asked = request(tmp_path, "m", stdin_ready=True)
    assert (asked.data, asked.output, asked.output_format) == (("-",), "-", "jsonl")
    assert request(tmp_path, "m", "a", stdin_ready=True).data == ("a",)


@pytest.mark.parametrize(
    ("words", "part"), [((), "no MODEL"), (("m",), "no DATA"), (("-", "a"), "MODEL is '-'")]
)
def test_what_is_missing_is_said_with_what_to_type(tmp_path, words, part):
    with pytest.raises(UsageError, match=part):
        request(tmp_path, *words)


@pytest.mark.parametrize(
    ("output", "asked", "told"),
    [
        (None, None, ("xplain-out", "csv", False)),
        (None, "jsonl", ("xplain-out", "jsonl", False)),
        ("runs/v1.2", None, ("runs/v1.2", "csv", True)),
        ("out.PARQUET", None, ("out.PARQUET", "parquet", True)),
        ("out.csv/", "json", ("out.csv/", "json", True)),
        ("-", None, ("-", "jsonl", True)),
        ("-", "csv", ("-", "csv", True)),
    ],
)
def test_the_format_follows_the_output(tmp_path, output, asked, told):
    found = request(tmp_path, "m", "a", output=output, output_format=asked)
    assert (found.output, found.output_format, found.output_explicit) == told


@pytest.mark.parametrize(
    ("output", "asked", "part"), [("a.csv", "json", "is csv, but"), ("a.xlsx", None, "must be a")]
)
def test_an_output_that_cannot_be_is_refused(tmp_path, output, asked, part):
    with pytest.raises(UsageError, match=part):
        request(tmp_path, "m", "a", output=output, output_format=asked)


def test_options_that_contradict_or_hold_nothing_are_refused(tmp_path):
    with pytest.raises(UsageError, match="choose one"):
        request(tmp_path, "m", "a", quiet=True, verbose=True)
    with pytest.raises(UsageError, match="holds no row"):
        request(tmp_path, "m", "a", rows="3:3")


def test_a_request_carries_every_option(tmp_path):
    asked = request(
        tmp_path, "m", "a", group=["g=a*"], dtype=["z=str"], no_progress=True, wide=True
    )
    assert (asked.groups, asked.dtypes) == (("g=a*",), ("z=str",))
    assert (asked.progress, asked.wide, asked.modality) == (False, True, "tabular")


def test_stdin_holds_data_only_as_a_pipe_or_a_file(tmp_path):
    write(tmp_path, "a\n1\n", "d.csv")
    with (tmp_path / "d.csv").open() as file, Path(os.devnull).open() as null:
        assert (stdin_holds_data(file), stdin_holds_data(null)) == (True, False)
    assert (stdin_holds_data(file), stdin_holds_data(None)) == (False, False)
    ends = os.pipe()
    with os.fdopen(ends[0]) as reader, os.fdopen(ends[1], "w"):
        assert stdin_holds_data(reader)
