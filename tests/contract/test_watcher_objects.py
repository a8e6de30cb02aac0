"""The watcher reads the labels, annotations and routes that the Pulumi program writes."""

import json

import msgspec

from components import naming
from components.cluster_state import state
from components.config import RouteSpec
from components.serving import version_args, weighted_route
from tests.support import watcher_objects
from watcher import resources
from watcher.resources import VersionKey


def selected(labels: dict[str, str], selector: str) -> bool:
    return all(labels.get(name) == value for name, value in _terms(selector))


def _terms(selector: str) -> list[tuple[str, str]]:
    return [
        (name, value) for name, _, value in (term.partition("=") for term in selector.split(","))
    ]


def test_selectors_match_labels_of_program() -> None:
    version = naming.labels(version_args.COMPONENT, "iris", "v1")
    route = naming.labels(weighted_route.COMPONENT, "iris")
    assert selected(version, resources.MODEL_SELECTOR)
    assert selected(route, resources.ROUTE_SELECTOR)
    assert not selected(version, resources.ROUTE_SELECTOR)
    assert not selected(route, resources.MODEL_SELECTOR)


def test_parse_deployment_reads_labels_and_annotations_of_program() -> None:
    item = watcher_objects.deployment(available=True)
    meta = item["metadata"]
    meta["labels"] = naming.labels(version_args.COMPONENT, "my-model", "v12")  # type: ignore[index]
    hashed = {naming.annotation("content-hash"): "92e0"}
    meta["annotations"] = hashed  # type: ignore[index]
    deployment = resources.parse_deployment(msgspec.json.encode(item))
    assert deployment is not None
    assert deployment.key == VersionKey("my-model", "v12")
    assert deployment.key.object_name == naming.object_name("my-model", "v12")
    assert deployment.annotations == {"content-hash": "92e0"}


def test_parse_route_reads_annotations_of_program() -> None:
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
                state.ROUTE: weighted_route.serialize_route(spec),
            },
        }
    }
    route = resources.parse_route(msgspec.json.encode(item))
    assert route is not None
    assert (route.model, route.route, route.weights) == ("my-model", "prod", {"v1": 90, "v2": 10})
    assert (route.sticky, route.mirror, route.failover) == (
        True,
        {"version": "v3", "percent": 10},
        "v1",
    )


def test_objects_without_weights_or_model_labels_are_ignored() -> None:
    plain = {"metadata": {"name": "iris-prod", "labels": naming.labels("route", "iris")}}
    assert resources.parse_route(msgspec.json.encode(plain)) is None
    item = watcher_objects.deployment()
    item["metadata"]["labels"] = naming.labels("ingress-controller")  # type: ignore[index]
    assert resources.parse_deployment(msgspec.json.encode(item)) is None
