"""LIME on binned tables: are its errors honest, and how do two checkouts compare?

python tests/benchmarks/binned.py [--seeds 60] [--cases forest wide ...] [--against OLD_CHECKOUT]

Of each case: coverage of 95 % intervals and stated over true error (against the closed form where
there is one, else against the mean over seeds), bias against that, process time a row without the
model; and with --against the variance of the other checkout over ours, on the same draws.
"""

import argparse
import os
import pickle
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

HERE = Path(__file__).parent
SAMPLE = HERE.parents[1] / "sample_data"
ROWS = tuple(range(0, 160, 20))


def stored(folder, name, model, table):
    """Keep a model and a table; return their paths."""
    (folder / f"{name}.pkl").write_bytes(pickle.dumps(model))
    table.to_csv(folder / f"{name}.csv", index=False)
    return folder / f"{name}.pkl", folder / f"{name}.csv"


def cancer(folder, name, model):
    from sklearn.datasets import load_breast_cancer

    table, label = load_breast_cancer(return_X_y=True, as_frame=True)
    return stored(folder, name, model.fit(table, label), table)


def forest(folder):
    from sklearn.ensemble import RandomForestClassifier

    return cancer(folder, "forest", RandomForestClassifier(50, random_state=0))


def mlp(folder):
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    net = MLPClassifier((32, 16), max_iter=800, random_state=0)
    return cancer(folder, "mlp", make_pipeline(StandardScaler(), net))


def boosting(folder):
    from sklearn.datasets import load_diabetes
    from sklearn.ensemble import GradientBoostingRegressor

    table, label = load_diabetes(return_X_y=True, as_frame=True)
    model = GradientBoostingRegressor(random_state=0).fit(table, label)
    return stored(folder, "boosting", model, table)


