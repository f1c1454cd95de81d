"""xplain image: pictures from end to end, with models whose answer is known."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from broken_pictures import colours, corpus, rgb
from oracles import mask_limit
from picture_models import constant, mean_colours, quadrant
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

SAMPLES = Path(__file__).parents[2] / "sample_data" / "pictures"
SIDE = 32


def weights(folder="xplain-out"):
    return pd.read_csv(Path(folder) / "weights.csv", keep_default_na=False, na_values=[""])


def stability(folder="xplain-out"):
    return pd.read_csv(Path(folder) / "stability.csv", keep_default_na=False, na_values=[""])


@pytest.fixture
def photos(tmp_path):
    """Four pictures of smooth colours with noise on them."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(4):
        noise = np.random.default_rng(i).integers(0, 60, (SIDE, SIDE, 3))
        picture = np.clip(colours(SIDE, SIDE).astype(int) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def watching(tmp_path):
    """A model that looks at the upper left quadrant alone."""
    return quadrant(tmp_path / "quadrant.onnx", SIDE)


def test_all_weight_lies_where_the_model_looks(run, watching, photos):
    done = run(
        *("image", watching, photos, "--rescale", "1/255", "--segmenter", "grid", "-q"),
        *("--baseline", "black"),
    )
    assert (done.code, done.out) == (0, "xplain-out\n")
    table = weights()
    inside = (table["bbox_x"] < SIDE / 2) & (table["bbox_y"] < SIDE / 2)
    shares = table["weight"].abs().where(inside, 0).groupby(table["row_id"]).sum()
    assert (shares / table.groupby("row_id")["weight"].apply(lambda w: w.abs().sum()) > 0.95).all()
    assert table.groupby("row_id").size().tolist() == [16] * 4


def test_a_constant_model_has_weights_of_zero(run, tmp_path, photos):
    done = run("image", constant(tmp_path / "c.onnx", SIDE), photos, "--rescale", "1/255")
    assert done.code == 0
    assert (weights()["weight"] == 0).all()
    assert stability()["local_r2"].isna().all()


def test_a_flat_picture_of_one_superpixel_is_explained(run, watching, tmp_path):
    Image.new("RGB", (SIDE, SIDE), (200, 10, 10)).save(tmp_path / "flat.png")
    done = run("image", watching, "flat.png", "--rescale", "1/255", "--segmenter", "felzenszwalb")
    assert done.code == 0
    assert weights()[["feature", "weight", "area"]].values.tolist() == [["superpixel 0", 0.0, 1024]]
    assert stability()["precision"].tolist() == ["exact"]


def test_few_superpixels_are_enumerated(run, tmp_path, photos):
    model = mean_colours(tmp_path / "m.onnx", shape=["rows", 3, SIDE, SIDE], scale=0.05)
    done = run("image", model, photos, "--segments", "9", "-b", "black", "-t", "class=0")
    assert done.code == 0
    assert stability()["precision"].tolist() == ["exact"] * 4
    assert (weights()["std_error"] == 0).all()


def test_all_masks_of_ten_superpixels_give_the_weights_of_lime(run, tmp_path, photos):
    n = 10
    model = mean_colours(tmp_path / "m.onnx", shape=["rows", 3, SIDE, SIDE], scale=0.05)
    done = run("image", model, photos / "0.png", "--segments", n, "-t", "class=0")
    assert done.code == 0
    picture = np.asarray(Image.open(photos / "0.png"), dtype=np.float64)
    labels = np.asarray(Image.open(next(Path("xplain-out/segments").rglob("*.png"))))
    fudged = np.empty_like(picture)
    for label in range(n):
        fudged[labels == label] = picture[labels == label].mean(axis=0)

    def answer(masks):
        means = np.stack([
            np.where(mask[labels][..., None], picture, fudged).mean(axis=(0, 1)) for mask in masks
        ])
        powers = np.exp(0.05 * means - (0.05 * means).max(axis=1, keepdims=True))
        return powers[:, 0] / powers.sum(axis=1)

    kernel = np.exp(-((1 - np.sqrt(np.arange(n + 1) / n)) ** 2) / (2 * 0.25**2))
    wanted, base = mask_limit("bernoulli", kernel, n, answer)
    own = weights().set_index("feature_index")["weight"].sort_index()
    np.testing.assert_allclose(own, wanted, atol=1e-5)
    np.testing.assert_allclose(stability()["base_value"], base, atol=1e-5)


def test_an_error_covers_the_distance_to_the_enumeration(run, tmp_path, photos):
    model = mean_colours(tmp_path / "m.onnx", shape=["rows", 3, SIDE, SIDE], scale=0.05)
    common = ("image", model, photos / "0.png", "--segments", "12", "-b", "black", "-t", "class=0")
    assert run(*common, "-o", "all", "--samples", "4096").code == 0
    assert run(*common, "-o", "few", "--samples", "256", "--repeats", "4").code == 0
    every, few = (weights(name).set_index("feature_index").sort_index() for name in ("all", "few"))
    assert stability("all")["precision"].tolist() == ["exact"]
    apart = (every["weight"] - few["weight"]).abs()
    assert (apart <= 4 * few["std_error"] + 1e-9).all()


@pytest.mark.parametrize("suffix", ["pkl", "onnx"])
def test_the_sample_digits(run, suffix):
    Path("names.txt").write_text("".join(f"digit {i}\n" for i in range(10)))
    done = run(
        *("image", SAMPLES / f"digits.{suffix}", SAMPLES / "digits.npy", "--rows", "0:3"),
        *("--segmenter", "grid", "--class-names", "names.txt"),
    )
    assert done.code == 0, done.err
    found = stability()
    assert found["row_id"].tolist() == [0, 1, 2]
    assert found["target"].str.startswith("digit ").all()
    assert found["conversions"].tolist() == ["float32 taken as they are"] * 3


def test_the_sample_network_sees_the_digit(run):
    done = run(
        *("image", SAMPLES / "scenes.onnx", SAMPLES / "scenes", "--rescale", "1/255"),
        *("--mean", ".5", "--std", ".25", "--rows", "3:4"),
    )
    assert done.code == 0
    assert stability()[["row_id", "target"]].values.tolist() == [["03-shows-6.png", 6]]
    first = weights().iloc[0]  # the digit stands in the middle, from (27, 23) to (47, 51)
    assert first["weight"] > 0
    assert 20 <= first["bbox_x"] + first["bbox_w"] / 2 <= 48


def test_a_callable_is_handed_bytes_of_pictures_of_any_size(run, tmp_path):
    (tmp_path / "seeing.py").write_text(
        "import numpy as np\n"
        "def see(pictures):\n"
        "    assert pictures.dtype == np.uint8 and pictures.ndim == 4\n"
        "    return pictures[..., 0].mean(axis=(1, 2)) / 255\n"
    )
    (tmp_path / "photos").mkdir()
    for i, shape in enumerate([(20, 30), (40, 10), (15, 15)]):
        rgb(*shape).save(tmp_path / "photos" / f"{i}.png")
    common = ("image", "seeing:see", "photos", "--python-path", ".", "--segments", "5")
    done = run(*common)
    assert done.code == 0, done.err
    assert stability()["status"].tolist() == ["ok"] * 3
    done = run(*common, "--chunk-rows", "2")
    assert (done.code, "one at a time" in done.err) == (2, True)


def test_broken_pictures_fail_alone_with_the_reason(run, watching, tmp_path):
    (tmp_path / "odd").mkdir()
    for broken in corpus():
        name = broken.name if "." in broken.name else f"{broken.name}.png"
        (tmp_path / "odd" / name).write_bytes(broken.data)
    done = run(
        *("image", watching, "odd", "--rescale", "1/255", "--segments", "4", "--no-maps"),
        *("--channels", "rgb", "--max-failed", "100%"),
    )
    assert done.code == 0, done.err
    found = stability().set_index("row_id")
    for broken in corpus():
        line = found.loc[broken.name]
        assert line["status"] == ("ok" if broken.shape else "failed"), broken.name
        said = line["conversions"] if broken.shape else line["error"]
        assert not broken.says or broken.says in said, broken.name


def test_first_pictures_that_are_broken_do_not_stop_the_run(run, watching, tmp_path):
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed" / "0.png").write_bytes(b"")
    rgb(SIDE, SIDE).save(tmp_path / "mixed" / "1.png")
    done = run("image", watching, "mixed", "--rescale", "1/255", "--segments", "4")
    assert done.code == 4
    assert stability()["status"].tolist() == ["failed", "ok"]


def test_a_folder_of_broken_pictures_is_refused(run, watching, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "0.png").write_bytes(b"")
    done = run("image", watching, "bad", "--rescale", "1/255")
    assert (done.code, "none of the first 1 pictures can be read" in done.err) == (3, True)


def test_numbers_depend_on_no_chunk_and_no_job(run, watching, photos):
    common = (
        "image",
        watching,
        photos,
        "--rescale",
        "1/255",
        "--segments",
        "12",
        "-q",
        "--no-maps",
    )
    assert run(*common, "-o", "one").code == 0
    assert (
        run(*common, "-o", "two", "--chunk-rows", "1", "-j", "2", "--backend", "threads").code == 0
    )
    assert Path("one/weights.csv").read_bytes() == Path("two/weights.csv").read_bytes()
    assert Path("one/stability.csv").read_bytes() == Path("two/stability.csv").read_bytes()


def test_a_row_says_the_same_alone(run, watching, photos):
    common = ("image", watching, photos, "--rescale", "1/255", "--segments", "12", "--no-maps")
    assert run(*common, "-o", "all").code == 0
    assert run(*common, "-o", "third", "--rows", "2:3").code == 0
    everything, third = weights("all"), weights("third")
    own = everything[everything["row_id"] == "2.png"].reset_index(drop=True)
    pd.testing.assert_frame_equal(own.drop(columns="run_id"), third.drop(columns="run_id"))


def test_equal_pictures_are_explained_alike(run, watching, photos):
    (photos / "copy.png").write_bytes((photos / "0.png").read_bytes())
    assert run("image", watching, photos, "--rescale", "1/255", "--segments", "12").code == 0
    table = weights()
    first, copy = (table[table["row_id"] == name] for name in ("0.png", "copy.png"))
    assert first["weight"].tolist() == copy["weight"].tolist()


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


def test_label_maps_of_a_run_give_the_same_numbers_back(run, watching, photos):
    common = ("image", watching, photos, "--rescale", "1/255")
    assert run(*common, "-o", "one", "--segments", "12").code == 0
    assert run(*common, "-o", "two", "--segmenter", "file=one/segments").code == 0
    shared = weights("one").drop(columns="run_id")
    pd.testing.assert_frame_equal(shared, weights("two").drop(columns="run_id"))


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


def test_no_values_shows_no_picture(run, watching, photos):
    common = ("image", watching, photos, "--rescale", "1/255", "--segments", "4")
    assert run(*common, "--no-values").code == 0
    assert weights()["feature_value"].isna().all()
    assert not Path("xplain-out/overlays").exists()


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


@pytest.mark.parametrize("method", ["occlusion", "rise", "lime:kernel=flat"])
def test_other_methods_on_the_same_superpixels(run, watching, photos, method):
    done = run("image", watching, photos, "--rescale", "1/255", "-m", method, "--segmenter", "grid")
    assert done.code == 0, done.err
    table = weights()
    inside = (table["bbox_x"] < SIDE / 2) & (table["bbox_y"] < SIDE / 2)
    assert table["weight"].abs()[~inside].max() < 1e-6


def test_occlusion_says_that_it_samples_nothing(run, watching, photos):
    done = run("image", watching, photos, "-m", "occlusion", "--samples", "64")
    assert (done.code, "occlusion samples nothing" in done.err) == (2, True)


@pytest.mark.parametrize("baseline", ["grey", "white", "colour=#102030", "blur", "inpaint"])
def test_the_baseline_is_stated(run, watching, photos, baseline):
    done = run("image", watching, photos, "--rescale", "1/255", "--segments", "4", "-b", baseline)
    assert done.code == 0, done.err
    stated = stability()["baseline"].unique().tolist()
    assert len(stated) == 1
    assert stated != ["own mean colour"]


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (("--resize", "40"), 2, "the model takes pictures of 32 x 32"),
        (("--resize", "48", "--crop", "32"), 2, "--resize short=48"),
        (("--resize", "big"), 2, "WIDTHxHEIGHT"),
        (("--rescale", "1/0"), 2, "a fraction: 1/255"),
        (("--mean", ".5,.5"), 2, "2 numbers for 3 channels"),
        (("--std", "0"), 2, "0 is no scale"),
        (("--channels", "grey"), 2, "the model takes 3 channels"),
        (("--segmenter", "slik"), 2, "did you mean 'slic'"),
        (("--baseline", "gray"), 2, "did you mean 'grey'"),
        (("--layout", "NHWC"), 3, "has 32 channels"),
        (("--layout", "CHWN"), 2, "layout"),
    ],
)
def test_options_that_cannot_be_are_refused(run, watching, photos, options, code, says):
    done = run("image", watching, photos, *options)
    assert done.code == code, done.err
    assert says in done.err


