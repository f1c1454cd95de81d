"""Single rows of a finished run in the terminal, and as a figure."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from terminals import on_terminal, plain

SAMPLES = Path(__file__).parents[2] / "sample_data"


def written(folder, row_id):
    lines = pd.read_csv(folder / "weights.csv", dtype={"row_id": str})
    said = pd.read_csv(folder / "stability.csv", dtype={"row_id": str})
    return lines[lines["row_id"] == row_id], said[said["row_id"] == row_id].iloc[0]


def sums(text):
    """Return name, weight and running sum of each bar, as they are printed."""
    line = re.compile(r"^(\S.*?) {2,}([+\u2212]\S+)(?: \u00b1 \S+)? +(\S+) {2}", re.MULTILINE)
    found = [one.groups() for one in line.finditer(text)]
    return [(name, float(w.replace("\u2212", "-")), float(total)) for name, w, total in found]


def test_a_row_is_shown_from_base_to_prediction(run, looked_at):
    done = run("show", looked_at, "--row", "p3")
    weights, said = written(looked_at, "p3")
    assert (done.code, done.err) == (0, "")
    lines = sums(done.out)
    total = said["base_value"]
    for _, weight, after in lines:
        total += weight
        assert after == pytest.approx(total, abs=2e-3)
    assert lines[-1][0] == "not explained"
    assert lines[-1][2] == pytest.approx(said["prediction"], abs=1e-3)
    strongest = weights.sort_values("rank")["feature"].iloc[0]
    assert lines[0][0].startswith(f"{strongest} ")
    assert f"Precision {said['precision']}" in done.out
    assert f"fidelity {said['fidelity']}" in done.out


def test_without_a_row_the_first_is_shown(run, looked_at):
    done = run("show", looked_at)
    assert done.out.startswith("Row p0: ")
    assert "the first row; --row ID shows another" in done.err


def test_several_rows_are_shown_one_after_the_other(run, looked_at):
    done = run("show", looked_at, "--row", "p5", "--row", "p2", "-q")
    assert re.findall(r"^Row (\w+):", done.out, re.MULTILINE) == ["p2", "p5"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--row", "p99"), 3, "row 'p99': no such row in this run"),
        (("--row", "p1", "-t", "2"), 2, "no such target of these rows"),
        (("--row", "p1", "--plot", "a.pdf"), 2, "must end in .svg or .png"),
        (("--row", "p1", "--row", "p2", "--plot", "a.svg"), 2, "a figure is of one"),
    ],
)
def test_what_cannot_be_shown_is_refused(run, looked_at, words, code, said):
    done = run("show", looked_at, *words)
    assert done.code == code
    assert said in done.err


@pytest.mark.parametrize(
    ("columns", "extra", "coloured"), [(80, {}, True), (120, {"NO_COLOR": "1"}, False)]
)
def test_on_a_terminal_no_line_is_wider_than_it(looked_at, columns, extra, coloured):
    code, shown = on_terminal(columns, "show", looked_at, "--row", "p3", **extra)
    assert code == 0
    assert max(map(len, plain(shown).splitlines())) <= columns
    assert ("\x1b[31m" in shown or "\x1b[34m" in shown) == coloured


def test_the_waterfall_is_written_in_both_forms(run, looked_at, tmp_path):
    assert run("show", looked_at, "--row", "p3", "--plot", "a/b.svg", "-q").code == 0
    root = ET.parse(tmp_path / "a" / "b.svg").getroot()
    texts = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0].startswith("Row p3: ")
    assert {"base value", "prediction", "not explained"} <= set(texts)
    assert run("show", looked_at, "--row", "p3", "--plot", "b.png", "-q").code == 0
    with Image.open(tmp_path / "b.png") as image:
        assert image.width == 2 * float(root.get("viewBox").split()[2])


def test_a_text_is_shown_with_its_units_and_hides_what_the_run_hides(run, tmp_path):
    files = (SAMPLES / "comments.pkl", SAMPLES / "comments.csv", "--text-column", "CONTENT")
    small = ("--rows", "0:2", "-n", "64", "-r", "2", "-q")
    assert run("text", *files, *small, "-o", "open").code == 0
    assert run("text", *files, *small, "-o", "hidden", "--no-values").code == 0
    word = pd.read_csv(tmp_path / "open" / "weights.csv")["feature"].iloc[0]
    assert f"\u201c{word}\u201d" in run("show", "open").out
    hidden = run("show", "hidden").out
    assert f"\u201c{word}\u201d" not in hidden
    assert "unit 1" in hidden


def shown_text(done):
    """Return the text between the sentences and the bars of a card."""
    return done.out.split("\n\n")[1]


def test_a_text_is_shown_with_every_character_as_long_as_data_is_the_same(run):
    told = "Free  cash,\u00a0free <b>cash</b>! (now)"
    Path("t.txt").write_text(f"{told}\n", encoding="utf-8")
    assert run("text", SAMPLES / "comments.pkl", "t.txt", "-n", "64", "-r", "1").code == 0
    done = run("show")
    assert shown_text(done) == told.replace("\u00a0", " ")
    assert "put together" not in done.err
    Path("t.txt").write_text("another text\n", encoding="utf-8")
    done = run("show")
    assert shown_text(done).split() == ["Free", "cash", "free", "b", "cash", "b", "…", "now"]
    assert "put together from their units" in done.err
    assert "t.txt: is not what was explained: its SHA-256 is another" in done.err
