"""Files of other machines: data, models and pictures at addresses, and what is said of them."""

import functools
import hashlib
import http.server
import json
import subprocess
import sys
import threading

import pandas as pd
import pytest
from picture_models import constant
from PIL import Image
from running import environment, rows_of

from xplain_cli import remote
from xplain_cli.errors import RefusedError, UsageError
from xplain_cli.modalities.image.superpixels import open_superpixels
from xplain_cli.remote import is_remote, local, redact, redact_all, retried

fsspec = pytest.importorskip("fsspec")
SMALL = ("-n", "128", "-r", "2")


def all_text(folder):
    return "".join(p.read_text() for p in folder.iterdir() if p.suffix in {".csv", ".json"})


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(remote, "_WAITS", (0.0, 0.0))


@pytest.fixture
def bucket():
    """An empty file system in memory; ``put`` fills it."""
    fs = fsspec.filesystem("memory")
    fs.store.clear()
    fs.pseudo_dirs[:] = [""]
    remote._local.cache_clear()
    yield fs
    fs.store.clear()
    remote._local.cache_clear()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://bucket/part-?.csv", "s3://bucket/part-?.csv"),
        ("s3://b/x.csv?versionId=1", "s3://b/x.csv?***"),
        ("https://u:p@ss@h/x.csv?sig=a b", "https://***@h/x.csv?*** b"),
        ("zip://a.csv::https://u:p@h/x.zip?sig=1", "zip://a.csv::https://***@h/x.zip?***"),
        ("--data=sftp://u:p@h/x, file=ftp://u@h/y", "--data=sftp://***@h/x, file=ftp://***@h/y"),
        ("mail u@h, tcp://h:1", "mail u@h, tcp://h:1"),
    ],
)
def test_secrets_of_addresses_are_not_told(text, shown):
    assert redact(text) == shown
    assert redact_all({"a": [text, 1], "b": None}) == {"a": [shown, 1], "b": None}


def test_addresses_are_told_from_paths():
    assert [is_remote(n) for n in ("s3://b", "GS://b", "c:/x", "a.b:c", "x/y", "-", None)] == [
        *(True, True),
        *(False,) * 5,
    ]
    assert local("x/y.csv") == "x/y.csv"


def test_a_table_of_another_machine_gives_the_numbers_of_its_copy(run, cancer, tmp_path, bucket):
    bucket.pipe("/b/data.csv", cancer.data.read_bytes())
    command = ("tabular", cancer.model, *SMALL)
    assert run(*command, cancer.data, "-o", "here").code == 0
    assert run(*command, "memory://b/data.csv", "-o", "there").code == 0
    for name in ("weights.csv", "stability.csv"):
        there, here = (tmp_path / folder / name for folder in ("there", "here"))
        assert there.read_bytes() == here.read_bytes()
    manifest = json.loads((tmp_path / "there" / "manifest.json").read_text())
    assert manifest["data"]["paths"] == ["memory://b/data.csv"]
    assert "/xplain-" not in all_text(tmp_path / "there").replace(str(tmp_path), "")


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "tsv"])
def test_every_format_is_read_there(run, diabetes, bucket, tmp_path, suffix):
    table = pd.read_csv(diabetes.data)
    path = tmp_path / f"data.{suffix}"
    write = {
        "parquet": lambda: table.to_parquet(path),
        "jsonl": lambda: table.to_json(path, orient="records", lines=True),
        "tsv": lambda: table.to_csv(path, sep="\t", index=False),
    }
    write[suffix]()
    bucket.pipe(f"/b/data.{suffix}", path.read_bytes())
    done = run("tabular", diabetes.model, f"memory://b/data.{suffix}", *SMALL, "-o", "out")
    assert done.code == 0, done.err


@pytest.mark.parametrize("data", ["memory://b/parts", "memory://b/parts/*.csv"])
def test_folders_and_globs_are_taken_in_order(run, cancer, tmp_path, bucket, data):
    lines = cancer.data.read_text().splitlines(keepends=True)
    for i, half in enumerate((lines[1:31], lines[31:])):
        bucket.pipe(f"/b/parts/{i}.csv", (lines[0] + "".join(half)).encode())
    bucket.pipe("/b/parts/_SUCCESS", b"")
    done = run("tabular", cancer.model, data, *SMALL, "--id-column", "id", "-o", "out")
    assert done.code == 0, done.err
    assert "2 files in this order: memory://b/parts/0.csv, memory://b/parts/1.csv" in done.err
    ids = [line["row_id"] for line in rows_of(tmp_path / "out" / "stability.csv")]
    assert ids == [f"p{i}" for i in range(60)]


