"""Matches the columns of a table to a model's inputs, by name and never by position."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from xplain_cli.errors import RefusedError, UsageError, nearest

_IDS = frozenset({"id", "row_id", "index", "uuid", "key", "unnamed: 0", ""})
_SHOWN = 12


@dataclass(frozen=True)
class ColumnMatch:
    """
    The columns of a table that a model reads.

    Attributes
    ----------
    columns
        Inputs in the model's order, named as in the table.
    extra
        Columns of the table that are neither inputs nor the id.
    notes
        What was decided, for the user.
    """

    columns: tuple[str, ...]
    extra: tuple[str, ...]
    notes: tuple[str, ...]


def _listed(names: Sequence[str]) -> str:
    more = f", ... ({len(names)} in all)" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more


def named_by(pattern: str, names: Collection[str]) -> tuple[str, ...]:
    """Return the names that a name or glob stands for; a name itself goes before a glob."""
    return (pattern,) if pattern in names else tuple(n for n in names if fnmatchcase(n, pattern))


def _select(patterns: Sequence[str], names: Sequence[str], option: str, where: str) -> set[str]:
    """Return the names that names or globs stand for."""
    selected: set[str] = set()
    for pattern in patterns:
        found = set(named_by(pattern, names))
        if not found:
            raise UsageError(
                f"{option} {pattern!r}: matches no column of {where}; it has {_listed(names)}"
                f"{nearest(pattern, names, option)}"
            )
        selected |= found
    return selected


def _match_known(
    available: Sequence[str], wanted: Sequence[str], kept: set[str] | None, dropped: set[str]
) -> tuple[str, ...]:
    """Check the model's own names against what the user asked to use or drop."""
    lost = [c for c in wanted if c in dropped]
    if lost:
        raise UsageError(
            f"--drop-columns takes {_listed(lost)} away, which the model needs; "
            "explain fewer features with --top-k instead"
        )
    if kept is None:
        return tuple(wanted)
    left = [c for c in wanted if c not in kept]
    if left:
        raise UsageError(f"--features leaves {_listed(left)} out, which the model needs")
    foreign = [c for c in available if c in kept and c not in set(wanted)]
    if foreign:
        raise UsageError(
            f"--features names {_listed(foreign)}, which the model does not know; "
            f"its columns are {_listed(wanted)}"
        )
    return tuple(wanted)


def _check_present(
    available: Sequence[str], wanted: Sequence[str], where: str, needs: str = "the model needs"
) -> None:
    missing = [c for c in wanted if c not in set(available)]
    if not missing:
        return
    spelled = {name.strip().casefold(): name for name in available}
    hints = [
        f"{c!r} - did you mean {alike!r}"
        if (alike := spelled.get(c.strip().casefold())) is not None
        else f"{c!r}{nearest(c, available).rstrip('?').replace('; ', ' - ')}"
        for c in missing
    ]
    more = f", ... ({len(missing)} in all)" if len(missing) > _SHOWN else ""
    places = tuple(available) == tuple(map(str, range(len(available))))
    way_out = (
        "its columns have no names: write them into a first line, of an array as csv or parquet"
        if places and len(available) >= len(wanted)
        else "rename them in the table"
    )
    raise RefusedError(
        f"{where}: {needs} columns that are not there: {', '.join(hints[:_SHOWN])}{more}; "
        f"it has {_listed(available)}; {way_out}"
    )


