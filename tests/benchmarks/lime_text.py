"""Texts against lime: speed as a whole process, variance, the same estimand, overhead."""

import argparse
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from xplain_cli.engine.explainer import Assignment, Explainer
from xplain_cli.engine.records import Labels, Rows
from xplain_cli.options.request import from_stored
from xplain_cli.planning.choices import choose_method
from xplain_cli.planning.inputs import open_inputs
from xplain_cli.quality.precision import Budget

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
LEAST, MOST = 6, 60  # words of the documents that are compared
RUNS, SEEDS = 30, 10


def models():
    """Return three pipelines, not fitted yet."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4))
    forest = RandomForestClassifier(100, random_state=0)
    return {
        "TF-IDF + logistic": make_pipeline(TfidfVectorizer(), LogisticRegression(C=10)),
        "TF-IDF + forest": make_pipeline(TfidfVectorizer(), forest),
        "letters + logistic": make_pipeline(letters, LogisticRegression(C=10)),
    }


def read_messages(path):
    """Return a table of labels and texts: two columns, parted by tabs, without a header."""
    return pd.read_csv(path, sep="\t", header=None, names=["label", "text"], quoting=3)


def words_of(text):
    """Split a text as xplain does, for lime."""
    from xplain_cli.modalities.text.segmentation import has_dictionary, split_words

    return [text[a:b] for a, b in split_words(text, dictionary=has_dictionary())]


def peer(**options):
    """Return lime, handed our splitter."""
    from lime.lime_text import LimeTextExplainer

    return LimeTextExplainer(split_expression=words_of, **options)


class Inside:
    """The tool without a process per seed, on some texts of a table."""

    def __init__(self, model, data, **options):
        asked = {"modality": "text", "model": str(model), "data": (str(data),)}
        request = from_stored({**asked, "text_column": "text", **options})
        self.opened = open_inputs(request)
        self.chosen = choose_method(request, self.opened)

    def weights(self, texts, seed, samples=None, repeats=None):
        """Return the records of some texts: a table of weights, and of stability."""
        budget = self.chosen.budget
        assignment = Assignment(
            identity="benchmark",
            recipe=self.opened.recipe,
            signature=self.opened.signature,
            perturbation=self.chosen.perturbation,
            method=self.chosen.method,
            target=self.chosen.target,
            scale=self.chosen.scale,
            budget=Budget(seed, samples or budget.samples, repeats or budget.repeats),
            stability_k=5,
            labels=Labels("", "", "", "", "", ("spans",), ("n_units", "segmentation")),
            sparse=self.chosen.neighbourhood.sparse,
        )
        explainer = Explainer(assignment, self.opened.model, iter(()))
        rows = Rows(0, list(range(len(texts))), pd.DataFrame(index=range(len(texts))))
        return explainer.explain(texts, rows)


def by_word(records, row):
    """Return {word: weight} and {word: standard error} of one row."""
    table = records.weights[records.weights["row_id"] == row]
    words = table["feature"].tolist()
    return dict(zip(words, table["weight"], strict=True)), dict(
        zip(words, table["std_error"], strict=True)
    )


def lime_runs(model, text, runs, samples):
    """Return the weights (runs, words) of lime at some seeds, and the words."""
    words, found = None, []
    for seed in range(runs):
        explained = peer(random_state=seed, class_names=list(model.classes_)).explain_instance(
            text, model.predict_proba, num_features=10**6, num_samples=samples
        )
        weights = dict(explained.as_list())
        words = words or sorted(weights)
        found.append([weights[word] for word in words])
    return np.array(found), words


def documents(table, count):
    """Return texts of 6 to 60 distinct words."""
    sizes = table["text"].map(lambda text: len(set(words_of(text))))
    good = table["text"][(sizes >= LEAST) & (sizes <= MOST)]
    return good.sample(count, random_state=0).tolist()


def compare(folder, table, count, chosen):
    """Print how many weights agree with lime's."""
    texts = documents(table, count)
    for name, pipeline in models().items():
        if chosen not in name:
            continue
        model = pipeline.fit(table["text"], table["label"])
        path, data = folder / "model.pkl", folder / "data.csv"
        path.write_bytes(pickle.dumps(model))
        table.to_csv(data, index=False)
        tool = Inside(path, data)
        runs = [tool.weights(texts, seed) for seed in range(SEEDS)]
        alone, together, gaps = 0, 0, 0
        for i, text in enumerate(texts):
            theirs, words = lime_runs(model, text, RUNS, 5000)
            spread = theirs.std(axis=0, ddof=1) / np.sqrt(RUNS)
            mine = np.array([[by_word(run, i)[0][word] for word in words] for run in runs])
            error = np.array([[by_word(run, i)[1][word] for word in words] for run in runs])
            gap = np.abs(theirs.mean(axis=0) - mine)
            alone += int((gap <= 3 * np.hypot(spread, error)).sum())
            own = mine.std(axis=0, ddof=1) / np.sqrt(SEEDS)
            gap = np.abs(theirs.mean(axis=0) - mine.mean(axis=0))
            together += int((gap <= 3 * np.hypot(spread, own)).sum())
            gaps += len(words)
        print(
            f"{name:<20} of {gaps} coefficients within 3 standard errors of lime: mean of {SEEDS}"
            f" seeds {together / gaps:.1%}, one seed {alone / gaps / SEEDS:.1%}",
            flush=True,
        )


