"""The account of production's stack file in moto, and its resources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import boto3
import yaml

from tests.integration.aws.stacks import ROOT
from tests.support.rehearsal import rehearsal

Object = dict[str, Any]


@dataclass(frozen=True)
class Account:
    """moto's address, and the stack file with the prerequisites created there."""

    endpoint: str
    file: Object

    @property
    def platform(self) -> Object:
        section: Object = self.file["config"]["model-deployment:platform"]
        return section

    @property
    def models(self) -> Object:
        section: Object = self.file["config"]["model-deployment:models"]
        return section

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=self.platform["aws"]["region"],
            endpoint_url=self.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    @property
    def nodes(self) -> Object:
        section: Object = self.platform["aws"]["nodes"]
        return section

    @property
    def balancer(self) -> Object:
        section: Object = self.platform["loadBalancer"]
        return section

    @property
    def bucket(self) -> str:
        return str(self.balancer["accessLogs"]["bucket"])

    @property
    def zone(self) -> str:
        return str(self.balancer["record"]["zone"])

    def resources(self) -> dict[str, list[str]]:
        """Return everything that a stack may create, by kind."""
        elb, ec2 = self.client("elbv2"), self.client("ec2")
        balancers = elb.describe_load_balancers()["LoadBalancers"]
        targets = elb.describe_target_groups()["TargetGroups"]
        groups = ec2.describe_security_groups()["SecurityGroups"]
        records = self.client("route53").list_resource_record_sets(HostedZoneId=self.zone)
        attached = self.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
        resources_by_kind = {
            "balancers": [item["LoadBalancerArn"] for item in balancers],
            "targets": [item["TargetGroupArn"] for item in targets],
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
        return {kind: sorted(items) for kind, items in resources_by_kind.items()}


def furnish(endpoint: str) -> Account:
    """Return the rehearsed account of production's stack file."""
    production = yaml.safe_load((ROOT / "stacks/Pulumi.prod.yaml").read_text())
    return Account(endpoint, rehearsal(production, endpoint))
