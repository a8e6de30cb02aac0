"""ECR: a repository, its rule of what expires, and who may pull."""

from __future__ import annotations

from typing_extensions import override

from local.plugins.access import dig, objects, text
from local.plugins.aws.clients import Clients
from local.plugins.aws.kind import Kind, Standing, shape
from local.plugins.values import Object


class Repository(Kind):
    """The repository. One that holds an image is not deleted: AWS refuses."""

    type_name = "aws:ecr/repository:Repository"
    arguments = shape(
        *("name", "imageTagMutability"),
        imageScanningConfiguration=shape("scanOnPush"),
        encryptionConfigurations=shape("encryptionType"),
    )
    replaces = ("name", "encryptionConfigurations")
    computed = ("arn", "registryId", "repositoryUrl")

    @override
    def create(self, aws: Clients, inputs: Object) -> str:
        encryption = objects(inputs, "encryptionConfigurations")
        kind = text(encryption[0], "encryptionType") if encryption else "AES256"
        aws("ecr").create_repository(
            repositoryName=inputs["name"],
            imageTagMutability=inputs.get("imageTagMutability", "MUTABLE"),
            imageScanningConfiguration=_scanning(inputs),
            encryptionConfiguration={"encryptionType": kind},
        )
        return text(inputs, "name")

    @override
    def read(self, aws: Clients, name: str) -> Standing | None:
        found = objects(aws("ecr").describe_repositories(repositoryNames=[name]), "repositories")[0]
        return Standing(
            {
                "name": name,
                "imageTagMutability": text(found, "imageTagMutability"),
                "imageScanningConfiguration": {
                    "scanOnPush": dig(found, "imageScanningConfiguration", "scanOnPush")
                },
                "encryptionConfigurations": [
                    {"encryptionType": text(found, "encryptionConfiguration", "encryptionType")}
                ],
            },
            {
                "arn": found["repositoryArn"],
                "registryId": found["registryId"],
                "repositoryUrl": found["repositoryUri"],
            },
        )

    @override
    def update(self, aws: Clients, name: str, inputs: Object) -> None:
        aws("ecr").put_image_tag_mutability(
            repositoryName=name, imageTagMutability=inputs.get("imageTagMutability", "MUTABLE")
        )
        aws("ecr").put_image_scanning_configuration(
            repositoryName=name, imageScanningConfiguration=_scanning(inputs)
        )

    @override
    def delete(self, aws: Clients, name: str, known: Object) -> None:
        aws("ecr").delete_repository(repositoryName=name)


def _scanning(inputs: Object) -> Object:
    return {"scanOnPush": dig(inputs, "imageScanningConfiguration", "scanOnPush") is True}


class Lifecycle(Kind):
    """What expires."""

    type_name = "aws:ecr/lifecyclePolicy:LifecyclePolicy"
    arguments = shape("repository", "policy")
    replaces = ("repository", "policy")

    @override
    def create(self, aws: Clients, inputs: Object) -> str:
        aws("ecr").put_lifecycle_policy(
            repositoryName=inputs["repository"], lifecyclePolicyText=inputs["policy"]
        )
        return text(inputs, "repository")

    @override
    def read(self, aws: Clients, name: str) -> Standing | None:
        found = aws("ecr").get_lifecycle_policy(repositoryName=name)
        return Standing({"repository": name, "policy": found["lifecyclePolicyText"]})

    @override
    def delete(self, aws: Clients, name: str, known: Object) -> None:
        aws("ecr").delete_lifecycle_policy(repositoryName=name)


class Policy(Kind):
    """Who may do what."""

    type_name = "aws:ecr/repositoryPolicy:RepositoryPolicy"
    arguments = shape("repository", "policy")
    replaces = ("repository",)

    @override
    def create(self, aws: Clients, inputs: Object) -> str:
        name = text(inputs, "repository")
        self.update(aws, name, inputs)
        return name

    @override
    def read(self, aws: Clients, name: str) -> Standing | None:
        found = aws("ecr").get_repository_policy(repositoryName=name)
        return Standing({"repository": name, "policy": found["policyText"]})

    @override
    def update(self, aws: Clients, name: str, inputs: Object) -> None:
        aws("ecr").set_repository_policy(repositoryName=name, policyText=inputs["policy"])

    @override
    def delete(self, aws: Clients, name: str, known: Object) -> None:
        aws("ecr").delete_repository_policy(repositoryName=name)
