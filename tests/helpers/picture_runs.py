"""What a run on pictures wrote."""

from pathlib import Path

import pandas as pd

SIDE = 32


def weights(folder="xplain-out"):
    return pd.read_csv(Path(folder) / "weights.csv", keep_default_na=False, na_values=[""])


def stability(folder="xplain-out"):
    return pd.read_csv(Path(folder) / "stability.csv", keep_default_na=False, na_values=[""])
