"""Broken and odd texts, each as a file: what a run must survive, and how it ends."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """A file, the options to read it, how the run ends, and whether the file itself is at fault."""

    name: str
    data: bytes
    code: int
    options: tuple[str, ...] = ()
    whole: bool = False


WORDS = b"win a free phone\nthank you friend\nsome good words\n"
LINE = b'{"text": "a b"}\n'
COLUMN = ("--text-column", "text")

CORPUS = {
    "no lines": Case("t.txt", b"", 3, whole=True),
    "only blanks": Case("t.txt", b"  \n\n \n", 3),
    "an empty line": Case("t.txt", WORDS + b"\n", 0),
    "only punctuation": Case("t.txt", WORDS + b"?! ...\n", 0),
    "one word": Case("t.txt", b"hello\n", 0),
    "one letter": Case("t.txt", b"a\n", 0),
    "a NUL byte": Case("t.txt", WORDS + b"bad\0line\n", 4),
    "NUL bytes everywhere": Case("t.txt", b"a\0b\nc\0d\n", 3),
    "not utf-8": Case("t.txt", WORDS + b"caf\xe9\n", 3),
    "another encoding": Case("t.txt", WORDS + b"caf\xe9\n", 0, ("--encoding", "cp1252")),
    "utf-16": Case("t.txt", "win a phone\n".encode("utf-16"), 3, whole=True),
    "mixed line ends": Case("t.txt", b"one two\r\nthree four\rfive six\n", 0),
    "no last line end": Case("t.txt", b"one two\nthree four", 0),
    "odd blanks": Case("t.txt", "one\u00a0two\u2003three\u200bfour\n".encode(), 0),
    "right to left": Case("t.txt", "\u0634\u0643\u0631\u0627 \u0644\u0643 hello\n".encode(), 0),
    "combining marks alone": Case("t.txt", WORDS + "\u0301\u0302 \u0303\n".encode(), 0),
    "fifty thousand words": Case("t.txt", WORDS + b" ".join(b"w%d" % i for i in range(50_000)), 4),
    "one word fifty thousand times": Case("t.txt", b"word " * 50_000, 0),
    "a very long word": Case("t.txt", b"x" * 200_000 + b" end\n", 0),
    "a gzip": Case("t.txt", b"\x1f\x8b\x08\0" + b"x" * 40, 3, whole=True),
    "half a character": Case("t.jsonl", b'{"text": "a b"}\n{"text": "\\ud800 b"}\n' * 2, 4, COLUMN),
    "a number for a text": Case(
        "t.jsonl", b'{"text": "a b"}\n{"text": 5}\n{"text": "c"}\n', 0, COLUMN
    ),
    "a list for a text": Case(
        "t.jsonl", b'{"text": "a b"}\n{"text": ["x"]}\n{"text": "c d"}\n', 4, COLUMN
    ),
    "null for a text": Case("t.jsonl", b'{"text": "a b"}\n{"text": null}\n', 0, COLUMN),
    "a missing key": Case("t.jsonl", b'{"text": "a b"}\n{"other": "x"}\n', 0, COLUMN),
    "a missing column": Case("t.csv", b"body\nhello you\n", 2, COLUMN),
    "an empty cell": Case("t.csv", b"text,n\nhello you,1\n,2\n", 0, COLUMN),
    "numbers only": Case("t.csv", b"a,b\n1,2\n3,4\n", 3),
    "a quote that never closes": Case("t.csv", b'text\nhello\n"open\nmore\n', 3, COLUMN),
    "a ragged line": Case("t.csv", b"text,n\nhello you,1\nworld,2,3\nbye now,4\n", 4, COLUMN),
    "a formula": Case("t.csv", b"text\n=cmd() wins\n", 0, COLUMN),
    "another suffix": Case("t.doc", WORDS, 3, whole=True),
}