def _match_unknown(
    candidates: Sequence[str], n_wanted: int | None, where: str, *, is_chosen: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the inputs of a model that knows only their number, and notes."""
    columns, notes = tuple(candidates), tuple[str, ...]()
    if n_wanted is not None and not is_chosen:
        ids = [c for c in candidates if c.lower() in _IDS]
        if ids and len(candidates) - len(ids) == n_wanted:
            columns = tuple(c for c in candidates if c not in ids)
            notes = (f"left out as an id: {_listed(ids)} (the model takes {n_wanted} columns)",)
    if n_wanted is not None and len(columns) != n_wanted:
        raise RefusedError(
            f"{where}: the model takes {n_wanted} columns and knows no names, the table offers "
            f"{len(columns)}: {_listed(columns)}; choose with --features or --drop-columns"
        )
    if not columns:
        raise RefusedError(f"{where}: no column is left for the model; see --features")
    if n_wanted is not None and n_wanted > 1:
        notes += (f"the model knows no names, so columns go by position: {_listed(columns)}",)
    return columns, notes


def check_signature(
    available: Sequence[str],
    signature: Sequence[str],
    wanted: Sequence[str] | None,
    n_wanted: int | None,
    where: str,
) -> None:
    """
    Check the columns that the signature of a model names, where they are those that are taken.

    Parameters
    ----------
    available
        The columns of the table.
    signature
        The file that holds it, and the columns.
    wanted, n_wanted, where
        As for ``match_columns``.

    Raises
    ------
    RefusedError
        The table lacks one, or the model takes others.
    """
    place, *named = signature
    _check_present(available, named, where, f"the signature in {place} names")
    if wanted is not None and set(wanted) != set(named):
        odd = sorted(set(wanted) ^ set(named))
        said = f"{_listed(odd)} in only one of the two"
    elif n_wanted is not None and n_wanted != len(named):
        said = f"the model takes {n_wanted} columns, and the signature names {len(named)}"
    else:
        return
    raise RefusedError(
        f"{place}: its signature is not that of its model: {said}; name the columns with --features"
    )


def duplicate_ids(values: Iterable[str]) -> list[str]:
    """Return the first few ids (at most 5) that occur more than once, in order."""
    seen: set[str] = set()
    twice: dict[str, None] = {}
    for value in values:
        if value in seen:
            twice[value] = None
            if len(twice) == 5:
                break
        seen.add(value)
    return list(twice)


def match_columns(
    available: Sequence[str],
    wanted: Sequence[str] | None,
    n_wanted: int | None,
    *,
    id_column: str | None,
    features: Sequence[str],
    drop: Sequence[str],
    where: str,
) -> ColumnMatch:
    """
    Find a model's inputs among the columns of a table.

    Parameters
    ----------
    wanted
        The names that the model was fitted on, in its order; None: it knows none.
    n_wanted
        How many columns the model takes; None: unknown.
    features, drop
        ``--features`` and ``--drop-columns``: names or globs.
    where
        The table's name, for messages.

    Raises
    ------
    RefusedError
        Names that the model needs are missing, or the number of columns differs.
    UsageError
        An option names no column of the table, or contradicts the model's names.
    """
    if id_column is not None and id_column not in available:
        raise UsageError(
            f"--id-column {id_column!r}: {where} has no such column; it has {_listed(available)}"
            f"{nearest(id_column, available)}"
        )
    kept = _select(features, available, "--features", where) if features else None
    dropped = _select(drop, available, "--drop-columns", where)
    if wanted is not None:
        _check_present(available, wanted, where)
        columns, notes = _match_known(available, wanted, kept, dropped), tuple[str, ...]()
    else:
        chosen = kept if kept is not None else set(available) - {id_column}
        candidates = [c for c in available if c in chosen and c not in dropped]
        columns, notes = _match_unknown(candidates, n_wanted, where, is_chosen=kept is not None)
    extra = tuple(c for c in available if c not in set(columns) and c != id_column)
    unasked = [c for c in extra if c not in dropped]
    if wanted is not None and unasked:
        names = ", ".join(unasked[:_SHOWN]) + (", ..." if len(unasked) > _SHOWN else "")
        rows = "" if id_column else ", --id-column names rows by one"
        notes = (f"not used: {names} (kept out of the explanation; --keep carries them{rows})",)
    return ColumnMatch(columns, extra, notes)
