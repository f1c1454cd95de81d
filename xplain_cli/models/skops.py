"""skops files: data that names its types, each judged by the same list as those of pickles."""

import io
import json
import pickle
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from xplain_cli.errors import RefusedError, require
from xplain_cli.models.callables import extend_path
from xplain_cli.models.contract import LoadedModel, ModelRecipe
from xplain_cli.models.estimators.model import Estimator
from xplain_cli.models.members import stored_model
from xplain_cli.models.pickles.allowlist import judge
from xplain_cli.models.pickles.dry_run import dry_run
from xplain_cli.models.pickles.leftovers import check_leftovers, leftover_notes
from xplain_cli.models.pickles.object_graph import refuse_readers
from xplain_cli.models.pickles.records import allowed_names
from xplain_cli.models.pickles.skew import bracketed, skew, way_out, without_skew_warnings
from xplain_cli.models.skops_schema import check_schema
from xplain_cli.models.soundness import OddPartError
from xplain_cli.models.stored import ModelContent, unpacked_cap

_SHOWN = 5
_CALLS = "ConstructorFromReduceNode"  # calls its type with arguments out of the file
_DEEPEST = 200


def _read_schema(path: str, data: bytes) -> Any:
    """Return the schema, which says what every part of the file is; members are capped."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(member.file_size for member in archive.infolist())
            cap = unpacked_cap(len(data))
            if size > cap:
                raise RefusedError(
                    f"{path}: unpacks to more than {cap} bytes; store it without compression"
                )
            return json.loads(archive.read("schema.json"))
    except (zipfile.BadZipFile, KeyError, ValueError, RecursionError, NotImplementedError) as error:
        raise RefusedError(f"{path}: not a readable skops file ({error})") from error


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield every part of a schema that names a type."""
    level = [schema]
    for _ in range(_DEEPEST):
        yield from (one for one in level if isinstance(one, dict) and "__loader__" in one)
        parts = [
            list(one.values()) if isinstance(one, dict) else one
            for one in level
            if isinstance(one, (dict, list))
        ]
        level = [one for part in parts for one in part]
        if not level:
            return
    raise RefusedError(f"nests deeper than {_DEEPEST} parts")


def _key(dotted: str) -> str:
    module, _, name = dotted.rpartition(".")
    return f"{module}:{name}"


@dataclass(frozen=True)
class SkopsContent:
    """
    What a skops file asks for.

    Attributes
    ----------
    asked
        The types that skops itself does not trust.
    unknown
        Those of them that are not on the list.
    version
        The scikit-learn version that the file states; None: none.
    called
        Types that would be called with arguments of the file's own. What is harmless to
        allocate, ``numpy.ndarray``, need not be harmless to call: only scikit-learn's are.
    odd
        What no list can allow; None: nothing.
    """

    asked: tuple[str, ...]
    unknown: tuple[str, ...]
    called: tuple[str, ...]
    version: str | None = None
    odd: str | None = None


def _stated_version(nodes: list[dict[str, Any]]) -> str | None:
    """Return the scikit-learn version that the outermost estimator states."""
    for node in nodes:
        content = node.get("content")
        stated = content.get("_sklearn_version") if isinstance(content, dict) else None
        if isinstance(stated, dict) and isinstance(stated.get("content"), str):
            return str(stated["content"]).strip('"')[:40]
    return None


