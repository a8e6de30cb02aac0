"""The HorizontalPodAutoscaler of a version, by CPU utilization."""

import pulumi
from pulumi_kubernetes.autoscaling.v2 import HorizontalPodAutoscaler
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

from components.config import AutoscalingSpec

_SCALE_DOWN_STABILIZATION_SECONDS = 60
"""Scale-down stabilization: long, because models may start slowly."""


def declare_autoscaler(
    name: str, meta: ObjectMetaArgsDict, spec: AutoscalingSpec, opts: pulumi.ResourceOptions
) -> HorizontalPodAutoscaler:
    """Declare the HorizontalPodAutoscaler of the Deployment of the same name."""
    return HorizontalPodAutoscaler(
        name,
        metadata=meta,
        spec={
            "scale_target_ref": {"api_version": "apps/v1", "kind": "Deployment", "name": name},
            "min_replicas": spec.min,
            "max_replicas": spec.max,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {"type": "Utilization", "average_utilization": spec.cpu},
                    },
                }
            ],
            "behavior": {
                "scale_down": {"stabilization_window_seconds": _SCALE_DOWN_STABILIZATION_SECONDS}
            },
        },
        opts=opts,
    )
