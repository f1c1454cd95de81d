"""The options that every kind of row has: model and rows, method, cost, result, workers, trust."""

import re
from dataclasses import dataclass
from typing import ClassVar, Literal

from xplain_cli.errors import UsageError
from xplain_cli.options.declare import Shape, option, some, worded

OutputFormat = Literal["csv", "json", "jsonl", "parquet"]
Response = Literal["predict_proba", "decision_function", "predict"]
Confine = Literal["auto", "required", "off"]
Backend = Literal["auto", "serial", "threads", "loky", "dask"]

_ROWS = re.compile(r"(\d*):(\d*)")
_SHARD = re.compile(r"(\d+)/(\d+)")
PAGE = Shape(re.compile(r"(?is).*\.html?"), "page.html")
_SHA256 = Shape(re.compile(r"[0-9a-fA-F]{64}"), "64 hexadecimal digits")
_ADDRESS = Shape(re.compile(r"[a-z]+://.+"), "tcp://HOST:8786")
_TOLERATED = Shape(re.compile(r"\d+|\d+(\.\d+)?%"), "10 (rows) or 2.5%")
_NAMED_GATE = re.compile(r"[^=<>!]*[^=<>!\s][^=<>!]*=(?!=).+", re.DOTALL)
_ACCEPTED = Shape(re.compile(r"leftovers|unsteady"), "leftovers,unsteady")
_BUDGET = Shape(re.compile(r"\d+(\.\d+)?(e\+?\d+|[smh])?"), "20m (s, m or h) or 2e6 (model inputs)")


def row_slice(text: str) -> tuple[int, int | None]:
    """
    Return the first row and the row after the last one (None: to the end) of START:STOP.

    Raises
    ------
    UsageError
        The text is no slice, or an empty one.
    """
    match = _ROWS.fullmatch(text)
    if match is None:
        raise UsageError(f"--rows is {text!r}; it must look like {SLICE.example}")
    start = int(match[1] or 0)
    stop = int(match[2]) if match[2] else None
    if stop is not None and stop <= start:
        raise UsageError(f"--rows is {text!r}, which holds no row; STOP must be above START")
    return start, stop


def shard_of(text: str) -> tuple[int, int]:
    """
    Return I and N of a shard I/N, I from 1.

    Raises
    ------
    UsageError
        The text is no shard, or I is not one of 1 to N.
    """
    match = _SHARD.fullmatch(text)
    if match is None:
        raise UsageError(f"--shard is {text!r}; it must look like {SHARD.example}")
    number, count = int(match[1]), int(match[2])
    if not 1 <= number <= count:
        raise UsageError(f"--shard is {text!r}; I must be one of 1 to N")
    return number, count


SLICE = Shape(_ROWS, "0:100 (START:STOP, from 0, STOP left out)", row_slice)
SHARD = Shape(_SHARD, "2/4 (I/N: the second of four)", shard_of)


@dataclass(frozen=True, kw_only=True)
class Words:
    """What stands on the command line without a flag: the model, then the rows."""

    words: tuple[str, ...] = option(
        "MODEL DATA",
        "The model file, then the rows: files, folders, globs, addresses, or -.",
        (),
        kind="words",
    )


@dataclass(frozen=True, kw_only=True)
class MergedRuns:
    """The runs that are merged."""

    runs: tuple[str, ...] = option("RUN RUN...", "The runs to merge.", (), kind="words")


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where the model and the rows are."""

    panel: ClassVar = "Model and data"
    model: str = option("--model MODEL", "The model, instead of the argument.", "", kind="path")
    data: tuple[str, ...] = option(
        "--data DATA", "The rows, instead of the arguments.", (), kind="paths"
    )


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Which explanation is wanted: the method, and which number of the model it explains."""

    panel: ClassVar = "Method and target"
    method: tuple[str, ...] = option(
        "-m --method NAME[:KEY=VALUE,...]",
        "lime, kernel-shap, permutation, tree-shap, occlusion, rise, lime:space=baseline; by"
        " gradients ig, idgi, saliency, smooth, input-x-gradient; at a layer ig:layer=NAME,"
        " layer-cam, grad-cam, odam; or as lime:kernel_width=3,discretizer=decile. Several make as"
        " many runs, compared. Default: lime.",
        ("lime",),
    )
    target: str | None = option(
        "-t --target TARGET",
        "predicted, top:K, all, a class, class=NAME, A:vs:B or predicted:vs:runner-up. "
        "Default: the positive class of two, else predicted.",
    )
    output_scale: str | None = option(
        "--output-scale SCALE",
        "probability, raw (the margin of a classifier), log-odds or log-odds:eps=1e-6; of scores"
        " probability:of=softmax or of=sigmoid. Default: probability if there is one; by gradients"
        " log-odds.",
    )
    response: Response | None = option("--response", "What the model is asked. Default: probed.")
    model_output: str | None = option(
        "--model-output NAME", "Which of several outputs of the model."
    )
    member: str | None = option(
        "--member NAME", "Which member of a dict that the model file holds is the model."
    )
    class_names: str | None = option(
        "--class-names FILE",
        "A file of names, one a line, for the columns of the model's answer.",
        kind="path",
    )


