"""Cache of model outputs by mask, so that the model is asked no mask of a row twice."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from xplain_cli.explanation import BoolArray, FloatArray, IntArray
from xplain_cli.methods import MaskOutputs, NeedMasks, UnexplainedError
from xplain_cli.methods.cache import Cache

Need: TypeAlias = tuple[Any, NeedMasks]
Answer: TypeAlias = MaskOutputs | UnexplainedError


def _packed(masks: BoolArray, baselines: IntArray | None) -> NDArray[np.uint8]:
    """Return masks (m, n), and the baseline that each is asked on, as few bytes."""
    packed = np.packbits(masks, axis=1)
    if baselines is None:
        return packed
    numbers = np.ascontiguousarray(baselines, dtype="<u4").view(np.uint8).reshape(len(masks), -1)
    return np.concatenate([packed, numbers], axis=1)


def distinct_masks(
    masks: BoolArray, baselines: IntArray | None = None
) -> tuple[IntArray, IntArray]:
    """Return the places of distinct masks (u,), by first appearance, and of each mask its place."""
    packed = _packed(masks, baselines)
    keys = np.ascontiguousarray(packed).view([("", packed.dtype, (packed.shape[1],))]).ravel()
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return first[order], place[inverse]


@dataclass(frozen=True, eq=False)
class DistinctMasks:
    """
    Distinct masks, and the way to all.

    Attributes
    ----------
    masks : (u, n) bool
    baselines : (u,) int, optional
        The baseline on which each is asked; None: all of them.
    inverse : (m,) int
        For each of the masks that are wanted its place among the distinct ones.
    """

    masks: BoolArray
    baselines: IntArray | None
    inverse: IntArray


# with the arrays whose ids are the keys, or others might get these
_DISTINCT: Cache[tuple[Any, DistinctMasks]] = Cache(
    lambda held: 2 * held[1].masks.size + 16 * len(held[1].inverse), 1 << 26
)


def unique_masks(masks: BoolArray, baselines: IntArray | None) -> DistinctMasks:
    """Return the distinct ones of masks (m, n), each on its baseline, found once."""

    def make() -> tuple[Any, DistinctMasks]:
        places, inverse = distinct_masks(masks, baselines)
        own = None if baselines is None else baselines[places]
        return (masks, baselines), DistinctMasks(masks[places], own, inverse)

    return _DISTINCT.get((id(masks), id(baselines)), make)[1]


def _keys(masks: BoolArray, baselines: IntArray | None) -> list[bytes]:
    packed = np.ascontiguousarray(_packed(masks, baselines))
    return list(map(bytes, packed))


@dataclass
class _Known:
    """What is known of a row: its masks' keys in the order of their outputs (m, k)."""

    keys: list[bytes]
    outputs: FloatArray
    places: dict[bytes, int] = field(default_factory=dict)

    def indexed(self) -> dict[bytes, int]:
        """Return the place of each key: made when a row is looked at again, which few are."""
        if not self.places:
            for place, key in enumerate(self.keys):
                self.places.setdefault(key, place)
        return self.places


class MaskCache:
    """Answers by row and mask: a further look asks the model on what it adds alone."""

    def __init__(self) -> None:
        self._known: dict[bytes, _Known] = {}

    def _new(self, row: bytes, keys: Sequence[bytes]) -> BoolArray:
        """Say which keys of masks have no answer yet, (m,)."""
        if row not in self._known:
            return np.ones(len(keys), dtype=np.bool_)
        known = self._known[row].indexed()
        return np.array([key not in known for key in keys], dtype=np.bool_)

    def _keep(self, row: bytes, keys: list[bytes], outputs: FloatArray) -> None:
        if row not in self._known:
            self._known[row] = _Known(keys, outputs)
            return
        known = self._known[row]
        for place, key in enumerate(keys, len(known.outputs)):
            known.places.setdefault(key, place)
        known.outputs = np.concatenate([known.outputs, outputs])

    def _recall(self, row: bytes, keys: list[bytes]) -> FloatArray:
        known = self._known[row]
        if known.keys is keys and len(known.outputs) == len(keys):
            return known.outputs
        places = known.indexed()
        return known.outputs[[places[key] for key in keys]]

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
        shared = _SharedKeys()
        new, lacking = [], []
        for block, need in needs:
            left = [
                (row, masks, dealt, self._new(block.keys[row], shared.of(masks, dealt)))
                for row, masks, dealt in need.lines()
            ]
            some = [(row, masks[at], dealt, at) for row, masks, dealt, at in left if at.any()]
            dealt_new = [dealt[at] for _, _, dealt, at in some if dealt is not None]
            rows, masks_new = [row for row, *_ in some], [masks for _, masks, _, _ in some]
            new.append((block, NeedMasks(rows, masks_new, dealt_new or None)))
            lacking.append({row: at for row, *_, at in left})
        answers = ask(new)
        return [
            answer
            if isinstance(answer, UnexplainedError)
            else self._whole(need, own, answer, shared)
            for need, own, answer in zip(needs, lacking, answers, strict=True)
        ]

    def _whole(
        self, need: Need, lacking: Mapping[int, BoolArray], answer: MaskOutputs, keys: "_SharedKeys"
    ) -> MaskOutputs:
        """Put what was answered now to what was answered before."""
        block, asked_for = need
        answered = iter(zip(answer.outputs, answer.asked.tolist(), strict=True))
        recalled, counts = [], []
        for row, masks, dealt in asked_for.lines():
            own, at, count = keys.of(masks, dealt), lacking[row], 0
            if at.any():
                outputs, count = next(answered)
                added = own if at.all() else list(compress(own, at.tolist()))
                self._keep(block.keys[row], added, outputs)
            recalled.append(self._recall(block.keys[row], own))
            counts.append(count)
        return MaskOutputs(recalled, np.array(counts, dtype=np.int64))


class _SharedKeys:
    """Keys of masks, made once where rows share them."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, int], tuple[Any, list[bytes]]] = {}

    def of(self, masks: BoolArray, baselines: IntArray | None) -> list[bytes]:
        """Return the key of each mask."""
        key = id(masks), id(baselines)
        if key not in self._seen:
            self._seen[key] = (masks, baselines), _keys(masks, baselines)
        return self._seen[key][1]
