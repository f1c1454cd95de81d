"""Models that answer the same rows otherwise on another call, or beside other rows."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from running import rows_of

from xplain_cli.errors import RefusedError
from xplain_cli.models import ModelRecipe, load_model
from xplain_cli.models.steadiness import check_steady, movement

ROWS = pd.DataFrame(np.random.default_rng(0).normal(size=(16, 3)), columns=["a", "b", "c"])
MODELS = """
import numpy as np
random = np.random.default_rng()
calls = []
def numbers(rows):
    return np.asarray(rows, float)
def steady(rows):
    return numbers(rows).sum(1)
def noisy(rows):
    return steady(rows) + random.normal(size=len(rows))
def a_little_noisy(rows):
    return steady(rows) + 1e-7 * random.normal(size=len(rows))
def centred(rows):
    return steady(rows) - steady(rows).mean()
def normalised(rows):
    a = numbers(rows)
    return ((a - a.mean(0)) / (a.std(0) + 1e-5)).sum(1)
def ranked(rows):
    return steady(rows).argsort().argsort().astype(float)
def shares(rows):
    e = np.exp(steady(rows))
    return e / e.sum()
def drifting(rows):
    calls.append(1)
    return steady(rows) * (1 + 0.01 * len(calls))
def seeded_dropout(rows):
    kept = np.random.default_rng(0).random((len(rows), 3)) > 0.5
    return (numbers(rows) * kept).sum(1)
def writing(rows):
    answers = steady(rows)
    rows["a"] = rows["a"] * 2
    return answers
def never_less_than_ten(rows):
    if len(rows) < 10:
        raise ValueError("too few rows")
    return steady(rows)
def once(rows):
    calls.append(1)
    if len(calls) > 2:
        raise RuntimeError("closed")
    return steady(rows)
def barely_beside_others(rows):
    return steady(rows) + 1e-7 * steady(rows).mean()
def padded(texts):
    longest = max(map(len, texts))
    return [t.count("a") / longest for t in texts]
def dark(pictures):
    a = np.asarray(pictures, float)
    return (a - a.mean()).mean(axis=(1, 2, 3))
"""
UNSTEADY = {
    "noisy": "asked again",
    "a_little_noisy": "asked again",
    "drifting": "asked again",
    "writing": "asked again",
    "seeded_dropout": "asked in reverse order",
    "centred": "asked in halves",
    "normalised": "asked in halves",
    "ranked": "asked in halves",
    "shares": "asked in halves",
    "barely_beside_others": "asked in halves",
    "never_less_than_ten": "asked in halves",
    "once": "asked again",
}
KERNEL = ("-m", "kernel-shap", "-n", "64", "--rows", "0:3", "--python-path", ".")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "moving.py").write_text(MODELS)
    pd.concat([ROWS] * 2).to_csv(tmp_path / "rows.csv", index=False)
    return tmp_path


def bound(source, rows=ROWS, **wishes):
    loaded = load_model(ModelRecipe(str(source), **wishes))
    return loaded.bind(loaded.settle(rows))


def of_function(function, rows=ROWS):
    """Return how a function's answers move."""
    from xplain_cli.models.callables import CallableModel
    from xplain_cli.models.responses import Answer, settle_answer, to_matrix

    answer = Answer("f", "callable", to_matrix(function(rows)))
    return movement(CallableModel(function, settle_answer(answer, len(rows), None)), rows)


def stored(tmp_path, model):
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(model))
    return path


