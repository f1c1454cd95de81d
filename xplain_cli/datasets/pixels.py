"""One picture becomes an array of pixels: turned upright, in known colours, of the asked-for size.

Every conversion that changes values is said. What cannot be read right is refused with the reason.
"""

import warnings
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from xplain_cli.errors import RefusedError

# only decoders that run nothing else: Pillow would hand EPS to Ghostscript
_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF")
_LOOKS = (
    (0, b"PK\x03\x04", "a zip archive: unpack it first"),
    (0, b"\x1f\x8b", "compressed by gzip: unpack it first"),
    (0, b"%PDF", "a PDF: export its pages as PNG"),
    (0, b"%!PS", "PostScript: export it as PNG"),
    (0, b"8BPS", "a Photoshop file: export it as PNG"),
    (0, b"<svg", "an SVG: export it as PNG"),
    (0, b"<?xml", "XML text (an SVG?): export it as PNG"),
    (0, b"<", "HTML or XML text"),
    (0, b"version https://git-lfs", "a git-lfs pointer: run git lfs pull"),
    (0, b"\x93NUMPY", "a NumPy array: name it .npy"),
    (4, b"ftypheic", "HEIC: convert it to JPEG or PNG"),
    (4, b"ftypmif1", "HEIF: convert it to JPEG or PNG"),
    (128, b"DICM", "DICOM: {way_out}"),
)
DICOM_WAY_OUT = (
    "which grey means what is a choice of window that xplain cannot make; export it to 16-bit PNG"
    " with the window that the model was trained on (pydicom: apply_modality_lut, apply_voi_lut)"
)
AS_THEY_ARE = "taken as they are"
_SIXTEEN = 257.0  # 65535 / 255
_ORIENTATION = 0x0112  # the EXIF tag


@dataclass(frozen=True)
class Reading:
    """
    How pictures are read.

    Attributes
    ----------
    resize
        (width, height) to bring a picture to, whatever its proportions; None: as it is.
    short
        The length of the shorter side, proportions kept; None: as it is.
    crop
        (width, height) to cut out of the middle, after resizing; None: all of it.
    channels
        1 (grey), 3 (red, green, blue) or 4 (and alpha); None: a picture's own, 1 or 3.
    max_pixels
        The largest picture that is decoded.
    """

    resize: tuple[int, int] | None = None
    short: int | None = None
    crop: tuple[int, int] | None = None
    channels: int | None = None
    max_pixels: int = 50_000_000


@dataclass(frozen=True)
class Pixels:
    """
    A picture that was read.

    Attributes
    ----------
    values : (height, width, channels) uint8 or float32
        0 to 255 but for pictures and stacks of floats, which are as they are.
    size
        (width, height) of the original, upright.
    box
        (left, top, right, bottom): the part of the original that *values* shows, in its pixels.
    is_8bit
        Whether values run from 0 to 255, rounded or not; else their range is the user's own.
    notes
        What was converted on the way.
    """

    values: NDArray[Any]
    size: tuple[int, int]
    box: tuple[float, float, float, float]
    is_8bit: bool
    notes: tuple[str, ...]


def _look(head: bytes) -> str:
    """Return what bytes that are no picture look like."""
    if not head:
        return "the file is empty"
    for at, magic, what in _LOOKS:
        if head[at:].startswith(magic):
            return f"not a picture but {what.format(way_out=DICOM_WAY_OUT)}"
    return f"not a picture that xplain reads ({', '.join(_FORMATS)}), or damaged at its head"


def _without_alpha(image: Any, notes: list[str]) -> Any:
    """Lay a picture with transparency on white."""
    from PIL import Image

    layers = image.convert("RGBA")
    if layers.getextrema()[3][0] < 255:
        notes.append("transparency laid on white")
    white = Image.new("RGBA", layers.size, (255, 255, 255, 255))
    flat = Image.alpha_composite(white, layers).convert("RGB")
    return flat.convert("L") if image.mode == "LA" else flat


def _plain(image: Any, notes: list[str], *, alpha: bool) -> NDArray[Any]:
    """Return the values of a picture of any mode: grey, RGB or (with *alpha*) RGBA."""
    mode = image.mode
    if mode.startswith("I;16"):
        notes.append("16 bits a channel scaled to 0-255")
        return np.asarray(np.asarray(image).astype(np.float32) / _SIXTEEN)
    if mode == "I":
        raise RefusedError("32-bit whole numbers have no known range: store it with 8 or 16 bits")
    if mode == "F":
        notes.append(f"floats {AS_THEY_ARE}")
        return np.asarray(image)
    transparent = mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info
    if alpha:
        return np.asarray(image.convert("RGBA"))
    if transparent:
        return np.asarray(_without_alpha(image, notes))
    if mode in {"L", "RGB"}:
        return np.asarray(image)
    notes.append(f"{mode} converted to {'grey' if mode == '1' else 'RGB'}")
    return np.asarray(image.convert("L" if mode == "1" else "RGB"))


def _check_size(width: int, height: int, most: int) -> None:
    if width * height > most:
        raise RefusedError(
            f"{width} x {height} pixels are more than {most:,}; raise --max-pixels if you trust it"
        )


def instruct_pillow(max_pixels: int) -> None:
    """Hold Pillow to the user's limit, and let it be silent on odd metadata: no pixel changes."""
    from PIL import Image

    Image.init()
    Image.MAX_IMAGE_PIXELS = max_pixels
    warnings.filterwarnings("ignore", module=r"PIL\.")
    warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


