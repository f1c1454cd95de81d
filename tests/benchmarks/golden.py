"""Do two checkouts write the same bytes? About fifty runs with the code of each, file by file."""

import argparse
import importlib
import io
import json
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path

# Each run is one or several commands, as they would be typed in a folder where in/ holds the
# inputs. Of several, the last is also run by the new code on what the old one has left.
# DIE=n kills the process at the n-th call of the model; `<` names what stdin reads.
PATIENTS = "tabular in/forest.pkl in/tumours.csv --id-column id -j 1"
TUMOURS = f"{PATIENTS} -n 128 -r 3"
WINE = "tabular in/wine.joblib in/wine.csv --rows 0:12 -n 128 -r 2 -j 1"
CLIENTS = "tabular in/loans.pkl in/loans.csv --rows 0:16 --id-column application -j 1"
LOANS = f"{CLIENTS} -n 128 -r 2"
COMMENTS = "text in/comments.pkl in/comments.csv --text-column CONTENT --rows 0:12 -j 1"
TEXT = f"{COMMENTS} -n 128 -r 2"
PIXELS = "image in/digits.pkl in/digits.npy -j 1"
DIGITS = f"{PIXELS} -n 64 -r 2 --segments 9"
SCENES = "image in/scenes.onnx in/scenes --rescale 1/255 --mean .5 --std .25 -n 64 -r 2 -j 1"
MORTAL = "--python-path in --backend serial --chunk-rows 2 -n 64 -r 2"
MORTAL_TABLE = f"tabular mortal:table in/wine.csv --rows 0:12 {MORTAL}"
MORTAL_TEXT = f"text mortal:texts in/comments.csv --text-column CONTENT --rows 0:12 {MORTAL}"
MORTAL_IMAGE = f"image mortal:pictures in/digits.npy --resize 8 --segments 9 {MORTAL}"

