"""Where the names of classes stand in an ONNX graph."""

import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import TABLE, THREE, exported, graph
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from xplain_cli.targets import position_names

GAPS = np.array([7, 30, 11])[THREE]
NODE = helper.make_node
FLOAT, WHOLE, TEXT = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING


def made(nodes, label=WHOLE, width=3, constants=()):
    """Return a graph of columns X (rows, 3) with the outputs ``scores`` and, where made, label."""
    outputs = [("scores", FLOAT, [None, width])]
    if any("label" in node.output for node in nodes):
        outputs.append(("label", label, [None]))
    model = graph(nodes, [("X", FLOAT, [None, 3])], outputs)
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    model.graph.initializer.extend(
        helper.make_tensor(name, TEXT, [len(values)], [one.encode() for one in values])
        if isinstance(values[0], str)
        else numpy_helper.from_array(np.array(values), name)
        for name, values in dict(constants).items()
    )
    return model


SCORES = NODE("Softmax", ["X"], ["scores"], axis=1)
HIGHEST = NODE("ArgMax", ["X"], ["place"], axis=1, keepdims=0)


def names(opened, model, batch=TABLE, **wishes):
    return opened(model, **wishes).settle(batch).outputs


@pytest.mark.parametrize(
    "model",
    [
        StackingClassifier([("one", LogisticRegression()), ("two", GaussianNB())]),
        BaggingClassifier(DecisionTreeClassifier(max_depth=3), 4, random_state=0),
    ],
)
def test_labels_of_the_whole_model_are_not_the_codes_within_it(opened, model):
    model.fit(TABLE.to_numpy(), GAPS)
    loaded = opened(exported(model, zipmap=False))
    signature = loaded.settle(TABLE)
    assert signature.outputs == ("7", "11", "30")
    own = model.predict_proba(TABLE.to_numpy())
    assert loaded.bind(signature).predict(TABLE) == pytest.approx(own, abs=1e-5)


def test_probabilities_alone_take_the_names_of_their_classifier(opened):
    model = exported(LogisticRegression().fit(TABLE.to_numpy(), GAPS), zipmap=False)
    del model.graph.output[0]
    assert [one.name for one in model.graph.output] == ["probabilities"]
    assert names(opened, model) == ("7", "11", "30")


def test_words_that_a_position_points_into_name_the_classes(opened):
    words = ["low", "mid", "top"]
    picked = NODE("Gather", ["words", "place"], ["label"])
    assert names(opened, made([SCORES, HIGHEST, picked], TEXT, 3, {"words": words})) == tuple(words)
    held = helper.make_tensor("v", TEXT, [3], [b"x", b"y", b"z"])
    constant = NODE("Constant", [], ["words"], value=held)
    assert names(opened, made([SCORES, HIGHEST, constant, picked], TEXT)) == ("x", "y", "z")


def test_an_encoder_of_positions_names_the_classes(opened):
    encoder = NODE(
        "LabelEncoder",
        ["place"],
        ["label"],
        keys_int64s=[2, 0, 1],
        values_strings=["c", "a", "b"],
        domain="ai.onnx.ml",
    )
    assert names(opened, made([SCORES, HIGHEST, encoder], TEXT)) == ("a", "b", "c")


def test_a_position_that_is_answered_is_the_label(opened):
    label = NODE("Identity", ["place"], ["label"])
    assert names(opened, made([SCORES, HIGHEST, label])) == ("0", "1", "2")


def test_labels_that_no_constant_holds_are_read_off_the_rows(opened):
    counted = NODE("Add", ["place", "five"], ["label"])
    model = made([SCORES, HIGHEST, counted], constants={"five": [5]})
    assert names(opened, model) == ("5", "6", "7")
    first = TABLE[TABLE.to_numpy().argmax(axis=1) == 0]  # rows that do not show the other labels
    assert names(opened, model, first) == position_names(3)


def test_stated_labels_that_the_rows_contradict_are_not_believed(opened):
    lowest = NODE("ArgMin", ["X"], ["place"], axis=1, keepdims=0)
    picked = NODE("Gather", ["words", "place"], ["label"])
    model = made([SCORES, lowest, picked], TEXT, 3, {"words": ["low", "mid", "top"]})
    assert names(opened, model) == position_names(3)


@pytest.mark.parametrize(("labels", "up"), [([4, 9], "9"), ([9, 4], "4")])
@pytest.mark.parametrize(("end", "limit"), [("Sigmoid", 0.5), ("Identity", 0.0)])
def test_one_column_beside_a_label_speaks_of_two_classes(opened, labels, up, end, limit):
    nodes = [
        NODE("Gather", ["X", "first"], ["one"], axis=1),
        NODE(end, ["one"], ["scores"]),
        NODE("Greater", ["scores", "limit"], ["above"]),
        NODE("Cast", ["above"], ["place"], to=WHOLE),
        NODE("Gather", ["labels", "place"], ["label"]),
    ]
    held = {"first": [0], "limit": np.array([limit], np.float32), "labels": labels}
    loaded = opened(made(nodes, width=1, constants=held))
    signature = loaded.settle(TABLE)
    answers = pd.DataFrame(loaded.bind(signature).predict(TABLE), columns=signature.outputs)
    assert set(signature.outputs) == {"4", "9"}
    assert signature.task == "classification"
    assert ((answers[up] > limit) == (TABLE["a"] > 0)).all()


def test_graphs_that_answer_no_labels_name_no_classes(opened):
    signature = opened(made([SCORES])).settle(TABLE)
    assert signature.outputs == position_names(3)
    assert signature.note == (
        "explaining scores (probability of 3 classes that the model does not name: column 0,"
        " column 1, column 2)"
    )
