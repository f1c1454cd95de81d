"""How records become files."""

import csv
import io
import json
import math
import weakref

import numpy as np
import pandas as pd
import pytest

from xplain_cli.errors import UsageError
from xplain_cli.explanation import STABILITY_COLUMNS, WEIGHT_COLUMNS, Records
from xplain_cli.output import (
    FORMATS,
    Rendering,
    check_rendering,
    guard,
    join_pieces,
    prune,
    render_piece,
    unguard,
)

TEXTS = ("run_id", "row_id", "target_spec", "target", "method", "output_scale", "baseline")
INTEGERS = ("row", "n_repeats", "n_samples", "n_model_inputs", "n_omitted")


def records(start=0, ok=(True, True), values=(-2.5, "=1+1", 3), kept="k"):
    """Two rows of three features; weights 0.1+row, -2, 1; failed rows have no weights."""
    weights, stability = [], []
    for row, is_ok in enumerate(ok, start):
        line = dict.fromkeys(STABILITY_COLUMNS, 0.5) | dict.fromkeys(TEXTS, "x")
        line |= dict.fromkeys(INTEGERS, 0) | {"row": row, "row_id": f"r{row}", "status": "ok"}
        line |= {"error": None, "local_r2": math.nan, "weight_omitted": 0.0}
        if not is_ok:
            line |= dict.fromkeys(("prediction", "n_repeats", "n_omitted"), math.nan)
            line |= {"status": "failed", "error": 'no, "number"', "target": None}
        stability.append(line | {"kept": kept})
        size = [(1, -2.0), (2, 1.0), (0, 0.1 + row)] if is_ok else []
        for rank, (feature, weight) in enumerate(sorted(size, key=lambda s: -abs(s[1])), 1):
            line = dict.fromkeys(WEIGHT_COLUMNS, 0.25) | {"run_id": "x", "target": "x"}
            line |= {"row_id": f"r{row}", "rank": rank, "feature_index": feature}
            line |= {"feature": "abc"[feature], "feature_value": feature}
            weights.append(line | {"weight": weight, "ci_low": math.nan, "kept": kept})
    frame = pd.DataFrame(weights, columns=[*WEIGHT_COLUMNS, "kept"])
    cells = [values[line["feature_value"]] for line in weights]
    frame["feature_value"] = pd.Series(cells, dtype=object)
    return Records(
        frame, pd.DataFrame(stability), np.array([3 if is_ok else 0 for is_ok in ok]), {}
    )


def files(chunks, fmt, rendering=None, manifest=None):
    weights, stability = io.BytesIO(), io.BytesIO()
    pieces = (render_piece(chunk, rendering or Rendering(), fmt) for chunk in chunks)
    join_pieces(pieces, fmt, weights, stability, manifest=manifest)
    return weights.getvalue(), stability.getvalue()


def cells(data):
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def test_prune_keeps_the_largest_and_says_what_is_left_out():
    pruned = prune(records(ok=(True, False, True)), 1)
    assert pruned.weights["weight"].tolist() == [-2.0, 2.1]
    assert pruned.lines.tolist() == [1, 0, 1]
    assert pruned.stability["weight_omitted"].tolist() == [1.1, 0.0, 3.0]
    assert pruned.stability["n_omitted"].astype("Int64").tolist() == [2, pd.NA, 2]


def test_prune_to_all_omits_nothing():
    pruned = prune(records(), 3)
    pd.testing.assert_frame_equal(pruned.weights, records().weights)
    assert pruned.stability["n_omitted"].tolist() == [0, 0]


def test_csv_is_what_pandas_writes_without_the_guard():
    found = records(ok=(True, True))
    weights, stability = files([found], "csv", Rendering(csv_guard=False))
    assert weights == found.weights.to_csv(index=False, lineterminator="\n").encode()
    assert stability == found.stability.to_csv(index=False, lineterminator="\n").encode()


@pytest.mark.parametrize("fmt", ["csv", "json", "jsonl"])
@pytest.mark.parametrize("top_k", [None, 2])
def test_chunks_do_not_change_the_bytes(fmt, top_k):
    rendering = Rendering(top_k=top_k)
    whole = records(ok=(True, False, True))
    parts = [records(0, (True,)), records(1, (False,)), records(2, (True,))]
    assert files(parts, fmt, rendering) == files([whole], fmt, rendering)
    assert whole.weights["weight"].nunique() > 3


