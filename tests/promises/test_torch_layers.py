"""Whole runs at layers of torch files: superpixels, pixels, what is left out, bytes, pages."""

import numpy as np
import pandas as pd
import pytest
from pages import page_of
from running import bytes_of

torch = pytest.importorskip("torch")

from torch_nets import file_of, inputs, nets  # noqa: E402

NET, SHAPE = nets()["residual"]


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    """Store the residual network and pictures; return what explains them."""
    folder = tmp_path_factory.mktemp("layers")
    (folder / "m.pt2").write_bytes(file_of(NET, SHAPE))
    np.save(folder / "d.npy", np.moveaxis(inputs(SHAPE, 5), 1, 3))
    files = ("image", str(folder / "m.pt2"), str(folder / "d.npy"), "--layout", "NCHW")
    return (*files, "-b", "black", "-t", "column 1", "-q", "--segmenter", "grid")


def said(folder, name="out"):
    weights = pd.read_csv(folder / name / "weights.csv").sort_values(["row_id", "feature_index"])
    return pd.read_csv(folder / name / "stability.csv"), weights


def at_stem(batch):
    """Return the value at the layer stem, and derivatives there of the second score."""
    net = nets()["residual"][0].double()
    value = net.stem(torch.as_tensor(batch, dtype=torch.float64)).detach().requires_grad_()
    rest = torch.relu(value + net.norm(torch.relu(net.branch(value))))
    score = net.head(net.pool(rest).flatten(1))[:, 1]
    (slopes,) = torch.autograd.grad(score.sum(), value)
    return value.detach(), slopes


