"""Save iris as an MLflow model of the scikit-learn flavor: `python mlflow_iris.py FOLDER`.

The model has a signature, as MLflow's documentation recommends.
"""

import sys

import mlflow
import pandas as pd
from mlflow.models import infer_signature
from predict import _MODEL

NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]

if __name__ == "__main__":
    flowers = pd.DataFrame([[5.1, 3.5, 1.4, 0.2]], columns=NAMES)
    mlflow.sklearn.save_model(
        _MODEL,
        sys.argv[1],
        signature=infer_signature(flowers, _MODEL.predict_proba(flowers.to_numpy())),
        pyfunc_predict_fn="predict_proba",
        pip_requirements=[],
    )
