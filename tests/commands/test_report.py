"""``xplain report``: what the page of a run shows, where it goes, and what it never gives away."""

import hashlib
import html
import json
import re
from pathlib import Path

import pandas as pd
import pytest
from pages import page_of, shown_rows, small
from running import SMALL, rows_of

SAMPLES = Path(__file__).parents[2] / "sample_data"


WINE = (SAMPLES / "wine.joblib", SAMPLES / "wine.csv", "-n", "64", "-r", "2")


PAIRS = ("-m", "kernel-shap", "-b", "revert", "-t", "predicted:vs:runner-up")


TEXTS = (SAMPLES / "comments.pkl", SAMPLES / "comments.csv", "--text-column", "CONTENT")


DIGITS = (SAMPLES / "pictures" / "digits.pkl", SAMPLES / "pictures" / "digits.npy", "--rows", "0:3")


def test_the_page_of_a_finished_run_goes_into_its_folder(run, finished):
    done = run("report")
    assert done.code == 0
    assert done.out.strip() == "xplain-out/report.html"  # as it was named, from here
    assert shown_rows(finished / "report.html") == ["p0", "p1", "p2", "p3", "p4"]


def test_any_file_of_a_run_names_it(run, finished):
    assert run("report", finished / "weights.csv", "-o", "page.html").code == 0
    assert Path("page.html").is_file()


def test_the_option_makes_the_page_that_the_command_makes(run, cancer, finished):
    assert run(*small(cancer, "--id-column", "id", "-o", "other", "--report", "one.html")).code == 0
    assert run("report", "-o", "two.html").code == 0
    assert Path("one.html").read_bytes() == Path("two.html").read_bytes()


def test_the_page_depends_on_no_chunk_and_no_job(run, cancer):
    spread = ("--chunk-rows", "2", "-j", "2", "--backend", "threads")
    for name, options in (("a", ()), ("b", spread)):
        page = ("--rows", "0:16", "-o", name, "--report", f"{name}.html")
        assert run("tabular", cancer.model, cancer.data, *SMALL, *options, *page).code == 0
    assert Path("a.html").read_bytes() == Path("b.html").read_bytes()


def test_the_manifest_names_the_page_and_the_run_stays_finished(run, cancer, finished):
    run("report")
    outputs = json.loads((finished / "manifest.json").read_text())["outputs"]
    sha256 = hashlib.sha256((finished / "report.html").read_bytes()).hexdigest()
    assert outputs["report.html"] == sha256
    before = (finished / "report.html").stat().st_mtime_ns
    assert "nothing to do" in run(*small(cancer, "--id-column", "id")).err
    assert (finished / "report.html").stat().st_mtime_ns == before


def test_a_page_elsewhere_is_no_output_of_the_run(run, finished):
    before = (finished / "manifest.json").read_bytes()
    assert run("report", "-o", "page.html").code == 0
    assert (finished / "manifest.json").read_bytes() == before


def test_a_second_run_makes_the_page_anew_and_computes_nothing(run, cancer, finished):
    done = run(*small(cancer, "--id-column", "id", "--report", "xplain-out/report.html"))
    assert "nothing to do" in done.err
    assert "report: xplain-out/report.html" in done.err
    outputs = json.loads((finished / "manifest.json").read_text())["outputs"]
    assert "report.html" in outputs


def test_another_rendering_removes_the_page_of_the_earlier_one(run, cancer, finished):
    run("report")
    assert run(*small(cancer, "--id-column", "id", "-k", "2")).code == 0
    assert not (finished / "report.html").exists()
    run("report")
    assert "Not in the table: 28 smaller weights" in page_of(finished / "report.html").articles[0]


