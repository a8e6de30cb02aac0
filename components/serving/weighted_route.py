"""An address of a model that leads to its versions by weight."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

from components.naming import LATEST, labels, object_name
from components.serving.model_version import SERVICE_PORT, ModelVersion

API_VERSION = "traefik.io/v1alpha1"
COMPONENT = "route"

_PRIORITY = 100
"""Set, since Traefik else takes the length of the rule's text."""


@dataclass(frozen=True)
class WeightedRouteArgs:
    """A route's name and weights, and the versions that it must wait for."""

    namespace: pulumi.Input[str]
    model: str
    route: str
    weights: Mapping[str, int]
    versions: Mapping[str, ModelVersion]


class WeightedRoute:
    """The TraefikService that shares the requests out and the IngressRoute that leads to it.

    It changes only once every version that it names is Available.
    """

    def __init__(self, args: WeightedRouteArgs, opts: pulumi.ResourceOptions) -> None:
        name = object_name(args.model, args.route)
        meta: ObjectMetaArgsDict = {
            "name": name,
            "namespace": args.namespace,
            "labels": labels(COMPONENT, args.model),
        }
        named = [args.versions[version] for version in args.weights]
        waiting = pulumi.ResourceOptions.merge(
            opts,
            pulumi.ResourceOptions(
                depends_on=[item for one in named for item in (one.deployment, one.service)]
            ),
        )
        shares = CustomResource(
            name,
            api_version=API_VERSION,
            kind="TraefikService",
            metadata=meta,
            spec={
                "weighted": {
                    "services": [
                        {
                            "name": object_name(args.model, version),
                            "port": SERVICE_PORT,
                            "weight": weight,
                        }
                        for version, weight in args.weights.items()
                    ]
                }
            },
            opts=waiting,
        )
        CustomResource(
            name,
            api_version=API_VERSION,
            kind="IngressRoute",
            metadata=meta,
            spec={
                "entryPoints": ["web"],
                "routes": [
                    {
                        "kind": "Rule",
                        "match": _match(args.model, args.route),
                        "priority": _PRIORITY,
                        "services": [{"kind": "TraefikService", "name": name}],
                    }
                ],
            },
            opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[shares])),
        )


def _match(model: str, route: str) -> str:
    """Both addresses of a route. Each ends in a slash: a prefix of text is not one of a path."""
    paths = [f"/models/{model}/{route}/"]
    if route != LATEST:
        paths.append(f"/models/{model}/labels/{route}/")
    return " || ".join(f"PathPrefix(`{path}`)" for path in paths)