def test_resizing_by_the_shorter_side_and_cropping(run, watching, tmp_path):
    rgb(60, 90).save(tmp_path / "a.png")
    done = run(
        *("image", watching, "a.png", "--resize", "short=40", "--crop", "32", "--segments", "4"),
        *("--rescale", "1/255"),
    )
    assert done.code == 0, done.err
    table = weights()
    assert table["area"].sum() == pytest.approx(48 * 48, abs=4)
    assert table["bbox_x"].min() >= 20


def test_a_float_model_without_rescaling_is_warned_of(run, watching, photos):
    assert "needs --rescale 1/255" in run("image", watching, photos, "--dry-run").err


def test_a_model_of_bytes_takes_no_rescaling(run, tmp_path, photos):
    model = mean_colours(tmp_path / "m.onnx", shape=["rows", 3, SIDE, SIDE], dtype="uint8")
    assert run("image", model, photos, "--segments", "4").code == 0
    done = run("image", model, photos, "--rescale", "1/255", "--force")
    assert (done.code, "takes uint8 pixels as they are" in done.err) == (2, True)


def test_a_fixed_batch_size_is_the_one_that_is_used(run, tmp_path, photos):
    any_size = mean_colours(tmp_path / "any.onnx", shape=["rows", 3, SIDE, SIDE])
    fixed = mean_colours(tmp_path / "fixed.onnx", shape=[8, 3, SIDE, SIDE])
    assert run("image", any_size, photos, "-o", "any", "--segments", "6").code == 0
    assert run("image", fixed, photos, "-o", "fixed", "--segments", "6").code == 0
    plan = json.loads(Path("fixed/manifest.json").read_text())["plan"]["numbers"]
    assert plan["model_batch_rows"] == 8
    both = [weights(name)["weight"] for name in ("any", "fixed")]
    np.testing.assert_allclose(*both, atol=1e-5)


