"""Models of pictures: layout, type and batch size read off the graph, or rows of pixels."""

import pickle
import warnings

import numpy as np
import pytest
from picture_models import mean_colours
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.models import ModelRecipe, PictureInput, load_model
from xplain_cli.models.pictures import fixed_batches


def opened(source, **more):
    return load_model(ModelRecipe(str(source), modality="image", **more))


def noise(*shape, dtype="float32"):
    return (np.random.default_rng(0).random(shape) * 255).astype(dtype)


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("dtype", ["float32", "uint8", "float64"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_layout_and_type_are_read_off_the_graph(tmp_path, layout, dtype):
    shape = ["rows", 3, 6, 8] if layout == "NCHW" else ["rows", 6, 8, 3]
    source = mean_colours(tmp_path / "m.onnx", shape=shape, layout=layout, dtype=dtype)
    model = opened(source)
    assert model.takes == PictureInput(layout, dtype, 6, 8, 3)
    inputs = noise(5, *shape[1:], dtype=dtype)
    settled = model.settle(inputs[:2])
    assert (settled.scale, settled.outputs) == ("probability", ("0", "1", "2"))
    axes = (2, 3) if layout == "NCHW" else (1, 2)
    wanted = softmax(0.01 * inputs.mean(axis=axes, dtype=np.float64))
    np.testing.assert_allclose(model.bind(settled).predict(inputs), wanted, atol=1e-5)


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


def test_batches_are_filled_with_the_last_row():
    parts = fixed_batches(np.arange(5), 3)
    assert [part.tolist() for part in parts] == [[0, 1, 2], [3, 4, 4]]


def test_scores_are_raw_and_sigmoids_of_several_labels_are_no_distribution(tmp_path):
    for end in ("Identity", "Sigmoid"):
        model = opened(
            mean_colours(tmp_path / f"{end}.onnx", shape=["rows", 3, 6, 8], end=end),
            class_names=("red", "green", "blue"),
        )
        settled = model.settle(noise(2, 3, 6, 8))
        assert (settled.scale, settled.task) == ("raw", "classification")
        assert settled.outputs == ("red", "green", "blue")


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


@pytest.fixture(scope="module")
def digits():
    return load_digits()


@pytest.fixture
def pickled(tmp_path, digits):
    path = tmp_path / "digits.pkl"
    fitted = LogisticRegression(max_iter=3000).fit(digits.data[:300], digits.target[:300])
    path.write_bytes(pickle.dumps(fitted))
    return path, fitted


def test_a_model_of_tables_takes_pictures_as_rows_of_pixels(pickled, digits):
    path, fitted = pickled
    model = opened(path)
    assert model.takes == PictureInput("NHWC", "float64", flat=64)
    pictures = digits.images[:5, :, :, None]
    settled = model.settle(pictures)
    assert settled.outputs == tuple(map(str, range(10)))
    wanted = fitted.predict_proba(digits.data[:5])
    np.testing.assert_allclose(model.bind(settled).predict(pictures), wanted, atol=1e-12)


def test_pictures_of_another_number_of_pixels_are_refused(pickled):
    with pytest.raises(RefusedError, match="takes 64 pixels in a row, and 9 x 8 pictures with 1"):
        opened(pickled[0]).settle(np.zeros((2, 8, 9, 1)))


def test_a_callable_is_handed_arrays(tmp_path):
    (tmp_path / "looking.py").write_text(
        "def look(pictures):\n    return pictures.reshape(len(pictures), -1).mean(axis=1)\n"
    )
    model = opened("looking:look", python_path=(str(tmp_path),))
    pictures = noise(3, 4, 4, 3)
    bound = model.bind(model.settle(pictures))
    np.testing.assert_allclose(
        bound.predict(pictures)[:, 0], pictures.mean(axis=(1, 2, 3)), rtol=1e-5
    )


@pytest.fixture(params=["export", "script"])
def network(tmp_path, request):
    """A torch module of the mean of each channel, in either stored form."""
    torch = pytest.importorskip("torch")

    class Means(torch.nn.Module):
        def forward(self, pixels):
            return torch.softmax(pixels.mean(dim=(2, 3)) * 0.01, dim=1)

    path = tmp_path / "means.pt2"
    example = (torch.zeros(2, 3, 6, 8),)
    if request.param == "export":
        rows = {"pixels": {0: torch.export.Dim("rows")}}
        program = torch.export.export(Means(), example, dynamic_shapes=rows)
        torch.export.save(program, path)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TorchScript is deprecated, and still in use
            torch.jit.save(torch.jit.trace(Means(), example), path)
    return path, request.param


def test_a_torch_module_takes_pictures_as_torch_does(network):
    path, form = network
    model = opened(path)
    sizes = (6, 8, 3) if form == "export" else (None, None, None)
    assert model.takes == PictureInput("NCHW", "float32", *sizes)
    inputs = noise(4, 3, 6, 8)
    wanted = softmax(0.01 * inputs.mean(axis=(2, 3), dtype=np.float64))
    found = model.bind(model.settle(inputs)).predict(inputs)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
