"""Cache of model outputs by mask, so that the model is asked no mask of a row twice."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.methods import MaskOutputs, NeedMasks, UnexplainedError

Need: TypeAlias = tuple[Any, NeedMasks]
Answer: TypeAlias = MaskOutputs | UnexplainedError


def distinct_masks(masks: BoolArray) -> tuple[BoolArray, IntArray]:
    """Return the distinct masks (u, n), by first appearance, and for each mask its place."""
    packed = np.packbits(masks, axis=1)
    keys = np.ascontiguousarray(packed).view([("", packed.dtype, (packed.shape[1],))]).ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return masks[first[order]], place[inverse]


class UniqueMasks:
    """The distinct masks of a request: a design that rows share is looked at once."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[BoolArray, tuple[BoolArray, IntArray]]] = {}

    def of(self, masks: BoolArray) -> tuple[BoolArray, IntArray]:
        """Return ``distinct_masks``."""
        if id(masks) not in self._seen:
            self._seen[id(masks)] = (masks, distinct_masks(masks))
        return self._seen[id(masks)][1]


def _keys(masks: BoolArray) -> list[bytes]:
    return [bytes(packed) for packed in np.packbits(masks, axis=1)]


class MaskCache:
    """Answers by row and mask: a further look asks the model on what it adds alone."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[dict[bytes, int], FloatArray]] = {}

    def _new(self, row: bytes, masks: BoolArray) -> BoolArray:
        """Return those of masks (m, n) that have no answer yet."""
        if row not in self._known:
            return masks
        known = self._known[row][0]
        return masks[np.array([key not in known for key in _keys(masks)], dtype=np.bool_)]

    def _keep(self, row: bytes, masks: BoolArray, outputs: FloatArray) -> None:
        places, before = self._known.get(row, ({}, outputs[:0]))
        for place, key in enumerate(_keys(masks), len(before)):
            places.setdefault(key, place)
        self._known[row] = (places, np.concatenate([before, outputs]))

    def _recall(self, row: bytes, masks: BoolArray) -> FloatArray:
        places, outputs = self._known[row]
        return outputs[[places[key] for key in _keys(masks)]]

    def answer(
        self, needs: Sequence[Need], ask: Callable[[Sequence[Need]], list[Answer]]
    ) -> list[Answer]:
        """
        Answer what is asked of masked rows, each mask of a row once.

        Parameters
        ----------
        needs
            Blocks of rows, and what is asked of them.
        ask
            Answers such needs by the model.
        """
        new = []
        for block, need in needs:
            pairs = zip(need.rows, need.masks, strict=True)
            left = [(row, self._new(block.keys[row], masks)) for row, masks in pairs]
            left = [(row, masks) for row, masks in left if len(masks)]
            new.append((block, NeedMasks([r for r, _ in left], [masks for _, masks in left])))
        answers = ask(new)
        return [
            answer if isinstance(answer, UnexplainedError) else self._whole(need, added, answer)
            for need, added, answer in zip(needs, new, answers, strict=True)
        ]

    def _whole(self, need: Need, added: Need, answer: MaskOutputs) -> MaskOutputs:
        """Put what was answered now to what was answered before."""
        block, asked_for = need
        asked: dict[int, int] = {}
        for row, masks, outputs, count in zip(
            added[1].rows, added[1].masks, answer.outputs, answer.asked.tolist(), strict=True
        ):
            self._keep(block.keys[row], masks, outputs)
            asked[row] = count
        pairs = zip(asked_for.rows, asked_for.masks, strict=True)
        recalled = [self._recall(block.keys[row], masks) for row, masks in pairs]
        counts: IntArray = np.array([asked.get(row, 0) for row in asked_for.rows], dtype=np.int64)
        return MaskOutputs(recalled, counts)