def test_whole_numbers_stay_whole_beside_failed_rows():
    _, stability = files([records(ok=(True, False))], "csv")
    assert [line["n_repeats"] for line in cells(stability)] == ["0", ""]
    assert [line["error"] for line in cells(stability)] == ["", 'no, "number"']


def test_the_guard_disarms_text_and_leaves_numbers():
    weights, _ = files([records(values=(-2.5, "=1+1", "-7"), kept="@x")], "csv")
    lines = cells(weights)
    assert [line["feature_value"] for line in lines[:3]] == ["'=1+1", "-7", "-2.5"]
    assert lines[0]["kept"] == "'@x"
    assert lines[0]["weight"] == "-2.0"


def test_the_guard_can_be_left_out():
    weights, _ = files([records()], "csv", Rendering(csv_guard=False))
    assert cells(weights)[0]["feature_value"] == "=1+1"


@pytest.mark.parametrize(
    "text", ["=x", "+", "-x", "@", "\tx", "\rx", "\0", "'=x", "''-x", "'x", "x=", "", "ü", "\n=x"]
)
def test_unguard_undoes_guard(text):
    assert unguard(guard(text)) == text
    assert guard(text)[:1] not in set("=+-@\t\r\0")


@pytest.mark.parametrize(
    "value", [0.1, 1e-300, 1 / 3, 1e16, -0.0, 12345678901234567, "a\nb", 'é,"']
)
def test_csv_values_read_back_the_same(value):
    weights, _ = files([records(values=(value, value, value))], "csv")
    found = cells(weights)[0]["feature_value"]
    assert repr(type(value)(found)) == repr(value)


def test_every_kind_of_missing_value_is_an_empty_cell():
    values = (None, math.nan, pd.NA)
    weights, _ = files([records(values=values)], "csv")
    assert {line["feature_value"] for line in cells(weights)} == {""}


def strict(text):
    def refuse(name):
        raise AssertionError(name)

    return json.loads(text, parse_constant=refuse)


def test_jsonl_nests_weights_and_has_no_nan():
    data, flat = files([records(values=(math.inf, np.int64(4), True))], "jsonl")
    rows = [strict(line) for line in data.splitlines()]
    assert list(rows[0]) == ["run_id", "row_id", "row", "kept", "status", "error", "explanations"]
    (explanation,) = rows[0]["explanations"]
    assert explanation["local_r2"] is None
    assert {"run_id", "row_id", "row", "kept"}.isdisjoint(explanation)
    assert set(explanation) | {"run_id", "row_id", "row"} == {*STABILITY_COLUMNS, "weights"}
    first, second, third = explanation["weights"]
    assert list(first) == [n for n in WEIGHT_COLUMNS if n not in {"run_id", "row_id", "target"}]
    assert (first["rank"], first["feature"], first["weight"]) == (1, "b", -2.0)
    assert [w["feature_value"] for w in (first, second, third)] == [4, True, None]
    assert list(strict(flat.splitlines()[0])) == [*STABILITY_COLUMNS, "kept"]


def test_a_failed_row_in_jsonl_says_why():
    data, _ = files([records(ok=(False,))], "jsonl")
    row = strict(data)
    assert (row["explanations"], row["status"], row["error"]) == ([], "failed", 'no, "number"')


def test_targets_of_one_row_are_nested_together():
    one = records(ok=(True, True))
    both = Records(one.weights, one.stability.assign(row=0, row_id="r0"), one.lines, {})
    data, _ = files([both], "jsonl")
    (explanations,) = [strict(line)["explanations"] for line in data.splitlines()]
    assert [len(explanation["weights"]) for explanation in explanations] == [3, 3]


def test_json_is_one_document_with_the_manifest():
    chunks = [records(0), records(2)]
    weights, stability = files(chunks, "json", manifest={"seed": 0, "bad": math.nan, "ü": [1]})
    document = strict(weights)
    assert document["manifest"] == {"seed": 0, "bad": None, "ü": [1]}
    lines, _ = files(chunks, "jsonl")
    assert document["explanations"] == [strict(line) for line in lines.splitlines()]
    assert [line["row"] for line in strict(stability)] == [0, 1, 2, 3]


