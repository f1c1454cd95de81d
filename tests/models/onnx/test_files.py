"""ONNX files as files: other files only beside the model, opsets, damage, one digest for all."""

import hashlib
import pathlib
import subprocess

import numpy as np
import pandas as pd
import pytest
from onnx import TensorProto, helper

from xplain_cli.errors import RefusedError
from xplain_cli.models import ModelRecipe, load_model
from xplain_cli.models.inspection import inspect_file

TABLE = pd.DataFrame(np.ones((4, 2)), columns=["a", "b"])
MATRIX = np.arange(6, dtype=np.float32)


def model(nodes=None, tensors=(), opset=17, ir=8, domains=()):
    """Return the bytes of a model (rows, 2) -> (rows, 3)."""
    nodes = nodes or [helper.make_node("MatMul", ["X", "W"], ["Y"])]
    ends = (("X", TensorProto.FLOAT, [None, 2]), ("Y", TensorProto.FLOAT, [None, 3]))
    made = helper.make_graph(
        nodes, "g", *[[helper.make_tensor_value_info(*end)] for end in ends], list(tensors)
    )
    imports = [helper.make_opsetid("", opset), *(helper.make_opsetid(one, 1) for one in domains)]
    return helper.make_model(made, opset_imports=imports, ir_version=ir).SerializeToString()


def kept_in(location, length=24):
    """Return the bytes of a model whose matrix lies in another file."""
    tensor = TensorProto(name="W", data_type=1, dims=[2, 3], data_location=1)
    for key, value in (("location", location), ("offset", "0"), ("length", str(length))):
        entry = tensor.external_data.add()
        entry.key, entry.value = key, value
    return tensor


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a matrix, beside a secret one, with a link to it."""
    inside = tmp_path / "models"
    (inside / "sub").mkdir(parents=True)
    MATRIX.tofile(tmp_path / "secret.bin")
    MATRIX.tofile(inside / "w.bin")
    MATRIX.tofile(inside / "sub" / "w.bin")
    (inside / "link.bin").symlink_to(tmp_path / "secret.bin")
    return inside


def opened(folder, content, **wishes):
    path = folder / "model.onnx"
    path.write_bytes(content)
    return load_model(ModelRecipe(str(path), **wishes))


@pytest.mark.parametrize("location", ["w.bin", "sub/w.bin"])
def test_external_data_beside_the_model_is_read(folder, location):
    loaded = opened(folder, model(tensors=[kept_in(location)]))
    answers = loaded.bind(loaded.settle(TABLE)).predict(TABLE)
    assert answers[0].tolist() == [3.0, 5.0, 7.0]


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("../secret.bin", "lies outside its folder"),
        ("sub/../../secret.bin", "lies outside its folder"),
        ("{absolute}", "lies outside its folder"),
        ("link.bin", "lies outside its folder"),
        ("missing.bin", "'missing.bin' is missing; copy it into"),
        ("", "lies outside its folder"),
    ],
)
@pytest.mark.parametrize("place", ["initializer", "attribute", "subgraph"])
def test_external_data_elsewhere_is_refused(folder, location, says, place):
    tensor = kept_in(location.replace("{absolute}", str(folder.parent / "secret.bin")))
    constant = helper.make_node("Constant", [], ["W"], value=tensor)
    nodes, tensors = [constant, helper.make_node("MatMul", ["X", "W"], ["Y"])], []
    if place == "initializer":
        nodes, tensors = nodes[1:], [tensor]
    elif place == "subgraph":
        inner = helper.make_graph([constant], "h", [], [helper.make_empty_tensor_value_info("W")])
        nodes = [helper.make_node("If", ["c"], ["W"], then_branch=inner, else_branch=inner)]
    with pytest.raises(RefusedError, match=says) as refusal:
        opened(folder, model(nodes, tensors))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "the file is empty"),
        (model(tensors=[kept_in("w.bin")])[:-40], "ONNX file; export it again"),
        (model(tensors=[kept_in("w.bin", length=48)]), "external data size mismatch"),
        (model(opset=99), r"it needs opset 99 of ai\.onnx, and onnxruntime \S+ knows \d+; export"),
        (
            model([helper.make_node("Relu", ["X"], ["Y"])], ir=99),
            "Unsupported model IR version: 99",
        ),
        (
            model(
                [helper.make_node("My", ["X"], ["Y"], domain="com.other")], domains=["com.other"]
            ),
            r"com\.other:My\(-1\) is not a registered function/op",
        ),
        (model([helper.make_node("Nope", ["X"], ["Y"])]), "No Op registered for Nope"),
    ],
)
def test_each_kind_of_damage_is_one_clear_line(folder, content, says, capfd):
    with pytest.raises(RefusedError, match=says) as refusal:
        opened(folder, content)
    line = str(refusal.value)
    assert "\n" not in line
    assert "onnxruntime_src" not in line
    assert capfd.readouterr() == ("", "")


def test_the_digest_covers_the_other_files_and_can_be_made_by_hand(folder):
    content = model(tensors=[kept_in("w.bin")])
    loaded = opened(folder, content)
    by_hand = subprocess.run(
        ["sh", "-c", "(sha256sum < model.onnx; sha256sum w.bin) | sha256sum"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    assert loaded.sha256 == by_hand.stdout.split()[0] != hashlib.sha256(content).hexdigest()
    assert opened(folder, content, sha256=loaded.sha256).sha256 == loaded.sha256
    assert inspect_file(str(folder / "model.onnx")).sha256 == loaded.sha256
    (MATRIX + 1).tofile(folder / "w.bin")
    with pytest.raises(RefusedError, match="not the pinned"):
        opened(folder, content, sha256=loaded.sha256)


def test_a_model_without_other_files_has_the_digest_of_its_file(folder):
    tensor = helper.make_tensor("W", TensorProto.FLOAT, [2, 3], MATRIX.tolist())
    content = model(tensors=[tensor])
    assert opened(folder, content).sha256 == hashlib.sha256(content).hexdigest()
    pathlib.Path(folder / "model.onnx").rename(folder / "other.onnx")
    assert load_model(ModelRecipe(str(folder / "other.onnx"))).kind == "onnx"
