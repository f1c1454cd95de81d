"""Paths through the embedding of texts: points are what a net looks up for the tokens of one.

A point holds the embedding of every token of a text, filled up to the longest of its batch, and
behind it the number of the text: its token ids, its mask and its positions are the row's own all
along a path. Tokens that belong to no unit stay what they are.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.models.gradients import Gradient, Kinks, Slopes, UnitText
from xplain_cli.models.torch.gradients import Differentiable
from xplain_cli.models.torch.graphs import ScoreGraph, kind_of
from xplain_cli.models.torch.kinks import graph_kinks

_ROWS, _BATCH_ROWS = 8, 32
"""Points of one text that run together, and points that are asked together."""

_KEPT_TEXTS = 1 << 14
"""Texts that are known by their numbers: more than any chunk holds."""


@dataclass(frozen=True)
class TokenText:
    """
    A text as a net takes it.

    Attributes
    ----------
    ids : (length,) int
        Its tokens, filled up.
    owners : (length,) int
        The unit that each token belongs to; -1: none.
    units
        How many units there are.
    fed
        The inputs of the net by name, (1, length) each.
    """

    ids: IntArray
    owners: IntArray
    units: int
    fed: Mapping[str, Any]

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells it from other texts."""
        fed = tuple((name, one.tobytes()) for name, one in self.fed.items())
        return self.ids.tobytes(), self.owners.tobytes(), self.units, fed


@dataclass(frozen=True)
class TokenNet:
    """
    A net behind the embedding of the tokens of a text.

    Attributes
    ----------
    graph
        It goes on from points (m, length, width).
    module
        What answers its scores.
    link
        How these become outputs.
    table : (tokens, width)
        The embedding of each token.
    """

    graph: ScoreGraph
    module: Differentiable
    link: str
    table: FloatArray


def owners_of(unit_text: UnitText, offsets: Sequence[tuple[int, int]]) -> IntArray:
    """Return the unit that has most letters of each token, the first of several; -1: none has."""
    letters = np.full(len(unit_text.text), -1, dtype=np.int64)
    for unit, spans in enumerate(unit_text.spans):
        for low, high in spans:
            letters[low:high] = unit
    found = np.full(len(offsets), -1, dtype=np.int64)
    for at, (low, high) in enumerate(offsets):
        own = letters[low:high]
        own = own[own >= 0]
        if len(own):
            units, counts = np.unique(own, return_counts=True)
            found[at] = units[counts == counts.max()][0]
    return found


