"""ONNX models that are stored and opened."""

import pytest

from xplain_cli.models import ModelRecipe, load_model


@pytest.fixture
def opened(tmp_path):
    """Store an ONNX model and open it with some wishes."""

    def opener(exported, **wishes):
        path = tmp_path / "model.onnx"
        path.write_bytes(exported.SerializeToString())
        return load_model(ModelRecipe(str(path), **wishes))

    return opener
