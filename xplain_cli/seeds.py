"""Every random stream, by purpose: no two purposes ever share one, and nothing else seeds any."""

import numpy as np

POOL, AROUND, RERUNS, MASKS, FREE_MASKS, COALITIONS, ORDERS, BACKGROUND, CURVES, NOISE = range(10)
TRAINING, REDRAWN = 10, 11
BEGIN, SPLIT, JUDGE, PAIRS, PICTURE_JUDGE, JUDGED_NOISE = range(6)
"""What is drawn before the first step of a training."""
RULE = (
    "numpy SeedSequence of: (0, seed, repeat) for the shared pool, (0, seed, repeat, column)"
    " for columns that have a sequence of their own; (1, seed, SHA-256 of the row's values, repeat)"
    " for draws around a row; (2, seed, number of error factors) for predicted reruns,"
    " (2, seed) for weights that rest on the row alone;"
    " (3, seed, number of features, repeat) for masks, which rows with as many features share;"
    " (4, ...) for masks that the model is not asked on; (5, ...) for coalitions of Kernel SHAP,"
    " (5, ..., number of baselines) where they are dealt among these;"
    " (6, ...) for orders in which features are put back; (7, seed, number of rows) for a sample of"
    " the background as baselines; (8, seed, number of features) for random orders to compare with;"
    " (9, seed, SHA-256 of the row's values, repeat, draw) for noise on a row;"
    " (10, seed, step) for a step of training a generator of baselines, (10, seed, 0, purpose) for"
    " what is drawn before the first; (11, seed, layer) for weights of a model that are drawn anew"
)


def stream(purpose: int, *key: int) -> np.random.Generator:
    """Return the generator of a purpose (POOL, AROUND, ...) and a key, the seed first."""
    return np.random.default_rng(np.random.SeedSequence((purpose, *key)))
