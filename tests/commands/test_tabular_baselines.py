"""``xplain tabular`` with baselines, from end to end."""

import pickle

import numpy as np
import pandas as pd
import pytest
from running import rows_of

# whole runs


@pytest.fixture(scope="module")
def linear(tmp_path_factory):
    """A linear regression on numbers, its table, and the folder of both."""
    from sklearn.linear_model import LinearRegression

    folder = tmp_path_factory.mktemp("linear")
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(20, 12)), columns=list("abcdefghijkl"))
    model = LinearRegression().fit(X, X.to_numpy() @ np.arange(1.0, 13))
    (folder / "linear.pkl").write_bytes(pickle.dumps(model))
    X.to_csv(folder / "linear.csv", index=False)
    return X, model, folder


METHODS = ["kernel-shap", "permutation", "occlusion", "lime:space=baseline"]


@pytest.mark.parametrize("baseline", ["zero", "mean", "median", "row=4", "sample:k=7"])
@pytest.mark.parametrize("method", METHODS)
def test_a_linear_model_gives_w_times_x_minus_b(run, tmp_path, linear, method, baseline):
    X, model, folder = linear
    words = (folder / "linear.pkl", folder / "linear.csv", "-m", method, "-b", baseline)
    done = run("tabular", *words, "--rows", "0:5", "-q")
    assert done.code == 0, done.err
    base = {
        "zero": np.zeros(12),
        "mean": X.mean().to_numpy(),
        "median": np.median(X.to_numpy(), axis=0),
        "row=4": X.iloc[4].to_numpy(),
    }.get(baseline)
    stability = rows_of(tmp_path / "xplain-out" / "stability.csv")
    assert len(stability) == 5
    for line in rows_of(tmp_path / "xplain-out" / "weights.csv"):
        row, j = int(line["row_id"]), int(line["feature_index"])
        if base is not None:
            wanted = model.coef_[j] * (X.iloc[row, j] - base[j])
            assert float(line["weight"]) == pytest.approx(wanted, rel=1e-9, abs=1e-9)
    for line in stability:
        assert float(line["residual"]) == pytest.approx(0, abs=1e-8)
        assert float(line["attribution_error"]) == pytest.approx(0, abs=1e-8)
    if baseline == "row=4":
        own = stability[4]
        assert (own["n_changed"], own["n_model_inputs"], own["precision"]) == ("0", "1", "exact")
        assert float(own["base_value"]) == float(own["prediction"])


@pytest.mark.parametrize("method", ["kernel-shap", "permutation", "occlusion"])
@pytest.mark.parametrize("baseline", ["median", "nearest", "revert"])
def test_a_run_with_a_baseline_says_what_it_was(run, tmp_path, mixed, method, baseline):
    done = run(
        *("tabular", mixed.model, mixed.data, "-m", method, "-b", baseline, "-q"),
        *("-t", "predicted:vs:runner-up", "--rows", "0:24"),
    )
    assert done.code == 0, done.err
    stability = rows_of(tmp_path / "xplain-out" / "stability.csv")
    weights = rows_of(tmp_path / "xplain-out" / "weights.csv")
    assert {line["status"] for line in stability} == {"ok"}
    assert all(float(line["baseline_distance"]) >= 0 for line in stability)
    assert {line["baseline"] for line in stability} == {baseline}
    if baseline != "median":
        assert {line["baseline_in_class"] for line in stability} == {"1.0"}
        for line in stability:
            assert line["target"].endswith(f":vs:{line['baseline_class']}")
    for line in weights:
        if line["baseline_value"] == line["feature_value"]:
            assert (float(line["weight"]), float(line["std_error"])) == (0, 0)
    assert len(weights) == 4 * len(stability)


def test_one_against_another_is_antisymmetric(run, tmp_path, mixed):
    found = {}
    for target in ("low:vs:high", "high:vs:low"):
        done = run(
            *("tabular", mixed.model, mixed.data, "-m", "kernel-shap", "-b", "median", "-q"),
            *("-t", target, "--force", "--rows", "0:20"),
        )
        assert done.code == 0, done.err
        weights = rows_of(tmp_path / "xplain-out" / "weights.csv")
        found[target] = {(w["row_id"], w["feature"]): float(w["weight"]) for w in weights}
    one, two = found.values()
    assert one.keys() == two.keys()
    assert all(one[key] == pytest.approx(-two[key], abs=1e-12) for key in one)


def test_pairs_of_classes_add_up(run, tmp_path, mixed):
    found = {}
    for target in ("low:vs:mid", "mid:vs:high", "low:vs:high"):
        run(
            *("tabular", mixed.model, mixed.data, "-m", "kernel-shap", "-b", "mean", "-q"),
            *("-t", target, "--force", "--rows", "0:20", "--output-scale", "log-odds:eps=1e-9"),
        )
        weights = rows_of(tmp_path / "xplain-out" / "weights.csv")
        found[target] = {(w["row_id"], w["feature"]): float(w["weight"]) for w in weights}
    one, two, whole = found.values()
    assert all(one[key] + two[key] == pytest.approx(whole[key], abs=1e-9) for key in whole)


