"""Named types for the values of a stack file."""

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, WithJsonSchema

from components.config.quantities import canonical_cpu, canonical_memory
from components.errors import value_error
from components.languages import LANGUAGES, PYTHON, PYTHON_RUNTIMES, is_handler

_IDENTIFIER = r"[A-Za-z_][A-Za-z0-9_]*"
_HANDLER = "|".join(f"({language.handler})" for language in LANGUAGES.values())
_HOST_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOSTNAME = rf"{_HOST_LABEL}(\.{_HOST_LABEL})*"
_LONGEST_HOSTNAME = 253
_REPOSITORY = r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*"
_REGISTRY = rf"{_HOSTNAME}(:[0-9]{{1,5}})?(/{_REPOSITORY})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_DIGEST = r"sha256:[0-9a-f]{64}"
_IMAGE = rf"{_REGISTRY}(:{_TAG})?(@{_DIGEST})?"
_IMAGE_DIGEST = rf"{_REGISTRY}(:{_TAG})?@{_DIGEST}"
_HARNESS_VARIABLES = "MODEL_"
_NODE_LABEL = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_CONFIG_KEY = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}"
_SECTIONS = ("platform", "models")
"""Configuration keys that are read in plain text."""
_ENGINE_DATE = r"[0-9-]{10} [0-9:]{8}(\.[0-9]+)? [+-][0-9]{4} .*"
"""The form into which Pulumi's engine converts an unquoted date, changing the user's text."""


def _handler(text: str, info: ValidationInfo) -> str:
    """Validate by the language's form; without a valid language, accept the form of any."""
    language = LANGUAGES.get((info.data or {}).get("language") or "")
    if not any(
        is_handler(text, candidate)
        for candidate in ([language] if language else LANGUAGES.values())
    ):
        raise value_error(f"write {(language or PYTHON).form}")
    return text


def _language(text: str) -> str:
    if text not in LANGUAGES:
        raise value_error(f"write {' or '.join(LANGUAGES)}")
    return text


def _python(text: str) -> str:
    if text not in PYTHON_RUNTIMES:
        raise value_error("write " + " or ".join(f'"{release}"' for release in PYTHON_RUNTIMES))
    return text


def _hostname(text: str) -> str:
    if "://" in text:
        raise value_error("write only the host name, without http:// or https://")
    if _is_address(text):
        raise value_error("write a host's name: an Ingress takes no IP address")
    if len(text) > _LONGEST_HOSTNAME or not re.fullmatch(_HOSTNAME, text):
        raise value_error("write only a host name, in lower case, such as models.example.com")
    return text


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _registry(text: str) -> str:
    if "://" in text:
        raise value_error("write it without https://, such as registry.example.com/models")
    if text != text.lower():
        raise value_error("write it in lower case: registries require it")
    if "@" in text or ("/" in text and ":" in text.rpartition("/")[2]):
        raise value_error("write it without a tag or digest: every image gets its own")
    if not re.fullmatch(_REGISTRY, text):
        raise value_error("write <host>[:<port>]/<path>, such as registry.example.com/models")
    return text


def _image(text: str) -> str:
    name, _, digest = text.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    if not re.fullmatch(_IMAGE, text):
        raise value_error("write an image such as name:1.2.3")
    if not digest and tag in ("", "latest"):
        raise value_error("write a tag or digest that stays the same, such as name:1.2.3")
    return text


def _image_digest(text: str) -> str:
    if "@" not in text:
        raise value_error(
            "write its digest, <name>@sha256:<digits>: a tag may move to another image"
        )
    if not re.fullmatch(_IMAGE_DIGEST, text):
        raise value_error("write <name>@sha256: and 64 digits of 0-9 and a-f")
    return text


def _environment_name(text: str) -> str:
    if text.startswith(_HARNESS_VARIABLES):
        raise value_error(f"choose another name: {_HARNESS_VARIABLES}* belongs to the harness")
    if not re.fullmatch(_IDENTIFIER, text, re.ASCII):
        raise value_error("write letters, digits and underscores, no digit first")
    return text


def _environment_value(text: str) -> str:
    if "\0" in text:
        raise value_error("write it without the NUL character: no process can receive it")
    if re.fullmatch(_ENGINE_DATE, text):
        raise value_error("write it in quotes: without them YAML reads a date")
    return text


