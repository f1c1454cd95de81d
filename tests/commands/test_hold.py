"""Features that the user holds: the row's own in every baseline and draw, and without a weight."""

import json
import pickle
import shutil
from pathlib import Path

import held_models
import numpy as np
import pandas as pd
import pytest
from held_models import NAMES, score
from oracles import shapley

FREE = ["age", "income", "debt"]
OWN = 1.5
"""The held value of one row, which no other has."""


def made(rows=36):
    stream = np.random.default_rng(3)
    found = pd.DataFrame({
        "age": stream.integers(1, 9, rows) / 2,
        "sex": stream.integers(1, 3, rows).astype(float),
        "income": stream.normal(2, 1, rows).round(3),
        "debt": stream.normal(0, 1, rows).round(3),
    })
    found.loc[4, "sex"] = OWN
    found.loc[5, "sex"] = 1.0
    return found


@pytest.fixture
def explain(run, tmp_path):
    made().to_csv(tmp_path / "d.csv", index=False)
    made().drop(columns="sex").to_csv(tmp_path / "rest.csv", index=False)
    shutil.copy(held_models.__file__, tmp_path / "scores.py")

    def explained(model, data, *options, code=0):
        words = ("--python-path", ".", "-q", "-j", "1", *options)
        done = run("tabular", f"scores:{model}" if ":" not in model else model, data, *words)
        assert done.code == code, done.err
        return done

    return explained


def weights(folder="xplain-out"):
    lines = pd.read_csv(Path(folder) / "weights.csv")
    return lines.pivot_table("weight", "row_id", "feature", sort=False)


def base(folder="xplain-out"):
    return pd.read_csv(Path(folder) / "stability.csv")


def asked(tmp_path):
    """All rows that the model was asked since it was looked at last."""
    path, found = tmp_path / "asked.npy", []
    with path.open("rb") as file:
        while file.tell() < path.stat().st_size:
            found.append(np.load(file))
    path.unlink()
    return np.unique(np.concatenate(found), axis=0)


def moved(rows):
    """The rows that are none of DATA: what was made of one."""
    own = {tuple(line) for line in made()[NAMES].to_numpy(float).tolist()}
    return np.array([line for line in rows.tolist() if tuple(line) not in own])


@pytest.mark.parametrize(
    ("method", "baseline"),
    [
        ("kernel-shap", "nearest"),
        ("permutation", "mean"),
        ("occlusion", "revert"),
        ("rise", "sample:k=3"),
        ("lime:space=baseline", "medoid"),
    ],
)
def test_a_held_feature_never_moves(explain, tmp_path, method, baseline):
    explain("classes", "d.csv", "-m", method, "-b", baseline, "--hold", "sex", "--rows", "4:5")
    rows = moved(asked(tmp_path))
    assert len(rows) > 2
    assert set(rows[:, 1]) == {OWN}
    assert set(pd.read_csv("xplain-out/weights.csv")["feature"]) == set(FREE)
    if baseline in {"nearest", "revert"}:
        assert base()["baseline_in_class"][0] == 1


def test_a_row_whose_own_value_decides_fails_alone(explain):
    words = ("-m", "occlusion", "-b", "nearest", "--hold", "sex", "-t", "predicted:vs:runner-up")
    explain("bound", "d.csv", *words, "--rows", "4:6", "--max-failed", "1")
    said = base()
    assert said["status"].tolist() == ["ok", "failed"]
    assert "stays in it with this row's own 'sex'; hold less" in said["error"][1]
    assert "the model raised" not in said["error"][1]


def test_shapley_values_are_those_of_the_game_with_the_own_value(explain):
    table = made()
    explain("score", "d.csv", "-m", "kernel-shap", "-b", "mean", "--hold", "s?x", "--rows", "0:5")
    middle = table.mean()
    for at in range(5):
        row = table.iloc[at]

        def value(masks, row=row):
            mixed = np.where(masks, row[FREE].to_numpy(), middle[FREE].to_numpy())
            return score(pd.DataFrame(mixed, columns=FREE).assign(sex=row["sex"]))

        assert weights().loc[at, FREE].to_numpy() == pytest.approx(shapley(3, value), abs=1e-9)
        own = score(pd.DataFrame([middle]).assign(sex=row["sex"]))[0]
        assert base()["base_value"][at] == pytest.approx(own, abs=1e-9)


