"""Mutated model files against the door and what stands behind it: no crash, hang or marker.

python tests/benchmarks/fuzz.py [--forms pickle ubj ...] [--mutants 2000] [--seconds 1800]

Each file of a small model is changed in a few places (bits, numbers that mean extremes, pieces cut,
doubled or moved from another file), opened as ``xplain`` opens it, and where it opens it is asked
two rows. Each mutant has a room of its own, forked of a process that holds the imports; it is not
confined, so that what the door lets through shows, but bound in memory and time. A refusal is what
is wanted; so is an answer, which most mutants of weights have. A room that dies, though the tool
bears it, and an error that is none of the tool's are findings.

A finding is printed with its form, seed and number, and kept in ``--keep``.
"""

import argparse
import contextlib
import importlib
import io
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

FORMS = ("pickle", "joblib", "skops", "ubj", "json", "txt", "cbm", "onnx", "pt2")
PACKAGES = (
    *("joblib", "scipy.stats", "skops.io", "xgboost", "lightgbm", "catboost", "onnxruntime"),
    *("sklearn.pipeline", "sklearn.ensemble", "sklearn.neighbors", "sklearn.preprocessing"),
    *("sklearn.svm", "sklearn.linear_model", "onnx", "torch.export"),
)
MEMORY = 12 * 2**30
SECONDS = 20.0  # for one mutant
ROWS = np.random.default_rng(0).normal(size=(60, 4))
LABELS = np.arange(60) % 3
EXTREMES = (
    *(b"\xff\xff\xff\x7f", b"\xff" * 8, b"\x00" * 8),
    *(b"\x7f" + b"\xff" * 7, b"\x01" + b"\x00" * 7),
)
TEXTS = (b"-1", b"2147483647", b"99999999999", b"1e308", b"nan", b"")


def _pickles():
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import SplineTransformer, StandardScaler
    from sklearn.svm import SVC

    models = (
        RandomForestClassifier(3, max_depth=3, random_state=0),
        HistGradientBoostingClassifier(max_iter=3),
        KNeighborsClassifier(algorithm="kd_tree", leaf_size=5),
        make_pipeline(StandardScaler(), SVC(random_state=0)),
        make_pipeline(SplineTransformer(), SVC(kernel="linear")),
    )
    return [model.fit(ROWS, LABELS) for model in models]


def _joblibbed(model):
    import joblib

    file = io.BytesIO()
    joblib.dump(model, file)
    return file.getvalue()


def _xgboost(form):
    import xgboost

    model = xgboost.XGBClassifier(n_estimators=3, max_depth=3, n_jobs=1).fit(ROWS, LABELS)
    return [bytes(model.get_booster().save_raw(form))]


def _lightgbm():
    import lightgbm

    rows = np.column_stack([ROWS, LABELS])
    model = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1)
    model.fit(rows[:, :4], LABELS)
    return [model.booster_.model_to_string().encode()]


def _catboost():
    import catboost

    quiet = {"verbose": 0, "allow_writing_files": False, "thread_count": 1}
    model = catboost.CatBoostClassifier(n_estimators=3, depth=3, **quiet).fit(ROWS, LABELS)
    with tempfile.TemporaryDirectory() as folder:
        model.save_model(f"{folder}/model.cbm")
        return [Path(folder, "model.cbm").read_bytes()]


def _onnx():
    from skl2onnx import to_onnx
    from sklearn.linear_model import LogisticRegression

    forest, linear = _pickles()[0], LogisticRegression().fit(ROWS, LABELS)
    sample = ROWS[:1].astype(np.float32)
    options = {"zipmap": False}
    return [to_onnx(one, sample, options=options).SerializeToString() for one in (forest, linear)]


def _pt2():
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 3))
    rows = torch.zeros(2, 4)
    shapes = ({0: torch.export.Dim.AUTO},)
    program = torch.export.export(model.eval(), (rows,), dynamic_shapes=shapes)
    file = io.BytesIO()
    torch.export.save(program, file)
    return [file.getvalue()]


def _skops():
    import skops.io

    return [skops.io.dumps(model) for model in _pickles()]


def seeds(form):
    """Return honest files of a form."""
    made = {
        "pickle": lambda: [
            pickle.dumps(model, protocol) for model in _pickles() for protocol in (2, 5)
        ],
        "joblib": lambda: [_joblibbed(model) for model in _pickles()],
        "skops": _skops,
        "ubj": lambda: _xgboost("ubj"),
        "json": lambda: _xgboost("json"),
        "txt": _lightgbm,
        "cbm": _catboost,
        "onnx": _onnx,
        "pt2": _pt2,
    }
    return made[form]()


def _flip(data, at, size, stream, others):
    return data[:at] + bytes([data[at] ^ (1 << int(stream.integers(8)))]) + data[at + 1 :]


def _overwrite(data, at, size, stream, others):
    extreme = EXTREMES[int(stream.integers(len(EXTREMES)))]
    return data[:at] + extreme + data[at + len(extreme) :]


def _scramble(data, at, size, stream, others):
    return data[:at] + bytes(stream.integers(0, 256, 1, dtype=np.uint8)) + data[at + 1 :]


def _cut(data, at, size, stream, others):
    return data[:at] + data[at + size :]


def _double(data, at, size, stream, others):
    return data[:at] + data[at : at + size] + data[at:]


def _transplant(data, at, size, stream, others):
    other = others[int(stream.integers(len(others)))]
    place = int(stream.integers(len(other)))
    return data[:at] + other[place : place + size] + data[at + size :]