def examine(path: str, data: bytes, trusted: Collection[str] = ()) -> SkopsContent:
    """
    Say what a skops file asks for; nothing of it is run.

    Raises
    ------
    RefusedError
        It is damaged.
    UsageError
        skops is not installed.
    """
    skops: Any = require("skops.io", "skops")
    schema = _read_schema(path, data)
    try:
        nodes = list(_nodes(schema))
        asked = tuple(sorted(skops.get_untrusted_types(data=data)))
    except Exception as error:  # skops follows the schema into any type of error
        raise RefusedError(
            f"{path}: refused, nothing of it was run: not a readable skops file ({error})"
        ) from error
    calls = [node for node in nodes if node["__loader__"] == _CALLS]
    called = {f"{node.get('__module__')}.{node.get('__class__')}" for node in calls}
    strange = {one for one in called if not one.startswith("sklearn.")} - set(trusted)
    known = allowed_names()
    unknown = tuple(one for one in asked if _key(one) not in known and one not in trusted)
    odd = None
    try:
        check_schema(data, nodes)
    except OddPartError as error:
        odd = str(error)
    return SkopsContent(asked, unknown, tuple(sorted(strange)), _stated_version(nodes), odd)


def _judge(path: str, found: SkopsContent) -> None:
    """Refuse a file that names types which neither skops nor the list knows."""
    if not found.unknown and not found.called and found.odd is None:
        return
    if not found.unknown and not found.called:
        raise RefusedError(
            f"{path}: refused, nothing of it was run: it {found.odd}; store the model again as it"
            " was fitted, or export it to ONNX; if you made this file yourself: --trust-model"
        )
    names = tuple(dict.fromkeys((*found.unknown, *found.called)))
    calls = f"calls {', '.join(found.called[:_SHOWN])} with arguments of its own"
    listed = f"asks for {', '.join(names[:_SHOWN])}"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    flags = " ".join(f"--trusted {name}" for name in names)
    raise RefusedError(
        f"{path}: refused, nothing of it was run: it {listed if found.unknown else calls}{more};"
        f" if you trust {'these names' if len(names) > 1 else 'this name'}: {flags};"
        " the whole file: --trust-model; or export the model to ONNX"
    )


def _judge_built(recipe: ModelRecipe, loaded: Any) -> None:
    """
    Refuse what a file has built where a pickle of the same would be refused.

    Its parts are data, and nothing of them has been asked anything yet.
    """
    try:
        stored = pickle.dumps(loaded, 5)
    except Exception as error:  # a class of any version may raise anything from its own state
        raise RefusedError(
            f"{recipe.source}: refused: it builds what cannot be judged ({type(error).__name__});"
            " if you made this file yourself: --trust-model"
        ) from error
    judge(recipe.source, dry_run(stored), recipe.trusted)


def open_skops(recipe: ModelRecipe, stored: ModelContent) -> LoadedModel:
    """
    Judge and load a skops file.

    Raises
    ------
    RefusedError
        The file is damaged, names types that are not on the list, or holds no model, or
        parameters that the installed classes ignore.
    UsageError
        skops is not installed.
    """
    path = recipe.source
    found = examine(path, stored.plain, recipe.trusted)
    if not recipe.trust_all:
        _judge(path, found)
    skops: Any = require("skops.io", "skops")
    extend_path(recipe.python_path)
    try:
        loaded = without_skew_warnings(lambda: skops.loads(stored.plain, trusted=list(found.asked)))
    except Exception as error:  # a class of any version may raise anything from its own state
        reason = " ".join(str(error).split()) or type(error).__name__
        raise RefusedError(
            f"{path}: cannot be loaded: {reason}{bracketed(found.version)};"
            f" {way_out(found.version)}"
        ) from error
    if not recipe.trust_all:
        _judge_built(recipe, loaded)
        refuse_readers(path, loaded)
    loaded = stored_model(recipe, loaded)
    leftovers = check_leftovers(recipe, loaded, found.version)
    notes = [note for note in (skew(found.version), *leftover_notes(leftovers)) if note]
    if recipe.trust_all:
        notes.append("loaded unjudged: --trust-model runs whatever the file asks for")
    return Estimator(
        loaded,
        source=path,
        sha256=stored.sha256,
        recipe=recipe,
        notes=tuple(notes),
        versions={} if found.version is None else {"scikit-learn": found.version},
        way_out=way_out(found.version),
        leftovers=leftovers,
    )