@pytest.mark.parametrize("law", ["lime", "lime:discretizer=decile,features=2"])
def test_lime_on_draws_is_that_of_the_model_with_the_value_put_in(explain, law):
    """The draws of the other columns are the same without the held one, so are all numbers."""
    draws = ("-n", "256", "-r", "4", "--rows", "5:6", "-m", law)
    explain("score", "d.csv", *draws, "--hold", "sex", "-o", "held")
    explain("men", "rest.csv", *draws, "-o", "rest")
    assert made()["sex"][5] == 1
    assert weights("held").loc[5].to_dict() == pytest.approx(weights("rest").loc[5].to_dict())
    assert base("held")["base_value"][0] == pytest.approx(base("rest")["base_value"][0])
    pool = json.loads(Path("held/manifest.json").read_text())["pool"]
    assert (pool["pools"], pool["rows"], pool["model_inputs"]) == (3, 1024, 3072)


def test_longer_looks_add_to_every_pool(explain):
    """A row that asks for more draws gets those of its own pool."""
    goal = ("-n", "64", "-r", "4", "--max-rel-se", "1e-9", "--max-samples", "512", "--rows", "4:6")
    explain("score", "d.csv", *goal, "--hold", "sex", "-o", "grown")
    explain("score", "d.csv", "-n", "64", "-r", "8", "--rows", "4:6", "--hold", "sex", "-o", "one")
    assert weights("grown").to_numpy() == pytest.approx(weights("one").to_numpy())


def test_many_combinations_give_each_row_draws_of_its_own(explain, tmp_path):
    options = ("-n", "16", "-r", "2", "--hold", "income", "--rows", "4:6")
    explain("classes", "d.csv", *options)
    said = json.loads(Path("xplain-out/manifest.json").read_text())
    assert said["method"] == "lime:sample=around"
    assert any("sample=around: held values have more than 32" in note for note in said["notes"])
    assert set(moved(asked(tmp_path))[:, 2]) == set(made()["income"][4:6])
    assert set(weights()) == {"age", "sex", "debt"}
    done = explain("classes", "d.csv", *options, "-m", "lime:discretizer=decile", code=2)
    assert "discretizer=decile needs a pool" in done.err


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """A boosted model of trees with the held column in many of them, and its table."""
    from sklearn.ensemble import GradientBoostingRegressor

    table, folder = made(200), tmp_path_factory.mktemp("trees")
    model = GradientBoostingRegressor(n_estimators=20, max_depth=3, random_state=0)
    model.fit(table, score(table))
    (folder / "trees.pkl").write_bytes(pickle.dumps(model))
    return folder / "trees.pkl", model


def test_tree_shap_is_the_enumeration_with_the_own_value(run, explain, trees):
    path, model = trees
    table = made()
    done = run("tabular", path, "d.csv", "-m", "tree-shap", "--hold", "sex", "-b", "median", "-q")
    assert done.code == 0, done.err
    middle = table.median()
    for at in range(4):
        row = table.iloc[at]

        def value(masks, row=row):
            mixed = np.where(masks, row[FREE].to_numpy(), middle[FREE].to_numpy())
            frame = pd.DataFrame(mixed, columns=FREE).assign(sex=row["sex"])
            return model.predict(frame[NAMES])

        assert weights().loc[at, FREE].to_numpy() == pytest.approx(shapley(3, value), abs=1e-8)


def test_exact_lime_is_what_many_draws_come_to(run, explain, trees):
    words = ("tabular", trees[0], "d.csv", "--hold", "sex", "-q", "--rows", "0:6")
    assert run(*words, "-m", "lime:exact=yes", "-o", "exact").code == 0
    assert run(*words, "-n", "4096", "-r", "8", "-o", "drawn").code == 0
    drawn = pd.read_csv("drawn/weights.csv").set_index(["row_id", "feature"])
    exact = pd.read_csv("exact/weights.csv").set_index(["row_id", "feature"])["weight"]
    errors = drawn["std_error"].clip(lower=1e-6)
    assert ((drawn["weight"] - exact[drawn.index]).abs() / errors).max() < 6


