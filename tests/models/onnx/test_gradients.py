"""Gradients of ONNX files: those of the same net in other files, and refusals that say why."""

import warnings

import numpy as np
import pandas as pd
import pytest

torch = pytest.importorskip("torch")

from onnx import TensorProto, helper  # noqa: E402
from onnx_graphs import model, node  # noqa: E402
from onnx_models import exported, graph  # noqa: E402
from paths import Rows, explain  # noqa: E402
from skl2onnx.common.data_types import (  # noqa: E402
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from sklearn.compose import ColumnTransformer  # noqa: E402
from sklearn.ensemble import RandomForestClassifier  # noqa: E402
from sklearn.impute import SimpleImputer  # noqa: E402
from sklearn.linear_model import LinearRegression, LogisticRegression  # noqa: E402
from sklearn.neural_network import MLPClassifier, MLPRegressor  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import OneHotEncoder, StandardScaler  # noqa: E402
from torch_nets import file_of, inputs, nets  # noqa: E402

from xplain_cli.methods import METHODS  # noqa: E402
from xplain_cli.models import ModelRecipe, UnableError, load_model  # noqa: E402
from xplain_cli.models.estimators.networks import estimator_gradient  # noqa: E402
from xplain_cli.models.gradients import Readout  # noqa: E402
from xplain_cli.models.inspection import inspect_file  # noqa: E402
from xplain_cli.models.scored import missed  # noqa: E402
from xplain_cli.specs import build  # noqa: E402

NETS = nets()
NAMES = ("relu", "residual softmax", "attention")


def onnx_file(path, net, shape, *, opset=17, rows=4, free=True):
    """Write a network by the exporter that needs no other package."""
    axes = {"x": {0: "n"}, "y": {0: "n"}} if free else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter is deprecated
        torch.onnx.export(
            *(net, (torch.zeros(rows, *shape),), str(path)),
            dynamo=False,
            opset_version=opset,
            input_names=["x"],
            output_names=["y"],
            dynamic_axes=axes,
        )
    return path


def opened(path, batch, **wishes):
    pictures = isinstance(batch, np.ndarray) and batch.ndim == 4
    modality = {"modality": "image", "layout": "NCHW"} if pictures else {}
    loaded = load_model(ModelRecipe(str(path), **modality, **wishes))
    return loaded.bind(loaded.settle(batch))


def batch_of(shape, **more):
    rows = inputs(shape, **more)
    return pd.DataFrame(rows) if rows.ndim == 2 else rows


class Pictures(Rows):
    @property
    def counts(self):
        return np.full(len(self), self.rows[0].size)

    def pooled(self, rows, parts, _grid=None):
        return parts.reshape(len(rows), -1)


def integrated(gradient, shape):
    rows, baselines = inputs(shape).astype(float), inputs(shape, seed=2).astype(float)
    scale = "log-odds" if gradient.link == "softmax" else "raw"
    method = build("ig:tol=1e-4", METHODS["masks"])
    return explain(method, gradient, rows, baselines, pairs=((0, 1),), scale=scale, block=Pictures)


@pytest.mark.parametrize("opset", [14, 20])
@pytest.mark.parametrize("name", NAMES)
def test_weights_equal_those_of_the_same_net_as_pt2(name, opset, tmp_path):
    net, shape = NETS[name]
    (tmp_path / "net.pt2").write_bytes(file_of(net, shape))
    onnx_file(tmp_path / "net.onnx", net, shape, opset=opset)
    both = [
        opened(tmp_path / f"net.{end}", batch_of(shape)).capabilities.gradient()
        for end in ("pt2", "onnx")
    ]
    assert both[0].link == both[1].link
    assert both[0].smooth == both[1].smooth
    expected, got = (integrated(one, shape) for one in both)
    assert set(got.quadrature.ravel()) == set(expected.quadrature.ravel())
    size = np.abs(expected.weights).max()
    assert got.weights == pytest.approx(expected.weights, abs=1e-6 * size)


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("name", [*NAMES, "sigmoid"])
def test_a_graph_of_one_batch_size_is_followed(name, rows, tmp_path):
    net, shape = NETS[name]
    path = onnx_file(tmp_path / "net.onnx", net, shape, rows=rows, free=False)
    got = opened(path, batch_of(shape)).capabilities.gradient()
    assert got.batch_rows == (rows if name == "attention" else 64 if len(shape) == 3 else 512)
    points = inputs(shape).astype(float)
    with torch.no_grad():
        expected = net(torch.from_numpy(points).float()).numpy()
    reached = got.scores(points)
    if name in {"relu", "attention"}:
        assert reached == pytest.approx(expected, abs=1e-5)
    assert len(reached) == 6


STREAM = np.random.default_rng(0)
TABLE = pd.DataFrame(STREAM.normal(size=(80, 4)).astype(np.float32), columns=list("abcd"))
THREE = np.digitize(TABLE["a"] * TABLE["b"], [-0.3, 0.3])
MATRIX = [("X", FloatTensorType([None, 4]))]


def fitted(estimator, target):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few steps of training
        return make_pipeline(StandardScaler(), estimator).fit(TABLE.to_numpy(), target)


ESTIMATORS = {
    "mlp": (MLPClassifier((9, 5), max_iter=40, random_state=0), THREE),
    "two": (MLPClassifier((6,), activation="tanh", max_iter=40, random_state=0), THREE == 0),
    "regressor": (MLPRegressor(hidden_layer_sizes=(6,), max_iter=40, random_state=0), TABLE["a"]),
    "logistic": (LogisticRegression(), THREE),
    "logistic of two": (LogisticRegression(), THREE == 0),
    "linear": (LinearRegression(), TABLE["b"] * 2),
}


@pytest.mark.parametrize("zipmap", [True, False])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_derivatives_are_those_of_the_pickled_estimator(name, zipmap, tmp_path):
    estimator, target = ESTIMATORS[name]
    pipeline = fitted(estimator, np.asarray(target))
    path = tmp_path / "m.onnx"
    path.write_bytes(exported(pipeline, MATRIX, zipmap=zipmap).SerializeToString())
    table = TABLE.head(6)
    found = opened(path, table)
    gradient = found.capabilities.gradient()
    assert not missed(found, gradient, table)
    own = estimator_gradient(pipeline, found.signature, lambda batch: batch.to_numpy())
    scale = "probability" if found.signature.scale == "probability" else "raw"
    pairs = np.tile([len(found.signature.outputs) - 1, -1], (6, 1))
    points = table.to_numpy().astype(float)
    results = [
        one.derive(points, Readout(pairs, one.link, scale).slopes)[0] for one in (gradient, own)
    ]
    assert results[0] == pytest.approx(results[1], abs=1e-5 * np.abs(results[1]).max())


def mixed():
    """Return a table of numbers, gaps, whole numbers and words, and a net for it as ONNX."""
    rows = 120
    table = pd.DataFrame({
        "size": STREAM.normal(size=rows).astype(np.float32),
        "gap": STREAM.normal(size=rows).astype(np.float32),
        "count": STREAM.integers(0, 9, rows),
        "colour": STREAM.choice(["red", "green", "blue"], rows),
        "shape": STREAM.choice(["round", "flat"], rows),
    })
    table.loc[::10, "gap"] = np.nan
    target = (table["size"] + (table["colour"] == "red") + 0.1 * table["count"] > 0.5).to_numpy()
    words = ["colour", "shape"]
    parts = [
        ("n", StandardScaler(), ["size"]),
        ("g", make_pipeline(SimpleImputer(), StandardScaler()), ["gap"]),
        ("c", StandardScaler(), ["count"]),
        ("w", OneHotEncoder(handle_unknown="ignore"), words),
    ]
    net = MLPClassifier((8,), max_iter=60, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline = make_pipeline(ColumnTransformer(parts), net).fit(table, target)
    kinds = dict.fromkeys(table, FloatTensorType) | {"count": Int64TensorType}
    kinds |= dict.fromkeys(words, StringTensorType)
    types = [(name, kind([None, 1])) for name, kind in kinds.items()]
    return table, exported(pipeline, types)


@pytest.fixture(scope="module")
def mixed_model(tmp_path_factory):
    table, made = mixed()
    path = tmp_path_factory.mktemp("mixed") / "m.onnx"
    path.write_bytes(made.SerializeToString())
    return table, opened(path, table.head(10))


def test_words_enter_as_categories_and_leave_as_columns(mixed_model):
    table, found = mixed_model
    gradient = found.capabilities.gradient()
    assert not missed(found, gradient, table)
    assert gradient.kinks is not None
    full = table.dropna()
    rows, baselines = gradient.enter(full.head(8)), gradient.enter(full.tail(8))
    assert rows.shape == (8, 5 + 3 + 2)
    method = build("ig", METHODS["masks"])

    class Columns(Rows):
        @property
        def counts(self):
            return np.full(len(self), 5)

    plain = gradient.__class__(**(vars(gradient) | {"enter": np.asarray}))
    got = explain(method, plain, rows, baselines, pairs=((1, -1),), scale="log-odds", block=Columns)
    one = Readout(np.tile([1, -1], (8, 1)), gradient.link, "log-odds")
    delta = one.read(gradient.scores(rows))[0] - one.read(gradient.scores(baselines))[0]
    assert got.weights.shape[2] == 5
    assert np.abs(got.weights[:, 0].sum(axis=1) - delta).max() <= 1e-9


def test_an_unknown_word_is_none_of_the_categories(mixed_model):
    table, found = mixed_model
    points = found.capabilities.gradient().enter(table.head(1).assign(colour="mauve"))
    assert points[0, 5:8].tolist() == [0.0, 0.0, 0.0]


def test_a_gap_enters_as_what_the_model_fills_in(mixed_model):
    table, found = mixed_model
    gradient = found.capabilities.gradient()
    points = gradient.enter(table.head(1))
    assert np.isfinite(points).all()
    mean = table["gap"].mean()
    assert points[0, 1] == pytest.approx(mean, rel=1e-6)


def test_trees_are_refused(tmp_path):
    forest = RandomForestClassifier(5, random_state=0).fit(TABLE.to_numpy(), THREE)
    path = tmp_path / "m.onnx"
    path.write_bytes(exported(forest, MATRIX).SerializeToString())
    with pytest.raises(UnableError, match="holds trees"):
        opened(path, TABLE.head(5)).capabilities.gradient()


def stored(path, nodes, **constants):
    path.write_bytes(model(nodes, (4,), **constants).SerializeToString())
    return path


def test_unknown_operators_are_named(tmp_path):
    nodes = [
        node("BitShift", "k k", "s", direction="LEFT"),
        node("Cast", "s", "f", to=1),
        node("Det", "m", "d"),
        node("Add", "f d", "c"),
        node("Mul", "x c"),
    ]
    path = stored(tmp_path / "m.onnx", nodes, k=np.uint8(1), m=np.eye(2, dtype=np.float32))
    with pytest.raises(UnableError, match=r"not BitShift, Det$"):
        opened(path, TABLE.head(5)).capabilities.gradient()


def test_a_graph_that_answers_otherwise_is_refused(tmp_path, monkeypatch):
    from xplain_cli.models.operators import OPERATORS

    def rough(trace, _, x):
        return trace.one("mul.Scalar", trace.one("relu", x), 1.0001)

    monkeypatch.setitem(OPERATORS, ("", "Relu"), rough)
    path = stored(tmp_path / "m.onnx", [node("Relu")])
    with pytest.raises(UnableError, match="from those of onnxruntime"):
        opened(path, TABLE.head(5)).capabilities.gradient()


@pytest.mark.parametrize("way", [True, False])
def test_a_branch_that_no_row_changes_is_taken(way, tmp_path):
    out = helper.make_tensor_value_info("b", TensorProto.FLOAT, None)
    branches = [
        helper.make_graph([helper.make_node(op, ["x"], ["b"])], "g", [], [out])
        for op in ("Tanh", "Neg")
    ]
    chosen = helper.make_node("If", ["c"], ["y"], then_branch=branches[0], else_branch=branches[1])
    path = stored(tmp_path / "m.onnx", [chosen], c=np.array([way]))
    gradient = opened(path, TABLE.head(5)).capabilities.gradient()
    points = TABLE.head(5).to_numpy().astype(float)
    assert gradient.scores(points) == pytest.approx(np.tanh(points) if way else -points)


def test_a_branch_by_the_row_is_refused(tmp_path):
    out = helper.make_tensor_value_info("b", TensorProto.FLOAT, None)
    branch = helper.make_graph([helper.make_node("Neg", ["x"], ["b"])], "g", [], [out])
    nodes = [
        node("ReduceMax", "x", "m", keepdims=0),
        node("Greater", "m z", "c"),
        helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch),
    ]
    path = stored(tmp_path / "m.onnx", nodes, z=np.float32(0))
    with pytest.raises(UnableError, match="an If that depends on the input"):
        opened(path, TABLE.head(5)).capabilities.gradient()


def test_a_function_of_the_file_is_followed(tmp_path):
    inner = [
        helper.make_node("Constant", [], ["c"], value_float=0.0),
        helper.make_node("LeakyRelu", ["v"], ["w"]),
        helper.make_node("Add", ["w", "c"], ["r"]),
    ]
    ref = helper.make_node("LeakyRelu", ["v"], ["w"])
    ref.attribute.add(name="alpha", ref_attr_name="slope", type=1)
    inner[1] = ref
    function = helper.make_function(
        "own", "Bend", ["v"], ["r"], inner, [helper.make_opsetid("", 17)], ["slope"]
    )
    made = model([node("Bend", domain="own", slope=0.25)], (4,), functions=[function])
    path = tmp_path / "m.onnx"
    path.write_bytes(made.SerializeToString())
    gradient = opened(path, TABLE.head(5)).capabilities.gradient()
    points = TABLE.head(5).to_numpy().astype(float)
    assert gradient.scores(points) == pytest.approx(np.where(points < 0, points / 4, points))


def test_pictures_of_whole_numbers_have_derivatives(tmp_path):
    made = graph(
        [
            helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["f"], ["y"], axes=[1, 2], keepdims=0),
        ],
        [("x", TensorProto.UINT8, ["n", 5, 4, 3])],
        [("y", TensorProto.FLOAT, ["n", 3])],
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(made.SerializeToString())
    pixels = STREAM.integers(0, 255, (3, 5, 4, 3)).astype(np.uint8)
    loaded = load_model(ModelRecipe(str(path), modality="image"))
    found = loaded.bind(loaded.settle(pixels))
    gradient = found.capabilities.gradient()
    assert not missed(found, gradient, pixels)
    one = Readout(np.tile([1, -1], (3, 1)), "identity", "raw")
    derivatives, _ = gradient.derive(gradient.enter(pixels), one.slopes)
    left = gradient.leave(derivatives).reshape(3, 5, 4, 3)
    assert left[0, 2, 2].tolist() == pytest.approx([0.0, 1 / 20, 0.0])


def test_a_net_that_needs_no_input_lengths_is_refused(tmp_path):
    made = graph(
        [
            helper.make_node("GlobalAveragePool", ["x"], ["p"]),
            helper.make_node("Flatten", ["p"], ["y"]),
        ],
        [("x", TensorProto.FLOAT, ["n", 3, "h", "w"])],
        [("y", TensorProto.FLOAT, ["n", 3])],
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(made.SerializeToString())
    with pytest.raises(UnableError, match="how long its input is"):
        opened(path, inputs((3, 5, 5))).capabilities.gradient()


def test_a_matrix_of_whole_columns_is_followed(tmp_path):
    made = graph(
        [
            helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
            helper.make_node("Tanh", ["f"], ["y"]),
        ],
        [("x", TensorProto.INT64, ["n", 4])],
        [("y", TensorProto.FLOAT, ["n", 4])],
    )
    path = tmp_path / "m.onnx"
    path.write_bytes(made.SerializeToString())
    table = (TABLE * 3).round().head(5)
    found = opened(path, table)
    assert not missed(found, found.capabilities.gradient(), table)


def test_a_layer_is_followed_as_that_of_the_same_net_as_pt2(tmp_path):
    net, shape = NETS["residual softmax"]
    (tmp_path / "net.pt2").write_bytes(file_of(net, shape))
    onnx_file(tmp_path / "net.onnx", net, shape)
    batch = batch_of(shape)
    results = []
    for end, layer in (("pt2", "branch"), ("onnx", "branch.Conv")):
        gradient = opened(tmp_path / f"net.{end}", batch).capabilities.gradient(layer)
        one = Readout(np.tile([1, -1], (6, 1)), gradient.link, "log-odds")
        points = gradient.enter(batch)
        results.append((gradient.shape, gradient.held, points, gradient.derive(points, one.slopes)))
    (shape_a, held_a, points_a, derived_a), (shape_b, held_b, points_b, derived_b) = results
    assert (shape_a, held_a) == (shape_b, held_b)
    assert points_b == pytest.approx(points_a, abs=1e-12)
    assert derived_b[0] == pytest.approx(derived_a[0], abs=1e-12)


def test_layers_are_listed_by_the_names_in_the_file(tmp_path):
    net, shape = NETS["residual softmax"]
    found = inspect_file(str(onnx_file(tmp_path / "net.onnx", net, shape)))
    assert "gradients of y: all operators known" in found.tree
    assert found.layers[:2] == (
        ("stem.stem.0.Conv", "4 x 6 x 6"),
        ("stem.stem.1.Relu", "4 x 6 x 6"),
    )


def test_trees_are_named_where_a_file_is_looked_at(tmp_path):
    forest = RandomForestClassifier(5, random_state=0).fit(TABLE.to_numpy(), THREE)
    path = tmp_path / "m.onnx"
    path.write_bytes(exported(forest, MATRIX).SerializeToString())
    found = inspect_file(str(path))
    assert found.tree[-1].endswith("none, through ai.onnx.ml.TreeEnsembleClassifier")
    assert found.layers == ()
