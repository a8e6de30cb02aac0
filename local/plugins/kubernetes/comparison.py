"""How an object of the cluster looks in the shape of the program's inputs.

Refresh must find what somebody changed, and nothing else: not the server's defaults, not another
spelling of the same quantity, not what another controller added to a list that it may add to.
"""

from __future__ import annotations

import base64
import binascii
from decimal import Decimal, InvalidOperation

from local.plugins.access import mapping
from local.plugins.differences import same
from local.plugins.values import UNKNOWN, Json, Object

_MERGE_KEYS: dict[str, tuple[str, ...]] = {
    "containers": ("name",),
    "env": ("name",),
    "ephemeralContainers": ("name",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ports": ("name", "port", "containerPort", "protocol"),
    "tolerations": ("key", "operator", "value", "effect"),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
}
"""Lists of built-in kinds to which the cluster itself adds entries, and what tells those apart."""

_QUANTITIES = frozenset(
    [
        "averageValue",
        "capacity",
        "default",
        "defaultRequest",
        "divisor",
        "hard",
        "limits",
        "max",
        "min",
        "overhead",
        "requests",
        "sizeLimit",
    ]
)
"""Keys below which strings and numbers are resource quantities."""

_SUFFIXES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}


def quantity(value: Json) -> Decimal | None:
    """A resource quantity as a number: `500m` -> 0.5; None for what is none."""
    shown = str(value)
    number = shown.rstrip("numkMGTPEi")
    factor = _SUFFIXES.get(shown[len(number) :])
    try:
        return Decimal(number) * factor if factor is not None else None
    except InvalidOperation:
        return None


def in_shape_of(inputs: Object, live: Object, *, built_in: bool) -> Object:
    """The inputs as the live object fulfils them: equal to `inputs` where nothing drifted."""
    seen = dict(live)
    if isinstance(inputs.get("stringData"), dict):
        seen["stringData"] = _decoded(mapping(live, "data"), mapping(inputs, "stringData"))
    shaped = _map(inputs, seen, _Rules(built_in=built_in))
    return {**shaped, **{key: inputs[key] for key in ("apiVersion", "kind") if key in inputs}}


class _Rules:
    def __init__(self, *, built_in: bool, quantities: bool = False) -> None:
        self.built_in = built_in
        self.quantities = quantities

    def below(self, key: str) -> _Rules:
        if self.built_in and not self.quantities and key in _QUANTITIES:
            return _Rules(built_in=True, quantities=True)
        return self


def _map(wanted: Object, live: Object, rules: _Rules) -> Object:
    shaped: Object = {}
    for key, value in wanted.items():
        found = _value(value, live.get(key), rules.below(key), _MERGE_KEYS.get(key, ()))
        if found is not None:
            shaped[key] = found
    return shaped


def _value(wanted: Json, live: Json, rules: _Rules, merge_keys: tuple[str, ...] = ()) -> Json:
    if live is None:
        # The server leaves out what equals its zero: false, 0, "", {} and [].
        return wanted if not wanted else None
    if isinstance(wanted, dict) and isinstance(live, dict):
        return _map(wanted, live, rules)
    if isinstance(wanted, list) and isinstance(live, list):
        if rules.built_in and merge_keys:
            live = _partners(wanted, live, merge_keys)
        return [
            _value(wanted[index], item, rules) if index < len(wanted) else item
            for index, item in enumerate(live)
        ]
    if same(wanted, live) or wanted == UNKNOWN:
        return wanted
    if rules.quantities:
        numbers = quantity(wanted), quantity(live)
        if None not in numbers and numbers[0] == numbers[1]:
            return wanted
    return live


def _partners(wanted: list[Json], live: list[Json], keys: tuple[str, ...]) -> list[Json]:
    """The live entries that belong to the wanted ones, in their order, no others."""
    partners: list[Json] = []
    for item in wanted:
        fixed = {key: item[key] for key in keys if key in item} if isinstance(item, dict) else {}
        if not fixed:
            return live
        match = (
            entry
            for entry in live
            if isinstance(entry, dict)
            and all(entry.get(key) == value for key, value in fixed.items())
        )
        found = next(match, None)
        if found is not None:
            partners.append(found)
    return partners


def _decoded(data: Object, wanted: Object) -> Object:
    """The part of a Secret's `data` that was given as `stringData`."""
    found: Object = {}
    for key in wanted:
        encoded = data.get(key)
        try:
            found[key] = base64.b64decode(encoded).decode() if isinstance(encoded, str) else None
        except (binascii.Error, UnicodeDecodeError):
            found[key] = encoded
    return found
