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


_CONTENT_ENV = (
    "(entry.name in ['MODEL_HANDLER', 'MODEL_NAME', 'MODEL_VERSION'] || "
    "(!entry.name.startsWith('MODEL_') && !has(entry.valueFrom)))"
)
"""CEL: whether an environment variable is part of a version's content."""

_MANAGED = (
    "[object, oldObject].exists(item, item != null && "
    "item.metadata.?labels[?'app.kubernetes.io/managed-by'].orValue('') == 'pulumi' && "
    "item.metadata.?labels[?'app.kubernetes.io/component'].orValue('') == 'model')"
)
"""CEL: whether the Deployment belongs to a version, before or after the change."""

_KEEPS_LABELS = " && ".join(
    f"object.metadata.?labels[?'{name}'].orValue('') == '{value}'"
    for name, value in labels("model").items()
)
"""CEL: without these labels, a second change would bypass the policy."""

_POD_LABELS = "object.spec.template.metadata.?labels"
_OWN_NAME = (
    f"!{_POD_LABELS}[?'app.kubernetes.io/version'].orValue('').matches('^v[1-9][0-9]*$') || "
    f"object.metadata.name == {_POD_LABELS}[?'app.kubernetes.io/name'].orValue('') + '-' + "
    f"{_POD_LABELS}[?'app.kubernetes.io/version'].orValue('')"
)
"""CEL: whether the name matches the model and version in the Pods' labels, if they have any.

Otherwise the Pods would receive the traffic of another version."""


def _environment(item: str) -> str:
    """Return a CEL expression for the variables of a Deployment's container."""
    return f"{item}.spec.template.spec.containers[0].?env.orValue([])"


def _has_content_of(item: str, counterpart: str) -> str:
    """Return a CEL expression: `counterpart` has every variable of `item` that is content."""
    return (
        f"{_environment(item)}.all(entry, !{_CONTENT_ENV} || "
        f"{_environment(counterpart)}.exists(same, same.name == entry.name && "
        "same.?value.orValue('') == entry.?value.orValue('') && "
        "has(same.valueFrom) == has(entry.valueFrom)))"
    )


_VERSION_VALIDATIONS: list[ValidationArgsDict] = [
    {
        "expression": _KEEPS_LABELS,
        "message": "a version's Deployment must keep its labels app.kubernetes.io/component, "
        "part-of and managed-by",
    },
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
    {
        "expression": (
            "size(object.spec.template.spec.containers) == 1 && "
            "size(object.spec.template.spec.?initContainers.orValue([])) == 0 && "
            "object.spec.template.spec.containers.all(container, "
            "!has(container.command) && !has(container.args) && "
            "container.?volumeMounts.orValue([]).all(mount, !mount.mountPath.startsWith('/opt')))"
        ),
        "message": "a version's Pods run only the entry point of its image: one container without "
        "command, args and mounts over /opt, and no initContainers",
    },
    {
        "expression": (
            f"oldObject == null || {_annotation('oldObject', _HASH)} == '' || "
            f"({_has_content_of('oldObject', 'object')} && "
            f"{_has_content_of('object', 'oldObject')})"
        ),
        "message": "a published version is immutable: its handler and environment cannot change; "
        "publish a new one",
    },
]

_VALIDATIONS: list[ValidationArgsDict] = [
    *(
        {**validation, "expression": f"!{_MANAGED} || ({validation['expression']})"}
        for validation in _VERSION_VALIDATIONS
    ),
    {
        "expression": _OWN_NAME,
        "message": "Pods with the labels of a version get its traffic; the Deployment must have "
        "the version's name",
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
                "object_selector": {},
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
