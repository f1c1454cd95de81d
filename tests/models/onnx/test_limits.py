"""Graphs that ask for memory without end, and those that do not."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier

from xplain_cli.errors import RefusedError
from xplain_cli.models import ModelRecipe, load_model
from xplain_cli.models.onnx.limits import find_excess

HUGE = 2**40


def whole(*numbers):
    return numpy_helper.from_array(np.array(numbers, dtype=np.int64), "n")


def lying():
    tensor = numpy_helper.from_array(np.zeros(2, dtype=np.float32), "n")
    tensor.dims[0] = HUGE
    return tensor


def sparse():
    values = helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0])
    places = helper.make_tensor("i", TensorProto.INT64, [1], [0])
    return helper.make_sparse_tensor(values, places, [HUGE])


def model(*nodes, constants=(), sparse_constants=()):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        initializer=constants,
        sparse_initializer=sparse_constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def inner(node, *constants):
    """Return an operator that holds another in a graph of its own."""
    out = helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "inner", [], [out], initializer=constants)
    return helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=graph)


def node(kind, *inputs, **attributes):
    return helper.make_node(kind, inputs, ["z"], **attributes)


ATTACKS = {
    "a lying constant": model(node("Identity", "n"), constants=[lying()]),
    "a lying attribute": model(node("Constant", value=lying())),
    "a sparse constant": model(node("Identity", "v"), sparse_constants=[sparse()]),
    "a shape": model(node("ConstantOfShape", "n"), constants=[whole(HUGE)]),
    "a shape of two axes": model(node("ConstantOfShape", "n"), constants=[whole(2**20, 2**20)]),
    "a shape within": model(inner(node("ConstantOfShape", "n"), whole(HUGE))),
    "an expansion": model(node("Expand", "x", "n"), constants=[whole(HUGE)]),
    "a tile": model(node("Tile", "x", "n"), constants=[whole(HUGE, 1)]),
    "a draw": model(node("RandomNormal", shape=[HUGE])),
    "a loop": model(node("Loop", "n"), constants=[whole(HUGE)]),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_graphs_that_ask_for_memory_without_end_are_refused(tmp_path, name):
    path = tmp_path / "model.onnx"
    path.write_bytes(ATTACKS[name].SerializeToString())
    with pytest.raises(RefusedError, match="refused, nothing of it was run: it holds a"):
        load_model(ModelRecipe(str(path)))


def test_a_range_of_constants_is_counted():
    ends = [
        numpy_helper.from_array(np.array(value, dtype=np.int64), name)
        for name, value in (("a", 0), ("b", HUGE), ("c", 1))
    ]
    data = model(node("Range", "a", "b", "c"), constants=ends).SerializeToString()
    assert find_excess(data, 0) == "a Range of more than 268435456 numbers"


def test_an_honest_forest_passes_and_its_numbers_are_skipped():
    rows = np.random.default_rng(0).normal(size=(80, 3)).astype(np.float32)
    forest = RandomForestClassifier(20).fit(rows, np.arange(80) % 3)
    data = to_onnx(forest, rows[:1]).SerializeToString()
    assert find_excess(data, 0) is None
    assert onnx.load_from_string(data).graph.node


def test_functions_of_a_file_are_looked_through():
    out = [helper.make_opsetid("", 17)]
    calm = helper.make_node("Relu", ["v"], ["w"])
    huge = helper.make_node("Constant", [], ["n"], value_ints=[HUGE])
    filled = helper.make_node("ConstantOfShape", ["n"], ["w"])
    for nodes, found in (
        ([calm], None),
        ([huge, filled], f"a ConstantOfShape of more than {2**28} numbers"),
    ):
        made = model(helper.make_node("Own", ["x"], ["y"], domain="own"))
        made.functions.append(helper.make_function("own", "Own", ["v"], ["w"], nodes, out))
        assert find_excess(made.SerializeToString(), 0) == found
