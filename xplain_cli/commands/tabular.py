"""``xplain tabular``: explain every row of a table."""

import sys

from xplain_cli.console import open_console
from xplain_cli.options import runs, tables
from xplain_cli.options.command import Options, takes
from xplain_cli.options.request import stdin_holds_data, to_request


@takes(
    runs.Words,
    runs.Sources,
    runs.Explanation,
    runs.References,
    runs.Sampling,
    runs.Gates,
    runs.Slices,
    tables.Ids,
    tables.Columns,
    tables.TableFormat,
    runs.Result,
    runs.Safety,
    runs.Workers,
    runs.Trust,
    runs.Sandbox,
    runs.ProjectFile,
    runs.Talk,
    runs.Screen,
)
def tabular(options: Options) -> int:
    """
    Explain every row of a table: features, weights, errors.

    Example: xplain tabular model.pkl data.csv --id-column id -k 10
    Example: xplain tabular model.pkl data.csv -m kernel-shap -b median -t A:vs:B
    Example: xplain tabular model.onnx data.csv --fail-on 'p95(max_rel_se)>0.15'
    """
    ready = stdin_holds_data(sys.stdin)
    request = to_request(options, "tabular", argv=tuple(sys.argv[1:]), stdin_ready=ready)
    console = open_console(options.values, options.notes)

    from xplain_cli.jobs.deliver import explain_anywhere

    return explain_anywhere(request, console)
