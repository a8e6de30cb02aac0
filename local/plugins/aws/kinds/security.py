"""EC2's security groups: one with all its rules, and single rules of a group of somebody else."""

from __future__ import annotations

from typing_extensions import override

from local.plugins.access import objects, text, whole
from local.plugins.aws.clients import Clients
from local.plugins.aws.kind import Kind, Shape, Standing, shape
from local.plugins.values import Json, Object

_RULE: Shape = shape(
    "description", "protocol", "fromPort", "toPort", "cidrBlocks", "securityGroups"
)


class SecurityGroup(Kind):
    """A group whose rules are those of the program: every other is taken away."""

    type_name = "aws:ec2/securityGroup:SecurityGroup"
    arguments = shape("name", "description", "vpcId", ingress=_RULE, egress=_RULE)
    replaces = ("name", "description", "vpcId")
    computed = ("arn", "ownerId")
    longest_name = 255

    @override
    def create(self, aws: Clients, inputs: Object) -> str:
        made = aws("ec2").create_security_group(
            GroupName=inputs["name"], Description=inputs["description"], VpcId=inputs["vpcId"]
        )
        name = text(made, "GroupId")
        self.update(aws, name, inputs)
        return name

    @override
    def read(self, aws: Clients, name: str) -> Standing | None:
        group = _group(aws, name)
        return Standing(
            {
                "name": text(group, "GroupName"),
                "description": text(group, "Description"),
                "vpcId": text(group, "VpcId"),
                "ingress": [*_rules(objects(group, "IpPermissions"))],
                "egress": [*_rules(objects(group, "IpPermissionsEgress"))],
            },
            {
                "arn": f"arn:aws:ec2:{aws.region}:{text(group, 'OwnerId')}:security-group/{name}",
                "ownerId": text(group, "OwnerId"),
            },
        )

    @override
    def update(self, aws: Clients, name: str, inputs: Object) -> None:
        """Also at creation: AWS lets a new group reach everything."""
        group, ec2 = _group(aws, name), aws("ec2")
        for key, held, revoke, authorize in (
            (
                "ingress",
                objects(group, "IpPermissions"),
                ec2.revoke_security_group_ingress,
                ec2.authorize_security_group_ingress,
            ),
            (
                "egress",
                objects(group, "IpPermissionsEgress"),
                ec2.revoke_security_group_egress,
                ec2.authorize_security_group_egress,
            ),
        ):
            before, after = _rules(held), objects(inputs, key)
            gone: list[Json] = [_permission(rule) for rule in before if rule not in after]
            new: list[Json] = [_permission(rule) for rule in after if rule not in before]
            if gone:
                revoke(GroupId=name, IpPermissions=gone)
            if new:
                authorize(GroupId=name, IpPermissions=new)

    @override
    def delete(self, aws: Clients, name: str, known: Object) -> None:
        aws("ec2").delete_security_group(GroupId=name)


def _group(aws: Clients, name: str) -> Object:
    return objects(aws("ec2").describe_security_groups(GroupIds=[name]), "SecurityGroups")[0]


def _permission(rule: Object) -> Object:
    """One rule as the API takes it."""
    described: Object = {"Description": rule["description"]} if rule.get("description") else {}
    ranges, groups = rule.get("cidrBlocks"), rule.get("securityGroups")
    return {
        "IpProtocol": rule["protocol"],
        "FromPort": rule["fromPort"],
        "ToPort": rule["toPort"],
        "IpRanges": [
            {"CidrIp": cidr, **described} for cidr in (ranges if isinstance(ranges, list) else [])
        ],
        "UserIdGroupPairs": [
            {"GroupId": each, **described} for each in (groups if isinstance(groups, list) else [])
        ],
    }


