"""Run folders on other machines: made here, sent whole, found again."""

import shutil

import pytest

from xplain_cli import remote
from xplain_cli.planning import budget as budgeting
from xplain_cli.runs import delivery as delivering

fsspec = pytest.importorskip("fsspec")
SMALL = ("-n", "128", "-r", "2", "--rows", "0:6", "--chunk-rows", "2")


@pytest.fixture
def bucket(monkeypatch, tmp_path):
    """An empty file system in memory, and a cache of our own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(remote, "_WAITS", (0.0, 0.0))
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    yield fs
    fs.store.clear()


@pytest.fixture
def explain(run, cancer, bucket):
    """Run the command, with further options, on the bucket."""

    def explained(*options, output="memory://b/run"):
        return run("tabular", cancer.model, cancer.data, *SMALL, "-o", output, *options)

    return explained


@pytest.fixture
def sent(monkeypatch):
    """The names of the files that are sent and removed (-), in order."""
    names, send, remove = [], delivering.send_file, delivering.remove_there

    def sending(place, source, path):
        send(place, source, path)
        names.append(path.removeprefix("/b/run/"))

    def removing(place, path):
        remove(place, path)
        names.append(f"-{path.removeprefix('/b/run/')}")

    monkeypatch.setattr(delivering, "send_file", sending)
    monkeypatch.setattr(delivering, "remove_there", removing)
    return names


def test_a_run_there_holds_what_a_local_one_does(explain, run, cancer, bucket, tmp_path, sent):
    done = explain()
    assert (done.code, done.out) == (0, "memory://b/run\n"), done.err
    assert run("tabular", cancer.model, cancer.data, *SMALL, "-o", "here").code == 0
    here = {p.relative_to(tmp_path / "here").as_posix() for p in (tmp_path / "here").rglob("*.*")}
    assert {path.removeprefix("/b/run/") for path in bucket.find("/b/run")} == here
    for name in ("weights.csv", "stability.csv"):
        assert bucket.cat(f"/b/run/{name}") == (tmp_path / "here" / name).read_bytes()
    assert (sent[0], sent[-1]) == ("run.json", "manifest.json")
    assert str(tmp_path / "cache").encode() not in bucket.cat("/b/run/manifest.json")


def test_a_finished_run_there_has_nothing_to_do_and_sends_nothing(explain, sent):
    assert explain().code == 0
    del sent[:]
    assert "nothing to do" in explain().err
    assert sent == []


def test_a_machine_that_never_saw_the_run_brings_it(explain, sent, tmp_path):
    assert explain().code == 0
    shutil.rmtree(tmp_path / "cache")
    del sent[:]
    assert "nothing to do" in explain().err
    assert sent == []


def test_a_run_that_was_changed_there_is_the_one_that_counts(explain, bucket, tmp_path):
    assert explain().code == 0
    shutil.move(tmp_path / "cache", tmp_path / "first")
    assert explain("--force", "-s", "1").code == 0
    shutil.rmtree(tmp_path / "cache")
    shutil.move(tmp_path / "first", tmp_path / "cache")
    assert "differs in seed" in explain().err
    assert "nothing to do" in explain("-s", "1").err


def test_what_could_not_be_sent_is_sent_by_the_same_command(explain, bucket, monkeypatch, sent):
    put, left = bucket.put_file, [3]

    def failing(source, path, *args, **kwargs):
        left[0] -= 1
        if left[0] < 0:
            raise ConnectionResetError("gone")
        return put(source, path, *args, **kwargs)

    monkeypatch.setattr(type(bucket), "put_file", lambda _, *a, **k: failing(*a, **k))
    done = explain()
    assert done.code == 3
    assert "memory://b/run: cannot be reached, 3 times: ConnectionResetError: gone" in done.err
    assert "the run itself is finished: the same command sends it" in done.err
    assert not bucket.exists("/b/run/manifest.json")
    left[0] = 1000
    again = explain()
    assert (again.code, "nothing to do" in again.err) == (0, True)
    assert bucket.exists("/b/run/manifest.json")


def test_an_unfinished_run_continues_here_and_then_goes(explain, bucket, tmp_path):
    assert explain().code == 0
    whole = bucket.cat("/b/run/weights.csv")
    home = next((tmp_path / "cache" / "xplain" / "runs").iterdir())
    (home / "run" / "parts" / "part-000000002-000000004.npz").unlink()
    (home / "run" / "weights.csv").unlink()
    done = explain()
    assert done.code == 0
    assert "nothing to do" not in done.err
    assert bucket.cat("/b/run/weights.csv") == whole


def test_other_numbers_need_force_and_leave_nothing_of_the_old_run(explain, bucket, sent):
    assert explain().code == 0
    refused = explain("-s", "1")
    assert refused.code == 2
    assert "memory://b/run: holds the finished run" in refused.err
    del sent[:]
    assert explain("-s", "1", "--force", "--output-format", "jsonl").code == 0
    assert sent[0] == "-manifest.json"
    assert sent[-1] == "manifest.json"
    names = {path.removeprefix("/b/run/") for path in bucket.find("/b/run")}
    assert {"weights.jsonl", "stability.jsonl"} < names
    assert not {"weights.csv", "stability.csv"} & names


def test_a_refused_command_leaves_the_run_there_as_it_was(explain, bucket):
    assert explain().code == 0
    before = dict(bucket.cat(bucket.find("/b/run")))
    assert explain("--force", "-t", "no such class").code == 2
    assert dict(bucket.cat(bucket.find("/b/run"))) == before


def test_other_things_there_are_not_touched(explain, bucket):
    bucket.pipe("/b/run/thesis.tex", b"years")
    done = explain("--force")
    assert done.code == 3
    assert "memory://b/run: is not a run of xplain (it holds no run.json)" in done.err
    assert bucket.find("/b/run") == ["/b/run/thesis.tex"]


def test_a_folder_by_its_address_works_too(explain, tmp_path):
    done = explain(output=f"file://{tmp_path}/far/run")
    assert (done.code, done.out) == (0, f"file://{tmp_path}/far/run\n"), done.err
    assert (tmp_path / "far" / "run" / "manifest.json").is_file()


def test_a_dry_run_makes_nothing_anywhere(explain, bucket, tmp_path):
    assert explain("--dry-run").code == 0
    assert bucket.find("/b") == []
    assert not (tmp_path / "cache").exists()


def test_a_run_on_texts_is_sent_with_its_vocabulary(run, bucket, tmp_path):
    (tmp_path / "model.py").write_text(
        "def score(texts):\n    return [float(len(t)) for t in texts]\n"
    )
    (tmp_path / "t.txt").write_text("some words here\n")
    command = ("text", "model:score", "t.txt", "--python-path", ".", "-o", "memory://b/run")
    assert run(*command).code == 0
    assert bucket.exists("/b/run/vocabulary.csv")


def test_a_budget_is_found_again_there(run, cancer, bucket, monkeypatch, tmp_path):
    command = ("tabular", cancer.model, cancer.data, "--rows", "0:4", "-o", "memory://b/run")
    assert run(*command, "--budget", "3e4").code == 0
    shutil.rmtree(tmp_path / "cache")
    monkeypatch.setattr(budgeting, "_chosen_anew", None)  # nobody may call it
    assert "nothing to do" in run(*command, "--budget", "3e4").err


@pytest.mark.parametrize(
    ("output", "options", "message"),
    [
        ("https://h/run", (), "a web server takes no files"),
        ("memory://b/out.csv", (), "a run on another machine is a folder"),
        ("memory://b/run", ("-m", "occlusion", "-b", "mean", "-b", "zero"), "several baselines"),
    ],
)
def test_places_that_cannot_hold_a_run_are_refused(explain, bucket, output, options, message):
    if output.startswith("https"):
        pytest.importorskip("aiohttp")
    done = explain(*options, output=output)
    assert (done.code, message in done.err) == (2, True), done.err
    assert bucket.find("/b") == []


def test_a_user_without_a_home_is_told_to_name_a_folder(explain, monkeypatch):
    def unknown(_number):
        raise KeyError

    for name in ("XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)
    done = explain()
    assert (done.code, "set XDG_CACHE_HOME to a folder" in done.err) == (3, True), done.err