@pytest.mark.parametrize("suffix", ["csv", "json", "jsonl", "parquet"])
def test_the_page_of_a_named_file_stands_beside_it(run, cancer, suffix):
    assert run(*small(cancer, "-o", f"out.{suffix}")).code == 0
    assert run("report", f"out.{suffix}").code == 0
    assert "out.report.html" in json.loads(Path("out.manifest.json").read_text())["outputs"]
    assert len(shown_rows(Path("out.report.html"))) == 5


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-o", "-", "--report", "p.html"), "name a folder or a file by --output"),
        (("--report", "p.csv"), "--report is 'p.csv'; it must look like page.html"),
        (("--report", "taken/p.html"), "a file stands in its way"),
    ],
)
def test_a_page_that_cannot_be_made_is_refused_before_the_first_row(run, cancer, options, said):
    Path("taken").write_text("a file")
    done = run(*small(cancer, *options))
    assert done.code in {2, 3}
    assert said in done.err
    assert not Path("xplain-out", "weights.csv").exists()


def test_a_file_that_is_no_page_of_ours_is_never_overwritten(run, cancer, finished):
    Path("mine.html").write_text("<h1>mine</h1>")
    for words in (("report", "-o", "mine.html"), small(cancer, "-o", "x", "--report", "mine.html")):
        done = run(*words)
        assert (done.code, "is no page of xplain" in done.err) == (2, True)
    assert Path("mine.html").read_text() == "<h1>mine</h1>"
    assert not Path("x").exists()


def test_what_is_no_finished_run_has_no_page(run, tmp_path):
    assert run("report", "nowhere").code == 3
    assert run("report", "-").code == 2


def test_rows_of_wine_say_why_one_class_and_not_another(run):
    assert run("tabular", *WINE, *PAIRS, "--rows", "110:150", "--report", "wine.html").code == 0
    articles = page_of(Path("wine.html")).articles
    assert len(articles) == 40
    weights = pd.read_csv("xplain-out/weights.csv")
    lines = rows_of(Path("xplain-out/stability.csv"))
    for article, line in zip(articles, lines, strict=True):
        own, _, other = line["target"].partition(":vs:")
        first = weights[weights["row_id"] == int(line["row_id"])].iloc[0]
        value, baseline = (f"{first[c]:.6g}" for c in ("feature_value", "baseline_value"))
        assert f"Row {line['row_id']}: why {own} and not {other}" in article
        assert f"{first['feature']} is {value} and not {baseline}" in article


def test_failed_rows_are_grouped_by_their_reasons(run, mixed, tmp_path):
    table = pd.read_csv(mixed.data).astype({"age": object})
    table.loc[[3, 7], "age"] = "old"
    table.to_csv("bad.csv", index=False)
    options = (*SMALL, "--max-failed", "5", "--background", mixed.data, "--report", "page.html")
    assert run("tabular", mixed.model, "bad.csv", *options).code == 0
    text = Path("page.html").read_text(encoding="utf-8")
    assert "78 rows explained, 2 failed" in text
    # both differ in row and line alone, and are one reason
    assert text.count('<td class="figure">2</td>') == 1
    done = run("report", "--row", "3", "-o", "page.html")  # it is there, if not explained
    assert (done.code, "no explanation is of rows 3" in done.err) == (0, True)


def test_no_values_leaves_no_value(run, mixed):
    options = ("-m", "occlusion", "--rows", "0:24", "--no-values", "--report", "page.html")
    assert run("tabular", mixed.model, mixed.data, *options).code == 0
    text = Path("page.html").read_text(encoding="utf-8")
    assert not re.search("Oslo|Bergen|clerk|cook|missing", text)
    assert "city (" in text


@pytest.mark.parametrize("option", ["--no-values", "--hash-units"])
def test_no_word_of_a_text_shows_where_words_are_hidden(run, option):
    options = ("--rows", "0:40", option, "--report", "page.html", "-r", "1", "-n", "64")
    assert run("text", *TEXTS, *options).code == 0
    said = "".join(page_of(Path("page.html")).articles)
    texts = pd.read_csv(SAMPLES / "comments.csv")["CONTENT"].head(40)
    words = {word for text in texts for word in re.findall(r"[^\W\d_]{6,}", text)}
    assert {word for word in words - {"weights"} if word in said} == set()
    names = re.findall(
        r'<tr><th scope="row"><bdi>(.*?)</bdi>', Path("page.html").read_text("utf-8")
    )
    sums = r"\d+ more units?|not explained"
    assert len(names) > 100
    assert [
        name for name in names if not re.fullmatch(rf"unit \d+|[0-9a-f]{{16}}|{sums}", name)
    ] == []


