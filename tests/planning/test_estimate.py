"""What a job would cost."""

from picture_models import mean_colours
from PIL import Image


def test_a_dry_run_writes_nothing_and_counts_model_inputs(run, cancer, tmp_path):
    done = run("tabular", cancer.model, cancer.data, "--dry-run")
    assert done.code == 0
    assert "model inputs    8,704" in done.out
    assert "method          lime, 1,024 samples in each of 8 repeats" in done.out
    assert list(tmp_path.iterdir()) == []


def test_inspect_with_data_names_inputs_and_outputs_and_the_cost(run, mixed, tmp_path):
    done = run("inspect", mixed.model, mixed.data)
    assert done.code == 0, done.err
    lines = dict(line.split(None, 1) for line in done.out.splitlines() if " " in line.strip())
    assert lines["inputs"].startswith("age (integer), income (number), city (category)")
    assert lines["outputs"] == "high, low, mid"
    assert "model inputs" in done.out
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_of_pictures_of_several_sizes_is_a_plan(run, tmp_path):
    model = mean_colours(tmp_path / "m.onnx", shape=["rows", 3, "height", "width"])
    folder = tmp_path / "mixed"
    folder.mkdir()
    for i, size in enumerate([(16, 12), (12, 16), (20, 20)]):
        Image.new("RGB", size, (40 * i, 90, 10)).save(folder / f"{i}.png")
    done = run("image", model, "mixed", "--dry-run", "--segments", "4", "-n", "32", "-r", "1")
    assert done.code == 0, done.err
    assert "rows            3" in done.out
