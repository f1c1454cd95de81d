"""The tool as a user runs it, and a few small models with their tables."""

import functools
import gc
import importlib
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from comments import make_comments
from hypothesis import settings
from picture_runs import SIDE
from running import SMALL, Case, Outcome, copied, environment, rows_of, run_in

from xplain_cli import commands

pytest.register_assert_rewrite("clarity")

# What a user has set, a terminal says or a CI system asks for is no concern of the tests, nor of
# the processes that they start: they set it themselves.
for _name in list(os.environ):
    if _name.startswith(("XPLAIN_", "GITHUB_")) or _name in {
        *("COLUMNS", "LINES", "TERMINAL_WIDTH", "TYPER_USE_RICH"),
        *("NO_COLOR", "FORCE_COLOR", "COLORTERM", "CI"),
    }:
        del os.environ[_name]

# Typer builds every command anew each time an app is called, and what reads each option where it
# is first read: a fifth of what a small run costs of this process.
typer.main.get_command = functools.cache(typer.main.get_command)
_told = []  # by the line at hand once it is parsed, which is not the one that was built first


def _parsed():
    _told[-1]()


_line_of = functools.cache(lambda named, build=commands.app_for: build([named], _parsed))


def _app_for(argv, parsed=lambda: None):
    _told[:] = [parsed]
    return _line_of(argv[0] if argv and argv[0] in commands.COMMANDS else "")


commands.app_for = _app_for

# A busy machine may take its time, and a failure must come again.
settings.register_profile("steady", deadline=None, derandomize=True, database=None)
settings.load_profile("steady")


def pytest_collection_finish():
    """Hold what every process that is forked of this one would import or look through again."""
    for name in ("onnx.gradients", "onnx.limits", "onnx.pictures", "onnx.trees"):
        importlib.import_module(f"xplain_cli.models.{name}")
    gc.freeze()


def pytest_runtest_setup():
    """Seed what estimators without a seed draw from: a failure comes again."""
    import numpy as np

    np.random.seed(0)  # noqa: NPY002 - scikit-learn's own default