def test_gradients_follow_paths_on_which_the_own_value_stays(run, tmp_path):
    from sklearn.neural_network import MLPRegressor

    table = made()
    net = MLPRegressor(hidden_layer_sizes=(6,), activation="tanh", tol=1, random_state=0)
    net.fit(table.to_numpy(), table["sex"] * table["income"])
    (tmp_path / "net.pkl").write_bytes(pickle.dumps(net))
    table.to_csv(tmp_path / "d.csv", index=False)
    words = ("tabular", "net.pkl", "d.csv", "--hold", "sex", "-b", "mean", "--rows", "0:3", "-q")
    assert run(*words, "-m", "ig:tol=1e-6").code == 0
    at, step = table.iloc[:3].to_numpy(), 1e-5
    start = np.where(np.array(NAMES) == "sex", at, table.mean().to_numpy())
    nodes, shares = np.polynomial.legendre.leggauss(64)
    wanted = np.zeros((3, 4))
    for node, share in zip((nodes + 1) / 2, shares / 2, strict=True):
        point = start + node * (at - start)
        for j in range(4):
            up, down = point.copy(), point.copy()
            up[:, j] += step
            down[:, j] -= step
            slope = (net.predict(up) - net.predict(down)) / (2 * step)
            wanted[:, j] += share * slope * (at - start)[:, j]
    free = [NAMES.index(name) for name in FREE]
    assert weights()[FREE].to_numpy() == pytest.approx(wanted[:, free], abs=1e-6)
    for method in ("saliency", "smooth"):
        assert run(*words, "-m", method, "-o", method).code == 0
        assert set(weights(method)) == set(FREE)


def test_what_is_held_is_part_of_the_question(run, explain):
    """Runs with and without are compared across alone; parts of one merge; auditors ask alike."""
    words = ("-m", "occlusion", "-b", "mean")
    explain("score", "d.csv", *words, "-o", "free")
    explain("score", "d.csv", *words, "--hold", "sex", "-o", "held")
    explain("score", "d.csv", *words, "--hold", "sex", "-o", "low", "--rows", "0:20")
    explain("score", "d.csv", *words, "--hold", "sex", "-o", "high", "--rows", "20:")
    assert "holds the finished run" in explain("score", "d.csv", *words, "-o", "held", code=2).err
    done = run("diff", "free", "held")
    assert done.code == 2
    assert "hold default -> ['sex']" in done.err
    assert run("diff", "free", "held", "--across").code == 0
    assert run("merge", "low", "high", "-o", "both").code == 0
    for name in ("weights.csv", "stability.csv"):
        assert (Path("both") / name).read_bytes() == (Path("held") / name).read_bytes()
    assert run("diff", "both", "held").code == 0
    assert run("verify", "both", "--check-rows", "2", "--python-path", ".").code == 0
    assert run("evaluate", "held", "--python-path", ".").code == 0
    assert set(pd.read_csv("held/evaluation.csv")["n_features"]) == {3}
    assert run("merge", "low", "free", "-o", "no").code == 2


def test_a_project_file_holds_and_the_output_says_so(run, explain, tmp_path):
    (tmp_path / "xplain.toml").write_text('hold = ["sex", "age"]\ngroup = ["who=[as][ge][ex]"]\n')
    explain("score", "d.csv", "-m", "occlusion", "-b", "mean", "--report", "p.html")
    said = json.loads(Path("xplain-out/manifest.json").read_text())
    assert said["plan"]["numbers"]["hold"] == ["age", "sex"]
    assert said["baseline"].endswith("held, as the row's own: age, sex")
    assert "held, as the row&#39;s own: age, sex" in Path("p.html").read_text()
    assert set(weights()) == {"income", "debt"}
    assert "Held            age, sex: the row's own, with no weight" in run("summary").out
    assert "sex (number, held)" in explain("score", "d.csv", "--dry-run").out
