"""The nearest picture of a class: where it is sought, and whole runs."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from picture_models import mean_colours
from PIL import Image

from xplain_cli.baselines.candidates import fit_nearest
from xplain_cli.baselines.fills import FilledPictures, MeanColour
from xplain_cli.baselines.pictures import NearestPicture
from xplain_cli.datasets.pictures import find_pictures
from xplain_cli.datasets.pixels import Reading
from xplain_cli.modalities.image.candidates import OtherPictures, PictureReference
from xplain_cli.modalities.image.compose import InputForm
from xplain_cli.modalities.image.masks import PictureMasker
from xplain_cli.modalities.image.superpixels import open_superpixels
from xplain_cli.models.contract import Capabilities

SIDE = 16


FIRST = "nearest:class=column 0"


class Reds:
    """A model of two classes: red or not; it fails on the picture of zeros."""

    capabilities = Capabilities()

    def predict(self, inputs):
        if not inputs.any(axis=(1, 2, 3)).all():
            raise ValueError("nothing there")
        red = inputs[..., 0].mean(axis=(1, 2)) > inputs[..., 1].mean(axis=(1, 2))
        return np.stack([~red, red], axis=1).astype(float)


def seek(folder, **limits):
    """Return the ids of the pictures of class red, and what the user is told of them."""
    anywhere = PictureMasker(open_superpixels("grid", 6), FilledPictures(MeanColour()), InputForm())
    files, data = OtherPictures(Reading()), find_pictures([str(folder)])
    whole = PictureReference(files, data, anywhere, Reds(), 2, ("no", "red"))
    bounded = SimpleNamespace(
        classes=whole.classes, source=lambda wanted: replace(whole.source(wanted), **limits)
    )
    found = fit_nearest(NearestPicture("red"), bounded)
    return list(found.members.origins), " ".join(found.notes)


def reds(tmp_path):
    return put(tmp_path / "reds", {f"{c}{i}": coloured(c, i) for c in range(2) for i in range(5)})


@pytest.mark.parametrize("limits", [{"most": 3}, {"most_bytes": 3 * SIDE * SIDE * 3}])
def test_candidates_are_bounded_and_it_is_said(tmp_path, limits):
    ids, note = seek(reds(tmp_path), **limits)
    assert ids == ["00.png", "01.png", "02.png"]
    assert "the first 3 pictures of DATA" in note


def test_a_candidate_on_which_the_model_fails_is_left_out(tmp_path):
    folder = reds(tmp_path)
    Image.fromarray(np.zeros((SIDE, SIDE, 3), dtype=np.uint8)).save(folder / "03.png")
    ids, note = seek(folder)
    assert ids == [f"0{i}.png" for i in (0, 1, 2, 4)]
    assert "4 of 9 pictures" in note


# ---- from the command line: class 0 is red, 1 green, 2 blue


def coloured(channel, seed):
    picture = np.random.default_rng(seed).integers(0, 120, (SIDE, SIDE, 3), dtype=np.uint8)
    picture[..., channel] += 100
    return picture


def put(folder, pictures):
    folder.mkdir()
    for name, picture in pictures.items():
        Image.fromarray(picture).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def model(tmp_path):
    return mean_colours(tmp_path / "m.onnx", shape=["rows", 3, SIDE, SIDE], scale=0.05)


@pytest.fixture
def photos(tmp_path):
    names = {f"{c}{i}": coloured(c, 10 * c + i) for c in range(2) for i in range(3)}
    return put(tmp_path / "photos", names)


def stability(folder="xplain-out"):
    return pd.read_csv(Path(folder) / "stability.csv", keep_default_na=False, na_values=[""])


def test_only_pictures_of_the_class_stand_in(run, model, photos):
    done = run("image", model, photos, "-b", "nearest:class=column 1", "--segments", "4")
    assert done.code == 0, done.err
    assert "3 of 6 pictures of DATA that the model puts in class column 1" in done.err
    found = stability()
    assert found["baseline"].unique().tolist() == ["nearest:class=column 1"]
    assert (found["row_id"] != found["baseline_origin"]).all()
    pictures = {path.name: np.asarray(Image.open(path)).astype(float) for path in photos.iterdir()}
    for line in found.itertuples():
        apart = {
            name: np.linalg.norm(other - pictures[line.row_id])
            for name, other in pictures.items()
            if name.startswith("1") and name != line.row_id
        }
        assert line.baseline_origin == min(apart, key=apart.get)
        assert line.baseline_distance == pytest.approx(min(apart.values()))


def test_the_class_is_what_the_model_says_of_a_folder(run, model, photos, tmp_path):
    others = {"a": coloured(2, 70), "b": coloured(2, 71), "c": coloured(0, 72)}
    put(tmp_path / "others", others)
    spec = "nearest:class=column 2,from=others"
    assert run("image", model, photos, "-b", spec, "--segments", "4").code == 0
    assert set(stability()["baseline_origin"]) <= {"a.png", "b.png"}


def test_another_folder_is_another_run(run, model, photos, tmp_path):
    others = put(tmp_path / "others", {"a": coloured(2, 70)})
    common = ("image", model, photos, "-b", "nearest:class=column 2,from=others", "--segments", "4")
    assert run(*common, "-o", "one").code == 0
    Image.fromarray(coloured(2, 71)).save(others / "a.png")
    assert run(*common, "-o", "two").code == 0
    ids = {json.loads(Path(o, "manifest.json").read_text())["run_id"] for o in ("one", "two")}
    assert len(ids) == 2


@pytest.mark.parametrize("backend", ["threads", "loky"])
def test_no_chunk_and_no_job_changes_the_nearest(run, model, photos, backend):
    common = ("image", model, photos, "-b", FIRST, "--segments", "12", "--no-maps", "-q")
    assert run(*common, "-o", "one").code == 0
    spread = ("--chunk-rows", "1", "-j", "2", "--backend", backend)
    assert run(*common, "-o", "two", *spread).code == 0
    for name in ("weights.csv", "stability.csv"):
        assert Path("one", name).read_bytes() == Path("two", name).read_bytes()


def test_a_class_without_pictures_is_refused_with_the_way_out(run, model, photos):
    done = run("image", model, photos, "-b", "nearest:class=column 2", "--segments", "4")
    assert (done.code, "from=FOLDER" in done.err) == (3, True)


def test_an_unknown_class_meets_the_known_ones(run, model, photos):
    Path("names.txt").write_text("red\ngreen\nblue\n")
    done = run("image", model, photos, "--class-names", "names.txt", "-b", "nearest:class=rad")
    assert (done.code, "did you mean 'red'" in done.err) == (2, True)


def test_a_folder_that_is_not_there_is_refused(run, model, photos):
    done = run("image", model, photos, "-b", "nearest:class=column 1,from=nowhere")
    assert (done.code, "nowhere: no such file" in done.err) == (3, True)


def test_pictures_that_cannot_be_read_are_no_candidates(run, model, photos):
    (photos / "1x.png").write_bytes(b"")
    spec = ("-b", "nearest:class=column 1", "--segments", "4", "--max-failed", "1")
    done = run("image", model, photos, *spec)
    assert done.code == 0, done.err
    assert "1x.png" not in set(stability()["baseline_origin"])
