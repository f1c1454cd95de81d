"""JSON and JSON lines."""

import json
import math

import numpy as np
from written import files, records

from xplain_cli.explanation import STABILITY_COLUMNS, WEIGHT_COLUMNS, Records


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
