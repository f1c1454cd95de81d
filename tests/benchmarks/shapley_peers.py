"""Shapley values against the estimators of shap, shapiq and two papers, at equal model inputs.

    OMP_NUM_THREADS=1 python tests/benchmarks/shapley_peers.py [MODEL ...]

Breast cancer, 30 columns, 50 background rows; the models of shapley_time.py. A model input is one
coalition on one background row; each peer is given as many of them as the budget holds, and what
it really asked is counted. The truth: Tree SHAP's closed form for the forest; for the others the
mean of many long runs of xplain itself with other seeds, which is checked against walks in
antithetic pairs over all background rows (a difference of 1 standard error is due).
Prints for each budget the mean squared error over that of xplain (median over rows, mean over
seeds), the inputs asked and the milliseconds of process time a row beside the model.

Leverage SHAP: Musco and Witter 2024, arXiv:2410.01917. Regression MSR: Witter, Liu and Musco 2025,
arXiv:2506.11849, with XGBoost as the stand-in. Both are written anew here from the papers.
"""

import argparse
import time
import warnings
from math import comb

import numpy as np
from shapley_time import MODELS, Asked, by_leaves, ours, task_of, truth
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from xplain_cli.engine.model_calls import ModelCalls, run_together
from xplain_cli.methods.permutation import Permutation
from xplain_cli.scales import Scale
from xplain_cli.targets import Target

K, ROWS, SEEDS = 50, 4, 3
BUDGETS = (4096, 16384, 102400)
LONG = 16  # runs of the largest budget that make a reference


class Counted:
    """A model that counts its inputs and the process time that it takes."""

    def __init__(self, model):
        self.model, self.inputs, self.seconds = model, 0, 0.0

    def __call__(self, inputs):
        began = time.process_time()
        answers = self.model.predict_proba(np.asarray(inputs))[:, 1]
        self.seconds += time.process_time() - began
        self.inputs += len(inputs)
        return answers

    def predict(self, batch):
        return self(batch.to_numpy())[:, None]


class Watched(Asked):
    """The same as xplain asks it."""

    def __init__(self, counted):
        self.counted = counted

    def predict(self, batch):
        return self.counted.predict(batch)


def game_of(ask, row, background):
    def value(masks):
        masks = np.atleast_2d(np.asarray(masks, bool))
        inputs = np.where(masks[:, None], row, background[None])
        return ask(inputs.reshape(-1, len(row))).reshape(len(masks), -1).mean(axis=1)

    return value


def paired_draws(n, pairs, source):
    """Draw pairs, every size equally often, none twice: masks (2 m, n), chances by mask (2 m,)."""
    sizes = np.arange(1, n // 2 + 1)
    most = np.array([comb(n, s) / (2 if 2 * s == n else 1) for s in sizes])
    law = np.where(2 * sizes == n, 0.5, 1.0)
    low, high = 0.0, float(most.max() * 2)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if np.minimum(middle * law, most).sum() < pairs else (low, middle)
        )
    wanted = np.minimum(high * law, most)
    counts = np.floor(wanted).astype(int)
    for at in source.permutation(len(sizes)):
        if counts.sum() < pairs and counts[at] < most[at]:
            counts[at] += 1
    found, chances = [], []
    for size, count, all_of in zip(sizes, counts, most, strict=True):
        seen = set()
        while len(seen) < count:
            mask = np.zeros(n, dtype=bool)
            mask[source.choice(n, size, replace=False)] = True
            if 2 * size == n and not mask[0]:
                mask = ~mask
            seen.add(mask.tobytes())
        for one in sorted(seen):
            mask = np.frombuffer(one, dtype=bool)
            found += [mask, ~mask]
            chances += [count / all_of] * 2
    return np.array(found), np.array(chances)


