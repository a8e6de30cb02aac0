"""The aws provider's configuration: an endpoint of this machine, or previews alone."""

from __future__ import annotations

import ipaddress
import json
from urllib.parse import urlsplit

from pulumi.provider.experimental.provider import ConfigureRequest, ConfigureResponse, Provider

from local.plugins.aws.clients import Clients
from local.plugins.failures import PluginError
from local.plugins.values import Json

_PREFIX = "aws:config:"
_TEXTS = ("region", "accessKey", "secretKey")
_ALWAYS_ON = (
    "s3UsePathStyle",
    "skipCredentialsValidation",
    "skipMetadataApiCheck",
    "skipRegionValidation",
    "skipRequestingAccountId",
)
"""What the stand-in does in any case: it may be asked for, not turned off."""
_ENGINES_OWN = ("version", "pluginDownloadURL", "pluginChecksums", "__internal")
_EMPTY = ("", "[]", "{}", "null", "false")


class Configured(Provider):
    """Keeps the clients; without an endpoint there are none, and only a preview works."""

    def __init__(self) -> None:
        self.clients: Clients | None = None

    async def configure(self, request: ConfigureRequest) -> ConfigureResponse:
        """Refuse what would have to be ignored, and every address beyond this machine."""
        values = {key.removeprefix(_PREFIX): value for key, value in request.variables.items()}
        endpoints = _endpoints(values.get("endpoints", ""))
        for key, value in values.items():
            if not _is_honoured(key, value, asks=bool(endpoints)):
                raise PluginError(
                    f"aws:{key}: the stand-in plugin does not honour it; use the official one."
                )
        if endpoints:
            if values.get("allowedAccountIds", "") not in _EMPTY:
                raise PluginError(
                    "aws:allowedAccountIds: nobody on this machine can tell an account."
                )
            self.clients = Clients(
                values.get("region", ""),
                endpoints,
                values.get("accessKey", ""),
                values.get("secretKey", ""),
            )
        return ConfigureResponse(accept_secrets=True, supports_preview=True)


def _is_honoured(key: str, value: str, *, asks: bool) -> bool:
    """Where nobody is asked, there are no checks to skip."""
    if key in _ALWAYS_ON:
        return value == "true" or not asks
    known = (*_TEXTS, *_ENGINES_OWN, "endpoints", "allowedAccountIds")
    return key in known or value in _EMPTY


def _endpoints(written: str) -> dict[str, str]:
    """The address of each service."""
    found: dict[str, str] = {}
    listed: Json = json.loads(written) if written else []
    for entry in listed if isinstance(listed, list) else []:
        for service, address in (entry if isinstance(entry, dict) else {}).items():
            if not isinstance(address, str) or not is_loopback(address):
                raise PluginError(
                    f"aws:endpoints.{service}: {address!r} is not on this machine; the stand-in "
                    "plugin speaks to no other."
                )
            found[service] = address
    return found


def is_loopback(address: str) -> bool:
    """Whether an address can only be this machine's."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
