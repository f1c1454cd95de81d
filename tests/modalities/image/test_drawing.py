"""Maps of a run: where they stand, and when they are drawn."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from picture_models import mean_colours
from picture_runs import SIDE, weights


def test_maps_stand_beside_the_weights(run, watching, photos):
    common = ("image", watching, photos, "--rescale", "1/255", "--segments", "4")
    assert run(*common, "--write-maps").code == 0
    for kind in ("heatmaps", "overlays", "segments"):
        names = sorted(path.name for path in Path("xplain-out", kind).glob("*.png"))
        assert names == [f"{i}.png" for i in range(4)]
    with np.load("xplain-out/maps/0.npz") as arrays:
        own = weights().query("row_id == '0.png'").set_index("feature_index")["weight"]
        labels, drawn = arrays["labels"], arrays["weights"]
        assert drawn.shape == (1, SIDE, SIDE)
        np.testing.assert_allclose(drawn[0], own.sort_index().to_numpy()[labels], rtol=1e-6)
    facts = json.loads(Path("xplain-out/manifest.json").read_text())
    assert facts["maps"]["files"] == 16


def test_pictures_named_by_absolute_paths_lie_flat_and_give_their_maps_back(run, watching, photos):
    paths = sorted(photos.resolve().iterdir())
    Path(photos, "0.bmp").write_bytes(paths[0].read_bytes())
    common = ("image", watching, photos.resolve() / "0.bmp", *paths, "--rescale", "1/255")
    assert run(*common, "-o", "one", "--segments", "12").code == 0
    names = sorted(path.name for path in Path("one/heatmaps").iterdir())
    assert names == ["0.bmp.png", "0.png.png", "1.png", "2.png", "3.png", "index.json"]
    assert run(*common, "-o", "two", "--segmenter", "file=one/segments").code == 0
    shared = weights("one").drop(columns="run_id")
    pd.testing.assert_frame_equal(shared, weights("two").drop(columns="run_id"))


def test_drawing_anew_computes_nothing(run, watching, photos):
    common = ("image", watching, photos, "--rescale", "1/255", "--segments", "12")
    assert run(*common, "--no-maps").code == 0
    before = Path("xplain-out/weights.csv").read_bytes()
    parts = {path: path.stat().st_mtime_ns for path in Path("xplain-out/parts").iterdir()}
    assert not Path("xplain-out/heatmaps").exists()
    assert run(*common).code == 0
    assert Path("xplain-out/heatmaps/0.png").is_file()
    assert before == Path("xplain-out/weights.csv").read_bytes()
    assert parts == {path: path.stat().st_mtime_ns for path in Path("xplain-out/parts").iterdir()}


def test_a_folder_that_no_run_wrote_is_left_alone(run, watching, photos):
    Path("out.heatmaps").mkdir()
    Path("out.heatmaps", "mine.png").write_bytes(b"mine")
    done = run("image", watching, photos, "--rescale", "1/255", "-o", "out.csv", "--force")
    assert (done.code, "was not written by a run" in done.err) == (2, True)
    assert Path("out.heatmaps", "mine.png").read_bytes() == b"mine"


def test_several_targets_are_drawn_each(run, tmp_path, photos):
    model = mean_colours(tmp_path / "m.onnx", shape=["rows", 3, SIDE, SIDE])
    assert run("image", model, photos, "-t", "top:2", "--segments", "4").code == 0
    names = sorted(path.name for path in Path("xplain-out/heatmaps").glob("0.*"))
    assert names == ["0.2.png", "0.png"]
