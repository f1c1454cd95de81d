"""What a command is run with, what it leaves, and how that is read."""

import csv
import os
from dataclasses import dataclass
from pathlib import Path

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


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def bytes_of(folder, name="weights.csv"):
    return (folder / name).read_bytes()


def command(case, *options):
    return ("tabular", case.model, case.data, *SMALL, "--rows", "0:5", *options)
