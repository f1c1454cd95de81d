"""Work goes to processes while the first chunk runs."""

import json


def test_auto_sends_the_rest_to_workers_while_the_first_chunk_is_slow(run, tmp_path, monkeypatch):
    (tmp_path / "slow_model.py").write_text(
        "import time\n"
        "def predict(table):\n"
        "    time.sleep(0.4)\n"
        "    return table[['x']].to_numpy() * table[['y']].to_numpy()\n"
    )
    lines = "\n".join(f"{i},{i % 7}" for i in range(24))
    (tmp_path / "t.csv").write_text(f"x,y\n{lines}\n")
    monkeypatch.setattr("xplain_cli.workers._SMALL_SECONDS", 0.5)
    command = ("tabular", "slow_model:predict", "t.csv", "-m", "kernel-shap", "-j", "2")
    asked = ("--python-path", ".", "--chunk-rows", "4")
    for backend in ("serial", "auto"):
        assert run(*command, *asked, "--backend", backend, "-o", backend).code == 0
    results = json.loads((tmp_path / "auto" / "run_results.json").read_text())
    assert results["backend"] == "loky"
    one, other = ((tmp_path / name / "weights.csv").read_bytes() for name in ("serial", "auto"))
    assert one == other
