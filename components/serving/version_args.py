"""Arguments of a version's component."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Secret

from components.config import LimitsSpec, VersionSpec

COMPONENT = "model"
"""The label that identifies objects of versions."""


@dataclass(frozen=True)
class ModelVersionArgs:
    """A version's section of the stack file, its image and its annotations."""

    namespace: pulumi.Input[str]
    namespace_name: str
    traefik_ready: CustomResource
    """Ready once Traefik's CRDs and shared objects exist, which Services and routes reference."""
    ingress_class: str
    model: str
    version: str
    spec: VersionSpec
    limits: LimitsSpec
    secrets: Mapping[str, pulumi.Output[str]]
    """Values of the version's secrets, by variable."""
    tokens: Secret | None
    """The model's tokens; None accepts every caller."""
    image: pulumi.Output[str]
    """`repository@sha256:...`"""
    content_hash: str
    git_commit: str
    git_ref: str
    published_at: str
