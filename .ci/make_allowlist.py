"""Make xplain_cli/models/allowed.json: fit every estimator, pickle it, and note what it names.

Run it under each supported scikit-learn; names are added to those already listed, because a file
of an older version names other modules. ``--fresh`` starts from nothing. What it adds is to be
read before it is committed: a class on the list may be called with any arguments. A function is
only held, unless ``allowlist`` names it among those that picklers call.
"""

# ruff: noqa: INP001  # a folder of scripts

import argparse
import io
import json
import pickle
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
from fitted_values import all_values

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from xplain_cli.models.pickles.dry_run import dry_run

LIST = Path(__file__).resolve().parents[1] / "xplain_cli" / "models" / "allowed.json"

PLAIN_BUILTINS = frozenset({
    *("bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list"),
    *("object", "range", "set", "slice", "str", "tuple"),
})
DENIED_MODULES = (
    "__main__",
    "_frozen_importlib",
    "_io",
    "_pickle",
    "builtins",  # but for PLAIN_BUILTINS
    "cloudpickle",
    "ctypes",
    "functools",  # partial calls what it is given
    "importlib",
    "io",
    "joblib",  # but for the array wrapper: load, Memory, and a wrapper that reads other files
    "nt",
    "numpy.ctypeslib",
    "numpy.f2py",
    "numpy.lib",
    "numpy.testing",
    "operator",
    "os",
    "pandas.io",
    "pickle",
    "posix",
    "pydoc",
    "re",
    "runpy",
    "scipy.stats",  # frozen distributions exec a template that lies in their state
    "shutil",
    "sklearn.datasets",
    "sklearn.externals",
    "sklearn.utils._testing",
    "subprocess",
    "sys",
    "types",
)
DENIED_NAMES = frozenset({
    "__import__",
    "_ufunc_reconstruct",  # imports any module and gets any attribute
    "attrgetter",
    "eval",
    "exec",
    "fromfile",
    "getattr",
    "load",
    "loads",
    "memmap",
    "open",
    "partial",
    "vectorize",
})
ALWAYS = frozenset({
    "_codecs:encode",  # the dry run holds it to latin1
    "collections:Counter",
    "collections:OrderedDict",
    "collections:defaultdict",
    "copyreg:_reconstructor",
    "joblib.numpy_pickle:NumpyArrayWrapper",
    "pandas._libs.internals:_unpickle_block",
    "pandas.arrays:ArrowStringArray",
    "pandas.core.arrays.string_arrow:ArrowStringArray",
    "pyarrow.lib:_restore_array",
    "pyarrow.lib:chunked_array",
    "pyarrow.lib:py_buffer",
    "pyarrow.lib:type_for_alias",
    *(f"builtins:{name}" for name in PLAIN_BUILTINS),
    *(
        f"{package}:{name}"
        for core in ("numpy._core", "numpy.core")
        for package, name in (
            (f"{core}.multiarray", "_reconstruct"),
            (f"{core}.multiarray", "scalar"),
            (f"{core}.numeric", "_frombuffer"),
        )
    ),
})


def stored_forms(value: Any) -> Iterator[bytes]:
    """Yield a value as pickle stores it in protocols 2, 4 and 5, and as joblib does."""
    for protocol in (2, 4, 5):
        yield pickle.dumps(value, protocol)
    file = io.BytesIO()
    joblib.dump(value, file)
    yield file.getvalue()


def is_denied(key: str) -> bool:
    """Return whether a name must never be on the list."""
    module, name = key.split(":")
    if key in ALWAYS:
        return False
    inside = any(module == one or module.startswith(f"{one}.") for one in DENIED_MODULES)
    return inside or name in DENIED_NAMES or "tests" in module.split(".")


def named_by(value: Any) -> set[str]:
    """Return the names that a value's stored forms ask for."""
    runs = [dry_run(data) for data in stored_forms(value)]
    for refusal in {run.refusals[0] for run in runs if run.refusals}:
        sys.stderr.write(f"{type(value).__name__}: {refusal}\n")
    return {one.key for run in runs for one in run.globals}


def main() -> None:
    """Write the list."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fresh", action="store_true", help="forget what is listed already")
    fresh = parser.parse_args().fresh
    listed = set() if fresh or not LIST.exists() else set(json.loads(LIST.read_text()))
    before = frozenset(listed)
    found = set(ALWAYS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for value in all_values():
            found |= named_by(value)
    for key in sorted(key for key in found if is_denied(key)):
        sys.stderr.write(f"denied {key}\n")
    listed = {key for key in listed | found if not is_denied(key)}
    LIST.write_text(json.dumps(sorted(listed), indent=0) + "\n")
    sys.stderr.write(f"{len(listed)} names, {len(listed - before)} new\n")


if __name__ == "__main__":
    main()
