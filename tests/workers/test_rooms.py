"""Rooms: what a model cannot do from within one, how it may end, and what the tool then says."""

import ctypes
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest
from confined import LINUX
from payloads import ENDS, PAYLOADS, harmful_pickle
from running import environment, rows_of

from xplain_cli.errors import ModelDiedError, RefusedError
from xplain_cli.models import ModelRecipe
from xplain_cli.workers import rooms as own_rooms
from xplain_cli.workers.confine import ALL_RIGHTS, Confinement, landlock_version
from xplain_cli.workers.room_models import load_in
from xplain_cli.workers.rooms import Walls, described, ending, open_rooms

pytestmark = pytest.mark.skipif(
    not LINUX or not landlock_version(), reason="needs a kernel with Landlock"
)
ENDLESS = {"hang", "hang and hold", "say what is no answer", "say that it is large", "stop itself"}


@pytest.fixture
def outside(tmp_path):
    """A place with a secret, and a port that somebody listens on."""
    place = tmp_path / "outside"
    place.mkdir()
    (place / "secret").write_text("secret")
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.settimeout(0.05)
        yield place, server


def state(place):
    """Return all that a payload could have changed of a place."""
    secret = (place / "secret").stat()
    marks = sorted(path.name for path in place.iterdir())
    names = os.listxattr(place / "secret")
    return marks, (place / "secret").read_text(), secret.st_mode, secret.st_mtime_ns, names


def children():
    """Return the processes that this one, or one that it forked, has left."""
    mine, found = str(os.getpid()), []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            found += [entry.name] if fields[1] == mine else []
    return found


@pytest.fixture
def shared():
    """A piece of memory of this process's that others may attach by its number."""
    libc = ctypes.CDLL(None)
    libc.shmat.restype = ctypes.c_void_p
    number = libc.shmget(0, 4096, 0o1600)
    place = libc.shmat(number, None, 0)
    yield number, lambda: (ctypes.string_at(place, 8), libc.shmctl(number, 2, bytes(128)))
    libc.shmctl(number, 0, None)


