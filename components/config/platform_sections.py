"""The section of the parts that exist once per stack."""

from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from components.config.aws_sections import AwsSpec, LoadBalancerSpec
from components.config.aws_types import Range
from components.config.base import Section
from components.config.quantities import memory_bytes
from components.config.types import (
    BrokerReplicas,
    Hostname,
    HstsSeconds,
    ImageName,
    Memory,
    NodePort,
    Registry,
    Replicas,
    RequestsPerSecond,
    SecretKey,
)
from components.config.version_sections import ResourcesSpec
from components.errors import value_error
from components.naming import NamespaceName

_LEAST_BROKER_MEMORY = 256 * 2**20
"""Bytes. With less memory, RabbitMQ has none left for messages."""


def _without_gpu(resources: ResourcesSpec) -> ResourcesSpec:
    """Refuse GPUs for platform Pods, which do not use them."""
    if resources.gpu:
        raise value_error("remove gpu: only models use GPUs", f"a gpu of {resources.gpu}")
    return resources


WithoutGpu = Annotated[ResourcesSpec, AfterValidator(_without_gpu)]


class RateLimitSpec(Section):
    """The request rate of one client address; further requests get 429."""

    average: RequestsPerSecond = Field(
        description="Requests a second, of one client to one address of a model at one Traefik.",
        examples=[200],
    )
    burst: RequestsPerSecond = Field(
        description="Requests at once, before the average counts.", examples=[400]
    )


class IngressControllerSpec(Section):
    """Traefik: two replicas, so that one can restart without a lost request."""

    replicas: Replicas = Field(default=2, description="Number of Traefik's Pods.", examples=[2])
    node_port: NodePort = Field(
        default=30080, description="Node port of Traefik.", examples=[30080]
    )
    ping_port: NodePort = Field(
        default=30081,
        description="Node port of Traefik's ping, for health checks of a load balancer.",
        examples=[30081],
    )
    redirect_port: NodePort | None = Field(
        default=None,
        description="Port of every node that sends plain HTTP on to HTTPS: the load balancer's 80.",
        examples=[30082],
    )
    rate_limit: RateLimitSpec | None = Field(
        default=None,
        description="Bound of each client's requests.",
        examples=[{"average": 200, "burst": 400}],
    )
    security_headers: bool = Field(
        default=False,
        description="Whether answers tell browsers not to guess, frame or pass on their address.",
        examples=[True],
    )
    hsts_seconds: HstsSeconds | None = Field(
        default=None,
        description="How long browsers use only HTTPS after one response.",
        examples=[31536000],
    )
    image: ImageName = Field(
        default="traefik:v3.7.13", description="Traefik's image.", examples=["traefik:v3.7.13"]
    )
    resources: WithoutGpu = Field(default=ResourcesSpec(), description="What one Traefik gets.")


class MessageBrokerSpec(Section):
    """RabbitMQ: three nodes, so that one can fail without lost or delayed events."""

    replicas: BrokerReplicas = Field(
        default=3,
        description="Number of nodes, odd. May grow; fewer would leave queues without a majority.",
        examples=[3],
    )
    image: ImageName = Field(
        default="rabbitmq:4.2.0-management",
        description="RabbitMQ's image, 3.10 or newer, with its management plugin.",
        examples=["rabbitmq:4.2.0-management@sha256:<64 hexadecimal digits>"],
    )
    storage: Memory = Field(
        default="8Gi",
        description="Volume of a node, of the cluster's default storage class. Stays as it is.",
        examples=["8Gi"],
    )
    resources: WithoutGpu = Field(
        default=ResourcesSpec(cpu="250m", memory="1Gi"), description="What one node gets."
    )

    @field_validator("resources")
    @classmethod
    def _enough(cls, resources: ResourcesSpec) -> ResourcesSpec:
        """Require enough memory: with less, RabbitMQ starts but accepts no messages."""
        if memory_bytes(resources.memory) < _LEAST_BROKER_MEMORY:
            raise value_error("write at least 256Mi of memory", f"a memory of {resources.memory}")
        return resources


class DeploymentWatcherSpec(Section):
    """The watcher: two replicas serve the status, one of them publishes the events."""

    replicas: Replicas = Field(default=2, description="Number of Pods.", examples=[2])
    resources: WithoutGpu = Field(
        default=ResourcesSpec(cpu="100m", memory="256Mi"), description="What one watcher gets."
    )
    token: SecretKey | None = Field(
        default=None,
        description="Name of a secret key of this stack: who reads /status must show it.",
        examples=["statusToken"],
    )


class PlatformSpec(Section):
    """The parts that exist once per stack."""

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
    message_broker: MessageBrokerSpec = Field(
        default=MessageBrokerSpec(), description="RabbitMQ, for the events."
    )
    deployment_watcher: DeploymentWatcherSpec = Field(
        default=DeploymentWatcherSpec(), description="What sends the events and serves the status."
    )
    model_egress: list[Range] = Field(
        default=[],
        description="Ranges of addresses that models may ask, where network policies hold.",
        examples=[["10.20.0.0/16"]],
    )
    aws: AwsSpec | None = Field(
        default=None, description="The AWS account, for a load balancer or repositories there."
    )
    load_balancer: LoadBalancerSpec | None = Field(
        default=None, description="The load balancer of AWS in front of Traefik."
    )
