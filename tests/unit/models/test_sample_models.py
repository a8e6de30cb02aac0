"""The sample models: known flowers, and weights that say what the fitted estimator says."""

import importlib.util
from pathlib import Path
from types import ModuleType

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
def test_iris_names_known_flowers(
    version: str, measures: tuple[float, float, float, float], species: str
) -> None:
    answer = module(f"iris/{version}/predict.py").predict(*measures)
    assert answer.keys() == {"species", "probability"}
    assert answer["species"] == species
    assert type(answer["probability"]) is float
    assert 0.9 < answer["probability"] <= 1


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_the_weights_say_what_the_fitted_estimator_says(version: str) -> None:
    fitted = getattr(module("iris/train.py"), f"fit_{version}")()
    served = module(f"iris/{version}/predict.py")
    features, _ = load_iris(return_X_y=True)
    names = load_iris().target_names
    for measures, wanted in zip(features, fitted.predict_proba(features), strict=True):
        answer = served.predict(*measures.tolist())
        assert answer["species"] == names[wanted.argmax()]
        assert answer["probability"] == pytest.approx(wanted.max(), abs=1e-4)


def test_the_two_versions_are_two_models() -> None:
    flower = (6.0, 2.7, 5.1, 1.6)
    answers = [module(f"iris/{version}/predict.py").predict(*flower) for version in ("v1", "v2")]
    assert answers[0] != answers[1]


def test_training_again_writes_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = module("iris/train.py")
    monkeypatch.setattr(train, "HERE", tmp_path)
    for version in ("v1", "v2"):
        (tmp_path / version).mkdir()
    train.main()
    for version in ("v1", "v2"):
        written = (tmp_path / version / "weights.json").read_bytes()
        assert written == (MODELS / "iris" / version / "weights.json").read_bytes()


def test_echo_returns_what_it_gets() -> None:
    value = {"a": [1, None]}
    assert module("echo/v1/predict.py").predict(value) is value


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_requirements_are_pinned_by_hash_and_name_no_address(version: str) -> None:
    text = (MODELS / "iris" / version / "requirements.txt").read_text(encoding="utf-8")
    assert "scikit-learn==" in text
    assert "://" not in text
    pins = [line for line in text.splitlines() if "==" in line]
    assert all(line.endswith("\\") for line in pins)
