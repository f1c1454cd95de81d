"""What several promises are tested with."""

import pytest
from running import SMALL, rows_of


@pytest.fixture
def lines(run, tmp_path):
    """Explain with some options; return weights and stability lines by row id, run_id aside."""

    def explained(model, data, *options, code=0):
        done = run("tabular", model, data, *SMALL, "-o", "out", "--force", "-q", *options)
        assert done.code == code, done.err
        kept = {}
        for name in ("weights", "stability"):
            for line in rows_of(tmp_path / "out" / f"{name}.csv"):
                line.pop("run_id")
                line.pop("row", None)
                kept.setdefault((name, line["row_id"]), []).append(line)
        return kept

    return explained
