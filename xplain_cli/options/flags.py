"""Every command-line option, once, as an Annotated type.

No option has a default here: what is not given stays None, so that the environment and the project
file can speak (``project.resolve``). Values are checked in ``settings``, whoever gives them.
"""

from typing import Annotated, Any

import typer

from xplain_cli.options.settings import (
    Backend,
    Decimal,
    InputFormat,
    Occurrences,
    OutputFormat,
    Quoting,
    Response,
)

_WHAT = "What is explained"
_HOW_WELL = "How well"
_WHICH = "Which rows"
_TABLE = "The table"
_TEXT = "The texts"
_RESULT = "Result"
_SPREAD = "How the work is spread"
_TRUST = "Trust"
_MANNERS = "Manners"


def _option(panel: str, names: str, text: str, metavar: str | None = None) -> Any:
    return typer.Option(
        *names.split(), rich_help_panel=panel, help=text, metavar=metavar, show_default=False
    )


def _argument(metavar: str, text: str) -> Any:
    return typer.Argument(metavar=metavar, help=text, show_default=False)


# What is explained
Words = Annotated[
    list[str] | None,
    _argument(
        "MODEL DATA", "The model file, then the rows: files, folders, globs, addresses, or -."
    ),
]
RunWord = Annotated[
    str | None, _argument("RUN", "A run folder, or any file of one. Default: xplain-out.")
]
Model = Annotated[
    str | None, _option(_WHAT, "--model", "The model, instead of the argument.", "MODEL")
]
Data = Annotated[
    list[str] | None, _option(_WHAT, "--data", "The rows, instead of the arguments.", "DATA")
]
Method = Annotated[
    str | None,
    _option(
        _WHAT,
        "-m --method",
        "lime, kernel-shap, permutation, tree-shap, occlusion, rise, lime:space=baseline; or as"
        " lime:kernel_width=3,discretizer=decile. Default: lime.",
        "NAME[:KEY=VALUE,...]",
    ),
]
Target = Annotated[
    str | None,
    _option(
        _WHAT,
        "-t --target",
        "predicted, top:K, all, a class, class=NAME, A:vs:B or predicted:vs:runner-up. "
        "Default: the positive class of two, else predicted.",
        "TARGET",
    ),
]
Scale = Annotated[
    str | None,
    _option(
        _WHAT,
        "--output-scale",
        "probability, raw (the margin of a classifier), log-odds or log-odds:eps=1e-6; of scores"
        " probability:of=softmax or of=sigmoid. Default: probability if there is one.",
        "SCALE",
    ),
]
ModelResponse = Annotated[
    Response | None, _option(_WHAT, "--response", "What the model is asked. Default: probed.")
]
ModelOutput = Annotated[
    str | None, _option(_WHAT, "--model-output", "Which of several outputs of the model.", "NAME")
]
ClassNames = Annotated[
    str | None,
    _option(_WHAT, "--class-names", "A file of class names, one a line, in output order.", "FILE"),
]
Background = Annotated[
    str | None,
    _option(
        _WHAT,
        "--background",
        "Rows that stand for the training data (bins, draws). Default: DATA.",
        "FILE",
    ),
]

# How well
Samples = Annotated[
    int | None,
    _option(
        _HOW_WELL,
        "-n --samples",
        "Draws per repeat. Default: table 1024, text and picture 512.",
        "N",
    ),
]
Repeats = Annotated[
    int | None,
    _option(
        _HOW_WELL,
        "-r --repeats",
        "Independent seeds, pooled. Default: table 8, text 4, picture 2.",
        "N",
    ),
]
Seed = Annotated[int | None, _option(_HOW_WELL, "-s --seed", "Seed of the run. Default: 0.", "N")]
StabilityK = Annotated[
    int | None,
    _option(_HOW_WELL, "--stability-k", "K of the top-K stability columns. Default: 5.", "K"),
]
FailOn = Annotated[
    str | None,
    _option(
        _HOW_WELL,
        "--fail-on",
        "Exit 1 if a condition holds, such as 'p95(max_rel_se)>0.15, count(failed)>0'.",
        "CONDITIONS",
    ),
]
MaxFailed = Annotated[
    str | None,
    _option(_HOW_WELL, "--max-failed", "Failed rows tolerated before exit 4. Default: 0.", "N|P%"),
]

# Which rows
Rows = Annotated[
    str | None, _option(_WHICH, "--rows", "A slice of DATA, counted from 0.", "START:STOP")
]
IdColumn = Annotated[
    str | None,
    _option(_WHICH, "--id-column", "The column that names rows. Default: row number.", "COLUMN"),
]
Keep = Annotated[
    list[str] | None,
    _option(_WHICH, "--keep", "A column carried to the output; repeatable.", "COLUMN"),
]

