"""The page of several baselines."""

from pathlib import Path

import pytest
from pages import page_of, shown_rows
from running import rows_of


@pytest.mark.parametrize("output", ["both", "both.csv"])
def test_several_baselines_have_a_page_each_and_one_that_leads_to_them(run, cancer, output):
    words = ("tabular", cancer.model, cancer.data, "--rows", "0:5", "-m", "occlusion")
    baselines = ("-b", "mean", "-b", "row=1", "-o", output, "--report", "pages.html")
    assert run(*words, *baselines).code == 0
    outline = page_of(Path("pages.html"))
    links = [attrs["href"].replace("%3D", "=") for tag, attrs in outline.tags if tag == "a"]
    assert [len(shown_rows(Path(link))) for link in links] == [5, 5]
    agreement = "both/agreement.csv" if output == "both" else "both.agreement.csv"
    changed = sum(line["same_first_reason"] == "False" for line in rows_of(Path(agreement)))
    text = Path("pages.html").read_text(encoding="utf-8")
    assert outline.broken == []
    assert f"changes in {changed} of 5 explanations" in text
