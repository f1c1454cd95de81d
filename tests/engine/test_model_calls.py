"""A row on which the model fails costs that row alone."""

import pandas as pd
from running import SMALL, rows_of


def test_a_model_that_fails_on_a_row_costs_that_row_only(run, cancer, tmp_path):
    (tmp_path / "picky.py").write_text(
        "def predict(table):\n"
        "    if (table['mean radius'] == 13.08).any():\n"
        "        raise ValueError('not this one')\n"
        "    return table['mean radius'].to_numpy()\n"
    )
    command = ("tabular", "picky:predict", cancer.data, "--drop-columns", "id", *SMALL)
    done = run(*command, "--python-path", ".", "--rows", "15:25")
    assert done.code == 4, done.err
    stability = rows_of(tmp_path / "xplain-out" / "stability.csv")
    assert [line["status"] for line in stability].count("failed") == 1
    assert any("not this one" in line["error"] for line in stability)
    assert run(*command, "--python-path", ".", "--rows", "15:25", "--max-failed", "1").code == 0


def test_a_text_that_the_model_fails_on_fails_alone(run, comments, tmp_path):
    (tmp_path / "t.txt").write_text("some good words\nsome poison here\nmore good words\n")
    options = ("--python-path", str(comments), "-n", "64", "-r", "4")
    done = run("text", "judges:fails", tmp_path / "t.txt", *options)
    assert done.code == 4
    stability = pd.read_csv(tmp_path / "xplain-out" / "stability.csv")
    assert stability["status"].tolist() == ["ok", "failed", "ok"]
    assert "RuntimeError" in stability["error"][1]
