"""The stack file as data: read, checked, and told every mistake of it at once. No Pulumi here."""

from components.errors import Mistake, StackFileError
from components.spec.aws_sections import AwsSpec, LoadBalancerSpec
from components.spec.parsing import parse
from components.spec.platform_sections import (
    DeploymentWatcherSpec,
    IngressControllerSpec,
    MessageBrokerSpec,
    PlatformSpec,
    RateLimitSpec,
)
from components.spec.quantities import cpu_millicores, memory_bytes
from components.spec.route_sections import MirrorSpec, RouteSpec
from components.spec.sections import LimitsSpec, ModelSpec, StackSpec
from components.spec.version_sections import (
    AutoscalingSpec,
    GitSource,
    ResourcesSpec,
    VersionSpec,
)

__all__ = [
    "AutoscalingSpec",
    "AwsSpec",
    "DeploymentWatcherSpec",
    "GitSource",
    "IngressControllerSpec",
    "LimitsSpec",
    "LoadBalancerSpec",
    "MessageBrokerSpec",
    "MirrorSpec",
    "Mistake",
    "ModelSpec",
    "PlatformSpec",
    "RateLimitSpec",
    "ResourcesSpec",
    "RouteSpec",
    "StackFileError",
    "StackSpec",
    "VersionSpec",
    "cpu_millicores",
    "memory_bytes",
    "parse",
]
