"""An address of a model that leads to its versions: registers what `traffic` says."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource

from components.naming import annotation, labels
from components.serving.traffic import RouteObject

API_VERSION = "traefik.io/v1alpha1"
COMPONENT = "route"


@dataclass(frozen=True)
class WeightedRouteArgs:
    """A route's objects in order, its split, and what must stand before it may change.

    `waits`: of each version that it names the Deployment, the Service and the Ingress.
    """

    namespace: pulumi.Input[str]
    model: str
    weights: pulumi.Input[str] | dict[str, int]
    objects: Sequence[RouteObject]
    waits: Sequence[pulumi.Resource]


class WeightedRoute:
    """The objects of one route. Each waits for those that it names, and is deleted before them."""

    def __init__(self, args: WeightedRouteArgs, opts: pulumi.ResourceOptions) -> None:
        done: list[pulumi.Resource] = list(args.waits)
        for item in args.objects:
            told = {annotation("weights"): json.dumps(args.weights)} if item.shares else {}
            done.append(
                CustomResource(
                    item.name,
                    api_version=API_VERSION,
                    kind=item.kind,
                    metadata={
                        "name": item.name,
                        "namespace": args.namespace,
                        "labels": labels(COMPONENT, args.model),
                        **({"annotations": told} if told else {}),
                    },
                    spec=item.spec,
                    opts=pulumi.ResourceOptions.merge(
                        opts, pulumi.ResourceOptions(depends_on=list(done))
                    ),
                )
            )
