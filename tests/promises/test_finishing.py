"""Runs that were merged, or lie on other machines, are runs like any other."""

import json
import shutil
from pathlib import Path

import pytest

from xplain_cli import remote

SAMPLES = Path(__file__).parents[2] / "sample_data"
DIGITS = [SAMPLES / "pictures" / name for name in ("digits.onnx", "digits.npy")]
COMMENTS = (SAMPLES / "comments.pkl", SAMPLES / "comments.csv", "--text-column", "CONTENT")
QUICK = ("-n", "64", "-r", "2", "-q", "-j", "1")
KINDS = {
    "tabular": ("--max-rel-se", "0.05", "--id-column", "id", "--write-repeats"),
    "text": COMMENTS,
    "image": (*DIGITS, "--write-maps"),
}
SLICES = {"undivided": "0:5", "a": "0:2", "b": "2:5"}
OWN = {"argv", "merged", "outputs"}
"""What the manifest of a merged run says of itself alone; the pages of json hold it too."""


def call(*words):
    """Run the tool in this process and return its exit code."""
    from xplain_cli.main import main

    with pytest.raises(SystemExit) as ending:
        main([str(word) for word in words])
    return ending.value.code


@pytest.fixture(scope="module", params=KINDS)
def made(request, cancer, tmp_path_factory):
    """Return a folder with a run, the same in two slices, and these merged: of every modality."""
    kind, folder = request.param, tmp_path_factory.mktemp(request.param)
    words = (cancer.model, cancer.data) if kind == "tabular" else ()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, rows in SLICES.items():
            assert call(kind, *words, *KINDS[kind], *QUICK, "--rows", rows, "-o", name) == 0
        assert call("merge", "b", "a", "-o", "whole", "-q") == 0
    return folder