def variance(folder, table, count):
    """Print the variance of lime at 1024 samples over ours at 1024, and at equal variance."""
    name, pipeline = next(iter(models().items()))
    model = pipeline.fit(table["text"], table["label"])
    path, data = folder / "model.pkl", folder / "data.csv"
    path.write_bytes(pickle.dumps(model))
    table.to_csv(data, index=False)
    tool = Inside(path, data)
    texts = [text for text in documents(table, 4 * count) if len(set(words_of(text))) > 11][:count]
    theirs, full = [], []
    for text in texts:
        theirs.append(lime_runs(model, text, RUNS, 1024)[0].var(axis=0, ddof=1).sum())
        full.append(lime_runs(model, text, RUNS, 5000)[0].var(axis=0, ddof=1).sum())
    for samples, repeats in ((256, 4), (512, 4)):
        runs = [tool.weights(texts, seed, samples, repeats) for seed in range(RUNS)]
        asked = runs[0].stability["n_model_inputs"].mean()
        ours = []
        for i in range(len(texts)):
            words = sorted(by_word(runs[0], i)[0])
            table_of = np.array([[by_word(run, i)[0][word] for word in words] for run in runs])
            ours.append(table_of.var(axis=0, ddof=1).sum())
        ratios = np.sum(theirs) / np.sum(ours), np.sum(full) / np.sum(ours)
        print(
            f"{name}: {repeats} x {samples} ({asked:.0f} model inputs): variance of lime at 1024"
            f" {ratios[0]:.1f} times ours, at 5000 {ratios[1]:.1f}",
            flush=True,
        )


