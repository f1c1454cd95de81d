"""The summary of a run: its strongest features, and how far to trust them.

Rows stream through a Tally, which keeps sums and histograms, and two numbers a row.
"""

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from xplain_cli.errors import install_line
from xplain_cli.quality.failures import Failure, Failures
from xplain_cli.quality.words import FIDELITY, PRECISION

if TYPE_CHECKING:  # pandas would cost --help half a second
    from xplain_cli.explanation import Records

_UNBOUNDED = {"max_rel_se": 0.95, "local_r2": 0.05}
_SHARES = {"topk_jaccard": 0.05, "sign_probability": 0.05, "locality": 0.95}
_BINS = 1000
_ROUNDING = 1e-9  # of the prediction: weights below it are none
_DRAWN = "background"  # the baseline of runs whose rows are compared with draws
_ADDS_UP = 1e-6  # attribution error: below it base and weights are the prediction
_REASONS = 3  # of failed rows
_FALLBACK = "characters"
_TEXT_COLUMNS = {"segmentation", "n_truncated"}


@dataclass(frozen=True)
class FeatureLine:
    """
    One feature over all explained (row, target) pairs.

    Attributes
    ----------
    feature : str
    weight : float
        Mean of |weight|, in units of the target.
    rising : float
        Mean of the positive part of the weight; ``weight - rising`` is that of the negative part.
    std_error : float
        Mean standard error of one weight.
    top_share : float in [0, 1]
        How often the feature ranks among the top K.
    """

    feature: str
    weight: float
    rising: float
    std_error: float
    top_share: float


@dataclass(frozen=True)
class Subject:
    """
    What was explained, and what it was compared with.

    Attributes
    ----------
    targets : dict
        How many explanations each target has, the most frequent first.
    scale, baseline : str
        As every line of the output says them.
    prediction, base_value : float
        Means over all explanations, in units of the target.
    """

    targets: dict[str, int]
    scale: str
    baseline: str
    prediction: float
    base_value: float

    def named(self, limit: int = 5) -> str:
        """Return the targets, at most *limit* of several with their counts, and the scale."""
        names = list(self.targets)
        if len(names) == 1:
            return f"{names[0]} ({self.scale})"
        shown = ", ".join(f"{name} in {self.targets[name]:,}" for name in names[:limit])
        more = f", and {len(names) - limit} more" if len(names) > limit else ""
        return f"{len(names)} targets ({self.scale}): {shown}{more}"


@dataclass(frozen=True)
class Summary:
    """
    A whole run in one screen.

    Attributes
    ----------
    subject : Subject, optional
        None where no row was explained.
    features : tuple of FeatureLine
        The strongest first.
    rows, failed, empty : int
        Rows explained, rows that failed, rows in which there is nothing to explain.
    precision, fidelity : dict
        How many (row, target) pairs have each word, every word there.
    quantiles : dict
        Column of stability.csv to its median and its bad end: the 95th percentile of max_rel_se
        and locality, the 5th of the others. A column without numbers is left out.
    notes : tuple of str
        Lines that belong under the table.
    top_k : int
        The K of ``top_share``.
    otherwise, decided : int
        Rows where base and weights decide otherwise than the model, of those where both decide.
    unmoved : int
        Rows where no weight is above rounding of the prediction.
    largest_error : float, optional
        The largest attribution error, where no row has an R^2 and all add up; else None.
    failures : tuple of Failure
        The most frequent reasons of failed rows, what is left as one.
    held : tuple of str
        Features that stay the row's own, and have no weight.
    """

    features: tuple[FeatureLine, ...]
    rows: int
    failed: int
    precision: dict[str, int]
    fidelity: dict[str, int]
    quantiles: dict[str, tuple[float, float]]
    notes: tuple[str, ...] = ()
    top_k: int = 5
    otherwise: int = 0
    decided: int = 0
    unmoved: int = 0
    largest_error: float | None = None
    empty: int = 0
    subject: Subject | None = None
    failures: tuple[Failure, ...] = ()
    held: tuple[str, ...] = ()


def _other_questions(scale: str, baseline: str) -> str:
    """Return what may show weights where none are: only options that the run can take."""
    drawn = baseline == _DRAWN
    other = "other rows as --background, or a larger lime:kernel_width"
    other = other if drawn else "another baseline (-b)"
    return f"--output-scale log-odds, or {other}" if scale == "probability" else other


def _counts(column: Any) -> dict[Any, int]:
    """Return how often each word of a column stands there, the most frequent first."""
    return {word: int(count) for word, count in column.value_counts().items() if count}


