"""A second model that judges baselines."""

from running import rows_of


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
