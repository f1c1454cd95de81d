"""How rows and background are read as the model takes them."""

import pandas as pd
from running import SMALL


def test_a_type_for_a_column_that_only_data_has_leaves_the_background_alone(run, cancer, tmp_path):
    background = tmp_path / "background.csv"
    pd.read_csv(cancer.data).drop(columns="id").to_csv(background, index=False)
    options = ("--background", background, "--dtype", "id=text", "--id-column", "id")
    done = run("tabular", cancer.model, cancer.data, *SMALL, "--rows", "0:2", *options)
    assert done.code == 0, done.err
