"""Checks across AWS keys: mistakes that AWS would report late in an update, or accept.

The checks compare values of the file with each other. Only AWS can check, during the update,
whether the account has such a subnet.
"""

import ipaddress
import re
from collections.abc import Iterator

from pydantic import TypeAdapter

from components.config.aws_types import REGIONS, Account, Region, RepositoryPrefix, network
from components.config.untyped import as_dict, as_str, is_valid
from components.errors import ConfigIssue, describe, quote

Keys = tuple[str, ...]

_AWS: Keys = ("platform", "aws")
_BALANCER: Keys = ("platform", "loadBalancer")
_ECR = re.compile(r"([0-9]{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com/(.+)")
_ARN = re.compile(r"arn:aws:(?:acm|iam):([a-z0-9-]*):([0-9]{12}):.*")
_COMPARED: dict[str, TypeAdapter[str]] = {
    "account": TypeAdapter(Account),
    "region": TypeAdapter(Region),
    "repositories": TypeAdapter(RepositoryPrefix),
}
_ZONE = re.compile(r"[a-z]{2}-[a-z]+-[0-9][a-z]")
_NODE_PORTS = range(30000, 32768)
"""Node ports of an EKS cluster; the range is not configurable there."""


def find_issues(platform: object) -> Iterator[ConfigIssue]:
    """Yield every issue of this kind in the raw section `platform`."""
    aws, balancer = as_dict(platform, "aws"), as_dict(platform, "loadBalancer")
    yield from _needed(platform)
    yield from _registry(platform, aws)
    yield from _arns(aws, balancer)
    yield from _twice(as_dict(aws, "nodes").get("autoscalingGroups"), (*_AWS, "nodes"))
    yield from _ports(platform, has_balancer=bool(balancer))
    if balancer:
        yield from _subnets(balancer, aws)
        yield from _names(balancer, as_str(as_dict(platform).get("hostname")) or "")


def _needed(platform: object) -> Iterator[ConfigIssue]:
    platform_keys = as_dict(platform)
    if "loadBalancer" in platform_keys and "aws" not in platform_keys:
        hint = "write the account, region, vpc and nodes: a load balancer needs them"
        yield ConfigIssue(_AWS, "no value", hint)


def _registry(platform: object, aws: dict[str, object]) -> Iterator[ConfigIssue]:
    """Check that images are pushed to the registry in which the repositories are created."""
    at: Keys = ("platform", "registry")
    written = as_str(as_dict(platform).get("registry")) or ""
    registry = _ECR.fullmatch(written)
    if registry is None:
        if "repositories" in aws and not written.startswith("localhost") and "endpoint" not in aws:
            hint = "write the ECR registry that aws.repositories makes, or remove repositories"
            yield ConfigIssue(at, describe(written or None), hint)
        return
    if "aws" in as_dict(platform) and "repositories" not in aws:
        hint = f"write repositories: {registry[3]}: ECR makes no repository by itself"
        yield ConfigIssue((*_AWS, "repositories"), "no value", hint)
    for key, part in (
        ("account", registry[1]),
        ("region", registry[2]),
        ("repositories", registry[3]),
    ):
        expected = _right(aws, key)
        if expected and expected != part:
            yield ConfigIssue(
                at, f"the {key} {quote(part)}", f"write {expected}, to match aws.{key}"
            )


def _arns(aws: dict[str, object], balancer: dict[str, object]) -> Iterator[ConfigIssue]:
    """Check that roles and certificates belong to this account and region."""
    role, certificate = (*_AWS, "nodes", "role"), (*_BALANCER, "certificate", "arn")
    for at, value in (
        (role, as_dict(aws, "nodes").get("role")),
        (certificate, as_dict(balancer, "certificate").get("arn")),
    ):
        arn = _ARN.fullmatch(as_str(value) or "")
        if arn is None:
            continue
        for key, part in (("region", arn[1]), ("account", arn[2])):
            expected = _right(aws, key)
            if part and expected and part != expected:
                hint = f"write one of the {key} {expected}, to match aws.{key}"
                yield ConfigIssue(at, f"one of the {key} {quote(part)}", hint)


def _right(aws: dict[str, object], key: str) -> str:
    """Return the value that other keys must match; empty if it is invalid itself."""
    value = as_str(aws.get(key)) or ""
    return value if is_valid(_COMPARED[key], value) else ""


def _twice(values: object, at: Keys) -> Iterator[ConfigIssue]:
    names = values if isinstance(values, list) else []
    for place, name in enumerate(names):
        if isinstance(name, str) and name in names[:place]:
            where = (*at, "autoscalingGroups", str(place))
            yield ConfigIssue(where, f"duplicate {quote(name)}", "remove it")


