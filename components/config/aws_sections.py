"""The AWS sections: account, existing resources, and load balancer."""

from pydantic import Field

from components.config.aws_types import (
    Account,
    BucketName,
    CertificateArn,
    CertificateName,
    Endpoint,
    GroupName,
    HostedZoneId,
    LogDays,
    Range,
    Region,
    RepositoryPrefix,
    RoleArn,
    Scheme,
    SecurityGroupId,
    SubnetId,
    SubnetRange,
    VpcId,
    Zone,
)
from components.config.base import Section
from components.config.types import Hostname


class VpcSpec(Section):
    """The network that the cluster is in."""

    id: VpcId = Field(description="The VPC.", examples=["vpc-0a1b2c3d4e5f60718"])
    cidr: SubnetRange = Field(description="Its addresses.", examples=["10.20.0.0/16"])


class NodesSpec(Section):
    """The cluster's nodes, as their node groups made them."""

    autoscaling_groups: list[GroupName] = Field(
        min_length=1,
        description="Groups whose instances are nodes; the load balancer leads to all of them.",
        examples=[["eks-models-a1b2c3d4"]],
    )
    security_group: SecurityGroupId = Field(
        description="The nodes' security group; it gets a rule for the load balancer.",
        examples=["sg-0a1b2c3d4e5f60718"],
    )
    role: RoleArn = Field(
        description="The nodes' role; it may pull from the repositories.",
        examples=["arn:aws:iam::123456789012:role/models-nodes"],
    )


class AwsSpec(Section):
    """The AWS account and its existing resources."""

    account: Account = Field(
        description="The account; in no other is anything made.", examples=['"123456789012"']
    )
    region: Region = Field(description="The region.", examples=["eu-central-1"])
    vpc: VpcSpec = Field(
        description="The network.",
        examples=[{"id": "vpc-0a1b2c3d4e5f60718", "cidr": "10.20.0.0/16"}],
    )
    nodes: NodesSpec = Field(description="The cluster's nodes.")
    repositories: RepositoryPrefix | None = Field(
        default=None,
        description="Prefix of the ECR repositories that this stack makes, one for each model.",
        examples=["models"],
    )
    endpoint: Endpoint | None = Field(
        default=None,
        description="In a rehearsal: the address, on this machine, that answers for AWS.",
        examples=["http://127.0.0.1:5000"],
    )


_SUBNET = {
    "id": "subnet-0a1b2c3d4e5f60718",
    "zone": "eu-central-1a",
    "cidr": "10.20.0.0/20",
}


class SubnetSpec(Section):
    """One subnet of the load balancer; AWS takes one for each availability zone."""

    id: SubnetId = Field(description="The subnet.", examples=["subnet-0a1b2c3d4e5f60718"])
    zone: Zone = Field(description="Its availability zone.", examples=["eu-central-1a"])
    cidr: SubnetRange = Field(description="Its addresses.", examples=["10.20.0.0/20"])


class CertificateSpec(Section):
    """The certificate of ACM that clients see. ACM renews it under the same ARN."""

    arn: CertificateArn = Field(
        description="The certificate.",
        examples=["arn:aws:acm:eu-central-1:123456789012:certificate/<id>"],
    )
    names: list[CertificateName] = Field(
        min_length=1,
        description="The names that it holds for; one must be the hostname's.",
        examples=[["models.example.com"]],
    )


class RecordSpec(Section):
    """The hosted zone of Route 53 that gets the hostname's record."""

    zone: HostedZoneId = Field(description="The hosted zone.", examples=["Z0123456789ABCDEFGHIJ"])
    domain: Hostname = Field(description="The zone's domain.", examples=["example.com"])
    private: bool = Field(
        default=False, description="Whether only the VPC can see the zone.", examples=[False]
    )


class AccessLogsSpec(Section):
    """The bucket, made by this stack, that the load balancer writes its log to."""

    bucket: BucketName = Field(
        description="The bucket's name; no other account may have it.",
        examples=["example-models-prod-access-logs"],
    )
    days: LogDays = Field(default=90, description="How long a line is kept.", examples=[90])


class LoadBalancerSpec(Section):
    """A network load balancer with TLS, in front of Traefik's node ports."""

    scheme: Scheme = Field(
        description="internet-facing, or internal for the VPC alone.", examples=["internet-facing"]
    )
    subnets: list[SubnetSpec] = Field(
        min_length=1,
        description="One subnet in each availability zone, two zones at least.",
        examples=[[_SUBNET]],
    )
    certificate: CertificateSpec = Field(description="The certificate that clients see.")
    record: RecordSpec = Field(description="Where the hostname's record goes.")
    access_logs: AccessLogsSpec = Field(
        description="Where each connection is written down.",
        examples=[{"bucket": "example-models-prod-access-logs"}],
    )
    clients: list[Range] = Field(
        min_length=1,
        description="Addresses that may connect, to the listeners alone.",
        examples=[["0.0.0.0/0"]],
    )
    deletion_protection: bool = Field(
        default=True,
        description="Whether AWS refuses to delete the load balancer. false before a destroy.",
        examples=[True],
    )
