"""A finished run in pandas, and as shap takes it."""

import numpy as np
import pandas as pd
import pytest

import xplain_cli
from xplain_cli.errors import RefusedError, UsageError


@pytest.fixture(scope="module")
def shapley(mixed, tmp_path_factory):
    """A run whose weights add up, with words among its values."""
    from xplain_cli.main import main

    out = tmp_path_factory.mktemp("shapley") / "out"
    words = ("tabular", mixed.model, mixed.data, "-m", "kernel-shap", "-t", "predicted", "-k", "2")
    with pytest.raises(SystemExit):
        main([str(word) for word in (*words, "--rows", "0:12", "-o", out, "-q", "-j", "1")])
    return out


def test_the_lines_are_those_of_the_files(looked_at):
    run = xplain_cli.load(looked_at)
    for name, frame in (("weights", run.weights), ("stability", run.stability)):
        written = pd.read_csv(looked_at / f"{name}.csv", dtype={"run_id": str})
        columns = [c for c in written if pd.api.types.is_numeric_dtype(frame[c])]
        assert list(frame.columns) == list(written.columns)
        pd.testing.assert_frame_equal(frame[columns], written[columns], check_dtype=False)
    assert run.manifest["run_id"] == run.stability["run_id"].iloc[0]


def test_a_run_is_found_by_any_file_of_it(looked_at):
    assert xplain_cli.load(looked_at / "weights.csv").folder == looked_at
    with pytest.raises(RefusedError, match="no such run"):
        xplain_cli.load(looked_at / "none")


def test_the_wide_table_has_a_column_a_feature(looked_at):
    run = xplain_cli.load(str(looked_at))
    wide = run.to_wide()
    line = run.weights.query("row_id == 'p4' and feature == 'worst area'")["weight"].item()
    assert wide.loc[wide["row_id"] == "p4", "worst area"].item() == line
    assert wide.shape == (20, 4 + 30)


def test_weights_that_the_file_leaves_out_are_there(shapley):
    assert len(pd.read_csv(shapley / "weights.csv")) == 24
    assert len(xplain_cli.load(shapley).weights) == 48


def test_a_notebook_shows_what_was_explained_and_no_markup_of_data(looked_at):
    run = xplain_cli.load(looked_at)
    shown = run._repr_html_()
    assert "scale: <b>probability</b>" in shown
    assert shown.count("<tr") == 11
    run.stability.loc[0, "row_id"] = "<script>"
    assert "<script>" not in run._repr_html_()


def test_without_shap_the_message_says_how_to_install_it(looked_at, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "shap", None)
    with pytest.raises(UsageError, match=r"pip install 'shap>=0.46'"):
        xplain_cli.load(looked_at).to_shap()


def test_in_shap_base_and_values_add_up_and_errors_stand_beside(shapley, looked_at):
    pytest.importorskip("shap")
    run = xplain_cli.load(shapley)
    found = run.to_shap()
    total = found.base_values + found.values.sum(axis=1)
    assert total == pytest.approx(run.stability["prediction"].to_numpy(float), abs=1e-9)
    assert found.feature_names == ["age", "income", "city", "job"]
    assert set(found.display_data[:, 3]) <= {"clerk", "cook"}
    assert set(found.data[:, 3]) <= {0.0, 1.0}
    lime = xplain_cli.load(looked_at)
    errors = lime.weights.query("row_id == 'p0'").sort_values("feature_index")["std_error"]
    assert lime.to_shap().error_std[0] == pytest.approx(errors.to_numpy(float))


@pytest.mark.filterwarnings("ignore")
def test_shap_draws_its_own_plots_of_a_run(shapley, looked_at):
    shap = pytest.importorskip("shap")
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    for run in (shapley, looked_at):
        found = xplain_cli.load(run).to_shap()
        shap.plots.beeswarm(found, show=False)
        assert plt.gcf().axes
        plt.close("all")
        shap.plots.waterfall(found[0], show=False)
        assert plt.gcf().axes
        plt.close("all")


def test_of_several_targets_one_is_named(mixed, tmp_path, run):
    words = ("tabular", mixed.model, mixed.data, "-m", "kernel-shap", "-t", "all", "-j", "1")
    assert run(*words, "--rows", "0:2", "-o", "all").code == 0
    loaded = xplain_cli.load(tmp_path / "all")
    with pytest.raises(UsageError, match="name one of high, low, mid"):
        loaded._of_target(None)
    with pytest.raises(UsageError, match="did you mean 'high'"):
        loaded._of_target("higher")
    assert np.asarray(loaded._of_target("low").stability["target"] == "low").all()


def test_rows_of_different_features_are_no_wide_table(run):
    from pathlib import Path

    samples = Path(__file__).parents[2] / "sample_data"
    words = ("text", samples / "comments.pkl", samples / "comments.csv", "--text-column", "CONTENT")
    assert run(*words, "--rows", "0:3", "-n", "32", "-r", "2", "-o", "texts").code == 0
    loaded = xplain_cli.load("texts")
    with pytest.raises(UsageError, match=r"^\.to_wide\(\) needs .* take \.weights"):
        loaded.to_wide()