def test_a_folder_of_dicom_is_refused_with_the_way_out(run, watching, tmp_path):
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans" / "a.dcm").write_bytes(b"\0" * 128 + b"DICM")
    done = run("image", watching, "scans")
    assert (done.code, "apply_voi_lut" in done.err) == (3, True)


def test_results_stream_to_stdout(run, watching, photos):
    done = run("image", watching, photos, "--rescale", "1/255", "--segments", "4", "-o", "-")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [line["row_id"] for line in lines] == [f"{i}.png" for i in range(4)]
    assert {"area", "bbox_x"} <= set(lines[0]["explanations"][0]["weights"][0])


def test_a_killed_run_ends_with_the_same_bytes(run, watching, photos):
    common = (
        "image",
        watching,
        photos,
        "--rescale",
        "1/255",
        "--segments",
        "12",
        "--chunk-rows",
        "1",
    )
    assert run(*common, "-o", "whole").code == 0
    assert run(*common, "-o", "cut").code == 0
    marker = json.loads(Path("cut/run.json").read_text())
    Path("cut/run.json").write_text(json.dumps(marker | {"state": "running", "outputs": {}}))
    sorted(Path("cut/parts").iterdir())[2].unlink()
    assert run(*common, "-o", "cut").code == 0
    for name in ("weights.csv", "stability.csv", "heatmaps/2.png", "segments/2.png"):
        assert Path("whole", name).read_bytes() == Path("cut", name).read_bytes()


