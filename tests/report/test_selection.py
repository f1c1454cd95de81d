"""Which rows and pictures a page shows."""

from pathlib import Path

import pandas as pd
from pages import page_of, shown_rows
from running import SMALL, rows_of

SAMPLES = Path(__file__).parents[2] / "sample_data"


DIGITS = (SAMPLES / "pictures" / "digits.pkl", SAMPLES / "pictures" / "digits.npy", "--rows", "0:3")


def test_a_long_run_shows_the_first_rows_and_the_least_stable(run, tmp_path):
    data = SAMPLES / "data.csv"
    options = (*SMALL, "--id-column", "id", "--report", "page.html")
    assert run("tabular", SAMPLES / "model.pkl", data, *options).code == 0
    lines = pd.DataFrame(rows_of(Path("xplain-out/stability.csv")))
    later = lines.iloc[80:].astype({"max_rel_se": float})
    worst = set(later.nlargest(20, "max_rel_se")["row_id"])
    shown = shown_rows(Path("page.html"))
    assert shown[:80] == lines["row_id"].iloc[:80].tolist()
    assert set(shown[80:]) == worst
    assert "100 of 569 explanations are shown" in Path("page.html").read_text(encoding="utf-8")


def test_a_baseline_of_many_rows_has_no_value_to_show(run, mixed):
    options = ("-m", "permutation", "-n", "16", "-r", "2", "--rows", "0:3", "--report", "page.html")
    words = ("tabular", mixed.model, mixed.data, *options)
    for number, baseline in enumerate(("sample:k=3", "median")):
        assert run(*words, "-b", baseline, "-o", baseline.partition(":")[0]).code == 0
        text = Path("page.html").read_text(encoding="utf-8")
        assert (">baseline</th>" in text, "and not" in text) == (bool(number), bool(number))


def test_pictures_are_embedded_and_the_maps_on_white_linked(run):
    assert run("image", *DIGITS, "-n", "64", "-o", "run of digits").code == 0
    assert run("report", "run of digits", "-o", "page.html").code == 0
    tags = page_of(Path("page.html")).tags
    images = [attrs["src"] for tag, attrs in tags if tag == "img"]
    links = [attrs["href"] for tag, attrs in tags if tag == "a" and attrs["href"][0] != "#"]
    assert len(images) == 3
    assert all(source.startswith("data:image/webp;base64,") for source in images)
    assert len(links) == 6
    assert all(Path(link.replace("%20", " ")).is_file() for link in links)
