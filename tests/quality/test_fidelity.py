"""Fidelity: the worse of two grades, and whether base and weights decide as the model does."""

import numpy as np
import pandas as pd
import pytest
from running import rows_of

from xplain_cli.explanation import exact_attribution
from xplain_cli.quality.fidelity import (
    Decision,
    attribution_error,
    decision_of,
    fidelity_words,
    own_miss,
)

NAN = float("nan")
ONE = np.array([[[1, -1]]])


@pytest.mark.parametrize(
    ("r2", "miss", "same", "word"),
    [
        (0.5, 0.25, 1, "good"),
        (0.9, 0.26, 1, "fair"),
        (0.49, 0.0, 1, "fair"),
        (0.9, 0.51, 1, "poor"),
        (0.19, 0.0, 1, "poor"),
        (0.9, 0.0, 0, "poor"),
        (NAN, 0.0, NAN, "good"),
        (NAN, 0.5, 1, "fair"),
        (0.6, NAN, NAN, "good"),
        (NAN, NAN, 0, "poor"),
        (NAN, NAN, NAN, None),
    ],
)
def test_the_word_is_the_worse_of_two_grades(r2, miss, same, word):
    found = fidelity_words(*(np.array([value, 1.0]) for value in (r2, miss, same)))
    assert found.objects()[0] == word


@pytest.mark.parametrize(
    ("scale", "margin", "prediction", "explained", "same"),
    [
        ("probability", False, 0.6, 0.51, 1),
        ("probability", False, 0.6, 0.49, 0),
        ("log-odds", False, 0.1, -0.1, 0),
        ("log-odds", False, -3.0, -0.1, 1),
        ("raw", True, 1.0, 0.2, 1),
        ("raw", True, 1.0, -0.2, 0),
        ("raw", False, 1.0, -0.2, NAN),
    ],
)
def test_two_classes_are_told_apart_by_the_threshold(scale, margin, prediction, explained, same):
    decision = decision_of("classification", 2, scale, margin=margin, exclusive=True)
    got = decision.same(ONE, np.array([[prediction]]), np.array([[explained]]))
    assert got[0, 0] == pytest.approx(same, nan_ok=True)


def test_a_pair_is_told_apart_by_its_sign():
    pair = np.array([[[1, 0]], [[1, 0]]])
    got = Decision(3).same(pair, np.array([[0.2], [0.2]]), np.array([[0.1], [-0.1]]))
    assert got.tolist() == [[1], [0]]


def test_many_classes_decide_only_together():
    alone = Decision(3, 0.5).same(ONE, np.array([[0.6]]), np.array([[0.4]]))
    assert np.isnan(alone).all()
    every = np.array([[[0, -1], [1, -1], [2, -1]]] * 2)
    predictions = np.array([[0.2, 0.5, 0.3]] * 2)
    explained = np.array([[0.1, 0.4, 0.3], [0.1, 0.3, 0.4]])
    assert Decision(3, 0.5).same(every, predictions, explained).tolist() == [[1] * 3, [0] * 3]


@pytest.mark.parametrize("task", ["regression", "anomaly"])
def test_numbers_decide_nothing(task):
    assert decision_of(task, 1, "raw", margin=False, exclusive=True) == Decision()


def test_outputs_that_do_not_exclude_each_other_decide_nothing():
    found = decision_of("classification", 4, "probability", margin=False, exclusive=False)
    assert found == Decision()


@pytest.mark.parametrize("method", ["lime", "kernel-shap", "occlusion"])
def test_no_row_that_is_decided_otherwise_is_called_good_or_fair(run, cancer, tmp_path, method):
    words = ("tabular", cancer.model, cancer.data, "--drop-columns", "id", "--rows", "0:60")
    budget = () if method == "occlusion" else ("-n", "256", "-r", "2")
    done = run(*words, *budget, "-m", method, "-o", "out")
    assert done.code == 0
    lines = pd.read_csv(tmp_path / "out" / "stability.csv")
    assert ("weights of -m kernel-shap add up" in done.err) == (lines["same_decision"] == 0).any()
    weights = pd.read_csv(tmp_path / "out" / "weights.csv")
    total = lines["base_value"] + weights.groupby("row_id")["weight"].sum().to_numpy()
    same = ((lines["prediction"] > 0.5) == (total > 0.5)).astype(float)
    if method == "occlusion":  # its weights promise nothing of their sum
        assert lines["same_decision"].isna().all()
        assert lines["fidelity"].isna().all()
        return
    assert lines["same_decision"].tolist() == same.tolist()
    assert not lines.loc[same == 0, "fidelity"].isin(["good", "fair"]).any()
    if method == "kernel-shap":
        assert (lines["fidelity"] == "good").all()


