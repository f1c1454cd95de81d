"""ONNX models of texts: string inputs, or token ids with a ``tokenizers`` file beside the model."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xplain_cli.errors import RefusedError, require
from xplain_cli.explanation import FloatArray, IntArray
from xplain_cli.models.contract import (
    Batch,
    Capabilities,
    Levels,
    LoadedModel,
    ModelRecipe,
    PictureInput,
    Signature,
)
from xplain_cli.models.onnx.model import (
    Runner,
    Slot,
    bound_outputs,
    filled_up,
    fixed_rows,
    settle_outputs,
)
from xplain_cli.models.onnx.outputs import read_answer
from xplain_cli.models.responses import expand
from xplain_cli.models.stored import ModelContent

_IDS, _MASK, _TYPES = ("input_ids", "ids", "input"), ("attention_mask", "mask"), ("token_type_ids",)
_SUB_BATCH = 32
_STEP = 16  # lengths are padded to its multiples: a text's answer must not depend on the others


class Tokenizer:
    """A tokenizer file, opened when first asked and left behind when pickled."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._opened: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_opened": None}

    @property
    def opened(self) -> Any:
        """The tokenizer of this process, without padding of its own."""
        if self._opened is None:
            package = require("tokenizers", "tokenizers")
            try:
                self._opened = package.Tokenizer.from_file(self.path)
            except Exception as error:  # the package raises a bare Exception
                raise RefusedError(
                    f"{self.path}: not a tokenizer file: {error}; save it as tokenizer.json"
                ) from error
            self._opened.no_padding()
        return self._opened

    @property
    def longest(self) -> int | None:
        """How many tokens a text may have; None: any number."""
        truncation = self.opened.truncation
        return None if truncation is None else int(truncation["max_length"])

    def encode(self, texts: Sequence[str]) -> list[Any]:
        """Return the encodings of texts."""
        return list(self.opened.encode_batch(list(texts)))

    def pad(self) -> int:
        """Return the id that fills up a text."""
        for name in ("[PAD]", "<pad>", "<|endoftext|>"):
            found = self.opened.token_to_id(name)
            if found is not None:
                return int(found)
        return 0


