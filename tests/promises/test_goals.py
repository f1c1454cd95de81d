"""--max-rel-se: rows that need them get more repeats, and what they claim holds."""

import json

import numpy as np
import pytest
from running import rows_of, run_in

from xplain_cli.quality.precision import PrecisionTarget

SMALL = ("-n", "128", "-r", "4")


def numbers(path, *left_out):
    return [
        {name: cell for name, cell in line.items() if name not in {"run_id", *left_out}}
        for line in rows_of(path)
    ]


@pytest.fixture
def explain(run, cancer, tmp_path):
    def explained(out, *options):
        done = run("tabular", cancer.model, cancer.data, *SMALL, "-o", out, *options)
        assert done.code == 0, done.err
        return tmp_path / out

    return explained


GOAL = ("--max-rel-se", "0.1", "--max-samples", "8192")


@pytest.fixture(scope="module")
def whole(cancer, tmp_path_factory):
    """All rows with a goal in one run, which tests only read."""
    folder = tmp_path_factory.mktemp("goals")
    run_in(folder, "tabular", cancer.model, cancer.data, *SMALL, *GOAL, "-o", "whole", "-q")
    return folder / "whole"


def test_rows_stop_at_levels_of_their_own_and_the_manifest_counts_them(whole):
    lines = rows_of(whole / "stability.csv")
    repeats = [int(line["n_repeats"]) for line in lines]
    assert len(set(repeats)) > 1
    goal = PrecisionTarget(0.1, 4, 128, 8192)
    met = [goal.reached(float(line["max_rel_se"]), int(line["n_repeats"])) for line in lines]
    for line, ok in zip(lines, met, strict=True):
        assert ok or int(line["n_repeats"]) == 64
    manifest = json.loads((whole / "manifest.json").read_text())
    assert manifest["pool"]["rows"] == 128 * max(repeats)
    stated = manifest["precision_goal"]
    assert (stated["rows_reached"], stated["rows"]) == (int(np.sum(met)), 60)


def test_a_row_that_needed_more_has_the_numbers_of_a_run_of_so_many_repeats(explain, whole):
    lines = numbers(whole / "stability.csv")
    most = max(int(line["n_repeats"]) for line in lines)
    fixed = numbers(explain("fixed", "-r", str(most)) / "stability.csv")
    same = [a == b for a, b in zip(lines, fixed, strict=True)]
    assert same == [int(line["n_repeats"]) == most for line in lines]


def test_chunks_jobs_shards_and_resumes_decide_no_level(explain, run, whole, tmp_path):
    explain("chunks", *GOAL, "--chunk-rows", "7", "--backend", "loky", "-j", "2")
    for i in (1, 2):
        explain(f"s{i}", *GOAL, "--shard", f"{i}/2")
    assert run("merge", "s1", "s2", "-o", "merged").code == 0
    for name in ("weights.csv", "stability.csv"):
        for other in ("chunks", "merged"):
            assert (tmp_path / other / name).read_bytes() == (whole / name).read_bytes()


def test_texts_get_more_repeats_too_and_no_mask_is_asked_twice(run, tmp_path):
    (tmp_path / "hashing_texts.py").write_text(
        "import zlib\n"
        "def score(texts):\n"
        "    return [zlib.crc32(t.encode()) / 2**32 for t in texts]\n"
    )
    words = " ".join(f"w{i}" for i in range(14))
    (tmp_path / "t.txt").write_text(f"{words}\nshort one\n")
    command = ("text", "hashing_texts:score", "t.txt", "--python-path", ".", "-n", "128")
    done = run(*command, "--max-rel-se", "0.01", "--max-samples", "2048", "-o", "out")
    assert done.code == 0, done.err
    long, short = rows_of(tmp_path / "out" / "stability.csv")
    assert (long["n_repeats"], short["n_repeats"]) == ("16", "1")
    assert run(*command, "-r", "16", "-o", "whole").code == 0
    whole, _ = rows_of(tmp_path / "whole" / "stability.csv")
    assert long["n_model_inputs"] == whole["n_model_inputs"]
    assert "reached by 1 of 2 rows" in done.err


def test_a_bound_without_a_goal_is_refused(run, cancer):
    assert run("tabular", cancer.model, cancer.data, "--max-samples", "9").code == 2
