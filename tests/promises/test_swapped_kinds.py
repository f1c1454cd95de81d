"""A model under the command of another kind of rows is told which command explains it."""

import pickle

import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto, helper
from PIL import Image
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

TABLE = pd.DataFrame({"age": range(30), "income": np.arange(30) % 7})
TEXTS = ["good day", "bad day", "good", "bad"]


def graph(inputs, node):
    made = [helper.make_tensor_value_info(*one) for one in inputs]
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    whole = helper.make_graph([node], "g", made, [out])
    options = {"opset_imports": [helper.make_opsetid("", 17)], "ir_version": 8}
    return helper.make_model(whole, **options).SerializeToString()


@pytest.fixture
def stored(tmp_path):
    """Store a model of each kind, and rows of each kind."""
    table = LogisticRegression().fit(TABLE, TABLE["age"] > 14)
    texts = make_pipeline(CountVectorizer(), LogisticRegression()).fit(TEXTS, [1, 0, 1, 0])
    columns = [(name, TensorProto.FLOAT, [None, 1]) for name in TABLE]
    pixels = [("x", TensorProto.FLOAT, [None, 3, 8, 8])]
    ids = [("input_ids", TensorProto.INT64, [None, None])]
    models = {
        "table.pkl": pickle.dumps(table),
        "text.pkl": pickle.dumps(texts),
        "table.onnx": graph(columns, helper.make_node("Concat", list(TABLE), ["y"], axis=1)),
        "image.onnx": graph(pixels, helper.make_node("GlobalMaxPool", ["x"], ["y"])),
        "ids.onnx": graph(ids, helper.make_node("Cast", ["input_ids"], ["y"], to=1)),
    }
    for name, content in models.items():
        (tmp_path / name).write_bytes(content)
    TABLE.to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS) + "\n")
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "cat.png")
    return {"tabular": "rows.csv", "text": "texts.txt", "image": "cat.png"}


@pytest.mark.parametrize(
    ("command", "model", "right"),
    [
        ("image", "table.pkl", "tabular"),
        ("image", "table.onnx", "tabular"),
        ("image", "text.pkl", "text"),
        ("image", "ids.onnx", "text"),
        ("tabular", "text.pkl", "text"),
        ("tabular", "ids.onnx", "text"),
        ("tabular", "image.onnx", "image"),
        ("text", "table.pkl", "tabular"),
        ("text", "table.onnx", "tabular"),
        ("text", "image.onnx", "image"),
    ],
)
def test_a_model_of_another_kind_is_named_with_its_command(run, stored, command, model, right):
    done = run(command, model, stored[command])
    assert done.code in {2, 3}
    assert f"xplain {right}" in done.err
