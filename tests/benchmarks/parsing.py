"""
What it would cost to parse DATA in a process of its own: ``python tests/benchmarks/parsing.py``.

20,000 rows of 30 columns, as csv and parquet, a third of the columns words. A job reads DATA as
often as here: the kinds of its columns, the background, the rows in chunks. Here it does so in this
process, and in a forked one that sends columns as rooms send values (``workers.plain``). Process
time of both processes together, the least of several rounds.
"""

import argparse
import os
import resource
import struct
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from xplain_cli import datasets
from xplain_cli.datasets import ReadOptions
from xplain_cli.workers.plain import decode, encode

CHUNK = 512


def spent():
    """Return the process time of this process and of its children that have ended."""
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def read(path):
    """Yield the frames that a job reads of DATA: its background as one, then its chunks."""
    table = datasets.open_table([str(path)], ReadOptions())
    kinds = datasets.kinds(table, table.columns)
    datasets.judge_columns(table, kinds, frozenset())
    yield datasets.read_columns(table, kinds).table
    for chunk in datasets.chunks(table, kinds, [], CHUNK):
        yield chunk.table


def here(path):
    for frame in read(path):
        assert len(frame)


def there(path):
    """Read in a child; make frames here of what it sends."""
    source, sink = os.pipe()
    child = os.fork()
    if child == 0:
        with os.fdopen(sink, "wb") as pipe:
            for frame in read(path):
                said = encode({name: frame[name].to_numpy() for name in frame.columns})
                pipe.write(struct.pack("=Q", len(said)) + said)
        os._exit(0)
    os.close(sink)
    with os.fdopen(source, "rb") as pipe:
        while head := pipe.read(8):
            columns = decode(pipe.read(struct.unpack("=Q", head)[0]))
            assert len(pd.DataFrame(columns))
    os.waitpid(child, 0)


def made(folder, rows, columns):
    rng = np.random.default_rng(0)
    words = np.array(["never", "seldom", "often", "always"], dtype=object)
    table = pd.DataFrame({
        f"c{j}": rng.choice(words, rows) if j % 3 == 0 else rng.normal(size=rows).round(6)
        for j in range(columns)
    })
    table.to_csv(folder / "d.csv", index=False)
    table.to_parquet(folder / "d.parquet")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--columns", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made(folder, asked.rows, asked.columns)
        for suffix in ("csv", "parquet"):
            path, took = folder / f"d.{suffix}", {}
            here(path)
            for way in (here, there):
                rounds = []
                for _ in range(asked.rounds):
                    began = spent()
                    way(path)
                    rounds.append(spent() - began)
                took[way.__name__] = min(rounds)
            more = took["there"] - took["here"]
            print(
                f"{suffix:<8} here {took['here']:.2f} s, in a process of its own"
                f" {took['there']:.2f} s (+{more:.2f} s, {took['there'] / took['here']:.2f} times)"
            )


if __name__ == "__main__":
    main()
