"""What learned baselines reach: digits, a shared body, large pictures, a mixed table, and the trap.

    python tests/benchmarks/ganmex.py [digits] [body] [large] [loans] [trap] [--seeds 0,1,2]

Torch is needed. ``--seeds`` are those of digits and large; each takes one to two minutes of process
time, one thread. ``nearest`` is the nearest training row that the model puts in the class, by mean
absolute distance. ``judge`` is a support vector machine on the true labels, which neither the model
nor the generator has seen; ``own judge`` the one that is kept in the file.
"""

import argparse
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from xplain_cli.baselines.adversaries import recipe_for
from xplain_cli.baselines.generators import warnings_of
from xplain_cli.baselines.lessons import picture_examples, table_examples
from xplain_cli.baselines.training import class_head, fit_generator, rated
from xplain_cli.models.contract import Signature
from xplain_cli.models.estimators.networks import estimator_gradient
from xplain_cli.models.gradients import Readout

LOANS = Path(__file__).parents[2] / "sample_data" / "loans.csv"


def network(X, y, noise, hidden=(64, 64), copies=8, seed=0):
    """Fit a network on rows in [-1, 1] and noisy copies of them."""
    rng = np.random.default_rng(seed)
    many = [
        X + noise * rng.random((len(X), 1)) * rng.standard_normal(X.shape) for _ in range(copies)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLPClassifier(hidden, max_iter=60, random_state=seed)
        return model.fit(np.concatenate([X, *many]), np.tile(y, copies + 1))


def gradient_of(model):
    names = tuple(map(str, model.classes_))
    said = Signature(
        "predict_proba", "classification", "probability", names, None, margin=False, note=""
    )
    return estimator_gradient(model, said, lambda batch: batch)


def lessons(X, shape, gradient, *others):
    """Return the lessons of pictures (m, D) in [-1, 1], all in the space of the first."""
    pictures = [("", one.reshape(shape), False) for one in X]
    first = picture_examples(pictures, lambda one: one.ravel(), {})
    made = [first.lesson(gradient)]
    for more in others:
        rows = [one.reshape(shape) for one in more]
        made.append(replace(first, rows=rows).lesson(gradient))
    return made


def every_pair(head, lesson, outputs):
    own = head.classes(lesson.points)
    pairs = [(i, k) for i, mine in enumerate(own) for k in range(outputs) if k != mine]
    rows, wanted = np.array(pairs).T
    return lesson.of(rows), own[rows], wanted


def nearest(vectors, classes, rows, wanted):
    made = np.empty(rows.shape)
    for i, (row, k) in enumerate(zip(rows, wanted, strict=True)):
        some = vectors[classes == k]
        made[i] = some[np.abs(some - row).mean(axis=1).argmin()]
    return made


def integrated(gradient, lesson, made, pairs, nodes=64):
    """Return Integrated Gradients (m, D) of scores from made rows to rows, by midpoints."""
    readout = Readout(pairs, gradient.link, "raw")
    ends, total = lesson.moved(made), np.zeros(lesson.vectors.shape)
    for share in (np.arange(nodes) + 0.5) / nodes:
        points = ends + share * (lesson.points - ends)
        total += lesson.pull.back(gradient.derive(points, readout.slopes)[0]) / nodes
    return total * (lesson.vectors - made)


def gini(weights):
    sizes = np.sort(np.abs(weights), axis=1)
    n = sizes.shape[1]
    order = 2 * np.arange(1, n + 1) - n - 1
    return float(((order * sizes).sum(axis=1) / (n * sizes.sum(axis=1) + 1e-12)).mean())


def told(name, rates, judge, more=""):
    print(
        f"{name:22} target {rates.target:.3f}  judge {judge:.3f}  own judge {rates.judge:.3f}"
        f" (of real rows {rates.judge_real:.3f})"
        f"  L1 {rates.distance:.3f} {more}",
        flush=True,
    )


def digits(seeds=(0, 1, 2)):
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    X, y = X[order] / 8 - 1, y[order]
    model, judge = network(X[:1200], y[:1200], 0.5), SVC().fit(X[:1200], y[:1200])
    print(f"digits: accuracy of the model {model.score(X[1200:], y[1200:]):.3f}")
    gradient = gradient_of(model)
    lesson, some = lessons(X[:1200], (8, 8, 1), gradient, X[1200:1400])
    head = class_head(gradient, lesson.points)
    rows, own, wanted = every_pair(head, some, 10)
    pairs = np.column_stack([own, wanted])
    near = nearest(lesson.vectors, head.classes(lesson.points), rows.vectors, wanted)
    means = []
    for seed in seeds:
        began = time.process_time()
        learned = fit_generator(lesson, gradient, recipe_for(lesson.form), seed)
        spent = time.process_time() - began
        made = learned.generator.made(rows.vectors, rows.fixed, wanted)
        found = rated(rows, head, learned.generator.judge, made, wanted)
        agreed = float((judge.predict(made) == wanted).mean())
        g = gini(integrated(gradient, rows, made, pairs))
        means.append((found.target, agreed, found.judge, found.distance, g, spent))
        told(f"seed {seed}", found, agreed, f"Gini {g:.3f}  {spent:.0f} s, step {learned.step}")
    by_near = rated(rows, head, learned.generator.judge, near, wanted)
    g = gini(integrated(gradient, rows, near, pairs))
    told("nearest", by_near, float((judge.predict(near) == wanted).mean()), f"Gini {g:.3f}")
    mean = np.mean(means, axis=0)
    print(
        f"mean of {len(seeds)}: target {mean[0]:.3f}, judge {mean[1]:.3f}, own judge {mean[2]:.3f},"
        f" L1 {mean[3] / by_near.distance:.3f} of nearest, Gini {mean[4]:.3f} ({g:.3f}),"
        f" {mean[5]:.0f} s"
    )


def shared_body(n=800, seed=0):
    """A disc or ring on the left, an upright or level bar in the corner: class = 2 body + mark."""
    rng = np.random.default_rng(seed)
    X, y, grid = np.empty((n, 144)), rng.integers(0, 4, n), np.mgrid[:12, :12]
    for i in range(n):
        picture = np.full((12, 12), -0.8)
        far = np.hypot(grid[0] - rng.uniform(3, 9), grid[1] - rng.uniform(2.5, 3.5))
        body = far < 2.6 if y[i] // 2 == 0 else (far < 2.8) & (far > 1.5)
        picture[body] = rng.uniform(0.3, 1)
        bar = np.s_[7:11, 8:10] if y[i] % 2 == 0 else np.s_[8:10, 7:11]
        picture[bar] = rng.uniform(0.3, 1)
        X[i] = (picture + 0.1 * rng.standard_normal((12, 12))).ravel()
    return X.clip(-1, 1), y


def body():
    X, y = shared_body()
    model, judge = network(X[:600], y[:600], 0.5), SVC().fit(X[:600], y[:600])
    print(f"shared body: accuracy of the model {model.score(X[600:], y[600:]):.3f}")
    gradient = gradient_of(model)
    lesson, some = lessons(X[:600], (12, 12, 1), gradient, X[600:])
    head = class_head(gradient, lesson.points)
    own = head.classes(some.points)
    wanted = own ^ 1
    began = time.process_time()
    recipe = replace(recipe_for(lesson.form), steps=1250)
    learned = fit_generator(lesson, gradient, recipe, 0)
    spent = time.process_time() - began
    region = np.zeros((12, 12), dtype=bool)
    region[6:, 6:] = True
    baselines = {
        "ganmex": learned.generator.made(some.vectors, some.fixed, wanted),
        "nearest": nearest(lesson.vectors, head.classes(lesson.points), some.vectors, wanted),
        "black": np.full(some.vectors.shape, -1.0),
    }
    for name, made in baselines.items():
        said = []
        for label, minus in (("z_o", np.full(len(own), -1)), ("z_o-z_t", wanted)):
            weights = np.abs(integrated(gradient, some, made, np.column_stack([own, minus])))
            mass = (weights[:, region.ravel()].sum(axis=1) / weights.sum(axis=1)).mean()
            said.append(f"mass in region {label} {mass:.3f}")
        found = rated(some, head, learned.generator.judge, made, wanted)
        told(name, found, float((judge.predict(made) == wanted).mean()), ", ".join(said))
    print(f"trained in {spent:.0f} s, step {learned.step}")


def enlarged(n=1200, seed=0):
    """Digits of 24 x 24, bilinearly enlarged, somewhere in 28 x 28; in [-1, 1]."""
    from PIL import Image

    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(X))[:n]
    made = np.full((n, 28, 28), -1.0)
    for i, at in enumerate(order.tolist()):
        small = Image.fromarray((X[at].reshape(8, 8) / 8 - 1).astype(np.float32))
        dy, dx = rng.integers(0, 5, 2)
        made[i, dy : dy + 24, dx : dx + 24] = np.asarray(
            small.resize((24, 24), Image.Resampling.BILINEAR)
        )
    return made.reshape(n, -1).clip(-1, 1), y[order]


