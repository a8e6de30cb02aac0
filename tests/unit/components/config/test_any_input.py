"""Properties: any file is either accepted or refused with messages; never a traceback."""

import re
import string
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from components.config import ConfigIssue, StackFileError, parse
from components.naming import ModelName, RouteName, VersionName, labels, object_name

pytestmark = pytest.mark.slow

JUNK_TEXT = st.text(max_size=20) | st.text(
    st.characters(codec=None), max_size=5
)  # lone surrogates, too
KEYS = JUNK_TEXT | st.sampled_from(
    [
        *("namespace", "registry", "hostname", "ingressController", "resources", "cpu", "memory"),
        *("iris", "language", "handler", "versions", "routes", "v1", "v2", "prod", "weights"),
        *("source", "replicas", "environment", "deadlineSeconds", "image", "autoscaling"),
        *("path", "ref", "min", "max", "secrets", "nodeSelector", "gpu", "limits", "inFlight"),
        *("sticky", "mirror", "version", "percent", "failover", "tokens", "threads", "workers"),
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | JUNK_TEXT
    | st.dates()
    | st.sampled_from(
        ["models/iris/v1", "models/cars", "predict:predict", "python", "r", "500m", "1Gi"]
    )
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
IN_GIT = st.fixed_dictionaries(
    {"path": JUNK_TEXT | st.just("models/tagged"), "ref": JUNK_TEXT | st.just("iris-1.0")}
)
MIRROR = st.fixed_dictionaries({"version": KEYS | JUNK, "percent": SCALARS})
VERSIONS = st.dictionaries(
    KEYS,
    JUNK
    | st.fixed_dictionaries(
        {"source": JUNK_TEXT | JUNK | IN_GIT},
        optional={
            "handler": JUNK,
            "language": SCALARS,
            "threads": SCALARS,
            "image": JUNK,
            "autoscaling": JUNK,
            "environment": st.dictionaries(KEYS, SCALARS, max_size=2),
            "secrets": JUNK | st.dictionaries(KEYS, SCALARS, max_size=2),
            "nodeSelector": JUNK | st.dictionaries(KEYS, SCALARS, max_size=2),
        },
    ),
    max_size=3,
)
ROUTES = st.dictionaries(
    KEYS,
    JUNK
    | st.fixed_dictionaries(
        {"weights": st.dictionaries(KEYS, SCALARS, max_size=3)},
        optional={"sticky": JUNK, "mirror": JUNK | MIRROR, "failover": KEYS | JUNK},
    ),
    max_size=3,
)
MODELS = st.dictionaries(
    KEYS,
    st.fixed_dictionaries(
        {},
        optional={
            "language": SCALARS,
            "handler": JUNK,
            "versions": VERSIONS,
            "routes": ROUTES,
            "tokens": JUNK | st.lists(SCALARS | JUNK_TEXT, max_size=3),
        },
    ),
    max_size=3,
)
SHARED = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@SHARED
@given(platform=JUNK, models=JUNK | MODELS, secrets=st.none() | st.frozensets(JUNK_TEXT))
def test_parse_any_input_returns_spec_or_stack_file_error(
    project: Path, platform: object, models: object, secrets: frozenset[str] | None
) -> None:
    refused: StackFileError | None = None
    try:
        parse(platform, models, project, secrets)
    except StackFileError as error:
        refused = error
    if refused:
        assert refused.issues
        assert len(str(refused).splitlines()) == 1 + len(refused.issues)
        assert str(refused).encode()


def test_parse_deep_nesting_is_refused(project: Path) -> None:
    junk: object = []
    for _ in range(50_000):
        junk = [junk]
    with pytest.raises(StackFileError):
        parse(junk, {"iris": {"versions": {"v1": junk}}}, project)


def test_parse_oversized_number_is_refused(project: Path) -> None:
    version = {"source": "models/iris/v1", "replicas": 10**5000, "environment": {"A": 10**5000}}
    with pytest.raises(StackFileError, match="found a number of more than 64 bits"):
        parse({10**5000: 1}, {"iris": {"versions": {"v1": version}}}, project)


def mistakes_of(
    weights: dict[str, int],
    project: Path,
    route: dict[str, object] | None = None,
    more: Iterable[str] = (),
) -> tuple[ConfigIssue, ...]:
    """Of a model whose versions are those of its one route, and `more`."""
    platform = {"namespace": "models", "registry": "localhost:5000", "hostname": "localhost"}
    version = {"source": "models/iris/v1"}
    iris = {
        "language": "python",
        "handler": "predict:predict",
        "versions": dict.fromkeys([*weights, *more], version),
        "routes": {"prod": {"weights": weights, **(route or {})}},
    }
    try:
        parse(platform, {"iris": iris}, project)
    except StackFileError as error:
        return error.issues
    return ()


@SHARED
@given(cuts=st.lists(st.integers(0, 100), max_size=5))
def test_weights_with_total_of_100_are_accepted(project: Path, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), 100]
    weights = {f"v{i}": edges[i] - edges[i - 1] for i in range(1, len(edges))}
    assert mistakes_of(weights, project) == ()


@SHARED
@given(shares=st.lists(st.integers(0, 100), min_size=1, max_size=6))
def test_weights_with_other_total_are_refused_once(project: Path, shares: list[int]) -> None:
    total = sum(shares)
    issues = mistakes_of({f"v{i}": share for i, share in enumerate(shares, 1)}, project)
    assert [issue.actual for issue in issues] == ([] if total == 100 else [f"a total of {total}"])


@st.composite
def shares(draw: st.DrawFn) -> dict[str, int]:
    """Right weights of a few versions."""
    edges = [0, *sorted(draw(st.lists(st.integers(0, 100), max_size=3))), 100]
    return {f"v{i}": edges[i] - edges[i - 1] for i in range(1, len(edges))}


NAMED = st.none() | st.sampled_from(["v1", "v2", "v3", "v4", "v7", "v8", "V1", "latest"])


@SHARED
@given(
    weights=shares(),
    sticky=st.booleans(),
    percent=st.integers(-1, 102),
    mirror=NAMED,
    failover=NAMED,
)
def test_route_with_unusable_mirror_or_failover_is_refused(
    project: Path,
    weights: dict[str, int],
    sticky: bool,
    percent: int,
    mirror: str | None,
    failover: str | None,
) -> None:
    versions = {*weights, "v7"}
    wrong = set()
    if mirror and (mirror not in versions or weights.get(mirror, 0) > 0):
        wrong.add("mirror.version")
    if mirror and not 1 <= percent <= 100:
        wrong.add("mirror.percent")
    if failover and (failover not in versions or {failover} == weights.keys()):
        wrong.add("failover")
    route: dict[str, object] = {"sticky": sticky}
    if mirror:
        route["mirror"] = {"version": mirror, "percent": percent}
    if failover:
        route["failover"] = failover
    locations = [issue.location for issue in mistakes_of(weights, project, route, ["v7"])]
    assert sorted(locations) == sorted(f"models.iris.routes.prod.{key}" for key in wrong)


@SHARED
@given(sticky=JUNK)
def test_sticky_accepts_booleans_only(project: Path, sticky: object) -> None:
    locations = [issue.location for issue in mistakes_of({"v1": 100}, project, {"sticky": sticky})]
    assert locations == ([] if isinstance(sticky, bool) else ["models.iris.routes.prod.sticky"])


@SHARED
@given(names=st.lists(st.text(string.ascii_letters + "_1", max_size=3), max_size=4), cut=st.data())
def test_variable_in_environment_and_secrets_is_refused(
    project: Path, names: list[str], cut: st.DataObject
) -> None:
    kinds = st.sampled_from(["environment", "secrets", "both"])
    chosen = {name: cut.draw(kinds) for name in names if re.fullmatch(r"[A-Za-z_]\w*", name)}
    parts = {
        part: dict.fromkeys([name for name in chosen if chosen[name] in (part, "both")], "key")
        for part in ("environment", "secrets")
    }
    platform = {"namespace": "models", "registry": "localhost:5000", "hostname": "localhost"}
    version = {"source": "models/iris/v1", **parts}
    model = {"language": "python", "handler": "predict:predict", "versions": {"v1": version}}
    keys: list[str] = []
    try:
        parse(platform, {"iris": model}, project)
    except StackFileError as error:
        keys = [issue.path[-1] for issue in error.issues]
    assert sorted(keys) == sorted(name for name in chosen if chosen[name] == "both")


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
def test_object_names_of_accepted_names_are_valid_in_kubernetes(model: str, part: str) -> None:
    if accepts(MODEL, model) and (accepts(ROUTE, part) or accepts(VERSION, part)):
        name = object_name(model, part)
        assert name == f"{model}-{part}"
        assert len(name) <= 63
        assert set(name) <= set(string.ascii_lowercase + string.digits + "-")
        assert name[0] in string.ascii_lowercase
        assert name[-1] != "-"


@given(model=st.from_regex(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?", fullmatch=True))
def test_model_name_accepts_labels_up_to_forty_characters(model: str) -> None:
    assert accepts(MODEL, model)
    assert not accepts(MODEL, model + "-")
    assert not accepts(MODEL, model.ljust(41, "x"))


@given(number=st.integers(0, 10**15 - 1))
def test_name_is_never_valid_for_route_and_version(number: int) -> None:
    assert accepts(VERSION, f"v{number}") == (number > 0)
    assert not accepts(ROUTE, f"v{number}")


def test_labels_contain_given_values_only() -> None:
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
