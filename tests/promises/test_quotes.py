"""Messages quote little of a text, and nothing where values are hidden."""

from pathlib import Path

import pandas as pd
import pytest
from running import Forked, forks

from xplain_cli.errors import summed_up

SECRET = "rosebud " * 60
CODE = """
import numpy as np


def always(texts):
    raise ValueError(f"cannot read {texts[0]!r}")


def on_long(texts):
    for text in texts:
        if len(text) > 100:
            raise ValueError(f"too long:\\n{text}")
    return np.array([len(text) / 100 for text in texts])


def on_masked(texts):
    for text in texts:
        if 100 < len(text) < 400:
            raise ValueError(f"too short: {texts}")
    return lengths(texts)


def lengths(texts):
    return np.array([len(text) / 1000 for text in texts])


def split(text):
    if len(text) > 100:
        raise ValueError(text)
    return [(0, len(text))]
"""
LINES = ["rosebud here", SECRET.strip(), "and there"]


@pytest.fixture
def quoting(run, tmp_path):
    """Run xplain text on a secret, with a function that quotes it."""
    (tmp_path / "quotes_texts.py").write_text(CODE)
    (tmp_path / "t.txt").write_text("\n".join(LINES) + "\n")
    return lambda function, *options: run(
        *("text", f"quotes_texts:{function}", "t.txt", "--python-path", tmp_path, "-n", "64"),
        *("--occurrences", "each", *options),
    )


def reasons():
    table = pd.read_csv("xplain-out/stability.csv", keep_default_na=False)
    return [reason for reason in table["error"] if reason]


@pytest.mark.parametrize("option", ["--no-values", "--hash-units"])
def test_a_model_that_fails_at_once_is_not_quoted(quoting, option):
    done = quoting("always", option)
    assert done.code == 3
    assert "ValueError" in done.err
    assert "rosebud" not in done.err


@pytest.mark.parametrize("option", ["--no-values", "--hash-units"])
@pytest.mark.parametrize(
    ("function", "more"), [("on_long", ()), ("on_masked", ()), ("on_long", ("--report", "p.html"))]
)
def test_a_model_that_fails_on_a_row_is_not_quoted(quoting, option, function, more):
    done = quoting(function, option, *more)
    assert done.code == 4
    assert reasons()
    assert not any("rosebud" in reason for reason in reasons())
    assert "rosebud" not in done.err
    assert all("rosebud" not in path.read_text() for path in Path().glob("*.html"))


@pytest.mark.parametrize("option", ["--no-values", "--hash-units"])
def test_a_splitter_that_fails_on_a_row_is_not_quoted(quoting, option):
    assert quoting("lengths", option, "--unit", "quotes_texts:split").code == 4
    assert reasons()
    assert not any("rosebud" in reason for reason in reasons())


@pytest.mark.parametrize("function", ["on_long", "on_masked"])
def test_otherwise_little_is_quoted(quoting, function):
    quoting(function)
    assert all("rosebud" in reason for reason in reasons())
    assert all(len(reason) < 400 for reason in reasons())
    assert max(reason.count("rosebud") for reason in reasons()) <= 25


def test_a_model_that_fails_at_once_quotes_little(quoting):
    done = quoting("always")
    assert "rosebud" in done.err
    assert max(map(len, done.err.splitlines())) < 400


@pytest.mark.parametrize(
    ("error", "quotes", "said"),
    [
        (ValueError("a\n b"), True, "ValueError: a b"),
        (ValueError("a"), False, "ValueError"),
        (ValueError(), True, "ValueError"),
    ],
)
def test_an_error_is_summed_up_in_a_line(error, quotes, said):
    assert summed_up(error, quotes=quotes) == said


def test_a_long_error_is_cut():
    said = summed_up(ValueError("x" * 500))
    assert (len(said), said[-3:]) == (200, "...")


WORD = "rosebud" * 80
TABLES = """
import warnings

import numpy as np


def answers(frame):
    rows = np.asarray(frame, dtype=object)
    if any("rosebud" in str(cell) for cell in rows.ravel()):
        raise ValueError(f"cannot take {rows.tolist()}")
    return np.array([len(str(row)) / 100 for row in rows])


def warns(frame):
    warnings.warn(f"odd: {np.asarray(frame, dtype=object).ravel().tolist()}", stacklevel=1)
    return np.array([len(str(row)) / 100 for row in np.asarray(frame, dtype=object)])
"""
PLAIN = [f"{10 + i},{'ab'[i % 2]},i{i}" for i in range(40)]
BROKEN = {
    "a word among numbers": (f"{WORD},a,x", ()),
    "a category that the model fails on": (f"7,{WORD},x", ("-m", "kernel-shap", "-b", "row=0")),
    "a category that draws bring": (f"7,{WORD},x", ()),
    "a line with too many cells": (f"7,a,x,{WORD}", ()),
    "a NUL byte": (f"7,a\0{WORD},x", ()),
    "an id that repeats": (f"7,a,{WORD}\n8,b,{WORD}", ("--id-column", "id")),
    "a model that warns": (f"7,{WORD},x", ("warns",)),
}


def broken_table(run, folder, case, *options):
    """Run xplain tabular on a table with one broken line; return all that it says anywhere."""
    line, more = BROKEN[case]
    function = "warns" if "warns" in more else "answers"
    (folder / "quotes_tables.py").write_text(TABLES)
    (folder / "q.csv").write_text("\n".join(["n,job,id", *PLAIN, line]) + "\n")
    done = run(
        *("tabular", f"quotes_tables:{function}", "q.csv", "--python-path", folder, "-n", "64"),
        *("-r", "2", "--report", "p.html", "--max-failed", "9", "--drop-columns", "id"),
        *(*(one for one in more if one != "warns"), *options),
    )
    files = [path for path in Path().rglob("*") if path.suffix in {".csv", ".html", ".json"}]
    assert done.code in {0, 3}
    return [done.out, done.err, *(path.read_text() for path in files if path.name != "q.csv")]


@pytest.mark.parametrize("case", BROKEN)
def test_a_hidden_cell_of_a_table_is_quoted_nowhere(run, tmp_path, case):
    assert not any("rosebud" in text for text in broken_table(run, tmp_path, case, "--no-values"))


@pytest.mark.parametrize("case", [case for case in BROKEN if case != "a model that warns"])
def test_little_of_a_cell_is_quoted(run, tmp_path, case):
    said = broken_table(run, tmp_path, case)[1]
    assert max(line.count("rosebud") for line in said.splitlines()) <= 2 * 200 // len("rosebud")


TALKER = """
import sys


class RosebudError(ValueError):
    pass


def score(texts):
    print("rosebud", file=sys.stderr)
    print("rosebud")
    raise RosebudError(texts)
"""


@forks
@pytest.mark.parametrize("hides", [True, False])
def test_what_a_function_prints_and_calls_its_errors_is_hidden_with_the_values(tmp_path, hides):
    (tmp_path / "talker.py").write_text(TALKER)
    (tmp_path / "t.txt").write_text("some words\nand more\n")
    words = ("text", "talker:score", "t.txt", "--python-path", ".", *["--no-values"] * hides)
    process = Forked(tmp_path, *words)
    assert process.wait() == 3
    said, out = process.said.read_text(), (tmp_path / "said.out").read_text()
    assert ("rosebud" in (out + said).lower()) != hides
    assert "ValueError" in said or not hides
