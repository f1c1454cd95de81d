"""Judges what the parts of a pickle mean: how each is made, and what each attribute holds.

A listed class may still be made to do harm: it calls methods whose names lie in the file, on
objects that lie in the file. So each part is held to what its own pickler writes, and words that
name methods come from short lists.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from xplain_cli.models.pickles.kinds import (
    CONTAINERS,
    WITHIN,
    PartBudget,
    Role,
    contents,
    is_data,
    kinds_of,
)
from xplain_cli.models.pickles.records import Pattern, Record, allow_list, role_of
from xplain_cli.models.pickles.stand_ins import RECONSTRUCTORS, Global, Stub, attributes

ESTIMATOR = "estimator"
TRUSTED = "trusted"
"""The role of what the user trusts by name: it may be held anywhere, and holds what it likes."""

_HARMLESS = frozenset({"collection", "index", "masked", "matrix", "slice", "stream"})
"""Roles of data: what they can be asked to do is arithmetic."""

_FOLLOWED = frozenset({"array", "dtype"})  # held to their form by the dry run
_BUILT = RECONSTRUCTORS | {"joblib.numpy_pickle:NumpyArrayWrapper", "numpy:dtype"}
_PARTIAL = "functools:partial"
_FACTORIES = frozenset({"builtins:dict", "builtins:float", "builtins:int", "builtins:list"}) | {
    "collections:OrderedDict"
}
_BASES = frozenset({"builtins:dict", "builtins:list", "builtins:set", "builtins:tuple"})
_THREADS = 1024
_LONGEST = 60
_ASKED = frozenset({
    *("auto", "decision_function", "predict", "predict_log_proba", "predict_proba", "transform"),
})
_TYPES = frozenset({
    *("classifier", "clusterer", "density_estimator", "outlier_detector", "regressor"),
    *("transformer", "ranker", "biclustering"),
})
_GETTER = re.compile(
    r"auto|((named_steps\.\w{1,80}|(regressor|estimator|best_estimator|final_estimator)_)\.){0,4}"
    r"(coef_|feature_importances_)"
)


def _words_of(value: Any) -> list[str]:
    found, waiting, seen = [], [value], set[int]()
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            found.append(part)
        elif id(part) not in seen:
            seen.add(id(part))
            waiting.extend(contents(part) or ())
    return found


def _among(allowed: Collection[str]) -> Callable[[Any], bool]:
    return lambda value: all(word in allowed for word in _words_of(value))


def _is_none(value: Any) -> bool:
    return value is None


def _few(value: Any) -> bool:
    return not isinstance(value, int) or abs(value) <= _THREADS


def _is_getter(value: Any) -> bool:
    return isinstance(value, str) and _GETTER.fullmatch(value) is not None


_WORDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(
        (
            *("stack_method", "stack_method_", "response_method", "_response_method"),
            *("chain_method", "chain_method_"),
        ),
        (_among(_ASKED), "names a method to call, which is none that predicts"),
    ),
    "importance_getter": (_is_getter, "names an attribute to read that holds no importances"),
    "_estimator_type": (_among(_TYPES), "is no kind of estimator"),
    "_sklearn_output_config": (
        _among({"transform", "default", "pandas", "polars"}),
        "is no configuration of outputs",
    ),
    "memory": (_is_none, "is a cache of results on the disk: set memory=None and store it again"),
    "input": (_among({"content"}), "takes texts for names of files: fit it with input='content'"),
    **dict.fromkeys(
        ("n_jobs", "nthread", "num_threads", "thread_count", "n_threads", "_n_threads"),
        (_few, f"asks for more than {_THREADS} threads"),
    ),
}
"""Attributes whose value decides what is called or read, and what they may be."""


def _shown(kind: str) -> str:
    bare = kind.removeprefix(WITHIN).removeprefix("name:")
    if ":" in bare:
        return bare.replace(":", ".")[:120]
    return f"{'an' if bare[0] in 'aeiou' else 'a'} {bare}"


def _fits(found: Collection[frozenset[str]], patterns: Mapping[int, Pattern]) -> bool:
    pattern = patterns.get(len(found))
    return pattern is not None and all(a <= b for a, b in zip(found, pattern, strict=True))


def _is_collection(made: Stub) -> bool:
    """Return whether a collection is made empty, or of one of the file's own."""
    if made.callee.key == "collections:defaultdict" and made.arguments:
        factory, *others = made.arguments
        known = isinstance(factory, Global) and factory.key in _FACTORIES
        return known and not others and not made.keywords
    made_of: tuple[Any, ...] = made.arguments
    if len(made_of) == 2 and not made.called:  # as protocols 0 and 1 write subclasses of dict
        made_of = made_of[1:] if getattr(made_of[0], "key", "") in _BASES else made_of
    plain = all(type(one) in {list, tuple, dict, set} for one in made_of)
    return len(made_of) <= 1 and plain and not made.keywords


