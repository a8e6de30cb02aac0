"""Common settings of all Pods: security context, resources, probes and topology spread."""

from collections.abc import Mapping

from pulumi_kubernetes.core.v1 import (
    CapabilitiesArgsDict,
    PodSecurityContextArgsDict,
    ProbeArgsDict,
    ResourceRequirementsArgsDict,
    SecurityContextArgsDict,
    TopologySpreadConstraintArgsDict,
)

from components.config import ResourcesSpec, memory_bytes

USER = 65532
"""The user and group of all images, called `nonroot` in common base images."""

SCRATCH = "/tmp"  # noqa: S108 - an emptyDir of the Pod's own
"""The only writable path of a container."""

POD_SECURITY = {"pod-security.kubernetes.io/enforce": "restricted"}
"""Label of the namespace: the API server refuses Pods without `pod_security` and
`container_security`."""

GPU = "nvidia.com/gpu"
"""The resource name of NVIDIA's device plugin."""

DEFAULT_TEMPORARY_STORAGE = "128Mi"
"""Size of `SCRATCH`."""

_LOG_BYTES = 128 * 2**20
"""Disk for the log of a container."""


def pod_security() -> PodSecurityContextArgsDict:
    """Return the Pod's security context: not root, the runtime's default seccomp profile."""
    return {
        "run_as_non_root": True,
        "run_as_user": USER,
        "run_as_group": USER,
        "fs_group": USER,
        "seccomp_profile": {"type": "RuntimeDefault"},
    }


def container_security() -> SecurityContextArgsDict:
    """Return the container's security context: no capabilities, read-only root file system."""
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


def resources(
    spec: ResourcesSpec, temporary_storage: str = DEFAULT_TEMPORARY_STORAGE
) -> ResourceRequirementsArgsDict:
    """Return requests and limits of a container with `temporary_storage` at `SCRATCH`.

    kubelet evicts a Pod whose emptyDirs and log exceed the limit of ephemeral storage.

    No CPU limit: it would throttle a slow request while cores are idle. The CPU request already
    shares them fairly.
    """
    # GPUs cannot be overcommitted: the request equals the limit
    gpus = {GPU: str(spec.gpu)} if spec.gpu else {}
    disk = _in_mebibytes(memory_bytes(temporary_storage) + _LOG_BYTES)
    return {
        "requests": {"cpu": spec.cpu, "memory": spec.memory},
        "limits": {"memory": spec.memory, "ephemeral-storage": disk, **gpus},
    }


def _in_mebibytes(count: int) -> str:
    return f"{-(-count // 2**20)}Mi"


def spread(selector: Mapping[str, str]) -> list[TopologySpreadConstraintArgsDict]:
    """Spread Pods over nodes and zones; preferred only, so that small clusters work."""
    return [
        {
            "max_skew": 1,
            "topology_key": key,
            "when_unsatisfiable": "ScheduleAnyway",
            "label_selector": {"match_labels": dict(selector)},
        }
        for key in ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
    ]
