"""Which output of an ONNX model is explained."""

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_models import TABLE, THREE, exported, graph
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from xplain_cli.errors import UsageError
from xplain_cli.models import Signature


@pytest.mark.parametrize(
    ("zipmap", "response", "names"),
    [
        (True, "output_probability", ("0", "1", "2")),
        (False, "probabilities", ("0", "1", "2")),
        ("columns", "i0+i1+i2", ("0", "1", "2")),
    ],
)
def test_classifiers_answer_probabilities_in_all_three_forms(opened, zipmap, response, names):
    model = RandomForestClassifier(10, random_state=0).fit(TABLE.to_numpy(), THREE)
    loaded = opened(exported(model, zipmap=zipmap))
    signature = loaded.settle(TABLE)
    assert signature == Signature(
        *(response, "classification", "probability", names),
        positive=None,
        margin=False,
        note=f"explaining {response} (probability of 3 classes: {', '.join(names)})",
    )
    answers = loaded.bind(signature).predict(TABLE)
    assert np.abs(answers - model.predict_proba(TABLE.to_numpy())).max() < 1e-6
    assert (answers.dtype, answers.flags.c_contiguous) == (np.float64, True)
    assert (loaded.kind, loaded.columns, loaded.n_columns) == ("onnx", None, 3)
    assert loaded.all_numeric is True


def test_text_labels_name_the_classes(opened):
    model = LogisticRegression().fit(TABLE.to_numpy(), np.where(THREE > 0, "yes", "no"))
    signature = opened(exported(model)).settle(TABLE)
    assert (signature.outputs, signature.positive) == (("no", "yes"), 1)


def several():
    """Return a model with logits, sigmoids that are no exclusive classes, and labels."""
    nodes = [
        helper.make_node("Identity", ["X"], ["logits"]),
        helper.make_node("Sigmoid", ["X"], ["chances"]),
        helper.make_node("ArgMax", ["X"], ["label"], axis=1),
    ]
    outputs = [
        ("logits", TensorProto.FLOAT, [None, 2]),
        ("chances", TensorProto.FLOAT, [None, 2]),
        ("label", TensorProto.INT64, [None, 1]),
    ]
    return graph(nodes, [("X", TensorProto.FLOAT, [None, 2])], outputs)


def test_an_output_is_picked_by_name(opened):
    batch = TABLE[["a", "b"]]
    loaded = opened(several(), model_output="chances")
    signature = loaded.settle(batch)
    assert (signature.response, signature.scale) == ("chances", "raw")
    assert (
        np.abs(loaded.bind(signature).predict(batch) - 1 / (1 + np.exp(-batch))).max().max() < 1e-6
    )
    with pytest.raises(UsageError, match="has logits, chances, label"):
        opened(several(), model_output="chance").settle(batch)
    logits = opened(several()).settle(batch)
    assert (logits.response, logits.task, logits.outputs) == (
        *("logits", "classification", ("0", "1")),
    )
    assert (logits.scale, logits.positive) == ("raw", 1)


def test_a_lone_sigmoid_with_two_names_is_two_classes(opened):
    lone = graph(
        [helper.make_node("Sigmoid", ["X"], ["chance"])],
        [("X", TensorProto.FLOAT, [None, 1])],
        [("chance", TensorProto.FLOAT, [None, 1])],
    )
    loaded = opened(lone, class_names=("no", "yes"))
    signature = loaded.settle(TABLE[["a"]])
    assert (signature.outputs, signature.scale, signature.positive) == (
        ("no", "yes"),
        "probability",
        1,
    )
    assert np.allclose(loaded.bind(signature).predict(TABLE[["a"]]).sum(axis=1), 1)
