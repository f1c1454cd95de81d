"""Writes what a run says of itself: its plan, its manifest and its results."""

import contextlib
import functools
import platform
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from importlib.metadata import PackageNotFoundError
from typing import Any, TypeVar

from xplain_cli import __version__
from xplain_cli.engine.chunk import Effort
from xplain_cli.models.contract import LEFTOVERS, UNSTEADY
from xplain_cli.options.request import Request
from xplain_cli.plan import Plan
from xplain_cli.planning.choices import Choices
from xplain_cli.planning.inputs import Inputs
from xplain_cli.planning.prepare import SCHEMA_VERSION, method_label
from xplain_cli.quality.summary import Summary
from xplain_cli.remote import redact_all
from xplain_cli.seeds import RULE

_Item = TypeVar("_Item")
_VERSION = re.compile(r"^Version: *(\S+)", re.MULTILINE)
_PACKAGES = ("numpy", "scipy", "pandas", "scikit-learn", "joblib", "onnxruntime", "threadpoolctl")
WHERE_USED = ("pyarrow", "xgboost", "lightgbm", "catboost", "skops")


@functools.cache  # a process has imported one of each package
def version(package: str) -> str:
    """Return the version of an installed package."""
    # parsing all that a package says of itself takes ten times as long as finding this
    head = (metadata.distribution(package).read_text("METADATA") or "").partition("\n\n")[0]
    found = _VERSION.search(head)
    return found[1] if found else metadata.version(package)


def _budget(plan: Plan) -> dict[str, Any]:
    """Return what a budget became, where one was asked for."""
    if plan.budget is None:
        return {}
    became = {name: plan.numbers[name] for name in ("samples", "repeats")}
    return {"budget": {"asked": plan.budget, **became}}


def versions_now() -> dict[str, str]:
    """Return the versions that decide last digits, of the packages that are in use."""
    found = {"xplain-cli": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    # asked of the modules, for one may be installed under another name: xgboost as xgboost-cpu
    used = {package: sys.modules.get(package) for package in WHERE_USED}
    return found | {name: str(module.__version__) for name, module in used.items() if module}


def platform_now() -> str:
    """Return the system and the kind of processor."""
    return f"{sys.platform} {platform.machine()}"


def _accepted(opened: Inputs) -> dict[str, Any]:
    """Return what of the model's numbers the user had to accept, where there was any of it."""
    found = {LEFTOVERS: list(opened.loaded.leftovers), UNSTEADY: opened.unsteady}
    return {name: said for name, said in found.items() if said}


def manifest(
    request: Request,
    opened: Inputs,
    chosen: Choices,
    plan: Plan,
    pool: Mapping[str, Any],
    notes: Sequence[str],
) -> dict[str, Any]:
    """
    Return the deterministic manifest of a run; the run adds the SHA-256 of its outputs.

    Parameters
    ----------
    pool
        The shared pool: rows, model inputs, SHA-256 of its outputs.
    notes
        All that was decided and told.
    """
    signature = opened.signature
    said = {
        "argv": list(request.argv),
        "project_file": request.project_file,
        "model": {
            "source": request.sources.model,
            "kind": opened.loaded.kind,
            "sha256": opened.loaded.sha256,
            "versions": dict(opened.loaded.versions),
            "trusted": list(request.trust.trusted),
            "trust_model": request.trust.trust_model,
            **_accepted(opened),
        },
        "data": {"paths": list(opened.modality.paths), "sha256": opened.modality.sha256},
        **opened.modality.facts(),
        **chosen.neighbourhood.facts,
        "task": signature.task,
        "response": signature.response,
        "classes": list(signature.outputs),
        "output_scale": chosen.scale.label,
        "method": method_label(request, chosen),
        **chosen.method.facts(chosen.perturbation),
        "baseline": chosen.neighbourhood.meaning,
        "pool": dict(pool),
        "seed_rule": RULE,
        "notes": list(notes),
        "versions": versions_now(),
        "platform": platform_now(),
    }
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": plan.run_id,
        "digests": plan.digests,
        "plan": plan.groups,
        **_budget(plan),
        **redact_all(said),
        "classes": list(signature.outputs),
    }


