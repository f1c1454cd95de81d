"""The closing table of a finished run, whole, of some rows, and by groups."""

import pandas as pd
import pytest

from xplain_cli.jobs.summary import _label


def groups(text):
    """Return the first word and the number of rows of each group."""
    head, *lines = text.splitlines()
    at = head.index("   rows") + len("   rows")
    return {line[: at - 7].strip(): int(line[at - 7 : at]) for line in lines}


def test_the_table_is_the_one_that_the_run_closed_with(run, cancer, tmp_path):
    first = run("tabular", cancer.model, cancer.data, "-n", "64", "-r", "2", "--rows", "0:9")
    told = run("summary", tmp_path / "xplain-out")
    assert (told.code, told.err) == (0, "")
    assert told.out.strip() in first.err


def test_only_the_rows_that_are_asked_for_count(run, looked_at):
    stability = pd.read_csv(looked_at / "stability.csv")
    poor = int((stability["fidelity"] == "poor").sum())
    done = run("summary", looked_at, "--where", 'fidelity=="poor"')
    assert f"{poor} explained" in done.out


def test_words_are_groups_by_their_number(run, looked_at):
    stability = pd.read_csv(looked_at / "stability.csv")
    done = run("summary", looked_at, "--by", "fidelity")
    assert groups(done.out) == stability["fidelity"].value_counts().to_dict()


def test_many_numbers_are_cut_at_their_quartiles(run, looked_at):
    for column in ("prediction", "mean radius", "worst area"):  # ours, a kept one, a feature
        counts = groups(run("summary", looked_at, "--by", column).out)
        assert sum(counts.values()) == 20
        assert 2 <= len(counts) <= 4


def test_the_means_of_a_group_are_those_of_its_weights(run, looked_at):
    weights = pd.read_csv(looked_at / "weights.csv")
    done = run("summary", looked_at, "--by", "target")
    means = weights.groupby("feature")["weight"].agg(["mean", lambda w: w.abs().mean()])
    means.columns = ["mean", "size"]
    strongest = means.sort_values("size", ascending=False)
    line = done.out.splitlines()[1]
    assert f"{strongest.index[0]} {strongest['mean'].iloc[0]:+.3g}" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--by", "fidelty"), "did you mean 'fidelity'"),
        (("--where", "fidelty==1"), "did you mean 'fidelity'"),
    ],
)
def test_a_column_that_is_not_there_is_refused(run, looked_at, words, said):
    done = run("summary", looked_at, *words)
    assert done.code == 2
    assert said in done.err


def test_values_that_a_run_hides_make_no_groups(run, cancer, tmp_path):
    words = (cancer.model, cancer.data, "-n", "64", "-r", "2", "--rows", "0:9", "--no-values")
    assert run("tabular", *words).code == 0
    done = run("summary", tmp_path / "xplain-out", "--by", "worst area")
    assert done.code == 2
    assert "values of features are hidden" in done.err


def test_a_condition_that_no_row_meets_is_said(run, looked_at):
    for more in ((), ("--by", "fidelity")):
        done = run("summary", looked_at, "--where", "prediction>5", *more)
        assert done.code == 0
        assert "warning: no row of the run is among rows where prediction>5" in done.err


def test_quartiles_that_lie_close_are_groups_of_their_own():
    edges = [1_000_000.5, 1_000_001.0, 1_000_001.5]
    labels = {_label(value, edges) for value in (1e6, 1_000_000.7, 1_000_001.2, 1_000_002.0)}
    assert len(labels) == 4
