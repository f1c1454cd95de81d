"""Makes the pictures of README.md anew from sample data: the top of a page, and a heatmap.

    python .ci/make_pictures.py

It needs Chromium (the Debian package chromium); pictures are looked at before they are committed.
"""

# ruff: noqa: INP001, S603  # a script, run by hand on what it makes

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
PICTURES = ROOT / ".github" / "pictures"
SCENES = ROOT / "sample_data" / "pictures"
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")


def xplain(folder: Path, *words: object) -> None:
    """Run the tool in a folder, so that pages name no path of this machine."""
    command = [sys.executable, "-m", "xplain_cli", *map(str, words)]
    subprocess.run(command, cwd=folder, check=True)


def page(folder: Path) -> None:
    """Take the head of the page of the demo."""
    xplain(folder, "demo", "-q")
    target = folder / "page.png"
    subprocess.run(
        [
            shutil.which("chromium") or "chromium",
            *QUIET,
            "--hide-scrollbars",
            f"--user-data-dir={folder / 'profile'}",
            "--window-size=1040,1500",
            f"--screenshot={target}",
            (folder / "xplain-demo" / "page.html").as_uri(),
        ],
        check=True,
    )
    image = Image.open(target).convert("P", palette=Image.Palette.ADAPTIVE, colors=64)
    image.save(PICTURES / "page.png", optimize=True)


def heatmap(folder: Path) -> None:
    """Take the weights of one scene, drawn on it."""
    out = folder / "scene"
    prepared = ("--rescale", "1/255", "--mean", ".5", "--std", ".25")
    words = ("image", SCENES / "scenes.onnx", SCENES / "scenes", *prepared, "--rows", "0:1")
    xplain(folder, *words, "-o", out)
    (drawn,) = (out / "overlays").glob("*.png")
    shutil.copy(drawn, PICTURES / "heatmap.png")


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        page(Path(home))
        heatmap(Path(home))
