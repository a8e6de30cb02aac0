"""Load balancer, listener, and the alias record of Route 53."""

from typing_extensions import override

from local.pulumi.plugins.aws.clients import Clients
from local.pulumi.plugins.aws.resource_type import LiveResource, ResourceType, shape
from local.pulumi.plugins.aws.resource_types.attributes import from_api, is_true, to_api
from local.pulumi.plugins.json_access import dig, integer, mapping, objects, text
from local.pulumi.plugins.properties import Object
from local.pulumi.plugins.resource import PluginError

_CROSS_ZONE = "load_balancing.cross_zone.enabled"
_PROTECTED = "deletion_protection.enabled"
_LOG, _LOG_BUCKET = "access_logs.s3.enabled", "access_logs.s3.bucket"


class LoadBalancer(ResourceType):
    """A network load balancer."""

    type_name = "aws:lb/loadBalancer:LoadBalancer"
    arguments = shape(
        *("name", "loadBalancerType", "internal", "subnets", "securityGroups"),
        *("enableCrossZoneLoadBalancing", "enableDeletionProtection"),
        accessLogs=shape("bucket", "enabled"),
    )
    replaces = ("name", "loadBalancerType", "internal")
    computed = ("arn", "dnsName", "zoneId", "vpcId")
    longest_name = 32

    @override
    def create(self, aws: Clients, inputs: Object) -> str:
        response = aws("elbv2").create_load_balancer(
            Name=inputs["name"],
            Type=inputs["loadBalancerType"],
            Scheme="internal" if inputs.get("internal") is True else "internet-facing",
            Subnets=inputs["subnets"],
            SecurityGroups=inputs["securityGroups"],
        )
        name = text(objects(response, "LoadBalancers")[0], "LoadBalancerArn")
        self._set(aws, name, inputs)
        return name

    @override
    def read(self, aws: Clients, name: str) -> LiveResource | None:
        elb = aws("elbv2")
        response = elb.describe_load_balancers(LoadBalancerArns=[name])
        balancer = objects(response, "LoadBalancers")[0]
        attributes = from_api(elb.describe_load_balancer_attributes(LoadBalancerArn=name))
        return LiveResource(
            {
                "name": text(balancer, "LoadBalancerName"),
                "loadBalancerType": text(balancer, "Type"),
                "internal": text(balancer, "Scheme") == "internal",
                "subnets": [
                    text(zone, "SubnetId") for zone in objects(balancer, "AvailabilityZones")
                ],
                "securityGroups": balancer.get("SecurityGroups"),
                "enableCrossZoneLoadBalancing": is_true(attributes, _CROSS_ZONE),
                "enableDeletionProtection": is_true(attributes, _PROTECTED),
                "accessLogs": {
                    "bucket": attributes.get(_LOG_BUCKET, ""),
                    "enabled": is_true(attributes, _LOG),
                },
            },
            {
                "arn": name,
                "dnsName": text(balancer, "DNSName"),
                "zoneId": text(balancer, "CanonicalHostedZoneId"),
                "vpcId": text(balancer, "VpcId"),
            },
        )

    @override
    def update(self, aws: Clients, name: str, inputs: Object) -> None:
        aws("elbv2").set_subnets(LoadBalancerArn=name, Subnets=inputs["subnets"])
        aws("elbv2").set_security_groups(
            LoadBalancerArn=name, SecurityGroups=inputs["securityGroups"]
        )
        self._set(aws, name, inputs)

    def _set(self, aws: Clients, name: str, inputs: Object) -> None:
        attributes = {
            _CROSS_ZONE: inputs.get("enableCrossZoneLoadBalancing", False),
            _PROTECTED: inputs.get("enableDeletionProtection", False),
            _LOG: dig(inputs, "accessLogs", "enabled"),
            _LOG_BUCKET: dig(inputs, "accessLogs", "bucket"),
        }
        aws("elbv2").modify_load_balancer_attributes(
            LoadBalancerArn=name, Attributes=to_api(attributes)
        )

    @override
    def delete(self, aws: Clients, name: str, state: Object) -> None:
        attributes = from_api(aws("elbv2").describe_load_balancer_attributes(LoadBalancerArn=name))
        if is_true(attributes, _PROTECTED):
            # AWS refuses with OperationNotPermitted; moto would delete it
            raise PluginError(
                f"Load balancer {name} cannot be deleted because deletion protection is enabled"
            )
        aws("elbv2").delete_load_balancer(LoadBalancerArn=name)


