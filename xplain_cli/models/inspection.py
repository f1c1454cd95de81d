"""Says what a model file holds, importing nothing that it names (``xplain inspect``)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from xplain_cli.errors import RefusedError, with_article
from xplain_cli.models.callables import callable_sha256, module_file, names_callable
from xplain_cli.models.contract import LEFTOVERS, ModelRecipe
from xplain_cli.models.pickles.allowlist import odd_parts, stated_version, unknown_names
from xplain_cli.models.pickles.dry_run import DryRun, dry_run
from xplain_cli.models.pickles.leftovers import stated_leftovers
from xplain_cli.models.pickles.stand_ins import SCALARS, Stub, array_values, attributes, walk
from xplain_cli.models.stored import ModelContent, read_stored, unpacked_cap

_SUPPORT = frozenset({"numpy", "scipy", "pandas", "pyarrow", "joblib", "builtins", "collections"})
_DEEPEST = 12
_CLASSES_SHOWN = 8
_LONGEST = 80
_MEMBERS = 12
_REFUSALS_SHOWN = 5


@dataclass(frozen=True)
class Inspection:
    """
    What a model file holds.

    Attributes
    ----------
    kind
        ``pickle``, ``onnx``, ``skops``, ``xgboost``, ``lightgbm``, ``catboost``, ``torch`` or
        ``callable``.
    sha256, size
        Of the file (a callable's: the module's file), in bytes.
    tree
        Lines: the estimators nested, or the inputs and outputs.
    versions
        What the file states, by package.
    columns
        The column names that it was fitted with; None: unknown.
    globals
        Every name that it asks for, sorted.
    unknown
        (name, place) of those that are not on the allowlist.
    refusals
        What no list can allow.
    layers
        (name, lengths for one row) of the layers that methods by gradients can follow.
    """

    kind: str
    sha256: str
    size: int
    tree: tuple[str, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] | None = None
    globals: tuple[str, ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()
    refusals: tuple[str, ...] = ()
    layers: tuple[tuple[str, str], ...] = ()


def _is_estimator(value: Any) -> bool:
    if not isinstance(value, Stub) or value.callee.module.split(".")[0] in _SUPPORT:
        return False
    return "_sklearn_version" in attributes(value) or (
        value.callee.name[:1].isupper() and isinstance(value.state, dict)
    )


def _shown(value: Any) -> str:
    """Return a class as it is shown; a long one is cut, and control characters are spelled out."""
    if isinstance(value, int) and value.bit_length() > 64:
        return "a large number"
    text = str(value)[:_LONGEST]
    return text if text.isprintable() else repr(text)


def _facts(value: Stub) -> str:
    """Return the columns and classes that an estimator states, for its line."""
    state = attributes(value)
    facts = []
    width = state.get("n_features_in_")
    if isinstance(width, int) and width.bit_length() < 64:
        facts.append(f"{width} columns")
    classes = array_values(state.get("classes_"))
    if classes:
        shown = ", ".join(map(_shown, classes[:_CLASSES_SHOWN]))
        more = ", ..." if len(classes) > _CLASSES_SHOWN else ""
        facts.append(f"classes {shown}{more}")
    return f" ({'; '.join(facts)})" if facts else ""


def _held(value: Any, label: str, *, outermost: bool) -> Iterator[tuple[Any, str]]:
    """Yield the parts of a value, each with its label; (name, estimator) pairs go by name."""
    if isinstance(value, Stub):
        yield from ((part, label) for part in (value.arguments, value.items, value.state))
    elif isinstance(value, dict):
        yield from ((part, f"{label}[{_shown(key)!r}]") for key, part in value.items())
    elif isinstance(value, (list, tuple)):
        named = len(value) in {2, 3} and isinstance(value[0], str)
        for i, part in enumerate(value):
            place = f"{label} {_shown(value[0])}" if named else f"{label}[{i}]"
            yield part, label if outermost else place


def _members(value: Any, label: str, seen: set[int], depth: int = 0) -> Iterator[tuple[str, Stub]]:
    """Yield the nearest estimators below a value, each with the attribute that holds it."""
    if _is_estimator(value):
        yield label, value
        return
    if depth > _DEEPEST or isinstance(value, SCALARS) or id(value) in seen:
        return
    seen.add(id(value))
    for part, place in _held(value, label, outermost=depth == 0):
        yield from _members(part, place, seen, depth + 1)


def _lines(value: Stub, label: str, depth: int, seen: set[int]) -> Iterator[str]:
    if id(value) in seen or depth > _DEEPEST:
        return
    seen.add(id(value))
    yield f"{'  ' * depth}{label}{value.callee.name}{_facts(value)}"
    for key, part in attributes(value).items():
        held = list(_members(part, _shown(key), set()))
        counts = Counter(one.callee.name for _, one in held)
        for name, count in counts.items():
            if count > 3:
                yield f"{'  ' * (depth + 1)}{_shown(key)}: {count} x {name}"
        for place, one in held:
            if counts[one.callee.name] <= 3:
                yield from _lines(one, f"{place}: ", depth + 1, seen)


def _fitted_columns(run: DryRun) -> tuple[str, ...] | None:
    for value, _ in walk(run.root):
        names = array_values(attributes(value).get("feature_names_in_"))
        if names is not None:
            return tuple(map(str, names))
    return None


def _hidden_layers(run: DryRun) -> Iterator[tuple[str, str]]:
    """Yield the hidden layers of a pickle's one network of scikit-learn, with their lengths."""
    networks = [
        attributes(value)
        for value, _ in walk(run.root)
        if isinstance(value, Stub) and value.callee.name in {"MLPClassifier", "MLPRegressor"}
    ]
    state = networks[0] if len(networks) == 1 else {}
    shifts = state.get("intercepts_")
    if not isinstance(shifts, list) or state.get("activation") == "identity":
        return
    for number, shift in enumerate(shifts[:-1], start=1):
        values = array_values(shift)
        if values is not None:
            yield f"hidden_{number}", str(len(values))