@dataclass(frozen=True, kw_only=True)
class References:
    """What a row is compared with."""

    panel: ClassVar = "Background and baseline"
    background: str | None = option(
        "--background FILE",
        "Rows that stand for the training data (bins, draws). Default: DATA.",
        kind="path",
    )
    baseline: tuple[str, ...] = option(
        "-b --baseline NAME[:KEY=VALUE]",
        "What a row is compared with: zero, mean, median, mode, row=ID, file=PATH,"
        " sample:k=50, or, of the class it is explained against (or class=NAME), medoid, nearest,"
        " revert, of rows that labels=COLUMN of the background says to be of it too; or"
        " ganmex=G.xplain, what a generator that 'xplain baselines train' learned makes of it."
        " Default: median; lime draws from the background instead. Repeat it to compare several.",
        (),
        stored="baselines",
    )
    judge: str | None = option(
        "--judge MODEL",
        "Another model that says whether a baseline of a class is of that class; FILE:NAME is a"
        " member of a dict.",
        kind="path",
    )


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How many draws a row gets, and from which seed."""

    panel: ClassVar = "Samples"
    samples: int | None = option(
        "-n --samples N",
        "Draws per repeat. Default: table 4096 to 1024 (8 to 32 features), text and picture 512.",
        least=1,
    )
    repeats: int | None = option(
        "-r --repeats N",
        "Independent seeds, pooled. Default: table 8, text 4, picture 2.",
        least=1,
    )
    max_rel_se: float | None = option(
        "--max-rel-se E",
        "Add repeats until the largest error is this share of the largest weight.",
        least=0,
    )
    max_samples: int | None = option(
        "--max-samples N",
        "Draws that --max-rel-se may take for a row. Default: 16 times as many.",
        least=1,
    )
    budget: str | None = option(
        "--budget TIME|INPUTS",
        "What the run may take: 20m (s, m, h) or 2e6 model inputs. It becomes --samples, once.",
        kind="share",
        shape=_BUDGET,
    )
    seed: int = option("-s --seed N", "Seed of the run. Default: 0.", 0, least=0)
    stability_k: int = option(
        "--stability-k K", "K of the top-K stability columns. Default: 5.", 5, least=1
    )


@dataclass(frozen=True, kw_only=True)
class Gates:
    """Which outcome of a run is a failure."""

    panel: ClassVar = "Gates"
    fail_on: str | None = option(
        "--fail-on CONDITIONS",
        "Exit 1 if a condition holds, such as 'p95(max_rel_se)>0.15, count(failed)>0'.",
    )
    max_failed: str = option(
        "--max-failed N|P%",
        "Failed rows tolerated before exit 4. Default: 0.",
        "0",
        kind="share",
        shape=_TOLERATED,
    )
    gate: tuple[str, ...] = option(
        "--gate NAME=CONDITION",
        "As --fail-on, with a name; repeatable. In the project file: [[gate]] name=, condition=.",
        (),
        kind="pairs",
        shape=Shape(_NAMED_GATE, "precise='p95(max_rel_se)>0.15' (NAME=CONDITION)"),
        stored="named_gates",
    )
    junit: str | None = option(
        "--junit FILE.xml",
        "Also write what was judged as JUnit XML.",
        kind="path",
        shape=Shape(re.compile(r"(?is).+\.xml"), "gates.xml"),
    )
    github: bool | None = option(
        "--github/--no-github",
        "Annotations and job summary of GitHub. Default: where GITHUB_ACTIONS is set and stderr is"
        " no terminal.",
    )


@dataclass(frozen=True, kw_only=True)
class Slices:
    """Which of the rows are explained."""

    panel: ClassVar = "Rows"
    rows: tuple[int, int | None] | None = option(
        "--rows START:STOP", "A slice of DATA, counted from 0.", kind="text", shape=SLICE
    )
    shard: tuple[int, int] | None = option(
        "--shard I/N", "One of N slices of the rows, for xplain merge.", kind="text", shape=SHARD
    )


@dataclass(frozen=True, kw_only=True)
class Result:
    """Where the result goes, and what it holds."""

    panel: ClassVar = "Result"
    output: str = option(
        "-o --output PATH",
        "A folder (also s3://...), a .csv .json .jsonl .parquet file, or -. Default: xplain-out.",
        "xplain-out",
        kind="path",
    )
    output_format: OutputFormat = option(
        "--output-format", "Default: by suffix; folder: csv; stdout: jsonl.", "csv"
    )
    top_k: int | None = option(
        "-k --top-k K", "Write the K largest weights. Default: all.", least=1
    )
    csv_guard: bool = option(
        "--csv-guard/--no-csv-guard",
        "Escape cells that a spreadsheet would run as a formula. Default: on.",
        default=True,
    )
    no_values: bool = option(
        "--no-values", "Leave the feature values out (privacy).", default=False
    )
    wide: bool = option("--wide", "Rows x features layout (csv, parquet).", default=False)
    write_repeats: bool = option(
        "--write-repeats", "Also write each repeat's weights.", default=False
    )
    report: str | None = option(
        "--report PAGE.html", "Also write one HTML page of the run.", kind="path", shape=PAGE
    )


@dataclass(frozen=True, kw_only=True)
class Safety:
    """What a run may replace or cost, and whether it is only tried."""

    panel: ClassVar = "Result"
    force: bool = option("--force", "Replace another run; allow costly targets.", default=False)
    dry_run: bool = option("--dry-run", "Check and estimate the cost, then stop.", default=False)


@dataclass(frozen=True, kw_only=True)
class Workers:
    """Where the chunks of a run are explained; none of it changes a number."""

    panel: ClassVar = "Workers"
    jobs: int | None = option("-j --jobs N", "Workers; changes no number. Default: auto.", least=1)
    backend: Backend = option("--backend", "Kind of workers. Default: auto.", "auto")
    chunk_rows: int | None = option(
        "--chunk-rows N", "Rows per unit of work. Default: auto.", least=1
    )
    scheduler: str | None = option(
        "--scheduler ADDRESS", "A Dask scheduler, for --backend dask.", shape=_ADDRESS
    )
    row_timeout: float | None = option(
        "--row-timeout SECONDS",
        "A row whose model call takes longer fails, on every backend.",
        least=0,
    )


@dataclass(frozen=True, kw_only=True)
class Batches:
    """What the model is handed at a time."""

    panel: ClassVar = "Workers"
    batch_size: int | None = option("--batch-size N", "Inputs of every model batch.", least=1)


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What a model file may run, and may be; a project file never grants it (see ``project``)."""

    panel: ClassVar = "Trust"
    trust_model: bool = option(
        "--trust-model", "Load a model that the scan refuses.", default=False
    )
    trusted: tuple[str, ...] = option(
        "--trusted MODULE.NAME", "Allow one name in the model file; repeatable.", ()
    )
    model_sha256: str | None = option(
        "--model-sha256 HEX", "Refuse any other model file.", shape=_SHA256
    )
    python_path: tuple[str, ...] = option(
        "--python-path FOLDER", "Where the model's code is; repeatable.", (), kind="paths"
    )
    accept: tuple[str, ...] = option(
        "--accept NAME,...",
        "Explain a model that is refused for its numbers: leftovers (parameters that the installed"
        " version ignores), unsteady (it does not answer the same rows alike twice).",
        (),
        kind="names",
        shape=_ACCEPTED,
    )


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """What a model may reach while it runs; a project file never says it (see ``project``)."""

    panel: ClassVar = "Trust"
    confine: Confine = option(
        "--confine",
        "auto confines a model file as far as the system can; required a callable too, or nothing"
        " runs; off neither. Default: auto.",
        "auto",
    )
    allow_read: tuple[str, ...] = option(
        "--allow-read PATH", "Let a confined model read this; repeatable.", (), kind="paths"
    )
    allow_write: tuple[str, ...] = option(
        "--allow-write PATH", "Let a confined model write here; repeatable.", (), kind="paths"
    )
    allow_net: bool = option("--allow-net", "Let a confined model use the network.", default=False)
    allow_env: tuple[str, ...] = option(
        "--allow-env NAME", "Let a confined model see this variable; repeatable.", ()
    )
    open_timeout: float = option(
        "--open-timeout SECONDS",
        "How long opening a model, and its first answers, may take. Default: 60.",
        60.0,
        least=0,
    )


