"""Do spelled categories reach the model from every form of a table? Count over random tables.

    python tests/benchmarks/spelled.py --tables 520

Each table has random categories that look like numbers, bools, dates or codes; a model is fitted
on it (one-hot pipeline, CatBoost, LightGBM, XGBoost, HistGradientBoosting in turns), the table is
written as csv, tsv, jsonl, parquet and piped, and what xplain's reading makes the model answer is
compared with the library's answers on the frame. Exits 1 if any differs.
"""

import argparse
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import threadpoolctl

sys.path.insert(0, str(Path(__file__).parents[1] / "helpers"))

from spelled_tables import FORMS, MODELS, answers, fit_on, spelled_table

from xplain_cli.errors import RefusedError


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", type=int, default=520)
    parser.add_argument("--first", type=int, default=0, help="seed of the first table")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    began, wrong, refused = time.perf_counter(), 0, 0
    with tempfile.TemporaryDirectory() as folder, threadpoolctl.threadpool_limits(1):
        for seed in range(asked.first, asked.first + asked.tables):
            name = MODELS[seed % len(MODELS)]
            table = spelled_table(np.random.default_rng(seed), name)
            model, own = fit_on(name, table)
            for form in FORMS:
                try:
                    same = np.array_equal(answers(model, table, Path(folder), form), own)
                except RefusedError as error:  # XGBoost keeps too little of some names
                    refused += 1
                    print(f"{seed} {name} {form}: refused: {error}")
                    continue
                if not same:
                    wrong += 1
                    print(f"{seed} {name} {form}: differs")
    asked_forms = asked.tables * len(FORMS)
    seconds = time.perf_counter() - began
    print(f"{asked_forms} readings: {wrong} differ, {refused} refused, {seconds:.0f} s")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
