"""A partitioned folder is one table, whose folders' names are columns; other folders stay so."""

import numpy as np
import pandas as pd
import pytest

from xplain_cli.datasets import ReadOptions, chunks, kinds, n_rows, open_table, read_columns
from xplain_cli.errors import RefusedError


def tables(folder):
    """Write a partitioned folder as Spark and pandas do; return its rows in the order of paths."""
    rng = np.random.default_rng(3)
    table = pd.DataFrame({
        "x": rng.normal(size=60),
        "word": rng.choice(["a", "b"], 60),
        "year": rng.integers(2021, 2024, 60),
        "city": rng.choice(["Köln am Rhein", "C/D", "é=1"], 60),
    })
    table.to_parquet(folder, partition_cols=["year", "city"])
    (folder / "_SUCCESS").touch()
    (folder / "year=2021" / ".part.parquet.crc").write_bytes(b"crc")
    return table


def read(path, **options):
    table = open_table([str(path)], ReadOptions(**options))
    return table, read_columns(table, kinds(table, table.columns)).table


def test_rows_are_those_that_pyarrow_reads(tmp_path):
    tables(tmp_path / "data")
    opened, found = read(tmp_path / "data")
    peer = pd.read_parquet(tmp_path / "data").astype({"year": float, "city": str})
    order = ["x", "word", "year", "city"]
    assert list(opened.columns) == order
    assert kinds(opened, order)["year"] == "integer"
    ours, theirs = (t[order].sort_values("x").reset_index(drop=True) for t in (found, peer))
    assert ours["x"].tolist() == theirs["x"].tolist()
    assert ours.astype(object).equals(theirs.astype(object))
    assert n_rows(opened) == 60


def test_columns_and_order_are_said(tmp_path):
    tables(tmp_path / "data")
    opened, _ = read(tmp_path / "data")
    assert any("the names of its folders are columns: year, city" in note for note in opened.notes)
    assert any("9 files in this order" in note for note in opened.notes)
    assert list(opened.paths) == sorted(opened.paths)


def test_csv_files_may_be_partitioned_and_values_may_be_missing(tmp_path):
    for part, x in (("code=007", 1), ("code=__HIVE_DEFAULT_PARTITION__", 2), ("code=12", 3)):
        (tmp_path / part).mkdir()
        (tmp_path / part / "a.csv").write_text(f"x,y\n{x},0\n{x},1\n")
    opened, found = read(tmp_path)
    assert kinds(opened, ["code"]) == {"code": "text"}
    assert found["code"].tolist() == ["007"] * 2 + ["12"] * 2 + [np.nan] * 2
    carried = next(chunks(opened, {}, ["code", "x"], 10)).carried
    assert carried["code"].tolist() == ["007", "007", "12", "12", "", ""]


def test_types_of_folders_are_asked_for_as_of_other_columns(tmp_path):
    tables(tmp_path / "data")
    opened, found = read(tmp_path / "data", dtypes=(("year", "text"),), na_values=("C/D",))
    assert kinds(opened, ["year"]) == {"year": "text"}
    assert set(found["year"]) == {"2021", "2022", "2023"}
    assert found["city"].isna().any()


def test_a_renamed_folder_is_another_table(tmp_path):
    tables(tmp_path / "data")
    before = read(tmp_path / "data")[0].sha256
    (tmp_path / "data" / "year=2023").rename(tmp_path / "data" / "year=2030")
    assert read(tmp_path / "data")[0].sha256 != before


def test_a_column_of_file_and_folder_is_refused(tmp_path):
    (tmp_path / "x=1").mkdir()
    (tmp_path / "x=1" / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(RefusedError, match="'x' stands in the file and in the name"):
        read(tmp_path)


@pytest.mark.parametrize("other", ["part=2/more=1", "rest", "kind=2", "part=2/part=3"])
def test_folders_that_state_other_columns_are_refused(tmp_path, other):
    for folder in ("part=1", other):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(RefusedError, match="do not state the same columns"):
        read(tmp_path)


def test_a_damaged_file_of_a_partition_is_named(tmp_path):
    tables(tmp_path / "data")
    first = min((tmp_path / "data").rglob("*.parquet"))
    first.write_bytes(first.read_bytes()[:-9])
    with pytest.raises(RefusedError, match=first.name):
        read(tmp_path / "data")


def test_files_in_a_folder_stay_all_of_it(tmp_path):
    tables(tmp_path / "data")
    pd.DataFrame({"x": [1.0], "y": [2.0]}).to_parquet(tmp_path / "data" / "a.parquet")
    opened, found = read(tmp_path / "data")
    assert (opened.columns, len(found)) == (("x", "y"), 1)
    assert any("left out: " in note and "year=2021" in note for note in opened.notes)


def test_advice_for_files_in_other_folders_works(tmp_path):
    folder = tmp_path / "a b" / "new"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(RefusedError, match="for those in its folders: ") as caught:
        read(tmp_path / "a b")
    advised = str(caught.value).rpartition("folders: ")[2]
    assert len(read(advised.strip("'"))[1]) == 1


def test_a_glob_says_that_folders_are_no_columns(tmp_path):
    tables(tmp_path / "data")
    opened, _ = read(f"{tmp_path}/data/*/*/*.parquet")
    assert opened.columns == ("x", "word")
    assert any("are columns only where a folder is DATA" in note for note in opened.notes)


def test_what_spark_leaves_in_a_folder_is_no_row(tmp_path):
    pd.DataFrame({"x": [1.0, 2.0], "y": [3.0, 4.0]}).to_parquet(tmp_path / "part-0.parquet")
    pd.DataFrame({"x": [0.5], "y": [3.0]}).iloc[:0].to_parquet(tmp_path / "part-1.parquet")
    for name in ("_SUCCESS", "_old.parquet", ".part-0.parquet", "._SUCCESS.crc"):
        (tmp_path / name).write_bytes(b"no rows")
    opened, found = read(tmp_path)
    assert found["x"].tolist() == pd.read_parquet(tmp_path)["x"].tolist()
    assert any("1 file left out: " in note and "part-1" in note for note in opened.notes)


@pytest.mark.parametrize("empty", ["", "x,y\n"], ids=["no byte", "header"])
@pytest.mark.parametrize("folder", [".", "part=1"], ids=["flat", "partitioned"])
def test_files_of_empty_parts_are_left_out(tmp_path, folder, empty):
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "a.csv").write_text(empty)
    with pytest.raises(RefusedError, match="a header"):
        read(tmp_path)
    (tmp_path / folder / "b.csv").write_text("x,y\n1,2\n")
    opened, found = read(tmp_path)
    assert found["x"].tolist() == [1]
    assert any("left out: " in note and "a.csv" in note for note in opened.notes)


def test_links_are_followed_but_not_in_circles(tmp_path):
    (tmp_path / "else" / "k=2").mkdir(parents=True)
    (tmp_path / "else" / "k=2" / "b.csv").write_text("x,y\n9,9\n")
    (tmp_path / "data" / "k=1").mkdir(parents=True)
    (tmp_path / "data" / "k=1" / "a.csv").write_text("x,y\n1,2\n")
    (tmp_path / "data" / "k=2").symlink_to(tmp_path / "else" / "k=2")
    (tmp_path / "data" / "k=1" / "back").symlink_to(tmp_path / "data")
    found = read(tmp_path / "data")[1]
    assert found[["x", "k"]].to_numpy().tolist() == [[1, 1], [9, 2]]
