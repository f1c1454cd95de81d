"""Arrow files, streams and Feather: the cells are those of parquet, and nothing wrong is read."""

import pandas as pd
import pytest
from small_tables import values, whole

from xplain_cli.datasets import ReadOptions, kinds, open_table
from xplain_cli.errors import RefusedError

pa = pytest.importorskip("pyarrow")

FRAME = pd.DataFrame({
    "c": pd.Categorical(["x", None, "y", "x"]),
    "d": pd.to_datetime(["2024-01-01", None, "2024-01-03", "2024-01-04"]),
    "t": ["007", "NA", None, "\u05e9"],
    "n": pd.Series([1, -9, 3, 4], dtype="int32"),
    "f": [0.5, None, 1.5, 2.5],
    "b": [True, False, True, True],
})


def write(path, form):
    table = pa.Table.from_pandas(FRAME, preserve_index=False)
    if form == "parquet":
        FRAME.to_parquet(path, index=False)
    elif form == "feather":
        FRAME.to_feather(path)
    else:
        make = pa.ipc.new_file if form == "file" else pa.ipc.new_stream
        with pa.OSFile(str(path), "wb") as sink, make(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=3)


def refused(path):
    with pytest.raises(RefusedError) as caught:
        whole(open_table([str(path)], ReadOptions()))
    return str(caught.value)


def cells(path):
    opened = open_table([str(path)], ReadOptions(na_values=("-9",)))
    read = whole(opened)
    return kinds(opened, opened.columns), [values(read, name) for name in opened.columns]


@pytest.mark.parametrize("form", ["file", "stream", "feather"])
def test_the_cells_are_those_of_parquet(tmp_path, form):
    path = tmp_path / ("d.feather" if form == "feather" else "d.arrow")
    write(path, form)
    write(tmp_path / "d.parquet", "parquet")
    assert cells(path) == cells(tmp_path / "d.parquet")


@pytest.mark.parametrize("form", ["file", "stream"])
def test_a_file_that_points_outside_of_itself_is_refused(tmp_path, form):
    """Offsets of texts are trusted by pyarrow unless it is asked to look."""

    def offsets(last):
        return b"".join(number.to_bytes(4, "little") for number in (0, 3, last))

    path = tmp_path / "d.arrow"
    table = pa.table({"t": ["abc", "defg"]})
    make = pa.ipc.new_file if form == "file" else pa.ipc.new_stream
    with pa.OSFile(str(path), "wb") as sink, make(sink, table.schema) as writer:
        writer.write_table(table)
    whole_file = path.read_bytes()
    assert whole_file.count(offsets(7)) == 1
    path.write_bytes(whole_file.replace(offsets(7), offsets(1 << 20)))
    assert "cannot be read as an Arrow file" in refused(tmp_path / "d.arrow")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"FEA1xxxx", "Feather of version 1"),
        (b"ARROW1\0\0", "cannot be read as an Arrow file"),
        (b"", "d.arrow"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path, content, said):
    (tmp_path / "d.arrow").write_bytes(content)
    assert said in refused(tmp_path / "d.arrow")