@pytest.fixture
def xplain(tmp_path):
    """Run ``xplain`` with some arguments in tmp_path; stdin is /dev/null unless given."""

    def run(*arguments, stdin=None, env=None, cwd=tmp_path, timeout=120):
        source = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        done = subprocess.run(
            [sys.executable, "-m", "xplain_cli", *map(str, arguments)],
            cwd=cwd,
            env=environment(**(env or {})),
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
            **source,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run ``xplain`` in this process, in tmp_path: as ``xplain`` without a process of its own."""
    from xplain_cli.main import main

    monkeypatch.chdir(tmp_path)
    for key in [key for key in os.environ if key.startswith("XPLAIN_")]:
        monkeypatch.delenv(key)

    def ran(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ending:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(ending.value.code, captured.out, captured.err)

    return ran


@pytest.fixture(scope="session")
def looked_at(cancer, tmp_path_factory):
    """A finished run that tests only read: 20 rows of the forest, ids and a kept column."""
    out = tmp_path_factory.mktemp("looked_at") / "out"
    words = ("tabular", cancer.model, cancer.data, "--id-column", "id", "--keep", "mean radius")
    options = ("-n", "128", "-r", "3", "--rows", "0:20", "-o", out, "-q", "-j", "1")
    run_in(out.parent, *words, *options)
    return out


@pytest.fixture(params=[0, 1, 2], ids="seed{}".format)
def rng(request):
    """Three random generators, one after the other."""
    import numpy as np

    return np.random.default_rng(request.param)


def _store(folder, name, model, table):
    case = Case(folder / f"{name}.pkl", folder / f"{name}.csv")
    case.model.write_bytes(pickle.dumps(model))
    table.to_csv(case.data, index=False, lineterminator="\n")
    return case


@pytest.fixture(scope="session")
def cancer(tmp_path_factory):
    """A small forest on breast cancer (30 numbers, 2 classes), fitted on a DataFrame; 60 rows."""
    from sklearn.datasets import load_breast_cancer
    from sklearn.ensemble import RandomForestClassifier

    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    model = RandomForestClassifier(20, max_depth=5, random_state=0).fit(X, y)
    table = X.head(60)
    table.insert(0, "id", [f"p{row}" for row in range(len(table))])
    return _store(tmp_path_factory.mktemp("cancer"), "forest", model, table)


@pytest.fixture(scope="session")
def diabetes(tmp_path_factory):
    """A linear regression on diabetes (10 numbers), fitted on a DataFrame; 60 rows."""
    from sklearn.datasets import load_diabetes
    from sklearn.linear_model import Ridge

    X, y = load_diabetes(return_X_y=True, as_frame=True)
    return _store(tmp_path_factory.mktemp("diabetes"), "ridge", Ridge().fit(X, y), X.head(60))


@pytest.fixture(scope="session")
def mixed(tmp_path_factory):
    """A pipeline with text categories and numbers with gaps, three classes; 80 rows."""
    import numpy as np
    import pandas as pd
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    stream = np.random.default_rng(0)
    table = pd.DataFrame({
        "age": stream.integers(18, 80, 80),
        "income": np.where(stream.random(80) < 0.1, np.nan, stream.normal(40, 10, 80).round(1)),
        "city": stream.choice(["Oslo", "Bergen", "Troms\u00f8"], 80),
        "job": stream.choice(["clerk", "cook"], 80),
    })
    grade = np.digitize(table["age"] + 20 * (table["city"] == "Oslo"), [40, 65])
    prepare = make_column_transformer(
        (SimpleImputer(), ["age", "income"]),
        (OneHotEncoder(handle_unknown="ignore"), ["city", "job"]),
    )
    model = make_pipeline(prepare, LogisticRegression(max_iter=5000))
    model.fit(table, np.array(["low", "mid", "high"])[grade])
    return _store(tmp_path_factory.mktemp("mixed"), "mixed", model, table)


@pytest.fixture(scope="session")
def comments(tmp_path_factory):
    """A folder with a small pipeline, its comments, and callables."""
    return make_comments(tmp_path_factory.mktemp("comments"))


@pytest.fixture
def photos(tmp_path):
    """Four pictures of smooth colours with noise on them."""
    import numpy as np
    from broken_pictures import colours
    from PIL import Image

    folder = tmp_path / "photos"
    folder.mkdir()
    for i in range(4):
        noise = np.random.default_rng(i).integers(0, 60, (SIDE, SIDE, 3))
        picture = np.clip(colours(SIDE, SIDE).astype(int) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"{i}.png")
    return folder


@pytest.fixture
def watching(tmp_path):
    """A model that looks at the upper left quadrant alone."""
    from picture_models import quadrant

    return quadrant(tmp_path / "quadrant.onnx", SIDE)


@pytest.fixture
def lines(run, tmp_path):
    """Explain with some options; return weights and stability lines by row id, run_id aside."""

    def explained(model, data, *options, code=0):
        done = run("tabular", model, data, *SMALL, "-o", "out", "--force", "-q", *options)
        assert done.code == code, done.err
        kept = {}
        for name in ("weights", "stability"):
            for line in rows_of(tmp_path / "out" / f"{name}.csv"):
                line.pop("run_id")
                line.pop("row", None)
                kept.setdefault((name, line["row_id"]), []).append(line)
        return kept

    return explained


@pytest.fixture
def good(tmp_path):
    """A linear model, its table with ids, and the same table as a background."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from stored_cases import numbers, stored

    X = numbers(np.random.default_rng(0), 40, 3)
    model = LogisticRegression().fit(X, X["a"] > 0)
    X.insert(0, "id", [f"p{i}" for i in range(len(X))])
    path, data = stored(tmp_path, model, X, "good")
    return path, data, ("--background", data, "--id-column", "id")


@pytest.fixture(scope="session")
def finished_once(cancer, tmp_path_factory):
    """A folder that holds a small finished run, xplain-out."""
    from pages import small

    folder = tmp_path_factory.mktemp("finished")
    run_in(folder, *small(cancer, "--id-column", "id"))
    return folder


@pytest.fixture
def finished(run, finished_once, tmp_path):
    """A small finished run in xplain-out, the test's own."""
    copied(finished_once, tmp_path)
    return Path("xplain-out")