@pytest.fixture
def kept(made, tmp_path):
    """Return a copy of these runs, in the folder where commands run."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.fixture
def bucket(monkeypatch):
    """An empty file system in memory."""
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.setattr(remote, "_WAITS", (0.0, 0.0))
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    yield fs
    fs.store.clear()


@pytest.fixture(params=["memory", "file"])
def there(request, made, tmp_path, bucket):
    """Return the address of a run on another machine, and a function that reads files of it."""
    if request.param == "file":
        far = tmp_path / "far" / "run"
        shutil.copytree(made / "undivided", far)
        return f"file://{far}", lambda name: (far / name).read_bytes()
    bucket.put(f"{made}/undivided/", "/b/run/", recursive=True)
    return "memory://b/run", lambda name: bucket.cat(f"/b/run/{name}")


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def final_files(folder):
    """Return the bytes of every file that a run leaves to its user but its own account."""
    left_out = {"parts", "pool", "manifest.json", "run.json", "run_results.json"}
    paths = [path for path in folder.rglob("*") if path.is_file()]
    named = {path.relative_to(folder).as_posix(): path for path in paths}
    return {
        name: p.read_bytes() for name, p in named.items() if Path(name).parts[0] not in left_out
    }


def test_a_merged_run_has_the_files_of_the_undivided_one(made):
    whole, undivided = final_files(made / "whole"), final_files(made / "undivided")
    assert sorted(whole) == sorted(undivided)
    assert [name for name in whole if whole[name] != undivided[name]] == []


def test_its_manifest_says_what_that_of_the_undivided_one_says(made):
    whole, undivided = (read(made / name / "manifest.json") for name in ("whole", "undivided"))
    assert {name for name in whole if whole[name] != undivided.get(name)} <= {"argv", "merged"}
    assert set(undivided) <= set(whole)


def test_its_results_give_the_same_figures(made):
    whole, undivided = (read(made / name / "run_results.json") for name in ("whole", "undivided"))
    spent = {"seconds", "work_seconds", "backend", "peak_megabytes", "model_inputs_rows"}
    spent |= {"argv", "request"}
    assert {k: v for k, v in whole.items() if k not in spent} == {
        k: v for k, v in undivided.items() if k not in spent
    }
    assert whole.keys() == undivided.keys()


def test_what_was_asked_is_kept_for_the_rows_of_the_whole(made):
    asked = read(made / "whole" / "run_results.json")["request"]
    assert (asked["rows"], asked["shard"]) == ([0, 5], None)


def test_only_features_that_rows_share_are_ranked(kept, run):
    done = run("merge", "a", "b", "-o", "again")
    ranked = "mean |weight|" in done.err
    assert (done.code, ranked) == (0, not (kept / "whole" / "heatmaps").exists()), done.err


@pytest.mark.parametrize("made", ["image"], indirect=True)
def test_what_is_missing_of_the_pictures_is_said(kept, run):
    (kept / "a" / "overlays" / "1.png").unlink()
    shutil.rmtree(kept / "b" / "heatmaps")
    done = run("merge", "a", "b", "-o", "again")
    assert done.code == 0
    assert "a/overlays/1.png: is gone" in done.err
    assert "b: has no heatmaps" in done.err
    assert "warning: heatmaps of 3 explained pictures are missing: 2, 3, 4" in done.err
    assert sorted(p.name for p in (kept / "again" / "heatmaps").glob("*.png")) == ["0.png", "1.png"]
    assert read(kept / "again" / "manifest.json")["maps"]["files"] == 5 * 4 - 4


def test_slices_without_pictures_make_a_whole_without_them(run, tmp_path):
    for name in ("a", "b"):
        words = (*DIGITS, *QUICK, "--no-maps", "--rows", SLICES[name], "-o", name)
        assert run("image", *words).code == 0
    done = run("merge", "a", "b", "-o", "whole")
    assert (done.code, "warning" in done.err) == (0, False)
    assert not (tmp_path / "whole" / "heatmaps").exists()


@pytest.mark.parametrize("made", ["image"], indirect=True)
def test_other_things_are_not_taken_for_pictures_of_the_whole(kept, run):
    (kept / "again.heatmaps").mkdir()
    (kept / "again.heatmaps" / "mine.png").write_bytes(b"mine")
    assert run("merge", "a", "b", "-o", "again.csv").code == 2


def test_a_merged_run_is_measured_like_the_undivided_one(kept, run):
    for name in ("whole", "undivided"):
        done = run("evaluate", name)
        assert done.code == 0, done.err
    whole, undivided = (kept / name / "evaluation.csv" for name in ("whole", "undivided"))
    assert whole.read_bytes() == undivided.read_bytes()


def test_a_merged_run_is_judged(kept, run):
    done = run("gate", "whole", "--fail-on", "count(max_rel_se>=0)>4")
    assert (done.code, "observed 5" in done.err) == (1, True)


def test_a_merged_run_has_the_page_of_the_undivided_one(kept, run):
    pages = []
    for name in ("whole", "undivided"):
        assert run("report", name).code == 0
        pages.append((kept / name / "report.html").read_text(encoding="utf-8"))
    assert pages[0] == pages[1]


def test_a_run_of_another_machine_is_measured_and_the_measures_are_sent(there, made, run):
    address, content = there
    done = run("evaluate", address)
    assert (done.code, done.out) == (0, f"{address}/evaluation.csv\n"), done.err
    assert content("evaluation.csv").startswith(b"run_id,row_id,baseline,target,prediction,")


@pytest.mark.parametrize("named", ["", "/", "/weights.csv"])
def test_a_run_of_another_machine_is_judged(there, run, named):
    done = run("gate", there[0] + named, "--fail-on", "count(max_rel_se>=0)>4")
    assert (done.code, "observed 5" in done.err) == (1, True), done.err


def test_the_page_of_a_run_of_another_machine_goes_there_or_here(there, run, tmp_path):
    address, content = there
    done = run("report", address)
    assert (done.code, done.out) == (0, f"{address}/report.html\n"), done.err
    assert content("report.html").startswith(b"<!DOCTYPE html>")
    assert "report.html" in json.loads(content("manifest.json"))["outputs"]
    assert run("report", address, "-o", "here.html").code == 0
    assert (tmp_path / "here.html").is_file()


def test_slices_of_other_machines_are_merged(bucket, made, kept, run):
    bucket.put(f"{made}/b/", "/b/second/", recursive=True)
    assert run("merge", "a", "memory://b/second", "-o", "again").code == 0
    again, whole = final_files(kept / "again"), final_files(kept / "whole")
    assert again == whole
    facts = read(kept / "again" / "manifest.json")
    assert facts["merged"][1] == {"run": "memory://b/second", "rows": [2, 5]}


@pytest.mark.parametrize("command", [("evaluate",), ("gate", "--fail-on", "count(failed)>0")])
@pytest.mark.parametrize("lost", ["run.json", "manifest.json"])
def test_what_is_no_finished_run_there_is_refused(bucket, run, command, lost):
    bucket.pipe("/b/run/weights.csv", b"row")
    if lost != "run.json":
        bucket.pipe("/b/run/run.json", b"{}")
    done = run(command[0], "memory://b/run", *command[1:])
    said = "is not finished" if lost == "manifest.json" else "no such run"
    assert (done.code, said in done.err) == (3, True), done.err


@pytest.mark.parametrize("command", ["evaluate", "report", "gate"])
def test_standard_output_leaves_no_run(run, command):
    options = ("--fail-on", "count(failed)>0") if command == "gate" else ()
    done = run(command, "-", *options)
    assert (done.code, "which leaves no run" in done.err) == (2, True), done.err
