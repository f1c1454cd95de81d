"""Checks the tables that compiled code indexes: sparse matrices, neighbours, support vectors."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xplain_cli.models.pickles.native_trees import whole
from xplain_cli.models.pickles.stand_ins import Stub, attributes, raw_bytes, read_array
from xplain_cli.models.soundness import OddPartError, found, is_within, need

_LONGEST = 2**48
_DEGREE = 100
_WORDS = 624  # of a Mersenne twister
_BUFFER = 4  # numbers of Philox
_OUTSIDE = "has an index outside of its shape"
_CLASSIFIERS = ("SVC", "NuSVC")


def _shape(state: dict[Any, Any]) -> tuple[int, ...]:
    stored = state.get("_shape")
    lengths = [whole(one) for one in stored] if isinstance(stored, tuple) else []
    known = tuple(one for one in lengths if one is not None and 0 <= one < _LONGEST)
    need(lengths and len(known) == len(lengths), "has no shape")
    return known


def _indices(value: Any, otherwise: str) -> NDArray[Any]:
    array = found(read_array(value), otherwise)
    need(array.ndim == 1 and array.dtype.kind in "iu", otherwise)
    return array


def _table(value: Any, dimensions: int, otherwise: str) -> NDArray[Any]:
    array = found(read_array(value), otherwise)
    need(array.ndim == dimensions and array.dtype.kind in "biufc", otherwise)
    return array


def _check_compressed(state: dict[Any, Any], form: str) -> None:
    """Refuse what ``check_format`` of SciPy refuses."""
    shape, blocks = _shape(state), (1, 1)
    data = _table(state.get("data"), 3 if form == "bsr" else 1, "holds no data")
    if form == "bsr":
        blocks = (data.shape[1], data.shape[2])
    sound = len(shape) == 2 and 0 not in blocks
    need(sound, "holds no rows and columns")
    whole_blocks = shape[0] % blocks[0] == 0 and shape[1] % blocks[1] == 0
    need(whole_blocks, "holds blocks that do not fill its shape")
    ends = _indices(state.get("indptr"), "holds no ends of rows")
    at = _indices(state.get("indices"), "holds no indices")
    sides = (shape[0] // blocks[0], shape[1] // blocks[1])
    rows, columns = sides if form != "csc" else sides[::-1]
    follow = len(ends) == rows + 1 and int(ends[0]) == 0 and bool((ends[1:] >= ends[:-1]).all())
    need(follow, "has rows whose ends do not follow each other")
    need(len(at) == len(data) and int(ends[-1]) <= len(at), "has rows that end behind its data")
    need(is_within(at[: int(ends[-1])], columns), _OUTSIDE)


def _check_triples(state: dict[Any, Any]) -> None:
    shape, data = _shape(state), _table(state.get("data"), 1, "holds no data")
    places = state.get("coords", (state.get("row"), state.get("col")))
    need(isinstance(places, tuple) and len(places) == len(shape), "holds no places")
    for place, length in zip(places, shape, strict=True):
        at = _indices(place, "holds no places")
        need(len(at) == len(data) and is_within(at, length), _OUTSIDE)


def _check_diagonals(state: dict[Any, Any]) -> None:
    data = _table(state.get("data"), 2, "holds no diagonals")
    offsets = _indices(state.get("offsets"), "holds no diagonals")
    need(len(_shape(state)) == 2 and len(data) == len(offsets), "holds no diagonals")


def _check_lists(state: dict[Any, Any]) -> None:
    shape, odd = _shape(state), "holds a row that is none"
    rows, data = (found(read_array(state.get(name)), odd) for name in ("rows", "data"))
    need(len(shape) == 2 and rows.shape == shape[:1] and data.shape == shape[:1], odd)
    for places, values in zip(rows, data, strict=True):
        lists = isinstance(places, list) and isinstance(values, list)
        need(lists and len(places) == len(values), odd)
        need(all(0 <= found(whole(one), odd) < shape[1] for one in places), _OUTSIDE)


def check_matrix(made: Stub) -> None:
    """Refuse a sparse matrix of SciPy whose indices leave its shape."""
    state, form = attributes(made), made.callee.name[:3]
    if form == "coo":
        _check_triples(state)
    elif form == "dia":
        _check_diagonals(state)
    elif form == "lil":
        _check_lists(state)
    elif form == "dok":
        _check_keys(made, state)
    else:
        _check_compressed(state, form)


def _check_keys(made: Stub, state: dict[Any, Any]) -> None:
    """Refuse a matrix stored as a dict of places, which become indices of other forms."""
    held = [one for one in (*made.arguments, state.get("_dict")) if isinstance(one, dict)]
    shape = _shape(state)
    for place in (*(key for one in held for key in one), *(key for key, _ in made.entries)):
        at = [whole(one) for one in place] if isinstance(place, tuple) else []
        pairs = zip(at, shape, strict=len(at) == len(shape))
        inside = all(one is not None and 0 <= one < length for one, length in pairs)
        need(len(at) == len(shape) and inside, _OUTSIDE)


def check_neighbours(made: Stub) -> None:
    """Refuse a KD or ball tree whose nodes leave its rows."""
    state = (*made.state, *[None] * 13)[:13] if isinstance(made.state, tuple) else (None,) * 13
    rows = _table(state[0], 2, "holds no rows")
    at = _indices(state[1], "holds no order of its rows")
    nodes = found(read_array(state[2]), "holds no nodes")
    bounds = _table(state[3], 3, "holds no bounds")
    need(len(at) == len(rows) and is_within(at, len(rows)), "has an index outside of its rows")
    names = {"idx_start", "idx_end", "is_leaf"} <= set(nodes.dtype.names or ())
    need(names and nodes.ndim == 1 and len(nodes), "holds no nodes")
    need(whole(state[6]) == len(nodes), "states another number of nodes than it has")
    wide = 2 if made.callee.module.endswith("_kd_tree") else 1
    asked = (wide, len(nodes), rows.shape[1])
    need(bounds.shape == asked, "holds other bounds than its nodes ask for")
    if state[12] is not None:
        need(_table(state[12], 1, "holds no weights").size == len(rows), "holds no weights")
    _check_distance(state[11], rows.shape[1])
    _check_ranges(nodes, len(rows))


def _check_distance(made: Any, columns: int) -> None:
    """Refuse a distance that weights another number of columns than it is asked on."""
    state = made.state if isinstance(made, Stub) and isinstance(made.state, tuple) else ()
    kind = made.arguments[0].name if isinstance(made, Stub) and made.arguments else ""
    odd = "measures another number of columns than it has"
    need(len(state) == 3, odd)
    if kind.startswith("SEuclidean"):
        need(_table(state[1], 1, odd).shape == (columns,), odd)
    if kind.startswith("Mahalanobis"):
        need(_table(state[2], 2, odd).shape == (columns, columns), odd)


def _check_ranges(nodes: NDArray[Any], rows: int) -> None:
    starts, ends = nodes["idx_start"], nodes["idx_end"]
    sound = (
        is_within(starts, rows + 1) and is_within(ends, rows + 1) and bool((starts <= ends).all())
    )
    need(sound, "has a node whose rows lie outside of its data")
    inner = np.flatnonzero((nodes["is_leaf"] == 0) & (ends > starts))
    inside = not len(inner) or int(2 * inner.max() + 2) < len(nodes)
    need(inside, "has a node whose children lie outside of it")


def _sides(value: Any, otherwise: str) -> tuple[int, int]:
    """Return the shape of support vectors or coefficients, dense or sparse."""
    array = read_array(value)
    shape = _shape(attributes(value)) if array is None else array.shape
    need(len(shape) == 2, otherwise)
    return int(shape[0]), int(shape[1])


def check_support(made: Stub) -> None:
    """Refuse support vectors of another number than their coefficients: libsvm trusts them."""
    state, classifies = attributes(made), made.callee.name in _CLASSIFIERS
    if "support_vectors_" not in state:
        return  # not fitted
    vectors = _sides(state["support_vectors_"], "holds no support vectors")
    weights = _sides(state.get("_dual_coef_"), "holds no coefficients")
    support = _indices(state.get("support_"), "holds no places of support vectors")
    counts = _indices(state.get("_n_support"), "holds no number of support vectors")
    classes = len(counts) if classifies else 2
    pairs = classes * (classes - 1) // 2
    counted = is_within(counts, 2**31) and int(counts.sum()) == len(support)
    need(counted or not classifies, "holds another number of support vectors than it states")
    full = vectors[0] == len(support) or state.get("kernel") == "precomputed"
    need(full, "holds another number of support vectors than it states")
    asked = (classes - 1, len(support))
    need(weights == asked, "holds other coefficients than its support vectors ask for")
    if read_array(state["_dual_coef_"]) is None:  # libsvm reads the data of a sparse one as a whole
        full_data = _table(attributes(state["_dual_coef_"]).get("data"), 1, "holds no coefficients")
        need(len(full_data) == asked[0] * asked[1], "holds fewer coefficients than it states")
    biases = _table(state.get("_intercept_"), 1, "holds no intercepts")
    need(len(biases) == pairs, "holds other intercepts than its classes ask for")
    for name in ("_probA", "_probB", "probA_", "probB_"):
        sizes = read_array(state.get(name))
        fits = sizes is None or sizes.size in {0, pairs}
        need(fits, "holds other probabilities than its classes ask for")
    _check_columns(state, vectors, support)


def _check_columns(state: dict[Any, Any], vectors: tuple[int, int], support: NDArray[Any]) -> None:
    columns = found(whole(state.get("n_features_in_")), "does not state how many columns it takes")
    if state.get("kernel") == "precomputed":
        need(is_within(support, columns), "has a support vector outside of its rows")
        return
    need(vectors[1] == columns, "holds support vectors of another number of columns than it takes")


def check_spline(made: Stub) -> None:
    """Refuse a spline of SciPy with fewer coefficients than its knots ask for."""
    state = attributes(made)
    knots = _table(state.get("_t", state.get("t")), 1, "holds no knots")
    weights = found(read_array(state.get("_c", state.get("c"))), "holds no coefficients")
    degree = found(whole(state.get("k")), "states no degree")
    need(0 <= degree <= _DEGREE, "states no degree")
    count = len(knots) - degree - 1
    follow = knots.dtype.kind == "f" and np.isfinite(knots).all() and (np.diff(knots) >= 0).all()
    need(count > degree and follow, "has knots that do not follow each other")
    fits = weights.ndim > 0 and len(weights) >= count and whole(state.get("axis")) == 0
    need(fits, "has fewer coefficients than its knots ask for")


def check_stream(made: Stub) -> None:
    """Refuse a random stream that stands outside of its numbers."""
    state = made.state[0] if isinstance(made.state, tuple) and made.state else made.state
    if not isinstance(state, dict):
        return
    odd = "is at a place outside of its numbers"
    if state.get("bit_generator") == "MT19937":
        inner: dict[Any, Any] = found(state.get("state"), odd)
        key, at = read_array(inner.get("key")), found(whole(inner.get("pos")), odd)
        need(key is not None and key.shape == (_WORDS,) and 0 <= at <= _WORDS, odd)
    else:
        need(0 <= found(whole(state.get("buffer_pos", 0)), odd) <= _BUFFER, odd)


def check_encoder(made: Stub) -> None:
    """Refuse a one-hot encoder that makes more columns than it states: they become indices."""
    state = attributes(made)
    known, counts = state.get("categories_"), state.get("_n_features_outs")
    if counts is None or known is None:
        return  # not fitted, or of an older version, which counts anew
    odd = "states another number of columns than it has categories"
    if not (isinstance(known, list) and isinstance(counts, list) and len(known) == len(counts)):
        raise OddPartError(odd)
    grouped = state.get("_infrequent_enabled") is True
    spare = 0 if state.get("drop_idx_") is None else 1
    for values, stated in zip(known, counts, strict=True):
        held, count = len(found(read_array(values), odd)), found(whole(stated), odd)
        fewest = 0 if grouped else held - spare
        need(fewest <= count <= held, odd)


def check_centres(made: Stub) -> None:
    """Refuse centres of clusters with other columns than the model takes: a product trusts them."""
    state = attributes(made)
    stored = state.get("cluster_centers_")
    if stored is None or not made.callee.module.startswith("sklearn.cluster._"):
        return
    centres = read_array(stored)
    if centres is not None and "means" in made.callee.module:
        columns = whole(state.get("n_features_in_"))
        need(centres.ndim == 2 and centres.shape[1] == columns, "has centres of other columns")


def check_words(made: Stub) -> None:
    """Refuse a column of words of Arrow whose ends leave its text: Arrow does not look."""
    odd = "holds words whose ends leave their text"
    parts = made.arguments[0] if made.arguments and isinstance(made.arguments[0], tuple) else ()
    need(len(parts) == 7 and isinstance(parts[0], Stub) and isinstance(parts[4], list), odd)
    alias, buffers = parts[0].arguments[:1], [_bytes_of(one) for one in parts[4]]
    width = {("string",): "<i4", ("large_string",): "<i8"}.get(alias)
    need(width is not None and len(buffers) == 3 and not parts[5] and parts[6] is None, odd)
    length, start = found(whole(parts[1]), odd), found(whole(parts[3]), odd)
    need(0 <= length < _LONGEST and 0 <= start < _LONGEST, odd)
    mask, ends, text = buffers
    need(mask is None or len(mask) * 8 >= start + length, odd)
    numbers = np.frombuffer(ends or b"", np.dtype(width))[start : start + length + 1]
    sound = len(numbers) == length + 1 and is_within(numbers, len(text or b"") + 1)
    need((sound and bool((np.diff(numbers) >= 0).all())) or length == 0, odd)


def _bytes_of(value: Any) -> bytes | None:
    return None if value is None else bytes(raw_bytes(value.arguments[0]))
