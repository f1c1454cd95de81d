"""An explanation in plain words: what the model says, what speaks for it and what against it."""

from collections.abc import Sequence
from dataclasses import dataclass

from xplain_cli.report.exhibits import Exhibit, Reason, cleaned, number, signed

REASONS = 3
"""How many reasons a sentence names."""
_AGAINST = ":vs:"
_NOUNS = {"probability": "probability", "log-odds": "log-odds", "raw": "score"}
_COUNTED = {"probability": "a probability", "log-odds": "log-odds", "score": "a score"}


@dataclass(frozen=True)
class Manner:
    """
    What the sentences of a run have in common.

    Attributes
    ----------
    modality
        tabular, text or image.
    outputs
        The names of what the model gives.
    scale
        probability, log-odds or raw.
    task
        classification, regression, ...
    based
        Whether ``base_value`` is what the model says of the baseline.
    """

    modality: str
    outputs: tuple[str, ...]
    scale: str
    task: str
    based: bool

    @property
    def classes(self) -> bool:
        """Whether the model gives classes."""
        return self.task == "classification"

    @property
    def noun(self) -> str:
        """What the explained number is called."""
        return _NOUNS.get(self.scale.partition(":")[0], "score")

    @property
    def counted(self) -> str:
        """The same with its article."""
        return _COUNTED[self.noun]


def sides(target: str, outputs: Sequence[str]) -> tuple[str, str] | None:
    """Return the two sides of A:vs:B, whose names may hold the word themselves; else None."""
    if target in outputs:
        return None
    parts = target.split(_AGAINST)
    for at in range(1, len(parts)):
        pair = _AGAINST.join(parts[:at]), _AGAINST.join(parts[at:])
        if pair[0] in outputs and pair[1] in outputs:
            return pair
    return None


def _joined(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + " and " + words[-1] if len(words) > 1 else "".join(words)


def _said(reason: Reason, manner: Manner) -> str:
    """Return one reason: a feature, its value, and its weight."""
    name = f"\u201c{reason.name}\u201d" if manner.modality == "text" else reason.name
    value = ""
    if manner.modality == "tabular" and reason.value is not None:
        value = f" is {reason.value}"
        if reason.baseline is not None and reason.baseline != reason.value:
            value += f" and not {reason.baseline}"
    doubt = ", sign uncertain" if reason.is_unsure else ""
    return f"{name}{value} ({signed(reason.weight)}{doubt})"


def _list(reasons: Sequence[Reason], manner: Manner) -> str:
    said = [_said(reason, manner) for reason in reasons[:REASONS]]
    more = len(reasons) - len(said)
    return _joined([*said, *([f"{more} more"] if more else [])])


def _sides(exhibit: Exhibit, manner: Manner) -> tuple[str, str] | None:
    """Return the two sides of a pair, the one that the model leans to first."""
    pair = sides(exhibit.target, manner.outputs)
    if pair is None:
        return None
    first, second = cleaned(pair[0]), cleaned(pair[1])
    return (first, second) if exhibit.prediction >= 0 else (second, first)


def heading(exhibit: Exhibit, manner: Manner) -> str:
    """Return the question that an explanation answers."""
    pair = _sides(exhibit, manner)
    if pair is not None:
        return f"why {pair[0]} and not {pair[1]}"
    target, value = cleaned(exhibit.target), number(exhibit.prediction, 4)
    return f"{manner.noun} of {target}: {value}" if manner.classes else f"{target}: {value}"


def _verdict(exhibit: Exhibit, manner: Manner, value: float) -> str:
    """Return what the model says where the explained number is *value*."""
    pair = sides(exhibit.target, manner.outputs)
    if pair is not None:
        first, second = (cleaned(name) for name in (pair if value >= 0 else pair[::-1]))
        return f"gives {first} {manner.counted} {number(abs(value), 4)} higher than {second}"
    target = cleaned(exhibit.target)
    if manner.classes:
        return f"gives {target} {manner.counted} of {number(value, 4)}"
    return f"says {number(value, 4)}" + (f" for {target}" if len(manner.outputs) > 1 else "")


def _without(exhibit: Exhibit, manner: Manner) -> str:
    """Return what is asked of the model at the baseline, in words."""
    if manner.modality == "text":
        return "With all of its units taken away"
    if manner.modality == "image":
        return "With every superpixel hidden"
    origin = f" ({cleaned(exhibit.origin)})" if exhibit.origin else ""
    changed = exhibit.n_changed
    if changed is None:
        return f"With its features as in the baseline{origin}"
    n = exhibit.n_features
    which = "all" if changed == n else f"{changed} of"
    return f"With {which} its {n} features as in the baseline{origin}"


def sentences(exhibit: Exhibit, weights: Sequence[Reason], manner: Manner) -> tuple[str, ...]:
    """
    Say one explanation in words.

    Parameters
    ----------
    weights
        All features of weight other than 0, the strongest first.
    """
    pair = _sides(exhibit, manner)
    up = [reason for reason in weights if reason.weight > 0]
    down = [reason for reason in weights if reason.weight < 0]
    said = [f"The model {_verdict(exhibit, manner, exhibit.prediction)}."]
    if not weights:
        said.append("No feature moves it.")
    elif pair is not None:
        leans, other = (up, down) if exhibit.prediction >= 0 else (down, up)
        for name, reasons in zip(pair, (leans, other), strict=True):
            said.append(
                f"For {name}: {_list(reasons, manner)}." if reasons else f"For {name}: nothing."
            )
    else:
        said.append(f"Raising it: {_list(up, manner)}." if up else "Nothing raises it.")
        said.append(f"Lowering it: {_list(down, manner)}." if down else "Nothing lowers it.")
    if manner.based:
        verdict = _verdict(exhibit, manner, exhibit.base_value)
        said.append(f"{_without(exhibit, manner)} the model {verdict}.")
    return tuple(said)
