"""The package lime as a peer on the same model and table."""

import warnings

import numpy as np
import pandas as pd


def mend_zero_width_bins():
    """Let lime draw the value of a bin without width, not its z-score: its known bug."""
    from lime.discretize import BaseDiscretizer

    drawn = BaseDiscretizer.get_undiscretize_values

    def mended(self, feature, values):
        lows = np.array(self.mins[feature])[values]
        highs = np.array(self.maxs[feature])[values]
        return np.where(lows == highs, lows, drawn(self, feature, values))

    BaseDiscretizer.get_undiscretize_values = mended


class LimePeer:
    """A LimeTabularExplainer over an opened case; categories are handed over as codes."""

    def __init__(self, case, background, seed=0):
        from lime.lime_tabular import LimeTabularExplainer

        warnings.simplefilter("ignore")
        self.case = case
        self.columns = list(background.columns)
        self.levels = {
            c: sorted(background[c].unique(), key=str)
            for c in self.columns
            if c in case.opened.modality.discrete
        }
        self.explainer = LimeTabularExplainer(
            self.encode(background).to_numpy(dtype=float),
            mode="regression" if case.opened.signature.task == "regression" else "classification",
            categorical_features=[self.columns.index(c) for c in self.levels],
            random_state=seed,
        )

    def encode(self, table):
        coded = {
            c: [self.levels[c].index(v) for v in table[c]] if c in self.levels else table[c]
            for c in self.columns
        }
        return pd.DataFrame(coded)

    def predict(self, matrix):
        table = {}
        for j, c in enumerate(self.columns):
            values = matrix[:, j]
            if c in self.levels:
                levels = np.array(self.levels[c], dtype=object)
                values = levels[values.astype(int)]
                if isinstance(self.levels[c][0], (bool, np.bool_)):
                    values = values.astype(bool)
            table[c] = values
        outputs = self.case.opened.model.predict(pd.DataFrame(table))
        return outputs[:, 0] if outputs.shape[1] == 1 else outputs

    def weights(self, row, label, samples=5000):
        """Return lime's weights of one row at all features, one run."""
        n = len(self.columns)
        values = self.encode(self.case.table.iloc[[row]]).to_numpy(dtype=float)[0]
        found = self.explainer.explain_instance(
            values, self.predict, labels=(label,), num_features=n, num_samples=samples
        )
        weights = dict(found.local_exp[label if label in found.local_exp else 1])
        return np.array([weights[j] for j in range(n)])
