"""What the manifest of a run states."""

import json

from running import SMALL


def test_json_holds_the_manifest_and_all_explanations(run, cancer, tmp_path):
    assert run("tabular", cancer.model, cancer.data, *SMALL, "-o", "all.json").code == 0
    document = json.loads((tmp_path / "all.json").read_text())
    assert len(document["explanations"]) == 60
    assert document["manifest"]["classes"] == ["0", "1"]


def test_the_manifest_is_the_same_for_the_same_command(run, cancer, tmp_path):
    texts = []
    for _ in range(2):
        assert run("tabular", cancer.model, cancer.data, *SMALL, "-o", "out", "--force").code == 0
        texts.append((tmp_path / "out" / "manifest.json").read_text())
    assert texts[0] == texts[1]
    facts = json.loads(texts[0])
    assert set(facts["outputs"]) == {"weights.csv", "stability.csv"}
    assert facts["baseline"].startswith("background")


def test_verbose_says_where_the_time_went(run, cancer):
    done = run("tabular", cancer.model, cancer.data, *SMALL, "-v")
    assert "time: open" in done.err
    assert "model inputs: 512 in the shared pool, 512 for 60 rows" in done.err
