"""Whether rows that claim --max-rel-se hold it against the exact weights, and what they cost."""

import argparse
import json
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[2]


def make(folder, rows):
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import RandomForestClassifier

    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    model = RandomForestClassifier(50, max_depth=6, random_state=0).fit(X, y)
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    X.head(rows).to_csv(folder / "data.csv", index=False)


def explain(folder, *options):
    command = [sys.executable, "-m", "xplain_cli", "tabular", "model.pkl", "data.csv", "-q"]
    spread = ["--backend", "serial", "--force", "-o", "out"]
    subprocess.run(
        [*command, *spread, *options],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )
    out = folder / "out"
    weights = pd.read_csv(out / "weights.csv").pivot_table(
        index="row_id", columns="feature", values="weight"
    )
    stability = pd.read_csv(out / "stability.csv").set_index("row_id").loc[weights.index]
    return weights.to_numpy(), stability, json.loads((out / "manifest.json").read_text())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--goal", type=float, default=0.05)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, asked.rows)
        exact, _, _ = explain(folder, "-m", "lime:exact=yes")
        for seed in range(asked.seeds):
            options = ["--max-rel-se", str(asked.goal), "-n", "512", "-r", "4", "-s", str(seed)]
            found, stability, manifest = explain(folder, *options, "--max-samples", "65536")
            goal, used = manifest["precision_goal"], stability["n_repeats"]
            claims = (stability["max_rel_se"] <= asked.goal).to_numpy()
            # the error that was promised: of the worst weight, one and two standard errors
            worst = np.abs(found - exact).max(axis=1) / np.abs(found).max(axis=1)
            one, two = (worst[claims] <= k * asked.goal for k in (1, 1.96))
            print(
                f"seed {seed}: {goal['rows_reached']} of {goal['rows']} rows reached it;"
                f" {claims.sum()} claim it; off by at most the goal {one.mean():.3f}, by 1.96"
                f" times the goal {two.mean():.3f}; repeats of 512: mean {used.mean():.1f}, max"
                f" {used.max()}",
                flush=True,
            )


if __name__ == "__main__":
    main()
