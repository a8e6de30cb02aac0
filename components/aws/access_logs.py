"""The S3 bucket of a load balancer's access logs: private, encrypted, with expiry."""

import json
from dataclasses import dataclass

import pulumi
from pulumi_aws import s3

from components.config.aws_sections import AccessLogsSpec, AwsSpec

_DELIVERY = {"Service": "delivery.logs.amazonaws.com"}


@dataclass(frozen=True)
class AccessLogs:
    """The bucket's name, and the resources that must exist before logs are written."""

    bucket: pulumi.Output[str]
    policy: s3.BucketPolicy


def access_logs(spec: AccessLogsSpec, account: AwsSpec, opts: pulumi.ResourceOptions) -> AccessLogs:
    """The bucket with its policies. It is not deleted while it contains logs."""
    bucket = s3.Bucket("access-logs", bucket=spec.bucket, opts=opts)
    s3.BucketPublicAccessBlock(
        "access-logs",
        bucket=bucket.bucket,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        opts=opts,
    )
    s3.BucketServerSideEncryptionConfiguration(
        "access-logs",
        bucket=bucket.bucket,
        rules=[
            s3.BucketServerSideEncryptionConfigurationRuleArgs(
                apply_server_side_encryption_by_default=s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
                    sse_algorithm="AES256"
                )
            )
        ],
        opts=opts,
    )
    s3.BucketLifecycleConfiguration(
        "access-logs",
        bucket=bucket.bucket,
        rules=[
            s3.BucketLifecycleConfigurationRuleArgs(
                id="expire",
                status="Enabled",
                filter=s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
                expiration=s3.BucketLifecycleConfigurationRuleExpirationArgs(days=spec.days),
            )
        ],
        opts=opts,
    )
    policy = s3.BucketPolicy(
        "access-logs",
        bucket=bucket.bucket,
        policy=json.dumps(_policy(spec.bucket, account)),
        opts=opts,
    )
    return AccessLogs(bucket.bucket, policy)


def _policy(bucket: str, account: AwsSpec) -> dict[str, object]:
    """Allow log delivery for this account's load balancers; deny requests without TLS."""
    arn = f"arn:aws:s3:::{bucket}"
    ours = {"aws:SourceAccount": account.account}
    source = {"aws:SourceArn": f"arn:aws:logs:{account.region}:{account.account}:*"}
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "DeliveryLooks",
                "Effect": "Allow",
                "Principal": _DELIVERY,
                "Action": "s3:GetBucketAcl",
                "Resource": arn,
                "Condition": {"StringEquals": ours, "ArnLike": source},
            },
            {
                "Sid": "DeliveryWrites",
                "Effect": "Allow",
                "Principal": _DELIVERY,
                "Action": "s3:PutObject",
                "Resource": f"{arn}/AWSLogs/{account.account}/*",
                "Condition": {
                    "StringEquals": {**ours, "s3:x-amz-acl": "bucket-owner-full-control"},
                    "ArnLike": source,
                },
            },
            {
                "Sid": "NobodyInPlainText",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [arn, f"{arn}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ],
    }
