"""The dry run on arbitrary and on mutated files: it runs nothing, ends soon, and stays small."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

# In a process of its own: a gigabyte beyond what the imports took, and an alarm after 5 seconds
# of work (a busy machine takes longer on the clock) on any one file. An audit hook ends it at the
# first import, call of a shell, or opened file that is not Python's own doing.
START = """
import io, os, pickle, resource, signal, sys, time
os.environ["OPENBLAS_NUM_THREADS"] = "1"
sys.path.insert(0, sys.argv[1])
import importlib, importlib.util, string, warnings
import joblib, numpy as np
"""

HONEST = """
from hypothesis import HealthCheck, given, seed, settings, strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.ensemble import RandomForestClassifier
"""

WATCHED = """
from xplain_cli.errors import RefusedError
from xplain_cli.models import inspection
from xplain_cli.models.pickles.allowlist import judge, stated_version
from xplain_cli.models.pickles.dry_run import dry_run
from xplain_cli.models.pickles.records import allowed_names
from xplain_cli.models.stored import Digest, ModelContent

warnings.simplefilter("ignore")
FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "exec",
             "compile", "import", "open", "socket.connect", "shutil.rmtree", "os.remove",
             "ctypes.dlopen", "pickle.find_class", "marshal.loads")
LIBRARY = os.path.dirname(importlib.util.find_spec("sklearn").origin)
watching = False

def is_reading(event, arguments):
    "Say whether it is only the sources of scikit-learn that are read, or parsed."
    if event == "open":
        return str(arguments[0]).startswith(LIBRARY) and arguments[1] == "r"
    if event == "import":
        return str(arguments[0]).startswith("sklearn.")
    return event == "compile" and arguments[1] == "<unknown>"  # ast.parse: it is never run

def watch(event, arguments):
    if watching and event in FORBIDDEN and not is_reading(event, arguments):
        os.write(2, f"{event} {arguments!r:.200}".encode())
        os._exit(9)

sys.addaudithook(watch)
signal.signal(signal.SIGPROF, lambda *_: (os.write(2, b"hangs"), os._exit(8)))
allowed_names()
dry_run(pickle.dumps(np.ones(3)))
"".encode("raw_unicode_escape")  # Python imports its codecs late, as protocol 0 does
"".encode("latin1")

def examine(data):
    "Do all that is done to a file before the verdict."
    global watching
    watching = True
    signal.setitimer(signal.ITIMER_PROF, 5)
    try:
        run = dry_run(data)
        assert "MemoryError" not in str(run.refusals)
        stated_version(run)
        try:
            judge("file", run)
        except RefusedError as error:
            assert len(str(error)) < 10_000 and str(error).isprintable(), str(error)
        inspection._inspect_pickle(ModelContent("pickle", Digest(data), len(data), data))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        watching = False

base = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (base + 2**30, base + 2**30))
"""

PROPERTIES = (
    START
    + HONEST
    + WATCHED
    + """
rows, labels = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30) % 2
models = [make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels),
          RandomForestClassifier(2, max_depth=2).fit(rows, labels), {"a": [1, (2.5, "x")]}]
honest = []
for model in models:
    honest += [pickle.dumps(model, protocol) for protocol in (0, 2, 4, 5)]
    file = io.BytesIO()
    joblib.dump(model, file)
    honest.append(file.getvalue())
OPCODES = [getattr(pickle, name)[0] for name in dir(pickle)
           if name.isupper() and isinstance(getattr(pickle, name), bytes)
           and len(getattr(pickle, name)) == 1]
quiet = settings(max_examples=int(sys.argv[2]), deadline=None, database=None, derandomize=True,
                 suppress_health_check=list(HealthCheck))

@seed(0)
@quiet
@given(st.binary(max_size=400))
def arbitrary(data):
    examine(data)
    examine(b"\\x80\\x04" + data + b".")

word = st.sampled_from([b"\\x8c\\x05posix", b"\\x8c\\x06system", b"\\x8c\\x02id", b"K\\x01", b"N",
    b"\\x8c\\x05numpy", b"\\x8c\\x05dtype", b"\\x8c\\x08builtins", b"\\x8c\\x04list",
    b"cos\\nsystem\\n", b"cnumpy\\ndtype\\n", b"h\\x00", b"q\\x00", b"\\x94", b"C\\x03abc",
    b"cjoblib.numpy_pickle\\nNumpyArrayWrapper\\n", b"cnumpy\\nndarray\\n",
    b"\\x8a\\x0a" + b"\\x7f" * 10, b"\\x96\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\x00",
    b"\\x8e\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\x00",
    b"\\x95\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\x00"])
