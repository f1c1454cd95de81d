"""The page of a run: one HTML file that needs nothing else, and nothing from elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
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
    return environment.get_template(template).render(values).encode("utf-8", "backslashreplace")


def render_page(page: Page) -> bytes:
    """Return a page as HTML; equal pages give equal bytes."""
    values = {
        "title": page.title,
        "page": page,
        "width": WIDTH,
        "height": HEIGHT,
        "middle": WIDTH // 2,
    }
    return fill("page.html", values)
