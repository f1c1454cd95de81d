"""Layers of torch modules drawn anew, from the top down."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch_nets import file_of, inputs, nets  # noqa: E402

from xplain_cli.models import ModelRecipe, load_model  # noqa: E402
from xplain_cli.models.redrawing import Redraw  # noqa: E402


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Return the path of a network in a form, and a batch for it."""
    folder, made = tmp_path_factory.mktemp("redrawn"), nets()

    def path(name, form="export"):
        net, shape = made[name]
        file = folder / f"{name} {form}"
        if not file.exists():
            file.write_bytes(file_of(net, shape, form))
        return str(file), inputs(shape)

    return path


def answers(path, batch, redraw=None):
    modality = "image" if batch.ndim == 4 else "tabular"
    loaded = load_model(ModelRecipe(path, modality=modality, redraw=redraw))
    model = loaded.bind(loaded.settle(batch))
    return model, model.predict(batch)


def test_layers_are_named_by_the_module_and_come_from_the_top(stored):
    path, batch = stored("relu")
    model, _ = answers(path, batch)
    assert model.capabilities.redrawable() == ("4", "2", "0")


def test_what_stands_below_the_drawn_layers_stays(stored):
    path, batch = stored("residual")
    model, learned = answers(path, batch)
    layers = model.capabilities.redrawable()
    assert layers[0] == "head"
    assert set(layers) == {"head", "norm", "branch", "stem.0"}
    drawn = [answers(path, batch, Redraw(depth, 0))[1] for depth in (1, 2, 4)]
    assert not any(np.allclose(learned, one) for one in drawn)
    again = answers(path, batch, Redraw(2, 0))[1]
    assert (again == drawn[1]).all()


def test_the_gradient_is_that_of_the_drawn_model(stored):
    path, batch = stored("relu")
    model, values = answers(path, batch, Redraw(2, 5))
    gradient = model.capabilities.gradient()
    assert gradient.scores(gradient.enter(batch)) == pytest.approx(values, rel=1e-5, abs=1e-5)


def test_torchscript_has_layers_too(stored):
    path, batch = stored("relu", "script")
    model, learned = answers(path, batch)
    assert len(model.capabilities.redrawable()) == 3
    assert not np.allclose(answers(path, batch, Redraw(1, 0))[1], learned)