def _unknown_parameters(found: tuple[str, ...]) -> tuple[str, ...]:
    """Return the refusals of leftovers."""
    return tuple(
        f"{one}: the installed version does not know it (--accept leftovers, if its answers"
        " without it are the ones to explain)"
        for one in found
    )


def _dict_lines(root: dict[Any, Any]) -> Iterator[str]:
    """Yield what a stored dict holds, and how each model in it is taken."""
    yield f"dict of {len(root)}: {', '.join(repr(_shown(key)) for key in list(root)[:_MEMBERS])}"
    for key, value in root.items():
        if _is_estimator(value):
            yield from _lines(value, f"--member {_shown(key)}: ", 1, set())


def _tree(root: Any) -> tuple[str, ...]:
    """Return what a pickle holds, line by line."""
    if isinstance(root, Stub):
        return tuple(_lines(root, "", 0, set()))
    if isinstance(root, dict):
        return tuple(_dict_lines(root))
    return (f"{type(root).__name__}, not a model",)


def _no_model(root: Any) -> tuple[str, ...]:
    """Return why what a pickle holds is no model by itself; nothing where it may be one."""
    if isinstance(root, Stub):
        return ()
    if isinstance(root, dict):
        return ("is a dict, not a model (--member NAME takes a model that it holds)",)
    return (f"is {with_article(type(root).__name__)}, not a model",)


def _taken(root: Any, member: str | None) -> Any:
    """Return the member of a dict that is meant; what has none is told by its own lines."""
    if member is None or not isinstance(root, dict):
        return root
    return {str(key): value for key, value in root.items()}.get(member, root)


def _inspect_pickle(stored: ModelContent, member: str | None = None) -> Inspection:
    run = dry_run(stored.data)
    root = _taken(run.root, member)
    version, unknown = stated_version(run), unknown_names(run)
    leftovers = () if unknown or run.refusals else stated_leftovers(run)
    return Inspection(
        "pickle",
        stored.sha256,
        stored.size,
        tree=() if run.refusals else _tree(root),
        versions={} if version is None else {"scikit-learn": version},
        columns=_fitted_columns(run),
        globals=tuple(sorted(one.dotted for one in run.globals)),
        unknown=unknown,
        refusals=(*run.refusals, *islice(odd_parts(run), _REFUSALS_SHOWN))
        or (*_no_model(root), *_unknown_parameters(leftovers)),
        layers=() if run.refusals else tuple(_hidden_layers(run)),
    )


def _derivatives(path: str, stored: ModelContent, outputs: Sequence[str]) -> Iterator[str]:
    """Yield which outputs of an ONNX model have gradients, by the names of its operators alone."""
    from xplain_cli.models.onnx.conversion import unknown_operators
    from xplain_cli.models.onnx.programs import DamagedError, read_program

    try:
        program = read_program(stored.data, Path(path).resolve().parent)
        for name in outputs:
            unknown = unknown_operators(program, name)
            listed = ", ".join(map(_shown, unknown[:_CLASSES_SHOWN]))
            more = ", ..." if len(unknown) > _CLASSES_SHOWN else ""
            yield f"gradients of {name}: " + (
                f"none, through {listed}{more}" if unknown else "all operators known"
            )
    except (DamagedError, IndexError):
        yield "gradients: none, its graph has an odd form"


