"""Rules of WCAG 2.1 that a page meets or breaks without a browser: names, heads, order, links."""

import re
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise

_VOID = {"meta", "img", "br", "input", "rect", "path", "line", "circle", "use", "stop"}
_NAMED = {"a", "button", "th", "summary", "title", "caption", "h1", "h2", "h3", "h4"}
_ARIA = {"describedby", "hidden", "label", "labelledby", "sort", "live"}
_REFERS = ("aria-labelledby", "aria-describedby", "for")


class _Element:
    """A tag with its attributes, what stands in it, and the tags around it."""

    def __init__(self, tag, attrs, parents):
        self.tag, self.attrs, self.parents, self.text = tag, dict(attrs), parents, ""

    @property
    def is_hidden(self):
        return any(one.attrs.get("aria-hidden") == "true" for one in (self, *self.parents))

    @property
    def name(self):
        """What a reader that sees nothing hears."""
        return (self.attrs.get("aria-label") or self.text).strip()

    def __repr__(self):
        return f"<{self.tag} {self.attrs}>"


class _Tree(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self._open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        one = _Element(tag, attrs, tuple(self._open))
        self.found.append(one)
        if tag == "img":
            for around in self._open:
                around.text += one.attrs.get("alt") or ""
        if tag not in _VOID:
            self._open.append(one)

    def handle_startendtag(self, tag, attrs):
        self.found.append(_Element(tag, attrs, tuple(self._open)))

    def handle_endtag(self, tag):
        while self._open and self._open.pop().tag != tag:
            pass

    def handle_data(self, data):
        for one in self._open:
            one.text += data


def _outline(found):
    """Yield flaws of the page as a whole: language, title, landmark, headings, ids."""
    by_tag = Counter(one.tag for one in found)
    if not any(one.tag == "html" and one.attrs.get("lang") for one in found):
        yield "html: no lang"
    for tag in ("title", "main", "h1"):
        if by_tag[tag] != 1:
            yield f"{tag}: {by_tag[tag]} of it, and not one"
    levels = [int(one.tag[1]) for one in found if re.fullmatch("h[1-6]", one.tag)]
    skips = [pair for pair in pairwise(levels) if pair[1] > pair[0] + 1]
    if levels[:1] != [1] or skips:
        yield f"headings: {levels[:1]} first, and levels skipped at {skips}"
    ids = Counter(one.attrs["id"] for one in found if "id" in one.attrs)
    yield from (f"id {name!r}: {count} of it" for name, count in ids.items() if count > 1)


def _outside(found):
    """Yield texts that stand in no landmark."""
    for one in found:
        around = {parent.tag for parent in one.parents}
        if one.tag in {"p", "h1", "h2", "h3", "table"} and not around & {"main", "nav", "header"}:
            yield f"{one}: in no landmark"


def _names(found):
    """Yield elements without a name, and names that refer to nothing."""
    ids = {one.attrs["id"] for one in found if "id" in one.attrs}
    labelled = {one.attrs.get("for") for one in found if one.tag == "label"}
    for one in found:
        attrs = one.attrs
        if one.tag == "img" and not (attrs.get("alt") or one.is_hidden):
            yield f"{one}: no alt"
        if one.tag in _NAMED and not (one.name or one.is_hidden):
            yield f"{one}: no text"
        named = attrs.get("id") in labelled or "aria-label" in attrs or "aria-labelledby" in attrs
        if one.tag in {"input", "select", "textarea"} and not named:
            yield f"{one}: no label"
        if one.tag == "svg" and not one.is_hidden and not (attrs.get("role") and named):
            yield f"{one}: neither hidden nor an image with a name"
        if attrs.get("role") == "group" and not named:
            yield f"{one}: a group without a name"
        links = [attrs["href"][1:]] if attrs.get("href", "").startswith("#") else []
        refers = [name for key in _REFERS for name in attrs.get(key, "").split()]
        yield from (f"{one}: {name!r} is nowhere" for name in (*links, *refers) if name not in ids)


def _tables(found):
    """Yield tables without heads, and heads that do not say of what."""
    for one in found:
        if one.tag == "th" and one.attrs.get("scope") not in {"row", "col"}:
            yield f"{one}: no scope"
        if one.tag == "table" and not any(
            head.tag == "th" and one in head.parents and head.attrs.get("scope") == "col"
            for head in found
        ):
            yield f"{one}: no head of a column"


def _keys(found):
    """Yield what a keyboard cannot reach, or meets out of order, and unknown aria attributes."""
    for one in found:
        if one.attrs.get("tabindex", "0") not in {"0", "-1"}:
            yield f"{one}: a tabindex of its own order"
        if "wide" in (one.attrs.get("class") or "").split() and one.attrs.get("tabindex") != "0":
            yield f"{one}: scrolls, and no key reaches it"
        aria = {key[5:] for key in one.attrs if key.startswith("aria-")}
        if aria - _ARIA:
            yield f"{one}: aria-{', '.join(aria - _ARIA)}"


def flaws(text):
    """Return the rules that a page breaks, each with the element that breaks it."""
    found = _Tree(text).found
    rules = (_outline, _outside, _names, _tables, _keys)
    return [flaw for rule in rules for flaw in rule(found)]
