"""Pages for those who see no colour, no picture, or nothing: what needs no browser."""

from pathlib import Path

import pytest
from accessibility import flaws
from running import SMALL

SAMPLES = Path(__file__).parents[2] / "sample_data"
WORDS = {
    "tables": ("tabular", SAMPLES / "loans.onnx", SAMPLES / "loans.csv", "--id-column=application"),
    "texts": ("text", SAMPLES / "comments.pkl", SAMPLES / "comments.csv", "--text-column=CONTENT"),
    "pictures": ("image", SAMPLES / "pictures/digits.pkl", SAMPLES / "pictures/digits.npy"),
    "several": (
        *("tabular", SAMPLES / "wine.joblib", SAMPLES / "wine.csv", "--method=kernel-shap"),
        *("--baseline=median", "--baseline=mean"),
    ),
}


@pytest.mark.parametrize("kind", WORDS)
def test_a_page_breaks_no_rule_that_can_be_checked_without_a_browser(run, kind):
    options = ("--rows", "0:4", *SMALL, "--report", "page.html")
    assert run(*WORDS[kind], *options).code == 0
    assert flaws(Path("page.html").read_text(encoding="utf-8")) == []


def test_the_page_of_two_runs_breaks_none(run):
    for seed in ("1", "2"):
        assert run(*WORDS["tables"], "--rows", "0:6", *SMALL, "--seed", seed, "-o", seed).code == 0
    assert run("diff", "1", "2", "-o", "d").code == 0
    (page,) = Path("d").glob("*.html")
    assert flaws(page.read_text(encoding="utf-8")) == []


GOOD = (
    '<html lang="en"><title>t</title><main><h1 id="a">A</h1><h2>B</h2><a href="#a">a</a>'
    '<label for="i">i</label><input id="i"><img alt="x"><svg aria-hidden="true"></svg>'
    '<div class="wide" tabindex="0" role="group" aria-label="T"><table><thead><tr><th scope="col">c'
    "</th></tr></thead></table></div></main></html>"
)


def test_a_page_that_breaks_no_rule_has_no_flaw():
    assert flaws(GOOD) == []


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        (' lang="en"', "", "no lang"),
        ("<title>t</title>", "", "title: 0"),
        ("<h2>B", "<h3>B", "headings"),
        ("main>", "div>", "no landmark"),
        ('id="i"', 'id="a"', "id 'a': 2"),
        ('alt="x"', "", "no alt"),
        ("#a", "#b", "'b' is nowhere"),
        (">a</a>", "></a>", "no text"),
        ('for="i"', "", "no label"),
        (' aria-hidden="true"', "", "neither hidden"),
        (' aria-label="T"', "", "without a name"),
        (' scope="col"', "", "no scope"),
        (' tabindex="0"', "", "no key reaches it"),
        (' tabindex="0"', ' tabindex="3"', "order"),
        ("aria-label=", 'aria-labell="x" aria-label=', "aria-labell"),
    ],
)
def test_a_rule_that_is_broken_is_found(good, bad, said):
    assert good in GOOD
    assert said in " ".join(flaws(GOOD.replace(good, bad)))
