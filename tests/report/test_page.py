"""A page needs nothing else, runs nothing, and can be read."""

import base64
import hashlib
import json
import pickle
import re
from pathlib import Path

import pandas as pd
import pytest
from pages import Outline
from running import SMALL

from xplain_cli import report


def contrast(first, second):
    """Return the contrast of two colours as WCAG 2.1 defines it, 1 to 21."""
    lights = []
    for colour in (first, second):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        parts = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        lights.append(sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), parts, strict=True)))
    return (max(lights) + 0.05) / (min(lights) + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_all_that_is_written_stands_out_from_its_ground(scheme):
    css = (Path(report.__file__).parent / "page.css").read_text(encoding="utf-8")
    colours = dict(re.findall(r"--(\w+): (#\w{6})", css.split(":root {")[1 + scheme]))
    grounds = [colours[name] for name in colours if re.fullmatch(r"paper|panel|(up|down)\d", name)]
    assert len(grounds) == 10
    assert min(contrast(colours["ink"], ground) for ground in grounds) >= 4.5
    for name in ("soft", "link", "up", "down"):
        assert min(contrast(colours[name], colours[ground]) for ground in ("paper", "panel")) >= 4.5


EVIL = "<script>alert(1)</script>"


def policy(text):
    """Return the directives of a page's Content-Security-Policy."""
    (held,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)">', text)
    return dict(part.strip().partition(" ")[::2] for part in held.split(";"))


def named(text):
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_a_page_needs_nothing_else_and_runs_its_own_script_alone(run, finished):
    run("report")
    text = (finished / "report.html").read_text(encoding="utf-8")
    outline = Outline(text)
    assert outline.broken == []
    tags = {tag for tag, _ in outline.tags}
    assert tags & {"link", "iframe", "object", "embed", "form", "base"} == set()
    assert not any({"src", "style"} & attrs.keys() for _, attrs in outline.tags)
    assert not any(name.startswith("on") for _, attrs in outline.tags for name in attrs)
    assert all(attrs["href"].startswith("#") for tag, attrs in outline.tags if tag == "a")
    assert "://" not in text.replace("http://www.w3.org/2000/svg", "")
    allowed = policy(text)
    (script,), (style,) = (
        re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL) for tag in ("script", "style")
    )
    assert allowed == {
        "default-src": "'none'",
        "style-src": named(style),
        "script-src": named(script),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert [attrs for tag, attrs in outline.tags if tag == "script"] == [
        {"type": "application/json", "id": "lines"},
        {},
    ]


def test_the_script_of_a_page_writes_texts_and_asks_nothing():
    script = (Path(report.__file__).parent / "page.js").read_text(encoding="utf-8")
    risky = (
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|Function|fetch|XMLHttp|import|"
    )
    assert (
        re.findall(risky + r"WebSocket|sendBeacon|localStorage|cookie|location|https?:", script)
        == []
    )


def test_names_ids_values_and_classes_are_escaped(run, tmp_path):
    from sklearn.tree import DecisionTreeClassifier

    table = pd.DataFrame({EVIL: range(40), "b\u202e\x07": range(40, 80)})
    labels = [f"</title>{EVIL}" if i > 20 else "\"'><b>" for i in range(40)]
    model, data = tmp_path / "<i>tree.pkl", tmp_path / "<i>tree.csv"
    model.write_bytes(pickle.dumps(DecisionTreeClassifier().fit(table, labels)))
    table.insert(0, "id", [f"{EVIL}{i}" for i in range(40)])
    table.to_csv(data, index=False)
    assert run("tabular", model, data, *SMALL, "--id-column", "id").code == 0
    run("report")
    text = Path("xplain-out/report.html").read_text(encoding="utf-8")
    assert Outline(text).broken == []
    assert {tag for tag, _ in Outline(text).tags} & {"i", "b"} == set()
    assert text.count("<script") == text.count("</script>") == 2
    assert (
        json.loads(re.search(r'id="lines">(.*?)</script>', text, re.DOTALL)[1])["lines"][0][0]
        == f"{EVIL}0"
    )
    assert f"Row {EVIL}0" in Outline(text).articles[0]
    assert "\u202e" not in text
