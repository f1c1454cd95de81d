"""Plain values as bytes and back; anything else is refused on both sides."""

import json
import math
import pickle
import struct
from dataclasses import replace

import numpy as np
import pytest

from xplain_cli.models.contract import Levels, Signature
from xplain_cli.workers.plain import MessageError, decode, encode

PARTS = ("predict", "regression", "raw", ("value",), None)
SIGNATURE = Signature(*PARTS, margin=False, note="says it")
VALUES = [
    None,
    True,
    -(2**70),
    0.1,
    math.inf,
    "\ud800 \u20ac",
    b"\x00\xff",
    (1, [2, (3,)]),
    {"a": 1, 2: (), (3, "b"): None},
    frozenset({"x", "y"}),
    SIGNATURE,
    {"levels": Levels(("a", 1, None), strict=True, missing=None)},
]
ARRAYS = [
    np.arange(6.0).reshape(2, 3),
    np.zeros((0, 4)),
    np.array([True, False]),
    np.array(["a", "\u20ac"]),
    np.array([1, "a", None, (2, 3)], dtype=object),
    np.asfortranarray(np.arange(6).reshape(2, 3)),
    np.array(["2020-01-01"], "datetime64[ns]"),
]


@pytest.mark.parametrize("value", VALUES)
def test_a_value_comes_back(value):
    found = decode(encode(value))
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("array", ARRAYS)
def test_an_array_comes_back(array):
    found = decode(encode({"of": array}))["of"]
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)
    assert found.flags.writeable


def test_a_number_of_numpy_keeps_its_kind():
    found = decode(encode((np.float32(0.1), np.int8(3))))
    assert [type(one) for one in found] == [np.float32, np.int8]


def message(tree, *arrays):
    """Return a message as anybody could write it."""
    text = json.dumps([[len(one) for one in arrays], tree]).encode()
    return b"".join([struct.pack("=Q", len(text)), text, *arrays])


def test_a_message_does_not_grow_when_it_is_read():
    """Bytes that stand once and are named again and again would fill the memory."""
    array = ["array", "<f8", [2], 0]
    assert decode(message(array, bytes(16))).shape == (2,)
    for again in (["tuple", [array, array]], ["tuple", [["bytes", 0], ["bytes", 0]]]):
        with pytest.raises(MessageError, match="KeyError"):
            decode(message(again, bytes(16)))


def test_a_long_text_is_no_message(monkeypatch):
    data = message(["tuple", [["tuple", []]] * 100])
    assert len(decode(data)) == 100
    monkeypatch.setattr("xplain_cli.workers.plain._LONGEST_TEXT", 1000)
    with pytest.raises(MessageError):
        decode(data)


def test_not_a_number_comes_back():
    assert math.isnan(decode(encode(Levels(("a",), strict=False))).missing)


@pytest.mark.parametrize("value", [object(), print, {"a": {1}}, 1j, range(3)])
def test_what_is_not_plain_is_not_sent(value):
    with pytest.raises(MessageError):
        encode(value)


class Fake(Signature):
    """A value that only looks like one of ours."""


def test_a_subclass_of_ours_is_not_sent():
    fake = Fake(*PARTS, margin=False, note="says it")
    with pytest.raises(MessageError):
        encode(fake)


FORGED = {
    "nothing": b"",
    "a pickle": pickle.dumps(print),
    "cut": encode(ARRAYS[0])[:-1],
    "too long": encode(ARRAYS[0]) + b"x",
    "no text": b"\xff" * 64,
    "another class": encode(SIGNATURE).replace(b'"Signature"', b'"NoSuchSig"'),
    "outputs that are none": encode(replace(SIGNATURE, outputs=3)),
    "outputs of numbers": encode(replace(SIGNATURE, outputs=(1, 2))),
    "a place that is a text": encode(replace(SIGNATURE, positive="0")),
    "another field": encode(SIGNATURE).replace(b'"response"', b'"resp0nse"'),
    "objects as numbers": encode(ARRAYS[0]).replace(b'"<f8"', b'"|O8"'),
    "a structure": encode(ARRAYS[0]).replace(b'"<f8"', b'"f,f"'),
    "another shape": encode(ARRAYS[0]).replace(b"[2, 3]", b"[2, 9]"),
    "a negative shape": encode(ARRAYS[0]).replace(b"[2, 3]", b"[-2,3]"),
    "another array": encode(ARRAYS[0]).replace(b"3], 0]", b"3], 7]"),
    "a maker that is none": encode((1,)).replace(b'"tuple"', b'"print"'),
    "a deep one": encode(1)[:0] + (30_000).to_bytes(8, "little") + b"[" * 30_000,
    "a bare object": (13).to_bytes(8, "little") + b'[[],{"a": 1}]',
}


@pytest.mark.parametrize("data", FORGED.values(), ids=FORGED)
def test_forged_bytes_are_refused(data):
    with pytest.raises(MessageError):
        decode(data)


def test_random_bytes_are_refused():
    stream = np.random.default_rng(0)
    whole = encode({"a": SIGNATURE, "b": ARRAYS[0]})
    for _ in range(500):
        data = bytearray(whole)
        for place in stream.integers(0, len(data), 3):
            data[place] = stream.integers(256)
        try:
            decode(bytes(data))
        except MessageError:
            continue
