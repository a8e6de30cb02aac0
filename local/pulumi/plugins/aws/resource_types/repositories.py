"""ECR repositories, their lifecycle and their policy."""

from typing_extensions import override

from local.pulumi.plugins.aws.clients import Clients
from local.pulumi.plugins.aws.resource_type import LiveResource, ResourceType, shape
from local.pulumi.plugins.json_access import dig, objects, text
from local.pulumi.plugins.properties import Object


class Repository(ResourceType):
    """A repository. AWS refuses to delete one that contains images."""

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
        encryption_type = text(encryption[0], "encryptionType") if encryption else "AES256"
        aws("ecr").create_repository(
            repositoryName=inputs["name"],
            imageTagMutability=inputs.get("imageTagMutability", "MUTABLE"),
            imageScanningConfiguration=_scanning(inputs),
            encryptionConfiguration={"encryptionType": encryption_type},
        )
        return text(inputs, "name")

    @override
    def read(self, aws: Clients, name: str) -> LiveResource | None:
        response = aws("ecr").describe_repositories(repositoryNames=[name])
        repository = objects(response, "repositories")[0]
        return LiveResource(
            {
                "name": name,
                "imageTagMutability": text(repository, "imageTagMutability"),
                "imageScanningConfiguration": {
                    "scanOnPush": dig(repository, "imageScanningConfiguration", "scanOnPush")
                },
                "encryptionConfigurations": [
                    {
                        "encryptionType": text(
                            repository, "encryptionConfiguration", "encryptionType"
                        )
                    }
                ],
            },
            {
                "arn": repository["repositoryArn"],
                "registryId": repository["registryId"],
                "repositoryUrl": repository["repositoryUri"],
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
    def delete(self, aws: Clients, name: str, state: Object) -> None:
        aws("ecr").delete_repository(repositoryName=name)


def _scanning(inputs: Object) -> Object:
    return {"scanOnPush": dig(inputs, "imageScanningConfiguration", "scanOnPush") is True}


class Lifecycle(ResourceType):
    """The lifecycle policy of a repository."""

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
    def read(self, aws: Clients, name: str) -> LiveResource | None:
        response = aws("ecr").get_lifecycle_policy(repositoryName=name)
        return LiveResource({"repository": name, "policy": response["lifecyclePolicyText"]})

    @override
    def delete(self, aws: Clients, name: str, state: Object) -> None:
        aws("ecr").delete_lifecycle_policy(repositoryName=name)


class Policy(ResourceType):
    """The policy of a repository."""

    type_name = "aws:ecr/repositoryPolicy:RepositoryPolicy"
    arguments = shape("repository", "policy")
    replaces = ("repository",)

    @override
    def create(self, aws: Clients, inputs: Object) -> str:
        name = text(inputs, "repository")
        self.update(aws, name, inputs)
        return name

    @override
    def read(self, aws: Clients, name: str) -> LiveResource | None:
        response = aws("ecr").get_repository_policy(repositoryName=name)
        return LiveResource({"repository": name, "policy": response["policyText"]})

    @override
    def update(self, aws: Clients, name: str, inputs: Object) -> None:
        aws("ecr").set_repository_policy(repositoryName=name, policyText=inputs["policy"])

    @override
    def delete(self, aws: Clients, name: str, state: Object) -> None:
        aws("ecr").delete_repository_policy(repositoryName=name)