def large(seeds=(0, 1, 2)):
    X, y = enlarged()
    model, judge = network(X[:1000], y[:1000], 0.5, copies=4), SVC().fit(X[:1000], y[:1000])
    print(f"28 x 28: accuracy of the model {model.score(X[1000:], y[1000:]):.3f}", end=", ")
    print(f"of the judge {judge.score(X[1000:], y[1000:]):.3f}")
    gradient = gradient_of(model)
    lesson, some = lessons(X[:1000], (28, 28, 1), gradient, X[1000:1060])
    head = class_head(gradient, lesson.points)
    rows, _, wanted = every_pair(head, some, 10)
    near = nearest(lesson.vectors, head.classes(lesson.points), rows.vectors, wanted)
    for seed in seeds:
        began = time.process_time()
        learned = fit_generator(lesson, gradient, recipe_for(lesson.form), seed)
        spent = time.process_time() - began
        made = learned.generator.made(rows.vectors, rows.fixed, wanted)
        found = rated(rows, head, learned.generator.judge, made, wanted)
        agreed = float((judge.predict(made) == wanted).mean())
        told(f"seed {seed}", found, agreed, f"{spent:.0f} s, step {learned.step}")
    found = rated(rows, head, learned.generator.judge, near, wanted)
    told("nearest", found, float((judge.predict(near) == wanted).mean()))