class Meaning:
    """A judge of the parts of one file."""

    def __init__(self, budget: int, trusted: Collection[str] = ()) -> None:
        self._list = allow_list()
        self._trusted = frozenset(trusted)
        self._budget = PartBudget(budget)
        self._role: Role = self._role_of

    def _role_of(self, key: str) -> str:
        return TRUSTED if key.replace(":", ".") in self._trusted else role_of(key)

    def kinds(self, value: Any) -> frozenset[str]:
        """Return the kinds that a value is and holds."""
        return kinds_of(value, self._role, self._budget)

    def odd(self, value: Any) -> Iterator[tuple[str, str]]:
        """
        Yield (attribute or nothing, what is wrong) of one part of a file.

        Raises
        ------
        SharedError
            The parts of the file share each other without end.
        """
        if not isinstance(value, Stub) or self._role(value.callee.key) == TRUSTED:
            return
        record = self._list.records.get(value.callee.key)
        if value.callee.key == _PARTIAL:
            yield from self._odd_partial(value)
        if record is None:
            return  # refused by name
        yield from self._odd_call(value, record)
        yield from self._odd_items(value)
        if value.built:
            yield from self._odd_state(value, record)

    def is_trusted(self, value: Any) -> bool:
        """Return whether a part is of a class that the user trusts by name."""
        return isinstance(value, Stub) and self._role(value.callee.key) == TRUSTED

    def _odd_call(self, made: Stub, record: Record) -> Iterator[tuple[str, str]]:
        if record.role in _FOLLOWED:
            return
        if made.callee.key in CONTAINERS:
            if not _is_collection(made):
                yield "", f"{made.callee.name} is made in a way that its own pickler does not write"
            return
        found = [self.kinds(one) for one in made.arguments]
        patterns = record.call if made.called else record.new
        if made.keywords or not _fits(found, patterns):
            yield "", f"{made.callee.name} is made in a way that its own pickler does not write"

    def _odd_partial(self, made: Stub) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with the one call that may be begun: with data alone."""
        state = made.state if isinstance(made.state, tuple) else ()
        known = {"name:type", "none"}
        sound = (
            len(state) == 4
            and state[1:2] == ((),)
            and state[3] is None
            and all(
                is_data(one) or one.removeprefix(WITHIN) in known for one in self.kinds(state[2])
            )
        )
        if made.built and not sound:
            yield "", "holds a call that is begun with more than data"

    def _odd_items(self, made: Stub) -> Iterator[tuple[str, str]]:
        if (made.items or made.entries) and made.callee.key not in CONTAINERS:
            yield "", f"{made.callee.name} is given items, and is no collection"
        for key, _ in made.entries:
            if isinstance(key, str) and key.startswith("__") and key.endswith("__"):
                yield "", f"{made.callee.name} is given the special name {key[:_LONGEST]}"

    def _odd_state(self, made: Stub, record: Record) -> Iterator[tuple[str, str]]:
        state = made.state
        if record.role in _FOLLOWED:
            if made.callee.key not in _BUILT:
                yield "", f"{made.callee.name} is given a state, and needs none"
            return
        if type(state) is dict and record.attributes:
            for name, value in attributes(made).items():
                yield from self._odd_attribute(made, record, name, value)
            return
        parts = state if isinstance(state, tuple) else (state,)
        if not _fits([self.kinds(one) for one in parts], record.states):
            yield "", f"{made.callee.name} has a state that its own pickler does not write"

    def _odd_attribute(
        self, made: Stub, record: Record, name: Any, value: Any
    ) -> Iterator[tuple[str, str]]:
        if not isinstance(name, str):
            yield "", f"{made.callee.name} has an attribute whose name is no text"
            return
        known = record.holds.get(name)
        if name in self._list.methods and known is None:
            yield name, "hides a method"
            return
        asks = _WORDS.get(name)
        if asks is not None and not asks[0](value):
            yield name, asks[1]
        strange = [one for one in self.kinds(value) if not self._may_hold(one, known, record)]
        if strange:
            listed = ", ".join(sorted(set(map(_shown, strange)))[:3])
            yield name, f"holds {listed}, which no stored {made.callee.name} holds there"

    def _may_hold(self, kind: str, known: frozenset[str] | None, record: Record) -> bool:
        bare = kind.removeprefix(WITHIN)
        if bare in {TRUSTED, f"name:{TRUSTED}"} or (known is not None and bare in known):
            return True
        if is_data(bare) or bare in _HARMLESS:
            return True
        return known is None and bare == ESTIMATOR and not record.closed
