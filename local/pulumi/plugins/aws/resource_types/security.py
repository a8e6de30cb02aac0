"""Security groups of EC2 with their rules, and single rules of other groups."""

from typing_extensions import override

from local.pulumi.plugins.aws.clients import Clients
from local.pulumi.plugins.aws.resource_type import LiveResource, ResourceType, Shape, shape
from local.pulumi.plugins.json_access import integer, objects, text
from local.pulumi.plugins.properties import Json, Object

_RULE: Shape = shape(
    "description", "protocol", "fromPort", "toPort", "cidrBlocks", "securityGroups"
)


class SecurityGroup(ResourceType):
    """A security group. Rules that the program does not declare are removed."""

    type_name = "aws:ec2/securityGroup:SecurityGroup"
    arguments = shape("name", "description", "vpcId", ingress=_RULE, egress=_RULE)
    replaces = ("name", "description", "vpcId")
    computed = ("arn", "ownerId")
    longest_name = 255

    @override
    def create(self, aws: Clients, inputs: Object) -> str:
        response = aws("ec2").create_security_group(
            GroupName=inputs["name"], Description=inputs["description"], VpcId=inputs["vpcId"]
        )
        name = text(response, "GroupId")
        self.update(aws, name, inputs)
        return name

    @override
    def read(self, aws: Clients, name: str) -> LiveResource | None:
        group = _group(aws, name)
        return LiveResource(
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
        """Replace the rules; AWS creates a group with an egress rule for all addresses."""
        group, ec2 = _group(aws, name), aws("ec2")
        for key, permissions, revoke, authorize in (
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
            before, after = _rules(permissions), objects(inputs, key)
            obsolete: list[Json] = [_permission(rule) for rule in before if rule not in after]
            new: list[Json] = [_permission(rule) for rule in after if rule not in before]
            if obsolete:
                revoke(GroupId=name, IpPermissions=obsolete)
            if new:
                authorize(GroupId=name, IpPermissions=new)

    @override
    def delete(self, aws: Clients, name: str, state: Object) -> None:
        aws("ec2").delete_security_group(GroupId=name)


def _group(aws: Clients, name: str) -> Object:
    return objects(aws("ec2").describe_security_groups(GroupIds=[name]), "SecurityGroups")[0]


def _permission(rule: Object) -> Object:
    """Return a rule in the form of the API."""
    description: Object = {"Description": rule["description"]} if rule.get("description") else {}
    ranges, groups = rule.get("cidrBlocks"), rule.get("securityGroups")
    return {
        "IpProtocol": rule["protocol"],
        "FromPort": rule["fromPort"],
        "ToPort": rule["toPort"],
        "IpRanges": [
            {"CidrIp": cidr, **description} for cidr in (ranges if isinstance(ranges, list) else [])
        ],
        "UserIdGroupPairs": [
            {"GroupId": group, **description}
            for group in (groups if isinstance(groups, list) else [])
        ],
    }


def _rules(permissions: list[Object]) -> list[Object]:
    """Return the rules of the API's permissions, merged by ports and description."""
    rules: dict[tuple[str, int, int, str], dict[str, list[str]]] = {}
    for item in permissions:
        ports = integer(item, "FromPort", default=-1), integer(item, "ToPort", default=-1)
        for part, value, key in (
            ("IpRanges", "CidrIp", "cidrBlocks"),
            ("Ipv6Ranges", "CidrIpv6", "ipv6CidrBlocks"),
            ("PrefixListIds", "PrefixListId", "prefixListIds"),
            ("UserIdGroupPairs", "GroupId", "securityGroups"),
        ):
            for entry in objects(item, part):
                rule_key = (text(item, "IpProtocol"), *ports, text(entry, "Description"))
                rules.setdefault(rule_key, {}).setdefault(key, []).append(text(entry, value))
    return [
        {
            **({"description": description} if description else {}),
            "protocol": protocol,
            "fromPort": first,
            "toPort": last,
            **{key: [*values] for key, values in parts.items()},
        }
        for (protocol, first, last, description), parts in rules.items()
    ]


def _group_description(aws: Clients, rule: Object) -> str:
    """Return the description in the group: moto has it only there for rules between groups."""
    source = text(rule, "ReferencedGroupInfo", "GroupId")
    for item in objects(_group(aws, text(rule, "GroupId")), "IpPermissions"):
        if all(item.get(key) == rule.get(key) for key in ("IpProtocol", "FromPort", "ToPort")):
            for pair in objects(item, "UserIdGroupPairs"):
                if text(pair, "GroupId") == source:
                    return text(pair, "Description")
    return ""


class IngressRule(ResourceType):
    """A rule in a group that this program does not manage."""

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
        response = aws("ec2").authorize_security_group_ingress(
            GroupId=inputs["securityGroupId"], IpPermissions=[_permission(rule)]
        )
        return text(objects(response, "SecurityGroupRules")[0], "SecurityGroupRuleId")

    @override
    def read(self, aws: Clients, name: str) -> LiveResource | None:
        response = aws("ec2").describe_security_group_rules(SecurityGroupRuleIds=[name])
        rules = objects(response, "SecurityGroupRules")
        if not rules:
            return None
        rule = rules[0]
        return LiveResource(
            {
                "securityGroupId": text(rule, "GroupId"),
                "description": text(rule, "Description") or _group_description(aws, rule),
                "ipProtocol": text(rule, "IpProtocol"),
                "fromPort": integer(rule, "FromPort"),
                "toPort": integer(rule, "ToPort"),
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
    def delete(self, aws: Clients, name: str, state: Object) -> None:
        aws("ec2").revoke_security_group_ingress(
            GroupId=state["securityGroupId"], SecurityGroupRuleIds=[name]
        )
