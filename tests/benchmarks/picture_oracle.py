"""The same estimand as lime's LimeImageExplainer, with the same superpixels and hidden colour.

python tests/benchmarks/picture_oracle.py [--pictures 10] [--runs 20]
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
from PIL import Image

FOLDER = Path(__file__).parents[2] / "sample_data" / "pictures"


class Network:
    """The sample network on pictures (rows, h, w, 3) of 0 to 255, as lime hands them."""

    def __init__(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(FOLDER / "scenes.onnx", options)

    def __call__(self, pictures):
        inputs = np.moveaxis((np.asarray(pictures) / 255 - 0.5) / 0.25, 3, 1)
        return self.session.run(["probabilities"], {"pixels": inputs.astype(np.float32)})[0]


def ours(folder, pictures, method):
    """Run the tool; return weights by picture, and the superpixels it used."""
    command = [sys.executable, "-m", "xplain_cli", "image", FOLDER / "scenes.onnx"]
    command += [FOLDER / "scenes", "--rescale", "1/255", "--mean", ".5", "--std", ".25"]
    command += ["--rows", f"0:{pictures}", "-o", folder, "-m", method, "-q", "-j", "1"]
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL)
    table = pd.read_csv(folder / "weights.csv")
    index = json.loads((folder / "segments" / "index.json").read_text())
    labels = {
        name: np.asarray(Image.open(folder / "segments" / files[0])).astype(int)
        for name, files in index.items()
    }
    return table, labels


def theirs(path, labels, target, runs):
    """Return lime's weights (runs, S) at its defaults."""
    from lime.lime_image import LimeImageExplainer

    picture, found = np.asarray(Image.open(path), dtype=np.float64), []
    network = Network()
    for seed in range(runs):
        explained = LimeImageExplainer(random_state=seed).explain_instance(
            picture,
            network,
            labels=(target,),
            top_labels=None,
            batch_size=50,
            segmentation_fn=lambda _: labels,
        )
        weights = dict(explained.local_exp[target])
        found.append([weights[s] for s in range(labels.max() + 1)])
    return np.array(found)


def main():
    """Print how many coefficients lie within 3 standard errors, and the ratio of variances."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=10)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--methods", nargs="*", default=["lime", "lime:ridge=1"])
    arguments = parser.parse_args()
    peers = {}
    for method in arguments.methods:
        with tempfile.TemporaryDirectory() as folder:
            table, labels = ours(Path(folder) / "run", arguments.pictures, method)
        scores, spreads = [], []
        ordered = table.sort_values("feature_index", kind="stable")
        for name, rows in ordered.groupby("row_id", sort=False):
            if name not in peers:
                path = FOLDER / "scenes" / name
                target = int(rows["target"].iloc[0])
                peers[name] = theirs(path, labels[name], target, arguments.runs)
            runs = peers[name]
            error = np.sqrt(runs.var(axis=0, ddof=1) / len(runs) + rows["std_error"] ** 2)
            scores += list(np.abs(runs.mean(axis=0) - rows["weight"]) / error)
            once = (rows["std_over_seeds"] ** 2).sum()
            spreads.append(runs.var(axis=0, ddof=1).sum() / once)
        near = np.mean(np.array(scores) <= 3)
        print(
            f"{method:14s} {len(scores)} coefficients, within 3 standard errors: {near:.1%};"
            f" variance of lime (1000 masks) over ours (512): median {np.median(spreads):.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
