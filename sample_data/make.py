"""Remake every file of this folder: tables, models and ONNX exports, from fixed seeds."""

import argparse
import pickle
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from make_comments import make_comments
from skl2onnx import to_onnx
from skl2onnx.common.data_types import (
    BooleanTensorType,
    FloatTensorType,
    Int64TensorType,
    StringTensorType,
)
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

OPSET = 17  # not the newest: any onnxruntime that we allow reads it

LOAN_ROWS = 1000
LOAN_TEXTS = {
    "employment": {"permanent": 0.58, "temporary": 0.17, "self-employed": 0.15, "retired": 0.1},
    "housing": {"own": 0.22, "mortgage": 0.4, "rent": 0.38},
    "purpose": {"car": 0.3, "debt": 0.26, "education": 0.12, "home": 0.22, "other": 0.1},
}
LOAN_MEASURES = ["income", "years_employed"]  # with gaps
LOAN_COUNTS = ["age", "amount", "term_months", "open_loans", "missed_payments"]
LOAN_SWITCHES = ["existing_customer"]
LOAN_COLUMNS = [*LOAN_COUNTS, *LOAN_MEASURES, *LOAN_SWITCHES, *LOAN_TEXTS]


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV with Unix line ends, numbers in full."""
    table.to_csv(path, index=False, lineterminator="\n")


def write_pickle(model: object, path: Path) -> None:
    """Write a model with the pickle protocol that every supported Python reads."""
    with path.open("wb") as file:
        pickle.dump(model, file, protocol=5)


def make_breast_cancer(folder: Path) -> None:
    """Write data.csv, model.pkl and model.onnx: a forest that tells malignant from benign."""
    rows, labels = load_breast_cancer(return_X_y=True, as_frame=True)
    diagnosis = np.array(["malignant", "benign"])[labels]
    forest = RandomForestClassifier(n_estimators=100, random_state=0).fit(rows, diagnosis)
    table = rows.assign(diagnosis=diagnosis)
    table.insert(0, "id", [f"patient-{number:04d}" for number in range(1, len(rows) + 1)])
    write_table(table, folder / "data.csv")
    write_pickle(forest, folder / "model.pkl")
    exported = to_onnx(
        forest,
        initial_types=[("input", FloatTensorType([None, rows.shape[1]]))],
        options={id(forest): {"zipmap": False}},
        target_opset=OPSET,
    )
    (folder / "model.onnx").write_bytes(exported.SerializeToString())


def make_wine(folder: Path) -> None:
    """Write wine.csv and wine.joblib: a small neural network behind a scaler, three classes."""
    rows, labels = load_wine(return_X_y=True, as_frame=True)
    cultivar = np.array(["class_0", "class_1", "class_2"])[labels]
    network = MLPClassifier((32,), alpha=0.1, max_iter=2000, random_state=0)
    pipeline = make_pipeline(StandardScaler(), network).fit(rows, cultivar)
    write_table(rows.assign(cultivar=cultivar), folder / "wine.csv")
    joblib.dump(pipeline, folder / "wine.joblib")


def make_diabetes(folder: Path) -> None:
    """Write diabetes.csv and diabetes.pkl: boosting that predicts a number."""
    rows, progression = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    rows = rows.astype({"age": np.int64, "sex": np.int64})
    model = GradientBoostingRegressor(random_state=0).fit(rows, progression)
    write_table(rows.assign(progression=progression), folder / "diabetes.csv")
    write_pickle(model, folder / "diabetes.pkl")


def draw_loans() -> pd.DataFrame:
    """
    Draw applications and decide them by a noisy rule.

    The rule: approval falls with the yearly instalment as a share of income and with missed
    payments, rises with years employed, is higher for owners, and (the interaction) open loans
    count against new customers only. Logistic noise on top, so that no model can be perfect.
    """
    stream = np.random.default_rng(20240501)
    age = stream.integers(19, 76, LOAN_ROWS)
    income = np.round(stream.lognormal(10.4, 0.45, LOAN_ROWS), -2)
    amount = np.round(stream.lognormal(9.1, 0.7, LOAN_ROWS), -2).astype(np.int64) + 500
    term = stream.choice([12, 24, 36, 48, 60, 84], LOAN_ROWS)
    years = np.round(np.minimum(stream.gamma(1.6, 4.0, LOAN_ROWS), age - 18), 1)
    loans = stream.poisson(1.2, LOAN_ROWS)
    missed = stream.poisson(0.35, LOAN_ROWS)
    customer = stream.random(LOAN_ROWS) < 0.45
    texts = {
        name: stream.choice(list(shares), LOAN_ROWS, p=list(shares.values()))
        for name, shares in LOAN_TEXTS.items()
    }
    score = (
        2.6
        - 7.0 * (amount / term * 12) / income
        - 1.1 * missed
        + 0.09 * np.minimum(years, 15)
        - 0.9 * loans * ~customer
        + 0.8 * (texts["housing"] == "own")
        - 0.7 * (texts["employment"] == "temporary")
        + stream.logistic(0.0, 0.6, LOAN_ROWS)
    )
    table = pd.DataFrame({
        "application": [f"A-{number:05d}" for number in range(1, LOAN_ROWS + 1)],
        "age": age,
        "income": income,
        "amount": amount,
        "term_months": term,
        "years_employed": years,
        "open_loans": loans,
        "missed_payments": missed,
        "existing_customer": customer,
        **texts,
        "decision": np.where(score > 0, "approved", "declined"),
    })
    for column, share in {"income": 0.03, "years_employed": 0.06, "employment": 0.05}.items():
        table.loc[stream.random(LOAN_ROWS) < share, column] = None
    return table


def fit_loans(table: pd.DataFrame) -> Pipeline:
    """
    Fit boosting behind a column transformer.

    The categories are spelt out, so that a missing text is no category of its own: all its
    indicator columns are 0, in scikit-learn and in the ONNX export alike.
    """
    encoder = OneHotEncoder(
        categories=[np.array(list(words), dtype=object) for words in LOAN_TEXTS.values()],
        handle_unknown="ignore",
        sparse_output=False,
    )
    filled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    columns = ColumnTransformer([
        ("measures", filled, LOAN_MEASURES),
        ("counts", StandardScaler(), LOAN_COUNTS),
        ("switches", "passthrough", LOAN_SWITCHES),
        ("texts", encoder, list(LOAN_TEXTS)),
    ])
    booster = GradientBoostingClassifier(n_estimators=80, random_state=0)
    pipeline = Pipeline([("columns", columns), ("booster", booster)])
    return pipeline.fit(table[LOAN_COLUMNS], table["decision"])


def make_loans(folder: Path) -> None:
    """Write loans.csv, loans.pkl and loans.onnx: numbers, switches and texts side by side."""
    table = draw_loans()
    pipeline = fit_loans(table)
    write_table(table, folder / "loans.csv")
    write_pickle(pipeline, folder / "loans.pkl")
    kinds = {"b": BooleanTensorType, "i": Int64TensorType, "f": FloatTensorType}
    inputs = [
        (name, kinds.get(table[name].dtype.kind, StringTensorType)([None, 1]))
        for name in LOAN_COLUMNS
    ]
    exported = to_onnx(
        pipeline,
        initial_types=inputs,
        options={id(pipeline): {"zipmap": True}},
        target_opset=OPSET,
    )
    (folder / "loans.onnx").write_bytes(exported.SerializeToString())


def main() -> None:
    """Remake the files in the folder of this script, or in ``--output``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path(__file__).parent)
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    with threadpool_limits(1):  # sums over threads differ in the last digit
        for make in (make_breast_cancer, make_wine, make_diabetes, make_loans, make_comments):
            make(folder)


if __name__ == "__main__":
    main()
