"""An address of a model that leads to its versions: registers what `traffic` says."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

from components.live.gate import Gate
from components.live.state import ROUTE, WEIGHTS
from components.naming import LATEST, labels
from components.serving import traffic
from components.serving.model_version import ModelVersion
from components.spec import LimitsSpec, RouteSpec

API_VERSION = "traefik.io/v1alpha1"
COMPONENT = "route"


@dataclass(frozen=True)
class WeightedRouteArgs:
    """A route as the stack file has it, and the versions that it must wait for.

    `namespace_name` is `namespace` as plain text: Traefik's names are made of it.
    """

    namespace: pulumi.Input[str]
    namespace_name: str
    model: str
    route: str
    spec: RouteSpec
    limits: LimitsSpec
    versions: Mapping[str, ModelVersion]
    gate: Gate


class WeightedRoute:
    """The objects of one route; each waits for those that it names, and is deleted before them.

    They change only once every version that they lead to is Available.
    """

    def __init__(self, args: WeightedRouteArgs, opts: pulumi.ResourceOptions) -> None:
        named = [args.versions[version] for version in sorted(traffic.versions(args.spec))]
        done: list[pulumi.Resource] = [
            # the Ingress waits for its Service
            item
            for one in named
            for item in (one.deployment, one.ingress)
        ]
        may_move = _may_move(args)
        for item in _objects(args):
            done.append(
                CustomResource(
                    item.name,
                    api_version=API_VERSION,
                    kind=item.kind,
                    metadata=_metadata(args, item),
                    spec=_once(may_move, item.spec),
                    opts=pulumi.ResourceOptions.merge(
                        opts, pulumi.ResourceOptions(depends_on=list(done))
                    ),
                )
            )


def _objects(args: WeightedRouteArgs) -> list[traffic.RouteObject]:
    if args.route == LATEST:
        [version] = args.spec.weights
        return traffic.latest(args.namespace_name, args.model, version)
    return traffic.objects(
        traffic.Route(args.namespace_name, args.model, args.route, args.spec, args.limits)
    )


def _metadata(args: WeightedRouteArgs, item: traffic.RouteObject) -> ObjectMetaArgsDict:
    meta: ObjectMetaArgsDict = {
        "name": item.name,
        "namespace": args.namespace,
        "labels": labels(COMPONENT, args.model),
    }
    if item.shares:
        meta["annotations"] = {
            WEIGHTS: json.dumps(dict(args.spec.weights)),
            ROUTE: as_text(args.spec),
        }
    return meta


def as_text(spec: RouteSpec) -> str:
    """A route as its annotation has it: everything of it, in a fixed order."""
    return json.dumps(spec.model_dump(mode="json"), sort_keys=True)


def _may_move(args: WeightedRouteArgs) -> pulumi.Output[None] | None:
    """Fails where traffic would move to a version that is not Available; None: nothing to ask.

    A version that shall get nothing is not asked: away from a broken one is always possible.
    """
    spec = args.spec
    if pulumi.runtime.is_dry_run() or not args.gate.moves(args.model, args.route, as_text(spec)):
        return None
    asked = traffic.versions(spec) - {
        version
        for version, weight in spec.weights.items()
        if not weight and version != spec.failover
    }
    rolled_out = pulumi.Output.all(*[args.versions[name].deployment.id for name in sorted(asked)])
    return rolled_out.apply(lambda _: args.gate.check(args.model, args.route, sorted(asked)))


def _once(
    allowed: pulumi.Output[None] | None, spec: dict[str, object]
) -> pulumi.Input[dict[str, object]]:
    return allowed.apply(lambda _: spec) if allowed else spec
