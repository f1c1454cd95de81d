"""stability: errors, predicted reruns, labels."""

import itertools

import numpy as np
import pytest
from oracles import jaccard, kendall_tau

from xplain_cli.explanation import Attribution
from xplain_cli.quality.stability import assess, precision_words


def attribution(weights, error_factors, *, degrees=7.0, exact=False, repeats=8):
    weights = np.asarray(weights, dtype=float)[None, None]
    error_factors = np.asarray(error_factors, dtype=float)[:, None, None]
    own_error = np.zeros(weights.shape)
    return Attribution(
        weights=weights,
        base=np.zeros((1, 1)),
        error_factors=error_factors,
        own_error=own_error,
        degrees=degrees,
        repeats=np.empty((0, *weights.shape)),
        local_r2=np.ones((1, 1)),
        locality=np.ones((1, 1)),
        effective_share=np.ones(1),
        selected=np.ones(weights.shape, dtype=bool),
        n_repeats=repeats,
        n_samples=64,
        n_inputs=np.zeros(len(weights), dtype=np.int64),
        exact=exact,
    )


def test_errors_are_the_root_of_summed_squares():
    sure = assess(attribution([1.0, 2.0], [[3.0, 0.0], [4.0, 1.0]]), 1, 0)
    assert sure.std_error[0, 0].tolist() == [5.0, 1.0]
    assert sure.std_over_seeds[0, 0] == pytest.approx([5 * np.sqrt(8), np.sqrt(8)])
    assert sure.max_rel_se[0, 0] == 2.5


def test_intervals_use_students_t():
    sure = assess(attribution([1.0, 0.0], [[0.1, 0.1]]), 1, 0)
    assert sure.ci_high[0, 0, 0] == pytest.approx(1 + 2.364624 * 0.1, abs=1e-6)


def test_exact_answers_have_no_doubt():
    sure = assess(attribution([3.0, -2.0, 1.0], np.empty((0, 3)), exact=True, repeats=1), 2, 0)
    assert sure.std_error.tolist() == [[[0.0] * 3]]
    assert sure.top_k_probability.tolist() == [[[1.0, 1.0, 0.0]]]
    assert (sure.topk_jaccard, sure.kendall_tau, sure.sign_flip_rate) == (1, 1, 0)
    assert sure.least_sign_probability == 1
    assert precision_words(sure.max_rel_se).objects() == "exact"


def test_k_of_all_features_says_nothing():
    sure = assess(attribution([3.0, -2.0], [[0.1, 0.1]]), 2, 0)
    assert np.isnan(sure.topk_jaccard).all()
    assert np.isnan(sure.top_k_probability).all()


def test_a_weight_of_zero_may_have_either_sign():
    sure = assess(attribution([0.0, 5.0], [[0.1, 0.1]]), 1, 0)
    assert sure.sign_probability[0, 0, 0] == 0.5


def test_reruns_are_predicted_as_they_come(rng):
    weights = np.array([1.0, 0.9, 0.8, 0.3, 0.25, 0.05, 0.02, 0.0])
    error_factors = rng.normal(0, 0.05, (8, 8))
    sure = assess(attribution(weights, error_factors), 3, 0)
    runs = weights + rng.normal(size=(60, 8)) @ error_factors
    sets = [set(np.argsort(-np.abs(run))[:3]) for run in runs]
    pairs = list(itertools.combinations(range(60), 2))
    overlap = np.mean([jaccard(sets[a], sets[b]) for a, b in pairs])
    tau = np.mean([kendall_tau(np.abs(runs[a]), np.abs(runs[b])) for a, b in pairs])
    assert sure.topk_jaccard[0, 0] == pytest.approx(overlap, abs=0.06)
    assert sure.kendall_tau[0, 0] == pytest.approx(tau, abs=0.06)


def test_the_seed_decides_the_predicted_reruns():
    given = attribution([1.0, 0.9, 0.8], [[0.1, -0.1, 0.1]])
    assert assess(given, 1, 0).topk_jaccard == assess(given, 1, 0).topk_jaccard
    assert assess(given, 1, 0).topk_jaccard != assess(given, 1, 1).topk_jaccard


@pytest.mark.parametrize(
    ("value", "label"),
    [(0, "exact"), (0.05, "stable"), (0.15, "usable"), (0.151, "unstable")],
)
def test_precision_labels(value, label):
    assert precision_words(np.array([value, 9.0])).objects().tolist() == [label, "unstable"]
