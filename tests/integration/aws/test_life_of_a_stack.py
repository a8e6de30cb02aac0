"""From nothing to nothing, by the real engine; what stands is asked of moto, never of our state."""

from __future__ import annotations

import json
from typing import Any

from local.rehearsal import ACCOUNT
from tests.integration.aws.account import Account
from tests.integration.aws.stacks import REPOSITORIES, Stack

Held = dict[str, Any]


def test_the_whole_life_of_a_stack(account: Account, stack: Stack) -> None:
    before = account.held()
    platform = account.platform
    stack.write(platform)

    stack.succeed("preview", "--suppress-progress")
    assert account.held() == before, "a preview made something"

    stack.up()
    _the_way_in(account)
    _the_log(account)
    _the_repositories(account)
    stack.unchanged()
    stack.succeed("refresh", "--yes", "--skip-preview", "--expect-no-changes")

    _drift(account)
    found = stack.refresh()
    for word in ("update", "ELBSecurityPolicy-2016-08", "0.0.0.0/0", "MUTABLE"):
        assert word in found
    stack.fail("preview", "--expect-no-changes", "--suppress-progress")
    stack.up()
    _the_way_in(account)
    _the_log(account)
    _the_repositories(account)
    stack.unchanged()

    refused = stack.fail("destroy", "--yes", "--skip-preview", "--suppress-progress")
    assert "deletion protection is enabled" in refused
    unprotected = {**account.balancer, "deletionProtection": False}
    stack.write({**platform, "loadBalancer": unprotected})
    stack.up()
    stack.destroy()
    assert account.held() == before


