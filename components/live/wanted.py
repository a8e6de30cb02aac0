"""A model of the stack file as far as clients and nodes notice it."""

from components.live.effects import Wanted
from components.live.state import Demand
from components.naming import LATEST
from components.spec import ModelSpec, VersionSpec, cpu_millicores, memory_bytes


def wanted(spec: ModelSpec) -> Wanted:
    """What `effects.describe` compares to the cluster."""
    return Wanted(
        replicas={name: _replicas(each) for name, each in spec.versions.items()},
        demand={name: _demand(each) for name, each in spec.versions.items()},
        routes={
            LATEST: {spec.latest: 100},
            **{route: each.weights for route, each in spec.routes.items()},
        },
        also_answering={
            route: frozenset(filter(None, [each.failover])) for route, each in spec.routes.items()
        },
    )


def _replicas(spec: VersionSpec) -> int:
    return spec.autoscaling.min if spec.autoscaling else spec.replicas


def _demand(spec: VersionSpec) -> Demand:
    return Demand(
        cpu_millicores(spec.resources.cpu),
        memory_bytes(spec.resources.memory),
        spec.resources.gpu,
    )
