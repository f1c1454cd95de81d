"""A hundred models that misbehave, over all backends: the right exit code, and nothing left over.

    python tests/benchmarks/misbehaved.py [--times 100] [--dask]

Each is a function that on one row of 60 exits, aborts, crashes, hangs (with --row-timeout), stops
its process, writes garbage to stdout, or answers a wrong shape, on serial, threads or loky
(``--dask``: on a cluster of two workers as well); or does so when it is opened. What is counted:
runs whose exit code is another one than 3 (refused) or 4 (failed rows; garbage alone: 0), that left
a file half written, a process, or a temporary folder.
"""

import argparse
import contextlib
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WAYS = {
    "sys.exit": "sys.exit(0)",
    "os._exit": "os._exit(0)",
    "abort": "os.abort()",
    "crash": "ctypes.string_at(0)",
    "killed": "os.kill(os.getpid(), 9)",
    "garbage": "os.write(1, b'garbage'); print('garbage')",
    "wrong shape": "return table['a'].to_numpy()[:-1]",
    "no numbers": "return [None] * len(table)",
    "error": "raise ValueError('bad')",
    "recursion": "return predict(table)",
    "interrupt": "raise KeyboardInterrupt",
    "hang": "time.sleep(1000)",
    "stop": "os.kill(os.getpid(), 19)",
}
CODE = """
import ctypes, os, sys, time
{early}
def predict(table):
    if {when}:
        {way}
    return table['a'].to_numpy() * 2.0
"""


def is_there(pid):
    """Say whether a process is there, and no remains of one."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def session_of(leader):
    """Return the processes that descend from one, as their environment says."""
    mark, found = f"MISBEHAVED={leader}".encode(), []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def miscounted(out, *, most):
    """Say whether a run lacks lines, or has other than a few failed ones."""
    if not (out / "stability.csv").is_file():
        return ["no result"]
    with (out / "stability.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    failed = sum(line["status"] == "failed" for line in lines)
    right = len(lines) == 60 and min(most, 1) <= failed <= most
    return [] if right else [f"{failed} failed of {len(lines)} lines"]


def tried(folder, name, way, spread, *, early):
    """Run one; return what is wrong with how it ended."""
    module = f"bad_{name}"
    when = "True" if early else "len(table) == 32 and (table['a'] == 17.0).any()"
    (folder / f"{module}.py").write_text(CODE.format(early="", when=when, way=way))
    command = [sys.executable, "-m", "xplain_cli", "tabular", f"{module}:predict", "t.csv"]
    options = ["--python-path", ".", "-m", "occlusion", *spread, "-j", "2"]
    limit = ["--open-timeout", "3"]
    if way.startswith("time.sleep") and not early:
        limit += ["--row-timeout", "1"]
    rooms = folder / f"rooms-{name}"
    rooms.mkdir()
    done = subprocess.run(
        [*command, *options, *limit, "-o", f"out-{name}", "--no-progress"],
        cwd=folder,
        env=os.environ | {"TMPDIR": str(rooms), "MISBEHAVED": name},
        capture_output=True,
        check=False,
        timeout=300,
    )
    harmless = way.startswith("os.write")
    wanted = 0 if harmless else 3 if early else 4
    time.sleep(0.2)
    out, wrong = folder / f"out-{name}", []
    if done.returncode != wanted:
        wrong.append(f"exit {done.returncode}, not {wanted}: {done.stderr[-300:]!r}")
    if b"garbage" in done.stdout:
        wrong.append("garbage on stdout")
    if wanted == 3 and out.exists():
        wrong.append("a run that was refused left its folder")
    if wanted != 3:
        wrong += miscounted(out, most=0 if harmless else 60 if "None" in way else 1)
    if any(map(is_there, session_of(name))):
        wrong.append("a process is left")
    if list(rooms.iterdir()):
        wrong.append("a temporary folder is left")
    return wrong


@contextlib.contextmanager
def backends(folder, *, dask):
    """Yield the options of each backend; a cluster ends with them."""
    local = {name: ["--backend", name] for name in ("serial", "threads", "loky")}
    if not dask:
        yield local
        return
    from distributed import LocalCluster

    rooms = folder / "rooms-of-the-cluster"
    rooms.mkdir()
    os.environ["TMPDIR"] = str(rooms)  # of its workers, which hold the rooms
    with LocalCluster(
        2, threads_per_worker=1, dashboard_address=None, silence_logs=50, local_directory=folder
    ) as cluster:
        yield local | {"dask": ["--backend", "dask", "--scheduler", cluster.scheduler_address]}
        left = [path.name for path in rooms.glob("xplain-room-*")]
    if left:
        print(f"left by the cluster: {left}")


def main():
    """Try them, and print what went wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--dask", action="store_true")
    asked = parser.parse_args()
    times = asked.times
    stream, flaws = random.Random(0), {}  # noqa: S311 - which comes first is no secret
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        rows = "\n".join(f"{i},{i % 7}" for i in range(60))
        (folder / "t.csv").write_text(f"a,b\n{rows}\n")
        with backends(folder, dask=asked.dask) as known:
            for i in range(times):
                way = list(WAYS)[i % len(WAYS)]
                backend, early = stream.choice(list(known)), stream.random() < 0.3
                wrong = tried(folder, str(i), WAYS[way], known[backend], early=early)
                kind = f"{way}, {backend}, {'opening' if early else 'a row'}"
                print(f"{i + 1}/{times} {kind}: {'; '.join(wrong) or 'fine'}", flush=True)
                if wrong:
                    flaws.setdefault(kind, []).extend(wrong)
    print(json.dumps({"tried": times, "wrong": flaws}, indent=2))
    sys.exit(bool(flaws))


if __name__ == "__main__":
    main()
