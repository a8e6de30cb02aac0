"""Where a load balancer leads: the target group, and the node groups in it."""

from __future__ import annotations

from typing_extensions import override

from local.plugins.access import mapping, objects, text, whole
from local.plugins.aws.clients import Clients
from local.plugins.aws.kind import Kind, Standing, shape
from local.plugins.aws.kinds.attributes import held, listed, switch
from local.plugins.values import Object

_CLIENT = "preserve_client_ip.enabled"
_PROXY = "proxy_protocol_v2.enabled"
_DRAIN = "deregistration_delay.timeout_seconds"


class TargetGroup(Kind):
    """Nodes by their instances, all on one port."""

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
        made = aws("elbv2").create_target_group(
            Name=inputs["name"],
            Port=inputs["port"],
            Protocol=inputs["protocol"],
            VpcId=inputs["vpcId"],
            TargetType=inputs["targetType"],
            **_check(inputs),
        )
        name = text(objects(made, "TargetGroups")[0], "TargetGroupArn")
        self._set(aws, name, inputs)
        return name

    @override
    def read(self, aws: Clients, name: str) -> Standing | None:
        elb = aws("elbv2")
        found = objects(elb.describe_target_groups(TargetGroupArns=[name]), "TargetGroups")[0]
        attributes = held(elb.describe_target_group_attributes(TargetGroupArn=name))
        return Standing(
            {
                "name": text(found, "TargetGroupName"),
                "port": whole(found, "Port"),
                "protocol": text(found, "Protocol"),
                "vpcId": text(found, "VpcId"),
                "targetType": text(found, "TargetType"),
                "preserveClientIp": attributes.get(_CLIENT, ""),
                "proxyProtocolV2": switch(attributes, _PROXY),
                "deregistrationDelay": int(attributes.get(_DRAIN, "0")),
                "healthCheck": {
                    "protocol": text(found, "HealthCheckProtocol"),
                    "port": text(found, "HealthCheckPort"),
                    "path": text(found, "HealthCheckPath"),
                    "matcher": text(found, "Matcher", "HttpCode"),
                    "interval": whole(found, "HealthCheckIntervalSeconds"),
                    "healthyThreshold": whole(found, "HealthyThresholdCount"),
                    "unhealthyThreshold": whole(found, "UnhealthyThresholdCount"),
                },
            },
            {"arn": name},
        )

    @override
    def update(self, aws: Clients, name: str, inputs: Object) -> None:
        aws("elbv2").modify_target_group(TargetGroupArn=name, **_check(inputs))
        self._set(aws, name, inputs)

    def _set(self, aws: Clients, name: str, inputs: Object) -> None:
        wanted = {
            _CLIENT: inputs.get("preserveClientIp"),
            _PROXY: inputs.get("proxyProtocolV2"),
            _DRAIN: inputs.get("deregistrationDelay"),
        }
        aws("elbv2").modify_target_group_attributes(TargetGroupArn=name, Attributes=listed(wanted))

    @override
    def delete(self, aws: Clients, name: str, known: Object) -> None:
        aws("elbv2").delete_target_group(TargetGroupArn=name)


def _check(inputs: Object) -> Object:
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


class Attachment(Kind):
    """A node group whose instances are targets, those to come included."""

    type_name = "aws:autoscaling/attachment:Attachment"
    arguments = shape("autoscalingGroupName", "lbTargetGroupArn")
    replaces = ("autoscalingGroupName", "lbTargetGroupArn")

    @override
    def create(self, aws: Clients, inputs: Object) -> str:
        aws("autoscaling").attach_load_balancer_target_groups(**_ends(inputs))
        return f"{inputs['autoscalingGroupName']}/{inputs['lbTargetGroupArn']}"

    @override
    def read(self, aws: Clients, name: str) -> Standing | None:
        group, _, target = name.partition("/")
        found = aws("autoscaling").describe_load_balancer_target_groups(AutoScalingGroupName=group)
        attached = [
            text(item, "LoadBalancerTargetGroupARN")
            for item in objects(found, "LoadBalancerTargetGroups")
        ]
        if target not in attached:
            return None
        return Standing({"autoscalingGroupName": group, "lbTargetGroupArn": target})

    @override
    def delete(self, aws: Clients, name: str, known: Object) -> None:
        aws("autoscaling").detach_load_balancer_target_groups(**_ends(known))


def _ends(inputs: Object) -> Object:
    return {
        "AutoScalingGroupName": inputs["autoscalingGroupName"],
        "TargetGroupARNs": [inputs["lbTargetGroupArn"]],
    }