def test_pickled_models_take_pictures_of_files(run, tmp_path):
    digits = load_digits()
    fitted = LogisticRegression(max_iter=500).fit(digits.data / 16, digits.target)
    Path("digits.pkl").write_bytes(pickle.dumps(fitted))
    Path("pictures").mkdir()
    for i in range(3):
        grey = (digits.images[i] * 15.9).astype(np.uint8)
        Image.fromarray(grey).resize((32, 32)).save(f"pictures/{i}.png")
    done = run("image", "digits.pkl", "pictures", "--resize", "8", "--rescale", "1/255")
    assert done.code == 0, done.err
    assert stability()["target"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(("end", "link"), [("Softmax", "softmax"), ("Sigmoid", "sigmoid")])
def test_scores_become_probabilities_when_the_user_says_how(run, tmp_path, photos, end, link):
    shape = ["rows", 3, SIDE, SIDE]
    scores = mean_colours(tmp_path / "scores.onnx", shape=shape, end="Identity")
    answers = mean_colours(tmp_path / "answers.onnx", shape=shape, end=end)
    common = ("--segments", "6", "--class-names", "names.txt", "-t", "green", "--no-maps")
    Path("names.txt").write_text("red\ngreen\nblue\n")
    own = ("--output-scale", "probability", "--force") if end == "Softmax" else ()
    assert run("image", answers, photos, *common, *own, "-o", "own").code == 0
    scale = f"probability:of={link}"
    assert run("image", scores, photos, *common, "-o", "made", "--output-scale", scale).code == 0
    assert stability("made")["output_scale"].unique().tolist() == [scale]
    both = [weights(name)["weight"] for name in ("own", "made")]
    np.testing.assert_allclose(*both, atol=1e-5)


def test_a_link_is_for_scores_alone(run, tmp_path, photos):
    shares = mean_colours(tmp_path / "shares.onnx", shape=["rows", 3, SIDE, SIDE])
    done = run("image", shares, photos, "--output-scale", "probability:of=softmax")
    assert (done.code, "gives no scores" in done.err) == (2, True)


def test_scores_asked_as_probabilities_are_told_how(run, tmp_path, photos):
    scores = mean_colours(tmp_path / "s.onnx", shape=["rows", 3, SIDE, SIDE], end="Identity")
    done = run("image", scores, photos, "--output-scale", "log-odds")
    assert (done.code, "say --output-scale log-odds:of=softmax" in done.err) == (2, True)


def test_too_few_masks_for_a_code_are_told(run, watching, photos):
    common = ("image", watching, photos, "--rescale", "1/255", "--segments", "32", "--dry-run")
    assert "--samples 2048" in run(*common).err
    assert "--samples 2048" not in run(*common, "--samples", "2048").err


def test_sentences_are_nothing_of_pictures(run, tmp_path):
    scenes = SAMPLES
    done = run("image", scenes / "scenes.onnx", scenes / "scenes", "-m", "lime:refine=2")
    assert done.code == 2
    assert "lime:refine" in done.err
