"""Models that are stored and opened through the door."""

import pickle

import pytest

from xplain_cli.models import ModelRecipe, load_model


@pytest.fixture
def opened(tmp_path):
    """Store a model, open it through the door with some wishes."""

    def opener(model, **wishes):
        path = tmp_path / "model.pkl"
        path.write_bytes(pickle.dumps(model))
        return load_model(ModelRecipe(str(path), **wishes))

    return opener