def test_an_answer_of_zero_that_rounding_misses_is_good():
    weights = np.array([[[0.1, -0.1 + 3e-17]]])
    got = exact_attribution(weights, np.zeros((1, 1)), samples=1, asked=np.zeros(1, dtype=int))
    assert own_miss(got, np.zeros((1, 1))).tolist() == [[0.0]]


@pytest.mark.parametrize("unit", [1.0, 1e-20, 1e20])
def test_the_unit_of_the_answer_is_no_rounding(unit):
    got = exact_attribution(
        np.array([[[0.3, 0.2]]]) * unit, np.zeros((1, 1)), samples=1, asked=np.zeros(1, dtype=int)
    )
    found = attribution_error(got, np.array([[1.0]]) * unit)
    assert np.allclose(found, [[0.5]])
    assert np.array_equal(own_miss(got, np.array([[1.0]]) * unit), found)


def test_a_gate_counts_what_is_decided_otherwise(run, cancer):
    words = ("tabular", cancer.model, cancer.data, "--drop-columns", "id", "-n", "256", "-r", "2")
    assert run(*words, "-m", "kernel-shap", "--rows", "0:20", "-o", "out").code == 0
    assert run("gate", "out", "--fail-on", "share(same_decision<1)>5%").code == 0
    assert run("gate", "out", "--fail-on", "share(same_decision>0)>5%").code == 1
    refused = run("gate", "out", "--fail-on", "mean(same_decision)>5%")
    assert (refused.code, "percent" in refused.err) == (2, True)


def test_a_fit_of_as_many_masks_as_unknowns_has_no_r2(run, comments, tmp_path):
    (tmp_path / "t.txt").write_text("good words\ngood words and many more of them here\n")
    options = ("--python-path", str(comments), "-n", "64", "-r", "4")
    done = run("text", "judges:order", tmp_path / "t.txt", *options)
    assert done.code == 0, done.err
    short, long = rows_of(tmp_path / "xplain-out" / "stability.csv")
    assert (short["local_r2"], long["local_r2"] != "") == ("", True)


@pytest.mark.parametrize(
    ("base", "prediction", "weights", "error"),
    [
        (0.0, 0.0, [0.1, -0.1 + 1e-17], 0.0),
        (0.3, 0.1 + 0.2, [0.1, -0.1], 0.0),
        (0.0, 0.0, [0.1, -0.05], np.nan),
        (0.5, 0.0, [-0.3, -0.1], 0.2),
        (0.0, 1e-12, [0.0, 0.0], 1.0),
    ],
)
def test_nothing_that_is_due_is_met_by_rounding(base, prediction, weights, error):
    got = exact_attribution(
        np.array([[weights]]), np.array([[base]]), samples=0, asked=np.zeros(1, int)
    )
    found = attribution_error(got, np.array([[prediction]]))
    assert np.allclose(found, [[error]], rtol=1e-9, equal_nan=True)


def test_a_run_whose_answer_is_zero_still_adds_up(run, tmp_path):
    (tmp_path / "zero_answers.py").write_text(
        "import numpy as np\n"
        "def fifths(t):\n"
        "    x = np.asarray(t, dtype=float)\n"
        "    return x[:, 0] * 0.1 + x[:, 1] * 0.2 - x[:, 2] * 0.3\n"
    )
    table = pd.DataFrame({"a": [3, 1, 0, 2], "b": [0, 1, 3, 2], "c": [1, 1, 2, 2]})
    table.to_csv(tmp_path / "z.csv", index=False)
    command = ("tabular", "zero_answers:fifths", "z.csv", "--python-path", tmp_path)
    done = run(*command, "-m", "kernel-shap", "-b", "zero")
    assert done.code == 0
    assert "adds up, attribution error at most" in done.err
    assert rows_of(tmp_path / "xplain-out" / "stability.csv")[1]["attribution_error"] == "0.0"
