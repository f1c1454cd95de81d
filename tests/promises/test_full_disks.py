"""The promise: a full disk is exit 3 and names the file, and the same command goes on later."""

import errno
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from running import environment

CODE = """
import numpy as np


def rows(frame):
    x = np.asarray(frame, dtype=float)
    return x[:, 0] / 40 + x[:, 1]


def lengths(texts):
    return np.array([len(text) / 100 for text in texts])


def light(batch):
    return np.asarray(batch, dtype=float).mean(axis=(1, 2, 3)) / 255
"""
FEW = ("-q", "-n", "16", "-r", "2", "--backend", "serial", "-j", "1")
TABLE = ("tabular", "full_disks:rows", "d.csv", "--python-path", ".", *FEW, "--chunk-rows", "8")
PICTURES = ("image", "full_disks:light", "p.npy", "--python-path", ".", *FEW, "--segments", "4")
COMMANDS = {
    "a folder": (*TABLE, "--write-repeats", "--report", "xplain-out/page.html"),
    "a file": (*TABLE, "-o", "out.csv", "--report", "page.html"),
    "parquet": (*TABLE, "--output-format", "parquet"),
    "texts": ("text", "full_disks:lengths", "t.txt", "--python-path", ".", *FEW),
    "pictures": (*PICTURES, "--segmenter", "grid", "--rows", "0:1"),
}


class Disk:
    """A disk that is full once so many files were written."""

    def __init__(self, monkeypatch):
        self.left = 1000
        monkeypatch.setattr(os, "fsync", self.fsync)

    def fsync(self, _descriptor):
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture
def inputs(tmp_path):
    """Write a model, a table, texts and pictures."""
    (tmp_path / "full_disks.py").write_text(CODE)
    pd.DataFrame({"a": range(24), "b": np.arange(24) % 5}).to_csv(tmp_path / "d.csv", index=False)
    (tmp_path / "t.txt").write_text("one two\nthree four five\n")
    pictures = np.random.default_rng(0).integers(0, 255, (2, 16, 16, 3), np.uint8)
    np.save(tmp_path / "p.npy", pictures)
    return tmp_path


def results():
    """Return the bytes of what a run wrote for people; the next run has the place for itself."""
    found = {}
    for path in [*Path().glob("xplain-out/**/*"), *Path().glob("out*.csv")]:
        if path.is_file() and path.suffix in {".csv", ".parquet", ".png", ".npz", ".html"}:
            found[path.as_posix()] = path.read_bytes()
    for path in Path().glob(".out.csv.xplain"), Path().glob("xplain-out"), Path().glob("out*"):
        for one in path:
            shutil.rmtree(one) if one.is_dir() else one.unlink()
    return found


@pytest.mark.parametrize("what", COMMANDS)
def test_a_disk_that_fills_at_any_file_names_it_and_the_command_goes_on(
    run, inputs, monkeypatch, what
):
    disk = Disk(monkeypatch)
    assert run(*COMMANDS[what]).code == 0
    whole, files, done = results(), 0, None
    while done is None or done.code:
        disk.left = files
        done = run(*COMMANDS[what])
        named = re.match(r"error: (.+?)(?:, .+)?: cannot be written: No space left", done.err)
        assert done.code == 0 or (done.code == 3 and named and Path(named[1]).suffix), done.err
        files += 1
        assert files < 40
    assert files > 3
    assert results() == whole


def test_a_merge_names_the_file_that_it_cannot_copy(run, inputs, monkeypatch):
    for number in (1, 2):
        assert run(*TABLE, "--shard", f"{number}/2", "-o", f"s{number}").code == 0

    def full(_source, _target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    done = run("merge", "s1", "s2", "-o", "m")
    assert done.code == 3
    assert re.search(r"m/pool/shared/\w+\.\w+: cannot be written: No space left", done.err)
    monkeypatch.undo()


@pytest.fixture
def shell(inputs):
    """Run a line of a shell."""
    return lambda line: subprocess.run(
        ["bash", "-c", line],
        cwd=inputs,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_pipe_of_results_is_named(shell):
    command = " ".join(map(str, (*TABLE, "-o", "-", "--output-format", "jsonl")))
    done = shell(f"{sys.executable} -m xplain_cli {command} > /dev/full")
    assert done.returncode == 3
    assert "stdout: " in done.stderr
