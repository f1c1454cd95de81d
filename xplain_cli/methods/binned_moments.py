"""What draws in bins say at each row: moments of the targets under the row's weighted law.

The additive stand-in g has known moments, from its tables. For what it leaves, f - g, means are
taken over the draws, repeat by repeat, as ratios to the weight that the draws show.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from xplain_cli.explanation import BoolArray, FloatArray, IntArray, add_up
from xplain_cli.methods.additive import level_starts, units_of
from xplain_cli.methods.product_law import Draws, RowLaws
from xplain_cli.methods.requests import Pool
from xplain_cli.targets import pair_values


@dataclass(frozen=True)
class Targets:
    """
    The explained numbers of t targets on the draws, less an offset, in units of their own.

    Attributes
    ----------
    offsets, units : (t,)
        What was taken from all of them, and what they were then divided by.
    left : (t, N) float32
        What the stand-in leaves of each.
    looked : (t, r * m) float32
        The same of the draws at which weights are taken.
    moments : (r, 1 + 3 t, m) float32
        Of each of these 1, what is left, its square, and its product with the stand-in.
    plain : (r, 1 + 3 t)
        The means of these numbers over all draws of a repeat.
    tables, table_squares : (r, t, levels), constants : (r, t)
        The stand-ins, by repeat: means over the parts of each level, and of their squares.
    totals, squares : (r, t, n)
        Their means over the levels of each feature, and those of their squares.
    sums : (r, t, levels)
        Means over the draws of a repeat of what is left, where they have a level.
    contrasts : (r, t, levels)
        Mean of what is left where draws have a level less the mean where not, without weights.
    """

    offsets: FloatArray
    units: FloatArray
    left: Any
    looked: Any
    moments: Any
    plain: FloatArray
    tables: FloatArray
    table_squares: FloatArray
    constants: FloatArray
    totals: FloatArray
    squares: FloatArray
    sums: FloatArray
    contrasts: FloatArray


def see_targets(pool: Pool, draws: Draws, pairs: IntArray, *, margin: bool) -> Targets:
    """Take what is known of the outputs together to what is explained, ``pairs`` (t, 2)."""

    def paired(parts: FloatArray) -> FloatArray:
        """Return (..., t, x) of outputs (..., k, x)."""
        last = np.moveaxis(parts, -2, -1)
        found = pair_values(last.reshape(-1, last.shape[-1]), pairs, margin=margin)
        return np.ascontiguousarray(np.moveaxis(found.reshape(-1, *last.shape[:-1]), 0, -2))

    values = pair_values(pool.outputs - pool.outputs[0], pairs, margin=margin)
    units = units_of(values)
    # of two outputs with a constant difference the stand-ins would leave rounding
    some: BoolArray = np.asarray(values.any(axis=1))

    def measured(parts: FloatArray) -> FloatArray:
        """Return (..., t, x) of outputs (..., k, x), in units of the targets."""
        return np.where(some[:, None], paired(parts) / units[:, None], 0.0)

    left, fine = measured(pool.stand_in.residuals), measured(pool.stand_in.tables)
    counts = np.repeat(pool.part_counts, pool.levels)
    parts = np.cumsum(counts) - counts
    tables = np.add.reduceat(fine, parts, axis=-1) / counts
    squares = np.add.reduceat(fine**2, parts, axis=-1) / counts
    constants = measured(pool.stand_in.constants[..., None])[..., 0]
    starts, frequency = level_starts(pool.levels)[:-1], np.concatenate(pool.frequencies)
    others = values / units[:, None] - left
    moments = np.concatenate([np.ones((1, values.shape[1])), left, left**2, left * others])
    looked = draws.looked(moments.astype(np.float32))
    by_repeat = looked.reshape(len(moments), pool.repeats, -1).transpose(1, 0, 2)
    whole = moments.reshape(len(moments), pool.repeats, -1)
    plain = np.ascontiguousarray(whole.mean(axis=-1).T)
    sums, shares = measured(pool.by_level[1]), pool.by_level[0]
    ones = np.ones((1, pool.repeats))
    contrast, inside, outside = _contrasts(
        sums[None], shares[None], plain[None, :, 1 : 1 + len(left)], ones
    )
    return Targets(
        offsets=pair_values(pool.outputs[:1], pairs, margin=margin)[:, 0],
        units=units,
        left=left.astype(np.float32),
        looked=looked[1 : 1 + len(left)],
        moments=np.ascontiguousarray(by_repeat),
        plain=plain,
        tables=tables,
        table_squares=squares,
        constants=constants,
        totals=np.add.reduceat(tables * frequency, starts, axis=-1),
        squares=np.add.reduceat(squares * frequency, starts, axis=-1),
        sums=sums,
        contrasts=(inside - outside + contrast)[0],
    )


@dataclass(frozen=True)
class DrawSums:
    """
    What the draws say at b rows: means over the draws of each repeat, weighted or not.

    Attributes
    ----------
    weight, left : (b, r), (b, r, t)
        Mean weight, and weighted mean of what the stand-in leaves.
    squares, products : (b, r, t)
        Weighted means of its square, and of its product with the stand-in.
    matched_weight, matched : (b, r, n), (b, r, t, n)
        The same as the first two where draws are in the row's bin of a feature.
    effective : (b,)
        Effective share of the draws.
    """

    weight: FloatArray
    left: FloatArray
    squares: FloatArray
    products: FloatArray
    matched_weight: FloatArray
    matched: FloatArray
    effective: FloatArray


def _of_rows(
    seen: Sequence[Targets], known: Callable[[Targets], FloatArray], places: IntArray | None = None
) -> FloatArray:
    """
    Return what is known (r, t, x) of each row's targets, (b, r, t, x).

    With *places* (b, n) what stands there, (b, r, t, n).
    """
    rows: dict[int, list[int]] = {}
    for i, target in enumerate(seen):  # rows have few targets: they are taken together
        rows.setdefault(id(target), []).append(i)
    first = known(seen[0])
    found = np.empty((
        len(seen),
        *first.shape[:2],
        *(first if places is None else places).shape[-1:],
    ))
    for some in rows.values():
        own = known(seen[some[0]])
        found[some] = own if places is None else np.moveaxis(own.take(places[some], -1), -2, 0)
    return found


def pass_over(
    draws: Draws, pool: Pool, laws: RowLaws, codes: IntArray, seen: Sequence[Targets]
) -> DrawSums:
    """Pass over the draws once for each row."""
    r, t = pool.repeats, len(seen[0].offsets)
    b, n = codes.shape
    matched, sums = np.empty((b, r, 1 + t, n)), np.empty((b, r, 1 + 3 * t))
    squared = np.empty(b)
    own = codes.astype(pool.draw.codes.dtype)
    step = draws.together(1 + t)
    for some in (slice(start, start + step) for start in range(0, b, step)):
        weights = draws.weights(own[some], laws.log_weight[some])
        count = weights.shape[1]
        weighted = np.empty((len(weights), 1 + t, count), dtype=np.float32)
        np.subtract(weights, np.float32(draws.plain), out=weighted[:, 0])
        for i, target in enumerate(seen[some]):
            np.multiply(target.looked, weighted[i, 0], out=weighted[i, 1:])
            found = target.moments @ weighted[i, 0].reshape(r, count // r, 1)
            sums[some.start + i] = found[..., 0]
            squared[some.start + i] = weights[i] @ weights[i]
        matched[some] = draws.matched_sums(own[some], weighted)
    sums /= count // r
    if draws.plain:  # what is summed so far is (weight - 1) times the values
        for i, part in enumerate(seen):
            sums[i] += part.plain
        matched[:, :, 0] += np.moveaxis(pool.by_level[0].take(laws.places, -1), 1, 0)
        matched[:, :, 1:] += _of_rows(seen, lambda target: target.sums, laws.places)
    total = add_up(np.moveaxis(sums[..., 0], 1, 0)) / r
    return DrawSums(
        weight=sums[..., 0],
        left=sums[..., 1 : 1 + t],
        squares=sums[..., 1 + t : 1 + 2 * t],
        products=sums[..., 1 + 2 * t :],
        matched_weight=matched[:, :, 0],
        matched=matched[:, :, 1:],
        effective=total**2 * count / np.maximum(squared, 1e-300),
    )


def over_repeats(parts: FloatArray) -> FloatArray:
    """Return the mean over repeats of (b, r, ...), which keeps its place: (b, 1, ...)."""
    return np.asarray(add_up(np.moveaxis(parts, 1, 0))[:, None] / parts.shape[1], dtype=np.float64)


def over_features(parts: FloatArray) -> FloatArray:
    """Sum over the features, the last axis; the order of a sum follows the memory."""
    return np.asarray(np.ascontiguousarray(parts).sum(axis=-1))


def _divided(above: FloatArray, below: FloatArray) -> FloatArray:
    return np.asarray(above / np.where(below > 0, below, 1.0), dtype=np.float64)


def _contrasts(
    matched: FloatArray, matched_weight: FloatArray, every: FloatArray, weight: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """
    Return the mean where draws match a row less the mean where not, and how repeats part from it.

    Means are ratios, so repeats stand as their linear terms: the pooled ratio is their mean.

    Parameters
    ----------
    matched : (b, r, t, n), matched_weight : (b, r, n), every : (b, r, t), weight : (b, r)

    Returns
    -------
    difference : (b, 1, t, n), pooled
    inside, outside : (b, r, t, n), what each repeat adds to either mean; 0 on average
    """
    inside_weight = matched_weight[:, :, None]
    outside_weight = weight[:, :, None, None] - inside_weight
    rest = every[..., None] - matched
    above, below = over_repeats(inside_weight), over_repeats(outside_weight)
    first, second = _divided(over_repeats(matched), above), _divided(over_repeats(rest), below)
    inside = _divided(matched - first * inside_weight, above)
    outside = _divided(rest - second * outside_weight, below)
    return first - second, inside, outside


def _widening(counts: IntArray) -> FloatArray:
    """Return by how much deviations of a mean over few draws are widened: it takes one of them."""
    known = np.maximum(counts, 2)
    return np.asarray(np.sqrt(known / (known - 1)), dtype=np.float64)


@dataclass(frozen=True)
class Moments:
    """
    Moments of t targets under the weighted laws of b rows, by repeat.

    Attributes
    ----------
    slopes : (b, r, t, n)
        The slope of the target in each match indicator alone.
    doubts : (b, r, t, n)
        Further deviations of the slopes: what few draws leave open.
    means, variances : (b, r, t)
        Of the target.
    gaps : (b, r, t, n)
        The slopes less what the row's bins alone would give.
    """

    slopes: FloatArray
    doubts: FloatArray
    means: FloatArray
    variances: FloatArray
    gaps: FloatArray


def _stand_in_moments(
    laws: RowLaws, seen: Sequence[Targets]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return slopes (b, r, t, n), means and variances (b, r, t) of the stand-ins."""
    plain, tilted = (part[:, None, None] for part in (laws.plain, laws.tilted))
    own = _of_rows(seen, lambda target: target.tables, laws.places)
    own_squares = _of_rows(seen, lambda target: target.table_squares, laws.places)
    totals = _of_rows(seen, lambda target: target.totals)
    squares = _of_rows(seen, lambda target: target.squares)
    rest = _divided(totals - plain * own, 1 - plain)
    squares = _divided(squares - plain * own_squares, 1 - plain)
    level = tilted * own + (1 - tilted) * rest
    spread = tilted * own_squares + (1 - tilted) * squares - level**2
    constants = _of_rows(seen, lambda target: target.constants[..., None])[..., 0]
    return own - rest, constants + over_features(level), over_features(spread)


