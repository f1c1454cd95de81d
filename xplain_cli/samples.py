"""Decides every number of samples: defaults, what a fit needs, all masks, growth.

A sample is a draw or a mask of one repeat; a budget is (samples per repeat, repeats). Methods,
planning and the precision target decide no number of samples themselves: they ask here.
"""

from collections.abc import Callable

_LEAST_POOL, _MOST_POOL, _POOL_REPEATS = 1024, 4096, 8
"""Draws that all rows share: many, for they are asked once."""
_POOL_CELLS = 1 << 15
"""Draws of a repeat times features: what a row's pass over the draws costs."""
OWN_POOL_BUDGET = (128, 8)
"""Draws of each row's own."""
MOST_POOLS = 32
"""Pools at most, where rows hold values of their own and each combination of them needs one; with
more each row has draws of its own: 32 pools cost what own draws of 256 rows do."""
FIT_BUDGET = (8192, 1)
"""Draws on which a closed form only measures its fit."""
MASK_BUDGETS = {"uniform-size": (512, 4), "bernoulli": (512, 2)}
"""Masks of a surrogate, by how they include features (``features.Masker.inclusion``)."""
SHAPLEY_BUDGET = (512, 4)
"""Coalitions of Shapley values."""
DEALT_BUDGET = (256, 16)
"""Coalitions that are asked on one of many baselines each; many repeats, for few degrees of freedom
make a precision target wait."""
DEALT_GOAL = 0.05
"""The ``max_rel_se`` to which these are asked, where nobody says how many there shall be."""
NOISE_BUDGET = (16, 4)
"""Draws of noise on a row."""
NO_BUDGET = (1, 1)

_DRAWS_A_NUMBER = 4
_MOST_ENUMERATED = 20
_LEAST = 8
_MOST_CELLS = 1 << 24
"""Draws of all repeats times features: what lies in memory at once, a few bytes each."""
_DOUBLINGS = 4
_EXACT_INPUTS, _EXACT_FEATURES = 1 << 17, 12


def pool_budget(features: int, pools: int = 1) -> tuple[int, int]:
    """
    Return the draws that all rows share: of few features more, for the same work a row.

    From 1,024 to 4,096 a repeat, a power of two; 1,024 where several pools are drawn, as each of
    them asks the model anew.
    """
    if pools > 1:
        return _LEAST_POOL, _POOL_REPEATS
    level = (_POOL_CELLS // max(features, 1)).bit_length() - 1
    return min(max(1 << max(level, 0), _LEAST_POOL), _MOST_POOL), _POOL_REPEATS


def needed(n: int) -> int:
    """Return the samples that a fit of n features and their intercept needs in a repeat."""
    return _DRAWS_A_NUMBER * (n + 1)


def least_samples(n: int) -> int:
    """Return the least power of two of samples that a fit of n features needs in a repeat."""
    return 1 << (needed(n) - 1).bit_length()


def enough_samples(n: int, samples: int) -> int:
    """Return the samples of a repeat, raised to what a fit of n features needs."""
    return max(samples, least_samples(n))


def all_masks_fit(n: int, budget: tuple[int, int]) -> bool:
    """Say whether a budget (samples, repeats) allows all masks of n features."""
    return n <= _MOST_ENUMERATED and (1 << n) <= budget[0] * budget[1]


def all_dealt_fit(n: int, copies: int, budget: tuple[int, int]) -> bool:
    """
    Say whether all masks of n features are asked on each of many baselines.

    Where these inputs fit the budget; and, as an answer without error is worth more, where the
    masks of 12 features or fewer fit it and are 131,072 inputs or less. A lone feature has no
    coalition between none and all, which are asked anyhow.
    """
    if n == 1:
        return True
    inputs, held = copies << min(n, _MOST_ENUMERATED), budget[0] * budget[1]
    few = n <= _EXACT_FEATURES and inputs <= _EXACT_INPUTS
    return all_masks_fit(n, budget) and (few or inputs <= held)


def doublings(least: int, cells: int, grows: Callable[[int], bool]) -> list[int]:
    """
    Return the samples per repeat that a budget may become: powers of two, ascending.

    Parameters
    ----------
    least
        The fewest that the run can take.
    cells
        Numbers that each of them keeps in memory: features times repeats.
    grows
        Says of samples whether more of them would ask the model more.
    """
    found = [max(_LEAST, least)]
    while 2 * found[-1] * cells <= _MOST_CELLS and grows(found[-1]):
        found.append(2 * found[-1])
    return found


def default_most(samples: int, repeats: int) -> int:
    """Return how many draws a row may take where nobody says: four doublings."""
    return samples * repeats << _DOUBLINGS


def growing_repeats(repeats: int, samples: int, most: int) -> tuple[int, ...]:
    """
    Return the repeats at which a row may be done, ascending.

    From *repeats* on, each look adds half of what a power of two times them is, and keeps all
    before: 4, 6, 8, 12, 16, ...

    Parameters
    ----------
    repeats, samples
        Of the first look.
    most
        Draws of all repeats at most.
    """
    limit = max(most // samples, repeats)
    found, level = [repeats], repeats
    while level <= limit:
        found += [level + level // 2, 2 * level]
        level *= 2
    return tuple(sorted({repeats for repeats in found if repeats <= limit}))
