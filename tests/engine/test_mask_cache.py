"""Equal masks are asked once."""

import pandas as pd
from comments import explained


def test_a_callable_is_asked_every_distinct_text_once(run, comments, tmp_path):
    (tmp_path / "t.txt").write_text("free free win\nfree cash\n")
    options = ("--python-path", str(comments), "--batch-size", "4")
    explained(run, comments, tmp_path, *options, model="judges:spam", data=tmp_path / "t.txt")
    stability = pd.read_csv(tmp_path / "xplain-out" / "stability.csv")
    # both texts have two words: 3 masks, and the text itself
    assert stability["n_model_inputs"].tolist() == [4, 4]
