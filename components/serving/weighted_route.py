"""A route of a model: declares the objects that `traefik.routes` builds."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

from components.cluster_state.availability_gate import AvailabilityGate
from components.cluster_state.state import ROUTE, WEIGHTS
from components.config import LimitsSpec, RouteSpec
from components.naming import LATEST, labels
from components.serving.model_version import ModelVersion
from components.traefik import routes, traefik_crds

COMPONENT = "route"


@dataclass(frozen=True)
class WeightedRouteArgs:
    """A route's section of the stack file, and the versions that it depends on.

    `namespace_name` is the plain value of `namespace`: Traefik's names contain it.
    """

    namespace: pulumi.Input[str]
    namespace_name: str
    model: str
    route: str
    spec: RouteSpec
    limits: LimitsSpec
    versions: Mapping[str, ModelVersion]
    gate: AvailabilityGate


def declare_weighted_route(args: WeightedRouteArgs, opts: pulumi.ResourceOptions) -> None:
    """Declare the objects of a route; each depends on the objects that it references.

    They change only once every version that would receive traffic is Available: by weight, as the
    failover or as the mirror.
    """
    required = [args.versions[version] for version in sorted(routes.versions(args.spec))]
    dependencies: list[pulumi.Resource] = [
        # the Ingress depends on its Service
        item
        for version in required
        for item in (version.deployment, version.ingress)
    ]
    available = _wait_until_available(args)
    for item in _objects(args):
        dependencies.append(
            CustomResource(
                item.name,
                api_version=traefik_crds.API_VERSION,
                kind=item.kind,
                metadata=_metadata(args, item),
                spec=_spec_after(available, item.spec),
                opts=pulumi.ResourceOptions.merge(
                    opts, pulumi.ResourceOptions(depends_on=list(dependencies))
                ),
            )
        )


def _objects(args: WeightedRouteArgs) -> list[routes.RouteObject]:
    if args.route == LATEST:
        [version] = args.spec.weights
        return routes.latest(args.namespace_name, args.model, version)
    return routes.objects(
        routes.Route(args.namespace_name, args.model, args.route, args.spec, args.limits)
    )


def _metadata(args: WeightedRouteArgs, item: routes.RouteObject) -> ObjectMetaArgsDict:
    annotations = {WEIGHTS: json.dumps(dict(args.spec.weights)), ROUTE: serialize_route(args.spec)}
    return {
        "name": item.name,
        "namespace": args.namespace,
        "labels": labels(COMPONENT, args.model),
        **({"annotations": annotations} if item.carries_weights else {}),
    }


def serialize_route(spec: RouteSpec) -> str:
    """Serialize the whole route for its annotation, in a fixed order."""
    return json.dumps(spec.model_dump(mode="json"), sort_keys=True)


def _wait_until_available(args: WeightedRouteArgs) -> pulumi.Output[None] | None:
    """Fail if traffic would move to a version that is not Available; None without a check.

    Other versions of weight 0 are not checked: one can always move away from a broken version.
    """
    spec = args.spec
    if pulumi.runtime.is_dry_run() or not args.gate.route_changed(
        args.model, args.route, serialize_route(spec)
    ):
        return None
    versions = routes.receiving_versions(spec)
    rolled_out = pulumi.Output.all(
        *[args.versions[name].deployment.id for name in sorted(versions)]
    )
    return rolled_out.apply(lambda _: args.gate.check(args.model, args.route, sorted(versions)))


def _spec_after(
    allowed: pulumi.Output[None] | None, spec: dict[str, object]
) -> pulumi.Input[dict[str, object]]:
    return allowed.apply(lambda _: spec) if allowed else spec
