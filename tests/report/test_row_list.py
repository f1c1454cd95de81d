"""The list of all rows: whole, within its bounds, and nothing in it is markup."""

import json
import re
from pathlib import Path

import pytest
from pages import Outline, page_of

from xplain_cli.report import row_list
from xplain_cli.report.row_list import inert

HOSTILE = ["</script><script>alert(1)</script>", "<!--<script>", "]]>", "a\u2028b&lt;\"'"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_leaves_the_list_or_is_markup(text):
    held = inert({"lines": [[text]]})
    assert json.loads(held) == {"lines": [[text]]}
    assert not set("<>&\u2028\u2029") & set(held)
    outline = Outline(f'<script type="application/json">{held}</script>')
    assert [tag for tag, _ in outline.tags] == ["script"]


def listed(page):
    text = page.read_text(encoding="utf-8")
    held = json.loads(re.search(r'id="lines">(.*?)</script>', text, re.DOTALL)[1])
    return held["lines"], held["words"]


def test_every_row_has_a_line_with_its_strongest_reasons(run, looked_at):
    import pandas as pd

    assert run("report", looked_at, "-o", "page.html").code == 0
    lines, words = listed(Path("page.html"))
    weights = pd.read_csv(looked_at / "weights.csv").set_index("row_id")
    stability = pd.read_csv(looked_at / "stability.csv")
    assert [line[0] for line in lines] == stability["row_id"].tolist()
    for line, told in zip(lines, stability.to_dict("records"), strict=True):
        assert line[2] == float(f"{told['prediction']:.4g}")
        assert (words[line[3]], words[line[4]]) == (told["precision"], told["fidelity"])
        first = weights.loc[told["row_id"]].iloc[0]
        assert words[line[6]] == first["condition"]
        assert float(line[7].replace("\u2212", "-")) == pytest.approx(first["weight"], rel=0.01)
    articles = page_of(Path("page.html")).articles
    assert all(f"Row {line[0]}:" in articles[line[5] - 1] for line in lines)


def test_a_list_that_finds_no_room_is_cut_and_says_so(run, looked_at, monkeypatch):
    monkeypatch.setattr(row_list, "MOST_BYTES", 450)
    assert run("report", looked_at, "-o", "page.html").code == 0
    lines, _ = listed(Path("page.html"))
    assert 1 < len(lines) < 20
    text = Path("page.html").read_text(encoding="utf-8")
    assert f"The first {len(lines)} of 20 explanations, a line each" in text


def test_lines_name_fewer_reasons_where_all_find_room_by_that(run, looked_at, monkeypatch):
    assert run("report", looked_at, "-o", "page.html").code == 0
    whole = len(re.search(r'id="lines">(.*?)</script>', Path("page.html").read_text())[1])
    monkeypatch.setattr(row_list, "MOST_BYTES", int(0.75 * whole))
    assert run("report", looked_at, "-o", "page.html").code == 0
    lines, _ = listed(Path("page.html"))
    assert len(lines) == 20
    assert {len(line) for line in lines} <= {8, 10}


def test_the_list_is_of_the_rows_that_are_asked_for(run, looked_at):
    assert run("report", looked_at, "--where", "row<6", "-o", "page.html").code == 0
    assert [line[0] for line in listed(Path("page.html"))[0]] == [f"p{row}" for row in range(6)]
