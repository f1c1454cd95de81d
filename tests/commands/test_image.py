"""``xplain image``: pictures from end to end, with models whose answer is known."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from broken_pictures import corpus, rgb
from oracles import mask_limit
from picture_models import constant, mean_colours
from picture_runs import SIDE, stability, weights
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

SAMPLES = Path(__file__).parents[2] / "sample_data" / "pictures"


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
    done = run("image", model, photos, "--segments", "9", "-b", "black", "-t", "class=column 0")
    assert done.code == 0
    assert stability()["precision"].tolist() == ["exact"] * 4
    assert (weights()["std_error"] == 0).all()


def test_all_masks_of_ten_superpixels_give_the_weights_of_lime(run, tmp_path, photos):
    n = 10
    model = mean_colours(tmp_path / "m.onnx", shape=["rows", 3, SIDE, SIDE], scale=0.05)
    done = run("image", model, photos / "0.png", "--segments", n, "-t", "class=column 0")
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
    common = (
        "image",
        model,
        photos / "0.png",
        "--segments",
        "12",
        "-b",
        "black",
        "-t",
        "class=column 0",
    )
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
    assert stability()[["row_id", "target"]].values.tolist() == [["03-shows-6.png", "column 6"]]
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
        assert line["status"] in ({"ok", "empty"} if broken.shape else {"failed"}), broken.name
        said = line["conversions"] if broken.shape else line["error"]
        assert not broken.says or broken.says in said, broken.name


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


def test_label_maps_of_a_run_give_the_same_numbers_back(run, watching, photos):
    common = ("image", watching, photos, "--rescale", "1/255")
    assert run(*common, "-o", "one", "--segments", "12").code == 0
    assert run(*common, "-o", "two", "--segmenter", "file=one/segments").code == 0
    shared = weights("one").drop(columns="run_id")
    pd.testing.assert_frame_equal(shared, weights("two").drop(columns="run_id"))


def test_no_values_shows_no_picture(run, watching, photos):
    common = ("image", watching, photos, "--rescale", "1/255", "--segments", "4")
    assert run(*common, "--no-values").code == 0
    assert weights()["feature_value"].isna().all()
    assert not Path("xplain-out/overlays").exists()


@pytest.mark.parametrize("method", ["occlusion", "rise", "lime:kernel=flat"])
def test_other_methods_on_the_same_superpixels(run, watching, photos, method):
    words = ("--rescale", "1/255", "--segmenter", "grid", "--rows", "0:2")
    done = run("image", watching, photos, "-m", method, *words)
    assert done.code == 0, done.err
    table = weights()
    inside = (table["bbox_x"] < SIDE / 2) & (table["bbox_y"] < SIDE / 2)
    assert table["weight"].abs()[~inside].max() < 1e-6


@pytest.mark.parametrize("baseline", ["grey", "white", "colour=#102030", "blur", "inpaint"])
def test_the_baseline_is_stated(run, watching, photos, baseline):
    one = ("--rescale", "1/255", "--segments", "4", "--rows", "0:1")
    done = run("image", watching, photos, *one, "-b", baseline)
    assert done.code == 0, done.err
    stated = stability()["baseline"].unique().tolist()
    assert len(stated) == 1
    assert stated != ["own mean colour"]


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
    fitted = LogisticRegression().fit(digits.data[:300] / 16, digits.target[:300])
    Path("digits.pkl").write_bytes(pickle.dumps(fitted))
    Path("pictures").mkdir()
    for i in range(3):
        grey = (digits.images[i] * 15.9).astype(np.uint8)
        Image.fromarray(grey).resize((32, 32)).save(f"pictures/{i}.png")
    few = ("-n", "256", "-r", "2")
    done = run("image", "digits.pkl", "pictures", "--resize", "8", "--rescale", "1/255", *few)
    assert done.code == 0, done.err
    assert stability()["target"].tolist() == [0, 1, 2]


def test_sentences_are_nothing_of_pictures(run, tmp_path):
    scenes = SAMPLES
    done = run("image", scenes / "scenes.onnx", scenes / "scenes", "-m", "lime:refine=2")
    assert done.code == 2
    assert "lime:refine" in done.err
