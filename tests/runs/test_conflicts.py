"""What a run must not overwrite."""

import pytest
from running import SMALL


def test_outputs_never_overwrite_a_file_of_a_folder(run, diabetes, tmp_path):
    data = tmp_path / "rows"
    data.mkdir()
    (data / "a.csv").write_bytes(diabetes.data.read_bytes())
    done = run("tabular", diabetes.model, data, "-o", data / "a.csv", "--force")
    assert done.code == 2
    assert "is what this command reads" in done.err
    assert (data / "a.csv").read_bytes() == diabetes.data.read_bytes()


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_the_commands_own_input_is_never_overwritten(run, cancer, tmp_path, force):
    data = tmp_path / "in.csv"
    data.write_bytes(cancer.data.read_bytes())
    done = run("tabular", cancer.model, data, *SMALL, "-o", data, *force)
    assert done.code == 2
    assert "is what this command reads" in done.err
    assert data.read_bytes() == cancer.data.read_bytes()