def test_a_background_and_a_baseline_may_be_there(run, cancer, tmp_path, bucket):
    table = pd.read_csv(cancer.data).drop(columns="id")
    bucket.pipe("/b/all.csv", cancer.data.read_bytes())
    bucket.pipe("/b/one.csv", table.head(1).to_csv(index=False).encode())
    done = run(
        *("tabular", cancer.model, cancer.data, "--rows", "0:3", "-m", "occlusion", "-o", "out"),
        *("--background", "memory://b/all.csv", "-b", "file=memory://b/one.csv"),
    )
    assert done.code == 0, done.err
    line = rows_of(tmp_path / "out" / "stability.csv")[0]
    assert line["baseline"] == "file=memory://b/one.csv"
    assert line["baseline_origin"] == "memory://b/one.csv"
    assert line["n_changed"] == "0"


def test_pictures_are_called_by_their_addresses(run, tmp_path, bucket):
    Image.linear_gradient("L").resize((24, 24)).convert("RGB").save(tmp_path / "red.png")
    for name in ("b/cats/red.png", "b/dogs/red.png"):
        bucket.pipe(f"/{name}", (tmp_path / "red.png").read_bytes())
    model = constant(tmp_path / "model.onnx", 24)
    options = ("--rescale", "1/255", "--segmenter", "grid", "--segments", "4")
    assert run("image", model, "memory://b/*/red.png", *options, "-o", "glob").code == 0
    assert run("image", model, "memory://b", *options, "-o", "folder").code == 0
    ids = {
        name: [line["row_id"] for line in rows_of(tmp_path / name / "stability.csv")]
        for name in ("glob", "folder")
    }
    assert ids["folder"] == ["cats/red.png", "dogs/red.png"]
    assert ids["glob"] == ["memory://b/cats/red.png", "memory://b/dogs/red.png"]
    assert (tmp_path / "glob" / "heatmaps" / "cats" / "red.png").is_file()


def test_texts_are_read_there(run, tmp_path, bucket):
    (tmp_path / "model.py").write_text(
        "def score(texts):\n    return [float(len(t)) for t in texts]\n"
    )
    bucket.pipe("/b/t.txt", b"some words  here, (now)\nand there\n")
    options = ("--python-path", ".", "-o", "out", "--report", "page.html")
    done = run("text", "model:score", "memory://b/t.txt", *options)
    assert done.code == 0, done.err
    # and once more, for what stands between their units
    assert "SHA-256 is still that of the run" in (tmp_path / "page.html").read_text("utf-8")
    assert "  here, (now)" in run("show", "out").out
    bucket.pipe("/b/t.txt", b"some other words\nand there\n")
    remote._local.cache_clear()  # another process
    assert "memory://b/t.txt: is not what was explained" in run("show", "out").err
    results = tmp_path / "out" / "run_results.json"
    held = results.read_text("utf-8").replace("memory://b/t.txt", "https://h/t.txt?***")
    results.write_text(held, encoding="utf-8")
    assert "address https://h/t.txt?*** without its secrets" in run("show", "out").err


def test_a_model_of_another_machine_must_be_pinned(run, cancer, bucket):
    bucket.pipe("/b/forest.pkl", cancer.model.read_bytes())
    sha256 = hashlib.sha256(cancer.model.read_bytes()).hexdigest()
    command = ("tabular", "memory://b/forest.pkl", cancer.data, *SMALL)
    refused = run(*command)
    assert refused.code == 3
    assert "pin it with --model-sha256 (xplain inspect prints it" in refused.err
    assert sha256 in run("inspect", "memory://b/forest.pkl").out
    assert "not the pinned" in run(*command, "--model-sha256", "0" * 64).err
    spread = ("--backend", "loky", "-j", "2", "--chunk-rows", "20")
    assert run(*command, "--model-sha256", sha256, *spread).code == 0


def test_a_model_is_named_by_its_address_when_it_is_refused(run, cancer, bucket):
    bucket.pipe("/b/bad.pkl", b"\x80\x04not a pickle at all.")
    sha256 = hashlib.sha256(b"\x80\x04not a pickle at all.").hexdigest()
    done = run("tabular", "memory://b/bad.pkl", cancer.data, "--model-sha256", sha256)
    assert done.code == 3
    assert "error: memory://b/bad.pkl: " in done.err


def test_secrets_reach_no_file_and_no_message(run, cancer, tmp_path, monkeypatch, capsys):
    opened = remote.open_place

    def open_place(address):
        place = opened(f"file://{cancer.data}")
        return remote.Place(place.fs, place.path, redact(address))

    monkeypatch.setattr(remote, "open_place", open_place)
    address = "sftp://user:hunter2@host/data.csv?token=hunter2"
    monkeypatch.setattr(sys, "argv", ["xplain", "tabular", "m", address])
    done = run(
        *("tabular", cancer.model, address, "--rows", "0:3", "-m", "occlusion", "-o", "out"),
        *("-b", f"file={address}", "-v"),
    )
    assert done.code == 0, done.err
    assert "hunter2" not in all_text(tmp_path / "out") + done.err + done.out
    assert "sftp://***@host/data.csv?***" in all_text(tmp_path / "out")
    remote._local.cache_clear()


