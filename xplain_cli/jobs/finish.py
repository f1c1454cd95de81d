"""The one way to finish a run: its parts, in input order, become files, figures and a verdict."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from xplain_cli.console import Console
from xplain_cli.engine.pool import find_pool, grown
from xplain_cli.explanation import Records
from xplain_cli.features import Perturbation
from xplain_cli.jobs.gate import judge_gates, written
from xplain_cli.jobs.manifest import Course, details, reached, results
from xplain_cli.modalities import Modality, Story, WholeRun, story_of
from xplain_cli.output import RenderedPiece, Rendering, join_pieces, render_piece
from xplain_cli.plan import Plan
from xplain_cli.quality.gates import Gate
from xplain_cli.quality.precision import Budget, PrecisionTarget
from xplain_cli.quality.summary import Summary, Tally
from xplain_cli.remote import redact_all
from xplain_cli.runs.folder import Run, writing
from xplain_cli.runs.paths import RunPlace
from xplain_cli.workers.processes import in_order

_MANY_PARTS = 64  # below that, starting processes takes longer than they save


@dataclass(frozen=True)
class Account:
    """
    What a run says of itself beside what its parts say.

    Attributes
    ----------
    facts
        The manifest, but for the figures that follow from the parts.
    argv, request
        The command, and what it came to; None where a merged run's slices do not say it.
    model_inputs
        Those that the rows took.
    """

    facts: Mapping[str, Any]
    argv: Sequence[str]
    request: Mapping[str, Any] | None
    model_inputs: int


@dataclass(frozen=True)
class RunFiles:
    """
    What a run shall become at its end.

    Attributes
    ----------
    modality, perturbation
        DATA, opened, and how its rows were split; None for a merged run.
    slices
        Where the runs stand that were merged.
    gates
        The conditions that it is judged by.
    page
        Where its HTML page goes; None: there is none.
    jobs
        How many may work at the same time.
    """

    modality: Modality | None = None
    perturbation: Perturbation | None = None
    slices: tuple[RunPlace, ...] = ()
    gates: tuple[Gate, ...] = ()
    page: str | None = None
    jobs: int = 1


@dataclass(frozen=True)
class Parts:
    """The parts of a run, in input order; one is in memory at a time."""

    run: Run
    chunks: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, run: Run, plan: Plan) -> "Parts":
        """Return the parts of a run, of which every one is there."""
        start, stop = plan.selection["rows"]
        return cls(run, tuple(ranges(start, stop, run.chunk_rows)))

    def __iter__(self) -> Iterator[Records]:
        """Yield what each part holds."""
        return (self.run.read_part(*chunk) for chunk in self.chunks)

    def numbered(self) -> Iterator[tuple[int, int, Records]]:
        """Yield the rows of each part, start and stop, and what it holds."""
        return ((*chunk, self.run.read_part(*chunk)) for chunk in self.chunks)


@dataclass(frozen=True)
class Conclusion:
    """How a run came out: rows that failed, and the gates as plain values."""

    failed: int
    gates: list[dict[str, Any]]


def ranges(start: int, stop: int, step: int) -> list[tuple[int, int]]:
    """Return the chunks of rows start..stop."""
    return [(at, min(at + step, stop)) for at in range(start, stop, step)]


def check_free(place: RunPlace, plan: Plan) -> None:
    """
    Refuse a place where extra files of the run would meet other things.

    Raises
    ------
    UsageError
        Something stands there that no run wrote.
    """
    story = story_of(plan.numbers["modality"])
    story.check_place(place, plan.rendering, values=plan.selection["values"])


def across_rows(
    whole: Summary, story: Story, numbers: Mapping[str, Any], *, values: bool
) -> Summary:
    """
    Return what is told of a run by the numbers of its plan.

    Features are ranked only where rows have the same ones, and named only where values of DATA may
    be shown or their names are none.
    """
    told = story.ranks_over_rows and (values or not story.named_by_value)
    whole = replace(whole, held=tuple(numbers.get("hold", ())))
    return whole if told else replace(whole, features=())


def _goal(numbers: Mapping[str, Any]) -> PrecisionTarget | None:
    """Return the precision that each row was to reach, if one was asked for."""
    if "max_rel_se" not in numbers:
        return None
    return PrecisionTarget(
        max_rel_se=numbers["max_rel_se"],
        repeats=numbers["repeats"],
        samples=numbers["samples"],
        max_samples=numbers["max_samples"],
    )


def _precision(parts: Iterable[Records], goal: PrecisionTarget | None) -> dict[str, Any]:
    """Return for the manifest how many rows reached the goal, with how many repeats at most."""
    if goal is None:
        return {}
    reached = rows = most = 0
    for records in parts:
        met, count = goal.count(records.stability)
        reached, rows = reached + met, rows + count
        most = max(most, int(records.stability["n_repeats"].max()))
    counted = {"rows_reached": reached, "rows": rows, "most_repeats": most}
    asked = {"max_rel_se": goal.max_rel_se, "max_samples": goal.max_samples}
    return {"precision_goal": asked | counted}


def _figures(parts: Parts, numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the manifest says that follows from the parts and the shared pool."""
    goal = _goal(numbers)
    precise = _precision(parts, goal)
    budget = Budget(numbers["seed"], numbers["samples"], numbers["repeats"], goal)
    pool = find_pool(parts.run.pool_path("shared")) or {}
    return {**precise, "pool": grown(pool, budget, precise)}


