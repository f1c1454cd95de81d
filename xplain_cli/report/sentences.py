"""An explanation in plain words: what the model says, what speaks for it and what against it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xplain_cli.modalities import Story
from xplain_cli.output.cells import cleaned
from xplain_cli.report.items import Item, Reason, isolated, number, signed

REASONS = 3
"""How many reasons a sentence names."""
_AGAINST = ":vs:"
_UNBASED = ("lime", "rise")  # their base value is the surrogate's, not the model's
_NOUNS = {"probability": "probability", "log-odds": "log-odds", "raw": "score"}
_COUNTED = {"probability": "a probability", "log-odds": "log-odds", "score": "a score"}


@dataclass(frozen=True)
class Wording:
    """
    What the sentences of a run have in common.

    Attributes
    ----------
    story
        How features are spoken of.
    outputs
        The names of what the model gives.
    scale
        probability, log-odds or raw.
    task
        classification, regression, ...
    based
        Whether ``base_value`` is what the model says of the baseline.
    baseline
        What rows are compared with, as every line of the output says it.
    layer
        The layer whose value is compared; empty: the input.
    """

    story: Story
    outputs: tuple[str, ...]
    scale: str
    task: str
    based: bool
    baseline: str = ""
    layer: str = ""

    @classmethod
    def of(cls, facts: Mapping[str, Any], story: Story) -> "Wording":
        """Return the wording of the run that a manifest is of."""
        numbers = facts["plan"]["numbers"]
        return cls(
            story=story,
            outputs=tuple(numbers["outputs"]),
            scale=facts["output_scale"],
            task=facts["task"],
            based=numbers["method"]["name"] not in _UNBASED,
            baseline=cleaned(numbers["baseline"]),
            layer=cleaned(numbers["method"].get("layer", "")),
        )

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


def spoken_reason(reason: Reason, story: Story) -> str:
    """Return a feature with the bin that its weight speaks of, or with its value."""
    if reason.condition is not None:
        return isolated(reason.condition)
    return isolated(story.spoken(reason.name, reason.value, reason.baseline))


def _said(reason: Reason, manner: Wording) -> str:
    """Return one reason: a feature, its bin or value, and its weight."""
    doubt = ", sign uncertain" if reason.is_unsure else ""
    spoken = spoken_reason(reason, manner.story)
    return f"{spoken} ({signed(reason.weight)}{doubt})"


def _list(reasons: Sequence[Reason], manner: Wording) -> str:
    said = [_said(reason, manner) for reason in reasons[:REASONS]]
    more = len(reasons) - len(said)
    return _joined([*said, *([f"{more} more"] if more else [])])


def _sides(exhibit: Item, manner: Wording) -> tuple[str, str] | None:
    """Return the two sides of a pair, the one that the model leans to first."""
    pair = sides(exhibit.target, manner.outputs)
    if pair is None:
        return None
    first, second = cleaned(pair[0]), cleaned(pair[1])
    return (first, second) if exhibit.prediction >= 0 else (second, first)


def heading(exhibit: Item, manner: Wording) -> str:
    """Return the question that an explanation answers."""
    pair = _sides(exhibit, manner)
    if pair is not None:
        return f"why {pair[0]} and not {pair[1]}"
    target, value = cleaned(exhibit.target), number(exhibit.prediction, 4)
    return f"{manner.noun} of {target}: {value}" if manner.classes else f"{target}: {value}"


def _verdict(exhibit: Item, manner: Wording, value: float) -> str:
    """Return what the model says where the explained number is *value*."""
    pair = sides(exhibit.target, manner.outputs)
    if pair is not None:
        first, second = (cleaned(name) for name in (pair if value >= 0 else pair[::-1]))
        return f"gives {first} {manner.counted} {number(abs(value), 4)} higher than {second}"
    target = cleaned(exhibit.target)
    if manner.classes:
        return f"gives {target} {manner.counted} of {number(value, 4)}"
    return f"says {number(value, 4)}" + (f" for {target}" if len(manner.outputs) > 1 else "")


def sentences(exhibit: Item, weights: Sequence[Reason], manner: Wording) -> tuple[str, ...]:
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
        without = manner.story.removed(exhibit.n_features, exhibit.n_changed, exhibit.origin)
        if manner.layer:
            without = f"With the layer {manner.layer} at its baseline ({manner.baseline})"
        said.append(f"{without} the model {verdict}.")
    elif manner.baseline:
        base = number(exhibit.base_value, 4)
        said.append(f"Compared with {manner.baseline}, whose base value is {base}.")
    return tuple(said)
