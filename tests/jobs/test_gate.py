"""Gates of a run."""

import json

from running import command


def test_gates_of_a_later_command_are_kept(run, cancer, tmp_path):
    assert run(*command(cancer, "-o", "out")).code == 0
    assert run(*command(cancer, "-o", "out", "--fail-on", "max_rel_se>0")).code == 1
    kept = json.loads((tmp_path / "out" / "run_results.json").read_text())["gates"]
    assert [gate["missed"] for gate in kept] == [True]


def test_gates_see_what_top_k_leaves_out(run, cancer, tmp_path):
    gate = ("--fail-on", "max(n_omitted)>0")
    assert run(*command(cancer, "-o", "out", "-k", "3", *gate)).code == 1
    assert run("gate", "out", *gate).code == 1
    assert run(*command(cancer, "-o", "all", *gate)).code == 0
