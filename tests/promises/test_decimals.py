"""With --decimal , a comma is the decimal sign of numbers, and a point is none."""

import numpy as np
import pytest

from xplain_cli import datasets
from xplain_cli.datasets import ReadOptions
from xplain_cli.errors import RefusedError


def opened(tmp_path, text, **options):
    (tmp_path / "d.csv").write_text(text, encoding="utf-8", newline="")
    options = {"sep": ";", "decimal": ",", **options}
    return datasets.open_table([str(tmp_path / "d.csv")], ReadOptions(**options))


def read(table):
    kinds = datasets.kinds(table, table.columns)
    return kinds, datasets.read_columns(table, kinds)


def test_numbers_with_a_comma_are_numbers(tmp_path):
    kinds, piece = read(opened(tmp_path, "a;b;c\n1,5;1;x,y\n-2,25e1;2;z\n,5;;x\n"))
    assert kinds == {"a": "number", "b": "integer", "c": "text"}
    assert piece.table["a"].tolist() == [1.5, -22.5, 0.5]
    assert piece.table["c"].tolist() == ["x,y", "z", "x"]
    assert not piece.reasons


def test_a_point_is_no_decimal_sign_then(tmp_path):
    rows = "".join(f"{i},5\n" for i in range(30))
    table = opened(tmp_path, f"a\n{rows}1.5\n1.000,5\n")
    kinds, piece = read(table)
    assert kinds == {"a": "text"} or list(piece.reasons) == [30, 31]
    number = datasets.read_columns(table, {"a": "number"})
    assert list(number.reasons) == [30, 31]
    assert "'1.5' is not a number" in number.reasons[30]


def test_gaps_and_missing_words_go_along(tmp_path):
    _, piece = read(opened(tmp_path, "a;b\n1,5;1\n-999;2\n;-999,0\n", na_values=("-999",)))
    assert piece.table["a"].tolist()[:1] == [1.5]
    assert np.isnan(piece.table["a"][1:]).all()
    assert piece.table["b"].tolist()[:2] == [1.0, 2.0]
    assert np.isnan(piece.table["b"][2])


def test_words_keep_their_comma(tmp_path):
    table = opened(tmp_path, "a\n1,5\n2,50\n")
    assert datasets.read_columns(table, {"a": "text"}).table["a"].tolist() == ["1,5", "2,50"]


def test_cells_in_quotes_may_stand_between_commas(tmp_path):
    _, piece = read(opened(tmp_path, 'a,b\n"1,5","2,5"\n"3",4\n', sep=","))
    assert piece.table.to_numpy().tolist() == [[1.5, 2.5], [3.0, 4.0]]


def test_the_way_out_is_told_where_commas_stand_for_points(tmp_path):
    table = opened(tmp_path, "a;b\n1,5;2\n2,5;3\n", decimal=".")
    with pytest.raises(RefusedError, match="--decimal ,"):
        datasets.judge_columns(table, {"a": "number"}, ())


def test_a_run_reads_its_data_and_background_so(run, tmp_path):
    import pickle

    import pandas as pd
    from sklearn.linear_model import LinearRegression

    table = pd.DataFrame({"a": np.arange(30) / 4, "b": np.arange(30) % 7 / 2})
    model = LinearRegression().fit(table, table["a"] - table["b"])
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
    table.to_csv(tmp_path / "d.csv", index=False, sep=";", decimal=",")
    reading = ("d.csv", "--background", "d.csv", "--sep", ";", "--decimal", ",")
    done = run("tabular", "m.pkl", *reading, "-m", "kernel-shap", "-o", "o", "-q")
    assert done.code == 0, done.err
    found = pd.read_csv(tmp_path / "o" / "stability.csv")["prediction"]
    assert np.allclose(found, table["a"] - table["b"])
    plain = run("inspect", "m.pkl", "d.csv", "--sep", ";", "--decimal", ";")
    assert plain.code == 2
