"""What the Pulumi program writes is what the watcher reads: labels, annotations, routes."""

import json

import msgspec

from components import naming
from components.live import state
from components.serving import version_args, weighted_route
from components.spec import RouteSpec
from tests.support import watcher_objects as shapes
from watcher import objects
from watcher.objects import Key


def selected(labels: dict[str, str], selector: str) -> bool:
    return all(labels.get(name) == value for name, value in _terms(selector))


def _terms(selector: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (one.partition("=") for one in selector.split(","))]


def test_the_watcher_selects_what_the_program_labels() -> None:
    version = naming.labels(version_args.COMPONENT, "iris", "v1")
    route = naming.labels(weighted_route.COMPONENT, "iris")
    assert selected(version, objects.MODELS)
    assert selected(route, objects.ROUTES)
    assert not selected(version, objects.ROUTES)
    assert not selected(route, objects.MODELS)


def test_a_version_is_known_by_its_labels_and_told_by_its_annotations() -> None:
    item = shapes.deployment(available=True)
    meta = item["metadata"]
    meta["labels"] = naming.labels(version_args.COMPONENT, "my-model", "v12")  # type: ignore[index]
    hashed = {naming.annotation("content-hash"): "92e0"}
    meta["annotations"] = hashed  # type: ignore[index]
    found = objects.deployment(msgspec.json.encode(item))
    assert found is not None
    assert found.key == Key("my-model", "v12")
    assert found.key.object_name == naming.object_name("my-model", "v12")
    assert found.told == {"content-hash": "92e0"}


def test_a_route_is_read_as_the_program_writes_it() -> None:
    spec = RouteSpec.model_validate(
        {
            "weights": {"v1": 90, "v2": 10},
            "sticky": True,
            "mirror": {"version": "v3", "percent": 10},
            "failover": "v1",
        }
    )
    item = {
        "metadata": {
            "name": naming.object_name("my-model", "prod"),
            "resourceVersion": "7",
            "labels": naming.labels(weighted_route.COMPONENT, "my-model"),
            "annotations": {
                state.WEIGHTS: json.dumps(dict(spec.weights)),
                state.ROUTE: weighted_route.as_text(spec),
            },
        }
    }
    found = objects.route(msgspec.json.encode(item))
    assert found is not None
    assert (found.model, found.route, found.weights) == ("my-model", "prod", {"v1": 90, "v2": 10})
    assert (found.sticky, found.mirror, found.failover) == (
        True,
        {"version": "v3", "percent": 10},
        "v1",
    )


def test_objects_of_a_route_without_a_split_and_those_of_others_are_left_alone() -> None:
    plain = {"metadata": {"name": "iris-prod", "labels": naming.labels("route", "iris")}}
    assert objects.route(msgspec.json.encode(plain)) is None
    item = shapes.deployment()
    item["metadata"]["labels"] = naming.labels("ingress-controller")  # type: ignore[index]
    assert objects.deployment(msgspec.json.encode(item)) is None