@pytest.fixture
def listener(outside):
    """Somebody who listens under a name of no file."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0xplain-test-{outside[1].getsockname()[1]}")
        server.listen()
        server.settimeout(0.05)
        yield server


@pytest.mark.parametrize("name", PAYLOADS)
def test_confinement_alone_holds_where_the_door_is_open(
    tmp_path, outside, shared, listener, monkeypatch, name
):
    place, server = outside
    segment, held = shared
    priority, processors = os.getpriority(os.PRIO_PROCESS, 0), os.sched_getaffinity(0)
    monkeypatch.setattr(own_rooms, "FOLDER_BYTES", 1 << 26)
    monkeypatch.setattr(own_rooms, "_machine_bytes", lambda: 2 << 30)
    port = server.getsockname()[1]
    path = harmful_pickle(
        tmp_path / "harm.pkl", name, mark=place, secret=place / "secret", port=port, shared=segment
    )
    before, processes = state(place), children()
    walls = Walls(sources=(str(path),), open_seconds=1.0 if name in ENDLESS else 20.0)
    with open_rooms(walls) as rooms:
        recipe = ModelRecipe(str(path), trust_all=True)
        try:
            load_in(rooms, recipe)
            ended = "opened"  # what it tried failed without an error, as of the C library
        except RefusedError as error:
            through = str(path) not in str(error) or "GOT THROUGH" in str(error)
            ended = str(error) if through else "refused"
    assert ended in {"refused", "opened"}
    assert (ended == "refused") or name not in ENDS
    assert state(place) == before
    assert not Path("/dev/shm/xplain-mark").exists()  # noqa: S108 - a payload names it
    for one in (server, listener):
        with pytest.raises(TimeoutError):
            one.accept()
    assert held() == (bytes(8), 0)
    assert os.getpriority(os.PRIO_PROCESS, 0) == priority
    assert os.sched_getaffinity(0) == processors
    assert not rooms.folder.exists()
    assert children() == processes


@pytest.fixture
def stored(tmp_path):
    """A stored model and a batch of its rows."""
    import pickle

    import numpy as np
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    X = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 3)), columns=list("abc"))
    model = LogisticRegression().fit(X, X["a"] > 0)
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(model))
    return path, X, model


def test_a_model_in_a_room_is_a_model(stored):
    import numpy as np

    path, X, model = stored
    with open_rooms(Walls(sources=(str(path),))) as rooms:
        loaded = load_in(rooms, ModelRecipe(str(path)))
        assert (loaded.kind, loaded.columns) == ("scikit-learn", ("a", "b", "c"))
        bound = loaded.bind(loaded.settle(X.head(8)))
        assert bound.signature.outputs == ("False", "True")
        assert np.array_equal(bound.predict(X), model.predict_proba(X))
        assert bound.capabilities.leaves is None
        assert "LogisticRegression" in bound.capabilities.why_not["leaves"]


def test_leaves_come_out_of_a_room(tmp_path, stored):
    import pickle

    from sklearn.tree import DecisionTreeRegressor

    from xplain_cli.models.leaves import LeafBoxes

    _, X, _ = stored
    path = tmp_path / "tree.pkl"
    path.write_bytes(pickle.dumps(DecisionTreeRegressor(max_depth=2).fit(X, X["a"])))
    with open_rooms(Walls(sources=(str(path),))) as rooms:
        loaded = load_in(rooms, ModelRecipe(str(path)))
        leaves = loaded.bind(loaded.settle(X.head(8))).capabilities.leaves()
    assert isinstance(leaves, LeafBoxes)
    assert leaves.values.shape == (4, 1)


def test_an_error_of_a_model_keeps_its_kind_and_its_words(stored):
    path, X, _ = stored
    with open_rooms(Walls(sources=(str(path),))) as rooms:
        loaded = load_in(rooms, ModelRecipe(str(path)))
        bound = loaded.bind(loaded.settle(X.head(8)))
        with pytest.raises(ValueError, match="feature names") as caught:
            bound.predict(X.rename(columns={"a": "z"}))
    assert type(caught.value).__name__ == "ValueError"


def test_a_refusal_is_the_same_as_without_a_room(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(b"no model")
    from xplain_cli.models import load_model

    with pytest.raises(RefusedError) as plain:
        load_model(ModelRecipe(str(path)))
    with open_rooms(Walls(sources=(str(path),))) as rooms, pytest.raises(RefusedError) as told:
        load_in(rooms, ModelRecipe(str(path)))
    assert str(told.value) == str(plain.value)


def test_a_killed_room_is_followed_by_another(stored):
    path, X, _ = stored
    with open_rooms(Walls(sources=(str(path),))) as rooms:
        loaded = load_in(rooms, ModelRecipe(str(path)))
        os.kill(rooms.first.process, signal.SIGKILL)
        with pytest.raises(ModelDiedError, match="SIGKILL -9, likely out of memory"):
            loaded.settle(X)
        again = load_in(rooms, ModelRecipe(str(path)))
        assert again.settle(X.head(8)).outputs == ("False", "True")


def test_a_room_that_is_ended_while_it_answers_ends_the_question(tmp_path):
    (tmp_path / "sleeping_room.py").write_text("import time\ntime.sleep(60)\n")
    walls = Walls(sources=("sleeping_room:predict",), open_seconds=None)
    with open_rooms(walls) as rooms:
        room = rooms.first
        threading.Timer(0.3, room.end).start()
        began = time.monotonic()
        recipe = ModelRecipe("sleeping_room:predict", python_path=(str(tmp_path),))
        with pytest.raises(ModelDiedError):
            load_in(rooms, recipe)
        assert time.monotonic() - began < 10


def test_required_is_refused_where_it_is_less_than_whole(stored, monkeypatch):
    from xplain_cli.workers import confine

    monkeypatch.setattr(confine, "landlock_version", lambda: 0)
    walls = Walls(confine="required", sources=(str(stored[0]),))
    with open_rooms(walls) as rooms, pytest.raises(RefusedError, match="no Landlock"):
        _ = rooms.first


def test_a_callable_is_confined_where_that_is_required():
    assert Walls(confine="required", sources=("a:b",)).confined
    assert not Walls(sources=("a:b",)).confined
    assert not Walls(confine="off", sources=("a.pkl",)).confined
    assert Walls(sources=("a.pkl",)).confined


@pytest.mark.parametrize("sources", [("a.pkl", "a:b"), ("a:b", "a.pkl")], ids="-".join)
def test_no_file_runs_unconfined_for_the_callable_beside_it(sources):
    """A model and its judge share a room: one of them being code frees neither."""
    walls = Walls(sources=sources)
    assert walls.confined
    assert not Walls(confine="off", sources=sources).confined
    held = Confinement("Linux", 7, ALL_RIGHTS)
    assert described(walls, held).startswith("the model file, and the callable beside it, are")


def test_a_model_in_a_home_does_not_open_the_home(tmp_path):
    allowed = own_rooms.allowance(Walls(sources=(str(tmp_path / "model.pkl"),)), str(tmp_path))
    assert str(tmp_path / "model.pkl") in allowed.readable
    assert str(tmp_path) not in allowed.readable
    assert str(Path.cwd()) not in allowed.readable


def test_packages_are_readable_wherever_they_are_installed(tmp_path, monkeypatch):
    (tmp_path / "packages" / "some-1.0.dist-info").mkdir(parents=True)
    (tmp_path / "work").mkdir()
    added = [str(tmp_path / name) for name in ("packages", "work", "none")]
    monkeypatch.setattr("sys.path", [*sys.path, "", *added])
    allowed = own_rooms.allowance(Walls(sources=("model.pkl",)), str(tmp_path / "room"))
    assert [path for path in added if path in allowed.readable] == added[:1]


def test_trusted_code_is_readable(tmp_path):
    walls = Walls(
        sources=(str(tmp_path / "model.pkl"),), trusted=True, python_path=(str(tmp_path / "code"),)
    )
    allowed = own_rooms.allowance(walls, str(tmp_path))
    assert {str(tmp_path), str(tmp_path / "code"), str(Path.cwd())} <= set(allowed.readable)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "exit EXIT 0"),
        (-9, "exit SIGKILL -9, likely out of memory"),
        (-6, "exit SIGABRT -6"),
        (-250, "exit signal 250 -250"),
    ],
)
def test_an_ending_is_said(status, words):
    assert ending(status) == words


def test_rooms_can_be_started_anew_where_nothing_is_forked(stored, monkeypatch):
    import numpy as np

    monkeypatch.setattr(own_rooms, "can_fork", lambda: False)
    path, X, model = stored
    with open_rooms(Walls(sources=(str(path),))) as rooms:
        loaded = load_in(rooms, ModelRecipe(str(path)))
        bound = loaded.bind(loaded.settle(X.head(8)))
        assert np.array_equal(bound.predict(X), model.predict_proba(X))
        room = rooms.first
        os.kill(room.process, signal.SIGKILL)
        with pytest.raises(ModelDiedError, match="SIGKILL"):
            bound.predict(X)


def test_a_fresh_template_is_a_program_of_its_own(stored):
    import numpy as np

    path, X, model = stored
    rooms = own_rooms.Rooms(Walls(sources=(str(path),)), fresh=True)
    try:
        loaded = load_in(rooms, ModelRecipe(str(path)))
        bound = loaded.bind(loaded.settle(X.head(8)))
        assert rooms.confinement.whole
        assert np.array_equal(bound.predict(X), model.predict_proba(X))
    finally:
        rooms.close()
    assert not rooms.folder.exists()


def opened_callable(folder, name, code):
    """Return what opening a callable of some code ends in, the rooms' processes still there."""
    (folder / f"{name}.py").write_text(code)
    walls = Walls(sources=(f"{name}:predict",), python_path=(str(folder),), open_seconds=20.0)
    recipe = ModelRecipe(f"{name}:predict", python_path=(str(folder),))
    with open_rooms(walls) as rooms, pytest.raises(ModelDiedError) as died:
        load_in(rooms, recipe)
    return died.value.reason