# The table
Features = Annotated[
    list[str] | None,
    _option(_TABLE, "--features", "Columns that are features, in the model's order.", "COL,GLOB"),
]
DropColumns = Annotated[
    list[str] | None,
    _option(_TABLE, "--drop-columns", "Columns that are no features.", "COL,GLOB"),
]
Categorical = Annotated[
    list[str] | None,
    _option(_TABLE, "--categorical", "Columns that hold codes, not amounts.", "COL,GLOB"),
]
Group = Annotated[
    list[str] | None,
    _option(_TABLE, "--group", "Make one feature of several columns; repeatable.", "NAME=GLOB"),
]
Input = Annotated[
    InputFormat | None,
    _option(_TABLE, "--input-format", "Format of DATA. Default: by suffix; stdin: csv."),
]
Sep = Annotated[str | None, _option(_TABLE, "--sep", "Separator of cells. Default: comma.", "CHAR")]
Encoding = Annotated[
    str | None, _option(_TABLE, "--encoding", "Encoding of text. Default: utf-8.", "NAME")
]
CellQuoting = Annotated[
    Quoting | None,
    _option(
        _TABLE,
        "--quoting",
        "double: cells may stand in double quotes; none: quotes are characters. Default: double;"
        " in tab-separated files only where they are balanced.",
    ),
]
DecimalSign = Annotated[
    Decimal | None, _option(_TABLE, "--decimal", "Decimal sign of numbers. Default: a point.")
]
NaValues = Annotated[
    list[str] | None,
    _option(_TABLE, "--na-values", "Texts that mean missing, besides the empty cell.", "TEXT,..."),
]
Dtype = Annotated[
    list[str] | None,
    _option(_TABLE, "--dtype", "Read a column as this type; repeatable.", "COL=TYPE"),
]
NoHeader = Annotated[
    bool | None, _option(_TABLE, "--no-header", "The first line holds data, not names.")
]

# The texts
TextColumn = Annotated[
    str | None,
    _option(_TEXT, "--text-column", "The column of the texts. Default: the only one.", "COLUMN"),
]
Unit = Annotated[
    str | None,
    _option(
        _TEXT,
        "--unit",
        "word, char, sentence, regex=PATTERN or module:callable. Default: word.",
        "UNIT",
    ),
]
Repeated = Annotated[
    Occurrences | None,
    _option(
        _TEXT,
        "--occurrences",
        "merge: equal units are one feature; each: every one is its own. Default: merge.",
    ),
]
MaskToken = Annotated[
    str | None,
    _option(_TEXT, "--mask-token", "What replaces a unit (baseline). Default: nothing.", "TEXT"),
]
HashUnits = Annotated[
    bool | None,
    _option(
        _TEXT,
        "--hash-units",
        "Write salted hashes, not units; XPLAIN_HASH_SALT keeps them comparable over runs.",
    ),
]
BatchSize = Annotated[
    int | None, _option(_SPREAD, "--batch-size", "Inputs of every model batch.", "N")
]

# Result
Output = Annotated[
    str | None,
    _option(
        _RESULT,
        "-o --output",
        "A folder (also s3://...), a .csv .json .jsonl .parquet file, or -. Default: xplain-out.",
        "PATH",
    ),
]
Format = Annotated[
    OutputFormat | None,
    _option(_RESULT, "--output-format", "Default: by suffix; folder: csv; stdout: jsonl."),
]
TopK = Annotated[
    int | None, _option(_RESULT, "-k --top-k", "Write the K largest weights. Default: all.", "K")
]
CsvGuard = Annotated[
    bool | None,
    _option(
        _RESULT,
        "--csv-guard/--no-csv-guard",
        "Escape cells that a spreadsheet would run as a formula. Default: on.",
    ),
]
NoValues = Annotated[
    bool | None, _option(_RESULT, "--no-values", "Leave the feature values out (privacy).")
]
Wide = Annotated[bool | None, _option(_RESULT, "--wide", "Rows x features layout (csv, parquet).")]
WriteRepeats = Annotated[
    bool | None, _option(_RESULT, "--write-repeats", "Also write each repeat's weights.")
]
Force = Annotated[
    bool | None, _option(_RESULT, "--force", "Replace another run; allow costly targets.")
]
DryRun = Annotated[
    bool | None, _option(_RESULT, "--dry-run", "Check and estimate the cost, then stop.")
]

# How the work is spread
Jobs = Annotated[
    int | None, _option(_SPREAD, "-j --jobs", "Workers; changes no number. Default: auto.", "N")
]
Spread = Annotated[Backend | None, _option(_SPREAD, "--backend", "Kind of workers. Default: auto.")]
ChunkRows = Annotated[
    int | None, _option(_SPREAD, "--chunk-rows", "Rows per unit of work. Default: auto.", "N")
]


# Trust
TrustModel = Annotated[
    bool | None, _option(_TRUST, "--trust-model", "Load a model that the scan refuses.")
]
Trusted = Annotated[
    list[str] | None,
    _option(_TRUST, "--trusted", "Allow one name in the model file; repeatable.", "MODULE.NAME"),
]
ModelSha256 = Annotated[
    str | None, _option(_TRUST, "--model-sha256", "Refuse any other model file.", "HEX")
]
PythonPath = Annotated[
    list[str] | None,
    _option(_TRUST, "--python-path", "Where the model's code is; repeatable.", "FOLDER"),
]

# Manners
Config = Annotated[
    str | None,
    _option(_MANNERS, "--config", "Project file. Default: xplain.toml, pyproject.toml.", "FILE"),
]
Quiet = Annotated[bool | None, _option(_MANNERS, "-q --quiet", "Only warnings and errors.")]
Verbose = Annotated[bool | None, _option(_MANNERS, "-v --verbose", "Say more.")]
Debug = Annotated[bool | None, _option(_MANNERS, "--debug", "Show the trace of an error.")]
NoProgress = Annotated[bool | None, _option(_MANNERS, "--no-progress", "Show no progress.")]
NoColor = Annotated[bool | None, _option(_MANNERS, "--no-color", "Use no colour.")]