RUNS = {
    # lime on draws
    "lime": [TUMOURS],
    "lime, carried columns, repeats": [f"{TUMOURS} --keep diagnosis --write-repeats -k 10"],
    "lime, decile, its own width": [f"{TUMOURS} -m lime:discretizer=decile,kernel_width=2"],
    "lime, entropy": [f"{TUMOURS} -m lime:discretizer=entropy -t all"],
    "lime, no bins": [f"{TUMOURS} -m lime:discretizer=none"],
    "lime, around": [f"{WINE} -m lime:sample=around"],
    "lime, exact": [f"{PATIENTS} -m lime:exact=yes"],
    "lime, selection": [f"{TUMOURS} -m lime:features=4,select=forward --stability-k 3"],
    "lime, lasso": [f"{WINE} -m lime:features=4,select=lasso -t top:2"],
    "lime, goal": [f"{WINE} --max-rel-se 0.2 --max-samples 1024"],
    "lime, budget": ["tabular in/wine.joblib in/wine.csv --rows 0:12 -r 2 -j 1 --budget 2e5"],
    "lime, mixed table": [f"{LOANS} --background in/background.csv --categorical term_months"],
    "lime, log-odds": [f"{LOANS} --output-scale log-odds:eps=1e-6"],
    "lime, onnx": ["tabular in/loans.onnx in/loans.csv --rows 0:16 -n 128 -r 2 -j 1 --seed 7"],
    "lime, bad rows, stdin": [
        (
            "tabular in/forest.pkl - --input-format jsonl --background in/tumours.csv -n 128 -r 2"
            " --max-failed 5 -j 1 -o - < in/tumours.jsonl"
        )
    ],
    "lime, groups": [f"{TUMOURS} --group radius='*radius*' --group area='*area*' -k 5"],
    "lime, regression": ["tabular in/diabetes.pkl in/diabetes.csv --rows 5:30 -n 128 -r 2 -j 1"],
    # methods with a baseline
    "lime:space=baseline": [f"{WINE} -m lime:space=baseline -b mean"],
    "kernel-shap, median": [f"{TUMOURS} -m kernel-shap --rows 0:12"],
    "kernel-shap, revert": [f"{WINE} -m kernel-shap -b revert -t predicted:vs:runner-up"],
    "kernel-shap, sample, mixed": [f"{LOANS} -m kernel-shap -b sample:k=3 --rows 0:6"],
    "kernel-shap, A:vs:B, labels": [
        (
            f"{WINE} -m kernel-shap -t class_0:vs:class_2 -b nearest:labels=cultivar"
            " --judge in/wine.joblib"
        )
    ],
    "permutation, file": [f"{WINE} -m permutation -b file=in/background-wine.csv"],
    "permutation, medoid": [f"{WINE} -m permutation -b medoid"],
    "occlusion, mode, groups": [f"{CLIENTS} -m occlusion -b mode --group money='*mo*'"],
    "occlusion, row": [f"{PATIENTS} -m occlusion -b row=patient-0007"],
    "tree-shap, forest": [f"{PATIENTS} -m tree-shap -b sample:k=4"],
    "tree-shap, booster": [
        (
            "tabular in/booster.ubj in/wine.csv --rows 0:12 -m tree-shap --output-scale raw -t all"
            " -b zero -j 1"
        )
    ],
    "several baselines": [f"{WINE} -m kernel-shap -b median -b nearest -b zero"],
    # results and workers
    "json": [f"{WINE} -o out.json"],
    "jsonl, no values": [f"{WINE} -o out.jsonl --no-values -k 4"],
    "parquet": [f"{LOANS} -o out.parquet"],
    "wide": [f"{WINE} --wide"],
    "threads": [f"{TUMOURS} --backend threads -j 2 --chunk-rows 7"],
    "loky": [f"{TUMOURS} --backend loky -j 2 --chunk-rows 9"],
    "shards, merged": [
        f"{TUMOURS} --shard 1/2 --write-repeats -o one",
        f"{TUMOURS} --shard 2/2 --write-repeats --chunk-rows 7 -o two",
        "merge one two -o whole",
    ],
    "report, gate": [
        f"{WINE} --report page.html --fail-on 'count(failed)>0'",
        "gate --fail-on 'max(max_rel_se)>9'",
        "report -o later.html",
    ],
    "another rendering of a finished run": [f"{WINE} -o out", f"{WINE} -k 3 --wide -o out"],
    "evaluate, draws": [WINE, "evaluate"],
    "evaluate, baseline": [f"{WINE} -m kernel-shap -b nearest", "evaluate", "report"],
    "inspect": ["inspect in/forest.pkl", "inspect in/scenes.onnx"],
    # texts
    "text": [f"{TEXT} --id-column COMMENT_ID --report page.html"],
    "text, each, mask token": [f"{TEXT} --occurrences each --mask-token [MASK] -m kernel-shap"],
    "text, sentences": [f"{TEXT} --unit sentence -m permutation -o out.jsonl"],
    "text, letters": [f"{COMMENTS} --unit char -m occlusion --rows 0:4"],
    "text, pattern": [f"{TEXT} --unit 'regex=[A-Za-z]+' -m lime:kernel=share,control=none"],
    "text, refined": [f"{TEXT} -m lime:refine=2 --rows 0:12"],
    "text, hashed": [f"XPLAIN_HASH_SALT=salt {TEXT} --hash-units"],
    "text, nearest": [f"{TEXT} -b nearest:class=spam -m kernel-shap", "evaluate"],
    "text, goal": [f"{TEXT} --max-rel-se 0.1 --max-samples 512"],
    "text, merged": [f"{TEXT} --rows 0:5 -o a", f"{TEXT} --rows 5:12 -o b", "merge a b -o ab"],
    # pictures
    "image, slic, arrays": [f"{SCENES} --segments 8 --write-maps --report page.html"],
    "image, quickshift, grey": [f"{SCENES} --segmenter quickshift -b grey --no-maps -t top:2"],
    "image, felzenszwalb, blur": [f"{SCENES} --segmenter felzenszwalb -b blur --no-maps"],
    "image, watershed, inpaint": [f"{SCENES} --segmenter watershed --segments 6 -b inpaint"],
    "image, scores as softmax": [
        (
            f"{SCENES} --model-output scores --output-scale probability:of=softmax --no-maps"
            " --segments 6 -b colour=#804020"
        )
    ],
    "image, grid, rise": [f"{DIGITS} --segmenter grid -m rise -b black"],
    "image, kernel-shap, nearest": [f"{DIGITS} -m kernel-shap -b nearest:class=0", "evaluate"],
    "image, occlusion, label maps": [f"{PIXELS} -m occlusion --segmenter file=in/map.npy -b black"],
    "image, permutation, merged": [
        f"{DIGITS} -m permutation --rows 0:3 -o a",
        f"{DIGITS} -m permutation --rows 3: -o b",
        "merge a b -o ab",
    ],
    # killed, and run again
    "continued: table, lime": [f"DIE=5 {MORTAL_TABLE}", MORTAL_TABLE],
    "continued: table, kernel-shap": [
        f"DIE=6 {MORTAL_TABLE} -m kernel-shap -b nearest --report page.html",
        f"{MORTAL_TABLE} -m kernel-shap -b nearest --report page.html",
    ],
    "continued: text": [f"DIE=5 {MORTAL_TEXT}", MORTAL_TEXT],
    "continued: image": [f"DIE=14 {MORTAL_IMAGE}", MORTAL_IMAGE],
}

