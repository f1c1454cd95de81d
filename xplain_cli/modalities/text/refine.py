"""Long texts from coarse to fine: blocks of sentences, sentences, the units inside the best."""

from collections.abc import Sequence

import numpy as np

from xplain_cli.explanation import FloatArray
from xplain_cli.features import RoughWeights, Weigh
from xplain_cli.modalities.text.masks import MOST_UNITS, TextRows
from xplain_cli.modalities.text.segmentation import Span, split_sentences

_MOST_BLOCKS = 64


def _blocks(spans: Sequence[Span]) -> list[Span]:
    """Join neighbouring sentences so that there are at most 64 blocks of them."""
    step = -(-len(spans) // _MOST_BLOCKS)
    parts = [spans[at : at + step] for at in range(0, len(spans), step)]
    return [(part[0][0], part[-1][1]) for part in parts]


def _best(spans: Sequence[Span], sizes: FloatArray, most: int) -> list[Span]:
    """Return the strongest spans, in the order of the text."""
    order = np.argsort(-sizes, kind="stable")[:most]
    return [spans[i] for i in sorted(order.tolist())]


def refine(rows: TextRows, most: int, weigh: Weigh) -> tuple[TextRows, RoughWeights]:
    """
    Return texts with only the units inside their *most* strongest sentences.

    A text with no more sentences than that keeps all its units.

    Parameters
    ----------
    rows
        Texts, split into units.
    most
        How many sentences.
    weigh
        Explains some of the texts roughly, with other units.

    Returns
    -------
    the texts, and what finding the sentences took
    """
    sentences = [split_sentences(text) for text in rows.texts]
    total = RoughWeights()
    chosen = [list(own) for own in sentences]
    for level in (_blocks, list):
        spans = [level(_inside(all_, own)) for all_, own in zip(sentences, chosen, strict=True)]
        due = [i for i, own in enumerate(spans) if len(own) > most and i not in total.lost]
        if not due:
            continue
        found = weigh(rows.of_spans(spans), due)
        total.lost |= found.lost
        for i, sizes in found.sizes.items():
            chosen[i] = _best(spans[i], sizes, most)
            total.asked[i] = total.asked.get(i, 0) + found.asked[i]
    everything = [(0, len(text)) for text in rows.texts]
    inside = rows.inside([own or [all_] for own, all_ in zip(chosen, everything, strict=True)])
    for i, count in enumerate(inside.counts.tolist()):
        if not 0 < count <= MOST_UNITS:
            total.lost.setdefault(
                i,
                f"the {most} strongest sentences hold {count} features, and 1 to {MOST_UNITS} can"
                " be explained; take another --unit, or another lime:refine",
            )
    return inside, total


def _inside(sentences: Sequence[Span], chosen: Sequence[Span]) -> list[Span]:
    return [
        (low, high)
        for low, high in sentences
        if any(first <= low and high <= last for first, last in chosen)
    ]