def loans():
    rows = pd.read_csv(LOANS).drop(columns="application")
    y = rows.pop("decision")
    words = [
        c for c in rows if rows[c].dtype.kind in "Ob" or not pd.api.types.is_numeric_dtype(rows[c])
    ]
    rows = rows.astype({c: object if c in words else float for c in rows}).dropna(ignore_index=True)
    y = y[pd.read_csv(LOANS).notna().all(axis=1)]
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), words),
        (StandardScaler(), [c for c in rows if c not in words]),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = MLPClassifier((32, 16), max_iter=300, alpha=1e-2, random_state=0)
        model = make_pipeline(columns, net).fit(rows, y)
    judge = make_pipeline(columns, SVC(class_weight="balanced")).fit(rows, model.predict(rows))
    examples = table_examples(rows, frozenset(words), ())
    gradient = gradient_of(model)
    lesson = examples.lesson(gradient)
    began = time.process_time()
    learned = fit_generator(lesson, gradient, recipe_for(lesson.form), 0)
    spent = time.process_time() - began
    head = class_head(gradient, lesson.points)
    pairs, _, wanted = every_pair(
        head, lesson.of(np.arange(min(400, len(rows)))), len(model.classes_)
    )
    made = learned.generator.made(pairs.vectors, pairs.fixed, wanted)
    taken = np.repeat(np.arange(min(400, len(rows))), len(model.classes_) - 1)
    table = examples.space.rows(made, rows.iloc[taken].reset_index(drop=True))
    there = model.classes_.tolist().index
    reached = np.mean([there(k) for k in model.predict(table)] == wanted)
    judged = np.mean([there(k) for k in judge.predict(table)] == wanted)
    print(f"loans: made rows, asked again: the model {reached:.3f}, a judge {judged:.3f}")
    told("rows not seen", learned.rates, float("nan"), f"{spent:.0f} s, step {learned.step}")
    whole = all(
        (table[one.name] == table[one.name].round()).all()
        for one in examples.space.columns
        if one.whole
    )
    known = all(set(table[c]) <= set(rows[c]) for c in words)
    inside = all(
        table[c].between(rows[c].min(), rows[c].max()).all() for c in rows if c not in words
    )
    sums = all((made[:, a:b].sum(axis=1) == 1).all() for a, b in lesson.form.groups)
    print(
        f"whole numbers whole {whole}, known categories {known}, in range {inside}, one-hot {sums}"
    )


def trap():
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    X, y = X[order] / 8 - 1, y[order]
    judge = SVC().fit(X[:1200], y[:1200])
    for noise in (0.0, 0.5):
        model = network(X[:1200], y[:1200], noise)
        gradient = gradient_of(model)
        lesson, some = lessons(X[:1200], (8, 8, 1), gradient, X[1200:1400])
        head = class_head(gradient, lesson.points)
        own = head.classes(some.points)
        wanted = (own + np.random.default_rng(1).integers(1, 10, len(own))) % 10
        made = some.vectors.copy()
        for _ in range(60):
            slopes = lesson.pull.back(head.loss(some.moved(made), wanted)[1])
            made = made - 0.02 * np.sign(slopes)
            made = (some.vectors + (made - some.vectors).clip(-0.5, 0.5)).clip(-1, 1)
        quick = replace(recipe_for(lesson.form), steps=1, every=1)
        judged = fit_generator(lesson, gradient, quick, 0).generator.judge
        found = rated(some, head, judged, made, wanted)
        told(f"PGD .5, noise {noise}", found, float((judge.predict(made) == wanted).mean()))
        print("   the note:", *warnings_of(found))


PARTS = {"digits": digits, "body": body, "large": large, "loans": loans, "trap": trap}
SEEDED = (digits, large)

if __name__ == "__main__":
    options = argparse.ArgumentParser()
    options.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    options.add_argument("--seeds", default="0,1,2", help="of digits and large, with commas")
    said = options.parse_args()
    if unknown := set(said.parts) - set(PARTS):
        options.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    seeds = tuple(map(int, said.seeds.split(",")))
    with threadpool_limits(limits=1):
        for part in map(PARTS.get, said.parts or PARTS):
            part(seeds) if part in SEEDED else part()
