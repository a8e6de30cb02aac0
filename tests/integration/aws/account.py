"""An account of AWS that moto plays: what stands in it before a stack, and what it holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3

REGION = "eu-central-1"
ACCOUNT = "123456789012"
"""moto's own."""
HOSTNAME = "models.example.com"
PREFIX = "models"
BUCKET = "example-models-access-logs"


@dataclass(frozen=True)
class Account:
    """The ids of what somebody else made: the network, the nodes, the zone, the certificate."""

    endpoint: str
    vpc: str
    subnets: dict[str, tuple[str, str]]
    """Id and range, by zone."""
    nodes: list[str]
    security_group: str
    zone: str
    certificate: str

    def client(self, service: str) -> Any:
        return client(self.endpoint, service)

    def platform(self) -> dict[str, Any]:
        """A stack file's section for this account."""
        return {
            "namespace": "models",
            "registry": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{PREFIX}",
            "hostname": HOSTNAME,
            "ingressController": {"replicas": 3, "nodePort": 30080, "pingPort": 30081},
            "aws": {
                "account": ACCOUNT,
                "region": REGION,
                "vpc": {"id": self.vpc, "cidr": "10.20.0.0/16"},
                "nodes": {
                    "autoscalingGroups": self.nodes,
                    "securityGroup": self.security_group,
                    "role": f"arn:aws:iam::{ACCOUNT}:role/models-nodes",
                },
                "repositories": PREFIX,
                "endpoint": self.endpoint,
            },
            "loadBalancer": {
                "scheme": "internet-facing",
                "subnets": [
                    {"id": name, "zone": zone, "cidr": cidr}
                    for zone, (name, cidr) in self.subnets.items()
                ],
                "certificate": {"arn": self.certificate, "names": ["*.example.com"]},
                "record": {"zone": self.zone, "domain": "example.com"},
                "accessLogs": {"bucket": BUCKET, "days": 30},
                "clients": ["0.0.0.0/0"],
            },
        }

    def held(self) -> dict[str, list[str]]:
        """Everything that a stack may have made, by kind; also rules in the nodes' group."""
        elb, ec2 = self.client("elbv2"), self.client("ec2")
        balancers = [
            item["LoadBalancerArn"] for item in elb.describe_load_balancers()["LoadBalancers"]
        ]
        groups = ec2.describe_security_groups()["SecurityGroups"]
        records = self.client("route53").list_resource_record_sets(HostedZoneId=self.zone)
        attached = self.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
        found = {
            "balancers": balancers,
            "targets": [
                item["TargetGroupArn"] for item in elb.describe_target_groups()["TargetGroups"]
            ],
            "groups": [item["GroupId"] for item in groups],
            "rules": [f"{item['GroupId']} {item['IpPermissions']}" for item in groups],
            "buckets": [item["Name"] for item in self.client("s3").list_buckets()["Buckets"]],
            "repositories": [
                item["repositoryName"]
                for item in self.client("ecr").describe_repositories()["repositories"]
            ],
            "records": [f"{item['Type']} {item['Name']}" for item in records["ResourceRecordSets"]],
            "attached": [arn for group in attached for arn in group.get("TargetGroupARNs", [])],
        }
        return {kind: sorted(items) for kind, items in found.items()}


def client(endpoint: str, service: str) -> Any:
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def furnish(endpoint: str) -> Account:
    """A VPC with nodes in two zones, as the cluster's own stack would leave them."""

    def of(service: str) -> Any:
        return client(endpoint, service)

    ec2 = of("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.20.0.0/16")["Vpc"]["VpcId"]
    subnets = {}
    for zone, cidr in ((f"{REGION}a", "10.20.0.0/20"), (f"{REGION}b", "10.20.16.0/20")):
        made = ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)
        subnets[zone] = (made["Subnet"]["SubnetId"], cidr)
    group = ec2.create_security_group(GroupName="nodes", Description="nodes", VpcId=vpc)["GroupId"]
    zone = of("route53").create_hosted_zone(Name="example.com", CallerReference="1")
    certificate = of("acm").request_certificate(DomainName="*.example.com")
    return Account(
        endpoint,
        vpc,
        subnets,
        _nodes(of, [name for name, _ in subnets.values()]),
        group,
        zone["HostedZone"]["Id"].rpartition("/")[2],
        certificate["CertificateArn"],
    )


def _nodes(of: Callable[[str], Any], subnets: list[str]) -> list[str]:
    image = of("ec2").describe_images()["Images"][0]["ImageId"]
    of("ec2").create_launch_template(
        LaunchTemplateName="nodes",
        LaunchTemplateData={"ImageId": image, "InstanceType": "m7i.large"},
    )
    names = ["eks-models-a", "eks-models-b"]
    for name, subnet in zip(names, subnets, strict=True):
        of("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=name,
            LaunchTemplate={"LaunchTemplateName": "nodes"},
            MinSize=1,
            MaxSize=3,
            DesiredCapacity=1,
            VPCZoneIdentifier=subnet,
        )
    return names
