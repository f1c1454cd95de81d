"""Trees of ONNX graphs whose ids lead nowhere, astray or in a circle; and those that are whole."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from xplain_cli.errors import RefusedError
from xplain_cli.models.onnx.files import check_file
from xplain_cli.models.onnx.limits import find_excess

X = np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(int) + (X[:, 2] > 1)
FITTED = {
    "forest": RandomForestClassifier(3, max_depth=4, random_state=0),
    "boosted": GradientBoostingClassifier(n_estimators=3, random_state=0),
    "scaled": make_pipeline(StandardScaler(), DecisionTreeRegressor(random_state=0)),
}
SOUND = {name: to_onnx(model.fit(X, Y), X[:1]) for name, model in FITTED.items()}


def new_form():
    """A tree of two nodes and three leaves, as opset 5 of the domain stores it."""
    tensor = helper.make_tensor
    node = helper.make_node(
        "TreeEnsemble",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        n_targets=2,
        tree_roots=[0],
        nodes_featureids=[0, 2],
        nodes_splits=tensor("s", TensorProto.FLOAT, [2], [0.5, 1.5]),
        nodes_modes=tensor("m", TensorProto.UINT8, [2], b"\x00\x00", raw=True),
        nodes_truenodeids=[1, 0],
        nodes_falsenodeids=[2, 1],
        nodes_trueleafs=[0, 1],
        nodes_falseleafs=[1, 1],
        leaf_targetids=[0, 1, 0],
        leaf_weights=tensor("w", TensorProto.FLOAT, [3], [1.0, 2.0, 3.0]),
    )
    row, answer = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width])
        for name, width in (("x", 4), ("y", 2))
    )
    opsets = [helper.make_opsetid("ai.onnx.ml", 5), helper.make_opsetid("", 21)]
    return helper.make_model(helper.make_graph([node], "g", [row], [answer]), opset_imports=opsets)


def spoiled(name, attribute, change):
    """A sound model with one list of its trees changed."""
    made = onnx.ModelProto()
    made.CopyFrom(new_form() if name == "opset 5" else SOUND[name])
    (node,) = (node for node in made.graph.node if node.op_type.startswith("TreeEnsemble"))
    (held,) = (one for one in node.attribute if one.name == attribute)
    found = held.ints or held.floats or held.strings
    change(found)
    return made


def put(place, value):
    return lambda found: found.__setitem__(place, value)


def cut(found):
    del found[-1]


ODD = {
    "a child is its own parent": ("forest", "nodes_truenodeids", put(0, 0)),
    "a grandchild leads back": ("forest", "nodes_falsenodeids", put(1, 0)),
    "a child is not there": ("forest", "nodes_truenodeids", put(0, 99_999)),
    "a child below 0": ("boosted", "nodes_truenodeids", put(0, -1)),
    "a child beyond any number": ("forest", "nodes_truenodeids", put(0, 2**62)),
    "two nodes of one number": ("forest", "nodes_nodeids", put(1, 0)),
    "a column that is not there": ("forest", "nodes_featureids", put(0, 4)),
    "a column behind a scaler": ("scaled", "nodes_featureids", put(0, 4)),
    "a column below 0": ("boosted", "nodes_featureids", put(0, -1)),
    "fewer columns than nodes": ("forest", "nodes_featureids", cut),
    "fewer modes than nodes": ("forest", "nodes_modes", cut),
    "no mode": ("forest", "nodes_modes", put(0, b"BRANCH_ANY")),
    "fewer values than nodes": ("forest", "nodes_values", cut),
    "a class that is not there": ("forest", "class_ids", put(0, 3)),
    "a class below 0": ("boosted", "class_ids", put(0, -1)),
    "a class of a foreign tree": ("forest", "class_treeids", put(0, 77)),
    "fewer weights than leaves": ("forest", "class_weights", cut),
    "a target that is not there": ("scaled", "target_ids", put(0, 1)),
    "a target of no node": ("scaled", "target_nodeids", put(0, 1_000)),
    "new: a child leads back": ("opset 5", "nodes_trueleafs", put(1, 0)),
    "new: a child is not there": ("opset 5", "nodes_truenodeids", put(0, 2)),
    "new: a leaf is not there": ("opset 5", "nodes_falsenodeids", put(0, 3)),
    "new: a root is not there": ("opset 5", "tree_roots", put(0, 2)),
    "new: a target is not there": ("opset 5", "leaf_targetids", put(0, 2)),
    "new: a column is not there": ("opset 5", "nodes_featureids", put(1, 4)),
}


@pytest.mark.parametrize("name", ODD)
def test_trees_that_are_not_whole_are_refused(tmp_path, name):
    data = spoiled(*ODD[name]).SerializeToString()
    with pytest.raises(RefusedError, match=r"it holds a TreeEnsemble.* that .*; export it again"):
        check_file(str(tmp_path / "m.onnx"), data)


@pytest.mark.parametrize("name", [*SOUND, "opset 5"])
def test_whole_trees_pass(name):
    made = new_form() if name == "opset 5" else SOUND[name]
    assert find_excess(made.SerializeToString(), 0) is None


def test_a_node_with_two_parents_is_no_circle():
    """As LightGBM's sets of categories are exported: one way in for each of them."""
    made = new_form()
    node = made.graph.node[0]
    for name, values in {
        "nodes_featureids": [0, 1, 2],
        "nodes_truenodeids": [2, 2, 0],
        "nodes_falsenodeids": [1, 0, 1],
        "nodes_trueleafs": [0, 0, 1],
        "nodes_falseleafs": [0, 1, 1],
    }.items():
        (held,) = (one for one in node.attribute if one.name == name)
        held.ints[:] = values
    for name, raw in (("nodes_modes", b"\x00" * 3), ("nodes_splits", b"\x00" * 12)):
        (held,) = (one for one in node.attribute if one.name == name)
        held.t.dims[:], held.t.raw_data = [3], raw
        del held.t.float_data[:]
    assert find_excess(made.SerializeToString(), 0) is None


def test_a_tree_hidden_in_a_branch_is_seen():
    """Operators of two graphs may share the name of what they make."""
    bad = spoiled("forest", "nodes_truenodeids", put(0, 0)).graph
    good = SOUND["forest"].graph
    out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    branches = {}
    for name, graph in (("then_branch", bad), ("else_branch", good)):
        branches[name] = helper.make_graph(graph.node, name, [], out)
    choice = helper.make_node("If", ["c"], ["y"], **branches)
    whole = helper.make_model(helper.make_graph([choice], "g", [], out))
    assert "lead back to themselves" in str(find_excess(whole.SerializeToString(), 0))
