"""The options of pictures: their superpixels, how they are read, and what is drawn."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from xplain_cli.options.declare import option

Layout = Literal["NCHW", "NHWC"]
Channels = Literal["grey", "rgb", "bgr", "rgba"]


@dataclass(frozen=True, kw_only=True)
class Segmentation:
    """Into which superpixels a picture is cut."""

    panel: ClassVar = "Superpixels"
    segmenter: str = option(
        "--segmenter NAME[:KEY=VALUE,...]",
        "slic, quickshift, felzenszwalb, watershed, grid, or file=LABELMAP. Default: slic.",
        "slic",
    )
    segments: int | None = option(
        "--segments N",
        "Superpixels of a picture; 512 masks serve 18 fully, 2048 serve 32. Default: 16;"
        " quickshift and felzenszwalb: their own number.",
        least=1,
    )


@dataclass(frozen=True, kw_only=True)
class PictureForm:
    """In which form the model takes a picture."""

    panel: ClassVar = "Pictures"
    resize: str | None = option(
        "--resize SIZE",
        "224 or 320x240 (width x height), or short=256 for the shorter side. Default: the model's.",
    )
    crop: str | None = option("--crop SIZE", "Cut the middle out, after resizing: 224.")
    channels: Channels | None = option(
        "--channels",
        "bgr hands blue over first, as for OpenCV and Caffe. Default: the model's number of"
        " channels, or the picture's own.",
    )
    rescale: str | None = option("--rescale NUMBER", "Factor on pixels of 0 to 255: 1/255.")
    mean: tuple[str, ...] = option(
        "--mean NUMBERS", "Taken off each channel then: .485,.456,.406.", (), kind="names"
    )
    std: tuple[str, ...] = option(
        "--std NUMBERS", "Each channel is divided by it then: .229,.224,.225.", (), kind="names"
    )
    layout: Layout | None = option("--layout", "How the model takes them. Default: read off it.")
    max_pixels: int = option(
        "--max-pixels N", "Larger pictures are not decoded. Default: 50000000.", 50_000_000, least=1
    )


@dataclass(frozen=True, kw_only=True)
class Heatmaps:
    """What is drawn."""

    panel: ClassVar = "Result"
    maps: bool = option(
        "--maps/--no-maps", "Draw heatmaps, overlays and label maps. Default: on.", default=True
    )
    write_maps: bool = option(
        "--write-maps", "Also write weights pixel by pixel (.npz).", default=False
    )
