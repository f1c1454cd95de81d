"""Parts keep records exactly, and their repeats are joined in a stream."""

import io
import zipfile

import numpy as np
import pandas as pd
import pytest

from xplain_cli.explanation import CodedWords, Records, coded, words_of
from xplain_cli.runs.parts import is_whole, pack, unpack, write_repeats

CODED = ("row_id", "target", "feature", "ints")
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


def coded_records():
    """Return records whose texts and ids are coded, and the same records as they are."""
    own = records()
    words = {name: words_of(own.weights[name].to_numpy(dtype=object)) for name in CODED}
    columns = {name: coded(one) for name, one in words.items()}
    return Records(own.weights.assign(**columns), own.stability, own.lines, own.repeats), own


def test_coded_columns_are_packed_as_if_each_cell_were_looked_at():
    told, own = coded_records()
    assert {str(told.weights[name].dtype) for name in CODED} == {"category"}
    assert pack(told, "plan") == pack(own, "plan")


@pytest.mark.parametrize("shape", [(1,), (3,), (1, 1), (1, 3), (2, 3), (0, 3), (0,)])
def test_words_of_cells_are_the_cells(shape):
    alike = np.broadcast_to(np.array(["b", "a", "b"], dtype=object)[: shape[-1]], shape)
    for cells in (alike, alike.copy()):
        found = words_of(cells)
        told = found.objects() if isinstance(found, CodedWords) else found
        assert (told.shape, told.tolist()) == (shape, cells.tolist())


def test_words_that_no_cell_holds_are_not_packed():
    told, own = coded_records()
    some = slice(7, 9)
    fewer, plain = (
        Records(one.weights[some].reset_index(drop=True), one.stability[:1], np.array([2]), {})
        for one in (told, own)
    )
    assert pack(fewer, "plan") == pack(plain, "plan")


def test_records_read_as_codes_say_the_same(tmp_path):
    path = stored(tmp_path, records())
    for source in (path, path.read_bytes()):
        found = unpack(source, "plan", codes=True)
        assert found.weights["target"].dtype == "category"
        for name, column in unpack(source, "plan").weights.items():
            assert repr(found.weights[name].tolist()) == repr(column.tolist())


@pytest.mark.parametrize("place", [b"\xff\xff\xff\xff", b"\x0a\x00\x00\x00"])
def test_places_of_words_that_are_not_there_are_refused(place):
    data = pack(records(), "plan")
    at = data.index(np.arange(10, dtype=np.int32).tobytes())  # those of the features
    altered = data[:at] + place + data[at + 4 :]
    with pytest.raises(ValueError, match="not there"):
        unpack(altered, "plan", codes=True)


def test_members_that_lie_in_one_another_are_refused():
    data = pack(records(), "plan")
    file = io.BytesIO(data)
    with zipfile.ZipFile(file, "a") as archive:
        archive.filelist += archive.infolist()
        archive._didModify = True
    with pytest.raises(ValueError, match="in one another"):
        unpack(file.getvalue(), "plan")


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
