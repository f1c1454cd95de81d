"""``xplain report --plots``: the figures of a page as files."""

import xml.etree.ElementTree as ET
from pathlib import Path

from PIL import Image


def test_every_figure_is_written_as_svg_and_png(run, looked_at):
    done = run("report", looked_at, "-o", "page.html", "--plots", "figures/new")
    assert (done.code, "10 figures: figures/new" in done.err) == (0, True)
    files = sorted(Path("figures/new").iterdir())
    names = {path.stem for path in files}
    assert {"importance", "beeswarm", "waterfall-1-p0", "waterfall-3-p2"} <= names
    assert len(files) == 2 * len(names)
    for path in files:
        if path.suffix == ".svg":
            assert ET.parse(path).getroot().get("aria-label")
        else:
            with Image.open(path) as image:
                assert image.width > 500


def test_rows_that_are_named_have_their_waterfalls(run, looked_at):
    words = ("--row", "p3", "--row", "p11", "-o", "page.html", "--plots", "figures")
    assert run("report", looked_at, *words).code == 0
    names = {path.name for path in Path("figures").glob("waterfall-*.svg")}
    assert names == {"waterfall-1-p3.svg", "waterfall-2-p11.svg"}


def test_a_file_in_the_way_is_named(run, looked_at):
    Path("figures").write_text("a file")
    done = run("report", looked_at, "-o", "page.html", "--plots", "figures")
    assert (done.code, "figures: is a file" in done.err) == (3, True)
    assert not Path("page.html").exists()


def test_no_folder_and_no_figure_are_said_before_anything_is_written(run, looked_at):
    done = run("report", looked_at, "-o", "page.html", "--plots", "")
    assert (done.code, "--plots is empty" in done.err, Path("page.html").exists()) == (
        2,
        True,
        False,
    )
    Path("figures").write_text("a file")
    done = run("report", looked_at, "-o", "page.html", "--plots", "figures/inner")
    assert (done.code, "name another place with --plots" in done.err) == (3, True)
