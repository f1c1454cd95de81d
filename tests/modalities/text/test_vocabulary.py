"""The vocabulary of a run."""

import pandas as pd
import pytest
from comments import explained


def test_the_vocabulary_sums_up_documents(run, comments, tmp_path):
    weights = explained(run, comments, tmp_path, "--text-column", "CONTENT")
    words = pd.read_csv(tmp_path / "xplain-out" / "vocabulary.csv").set_index("feature")
    free = weights[weights["feature"] == "free"]["weight"]
    assert words.loc["free", "n_documents"] == len(free)
    assert words.loc["free", "mean_weight"] == pytest.approx(free.mean())
    assert words.loc["free", "std_error"] == pytest.approx(free.std(ddof=1) / len(free) ** 0.5)
