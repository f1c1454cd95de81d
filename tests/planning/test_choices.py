"""What a method, its budget and its baseline allow together."""

from running import rows_of


def test_lime_on_draws_takes_no_baseline(run, cancer):
    done = run("tabular", cancer.model, cancer.data, "-b", "mean")
    assert done.code == 2
    assert "lime:space=baseline" in done.err


def test_a_foil_needs_one_target(run, mixed):
    done = run("tabular", mixed.model, mixed.data, "-m", "kernel-shap", "-b", "revert", "-t", "all")
    assert done.code == 2
    assert "class=NAME" in done.err


def test_few_samples_are_raised_and_it_is_said(run, cancer, tmp_path):
    few = ("-m", "lime:discretizer=none", "-n", "16", "-r", "2")
    done = run("tabular", cancer.model, cancer.data, *few, "-o", "out")
    assert "samples raised from 16 to 128" in done.err
    assert rows_of(tmp_path / "out" / "stability.csv")[0]["n_samples"] == "128"


def test_occlusion_says_that_it_samples_nothing(run, watching, photos):
    done = run("image", watching, photos, "-m", "occlusion", "--samples", "64")
    assert (done.code, "occlusion samples nothing" in done.err) == (2, True)


def test_too_few_masks_for_a_code_are_told(run, watching, photos):
    common = ("image", watching, photos, "--rescale", "1/255", "--segments", "32", "--dry-run")
    assert "--samples 2048" in run(*common).err
    assert "--samples 2048" not in run(*common, "--samples", "2048").err
