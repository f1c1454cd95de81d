"""Decides how pictures reach a model, from the options and the model's own inputs."""

import re
from dataclasses import dataclass, replace

from xplain_cli.datasets.pixels import Reading
from xplain_cli.errors import UsageError
from xplain_cli.modalities.image.compose import InputForm
from xplain_cli.models import PictureInput
from xplain_cli.options.request import Request

_SIZE = re.compile(r"(?P<short>short=)?(?P<first>\d+)(x(?P<second>\d+))?")
CHANNELS = {"grey": 1, "rgb": 3, "bgr": 3, "rgba": 4}


@dataclass(frozen=True)
class Preparation:
    """How pictures are read and handed over, and what was decided about it."""

    reading: Reading
    form: InputForm
    notes: tuple[str, ...]


def _sides(option: str, text: str) -> tuple[int, int]:
    found = _SIZE.fullmatch(text)
    if found is None or found["short"]:
        raise UsageError(f"{option} {text!r}: expected a number of pixels, or WIDTHxHEIGHT")
    first = int(found["first"])
    sides = first, int(found["second"] or first)
    if not min(sides):
        raise UsageError(f"{option} {text!r}: at least one pixel")
    return sides


def _resized(request: Request, reading: Reading) -> Reading:
    """Apply ``--resize`` and ``--crop``."""
    if request.picture_form.crop is not None:
        reading = replace(reading, crop=_sides("--crop", request.picture_form.crop))
    text = request.picture_form.resize
    if text is None:
        return reading
    if text.startswith("short="):
        short, _ = _sides("--resize short", text.removeprefix("short="))
        return replace(reading, short=short)
    if text.isdigit() and request.picture_form.crop is not None:
        raise UsageError(
            f"--resize {text} --crop {request.picture_form.crop}: say --resize short={text} to keep"
            f" proportions (as torchvision's Resize({text}) does), or --resize {text}x{text}"
        )
    return replace(reading, resize=_sides("--resize", text))


def _number(option: str, text: str) -> float:
    """Return a number or a fraction such as 1/255."""
    above, slash, below = text.partition("/")
    try:
        return float(above) / float(below) if slash else float(above)
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"{option} {text!r}: expected a number, or a fraction: 1/255") from None


def _numbers(option: str, texts: tuple[str, ...], channels: int | None) -> tuple[float, ...]:
    numbers = tuple(_number(option, text) for text in texts)
    if len(numbers) > 1 and channels is not None and len(numbers) != channels:
        raise UsageError(
            f"{option}: {len(numbers)} numbers for {channels} channels; give one or {channels}"
        )
    return numbers


def _form(request: Request, takes: PictureInput, channels: int | None) -> InputForm:
    """Apply ``--rescale``, ``--mean`` and ``--std``."""
    form = InputForm(takes.layout, takes.dtype, bgr=request.picture_form.channels == "bgr")
    if (
        request.picture_form.rescale is None
        and not request.picture_form.mean
        and not request.picture_form.std
    ):
        return form
    if takes.dtype.startswith(("int", "uint")):
        raise UsageError(
            f"the model takes {takes.dtype} pixels as they are: leave --rescale, --mean and --std"
            " out"
        )
    std = _numbers("--std", request.picture_form.std, channels) or (1.0,)
    if 0.0 in std:
        raise UsageError("--std: 0 is no scale")
    scale = (
        1.0
        if request.picture_form.rescale is None
        else _number("--rescale", request.picture_form.rescale)
    )
    mean = _numbers("--mean", request.picture_form.mean, channels) or (0.0,)
    return replace(form, rescale=scale, mean=mean, std=std)


def _final_size(reading: Reading) -> tuple[int, int] | None:
    """Return the (width, height) that every picture will have; None: it depends."""
    return reading.crop or reading.resize


def _fitted(request: Request, takes: PictureInput, reading: Reading) -> tuple[Reading, list[str]]:
    """Bring pictures to the size that the model takes, unless the user says how."""
    if takes.width is None or takes.height is None:
        return reading, []
    wanted = (takes.width, takes.height)
    final = _final_size(reading)
    if final is not None and final != wanted:
        raise UsageError(
            f"the model takes pictures of {wanted[0]} x {wanted[1]}, and --resize and --crop make"
            f" {final[0]} x {final[1]}"
        )
    if request.picture_form.resize is not None or request.picture_form.crop is not None:
        return reading, []
    note = (
        f"pictures of another size than {wanted[0]} x {wanted[1]}, which the model takes, are"
        " resized to it, whatever their proportions (--resize and --crop say otherwise)"
    )
    return replace(reading, resize=wanted), [note]


def prepare_pictures(request: Request, takes: PictureInput) -> Preparation:
    """
    Decide how pictures are read and handed over.

    Parameters
    ----------
    takes
        What the model takes.

    Raises
    ------
    UsageError
        Options that are no sizes or numbers, or that contradict the model or one another.
    """
    channels = (
        CHANNELS[request.picture_form.channels] if request.picture_form.channels else takes.channels
    )
    if request.picture_form.channels and takes.channels not in {None, channels}:
        raise UsageError(
            f"--channels {request.picture_form.channels}: the model takes {takes.channels} channels"
        )
    most = request.picture_form.max_pixels
    reading = _resized(request, Reading(channels=channels, max_pixels=most))
    reading, notes = _fitted(request, takes, reading)
    form = _form(request, takes, channels)
    if replace(form, bgr=False) == InputForm(takes.layout, takes.dtype) and form.dtype.startswith(
        "float"
    ):
        notes.append(
            "pixels are handed over as 0 to 255 (floats of a stack as they are); a model that was"
            " trained on 0 to 1 needs --rescale 1/255"
        )
    return Preparation(reading, form, tuple(notes))