def see_moments(pool: Pool, laws: RowLaws, seen: Sequence[Targets], sums: DrawSums) -> Moments:
    """Put what is known of the stand-ins and what draws say of the rest together."""
    slopes, means, variances = _stand_in_moments(laws, seen)
    total = len(pool.outputs)
    difference, inside, outside = _contrasts(
        sums.matched, sums.matched_weight, sums.left, sums.weight
    )
    plain = _of_rows(seen, lambda target: target.contrasts, laws.places)
    left = inside - outside + difference
    there = laws.contrasted[:, None, None]
    widening = [_widening(counts)[:, None, None] - 1 for counts in (laws.seen, total - laws.seen)]
    weight = sums.weight[..., None]
    level = over_repeats(sums.left) / over_repeats(weight)
    own = sums.left / weight
    return Moments(
        slopes=np.where(there, slopes + left, 0.0),
        doubts=np.where(there, widening[0] * inside - widening[1] * outside, 0.0),
        means=means + level + _divided(sums.left - level * weight, over_repeats(weight)),
        variances=variances
        + sums.squares / weight
        - own**2
        + 2 * (sums.products / weight - own * means),
        gaps=np.where(there, left - plain, 0.0),
    )


def influence(draws: Draws, own: Any, laws: RowLaws, row: int, left: Any) -> FloatArray:
    """
    Return the spread of the slopes of one repeat, its draws taken as independent.

    Returns
    -------
    (n, t, n) factors: outer products of which sum to the covariance of the slopes (t, n)
    """
    weights = draws.whole(draws.weights(own[None], laws.log_weight[[row]])[0])
    z = draws.matches(own)
    there, total = laws.contrasted[row], len(weights)
    widening = [_widening(counts[row]) for counts in (laws.seen, total - laws.seen)]
    matched = (z @ weights, (~z) @ weights)
    factors = np.zeros((len(own), len(left), len(own)))
    for t, values in enumerate(left.astype(np.float64)):
        weighted = weights * values
        parts = []
        for side, every, wide in zip((z, ~z), matched, widening, strict=True):
            mean = _divided(side @ weighted, every)
            part = side * (weighted - mean[:, None] * weights) * wide[:, None]
            parts.append(_divided(part, every[:, None]))
        scores = np.where(there[:, None], parts[0] - parts[1], 0.0)
        spread, axes = np.linalg.eigh(scores @ scores.T)
        factors[:, t] = (axes * np.sqrt(np.maximum(spread, 0.0))).T
    return factors
