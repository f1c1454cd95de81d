"""Which rows of which files serve as baselines of a table."""

import pandas as pd


def test_the_digest_of_a_baseline_file_is_part_of_the_plan(run, cancer, tmp_path):
    rows = pd.read_csv(cancer.data)
    ids = []
    for value in (5, 6):
        rows.iloc[[value]].to_csv(tmp_path / "base.csv", index=False)
        done = run(
            *("tabular", cancer.model, cancer.data, "--id-column", "id", "-m", "occlusion"),
            *("-b", "file=base.csv", "-o", "out.jsonl", "--force", "--rows", "0:2"),
        )
        assert done.code == 0, done.err
        ids.append((tmp_path / "out.jsonl").read_text())
    assert ids[0] != ids[1]
