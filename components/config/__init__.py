"""The stack file as data: models, types and checks, without Pulumi."""

from components.config.aws_sections import AwsSpec, LoadBalancerSpec
from components.config.models import LimitsSpec, ModelSpec, StackSpec
from components.config.parsing import parse
from components.config.platform_sections import (
    DeploymentWatcherSpec,
    IngressControllerSpec,
    MessageBrokerSpec,
    PlatformSpec,
    RateLimitSpec,
)
from components.config.quantities import cpu_millicores, memory_bytes
from components.config.route_sections import MirrorSpec, RouteSpec
from components.config.version_sections import (
    AutoscalingSpec,
    GitSource,
    ResourcesSpec,
    VersionSpec,
)
from components.errors import ConfigIssue, StackFileError

__all__ = [
    "AutoscalingSpec",
    "AwsSpec",
    "ConfigIssue",
    "DeploymentWatcherSpec",
    "GitSource",
    "IngressControllerSpec",
    "LimitsSpec",
    "LoadBalancerSpec",
    "MessageBrokerSpec",
    "MirrorSpec",
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
