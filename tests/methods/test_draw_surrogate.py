"""Which draws a method on draws asks for."""

from draw_laws import explain, frame, law_of

from xplain_cli.methods import METHODS
from xplain_cli.methods.lime import Lime
from xplain_cli.specs import build


def test_the_shared_pool_is_asked_once_for_all_rows(rng):
    counted = []
    table = frame(rng)
    explain(Lime(), law_of(table, Lime()), table.head(50), lambda t: t["x0"], counted=counted)
    assert counted == [50, 4 * 256]


def test_around_asks_its_own_draws_for_each_row(rng):
    counted = []
    method = build("lime:sample=around", METHODS["draws"])
    table = frame(rng)
    got = explain(method, law_of(table, method), table.head(20), lambda t: t["x0"], counted=counted)
    assert sum(counted) == 20 + 20 * 4 * 256
    assert got.n_inputs.tolist() == [4 * 256] * len(got.n_inputs)
