"""``xplain selftest``: every method on every kind of row, against explanations that are known.

Models, rows and options go the way of any run: they are planned, split, asked and solved by the
installed packages. What comes out is held against closed forms and enumerations.
"""

import math
import pickle
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from xplain_cli.console import Console
from xplain_cli.errors import XplainError, summed_up
from xplain_cli.explanation import FloatArray, Records
from xplain_cli.jobs.announce import announce
from xplain_cli.jobs.manifest import versions_now
from xplain_cli.jobs.rerun import explain_some
from xplain_cli.jobs.schedule import rooms_for
from xplain_cli.options import runs
from xplain_cli.options.request import from_stored
from xplain_cli.planning.prepare import prepare
from xplain_cli.quality import known_functions as known
from xplain_cli.quality import known_slopes as slopes
from xplain_cli.quality.checks import Check
from xplain_cli.quality.enumeration import (
    Value,
    cosine_kernel,
    flat_kernel,
    left_out,
    level_slopes,
    mask_slopes,
    shapley_values,
)

_EXACT = 1e-9  # of the largest weight: what the arithmetic may lose
_FITTED = 1e-6  # the same of a surrogate, whose normal equations lose more
_MOST_ERRORS = 8.0  # standard errors from the truth; of few repeats they are themselves uncertain
_FAR = 0.2  # of the largest weight: an error this large explains nothing, however it is stated
_MODULE = known.__name__
_SIDE = 8  # pixels of a picture
_Truth: TypeAlias = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Case:
    """
    A method on rows whose explanation is known.

    Attributes
    ----------
    name
        What it is called.
    modality, model, data
        Which rows, which function, which file of the folder.
    options
        As a run keeps what it was asked.
    truth
        The weights (n,) of a row, by its number.
    rows
        How many rows are explained.
    exact
        Whether the method says that it has no sampling error here.
    tolerance
        What an exact one may be off by, in shares of the largest weight.
    quick
        Whether ``--quick`` has it too.
    """

    name: str
    modality: str
    model: str
    data: str
    options: Mapping[str, Any]
    truth: Callable[[int], FloatArray]
    rows: int = 3
    exact: bool = True
    tolerance: float = _EXACT
    quick: bool = True


@dataclass(frozen=True)
class Measured:
    """The largest error of a case, in shares of the largest weight, and in standard errors."""

    relative: float
    errors: float


@dataclass(frozen=True)
class _Ground:
    """The rows that are explained: tables, texts and pictures, and where they lie."""

    folder: Path
    numbers: pd.DataFrame
    many: pd.DataFrame
    levels: pd.DataFrame
    texts: tuple[str, ...] = ("very good not bad", "good day", "not very nice but good")
    pictures: Any = field(default=None)


def _ground(folder: Path) -> _Ground:
    """Write the rows of all cases into a folder."""
    rng = np.random.default_rng(20)
    numbers = pd.DataFrame(rng.normal(size=(40, 4)).round(3), columns=list(known.NUMBERS))
    many = pd.DataFrame(rng.normal(size=(40, 14)).round(3), columns=list(known.MANY))
    levels = pd.DataFrame({
        name: rng.choice(list(worth), 200, p=_spread(len(worth)))
        for name, worth in known.LEVELS.items()
    })
    for name, table in (("numbers", numbers), ("many", many), ("levels", levels)):
        table.to_csv(folder / f"{name}.csv", index=False)
    pictures = rng.integers(0, 256, size=(3, _SIDE, _SIDE, 3)).astype(np.uint8)
    np.save(folder / "pictures.npy", pictures)
    ground = _Ground(folder, numbers, many, levels, pictures=pictures)
    pd.DataFrame({"text": ground.texts}).to_csv(folder / "texts.csv", index=False)
    _store_tree(folder / "tree.pkl", numbers, known.curved(numbers))
    slopes.store_networks(folder, numbers, known.curved(numbers))
    codes = _codes(levels)
    codes.to_csv(folder / "codes.csv", index=False)
    # a product is no sum, so that bins of other features matter to a weight
    worth = known.levels(levels) + codes["city"] * codes["plan"]
    _store_tree(folder / "codes.pkl", codes, np.asarray(worth, dtype=np.float64))
    return ground


def _spread(n: int) -> FloatArray:
    shares = np.arange(n, 0, -1, dtype=np.float64)
    return np.asarray(shares / shares.sum())


def _store_tree(path: Path, table: pd.DataFrame, answers: FloatArray) -> None:
    from sklearn.tree import DecisionTreeRegressor

    model = DecisionTreeRegressor(max_depth=4, random_state=0).fit(table, answers)
    path.write_bytes(pickle.dumps(model))