MODEL = """
import os, signal
import numpy as np

calls = 0

def called():
    global calls
    calls += 1
    if calls == int(os.environ.get("DIE", "0")):
        os.killpg(os.getpgid(0), signal.SIGKILL)

def two(scores):
    called()
    p = 1 / (1 + np.exp(-np.asarray(scores, dtype=float)))
    return np.column_stack([1 - p, p])

def table(frame):
    wide = frame.select_dtypes("number").to_numpy(float)
    return two(np.sin(wide[:, 0]) + wide[:, 1] - wide[:, 6] * wide[:, 2] / 2)

def texts(found):
    return two([sum(map(ord, text)) % 97 / 48 - len(text) / 99 for text in found])

def pictures(found):
    return two(found.reshape(len(found), -1)[:, 9:40].mean(axis=1) / 4 - 1)
"""


# --- inputs: samples of the old checkout, and small models and tables made here --------------


def fitted(folder):
    """Write a small forest and a booster; both checkouts are asked about the same files."""
    import pickle

    import pandas as pd
    import xgboost
    from sklearn.ensemble import RandomForestClassifier

    tumours = pd.read_csv(folder / "tumours.csv")
    X = tumours.drop(columns=["id", "diagnosis"])
    forest = RandomForestClassifier(8, max_depth=3, random_state=0).fit(X, tumours["diagnosis"])
    (folder / "forest.pkl").write_bytes(pickle.dumps(forest))
    wine = pd.read_csv(folder / "wine.csv")
    y = wine.pop("cultivar").str[-1].astype(int)
    booster = xgboost.XGBClassifier(n_estimators=6, max_depth=3, n_jobs=1).fit(wine, y)
    booster.get_booster().save_model(folder / "booster.ubj")