class Tally:
    """
    The running sums of a run, fed part by part in any order.

    Parameters
    ----------
    top_k : int
        The K of ``FeatureLine.top_share``.
    """

    def __init__(self, top_k: int = 5) -> None:
        self.top_k = top_k
        self._rows = 0
        self._failed = 0
        self._empty = 0
        self._failures = Failures()
        self._pairs = 0
        self._words = {"precision": dict.fromkeys(PRECISION, 0)}
        self._words["fidelity"] = dict.fromkeys(FIDELITY, 0)
        self._rules: dict[str, int] = {}
        self._truncated = 0
        self._otherwise = self._decided = self._unmoved = 0
        self._errors = (0, 0.0)  # lines that have one and no R^2, and the largest
        self._targets: dict[str, int] = {}
        self._said = ("", "")  # scale and baseline
        self._means = (0.0, 0.0)  # sums of predictions and base values
        self._sums: dict[str, list[float]] = {}
        self._values = {name: array("f") for name in _UNBOUNDED}
        self._counts = {name: [0] * (_BINS + 1) for name in _SHARES}

    def _add_features(self, weights: Any) -> None:
        """Add (weight, positive part, standard error, top K) of each feature to its sums."""
        import numpy as np
        import pandas as pd

        codes, names = pd.factorize(weights["feature"])
        value = weights["weight"].to_numpy(dtype=float)
        columns = (
            np.abs(value),
            np.maximum(value, 0.0),
            weights["std_error"].to_numpy(dtype=float),
            (weights["rank"].to_numpy() <= self.top_k).astype(float),
        )
        sums = [np.bincount(codes, weights=column, minlength=len(names)) for column in columns]
        for index, name in enumerate(map(str, names)):
            total = self._sums.setdefault(name, [0.0] * len(columns))
            for column, part in enumerate(sums):
                total[column] += float(part[index])

    def _add_quality(self, done: Any) -> None:
        import numpy as np

        for column, counts in self._words.items():
            for word, count in _counts(done[column]).items():
                counts[word] = counts.get(word, 0) + count
        for name, values in self._values.items():
            numbers = done[name].to_numpy(dtype=float)
            values.extend(numbers[np.isfinite(numbers)].tolist())
        for name, bins in self._counts.items():
            numbers = done[name].to_numpy(dtype=float)
            numbers = numbers[np.isfinite(numbers)].clip(0.0, 1.0)
            found = np.bincount(np.rint(numbers * _BINS).astype(int), minlength=_BINS + 1)
            for index in np.flatnonzero(found):
                bins[index] += int(found[index])

    def _add_decisions(self, records: "Records", done: Any) -> None:
        """Count rows that the surrogate decides otherwise, and those that nothing moves."""
        import numpy as np

        if "same_decision" in done:  # parts of an earlier version do not say
            rows = done.groupby("row")["same_decision"]
            least = rows.min().to_numpy(dtype=float)
            self._decided += int(np.isfinite(least).sum())
            self._otherwise += int((least == 0).sum())
        first = np.cumsum(records.lines) - records.lines
        has = records.lines > 0
        if has.any():
            largest = np.abs(records.weights["weight"].to_numpy(dtype=float)[first[has]])
            said = records.stability[has]
            still = largest <= _ROUNDING * np.abs(said["prediction"].to_numpy(dtype=float))
            self._unmoved += int(said["row"][still].nunique())
        errors = done["attribution_error"].to_numpy(dtype=float)
        alone = np.isfinite(errors) & done["local_r2"].isna().to_numpy()
        count, largest_error = self._errors
        top = float(errors[alone].max(initial=0.0))
        self._errors = (count + int(alone.sum()), max(largest_error, top))

    def _add_subject(self, done: Any) -> None:
        """Count the targets, and sum up what the model says of rows and of baselines."""
        for target, count in _counts(done["target"]).items():
            self._targets[str(target)] = self._targets.get(str(target), 0) + count
        self._said = (str(done["output_scale"].iloc[0]), str(done["baseline"].iloc[0]))
        prediction, base = self._means
        self._means = (
            prediction + float(done["prediction"].astype(float).sum()),
            base + float(done["base_value"].astype(float).sum()),
        )

    def _subject(self) -> Subject | None:
        if not self._targets:
            return None
        order = sorted(self._targets, key=lambda name: (-self._targets[name], name))
        prediction, base = (total / self._pairs for total in self._means)
        targets = {name: self._targets[name] for name in order}
        return Subject(targets, *self._said, prediction, base)

    def _add_texts(self, rows: Any) -> None:
        """Count by which rule texts were split, and those that the model does not read whole."""
        for rule, count in _counts(rows["segmentation"]).items():
            self._rules[str(rule)] = self._rules.get(str(rule), 0) + count
        self._truncated += int((rows["n_truncated"].astype(float) > 0).sum())

    def add(self, records: "Records") -> None:
        """Add the records of one part."""
        stability = records.stability
        status = stability["status"]
        done = stability[status == "ok"]
        self._failed += int((status == "failed").sum())
        self._failures.add(stability)
        self._empty += int(stability["row"][status == "empty"].nunique())
        self._rows += int(done["row"].nunique())
        self._pairs += len(done)
        if len(done):
            self._add_quality(done)
            self._add_subject(done)
            self._add_decisions(records, done)
            if set(done) >= _TEXT_COLUMNS:  # a table may keep a column of one of these names
                self._add_texts(done.drop_duplicates("row"))
        if len(records.weights):
            self._add_features(records.weights)

    def merge(self, other: "Tally") -> None:
        """Add what another tally has counted; in the order of parts, for sums are rounded."""
        mine, more = vars(self), vars(other)
        for name in (
            *("_rows", "_failed", "_pairs", "_truncated"),
            *("_otherwise", "_decided", "_unmoved", "_empty"),
        ):
            mine[name] += more[name]
        mine["_said"] = more["_said"] if more["_targets"] else self._said
        mine["_means"] = tuple(map(sum, zip(self._means, more["_means"], strict=True)))
        self._failures.merge(more["_failures"])
        (count, largest), (others, top) = self._errors, more["_errors"]
        self._errors = (count + others, max(largest, top))
        for name, values in more["_values"].items():
            self._values[name].extend(values)
        for ours, theirs in ((self._sums, more["_sums"]), (self._counts, more["_counts"])):
            for name, found in theirs.items():
                kept = ours.get(name, [0] * len(found))
                ours[name] = [a + b for a, b in zip(kept, found, strict=True)]
        words = {"rules": self._rules, "targets": self._targets, **self._words}
        added = {"rules": more["_rules"], "targets": more["_targets"], **more["_words"]}
        for name, counts in added.items():
            for word, count in counts.items():
                words[name][word] = words[name].get(word, 0) + count

    def _text_notes(self) -> list[str]:
        """Say by which rules texts were split, and what that misses."""
        if not self._rules:
            return []
        total = sum(self._rules.values())
        shares = ", ".join(f"{count / total:.0%} {rule}" for rule, count in self._rules.items())
        notes = [f"{'Split into':<31} {shares}"]
        if _FALLBACK in self._rules:
            notes.append(
                f"warning: {self._rules[_FALLBACK]} texts in scripts without spaces were split into"
                f" characters; {install_line('intl')} finds their words"
            )
        if self._truncated:
            notes.append(f"warning: {self._truncated} texts are longer than the model reads")
        return notes

    def _decision_notes(self) -> list[str]:
        """Say where the surrogate decides otherwise, and where nothing moves the answer."""
        notes = []
        if self._otherwise:
            notes.append(
                f"warning: the surrogate decides otherwise in {self._otherwise:,} of"
                f" {self._decided:,} rows; weights of -m kernel-shap add up to the prediction"
            )
        if self._unmoved:
            notes.append(
                f"warning: in {self._unmoved:,} of {self._rows:,} rows no weight is above rounding:"
                f" nothing moves the answer; try {_other_questions(*self._said)}"
            )
        return notes

    def _quantiles(self) -> dict[str, tuple[float, float]]:
        import numpy as np

        found: dict[str, tuple[float, float]] = {}
        for name, bad in _UNBOUNDED.items():
            if self._values[name]:
                middle, end = np.quantile(np.asarray(self._values[name]), (0.5, bad))
                found[name] = (float(middle), float(end))
        for name, bad in _SHARES.items():
            reached = np.cumsum(self._counts[name])
            if reached[-1]:
                middle, end = np.searchsorted(reached, np.array((0.5, bad)) * reached[-1])
                found[name] = (float(middle) / _BINS, float(end) / _BINS)
        return found

    def _largest_error(self) -> float | None:
        """Return the largest attribution error where all explanations add up; else None."""
        count, largest = self._errors
        adds_up = count > 0 and count == self._pairs and largest <= _ADDS_UP
        return largest if adds_up else None

    def summary(
        self, limit: int = 10, notes: tuple[str, ...] = (), reasons: int = _REASONS
    ) -> Summary:
        """Return what was added so far: *limit* strongest features, *reasons* of failed rows."""
        lines = [
            FeatureLine(name, *(total / max(self._pairs, 1) for total in sums))
            for name, sums in self._sums.items()
        ]
        # parts may come in any order: equal weights must not let that order show
        lines.sort(key=lambda line: (-line.weight, line.feature))
        return Summary(
            features=tuple(lines[:limit]),
            rows=self._rows,
            failed=self._failed,
            precision=dict(self._words["precision"]),
            fidelity=dict(self._words["fidelity"]),
            quantiles=self._quantiles(),
            notes=(*notes, *self._text_notes(), *self._decision_notes()),
            top_k=self.top_k,
            otherwise=self._otherwise,
            decided=self._decided,
            unmoved=self._unmoved,
            largest_error=self._largest_error(),
            empty=self._empty,
            subject=self._subject(),
            failures=self._failures.most(reasons),
        )
