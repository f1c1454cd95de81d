"""Comments that are spam or not, a pipeline and callables that tell them apart."""

import pickle

import pandas as pd

GOOD = ["thank you so much for this", "what a lovely song it is", "I love this band a lot"]


BAD = ["win a free phone now", "click here to win cash", "free cash for you, click now"]


CALLABLE = """
import numpy as np

ASKED = []


def spam(texts):
    ASKED.append(len(texts))
    share = np.array([text.lower().count("free") + 0.5 * ("win" in text) for text in texts])
    return 1 / (1 + np.exp(1 - share))


def order(texts):
    rises = [sum(a < b for a, b in zip(t.split(), t.split()[1:])) for t in texts]
    return np.array([float(number % 2) for number in rises])


def fails(texts):
    if any("poison" in text for text in texts):
        raise RuntimeError("no")
    return np.zeros(len(texts))
"""


def make_comments(folder):
    """Fill a folder with a small pipeline, its comments, and callables; return it."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    table = pd.DataFrame({
        "id": [f"c{i}" for i in range(24)],
        "CONTENT": [
            f"{text} {'again ' * (i % 3)}number{i}" for i, text in enumerate((GOOD + BAD) * 4)
        ],
        "likes": range(24),
    })
    labels = (["fine"] * 3 + ["spam"] * 3) * 4
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10)).fit(table["CONTENT"], labels)
    (folder / "model.pkl").write_bytes(pickle.dumps(model))
    table.to_csv(folder / "comments.csv", index=False)
    (folder / "comments.txt").write_text("\n".join(table["CONTENT"]) + "\n")
    (folder / "judges.py").write_text(CALLABLE)
    return folder


SMALL = ("-n", "64", "-r", "4")


def explained(run, comments, tmp_path, *options, model=None, data="comments.csv"):
    done = run("text", model or comments / "model.pkl", comments / data, *SMALL, *options)
    assert done.code == 0, done.err
    return pd.read_csv(tmp_path / "xplain-out" / "weights.csv")


def against_nearest(
    run, tmp_path, folder, *options, baseline="nearest:class=fine", data="comments.csv"
):
    base = ("text", folder / "model.pkl", folder / data, "--text-column", "CONTENT", "-q")
    done = run(*base, "-t", "spam", "-m", "kernel-shap", "-b", baseline, "--force", *options)
    assert done.code == 0, done.err
    out = tmp_path / "xplain-out"
    return pd.read_csv(out / "weights.csv"), pd.read_csv(out / "stability.csv")
