"""Made-up comments on videos, and a model that finds spam in them; make.py writes both."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

ROWS = 400
SHARE_OF_SPAM = 0.45
PRAISE = [
    "I love this {thing}, it makes my day every time.",
    "The {part} at {minute}:{second:02d} is so good!",
    "Who else is still watching this {thing} in {year}?",
    "My {person} showed me this {thing} and we can't stop listening.",
    "Not my kind of {thing}, but the {part} is honest work.",
    "This reminds me of {year}, best summer of my life.",
    "\u00bfAlguien m\u00e1s escucha esta canci\u00f3n en {year}? Me encanta el {part}.",
    "Das ist so ein sch\u00f6nes Lied, danke f\u00fcr das {part}!",
    "\u3053\u306e\u66f2\u304c\u5927\u597d\u304d\u3067\u3059\u3002\u4f55\u5ea6\u3082\u805e\u304d\u307e\u3059\u3002",
    "How did they film the {part}? I watched it {minute} times \U0001f60a",
    "Free as a bird, that is how this {thing} feels.",
    "Please make a longer version of the {part}, my {person} asks every day.",
]
SPAM = [
    "Check out my channel for more {thing} videos, please subscribe!",
    "Make ${money} a week from home, visit {site} now",
    "FREE {gift} for the first {minute} people at {site} !!!",
    "Subscribe to my channel and I will subscribe to yours, promise.",
    "Hey guys, my {person} and I make {thing} covers, check out our new {part}!",
    "Win a {gift} today, click the link in my profile",
    "I earned ${money} last month, visit {site} to see how it works",
    "Suscr\u00edbete a mi canal y gana un {gift} gratis en {site}",
    "Please like this comment so that my {person} sees {site}",
]
WORDS = {
    "thing": ["song", "video", "clip", "band", "remix"],
    "part": ["chorus", "solo", "dance", "intro", "ending"],
    "person": ["brother", "daughter", "teacher", "friend", "mum"],
    "gift": ["phone", "gift card", "console", "ticket"],
    "site": ["www.quick-cash.example", "free-gifts.example", "my-page.example/win"],
}


def draw_comments() -> pd.DataFrame:
    """Return made-up comments; nobody wrote them, and one in thirty labels is wrong."""
    stream = np.random.default_rng(0)
    rows = []
    for number in range(1, ROWS + 1):
        spam = stream.random() < SHARE_OF_SPAM
        words = {name: str(stream.choice(choices)) for name, choices in WORDS.items()}
        count = int(stream.integers(1, 4))
        templates = stream.choice(SPAM if spam else PRAISE, count, replace=False)
        content = " ".join(
            template.format(
                **words,
                minute=stream.integers(1, 9),
                second=stream.integers(0, 60),
                year=stream.integers(2019, 2027),
                money=100 * stream.integers(3, 60),
            )
            for template in templates
        )
        label = spam if stream.random() > 1 / 30 else not spam
        rows.append((number, content, int(label)))
    return pd.DataFrame(rows, columns=["COMMENT_ID", "CONTENT", "SPAM"])


def fit_comments(table: pd.DataFrame) -> Pipeline:
    """Fit logistic regression on words and pairs of words."""
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    labels = table["SPAM"].map({0: "fine", 1: "spam"})
    return make_pipeline(words, LogisticRegression(C=10)).fit(table["CONTENT"], labels)


def make_comments(folder: Path) -> None:
    """Write comments.csv and comments.pkl."""
    table = draw_comments()
    table.to_csv(folder / "comments.csv", index=False, lineterminator="\n")
    with (folder / "comments.pkl").open("wb") as file:
        pickle.dump(fit_comments(table), file, protocol=5)