def _open(handle: BinaryIO, page: int, reading: Reading) -> tuple[NDArray[Any], list[str]]:
    """Decode one page of a picture file."""
    from PIL import Image, ImageOps

    notes: list[str] = []
    able = [name for name in _FORMATS if name in Image.OPEN]  # a build may lack AVIF
    with Image.open(handle, formats=able) as image:
        if image.format == "TIFF":
            image.seek(page)
        elif (frames := getattr(image, "n_frames", 1)) > 1:
            notes.append(f"the first of {frames} frames")
        _check_size(*image.size, reading.max_pixels)
        if any(";16" in str(tile[3]) for tile in image.tile) and not image.mode.startswith("I"):
            notes.append("16 bits a channel read as 8")
        upright = ImageOps.exif_transpose(image)
        if image.getexif().get(_ORIENTATION, 1) in range(2, 9):
            notes.append("turned upright (EXIF)")
        return _plain(upright, notes, alpha=reading.channels == 4), notes


def _from_array(array: NDArray[Any], notes: list[str]) -> NDArray[Any]:
    """Return a picture of a stack with a dtype that the rest of the house knows."""
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.uint16:
        notes.append("16 bits a channel scaled to 0-255")
        return array.astype(np.float32) / np.float32(_SIXTEEN)
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    notes.append(f"{array.dtype} {AS_THEY_ARE}")
    return array.astype(np.float32)


def _with_channels(values: NDArray[Any], wanted: int | None, notes: list[str]) -> NDArray[Any]:
    """Return (height, width, channels) with as many channels as wanted."""
    values = values[..., None] if values.ndim == 2 else values
    have = values.shape[2]
    if wanted is None or have == wanted:
        return values
    if have == 1 and wanted == 3:
        notes.append("grey repeated in three channels")
        return np.repeat(values, 3, axis=2)
    if have == 3 and wanted == 1:
        notes.append("made grey (ITU-R 601)")
        grey = values @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
        grey = np.rint(grey) if values.dtype == np.uint8 else grey
        return np.asarray(grey[..., None].astype(values.dtype))
    if have == 4 and wanted == 3:
        notes.append("the fourth channel left out")
        return values[..., :3]
    raise RefusedError(f"has {have} channels, and {wanted} are wanted; store it with {wanted}")


def _scaled(values: NDArray[Any], width: int, height: int) -> NDArray[Any]:
    """Return values brought to another size: bilinear, over all pixels where it shrinks."""
    from PIL import Image

    def bring(plane: NDArray[Any]) -> NDArray[Any]:
        image = Image.fromarray(np.ascontiguousarray(plane))
        return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))

    if values.dtype == np.uint8 and values.shape[2] == 3:
        return bring(values)
    return np.stack([bring(values[..., c]) for c in range(values.shape[2])], axis=2)


def _shaped(
    values: NDArray[Any], reading: Reading
) -> tuple[NDArray[Any], tuple[float, float, float, float]]:
    """Resize and crop; return the values and the part of the original that they show."""
    height, width = values.shape[:2]
    box = (0.0, 0.0, float(width), float(height))
    target = reading.resize
    if reading.short is not None:
        factor = reading.short / min(width, height)
        target = (max(1, round(width * factor)), max(1, round(height * factor)))
    if target is not None and target != (width, height):
        _check_size(*target, reading.max_pixels)
        values = _scaled(values, *target)
    if reading.crop is not None:
        wide, high = reading.crop
        now_high, now_wide = values.shape[:2]
        if wide > now_wide or high > now_high:
            raise RefusedError(
                f"is {now_wide} x {now_high}, smaller than --crop {wide}x{high}; give --resize too"
            )
        left, top = (now_wide - wide) // 2, (now_high - high) // 2
        values = np.ascontiguousarray(values[top : top + high, left : left + wide])
        x, y = width / now_wide, height / now_high
        box = (left * x, top * y, (left + wide) * x, (top + high) * y)
    return values, box


def read_pixels(source: BinaryIO | NDArray[Any], page: int, reading: Reading) -> Pixels:
    """
    Read one picture.

    Parameters
    ----------
    source
        An open file, or one picture (height, width[, channels]) of a stack.
    page
        The page of a TIFF; 0 for everything else.

    Raises
    ------
    RefusedError
        It is no picture, damaged, too large, of an unknown range, or not finite.
    """
    notes: list[str] = []
    if isinstance(source, np.ndarray):
        _check_size(source.shape[1], source.shape[0], reading.max_pixels)
        values = _from_array(source, notes)
    else:
        values, notes = _decode(source, page, reading)
    values = _with_channels(values, reading.channels, notes)
    if values.dtype != np.uint8 and not np.isfinite(values).all():
        raise RefusedError("has pixels that are NaN or infinite")
    size = (values.shape[1], values.shape[0])
    values, box = _shaped(values, reading)
    is_8bit = not any(note.endswith(AS_THEY_ARE) for note in notes)
    return Pixels(np.ascontiguousarray(values), size, box, is_8bit, tuple(notes))


def _decode(handle: BinaryIO, page: int, reading: Reading) -> tuple[NDArray[Any], list[str]]:
    from PIL import Image, UnidentifiedImageError

    instruct_pillow(reading.max_pixels)
    try:
        return _open(handle, page, reading)
    except RefusedError:
        raise
    except UnidentifiedImageError:
        handle.seek(0)
        raise RefusedError(_look(handle.read(160))) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise RefusedError(
            f"has more than {reading.max_pixels:,} pixels; raise --max-pixels if you trust it"
        ) from None
    except Exception as error:  # a decoder may raise anything on damaged bytes
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RefusedError(f"cannot be decoded: {reason}") from error
