"""Tables that are broken in one way each, with what must come of them: a refusal or failed rows."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import zipfile
from dataclasses import dataclass

import numpy as np
import pandas as pd

HEADER = "id,a,b,city"
CITIES = ("Bergen", "Oslo", "Alta")
ROWS = [f"p{i},{i / 4},{i % 7},{CITIES[i % 3]}" for i in range(24)]
OBJECTS = [dict(zip(HEADER.split(","), row.split(","), strict=True)) for row in ROWS]
OBJECTS = [{**one, "a": float(one["a"]), "b": int(one["b"])} for one in OBJECTS]


@dataclass(frozen=True)
class Broken:
    """
    A broken table.

    Attributes
    ----------
    code
        The exit code that it must lead to: 2, 3, or 4 for one failed row.
    data
        The bytes; None: there is no file.
    name
        The file.
    options
        More options of the command.
    at_fault
        What the message must name; the file where empty.
    whole
        Whether the file as a whole is at fault, so that no place in it can be named.
    """

    code: int
    data: bytes | None
    name: str = "data.csv"
    options: tuple[str, ...] = ()
    at_fault: str = ""
    whole: bool = False


def table(rows=ROWS, header=HEADER, sep=","):
    return "\n".join([header, *rows, ""]).replace(",", sep).encode()


def changed(row, column=None, cell=None, at=9):
    """Return the table with one row, or one cell of it, changed."""
    cells = ROWS[at].split(",")
    if column is not None:
        cells[column] = cell
    rows = [*ROWS[:at], row if column is None else ",".join(cells), *ROWS[at + 1 :]]
    return table(rows)


def filled(column, cell):
    """Return the table with a whole column of one cell."""
    split = [row.split(",") for row in ROWS]
    return table([",".join([*cells[:column], cell, *cells[column + 1 :]]) for cells in split])


def objects(line=None, at=9):
    """Return the table as JSON Lines, one of them changed."""
    lines = [json.dumps(one) for one in OBJECTS]
    lines[at] = lines[at] if line is None else line
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def stored(save, *arguments, **named):
    """Return the bytes that a function writes to a file."""
    file = io.BytesIO()
    save(file, *arguments, **named)
    return file.getvalue()


def archived(data):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data.csv", data)
    return file.getvalue()


GOOD = table()
FILES = {
    "no file": Broken(3, None, whole=True),
    "a glob of no files": Broken(3, None, "none*.csv", whole=True),
    "an empty file": Broken(3, b""),
    "blank lines": Broken(3, b"\n \n\t\n"),
    "a mark of byte order": Broken(3, b"\xef\xbb\xbf"),
    "a header alone": Broken(3, HEADER.encode()),
    "an unknown suffix": Broken(3, GOOD, "data.dat", whole=True),
    "a json document": Broken(3, json.dumps(OBJECTS).encode(), "data.json", whole=True),
    "a json document as csv": Broken(3, json.dumps(OBJECTS, indent=1).encode()),
    "gzip": Broken(3, gzip.compress(GOOD)[:-20], whole=True),
    "bzip2": Broken(3, bz2.compress(GOOD)[:-20], whole=True),
    "xz": Broken(3, lzma.compress(GOOD)[:-20], whole=True),
    "zstd": Broken(3, b"\x28\xb5\x2f\xfd" + bytes(40), whole=True),
    "zip": Broken(3, archived(GOOD), whole=True),
    "an old workbook": Broken(3, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), whole=True),
    "parquet as csv": Broken(3, b"PAR1" + bytes(90) + b"PAR1", whole=True),
    "an array as csv": Broken(3, stored(np.save, np.ones((30, 3))), whole=True),
    "a pickle as csv": Broken(3, pickle.dumps({"a": list(range(30))}), whole=True),
    "a picture": Broken(3, b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4, whole=True),
    "a page": Broken(3, b"<!DOCTYPE html>\n<html><body>\n<p>404, not found\n</body></html>\n"),
    "any bytes": Broken(3, bytes(np.random.default_rng(0).integers(0, 256, 4000, np.uint8))),
    "semicolons": Broken(3, table(sep=";")),
    "tabs": Broken(3, table(sep="\t")),
    "bars": Broken(3, table(sep="|")),
    "commas in a tsv file": Broken(3, GOOD, "data.tsv"),
    "a name twice": Broken(3, table(header="id,a,a,city")),
    "names missing": Broken(3, table(header="id,,b,Unnamed: 1")),
    "a cell more a row": Broken(3, table([f"{row}," for row in ROWS])),
    "a cell less a row": Broken(3, table([row.rpartition(",")[0] for row in ROWS])),
    "a title line": Broken(3, b"Report of May\n" + GOOD),
    "a NUL byte in the header": Broken(3, table(header="id,a\0,b,city")),
    "NUL bytes everywhere": Broken(3, table([row.replace(",", ",\0") for row in ROWS])),
    "a quote that never closes": Broken(
        3, changed(ROWS[9].replace(",A", ',"A').replace(",O", ',"O').replace(",B", ',"B'))
    ),
    "a quote closed in a later line": Broken(3, changed('p9,1,1,"Os\nlo"x')),
    "a line without end": Broken(3, GOOD + b"x" * ((1 << 24) + 1)),
    "windows letters": Broken(3, GOOD.replace(b"Oslo", b"Troms\xf8")),
    "windows letters in the header": Broken(
        3, table(header="id,a,b,city").replace(b"city", b"\xe9t\xe9")
    ),
    "korean letters": Broken(3, GOOD.replace(b"Oslo", "오슬로".encode("cp949"))),
    "utf-16": Broken(3, GOOD.decode().encode("utf-16"), whole=True),
    "utf-16 without a mark": Broken(3, GOOD.decode().encode("utf-16-le")),
    "utf-32": Broken(3, GOOD.decode().encode("utf-32"), whole=True),
    "the wrong encoding": Broken(3, GOOD, options=("--encoding", "utf-16"), whole=True),
    "an unknown encoding": Broken(2, GOOD, options=("--encoding", "utf-99"), at_fault="utf-99"),
    "a separator of two": Broken(2, GOOD, options=("--sep", ";;"), at_fault="--sep"),
    "a type of no column": Broken(2, GOOD, options=("--dtype", "aa=text"), at_fault="data.csv"),
    "an unknown type": Broken(2, GOOD, options=("--dtype", "a=date"), at_fault="--dtype"),
    "an id of no column": Broken(2, GOOD, options=("--id-column", "ID")),
    "rows beyond the end": Broken(2, GOOD, options=("--rows", "90:"), at_fault="--rows"),
    "ids twice": Broken(3, filled(0, "p1"), options=("--id-column", "id")),
    "an id missing": Broken(3, changed("", 0, ""), options=("--id-column", "id")),
}
COLUMNS = {
    "a column renamed": Broken(3, table(header="id,aa,b,city")),
    "a column in capitals": Broken(3, table(header="id,A,b,city")),
    "a space before a name": Broken(3, table(header="id, a,b,city")),
    "no header": Broken(3, table(header="p,0.5,1,Oslo")),
    "words for numbers": Broken(3, filled(1, "high")),
    "dates for numbers": Broken(3, filled(1, "2024-01-31")),
    "bools for numbers": Broken(3, filled(1, "True")),
    "decimal commas": Broken(3, filled(1, '"1,5"')),
    "thousands": Broken(3, filled(1, '"1,000"')),
    "per cent": Broken(3, filled(1, "12%")),
    "money": Broken(3, filled(1, "$12")),
    "units": Broken(3, filled(1, "12 cm")),
    "hexadecimals": Broken(3, filled(1, "0xff")),
    "words for missing": Broken(3, filled(1, "NA")),
    "spreadsheet errors": Broken(3, filled(1, "#DIV/0!")),
    "lists in cells": Broken(
        3, "\n".join(json.dumps({**o, "a": [1, 2]}) for o in OBJECTS).encode(), "data.jsonl"
    ),
}
OTHERS = {
    "a list in json lines": Broken(3, json.dumps(OBJECTS).encode(), "data.jsonl"),
    "an indented document in json lines": Broken(
        3, json.dumps(OBJECTS, indent=1).encode(), "data.jsonl"
    ),
    "csv in json lines": Broken(3, GOOD, "data.jsonl"),
    "empty objects": Broken(3, b"{}\n" * 24, "data.jsonl"),
    "blank json lines": Broken(3, b"\n\n", "data.jsonl"),
    "utf-16 json lines": Broken(3, objects().decode().encode("utf-16"), "data.jsonl", whole=True),
    "other keys": Broken(3, b'{"x": 1}\n' * 24, "data.jsonl"),
    "parquet of nothing": Broken(3, b"PAR1" + bytes(90) + b"PAR1", "data.parquet", whole=True),
    "csv as parquet": Broken(3, GOOD, "data.parquet", whole=True),
    "parquet cut short": Broken(
        3, stored(lambda f: pd.DataFrame(OBJECTS).to_parquet(f))[:-20], "data.parquet", whole=True
    ),
    "lists in parquet": Broken(
        3,
        stored(lambda f: pd.DataFrame([{**o, "a": [1]} for o in OBJECTS]).to_parquet(f)),
        "data.parquet",
    ),
    "csv as npy": Broken(3, GOOD, "data.npy", whole=True),
    "an array of objects": Broken(
        3, stored(np.save, np.array([[1, "x"]] * 24, dtype=object)), "data.npy", whole=True
    ),
    "objects in an archive": Broken(
        3, stored(np.savez, X=np.array([[None]] * 24)), "data.npz", whole=True
    ),
    "an array without names": Broken(3, stored(np.save, np.ones((24, 3))), "data.npy"),
    "an array of pictures": Broken(3, stored(np.save, np.ones((24, 3, 3))), "data.npy"),
    "an array cut short": Broken(3, stored(np.save, np.ones((24, 3)))[:-8], "data.npy", whole=True),
    "two arrays": Broken(3, stored(np.savez, u=np.ones((24, 3)), v=np.ones((24, 3))), "data.npz"),
    "an archive cut short": Broken(
        3, stored(np.savez, u=np.ones((24, 3)))[:-40], "data.npz", whole=True
    ),
    "an archive of csv": Broken(3, archived(GOOD), "data.npz", whole=True),
}
SINGLE = {
    "a short line": Broken(4, changed("p9,1.5")),
    "a long line": Broken(4, changed("p9,1.5,2,Oslo,Norway")),
    "an unquoted comma": Broken(4, changed("p9,1.5,2,Oslo, Norway")),
    "a line of words": Broken(4, changed("total of all rows")),
    "a NUL byte": Broken(4, changed("p9,1.5,2,Os\0lo")),
    "a wrong quote": Broken(4, changed('p9,1.5,2,"Os"lo')),
    "a file cut off in a quote": Broken(4, table(ROWS[:-1]) + b'p23,1.5,2,"Os'),
    "a word": Broken(4, changed("", 1, "high")),
    "a word for missing": Broken(4, changed("", 1, "NA")),
    "a date": Broken(4, changed("", 1, "2024-01-31")),
    "a decimal comma": Broken(4, changed("", 1, '"1,5"')),
    "a spreadsheet error": Broken(4, changed("", 2, "#REF!")),
    "a formula": Broken(4, changed("", 2, "=1+1")),
    "a header repeated": Broken(4, changed(HEADER)),
    "an unknown category": Broken(4, changed("", 3, "Rome")),
    "a category in capitals": Broken(4, changed("", 3, "OSLO")),
    "a letter that looks alike": Broken(4, changed("", 3, "\u041eslo")),
    "an object cut short": Broken(4, objects('{"id": "p9", "a": 1'), "data.jsonl"),
    "a number for an object": Broken(4, objects("3"), "data.jsonl"),
    "a key twice": Broken(4, objects('{"a": 1, "a": 2}'), "data.jsonl"),
    "a list in a cell": Broken(4, objects('{"a": [1], "b": 2, "city": "Oslo"}'), "data.jsonl"),
    "an object in a cell": Broken(
        4, objects('{"a": {"x": 1}, "b": 2, "city": "Oslo"}'), "data.jsonl"
    ),
    "half a character": Broken(4, objects('{"a": 1, "b": 2, "city": "\\ud800"}'), "data.jsonl"),
    "a deep list": Broken(4, objects('{"a": ' + "[" * 100_000), "data.jsonl"),
    "a NUL byte in an object": Broken(
        4, objects('{"a": 1, "b": 2, "city": "Os\0lo"}'), "data.jsonl"
    ),
    "a number beyond floats": Broken(
        4, objects('{"a": 1' + "0" * 400 + ', "b": 2, "city": "Oslo"}'), "data.jsonl"
    ),
    "a word in an object": Broken(
        4, objects('{"a": "high", "b": 2, "city": "Oslo"}'), "data.jsonl"
    ),
}
CORPUS = {**FILES, **COLUMNS, **OTHERS, **SINGLE}
