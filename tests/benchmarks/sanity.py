"""What sanity checks say of baselines on digits: curves under one replacement, randomised models.

    python tests/benchmarks/sanity.py                 # NumPy alone: zero, mean, nearest, sample
    python tests/benchmarks/sanity.py --ganmex 2000   # with a generator of so many steps (torch)
    python tests/benchmarks/sanity.py --page why.html # "why 3 and not 8", ten threes, as a page

A multilayer perceptron (64, 64) on digits 0 to 999 with noise, baselines from these, replacements
from digits 1,000 to 1,599, explained are 100 others. Exit 1 where a claim of the documents fails.
"""

import argparse
import contextlib
import io
import os
import pickle
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from xplain_cli.main import main

COLUMNS = [f"p{row}{column}" for row in range(8) for column in range(8)]
ASKED = ("-m", "ig", "-q", "-j", "1")
RUNNER_UP = "predicted:vs:runner-up"
GRID = ("--grid", "8x8")


def xplain(*words):
    """Run the tool in this process; return what it printed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(word) for word in words])
        except SystemExit as ending:
            code = ending.code
    if code:
        raise SystemExit(f"xplain {' '.join(map(str, words))}: exit {code}\n{err.getvalue()}")
    return err.getvalue()


def prepare():
    """Write model and tables into the working folder; return the classes of the rows."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = x[order], y[order]
    source = np.random.default_rng(1)
    noisy = []
    for _ in range(5):
        size = source.uniform(0, 4, (1000, 1))
        noisy.append(np.clip(x[:1000] + size * source.standard_normal((1000, 64)), 0, 16))
    rows = pd.DataFrame(np.concatenate([x[:1000], *noisy]), columns=COLUMNS)
    model = MLPClassifier((64, 64), max_iter=120, random_state=0)
    model.fit(rows, np.tile(y[:1000], 6).astype(str))
    Path("m.pkl").write_bytes(pickle.dumps(model))
    parts = {"seen": slice(0, 1000), "unseen": slice(1000, 1600), "rows": slice(1600, 1700)}
    tables = {
        name: pd.DataFrame(x[part].astype(int), columns=COLUMNS) for name, part in parts.items()
    }
    threes = x[1600:][y[1600:] == 3][:10]
    tables["threes"] = pd.DataFrame(threes.astype(int), columns=COLUMNS)
    for name, table in tables.items():
        table.to_csv(f"{name}.csv", index=False)


def compare(baselines, rows, target, out):
    """Explain under each baseline."""
    named = [word for one in baselines for word in ("-b", one)]
    words = ("m.pkl", rows, "--background", "seen.csv", *ASKED, "-t", target)
    xplain("tabular", *words, *named, "-o", out)


def curves(baselines):
    """Print the curves; return the share of the drop by baseline."""
    compare(baselines, "rows.csv", RUNNER_UP, "why")
    xplain("evaluate", "why", "--curves", "--replacements", "unseen.csv", *GRID)
    frame = pd.read_csv("why/curves.csv")
    told = ["share_of_drop", "share_random", "turned", "gini", "baseline_distance"]
    means = frame.groupby("baseline", sort=False)[told].mean()
    print(means.round(3).to_string(), end="\n\n", flush=True)
    return means["share_of_drop"]


def randomised(baselines):
    """Print how alike explanations stay with the top layer drawn anew; return SSIM by state."""
    found = {}
    for name in baselines:
        folder = next(path for path in Path("why").iterdir() if path.name == name.replace(":", "-"))
        said = xplain("evaluate", folder, "--randomize", "--most-layers", "1", *GRID)
        print(*(line for line in said.splitlines() if "warning" in line), sep="\n", end="")
        frame = pd.read_csv(folder / "randomization.csv")
        told = ["ssim", "spearman", "spearman_signed", "baseline_in_class", "explained"]
        means = frame.groupby("state", sort=False)[told].mean()
        print(name, means.round(3).to_string(), sep="\n", end="\n\n", flush=True)
        found[name] = means["ssim"]
    return found


def claims(drop, alike, ganmex):
    """Yield each claim and whether it holds."""
    yield "nearest above black by .15", drop["nearest"] - drop["zero"] >= 0.15
    yield "nearest: refitted SSIM at most .3", alike["nearest"]["refitted"] <= 0.3
    apart = alike["nearest"]["fixed"] - alike["nearest"]["refitted"]
    yield "nearest: fixed SSIM at least .3 above refitted", apart >= 0.3
    yield "nearest: control at least .9", alike["nearest"]["control"] >= 0.9
    if ganmex is not None:
        yield "ganmex above black by .15", drop[ganmex] - drop["zero"] >= 0.15
        yield "ganmex: fixed SSIM at least .6", alike[ganmex].get("fixed", 0) >= 0.6
        yield "ganmex: refitted SSIM at most .3", alike[ganmex]["refitted"] <= 0.3
        yield "ganmex: control at least .9", alike[ganmex]["control"] >= 0.9


def run():
    """Measure, print, and judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--ganmex", type=int, help="steps of a generator")
    parser.add_argument("--page", help="where the page of ten threes goes")
    asked = parser.parse_args()
    page = None if asked.page is None else Path(asked.page).absolute()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        prepare()
        baselines, ganmex = ["zero", "nearest", "sample:k=20"], None
        if asked.ganmex:
            steps = ("--steps", asked.ganmex, "-o", "G.xplain", "-q")
            xplain("baselines", "train", "ganmex", "m.pkl", "seen.csv", *steps)
            ganmex = "ganmex=G.xplain"
            baselines.append(ganmex)
        if page is not None:
            compare(baselines, "threes.csv", "3:vs:8", "threes")
            words = ("--curves", "--replacements", "unseen.csv", *GRID, "--report", page)
            xplain("evaluate", "threes", *words)
            print(page)
        drop, alike = curves(baselines), randomised(baselines)
        judged = [*claims(drop, alike, ganmex)]
        os.chdir("/")
    for claim, holds in judged:
        print("ok    " if holds else "FAILED", claim)
    sys.exit(not all(holds for _, holds in judged))


if __name__ == "__main__":
    run()
