"""The closing table of a run in lines: what was explained, its features, how far to trust them."""

import re
from collections.abc import Mapping, Sequence

from xplain_cli.quality.failures import Failure
from xplain_cli.quality.summary import FeatureLine, Subject, Summary

JOINERS = "\u200c\u200d"
"""They hold letters of Hindi and Persian, and emoji, together."""
_ISOLATE = re.compile("([\u2068\u2069])")
_HALF_BAR = 12  # characters
_NAME = 32  # characters of a feature name
_HELD = 8  # held features that are named
_REASON = 400  # characters of why rows failed
RED, BLUE, RESET = "\x1b[31m", "\x1b[34m", "\x1b[0m"
# the bad end of a column, in the words of --fail-on
_PRECISION = (("max_rel_se", "p95"), ("topk_jaccard", "p5"), ("sign_probability", "p5"))
_FIDELITY = (("local_r2", "p5"),)
_LOCALITY = (("locality", "p95"),)


def printable(text: str) -> str:
    """Return the text with control characters spelled out: names in a file may hold ANSI codes."""
    return "".join(c if c.isprintable() or c in JOINERS else repr(c)[1:-1] for c in text)


def drawn(text: str, *, watched: bool) -> str:
    """
    Return a text as it is drawn on stdout.

    Marks that isolate a direction are ours alone: those of DATA are spelled out before. On a
    terminal, where it is *watched*, they keep an Arabic name from turning the figures after it
    around; in a file nobody wants them.
    """
    pieces = _ISOLATE.split(text)
    return "".join(
        (piece if watched else "") if at % 2 else printable(piece)
        for at, piece in enumerate(pieces)
    )


def _bar(line: FeatureLine, longest: float, block: str, *, color: bool) -> str:
    """Return the two halves of a bar: what pushes the target down, left, and up, right."""
    scale = _HALF_BAR / longest if longest > 0 else 0.0
    down = block * round((line.weight - line.rising) * scale)
    up = block * round(line.rising * scale)
    left, right = " " * (_HALF_BAR - len(down)), " " * (_HALF_BAR - len(up))
    if color:
        down, up = f"{BLUE}{down}{RESET}", f"{RED}{up}{RESET}"
    return f"{left}{down}|{up}{right}"


def _feature_table(summary: Summary, block: str, *, color: bool) -> list[str]:
    from rich.cells import cell_len, set_cell_size  # a Chinese character is two cells wide

    lines = summary.features
    names = [printable(line.feature) for line in lines]
    names = [n if cell_len(n) <= _NAME else set_cell_size(n, _NAME - 3) + "..." for n in names]
    width = max(len("feature"), *map(cell_len, names))
    longest = max(max(line.rising, line.weight - line.rising) for line in lines)
    head = f"{'feature':<{width}}  {'mean |weight|':>13}  {'std_error':>9}"
    table = [f"{head}  {f'in top {summary.top_k}':>9}  {'- down':>{_HALF_BAR}}|up +"]
    for name, line in zip(names, lines, strict=True):
        error = "-" if line.std_error != line.std_error else f"{line.std_error:.2g}"
        bar = _bar(line, longest, block, color=color).rstrip()
        figures = f"{line.weight:>13.4g}  {error:>9}  {line.top_share:>9.0%}"
        table.append(f"{set_cell_size(name, width)}  {figures}  {bar}")
    return table


def _verdict(
    name: str, words: dict[str, int], columns: tuple[tuple[str, str], ...], summary: Summary
) -> str:
    counts = ", ".join(f"{count} {word}" for word, count in words.items() if count)
    figures = [
        f"{column:<16} median {middle:.3g}, {tail} {end:.3g}"
        for column, tail in columns
        if column in summary.quantiles
        for middle, end in [summary.quantiles[column]]
    ]
    parts = [counts, *figures] if counts else figures
    return f"{name:<31} " + f"\n{'':<32}".join(parts or ["unknown"])