def _render(
    run: Run, rendering: Rendering, fmt: str, top_k: int, chunk: tuple[int, int]
) -> tuple[RenderedPiece, Tally]:
    # a column of parquet is of one type: what is a number in all cells of this chunk, such as a
    # row's id or a feature's value, may be a text in another one
    tally, records = Tally(top_k), run.read_part(*chunk, codes=fmt != "parquet")
    tally.add(records)
    return render_piece(records, rendering, fmt), tally


def _pieces(
    parts: Parts,
    render: Callable[[tuple[int, int]], tuple[RenderedPiece, Tally]],
    whole: Tally,
    jobs: int,
) -> Iterator[RenderedPiece]:
    """Yield the pieces of parts in order, and count them in; over processes where they are many."""
    many = jobs > 1 and len(parts.chunks) >= _MANY_PARTS
    for piece, tally in in_order(render, parts.chunks, jobs) if many else map(render, parts.chunks):
        whole.merge(tally)
        yield piece


def _write_tables(
    parts: Parts, plan: Plan, facts: Mapping[str, Any], jobs: int
) -> tuple[Summary, list[Path]]:
    """Write weights and stability in one pass, and the repeats; return the run as a whole."""
    shown, tally = plan.rendering, Tally(plan.numbers["stability_k"])
    rendering = Rendering(shown["top_k"], shown["csv_guard"], shown["wide"])
    render = partial(_render, parts.run, rendering, shown["format"], tally.top_k)
    with writing(*parts.run.files) as (weights, stability):
        pieces = _pieces(parts, render, tally, jobs)
        join_pieces(pieces, shown["format"], weights, stability, manifest=facts)
    wanted = plan.selection["repeats"]
    return tally.summary(), [parts.run.write_repeats(parts.chunks)] if wanted else []


def _sum_up(parts: Parts, top_k: int) -> Summary:
    """Return what a run says as a whole."""
    tally = Tally(top_k)
    for records in parts:
        tally.add(records)
    return tally.summary()


@dataclass(frozen=True)
class _Files:
    """The files of a run beside its manifest, what the manifest says, and the run as a whole."""

    whole: Summary
    facts: dict[str, Any]
    outputs: list[Path]
    missing: tuple[str, ...]


def _write_files(
    parts: Parts, plan: Plan, said: Mapping[str, Any], wanted: RunFiles, course: Course
) -> _Files:
    """Write every file of a run but its manifest; *said* is what that says without the parts."""
    whole_run = WholeRun(
        place=parts.run.place,
        rendering=plan.rendering,
        values=plan.selection["values"],
        parts=parts.numbered,
        modality=wanted.modality,
        perturbation=wanted.perturbation,
        slices=wanted.slices,
        jobs=wanted.jobs,
    )
    extra = story_of(plan.numbers["modality"]).extra_files(whole_run)
    course.lap("draw")
    facts = {**said, **extra.facts, **_figures(parts, plan.numbers)}
    with course.during("write"):
        jobs = wanted.jobs if course.backend == "loky" else 1
        whole, repeats = _write_tables(parts, plan, facts, jobs)
    course.lap("write")
    return _Files(whole, facts, [*repeats, *extra.outputs], extra.missing)


def _close(
    parts: Parts, files: _Files, account: Account, gates: list[Any], course: Course
) -> tuple[Run, dict[str, Any]]:
    """Write the manifest and the results, which say that it is finished; return run and results."""
    outcome = {
        **results(course, files.whole, files.facts["pool"], account.model_inputs),
        "argv": redact_all(account.argv),
        **({} if account.request is None else {"request": redact_all(account.request)}),
        "gates": gates,
    }
    run = parts.run.finish(files.facts, outcome, n_parts=len(parts.chunks), extra=files.outputs)
    return run, outcome


def _tell(files: _Files, outcome: Mapping[str, Any], console: Console) -> None:
    for text in files.missing:
        console.warn(text)
    for text in reached(files.facts):
        console.note(text)
    for text in details(outcome):
        console.detail(text)


def finish(
    run: Run, plan: Plan, account: Account, wanted: RunFiles, course: Course, console: Console
) -> Conclusion:
    """
    Finish a run whose parts are all there: files, figures, gates, page.

    A run that is finished already, and shown as the plan asks, is summed up and judged again.

    Raises
    ------
    RefusedError
        A part is damaged, a file cannot be written, or does not stand there afterwards.
    """
    parts, story = Parts.of(run, plan), story_of(plan.numbers["modality"])
    if run.rendered:
        files, whole = None, _sum_up(parts, plan.numbers["stability_k"])
        console.note("nothing to do: this run is finished (--force computes it again)")
    else:
        files = _write_files(parts, plan, account.facts, wanted, course)
        whole = files.whole
    console.summary(across_rows(whole, story, plan.numbers, values=plan.selection["values"]))
    lines = (written(records, plan.rendering["top_k"]) for records in parts)
    gates = judge_gates(wanted.gates, lines, console)
    if files is not None:
        run, outcome = _close(parts, files, account, gates, course)
        _tell(files, outcome, console)
    elif gates:
        run.keep_gates(gates)
    run.check_finished()  # before the page, which is one more output where it lies in the run
    if wanted.page is not None:
        from xplain_cli.report import write_page

        console.note(f"report: {write_page(run.folder, wanted.page).page}")
    console.line(run.place.name)
    return Conclusion(whole.failed, gates)
