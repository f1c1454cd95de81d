"""The options that only pictures have, each as an Annotated type (see ``options``)."""

from typing import Annotated, Any

import typer

from xplain_cli.options.settings import Channels as ChannelsWord
from xplain_cli.options.settings import Layout as LayoutWord

_SUPERPIXELS = "The superpixels"
_READ = "How pictures are read and handed over"
_RESULT = "Result"


def _option(panel: str, names: str, text: str, metavar: str | None = None) -> Any:
    return typer.Option(
        *names.split(), rich_help_panel=panel, help=text, metavar=metavar, show_default=False
    )


Baseline = Annotated[
    list[str] | None,
    _option(
        _SUPERPIXELS,
        "-b --baseline",
        "What replaces a hidden superpixel: mean (its own colour), grey, black, white,"
        " colour=#rrggbb, blur, inpaint, file=PATH, nearest:class=NAME[,from=FOLDER] (the"
        " nearest picture of a class). Default: mean.",
        "NAME",
    ),
]
Segmenter = Annotated[
    str | None,
    _option(
        _SUPERPIXELS,
        "--segmenter",
        "slic, quickshift, felzenszwalb, watershed, grid, or file=LABELMAP. Default: slic.",
        "NAME[:KEY=VALUE,...]",
    ),
]
Segments = Annotated[
    int | None,
    _option(
        _SUPERPIXELS,
        "--segments",
        "Superpixels of a picture; 512 masks serve 18 fully, 2048 serve 32. Default: 16;"
        " quickshift and felzenszwalb: their own number.",
        "N",
    ),
]
Resize = Annotated[
    str | None,
    _option(
        _READ,
        "--resize",
        "224 or 320x240 (width x height), or short=256 for the shorter side. Default: the model's.",
        "SIZE",
    ),
]
Crop = Annotated[
    str | None, _option(_READ, "--crop", "Cut the middle out, after resizing: 224.", "SIZE")
]
Channels = Annotated[
    ChannelsWord | None, _option(_READ, "--channels", "Default: the model's, or the picture's own.")
]
Rescale = Annotated[
    str | None, _option(_READ, "--rescale", "Factor on pixels of 0 to 255: 1/255.", "NUMBER")
]
Mean = Annotated[
    list[str] | None,
    _option(_READ, "--mean", "Taken off each channel then: .485,.456,.406.", "NUMBERS"),
]
Std = Annotated[
    list[str] | None,
    _option(_READ, "--std", "Each channel is divided by it then: .229,.224,.225.", "NUMBERS"),
]
Layout = Annotated[
    LayoutWord | None, _option(_READ, "--layout", "How the model takes them. Default: read off it.")
]
MaxPixels = Annotated[
    int | None,
    _option(_READ, "--max-pixels", "Larger pictures are not decoded. Default: 50000000.", "N"),
]
Maps = Annotated[
    bool | None,
    _option(_RESULT, "--maps/--no-maps", "Draw heatmaps, overlays and label maps. Default: on."),
]
WriteMaps = Annotated[
    bool | None, _option(_RESULT, "--write-maps", "Also write weights pixel by pixel (.npz).")
]
