"""Properties: whatever stands in the file, it is taken or refused in words; never a traceback."""

import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from components.naming import ModelName, RouteName, VersionName, labels, object_name
from components.spec import Mistake, StackFileError, parse

JUNK_TEXT = st.text(max_size=20) | st.text(
    st.characters(codec=None), max_size=5
)  # lone surrogates, too
KEYS = JUNK_TEXT | st.sampled_from(
    [
        *("namespace", "registry", "hostname", "ingressController", "resources", "cpu", "memory"),
        *("iris", "language", "handler", "versions", "routes", "v1", "v2", "prod", "weights"),
        *("source", "replicas", "environment", "deadlineSeconds", "image", "autoscaling"),
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | JUNK_TEXT
    | st.dates()
    | st.sampled_from(["models/iris/v1", "predict:predict", "python", "500m", "1Gi"])
)
JUNK = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(KEYS, inner, max_size=5)
        | st.dictionaries(KEYS | st.integers() | st.none() | st.booleans(), inner, max_size=3)
    ),
    max_leaves=20,
)
# Almost right, so that the checks behind the types are reached as well.
VERSIONS = st.dictionaries(
    KEYS,
    JUNK | st.fixed_dictionaries({"source": JUNK_TEXT}, optional={"handler": JUNK}),
    max_size=3,
)
ROUTES = st.dictionaries(
    KEYS,
    JUNK | st.fixed_dictionaries({"weights": st.dictionaries(KEYS, SCALARS, max_size=3)}),
    max_size=3,
)
MODELS = st.dictionaries(
    KEYS,
    st.fixed_dictionaries({}, optional={"handler": JUNK, "versions": VERSIONS, "routes": ROUTES}),
    max_size=3,
)
SHARED = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@SHARED
@given(platform=JUNK, models=JUNK | MODELS)
def test_any_input_is_taken_or_refused_in_words(
    project: Path, platform: object, models: object
) -> None:
    refused: StackFileError | None = None
    try:
        parse(platform, models, project)
    except StackFileError as error:
        refused = error
    if refused:
        assert refused.mistakes
        assert len(str(refused).splitlines()) == 1 + len(refused.mistakes)
        assert str(refused).encode()


def test_deep_nesting_is_refused_in_words(project: Path) -> None:
    junk: object = []
    for _ in range(50_000):
        junk = [junk]
    with pytest.raises(StackFileError):
        parse(junk, {"iris": {"versions": {"v1": junk}}}, project)


def test_a_number_too_long_for_text_is_refused_in_words(project: Path) -> None:
    version = {"source": "models/iris/v1", "replicas": 10**5000, "environment": {"A": 10**5000}}
    with pytest.raises(StackFileError, match="found a number of more than 64 bits"):
        parse({10**5000: 1}, {"iris": {"versions": {"v1": version}}}, project)


def mistakes_of(weights: dict[str, int], project: Path) -> tuple[Mistake, ...]:
    platform = {"namespace": "models", "registry": "localhost:5000", "hostname": "localhost"}
    version = {"source": "models/iris/v1"}
    iris = {
        "language": "python",
        "handler": "predict:predict",
        "versions": dict.fromkeys(weights, version),
        "routes": {"prod": {"weights": weights}},
    }
    try:
        parse(platform, {"iris": iris}, project)
    except StackFileError as error:
        return error.mistakes
    return ()


@SHARED
@given(cuts=st.lists(st.integers(0, 100), max_size=5))
def test_whole_shares_of_a_hundred_are_taken(project: Path, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), 100]
    weights = {f"v{i}": edges[i] - edges[i - 1] for i in range(1, len(edges))}
    assert mistakes_of(weights, project) == ()


@SHARED
@given(shares=st.lists(st.integers(0, 100), min_size=1, max_size=6))
def test_any_other_total_is_refused_once_with_the_total(project: Path, shares: list[int]) -> None:
    total = sum(shares)
    found = mistakes_of({f"v{i}": share for i, share in enumerate(shares, 1)}, project)
    assert [mistake.found for mistake in found] == ([] if total == 100 else [f"a total of {total}"])


MODEL: TypeAdapter[str] = TypeAdapter(ModelName)
ROUTE: TypeAdapter[str] = TypeAdapter(RouteName)
VERSION: TypeAdapter[str] = TypeAdapter(VersionName)


def accepts(kind: TypeAdapter[str], name: str) -> bool:
    try:
        kind.validate_python(name)
    except ValidationError:
        return False
    return True


NAMES = st.text(string.ascii_letters + string.digits + "-_.", max_size=45)


@given(model=NAMES, part=NAMES)
def test_accepted_names_make_objects_that_kubernetes_takes(model: str, part: str) -> None:
    if accepts(MODEL, model) and (accepts(ROUTE, part) or accepts(VERSION, part)):
        name = object_name(model, part)
        assert name == f"{model}-{part}"
        assert len(name) <= 63
        assert set(name) <= set(string.ascii_lowercase + string.digits + "-")
        assert name[0] in string.ascii_lowercase
        assert name[-1] != "-"


@given(model=st.from_regex(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True))
def test_every_label_of_forty_characters_is_a_models_name(model: str) -> None:
    assert accepts(MODEL, model)
    assert not accepts(MODEL, model + "-")
    assert not accepts(MODEL, model.ljust(41, "x"))


@given(number=st.integers(0, 10**15 - 1))
def test_no_name_is_a_route_and_a_version(number: int) -> None:
    assert accepts(VERSION, f"v{number}") == (number > 0)
    assert not accepts(ROUTE, f"v{number}")


def test_labels_name_what_is_given_and_nothing_else() -> None:
    common = {
        "app.kubernetes.io/component": "model",
        "app.kubernetes.io/part-of": "model-deployment",
        "app.kubernetes.io/managed-by": "pulumi",
    }
    assert labels("model") == common
    assert labels("model", "iris", "v1") == {
        **common,
        "app.kubernetes.io/name": "iris",
        "app.kubernetes.io/version": "v1",
    }
