"""The tokenizer file beside a model of token ids: what it makes of a text, and its padding."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from xplain_cli.errors import RefusedError, require
from xplain_cli.models.contract import UnableError

_PAD_NAMES = ("[PAD]", "<pad>", "<|endoftext|>")
_UNKNOWN_NAMES = ("[UNK]", "<unk>", "<UNK>", "[unk]")
_TRIED_WORDS = (1, 3, 6)


@dataclass(frozen=True)
class Padding:
    """
    How a tokenizer fills up a text that stands alone.

    Attributes
    ----------
    id, type_id
        The token that fills up, and its token type.
    left
        Whether it stands before the text.
    length
        The tokens of every text; None: as many as it has.
    multiple
        The number of tokens is rounded up to a multiple of this.
    known
        Whether the tokenizer says so, or has a token that is named after it; else it is a guess.
    """

    id: int = 0
    type_id: int = 0
    left: bool = False
    length: int | None = None
    multiple: int = 1
    known: bool = True

    def filled(self, tokens: int) -> int:
        """Return to how many tokens a text of so many is filled up."""
        wanted = self.length or tokens
        return max(tokens, -(-wanted // self.multiple) * self.multiple)


def _padding(opened: Any) -> Padding:
    """Return the padding that a tokenizer states, else one with the pad token of its vocabulary."""
    stated = opened.padding
    if stated is not None:
        return Padding(
            id=int(stated["pad_id"]),
            type_id=int(stated["pad_type_id"]),
            left=stated["direction"] == "left",
            length=stated["length"],
            multiple=stated["pad_to_multiple_of"] or 1,
        )
    named = (opened.token_to_id(name) for name in _PAD_NAMES)
    found = next((number for number in named if number is not None), None)
    # a vocabulary that begins with 1, as that of Keras, leaves 0 to the filling
    return Padding(id=found or 0, known=found is not None or opened.id_to_token(0) is None)


class Tokenizer:
    """
    A tokenizer file, opened when first asked and left behind when pickled.

    Parameters
    ----------
    path
        The file.
    most
        How many tokens the model takes at most; None: any number.
    """

    def __init__(self, path: str, most: int | None = None) -> None:
        self.path = path
        self.most = most
        self._opened: Any = None
        self._padding = Padding()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "most": self.most, "_opened": None, "_padding": Padding()}

    @property
    def opened(self) -> Any:
        """The tokenizer of this process, which does not pad, and leaves out what is too long."""
        if self._opened is None:
            package = require("tokenizers", "tokenizers")
            try:
                opened = package.Tokenizer.from_file(self.path)
            except Exception as error:  # the package raises a bare Exception
                raise RefusedError(
                    f"{self.path}: not a tokenizer file: {error}; save it as tokenizer.json"
                ) from error
            self._padding = _padding(opened)
            opened.no_padding()
            stated = opened.truncation
            if self.most is not None and (stated is None or stated["max_length"] > self.most):
                opened.enable_truncation(**{**(stated or {}), "max_length": self.most})
            self._opened = opened
        return self._opened

    @property
    def padding(self) -> Padding:
        """How a text is filled up."""
        _ = self.opened
        return self._padding

    @property
    def longest(self) -> int | None:
        """How many tokens a text may have; None: any number."""
        truncation = self.opened.truncation
        return None if truncation is None else int(truncation["max_length"])

    @property
    def keeps_end(self) -> bool:
        """Whether what is read of a long text is its end."""
        truncation = self.opened.truncation
        return truncation is not None and truncation["direction"] == "left"

    def encode(self, texts: Sequence[str]) -> list[Any]:
        """Return the encodings of texts."""
        return list(self.opened.encode_batch(list(texts)))

    def filler(self, token: str | None) -> int | None:
        """
        Return the id of what stands for a token that is absent.

        Parameters
        ----------
        token
            One of the vocabulary; None: what fills up a text, else the unknown token, else nothing.

        Raises
        ------
        UnableError
            The tokenizer makes another number of tokens of it than one.
        """
        if token is not None:
            named = self.opened.token_to_id(token)
            own = self.opened.encode(token, add_special_tokens=False).ids
            ids = own if named is None else [named]
            if len(ids) != 1:
                raise UnableError(
                    f"puts one token in the place of another, and the tokenizer makes {len(ids)} of"
                    f" {token!r}",
                    "a token of its vocabulary (--mask-token), or leave --mask-token out",
                )
            return int(ids[0])
        return self.padding.id if self.padding.known else self._unknown

    @property
    def _unknown(self) -> int | None:
        """The id of the unknown token; None: there is none."""
        named = (self.opened.token_to_id(name) for name in _UNKNOWN_NAMES)
        return next((number for number in named if number is not None), None)

    @property
    def absent(self) -> str:
        """What stands for a token that is absent, as outputs say it."""
        found = self.filler(None)
        if found is None:
            return "embedding 0"
        return f"embedding of {self.opened.id_to_token(found) or f'token {found}'}"

    def trial_texts(self) -> Iterator[str]:
        """Yield short texts of several lengths, of the first words of the vocabulary."""
        numbered = sorted((number, token) for token, number in self.opened.get_vocab().items())
        plain = [
            "".join(filter(str.isalnum, token)) for _, token in numbered if token[:1] not in "[<"
        ]
        words = [word for word in plain if word][: max(_TRIED_WORDS)] or ["a"]
        for count in _TRIED_WORDS:
            yield " ".join(words[i % len(words)] for i in range(count))
