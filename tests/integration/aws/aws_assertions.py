"""Assertions on the emulated AWS account, and changes to it by hand; read from moto."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.integration.aws.account import Account
from tests.support.rehearsal import ACCOUNT

Held = dict[str, Any]


def the_way_in(account: Account, ports: Mapping[str, int], *, protected: bool = True) -> None:
    """Assert record, load balancer, listeners, and target groups at the node ports."""
    elb = account.client("elbv2")
    (balancer,) = elb.describe_load_balancers()["LoadBalancers"]
    assert (balancer["Type"], balancer["Scheme"]) == ("network", "internet-facing")
    assert {zone["SubnetId"] for zone in balancer["AvailabilityZones"]} == {
        subnet["id"] for subnet in account.balancer["subnets"]
    }
    arn = balancer["LoadBalancerArn"]
    attributes = _attributes(elb.describe_load_balancer_attributes(LoadBalancerArn=arn))
    assert attributes["load_balancing.cross_zone.enabled"] == "true"
    assert attributes["deletion_protection.enabled"] == str(protected).lower()
    assert attributes["access_logs.s3.enabled"] == "true"
    assert attributes["access_logs.s3.bucket"] == account.bucket

    listeners = {
        (item["Port"], item["Protocol"]): item
        for item in elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]
    }
    assert set(listeners) == {(443, "TLS"), (80, "TCP")}
    listener = listeners[443, "TLS"]
    assert listener["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
    assert [item["CertificateArn"] for item in listener["Certificates"]] == [
        account.balancer["certificate"]["arn"]
    ]

    groups = {item["TargetGroupArn"]: item for item in elb.describe_target_groups()["TargetGroups"]}
    assert len(groups) == len(listeners)
    for listener, port, proxied in (
        (listeners[443, "TLS"], ports["web"], "true"),
        (listeners[80, "TCP"], ports["plain"], "false"),  # this listener only redirects
    ):
        (action,) = listener["DefaultActions"]
        group = groups[action["TargetGroupArn"]]
        assert (group["Protocol"], group["Port"], group["TargetType"]) == ("TCP", port, "instance")
        health = (group["HealthCheckProtocol"], group["HealthCheckPort"], group["HealthCheckPath"])
        assert health == ("HTTP", str(ports["ping"]), "/ping")
        described = elb.describe_target_group_attributes(TargetGroupArn=group["TargetGroupArn"])
        assert _attributes(described)["proxy_protocol_v2.enabled"] == proxied

    nodes = account.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    assert {item["AutoScalingGroupName"]: {*item["TargetGroupARNs"]} for item in nodes} == {
        name: set(groups) for name in account.nodes["autoscalingGroups"]
    }
    _the_rules(account, balancer["SecurityGroups"], ports)

    records = account.client("route53").list_resource_record_sets(HostedZoneId=account.zone)
    (record,) = [item for item in records["ResourceRecordSets"] if item["Type"] == "A"]
    assert record["Name"] == f"{account.platform['hostname']}."
    assert record["AliasTarget"]["DNSName"].rstrip(".") == balancer["DNSName"]
    assert record["AliasTarget"]["HostedZoneId"] == balancer["CanonicalHostedZoneId"]


def _the_rules(account: Account, groups: list[str], ports: Mapping[str, int]) -> None:
    """Assert exactly: two ports in, the node ports out, and the same into the nodes."""
    (own,) = groups
    ec2 = account.client("ec2")
    (group,) = ec2.describe_security_groups(GroupIds=[own])["SecurityGroups"]
    (nodes,) = ec2.describe_security_groups(GroupIds=[account.nodes["securityGroup"]])[
        "SecurityGroups"
    ]
    assert _opened(group["IpPermissions"]) == {(443, "0.0.0.0/0"), (80, "0.0.0.0/0")}
    assert _opened(group["IpPermissionsEgress"]) == {
        (port, account.nodes["securityGroup"]) for port in ports.values()
    }
    assert _opened(nodes["IpPermissions"]) == {(port, own) for port in ports.values()}


def _opened(permissions: list[Held]) -> set[tuple[int, str]]:
    openings = set()
    for item in permissions:
        assert item["IpProtocol"] == "tcp"
        assert item["FromPort"] == item["ToPort"]
        sources = [item["CidrIp"] for item in item["IpRanges"]]
        sources += [item["GroupId"] for item in item["UserIdGroupPairs"]]
        openings |= {(item["FromPort"], source) for source in sources}
    return openings


def the_log(account: Account) -> None:
    """Assert that the bucket of access logs is private, encrypted, and expires old logs."""
    s3 = account.client("s3")
    block = s3.get_public_access_block(Bucket=account.bucket)["PublicAccessBlockConfiguration"]
    assert block == dict.fromkeys(block, True)
    assert len(block) == 4
    encryption = s3.get_bucket_encryption(Bucket=account.bucket)[
        "ServerSideEncryptionConfiguration"
    ]
    (rule,) = encryption["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    (lifecycle_rule,) = s3.get_bucket_lifecycle_configuration(Bucket=account.bucket)["Rules"]
    assert (lifecycle_rule["Status"], lifecycle_rule["Expiration"]["Days"]) == ("Enabled", 90)
    statements = json.loads(s3.get_bucket_policy(Bucket=account.bucket)["Policy"])["Statement"]
    allowed = [item for item in statements if item["Effect"] == "Allow"]
    assert {item["Principal"]["Service"] for item in allowed} == {"delivery.logs.amazonaws.com"}
    assert all(
        item["Condition"]["StringEquals"]["aws:SourceAccount"] == ACCOUNT for item in allowed
    )


def the_repositories(account: Account, names: set[str]) -> None:
    """Assert one immutable, scanned repository per image that nodes may pull from."""
    ecr = account.client("ecr")
    repositories = {
        item["repositoryName"]: item for item in ecr.describe_repositories()["repositories"]
    }
    assert set(repositories) == {f"models/{name}" for name in names}
    for name, item in repositories.items():
        assert item["imageTagMutability"] == "IMMUTABLE"
        assert item["imageScanningConfiguration"]["scanOnPush"] is True
        rules = json.loads(ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"])
        assert [rule["selection"]["tagStatus"] for rule in rules["rules"]] == ["untagged"]
        policy = json.loads(ecr.get_repository_policy(repositoryName=name)["policyText"])
        (statement,) = policy["Statement"]
        assert statement["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:role/nodes"}
        assert not any("Put" in action or "*" in action for action in statement["Action"])


def _attributes(answer: Held) -> dict[str, str]:
    return {item["Key"]: item["Value"] for item in answer["Attributes"]}


def drift(account: Account, repository: str) -> None:
    """Change many resources by hand: a weak policy, an open port, a detached group, and so on."""
    elb, ec2 = account.client("elbv2"), account.client("ec2")
    (balancer,) = elb.describe_load_balancers()["LoadBalancers"]
    listeners = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    (listener,) = [item for item in listeners if item["Protocol"] == "TLS"]
    elb.modify_listener(ListenerArn=listener["ListenerArn"], SslPolicy="ELBSecurityPolicy-2016-08")
    elb.modify_load_balancer_attributes(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}],
    )
    group = elb.describe_target_groups()["TargetGroups"][0]
    elb.modify_target_group(TargetGroupArn=group["TargetGroupArn"], HealthCheckPath="/")
    account.client("autoscaling").detach_load_balancer_target_groups(
        AutoScalingGroupName=account.nodes["autoscalingGroups"][0],
        TargetGroupARNs=[group["TargetGroupArn"]],
    )
    ec2.authorize_security_group_ingress(
        GroupId=balancer["SecurityGroups"][0],
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 22,
                "ToPort": 22,
                "IpRanges": [{"CidrIp": "0.0.0.0/0"}],
            }
        ],
    )
    s3 = account.client("s3")
    s3.delete_public_access_block(Bucket=account.bucket)
    s3.delete_bucket_policy(Bucket=account.bucket)
    account.client("ecr").put_image_tag_mutability(
        repositoryName=f"models/{repository}", imageTagMutability="MUTABLE"
    )
    records = account.client("route53").list_resource_record_sets(HostedZoneId=account.zone)
    (record,) = [item for item in records["ResourceRecordSets"] if item["Type"] == "A"]
    account.client("route53").change_resource_record_sets(
        HostedZoneId=account.zone,
        ChangeBatch={"Changes": [{"Action": "DELETE", "ResourceRecordSet": record}]},
    )
