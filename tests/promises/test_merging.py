"""Shards, and merging them to the bytes of the undivided run."""

import json

import pytest

SMALL = ("-n", "128", "-r", "3")


@pytest.fixture
def explain(run, cancer, tmp_path):
    """Explain the 60 rows of cancer, or some of them, into a folder of tmp_path."""

    def explained(out, *options):
        done = run("tabular", cancer.model, cancer.data, *SMALL, "-o", out, *options)
        assert done.code == 0, done.err
        return tmp_path / out

    return explained


def bytes_of(folder):
    return {name: (folder / name).read_bytes() for name in ("weights.csv", "stability.csv")}


def test_shards_are_merged_to_the_bytes_of_the_undivided_run(explain, run, tmp_path):
    whole = explain("whole", "--chunk-rows", "8", "--id-column", "id", "--write-repeats")
    shards = [
        explain(f"s{i}", "--shard", f"{i}/3", "--chunk-rows", "7", "--id-column", "id",
                "--write-repeats")
        for i in (1, 2, 3)
    ]  # fmt: skip
    done = run("merge", shards[2], shards[0], shards[1], "-o", "merged")
    assert done.code == 0, done.err
    assert done.out == "merged\n"
    assert bytes_of(tmp_path / "merged") == bytes_of(whole)
    assert (tmp_path / "merged" / "repeats.npz").read_bytes() == (
        whole / "repeats.npz"
    ).read_bytes()


def test_the_manifest_of_a_merged_run_is_that_of_the_whole_but_for_the_commands(explain, run):
    whole = json.loads((explain("whole") / "manifest.json").read_text())
    folders = [explain("a", "--rows", "0:20"), explain("b", "--rows", "20:")]
    assert run("merge", *folders, "-o", "merged").code == 0
    merged = json.loads((folders[0].parent / "merged" / "manifest.json").read_text())
    assert {name for name in merged if merged[name] != whole.get(name)} <= {"argv", "merged"}
    assert [piece["rows"] for piece in merged["merged"]] == [[0, 20], [20, 60]]


def test_a_merged_run_is_the_run_of_the_whole_command(explain, run, cancer):
    for i in (1, 2):
        explain(f"s{i}", "--shard", f"{i}/2")
    assert run("merge", "s1", "s2", "-o", "merged").code == 0
    again = run("tabular", cancer.model, cancer.data, *SMALL, "-o", "merged")
    assert "nothing to do" in again.err
    assert run("gate", "merged", "--fail-on", "count(failed)>0").code == 0


def test_merged_runs_may_stand_in_files_of_another_format(explain, run, cancer, tmp_path):
    explain("whole.jsonl")
    for i in (1, 2):
        explain(f"s{i}.csv", "--shard", f"{i}/2")
    assert run("merge", "s1.csv", "s2.csv", "-o", "merged.jsonl").code == 0
    assert (tmp_path / "merged.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (("0:20", "25:"), "rows 20 to 24 are in none of the runs"),
        (("0:20", "15:"), "rows 15 to 19 are both in"),
        (("0:60", "15:20"), "rows 15 to 19 are both in"),
    ],
)
def test_gaps_and_overlaps_are_refused_with_their_rows(explain, run, tmp_path, rows, said):
    folders = [explain(f"r{i}", "--rows", span) for i, span in enumerate(rows)]
    done = run("merge", *folders, "-o", "merged")
    assert done.code == 2
    assert said in done.err
    assert not (tmp_path / "merged").exists()


def test_a_missing_last_shard_is_a_gap(explain, run):
    folders = [explain(f"s{i}", "--shard", f"{i}/3") for i in (1, 2)]
    done = run("merge", *folders, "-o", "merged")
    assert done.code == 2
    assert "rows 40 to 59 are in none of the runs" in done.err


def test_runs_of_other_numbers_are_not_merged(explain, run):
    folders = [explain("a", "--rows", "0:20"), explain("b", "--rows", "20:", "--seed", "1")]
    done = run("merge", *folders, "-o", "merged")
    assert done.code == 2
    assert "in seed; only runs of the same" in done.err


def test_an_unfinished_run_is_not_merged(explain, run):
    folders = [explain("a", "--rows", "0:20"), explain("b", "--rows", "20:")]
    marker = folders[1] / "run.json"
    marker.write_text(marker.read_text().replace('"finished"', '"running"'))
    assert run("merge", *folders, "-o", "merged").code == 3


@pytest.mark.parametrize(
    "words",
    [
        ("merge",),
        ("merge", "a", "-o", "x"),
        ("merge", "a", "b"),
        ("merge", "a", "b", "-o", "-"),
    ],
)
def test_what_cannot_be_merged_is_a_mistake_of_usage(explain, run, words):
    explain("a", "--rows", "0:30")
    explain("b", "--rows", "30:")
    assert run(*words).code == 2


def test_a_run_is_never_merged_onto_itself(explain, run):
    folders = [explain("a", "--rows", "0:20"), explain("b", "--rows", "20:")]
    done = run("merge", *folders, "-o", "a", "--force")
    assert done.code == 2
    assert "is one of the runs" in done.err


@pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "61/61", "1/100"])
def test_a_shard_that_holds_no_row_is_refused(run, cancer, shard):
    done = run("tabular", cancer.model, cancer.data, *SMALL, "--shard", shard)
    assert done.code == (0 if shard == "61/61" else 2), done.err