def _rules(permissions: list[Object]) -> list[Object]:
    """The API's permissions as rules: those of the same ports and the same description are one."""
    found: dict[tuple[str, int, int, str], dict[str, list[str]]] = {}
    for item in permissions:
        ports = whole(item, "FromPort", default=-1), whole(item, "ToPort", default=-1)
        for part, value, key in (
            ("IpRanges", "CidrIp", "cidrBlocks"),
            ("Ipv6Ranges", "CidrIpv6", "ipv6CidrBlocks"),
            ("PrefixListIds", "PrefixListId", "prefixListIds"),
            ("UserIdGroupPairs", "GroupId", "securityGroups"),
        ):
            for entry in objects(item, part):
                at = (text(item, "IpProtocol"), *ports, text(entry, "Description"))
                found.setdefault(at, {}).setdefault(key, []).append(text(entry, value))
    return [
        {
            **({"description": description} if description else {}),
            "protocol": protocol,
            "fromPort": first,
            "toPort": last,
            **{key: [*values] for key, values in parts.items()},
        }
        for (protocol, first, last, description), parts in found.items()
    ]


def _described(aws: Clients, rule: Object) -> str:
    """A rule's description as its group has it: of rules between groups moto tells it only so."""
    source = text(rule, "ReferencedGroupInfo", "GroupId")
    for item in objects(_group(aws, text(rule, "GroupId")), "IpPermissions"):
        if all(item.get(key) == rule.get(key) for key in ("IpProtocol", "FromPort", "ToPort")):
            for pair in objects(item, "UserIdGroupPairs"):
                if text(pair, "GroupId") == source:
                    return text(pair, "Description")
    return ""


class IngressRule(Kind):
    """One rule in a group that this program did not make."""

    type_name = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    arguments = shape(
        "securityGroupId",
        "description",
        "ipProtocol",
        "fromPort",
        "toPort",
        "referencedSecurityGroupId",
    )
    replaces = ("securityGroupId",)
    computed = ("arn", "securityGroupRuleId")

    @override
    def create(self, aws: Clients, inputs: Object) -> str:
        rule: Object = {
            "description": inputs.get("description"),
            "protocol": inputs["ipProtocol"],
            "fromPort": inputs["fromPort"],
            "toPort": inputs["toPort"],
            "securityGroups": [inputs["referencedSecurityGroupId"]],
        }
        made = aws("ec2").authorize_security_group_ingress(
            GroupId=inputs["securityGroupId"], IpPermissions=[_permission(rule)]
        )
        return text(objects(made, "SecurityGroupRules")[0], "SecurityGroupRuleId")

    @override
    def read(self, aws: Clients, name: str) -> Standing | None:
        found = aws("ec2").describe_security_group_rules(SecurityGroupRuleIds=[name])
        rules = objects(found, "SecurityGroupRules")
        if not rules:
            return None
        rule = rules[0]
        return Standing(
            {
                "securityGroupId": text(rule, "GroupId"),
                "description": text(rule, "Description") or _described(aws, rule),
                "ipProtocol": text(rule, "IpProtocol"),
                "fromPort": whole(rule, "FromPort"),
                "toPort": whole(rule, "ToPort"),
                "referencedSecurityGroupId": text(rule, "ReferencedGroupInfo", "GroupId"),
            },
            {
                "arn": f"arn:aws:ec2:{aws.region}:{text(rule, 'GroupOwnerId')}"
                f":security-group-rule/{name}",
                "securityGroupRuleId": name,
            },
        )

    @override
    def update(self, aws: Clients, name: str, inputs: Object) -> None:
        rule = {
            "IpProtocol": inputs["ipProtocol"],
            "FromPort": inputs["fromPort"],
            "ToPort": inputs["toPort"],
            "Description": inputs.get("description", ""),
            "ReferencedGroupId": inputs["referencedSecurityGroupId"],
        }
        aws("ec2").modify_security_group_rules(
            GroupId=inputs["securityGroupId"],
            SecurityGroupRules=[{"SecurityGroupRuleId": name, "SecurityGroupRule": rule}],
        )

    @override
    def delete(self, aws: Clients, name: str, known: Object) -> None:
        aws("ec2").revoke_security_group_ingress(
            GroupId=known["securityGroupId"], SecurityGroupRuleIds=[name]
        )
