"""Graphs as their bytes say, read without the package that writes them."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from xplain_cli.models.onnx.programs import (
    DamagedError,
    read_attributes,
    read_program,
    read_tensor,
)

KINDS = ("FLOAT", "DOUBLE", "FLOAT16", "INT32", "INT64", "UINT8", "INT8", "BOOL", "UINT64", "INT16")


def bytes_of(tensor):
    data = tensor.SerializeToString()
    return data, (0, len(data))


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("kind", [*KINDS, "BFLOAT16"])
def test_a_tensor_is_read_as_its_package_reads_it(kind, raw, tmp_path):
    numbers = [0, 1, 3, 5, 1, 2]
    dtype = helper.tensor_dtype_to_np_dtype(getattr(TensorProto, kind))
    if raw:
        tensor = numpy_helper.from_array(np.array(numbers).astype(dtype).reshape(2, 3), "t")
    else:
        tensor = helper.make_tensor("t", getattr(TensorProto, kind), [2, 3], numbers)
    data, span = bytes_of(tensor)
    found = read_tensor(data, tmp_path, span)
    assert (
        found.astype(float).tolist()
        == np.array(numbers).astype(dtype).astype(float).reshape(2, 3).tolist()
    )


def test_negative_numbers_keep_their_sign(tmp_path):
    tensor = helper.make_tensor("t", TensorProto.INT64, [2], [-3, 2**40])
    data, span = bytes_of(tensor)
    assert read_tensor(data, tmp_path, span).tolist() == [-3, 2**40]


def test_texts_are_read(tmp_path):
    data, span = bytes_of(
        helper.make_tensor("t", TensorProto.STRING, [2], [b"red", "grün".encode()])
    )
    assert read_tensor(data, tmp_path, span).tolist() == ["red", "grün"]


def test_a_tensor_that_states_more_than_it_holds_is_refused(tmp_path):
    tensor = numpy_helper.from_array(np.zeros(4, np.float32), "t")
    tensor.dims[0] = 5
    data, span = bytes_of(tensor)
    with pytest.raises(DamagedError, match="states 5 numbers of a constant and holds 4"):
        read_tensor(data, tmp_path, span)


def small_model(*nodes, constants=()):
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        list(constants),
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def test_weights_beside_the_file_are_read(tmp_path):
    weights = np.arange(6, dtype=np.float32).reshape(3, 2)
    made = small_model(
        helper.make_node("MatMul", ["x", "w"], ["y"]),
        constants=[numpy_helper.from_array(weights, "w"), numpy_helper.from_array(weights, "v")],
    )
    onnx.save_model(
        made,
        str(tmp_path / "m.onnx"),
        save_as_external_data=True,
        location="m.bin",
        size_threshold=0,
    )
    program = read_program((tmp_path / "m.onnx").read_bytes(), tmp_path)
    found = read_tensor(program.data, tmp_path, program.graph.constants["v"])
    assert found.tolist() == weights.tolist()


def test_weights_outside_the_folder_are_not_read(tmp_path):
    tensor = TensorProto(name="w", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../w.bin")
    (tmp_path / "w.bin").write_bytes(b"\0" * 4)
    data, span = bytes_of(tensor)
    with pytest.raises(DamagedError, match="outside its folder"):
        read_tensor(data, tmp_path / "models", span)


def test_attributes_are_read_as_they_were_written(tmp_path):
    given = {
        "f": 0.5,
        "i": -7,
        "s": "SAME_UPPER",
        "fs": [0.5, -1.0],
        "is": [3, -4],
        "ss": ["red", "blue"],
        "t": numpy_helper.from_array(np.array([1.0, 2.0], np.float32)),
    }
    made = small_model(helper.make_node("Any", ["x", "", "z"], ["y"], domain="own", **given))
    program = read_program(made.SerializeToString(), tmp_path)
    (operator,) = program.graph.operators
    found = read_attributes(program, operator)
    assert found.pop("t").tolist() == [1.0, 2.0]
    assert found == {name: value for name, value in given.items() if name != "t"}
    assert (operator.op, operator.domain, operator.inputs) == ("Any", "own", ("x", "", "z"))
    assert program.versions == {"": 17}
