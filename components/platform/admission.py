"""The admission policy that protects published versions against changes by any client."""

import pulumi
from pulumi_kubernetes.admissionregistration.v1 import (
    ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding,
    ValidationArgsDict,
)

from components.naming import annotation, labels

COMPONENT = "admission"

_HASH = annotation("content-hash")
_DIGEST = annotation("image-digest")


def _annotation(item: str, key: str) -> str:
    """Return a CEL expression for an annotation of `item`; empty if it is missing."""
    return f"{item}.metadata.?annotations[?'{key}'].orValue('')"


_VALIDATIONS: list[ValidationArgsDict] = [
    {
        "expression": f"{_annotation('object', _HASH)} != ''",
        "message": f"a version's Deployment must carry the annotation {_HASH}",
    },
    {
        # a Deployment created before this policy has no hash yet: it may get one
        "expression": (
            f"oldObject == null || {_annotation('oldObject', _HASH)} == '' || "
            f"{_annotation('oldObject', _HASH)} == {_annotation('object', _HASH)}"
        ),
        "message": f"a published version is immutable: {_HASH} cannot change; publish a new one",
    },
    {
        "expression": (
            "object.spec.template.spec.containers.all(container, "
            f"container.image.endsWith('@' + {_annotation('object', _DIGEST)})) && "
            f"{_annotation('object', _DIGEST)}.startsWith('sha256:')"
        ),
        "message": f"every container's image must be the digest in the annotation {_DIGEST}",
    },
]


def declare_immutability_policy(
    name: str, namespace: str, opts: pulumi.ResourceOptions
) -> pulumi.Resource:
    """Declare the policy and bind it to one namespace; return the binding.

    The policy is cluster-wide, so `name` contains the namespace.
    """
    policy = ValidatingAdmissionPolicy(
        COMPONENT,
        metadata={"name": name, "labels": labels(COMPONENT)},
        spec={
            "failure_policy": "Fail",
            "match_constraints": {
                "match_policy": "Equivalent",
                "namespace_selector": {},
                # old and new object are matched: removing the label does not bypass the policy
                "object_selector": {"match_labels": labels("model")},
                "resource_rules": [
                    {
                        "api_groups": ["apps"],
                        "api_versions": ["v1"],
                        "operations": ["CREATE", "UPDATE"],
                        "resources": ["deployments"],
                        "scope": "*",
                    }
                ],
            },
            "validations": _VALIDATIONS,
        },
        opts=opts,
    )
    return ValidatingAdmissionPolicyBinding(
        COMPONENT,
        metadata={"name": name, "labels": labels(COMPONENT)},
        spec={
            "policy_name": policy.metadata["name"],
            "validation_actions": ["Deny"],
            "match_resources": {
                "match_policy": "Equivalent",
                "namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": namespace}},
                "object_selector": {},
            },
        },
        opts=opts,
    )
