"""``xplain image``: explain every picture of files, folders and stacks."""

import sys

from xplain_cli.console import open_console
from xplain_cli.options import pictures, runs, texts
from xplain_cli.options.command import Options, takes
from xplain_cli.options.declare import worded
from xplain_cli.options.request import to_request

_BASELINE = worded(
    runs.References,
    "baseline",
    "What replaces a hidden superpixel: mean (its own colour), grey, black, white,"
    " colour=#rrggbb, blur, inpaint, file=PATH, nearest:class=NAME[,from=FOLDER] (the"
    " nearest picture of a class). Default: mean.",
    usage="-b --baseline NAME",
    panel="Superpixels",
)

_UNIT = worded(
    texts.Texts,
    "unit",
    "superpixel, or pixel: every pixel is a feature (methods by gradients). Default: superpixel.",
    panel="Superpixels",
)


@takes(
    runs.Words,
    runs.Sources,
    runs.Explanation,
    _BASELINE,
    pictures.Segmentation,
    _UNIT,
    runs.Sampling,
    runs.Gates,
    runs.Slices,
    pictures.PictureForm,
    runs.Result,
    pictures.Heatmaps,
    runs.Safety,
    runs.Workers,
    runs.Batches,
    runs.Trust,
    runs.Sandbox,
    runs.ProjectFile,
    runs.Talk,
    runs.Screen,
)
def image(options: Options) -> int:
    """
    Explain every picture: superpixels, weights, errors, heatmaps.

    Example: xplain image model.onnx photos/*.jpg --rescale 1/255 --mean .485,.456,.406
    Example: xplain image model.onnx photos --segments 32 --samples 2048 -b blur
    Example: xplain image model.onnx photos -t predicted:vs:runner-up --report page.html
    """
    request = to_request(options, "image", argv=tuple(sys.argv[1:]))
    console = open_console(options.values, options.notes)

    from xplain_cli.jobs.deliver import explain_anywhere

    return explain_anywhere(request, console)