@dataclass
class TokenPaths:
    """
    Enters texts as points, and asks nets of them.

    Attributes
    ----------
    read
        Returns a text as a net takes it.
    open_net
        Returns the net for a text.
    filler
        Returns the token id that stands for an absent unit: of the token that the user names, or
        of None. None: nothing does, and the embedding is 0.
    """

    read: Callable[[UnitText], TokenText]
    open_net: Callable[[TokenText], TokenNet]
    filler: Callable[[str | None], int | None]
    _texts: OrderedDict[int, TokenText] = field(default_factory=OrderedDict)
    _numbers: dict[tuple[Any, ...], int] = field(default_factory=dict)
    _count: int = 0

    def _number(self, text: TokenText) -> int:
        """Return the number of a text, which stays known for a while."""
        if text.key not in self._numbers:
            self._numbers[text.key] = self._count
            self._texts[self._count] = text
            self._count += 1
            if len(self._texts) > _KEPT_TEXTS:
                _, old = self._texts.popitem(last=False)
                del self._numbers[old.key]
        return self._numbers[text.key]

    def enter(self, batch: Sequence[str | UnitText]) -> FloatArray:
        """Return texts as points (m, length * width + 1)."""
        given = [one if isinstance(one, UnitText) else UnitText(one) for one in batch]
        texts = [self.read(one) for one in given]
        values = [self._embedded(one, text) for one, text in zip(given, texts, strict=True)]
        points = np.zeros((len(texts), max((one.size for one in values), default=0) + 1))
        for point, value, text in zip(points, values, texts, strict=True):
            point[: value.size] = value.ravel()
            point[-1] = self._number(text)
        return points

    def _embedded(self, given: UnitText, text: TokenText) -> FloatArray:
        """Return the embedding (length, width) of the tokens of a text, or of its baseline."""
        table = self.open_net(text).table
        value = np.array(table[text.ids])
        if given.absent:
            filler = self.filler(given.token)
            value[text.owners >= 0] = 0.0 if filler is None else table[filler]
        return value

    def leave(self, parts: FloatArray) -> FloatArray:
        """Return the sums (p, units) over the tokens of each unit."""
        texts = [self._texts[int(number)] for number in parts[:, -1].tolist()]
        found = np.zeros((len(parts), max((one.units for one in texts), default=0)))
        for sums, part, text in zip(found, parts, texts, strict=True):
            length = len(text.ids)
            width = self.open_net(text).table.shape[1]
            each = part[: length * width].reshape(length, width).sum(axis=1)
            own = text.owners >= 0
            np.add.at(sums, text.owners[own], each[own])
        return found

    def _groups(self, points: FloatArray, size: int) -> Iterator[tuple[IntArray, TokenNet, Any]]:
        """Yield the places of points of one text, at most so many, its net, and what this takes."""
        numbers = points[:, -1].astype(np.int64)
        for number in dict.fromkeys(numbers.tolist()):
            text = self._texts[number]
            net = self.open_net(text)
            length, width = len(text.ids), net.table.shape[1]
            places = np.flatnonzero(numbers == number)
            for at in range(0, len(places), size):
                own = places[at : at + size]
                yield own, net, points[own, : length * width].reshape(-1, length, width)

    def scores(self, points: FloatArray) -> FloatArray:
        """Return the scores (m, k)."""
        found: list[tuple[IntArray, FloatArray]] = [
            (places, net.module.scores(_filled(own))[: len(places)])
            for places, net, own in self._groups(points, _ROWS)
        ]
        return _placed(found, len(points))

    def derive(self, points: FloatArray, slopes: Slopes) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives (m, ...) of what *slopes* reads, and the scores."""
        groups = list(self._groups(points, _ROWS))
        runs = [net.module.forward(_filled(own)) for _, net, own in groups]
        answers = [
            (places, scores[: len(places)])
            for (places, _, _), (scores, _) in zip(groups, runs, strict=True)
        ]
        scores = _placed(answers, len(points))
        read = slopes(scores)
        found = np.zeros(points.shape)
        for (places, _, own), (_, backward) in zip(groups, runs, strict=True):
            made = backward(_filled(read[places]))[: len(places)]
            found[places, : own[0].size] = made.reshape(len(places), -1)
        return found, scores

    def kinks(self, starts: FloatArray, steps: FloatArray, most: int) -> list[Kinks | None]:
        """Return where the paths of texts bend (``Gradient.kinks``)."""
        found: list[Kinks | None] = [None] * len(starts)
        for places, net, own in self._groups(starts, len(starts)):
            if not kind_of(net.graph)[0]:
                continue
            ways = steps[places, : own[0].size].reshape(own.shape)
            for place, one in zip(places, graph_kinks(net.graph, own, ways, most), strict=True):
                found[place] = one and Kinks(one.shares, net.module.widened(one.scores))
        return found

    def gradient(self, sample: str, absent: str) -> Gradient:
        """
        Return the gradient by the embedding of texts.

        Parameters
        ----------
        sample
            Any text: what nets are made of does not hang on it.
        absent
            See ``Gradient``.
        """
        net = self.open_net(self.read(UnitText(sample)))
        pieces, smooth = kind_of(net.graph)
        return Gradient(
            enter=self.enter,
            leave=self.leave,
            scores=self.scores,
            derive=self.derive,
            link=net.link,
            kinks=self.kinks if pieces else None,
            smooth=smooth,
            batch_rows=_BATCH_ROWS,
            held=1,
            absent=absent,
        )


def _filled(values: FloatArray) -> FloatArray:
    """Return values filled up to a batch with repeats of the last one."""
    return values[np.minimum(np.arange(_ROWS), len(values) - 1)]


def _placed(found: Sequence[tuple[IntArray, FloatArray]], count: int) -> FloatArray:
    """Return what was found of points, in their order."""
    made = np.empty((count, found[0][1].shape[1]))
    for places, values in found:
        made[places] = values
    return made
