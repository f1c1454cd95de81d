"""Parts keep records exactly, and their repeats are joined in a stream."""

import io

import numpy as np
import pandas as pd
import pytest

from xplain_cli.explanation import Records
from xplain_cli.runs.parts import is_whole, pack, unpack, write_repeats

VALUES = [1, 1.0, "1", True, None, float("nan"), -0.0, "é\n\ud800", 2**70, ""]


def records(shift=0.0):
    n = len(VALUES)
    weights = pd.DataFrame({
        "row_id": [f"r{i // 5}" for i in range(n)],
        "target": ["yes"] * n,
        "feature": [f"f{i}" for i in range(n)],
        "rank": np.arange(n, dtype=np.int32),
        "weight": np.linspace(0, 1, n) + shift,
        "day": pd.date_range("2020-01-01", periods=n),
        "count": pd.array([1, None] * 5, dtype="Int64"),
        "flag": [True, False] * 5,
    })
    weights["feature_value"] = pd.Series(VALUES, dtype=object)
    weights["floats"] = pd.Series([0.5, float("nan")] * 5, dtype=object)
    weights["ints"] = pd.Series(range(n), dtype=object)
    stability = pd.DataFrame({"row_id": ["r0", "r1"], "status": ["ok", "failed"], "error": None})
    return Records(weights, stability, np.array([5, 5]), {"weights": np.ones((2, n)) + shift})


def stored(tmp_path, found, name="part.npz"):
    path = tmp_path / name
    path.write_bytes(pack(found, "plan"))
    return path


def test_records_read_back_exactly(tmp_path):
    path = stored(tmp_path, records())
    found = unpack(path, "plan")
    pd.testing.assert_frame_equal(found.weights, records().weights, check_freq=False)
    pd.testing.assert_frame_equal(found.stability, records().stability)
    cells = found.weights["feature_value"].tolist()
    assert [(type(cell), repr(cell)) for cell in cells] == [(type(v), repr(v)) for v in VALUES]
    assert found.lines.tolist() == [5, 5]
    assert found.repeats["weights"].tolist() == records().repeats["weights"].tolist()


def test_texts_that_look_alike_to_a_table_stay_apart(tmp_path):
    texts = ["'\\ud800'", "\ud800", "a\0b", "a\0c", "a"]
    alike = records().weights[:5].assign(target=pd.Series(texts, dtype=object))
    own = Records(alike, records().stability[:1], np.array([5]), {})
    found = unpack(stored(tmp_path, own), "plan")
    assert found.weights["target"].tolist() == texts


def test_records_of_failed_rows_only_read_back(tmp_path):
    empty = Records(records().weights[:0], records().stability, np.array([0, 0]), {})
    found = unpack(stored(tmp_path, empty), "plan").weights
    pd.testing.assert_frame_equal(found, empty.weights, check_freq=False)


def test_columns_of_one_name_stay_apart(tmp_path):
    twice = pd.concat([records().weights, pd.DataFrame({"target": range(10)})], axis=1)
    own = records()
    found = unpack(stored(tmp_path, Records(twice, own.stability, own.lines, {})), "plan")
    pd.testing.assert_frame_equal(found.weights, twice, check_freq=False)


def test_equal_records_are_equal_bytes():
    assert pack(records(), "plan") == pack(records(), "plan")


def test_a_part_is_whole_for_its_own_plan_only(tmp_path):
    path = stored(tmp_path, records())
    assert (is_whole(path, "plan"), is_whole(path, "other")) == (True, False)
    with pytest.raises(ValueError, match="another plan"):
        unpack(path, "other")


def test_any_flipped_byte_is_seen_or_does_not_matter(tmp_path):
    data = pack(records(), "plan")
    path = tmp_path / "part.npz"
    for at in range(0, len(data), 31):
        path.write_bytes(data[:at] + bytes([data[at] ^ 255]) + data[at + 1 :])
        if is_whole(path, "plan"):
            pd.testing.assert_frame_equal(
                unpack(path, "plan").weights, records().weights, check_freq=False
            )


def test_repeats_of_all_parts_are_joined(tmp_path):
    exact = records(1.0)
    chunks = records(), Records(exact.weights, exact.stability, exact.lines, {}), records(2.0)
    paths = [stored(tmp_path, chunk, f"{at}.npz") for at, chunk in enumerate(chunks)]
    file = io.BytesIO()
    write_repeats(file, paths, "plan")
    with np.load(io.BytesIO(file.getvalue()), allow_pickle=False) as arrays:
        assert arrays["weights"].shape == (2, 30)
        assert arrays["weights"][1, [0, 9, 20, 29]].tolist() == [1.0, 1.0, 3.0, 3.0]
        assert np.isnan(arrays["weights"][:, 10:20]).all()
        assert arrays["row_id"][[0, 5, 29]].tolist() == ["r0", "r1", "r1"]
        assert arrays["feature"][[9, 10]].tolist() == ["f9", "f0"]
        assert arrays["target"].tolist() == ["yes"] * 30
