"""What a run must not overwrite."""


def test_outputs_never_overwrite_a_file_of_a_folder(run, diabetes, tmp_path):
    data = tmp_path / "rows"
    data.mkdir()
    (data / "a.csv").write_bytes(diabetes.data.read_bytes())
    done = run("tabular", diabetes.model, data, "-o", data / "a.csv", "--force")
    assert done.code == 2
    assert "is what this command reads" in done.err
    assert (data / "a.csv").read_bytes() == diabetes.data.read_bytes()