def _stored(ground: _Ground, name: str) -> Any:
    return pickle.loads((ground.folder / f"{name}.pkl").read_bytes())  # noqa: S301 - written above


def _answers(table: Callable[[Any], FloatArray], columns: Sequence[str]) -> Callable[[Any], float]:
    """Return what a function says of one row of a table."""
    return lambda row: float(table(pd.DataFrame([list(row)], columns=list(columns)))[0])


def _moved(answer: Callable[[Any], float], row: FloatArray, baseline: FloatArray) -> Value:
    """Return what is said of a row of which the features that are not there are the baseline's."""
    return lambda mask: answer(np.where(np.array(mask), row, baseline))


def _numbers_value(ground: _Ground, at: int) -> Value:
    row = ground.numbers.iloc[at].to_numpy(dtype=np.float64)
    return _moved(_answers(known.curved, known.NUMBERS), row, np.zeros(4))


def _tree_value(ground: _Ground, at: int) -> Value:
    model = _stored(ground, "tree")
    row = ground.numbers.iloc[at].to_numpy(dtype=np.float64)
    baseline = ground.numbers.median().to_numpy(dtype=np.float64)
    return _moved(_answers(model.predict, known.NUMBERS), row, baseline)


def _text_value(ground: _Ground, at: int) -> tuple[Value, int]:
    units = list(dict.fromkeys(ground.texts[at].split()))

    def value(mask: tuple[bool, ...]) -> float:
        kept = [unit for unit, stays in zip(units, mask, strict=True) if stays]
        return float(known.words([" ".join(kept)])[0])

    return value, len(units)


def _picture_value(ground: _Ground, at: int) -> Value:
    half = _SIDE // 2

    def value(mask: tuple[bool, ...]) -> float:
        picture = ground.pictures[at].copy()
        for number, stays in enumerate(mask):
            if not stays:
                down, across = divmod(number, 2)
                picture[half * down : half * (down + 1), half * across : half * (across + 1)] = 0
        return float(known.quadrants(picture[None])[0])

    return value


def _pairwise_truth(ground: _Ground, at: int) -> FloatArray:
    """Return the Shapley values against zero: a product is shared by its factors."""
    x = ground.many.iloc[at].to_numpy(dtype=np.float64)
    products = 0.5 * x[:-1] * x[1:]
    shared = np.zeros(len(x))
    shared[:-1] += products / 2
    shared[1:] += products / 2
    shared[:3] += x[0] * x[1] * x[2] / 3
    return np.asarray(known.pair_slopes() * x + shared)


def _level_truth(ground: _Ground, at: int) -> FloatArray:
    names = list(known.LEVELS)
    shares = [ground.levels[name].value_counts(normalize=True).to_dict() for name in names]
    width = 0.75 * math.sqrt(len(names))
    row = ground.levels.iloc[at].tolist()
    return level_slopes(shares, row, _answers(known.levels, names), width)


def _codes(levels: pd.DataFrame) -> pd.DataFrame:
    """Return categories as whole numbers, which a tree can split."""
    coded = {name: pd.factorize(levels[name], sort=True)[0] for name in levels}
    return pd.DataFrame(coded)


def _code_truth(ground: _Ground, at: int) -> FloatArray:
    table = _codes(ground.levels)
    model = _stored(ground, "codes")
    shares = [table[name].value_counts(normalize=True).to_dict() for name in table]
    width = 0.75 * math.sqrt(len(table.columns))
    answer = _answers(model.predict, list(table.columns))
    return level_slopes(shares, table.iloc[at].tolist(), answer, width)


def _line_truth(ground: _Ground, at: int) -> FloatArray:  # noqa: ARG001 - a line has one slope
    spread = ground.numbers.std(ddof=0).to_numpy(dtype=np.float64)
    return np.asarray(np.array([2.0, -1.0, 0.5, 1.0]) * spread)


def _tolerance(method: str) -> float:
    return _FITTED if method.startswith(("lime", "rise")) else _EXACT


