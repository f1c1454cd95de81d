"""``xplain text``: explain every text of a table or a file of lines."""

import sys

from xplain_cli.console import open_console
from xplain_cli.options import runs, tables, texts
from xplain_cli.options.command import Options, takes
from xplain_cli.options.declare import worded
from xplain_cli.options.request import stdin_holds_data, to_request

_BASELINE = worded(
    runs.References,
    "baseline",
    "What a text is compared with: nearest:class=NAME[,from=FILE,labels=COLUMN], the"
    " nearest text of a class. Default: the text without the unit (see --mask-token).",
    usage="-b --baseline NAME:KEY=VALUE",
    panel="Texts",
)


@takes(
    runs.Words,
    runs.Sources,
    runs.Explanation,
    runs.Sampling,
    runs.Gates,
    runs.Slices,
    tables.Ids,
    texts.Texts,
    _BASELINE,
    tables.TableFormat,
    runs.Result,
    runs.Safety,
    runs.Workers,
    runs.Batches,
    runs.Trust,
    runs.Sandbox,
    runs.ProjectFile,
    runs.Talk,
    runs.Screen,
)
def text(options: Options) -> int:
    """
    Explain every text: words or other units, weights, errors.

    Example: xplain text model.pkl comments.csv --text-column CONTENT --top-k 10
    Example: xplain text model.onnx comments.jsonl --unit sentence --report page.html
    Example: xplain text module:callable comments.csv --mask-token '[MASK]' --hash-units
    """
    ready = stdin_holds_data(sys.stdin)
    request = to_request(options, "text", argv=tuple(sys.argv[1:]), stdin_ready=ready)
    console = open_console(options.values, options.notes)

    from xplain_cli.jobs.deliver import explain_anywhere

    return explain_anywhere(request, console)
