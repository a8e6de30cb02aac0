"""The sample models: known flowers, and weights that say what the fitted estimator says."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from sklearn.datasets import load_iris

MODELS = Path(__file__).resolve().parents[3] / "models"


def module(path: str) -> ModuleType:
    name = path.replace("/", "_").removesuffix(".py")
    spec = importlib.util.spec_from_file_location(name, MODELS / path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(
    ("measures", "species"),
    [
        ((5.1, 3.5, 1.4, 0.2), "setosa"),
        ((5.7, 2.8, 4.1, 1.3), "versicolor"),
        ((6.3, 3.3, 6.0, 2.5), "virginica"),
    ],
)
def test_iris_predicts_known_species(
    version: str, measures: tuple[float, float, float, float], species: str
) -> None:
    answer = module(f"iris/{version}/predict.py").predict(*measures)
    assert answer.keys() == {"species", "probability"}
    assert answer["species"] == species
    assert type(answer["probability"]) is float
    assert 0.9 < answer["probability"] <= 1


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_iris_weights_match_fitted_estimator(version: str) -> None:
    fitted = getattr(module("iris/train.py"), f"fit_{version}")()
    served = module(f"iris/{version}/predict.py")
    features, _ = load_iris(return_X_y=True)
    names = load_iris().target_names
    for measures, probabilities in zip(features, fitted.predict_proba(features), strict=True):
        answer = served.predict(*measures.tolist())
        assert answer["species"] == names[probabilities.argmax()]
        assert answer["probability"] == pytest.approx(probabilities.max(), abs=1e-4)


def test_iris_versions_differ() -> None:
    flower = (6.0, 2.7, 5.1, 1.6)
    answers = [module(f"iris/{version}/predict.py").predict(*flower) for version in ("v1", "v2")]
    assert answers[0] != answers[1]


def test_iris_training_reproduces_published_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = module("iris/train.py")
    monkeypatch.setattr(train, "HERE", tmp_path)
    for version in ("v1", "v2"):
        (tmp_path / version).mkdir()
    train.main()
    for version in ("v1", "v2"):
        written = json.loads((tmp_path / version / "weights.json").read_text())
        published = json.loads((MODELS / "iris" / version / "weights.json").read_text())
        assert written.keys() == published.keys()
        assert written.pop("species") == published.pop("species")
        for name, weights in published.items():
            # linear algebra differs between processors, by up to 2.3e-5 in the runs seen
            np.testing.assert_allclose(written[name], weights, rtol=1e-4, atol=1e-4)


def test_echo_returns_its_input() -> None:
    value = {"a": [1, None]}
    assert module("echo/v1/predict.py").predict(value) is value


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_requirements_have_hashes_and_no_addresses(version: str) -> None:
    text = (MODELS / "iris" / version / "requirements.txt").read_text(encoding="utf-8")
    assert "scikit-learn==" in text
    assert "://" not in text
    pins = [line for line in text.splitlines() if "==" in line]
    assert all(line.endswith("\\") for line in pins)
