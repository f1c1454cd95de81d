"""What a page states of the whole run."""

import json
import re
from pathlib import Path

from pages import small


def test_every_page_states_the_words_of_an_explanation(run, finished):
    run("report")
    text = (finished / "report.html").read_text(encoding="utf-8")
    terms = re.findall(r"<dt>(\w+)</dt>", text)
    assert terms[:6] == ["Model", "Input", "Target", "Baseline", "Features", "Method"]
    facts = json.loads((finished / "manifest.json").read_text())
    for sha256 in (facts["model"]["sha256"], facts["data"]["sha256"], facts["run_id"]):
        assert sha256 in text


def test_the_gates_stand_on_the_page(run, cancer):
    gate = "count(failed)>0, max(max_rel_se)>=0"
    assert run(*small(cancer, "--fail-on", gate, "--report", "page.html")).code == 1
    text = Path("page.html").read_text(encoding="utf-8")
    verdicts = re.findall(r"<code>(.*?)</code>.*?>(ok|FAILED)<", text)
    assert verdicts == [("count(failed)&gt;0", "ok"), ("max(max_rel_se)&gt;=0", "FAILED")]