def mixed(folder):
    """Numbers, and categories of which some are in one of a thousand rows or fewer."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    rng = np.random.default_rng(0)
    rows = 4000
    kinds = np.array(list("abcdefghij"), dtype=object)
    shares = np.array([0.5, 0.3, 0.1, 0.05, 0.03, 0.01, 0.006, 0.003, 0.0007, 0.0003])
    table = pd.DataFrame({
        "job": rng.choice(kinds, rows, p=shares / shares.sum()),
        "town": rng.choice(kinds, rows, p=shares / shares.sum()),
        "flag": rng.choice(["yes", "no"], rows, p=[0.002, 0.998]),
        "age": rng.normal(40, 10, rows).round(1),
        "pay": rng.lognormal(3, 1, rows).round(2),
        "hours": rng.choice([0.0, 20.0, 40.0], rows, p=[0.7, 0.1, 0.2]),
    })
    table.loc[rng.random(rows) < 0.1, "pay"] = np.nan
    for i, rare in enumerate(kinds[3:]):
        table.loc[20 * i, ["job", "flag"]] = [rare, "yes"]
    strange = table["job"].isin(kinds[4:]) | (table["flag"] == "yes")
    score = strange * 1.5 + (table["age"] > 45) * (table["town"] == "b") + (table["hours"] > 0)
    label = score + rng.normal(size=rows) > 1
    encode = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["job", "town", "flag"]),
        remainder="passthrough",
        sparse_threshold=0,
    )
    model = make_pipeline(encode, HistGradientBoostingClassifier(max_iter=60, random_state=0))
    return stored(folder, "mixed", model.fit(table, label), table)


def wide(folder):
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(600, 500)), columns=[f"x{j}" for j in range(500)])
    slopes = rng.normal(size=500) * (rng.random(500) < 0.1)
    label = table.to_numpy() @ slopes + rng.normal(size=600) > 0
    return stored(folder, "wide", LogisticRegression(max_iter=2000).fit(table, label), table)


def interaction(folder):
    from sklearn.tree import DecisionTreeRegressor

    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(2000, 6)), columns=list("abcdef"))
    value = ((table.a > 0) ^ (table.b > 0)) + 0.3 * (table.c > 0) * table.d
    model = DecisionTreeRegressor(max_leaf_nodes=200, random_state=0).fit(table, value)
    return stored(folder, "interaction", model, table)


# where few columns would have more draws by default, both checkouts have as many
CASES = {
    "forest": (forest, {}),
    "forest 8x256": (forest, {"samples": 256}),
    "forest 4x1024": (forest, {"repeats": 4}),
    "forest 1x1024": (forest, {"repeats": 1}),
    "forest width 1": (forest, {"method": "lime:kernel_width=1"}),
    "mlp": (mlp, {}),
    "boosting": (boosting, {"samples": 1024}),
    "boosting 8x128": (boosting, {"samples": 128}),
    "interaction": (interaction, {"samples": 1024}),
    "mixed": (mixed, {"samples": 1024}),
    "wide": (wide, {"samples": 2048}),
}


def exact(case):
    """Return the settings of the closed form, of models that have one."""
    return {"method": "lime:exact=yes"} if case.split()[0] in {"forest", "boosting"} else None


def measure(case, seeds, folder):
    """Explain the rows of a case with every seed: what is found, and seconds a row."""
    from inside import explain, explainer_of, open_case

    from xplain_cli.engine import explainer as engine

    make, settings = CASES[case]
    files = make(folder)
    rows = ROWS[:3] if case == "wide" else ROWS
    opened = open_case(*files, rows, **settings)
    found = {name: [] for name in ("weights", "std_error", "ci_low", "ci_high", "local_r2")}
    spent, real = [], engine.answer_rows
    for seed in range(seeds):
        explainer = explainer_of(opened, 1000 + seed)
        answers = real(explainer._asked, explainer.assignment.signature, opened.block.inputs)
        engine.answer_rows = lambda *_, known=answers: known  # the model's time is not ours
        explainer._explain_rows(opened.block)
        began = time.process_time()
        explained, _ = explainer._explain_rows(opened.block)
        spent.append((time.process_time() - began) / len(rows))
        got, sure = explained[0][0].attribution, explained[0][0].stability
        for name, values in found.items():
            values.append(getattr(got if hasattr(got, name) else sure, name)[:, 0])
    arrays = {name: np.array(values) for name, values in found.items()}
    arrays["seconds"] = np.array(spent)
    engine.answer_rows = real
    known = exact(case) if "width" not in case else None
    if known:
        arrays["truth"] = explain(open_case(*files, rows, **known), 0)[0].weights[:, 0]
    return arrays


def judge(case, found, other):
    """Print how honest the errors of a case are, and how the other checkout compares."""
    weights = found["weights"]
    mean = weights.mean(axis=0)
    truth = found.get("truth", mean)
    seeds = len(weights)
    inside = (found["ci_low"] <= truth) & (truth <= found["ci_high"])
    true = weights.var(axis=0, ddof=1)
    stated = (found["std_error"] ** 2).mean(axis=0)
    bias = np.sqrt(((mean - truth) ** 2).mean() / true.mean() * (seeds if "truth" in found else 1))
    print(
        f"{case:<16} coverage {inside.mean():6.1%} (worst feature"
        f" {inside.mean(axis=(0, 1)).min():6.1%})  stated/true"
        f" {np.sqrt(stated.mean() / true.mean()):.2f}  bias/its error {bias:.2f}"
        f"  r2 {np.nanmean(found['local_r2']):.3f}"
        f"  {np.median(found['seconds']) * 1e3:.2f} ms a row",
        flush=True,
    )
    if other is not None:
        theirs = other["weights"].var(axis=0, ddof=1)
        shift = other["weights"].mean(axis=0) - mean
        noise = np.sqrt((theirs + true) / seeds)
        z = np.abs(shift)[noise > 0] / noise[noise > 0]
        moved = np.abs(weights - other["weights"]).mean() / np.sqrt(true.mean())
        print(
            f"{'':<16} variance of ours/theirs {true.sum() / theirs.sum():.3f}"
            f" (rows {np.round(true.sum(axis=1) / theirs.sum(axis=1), 2).tolist()})"
            f"  means part by {np.sqrt((z**2).mean()):.2f} of their error,"
            f" weights move by {moved:.2f} se, r2 {np.nanmean(other['local_r2']):.3f}"
            f"  {np.median(other['seconds']) * 1e3:.2f} ms a row",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("--cases", nargs="+", default=list(CASES))
    parser.add_argument("--against", type=Path)
    parser.add_argument("--only-save", type=Path)
    asked = parser.parse_args()
    for case in asked.cases:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            other = None
            if asked.against:
                command = [sys.executable, __file__, "--seeds", str(asked.seeds), "--cases", case]
                place = os.pathsep.join(
                    str(asked.against / part) for part in (".", "tests/benchmarks")
                )
                subprocess.run(
                    [*command, "--only-save", str(folder / "other.npz")],
                    check=True,
                    env=os.environ | {"PYTHONPATH": place, "XPLAIN_OTHER": place},
                )
                other = np.load(folder / "other.npz")
            found = measure(case, asked.seeds, folder)
            if asked.only_save:
                np.savez(asked.only_save, **found)
            else:
                judge(case, found, other)


if __name__ == "__main__":
    if "XPLAIN_OTHER" in os.environ:  # the other checkout's own way in goes before ours
        sys.path[:0] = os.environ["XPLAIN_OTHER"].split(os.pathsep)
    main()