@pytest.mark.parametrize("fmt", ["csv", "jsonl", "json"])
def test_text_without_utf8_does_not_end_the_run(fmt):
    weights, _ = files([records(values=("\ud800", "ü", "x"))], fmt)
    assert "\\ud800" in weights.decode()


def read_parquet(data):
    parquet = pytest.importorskip("pyarrow.parquet")
    return parquet.ParquetFile(io.BytesIO(data))


def test_parquet_has_a_row_group_per_chunk_and_text_values():
    weights, stability = files([records(0), records(2, (False,)), records(3)], "parquet")
    file = read_parquet(weights)
    table = file.read().to_pydict()
    assert file.num_row_groups == 2
    assert table["feature_value"][:3] == ["=1+1", "3", "-2.5"]
    assert table["ci_low"] == [None] * 12
    assert table["rank"][:3] == [1, 2, 3]
    assert read_parquet(stability).read().to_pydict()["n_repeats"] == [0, 0, None, 0, 0]


def test_parquet_of_failed_rows_only_has_its_columns():
    weights, _ = files([records(ok=(False,))], "parquet")
    assert read_parquet(weights).schema_arrow.names == [*WEIGHT_COLUMNS, "kept"]


def test_parquet_goes_through_a_pipe():
    class Pipe(io.BytesIO):
        def seekable(self):
            return False

        def tell(self):
            raise OSError("no place in a pipe")

    pipe = Pipe()
    pytest.importorskip("pyarrow")
    join_pieces([render_piece(records(), Rendering(), "parquet")], "parquet", pipe)
    assert read_parquet(pipe.getvalue()).metadata.num_rows == 6


def test_wide_has_a_column_per_feature_in_feature_order():
    chunks = [records(0, (False,)), records(1, (True, False, True))]
    weights, _ = files(chunks, "csv", Rendering(wide=True, top_k=2))
    assert weights.decode().splitlines() == [
        "row_id,target,prediction,base_value,a,b,c",
        "r1,x,0.5,0.5,1.1,-2.0,",
        "r3,x,0.5,0.5,3.1,-2.0,",
    ]


def test_wide_of_failed_rows_only_has_a_header():
    weights, _ = files([records(ok=(False,))], "csv", Rendering(wide=True))
    assert weights == b"row_id,target,prediction,base_value\n"


@pytest.mark.parametrize("fmt", ["csv", "parquet"])
def test_wide_refuses_rows_with_different_features(fmt):
    other = records(2)
    other = Records(
        other.weights.replace({"feature": {"c": "d"}}), other.stability, other.lines, {}
    )
    with pytest.raises(UsageError, match="--wide needs the same features"):
        files([records(), other], fmt, Rendering(wide=True))
    shorter = prune(records(), 2)
    mixed = Records(
        pd.concat([records(2).weights, shorter.weights], ignore_index=True),
        pd.concat([records(2).stability, shorter.stability], ignore_index=True),
        np.array([3, 3, 2, 2]),
        {},
    )
    with pytest.raises(UsageError, match="--wide needs the same features"):
        render_piece(mixed, Rendering(wide=True), fmt)


@pytest.mark.parametrize("fmt", FORMATS)
def test_pieces_are_let_go_as_they_are_joined(fmt):
    seen, alive = [], []

    def pieces():
        for start in range(0, 10, 2):
            piece = render_piece(records(start), Rendering(), fmt)
            seen.append(weakref.ref(piece))
            alive.append(sum(ref() is not None for ref in seen))
            yield piece

    join_pieces(pieces(), fmt, io.BytesIO())
    assert (len(seen), max(alive)) == (5, 2)


@pytest.mark.parametrize(
    ("rendering", "fmt", "words"),
    [
        (Rendering(), "jsno", "did you mean 'json'"),
        (Rendering(wide=True), "jsonl", "csv and parquet only"),
        (Rendering(top_k=0), "csv", "give 1 or more"),
    ],
)
def test_impossible_renderings_are_refused(rendering, fmt, words):
    with pytest.raises(UsageError, match=words):
        check_rendering(rendering, fmt)
