"""Finished runs are found by any of their files."""

import pytest
from running import command


def test_a_gate_judges_the_run_of_the_file_that_is_named(run, cancer, tmp_path):
    assert run(*command(cancer, "-o", "z.csv")).code == 0
    assert run(*command(cancer, "-t", "0", "-o", "z.json")).code == 2  # z.manifest.json is z.csv's
    assert run(*command(cancer, "-t", "0", "-o", "z.json", "--force")).code == 0
    for name, target in (("z.csv", "1"), ("z.json", "0"), ("z.stability.json", "0")):
        assert run("gate", name, "--fail-on", f"count(target=={target})>0").code == 1
    assert run("gate", "z.manifest.json", "--fail-on", "count(failed)>0").code == 3
    assert run(*command(cancer, "-o", "folder")).code == 0
    assert run(*command(cancer, "-t", "0", "-o", "folder/more.csv")).code == 0
    assert run("gate", "folder/more.csv", "--fail-on", "count(target==0)>0").code == 1
    assert run("gate", "folder/weights.csv", "--fail-on", "count(target==0)>0").code == 0


@pytest.mark.parametrize("place", [".", "/"])
def test_a_gate_on_what_is_no_run_is_refused(run, place):
    assert run("gate", place, "--fail-on", "count(failed)>0").code == 3