FIND_PIPE = (
    "import os, stat, time\n"
    "for pipe in range(3, 64):\n"
    "    try:\n        if stat.S_ISSOCK(os.fstat(pipe).st_mode): break\n"
    "    except OSError: pass\n"
)


def test_a_room_that_closes_its_pipe_and_lives_on_is_ended(tmp_path):
    began = time.monotonic()
    opened_callable(tmp_path, "closes_its_pipe", f"{FIND_PIPE}os.close(pipe)\ntime.sleep(600)\n")
    assert time.monotonic() - began < 30


def test_a_room_whose_child_holds_its_pipe_has_ended(tmp_path):
    code = "import os, time\nif os.fork():\n    os._exit(7)\ntime.sleep(600)\n"
    assert opened_callable(tmp_path, "leaves_a_child", code) == "died (exit EXIT 7)"


FORKING = """
import os
import numpy as np
asked = [0]
def twice(rows):
    asked[0] += 1
    if asked[0] in {3, 9, 12}:
        os.fork()  # and both go on
    return np.asarray(rows, dtype=float)[:, 0] * 2
"""


FORGING = """
import io, zipfile
import numpy as np
from xplain_cli.runs import parts
from xplain_cli.workers import room

honest = room.pack
def members(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {{name: archive.read(name) for name in archive.namelist()}}
def archive(found, how=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as made:
        for name, data in found.items():
            made.writestr(name, data)
    return file.getvalue()
def forged(records, identity):
    data = honest(records, identity)
    stability, weights = records.stability, records.weights
    {forgery}
room.pack = forged
def twice(rows):
    return np.asarray(rows, dtype=float)[:, 0] * 2
"""
FORGERIES = {
    "junk": "return b'PK junk'",
    "no bytes": "return 7",
    "other rows": "stability['row'] += 1; return honest(records, identity)",
    "names of other rows": "stability['row_id'] = 'x'; return honest(records, identity)",
    "no columns": "del stability['row']; return honest(records, identity)",
    "more columns": "stability['secret'] = 1; return honest(records, identity)",
    "too few weights": ("records.lines[0] += 1; return honest(records, identity)"),
    "another plan": "return honest(records, '0' * 64)",
    "packed": "return archive(members(data), zipfile.ZIP_DEFLATED)",
    "a huge array": (
        "found = members(data); file = io.BytesIO()\n"
        "    head = {{'descr': '<i8', 'fortran_order': False, 'shape': (1 << 50,)}}\n"
        "    np.lib.format.write_array_header_1_0(file, head)\n"
        "    return archive(found | {{'lines.npy': file.getvalue()}})"
    ),
    "no text": "return archive(members(data) | {{'weights.columns.npy': b'x'}})",
}