def _peak_megabytes() -> float | None:
    try:
        import resource
    except ImportError:  # not on this platform
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


@dataclass
class Course:
    """
    How a run went: for run_results.json.

    ``seconds`` are those of this process, phase by phase; ``work`` adds up what all processes
    spent on reading, predicting, solving and writing.
    """

    began: float
    backend: str = "none"
    seconds: dict[str, float] = field(default_factory=dict)
    work: dict[str, float] = field(default_factory=dict)
    model_inputs: int = 0

    def lap(self, phase: str) -> None:
        """Close a phase."""
        now = time.perf_counter()
        self.seconds[phase] = round(now - self.began - sum(self.seconds.values()), 4)

    def _add(self, work: str, seconds: float) -> None:
        self.work[work] = self.work.get(work, 0.0) + seconds

    @contextlib.contextmanager
    def during(self, work: str) -> Iterator[None]:
        """Time a block as a kind of work."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._add(work, time.perf_counter() - began)

    def timed(self, work: str, items: Iterator[_Item]) -> Iterator[_Item]:
        """Yield items, timing how long each takes to come as a kind of work."""
        while True:
            with self.during(work):
                item = next(items, None)
            if item is None:
                return
            yield item

    def spent(self, effort: Effort) -> None:
        """Add what a chunk took, in whatever process."""
        self._add("predict", effort.predict)
        self._add("solve", effort.solve)
        self.model_inputs += effort.model_inputs

    def chose(self, backend: str) -> None:
        """Note the backend that was used."""
        self.backend = backend


def reached(facts: Mapping[str, Any]) -> list[str]:
    """Say how many rows are as precise as --max-rel-se asks."""
    goal = facts.get("precision_goal")
    if goal is None:
        return []
    text = f"max_rel_se {goal['max_rel_se']:g}: reached by {goal['rows_reached']} of {goal['rows']}"
    return [f"{text} rows, with up to {goal['most_repeats']} repeats"]


def details(outcome: Mapping[str, Any]) -> list[str]:
    """Return what ``--verbose`` wants to know of results: where the time went."""
    phases = ", ".join(f"{phase} {spent:.2f} s" for phase, spent in outcome["seconds"].items())
    work = ", ".join(f"{kind} {spent:.2f} s" for kind, spent in outcome["work_seconds"].items())
    peak = outcome["peak_megabytes"]
    rows = outcome["rows_ok"] + outcome["rows_empty"] + outcome["rows_failed"]
    shared, own = outcome["model_inputs_pool"], outcome["model_inputs_rows"]
    return [
        f"time: {phases}; backend {outcome['backend']}",
        f"work of all processes: {work}",
        f"model inputs: {shared} in the shared pool, {own} for {rows} rows",
        *([] if peak is None else [f"peak memory: {peak:.0f} MB"]),
    ]


def results(
    course: Course, whole: Summary, pool: Mapping[str, Any], model_inputs: int
) -> dict[str, Any]:
    """Return how a run went: times per phase, peak memory, rows, labels; its rows' model inputs."""
    return {
        "seconds": course.seconds,
        "work_seconds": {work: round(spent, 4) for work, spent in course.work.items()},
        "backend": course.backend,
        "peak_megabytes": _peak_megabytes(),
        "rows_ok": whole.rows,
        "rows_empty": whole.empty,
        "rows_failed": whole.failed,
        "model_inputs_pool": pool.get("model_inputs", 0),
        "model_inputs_rows": model_inputs,
        "precision": whole.precision,
        "fidelity": whole.fidelity,
        "median_and_tail": {name: list(pair) for name, pair in whole.quantiles.items()},
    }
