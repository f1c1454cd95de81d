"""One picture with its superpixels, and the masked pictures that are made of it."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xplain_cli.baselines.assignment import Assigned, FittedBaseline, assign_one
from xplain_cli.errors import UsageError
from xplain_cli.explanation import BoolArray, FloatArray, IntArray

LAYOUTS = ("NCHW", "NHWC")


@dataclass(frozen=True)
class InputForm:
    """
    How the model takes pictures.

    Attributes
    ----------
    layout
        ``NCHW`` or ``NHWC``.
    dtype
        A NumPy name.
    rescale
        Factor on the pixels (``1/255``).
    mean, std
        Of each channel, after rescaling: ``(rescale * pixel - mean) / std``; one number stands for
        all channels.
    bgr
        Whether the model takes blue first and red last; ``mean`` and ``std`` are in its order.
    """

    layout: str = "NHWC"
    dtype: str = "float32"
    rescale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    bgr: bool = False

    def numbers(self) -> dict[str, Any]:
        """Return what decides the numbers: the order of channels only where it is not the usual."""
        said = asdict(self)
        return said if self.bgr else {name: said[name] for name in said if name != "bgr"}

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return one picture (h, w, c) as the model takes it: (c, h, w) or (h, w, c)."""
        kind = np.dtype(self.dtype)
        plain = (self.rescale, self.mean, self.std) == (1.0, (0.0,), (1.0,))
        made = values[..., ::-1] if self.bgr else values
        if not plain:
            wide: Any = np.float64 if kind == np.float64 else np.float32
            made = np.asarray(made, dtype=wide) * np.array(self.rescale, dtype=wide)
            made = (made - np.array(self.mean, dtype=wide)) / np.array(self.std, dtype=wide)
        if kind.kind in "iu" and made.dtype.kind == "f":
            made = np.rint(made)
        made = made.astype(kind, copy=False)
        return np.ascontiguousarray(np.moveaxis(made, 2, 0) if self.layout == "NCHW" else made)


@dataclass(frozen=True)
class PictureRow:
    """A picture that was read and cut."""

    id: str
    values: NDArray[Any]
    is_8bit: bool
    labels: NDArray[Any]
    box: tuple[float, float, float, float]
    size: tuple[int, int]
    form: InputForm
    hidden: FittedBaseline
    notes: tuple[str, ...] = ()
    by_pixel: bool = False

    @property
    def count(self) -> int:
        """Superpixels."""
        return int(self.labels.max()) + 1

    @cached_property
    def seen(self) -> NDArray[Any]:
        """The picture as the model takes it."""
        return self.form.apply(self.values)

    @property
    def handed(self) -> Callable[[NDArray[Any]], NDArray[Any]]:
        """What hands the model a picture (h, w, c)."""
        return self.form.apply

    @property
    def precision(self) -> Any:
        """The type in which baselines are made: single is enough for what ends in it, and half."""
        return np.float64 if np.dtype(self.form.dtype) == np.float64 else np.float32

    @property
    def assigned_values(self) -> NDArray[Any]:
        """The picture with everything hidden, (h, w, c) as pictures are read."""
        return np.asarray(assign_one(self.hidden, [self]).values[0])

    @cached_property
    def assigned(self) -> Assigned:
        """The picture with everything hidden, as the model takes it, and where that comes from."""
        found = assign_one(self.hidden, [self])
        return replace(found, values=self.form.apply(found.values[0]))

    @property
    def stand_in(self) -> NDArray[Any]:
        """The picture with everything hidden, as the model takes it."""
        return np.asarray(self.assigned.values)

    @cached_property
    def runs(self) -> tuple[NDArray[Any], IntArray]:
        """Owners and lengths of the runs of equal labels, in the order of a plane's memory."""
        flat = self.labels.ravel()
        starts = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1])
        lengths = np.diff(np.append(starts, flat.size))
        channels = 1 if self.form.layout == "NCHW" else self.values.shape[2]
        return flat[starts], lengths * channels

    def key(self) -> bytes:
        """Return the SHA-256 of all that an explanation rests on."""
        state = hashlib.sha256(repr((self.values.shape, self.size, self.box)).encode())
        state.update(self.values.dtype.str.encode())
        state.update(np.ascontiguousarray(self.values).data)
        state.update(np.ascontiguousarray(self.labels).data)
        return state.digest()


def compose(row: PictureRow, masks: BoolArray) -> NDArray[Any]:
    """
    Return model inputs (m, ...) in which hidden superpixels are replaced.

    Bits are chosen, not numbers: with d = picture xor stand-in, the masked picture is
    stand-in xor (d and all-ones where a superpixel stays), so that a mask costs one expansion of
    the runs of equal labels and two passes over the picture, whatever its type and layout.
    """
    seen, stand_in = row.seen, row.stand_in
    word = np.dtype(f"u{seen.dtype.itemsize}")
    planes = seen.shape[0] if row.form.layout == "NCHW" else 1
    below = stand_in.view(word).reshape(planes, -1)
    apart = seen.view(word).reshape(planes, -1) ^ below
    owners, lengths = row.runs
    ones = np.array(np.iinfo(word).max, dtype=word)
    made = np.empty((len(masks), planes, below.shape[1]), dtype=word)
    for mask, picture in zip(masks, made, strict=True):
        stays = np.repeat((mask * ones)[owners], lengths)
        np.bitwise_and(apart, stays, out=picture)
        np.bitwise_xor(picture, below, out=picture)
    return made.view(seen.dtype).reshape(len(masks), *seen.shape)


def blend(row: PictureRow, shares: FloatArray) -> NDArray[Any]:
    """
    Return model inputs (m, ...) in which superpixels have come as far as *shares* (m, n) say.

    Raises
    ------
    UsageError
        The model takes whole numbers.
    """
    seen, stand_in = row.seen, row.stand_in
    if seen.dtype.kind != "f":
        raise UsageError(
            f"the model is handed pictures of {seen.dtype}: nothing lies between whole numbers;"
            " give --rescale so that it is handed floats"
        )
    share = shares.astype(seen.dtype)[:, row.labels]
    share = share[:, None] if row.form.layout == "NCHW" else share[..., None]
    return np.where(share == 1, seen, stand_in + share * (seen - stand_in))
