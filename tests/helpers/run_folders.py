"""Run folders without a job."""

from dataclasses import replace

import numpy as np
import pandas as pd

from xplain_cli.explanation import Records
from xplain_cli.plan import Plan
from xplain_cli.runs.folder import open_run

PLAN = Plan({"seed": 0, "samples": 8}, {"rows": [0, 2]}, {"format": "csv"})


OTHER = replace(PLAN, numbers={"seed": 1, "samples": 8})


def records():
    weights = pd.DataFrame({"row_id": ["r0"] * 40, "feature": ["a"] * 40, "target": ["t"] * 40})
    weights["weight"] = np.linspace(0, 1, 40)
    stability = pd.DataFrame({"row_id": ["r0"], "status": ["ok"]})
    return Records(weights, stability, np.array([40]), {})


def run_at(place, plan=PLAN, *, explicit=False, force=False, chunk_rows=2):
    return open_run(place, plan, explicit=explicit, force=force, chunk_rows=chunk_rows)
