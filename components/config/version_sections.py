"""The section of a version: code, replicas and resources.

A version has one of `source` and `image`, and at most one of `replicas` and `autoscaling`: checked
across the keys by `checks.exclusive_keys`, so that it is reported with every other issue. The same
holds for `threads` and `python`, which R does not support.
"""

from typing import Annotated

from pydantic import ConfigDict, Discriminator, Field, Tag, ValidationInfo, field_validator

from components.config.base import Section
from components.config.git_types import GitFolder, GitRef
from components.config.types import (
    Cpu,
    CpuPercent,
    DeadlineSeconds,
    EnvironmentName,
    EnvironmentValue,
    Gpu,
    Handler,
    ImageDigest,
    Language,
    Memory,
    NodeLabelName,
    NodeLabelValue,
    Python,
    Replicas,
    SecretKey,
    SourceFolder,
    Threads,
    TimeoutSeconds,
    Workers,
)
from components.errors import value_error
from components.languages import Runtime, runtime

FOLDER, GIT = "folder", "git"
"""Tags of the two forms of a source in pydantic's error paths."""
SOURCE_KEYS = ("source", "image")
"""Keys of which a version has exactly one."""
REQUIRED = ("language", "handler")
"""Required keys that a version may inherit from its model."""
INHERITED = (*REQUIRED, "python")
"""Keys that versions inherit from their model."""
PYTHON_FIELD = Field(
    default=None,
    description='Release of Python, in quotes; "3.11" without it. Only with a source in Python.',
    examples=["3.13"],
)


class ResourcesSpec(Section):
    """Resources of one replica; the memory limit equals the request."""

    cpu: Cpu = Field(
        default="500m", description="CPU request of a replica, in cores.", examples=["500m"]
    )
    memory: Memory = Field(
        default="512Mi", description="Memory of a replica, request and limit.", examples=["1Gi"]
    )
    gpu: Gpu = Field(default=0, description="Whole GPUs of a replica.", examples=[1])


class AutoscalingSpec(Section):
    """Autoscaling by CPU utilization, instead of `replicas`."""

    min: Replicas = Field(description="Least number of Pods.", examples=[2])
    max: Replicas = Field(description="Largest number of Pods.", examples=[10])
    cpu: CpuPercent = Field(
        description="Target average utilization, in percent of the CPU request.", examples=[65]
    )

    @field_validator("max")
    @classmethod
    def _at_least_min(cls, value: int, info: ValidationInfo) -> int:
        least = info.data.get("min", value)
        if value < least:
            raise value_error(f"write a whole number, at least min ({least})")
        return value


class GitSource(Section):
    """A folder at a commit of this repository; the work tree is not used."""

    path: GitFolder = Field(
        description="Folder of the code and data, relative to the project.",
        examples=["models/iris"],
    )
    ref: GitRef = Field(
        description="A tag or a commit; no branch, which moves.", examples=["iris-1.0"]
    )


def _form(value: object) -> str:
    return GIT if isinstance(value, dict | GitSource) else FOLDER


Source = Annotated[
    Annotated[SourceFolder, Tag(FOLDER)] | Annotated[GitSource, Tag(GIT)], Discriminator(_form)
]


class VersionSpec(Section):
    """One version, immutable once published. Language and handler are the model's if not set.

    The content hash covers source or image, handler, language, python and environment. Other keys,
    including the names of secrets, may change under a published version.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": [key]} for key in SOURCE_KEYS],
            "not": {"required": ["replicas", "autoscaling"]},
        }
    )
    source: Source | None = Field(
        default=None,
        description="Folder of the code and data, relative to the project; or {path, ref} in Git.",
        examples=["models/iris/v1"],
    )
    image: ImageDigest | None = Field(
        default=None,
        description="Instead of a source: an image that holds harness and code, by its digest.",
        examples=["registry.example.com/iris@sha256:<64 hexadecimal digits>"],
    )
    language: Language = Field(description="Language of the handler.", examples=["python"])
    handler: Handler = Field(
        description="What answers: <module>:<function>, in R <file>:<function>.",
        examples=["predict:predict"],
    )
    python: Python | None = PYTHON_FIELD
    replicas: Replicas = Field(default=1, description="Number of Pods.", examples=[2])
    autoscaling: AutoscalingSpec | None = Field(
        default=None,
        description="Instead of replicas: a number of Pods by load.",
        examples=[{"min": 2, "max": 10, "cpu": 65}],
    )
    resources: ResourcesSpec = Field(default=ResourcesSpec(), description="What one replica gets.")
    environment: dict[EnvironmentName, EnvironmentValue] = Field(
        default_factory=dict, description="Variables for the handler, values in quotes."
    )
    secrets: dict[EnvironmentName, SecretKey] = Field(
        default_factory=dict,
        description="Variable: name of a secret key of this stack (pulumi config set --secret).",
        examples=[{"API_KEY": "irisApiKey"}],
    )
    node_selector: dict[NodeLabelName, NodeLabelValue] = Field(
        default_factory=dict,
        description="Labels that a node must have.",
        examples=[{"kubernetes.io/arch": "amd64"}],
    )
    threads: Threads = Field(
        default=1,
        description="Calls at once in one process, for handlers that wait. Python only.",
        examples=[8],
    )
    workers: Workers = Field(
        default=1, description="Processes of a replica that run the handler.", examples=[2]
    )
    timeout_seconds: TimeoutSeconds = Field(
        default=30, description="Longest time of one call; then 504.", examples=[30]
    )
    deadline_seconds: DeadlineSeconds = Field(
        default=300, description="Time to become Available before the update fails.", examples=[300]
    )
    temporary_storage: Memory = Field(
        default="128Mi",
        description="Size of /tmp, the only writable folder; a fuller Pod is evicted.",
        examples=["1Gi"],
    )

    @property
    def folder(self) -> str | None:
        """Return the source's folder relative to the project, in either form; None for an image."""
        return self.source.path if isinstance(self.source, GitSource) else self.source

    @property
    def runtime(self) -> Runtime:
        """Return the runtime of the version's harness image."""
        return runtime(self.language, self.python)