def test_what_is_not_there_is_told_in_one_line(run, cancer, bucket):
    bucket.pipe("/b/empty.csv", b"")
    for address, message in (
        ("memory://b/none.csv", "error: memory://b/none.csv: no such file; check the address\n"),
        ("memory://b/*.tsv", "error: memory://b/*.tsv: matches no file\n"),
        ("memory://b/empty.csv", "error: memory://b/empty.csv: is empty, not even"),
    ):
        done = run("tabular", cancer.model, address)
        assert done.code == 3
        assert message in done.err


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("s3://b/x.csv", "s3://b/x.csv: s3:// needs the package s3fs: pip install s3fs"),
        ("gs://b/x.csv", "gs://b/x.csv: gs:// needs the package gcsfs: pip install gcsfs"),
        ("nix://b/x.csv", "Protocol not known: nix; addresses begin with s3://, gs://, https://"),
    ],
)
def test_a_missing_driver_is_named(run, cancer, address, message, monkeypatch):
    for package in ("s3fs", "gcsfs"):
        monkeypatch.setitem(sys.modules, package, None)
    done = run("tabular", cancer.model, address)
    assert done.code == 2
    assert message in done.err


def test_without_fsspec_the_extra_is_named(run, cancer, monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    done = run("tabular", cancer.model, "memory://b/x.csv")
    assert done.code == 2
    assert "pip install 'fsspec>=2024.2'" in done.err


def test_what_fails_now_and_then_is_tried_again():
    left = [ConnectionResetError("reset"), TimeoutError()]

    def shaky():
        if left:
            raise left.pop()
        return 7

    assert retried("s3://b", shaky) == 7


def test_what_fails_each_time_is_refused_and_what_is_forbidden_at_once():
    tries = []

    def dead():
        tries.append(1)
        raise ConnectionResetError("https://u:p@h reset")

    def forbidden():
        tries.append(1)
        raise PermissionError("denied")

    with pytest.raises(RefusedError, match=r"s3://b: cannot be reached, 3 times: .*\*\*\*@h reset"):
        retried("s3://b", dead)
    assert len(tries) == 3
    with pytest.raises(RefusedError, match="check the address and the credentials"):
        retried("s3://b", forbidden)
    assert len(tries) == 4


def test_names_that_lead_out_of_a_folder_are_refused(bucket, monkeypatch):
    place = remote.open_place("memory://b")
    with pytest.raises(RefusedError, match="leads out of it"):
        remote._copied(place, "/b", ["/b/../x"], remote.spool())


def test_judges_and_label_maps_are_read_here_only(run, cancer):
    nearest = ("-m", "kernel-shap", "-b", "nearest", "--judge", "memory://b/j.pkl")
    done = run("tabular", cancer.model, cancer.data, *nearest)
    assert done.code == 2
    assert "copy it first" in done.err
    with pytest.raises(UsageError, match="copy them first"):
        open_superpixels("file=s3://b/maps", None)


def test_a_project_file_may_name_addresses(run, cancer, tmp_path, bucket):
    bucket.pipe("/b/data.csv", cancer.data.read_bytes())
    (tmp_path / "xplain.toml").write_text(
        f"model = {str(cancer.model)!r}\ndata = 'memory://b/data.csv'\nsamples = 128\n"
    )
    assert run("tabular", "-o", "out").code == 0


def test_help_imports_no_fsspec():
    script = (
        "import sys\nfrom xplain_cli.main import main\n"
        "try: main(['tabular', '--help'])\n"
        "except SystemExit: assert 'fsspec' not in sys.modules, 'imported'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def server(cancer):
    """A web server on this machine that serves the folder of the data."""
    pytest.importorskip("aiohttp")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(cancer.data.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        thread = threading.Thread(target=served.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{served.server_port}"
        served.shutdown()
        thread.join()


def test_a_web_server_gives_files(xplain, cancer, tmp_path, server):
    data = f"{server}/{cancer.data.name}?token=hunter2"
    done = xplain("tabular", cancer.model, data, *SMALL, "-o", "out")
    assert done.code == 0, done.err
    assert "hunter2" not in all_text(tmp_path / "out") + done.err
    gone = xplain("tabular", cancer.model, f"{server}/none.csv")
    assert (gone.code, gone.err) == (
        3,
        f"error: {server}/none.csv: no such file; check the address\n",
    )
