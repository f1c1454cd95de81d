"""Picture files of every bad and odd kind, each with what must come of it."""

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms


@dataclass(frozen=True)
class Broken:
    """A file's name and bytes, with the size that is read, or a part of the reason why not."""

    name: str
    data: bytes
    shape: tuple | None = None
    says: str = ""


def colours(height=24, width=32, channels=3):
    ramp = np.linspace(0, 255, height * width * channels).reshape(height, width, channels)
    return ramp.astype(np.uint8)


def stored(image, form, **options):
    file = io.BytesIO()
    image.save(file, format=form, **options)
    return file.getvalue()


def rgb(height=24, width=32):
    return Image.fromarray(colours(height, width))


def chunk(kind, data):
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def png(width, height, depth, colour, data, *extra):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [
        chunk(b"IHDR", header),
        *extra,
        chunk(b"IDAT", zlib.compress(data)),
        chunk(b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return stored(rgb(), "JPEG", exif=exif)


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "no picture")
    return file.getvalue()


def palette(*, transparent):
    image = Image.new("P", (32, 24))
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.paste(1, (0, 0, 16, 24))
    return stored(image, "PNG", transparency=0) if transparent else stored(image, "PNG")


def looped_tiff():
    """A TIFF whose second directory is its first."""
    data = bytearray(stored(Image.new("L", (8, 8), 9), "TIFF"))
    at = struct.unpack_from("<I", data, 4)[0]
    count = struct.unpack_from("<H", data, at)[0]
    struct.pack_into("<I", data, at + 2 + 12 * count, at)
    return bytes(data)


def lab():
    srgb = ImageCms.createProfile("sRGB")
    turn = ImageCms.buildTransform(srgb, ImageCms.createProfile("LAB"), "RGB", "LAB")
    return stored(ImageCms.applyTransform(rgb(), turn), "TIFF")


def corpus():
    jpeg, picture = stored(rgb(), "JPEG"), stored(rgb(), "PNG")
    wide = Image.new("RGB", (65_000, 2), (9, 8, 7))
    grey16 = Image.fromarray((colours(channels=1)[..., 0].astype(np.uint16)) * 257)
    flipped = bytearray(picture)
    flipped[len(picture) // 2] ^= 0xFF
    frames = [Image.new("RGB", (16, 12), (10 * i, 0, 0)) for i in range(3)]
    seen = (24, 32, 3)
    animated = {"save_all": True, "append_images": frames[1:]}
    return [
        Broken("truncated.jpg", jpeg[:-40], says="truncated"),
        Broken("cut in its tables.jpg", jpeg[: len(jpeg) // 2], says="Truncated"),
        Broken("head only.jpg", jpeg[:20], says="damaged at its head"),
        Broken("zip.png", zipped(), says="a zip archive"),
        Broken("empty.png", b"", says="the file is empty"),
        Broken("one pixel.png", stored(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG"), (1, 1, 3)),
        Broken("one grey.png", stored(Image.new("L", (1, 1), 5), "PNG"), (1, 1, 1)),
        Broken("cmyk.jpg", stored(rgb().convert("CMYK"), "JPEG"), seen, "CMYK converted to RGB"),
        Broken("palette.png", palette(transparent=False), seen, "P converted to RGB"),
        Broken("clear palette.png", palette(transparent=True), seen, "transparency laid on white"),
        Broken("wide.jpg", stored(wide, "JPEG"), (2, 65_000, 3)),
        Broken("bomb.png", png(9_500, 9_500, 8, 0, b""), says="raise --max-pixels"),
        Broken("big bomb.png", png(60_000, 60_000, 8, 0, b""), says="raise --max-pixels"),
        Broken("lying size.png", png(3_000, 3_000, 8, 2, b"\0" * 10), says="cannot be decoded"),
        Broken("no size.png", png(0, 0, 8, 2, b""), says="damaged at its head"),
        Broken("flipped bit.png", bytes(flipped), says="cannot be decoded"),
        Broken("truncated.png", picture[: len(picture) // 2], says="truncated"),
        Broken("turned.jpg", turned(), (32, 24, 3), "turned upright (EXIF)"),
        Broken("grey.png", stored(Image.new("L", (5, 4), 7), "PNG"), (4, 5, 1)),
        Broken("bilevel.png", stored(Image.new("1", (5, 4), 1), "PNG"), (4, 5, 1), "1 converted"),
        Broken(
            "alpha.png",
            stored(Image.new("RGBA", (5, 4), (9, 9, 9, 0)), "PNG"),
            (4, 5, 3),
            "laid on",
        ),
        Broken(
            "grey alpha.png", stored(Image.new("LA", (5, 4), (9, 0)), "PNG"), (4, 5, 1), "laid on"
        ),
        Broken("grey 16.png", stored(grey16, "PNG"), (24, 32, 1), "16 bits a channel scaled"),
        Broken("colour 16.png", png(1, 1, 16, 2, b"\0" + b"\x12\x34" * 3), (1, 1, 3), "read as 8"),
        Broken("whole 32.tif", stored(Image.new("I", (5, 4), 70_000), "TIFF"), says="known range"),
        Broken("float.tif", stored(Image.new("F", (5, 4), 0.5), "TIFF"), (4, 5, 1), "floats taken"),
        Broken("nan.tif", stored(Image.new("F", (5, 4), float("nan")), "TIFF"), says="NaN"),
        Broken("lab.tif", lab(), seen, "LAB converted to RGB"),
        Broken("loop.tif", looped_tiff(), (8, 8, 1)),
        Broken("ycbcr.tif", stored(rgb().convert("YCbCr"), "TIFF"), seen, "YCbCr converted to RGB"),
        Broken(
            "frames.gif", stored(frames[0], "GIF", **animated), (12, 16, 3), "first of 3 frames"
        ),
        Broken("frames.webp", stored(frames[0], "WEBP", **animated), (12, 16, 3), "first of 3"),
        Broken("odd exif.jpg", turned()[:36] + b"\xff" * 6 + turned()[42:], seen),
        Broken("text.png", b"hello, this is no picture at all", says="not a picture"),
        Broken("page.jpg", b"<!doctype html><p>404", says="HTML"),
        Broken("drawing.png", b"<svg xmlns='http://www.w3.org/2000/svg'/>", says="SVG"),
        Broken("ghost.png", b"%!PS-Adobe-3.0 EPSF-3.0\n", says="PostScript"),
        Broken("pages.png", b"%PDF-1.7\n", says="PDF"),
        Broken("phone.jpg", b"\0\0\0\x18ftypheic" + b"\0" * 40, says="HEIC"),
        Broken("scan.png", b"\0" * 128 + b"DICM" + b"\0" * 40, says="pydicom"),
        Broken("pointer.png", b"version https://git-lfs.github.com/spec/v1\n", says="git lfs pull"),
        Broken("array.png", b"\x93NUMPY\x01\0", says="NumPy"),
        Broken("noise.bmp", bytes(range(256)) * 4, says="not a picture"),
        Broken("bad.bmp", b"BM" + b"\xff" * 60, says="cannot be decoded"),
    ]
