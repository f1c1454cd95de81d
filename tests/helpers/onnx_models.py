"""Models exported to ONNX, and graphs of a few operators."""

import warnings

import numpy as np
import pandas as pd
from onnx import helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import (
    FloatTensorType,
)

STREAM = np.random.default_rng(0)


TABLE = pd.DataFrame(STREAM.normal(size=(60, 3)).astype(np.float32), columns=["a", "b", "c"])


TABLE = TABLE.astype(np.float64)


THREE = np.digitize(TABLE["a"], [-0.5, 0.5])


NUMBER = (TABLE["a"] * 2 - TABLE["c"]).to_numpy()


MATRIX = [("X", FloatTensorType([None, 3]))]


def exported(model, types=MATRIX, *, zipmap=True):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own
        options = {"zipmap": zipmap} if hasattr(model, "classes_") else None
        return to_onnx(model, initial_types=types, options=options, target_opset=17)


def graph(nodes, inputs, outputs):
    """Return a model of a few operators; inputs and outputs are (name, type, shape)."""
    ends = [[helper.make_tensor_value_info(*one) for one in side] for side in (inputs, outputs)]
    made = helper.make_graph(nodes, "g", *ends)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
