"""The load balancer, its listener, and the name of Route 53 that leads to it."""

from __future__ import annotations

from typing_extensions import override

from local.plugins.access import dig, mapping, objects, text, whole
from local.plugins.aws.clients import Clients
from local.plugins.aws.kind import Kind, Standing, shape
from local.plugins.aws.kinds.attributes import held, listed, switch
from local.plugins.failures import PluginError
from local.plugins.values import Object

_CROSS_ZONE = "load_balancing.cross_zone.enabled"
_PROTECTED = "deletion_protection.enabled"
_LOG, _LOG_BUCKET = "access_logs.s3.enabled", "access_logs.s3.bucket"


class LoadBalancer(Kind):
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
        made = aws("elbv2").create_load_balancer(
            Name=inputs["name"],
            Type=inputs["loadBalancerType"],
            Scheme="internal" if inputs.get("internal") is True else "internet-facing",
            Subnets=inputs["subnets"],
            SecurityGroups=inputs["securityGroups"],
        )
        name = text(objects(made, "LoadBalancers")[0], "LoadBalancerArn")
        self._set(aws, name, inputs)
        return name

    @override
    def read(self, aws: Clients, name: str) -> Standing | None:
        elb = aws("elbv2")
        answer = elb.describe_load_balancers(LoadBalancerArns=[name])
        found = objects(answer, "LoadBalancers")[0]
        attributes = held(elb.describe_load_balancer_attributes(LoadBalancerArn=name))
        return Standing(
            {
                "name": text(found, "LoadBalancerName"),
                "loadBalancerType": text(found, "Type"),
                "internal": text(found, "Scheme") == "internal",
                "subnets": [text(zone, "SubnetId") for zone in objects(found, "AvailabilityZones")],
                "securityGroups": found.get("SecurityGroups"),
                "enableCrossZoneLoadBalancing": switch(attributes, _CROSS_ZONE),
                "enableDeletionProtection": switch(attributes, _PROTECTED),
                "accessLogs": {
                    "bucket": attributes.get(_LOG_BUCKET, ""),
                    "enabled": switch(attributes, _LOG),
                },
            },
            {
                "arn": name,
                "dnsName": text(found, "DNSName"),
                "zoneId": text(found, "CanonicalHostedZoneId"),
                "vpcId": text(found, "VpcId"),
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
        wanted = {
            _CROSS_ZONE: inputs.get("enableCrossZoneLoadBalancing", False),
            _PROTECTED: inputs.get("enableDeletionProtection", False),
            _LOG: dig(inputs, "accessLogs", "enabled"),
            _LOG_BUCKET: dig(inputs, "accessLogs", "bucket"),
        }
        aws("elbv2").modify_load_balancer_attributes(
            LoadBalancerArn=name, Attributes=listed(wanted)
        )

    @override
    def delete(self, aws: Clients, name: str, known: Object) -> None:
        attributes = held(aws("elbv2").describe_load_balancer_attributes(LoadBalancerArn=name))
        if switch(attributes, _PROTECTED):
            # AWS refuses with OperationNotPermitted; moto would delete it
            raise PluginError(
                f"Load balancer {name} cannot be deleted because deletion protection is enabled"
            )
        aws("elbv2").delete_load_balancer(LoadBalancerArn=name)


class Listener(Kind):
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
        made = aws("elbv2").create_listener(
            LoadBalancerArn=inputs["loadBalancerArn"], **_listening(inputs)
        )
        return text(objects(made, "Listeners")[0], "ListenerArn")

    @override
    def read(self, aws: Clients, name: str) -> Standing | None:
        found = objects(aws("elbv2").describe_listeners(ListenerArns=[name]), "Listeners")[0]
        certificates = objects(found, "Certificates")
        return Standing(
            {
                "loadBalancerArn": text(found, "LoadBalancerArn"),
                "port": whole(found, "Port"),
                "protocol": text(found, "Protocol"),
                "sslPolicy": found.get("SslPolicy", ""),
                "certificateArn": text(certificates[0], "CertificateArn") if certificates else "",
                "defaultActions": [
                    {"type": text(item, "Type"), "targetGroupArn": text(item, "TargetGroupArn")}
                    for item in objects(found, "DefaultActions")
                ],
            },
            {"arn": name},
        )

    @override
    def update(self, aws: Clients, name: str, inputs: Object) -> None:
        # without the protocol, which stays: moto takes no TLS here
        kept = {key: value for key, value in _listening(inputs).items() if key != "Protocol"}
        aws("elbv2").modify_listener(ListenerArn=name, **kept)

    @override
    def delete(self, aws: Clients, name: str, known: Object) -> None:
        aws("elbv2").delete_listener(ListenerArn=name)


def _listening(inputs: Object) -> Object:
    found: Object = {
        "Port": inputs["port"],
        "Protocol": inputs["protocol"],
        "DefaultActions": [
            {"Type": text(item, "type"), "TargetGroupArn": text(item, "targetGroupArn")}
            for item in objects(inputs, "defaultActions")
        ],
    }
    if inputs["protocol"] == "TLS":
        found["SslPolicy"] = inputs["sslPolicy"]
        found["Certificates"] = [{"CertificateArn": inputs["certificateArn"]}]
    return found


class Record(Kind):
    """A name that leads to something of AWS's own."""

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
    def read(self, aws: Clients, name: str) -> Standing | None:
        zone, wanted, kind = name.split("_", 2)
        answer = aws("route53").list_resource_record_sets(
            HostedZoneId=zone, StartRecordName=wanted, StartRecordType=kind, MaxItems="1"
        )
        for found in objects(answer, "ResourceRecordSets"):
            if text(found, "Name").rstrip(".") == wanted and text(found, "Type") == kind:
                alias = mapping(found, "AliasTarget")
                target: Object = {
                    "name": text(alias, "DNSName").rstrip("."),
                    "zoneId": text(alias, "HostedZoneId"),
                    "evaluateTargetHealth": dig(alias, "EvaluateTargetHealth") is True,
                }
                inputs: Object = {"zoneId": zone, "name": wanted, "type": kind}
                return Standing({**inputs, "aliases": [target]}, {"fqdn": wanted})
        return None

    @override
    def update(self, aws: Clients, name: str, inputs: Object) -> None:
        self._change(aws, "UPSERT", inputs)

    @override
    def delete(self, aws: Clients, name: str, known: Object) -> None:
        """AWS wants the record as it stands, not as the state has it."""
        standing = self.read(aws, name)
        if standing is not None:
            self._change(aws, "DELETE", standing.inputs)

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
