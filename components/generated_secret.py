"""A Secret whose values the program generates once and never changes again.

The program keeps nothing between runs. So each run generates new values, and `ignore_changes` makes
Pulumi keep those of its state. Values in the stack file would have to be set before a first start;
a provider for them would be one more plugin.
"""

import base64
from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.core.v1 import Secret
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

_KEPT = ["data", "stringData"]
"""The official provider stores the inputs as `data`; a state that was written without it may have
`stringData`. Ignoring only a field that the state lacks would remove the values, and a Secret whose
values change is replaced."""


def declare_generated_secret(
    name: str,
    meta: ObjectMetaArgsDict,
    kind: str,
    values: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> Secret:
    """Declare the Secret. `values` are plain text and used only if it does not exist yet."""
    return Secret(
        name,
        metadata=meta,
        type=kind,
        data={
            key: pulumi.Output.secret(base64.b64encode(value.encode()).decode())
            for key, value in values.items()
        },
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(ignore_changes=_KEPT)),
    )
