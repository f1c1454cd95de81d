"""How much of a weight is decided by the row's own bins."""

from draw_laws import explain, frame, law_of

from xplain_cli.methods.lime import Lime


def test_own_bins_decide_an_additive_model_and_not_an_interaction(rng):
    table = frame(rng, 2, rows=1000)
    perturbation = law_of(table, Lime())
    additive = explain(
        Lime(), perturbation, table.head(10), lambda t: t["x0"] + t["x1"], samples=2048
    )
    crossed = explain(
        Lime(kernel_width=0.5),
        perturbation,
        table.head(10),
        lambda t: t["x0"] * t["x1"],
        samples=2048,
    )
    assert additive.locality.min() > 0.98
    assert crossed.locality.max() < 0.6