FORMULAS = {
    "layer-cam": lambda value, slopes: slopes.clamp(min=0) * value,
    "grad-cam": lambda value, slopes: slopes.mean((2, 3), keepdim=True) * value,
    "odam": lambda value, slopes: slopes * value,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_maps_add_up_over_superpixels_and_say_what_they_miss(run, tmp_path, words, name):
    method = f"{name}:layer=stem"
    assert run(*words, "-m", method, "--segments", "9", "-j", "1", "-o", "out").code == 0
    stability, weights = said(tmp_path)
    cells = FORMULAS[name](*at_stem(inputs(SHAPE, 5))).sum(1).numpy()
    expected = cells.reshape(5, 3, 2, 3, 2).sum(axis=(2, 4)).reshape(5, 9)
    assert weights["weight"].to_numpy().reshape(5, 9) == pytest.approx(expected, abs=1e-6)
    assert set(stability["baseline"]) == {"zero at stem"}
    due = (stability["prediction"] - stability["base_value"]).to_numpy()
    missed = np.abs(expected.sum(axis=1) - due) / np.abs(due)
    assert stability["attribution_error"].to_numpy() == pytest.approx(missed, rel=1e-3, abs=1e-4)
    above = np.abs(np.maximum(cells, 0).sum(axis=(1, 2)) - due) / np.abs(due)
    assert stability["rectified_error"].to_numpy() == pytest.approx(above, rel=1e-3)


@pytest.mark.parametrize("method", ["ig:layer=branch", "grad-cam:layer=stem"])
def test_methods_at_layers_can_be_evaluated(run, words, tmp_path, method):
    words = (*words, "--segments", "9", "--no-maps")
    assert run(*words, "-m", method, "-j", "1", "-o", "out", "--rows", "0:2").code == 0
    assert run("evaluate", "out").code == 0
    assert set(pd.read_csv(tmp_path / "out" / "evaluation.csv")["baseline"]) == {"black"}


def test_any_way_of_working_gives_the_same_bytes(run, words, tmp_path):
    ways = {
        "one": ("-j", "1"),
        "threads": ("-j", "2", "--backend", "threads", "--chunk-rows", "1"),
        "loky": ("-j", "2", "--backend", "loky", "--chunk-rows", "2"),
        "killed": ("-j", "1", "--chunk-rows", "2"),
    }
    words = (*words, "-m", "ig:layer=branch,layer-baseline=mean", "--resize", "6")
    words = (*words, "--segments", "9")
    for way, more in ways.items():
        assert run(*words, *more, "-o", way).code == 0
    for part in list((tmp_path / "killed" / "parts").iterdir())[1:]:
        part.unlink()
    (tmp_path / "killed" / "weights.csv").unlink()
    assert run(*words, *ways["killed"], "-o", "killed").code == 0
    for way in ways:
        for file in ("weights.csv", "stability.csv", "panels/3.png"):
            assert bytes_of(tmp_path / way, file) == bytes_of(tmp_path / "one", file), way


def test_a_picture_that_is_its_own_baseline_still_has_a_map_against_0_at_a_layer(
    run, words, tmp_path
):
    np.save(tmp_path / "even.npy", np.zeros((2, 6, 6, 3), dtype=np.float32))
    words = (*words[:2], "even.npy", *words[3:], "--segments", "4", "-j", "1", "--no-maps")
    assert run(*words, "-m", "odam:layer=stem", "-o", "out").code == 0
    stability, weights = said(tmp_path)
    assert set(stability["status"]) == {"ok"}
    assert weights["weight"].abs().max() > 0
    assert run(*words, "-m", "ig:layer=stem", "-o", "none").code == 0
    assert set(said(tmp_path, "none")[0]["status"]) == {"empty"}


def test_pixels_are_the_parts_of_superpixels(run, words, tmp_path):
    words = (*words, "-m", "ig:layer=pool", "-j", "1")
    assert run(*words, "--segments", "4", "-o", "parts").code == 0
    assert run(*words, "--unit", "pixel", "-o", "pixels").code == 0
    weights = said(tmp_path, "pixels")[1]
    assert weights["feature"].iloc[7] == "pixel 1,1"
    by_pixel = weights["weight"].to_numpy().reshape(5, 2, 3, 2, 3)
    whole = said(tmp_path, "parts")[1]["weight"].to_numpy().reshape(5, 4)
    assert by_pixel.sum(axis=(2, 4)).reshape(5, 4) == pytest.approx(whole, abs=1e-9)
    assert run("evaluate", "pixels").code == 0


def test_several_layers_have_a_page_each_and_one_that_compares_them(run, words, tmp_path):
    words = (*words, "--segments", "9", "-j", "1", "-o", "both", "--report", "both/page.html")
    done = run(*words, "-m", "ig:layer=stem", "-m", "ig:layer=branch")
    assert done.code == 0
    outline = page_of(tmp_path / "both" / "page.html")
    links = [attrs["href"].replace("%3D", "=") for tag, attrs in outline.tags if tag == "a"]
    assert links[:2] == ["ig-layer=stem/report.html", "ig-layer=branch/report.html"]
    assert outline.broken == []
    assert sum(tag == "img" for tag, _ in outline.tags) == 10
    own = tmp_path / "both" / links[0]
    assert page_of(own).broken == []
    assert "input, baseline, raw map, weights" in own.read_text(encoding="utf-8")
    assert len(pd.read_csv(tmp_path / "both" / "agreement.csv")) == 5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-m", "odam:layer=flatten"), "this one has no places: 36"),
        (("-m", "kernel-shap", "--unit", "pixel"), "too many pixels"),
        (("-m", "ig", "--unit", "pixel", "--segments", "4"), "leave one out"),
        (("-m", "ig", "--unit", "word2"), "superpixel and pixel"),
        (("-m", "ig", "-m", "ig:layer=stem", "-b", "white"), "one thing"),
    ],
)
def test_what_cannot_be_is_refused_with_a_way_out(run, words, options, said):
    done = run(*words, *options, "-j", "1")
    assert done.code == 2
    assert said in done.err


def test_inspect_lists_layers_with_their_lengths(run, words):
    lines = run("inspect", words[1]).out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("layers"))
    named = [line.removeprefix("layers").split(maxsplit=1) for line in lines[at : at + 10]]
    assert ["stem", "4 x 6 x 6"] in named
    assert ["pool", "4 x 3 x 3"] in named
    assert ["flatten", "36"] in named
