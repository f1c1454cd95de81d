"""Layers of ONNX files drawn anew, read back by the package onnx."""

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx_models import TABLE, THREE, exported
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from xplain_cli.models import ModelRecipe, load_model
from xplain_cli.models.onnx.redrawing import file_layers, redraw_file
from xplain_cli.models.redrawing import Redraw


def network():
    net = MLPClassifier((6, 5), max_iter=200, solver="lbfgs", random_state=0)
    return exported(make_pipeline(StandardScaler(), net).fit(TABLE.to_numpy(), THREE), zipmap=False)


def constants(data):
    """Return the float constants of a file by name."""
    held = onnx.load_from_string(data).graph.initializer
    return {one.name: numpy_helper.to_array(one) for one in held if one.data_type == 1}


def test_layers_of_a_network_cascade_from_the_top():
    data = network().SerializeToString()
    assert len(file_layers(data)) == 3
    before, changed = constants(data), []
    for depth in (1, 2, 3):
        after = constants(redraw_file(data, Redraw(depth, 0)))
        own = {name for name in before if not np.array_equal(before[name], after[name])}
        changed.append({
            name for name in own if before[name].ndim > 1 and min(before[name].shape) > 1
        })
        for name in changed[-1]:
            sizes = [np.sqrt((one[name] ** 2).mean()) for one in (before, after)]
            assert sizes[1] == pytest.approx(sizes[0], rel=0.6)
    assert [len(one) for one in changed] == [1, 2, 3]
    assert changed[0] < changed[1] < changed[2]
    (top,) = changed[0]
    assert before[top].shape == (5, 3)


def test_coefficients_of_a_linear_model_are_one_layer():
    model = LogisticRegression().fit(TABLE.to_numpy(), THREE)
    file = exported(model, zipmap=False)
    data = file.SerializeToString()
    assert len(file_layers(data)) == 1
    made = onnx.load_from_string(redraw_file(data, Redraw(1, 0)))

    def coefficients(one):
        node = next(node for node in one.graph.node if node.op_type == "LinearClassifier")
        held = {a.name: list(a.floats) for a in node.attribute}
        return np.array(held["coefficients"])

    assert coefficients(file) == pytest.approx(model.coef_.ravel(), rel=1e-5)
    assert not np.isclose(coefficients(made), coefficients(file)).any()


def test_convolutions_and_what_is_added_to_them_are_layers():
    stream = np.random.default_rng(0)
    kernel = numpy_helper.from_array(stream.normal(size=(2, 1, 3, 3)).astype(np.float32), "K")
    matrix = numpy_helper.from_array(stream.normal(size=(2, 3)).astype(np.float32), "W")
    shift = helper.make_tensor("b", onnx.TensorProto.FLOAT, [3], [1.0, 2.0, 4.0])
    steps = [
        helper.make_node("Conv", ["X", "K"], ["c"], name="stem"),
        helper.make_node("GlobalAveragePool", ["c"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("MatMul", ["f", "W"], ["m"], name="head"),
        helper.make_node("Add", ["m", "b"], ["Y"]),
    ]
    shapes = (("X", ["n", 1, 5, 5]), ("Y", ["n", 3]))
    ends = [[helper.make_tensor_value_info(name, 1, shape)] for name, shape in shapes]
    graph = helper.make_graph(steps, "g", *ends, [kernel, matrix, shift])
    data = helper.make_model(graph).SerializeToString()
    assert file_layers(data) == ("head", "stem")
    before, after = constants(data), constants(redraw_file(data, Redraw(1, 0)))
    same = {name for name in before if np.array_equal(before[name], after[name])}
    assert same == {"K"}


def test_the_model_that_is_opened_answers_otherwise(tmp_path):
    (tmp_path / "m.onnx").write_bytes(network().SerializeToString())
    answers = []
    for redraw in (None, Redraw(1, 0), Redraw(1, 0)):
        loaded = load_model(ModelRecipe(str(tmp_path / "m.onnx"), redraw=redraw))
        batch = TABLE.set_axis(["0", "1", "2"], axis=1)
        model = loaded.bind(loaded.settle(batch))
        answers.append(model.predict(batch))
        assert len(model.capabilities.redrawable()) == 3
    assert not np.allclose(answers[0], answers[1])
    assert (answers[1] == answers[2]).all()


def test_the_gradient_is_that_of_the_drawn_model(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "m.onnx").write_bytes(network().SerializeToString())
    batch = TABLE.set_axis(["0", "1", "2"], axis=1)
    loaded = load_model(ModelRecipe(str(tmp_path / "m.onnx"), redraw=Redraw(2, 0)))
    model = loaded.bind(loaded.settle(batch))
    gradient = model.capabilities.gradient()
    scores = gradient.scores(gradient.enter(batch))
    likely = np.exp(scores - scores.max(axis=1, keepdims=True))
    likely /= likely.sum(axis=1, keepdims=True)
    assert likely == pytest.approx(model.predict(batch), abs=1e-5)


def test_trees_have_no_layers(tmp_path):
    forest = RandomForestClassifier(3, random_state=0).fit(TABLE.to_numpy(), THREE)
    (tmp_path / "m.onnx").write_bytes(exported(forest, zipmap=False).SerializeToString())
    loaded = load_model(ModelRecipe(str(tmp_path / "m.onnx")))
    batch = TABLE.set_axis(["0", "1", "2"], axis=1)
    found = loaded.bind(loaded.settle(batch)).capabilities
    assert found.redrawable is None
    assert "has none" in found.why_not["redrawable"]
