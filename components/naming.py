"""Names of objects, labels and annotations, and their limits.

Names are never truncated. The limits ensure that `<model>-<route>` and `<model>-<version>` stay
below the 63 characters of a DNS label, which Services and label values must keep.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from components.errors import value_error

ANNOTATION_PREFIX = "model-deployment.io/"
PLATFORM_NAMES = frozenset(
    {
        "deployment-watcher",
        "ingress-controller",
        "load-balancer",
        "message-broker",
        "message-broker-nodes",
    }
)
"""Names of platform objects in the same namespace, reserved for them."""
LATEST = "latest"
MAIN_ROUTE = "prod"
"""The route of paths without a route or version."""
PROMETHEUS = "prometheus"
"""The `app.kubernetes.io/name` of Pods that may connect to every port with metrics; a model's Pods
have the model's name there."""
RESERVED_ROUTES = frozenset({"versions", LATEST, "labels"})

_LABEL = r"[a-z]([a-z0-9-]*[a-z0-9])?"
_VERSION = r"v[1-9][0-9]*"
_LOOKS_LIKE_A_VERSION = re.compile(r"v[0-9]+")
_LABEL_HINT = (
    "write lower-case letters, digits and hyphens, begin with a letter, end with a letter or digit"
)
_LONGEST_MODEL = 40
_LONGEST_ROUTE = 20
_LONGEST_VERSION = 16
"""`v` and 15 digits: an integer that every JSON client reads exactly."""
_LONGEST_NAMESPACE = 63


def _label(text: str, longest: int) -> str:
    if len(text) > longest:
        raise value_error(
            f"write at most {longest} characters", f"a name of {len(text)} characters"
        )
    if not re.fullmatch(_LABEL, text):
        raise value_error(_LABEL_HINT)
    return text


def _model_name(text: str) -> str:
    if text == PROMETHEUS:
        raise value_error(
            "choose another name: network policies let Pods of this name read all metrics"
        )
    return _label(text, _LONGEST_MODEL)


def _route_name(text: str) -> str:
    if text in RESERVED_ROUTES:
        reserved = ", ".join(sorted(RESERVED_ROUTES))
        raise value_error(f"choose another name: {reserved} are addresses of every model")
    if _LOOKS_LIKE_A_VERSION.fullmatch(text):
        raise value_error("choose a name that does not look like a version")
    return _label(text, _LONGEST_ROUTE)


def _version_name(text: str) -> str:
    if len(text) > _LONGEST_VERSION:
        actual = f"a name of {len(text)} characters"
        raise value_error(f"write at most {_LONGEST_VERSION} characters", actual)
    if not re.fullmatch(_VERSION, text):
        raise value_error("write v and a whole number from 1 on, such as v1 or v12")
    return text


def _namespace_name(text: str) -> str:
    if text == "default" or text.startswith("kube-"):
        # a stack creates its namespace, denies all traffic in it, and deletes it in the end
        raise value_error("write a namespace of this stack alone, such as models")
    return _label(text, _LONGEST_NAMESPACE)


def _schema(pattern: str, longest: int) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$", "maxLength": longest})


ModelName = Annotated[
    str,
    AfterValidator(_model_name),
    _schema(rf"(?!{PROMETHEUS}$){_LABEL}", _LONGEST_MODEL),
]
RouteName = Annotated[
    str,
    AfterValidator(_route_name),
    _schema(rf"(?!(versions|latest|labels|v[0-9]+)$){_LABEL}", _LONGEST_ROUTE),
]
VersionName = Annotated[str, AfterValidator(_version_name), _schema(_VERSION, _LONGEST_VERSION)]
VersionReference = Annotated[str, _schema(_VERSION, _LONGEST_VERSION)]
"""Validate the form of a reference to a version."""
NamespaceName = Annotated[
    str,
    AfterValidator(_namespace_name),
    _schema(rf"(?!default$|kube-){_LABEL}", _LONGEST_NAMESPACE),
]


def version_number(version: str) -> int:
    """Return the integer of `v12`, the `model_version_number` of responses (docs/http.md)."""
    return int(version.removeprefix("v"))


def object_name(model: str, part: str) -> str:
    """Return the name of a model's object; `part` is a version, a route or `latest`."""
    return f"{model}-{part}"


def annotation(name: str) -> str:
    """Return the full name of an annotation of this project."""
    return ANNOTATION_PREFIX + name


def labels(component: str, model: str | None = None, version: str | None = None) -> dict[str, str]:
    """Return the labels of every object that Pulumi declares; the cluster state is read by them.

    The watcher labels its Leases itself. Existing volume claim templates cannot take a change.
    """
    named = {} if model is None else {"app.kubernetes.io/name": model}
    versioned = {} if version is None else {"app.kubernetes.io/version": version}
    return {
        **named,
        **versioned,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": "model-deployment",
        "app.kubernetes.io/managed-by": "pulumi",
    }


def selector(model: str, version: str) -> dict[str, str]:
    """Return the selector of a version's Pods. Deployments cannot change it, so it is minimal."""
    return {"app.kubernetes.io/name": model, "app.kubernetes.io/version": version}
