"""What a command is run with, what it leaves, and how that is read."""

import contextlib
import csv
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

SMALL = ("-n", "128", "-r", "3")


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Case:
    """A stored model and a table to explain."""

    model: Path
    data: Path


def environment(**extra):
    """Return the environment without XPLAIN_* and without colours, with *extra* variables."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("XPLAIN_")}
    fixed = {"TYPER_USE_RICH": "0", "TERMINAL_WIDTH": "100"}
    return clean | fixed | extra


def run_in(folder, *words):
    """Run ``xplain`` in this process and in a folder, for fixtures that outlive a test."""
    from xplain_cli.main import main

    with contextlib.chdir(folder), pytest.raises(SystemExit) as ending:
        main([str(word) for word in words])
    assert ending.value.code == 0


def copied(folder, to):
    """Copy what a fixture made once into the folder of a test, which may spoil it."""
    shutil.copytree(folder, to, dirs_exist_ok=True)
    return to


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def bytes_of(folder, name="weights.csv"):
    return (folder / name).read_bytes()


def command(case, *options):
    return ("tabular", case.model, case.data, *SMALL, "--rows", "0:5", *options)