def _inspect_onnx(path: str, stored: ModelContent) -> Inspection:
    from xplain_cli.models.onnx.files import check_file
    from xplain_cli.models.onnx.layers import file_layers
    from xplain_cli.models.onnx.model import Runner, is_matrix

    check_file(path, stored.data)
    runner = Runner(path)
    inputs, outputs = runner.inputs(), runner.outputs()
    lines = [
        f"{word} {one.name}: {one.type} {['any' if n is None else n for n in one.shape]}"
        for word, slots in (("input", inputs), ("output", outputs))
        for one in slots
    ]
    scores = [one.name for one in outputs if "float" in one.type or "map" in one.type]
    lines += _derivatives(path, stored, scores)
    columns = None if is_matrix(inputs) else tuple(one.name for one in inputs)
    return Inspection(
        "onnx",
        stored.sha256,
        stored.size,
        tree=tuple(lines),
        columns=columns,
        layers=file_layers(path, inputs, scores),
    )


def _inspect_data(path: str, stored: ModelContent, member: str | None) -> Inspection:
    """Describe a file of an optional package; it is opened where it would not be refused."""
    from xplain_cli.models import OPTIONAL_KINDS
    from xplain_cli.models.skops import SkopsContent, examine

    found = SkopsContent((), (), ())
    if stored.kind == "skops":
        found = examine(path, stored.plain)
    known = Inspection(
        stored.kind,
        stored.sha256,
        stored.size,
        tree=(f"{stored.kind} model",),
        globals=found.asked,
        unknown=tuple((name, "") for name in found.unknown),
        refusals=(
            *(f"calls {name} with arguments of its own" for name in found.called),
            *(() if found.odd is None else (found.odd,)),
        ),
    )
    if known.unknown or known.refusals:
        return known
    loaded = OPTIONAL_KINDS[stored.kind](
        ModelRecipe(path, accept=(LEFTOVERS,), member=member), stored
    )
    width = "unknown" if loaded.n_columns is None else loaded.n_columns
    return replace(
        known,
        tree=(f"{stored.kind} model ({width} columns)",),
        columns=loaded.columns,
        refusals=_unknown_parameters(loaded.leftovers),
    )


def _inspect_torch(path: str, stored: ModelContent) -> Inspection:
    """Describe a torch file as far as it can be read as data; torch is not imported."""
    from xplain_cli.models.torch.archive import foreign_names, read_archive, refuse_pickle
    from xplain_cli.models.torch.export import judge_export
    from xplain_cli.models.torch.script import judge_pickles

    archive = read_archive(path, stored.plain, unpacked_cap(stored.size))
    form = {"export": "torch.export program", "script": "TorchScript program"}
    lines, refusals = [form.get(archive.form, "torch.save file")], []
    layers: tuple[tuple[str, str], ...] = ()
    run = dry_run(archive.members.get("data.pkl", b""), storages=True)
    try:
        if archive.form == "pickle":
            refuse_pickle(path, archive)
        elif archive.form == "export":
            program = judge_export(path, archive.members)
            shape = ["any" if length is None else length for length in program.shape]
            lines += [f"{program.input}: {program.dtype} {shape}", *program.operators]
            layers = tuple((name, one.lengths) for name, one in program.layers.items())
        else:
            judge_pickles(path, archive.members)
    except RefusedError as error:
        refusals.append(str(error).removeprefix(f"{path}: "))
    return Inspection(
        "torch",
        stored.sha256,
        stored.size,
        tree=tuple(lines),
        globals=tuple(sorted(foreign_names(run))),
        refusals=tuple(refusals),
        layers=layers,
    )


def inspect_file(
    path: str, python_path: tuple[str, ...] = (), member: str | None = None
) -> Inspection:
    """
    Say what a model holds; a pickle is only followed, a callable only located.

    Parameters
    ----------
    python_path
        Folders in which a callable is looked for.
    member
        The key under which a stored dict holds the model.

    Raises
    ------
    RefusedError
        The file is missing, damaged or of another kind.
    """
    if names_callable(path):
        digest = callable_sha256(ModelRecipe(path, python_path=python_path))
        file = module_file(path.split(":", maxsplit=1)[0], python_path)
        size = 0 if file is None else file.stat().st_size
        return Inspection("callable", digest, size, tree=(f"{path} in {file}",))
    stored = read_stored(path)
    if stored.kind == "pickle":
        return _inspect_pickle(stored, member)
    if stored.kind in {"onnx", "torch"}:
        return {"onnx": _inspect_onnx, "torch": _inspect_torch}[stored.kind](path, stored)
    return _inspect_data(path, stored, member)
