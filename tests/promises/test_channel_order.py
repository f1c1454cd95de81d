"""Models that take blue first: everything but what they are handed stays red, green, blue."""

import json
import pickle
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from drawn_pictures import given, noise, perturbation
from picture_models import mean_colours
from picture_runs import SIDE, stability, weights
from PIL import Image
from sklearn.linear_model import LogisticRegression

from xplain_cli.modalities.image.candidates import PictureSource
from xplain_cli.modalities.image.compose import InputForm

CAFFE = (103.939, 116.779, 123.68)
COLOURS = [(200, 120, 40), (30, 60, 220), (90, 200, 10), (128, 0, 255)]


@pytest.fixture
def scene(tmp_path):
    """A picture of four colours, and its values in the order of OpenCV."""
    half = SIDE // 2
    values = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    for i, colour in enumerate(COLOURS):
        values[i // 2 * half :][:half, i % 2 * half :][:, :half] = colour
    Image.fromarray(values).save(tmp_path / "scene.png")
    return tmp_path / "scene.png", values[..., ::-1]


def alone(model, inputs):
    return onnxruntime.InferenceSession(str(model)).run(None, {"pixels": inputs})[0][0]


def explain(run, model, scene, *options, target="column 0"):
    small = ("--segmenter", "grid", "--segments", "4", "-n", "64", "-b", "black")
    done = run(
        "image", model, scene, "--channels", "bgr", *small, "-t", f"class={target}", *options
    )
    assert done.code == 0, done.err
    return stability()["prediction"][0]


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_a_network_gets_blue_first(run, tmp_path, scene, layout):
    shape = ["rows", 3, SIDE, SIDE] if layout == "NCHW" else ["rows", SIDE, SIDE, 3]
    model = mean_colours(tmp_path / "m.onnx", shape=shape, layout=layout)
    inputs = scene[1].astype(np.float32)
    inputs = np.moveaxis(inputs, 2, 0) if layout == "NCHW" else inputs
    assert explain(run, model, scene[0]) == pytest.approx(alone(model, inputs[None])[0], abs=1e-6)


def test_means_are_in_the_order_of_the_model(run, tmp_path, scene):
    model = mean_colours(tmp_path / "m.onnx", shape=["rows", 3, SIDE, SIDE])
    inputs = np.moveaxis(scene[1] - np.array(CAFFE), 2, 0).astype(np.float32)
    found = explain(run, model, scene[0], "--mean", ",".join(map(str, CAFFE)))
    assert found == pytest.approx(alone(model, inputs[None])[0], abs=1e-6)


def test_a_network_of_bytes_gets_blue_first(run, tmp_path, scene):
    model = mean_colours(
        tmp_path / "m.onnx", shape=["rows", SIDE, SIDE, 3], layout="NHWC", dtype="uint8"
    )
    own = alone(model, np.ascontiguousarray(scene[1][None]))[0]
    assert explain(run, model, scene[0]) == pytest.approx(own, abs=1e-6)


def test_rows_of_pixels_begin_with_blue(run, tmp_path, scene, rng):
    table = rng.integers(0, 256, (40, SIDE * SIDE * 3))
    model = LogisticRegression(max_iter=20).fit(table / 255, np.arange(40) % 2)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
    own = model.predict_proba(scene[1].reshape(1, -1) / 255)[0, 0]
    found = explain(run, tmp_path / "m.pkl", scene[0], "--rescale", "1/255", target="0")
    assert found == pytest.approx(own, abs=1e-9)


def test_a_callable_gets_blue_first(run, tmp_path, scene, monkeypatch):
    (tmp_path / "blue_first.py").write_text(
        "def mean(pictures):\n    return pictures[..., 0].mean(axis=(1, 2))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    done = run("image", "blue_first:mean", scene[0], "--channels", "bgr", "-b", "black", "-n", "64")
    assert done.code == 0, done.err
    assert stability()["prediction"][0] == pytest.approx(scene[1][..., 0].mean())


def test_users_see_the_colours_of_their_pictures(run, tmp_path, scene):
    model = mean_colours(tmp_path / "m.onnx", shape=["rows", 3, SIDE, SIDE])
    explain(run, model, scene[0])
    shown = weights().sort_values("feature_index")["feature_value"].tolist()
    assert shown == ["#{:02x}{:02x}{:02x}".format(*colour) for colour in COLOURS]
    plan = json.loads(Path("xplain-out/manifest.json").read_text())["plan"]["numbers"]
    assert plan["form"]["bgr"] is True


def test_masked_pictures_have_their_stand_in_in_the_same_order():
    values, masks = noise(), np.eye(6, dtype=bool)
    usual = perturbation(baseline="colour=#102030").split([given(values)])
    blue = perturbation(InputForm(bgr=True), baseline="colour=#102030").split([given(values)])
    np.testing.assert_array_equal(blue.masked(0, masks), usual.masked(0, masks)[..., ::-1])


def test_distances_weigh_each_channel_by_its_own_scale():
    form = InputForm(std=(1.0, 2.0, 4.0), bgr=True)
    values = noise((4, 4, 3)).astype(np.float64)
    source = PictureSource("nearest", None, "DATA", None, perturbation(form), None, 8)
    found = source.keep([("a", values, True)])
    assert found.factors == (0.25, 0.5, 1.0)


def test_the_plan_of_red_first_stays_as_it_was():
    plain = InputForm("NCHW", "float32", 1 / 255)
    assert plain.numbers() == {k: v for k, v in asdict(plain).items() if k != "bgr"}
    assert InputForm(bgr=True).numbers()["bgr"] is True


def test_grey_models_take_no_order(run, tmp_path, scene):
    model = mean_colours(tmp_path / "m.onnx", shape=["rows", 1, SIDE, SIDE])
    done = run("image", model, scene[0], "--channels", "bgr")
    assert (done.code, "the model takes 1 channels" in done.err) == (2, True)
