"""S3: a bucket, and what is set on it."""

from __future__ import annotations

from typing_extensions import override

from local.plugins.access import dig, mapping, objects, text, whole
from local.plugins.aws.clients import Clients
from local.plugins.aws.kind import Kind, Standing, shape
from local.plugins.values import Object

_FIRST_REGION = "us-east-1"
"""It alone may not be named as a bucket's place."""


class Bucket(Kind):
    """The bucket. One that holds something is not deleted: AWS refuses."""

    type_name = "aws:s3/bucket:Bucket"
    arguments = shape("bucket")
    replaces = ("bucket",)
    computed = ("arn", "region")

    @override
    def create(self, aws: Clients, inputs: Object) -> str:
        place = {"CreateBucketConfiguration": {"LocationConstraint": aws.region}}
        elsewhere = place if aws.region != _FIRST_REGION else {}
        aws("s3").create_bucket(Bucket=inputs["bucket"], **elsewhere)
        return text(inputs, "bucket")

    @override
    def read(self, aws: Clients, name: str) -> Standing | None:
        aws("s3").head_bucket(Bucket=name)
        place = aws("s3").get_bucket_location(Bucket=name)
        region = text(place, "LocationConstraint") or _FIRST_REGION
        return Standing({"bucket": name}, {"arn": f"arn:aws:s3:::{name}", "region": region})

    @override
    def delete(self, aws: Clients, name: str, known: Object) -> None:
        aws("s3").delete_bucket(Bucket=name)


class _OfBucket(Kind):
    """Something that is set on a bucket as a whole: to make it and to change it are the same."""

    replaces = ("bucket",)

    @override
    def create(self, aws: Clients, inputs: Object) -> str:
        self.update(aws, text(inputs, "bucket"), inputs)
        return text(inputs, "bucket")


class Policy(_OfBucket):
    """Who may do what."""

    type_name = "aws:s3/bucketPolicy:BucketPolicy"
    arguments = shape("bucket", "policy")

    @override
    def read(self, aws: Clients, name: str) -> Standing | None:
        found = aws("s3").get_bucket_policy(Bucket=name)
        return Standing({"bucket": name, "policy": found["Policy"]})

    @override
    def update(self, aws: Clients, name: str, inputs: Object) -> None:
        aws("s3").put_bucket_policy(Bucket=name, Policy=inputs["policy"])

    @override
    def delete(self, aws: Clients, name: str, known: Object) -> None:
        aws("s3").delete_bucket_policy(Bucket=name)


class PublicAccessBlock(_OfBucket):
    """What keeps it from ever being public."""

    type_name = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
    arguments = shape(
        "bucket",
        "blockPublicAcls",
        "blockPublicPolicy",
        "ignorePublicAcls",
        "restrictPublicBuckets",
    )

    @override
    def read(self, aws: Clients, name: str) -> Standing | None:
        found = mapping(
            aws("s3").get_public_access_block(Bucket=name), "PublicAccessBlockConfiguration"
        )
        held = {key: found.get(_capital(key)) for key in self.arguments if key != "bucket"}
        return Standing({"bucket": name, **held})

    @override
    def update(self, aws: Clients, name: str, inputs: Object) -> None:
        wanted = {_capital(key): value for key, value in inputs.items() if key != "bucket"}
        aws("s3").put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=wanted)

    @override
    def delete(self, aws: Clients, name: str, known: Object) -> None:
        aws("s3").delete_public_access_block(Bucket=name)


class Encryption(_OfBucket):
    """What it is encrypted with."""

    type_name = (
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"
    )
    arguments = shape(
        "bucket", rules=shape(applyServerSideEncryptionByDefault=shape("sseAlgorithm"))
    )

    @override
    def read(self, aws: Clients, name: str) -> Standing | None:
        found = aws("s3").get_bucket_encryption(Bucket=name)
        return Standing(
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
                    for rule in objects(found, "ServerSideEncryptionConfiguration", "Rules")
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
    def delete(self, aws: Clients, name: str, known: Object) -> None:
        aws("s3").delete_bucket_encryption(Bucket=name)


class Lifecycle(_OfBucket):
    """How long it keeps what it holds."""

    type_name = "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration"
    arguments = shape(
        "bucket",
        rules=shape("id", "status", filter=shape("prefix"), expiration=shape("days")),
    )

    @override
    def read(self, aws: Clients, name: str) -> Standing | None:
        found = aws("s3").get_bucket_lifecycle_configuration(Bucket=name)
        return Standing(
            {
                "bucket": name,
                "rules": [
                    {
                        "id": text(rule, "ID"),
                        "status": text(rule, "Status"),
                        "filter": {"prefix": text(rule, "Filter", "Prefix")},
                        "expiration": {"days": whole(rule, "Expiration", "Days")},
                    }
                    for rule in objects(found, "Rules")
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
                "Expiration": {"Days": whole(rule, "expiration", "days")},
            }
            for rule in objects(inputs, "rules")
        ]
        aws("s3").put_bucket_lifecycle_configuration(
            Bucket=name, LifecycleConfiguration={"Rules": rules}
        )

    @override
    def delete(self, aws: Clients, name: str, known: Object) -> None:
        aws("s3").delete_bucket_lifecycle(Bucket=name)


def _capital(key: str) -> str:
    """The API's spelling of an argument."""
    return key[:1].upper() + key[1:]
