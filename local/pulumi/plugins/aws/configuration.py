"""Configuration of the provider: endpoints on this machine, or none for previews only."""

import ipaddress
import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from local.pulumi.plugins.aws.clients import Clients
from local.pulumi.plugins.properties import Json
from local.pulumi.plugins.resource import PluginError

_PREFIX = "aws:config:"
_STRING_SETTINGS = ("region", "accessKey", "secretKey")
_ALWAYS_ON = (
    "s3UsePathStyle",
    "skipCredentialsValidation",
    "skipMetadataApiCheck",
    "skipRegionValidation",
    "skipRequestingAccountId",
)
"""The stand-in always behaves like this; these settings cannot be false."""
_ENGINE_SETTINGS = ("version", "pluginDownloadURL", "pluginChecksums", "__internal")
_EMPTY = ("", "[]", "{}", "null", "false")


def clients(settings: Mapping[str, str]) -> Clients | None:
    """Return the clients that the provider's settings describe; None without an endpoint.

    Raise PluginError for unsupported settings and for endpoints on other machines.
    """
    values = {key.removeprefix(_PREFIX): value for key, value in settings.items()}
    endpoints = _endpoints(values.get("endpoints", ""))
    for key, value in values.items():
        if not _is_supported(key, value, has_endpoint=bool(endpoints)):
            raise PluginError(
                f"aws:{key}: the stand-in plugin does not support it; use the official one."
            )
    if not endpoints:
        return None
    if values.get("allowedAccountIds", "") not in _EMPTY:
        raise PluginError("aws:allowedAccountIds: this machine cannot verify an account.")
    access = values.get("accessKey", ""), values.get("secretKey", "")
    return Clients(values.get("region", ""), endpoints, *access)


def _is_supported(key: str, value: str, *, has_endpoint: bool) -> bool:
    if key in _ALWAYS_ON:  # without an endpoint there are no checks to skip
        return value == "true" or not has_endpoint
    supported = (*_STRING_SETTINGS, *_ENGINE_SETTINGS, "endpoints", "allowedAccountIds")
    return key in supported or value in _EMPTY


def _endpoints(setting: str) -> dict[str, str]:
    """Return the endpoint of each service."""
    endpoints: dict[str, str] = {}
    entries: Json = json.loads(setting) if setting else []
    for entry in entries if isinstance(entries, list) else []:
        for service, address in (entry if isinstance(entry, dict) else {}).items():
            if not isinstance(address, str) or not is_loopback(address):
                raise PluginError(
                    f"aws:endpoints.{service}: {address!r} is not on this machine; the stand-in "
                    "plugin accepts no other."
                )
            endpoints[service] = address
    return endpoints


def is_loopback(address: str) -> bool:
    """Return whether a URL is of this machine's loopback interface."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