class Listener(ResourceType):
    """The port that clients connect to."""

    type_name = "aws:lb/listener:Listener"
    arguments = shape(
        *("loadBalancerArn", "port", "protocol", "sslPolicy", "certificateArn"),
        defaultActions=shape("type", "targetGroupArn"),
    )
    replaces = ("loadBalancerArn", "protocol")
    computed = ("arn",)

    @override
    def create(self, aws: Clients, inputs: Object) -> str:
        response = aws("elbv2").create_listener(
            LoadBalancerArn=inputs["loadBalancerArn"], **_listener_arguments(inputs)
        )
        return text(objects(response, "Listeners")[0], "ListenerArn")

    @override
    def read(self, aws: Clients, name: str) -> LiveResource | None:
        listener = objects(aws("elbv2").describe_listeners(ListenerArns=[name]), "Listeners")[0]
        certificates = objects(listener, "Certificates")
        return LiveResource(
            {
                "loadBalancerArn": text(listener, "LoadBalancerArn"),
                "port": integer(listener, "Port"),
                "protocol": text(listener, "Protocol"),
                "sslPolicy": listener.get("SslPolicy", ""),
                "certificateArn": text(certificates[0], "CertificateArn") if certificates else "",
                "defaultActions": [
                    {"type": text(item, "Type"), "targetGroupArn": text(item, "TargetGroupArn")}
                    for item in objects(listener, "DefaultActions")
                ],
            },
            {"arn": name},
        )

    @override
    def update(self, aws: Clients, name: str, inputs: Object) -> None:
        # without the protocol, which does not change: moto refuses TLS here
        changeable = {
            key: value for key, value in _listener_arguments(inputs).items() if key != "Protocol"
        }
        aws("elbv2").modify_listener(ListenerArn=name, **changeable)

    @override
    def delete(self, aws: Clients, name: str, state: Object) -> None:
        aws("elbv2").delete_listener(ListenerArn=name)


def _listener_arguments(inputs: Object) -> Object:
    arguments: Object = {
        "Port": inputs["port"],
        "Protocol": inputs["protocol"],
        "DefaultActions": [
            {"Type": text(item, "type"), "TargetGroupArn": text(item, "targetGroupArn")}
            for item in objects(inputs, "defaultActions")
        ],
    }
    if inputs["protocol"] == "TLS":
        arguments["SslPolicy"] = inputs["sslPolicy"]
        arguments["Certificates"] = [{"CertificateArn": inputs["certificateArn"]}]
    return arguments


class Record(ResourceType):
    """An alias record of an AWS resource."""

    type_name = "aws:route53/record:Record"
    arguments = shape(
        *("zoneId", "name", "type"), aliases=shape("name", "zoneId", "evaluateTargetHealth")
    )
    replaces = ("zoneId", "name", "type")
    computed = ("fqdn",)

    @override
    def create(self, aws: Clients, inputs: Object) -> str:
        self._change(aws, "CREATE", inputs)
        return f"{inputs['zoneId']}_{inputs['name']}_{inputs['type']}"

    @override
    def read(self, aws: Clients, name: str) -> LiveResource | None:
        zone, record_name, record_type = name.split("_", 2)
        response = aws("route53").list_resource_record_sets(
            HostedZoneId=zone,
            StartRecordName=record_name,
            StartRecordType=record_type,
            MaxItems="1",
        )
        for record in objects(response, "ResourceRecordSets"):
            is_same_name = text(record, "Name").rstrip(".") == record_name
            if is_same_name and text(record, "Type") == record_type:
                alias = mapping(record, "AliasTarget")
                target: Object = {
                    "name": text(alias, "DNSName").rstrip("."),
                    "zoneId": text(alias, "HostedZoneId"),
                    "evaluateTargetHealth": dig(alias, "EvaluateTargetHealth") is True,
                }
                inputs: Object = {"zoneId": zone, "name": record_name, "type": record_type}
                return LiveResource({**inputs, "aliases": [target]}, {"fqdn": record_name})
        return None

    @override
    def update(self, aws: Clients, name: str, inputs: Object) -> None:
        self._change(aws, "UPSERT", inputs)

    @override
    def delete(self, aws: Clients, name: str, state: Object) -> None:
        """Delete the current record: AWS requires its exact content."""
        record = self.read(aws, name)
        if record is not None:
            self._change(aws, "DELETE", record.inputs)

    def _change(self, aws: Clients, action: str, inputs: Object) -> None:
        alias = objects(inputs, "aliases")[0]
        aws("route53").change_resource_record_sets(
            HostedZoneId=inputs["zoneId"],
            ChangeBatch={
                "Changes": [
                    {
                        "Action": action,
                        "ResourceRecordSet": {
                            "Name": inputs["name"],
                            "Type": inputs["type"],
                            "AliasTarget": {
                                "DNSName": text(alias, "name"),
                                "HostedZoneId": text(alias, "zoneId"),
                                "EvaluateTargetHealth": alias.get("evaluateTargetHealth") is True,
                            },
                        },
                    }
                ]
            },
        )
