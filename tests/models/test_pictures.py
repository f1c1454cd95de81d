"""Models that take pictures: rows of pixels, callables, modules."""

import pickle
import warnings

import numpy as np
import pytest
from picture_models import noise, opened, softmax
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from xplain_cli.errors import RefusedError
from xplain_cli.models import PictureInput
from xplain_cli.models.pictures import fixed_batches


def test_batches_are_filled_with_the_last_row():
    parts = fixed_batches(np.arange(5), 3)
    assert [part.tolist() for part in parts] == [[0, 1, 2], [3, 4, 4]]


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
    signature = model.settle(pictures)
    assert signature.outputs == tuple(map(str, range(10)))
    wanted = fitted.predict_proba(digits.data[:5])
    np.testing.assert_allclose(model.bind(signature).predict(pictures), wanted, atol=1e-12)


def test_pictures_of_another_number_of_pixels_are_refused(pickled):
    with pytest.raises(RefusedError, match="takes 64 numbers a row, and 9 x 8 pictures with 1"):
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
