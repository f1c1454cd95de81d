"""Compares the scikit-learn that fitted a model with the installed one."""

import functools
import warnings
from collections.abc import Callable
from importlib import metadata
from typing import Any

_version = functools.cache(metadata.version)


def skew(version: str | None) -> str:
    """Return the note on two versions of scikit-learn, or nothing."""
    running = _version("scikit-learn")
    if version is None or version == running:
        return ""
    return f"fitted with scikit-learn {version}, running {running}"


def bracketed(version: str | None) -> str:
    """Return the note for the end of a sentence, or nothing."""
    return f" ({skew(version)})" if skew(version) else ""


def way_out(version: str | None) -> str:
    """Return what to do about a file that fails with the installed versions."""
    if not skew(version):
        return "store the model again with the installed versions, or export it to ONNX"
    return f"run it as: uvx --with scikit-learn=={version} --from xplain-cli xplain"


def without_skew_warnings(load: Callable[[], Any]) -> Any:
    """Load, and say again every warning but scikit-learn's on versions, which becomes a note."""
    from sklearn.exceptions import InconsistentVersionWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loaded = load()
    for warning in caught:
        if not issubclass(warning.category, InconsistentVersionWarning):
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    return loaded