def _secret_key(text: str) -> str:
    if text in _SECTIONS:
        raise value_error(f"write the name of a secret key; {text} is a section of this file")
    if not re.fullmatch(_CONFIG_KEY, text):
        raise value_error("write the name of a secret key of this stack, such as irisApiKey")
    return text


def _node_label_name(text: str) -> str:
    prefix, slash, name = text.rpartition("/")
    right_prefix = re.fullmatch(_HOSTNAME, prefix) and len(prefix) <= _LONGEST_HOSTNAME
    if not re.fullmatch(_NODE_LABEL, name) or (slash and not right_prefix):
        raise value_error("write a label's name, such as kubernetes.io/arch or disk")
    return text


def _node_label_value(text: str) -> str:
    if text and not re.fullmatch(_NODE_LABEL, text):
        raise value_error("write a label's value: at most 63 letters, digits and ._- between them")
    return text


def _odd(number: int) -> int:
    if number % 2 == 0:
        raise value_error("write an odd number, such as 3: an even one survives no more failures")
    return number


def _pattern(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


Handler = Annotated[str, AfterValidator(_handler), _pattern(f"({_HANDLER})")]
Language = Annotated[
    str, AfterValidator(_language), WithJsonSchema({"type": "string", "enum": [*LANGUAGES]})
]
Python = Annotated[
    str, AfterValidator(_python), WithJsonSchema({"type": "string", "enum": [*PYTHON_RUNTIMES]})
]
Hostname = Annotated[str, AfterValidator(_hostname), _pattern(_HOSTNAME)]
Registry = Annotated[str, AfterValidator(_registry), _pattern(_REGISTRY)]
ImageName = Annotated[str, AfterValidator(_image), _pattern(_IMAGE)]
ImageDigest = Annotated[str, AfterValidator(_image_digest), _pattern(_IMAGE_DIGEST)]
SourceFolder = str
"""`checks.sources` checks that the folder exists."""
EnvironmentName = Annotated[
    str, AfterValidator(_environment_name), _pattern(rf"(?!{_HARNESS_VARIABLES}){_IDENTIFIER}")
]
EnvironmentValue = Annotated[str, AfterValidator(_environment_value)]
SecretKey = Annotated[
    str, AfterValidator(_secret_key), _pattern(rf"(?!({'|'.join(_SECTIONS)})$){_CONFIG_KEY}")
]
NodeLabelName = Annotated[
    str, AfterValidator(_node_label_name), _pattern(rf"({_HOSTNAME}/)?{_NODE_LABEL}")
]
NodeLabelValue = Annotated[str, AfterValidator(_node_label_value), _pattern(rf"({_NODE_LABEL})?")]
Cpu = Annotated[str, AfterValidator(canonical_cpu), _pattern(r"([0-9]+m|[0-9]+(\.[0-9]{1,3})?)")]
Memory = Annotated[
    str, AfterValidator(canonical_memory), _pattern(r"[0-9]+(\.[0-9]{1,3})?([KMGT]i|[kMGT])?")
]
Percent = Annotated[int, Field(ge=0, le=100)]
MirrorPercent = Annotated[int, Field(ge=1, le=100)]
CpuPercent = Annotated[int, Field(ge=1, le=100)]
Gpu = Annotated[int, Field(ge=0, le=64)]
BodyBytes = Annotated[int, Field(ge=1024, le=100 * 1024 * 1024)]
InFlight = Annotated[int, Field(ge=1, le=10_000)]
Replicas = Annotated[int, Field(ge=1, le=1000)]
BrokerReplicas = Annotated[
    int,
    Field(ge=1, le=7),
    AfterValidator(_odd),
    WithJsonSchema({"type": "integer", "enum": [1, 3, 5, 7]}),
]
HstsSeconds = Annotated[int, Field(ge=300, le=2 * 365 * 24 * 3600)]
"""Browsers cannot be made to forget it earlier: start with minutes."""
RequestsPerSecond = Annotated[int, Field(ge=1, le=100_000)]
NodePort = Annotated[int, Field(ge=1024, le=65535)]
DeadlineSeconds = Annotated[int, Field(ge=1, le=86400)]
Threads = Annotated[int, Field(ge=1, le=256)]
Workers = Annotated[int, Field(ge=1, le=64)]
TimeoutSeconds = Annotated[int, Field(ge=1, le=3600)]
"""Traefik and the load balancer wait at least as long as the longest call."""
Tokens = Annotated[list[SecretKey], Field(min_length=1, json_schema_extra={"uniqueItems": True})]
