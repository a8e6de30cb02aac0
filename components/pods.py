"""What every Pod of this project has in common: no rights, nothing writable, spread over nodes."""

from collections.abc import Mapping

from pulumi_kubernetes.core.v1 import (
    CapabilitiesArgsDict,
    PodSecurityContextArgsDict,
    ProbeArgsDict,
    ResourceRequirementsArgsDict,
    SecurityContextArgsDict,
    TopologySpreadConstraintArgsDict,
)

from components.config import ResourcesSpec

USER = 65532
"""The user and group of all images, `nonroot` in the field's base images."""

SCRATCH = "/tmp"  # noqa: S108 - an emptyDir of the Pod's own
"""The one place that a container may write to."""

GPU = "nvidia.com/gpu"
"""The resource name of NVIDIA's device plugin."""

_SCRATCH_DISK = "256Mi"
"""What a Pod may write to its emptyDirs and its log: more ends it, before it fills the node."""


def pod_security() -> PodSecurityContextArgsDict:
    """Never root; system calls as the runtime's default profile allows."""
    return {
        "run_as_non_root": True,
        "run_as_user": USER,
        "run_as_group": USER,
        "fs_group": USER,
        "seccomp_profile": {"type": "RuntimeDefault"},
    }


def container_security() -> SecurityContextArgsDict:
    """No capability, no way to gain one, nothing to write to but volumes."""
    drop_all: CapabilitiesArgsDict = {"drop": ["ALL"]}
    return {
        "allow_privilege_escalation": False,
        "read_only_root_filesystem": True,
        "capabilities": drop_all,
    }


def probe(path: str, period: int, failures: int) -> ProbeArgsDict:
    """Return a probe of `/health/<path>` on the port `health`."""
    return {
        "http_get": {"path": f"/health/{path}", "port": "health"},
        "period_seconds": period,
        "timeout_seconds": 5,
        "failure_threshold": failures,
    }


def resources(spec: ResourcesSpec) -> ResourceRequirementsArgsDict:
    """Requests for the scheduler, limits for the neighbours.

    No CPU limit: it would throttle the one slow request while cores idle. The request already
    shares them fairly.
    """
    # a GPU is never shared: its request follows from its limit
    gpus = {GPU: str(spec.gpu)} if spec.gpu else {}
    return {
        "requests": {"cpu": spec.cpu, "memory": spec.memory},
        "limits": {"memory": spec.memory, "ephemeral-storage": _SCRATCH_DISK, **gpus},
    }


def spread(selector: Mapping[str, str]) -> list[TopologySpreadConstraintArgsDict]:
    """Over nodes and zones where there are several; on a small cluster still schedulable."""
    return [
        {
            "max_skew": 1,
            "topology_key": key,
            "when_unsatisfiable": "ScheduleAnyway",
            "label_selector": {"match_labels": dict(selector)},
        }
        for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
    ]
