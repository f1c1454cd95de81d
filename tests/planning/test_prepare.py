"""How many rows may fail."""

from running import SMALL
from spoiled_tables import BAD, spoiled


def test_max_failed_tolerates_bad_rows(run, good, tmp_path):
    model, data, options = good
    path = spoiled(tmp_path, data, BAD["short"][0])
    done = run("tabular", model, path, *options, *SMALL, "--max-failed", "1")
    assert done.code == 0
    assert "1 of 40 rows cannot be read" in done.err
    assert "39 explained, 1 failed" in done.err
