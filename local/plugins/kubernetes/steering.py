"""The `pulumi.com/*` annotations: how the program steers one object."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from local.plugins.access import mapping
from local.plugins.failures import PluginError
from local.plugins.values import UNKNOWN, Json, Object

PREFIX = "pulumi.com/"
AUTONAMED = PREFIX + "autonamed"
SKIP_AWAIT = PREFIX + "skipAwait"
WAIT_FOR = PREFIX + "waitFor"
TIMEOUT = PREFIX + "timeoutSeconds"
FORCE = PREFIX + "patchForce"
PROPAGATION = PREFIX + "deletionPropagationPolicy"

_SWITCHES = (AUTONAMED, SKIP_AWAIT, FORCE)
_POLICIES = {"foreground": "Foreground", "background": "Background", "orphan": "Orphan"}
_JSONPATH = re.compile(
    r"jsonpath=\{(?P<path>(?:\.[\w-]+|\[\d+\]|\['[^']+'\])+)\}(?:=(?P<want>.*))?"
)
_CONDITION = re.compile(r"condition=(?P<type>[\w./-]+)(?:=(?P<want>\w+))?")


@dataclass(frozen=True)
class Awaited:
    """One expression of `pulumi.com/waitFor`."""

    expression: str

    def holds(self, live: Object) -> bool:
        """Whether the object satisfies it, by the rules of `kubectl wait`."""
        found = _CONDITION.fullmatch(self.expression)
        if found:
            wanted = (found["want"] or "true").lower()
            conditions = mapping(live, "status").get("conditions")
            for entry in conditions if isinstance(conditions, list) else []:
                if (
                    isinstance(entry, dict)
                    and str(entry.get("type")).lower() == found["type"].lower()
                ):
                    return str(entry.get("status")).lower() == wanted
            return False
        found = _JSONPATH.fullmatch(self.expression)
        if found is None:  # `problems` refuses such annotations before
            raise PluginError(f"cannot await {self.expression!r}")
        value = _follow(live, found["path"])
        if found["want"] is None:
            return value is not None
        return _shown(value) == found["want"]


def _follow(tree: Json, path: str) -> Json:
    for name, index, quoted in re.findall(r"\.([\w-]+)|\[(\d+)\]|\['([^']+)'\]", path):
        if index:
            if not isinstance(tree, list) or int(index) >= len(tree):
                return None
            tree = tree[int(index)]
        else:
            if not isinstance(tree, dict):
                return None
            tree = tree.get(name or quoted)
    return tree


def _shown(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def problems(obj: Object) -> list[tuple[str, str]]:
    """What is wrong with the object's `pulumi.com/*` annotations: (property path, sentence)."""
    found = []
    for key, value in mapping(obj, "metadata", "annotations").items():
        if key.startswith(PREFIX) and value != UNKNOWN:
            reason = _problem(key, value)
            if reason:
                found.append((f'metadata.annotations["{key}"]', reason))
    return found


def _problem(key: str, value: Json) -> str:
    if key in _SWITCHES:
        return "" if value in ("true", "false") else 'write "true" or "false".'
    if key == TIMEOUT:
        good = isinstance(value, str) and value.isdigit()
        return "" if good else 'write whole seconds as a string: "300".'
    if key == PROPAGATION:
        good = isinstance(value, str) and value.lower() in _POLICIES
        return "" if good else "write foreground, background or orphan."
    if key == WAIT_FOR:
        wrong = [item for item in expressions(value) if not _readable(item)]
        return (
            ""
            if not wrong
            else f"the stand-in cannot await {wrong[0]!r}; it knows condition=<type>"
            "[=<status>] and jsonpath={.plain.path[0]}[=<value>], or a JSON array of them."
        )
    return "the stand-in does not honour this annotation; remove it or use the official plugin."


def _readable(expression: str) -> bool:
    return bool(_CONDITION.fullmatch(expression) or _JSONPATH.fullmatch(expression))


def expressions(value: Json) -> list[str]:
    """The expressions of `pulumi.com/waitFor`: one, or a JSON array of them."""
    shown = value if isinstance(value, str) else json.dumps(value)
    try:
        parsed: Json = json.loads(shown)
    except ValueError:
        return [shown]
    if isinstance(parsed, list) and parsed:
        return [str(item) for item in parsed]
    return [shown]


def _value(obj: Object, key: str) -> str:
    value = mapping(obj, "metadata", "annotations").get(key)
    return value if isinstance(value, str) else ""


def is_on(obj: Object, key: str) -> bool:
    """Whether a switch is set to "true"."""
    return _value(obj, key) == "true"


def awaited(obj: Object) -> list[Awaited]:
    """What the program wants to wait for in place of the kind's own readiness."""
    value = _value(obj, WAIT_FOR)
    return [Awaited(item) for item in expressions(value)] if value else []


def timeout(obj: Object, custom: float, default: float) -> float:
    """Seconds to wait: the resource option, the annotation, or the kind's default."""
    if custom:
        return custom
    annotated = _value(obj, TIMEOUT)
    return float(annotated) if annotated else default


def propagation(obj: Object) -> str:
    """How a delete treats dependents; Foreground unless the program says otherwise."""
    return _POLICIES.get(_value(obj, PROPAGATION).lower(), "Foreground")