@pytest.mark.parametrize(("name", "way"), UNSTEADY.items())
def test_what_moves_is_refused_and_the_way_it_was_asked_is_named(name, way, folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(__import__("sys").modules, "moving", raising=False)
    recipe = ModelRecipe("moving:" + name, python_path=(str(folder),))
    loaded = load_model(recipe)
    model = loaded.bind(loaded.settle(ROWS.copy()))
    with pytest.raises(RefusedError, match=f"moving:{name}: {way} for .* --accept unsteady"):
        check_steady(recipe, model, ROWS)


def test_a_steady_model_stays():
    assert of_function(lambda rows: rows.to_numpy() @ [1.0, 2.0, 3.0]) == ""


@pytest.mark.parametrize("name", ["noisy", "normalised"])
def test_an_accepted_run_is_never_called_precise(name, run, folder):
    source = f"moving:{name}"
    refused = run("tabular", source, "rows.csv", *KERNEL)
    assert (refused.code, "--accept unsteady" in refused.err) == (3, True)
    assert not (folder / "xplain-out").exists()
    done = run("tabular", source, "rows.csv", *KERNEL, "--accept", "unsteady", "--report", "p.html")
    assert done.code == 0, done.err
    assert "3 unsteady" in done.err
    assert not {"exact", "stable"} & set(done.err.split())
    lines = rows_of(folder / "xplain-out" / "stability.csv")
    assert {line["precision"] for line in lines} == {"unsteady"}
    said = json.loads((folder / "xplain-out" / "manifest.json").read_text())
    assert "its answers move" in said["model"]["unsteady"]
    assert any("accepted unsteady" in note for note in said["notes"])
    page = (folder / "p.html").read_text()
    assert "accepted unsteady" in page
    assert "exact: no" not in page
    assert ">exact<" not in page
    assert "Precision unsteady" in page


def test_a_gate_can_ask_for_the_word(run, folder):
    options = (*KERNEL, "-q", "--accept", "unsteady")
    done = run("tabular", "moving:noisy", "rows.csv", *options, "--fail-on", "precision==unsteady")
    assert done.code == 1, done.err


def test_one_row_is_asked_beside_those_of_the_background(run, folder):
    ROWS.head(1).to_csv(folder / "one.csv", index=False)
    options = (*KERNEL[:-2], "--python-path", ".", "--background", "rows.csv")
    done = run("tabular", "moving:centred", "one.csv", "-m", "kernel-shap", *options[4:])
    assert (done.code, "asked in halves" in done.err) == (3, True), done.err


def test_consent_to_leftovers_is_none_to_this(run, folder):
    done = run("tabular", "moving:noisy", "rows.csv", *KERNEL, "--accept", "leftovers")
    assert done.code == 3


def test_consent_comes_from_the_command_line_or_the_environment_only(run, folder, monkeypatch):
    line = ("tabular", "moving:noisy", "rows.csv", *KERNEL, "-q")
    (folder / "xplain.toml").write_text('accept = ["unsteady"]\n')
    done = run(*line)
    assert (done.code, "can never consent" in done.err) == (2, True), done.err
    (folder / "xplain.toml").unlink()
    monkeypatch.setenv("XPLAIN_ACCEPT", "leftovers,unsteady")
    assert run(*line).code == 0


def test_an_unknown_consent_is_refused(run, folder):
    done = run("tabular", "moving:noisy", "rows.csv", *KERNEL, "--accept", "unstable")
    assert (done.code, "leftovers,unsteady" in done.err) == (2, True), done.err


def test_texts_that_are_padded_to_the_longest_are_refused(run, folder):
    (folder / "texts.txt").write_text("a b\na bad cat and a long tail of a text\na\nbad a\n")
    done = run("text", "moving:padded", "texts.txt", "--python-path", ".")
    assert (done.code, "asked in halves for the same 4 rows" in done.err) == (3, True), done.err
    done = run("text", "moving:padded", "texts.txt", "--python-path", ".", "--accept", "unsteady")
    assert (done.code, "unsteady" in done.err) == (0, True), done.err


def test_pictures_that_are_compared_with_each_other_are_refused(run, folder, photos):
    options = ("-m", "occlusion", "--segments", "4", "--python-path", ".")
    done = run("image", "moving:dark", photos, *options)
    assert (done.code, "its answers move" in done.err) == (3, True), done.err
    done = run("image", "moving:dark", photos, *options, "--accept", "unsteady")
    assert (done.code, "unsteady" in done.err) == (0, True), done.err


@pytest.mark.parametrize("seed", [None, 0])
def test_a_pickle_that_draws_its_answers_is_refused(seed, tmp_path):
    from sklearn.dummy import DummyClassifier

    model = DummyClassifier(strategy="stratified", random_state=seed)
    path = stored(tmp_path, model.fit(ROWS, ROWS["a"] > 0))
    way = "asked again" if seed is None else "asked in reverse order"
    assert movement(bound(path), ROWS).startswith(way)


def test_a_pickle_whose_rows_are_factored_together_is_refused(tmp_path):
    from sklearn.decomposition import NMF
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline

    numbers = np.abs(np.random.default_rng(0).normal(size=(60, 20)))
    rows = pd.DataFrame(numbers, columns=[f"x{i}" for i in range(20)])
    model = make_pipeline(NMF(10, random_state=0, max_iter=500), LinearRegression())
    path = stored(tmp_path, model.fit(rows, rows.iloc[:, 0] * 2))
    assert movement(bound(path, rows.head(16)), rows.head(16)).startswith("asked in halves")


def summed(tmp_path, nodes):
    """Return an ONNX file that adds up, row by row, what its nodes make of the matrix x."""
    from onnx import TensorProto, helper, save
    from onnx_models import graph

    axis = helper.make_tensor("axis", TensorProto.INT64, [1], [1])
    ends = [
        helper.make_node("Constant", [], ["columns"], value=axis),
        helper.make_node("ReduceSum", ["moved", "columns"], ["y"], keepdims=1),
    ]
    inputs = [("x", TensorProto.FLOAT, [None, 3])]
    outputs = [("y", TensorProto.FLOAT, [None, 1])]
    made = [helper.make_node(*node[:3], **node[3]) for node in nodes]
    save(graph([*made, *ends], inputs, outputs), tmp_path / "m.onnx")
    return tmp_path / "m.onnx"


def test_an_onnx_graph_that_looks_at_its_batch_is_refused(tmp_path):
    mean = ("ReduceMean", ["x"], ["mean"], {"axes": [0], "keepdims": 1})
    path = summed(tmp_path, [mean, ("Sub", ["x", "mean"], ["moved"], {})])
    assert movement(bound(path), ROWS).startswith("asked in halves")


def test_an_onnx_graph_with_noise_is_refused(tmp_path):
    noise = ("RandomNormalLike", ["x"], ["noise"], {})
    path = summed(tmp_path, [noise, ("Add", ["x", "noise"], ["moved"], {})])
    assert movement(bound(path), ROWS).startswith("asked again")


def test_a_judge_that_draws_its_classes_is_refused(run, tmp_path, mixed):
    from sklearn.dummy import DummyClassifier

    judge = DummyClassifier(strategy="stratified")
    table = pd.read_csv(mixed.data)
    judge.fit(table, pickle.loads(mixed.model.read_bytes()).predict(table))
    (tmp_path / "judge.pkl").write_bytes(pickle.dumps(judge))
    base = ("tabular", mixed.model, mixed.data, "-m", "kernel-shap", "-b", "nearest", "--rows")
    done = run(*base, "0:3", "--judge", "judge.pkl")
    assert (done.code, "judge.pkl: asked again" in done.err) == (3, True), done.err
    done = run(*base, "0:3", "--judge", "judge.pkl", "--accept", "unsteady")
    assert (done.code, "--judge judge.pkl: accepted unsteady" in done.err) == (0, True), done.err


def network(width, seed):
    """Return a network in single precision, whose batches round in ways of their own."""
    random = np.random.default_rng(seed)
    shapes = ((3, width), (width, width), (width, 4))
    layers = [(random.normal(size=s) / s[0] ** 0.5).astype(np.float32) for s in shapes]

    def scores(rows):
        values = np.asarray(rows, np.float32)
        for layer in layers[:-1]:
            values = np.tanh(values @ layer)
        return values @ layers[-1]

    return scores


@pytest.mark.parametrize("width", [16, 300, 700])
def test_rounding_of_single_precision_is_no_movement(width):
    scores = network(width, width)

    def doubles(rows):
        powers = np.exp(scores(rows).astype(np.float64))
        return powers / powers.sum(axis=1, keepdims=True)

    assert of_function(scores) == ""
    assert of_function(lambda rows: scores(rows).tolist()) == ""
    assert of_function(doubles) == ""


def test_scores_in_single_precision_may_become_probabilities(folder):
    from xplain_cli.models.links import LinkedModel

    scores = network(700, 1)
    from xplain_cli.models.callables import CallableModel
    from xplain_cli.models.responses import Answer, settle_answer, to_matrix

    signature = settle_answer(Answer("f", "callable", to_matrix(scores(ROWS))), 16, None)
    model = LinkedModel(CallableModel(scores, signature), signature, "softmax")
    assert movement(model, ROWS) == ""


@pytest.mark.filterwarnings("ignore")
def test_estimators_that_round_are_steady(tmp_path):
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.linear_model import LinearRegression
    from sklearn.neighbors import KNeighborsRegressor
    from sklearn.neural_network import MLPRegressor
    from sklearn.svm import SVR

    rows = pd.concat([ROWS * [1e6, 1e-3, 1.0]] * 8, ignore_index=True)
    kinds = (GaussianProcessRegressor, KernelRidge, LinearRegression, KNeighborsRegressor, SVR)
    for kind in (*kinds, MLPRegressor):
        path = stored(tmp_path, kind().fit(rows, rows["c"] + 1000))
        assert movement(bound(path, rows.head(16)), rows.head(16)) == "", kind.__name__


def test_bad_rows_are_left_out_of_the_question(run, folder):
    (folder / "choosy.py").write_text(
        "def f(rows):\n"
        "    if rows['a'].isna().any():\n        raise ValueError('a gap')\n"
        "    return rows.sum(axis=1) - rows.to_numpy().mean()\n"
    )
    rows = ROWS.copy()
    rows.loc[[0, 5], "a"] = np.nan
    pd.concat([rows] * 2).to_csv(folder / "gaps.csv", index=False)
    options = ("-m", "kernel-shap", "-b", "zero", "--python-path", ".")
    done = run("tabular", "choosy:f", "gaps.csv", *options)
    assert (done.code, "for the same 14 rows" in done.err) == (3, True), done.err


def test_trees_of_a_judged_file_are_not_asked_and_others_are(tmp_path):
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import LinearRegression

    class Counting:
        def __init__(self, model):
            self.model, self.calls = model, 0
            self.signature, self.capabilities = model.signature, model.capabilities

        def predict(self, rows):
            self.calls += 1
            return self.model.predict(rows)

    asked = {}
    forest = RandomForestRegressor(3, random_state=0)
    for name, kind, wishes in (
        ("judged", forest, {}),
        ("trusted", forest, {"trusted": ("a.name",)}),
        ("whole", forest, {"trust_all": True}),
        ("other", LinearRegression(), {}),
    ):
        path = stored(tmp_path, kind.fit(ROWS, ROWS["a"]))
        model = Counting(bound(path, **wishes))
        assert check_steady(ModelRecipe(str(path), **wishes), model, ROWS) == ""
        asked[name] = model.calls
    assert asked == {"judged": 0, "trusted": 5, "whole": 5, "other": 5}
