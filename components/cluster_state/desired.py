"""The desired state of a model, as far as clients and nodes notice it."""

from components.cluster_state.change_summary import DesiredModel
from components.cluster_state.state import ResourceRequests
from components.config import ModelSpec, VersionSpec, cpu_millicores, memory_bytes
from components.naming import LATEST


def desired_model(spec: ModelSpec) -> DesiredModel:
    """Return the desired state that `change_summary` compares with the cluster."""
    return DesiredModel(
        replicas={name: _replicas(version) for name, version in spec.versions.items()},
        requests={name: _requests(version) for name, version in spec.versions.items()},
        routes={
            LATEST: {spec.latest: 100},
            **{route: route_spec.weights for route, route_spec in spec.routes.items()},
        },
        failover_versions={
            route: frozenset(filter(None, [route_spec.failover]))
            for route, route_spec in spec.routes.items()
        },
    )


def _replicas(spec: VersionSpec) -> int:
    return spec.autoscaling.min if spec.autoscaling else spec.replicas


def _requests(spec: VersionSpec) -> ResourceRequests:
    return ResourceRequests(
        cpu_millicores(spec.resources.cpu),
        memory_bytes(spec.resources.memory),
        spec.resources.gpu,
    )
