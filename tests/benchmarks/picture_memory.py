"""Peak memory of a folder of pictures of 12 megapixels: bounded by the batch, not by the folder.

python tests/benchmarks/picture_memory.py [--pictures 500]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 4000, 3000
MODEL = (
    "def brightness(pictures):\n    return pictures.reshape(len(pictures), -1).mean(axis=1) / 255\n"
)


def make_folder(folder, count):
    """Write ten different pictures; the others are links to them under names of their own."""
    folder.mkdir()
    stream = np.random.default_rng(0)
    for i in range(count):
        path = folder / f"{i:04d}.jpg"
        if i < 10:
            small = Image.fromarray(stream.integers(0, 256, (30, 40, 3), dtype=np.uint8))
            small.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(path, quality=85)
        else:
            os.link(folder / f"{i % 10:04d}.jpg", path)


def peak_megabytes(folder, pictures, *options):
    """Run the tool; return its peak memory as it states it."""
    command = [sys.executable, "-m", "xplain_cli", "image", "looking:brightness", pictures]
    command += ["--python-path", folder, "-o", folder / "run", "--force", "-j", "1", "-q", *options]
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
    return json.loads((folder / "run" / "run_results.json").read_text())["peak_megabytes"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=500)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "looking.py").write_text(MODEL)
        make_folder(folder / "pictures", arguments.pictures)
        few = ("--segments", "6")
        small = peak_megabytes(folder, folder / "pictures", "--resize", "224", *few)
        print(f"{arguments.pictures} pictures, resized to 224: {small:.0f} MB", flush=True)
        whole = peak_megabytes(folder, folder / "pictures", "--rows", "0:3", *few)
        print(f"3 pictures at their full size: {whole:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
