"""Values of the stack's encrypted configuration, as Secrets.

A version has one of its own for its variables, a model one for the tokens that its callers show.
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


def secret(
    name: str,
    meta: ObjectMetaArgsDict,
    values: Mapping[str, pulumi.Output[str]],
    opts: pulumi.ResourceOptions,
) -> Secret:
    """The Secret with one key per variable or token."""
    return Secret(name, metadata=meta, type="Opaque", string_data=dict(values), opts=opts)


def tokens_name(model: str) -> str:
    """The name of the Secret with a model's tokens.

    Pods have it as files, which follow its values: a new value needs no new Pods, so no Pod carries
    a fingerprint of it.
    """
    return object_name(model, "tokens")


def fingerprint(values: Mapping[str, pulumi.Output[str]]) -> pulumi.Output[str]:
    """Changes with the values, so that Pods are rolled when one is rotated."""

    def _digest(plaintext: Mapping[str, str]) -> str:
        text = json.dumps(sorted(plaintext.items()))
        return hashlib.sha256(text.encode()).hexdigest()[:_SHOWN_DIGITS]

    # else the whole Deployment would be one secret in the diff; so few digits give nothing away
    return pulumi.Output.unsecret(pulumi.Output.all(**values).apply(_digest))
