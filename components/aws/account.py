"""The AWS provider, and outputs of other stacks.

This module imports pulumi-aws, so stacks without AWS do not import it.
"""

from __future__ import annotations

import re

import pulumi
import pulumi_aws as aws

from components.config import AwsSpec
from components.config.aws_types import REFERENCE

_SERVICES = ("autoscaling", "ec2", "ecr", "elbv2", "route53", "s3", "sts")
"""The AWS services that the program uses; each has a separate endpoint setting."""


def provider(spec: AwsSpec) -> aws.Provider:
    """Return the AWS provider, restricted to the account and region of the stack file.

    With an endpoint, which the stack file allows only on this machine, the provider sends all
    requests to it and needs no credentials.
    """
    if spec.endpoint is None:
        return aws.Provider("aws", region=spec.region, allowed_account_ids=[spec.account])
    return aws.Provider(
        "aws",
        region=spec.region,
        endpoints=[aws.ProviderEndpointArgs(**dict.fromkeys(_SERVICES, spec.endpoint))],
        access_key="rehearsal",
        secret_key="rehearsal",  # noqa: S106 - the local emulation accepts any
        s3_use_path_style=True,
        skip_credentials_validation=True,
        skip_metadata_api_check=True,
        skip_region_validation=True,
        skip_requesting_account_id=True,
    )


class StackReferences:
    """The outputs of other stacks that the stack file refers to."""

    def __init__(self) -> None:
        self._stacks: dict[str, pulumi.StackReference] = {}

    def resolve(self, value: str) -> pulumi.Input[str]:
        """Return a literal value, or the stack output that it refers to."""
        if not value.startswith(REFERENCE):
            return value
        name, _, output = value.removeprefix(REFERENCE).partition("#")
        if name not in self._stacks:
            self._stacks[name] = pulumi.StackReference(name)
        first, *path = output.split(".")
        return (
            self._stacks[name]
            .require_output(first)
            .apply(lambda output: _nested_output(output, path, value))
        )


def _nested_output(output: object, path: list[str], value: str) -> str:
    for key in path:
        match output:
            case dict():
                output = output.get(key)
            case list() if re.fullmatch("[0-9]+", key) and int(key) < len(output):
                output = output[int(key)]
            case _:
                output = None
    if not isinstance(output, str) or not output:
        raise pulumi.RunError(
            f"{value}: the other stack has no text there; look: pulumi stack output --stack "
            f"{value.removeprefix(REFERENCE).partition('#')[0]}"
        )
    return output