def _the_way_in(account: Account) -> None:
    elb = account.client("elbv2")
    (balancer,) = elb.describe_load_balancers()["LoadBalancers"]
    assert (balancer["Type"], balancer["Scheme"]) == ("network", "internet-facing")
    assert {zone["SubnetId"] for zone in balancer["AvailabilityZones"]} == {
        subnet["id"] for subnet in account.balancer["subnets"]
    }
    arn = balancer["LoadBalancerArn"]
    attributes = _attributes(elb.describe_load_balancer_attributes(LoadBalancerArn=arn))
    assert attributes["load_balancing.cross_zone.enabled"] == "true"
    assert attributes["deletion_protection.enabled"] == "true"
    assert attributes["access_logs.s3.enabled"] == "true"
    assert attributes["access_logs.s3.bucket"] == account.bucket

    (listener,) = elb.describe_listeners(LoadBalancerArn=arn)["Listeners"]
    assert (listener["Port"], listener["Protocol"]) == (443, "TLS")
    assert listener["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
    assert [each["CertificateArn"] for each in listener["Certificates"]] == [
        account.balancer["certificate"]["arn"]
    ]

    (group,) = elb.describe_target_groups()["TargetGroups"]
    assert [action["TargetGroupArn"] for action in listener["DefaultActions"]] == [
        group["TargetGroupArn"]
    ]
    assert (group["Protocol"], group["Port"], group["TargetType"]) == ("TCP", 30080, "instance")
    assert (group["HealthCheckProtocol"], group["HealthCheckPort"]) == ("HTTP", "30081")
    assert group["HealthCheckPath"] == "/ping"
    described = elb.describe_target_group_attributes(TargetGroupArn=group["TargetGroupArn"])
    assert _attributes(described)["proxy_protocol_v2.enabled"] == "true"

    nodes = account.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    assert {each["AutoScalingGroupName"]: each["TargetGroupARNs"] for each in nodes} == {
        name: [group["TargetGroupArn"]] for name in account.nodes["autoscalingGroups"]
    }
    _the_rules(account, balancer["SecurityGroups"])

    records = account.client("route53").list_resource_record_sets(HostedZoneId=account.zone)
    (record,) = [each for each in records["ResourceRecordSets"] if each["Type"] == "A"]
    assert record["Name"] == f"{account.platform['hostname']}."
    assert record["AliasTarget"]["DNSName"].rstrip(".") == balancer["DNSName"]
    assert record["AliasTarget"]["HostedZoneId"] == balancer["CanonicalHostedZoneId"]


def _the_rules(account: Account, groups: list[str]) -> None:
    """One port in, two out, and the same two into the nodes; nothing else."""
    (own,) = groups
    ec2 = account.client("ec2")
    (group,) = ec2.describe_security_groups(GroupIds=[own])["SecurityGroups"]
    (nodes,) = ec2.describe_security_groups(GroupIds=[account.nodes["securityGroup"]])[
        "SecurityGroups"
    ]
    assert _opened(group["IpPermissions"]) == {(443, "0.0.0.0/0")}
    assert _opened(group["IpPermissionsEgress"]) == {
        (30080, account.nodes["securityGroup"]),
        (30081, account.nodes["securityGroup"]),
    }
    assert _opened(nodes["IpPermissions"]) == {(30080, own), (30081, own)}


def _opened(permissions: list[Held]) -> set[tuple[int, str]]:
    found = set()
    for each in permissions:
        assert each["IpProtocol"] == "tcp"
        assert each["FromPort"] == each["ToPort"]
        sources = [item["CidrIp"] for item in each["IpRanges"]]
        sources += [item["GroupId"] for item in each["UserIdGroupPairs"]]
        found |= {(each["FromPort"], source) for source in sources}
    return found


def _the_log(account: Account) -> None:
    s3 = account.client("s3")
    block = s3.get_public_access_block(Bucket=account.bucket)["PublicAccessBlockConfiguration"]
    assert block == dict.fromkeys(block, True)
    assert len(block) == 4
    encryption = s3.get_bucket_encryption(Bucket=account.bucket)[
        "ServerSideEncryptionConfiguration"
    ]
    (rule,) = encryption["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    (kept,) = s3.get_bucket_lifecycle_configuration(Bucket=account.bucket)["Rules"]
    assert (kept["Status"], kept["Expiration"]["Days"]) == ("Enabled", 90)
    statements = json.loads(s3.get_bucket_policy(Bucket=account.bucket)["Policy"])["Statement"]
    allowed = [each for each in statements if each["Effect"] == "Allow"]
    assert {each["Principal"]["Service"] for each in allowed} == {"delivery.logs.amazonaws.com"}
    assert all(
        each["Condition"]["StringEquals"]["aws:SourceAccount"] == ACCOUNT for each in allowed
    )


def _the_repositories(account: Account) -> None:
    ecr = account.client("ecr")
    found = {item["repositoryName"]: item for item in ecr.describe_repositories()["repositories"]}
    assert set(found) == {f"models/{name}" for name in REPOSITORIES}
    for name, each in found.items():
        assert each["imageTagMutability"] == "IMMUTABLE"
        assert each["imageScanningConfiguration"]["scanOnPush"] is True
        rules = json.loads(ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"])
        assert [rule["selection"]["tagStatus"] for rule in rules["rules"]] == ["untagged"]
        policy = json.loads(ecr.get_repository_policy(repositoryName=name)["policyText"])
        (statement,) = policy["Statement"]
        assert statement["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:role/nodes"}
        assert not any("Put" in action or "*" in action for action in statement["Action"])


def _attributes(answer: Held) -> dict[str, str]:
    return {item["Key"]: item["Value"] for item in answer["Attributes"]}


def _drift(account: Account) -> None:
    """Somebody's hand in many places: a weak policy, an open port, a detached group, and so on."""
    elb, ec2 = account.client("elbv2"), account.client("ec2")
    (balancer,) = elb.describe_load_balancers()["LoadBalancers"]
    (listener,) = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    elb.modify_listener(ListenerArn=listener["ListenerArn"], SslPolicy="ELBSecurityPolicy-2016-08")
    elb.modify_load_balancer_attributes(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}],
    )
    (group,) = elb.describe_target_groups()["TargetGroups"]
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
        repositoryName=f"models/{REPOSITORIES[0]}", imageTagMutability="MUTABLE"
    )
    records = account.client("route53").list_resource_record_sets(HostedZoneId=account.zone)
    (record,) = [each for each in records["ResourceRecordSets"] if each["Type"] == "A"]
    account.client("route53").change_resource_record_sets(
        HostedZoneId=account.zone,
        ChangeBatch={"Changes": [{"Action": "DELETE", "ResourceRecordSet": record}]},
    )


def test_without_an_endpoint_there_is_a_preview_and_no_update(
    account: Account, stack: Stack
) -> None:
    before = account.held()
    aws = {key: value for key, value in account.platform["aws"].items() if key != "endpoint"}
    stack.write({**account.platform, "aws": aws})
    assert "aws:lb:LoadBalancer" in stack.succeed("preview", "--suppress-progress")
    refused = stack.fail("up", "--yes", "--skip-preview", "--suppress-progress")
    assert "speaks to this machine only" in refused
    assert account.held() == before