def _table_cases(ground: _Ground) -> Iterator[Case]:
    """Yield the cases of tables."""
    zero = {"baselines": ["zero"], "method": "kernel-shap"}
    curved, numbers = f"{_MODULE}:curved", "numbers.csv"

    def shapley(at: int) -> FloatArray:
        return shapley_values(_numbers_value(ground, at), 4)

    def case(method: str, truth: Callable[[int], FloatArray]) -> Case:
        options = {**zero, "method": method}
        name = f"table {method}"
        tolerance = _tolerance(method)
        return Case(name, "tabular", curved, numbers, options, truth, tolerance=tolerance)

    yield case("kernel-shap", shapley)
    yield case("permutation", shapley)
    yield case("occlusion", lambda at: left_out(_numbers_value(ground, at), 4))
    yield case(
        "lime:space=baseline",
        lambda at: mask_slopes(_numbers_value(ground, at), 4, cosine_kernel, by_size=False),
    )
    yield Case(
        *("table tree-shap", "tabular", "tree.pkl", numbers),
        {"method": "tree-shap", "baselines": ["median"]},
        lambda at: shapley_values(_tree_value(ground, at), 4),
    )
    yield Case(
        *("table lime:sample=around", "tabular", f"{_MODULE}:line", numbers),
        {"method": "lime:sample=around,discretizer=none,ridge=0", "samples": 64, "repeats": 2},
        lambda at: _line_truth(ground, at),
        exact=False,
    )
    yield Case(
        *("table lime on draws", "tabular", f"{_MODULE}:levels", "levels.csv"),
        {"method": "lime:ridge=0"},
        lambda at: _level_truth(ground, at),
        exact=False,
    )
    yield Case(
        *("table lime:exact=yes", "tabular", "codes.pkl", "codes.csv"),
        {"method": "lime:exact=yes,ridge=0", "categorical": list(known.LEVELS)},
        lambda at: _code_truth(ground, at),
        tolerance=_FITTED,
    )


def _slope_cases(ground: _Ground) -> Iterator[Case]:
    """Yield the cases of methods that follow derivatives."""
    start, rows = np.zeros(4), ground.numbers.to_numpy(dtype=np.float64)
    network, shallow = (slopes.net_of(_stored(ground, name)) for name in ("network", "shallow"))
    scaler, linear = (step for _, step in _stored(ground, "logistic").steps)
    line = linear.coef_[0] / scaler.scale_  # of the log-odds of the second class
    noise = 0.15 * rows.std(axis=0)
    drawn = {"exact": False}
    held: tuple[tuple[str, str, _Truth, dict[str, Any]], ...] = (
        ("ig", "network", lambda x: slopes.path_integral(network, start, x), {}),
        ("ig", "logistic", lambda x: line * x, {"tolerance": 1e-10}),
        ("input-x-gradient", "network", lambda x: x * network.slopes(x), {}),
        ("saliency", "network", network.slopes, {}),
        ("smooth", "shallow", lambda x: slopes.noisy_slopes(shallow, x, noise), drawn),
        (
            *("idgi:tol=0.001", "network"),
            lambda x: slopes.important_directions(network, start, x),
            {"tolerance": 3e-3},
        ),
    )
    for method, model, truth, more in held:
        options = {"method": method, "baselines": ["zero"]}
        if model == "logistic":
            options["target"] = "below"

        def known_truth(at: int, truth: Any = truth) -> FloatArray:
            return np.asarray(truth(rows[at]), dtype=np.float64)

        name = f"table {method}, {model}"
        yield Case(name, "tabular", f"{model}.pkl", "numbers.csv", options, known_truth, **more)


def _sampled_cases(ground: _Ground) -> Iterator[Case]:
    """Yield the cases of tables with too many features to ask all masks."""
    for method in ("kernel-shap", "permutation"):
        yield Case(
            *(f"table {method}, sampled", "tabular", f"{_MODULE}:pairwise", "many.csv"),
            {"method": method, "baselines": ["zero"]},
            lambda at: _pairwise_truth(ground, at),
            exact=False,
            quick=False,
        )


def _text_cases(ground: _Ground) -> Iterator[Case]:
    """Yield the cases of texts."""
    truths: dict[str, Callable[[Value, int], FloatArray]] = {
        "lime": lambda value, n: mask_slopes(value, n, cosine_kernel, by_size=True),
        "kernel-shap": shapley_values,
        "permutation": shapley_values,
        "occlusion": left_out,
    }
    for method, truth in truths.items():

        def known_truth(at: int, truth: Any = truth) -> FloatArray:
            return np.asarray(truth(*_text_value(ground, at)), dtype=np.float64)

        options = {"method": method, "text_column": "text"}
        model = f"{_MODULE}:words"
        name = f"text {method}"
        own = _tolerance(method)
        yield Case(name, "text", model, "texts.csv", options, known_truth, tolerance=own)


def _picture_cases(ground: _Ground) -> Iterator[Case]:
    """Yield the cases of pictures."""
    truths: dict[str, Callable[[Value, int], FloatArray]] = {
        "lime": lambda value, n: mask_slopes(value, n, cosine_kernel, by_size=False),
        "rise": lambda value, n: mask_slopes(value, n, flat_kernel, by_size=False),
        "kernel-shap": shapley_values,
        "permutation": shapley_values,
        "occlusion": left_out,
    }
    for method, truth in truths.items():

        def known_truth(at: int, truth: Any = truth) -> FloatArray:
            return np.asarray(truth(_picture_value(ground, at), 4), dtype=np.float64)

        options = {"method": method, "segmenter": "grid", "segments": 4, "baselines": ["black"]}
        model = f"{_MODULE}:quadrants"
        name = f"image {method}"
        own = _tolerance(method)
        yield Case(name, "image", model, "pictures.npy", options, known_truth, tolerance=own)


