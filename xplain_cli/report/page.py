"""The page of a run: one HTML file that needs nothing else, and nothing from elsewhere."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from xplain_cli.output.cells import cleaned
from xplain_cli.report.bars import HEIGHT, WIDTH
from xplain_cli.report.items import number, signed

MADE_BY = '<meta name="generator" content="xplain">'
"""What a page of ours holds within its first ``HEAD`` bytes."""
HEAD = 512


@dataclass(frozen=True)
class Section:
    """
    A section of a page.

    Attributes
    ----------
    anchor, title
        Its name within the page, and its heading.
    template
        The file of this folder that shows it; there it is ``view``.
    view
        What is shown.
    """

    anchor: str
    title: str
    template: str
    view: Any


@dataclass(frozen=True)
class Page:
    """
    What a page says, in its order.

    Attributes
    ----------
    title
        The heading.
    facts
        The words of the explanation: (term, text) of model, input, target, baseline, ...
    sections
        All that follows.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]


def _digest(text: str) -> str:
    """Return the SHA-256 of a script or a style as a Content-Security-Policy names it."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _own(name: str) -> str:
    return (files("xplain_cli.report") / name).read_text(encoding="utf-8").strip()


def fill(template: str, values: Mapping[str, Any]) -> bytes:
    """Return a template of this folder with its values, every text of them escaped."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("xplain_cli", "report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters |= {"cleaned": cleaned, "number": number, "signed": signed}
    environment.filters["digest"] = _digest
    environment.globals["style"] = _own("page.css")
    return environment.get_template(template).render(values).encode("utf-8", "backslashreplace")


def render_page(page: Page) -> bytes:
    """Return a page as HTML; equal pages give equal bytes."""
    values = {
        "title": page.title,
        "script": _own("page.js"),
        "page": page,
        "width": WIDTH,
        "height": HEIGHT,
        "middle": WIDTH // 2,
    }
    return fill("page.html", values)
