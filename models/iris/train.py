"""Fits both iris models and writes their weights as JSON: `python models/iris/train.py`.

Stands outside the version folders: how weights came about is not part of a published version.
Fitting has no random part; a second run on the same processor writes the same bytes. On another
processor NumPy's linear algebra may add in another order, which changes the fitted coefficients in
the fifth decimal. JSON instead of a pickle: it can be read in a review, runs no code when loaded,
and outlives scikit-learn's versions.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

HERE = Path(__file__).resolve().parent
DIGITS = 12  # decimals kept of each weight


def fit_v1() -> LogisticRegression:
    """Linear borders between the species."""
    features, species = load_iris(return_X_y=True)
    return LogisticRegression(C=1.0, max_iter=1000, tol=1e-8).fit(features, species)


def fit_v2() -> GaussianNB:
    """Each measure of each species as a bell curve."""
    features, species = load_iris(return_X_y=True)
    return GaussianNB().fit(features, species)


def main() -> None:
    """Write `v1/weights.json` and `v2/weights.json`."""
    species = load_iris().target_names.tolist()
    v1, v2 = fit_v1(), fit_v2()
    _write("v1", {"species": species, "coef": v1.coef_, "intercept": v1.intercept_})
    _write("v2", {"species": species, "prior": v2.class_prior_, "mean": v2.theta_, "var": v2.var_})


def _write(version: str, weights: Mapping[str, list[str] | np.ndarray]) -> None:
    plain = {
        name: value if isinstance(value, list) else value.round(DIGITS).tolist()
        for name, value in weights.items()
    }
    text = json.dumps(plain, indent=2) + "\n"
    (HERE / version / "weights.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
