"""Kubernetes Secrets with values of the stack's encrypted configuration.

Each version has a Secret for its variables, each model one for the tokens of its callers.
"""

import hashlib
import json
from collections.abc import Mapping

import pulumi
from pulumi_kubernetes.core.v1 import Secret
from pulumi_kubernetes.meta.v1 import ObjectMetaArgsDict

from components.naming import object_name

_SHOWN_DIGITS = 8
"""Enough to see that values changed, too few to find them by trying."""


def declare_secret(
    name: str,
    meta: ObjectMetaArgsDict,
    values: Mapping[str, pulumi.Output[str]],
    opts: pulumi.ResourceOptions,
) -> Secret:
    """Declare the Secret with one key per variable or token."""
    return Secret(name, metadata=meta, type="Opaque", string_data=dict(values), opts=opts)


def tokens_name(model: str) -> str:
    """Return the name of the Secret with a model's tokens.

    Pods mount it as files, which kubelet updates, so a changed value needs no restart and no
    fingerprint in the Pod template.
    """
    return object_name(model, "tokens")


def fingerprint(values: Mapping[str, pulumi.Output[str]]) -> pulumi.Output[str]:
    """Return a fingerprint of the values, so that a rotation restarts the Pods."""

    def _digest(plaintext: Mapping[str, str]) -> str:
        text = json.dumps(sorted(plaintext.items()))
        return hashlib.sha256(text.encode()).hexdigest()[:_SHOWN_DIGITS]

    # else the whole Deployment would be one secret in the diff; so few digits give nothing away
    return pulumi.Output.unsecret(pulumi.Output.all(**values).apply(_digest))