def make_inputs(samples, folder):
    """Lay out everything that the table of runs names."""
    import numpy as np
    import pandas as pd

    folder.mkdir(parents=True)
    for name in ("wine.joblib", "loans.pkl", "loans.onnx", "diabetes.pkl", "diabetes.csv"):
        shutil.copy(samples / name, folder)
    for name in ("wine.csv", "comments.pkl", "pictures/digits.pkl", "pictures/scenes.onnx"):
        shutil.copy(samples / name, folder)
    data = pd.read_csv(samples / "data.csv")
    benign = data[data["diagnosis"] == "benign"]
    pd.concat([data[:18], benign[:18]]).to_csv(folder / "tumours.csv", index=False)
    lines = data[:12].to_json(orient="records", lines=True).splitlines()
    lines[3] = lines[3].replace('"mean area":', '"mean area":"large","area":')
    (folder / "tumours.jsonl").write_text("\n".join([*lines, "no object", ""]))
    loans = pd.read_csv(samples / "loans.csv")
    loans[:120].to_csv(folder / "loans.csv", index=False)
    loans[200:280].to_csv(folder / "background.csv", index=False)
    pd.read_csv(samples / "wine.csv")[60:63].to_csv(folder / "background-wine.csv", index=False)
    pd.read_csv(samples / "comments.csv")[:60].to_csv(folder / "comments.csv", index=False)
    np.save(folder / "digits.npy", np.load(samples / "pictures" / "digits.npy")[:8])
    np.save(folder / "map.npy", np.arange(64).reshape(8, 8) // 8)
    (folder / "scenes").mkdir()
    for path in sorted((samples / "pictures" / "scenes").iterdir())[:3]:
        shutil.copy(path, folder / "scenes")
    (folder / "mortal.py").write_text(MODEL)
    fitted(folder)


# --- running: a server of each checkout forks a process for every command --------------------


PRELOADED = (
    *("joblib", "pandas", "pydantic", "rich.console", "scipy.stats", "skimage.segmentation"),
    *("sklearn.compose", "sklearn.ensemble", "sklearn.feature_extraction.text", "sklearn.pipeline"),
    *("sklearn.neural_network", "typer"),
)


def serve():
    """
    Read commands as lines of JSON; run each in a process of its own; write its exit code.

    Most of the time of a small run goes into importing packages that are not compared: they are
    imported once, here. All of the checkout is imported anew in the process of each command.
    """
    for name in PRELOADED:
        importlib.import_module(name)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            become(**json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def become(words, folder, variables, stdin):
    """Become the process of one command; it ends as that would."""
    os.setsid()
    os.chdir(folder)
    os.environ.update(variables)
    for at, (name, path) in enumerate((("stdin", stdin), ("stdout", "out"), ("stderr", "err"))):
        mode = "a" if at else "r"
        with open(path if at == 0 else f"std{path}", mode) as file:  # noqa: PTH123
            os.dup2(file.fileno(), at)
        setattr(sys, name, open(at, mode, encoding="utf-8"))  # noqa: PTH123, SIM115
    sys.argv = ["xplain", *words]
    sys.path[0] = folder
    importlib.import_module("xplain_cli.main").main()


class Side:
    """The code of one checkout, ready to run commands."""

    def __init__(self, code, cache):
        kept = {key: value for key, value in os.environ.items() if not key.startswith("XPLAIN_")}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        own = {"PYTHONPATH": str(code), "PYTHONPYCACHEPREFIX": str(cache), "NO_COLOR": "1"}
        threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, __file__, "--serve", "", ""]
        self.server = subprocess.Popen(
            command,
            env=kept | own | threads,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def run(self, command, folder):
        """Run one command line in a folder; return whether it went as it should."""
        words = shlex.split(command, comments=False)
        variables = {}
        while "=" in words[0] and words[0].split("=")[0].isupper():
            name, _, variables[name] = words.pop(0).partition("=")
        stdin = words.pop() if "<" in words else os.devnull
        words = [word for word in words if word != "<"]
        asked = {"words": words, "folder": str(folder), "variables": variables, "stdin": stdin}
        print(json.dumps(asked), file=self.server.stdin, flush=True)
        code = int(self.server.stdout.readline())
        if "DIE" not in variables:
            return code == 0
        return code == -signal.SIGKILL and half_done(folder)


def half_done(folder):
    """Say whether a killed run has left some of its parts, and no result."""
    return len(list(folder.glob("*/parts/*.npz"))) > 0 and not list(folder.glob("*/manifest.json"))


def run_all(name, commands, sides, work):
    """
    Run the commands with both checkouts, and the last one with the new on what the old has left.

    Returns the pairs of folders that must be equal, each with its name, and the failures.
    """
    place = work / "runs" / re.sub(r"[^a-z0-9]+", "-", name)
    folders = {side: place / side for side in ("old", "new", "handed over")}
    failures = []

    def run(side, command, by):
        if not sides[by].run(command, folders[side]):
            said = (folders[side] / "stderr").read_text()[-800:]
            failures.append(f"{side}: failed: {command}\n{said}")

    def begin(side):
        folders[side].mkdir(parents=True)
        (folders[side] / "in").symlink_to(work / "in")
        for command in commands[:-1]:
            run(side, command, side)

    with ThreadPoolExecutor(2) as both:
        list(both.map(begin, ("old", "new")))
        handed = len(commands) > 1
        if handed:
            shutil.copytree(folders["old"], folders["handed over"], symlinks=True)
        ends = [("old", "old"), ("new", "new"), *([("handed over", "new")] if handed else [])]
        list(both.map(lambda end: run(end[0], commands[-1], end[1]), ends[:2]))
        list(both.map(lambda end: run(end[0], commands[-1], end[1]), ends[2:]))
    return [(side, folders["old"], folders[side]) for side, _ in ends[1:]], failures


# --- comparing: bytes, less times and versions of packages -----------------------------------

TIMES = ("seconds", "work_seconds", "peak_megabytes")


def plain(path, folder):
    """Return what must be equal of a file of a run, as one value: bytes, or a dictionary."""
    place = re.escape(str(folder.parent).encode())
    data = re.sub(place + rb"/(old|new|handed over)\b", b".", path.read_bytes())
    if path.name.endswith("manifest.json"):
        return {key: value for key, value in json.loads(data).items() if key != "versions"}
    if path.name == "run_results.json":
        return {key: value for key, value in json.loads(data).items() if key not in TIMES}
    if path.name == "run.json":
        facts = json.loads(data)
        facts["outputs"] = {
            name: digest
            for name, digest in facts["outputs"].items()
            if not name.endswith(("manifest.json", ".html"))
        }
        return facts
    if path.suffix == ".html":
        return re.sub(rb"xplain-cli [^<]+", b"", data)
    return data


def members(data):
    """Return the content of a zip by name, whatever its times."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def difference(name, folders):
    """Return in a few words what differs in a file of two folders, ``None`` if nothing does."""
    values = [plain(folder / name, folder) for folder in folders]
    if values[0] == values[1]:
        return None
    if isinstance(values[0], dict):
        return ", ".join(keys(*values))
    if name.endswith(".npz"):
        values = [members(data) for data in values]
        return ", ".join(keys(*values)) or None
    return first_line(*values)


def keys(old, new, above=""):
    """Return the paths of the keys under which two dictionaries differ."""
    found = []
    for key in sorted({*old, *new}):
        pair = [side.get(key, ...) for side in (old, new)]
        if all(isinstance(value, dict) for value in pair):
            found += keys(*pair, f"{above}{key}.")
        elif pair[0] != pair[1]:
            found.append(f"{above}{key}")
    return found


def first_line(old, new):
    """Return how many lines of two texts differ, and the first of them from where it differs."""
    lines = [data.decode("utf-8", "replace").splitlines() for data in (old, new)]
    pairs = list(zip_longest(*lines, fillvalue=""))
    at, (a, b) = next(
        ((at, pair) for at, pair in enumerate(pairs, 1) if pair[0] != pair[1]), (0, ("", ""))
    )
    differing = sum(a != b for a, b in pairs)
    alike = next((at for at, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), 0)
    start = max(alike - 12, 0)
    return (
        f"{differing} of {len(pairs)} lines, first {at}: {a[start : start + 40]!r}"
        f" is now {b[start : start + 40]!r}"
    )


def tree(folder):
    """Return the relative paths of all files of a run: results, parts, pools, what it printed."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "stderr"]
    return {path.relative_to(folder).as_posix() for path in paths}


def compare(name, pairs):
    """Return lines that say what differs, and the number of files compared."""
    found, count = [], 0
    for side, old, new in pairs:
        trees = [tree(folder) for folder in (old, new)]
        for path in sorted(trees[0] | trees[1]):
            count += 1
            if path in trees[0] & trees[1]:
                said = difference(path, (old, new))
            else:
                said = f"only {'old' if path in trees[0] else side} has it"
            found += [f"{side}: {path}: {said}"] if said else []
    return found, count


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path, help="a checkout")
    parser.add_argument("new", type=Path, help="another one")
    parser.add_argument(
        "--only", nargs="+", metavar="TEXT", help="the runs with one of these in name or command"
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave all files here")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        serve()
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        return compare_all(asked, (asked.keep or Path(temporary)).resolve())


def compare_all(asked, work):
    """Make and compare all runs; print a table; return the exit code."""
    began, bad = time.monotonic(), 0
    make_inputs(asked.old.resolve() / "sample_data", work / "in")
    sides = {}
    for side, checkout in (("old", asked.old), ("new", asked.new)):
        code = work / "code" / side  # a copy: the checkout may change meanwhile
        shutil.copytree(checkout / "xplain_cli", code / "xplain_cli")
        sides[side] = Side(code, work / "bytecode" / side)
    runs = {
        name: commands
        for name, commands in RUNS.items()
        if not asked.only or any(text in f"{name} {commands}" for text in asked.only)
    }
    for name, commands in runs.items():
        pairs, failures = run_all(name, commands, sides, work)
        found, count = compare(name, pairs)
        bad += bool(found or failures)
        verdict = "DIFFERENT" if found or failures else "equal"
        print(f"{verdict:9}  {name} ({count} files)", flush=True)
        for line in (*failures, *found):
            print(f"           {line}", flush=True)
    for side in sides.values():
        side.server.communicate()
    spent = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    print(
        f"{len(runs) - bad} of {len(runs)} runs are equal; {spent[0]:.0f} s, {spent[1]:.0f} s CPU"
    )
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
