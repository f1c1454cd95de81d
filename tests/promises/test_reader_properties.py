"""Tables of arbitrary and of mutated bytes: read or refused, soon, and in little memory."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# In a process of its own: a gigabyte beyond what the imports took, and an alarm after 5 seconds
# of work (a busy machine takes longer on the clock) on any one file.
WATCHED = """
import io, json, os, resource, signal, sys, warnings, zipfile
os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, sys.argv[1])
import numpy as np, pandas as pd
from xplain_cli.datasets import ReadOptions, chunks, judge_columns, kinds, n_rows, open_table
from xplain_cli.errors import XplainError

warnings.simplefilter("error")
signal.signal(signal.SIGPROF, lambda *_: (os.write(2, b"hangs"), os._exit(8)))
folder = sys.argv[2]
SPOOLS = os.path.join(folder, "spools")
os.mkdir(SPOOLS)
import tempfile
tempfile.tempdir = SPOOLS
read = refused = 0

def examine(data, form, **options):
    "Read a file as a run does."
    global read, refused
    path = os.path.join(folder, "data." + form)
    with open(path, "wb") as file:
        file.write(data)
    signal.setitimer(signal.ITIMER_PROF, 5)
    try:
        table = open_table([path], ReadOptions(**options))
        found = kinds(table, table.columns[:100])
        judge_columns(table, found, ())
        parts = list(chunks(table, found, table.columns[:1], 2000))
        assert sum(len(part.table) for part in parts) == n_rows(table)
        reasons = [why for part in parts for why in part.reasons.values()]
        assert all(path in why and "\\n" not in why for why in reasons), reasons
        read += 1
    except XplainError as error:
        assert path in str(error) and "\\n" not in str(error), str(error)
        refused += 1
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        for spool in os.listdir(SPOOLS):
            os.remove(os.path.join(SPOOLS, spool))

def limit():
    with open("/proc/self/statm") as file:
        base = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (base + 2**30, base + 2**30))

def stored(save, *arguments, **named):
    file = io.BytesIO()
    save(file, *arguments, **named)
    return file.getvalue()

frame = pd.DataFrame({"i": range(40), "f": np.arange(40) / 3, "t": ["x", "y, z"] * 20,
                      "b": [True, False] * 20})
fields = frame.astype({"t": object}).to_records(index=False).astype(
    [("i", "i8"), ("f", "f8"), ("t", "U4"), ("b", "?")])
honest = {
    "csv": frame.to_csv(index=False).encode(),
    "tsv": frame.to_csv(index=False, sep="\\t").encode(),
    "jsonl": frame.to_json(orient="records", lines=True).encode(),
    "parquet": stored(lambda file: frame.to_parquet(file)),
    "npy": stored(np.save, np.asarray(fields)),
    "npz": stored(np.savez_compressed, X=frame[["i", "f"]].to_numpy(), y=np.zeros(40)),
}
"""

PROPERTIES = (
    WATCHED
    + """
from hypothesis import HealthCheck, given, seed, settings, strategies as st
for form, data in honest.items():
    examine(data, form)
assert (read, refused) == (6, 0)
quiet = settings(max_examples=int(sys.argv[3]), deadline=None, database=None, derandomize=True,
                 suppress_health_check=list(HealthCheck))
forms = st.sampled_from(sorted(honest))
encodings = st.sampled_from(["utf-8-sig", "utf-16", "cp1252", "utf-7", "cp949"])

@seed(0)
@quiet
@given(st.binary(max_size=400), forms, encodings, st.booleans())
def arbitrary(data, form, encoding, header):
    examine(data, form, encoding=encoding, header=header)
    examine(honest[form][:60] + data, form, encoding=encoding, header=header)

word = st.sampled_from(['"', '""', ",", "\\n", "\\r", "\\r\\n", "\\0", "1", "007", "1e999", "inf",
    "-", "nan", "True", "x", "\\ufeff", "\\u2028", "{", "}", '{"a": 1}', '{"a": "x"}', "[", "[1]",
    '"a":', "\\\\ud800", "\\t", ";", " ", "9" * 400, "2024-01-31", "\\U0001f600"])

@seed(0)
@quiet
@given(st.lists(word, max_size=60), st.sampled_from(["csv", "tsv", "jsonl"]), st.booleans())
def scribbles(words, form, header):
    examine("".join(words).encode(), form, header=header)

@seed(0)
@quiet
@given(forms, st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255),
       st.sampled_from(["set", "insert", "delete", "copy"])), min_size=1, max_size=6))
def mutated(form, changes):
    data = bytearray(honest[form])
    for place, byte, change in changes:
        place %= len(data)
        if change == "set":
            data[place] = byte
        elif change == "insert":
            data.insert(place, byte)
        elif change == "delete":
            del data[place : place + 1 + byte % 8]
        else:
            data[place:place] = data[place : place + byte]
        if not data:
            return
    examine(bytes(data), form)

limit()
arbitrary()
scribbles()
mutated()
assert read > 50 and refused > 50
print("done")
"""
)

KNOWN = (
    WATCHED
    + """
for form, data in honest.items():
    examine(data, form)
limit()
data = sys.stdin.buffer.read()
examine(data, sys.argv[3])
print("done")
"""
)


def watched(script, *arguments, data=None, timeout=200):
    return subprocess.run(
        [sys.executable, "-c", script, str(ROOT), *map(str, arguments)],
        input=data,
        capture_output=True,
        timeout=timeout,
        check=False,
    )


@pytest.mark.slow
def test_arbitrary_and_mutated_tables_are_read_or_refused_soon(tmp_path):
    pytest.importorskip("pyarrow")
    done = watched(PROPERTIES, tmp_path, 150)
    assert (done.returncode, done.stdout, done.stderr[-2000:]) == (0, b"done\n", b"")


def npy(shape, descr):
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (63 - (10 + len(header)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


ATTACKS = {
    "many cells in a header": ("csv", b"a" + b",a" * 2_000_000 + b"\n1\n"),
    "many short lines": ("csv", b"a,b\n" + b"1,2\n3\n" * 300_000),
    "many bad lines": ("csv", b"a,b\n" + b"1\n" * 1_000_000),
    "quotes in quotes": ("csv", b"a,b\n" + b'""",' * 1_000_000),
    "an open quote before many lines": ("csv", b'a,b\n1,"' + b"x,y\n" * 2_000_000),
    "a deep object": ("jsonl", b'{"a":' * 1_000_000),
    "many keys": (
        "jsonl",
        b"".join(b'{"k%d": 1}\n' % i for i in range(20_000)),
    ),
    "a number of a million digits": ("jsonl", b'{"a": ' + b"9" * 1_000_000 + b"}\n"),
    "many numbers of many digits": ("jsonl", (b'{"a": ' + b"9" * 4000 + b"}\n") * 2000),
    "a huge shape": ("npy", npy("(10000000000, 10000)", "'<f8'") + bytes(80)),
    "no bytes": ("npy", npy("(10000000000, 10000)", "'|V0'")),
    "a deep header": ("npy", npy("(" * 60 + ")" * 60, "'<f8'")),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ATTACKS)
def test_tables_made_to_exhaust_end_soon(tmp_path, name):
    pytest.importorskip("pyarrow")
    form, data = ATTACKS[name]
    done = watched(KNOWN, tmp_path, form, data=data)
    assert (done.returncode, done.stdout, done.stderr[-2000:]) == (0, b"done\n", b"")