def run_xplain(model, data, folder, *options):
    """Run ``xplain text`` as a process of its own; return the processor time of all it started."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "xplain_cli", "text", model, data, "-o", folder, "--force"]
    command += ["--text-column", "text", "--jobs", "1", "--no-progress", "--quiet", *options]
    before = os.times()
    subprocess.run(
        list(map(str, command)), check=False, stdout=subprocess.DEVNULL, env=kept | ONE_THREAD
    )
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])  # user and system, of children


def drawn_comments(table, source):
    """Return 1,900 comments of 15 words of the messages."""
    words = " ".join(table["text"]).split()
    return pd.DataFrame({"text": [" ".join(source.choice(words, 15)) for _ in range(1900)]})


def speed(folder, table, turns):
    """Print processor time a document of lime at its defaults and of xplain, in turns."""
    from threadpoolctl import threadpool_limits

    _, pipeline = next(iter(models().items()))
    model = pipeline.fit(table["text"], table["label"])
    path = folder / "model.pkl"
    path.write_bytes(pickle.dumps(model))
    comments = drawn_comments(table, np.random.default_rng(0))
    tables = {"messages, 500": table.head(500), "messages": table, "comments": comments}
    run_xplain(path, _stored(folder, table.head(50)), folder / "run")
    for (name, part), wanted in zip(tables.items(), (10, 50, 25), strict=True):
        data, times, lime = _stored(folder, part), [], []
        some = [text for text in part["text"].sample(40, random_state=1) if words_of(text)]
        for _ in range(turns):
            with threadpool_limits(1):
                explainer = peer(random_state=0, class_names=list(model.classes_))
                began = time.process_time()
                for text in some:
                    explainer.explain_instance(text, model.predict_proba)
                lime.append((time.process_time() - began) * 1000 / len(some))
            seconds = run_xplain(path, data, folder / "run", "-k", "10")
            times.append(seconds * 1000 / len(part))
        base, mine = statistics.median(lime), statistics.median(times)
        ratio = f"{base / mine:.1f} times faster (wanted: {wanted})"
        print(f"{name}: lime {base:.1f} ms a document, xplain {mine:.2f}, {ratio}", flush=True)


def _stored(folder, table):
    """Write a table as csv; return its path."""
    path = folder / f"{len(table)}.csv"
    table.to_csv(path, index=False)
    return path


TIMED = """
import atexit, pathlib, pickle, time

HERE = pathlib.Path(__file__).parent
MODEL = pickle.loads((HERE / "model.pkl").read_bytes())
SPENT = [0.0, 0]
atexit.register(lambda: (HERE / "spent").write_text(f"{SPENT[0]} {SPENT[1]}"))


def ask(texts):
    began = time.process_time()
    answer = MODEL.predict_proba(texts)
    SPENT[0] += time.process_time() - began
    SPENT[1] += len(texts)
    return answer
"""


def overhead(folder, table, count):
    """Print the processor time of a whole run over that of the model, asked as a callable."""
    for name, pipeline in list(models().items())[:2]:
        model = pipeline.fit(table["text"], table["label"])
        (folder / "model.pkl").write_bytes(pickle.dumps(model))
        (folder / "timed.py").write_text(TIMED)
        data = folder / "some.csv"
        table.head(count).to_csv(data, index=False)
        before = os.times()
        run_xplain("timed:ask", data, folder / "run", "--python-path", folder)
        after = os.times()
        whole = after.children_user + after.children_system
        whole -= before.children_user + before.children_system
        spent, asked = (folder / "spent").read_text().split()
        ratio = f"{whole / float(spent):.3f} of the model alone (wanted: at most 1.2)"
        print(
            f"{name}: {asked} texts asked, {1e6 * float(spent) / int(asked):.0f} us each; {ratio}"
        )


def main():
    """Print what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("messages", type=Path, help="two columns, label and text, parted by tabs")
    parser.add_argument(
        "--what", choices=("speed", "variance", "estimand", "overhead"), default="speed"
    )
    parser.add_argument("--count", type=int, default=20, help="documents that are compared")
    parser.add_argument("--model", default="", help="only pipelines with this word in their name")
    parser.add_argument("--runs", type=int, default=3, help="turns of the timing")
    asked = parser.parse_args()
    table = read_messages(asked.messages)
    with tempfile.TemporaryDirectory() as folder:
        if asked.what == "speed":
            speed(Path(folder), table, asked.runs)
        elif asked.what == "overhead":
            overhead(Path(folder), table, asked.count)
        elif asked.what == "variance":
            variance(Path(folder), table, asked.count)
        else:
            compare(Path(folder), table, asked.count, asked.model)


if __name__ == "__main__":
    main()
