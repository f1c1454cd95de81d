"""Small ONNX models of pictures, made node by node."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from xplain_cli.models import ModelRecipe, load_model

KINDS = {"float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8, "float64": TensorProto.DOUBLE}


def store(path, nodes, shape, outputs, *, dtype="float32", constants=()):
    """Write a model of one input ``pixels`` and float outputs {name: width}."""
    graph = helper.make_graph(
        nodes,
        "pictures",
        [helper.make_tensor_value_info("pixels", KINDS[dtype], shape)],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [shape[0], width])
            for name, width in outputs.items()
        ],
        [numpy_helper.from_array(array, name) for name, array in constants],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return str(path)


def mean_colours(path, *, shape, layout="NCHW", dtype="float32", end="Softmax", scale=0.01):
    """Write a model whose scores are the mean of each channel, times *scale*, through *end*."""
    axes = [2, 3] if layout == "NCHW" else [1, 2]
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["means"], axes=axes, keepdims=0),
        helper.make_node("Mul", ["means", "scale"], ["scores"]),
        helper.make_node(end, ["scores"], ["answers"]),
    ]
    constants = [("scale", np.array(scale, dtype=np.float32))]
    return store(path, nodes, shape, {"answers": 3}, dtype=dtype, constants=constants)


def quadrant(path, side, *, row=0, column=0):
    """Write a model that looks only at one quadrant of a picture: its mean, steeply."""
    half = side // 2
    starts = np.array([row * half, column * half], dtype=np.int64)
    nodes = [
        helper.make_node("Slice", ["pixels", "starts", "ends", "axes"], ["part"]),
        helper.make_node("ReduceMean", ["part"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "one"], ["column"]),
        helper.make_node("Sigmoid", ["column"], ["answers"]),
    ]
    constants = [
        ("starts", starts),
        ("ends", starts + half),
        ("axes", np.array([2, 3], dtype=np.int64)),
        ("one", np.array([1], dtype=np.int64)),
    ]
    shape = ["rows", 3, side, side]
    return store(path, nodes, shape, {"answers": 1}, constants=constants)


def constant(path, side):
    """Write a model that says the same of every picture."""
    nodes = [
        helper.make_node("ReduceMean", ["pixels"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("Mul", ["means", "nothing"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["answers"]),
    ]
    constants = [("nothing", np.zeros(1, dtype=np.float32))]
    return store(path, nodes, ["rows", 3, side, side], {"answers": 3}, constants=constants)


def opened(source, **more):
    return load_model(ModelRecipe(str(source), modality="image", **more))


def noise(*shape, dtype="float32"):
    return (np.random.default_rng(0).random(shape) * 255).astype(dtype)


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
