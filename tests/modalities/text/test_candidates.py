"""Texts that may stand as the nearest of a class."""

import json

import pandas as pd
from comments import against_nearest


def test_other_files_hold_candidates_and_decide_the_numbers(run, comments, tmp_path):
    (tmp_path / "more.txt").write_text("thank you so much, band\nwin cash\n", encoding="utf-8")
    _, rows = against_nearest(run, tmp_path, comments, baseline="nearest:class=fine,from=more.txt")
    assert set(rows["baseline_origin"]) == {"row 0"}
    plan = json.loads((tmp_path / "xplain-out" / "manifest.json").read_text(encoding="utf-8"))
    assert plan["plan"]["numbers"]["candidates"]


def test_labels_leave_only_texts_that_are_labelled_so(run, comments, tmp_path):
    table = pd.read_csv(comments / "comments.csv")
    table.assign(label=["fine", "unsure"] * 12).to_csv(tmp_path / "labelled.csv", index=False)
    _, rows = against_nearest(
        run,
        tmp_path,
        comments,
        baseline=f"nearest:class=fine,labels=label,from={tmp_path / 'labelled.csv'}",
    )
    numbers = rows["baseline_origin"].str.removeprefix("row ").astype(int)
    assert (numbers % 2 == 0).all()
