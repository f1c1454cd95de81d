"""xplain: batch explanations of model decisions.

A command reads its options; planning opens the model and the dataset and decides everything
before the first row; a job sends chunks to workers, whose engine asks a model what a method wants
of rows that a modality has split, against a baseline; a run keeps the parts, quality says how far
to trust them, output and report show them.

The map, a line per room (calls go down only):

    main           the door: signals, error boundary, exit codes
    commands/      what a user types; file = command = function
    options/       every option once: flag, kind, bound, default, and the request they make
    planning/      all that is decided before the first row: inputs, choices, cost, plan
    jobs/          what a command then does: explain, compare, diff, evaluate, merge, gate, deliver
    workers/       where models run: rooms that are confined and may die, one, several, Dask
    engine/        one chunk explained: predictions, masks asked in batches, pool, records
    modalities/    what a row is: a folder each, with the same file names
    baselines/     what a row is compared with (mean, sample, nearest of a class, ...)
    methods/       how features get their weights
    models/        what is explained, and the door that files pass
    datasets/      on which rows: a file per storage format
    quality/       how far to trust: stability, agreement, precision, summary, gates
    runs/          the run folder: paths, whole files or none, locks, parts, resume
    output/        result files: csv, json, jsonl, parquet
    report/        one HTML page of a run
    console        the only file that prints
    features       the seam: rows that can be masked or drawn, and what some of them can do
    targets        which number of the output is explained
    samples        how many draws and masks: defaults, what a fit needs, how budgets grow
    scales         on which scale: probability, log-odds, raw
    plan           everything that decides the numbers, and its digest
    specs          NAME[:KEY=VALUE,...] -> an object from a shelf
    remote         addresses of other machines: copies, and what messages call them
    seeds          every random stream, by purpose
    explanation    Attribution, Records, Rows: the values that flow
    errors         what a user can act on, with exit codes
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from xplain_cli.runs.loaded import LoadedRun

__version__ = "0.1.0"
__all__ = ["load"]


def load(run: "str | Path") -> "LoadedRun":
    """
    Read a finished run into pandas: ``.weights``, ``.stability``, ``.to_wide()``, ``.to_shap()``.

    Nothing else is promised of Python; see ``runs/loaded.py``.

    Parameters
    ----------
    run
        A run folder, or any file of one.

    Raises
    ------
    RefusedError
        There is no finished run.
    """
    # by name: every room imports this file, and must not import what stands above it
    found: LoadedRun = importlib.import_module("xplain_cli.runs.loaded").load(run)
    return found