def _renumber(data, at, size, stream, others):
    """Return a file with the next written number replaced by an extreme one."""
    start = at
    while start < len(data) and not chr(data[start]).isdigit():
        start += 1
    stop = start
    while stop < len(data) and chr(data[stop]).isdigit():
        stop += 1
    return data[:start] + TEXTS[int(stream.integers(len(TEXTS)))] + data[stop:]


WAYS = (_flip, _scramble, _overwrite, _cut, _double, _transplant, _renumber)


def _changed(data, stream, others):
    """Return a file with one change."""
    at, size = int(stream.integers(len(data))), int(stream.integers(1, 64))
    return WAYS[int(stream.integers(len(WAYS)))](data, at, size, stream, others)


def _within_zip(data, change):
    """Return a zip archive of which one member was changed, and which is whole again."""
    import zipfile

    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as given, zipfile.ZipFile(file, "w") as made:
        for name in given.namelist():
            made.writestr(name, change(name, given.read(name)))
    return file.getvalue()


def mutant(files, form, seed, number):
    """Return the mutant of a number: it depends on nothing else."""
    stream = np.random.default_rng([seed, number, FORMS.index(form)])
    data = files[int(stream.integers(len(files)))]
    changes = int(stream.integers(1, 4))

    def change(content):
        for _ in range(changes):
            content = _changed(content, stream, files) if content else content
        return content

    if not data.startswith(b"PK") or stream.random() < 0.2:
        return change(data)
    import zipfile

    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    chosen = names[int(stream.integers(len(names)))]
    return _within_zip(data, lambda name, held: change(held) if name == chosen else held)


def table_for(loaded):
    """Return two rows of the columns that a model takes."""
    import pandas as pd

    names = loaded.columns or [str(i) for i in range(min(loaded.n_columns or 4, 1000))]
    return pd.DataFrame(np.resize(ROWS, (2, len(names))), columns=list(names))


def ask(rooms, path):
    """Open a file as the tool does, in a room of its own, and ask it two rows."""
    from xplain_cli.errors import ModelDiedError, XplainError
    from xplain_cli.models import ModelRecipe
    from xplain_cli.workers.room_models import load_in

    try:
        loaded = load_in(rooms, ModelRecipe(str(path)))
        rows = table_for(loaded)
        bound = loaded.bind(loaded.settle(rows))
    except ModelDiedError as died:
        return f"died: {died.reason}"
    except XplainError:
        return "refused"
    except Exception as error:  # noqa: BLE001  # the tool would end with 5
        return f"died: {type(error).__name__}: {error}"
    try:
        bound.predict(rows)
    except ModelDiedError as died:
        return f"died: {died.reason}"
    except Exception as error:  # noqa: BLE001  # a failed row of the tool; after the opening
        return f"failed ({type(error).__name__})"
    return "answered"


def import_all():
    """Import and read here what all rooms need: it begins no thread."""
    from xplain_cli.modalities import import_modality
    from xplain_cli.models.pickles.records import allow_list

    import_modality("tabular")
    allow_list()
    for name in PACKAGES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def fuzz(options, form, folder):
    """Ask all mutants of a form, or as many as the time allows."""
    from xplain_cli.workers.rooms import Walls, open_rooms

    files = [Path(one).read_bytes() for one in sorted(Path(folder, form).iterdir())]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import_all()
    os.chdir(Path(folder, "work"))
    counts, findings, at, until = Counter(), 0, 0, time.monotonic() + options.seconds
    path, slowest = Path(folder, f"{form}.mutant"), (0.0, 0)
    walls = Walls(confine="off", sources=(str(path),), open_seconds=SECONDS, call_seconds=SECONDS)
    with open_rooms(walls) as rooms:
        while at < options.mutants and time.monotonic() < until:
            data = mutant(files, form, options.seed, at)
            path.write_bytes(data)
            began = time.monotonic()
            ended = ask(rooms, path)
            slowest = max(slowest, (time.monotonic() - began, at))
            rooms.first.end()
            counts[ended.partition(":")[0]] += 1
            if ended.startswith("died"):
                findings += 1
                print(f"{form}: seed {options.seed}, mutant {at}: {ended}", flush=True)
                Path(options.keep, f"{form}-{options.seed}-{at}").write_bytes(data)
            at += 1
    marks = [one.name for one in Path(folder, "work").iterdir()]
    os.chdir(folder)
    slow = f"slowest {slowest[0]:.1f} s (mutant {slowest[1]})"
    print(f"{form}: {at} mutants, {dict(counts)}, {slow}, marks left: {marks}", flush=True)
    return bool(findings or marks)


def fuzz_apart(options, form):
    """Fuzz a form in a process of its own: it holds the imports that its rooms share."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "work").mkdir()
        Path(folder, form).mkdir()
        try:
            for i, data in enumerate(seeds(form)):
                Path(folder, form, f"{i:03}").write_bytes(data)
        except ImportError as error:
            print(f"{form}: left out, {error}", flush=True)
            return False
        words = [*sys.argv[1:], "--within", form, folder]
        command = [sys.executable, "-W", "ignore", __file__, *words]
        return bool(subprocess.run(command, check=False).returncode)


def main():
    """Fuzz the forms that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=FORMS)
    parser.add_argument("--mutants", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=1800.0, help="for each form, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", default=tempfile.gettempdir())
    parser.add_argument("--within", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.within:
        return int(fuzz(options, *options.within))
    failed = [form for form in options.forms if fuzz_apart(options, form)]
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