def running_text(page):
    return re.search(r'<p class="text" dir="auto">(.*?)</p>', page.read_text("utf-8"), re.DOTALL)[1]


def test_a_text_keeps_every_character_as_long_as_data_is_what_was_explained(run):
    text, page = "Free  cash,\u00a0free <b>cash</b>! \u202e(now)", Path("page.html")
    Path("t.txt").write_text(f"{text}\n{text}\n", encoding="utf-8")
    options = ("-n", "64", "-r", "1", "--report", page)
    assert run("text", SAMPLES / "comments.pkl", "t.txt", *options).code == 0
    running = running_text(page)
    assert html.unescape(re.sub("<.*?>", "", running)) == text.replace("\u202e", "\\u202e")
    assert "whose SHA-256 is still that of the run" in page.read_text("utf-8")
    marks = re.findall(r'<mark class="(\w)\S* ?\S*" title="(.)', running)
    assert all({"u": "+", "d": "\u2212"}.get(kind, sign) == sign for kind, sign in marks)


@pytest.mark.parametrize(
    ("change", "why"), [("other", "its SHA-256 is another"), ("gone", "t.txt")]
)
def test_a_text_is_put_together_from_its_units_where_data_is_another(run, change, why):
    page = Path("page.html")
    Path("t.txt").write_text("Free cash, free cash! (now)\n" * 2, encoding="utf-8")
    assert run("text", SAMPLES / "comments.pkl", "t.txt", "-n", "64", "-r", "1").code == 0
    Path("t.txt").write_text("other\nother\n") if change == "other" else Path("t.txt").unlink()
    assert run("report", "-o", page).code == 0
    assert re.sub("<.*?>", "", running_text(page)) == "Free cash free cash now"
    said = re.search(r"Texts are put together from their units.*?</p>", page.read_text("utf-8"))[0]
    assert why in said


def test_pictures_that_were_not_drawn_leave_the_weights(run):
    assert run("image", *DIGITS, "-n", "64", "--no-maps", "--report", "page.html").code == 0
    outline = page_of(Path("page.html"))
    assert "img" not in {tag for tag, _ in outline.tags}
    assert all("superpixel" in article for article in outline.articles)


def test_a_merged_run_has_the_page_of_the_undivided_one(run, cancer):
    for shard in ("1/2", "2/2"):
        assert run(*small(cancer, "--shard", shard, "-o", shard[0])).code == 0
    assert run("merge", "1", "2", "-o", "whole").code == 0
    assert run(*small(cancer, "-o", "undivided")).code == 0
    for name in ("whole", "undivided"):
        assert run("report", name).code == 0
    pages = [Path(name, "report.html").read_bytes() for name in ("whole", "undivided")]
    assert pages[0] == pages[1]


def test_a_page_shows_the_rows_that_are_asked_for(run, looked_at):
    page = Path("some.html")
    assert run("report", looked_at, "--row", "p3", "--row", "p11", "-o", page).code == 0
    assert shown_rows(page) == ["p3", "p11"]
    assert "All 2 explanations of rows p3, p11 are shown" in page.read_text(encoding="utf-8")
    listed = Path("listed.html")
    assert run("report", looked_at, "--rows", "p3,p11", "-o", listed).code == 0
    assert shown_rows(listed) == ["p3", "p11"]
    assert run("report", looked_at, "--where", 'row_id=="p5" or row<2', "-o", page).code == 0
    assert shown_rows(page) == ["p0", "p1", "p5"]


def test_a_row_that_is_not_there_makes_no_page(run, looked_at):
    done = run("report", looked_at, "--row", "p77", "-o", "none.html")
    assert (done.code, Path("none.html").exists()) == (3, False)
    assert "row 'p77': no such row" in done.err


def test_a_condition_that_nothing_meets_is_told(run, looked_at):
    done = run("report", looked_at, "--where", "prediction>5", "-o", "none.html")
    assert done.code == 0
    assert "no explanation is of rows where prediction>5" in done.err