@dataclass(frozen=True, kw_only=True)
class ProjectFile:
    """Where the options that nobody types stand."""

    panel: ClassVar = "Messages and settings"
    config: str | None = option(
        "--config FILE", "Project file. Default: xplain.toml, pyproject.toml."
    )


@dataclass(frozen=True, kw_only=True)
class Talk:
    """How much is said."""

    panel: ClassVar = "Messages and settings"
    quiet: bool = option("-q --quiet", "Only warnings and errors.", default=False)
    verbose: bool = option("-v --verbose", "Say more.", default=False)
    debug: bool = option("--debug", "Show the trace of an error.", default=False)


@dataclass(frozen=True, kw_only=True)
class Screen:
    """How it is shown."""

    panel: ClassVar = "Messages and settings"
    log_json: bool = option("--log-json", "Talk as JSON lines.", default=False)
    no_progress: bool = option("--no-progress", "Show no progress.", default=False)
    no_color: bool = option("--no-color", "Use no colour.", default=False)


RUN = worded(
    Result, "output", "A run folder, or any file of one. Default: xplain-out.", usage="RUN"
)
"""The finished run that a command is about, as its argument."""

JUDGED = some(Gates, "fail_on", "gate", "junit", "github")
"""What commands that judge by conditions take."""

CI = some(Gates, "junit", "github")
"""How commands that judge without conditions tell CI systems of it."""

BRIEF = some(Talk, "quiet", "debug")
"""The talk of commands that have no more to say."""