def _explained(subject: Subject | None, held: Sequence[str]) -> list[str]:
    """Return the lines on what the numbers are about."""
    if subject is None:
        return []
    what, against = printable(subject.named()), printable(subject.baseline)
    averaged = [f"{'Averaged over':<15} all {len(subject.targets)} targets"]
    kept = printable(", ".join(held[:_HELD]) + (", ..." if len(held) > _HELD else ""))
    return [
        f"{'Explained':<15} {what}, mean prediction {subject.prediction:.4g}",
        f"{'Compared with':<15} {against}, mean base value {subject.base_value:.4g}",
        *([f"{'Held':<15} {kept}: the row's own, with no weight"] if held else []),
        *(averaged if len(subject.targets) > 1 else []),
        "",
    ]


def _fidelity(summary: Summary) -> str:
    """Return the line on fidelity; explanations that add up have no surrogate that could miss."""
    if summary.largest_error is None:
        return _verdict("Fidelity (does it agree)", summary.fidelity, _FIDELITY, summary)
    error = f"{summary.largest_error:.0e}" if summary.largest_error else "0"
    return f"{'Fidelity (does it agree)':<31} adds up, attribution error at most {error}"


def _failure(failure: Failure) -> str:
    reason = printable(" ".join(failure.reason.split()))
    reason = reason if len(reason) <= _REASON else f"{reason[: _REASON - 3]}..."
    return f"{f'  {failure.count:,} failed':<31} {reason}"


def table_lines(summary: Summary, block: str, *, color: bool) -> list[str]:
    """
    Return the closing table of a run: its subject, its strongest features, how far to trust them.

    Parameters
    ----------
    block
        A cell of a bar.
    color
        Whether bars are coloured.
    """
    lines = _explained(summary.subject, summary.held)
    if summary.features:
        lines += [*_feature_table(summary, block, color=color), ""]
    lines += [
        _verdict("Precision (sampling error)", summary.precision, _PRECISION, summary),
        _fidelity(summary),
    ]
    if "locality" in summary.quantiles:
        lines.append(_verdict("Locality (1: own bins alone)", {}, _LOCALITY, summary))
    empty = f", {summary.empty} empty" if summary.empty else ""
    failed = f", {summary.failed} failed" if summary.failed else ""
    lines.append(f"{'Rows':<31} {summary.rows} explained{empty}{failed}")
    return [*lines, *map(_failure, summary.failures), *summary.notes]


def _strongest(summary: Summary) -> str:
    """Return the strongest features of a group with their mean weights, or what stands for it."""
    found = [
        f"{printable(line.feature)} {2 * line.rising - line.weight:+.3g}"
        for line in summary.features
    ]
    return ", ".join(found) or "-"


def _share(counts: Mapping[str, int], *words: str) -> str:
    total = sum(counts.values())
    return f"{sum(counts.get(word, 0) for word in words) / total:.0%}" if total else "-"


def group_lines(by: str, groups: Mapping[str, Summary]) -> list[str]:
    """
    Return a line for each group of rows: its size, what the model says, its strongest features.

    Parameters
    ----------
    by
        What rows are grouped by.
    groups
        The summary of each group, by its name.
    """
    names = [printable(name)[:_NAME] for name in groups]
    width = max([len(printable(by)), *map(len, names)])
    head = f"{printable(by):<{width}}  {'rows':>7}  {'failed':>6}  {'mean prediction':>15}"
    lines = [f"{head}  {'unstable':>8}  {'poor fit':>8}  strongest features, mean weight"]
    for name, one in zip(names, groups.values(), strict=True):
        mean = f"{one.subject.prediction:.4g}" if one.subject else "-"
        figures = f"{one.rows + one.empty:>7}  {one.failed:>6}  {mean:>15}"
        doubts = f"{_share(one.precision, 'unstable'):>8}  {_share(one.fidelity, 'poor'):>8}"
        lines.append(f"{name:<{width}}  {figures}  {doubts}  {_strongest(one)}")
    return lines
