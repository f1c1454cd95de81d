"""The request is flat where a run keeps it, under the same keys as ever, and is read back whole."""

import json
from pathlib import Path

from xplain_cli.commands import COMMANDS
from xplain_cli.options.project import resolve
from xplain_cli.options.request import from_stored, stored_form, to_request

# a run that was explained once must stay readable: no key is renamed or taken away
KEYS = {
    *("modality", "model", "data", "output", "output_explicit", "output_format", "top_k"),
    *("csv_guard", "no_values", "wide", "write_repeats", "report", "method", "target"),
    *("output_scale", "response", "model_output", "class_names", "background", "baselines"),
    *("judge", "samples", "repeats", "max_rel_se", "max_samples", "budget", "seed"),
    *("stability_k", "jobs", "backend", "chunk_rows", "scheduler", "row_timeout", "batch_size"),
    *("rows", "shard", "id_column", "keep", "features", "drop_columns", "categorical", "groups"),
    *("input_format", "sep", "encoding", "na_values", "dtypes", "no_header", "text_column"),
    *("unit", "occurrences", "mask_token", "hash_units", "segmenter", "segments", "resize"),
    *("crop", "channels", "rescale", "mean", "std", "layout", "max_pixels", "maps"),
    *("write_maps", "trust_model", "trusted", "model_sha256", "python_path", "fail_on"),
    *("max_failed", "force", "dry_run", "quiet", "verbose", "debug", "progress", "argv"),
    "project_file",
}


def asked(**given):
    options = resolve("tabular", {"words": ("m", "d"), **given}, {}, Path("/"), COMMANDS)
    return to_request(options, "tabular", argv=("tabular", "m", "d"))


def test_the_stored_form_is_flat_and_has_its_keys():
    held = stored_form(asked())
    assert set(held) == KEYS
    assert [name for name, value in held.items() if isinstance(value, dict)] == []


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
