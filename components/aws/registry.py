"""The ECR repositories: one per model, and one per language's harness."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

import pulumi
from pulumi_aws import ecr

_UNTAGGED_DAYS = 14
_LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "What no tag names: the rest of a push that was broken off",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": _UNTAGGED_DAYS,
            },
            "action": {"type": "expire"},
        }
    ]
}
"""Only untagged images expire. Images of versions have immutable tags derived from their content,
so no digest in use expires, and a route may go back to any version."""
_PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]


@dataclass(frozen=True)
class RegistryArgs:
    """The repositories' common prefix and names, and the IAM role that may pull from them."""

    prefix: str
    names: Iterable[str]
    node_role: pulumi.Input[str]


class Registry(pulumi.ComponentResource):
    """The repositories under the account's prefix, which nodes may pull from.

    `repositories` maps names in the stack to resources, for images to depend on.
    """

    repositories: dict[str, ecr.Repository]

    def __init__(
        self,
        name: str,
        args: RegistryArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("model-deployment:platform:Registry", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        may_pull = pulumi.Output.json_dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "NodesPull",
                        "Effect": "Allow",
                        "Principal": {"AWS": args.node_role},
                        "Action": _PULL,
                    }
                ],
            }
        )
        self.repositories = {}
        for repository_name in args.names:
            repository = ecr.Repository(
                repository_name,
                name=f"{args.prefix}/{repository_name}",
                image_tag_mutability="IMMUTABLE",
                image_scanning_configuration=ecr.RepositoryImageScanningConfigurationArgs(
                    scan_on_push=True
                ),
                encryption_configurations=[
                    ecr.RepositoryEncryptionConfigurationArgs(encryption_type="AES256")
                ],
                opts=child,
            )
            ecr.LifecyclePolicy(
                repository_name,
                repository=repository.name,
                policy=json.dumps(_LIFECYCLE),
                opts=child,
            )
            ecr.RepositoryPolicy(
                repository_name, repository=repository.name, policy=may_pull, opts=child
            )
            self.repositories[repository_name] = repository
        self.register_outputs({})
