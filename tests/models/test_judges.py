"""A second model that judges baselines."""

import numpy as np
import pandas as pd
import pytest
from running import rows_of

from xplain_cli.errors import UsageError
from xplain_cli.models import ModelRecipe, load_model
from xplain_cli.models.judges import choose_judge


def test_a_judge_says_of_each_baseline_whether_it_is_of_its_class(run, tmp_path, mixed):
    base = ("tabular", mixed.model, mixed.data, "-m", "kernel-shap", "-b", "nearest", "-q")
    done = run(*base, "--judge", mixed.model, "--rows", "0:9")
    assert done.code == 0, done.err
    lines = rows_of(tmp_path / "xplain-out" / "stability.csv")
    assert {line["judge_in_class"] for line in lines} == {"1.0"}  # the model itself agrees


def test_a_judge_of_other_classes_or_without_a_class_is_refused(run, mixed, cancer):
    base = ("tabular", mixed.model, mixed.data, "-m", "kernel-shap")
    for options in (
        ("-b", "nearest", "--judge", cancer.model),
        ("-b", "mean", "--judge", mixed.model),
        ("-m", "lime", "--judge", mixed.model),
    ):
        done = run(*base, *options)
        assert (done.code, "--judge" in done.err) == (2, True), done.err


def test_a_judge_whose_file_names_no_classes_is_refused_with_the_reason(tmp_path):
    lightgbm = pytest.importorskip("lightgbm")
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=["a", "b"])
    settings = {"n_estimators": 2, "n_jobs": 1, "verbose": -1, "min_child_samples": 2}
    model = lightgbm.LGBMClassifier(**settings).fit(rows, rows["a"] > 0)
    path = tmp_path / "m.txt"
    model.booster_.save_model(path)
    recipe = ModelRecipe(str(path))
    with pytest.raises(UsageError, match=r"'no'; it has column 0, column 1, for the file names no"):
        choose_judge(recipe, load_model(recipe), rows, ("no", "yes"))
