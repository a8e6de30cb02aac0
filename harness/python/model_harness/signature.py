"""The function's signature: checked once at the start, then matched against each request."""

import inspect
import typing
from collections.abc import Callable, Iterable

from model_harness.errors import RefusedError, StartupError, shown

# Only these hints are checked: what JSON itself tells apart. `True` is no number here.
_CHECKED: dict[object, tuple[type, ...]] = {
    float: (float, int),
    int: (int,),
    str: (str,),
    bool: (bool,),
    list: (list,),
    dict: (dict,),
}
_JSON_NAMES = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    type(None): "null",
}


class Signature:
    """Which arguments a function takes. Refuses functions that cannot be called by name."""

    def __init__(self, function: Callable[..., object], label: str) -> None:
        """Raise StartupError if the contract's named arguments could not reach the function."""
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError) as error:
            message = f"{label} has no signature that can be read ({error}); wrap it in a def"
            raise StartupError(message) from error
        only = [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY]
        if only:
            raise StartupError(
                f"{label} cannot be called by name: {', '.join(only)} is positional-only; "
                "remove the / from its signature"
            )
        ordered = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        by_name = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
        self.open_ended = any(p.kind is p.VAR_POSITIONAL for p in parameters)
        self.takes_rest = any(p.kind is p.VAR_KEYWORD for p in parameters)
        self.order = [p.name for p in ordered]
        self.names = frozenset(p.name for p in ordered + by_name)
        self.required = frozenset(p.name for p in ordered + by_name if p.default is p.empty)
        self._required_by_name = [p.name for p in by_name if p.default is p.empty]
        self._checks = _checks(function, self.names, parameters)

    def check_named(self, given: dict[str, object]) -> None:
        """Raise RefusedError(400) that names every unknown, missing or wrong argument."""
        if given.keys() != self.names:
            errors = [] if self.takes_rest else self._unknown(given)
            errors += self._missing(name for name in self.required if name not in given)
            if errors:
                raise RefusedError(400, *errors)
        for name, kinds, _ in self._checks:
            if name in given and type(given[name]) not in kinds:
                raise RefusedError(400, *self._wrong(given))

    def check_positional(self, given: list[object]) -> None:
        """Raise RefusedError(400) where the list does not fit the function's order."""
        errors = []
        if len(given) > len(self.order) and not self.open_ended:
            errors.append(f"parameters has {len(given)} values; the function takes {self._list()}")
        bound = dict(zip(self.order, given, strict=False))
        errors += self._missing(name for name in self.required if name not in bound)
        if self._required_by_name:
            errors.append("parameters cannot fill keyword-only arguments; send data instead")
        errors += self._wrong(bound)
        if errors:
            raise RefusedError(400, *errors)

    def _unknown(self, given: dict[str, object]) -> list[str]:
        return [
            f"argument {shown(name)} is unknown; the function takes {self._list()}"
            for name in given
            if name not in self.names
        ]

    def _missing(self, names: Iterable[str]) -> list[str]:
        return [f"argument {name!r} is missing" for name in sorted(names)]

    def _wrong(self, given: dict[str, object]) -> list[str]:
        return [
            f"argument {name!r} must be {wanted}, not {_JSON_NAMES[type(given[name])]}"
            for name, kinds, wanted in self._checks
            if name in given and type(given[name]) not in kinds
        ]

    def _list(self) -> str:
        named = [*self.order, *sorted(self.names.difference(self.order))]
        return ", ".join(named) if named else "no arguments"


def _checks(
    function: Callable[..., object],
    names: frozenset[str],
    parameters: list[inspect.Parameter],
) -> list[tuple[str, tuple[type, ...], str]]:
    """Return (argument, types of JSON values that fit, what to say) for each plain hint.

    A hint whose name cannot be resolved is documentation, as it is to Python. A default that is
    not of the hinted type (`x: float = None`) shows that the hint is meant loosely.
    """
    try:
        hints = typing.get_type_hints(function)
    except Exception:  # noqa: BLE001 - evaluating hints runs the user's code: anything may come
        return []
    defaults = {p.name: p.default for p in parameters if p.default is not p.empty}
    return [
        (name, _CHECKED[hint], _JSON_NAMES[hint])
        for name, hint in hints.items()
        if name in names
        and isinstance(hint, type)
        and hint in _CHECKED
        and (name not in defaults or type(defaults[name]) in _CHECKED[hint])
    ]
