"""ONNX models of pictures: layout, type and batch size read off the graph."""

import pickle

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import helper
from picture_models import mean_colours, noise, opened, softmax, store
from PIL import Image

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.models import PictureInput
from xplain_cli.targets import position_names


@pytest.mark.parametrize("dtype", ["float32", "uint8", "float64"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_layout_and_type_are_read_off_the_graph(tmp_path, layout, dtype):
    shape = ["rows", 3, 6, 8] if layout == "NCHW" else ["rows", 6, 8, 3]
    source = mean_colours(tmp_path / "m.onnx", shape=shape, layout=layout, dtype=dtype)
    model = opened(source)
    assert model.takes == PictureInput(layout, dtype, 6, 8, 3)
    inputs = noise(5, *shape[1:], dtype=dtype)
    signature = model.settle(inputs[:2])
    assert (signature.scale, signature.outputs) == ("probability", position_names(3))
    axes = (2, 3) if layout == "NCHW" else (1, 2)
    wanted = softmax(0.01 * inputs.mean(axis=axes, dtype=np.float64))
    np.testing.assert_allclose(model.bind(signature).predict(inputs), wanted, atol=1e-5)


def test_any_height_and_width_are_left_open(tmp_path):
    source = mean_colours(tmp_path / "m.onnx", shape=["rows", 3, "height", "width"])
    assert opened(source).takes == PictureInput("NCHW", "float32", None, None, 3)


@pytest.mark.parametrize("shape", [["rows", 3, 5, 3], ["rows", "a", "b", "c"], ["rows", 7, 7, 7]])
def test_a_layout_that_cannot_be_read_off_is_asked_for(tmp_path, shape):
    source = mean_colours(tmp_path / "m.onnx", shape=shape)
    with pytest.raises(UsageError, match="say --layout NCHW or --layout NHWC"):
        opened(source)


def test_the_layout_can_be_said(tmp_path):
    source = mean_colours(tmp_path / "m.onnx", shape=["rows", 3, 5, 3])
    assert opened(source, layout="NCHW").takes.channels == 3


def test_a_said_layout_that_cannot_be_is_refused(tmp_path):
    source = mean_colours(tmp_path / "m.onnx", shape=["rows", 3, 6, 8])
    with pytest.raises(RefusedError, match="has 8 channels"):
        opened(source, layout="NHWC")


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("asked", [1, 4, 6])
def test_a_fixed_batch_size_is_honoured(tmp_path, rows, asked):
    model = opened(mean_colours(tmp_path / "m.onnx", shape=[rows, 3, 6, 8]))
    assert model.takes.rows == rows
    inputs = noise(asked, 3, 6, 8)
    bound = model.bind(model.settle(inputs))
    wanted = softmax(0.01 * inputs.mean(axis=(2, 3), dtype=np.float64))
    np.testing.assert_allclose(bound.predict(inputs), wanted, atol=1e-5)


def test_scores_are_raw_and_sigmoids_of_several_labels_are_no_distribution(tmp_path):
    for end in ("Identity", "Sigmoid"):
        model = opened(
            mean_colours(tmp_path / f"{end}.onnx", shape=["rows", 3, 6, 8], end=end),
            class_names=("red", "green", "blue"),
        )
        signature = model.settle(noise(2, 3, 6, 8))
        assert (signature.scale, signature.task) == ("raw", "classification")
        assert signature.outputs == ("red", "green", "blue")


def test_an_input_that_is_no_picture_is_refused(tmp_path):
    source = mean_colours(tmp_path / "m.onnx", shape=["rows", 3, 6, 8, 2])
    with pytest.raises(RefusedError, match="one input of four axes"):
        opened(source)


def test_a_bound_model_travels_to_a_worker(tmp_path):
    model = opened(mean_colours(tmp_path / "m.onnx", shape=["rows", 3, 6, 8]))
    inputs = noise(2, 3, 6, 8)
    bound = model.bind(model.settle(inputs))
    sent = pickle.loads(pickle.dumps(bound))
    np.testing.assert_array_equal(sent.predict(inputs), bound.predict(inputs))


def many_scores(path, classes, end):
    """Write a model of many scores: each channel's mean, over and over, through *end*."""
    shape = [0, classes, 1, 1] if end == "pooled" else [0, classes]
    nodes = [
        helper.make_node("ReduceMean", ["pixels"], ["means"], axes=[2, 3], keepdims=0),
        helper.make_node("Tile", ["means", "times"], ["scores"]),
        helper.make_node("Softmax" if end == "pooled" else "Identity", ["scores"], ["ended"]),
        helper.make_node("Reshape", ["ended", "shape"], ["answers"]),
    ]
    times, shape = np.array([1, classes // 3]), np.array(shape)
    constants = [("times", times), ("shape", shape)]
    source = store(path, nodes, ["rows", 3, 6, 8], {"answers": classes}, constants=constants)
    model = onnx.load(source)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    onnx.save(model, source)
    return source


@pytest.mark.parametrize("end", ["scores", "pooled"])
@pytest.mark.parametrize("classes", [12, 300])
def test_of_many_scores_the_highest_is_explained_unasked(run, tmp_path, classes, end):
    model = many_scores(tmp_path / "m.onnx", classes, end)
    Image.fromarray(noise(6, 8, 3, dtype="uint8")).save(tmp_path / "a.png")
    small = ("--segments", "4", "-n", "16", "-r", "1", "--no-maps")
    done = run("image", model, "a.png", *small)
    assert done.code == 0, done.err
    lines = pd.read_csv(tmp_path / "xplain-out" / "stability.csv")
    assert lines["target_spec"].tolist() == ["predicted"]
    assert lines["output_scale"].tolist() == ["probability" if end == "pooled" else "raw"]
    assert lines["target"].str.fullmatch(r"column \d+").all()