def leverage(value, n, coalitions, seed):
    masks, chances = paired_draws(n, (coalitions - 2) // 2, np.random.default_rng(seed))
    ends = value(np.array([[False] * n, [True] * n]))
    gain, sizes = ends[1] - ends[0], masks.sum(axis=1)
    level = value(masks) - ends[0] - gain * sizes / n
    kernel = np.array([1 / (comb(n, s) * s * (n - s)) for s in sizes]) / chances
    root = np.sqrt(kernel)
    design = masks - masks.mean(axis=1, keepdims=True)
    return np.linalg.lstsq(design * root[:, None], level * root, rcond=None)[0] + gain / n


def regression_msr(value, n, coalitions, seed):
    import shap
    from xgboost import XGBRegressor

    masks, chances = paired_draws(n, (coalitions - 2) // 2, np.random.default_rng(seed))
    ends = np.array([[False] * n, [True] * n])
    masks, chances = np.concatenate([ends, masks]), np.concatenate([[1, 1], chances])
    answers, sizes = value(masks), masks.sum(axis=1)
    stand_in = XGBRegressor(random_state=seed, n_jobs=1).fit(masks, answers)
    known = shap.TreeExplainer(stand_in, data=np.zeros((1, n))).shap_values(np.ones(n))
    left = answers - stand_in.predict(masks)
    share = np.array([1 / (n * comb(n - 1, s)) for s in range(n)])
    inside = np.where(masks, share[np.maximum(sizes - 1, 0)][:, None], 0.0)
    outside = np.where(masks, 0.0, share[np.minimum(sizes, n - 1)][:, None])
    return known + ((left / chances)[:, None] * (inside - outside)).sum(axis=0)


def by_shapiq(kind, **options):
    def explain(ask, row, background, inputs, seed):
        import shapiq

        n = len(row)
        peer = getattr(shapiq.approximator, kind)(n=n, random_state=seed, **options)
        found = peer.approximate(inputs // K, game_of(ask, row, background))
        return np.array([found[(j,)] for j in range(n)])

    return explain


def by_game(estimate):
    def explain(ask, row, background, inputs, seed):
        return estimate(game_of(ask, row, background), len(row), inputs // K, seed)

    return explain


def kernel_of_shap(**options):
    def explain(ask, row, background, inputs, seed):
        import shap

        np.random.seed(seed)  # noqa: NPY002 - what shap draws from
        peer = shap.KernelExplainer(ask, background)
        return peer.shap_values(row, nsamples=inputs // K, silent=True, **options)

    return explain


def masked_of_shap(kind):
    def explain(ask, row, background, inputs, seed):
        import shap

        masker = shap.maskers.Independent(background, max_samples=K)
        if kind == "PartitionExplainer":
            masker = shap.maskers.Partition(background, max_samples=K)
        options = {"seed": seed} if kind == "PermutationExplainer" else {}
        np.random.seed(seed)  # noqa: NPY002 - what shap draws from
        peer = getattr(shap, kind)(ask, masker, **options)
        return peer(row[None], max_evals=max(inputs // K, 61), silent=True).values[0]

    return explain


def sampled_of_shap(ask, row, background, inputs, seed):
    import shap

    np.random.seed(seed)  # noqa: NPY002 - what shap draws from
    return shap.SamplingExplainer(ask, background).shap_values(row, nsamples=inputs // 2)


def walks_of_ours(ask, row, background, inputs, seed):
    task = task_of(Watched(ask), row[None], background, seed, inputs // K // 4, 4)
    asked = ModelCalls(
        Watched(ask), Target("yes", "fixed", ((0, -1),)), Scale("raw"), np.array([0]), 512
    )
    return run_together(asked, [(task.block, Permutation().explain(task))])[0].weights[0, 0]


def kernel_of_ours(dealt):
    def explain(ask, row, background, inputs, seed):
        asked, repeats = inputs if dealt == "one" else inputs // K, 16 if dealt == "one" else 4
        return ours(
            Watched(ask),
            row[None],
            background,
            seed=seed,
            samples=asked // repeats,
            repeats=repeats,
            dealt=dealt,
        ).weights[0, 0]

    return explain


PEERS = {
    "xplain kernel-shap": kernel_of_ours("one"),
    "xplain kernel-shap:rows=all": kernel_of_ours("all"),
    "xplain permutation": walks_of_ours,
    "Leverage SHAP": by_game(leverage),
    "Regression MSR (XGBoost)": by_game(regression_msr),
    "shap Kernel": kernel_of_shap(),
    "shap Kernel, l1_reg=False": kernel_of_shap(l1_reg=False),
    "shap Permutation": masked_of_shap("PermutationExplainer"),
    "shap Sampling": sampled_of_shap,
    "shap Partition (Owen values)": masked_of_shap("PartitionExplainer"),
    "shapiq KernelSHAP, paired": by_shapiq("KernelSHAP", pairing_trick=True),
    "shapiq KernelSHAPIQ, paired": by_shapiq("KernelSHAPIQ", pairing_trick=True, max_order=2),
    "shapiq RegressionFSII, paired": by_shapiq("RegressionFSII", pairing_trick=True, max_order=2),
    "shapiq kADDSHAP, paired": by_shapiq("kADDSHAP", pairing_trick=True, max_order=2),
    "shapiq UnbiasedKernelSHAP": by_shapiq("UnbiasedKernelSHAP", pairing_trick=True),
    "shapiq SVARM": by_shapiq("SVARM", pairing_trick=True),
    "shapiq SVARMIQ (stratified)": by_shapiq(
        "SVARMIQ", pairing_trick=True, max_order=1, index="SV"
    ),
    "shapiq StratifiedSampling": by_shapiq("StratifiedSamplingSV"),
    "shapiq PermutationSampling": by_shapiq("PermutationSamplingSV"),
    "shapiq OwenSampling": by_shapiq("OwenSamplingSV"),
    "shapiq ProxySPEX": by_shapiq("ProxySPEX", index="SV", max_order=1),
}


def long_reference(model, rows, background):
    """Return a reference, its variance (b, n), and its distance from walks in standard errors."""
    many = []
    for seed in range(LONG):
        samples, repeats = BUDGETS[-1] // 16, 16
        found = ours(
            Asked(model), rows, background, seed=9000 + seed, samples=samples, repeats=repeats
        )
        many.append(found.weights[:, 0])
    many = np.array(many)
    variance = many.var(axis=0, ddof=1) / LONG
    source = np.random.default_rng(7)
    walks = [np.stack([truth(Asked(model), r, background, source) for r in rows[:1]])]
    walks += [np.stack([truth(Asked(model), r, background, source) for r in rows[:1]])]
    spread = (walks[0] - walks[1]) / 2
    apart = (walks[0] + walks[1]) / 2 - many.mean(axis=0)[:1]
    return many.mean(axis=0), variance, np.sqrt((apart**2).sum() / (spread**2).sum())


def measure(explain, ask, rows, background, inputs):
    """Return errors (s, b, n), inputs a row, seconds a row beside the model (the median call)."""
    found, spent = np.empty((SEEDS, *rows.shape)), []
    explain(ask, rows[0], background, inputs, 99)  # imports
    ask.inputs = 0
    for seed in range(SEEDS):  # what a seed's first row makes for all rows is no row's own time
        for i, row in enumerate(rows):
            before, began = ask.seconds, time.process_time()
            found[seed, i] = explain(ask, row, background, inputs, 1 + seed)
            spent.append(time.process_time() - began - (ask.seconds - before))
    return found, ask.inputs / len(spent), np.median(spent)


def main():
    warnings.filterwarnings("ignore")
    words = argparse.ArgumentParser()
    words.add_argument("models", nargs="*", default=list(MODELS))
    words.add_argument("--peers", default="", help="only names that hold one of these, a,b,c")
    words.add_argument("--budgets", type=int, nargs="*", default=BUDGETS)
    typed = words.parse_args()
    X, y = load_breast_cancer(return_X_y=True)
    fitted, held, labels, _ = train_test_split(X, y, random_state=0)
    background = fitted[np.random.default_rng(0).choice(len(fitted), K, replace=False)]
    rows = held[:ROWS]
    for name in typed.models:
        model = MODELS[name].fit(fitted, labels)
        noise = np.zeros(rows.shape)
        if name == "forest":
            wanted = by_leaves(model, rows, background)
        else:
            wanted, noise, apart = long_reference(model, rows, background)
            print(f"{name}: reference off walks by {apart:.2f} standard errors", flush=True)
        for inputs in typed.budgets:
            own = None
            for peer, explain in PEERS.items():
                if own is not None and not any(part in peer for part in typed.peers.split(",")):
                    continue
                try:
                    found, asked, spent = measure(explain, Counted(model), rows, background, inputs)
                except Exception as error:  # noqa: BLE001 - a peer that cannot is told
                    print(f"{name:9} {inputs:6} {peer:30} {type(error).__name__}: {error}")
                    continue
                errors = ((found - wanted) ** 2 - noise).mean(axis=(0, 2))
                own = errors if own is None else own
                print(
                    f"{name:9} {inputs:6} {peer:30} {np.median(errors / own):9.2f} times the"
                    f" squared error ({np.median(errors):.1e}), {asked:8.0f} inputs,"
                    f" {spent * 1e3:7.1f} ms beside the model",
                    flush=True,
                )


if __name__ == "__main__":
    main()
