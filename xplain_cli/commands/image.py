"""``xplain image``: explain every picture of files, folders and stacks."""

import os
import sys
from pathlib import Path

import typer

from xplain_cli.console import open_console
from xplain_cli.options import flags as o
from xplain_cli.options import job_flags as j
from xplain_cli.options import picture_flags as p
from xplain_cli.options.project import resolve
from xplain_cli.options.request import to_request


def image(
    words: o.Words = None,
    model: o.Model = None,
    data: o.Data = None,
    method: o.Method = None,
    target: o.Target = None,
    output_scale: o.Scale = None,
    response: o.ModelResponse = None,
    model_output: o.ModelOutput = None,
    class_names: o.ClassNames = None,
    baseline: p.Baseline = None,
    segmenter: p.Segmenter = None,
    segments: p.Segments = None,
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
    resize: p.Resize = None,
    crop: p.Crop = None,
    channels: p.Channels = None,
    rescale: p.Rescale = None,
    mean: p.Mean = None,
    std: p.Std = None,
    layout: p.Layout = None,
    max_pixels: p.MaxPixels = None,
    output: o.Output = None,
    output_format: o.Format = None,
    top_k: o.TopK = None,
    csv_guard: o.CsvGuard = None,
    no_values: o.NoValues = None,
    wide: o.Wide = None,
    write_repeats: o.WriteRepeats = None,
    report: j.Report = None,
    maps: p.Maps = None,
    write_maps: p.WriteMaps = None,
    force: o.Force = None,
    dry_run: o.DryRun = None,
    jobs: o.Jobs = None,
    backend: o.Spread = None,
    chunk_rows: o.ChunkRows = None,
    scheduler: j.Scheduler = None,
    row_timeout: j.RowTimeout = None,
    batch_size: o.BatchSize = None,
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
    Explain every picture: superpixels, weights, errors, heatmaps.

    Example: xplain image model.onnx photos/*.jpg --rescale 1/255 --mean .485,.456,.406
    """
    resolved = resolve("image", locals(), os.environ, Path())
    request = to_request(resolved, "image", argv=tuple(sys.argv[1:]))
    console = open_console(resolved.values, resolved.notes)

    from xplain_cli.jobs.deliver import explain_anywhere

    raise typer.Exit(explain_anywhere(request, console))
