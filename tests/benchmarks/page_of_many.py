"""The page of 10,000 rows: bytes, and what a browser takes to open it, beside other forms of it."""

import json
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "sample_data"
# one process, for the time of those that others started is not told
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--single-process")
TRIES = 5


def seconds(command, cwd):
    """Return the processor time of a command and of what it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def opened(page, folder):
    """Return the least processor time of a browser that draws the top of a page, once."""
    browser = shutil.which("chromium") or "chromium"
    own = (f"--user-data-dir={folder / 'profile'}", f"--screenshot={folder / 'seen.png'}")
    command = [browser, *QUIET, *own, "--window-size=1100,900", page.as_uri()]
    return min(seconds(command, folder) for _ in range(TRIES))


def without_script(text):
    """Return a page whose list is plain HTML, and the same folded away."""
    held = json.loads(re.search(r'id="lines">(.*?)</script>', text, re.DOTALL)[1])
    words = held["words"]
    lines = []
    for line in held["lines"]:
        reasons = [f"{words[line[at]]} ({line[at + 1]})" for at in range(6, len(line), 2)]
        cells = [line[0], line[2], words[line[3]], words[line[4]], ", ".join(reasons)]
        lines.append("".join(f"<td>{escape(str(cell))}</td>" for cell in cells))
    table = "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"
    rest = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    place = '<p id="still">'
    folded = f"<details><summary>all rows</summary>{table}</details>"
    return rest.replace(place, table + place), rest.replace(place, folded + place)


def main():
    folder = Path(tempfile.mkdtemp())
    table = pd.concat([pd.read_csv(SAMPLES / "loans.csv")] * 10, ignore_index=True)
    table["application"] = [f"A-{row:05d}" for row in range(len(table))]
    table.to_csv(folder / "many.csv", index=False)
    tool = [sys.executable, "-m", "xplain_cli"]
    words = ["tabular", SAMPLES / "loans.onnx", "many.csv", "--id-column", "application"]
    options = ["-n", "256", "-r", "4", "-o", "out", "-q"]
    subprocess.run([*tool, *map(str, words), *options], cwd=folder, check=True)
    made = seconds([*tool, "report", "out", "-o", "page.html"], folder)
    page = folder / "page.html"
    forms = dict(zip(("plain", "folded"), without_script(page.read_text("utf-8")), strict=True))
    (folder / "empty.html").write_text("<!DOCTYPE html><title>empty</title>")
    for name, text in forms.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    print(f"made in {made:.1f} s of processor time")
    idle = opened(folder / "empty.html", folder)
    for name in ("page", *forms):
        path = folder / f"{name}.html"
        took = opened(path, folder) - idle
        print(f"{name:<8} {path.stat().st_size:>9,} bytes  {took:5.2f} s above an empty page")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
