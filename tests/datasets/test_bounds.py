"""What the cells of a file take is known by their lengths, whatever they are stored as."""

import pytest

from xplain_cli.datasets.bounds import Ration, check_held
from xplain_cli.datasets.grid import LONGEST
from xplain_cli.datasets.sources import DataFile
from xplain_cli.errors import RefusedError

pa = pytest.importorskip("pyarrow")

TEXTS = ["a", None, "\u05e9\u05e9", "ccc", ""]
LENGTHS = [1, 0, 4, 3, 0]


def small(tmp_path):
    (tmp_path / "d.arrow").write_bytes(b"x")
    return DataFile("d.arrow", str(tmp_path / "d.arrow"))


def sizes(monkeypatch, tmp_path, values):
    """Return the pieces of a column where hardly a byte may be held."""
    monkeypatch.setattr("xplain_cli.datasets.bounds.BATCH_BYTES", 4)
    batch = pa.record_batch([values], names=["t"])
    return [piece.num_rows for piece in Ration(small(tmp_path)).pieces(batch, ["t"])]


def as_ends(lengths, most=4):
    """Return how many rows fit into each piece, counted one by one."""
    pieces, held = [0], 0
    for length in lengths:
        if pieces[-1] and held + length > most:
            pieces.append(0)
            held = 0
        pieces[-1] += 1
        held += length
    return pieces


WAYS = {
    "string": lambda: pa.array(TEXTS),
    "large": lambda: pa.array(TEXTS, type=pa.large_string()),
    "view": lambda: pa.array(TEXTS, type=pa.string_view()),
    "dictionary": lambda: pa.array(TEXTS).dictionary_encode(),
    "unsigned": lambda: pa.array(TEXTS).cast(pa.dictionary(pa.uint32(), pa.large_string())),
    "list": lambda: pa.array([[t] for t in TEXTS]),
    "fixed": lambda: pa.array([[t] for t in TEXTS], type=pa.list_(pa.string(), 1)),
    "struct": lambda: pa.array([{"x": t} for t in TEXTS]),
    "map": lambda: pa.array([[("", t)] for t in TEXTS], type=pa.map_(pa.string(), pa.string())),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cut", [0, 2])
def test_pieces_hold_as_many_rows_as_their_texts_allow(monkeypatch, tmp_path, way, cut):
    found = sizes(monkeypatch, tmp_path, WAYS[way]()[cut:])
    assert found == as_ends(LENGTHS[cut:])
    assert len(found) > 1


def test_numbers_alone_are_not_cut(monkeypatch, tmp_path):
    assert sizes(monkeypatch, tmp_path, pa.array([1, 2, 3], type=pa.int16())) == [3]


def test_a_cell_is_at_most_as_long_as_a_line_of_csv(tmp_path):
    batch = pa.record_batch([pa.array(["a", "w" * (LONGEST + 1)])], names=["t"])
    with pytest.raises(RefusedError, match=f"d.arrow: row 1, column 't' holds {LONGEST + 1} bytes"):
        list(Ration(small(tmp_path)).pieces(batch, ["t"]))


def test_many_short_texts_are_no_bomb_and_many_long_ones_are(monkeypatch, tmp_path):
    monkeypatch.setattr("xplain_cli.datasets.bounds.FEW_BYTES", 10_000)
    short = pa.record_batch([pa.array(["w" * 4000] * 9)], names=["t"])
    assert sum(p.num_rows for p in Ration(small(tmp_path)).pieces(short, ["t"])) == 9
    long = pa.record_batch([pa.array(["w" * 5000] * 3)], names=["t"])
    with pytest.raises(RefusedError, match="its cells take more than 10000 bytes by row 2"):
        list(Ration(small(tmp_path)).pieces(long, ["t"]))


def test_columns_that_stand_for_any_number_of_cells_are_not_read(tmp_path):
    runs = pa.RunEndEncodedArray.from_arrays(pa.array([2_000_000_000], pa.int32()), pa.array([1.0]))
    with pytest.raises(ValueError, match="run_end_encoded"):
        list(Ration(small(tmp_path)).pieces(pa.record_batch([runs], names=["t"]), ["t"]))


def test_what_is_held_may_be_some_times_the_file(tmp_path):
    file = small(tmp_path)
    check_held(file, 1 << 30, "pages", "write smaller ones")
    with pytest.raises(RefusedError, match="at most 1073741824 are read: write smaller ones"):
        check_held(file, (1 << 30) + 1, "pages", "write smaller ones")
