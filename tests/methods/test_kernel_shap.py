"""The coalitions of Kernel SHAP."""

from xplain_cli.methods.kernel_shap import weigh_coalitions


def test_outer_sizes_are_enumerated_and_inner_ones_are_pairs():
    made = weigh_coalitions(20, (512, 4), 0)
    masks, sizes = made.masks[1:], made.masks[1:].sum(axis=1)
    assert ((sizes == 1).sum(), (sizes == 19).sum()) == (20, 20)
    assert (masks[::2] == ~masks[1::2]).all()
    assert len(made.masks) <= 2049
