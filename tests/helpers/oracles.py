"""Slow and obvious second versions, each with its source."""

import itertools
import math

import numpy as np


def weighted_ridge(z, f, w, alpha):
    """LIME's final fit (lime_base.py): Ridge with free intercept on the rows themselves."""
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=alpha).fit(z, f, sample_weight=w)
    return model.coef_, model.intercept_


def forward_selection(z, f, w, k):
    """lime_base.forward_selection: refit every candidate, keep the best weighted R^2."""
    from sklearn.linear_model import Ridge

    used = []
    for _ in range(k):
        best, best_score = None, -np.inf
        for j in set(range(z.shape[1])) - set(used):
            columns = z[:, [*used, j]]
            model = Ridge(alpha=0).fit(columns, f, sample_weight=w)
            score = model.score(columns, f, sample_weight=w)
            if score > best_score:
                best, best_score = j, score
        used.append(best)
    return used


def lime_limit(cells, codes, model, kernel_width):
    """The infinite-sample LIME weights by enumeration of all bins (discrete columns only).

    cells: per feature (levels, frequencies); codes: the row's level of each. Least squares of f on
    the match indicators under the law weighted by the kernel (sampling notes, Garreau and
    von Luxburg 2020).
    """
    rows, weights, values = [], [], []
    for combo in itertools.product(*[range(len(levels)) for levels, _ in cells]):
        p = np.prod([freq[c] for (_, freq), c in zip(cells, combo, strict=True)])
        z = np.array([c == own for c, own in zip(combo, codes, strict=True)], dtype=float)
        distance = (1 - z).sum()
        rows.append(z)
        weights.append(p * np.exp(-distance / (2 * kernel_width**2)))
        values.append(model([levels[c] for (levels, _), c in zip(cells, combo, strict=True)]))
    z, w, f = np.array(rows), np.array(weights), np.array(values)
    design = np.column_stack([np.ones(len(z)), z]) * np.sqrt(w)[:, None]
    solution, *_ = np.linalg.lstsq(design, f * np.sqrt(w), rcond=None)
    return solution[1:], solution[0]


def kendall_tau(first, second):
    """Kendall's tau-b between two rankings."""
    from scipy.stats import kendalltau

    return kendalltau(first, second).statistic


def jaccard(first, second):
    """Overlap of two sets."""
    return len(first & second) / len(first | second)


def mask_limit(sizes, kernel, n, model):
    """LIME on masks by enumeration: least squares over all masks, each with its probability.

    lime_text.py: the number of words that are removed is uniform in 1..n, then a uniform subset;
    lime_image.py: every superpixel is kept with probability 1/2.
    """
    masks, weights = [], []
    for mask in itertools.product([False, True], repeat=n):
        kept = sum(mask)
        if sizes == "uniform-size":
            subsets = len(list(itertools.combinations(range(n), kept)))
            probability = 0.0 if kept == n else 1 / n / subsets
        else:
            probability = 0.5**n
        masks.append(mask)
        weights.append(probability * kernel[kept])
    z, w = np.array(masks), np.array(weights)
    root = np.sqrt(w)[:, None]
    design = np.column_stack([np.ones(len(z)), z]) * root
    solution, *_ = np.linalg.lstsq(design, model(z) * root[:, 0], rcond=None)
    return solution[1:], solution[0]


def text_formula(kernel, model):
    """The limit for texts in closed form, from covariances alone (Mardaoui and Garreau 2021)."""
    n = len(kernel) - 1
    q = np.append(kernel[:n] / n, 0.0)
    q = q / q.sum()
    sizes = np.arange(n + 1)
    a1 = (q * sizes / n).sum()
    a2 = (q * sizes * (sizes - 1)).sum() / (n * (n - 1))
    v, c = a1 - a1**2, a2 - a1**2
    masks = np.array(list(itertools.product([0, 1], repeat=n)), dtype=bool)
    counts = masks.sum(axis=1)
    choose = np.bincount(counts, minlength=n + 1)
    p = q[counts] / choose[counts]
    f = model(masks)
    m = (p[:, None] * masks * f[:, None]).sum(axis=0) - a1 * (p * f).sum()
    return (m - c / (v - c + n * c) * m.sum()) / (v - c)


def shapley(n, model):
    """Shapley values by their definition: the mean marginal gain over all orders (Shapley 1953)."""
    gains = np.zeros(n)
    orders = list(itertools.permutations(range(n))) if n <= 7 else None
    if orders is not None:
        for order in orders:
            mask, before = np.zeros((1, n), dtype=bool), model(np.zeros((1, n), dtype=bool))[0]
            for feature in order:
                mask[0, feature] = True
                after = model(mask)[0]
                gains[feature] += after - before
                before = after
        return gains / len(orders)
    value = {
        subset: model(np.isin(np.arange(n), subset)[None])[0]
        for size in range(n + 1)
        for subset in itertools.combinations(range(n), size)
    }
    for feature in range(n):
        others = [j for j in range(n) if j != feature]
        for size in range(n):
            share = 1 / n / len(list(itertools.combinations(others, size)))
            for subset in itertools.combinations(others, size):
                grown = tuple(sorted((*subset, feature)))
                gains[feature] += share * (value[grown] - value[subset])
    return gains


def two_kinds_limit(sizes, kernel, n, k, answer):
    """LIME on masks of a model that counts: ``answer(i, j)`` of i of k features, j of the others.

    Features of a kind have the same weight, so that all masks with equal counts are one.
    """
    counts, weights, values = [], [], []
    for i, j in itertools.product(range(k + 1), range(n - k + 1)):
        ways = math.comb(k, i) * math.comb(n - k, j)
        law = 1 / n / math.comb(n, i + j) if sizes == "uniform-size" else 0.5**n
        full = i + j == n and sizes == "uniform-size"
        counts.append((1, i, j))
        weights.append(0.0 if full else ways * law * kernel[i + j])
        values.append(answer(i, j))
    z, w = np.array(counts, dtype=float), np.array(weights)
    _, own, other = np.linalg.solve((z.T * w) @ z, (z.T * w) @ np.array(values, dtype=float))
    return np.array([own] * k + [other] * (n - k))
