"""Lines of csv by Arrow and by Python."""

import numpy as np
import pandas as pd
import pytest

from xplain_cli.output import lines


def both(monkeypatch, frame, integers=frozenset()):
    """Return the lines of a frame with Arrow, and without it."""
    found = lines.csv_lines(frame, str.upper, integers)
    with monkeypatch.context() as patch:
        patch.setattr(lines, "_arrow", lambda: None)
        return found, lines.csv_lines(frame, str.upper, integers)


@pytest.mark.parametrize("exponent", [-300, -7, -5, -4, -3, 0, 9, 10, 15, 16, 17, 21, 22, 300])
def test_numbers_of_any_size_are_what_python_writes(monkeypatch, rng, exponent):
    pytest.importorskip("pyarrow")
    values = rng.normal(size=500) * 10.0**exponent
    edge = np.nextafter(10.0**exponent, [0, np.inf])
    values = np.concatenate([values, np.round(values[:50]), edge, [10.0**exponent, -0.0, np.nan]])
    ours, plain = both(monkeypatch, pd.DataFrame({"a": values}))
    assert ours == plain
    assert ours == "".join("\n" if v != v else f"{v!r}\n" for v in values.tolist()).encode()  # noqa: PLR0124 (NaN)


def test_every_kind_of_column_is_what_python_writes(monkeypatch):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({
        "texts": ["b", "a,\n", "b"],
        "missing": ["x", None, "y"],
        "whole": np.array([1, -2, 2**60]),
        "small": np.array([0.1, np.nan, np.inf], dtype=np.float32),
        "bools": [True, False, True],
        "floats": pd.Series([0.5, 1.0, float("nan")], dtype=object),
        "mixed": pd.Series([1, "é", [[0, 3], [5, 9]]], dtype=object),
        "empty": pd.Series([None, pd.NA, np.nan], dtype=object),
        "rank": [1.0, np.nan, 3.0],
        "classes": pd.Categorical(["p", "q", "p"], categories=["q", "none", "p"]),
    })
    ours, plain = both(monkeypatch, frame, frozenset({"rank"}))
    assert ours == plain
    assert plain.startswith(b"B,X,1,0.1,True,0.5,1,,1,P\n")


def test_numbers_that_come_often_are_what_python_writes(monkeypatch):
    pytest.importorskip("pyarrow")
    values = np.tile([0.5, -0.0, 0.0, np.nan, np.inf, 1e-9, 3.0], 300)
    ours, plain = both(monkeypatch, pd.DataFrame({"a": values, "b": values[::-1]}))
    assert ours == plain


def test_a_lone_surrogate_does_not_end_the_run(monkeypatch):
    ours, plain = both(monkeypatch, pd.DataFrame({"a": pd.Series(["\ud800", "b"], dtype=object)}))
    assert ours == plain == b"\\ud800\nB\n"


def test_no_lines_are_no_bytes(monkeypatch):
    assert both(monkeypatch, pd.DataFrame({"a": []})) == (b"", b"")


def test_texts_that_look_alike_to_a_table_stay_apart(monkeypatch):
    texts = ["'\\ud800'", "\ud800", "a\0b", "a\0c", "a", "1"]
    for column in (texts, texts[2:]):
        frame = pd.DataFrame({"a": pd.Series(column, dtype=object)})
        ours, plain = both(monkeypatch, frame)
        assert ours == plain
        assert len(set(ours.splitlines())) == len(column)
