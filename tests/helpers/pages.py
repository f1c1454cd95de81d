"""Pages of runs, read again."""

import re
from html.parser import HTMLParser

from running import SMALL

from xplain_cli.report.items import Reason


def reason(name, weight, error=0.0, value=None, baseline=None):
    return Reason(name, value, baseline, weight, error, weight - 2 * error, weight + 2 * error)


_VOID = {"meta", "img", "br", "input", "rect", "path", "line"}


class Outline(HTMLParser):
    """Reads a page: its articles as text, every tag, and whether all are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.articles, self.broken = [], [], []
        self._open = []
        self.feed(text)
        self.broken += self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "article":
            self.articles.append("")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if self._open[-1:] != [tag]:
            self.broken.append(tag)
        else:
            self._open.pop()

    def handle_data(self, data):
        if "article" in self._open:
            self.articles[-1] += data


def page_of(path):
    return Outline(path.read_text(encoding="utf-8"))


def shown_rows(path):
    text = path.read_text(encoding="utf-8")
    return re.findall(r"<h3 id=\"h\d+\">Row <bdi>(.*?)</bdi>", text)


def small(case, *options):
    return ("tabular", case.model, case.data, *SMALL, "--rows", "0:5", *options)
