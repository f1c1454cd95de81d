"""Predicts the model inputs and the seconds of a run from its number of samples."""

from collections.abc import Mapping
from dataclasses import dataclass

from xplain_cli.features import Perturbation
from xplain_cli.methods import Method
from xplain_cli.models.batches import padded
from xplain_cli.samples import doublings, least_samples

ENDLESS = 1 << 40
_SMALL_SECONDS = 5.0  # below which --backend auto stays serial


@dataclass(frozen=True)
class CostModel:
    """
    How many model inputs a run takes at most, by its samples; batches are not filled up in it.

    It knows neither workers nor chunks nor the order of rows: the same budget in model inputs
    becomes the same samples everywhere.

    Attributes
    ----------
    method, perturbation
        What asks.
    repeats
        Of each row.
    features
        How many rows have how many features, over all shards.
    """

    method: Method
    perturbation: Perturbation
    repeats: int
    features: Mapping[int, int]

    @property
    def rows(self) -> int:
        """The number of rows."""
        return sum(self.features.values())

    def pool(self, samples: int) -> int:
        """Return the model inputs of the pools that rows share."""
        if not self.method.pooled:
            return 0
        return self.perturbation.traits.pools * samples * self.repeats

    def one(self, n: int, samples: int) -> int:
        """Return the model inputs of a row with n features."""
        own = self.method.row_inputs(self.perturbation, n, (samples, self.repeats)) if n else 0
        return self.perturbation.traits.fixed_inputs + self.perturbation.traits.copies * own

    def own(self, samples: int) -> int:
        """Return the model inputs of all rows."""
        return sum(count * self.one(n, samples) for n, count in self.features.items())

    def total(self, samples: int) -> int:
        """Return all model inputs."""
        return self.pool(samples) + self.own(samples)

    def choices(self) -> list[int]:
        """Return the samples that make sense: powers of two, up to memory or to all masks."""
        n_fitted = self.perturbation.traits.n_fitted
        least = least_samples(n_fitted) if n_fitted else 1
        cells = self.repeats * max(self.features, default=1)
        everything = self.total(ENDLESS)
        return doublings(least, cells, lambda samples: self.total(samples) < everything)


@dataclass(frozen=True)
class Speed:
    """
    How long a run takes here, by its samples.

    Attributes
    ----------
    per_input
        Seconds in the model.
    per_draw
        Seconds to draw each of the samples of the shared pool.
    solve, solve_per_sample, write
        Seconds for each row outside the model: whatever the samples, for each of them, and to
        write it.
    chunks, batch_rows
        How rows come: each chunk fills its last batch up.
    workers, opening
        How many share the rows, and the seconds that starting one takes.
    patient
        Whether a small job starts none.
    """

    per_input: float
    per_draw: float
    solve: float
    solve_per_sample: float
    write: float
    chunks: int
    batch_rows: int
    workers: int
    opening: float
    patient: bool

    def seconds(self, demand: CostModel, samples: int) -> float:
        """Return the seconds that a run with so many samples takes from now on."""
        own = demand.rows + demand.own(samples)
        filled = self.chunks * padded(-(-own // self.chunks), self.batch_rows)
        solving = demand.rows * (self.solve + self.solve_per_sample * samples)
        spread = filled * self.per_input + solving
        alone = padded(demand.pool(samples), self.batch_rows) * self.per_input
        alone += self.per_draw * samples + demand.rows * self.write
        stays = self.patient and spread <= max(_SMALL_SECONDS, 2 * self.opening)
        if self.workers == 1 or stays:
            return alone + spread
        return alone + spread / self.workers + self.opening