@pytest.mark.parametrize("name", FORGERIES)
def test_records_that_a_room_forges_are_refused(run, tmp_path, name):
    forgery = FORGERIES[name].replace("{{", "{").replace("}}", "}")
    module = f"forging_{sorted(FORGERIES).index(name)}"
    (tmp_path / f"{module}.py").write_text(
        FORGING.replace("{forgery}", forgery).replace("{{", "{").replace("}}", "}")
    )
    (tmp_path / "d.csv").write_text("a,b\n" + "".join(f"{i},{i % 3}\n" for i in range(3)))
    options = ("-m", "occlusion", "-b", "zero", "--backend", "serial")
    done = run("tabular", f"{module}:twice", "d.csv", "--python-path", tmp_path, *options)
    assert (done.code, "answered what is no answer" in done.err) == (3, True), done.err


def test_of_a_room_and_its_copies_one_answers(run, tmp_path):
    (tmp_path / "forking.py").write_text(FORKING)
    table = "a,b\n" + "".join(f"{i},{i % 3}\n" for i in range(24))
    (tmp_path / "d.csv").write_text(table)
    options = ("-m", "kernel-shap", "-b", "zero", "--backend", "serial", "--chunk-rows", "3")
    done = run("tabular", "forking:twice", "d.csv", "--python-path", tmp_path, *options)
    assert done.code == 0, done.err
    rows = rows_of(tmp_path / "xplain-out" / "stability.csv")
    assert [row["row"] for row in rows] == [str(i) for i in range(24)]
    assert [float(row["prediction"]) for row in rows] == [2.0 * i for i in range(24)]


def test_a_model_that_holds_itself_is_refused(run, tmp_path):
    from sklearn.ensemble import VotingClassifier
    from sklearn.linear_model import LogisticRegression

    table = pd.DataFrame({"a": range(20), "b": [0, 1] * 10})
    model = VotingClassifier([("one", LogisticRegression())], voting="soft")
    model.fit(table, table["b"]).estimators_ = [model]
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model))
    table.to_csv(tmp_path / "d.csv", index=False)
    done = run("tabular", "m.pkl", "d.csv")
    assert (done.code, "m.pkl: cannot be opened as a model: RecursionError" in done.err) == (
        3,
        True,
    )


def test_what_a_room_began_and_left_ends_with_the_job(tmp_path):
    mark = tmp_path / "pid"
    code = (
        "import os, pathlib, time\n"
        "if not os.fork():\n"
        "    os.setsid()\n"
        "    if os.fork():\n        os._exit(0)\n"
        f"    pathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\n"
        "    os.closerange(0, 64)\n"
        "    time.sleep(600)\n"
        "os.wait()\n"
        f"while not os.path.exists({str(mark)!r}) or not os.path.getsize({str(mark)!r}):\n"
        "    time.sleep(0.01)\n"
        "os._exit(7)\n"
    )
    opened_callable(tmp_path, "leaves_a_service", code)
    assert not Path(f"/proc/{mark.read_text()}").exists()


def test_a_killed_tool_leaves_no_process_and_no_folder(tmp_path):
    code = (
        "import sys, time\n"
        "from xplain_cli.workers.rooms import Rooms, Walls\n"
        "rooms = Rooms(Walls())\n"
        "print(rooms.first.process, rooms.folder, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(TMPDIR=str(tmp_path)),
    ) as tool:
        process, folder = tool.stdout.readline().split()
        tool.kill()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and Path(folder).exists():
        time.sleep(0.05)
    assert not Path(folder).exists()
    assert not Path(f"/proc/{process}").exists()


def test_a_template_that_is_killed_is_a_refusal_and_no_closed_pipe(stored):
    """Its channel breaks as a pipe does, which would end the tool with 141."""
    with open_rooms(Walls(sources=(str(stored[0]),))) as rooms:
        room = rooms.first
        os.kill(rooms._source._process, signal.SIGKILL)
        time.sleep(0.2)
        with pytest.raises(RefusedError, match="was ended; the same command continues"):
            rooms.start()
        with pytest.raises(RefusedError):
            room.ask("versions", ("numpy",))
