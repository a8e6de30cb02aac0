"""The section of what stands once per stack."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, field_validator

from components.errors import refusal
from components.naming import NamespaceName
from components.spec.aws_sections import AwsSpec, LoadBalancerSpec
from components.spec.section import Section
from components.spec.values import Hostname, ImageName, NodePort, Registry, Replicas
from components.spec.version_sections import ResourcesSpec


class IngressControllerSpec(Section):
    """Traefik: two replicas, so that one may go without a lost request."""

    replicas: Replicas = Field(default=2, description="Number of Traefik's Pods.", examples=[2])
    node_port: NodePort = Field(
        default=30080, description="Port of every node that leads to Traefik.", examples=[30080]
    )
    ping_port: NodePort = Field(
        default=30081,
        description="Port of every node that leads to its ping, for a load balancer's checks.",
        examples=[30081],
    )
    image: ImageName = Field(
        default="traefik:v3.7.13", description="Traefik's image.", examples=["traefik:v3.7.13"]
    )
    resources: ResourcesSpec = Field(default=ResourcesSpec(), description="What one Traefik gets.")

    @field_validator("resources")
    @classmethod
    def _without_gpu(cls, resources: ResourcesSpec) -> ResourcesSpec:
        """A proxy that waits for a GPU is never scheduled, and no model answers."""
        if resources.gpu:
            raise refusal("take gpu away: Traefik has no use for one", f"a gpu of {resources.gpu}")
        return resources


class PlatformSpec(Section):
    """What stands once per stack."""

    LATER: ClassVar[Mapping[str, str]] = {
        "messageBroker": "RabbitMQ for the events",
        "deploymentWatcher": "the watcher behind the status",
    }

    namespace: NamespaceName = Field(
        description="Namespace of everything that is deployed.", examples=["models"]
    )
    registry: Registry = Field(
        description="Where images are pushed, without a tag.", examples=["localhost:5000/models"]
    )
    hostname: Hostname = Field(
        description="Host's name of the models' addresses.", examples=["localhost"]
    )
    ingress_controller: IngressControllerSpec = Field(
        default=IngressControllerSpec(), description="Traefik, in front of the models."
    )
    aws: AwsSpec | None = Field(
        default=None, description="The AWS account, for a load balancer or repositories there."
    )
    load_balancer: LoadBalancerSpec | None = Field(
        default=None, description="The load balancer of AWS in front of Traefik."
    )
