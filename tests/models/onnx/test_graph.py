"""Operators and constants of ONNX graphs, read from their bytes."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import graph

from xplain_cli.models.onnx.graph import Graph, constant, listed, parse_graph, read_graph

INPUT = [("X", TensorProto.FLOAT, [None, 2])]


def parsed(nodes, constants=()):
    model = graph(nodes, INPUT, [("out", TensorProto.FLOAT, [None, 2])])
    model.graph.initializer.extend(constants)
    return parse_graph(model.SerializeToString())


def test_an_operator_is_found_by_what_it_makes():
    found = parsed([
        helper.make_node("Relu", ["X"], ["mid"]),
        helper.make_node("TopK", ["mid", "k"], ["out", "places"]),
    ])
    assert [found.nodes[name].op for name in ("mid", "out", "places")] == ["Relu", "TopK", "TopK"]
    assert found.nodes["places"].inputs == ("mid", "k")
    assert "X" not in found.nodes


@pytest.mark.parametrize("dtype", ["int64", "int32", "int16", "float32", "float64", "bool"])
def test_constants_are_read_as_they_were_written(dtype):
    values = np.array([0, 1, 1] if dtype == "bool" else [-7, 0, 400]).astype(dtype)
    kind = helper.np_dtype_to_tensor_dtype(values.dtype)
    raw = numpy_helper.from_array(values, "raw")
    spelled = helper.make_tensor("spelled", kind, [3], values.tolist())
    found = parsed([helper.make_node("Relu", ["X"], ["out"])], [raw, spelled])
    if dtype != "bool":
        assert constant(found, "raw") == tuple(values.tolist())
    assert constant(found, "spelled") == tuple(values.tolist())
    assert constant(found, "nothing") == ()


def test_texts_are_constants_too_and_lists_of_operators():
    words = helper.make_tensor("words", TensorProto.STRING, [2], ["été".encode(), b"no"])
    node = helper.make_node("Constant", [], ["held"], value=words)
    encoder = helper.make_node("LabelEncoder", ["X"], ["out"], keys_int64s=[-3, 1], domain="ml")
    found = parsed([node, encoder], [words])
    assert constant(found, "words") == constant(found, "held") == ("été", "no")
    assert listed(found, found.nodes["out"], ("keys_int64s",)) == (-3, 1)
    assert listed(found, found.nodes["out"], ("keys_strings",)) == ()


@pytest.mark.parametrize("content", [b"", b"\xff\xff\xff", None])
def test_a_file_that_is_no_graph_has_no_operators(tmp_path, content):
    path = tmp_path / "m.onnx"
    if content is not None:
        path.write_bytes(content)
    assert read_graph(str(path)) == Graph()
