"""The stack `rehearsal`: production's own file, with AWS played on this machine.

What production takes for granted (a network, node groups, a certificate, a hosted zone) is made
there first, so that every id of the file leads to something. Nothing of it can leave this machine:
the stack file allows no other endpoint, the stand-in plugin speaks to no other, and a kubeconfig
that leads elsewhere is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import yaml

from local.errors import SetupError
from local.pulumi.offline_preview import without_secrets
from local.pulumi.plugins.aws.clients import Clients
from local.pulumi.plugins.aws.configuration import is_loopback
from local.pulumi.plugins.json_access import mapping, objects, text
from local.pulumi.plugins.properties import Json, Object

ACCOUNT = "123456789012"
"""The account that moto plays."""
PREFIX = "model-deployment"

_SERVICES = ("acm", "autoscaling", "ec2", "route53")
NAMESPACE = "model-rehearsal"
"""Beside the local stack's; cluster-wide names carry it, production's node ports are free there."""

_REGISTRY = "localhost:5000/rehearsal"
_SMALL: Object = {"cpu": "30m", "memory": "256Mi"}
_SMALL_BROKER: Object = {
    "image": "rabbitmq:4.0-management",
    "storage": "1Gi",
    "resources": {"cpu": "30m", "memory": "512Mi"},
}
"""As the local stack has it, whose image is made on this machine; as many nodes as production."""
_ALONE = 1
"""Pods of a version: two cores hold no more beside the local stack."""


def rehearsal(production: Object, endpoint: str) -> Object:
    """The stack file of a rehearsal: AWS at `endpoint`, Kubernetes as small as it goes.

    Traefik and RabbitMQ keep production's numbers of Pods, versions get one each. Production's
    secrets are not read: each needs a value of the rehearsal's own (`blind.without_secrets` names
    them). Raises SetupError for an endpoint that is not on this machine.
    """
    _stay_here(endpoint)
    file, _ = without_secrets(production)
    config = mapping(file, "config")
    platform = mapping(config, f"{PREFIX}:platform")
    platform |= {"namespace": NAMESPACE, "registry": _REGISTRY}
    traefik = platform.setdefault("ingressController", {})
    cast("Object", traefik)["resources"] = _SMALL
    platform |= {
        "messageBroker": {**mapping(platform, "messageBroker"), **_SMALL_BROKER},
        "deploymentWatcher": {"replicas": 2, "resources": _SMALL},
    }
    furnish(platform, endpoint)
    for model in mapping(config, f"{PREFIX}:models").values():
        for version in mapping(model, "versions").values():
            shrunk = cast("Object", version)
            shrunk["resources"] = _SMALL
            if "autoscaling" in shrunk:
                bounds = {"min": _ALONE, "max": _ALONE}
                shrunk["autoscaling"] = mapping(shrunk, "autoscaling") | bounds
            else:
                shrunk["replicas"] = _ALONE
    return file


def on_this_machine(kubeconfig: Path) -> None:
    """Raise SetupError unless every cluster that `kubeconfig` names is on this machine."""
    for entry in objects(cast("Object", yaml.safe_load(kubeconfig.read_text())), "clusters"):
        _stay_here(text(entry, "cluster", "server"))


def _stay_here(address: str) -> None:
    if not is_loopback(address):
        raise SetupError(
            f"a rehearsal speaks to this machine alone, and {address} is not on it",
            "rehearse against the local stack and a moto server at 127.0.0.1",
        )


def furnish(platform: Object, endpoint: str) -> None:
    """Make what the section takes for granted, and write its ids in their places."""
    aws, balancer = mapping(platform, "aws"), mapping(platform, "loadBalancer")
    of = Clients(text(aws, "region"), dict.fromkeys(_SERVICES, endpoint), "rehearsal", "rehearsal")
    aws |= {"account": ACCOUNT, "endpoint": endpoint}
    ec2, vpc, nodes = of("ec2"), mapping(aws, "vpc"), mapping(aws, "nodes")
    vpc["id"] = text(ec2.create_vpc(CidrBlock=vpc["cidr"]), "Vpc", "VpcId")
    for subnet in objects(balancer, "subnets"):
        subnet_response = ec2.create_subnet(
            VpcId=vpc["id"], CidrBlock=subnet["cidr"], AvailabilityZone=subnet["zone"]
        )
        subnet["id"] = text(subnet_response, "Subnet", "SubnetId")
    group = ec2.create_security_group(GroupName="nodes", Description="nodes", VpcId=vpc["id"])
    nodes["securityGroup"] = group["GroupId"]
    nodes["role"] = f"arn:aws:iam::{ACCOUNT}:role/nodes"
    nodes["autoscalingGroups"] = _node_groups(of, nodes, objects(balancer, "subnets"))
    certificate, record = mapping(balancer, "certificate"), mapping(balancer, "record")
    first, *alternative_names = cast("list[str]", certificate["names"])
    names = {"SubjectAlternativeNames": alternative_names} if alternative_names else {}
    certificate_response = of("acm").request_certificate(DomainName=first, **names)
    certificate["arn"] = certificate_response["CertificateArn"]
    zone = of("route53").create_hosted_zone(Name=record["domain"], CallerReference="rehearsal")
    record["zone"] = text(zone, "HostedZone", "Id").rpartition("/")[2]


def _node_groups(of: Clients, nodes: Object, subnets: list[Object]) -> list[Json]:
    """As many groups as production has, of one node each."""
    image = text(objects(of("ec2").describe_images(), "Images")[0], "ImageId")
    of("ec2").create_launch_template(
        LaunchTemplateName="nodes", LaunchTemplateData={"ImageId": image}
    )
    groups: list[Json] = []
    for place, _ in enumerate(cast("list[str]", nodes["autoscalingGroups"])):
        name = f"nodes-{place}"
        of("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName=name,
            LaunchTemplate={"LaunchTemplateName": "nodes"},
            MinSize=1,
            MaxSize=1,
            DesiredCapacity=1,
            VPCZoneIdentifier=",".join(text(subnet, "id") for subnet in subnets),
        )
        groups.append(name)
    return groups
