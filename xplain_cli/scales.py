"""The scale of a target: probability, log-odds, or the model's raw numbers."""

from dataclasses import dataclass

import numpy as np

from xplain_cli.errors import RefusedError, UsageError, nearest
from xplain_cli.explanation import FloatArray
from xplain_cli.specs import split_spec
from xplain_cli.targets import Target, is_pair

SCALES = ("probability", "log-odds", "raw")
LINKS = ("softmax", "sigmoid")


@dataclass(frozen=True)
class Scale:
    """
    The scale of the explained number.

    ``log-odds`` of a class is log(p / (1 - p)); of a pair A:vs:B it is log(p_A / p_B). Where the
    model gives an exact 0 or 1 it is undefined, unless ``eps`` is stated: probabilities are then
    moved into [eps, 1 - eps]. ``of`` is the link through which scores became probabilities.
    """

    name: str
    eps: float | None = None
    of: str | None = None

    @property
    def label(self) -> str:
        """The scale as it stands in the output."""
        stated = [f"of={self.of}"] if self.of else []
        stated += [] if self.eps is None else [f"eps={self.eps:g}"]
        return self.name + (":" + ",".join(stated) if stated else "")


def link_of(text: str | None) -> str | None:
    """
    Return the link, ``softmax`` or ``sigmoid``, that ``--output-scale NAME:of=LINK`` states.

    Raises
    ------
    UsageError
        Another link.
    """
    link = split_spec(text)[1].get("of") if text else None
    if link not in {None, *LINKS}:
        raise UsageError(f"--output-scale of={link}: one of {', '.join(LINKS)}")
    return link


def parse_scale(text: str | None, model_scale: str, *, bounded: bool) -> Scale:
    """
    Return the scale that *text* asks for, or the model's own.

    Parameters
    ----------
    text
        ``probability``, ``raw``, ``log-odds`` or ``log-odds:eps=E``; ``of=LINK`` makes
        probabilities of scores (see ``link_of``). None: the model's own.
    model_scale
        "probability" or "raw": what the model gives.
    bounded
        Whether a raw output of one number lay in [0, 1] at the probe, so that it may be read as a
        probability when the user says so.

    Raises
    ------
    UsageError
        An unknown scale, or one that the model's output cannot be turned into.
    """
    if text is None:
        return Scale(model_scale)
    name, settings = split_spec(text)
    if name not in SCALES:
        raise UsageError(
            f"--output-scale {name!r} is not one of {', '.join(SCALES)}{nearest(name, SCALES)}"
        )
    known = {"probability": {"of"}, "log-odds": {"of", "eps"}, "raw": set[str]()}
    unknown = set(settings) - known[name]
    if unknown:
        raise UsageError(f"--output-scale {name}: no setting {min(unknown)!r}")
    if name == "raw" and model_scale == "probability":
        raise UsageError(
            "--output-scale raw: the model gives probabilities; take --output-scale"
            " log-odds:eps=1e-6, or --response decision_function where the model has one"
        )
    if name != "raw" and model_scale != "probability" and not bounded:
        raise UsageError(
            f"--output-scale {name}: the model gives raw numbers, not probabilities; if they are"
            f" scores, say --output-scale {name}:of=softmax (exclusive classes) or of=sigmoid (each"
            " label alone); --response predict_proba gives probabilities where the model has it"
        )
    return Scale(name, _parse_eps(settings.get("eps")), settings.get("of"))


def _parse_eps(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        eps = float(text)
    except ValueError:
        eps = np.nan
    if not 0 < eps < 0.5:
        raise UsageError(f"--output-scale log-odds:eps={text}: eps lies between 0 and 0.5")
    return eps


def to_scale(outputs: FloatArray, scale: Scale, *, paired: bool) -> FloatArray:
    """
    Put the model's outputs (..., k) on the scale on which differences are explained.

    Log-odds of one class is the logit; in a pair each side is log p, so that the difference is
    log(p_A / p_B). Undefined values come out as NaN or infinite: the caller says where.
    """
    if scale.name != "log-odds":
        return outputs
    p = outputs if scale.eps is None else np.clip(outputs, scale.eps, 1 - scale.eps)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(p) if paired else np.log(p) - np.log1p(-p)


def no_log_odds(where: str) -> str:
    """Return what is wrong with log-odds of an exact 0 or 1, and the ways out."""
    return (
        f"the model gives an exact probability of 0 or 1 on {where}, whose log-odds are infinite;"
        " state --output-scale log-odds:eps=1e-6, or take --output-scale probability"
    )


def checked_scale(outputs: FloatArray, target: Target, scale: Scale) -> FloatArray:
    """
    Put perturbed rows' needed outputs (m, u) on the explained scale.

    Raises
    ------
    RefusedError
        The model answers NaN or infinity on perturbed rows.
    UsageError
        Log-odds of an exact 0 or 1.
    """
    n_bad = int((~np.isfinite(outputs)).any(axis=1).sum())
    if n_bad:
        raise RefusedError(
            f"the model answers NaN or infinity on {n_bad} of {len(outputs)} perturbed rows; it"
            " must answer on every row that the background's values can make"
        )
    scaled = to_scale(outputs, scale, paired=is_pair(target))
    if not np.isfinite(scaled).all():
        raise UsageError(no_log_odds("perturbed rows"))
    return scaled
