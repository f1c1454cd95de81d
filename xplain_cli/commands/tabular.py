"""``xplain tabular``: explain every row of a table."""

import os
import sys
from pathlib import Path

import typer

from xplain_cli.console import open_console
from xplain_cli.options import baseline_flags as b
from xplain_cli.options import flags as o
from xplain_cli.options import job_flags as j
from xplain_cli.options.project import resolve
from xplain_cli.options.request import stdin_holds_data, to_request


def tabular(
    words: o.Words = None,
    model: o.Model = None,
    data: o.Data = None,
    method: o.Method = None,
    target: o.Target = None,
    output_scale: o.Scale = None,
    response: o.ModelResponse = None,
    model_output: o.ModelOutput = None,
    class_names: o.ClassNames = None,
    background: o.Background = None,
    baseline: b.Baseline = None,
    judge: b.Judge = None,
    samples: o.Samples = None,
    repeats: o.Repeats = None,
    max_rel_se: j.MaxRelSe = None,
    max_samples: j.MaxSamples = None,
    budget: j.Budget = None,
    seed: o.Seed = None,
    stability_k: o.StabilityK = None,
    fail_on: o.FailOn = None,
    max_failed: o.MaxFailed = None,
    rows: o.Rows = None,
    shard: j.Shard = None,
    id_column: o.IdColumn = None,
    keep: o.Keep = None,
    features: o.Features = None,
    drop_columns: o.DropColumns = None,
    categorical: o.Categorical = None,
    group: o.Group = None,
    input_format: o.Input = None,
    sep: o.Sep = None,
    quoting: o.CellQuoting = None,
    decimal: o.DecimalSign = None,
    encoding: o.Encoding = None,
    na_values: o.NaValues = None,
    dtype: o.Dtype = None,
    no_header: o.NoHeader = None,
    output: o.Output = None,
    output_format: o.Format = None,
    top_k: o.TopK = None,
    csv_guard: o.CsvGuard = None,
    no_values: o.NoValues = None,
    wide: o.Wide = None,
    write_repeats: o.WriteRepeats = None,
    report: j.Report = None,
    force: o.Force = None,
    dry_run: o.DryRun = None,
    jobs: o.Jobs = None,
    backend: o.Spread = None,
    chunk_rows: o.ChunkRows = None,
    scheduler: j.Scheduler = None,
    row_timeout: j.RowTimeout = None,
    trust_model: o.TrustModel = None,
    trusted: o.Trusted = None,
    model_sha256: o.ModelSha256 = None,
    python_path: o.PythonPath = None,
    config: o.Config = None,
    quiet: o.Quiet = None,
    verbose: o.Verbose = None,
    debug: o.Debug = None,
    log_json: j.LogJson = None,
    no_progress: o.NoProgress = None,
    no_color: o.NoColor = None,
) -> None:
    """
    Explain every row of a table: features, weights, errors.

    Example: xplain tabular model.pkl data.csv --id-column id -k 10
    """
    resolved = resolve("tabular", locals(), os.environ, Path())
    ready = stdin_holds_data(sys.stdin)
    request = to_request(resolved, "tabular", argv=tuple(sys.argv[1:]), stdin_ready=ready)
    console = open_console(resolved.values, resolved.notes)

    from xplain_cli.jobs.deliver import explain_anywhere

    raise typer.Exit(explain_anywhere(request, console))
