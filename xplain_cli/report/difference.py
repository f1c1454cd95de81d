"""The page of two runs that were compared: what changed, why, and in which rows most."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from xplain_cli.report.page import fill

_MOST_FEATURES = 50
_MEANINGS = {
    "same": "Prediction and weights are equal, but for rounding.",
    "noise": "The weights differ by no more than their errors.",
    "model": "The row is the same, and the model is another.",
    "data": "The row has other values, or is compared with another background.",
    "question": "Another target, scale, baseline or method was asked for.",
    "failed": "The row failed in one of the two runs.",
}


def render_difference(document: Mapping[str, Any], features: pd.DataFrame) -> bytes:
    """
    Return the page of a difference as HTML.

    Parameters
    ----------
    document
        What diff.json says.
    features
        The lines of diff_features.csv.
    """
    values = {
        "title": "What changed between two runs",
        "page": document,
        "meanings": _MEANINGS,
        "features": features.head(_MOST_FEATURES).to_dict("records"),
    }
    return fill("difference.html", values)
