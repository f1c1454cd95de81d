"""What a job would cost."""


def test_a_dry_run_writes_nothing_and_counts_model_inputs(run, cancer, tmp_path):
    done = run("tabular", cancer.model, cancer.data, "--dry-run")
    assert done.code == 0
    assert "model inputs    8,704" in done.out
    assert list(tmp_path.iterdir()) == []


def test_inspect_with_data_names_inputs_and_outputs_and_the_cost(run, mixed, tmp_path):
    done = run("inspect", mixed.model, mixed.data)
    assert done.code == 0, done.err
    lines = dict(line.split(None, 1) for line in done.out.splitlines() if " " in line.strip())
    assert lines["inputs"].startswith("age (integer), income (number), city (category)")
    assert lines["outputs"] == "high, low, mid"
    assert "model inputs" in done.out
    assert list(tmp_path.iterdir()) == []
