"""ONNX models of texts: string inputs, or token ids with a ``tokenizers`` file beside the model."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from xplain_cli.errors import RefusedError
from xplain_cli.explanation import FloatArray
from xplain_cli.models.contract import (
    Batch,
    Capabilities,
    Levels,
    LoadedModel,
    ModelRecipe,
    PictureInput,
    Signature,
)
from xplain_cli.models.gradients import UnitText
from xplain_cli.models.onnx.files import check_file
from xplain_cli.models.onnx.model import (
    TYPES,
    Runner,
    Slot,
    bound_outputs,
    filled_up,
    fixed_rows,
    settle_outputs,
)
from xplain_cli.models.onnx.outputs import read_answer
from xplain_cli.models.onnx.token_gradients import TokensAsked, token_gradient
from xplain_cli.models.onnx.tokenizer import Tokenizer
from xplain_cli.models.responses import expand
from xplain_cli.models.stored import ModelContent
from xplain_cli.models.token_paths import TokenText, owners_of

_ROLES = {
    "ids": ("input_ids", "ids", "input", "token_ids", "tokens", "input_word_ids"),
    "mask": ("attention_mask", "mask", "input_mask"),
    "types": ("token_type_ids", "segment_ids", "input_type_ids"),
    "positions": ("position_ids",),
}
_NO_TOKENS = (
    "follows paths through the embedding of token ids, and this model takes texts as they are"
)
_WHOLE = ("tensor(int64)", "tensor(int32)")
_SUB_BATCH = 32
_SAME, _ROUNDING = 1e-3, 1e-6  # of what texts differ by; of single precision
_STEP = 16  # lengths are padded to its multiples: a text's answer must not depend on the others


def _roles_of(inputs: Sequence[Slot]) -> dict[str, str] | None:
    """Return what each input is by its name (``ids``, ``mask``, ...); None: no model of tokens."""
    if not all(len(one.shape) in {0, 2} and one.type in TYPES for one in inputs):
        return None
    by_name = {name: role for role, names in _ROLES.items() for name in names}
    if len(inputs) == 1:
        roles = {inputs[0].name: "ids"}
    else:  # TensorFlow says serving_default_input_ids:0
        bare = {s.name: s.name.partition(":")[0].removeprefix("serving_default_") for s in inputs}
        if not set(bare.values()) <= set(by_name):
            return None
        roles = {name: by_name[plain] for name, plain in bare.items()}
    once = sorted(roles.values()) == sorted(set(roles.values()))
    whole = all(one.type in _WHOLE for one in inputs if roles[one.name] != "mask")
    return roles if once and whole and "ids" in roles.values() else None


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
    roles
        Input -> what it is: ``ids``, ``mask``, ``types`` or ``positions``.
    free
        Whether it is all one to the model how far a text is filled up, so that texts of a like
        length can be asked together.
    """

    inputs: tuple[Slot, ...]
    tokenizer: Tokenizer | None
    roles: Mapping[str, str] = field(default_factory=dict)
    free: bool = False

    def strings(self, texts: Sequence[str]) -> dict[str, Any]:
        """Return texts as the one string input."""
        array = np.array(list(texts), dtype=object)
        slot = self.inputs[0]
        return {slot.name: array[:, None] if len(slot.shape) == 2 else array}

    @property
    def fixed_rows(self) -> int | None:
        """How many texts the graph takes at a time; None: any number."""
        return self.inputs[0].shape[0] if self.inputs[0].shape else None

    @property
    def rows(self) -> int:
        """Texts that run together: what the graph fixes, else 32."""
        return self.fixed_rows or _SUB_BATCH

    @property
    def longest(self) -> int | None:
        """How many tokens of a text are read; None: all."""
        return None if self.tokenizer is None else self.tokenizer.longest

    def padded(self, encoding: Any) -> int:
        """Return to how many tokens a text is filled up."""
        if self.tokenizer is None:
            raise ValueError("no tokenizer")
        fixed, size = _fixed_length(self.inputs), len(encoding.ids)
        if fixed is not None:
            return fixed
        if self.free:
            return max(_STEP, -(-size // _STEP) * _STEP)
        # a text without any token is a lone filling: there is no input of no length
        return max(1, self.tokenizer.padding.filled(size))

    def tokens(self, encodings: Sequence[Any], length: int) -> dict[str, Any]:
        """Return encodings, padded to *length*, as ids, mask, token types and positions."""
        if self.tokenizer is None:
            raise ValueError("no tokenizer")
        padding, shape = self.tokenizer.padding, (len(encodings), length)
        ids, mask = np.full(shape, padding.id), np.zeros(shape, dtype=np.int64)
        types = np.full(shape, padding.type_id)
        positions = np.zeros(shape, dtype=np.int64)
        for i, one in enumerate(encodings):
            size = min(len(one.ids), length)
            own = slice(length - size, length) if padding.left else slice(0, size)
            ids[i, own], mask[i, own], types[i, own] = one.ids[:size], 1, one.type_ids[:size]
            positions[i, own] = np.arange(size)
        parts = {"ids": ids, "mask": mask, "types": types, "positions": positions}
        return {
            slot.name: parts[self.roles[slot.name]].astype(TYPES[slot.type]) for slot in self.inputs
        }


def _fixed_length(inputs: Sequence[Slot]) -> int | None:
    """Return how many tokens the graph takes; None: any number."""
    return inputs[0].shape[1] if len(inputs[0].shape) > 1 else None


def _is_padding_unseen(runner: Runner, feed: Feed) -> bool:
    """
    Tell whether a model answers the same however far a text is filled up.

    An attention mask promises it, and some graphs break that promise; so it is tried.
    """
    if feed.tokenizer is None or "mask" not in feed.roles.values():
        return False
    names = [one.name for one in runner.outputs() if one.type in TYPES]
    answers, gaps = [], []
    for one in feed.tokenizer.encode(list(feed.tokenizer.trial_texts())):
        size, rows = max(1, len(one.ids)), [one] * (feed.fixed_rows or 1)
        lengths = size, (size // _STEP + 1) * _STEP
        try:
            found = [_numbers(runner.run(names, feed.tokens(rows, n))) for n in lengths]
        except Exception:  # noqa: BLE001 - onnxruntime may raise anything; the texts show it
            return False
        pairs = [(a, b) for a, b in zip(*found, strict=True) if a.shape == b.shape]
        if not pairs:
            return False
        answers.append(np.concatenate([a for a, _ in pairs]))
        gaps.append(max(float(np.abs(a - b).max(initial=0.0)) for a, b in pairs))
    alike = len({len(answer) for answer in answers}) == 1
    spread = float(np.ptp(np.stack(answers), axis=0).max(initial=0.0)) if alike else 0.0
    return max(gaps) <= max(_ROUNDING, _SAME * spread)


def _numbers(answers: Sequence[Any]) -> list[FloatArray]:
    """Return the answers of a session that are numbers, flat."""
    arrays = [np.asarray(one) for one in answers]
    return [one.astype(np.float64).ravel() for one in arrays if one.dtype.kind in "fiub"]


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

        Texts of one length run together, in sub-batches of one size.
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
        """How far it reads a text; derivatives by the embedding of its tokens."""
        tokenizer = self.feed.tokenizer
        if tokenizer is None:
            return Capabilities(read_length=self._read_length, why_not={"gradient": _NO_TOKENS})
        (ids,) = (name for name, role in self.feed.roles.items() if role == "ids")
        asked = TokensAsked(
            path=self.runner.path,
            outputs=self.outputs,
            ids=ids,
            rows=self.feed.fixed_rows,
            signature=self.signature,
            read=self._tokens,
            filler=tokenizer.filler,
            answer=self._answer,
        )
        sample, absent = next(tokenizer.trial_texts()), tokenizer.absent
        return Capabilities(
            read_length=self._read_length, gradient=partial(token_gradient, asked, sample, absent)
        )

    def _answer(self, fed: dict[str, Any]) -> FloatArray:
        """Return the answers (rows, own) of onnxruntime."""
        return read_answer(self.runner.run(self.outputs, fed), len(next(iter(fed.values()))))

    def _tokens(self, given: UnitText) -> TokenText:
        """Return a text as the graph takes it, with the unit that each token belongs to."""
        if self.feed.tokenizer is None:
            raise ValueError("no tokenizer")
        (one,) = self.feed.tokenizer.encode([given.text])
        length = self.feed.padded(one)
        fed = self.feed.tokens([one], length)
        (ids,) = (fed[name][0] for name, role in self.feed.roles.items() if role == "ids")
        size = min(len(one.ids), length)
        owners = np.full(length, -1, dtype=np.int64)
        own = slice(length - size, length) if self.feed.tokenizer.padding.left else slice(0, size)
        owners[own] = owners_of(given, one.offsets[:size])
        return TokenText(ids.astype(np.int64), owners, len(given.spans), fed)

    def _read_length(self, text: str) -> int:
        """Return up to which code point the model reads a text."""
        limit = self.feed.longest
        if limit is None or self.feed.tokenizer is None or self.feed.tokenizer.keeps_end:
            return len(text)
        encoded = self.feed.tokenizer.encode([text])[0]
        if not encoded.overflowing:
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
    tokenizer = feed.tokenizer
    if tokenizer is None:
        return ()
    limit = "of any length"
    if feed.longest is not None:
        behind = "stands before" if tokenizer.keeps_end else "stands behind"
        limit = f"up to {feed.longest} tokens; what {behind} them is not read, and counted"
    notes = [f"token ids by {tokenizer.path}, texts {limit}"]
    fixed, padding = _fixed_length(feed.inputs), tokenizer.padding
    length = fixed or padding.length
    if not feed.free and length is not None:
        side = "left" if padding.left else "right"
        notes.append(f"texts are filled up to {length} tokens on the {side}, with id {padding.id}")
    elif not feed.free:
        masked = "mask" in feed.roles.values()
        why = "the attention mask does not hide the padding" if masked else "no attention mask"
        notes.append(f"each text is asked at its own length: {why}")
    return tuple(notes)


def _check_padding(source: str, feed: Feed) -> None:
    """
    Refuse to guess what fills up a text, where the model sees it.

    Raises
    ------
    RefusedError
        The graph has one length, no mask, and the tokenizer does not say.
    """
    length, tokenizer = _fixed_length(feed.inputs), feed.tokenizer
    if length is None or tokenizer is None or "mask" in feed.roles.values():
        return
    if not tokenizer.padding.known:
        raise RefusedError(
            f"{source}: it takes {length} tokens, and {tokenizer.path} does not say what fills up"
            f" a shorter text: call enable_padding(length={length}, pad_id=..., direction=...) of"
            " the tokenizer as the model was trained, and save it again"
        )


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
    check_file(recipe.source, stored.data)
    runner = Runner(recipe.source)
    inputs = runner.inputs()
    listed = ", ".join(f"{one.name!r} {one.type}" for one in inputs)
    if len(inputs) == 1 and inputs[0].type == "tensor(string)" and len(inputs[0].shape) in {1, 2}:
        return LoadedOnnxTexts(recipe, stored.sha256, runner, Feed(inputs, None))
    roles = _roles_of(inputs)
    if roles is None:
        raise RefusedError(
            f"{recipe.source}: its inputs are {listed}; texts need one input of strings, or"
            " input_ids (with attention_mask, token_type_ids, position_ids if it has them);"
            " rows of numbers: xplain tabular, pictures: xplain image"
        )
    path = _find_tokenizer(Path(recipe.source))
    if path is None:
        raise RefusedError(
            f"{recipe.source}: it takes token ids, and no tokenizer.json stands beside it; save the"
            " tokenizer there (tokenizers: Tokenizer.save); rows of whole numbers: xplain tabular"
        )
    feed = Feed(inputs, Tokenizer(str(path), _fixed_length(inputs)), roles)
    _check_padding(recipe.source, feed)
    feed = replace(feed, free=_fixed_length(inputs) is None and _is_padding_unseen(runner, feed))
    return LoadedOnnxTexts(recipe, stored.sha256, runner, feed)