@dataclass(frozen=True)
class Feed:
    """
    How texts become the inputs of a session.

    Attributes
    ----------
    inputs
        The session's inputs.
    tokenizer
        What makes token ids; None: the model takes strings.
    """

    inputs: tuple[Slot, ...]
    tokenizer: Tokenizer | None

    def strings(self, texts: Sequence[str]) -> dict[str, Any]:
        """Return texts as the one string input."""
        array = np.array(list(texts), dtype=object)
        slot = self.inputs[0]
        return {slot.name: array[:, None] if len(slot.shape) == 2 else array}

    @property
    def rows(self) -> int:
        """Texts that run together: what the graph fixes, else 32."""
        return self.inputs[0].shape[0] or _SUB_BATCH

    @property
    def longest(self) -> int | None:
        """How many tokens of a text are read; None: all."""
        fixed = self.inputs[0].shape[1] if len(self.inputs[0].shape) > 1 else None
        own = None if self.tokenizer is None else self.tokenizer.longest
        return min((n for n in (fixed, own) if n is not None), default=None)

    def padded(self, encoding: Any) -> int:
        """Return to how many tokens a text is filled up: what the graph fixes, else by 16."""
        fixed = self.inputs[0].shape[1] if len(self.inputs[0].shape) > 1 else None
        return fixed or max(_STEP, -(-len(encoding.ids) // _STEP) * _STEP)

    def tokens(self, encodings: Sequence[Any], length: int) -> dict[str, Any]:
        """Return encodings, padded to *length*, as ids, mask and token types."""
        if self.tokenizer is None:
            raise ValueError("no tokenizer")
        shape = (len(encodings), length)
        ids, mask = np.full(shape, self.tokenizer.pad()), np.zeros(shape, dtype=np.int64)
        types = np.zeros(shape, dtype=np.int64)
        for i, one in enumerate(encodings):
            size = min(len(one.ids), length)
            ids[i, :size], mask[i, :size], types[i, :size] = one.ids[:size], 1, one.type_ids[:size]
        parts: dict[str, IntArray] = {
            **dict.fromkeys(_IDS, ids),
            **dict.fromkeys(_MASK, mask),
            **dict.fromkeys(_TYPES, types),
        }
        return {
            slot.name: parts[slot.name].astype(np.int32 if "int32" in slot.type else np.int64)
            for slot in self.inputs
        }


@dataclass(frozen=True)
class OnnxTexts:
    """An ONNX model of texts that the probe has settled; picklable."""

    runner: Runner
    signature: Signature
    feed: Feed
    outputs: tuple[str, ...]

    def predict(self, batch: Batch) -> FloatArray:
        """
        Return the (rows, outputs) float64 answers to a list of texts.

        Texts of a like length run together, in sub-batches of one size.
        """
        texts = list(batch)
        if self.feed.tokenizer is None:
            fixed = fixed_rows(self.feed.inputs)
            answers = self.runner.run(self.outputs, self.feed.strings(texts), fixed)
            matrix = read_answer(answers, filled_up(len(texts), fixed))
            return expand(matrix[: len(texts)], self.signature)
        encodings = self.feed.tokenizer.encode(texts)
        lengths = np.array([self.feed.padded(one) for one in encodings])
        found: dict[int, FloatArray] = {}
        for length in np.unique(lengths).tolist():
            rows = np.flatnonzero(lengths == length)
            for start in range(0, len(rows), self.feed.rows):
                some = rows[start : start + self.feed.rows]
                filled = some[np.minimum(np.arange(self.feed.rows), len(some) - 1)]
                feed = self.feed.tokens([encodings[i] for i in filled], length)
                answers = self.runner.run(self.outputs, feed)
                matrix = expand(read_answer(answers, self.feed.rows), self.signature)
                found |= dict(zip(some.tolist(), matrix, strict=False))
        return np.stack([found[i] for i in range(len(texts))])

    @property
    def capabilities(self) -> Capabilities:
        """How far it reads a text."""
        return Capabilities(read_length=self._read_length)

    def _read_length(self, text: str) -> int:
        """Return up to which code point the model reads a text."""
        limit = self.feed.longest
        if limit is None or self.feed.tokenizer is None:
            return len(text)
        encoded = self.feed.tokenizer.encode([text])[0]
        if not encoded.overflowing and len(encoded.ids) <= limit:
            return len(text)
        return max((end for _, end in encoded.offsets[:limit]), default=0)


class LoadedOnnxTexts:
    """An ONNX file that takes texts; picklable."""

    kind = "onnx"
    takes: PictureInput | None = None
    columns: tuple[str, ...] | None = None
    n_columns: int | None = None
    discrete: frozenset[str] = frozenset()
    numeric: frozenset[str] = frozenset()
    all_numeric = False
    leftovers: tuple[str, ...] = ()

    def __init__(self, recipe: ModelRecipe, sha256: str, runner: Runner, feed: Feed) -> None:
        self._recipe = recipe
        self.sha256 = sha256
        self.runner = runner
        self.feed = feed
        self.levels: dict[str, Levels] = {}
        self.versions: dict[str, str] = {}
        self.notes = _notes(feed)

    @property
    def tokenizer_sha256(self) -> str | None:
        """SHA-256 (hex) of the tokenizer file, which decides the numbers as well."""
        tokenizer = self.feed.tokenizer
        if tokenizer is None:
            return None
        return hashlib.sha256(Path(tokenizer.path).read_bytes()).hexdigest()

    def settle(self, batch: Batch) -> Signature:
        """Ask for one prediction on a few texts and choose the output."""
        texts = list(batch)
        fixed = fixed_rows(self.feed.inputs)
        if self.feed.tokenizer is not None:
            texts = [texts[i % len(texts)] for i in range(self.feed.rows)]

        def feed() -> dict[str, Any]:
            if self.feed.tokenizer is None:
                return self.feed.strings(texts)
            encodings = self.feed.tokenizer.encode(texts)
            return self.feed.tokens(encodings, max(map(self.feed.padded, encodings)))

        return settle_outputs(self._recipe, self.runner, feed, len(texts), fixed)

    def bind(self, signature: Signature) -> OnnxTexts:
        """Return the model that answers as *settled* says."""
        return OnnxTexts(self.runner, signature, self.feed, bound_outputs(self.runner, signature))


def _notes(feed: Feed) -> tuple[str, ...]:
    if feed.tokenizer is None:
        return ()
    longest = feed.longest
    limit = "of any length"
    if longest is not None:
        limit = f"up to {longest} tokens; what stands behind them is not read, and counted"
    return (f"token ids by {feed.tokenizer.path}, texts {limit}",)


def _find_tokenizer(path: Path) -> Path | None:
    """Return the tokenizer file beside a model."""
    for name in (f"{path.stem}.tokenizer.json", "tokenizer.json"):
        if (path.parent / name).is_file():
            return path.parent / name
    return None


def open_onnx_texts(recipe: ModelRecipe, stored: ModelContent) -> LoadedModel:
    """
    Open an ONNX file that takes strings, or token ids with a tokenizer beside it.

    Raises
    ------
    RefusedError
        onnxruntime cannot open it, its inputs are neither, or there is no tokenizer file.
    """
    runner = Runner(recipe.source)
    inputs = runner.inputs()
    listed = ", ".join(f"{one.name!r} {one.type}" for one in inputs)
    if len(inputs) == 1 and inputs[0].type == "tensor(string)" and len(inputs[0].shape) in {1, 2}:
        return LoadedOnnxTexts(recipe, stored.sha256, runner, Feed(inputs, None))
    known = {*_IDS, *_MASK, *_TYPES}
    whole = all(one.type in {"tensor(int64)", "tensor(int32)"} for one in inputs)
    if not whole or not {one.name for one in inputs} <= known:
        raise RefusedError(
            f"{recipe.source}: its inputs are {listed}; texts need one input of strings, or"
            f" input_ids (with {', '.join((*_MASK[:1], *_TYPES))} if it has them)"
        )
    path = _find_tokenizer(Path(recipe.source))
    if path is None:
        raise RefusedError(
            f"{recipe.source}: it takes token ids, and no tokenizer.json stands beside it; save the"
            " tokenizer there (tokenizers: Tokenizer.save)"
        )
    return LoadedOnnxTexts(recipe, stored.sha256, runner, Feed(inputs, Tokenizer(str(path))))
