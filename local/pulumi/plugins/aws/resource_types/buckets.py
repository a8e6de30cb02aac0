"""S3 buckets and their settings."""

from typing_extensions import override

from local.pulumi.plugins.aws.clients import Clients
from local.pulumi.plugins.aws.resource_type import LiveResource, ResourceType, shape
from local.pulumi.plugins.json_access import dig, integer, mapping, objects, text
from local.pulumi.plugins.properties import Object

_FIRST_REGION = "us-east-1"
"""The API refuses this region as LocationConstraint."""


class Bucket(ResourceType):
    """A bucket. AWS refuses to delete one that is not empty."""

    type_name = "aws:s3/bucket:Bucket"
    arguments = shape("bucket")
    replaces = ("bucket",)
    computed = ("arn", "region")

    @override
    def create(self, aws: Clients, inputs: Object) -> str:
        location = {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}
        arguments = location if aws.region != _FIRST_REGION else {}
        aws("s3").create_bucket(Bucket=inputs["bucket"], **arguments)
        return text(inputs, "bucket")

    @override
    def read(self, aws: Clients, name: str) -> LiveResource | None:
        aws("s3").head_bucket(Bucket=name)
        response = aws("s3").get_bucket_location(Bucket=name)
        region = text(response, "LocationConstraint") or _FIRST_REGION
        return LiveResource({"bucket": name}, {"arn": f"arn:aws:s3:::{name}", "region": region})

    @override
    def delete(self, aws: Clients, name: str, state: Object) -> None:
        aws("s3").delete_bucket(Bucket=name)


class _BucketSetting(ResourceType):
    """A setting of a bucket; creating and changing it are the same request."""

    replaces = ("bucket",)

    @override
    def create(self, aws: Clients, inputs: Object) -> str:
        self.update(aws, text(inputs, "bucket"), inputs)
        return text(inputs, "bucket")


class Policy(_BucketSetting):
    """The policy of a bucket."""

    type_name = "aws:s3/bucketPolicy:BucketPolicy"
    arguments = shape("bucket", "policy")

    @override
    def read(self, aws: Clients, name: str) -> LiveResource | None:
        response = aws("s3").get_bucket_policy(Bucket=name)
        return LiveResource({"bucket": name, "policy": response["Policy"]})

    @override
    def update(self, aws: Clients, name: str, inputs: Object) -> None:
        aws("s3").put_bucket_policy(Bucket=name, Policy=inputs["policy"])

    @override
    def delete(self, aws: Clients, name: str, state: Object) -> None:
        aws("s3").delete_bucket_policy(Bucket=name)


class PublicAccessBlock(_BucketSetting):
    """The block of public access to a bucket."""

    type_name = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    arguments = shape(
        "bucket",
        "blockPublicAcls",
        "blockPublicPolicy",
        "ignorePublicAcls",
        "restrictPublicBuckets",
    )

    @override
    def read(self, aws: Clients, name: str) -> LiveResource | None:
        block = mapping(
            aws("s3").get_public_access_block(Bucket=name), "PublicAccessBlockConfiguration"
        )
        settings = {key: block.get(_capitalize(key)) for key in self.arguments if key != "bucket"}
        return LiveResource({"bucket": name, **settings})

    @override
    def update(self, aws: Clients, name: str, inputs: Object) -> None:
        block = {_capitalize(key): value for key, value in inputs.items() if key != "bucket"}
        aws("s3").put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=block)

    @override
    def delete(self, aws: Clients, name: str, state: Object) -> None:
        aws("s3").delete_public_access_block(Bucket=name)


class Encryption(_BucketSetting):
    """The default encryption of a bucket."""

    type_name = (
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    )
    arguments = shape(
        "bucket", rules=shape(applyServerSideEncryptionByDefault=shape("sseAlgorithm"))
    )

    @override
    def read(self, aws: Clients, name: str) -> LiveResource | None:
        response = aws("s3").get_bucket_encryption(Bucket=name)
        return LiveResource(
            {
                "bucket": name,
                "rules": [
                    {
                        "applyServerSideEncryptionByDefault": {
                            "sseAlgorithm": dig(
                                rule, "ApplyServerSideEncryptionByDefault", "SSEAlgorithm"
                            )
                        }
                    }
                    for rule in objects(response, "ServerSideEncryptionConfiguration", "Rules")
                ],
            }
        )

    @override
    def update(self, aws: Clients, name: str, inputs: Object) -> None:
        rules = [
            {
                "ApplyServerSideEncryptionByDefault": {
                    "SSEAlgorithm": dig(rule, "applyServerSideEncryptionByDefault", "sseAlgorithm")
                }
            }
            for rule in objects(inputs, "rules")
        ]
        aws("s3").put_bucket_encryption(
            Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules}
        )

    @override
    def delete(self, aws: Clients, name: str, state: Object) -> None:
        aws("s3").delete_bucket_encryption(Bucket=name)


class Lifecycle(_BucketSetting):
    """The lifecycle rules of a bucket."""

    type_name = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    arguments = shape(
        "bucket",
        rules=shape("id", "status", filter=shape("prefix"), expiration=shape("days")),
    )

    @override
    def read(self, aws: Clients, name: str) -> LiveResource | None:
        response = aws("s3").get_bucket_lifecycle_configuration(Bucket=name)
        return LiveResource(
            {
                "bucket": name,
                "rules": [
                    {
                        "id": text(rule, "ID"),
                        "status": text(rule, "Status"),
                        "filter": {"prefix": text(rule, "Filter", "Prefix")},
                        "expiration": {"days": integer(rule, "Expiration", "Days")},
                    }
                    for rule in objects(response, "Rules")
                ],
            }
        )

    @override
    def update(self, aws: Clients, name: str, inputs: Object) -> None:
        rules = [
            {
                "ID": text(rule, "id"),
                "Status": text(rule, "status"),
                "Filter": {"Prefix": text(rule, "filter", "prefix")},
                "Expiration": {"Days": integer(rule, "expiration", "days")},
            }
            for rule in objects(inputs, "rules")
        ]
        aws("s3").put_bucket_lifecycle_configuration(
            Bucket=name, LifecycleConfiguration={"Rules": rules}
        )

    @override
    def delete(self, aws: Clients, name: str, state: Object) -> None:
        aws("s3").delete_bucket_lifecycle(Bucket=name)


def _capitalize(key: str) -> str:
    """Return the name of an argument in the API."""
    return key[:1].upper() + key[1:]
