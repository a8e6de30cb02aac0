"""The sections of a stack file as strict, frozen pydantic models: plain values, no Pulumi.

Keys are camelCase in YAML, snake_case here. `LATER` holds the keys that the contract knows and
this release does not: they are refused by name, so that nobody believes them to work.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from components.errors import refusal
from components.naming import ModelName, NamespaceName, RouteName, VersionName, version_number
from components.spec.values import (
    Cpu,
    DeadlineSeconds,
    EnvironmentName,
    EnvironmentValue,
    Handler,
    Hostname,
    ImageName,
    Language,
    Memory,
    NodePort,
    Percent,
    Registry,
    Replicas,
    SourceFolder,
)

INHERITED = ("language", "handler")
"""Keys of a model that hold for each of its versions which does not set them itself."""

_TOTAL = 100


class Section(BaseModel):
    """What all sections share. In Python fields go by their names, in a file by their aliases."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
    )
    LATER: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def fields_by_key(cls) -> dict[str, FieldInfo]:
        """The section's keys as a file has them."""
        return {field.alias or name: field for name, field in cls.model_fields.items()}

    @field_validator("*", mode="before")
    @classmethod
    def _written(cls, value: object) -> object:
        """`handler:` with nothing behind it is a slip, not a wish for the default."""
        if value is None:
            raise refusal("write its value")
        return value


class ResourcesSpec(Section):
    """What one replica gets. Memory is requested and limited alike: it cannot be taken back."""

    LATER = {"gpu": "GPUs per replica"}

    cpu: Cpu = Field(
        default="500m", description="Cores that a replica asks for.", examples=["500m"]
    )
    memory: Memory = Field(
        default="512Mi", description="Memory of a replica, request and limit.", examples=["1Gi"]
    )


class IngressControllerSpec(Section):
    """Traefik: two replicas, so that one may go without a lost request."""

    replicas: Replicas = Field(default=2, description="Number of Traefik's Pods.", examples=[2])
    node_port: NodePort = Field(
        default=30080, description="Port of every node that leads to Traefik.", examples=[30080]
    )
    image: ImageName = Field(
        default="traefik:v3.7.13", description="Traefik's image.", examples=["traefik:v3.7.13"]
    )
    resources: ResourcesSpec = Field(default=ResourcesSpec(), description="What one Traefik gets.")


class PlatformSpec(Section):
    """What stands once per stack."""

    LATER = {
        "messageBroker": "RabbitMQ for the events",
        "deploymentWatcher": "the watcher behind the status",
        "loadBalancer": "the load balancer in front",
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


def _total(weights: dict[str, int]) -> dict[str, int]:
    total = sum(weights.values())
    if total != _TOTAL:
        raise refusal(f"write whole numbers that add up to {_TOTAL}", f"a total of {total}")
    return weights


class RouteSpec(Section):
    """How an address shares its traffic among versions."""

    LATER = {
        "sticky": "a client that keeps its version",
        "mirror": "a copy of the traffic for another version",
        "failover": "another version that answers when one fails",
    }

    weights: Annotated[dict[str, Percent], AfterValidator(_total)] = Field(
        description="Version: its share. Whole numbers, total 100; 0 is allowed.",
        examples=[{"v1": 90, "v2": 10}],
    )


class VersionSpec(Section):
    """One version, immutable once published. Language and handler are the model's if not set."""

    LATER = {
        "image": "a version from an image digest",
        "autoscaling": "replicas by load",
        "secrets": "variables from secrets",
        "nodeSelector": "a choice of nodes",
        "threads": "threads for handlers that wait",
        "workers": "processes per replica",
        "timeoutSeconds": "a time limit per call",
    }

    source: SourceFolder = Field(
        description="Folder of the code and data, relative to the project.",
        examples=["models/iris/v1"],
    )
    language: Language = Field(description="Language of the handler.", examples=["python"])
    handler: Handler = Field(
        description="<module>:<function> that answers.", examples=["predict:predict"]
    )
    replicas: Replicas = Field(default=1, description="Number of Pods.", examples=[2])
    resources: ResourcesSpec = Field(default=ResourcesSpec(), description="What one replica gets.")
    environment: dict[EnvironmentName, EnvironmentValue] = Field(
        default_factory=dict, description="Variables for the handler, values in quotes."
    )
    deadline_seconds: DeadlineSeconds = Field(
        default=300, description="Time to become Available before the update fails.", examples=[300]
    )


class ModelSpec(Section):
    """One model: its versions, and the routes that share traffic among them."""

    LATER = {"limits": "limits of bodies and calls", "tokens": "tokens that callers must show"}

    language: Language | None = Field(
        default=None, description="Language of the handlers.", examples=["python"]
    )
    handler: Handler | None = Field(
        default=None, description="<module>:<function> that answers.", examples=["predict:predict"]
    )
    versions: dict[VersionName, VersionSpec] = Field(
        description="Published versions by name: v1, v2, ...",
        min_length=1,
        examples=[{"v1": {"source": "models/iris/v1"}}],
    )
    routes: dict[RouteName, RouteSpec] = Field(
        default_factory=dict, description="Weighted addresses by name; prod is the main one."
    )

    @model_validator(mode="before")
    @classmethod
    def _inherit(cls, data: object) -> object:
        """Hands language and handler down, so that readers find them on the version alone."""
        if not isinstance(data, dict) or not isinstance(data.get("versions"), dict):
            return data
        given = {key: data[key] for key in INHERITED if data.get(key) is not None}
        versions = {
            name: {**given, **version} if isinstance(version, dict) else version
            for name, version in data["versions"].items()
        }
        return {**data, "versions": versions}

    @property
    def latest(self) -> str:
        """The version with the highest number."""
        return max(self.versions, key=version_number)


class StackSpec(Section):
    """A whole stack file, checked."""

    platform: PlatformSpec = Field(description="What stands once per stack.")
    models: dict[ModelName, ModelSpec] = Field(
        description="The models by name.",
        min_length=1,
        examples=[{"iris": {"versions": {"v1": {"source": "models/iris/v1"}}}}],
    )