def _ports(platform: object, *, has_balancer: bool) -> Iterator[ConfigIssue]:
    at: Keys = ("platform", "ingressController")
    ingress = as_dict(platform, "ingressController")
    ports = {
        key: ingress.get(key, default)
        for key, default in _PORTS.items()
        if has_balancer or key != "pingPort"  # exposed for a load balancer only
    }
    used_ports: dict[object, str] = {}
    for key, port in ports.items():
        if has_balancer and type(port) is int and port not in _NODE_PORTS:
            hint = f"write one of {_NODE_PORTS[0]} to {_NODE_PORTS[-1]}: EKS allows no other"
            yield ConfigIssue((*at, key), str(port), hint)
        if port in used_ports:
            hint = f"write another port: one leads to {_LEADS_TO[used_ports[port]]}, "
            yield ConfigIssue(
                (*at, key), f"{port}, as {used_ports[port]}", f"{hint}one to {_LEADS_TO[key]}"
            )
        elif type(port) is int:
            used_ports[port] = key


_PORTS = {"nodePort": 30080, "pingPort": 30081, "redirectPort": None}
_LEADS_TO = {"nodePort": "the models", "pingPort": "the ping", "redirectPort": "the redirect"}


def _subnets(balancer: dict[str, object], aws: dict[str, object]) -> Iterator[ConfigIssue]:
    entries = balancer.get("subnets")
    subnets = [as_dict(item) for item in entries] if isinstance(entries, list) else []
    region = as_str(aws.get("region")) or ""
    vpc_cidr = network(as_str(as_dict(aws, "vpc").get("cidr")) or "")
    if len(subnets) == 1:
        hint = "write a second one, of another zone: one zone may fail as a whole"
        yield ConfigIssue((*_BALANCER, "subnets"), "a single subnet", hint)
    zones: list[str] = []
    ids: list[str] = []
    ranges: list[ipaddress.IPv4Network] = []
    for place, subnet in enumerate(subnets):
        at = (*_BALANCER, "subnets", str(place))
        zone, name = as_str(subnet.get("zone")) or "", as_str(subnet.get("id")) or ""
        cidr = network(as_str(subnet.get("cidr")) or "")
        if region in REGIONS and _ZONE.fullmatch(zone) and zone[:-1] != region:
            hint = f"write a zone of {region}, such as {region}a"
            yield ConfigIssue((*at, "zone"), f"{quote(zone)}, of another region", hint)
        if zone and zone in zones:
            hint = "write a subnet of another zone: one zone may fail as a whole"
            yield ConfigIssue((*at, "zone"), f"duplicate {quote(zone)}", hint)
        if name and name in ids:
            yield ConfigIssue((*at, "id"), f"duplicate {quote(name)}", "write another subnet")
        if cidr is not None:
            yield from _range(cidr, ranges, vpc_cidr, (*at, "cidr"))
            ranges.append(cidr)
        zones.append(zone)
        ids.append(name)


def _range(
    cidr: ipaddress.IPv4Network,
    subnet_cidrs: list[ipaddress.IPv4Network],
    vpc_cidr: ipaddress.IPv4Network | None,
    at: Keys,
) -> Iterator[ConfigIssue]:
    for subnet_cidr in subnet_cidrs:
        if cidr.overlaps(subnet_cidr):
            hint = f"write the subnet's own range: it overlaps with {subnet_cidr}"
            yield ConfigIssue(at, quote(str(cidr)), hint)
    if vpc_cidr is not None and not cidr.subnet_of(vpc_cidr):
        hint = f"write a range inside {vpc_cidr}, to match aws.vpc.cidr"
        yield ConfigIssue(at, quote(str(cidr)), hint)


def _names(balancer: dict[str, object], hostname: str) -> Iterator[ConfigIssue]:
    """Check that certificate and hosted zone cover the stack's hostname."""
    names_value = as_dict(balancer, "certificate").get("names")
    names = (
        [name for name in names_value if isinstance(name, str)]
        if isinstance(names_value, list)
        else []
    )
    if hostname and names and not any(_covers(name, hostname) for name in names):
        actual = f"a certificate for {', '.join(map(quote, names))}"
        hint = f"write one that holds for {hostname}, to match platform.hostname"
        yield ConfigIssue((*_BALANCER, "certificate", "names"), actual, hint)
    record = as_dict(balancer, "record")
    domain = as_str(record.get("domain")) or ""
    if hostname and domain and hostname != domain and not hostname.endswith(f".{domain}"):
        hint = f"write the zone that {hostname} is in, to match platform.hostname"
        yield ConfigIssue((*_BALANCER, "record", "domain"), quote(domain), hint)
    private = record.get("private", False)
    if balancer.get("scheme") == "internal" and record and private is False:
        hint = "write private: true and a private zone: clients on the internet cannot reach it"
        at = (*_BALANCER, "record", "private")
        yield ConfigIssue(at, "a public record of an internal load balancer", hint)
    if balancer.get("scheme") == "internet-facing" and private is True:
        hint = (
            "remove it and write a public zone: clients on the internet "
            "cannot resolve a private one"
        )
        at = (*_BALANCER, "record", "private")
        yield ConfigIssue(at, "a private record of an internet-facing load balancer", hint)


def _covers(name: str, hostname: str) -> bool:
    """Return whether a certificate name covers a hostname; `*` matches the first label."""
    first, _, parent_domain = hostname.partition(".")
    return name == hostname or (bool(first) and name == f"*.{parent_domain}")
