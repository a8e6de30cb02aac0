"""The docker provider's configuration: the daemon's address, nothing else."""

from __future__ import annotations

import os

from pulumi.provider.experimental.provider import ConfigureRequest, ConfigureResponse, Provider

from local.plugins.failures import PluginError

_ENGINES_OWN = ("version", "pluginDownloadURL", "pluginChecksums")
_EMPTY = ("", "[]", "{}", "null")


class Configured(Provider):
    """Refuses what the stand-in would have to ignore."""

    async def configure(self, request: ConfigureRequest) -> ConfigureResponse:
        """Take the daemon's address; the docker client reads it from the environment."""
        for name, value in request.variables.items():
            key = name.removeprefix("docker:config:")
            if key == "host":
                os.environ["DOCKER_HOST"] = value
            elif key not in _ENGINES_OWN and value not in _EMPTY:
                raise PluginError(
                    f"docker:{key}: the stand-in plugin does not honour it; configure the docker "
                    "client instead, or use the official plugin."
                )
        return ConfigureResponse(accept_secrets=True, supports_preview=True)
