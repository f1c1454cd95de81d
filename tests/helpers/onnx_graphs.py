"""Small ONNX graphs of few operators, and their gradients here."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from xplain_cli.models.contract import Signature
from xplain_cli.models.onnx.entries import OnnxAsked, points_of
from xplain_cli.models.onnx.gradients import translate
from xplain_cli.models.onnx.model import open_session
from xplain_cli.models.torch.graphs import read_graph

FLOAT, INT64, TEXT = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING


def node(op, inputs="x", outputs="y", *, domain="", **attributes):
    """Return an operator; names of inputs and outputs are words."""
    ends = [
        side.replace("_", "").split(" ") if "_" in side else side.split()
        for side in (inputs, outputs)
    ]
    return helper.make_node(op, *ends, domain=domain, **attributes)


def model(nodes, shape, *, opset=17, out=None, functions=(), **constants):
    """Return a model of an input ``x`` (rows, *shape) and an output ``y``."""
    rows = [] if shape is None else ["rows", *shape]
    held = [numpy_helper.from_array(np.asarray(one), name) for name, one in constants.items()]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", FLOAT, rows)],
        [helper.make_tensor_value_info("y", out or FLOAT, None)],
        held,
    )
    domains = {one.domain for one in nodes} | {one.domain for one in functions} - {""}
    opsets = [helper.make_opsetid("", opset)]
    opsets += [helper.make_opsetid(one, 3 if one == "ai.onnx.ml" else 1) for one in domains - {""}]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=list(functions))


def numbers(shape, rows=4, seed=5):
    """Return rows of numbers that lie on both sides of 0."""
    return np.random.default_rng(seed).normal(size=(rows, *shape)).astype(np.float32) * 2


def asked_of(path, exported, shape):
    """Return what is known of a model of one input when its gradient is opened."""
    path.write_bytes(exported.SerializeToString())
    session = open_session(str(path))
    (name,) = (one.name for one in session.get_outputs())

    def answer(fed):
        (made,) = session.run([name], fed)
        return np.asarray(made, dtype=np.float64).reshape(len(fed["x"]), -1)

    return OnnxAsked(
        path=str(path),
        kinds={"x": "float32"},
        shapes={"x": (None, *shape)},
        outputs=("y",),
        rows=None,
        layout="NCHW",
        signature=Signature("y", "regression", "raw", (), None, margin=False, note=""),
        feed=None,
        answer=answer,
    )


def translated(path, exported, shape):
    """Return a graph's answers by onnxruntime, those of its translation, and that as a graph."""
    import torch

    asked = asked_of(path, exported, shape)
    found = translate(asked)
    graph = read_graph(found.module, probabilities=False)
    fed = {"x": numbers(shape)}
    with torch.no_grad():
        made = graph.run(torch.from_numpy(points_of(asked, fed, found.entry)))
    return asked.answer(fed), made.double().reshape(4, -1).numpy(), graph
