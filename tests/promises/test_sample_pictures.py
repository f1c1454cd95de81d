"""The sample pictures are small, and their models say what they show."""

import pickle
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from xplain_cli.datasets.pictures import find_pictures
from xplain_cli.datasets.pixels import Reading

FOLDER = Path(__file__).parents[2] / "sample_data" / "pictures"


def answers(model, feed, name):
    session = onnxruntime.InferenceSession(FOLDER / model)
    return session.run([name], {session.get_inputs()[0].name: feed})[0]


def test_the_folder_stays_small():
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 1_000_000


def test_the_readme_names_every_file():
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    photos = {f"`{path.name}`" for path in (FOLDER / "photos").iterdir()}
    tops = {f"`{path.name}{'/' * path.is_dir()}`" for path in FOLDER.iterdir()} - {"`README.md`"}
    assert {name for name in photos | tops if name not in page} == set()


def test_the_network_sees_the_digits_of_the_scenes():
    taken = find_pictures([str(FOLDER / "scenes")]).take(0, 12, Reading())
    pixels = np.stack([picture.read().values for picture in taken])
    assert pixels.shape == (12, 64, 64, 3)
    feed = np.moveaxis((pixels / 255 - 0.5) / 0.25, 3, 1).astype(np.float32)
    said = answers("scenes.onnx", feed, "probabilities").argmax(axis=1)
    shown = [int(picture.id.removesuffix(".png")[-1]) for picture in taken]
    assert (said == shown).mean() > 0.9


def test_both_forms_of_the_digits_answer_alike():
    digits = np.load(FOLDER / "digits.npy").reshape(100, 64)
    network = pickle.loads((FOLDER / "digits.pkl").read_bytes())
    wanted = network.predict_proba(digits.astype(np.float64))
    found = answers("digits.onnx", digits.astype(np.float32), "probabilities")
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert wanted.max(axis=1).mean() > 0.9


@pytest.mark.parametrize("path", sorted((FOLDER / "photos").iterdir()), ids=lambda path: path.stem)
def test_a_photograph_is_at_most_512_wide(path):
    with Image.open(path) as photo:
        assert max(photo.size) <= 512
