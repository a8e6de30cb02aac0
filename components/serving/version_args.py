"""What a version's component is given."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Secret

from components.config import LimitsSpec, VersionSpec

COMPONENT = "model"
"""The label by which the cluster's inventory finds versions."""


@dataclass(frozen=True)
class ModelVersionArgs:
    """A version's section of the stack file, its image and its annotations."""

    namespace: pulumi.Input[str]
    namespace_name: str
    traefik_ready: CustomResource
    """Stands once Traefik's definitions and shared objects do, which Services and routes name."""
    ingress_class: str
    model: str
    version: str
    spec: VersionSpec
    limits: LimitsSpec
    secrets: Mapping[str, pulumi.Output[str]]
    """The values of the version's secrets, by variable."""
    tokens: Secret | None
    """The model's tokens; None: it answers everybody."""
    image: pulumi.Output[str]
    """`repository@sha256:...`"""
    content_hash: str
    git_commit: str
    git_ref: str
    published_at: str
