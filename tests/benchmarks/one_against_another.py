"""Why one class and not another, in sentences, from a run with ``-b revert``.

    xplain tabular sample_data/wine.joblib sample_data/wine.csv -m kernel-shap -b revert \\
        -t predicted:vs:runner-up --rows 40:140 -o wine-pairs
    python tests/benchmarks/one_against_another.py wine-pairs
"""

import sys
from pathlib import Path

import pandas as pd

REASONS = 3


def main(folder):
    weights = pd.read_csv(Path(folder) / "weights.csv", dtype={"row_id": str})
    rows = pd.read_csv(Path(folder) / "stability.csv", dtype={"row_id": str})
    reasons = dict(iter(weights.groupby(["row_id", "target"])))
    for row in rows.itertuples():
        own, _, other = row.target.partition(":vs:")
        lines = reasons[row.row_id, row.target]
        moved = lines[lines["weight"] != 0]
        said = [
            f"{one.feature} is {one.feature_value:g} and not {one.baseline_value:g}"
            f" ({one.weight:+.2f})"
            for one in moved.head(REASONS).itertuples()
        ]
        more = f" and {len(moved) - REASONS} more" if len(moved) > REASONS else ""
        print(
            f"row {row.row_id}: {own} and not {other} (by {row.prediction:.2f};"
            f" {row.base_value:+.2f} if {row.n_changed} of {len(lines)} features were others):"
            f" {', '.join(said)}{more}"
        )


if __name__ == "__main__":
    main(sys.argv[1])
