"""Whole runs by gradients of torch files, and of pictures: numbers, superpixels, bytes."""

import json

import numpy as np
import pandas as pd
import pytest
from running import bytes_of

torch = pytest.importorskip("torch")

from torch_nets import file_of, inputs, nets  # noqa: E402

NETS = nets()
PICTURE = ("image", "m.pt2", "d.npy", "--segmenter", "grid", "--segments", "9", "-b", "black")


@pytest.fixture
def stored(tmp_path):
    """Store a network and inputs of it, by name."""

    def store(name, rows=9):
        net, shape = NETS[name]
        (tmp_path / "m.pt2").write_bytes(file_of(net, shape))
        batch = inputs(shape, rows)
        if batch.ndim == 4:
            np.save(tmp_path / "d.npy", np.moveaxis(batch, 1, 3))
        else:
            pd.DataFrame(batch).to_csv(tmp_path / "d.csv", index=False)
        return tmp_path

    return store


def test_weights_of_superpixels_are_those_of_their_pixels(run, stored):
    folder = stored("residual")
    words = (*PICTURE, "--layout", "NCHW", "-m", "ig", "-j", "1", "-q", "-t", "column 1")
    assert run(*words, "-o", "out").code == 0
    said = pd.read_csv(folder / "out" / "stability.csv")
    weights = pd.read_csv(folder / "out" / "weights.csv")
    assert (said["quadrature"] == "exact").all()
    assert (weights.groupby("row_id").size() == 9).all()
    total = weights.groupby("row_id")["weight"].sum().to_numpy()
    change = (said["prediction"] - said["base_value"]).to_numpy()
    assert total == pytest.approx(change, abs=1e-5 * np.abs(change).max())


@pytest.mark.parametrize("method", ["smooth", "saliency", "idgi", "input-x-gradient"])
def test_every_method_by_gradients_explains_pictures(run, stored, method):
    stored("residual", rows=3)
    words = (*PICTURE, "--layout", "NCHW", "-m", method, "-j", "1", "-q", "-t", "column 1")
    assert run(*words, "-o", "out").code == 0
    assert run("evaluate", "out").code == 0


def test_any_way_of_working_gives_the_same_bytes(run, stored):
    folder = stored("relu", rows=12)
    words = ("tabular", "m.pkl", "d.csv", "-m", "ig", "-t", "all", "-b", "zero", "-q")
    words = ("tabular", "m.pt2", *words[2:])
    ways = {
        "one": ("-j", "1"),
        "chunks": ("-j", "1", "--chunk-rows", "5"),
        "loky": ("-j", "2", "--backend", "loky", "--chunk-rows", "4"),
    }
    for way, more in ways.items():
        assert run(*words, *more, "-o", way).code == 0
        for file in ("weights.csv", "stability.csv"):
            assert bytes_of(folder / way, file) == bytes_of(folder / "one", file), way


def test_a_file_that_ends_in_a_softmax_is_explained_by_its_scores(run, stored):
    folder = stored("residual softmax")
    words = (*PICTURE, "--layout", "NCHW", "-m", "ig", "-j", "1", "-q")
    assert run(*words, "-t", "column 0:vs:column 1", "-o", "out").code == 0
    said = pd.read_csv(folder / "out" / "stability.csv")
    assert set(said["output_scale"]) == {"log-odds"}
    assert said["attribution_error"].max() <= 1e-10
    plan = json.loads((folder / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert plan["output_scale"] == "log-odds"


def test_pictures_of_whole_numbers_have_no_path(run, stored):
    folder = stored("residual")

    class Bytes(torch.nn.Module):
        def forward(self, x):
            return x.to(torch.float32).mean((1, 2, 3))[:, None] * torch.ones(1, 3)

    program = torch.export.export(Bytes(), (torch.zeros(4, 3, 6, 6, dtype=torch.uint8),))
    torch.export.save(program, folder / "m.pt2")
    np.save(folder / "d.npy", np.zeros((3, 6, 6, 3), dtype=np.uint8) + 7)
    done = run(*PICTURE, "--layout", "NCHW", "-m", "ig", "-j", "1")
    assert done.code == 2
    assert "uint8" in done.err


def test_a_row_that_is_answered_by_no_number_is_one_failed_record(run, stored):
    folder = stored("relu")
    table = pd.read_csv(folder / "d.csv")
    table.iloc[1, 2] = np.nan
    table.to_csv(folder / "d.csv", index=False)
    words = ("tabular", "m.pt2", "d.csv", "-m", "ig", "-b", "zero", "-t", "column 1", "-q")
    assert run(*words, "--max-failed", "1", "-j", "1", "-o", "out").code == 0
    said = pd.read_csv(folder / "out" / "stability.csv")
    assert said[said["status"] == "failed"]["row"].tolist() == [1]


@pytest.mark.parametrize("bent", [False, True])
def test_a_net_of_one_number_a_row_is_followed_exactly(run, tmp_path, bent):
    class Lone(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.net = NETS["relu"][0]

        def forward(self, x):
            score = self.net(x)[:, 0]
            return torch.relu(score + 0.1) if bent else score

    (tmp_path / "m.pt2").write_bytes(file_of(Lone().eval(), (12,)))
    pd.DataFrame(inputs((12,), 9)).to_csv(tmp_path / "d.csv", index=False)
    words = ("tabular", "m.pt2", "d.csv", "-m", "ig", "-b", "zero", "-q", "-j", "1", "-o", "out")
    assert run(*words).code == 0
    said = pd.read_csv(tmp_path / "out" / "stability.csv")
    assert set(said["quadrature"]) == {"exact"}
    weights = pd.read_csv(tmp_path / "out" / "weights.csv")
    sums = weights.groupby("row_id")["weight"].sum().loc[said["row_id"]].to_numpy()
    due = (said["prediction"] - said["base_value"]).to_numpy()
    assert sums == pytest.approx(due, abs=1e-5 * np.abs(due).max())
