"""The types of AWS values in a stack file.

Regions and the forms of ids are checked here, so that a preview refuses a mistake without AWS
credentials.
"""

import ipaddress
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, WithJsonSchema

from components.errors import suggest, value_error

REGIONS = (
    *("af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2"),
    *("ap-northeast-3", "ap-south-1", "ap-south-2", "ap-southeast-1", "ap-southeast-2"),
    *("ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7"),
    *("ca-central-1", "ca-west-1", "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1"),
    *("eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3", "il-central-1", "me-central-1"),
    *("me-south-1", "mx-central-1", "sa-east-1", "us-east-1", "us-east-2", "us-west-1"),
    "us-west-2",
)
"""Regions of the commercial partition, from botocore. China and GovCloud use other ARNs."""

SCHEMES = ("internet-facing", "internal")
REFERENCE = "stack://"
"""Prefix of an output of another stack: stack://<org>/<project>/<stack>#<output>."""

_REFERENCE = rf"{REFERENCE}[\w.-]+/[\w.-]+/[\w.-]+#[A-Za-z_][\w-]*(\.[\w-]+)*"
_REFERENCE_HINT = f"{REFERENCE}<organization>/<project>/<stack>#<output>"
_SMALLEST_SUBNET, _LARGEST_SUBNET = 28, 16
"""Prefix lengths that AWS accepts for a VPC and its subnets."""


def _region(text: str) -> str:
    if text not in REGIONS:
        raise value_error(suggest(text, REGIONS) if text else "write a region such as eu-central-1")
    return text


def _scheme(text: str) -> str:
    if text not in SCHEMES:
        raise value_error(f"write {' or '.join(SCHEMES)}")
    return text


def network(text: str) -> ipaddress.IPv4Network | None:
    """Parse a CIDR range; return None if the text is not one."""
    try:
        return ipaddress.IPv4Network(text)
    except ValueError:
        return None


def _range(text: str) -> str:
    """Require a range without host bits: 10.0.0.1/8 is ambiguous."""
    if network(text) is not None and "/" in text:
        return text
    try:
        meant = ipaddress.IPv4Network(text, strict=False)
    except ValueError:
        raise value_error("write a range of IPv4 addresses, such as 10.0.0.0/16") from None
    raise value_error(f"did you mean {meant}?")


def _subnet_range(text: str) -> str:
    length = ipaddress.IPv4Network(_range(text)).prefixlen
    if not _LARGEST_SUBNET <= length <= _SMALLEST_SUBNET:
        raise value_error(f"write a range of /{_LARGEST_SUBNET} to /{_SMALLEST_SUBNET}, as AWS has")
    return text


def _endpoint(text: str) -> str:
    """Accept loopback addresses only: endpoints exist for rehearsals on this machine."""
    parts = urlsplit(text)
    try:
        loopback = ipaddress.ip_address(parts.hostname or "").is_loopback
    except ValueError:
        loopback = parts.hostname == "localhost"
    if parts.scheme != "http" or not loopback or parts.username is not None:
        raise value_error("write an address of this machine, such as http://127.0.0.1:5000")
    return text


def _form(pattern: str, example: str, *, reference: bool = False) -> tuple[object, object]:
    hint = f"write {example}" + (f", or {_REFERENCE_HINT}" if reference else "")

    def check(text: str) -> str:
        if reference and text.startswith(REFERENCE):
            if not re.fullmatch(_REFERENCE, text, re.ASCII):
                raise value_error(f"write {_REFERENCE_HINT}")
        elif not re.fullmatch(pattern, text):
            raise value_error(hint)
        return text

    schema_pattern = rf"({pattern}|{_REFERENCE})" if reference else pattern
    return AfterValidator(check), _pattern(schema_pattern)


def _pattern(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


_OCTETS = r"[0-9]{1,3}(\.[0-9]{1,3}){3}"
_REGION_PART = r"[a-z]{2}-[a-z]+-[0-9]"
_HEX = r"([0-9a-f]{8}|[0-9a-f]{17})"

Region = Annotated[
    str, AfterValidator(_region), WithJsonSchema({"type": "string", "enum": [*REGIONS]})
]
Scheme = Annotated[
    str, AfterValidator(_scheme), WithJsonSchema({"type": "string", "enum": [*SCHEMES]})
]
Account = Annotated[str, *_form(r"[0-9]{12}", "the account's twelve digits in quotes")]
Zone = Annotated[str, *_form(rf"{_REGION_PART}[a-z]", "an availability zone such as eu-central-1a")]
VpcId = Annotated[str, *_form(rf"vpc-{_HEX}", "vpc- and its 17 hex digits", reference=True)]
SubnetId = Annotated[
    str, *_form(rf"subnet-{_HEX}", "subnet- and its 17 hex digits", reference=True)
]
SecurityGroupId = Annotated[str, *_form(rf"sg-{_HEX}", "sg- and its 17 hex digits", reference=True)]
GroupName = Annotated[
    str, *_form(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}", "an autoscaling group's name", reference=True)
]
RoleArn = Annotated[
    str,
    *_form(
        r"arn:aws:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]{1,512}",
        "arn:aws:iam::<account>:role/<name>",
        reference=True,
    ),
]
CertificateArn = Annotated[
    str,
    *_form(
        rf"arn:aws:acm:{_REGION_PART}:[0-9]{{12}}:certificate/[0-9a-f-]{{36}}",
        "arn:aws:acm:<region>:<account>:certificate/<id>",
        reference=True,
    ),
]
HostedZoneId = Annotated[
    str, *_form(r"[A-Z0-9]{2,32}", "the hosted zone's id, capitals and digits", reference=True)
]
BucketName = Annotated[
    str,
    *_form(
        r"(?!xn--|sthree-)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
        "3 to 63 lower-case letters, digits and hyphens",
    ),
]
CertificateName = Annotated[
    str,
    *_form(
        r"(\*\.)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+",
        "a name of the certificate, such as models.example.com or *.example.com",
    ),
]
RepositoryPrefix = Annotated[
    str, *_form(r"[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*", "a path like models")
]
Range = Annotated[str, AfterValidator(_range), _pattern(rf"{_OCTETS}/([0-9]|[12][0-9]|3[0-2])")]
SubnetRange = Annotated[str, AfterValidator(_subnet_range), _pattern(rf"{_OCTETS}/(1[6-9]|2[0-8])")]
Endpoint = Annotated[
    str,
    AfterValidator(_endpoint),
    _pattern(r"http://(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?/?"),
]
LogDays = Annotated[int, Field(ge=1, le=3650)]
