"""What a hostile graph would make is refused before it is made."""

import itertools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from xplain_cli.models import UnableError  # noqa: E402
from xplain_cli.models.contract import Signature  # noqa: E402
from xplain_cli.models.onnx.conversion import unknown_operators  # noqa: E402
from xplain_cli.models.onnx.entries import OnnxAsked  # noqa: E402
from xplain_cli.models.onnx.gradients import translate  # noqa: E402
from xplain_cli.models.onnx.programs import read_program  # noqa: E402

NODE = helper.make_node
SUMMED = [NODE("ReduceSum", ["t"], ["r"], keepdims=0), NODE("Add", ["x", "r"], ["y"])]
# five columns times a number that the file holds, which no folding of constants at the door sees
BIG = [
    *(NODE("Shape", ["x"], ["s"]), NODE("Gather", ["s", "one"], ["five"])),
    NODE("Mul", ["five", "many"], ["big"]),
]
JOINED = [NODE("Concat", [f"c{i}"] * 8, [f"c{i + 1}"], axis=0) for i in range(10)]
GRAPHS = {
    "ConstantOfShape": [*BIG, NODE("ConstantOfShape", ["big"], ["t"])],
    "Tile": [*BIG, NODE("Concat", ["one", "big"], ["e"], axis=0), NODE("Tile", ["x", "e"], ["t"])],
    "Pad": [
        *BIG,
        NODE("Concat", ["one", "one", "one", "big"], ["e"], axis=0),
        NODE("Pad", ["x", "e"], ["t"]),
    ],
    "Concat": [*JOINED, NODE("Identity", ["c10"], ["t"])],
    "Mul": [
        *(NODE("Tile", ["c0", "rep"], ["a"]), NODE("Unsqueeze", ["a", "one"], ["b"])),
        NODE("Mul", ["a", "b"], ["t"]),
    ],
}


def graph_file(path, nodes, functions=()):
    held = {"one": [1], "many": [1 << 40], "rep": [9000]}
    constants = [numpy_helper.from_array(np.array(v), k) for k, v in held.items()]
    constants.append(numpy_helper.from_array(np.ones(2, np.float32), "c0"))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 5]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], constants)
    domains = [helper.make_opsetid("", 17), helper.make_opsetid("f", 1)]
    made = helper.make_model(graph, opset_imports=domains, functions=list(functions))
    path.write_bytes(made.SerializeToString())
    return path


def translated(path, width=5):
    return translate(
        OnnxAsked(
            path=str(path),
            kinds={"x": "float32"},
            shapes={"x": (None, width)},
            outputs=("y",),
            rows=None,
            layout="NCHW",
            signature=Signature("y", "regression", "raw", (), None, margin=False, note=""),
            feed=None,
            answer=None,
        )
    )


@pytest.mark.parametrize("name", GRAPHS)
def test_a_value_that_would_be_too_large_is_never_made(name, tmp_path):
    with pytest.raises(UnableError, match="more than 67108864 numbers"):
        translated(graph_file(tmp_path / "m.onnx", [*GRAPHS[name], *SUMMED]))


def test_functions_that_call_functions_end(tmp_path):
    calls, functions = 32, []
    for level in range(6):
        op = {"op_type": f"F{level + 1}", "domain": "f"} if level < 5 else {"op_type": "Sin"}
        names = ["a", *(f"o{i}" for i in range(calls))]
        body = [
            NODE(op["op_type"], [a], [b], domain=op.get("domain"))
            for a, b in itertools.pairwise(names)
        ]
        domains = [helper.make_opsetid("", 17), helper.make_opsetid("f", 1)]
        functions.append(helper.make_function("f", f"F{level}", ["a"], [names[-1]], body, domains))
    start = NODE("F0", ["c0"], ["t"], domain="f")
    with pytest.raises(UnableError, match="more than 100000 operators"):
        translated(graph_file(tmp_path / "m.onnx", [start, *SUMMED], functions))


def test_an_input_wider_than_any_is_refused(tmp_path):
    path = graph_file(tmp_path / "m.onnx", [NODE("Relu", ["x"], ["y"])])
    with pytest.raises(UnableError, match="rows of 1 to"):
        translated(path, 1 << 40)


def test_every_branch_is_looked_at(tmp_path):
    """Branches are read one after the other, and what was freed may lie where the next does."""
    names, nodes = [], []
    for i in range(20):
        info = [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)]
        then, other = (
            helper.make_graph([NODE(f"{word}{i}", ["x"], ["z"], domain="odd")], "b", [], info)
            for word in ("Then", "Else")
        )
        nodes.append(NODE("If", ["one"], [f"v{i}"], then_branch=then, else_branch=other))
        names += [f"odd.Then{i}", f"odd.Else{i}"]
    nodes.append(NODE("Sum", [f"v{i}" for i in range(20)], ["y"]))
    path = graph_file(tmp_path / "m.onnx", nodes)
    assert unknown_operators(read_program(path.read_bytes(), tmp_path), "y") == sorted(names)