opcode = st.sampled_from(OPCODES).map(lambda code: bytes([code]))

@seed(0)
@quiet
@given(st.lists(st.one_of(word, opcode), max_size=60))
def programs(parts):
    examine(b"\\x80\\x05" + b"".join(parts) + b".")

@seed(0)
@quiet
@given(st.sampled_from(honest), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255),
       st.sampled_from(["set", "insert", "delete", "copy"])), min_size=1, max_size=6))
def mutated(data, changes):
    data = bytearray(data)
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
    examine(bytes(data))

for data in honest:
    examine(data)
arbitrary()
programs()
mutated()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print("done", peak < 2**30 + base)
"""
)

# Each file in a process forked from one that has imported everything, with its own alarm.
KNOWN = (
    START
    + WATCHED
    + """
import traceback
for data in pickle.load(sys.stdin.buffer):
    child = os.fork()
    if not child:
        try:
            os.dup2(1, 2)
            examine(data)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os.write(1, b"done")
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.write(1, b" and %d\\0" % code)
"""
)


def watched(script, *arguments, data=None, timeout=120):
    return subprocess.run(
        [sys.executable, "-c", script, str(ROOT), *arguments],
        input=data,
        capture_output=True,
        timeout=timeout,
        check=False,
    )


@pytest.mark.slow
def test_arbitrary_and_mutated_files_run_nothing_and_end_soon():
    done = watched(PROPERTIES, "150")
    assert (done.returncode, done.stdout, done.stderr[-2000:]) == (0, b"done True\n", b"")


def doubled(times):
    """Return the opcodes of a tuple that holds itself's half twice, and so on: 2**times leaves."""
    return b"K\x01\x85\x94" + b"".join(
        b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86\x94" for i in range(times)
    )


def wide(levels, width):
    """Return the opcodes of lists of lists, each level the one below many times over."""
    parts = [b"]\x94"]
    parts += [b"](" + (b"h" + bytes([i])) * width + b"e\x94" for i in range(levels)]
    return b"".join(parts)


def number(value):
    raw = value.to_bytes(value.bit_length() // 8 + 1, "little")
    return b"\x8a" + bytes([len(raw)]) + raw


def colliding(count):
    """Return a dict whose keys all have the same hash."""
    keys = (number(i * (2**61 - 1)) + b"N" for i in range(1, count))
    return b"}(" + b"".join(keys) + b"u."


DTYPE = (
    b"cnumpy\ndtype\n(\x8c\x02f8\x89\x88tR(K\x03\x8c\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00"
)
LONG = b"X" + (10**6).to_bytes(4, "little") + b"a" * 10**6
ATTACKS = {
    "nested lists": b"\x80\x04" + b"]" * 60_000 + b"a" * 59_999 + b".",
    "nested tuples": b"\x80\x04)" + b"\x85" * 60_000 + b".",
    "shared tuples in a dtype": b"\x80\x04" + doubled(40) + b"0" + DTYPE + b"h\x28tb.",
    "shared lists": b"\x80\x04ccollections\nOrderedDict\n)\x81}\x8c\x01a" + wide(12, 1000) + b"sb.",
    "keys of one hash": b"\x80\x04" + colliding(60_000),
    "memo numbers of one hash": b"N"
    + b"".join(b"p%d\n" % (i * (2**61 - 1)) for i in range(60_000))
    + b".",
    "long keys everywhere": b"\x80\x04}" + LONG + b"](" + b"]" * 5000 + b"es.",
    "a large number for a key": b"\x80\x04}\x8b\x00\x10\x00\x00" + b"\x01" * 4096 + b"]s.",
    "names with line ends": b"\x80\x04\x8c\x06os\n::e\x8c\x06system\x93.",
    "an array of no rows": b"\x80\x04\x8e\x00\x00\x00\x00\x00\x01\x00\x00abc.",
}


@pytest.fixture(scope="module")
def endings():
    """What each process said that examined an attack, and how it ended."""
    done = watched(KNOWN, data=pickle.dumps(list(ATTACKS.values())), timeout=300)
    assert (done.returncode, done.stderr[-2000:]) == (0, b"")
    return dict(zip(ATTACKS, done.stdout.split(b"\0")[:-1], strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", ATTACKS)
def test_files_made_to_exhaust_end_soon(endings, name):
    assert endings[name] == b"done and 0"


def test_the_watch_itself_sees_a_pickle_that_runs():
    script = START + WATCHED.replace("run = dry_run(data)", "run = pickle.loads(data)") + "examine("
    done = watched(f"{script}{pickle.dumps(ValueError)!r})")
    assert (done.returncode, done.stderr[:17]) == (9, b"pickle.find_class")