def test_the_same_numbers_for_any_chunks_and_order(run, tmp_path, mixed):
    rows = pd.read_csv(mixed.data)
    rows.insert(0, "name", [f"r{i}" for i in range(len(rows))])
    rows.to_csv(tmp_path / "one.csv", index=False)
    rows.sample(frac=1, random_state=3).to_csv(tmp_path / "two.csv", index=False)
    found = []
    for data, size in (("one.csv", "40"), ("one.csv", "7"), ("two.csv", "40")):
        done = run(
            *("tabular", mixed.model, data, "--id-column", "name", "-m", "kernel-shap", "-q"),
            *("-b", "revert", "--chunk-rows", size, "--force"),
        )
        assert done.code == 0, done.err
        weights = rows_of(tmp_path / "xplain-out" / "weights.csv")
        found.append({(w["row_id"], w["feature"]): (w["weight"], w["std_error"]) for w in weights})
    assert found[0] == found[1] == found[2]


def test_many_baselines_are_asked_to_a_precision_alike_in_any_chunks(run, tmp_path, cancer):
    base = ("tabular", cancer.model, cancer.data, "--id-column", "id", "-m", "kernel-shap")
    base = (*base, "-b", "sample:k=9", "--rows", "0:4")
    for out, size in (("one", "4"), ("two", "1")):
        done = run(*base, "-o", out, "--chunk-rows", size)
        assert done.code == 0, done.err
        assert "each row is asked until max_rel_se is 0.05, from 4,096 to 65,536" in done.err
    for name in ("weights.csv", "stability.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    for line in rows_of(tmp_path / "one" / "stability.csv"):
        assert (line["precision"], int(line["n_repeats"]) >= 16) == ("stable", True)
        assert float(line["attribution_error"]) == pytest.approx(0, abs=1e-9)
        # the row, its baselines, and each pair of coalitions on one of them
        most = 10 + int(line["n_repeats"]) * int(line["n_samples"])
        assert 0.9 * most < int(line["n_model_inputs"]) <= most


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("kernel-shap", "a mask is asked on one of them"),
        ("kernel-shap:rows=all", "the row is compared with each"),
        ("lime:space=baseline", "the row is compared with each"),
    ],
)
def test_the_note_on_many_baselines_is_of_the_options(run, cancer, method, said):
    base = ("tabular", cancer.model, cancer.data, "--id-column", "id", "-m", method)
    done = run(*base, "-b", "sample:k=3", "--rows", "0:1", "-n", "16", "-r", "2")
    assert (done.code, f"baseline: 3 rows; {said}" in done.err) == (0, True), done.err


@pytest.mark.parametrize(
    ("method", "code"),
    [("kernel-shap", 0), ("permutation", 0), ("occlusion", 1), ("lime:space=baseline", 1)],
)
def test_a_gate_holds_methods_to_adding_up(run, cancer, method, code):
    done = run(
        *("tabular", cancer.model, cancer.data, "--id-column", "id", "-m", method, "-q"),
        *("--rows", "0:6", "--fail-on", "max(abs(residual))>1e-6, max(attribution_error)>1e-6"),
    )
    assert done.code == code, done.err


def test_the_attribution_error_is_what_weights_miss_of_the_difference(run, tmp_path, cancer):
    done = run(
        *("tabular", cancer.model, cancer.data, "--id-column", "id", "-m", "occlusion", "-q"),
        *("--rows", "0:6"),
    )
    assert done.code == 0, done.err
    sums = {}
    for line in rows_of(tmp_path / "xplain-out" / "weights.csv"):
        sums[line["row_id"]] = sums.get(line["row_id"], 0) + float(line["weight"])
    for line in rows_of(tmp_path / "xplain-out" / "stability.csv"):
        due = float(line["prediction"]) - float(line["base_value"])
        wanted = abs(sums[line["row_id"]] - due) / abs(due)
        assert float(line["attribution_error"]) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("baseline", ["median", "sample:k=5", "revert"])
def test_tree_shap_and_kernel_shap_agree(run, tmp_path, cancer, baseline):
    found = []
    for method in ("tree-shap", "kernel-shap"):
        done = run(
            *("tabular", cancer.model, cancer.data, "--id-column", "id", "-m", method, "-q"),
            *("--rows", "0:4", "-b", baseline, "--force", "--fail-on", "max(residual)>1e-9"),
        )
        assert done.code == 0, done.err
        weights = rows_of(tmp_path / "xplain-out" / "weights.csv")
        found.append({(w["row_id"], w["feature"]): w for w in weights})
    exact, sampled = found
    gaps = [float(exact[key]["weight"]) - float(sampled[key]["weight"]) for key in exact]
    errors = [float(sampled[key]["std_error"]) for key in exact]
    assert np.linalg.norm(gaps) <= 2 * np.linalg.norm(errors) + 1e-9


def test_tree_shap_is_for_trees(run, diabetes):
    done = run("tabular", diabetes.model, diabetes.data, "-m", "tree-shap")
    assert done.code == 2
    assert "tree-shap needs trees" in done.err
    assert "kernel-shap" in done.err


def test_no_values_hides_those_of_baselines_too(run, tmp_path, mixed):
    base = ("tabular", mixed.model, mixed.data, "-m", "occlusion", "--rows", "0:3", "-q")
    assert run(*base, "-b", "nearest", "--no-values").code == 0
    lines = rows_of(tmp_path / "xplain-out" / "weights.csv")
    assert {(line["feature_value"], line["baseline_value"]) for line in lines} == {("", "")}