def all_cases(ground: _Ground) -> tuple[Case, ...]:
    """Return every case: the methods on tables, texts and pictures."""
    return (
        *_table_cases(ground),
        *_slope_cases(ground),
        *_sampled_cases(ground),
        *_text_cases(ground),
        *_picture_cases(ground),
    )


def _explained(case: Case, folder: Path) -> Iterator[Records]:
    """Explain the rows of a case as a run does."""
    model = case.model if ":" in case.model else str(folder / case.model)
    asked = {
        "modality": case.modality,
        "model": model,
        "data": [str(folder / case.data)],
        "output": "-",
        "output_format": "jsonl",
        "jobs": 1,
        "backend": "serial",
        "progress": False,
        **case.options,
    }
    request = from_stored(asked)
    with rooms_for(request) as rooms:
        job = prepare(request, Console(quiet=True, progress=False))
        yield from explain_some(job, rooms, range(case.rows))


def _compared(records: Records, truth: FloatArray) -> Measured:
    """Hold the weights of a row against the truth."""
    n = len(truth)
    weights, errors = np.zeros(n), np.zeros(n)
    places = records.weights["feature_index"].to_numpy(dtype=np.int64)
    weights[places] = records.weights["weight"].to_numpy(dtype=np.float64)
    errors[places] = records.weights["std_error"].to_numpy(dtype=np.float64)
    apart = np.abs(weights - truth)
    scale = float(np.abs(truth).max()) or 1.0
    beyond = np.maximum(apart - _EXACT * scale, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(beyond > 0, beyond / errors, 0.0)
    return Measured(float(apart.max()) / scale, float(ratio.max()))


def _worst(case: Case, folder: Path) -> tuple[Measured, bool]:
    """Return the largest error of a case, and whether all its rows were said to be exact."""
    relative = errors = 0.0
    exact = True
    for at, records in enumerate(_explained(case, folder)):
        failed = records.stability["error"].dropna()
        if len(failed):
            raise XplainError(f"row {at} failed: {failed.iloc[0]}")
        found = _compared(records, case.truth(at))
        relative, errors = max(relative, found.relative), max(errors, found.errors)
        exact = exact and bool(records.stability["precision"].eq("exact").all())
    return Measured(relative, errors), exact


def check_case(case: Case, folder: Path) -> Check:
    """
    Run a case; exact methods must be right up to rounding, others within their stated errors.

    Parameters
    ----------
    folder
        Where its rows lie.
    """
    began = time.perf_counter()

    def done(text: str, *, failed: bool) -> Check:
        seconds = time.perf_counter() - began
        return Check(case.name, failed=failed, message=text, seconds=seconds)

    try:
        found, exact = _worst(case, folder)
    except Exception as error:  # noqa: BLE001 - whatever an installation does wrong is a finding
        return done(f"cannot be explained: {summed_up(error)}", failed=True)
    if case.exact:
        wrong = not found.relative <= case.tolerance or not exact
        said = "" if exact else ", and is not said to be exact"
        return done(f"largest error {found.relative:.1e} of the largest weight{said}", failed=wrong)
    wrong = not (found.errors <= _MOST_ERRORS and found.relative <= _FAR)
    text = f"largest error {found.relative:.1e} of the largest weight"
    return done(f"{text}, {found.errors:.1f} standard errors", failed=wrong)


def selftest(*, quick: bool, asked: runs.Gates, console: Console) -> int:
    """
    Explain what is known by every method, tell the error of each; return 0 if all are right.

    Parameters
    ----------
    quick
        Leave out what takes long.
    asked
        How CI systems are told.
    """
    from threadpoolctl import threadpool_limits

    checks = []
    with tempfile.TemporaryDirectory(prefix="xplain-") as name, threadpool_limits(limits=1):
        ground = _ground(Path(name))
        for case in all_cases(ground):
            if case.quick or not quick:
                check = check_case(case, ground.folder)
                checks.append(check)
                verdict = "FAILED" if check.failed else "ok"
                console.line(f"{verdict:<6}  {check.name:<28}  {check.message}")
    versions = ", ".join(f"{name} {version}" for name, version in versions_now().items())
    failed = sum(check.failed for check in checks)
    console.note(f"{len(checks) - failed} of {len(checks)} cases are right on {versions}")
    announce(checks, asked, "selftest", console)
    return 1 if failed else 0
