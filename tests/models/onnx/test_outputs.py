"""Which output of an ONNX model is explained."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import TABLE, THREE, exported, graph
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier

from xplain_cli.errors import RefusedError, UsageError
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


BOTH = np.column_stack([np.array([7, 5])[(TABLE["b"] > 0).astype(int)], THREE])


def test_a_matrix_for_each_of_several_outputs_is_read_by_their_classes(opened):
    model = MultiOutputClassifier(LogisticRegression()).fit(TABLE.to_numpy(), BOTH)
    loaded = opened(exported(model, zipmap=False))
    signature = loaded.settle(TABLE)
    first, second = ("output_0=5", "output_0=7"), ("output_1=0", "output_1=1", "output_1=2")
    assert signature.outputs == (*first, *second)
    assert (signature.task, signature.scale, signature.positive) == (
        *("classification", "probability", None),
    )
    own = np.hstack(model.predict_proba(TABLE.to_numpy()))
    for rows in (TABLE, TABLE.head(1), TABLE.head(2)):
        answers = loaded.bind(signature).predict(rows)
        assert np.abs(answers - own[: len(rows)]).max() < 1e-6


def test_a_stack_of_matrices_is_read_as_several_outputs(opened):
    both = np.column_stack([np.array([7, 5])[THREE % 2], np.array([3, 1])[THREE // 2]])
    model = RandomForestClassifier(5, random_state=0).fit(TABLE.to_numpy(), both)
    loaded = opened(exported(model, zipmap=False))
    signature = loaded.settle(TABLE)
    assert signature.outputs == ("output_0=5", "output_0=7", "output_1=1", "output_1=3")
    own = np.hstack(model.predict_proba(TABLE.to_numpy()))
    for rows in (TABLE, TABLE.head(1), TABLE.head(2)):
        answers = loaded.bind(signature).predict(rows)
        assert np.abs(answers - own[: len(rows)]).max() < 1e-6


@pytest.mark.parametrize("zipmap", [False, True])
def test_labels_that_do_not_exclude_each_other_are_outputs_of_yes_and_no(opened, zipmap):
    yes = np.column_stack([TABLE["a"] > 0, TABLE["b"] > 0.3, TABLE["c"] > 0]).astype(int)
    model = OneVsRestClassifier(LogisticRegression()).fit(TABLE.to_numpy(), yes)
    loaded = opened(exported(model, zipmap=zipmap))
    signature = loaded.settle(TABLE)
    assert signature.outputs == ("output_0=1", "output_1=1", "output_2=1")
    assert (signature.scale, signature.decides) == ("probability", False)
    own = model.predict_proba(TABLE.to_numpy())
    assert np.abs(loaded.bind(signature).predict(TABLE) - own).max() < 1e-6


def test_scores_that_the_label_is_not_the_largest_of_are_amounts(opened):
    nodes = [
        helper.make_node("Abs", ["X"], ["distances"]),
        helper.make_node("ArgMin", ["distances"], ["label"], axis=1, keepdims=0),
    ]
    outputs = [("label", TensorProto.INT64, [None]), ("distances", TensorProto.FLOAT, [None, 3])]
    signature = opened(graph(nodes, [("X", TensorProto.FLOAT, [None, 3])], outputs)).settle(TABLE)
    assert (signature.task, signature.outputs) == (
        "regression",
        ("output_0", "output_1", "output_2"),
    )


def lone(nodes, kind=TensorProto.INT64):
    return graph(nodes, [("X", TensorProto.FLOAT, [None, 3])], [("answer", kind, [None, None])])


@pytest.mark.parametrize("last", ["ArgMax", "ArgMax, cast", "classifier"])
def test_labels_are_no_amounts(opened, last):
    nodes = {
        "ArgMax": [helper.make_node("ArgMax", ["X"], ["answer"], axis=1)],
        "ArgMax, cast": [
            helper.make_node("ArgMax", ["X"], ["place"], axis=1),
            helper.make_node("Cast", ["place"], ["answer"], to=TensorProto.INT64),
        ],
    }
    if last == "classifier":
        model = exported(LogisticRegression().fit(TABLE.to_numpy(), THREE), zipmap=False)
        del model.graph.output[1]
    else:
        model = lone(nodes[last])
    name = model.graph.output[0].name
    for wishes in ({}, {"model_output": name}):
        with pytest.raises(RefusedError, match=f"'{name}' gives labels only"):
            opened(model, **wishes).settle(TABLE)


def test_whole_numbers_are_amounts_only_if_the_user_says_so(opened):
    counts = lone([
        helper.make_node("ReduceSum", ["X"], ["sum"], keepdims=1, noop_with_empty_axes=0),
        helper.make_node("Add", ["X", "sum"], ["more"]),
        helper.make_node("Cast", ["more"], ["answer"], to=TensorProto.INT64),
    ])
    with pytest.raises(RefusedError, match="say --model-output answer if they are amounts"):
        opened(counts).settle(TABLE)
    assert opened(counts, model_output="answer").settle(TABLE).task == "regression"


@pytest.mark.parametrize("shape", [[0, 3, 1, 1], [0, 1, 1, 3], [0, 1, 3], [0, 3, 1]])
def test_axes_of_length_one_are_dropped(opened, shape):
    pooled = lone(
        [
            helper.make_node("Softmax", ["X"], ["flat"], axis=1),
            helper.make_node("Reshape", ["flat", "shape"], ["answer"]),
        ],
        TensorProto.FLOAT,
    )
    pooled.graph.initializer.append(numpy_helper.from_array(np.array(shape), "shape"))
    pooled.graph.output[0].type.tensor_type.ClearField("shape")
    loaded = opened(pooled)
    signature = loaded.settle(TABLE)
    powers = np.exp(TABLE.to_numpy())
    wanted = powers / powers.sum(axis=1, keepdims=True)
    for rows in (1, 3, 60):
        answers = loaded.bind(signature).predict(TABLE.head(rows))
        assert np.abs(answers - wanted[:rows]).max() < 1e-6


def test_a_real_third_axis_is_refused(opened):
    cube = lone(
        [
            helper.make_node("Unsqueeze", ["X", "axis"], ["one"]),
            helper.make_node("Concat", ["one", "one"], ["answer"], axis=2),
        ],
        TensorProto.FLOAT,
    )
    cube.graph.initializer.append(numpy_helper.from_array(np.array([2]), "axis"))
    cube.graph.output[0].type.tensor_type.ClearField("shape")
    with pytest.raises(RefusedError, match="'answer' is no table of"):
        opened(cube).settle(TABLE)
