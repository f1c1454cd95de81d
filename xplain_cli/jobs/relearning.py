"""Baselines that were trained for a model, trained again for it as it is drawn anew."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from xplain_cli.baselines import open_baseline
from xplain_cli.baselines.learned_file import read_learned
from xplain_cli.console import Console
from xplain_cli.errors import UsageError
from xplain_cli.jobs.baselines import learn
from xplain_cli.options.request import Request
from xplain_cli.options.runs import References, Slices
from xplain_cli.options.tables import Ids
from xplain_cli.options.training import Training
from xplain_cli.planning.inputs import open_inputs


@dataclass(frozen=True)
class Relearning:
    """
    How the baseline of a request is had anew for another state of its model.

    Attributes
    ----------
    request
        What the run was asked.
    rows
        On which rows its baseline was trained; None: on the background of the run, or on DATA.
    folder
        Where trained files may be put.
    console
        Where it is said that something is trained.
    """

    request: Request
    rows: str | None
    folder: Path
    console: Console

    @property
    def _baseline(self) -> Any:
        """The baseline of the run, where a file of it was trained; else None."""
        text = self.request.first_baseline
        if text is None:
            return None
        found: Any = open_baseline(self.request.modality, text)
        return found if getattr(found, "trained", False) else None

    def request_for(self, redrawn: tuple[int, int] | None, *, seed: int) -> Request:
        """
        Return what is asked of a state of the model: its baseline is trained anew, if it was.

        Raises
        ------
        UsageError
            It was trained on other rows, or torch is not installed.
        """
        sampling = replace(self.request.sampling, seed=seed)
        asked, baseline = replace(self.request, redrawn=redrawn, sampling=sampling), self._baseline
        if baseline is None:
            return asked
        held = read_learned(baseline.path).facts
        # another seed of the run is another seed of the training
        own = int(held["seed"]) + seed - self.request.sampling.seed
        recipe = held["recipe"]
        training = Training(kind="ganmex", steps=recipe["steps"], noise=recipe["noise"])
        rows = self._rows(held["data"], asked)
        path = self.folder / f"{redrawn[0] if redrawn else 'control'}.xplain"
        layers = f"layer{'s' * (redrawn[0] != 1)}" if redrawn else ""
        what = f"{redrawn[0]} {layers} drawn anew" if redrawn else f"seed {own}"
        self.console.note(f"training {Path(baseline.path).name} anew: {what}")
        # a class that a randomised model says of no row is still what rows are to be moved to
        learn(
            replace(rows, sampling=replace(sampling, seed=own)),
            training,
            path,
            Console(quiet=True),
            unseen=redrawn is not None,
        )
        again = replace(baseline, path=str(path))
        return replace(asked, references=replace(asked.references, baseline=(again.label,)))

    def _rows(self, sha256: str, asked: Request) -> Request:
        """Return a request whose DATA are the rows of a training."""
        named = self.rows or self.request.references.background or self.request.sources.data[0]
        request = replace(
            asked,
            sources=replace(asked.sources, data=(named,)),
            references=References(),
            slices=Slices(),
            ids=Ids(),
        )
        if open_inputs(request).modality.sha256 != sha256:
            raise UsageError(
                f"--randomize: the baseline was trained on other rows than {named}, and must be"
                " trained anew on the same; name them by --trained-on FILE"
            )
        return request
