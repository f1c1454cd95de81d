"""The request is flat where a run keeps it, under the same keys as ever, and is read back whole."""

import json
import os
from pathlib import Path

import pytest
from project_files import write

from xplain_cli.commands import COMMANDS
from xplain_cli.errors import UsageError
from xplain_cli.options.project import resolve
from xplain_cli.options.request import from_stored, stdin_holds_data, stored_form, to_request

# a run that was explained once must stay readable: no key is renamed or taken away
KEYS = {
    *("modality", "model", "data", "output", "output_explicit", "output_format", "top_k"),
    *("csv_guard", "no_values", "wide", "write_repeats", "report", "method", "target"),
    *("output_scale", "response", "model_output", "class_names", "background", "baselines"),
    *("judge", "samples", "repeats", "max_rel_se", "max_samples", "budget", "seed"),
    *("stability_k", "jobs", "backend", "chunk_rows", "scheduler", "row_timeout", "batch_size"),
    *("rows", "shard", "id_column", "keep", "features", "drop_columns", "categorical", "groups"),
    *("input_format", "sep", "encoding", "na_values", "dtypes", "no_header", "text_column"),
    *("quoting", "decimal", "accept", "member"),
    *("unit", "occurrences", "mask_token", "hash_units", "segmenter", "segments", "resize"),
    *("crop", "channels", "rescale", "mean", "std", "layout", "max_pixels", "maps"),
    *("write_maps", "trust_model", "trusted", "model_sha256", "python_path", "fail_on"),
    *("named_gates", "junit", "github"),
    *("confine", "allow_read", "allow_write", "allow_net", "allow_env", "open_timeout"),
    *("max_failed", "force", "dry_run", "quiet", "verbose", "debug", "progress", "argv"),
    *("project_file", "hold", "signature"),
}


OPTIONS = {option.name: option for each in COMMANDS.values() for option in each.options}


def asked(**given):
    options = resolve("tabular", {"words": ("m", "d"), **given}, {}, Path("/"), COMMANDS)
    return to_request(options, "tabular", argv=("tabular", "m", "d"))


def test_the_stored_form_is_flat_and_has_its_keys():
    held = stored_form(asked())
    assert set(held) == KEYS
    assert [name for name, value in held.items() if isinstance(value, dict)] == []


def test_every_field_of_a_request_has_an_option():
    own = set(stored_form(from_stored({"modality": "tabular"})))
    assert own - {option.stored for option in OPTIONS.values()} == {
        "modality",
        "output_explicit",
        "progress",
        "argv",
        "project_file",
        "signature",
    }


def test_defaults_agree_with_the_request():
    plain = stored_form(from_stored({"modality": "tabular"}))
    plain["method"] = (plain["method"],)  # kept as one text: a run has one
    differing = {
        option.stored: option.default
        for option in OPTIONS.values()
        if option.stored in plain and plain[option.stored] != option.default
    }
    assert differing == {}


def test_a_request_is_read_back_whole_from_json():
    request = asked(
        rows="2:9",
        shard="1/2",
        baseline=["mean", "median"],
        group=["g=a*"],
        dtype=["z=text"],
        no_progress=True,
        max_rel_se=0.1,
        output="out.parquet",
    )
    assert from_stored(json.loads(json.dumps(stored_form(request)))) == request


def test_keys_that_are_new_or_gone_do_not_matter():
    held = {"modality": "text", "model": "m", "data": ["d"], "baselines": ["x"], "later": [1]}
    request = from_stored(held)
    assert (request.modality, request.sources.data, request.first_baseline) == ("text", ("d",), "x")
    assert stored_form(request)["max_pixels"] == 50_000_000


def test_slices_are_values_in_the_request():
    assert asked(rows=":5").slices.rows == (0, 5)
    assert asked(shard="2/4").slices.shard == (2, 4)


def request(folder, *words, environ=None, stdin_ready=False, **given):
    resolved = resolve("tabular", {"words": words, **given}, environ or {}, folder, COMMANDS)
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
    assert (asked.sources.model, asked.sources.data) == expected


def test_a_single_word_beside_a_configured_model_is_data(tmp_path):
    write(tmp_path, 'model = "m.pkl"\ndata = "d.csv"')
    assert (request(tmp_path, "a").sources.model, request(tmp_path, "a").sources.data) == (
        "m.pkl",
        ("a",),
    )
    assert (request(tmp_path, "n", "a").sources.model, request(tmp_path).sources.data) == (
        "n",
        ("d.csv",),
    )
    assert request(tmp_path, "n", data=["a"]).sources.model == "n"
    assert request(tmp_path, environ={"XPLAIN_MODEL": "e"}).sources.model == "e"


def test_data_given_twice_is_refused(tmp_path):
    with pytest.raises(UsageError, match="DATA is given twice"):
        request(tmp_path, "m", "a", data=["b"])


def test_stdin_is_data_when_nothing_else_is(tmp_path):
    asked = request(tmp_path, "m", stdin_ready=True)
    assert (asked.sources.data, asked.result.output, asked.result.output_format) == (
        ("-",),
        "-",
        "jsonl",
    )
    assert request(tmp_path, "m", "a", stdin_ready=True).sources.data == ("a",)


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
    assert (found.result.output, found.result.output_format, found.output_explicit) == told


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
    assert (asked.columns.group, asked.table_format.dtype) == (("g=a*",), ("z=str",))
    assert (asked.progress, asked.result.wide, asked.modality) == (False, True, "tabular")


def test_stdin_holds_data_only_as_a_pipe_or_a_file(tmp_path):
    write(tmp_path, "a\n1\n", "d.csv")
    with (tmp_path / "d.csv").open() as file, Path(os.devnull).open() as null:
        assert (stdin_holds_data(file), stdin_holds_data(null)) == (True, False)
    assert (stdin_holds_data(file), stdin_holds_data(None)) == (False, False)
    ends = os.pipe()
    with os.fdopen(ends[0]) as reader, os.fdopen(ends[1], "w"):
        assert stdin_holds_data(reader)
