"""Target groups of the load balancer, and the node groups attached to them."""

from typing_extensions import override

from local.pulumi.plugins.aws.clients import Clients
from local.pulumi.plugins.aws.resource_type import LiveResource, ResourceType, shape
from local.pulumi.plugins.aws.resource_types.attributes import from_api, is_true, to_api
from local.pulumi.plugins.json_access import integer, mapping, objects, text
from local.pulumi.plugins.properties import Object

_CLIENT = "preserve_client_ip.enabled"
_PROXY = "proxy_protocol_v2.enabled"
_DRAIN = "deregistration_delay.timeout_seconds"


class TargetGroup(ResourceType):
    """A target group of instances on one port."""

    type_name = "aws:lb/targetGroup:TargetGroup"
    arguments = shape(
        *("name", "port", "protocol", "vpcId", "targetType"),
        *("preserveClientIp", "proxyProtocolV2", "deregistrationDelay"),
        healthCheck=shape(
            *("protocol", "port", "path", "matcher", "interval"),
            *("healthyThreshold", "unhealthyThreshold"),
        ),
    )
    replaces = ("name", "port", "protocol", "vpcId", "targetType")
    computed = ("arn",)
    longest_name = 32

    @override
    def create(self, aws: Clients, inputs: Object) -> str:
        response = aws("elbv2").create_target_group(
            Name=inputs["name"],
            Port=inputs["port"],
            Protocol=inputs["protocol"],
            VpcId=inputs["vpcId"],
            TargetType=inputs["targetType"],
            **_health_check(inputs),
        )
        name = text(objects(response, "TargetGroups")[0], "TargetGroupArn")
        self._set(aws, name, inputs)
        return name

    @override
    def read(self, aws: Clients, name: str) -> LiveResource | None:
        elb = aws("elbv2")
        group = objects(elb.describe_target_groups(TargetGroupArns=[name]), "TargetGroups")[0]
        attributes = from_api(elb.describe_target_group_attributes(TargetGroupArn=name))
        return LiveResource(
            {
                "name": text(group, "TargetGroupName"),
                "port": integer(group, "Port"),
                "protocol": text(group, "Protocol"),
                "vpcId": text(group, "VpcId"),
                "targetType": text(group, "TargetType"),
                "preserveClientIp": attributes.get(_CLIENT, ""),
                "proxyProtocolV2": is_true(attributes, _PROXY),
                "deregistrationDelay": int(attributes.get(_DRAIN, "0")),
                "healthCheck": {
                    "protocol": text(group, "HealthCheckProtocol"),
                    "port": text(group, "HealthCheckPort"),
                    "path": text(group, "HealthCheckPath"),
                    "matcher": text(group, "Matcher", "HttpCode"),
                    "interval": integer(group, "HealthCheckIntervalSeconds"),
                    "healthyThreshold": integer(group, "HealthyThresholdCount"),
                    "unhealthyThreshold": integer(group, "UnhealthyThresholdCount"),
                },
            },
            {"arn": name},
        )

    @override
    def update(self, aws: Clients, name: str, inputs: Object) -> None:
        aws("elbv2").modify_target_group(TargetGroupArn=name, **_health_check(inputs))
        self._set(aws, name, inputs)

    def _set(self, aws: Clients, name: str, inputs: Object) -> None:
        attributes = {
            _CLIENT: inputs.get("preserveClientIp"),
            _PROXY: inputs.get("proxyProtocolV2"),
            _DRAIN: inputs.get("deregistrationDelay"),
        }
        aws("elbv2").modify_target_group_attributes(
            TargetGroupArn=name, Attributes=to_api(attributes)
        )

    @override
    def delete(self, aws: Clients, name: str, state: Object) -> None:
        aws("elbv2").delete_target_group(TargetGroupArn=name)


def _health_check(inputs: Object) -> Object:
    check = mapping(inputs, "healthCheck")
    return {
        "HealthCheckProtocol": check["protocol"],
        "HealthCheckPort": check["port"],
        "HealthCheckPath": check["path"],
        "HealthCheckIntervalSeconds": check["interval"],
        "HealthyThresholdCount": check["healthyThreshold"],
        "UnhealthyThresholdCount": check["unhealthyThreshold"],
        "Matcher": {"HttpCode": check["matcher"]},
    }


class Attachment(ResourceType):
    """The attachment of a node group, whose instances become targets."""

    type_name = "aws:autoscaling/attachment:Attachment"
    arguments = shape("autoscalingGroupName", "lbTargetGroupArn")
    replaces = ("autoscalingGroupName", "lbTargetGroupArn")

    @override
    def create(self, aws: Clients, inputs: Object) -> str:
        aws("autoscaling").attach_load_balancer_target_groups(**_attachment_arguments(inputs))
        return f"{inputs['autoscalingGroupName']}/{inputs['lbTargetGroupArn']}"

    @override
    def read(self, aws: Clients, name: str) -> LiveResource | None:
        group, _, target = name.partition("/")
        response = aws("autoscaling").describe_load_balancer_target_groups(
            AutoScalingGroupName=group
        )
        attached = [
            text(item, "LoadBalancerTargetGroupARN")
            for item in objects(response, "LoadBalancerTargetGroups")
        ]
        if target not in attached:
            return None
        return LiveResource({"autoscalingGroupName": group, "lbTargetGroupArn": target})

    @override
    def delete(self, aws: Clients, name: str, state: Object) -> None:
        aws("autoscaling").detach_load_balancer_target_groups(**_attachment_arguments(state))


def _attachment_arguments(inputs: Object) -> Object:
    return {
        "AutoScalingGroupName": inputs["autoscalingGroupName"],
        "TargetGroupARNs": [inputs["lbTargetGroupArn"]],
    }
