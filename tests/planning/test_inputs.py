"""The probe of the model before anything is written."""

from broken_pictures import rgb
from picture_runs import SIDE, stability
from running import SMALL
from spoiled_tables import BAD, spoiled


def test_a_model_that_answers_nan_is_refused_at_the_probe(run, cancer, tmp_path):
    (tmp_path / "hollow.py").write_text(
        "def predict(table):\n    return table.index * float('nan')\n"
    )
    done = run(
        "tabular", "hollow:predict", cancer.data, "--drop-columns", "id", "--python-path", "."
    )
    assert done.code == 3
    assert "NaN" in done.err or "nan" in done.err


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
    assert (done.code, "of the first 1 picture none can be read" in done.err) == (3, True)


def test_rows_that_all_fail_at_first_stop_the_run(run, good, tmp_path):
    model, data, options = good
    path = data
    for at in range(16):
        path = spoiled(tmp_path, path, BAD["word"][0], at)
    done = run("tabular", model, path, *options, *SMALL, "--chunk-rows", "4")
    assert done.code == 4
    assert "all of the first 16 rows failed: " in done.err
    assert not (tmp_path / "xplain-out" / "weights.csv").exists()
