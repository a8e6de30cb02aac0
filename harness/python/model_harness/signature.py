"""The function's signature: checked once at the start, then matched against each request."""

import inspect
import typing
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from model_harness import hints
from model_harness.errors import RefusedError, StartupError, shown
from model_harness.hints import ANY, JSON_NAMES, Hint, Holds, UnfitError


@dataclass(frozen=True)
class Parameter:
    """One named argument."""

    name: str
    required: bool = True
    by_name: bool = False  # cannot be given by position
    default: object = None  # of one that is not required
    hint: Hint = ANY


class Signature:
    """Which arguments a function takes, whatever its language."""

    def __init__(
        self,
        parameters: Sequence[Parameter],
        *,
        takes_rest: bool = False,
        open_ended: bool = False,
        description: str = "",
        returns: Hint = ANY,
    ) -> None:
        """`takes_rest`: any other name, too; `open_ended`: any number of positional values."""
        self.parameters = {p.name: p for p in parameters}
        self.takes_rest = takes_rest
        self.open_ended = open_ended
        self.description = description
        self.returns = returns
        self.order = [p.name for p in parameters if not p.by_name]
        self.names = frozenset(self.parameters)
        self.required = frozenset(p.name for p in parameters if p.required)
        self._required_by_name = [p.name for p in parameters if p.by_name and p.required]
        self._checks = [(p.name, p.hint.kinds) for p in parameters if p.hint.kinds]
        self._conversions = [
            (p.name, p.hint.convert, not p.required and p.default is None)
            for p in parameters
            if p.hint.convert is not None
        ]
        self.holds = _holds(parameters)

    @classmethod
    def of(cls, function: Callable[..., object], label: str) -> "Signature":
        """Read it. Raise StartupError if the contract's named arguments could not arrive."""
        try:
            found = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError) as error:
            message = f"{label} has no signature that can be read ({error}); wrap it in a def"
            raise StartupError(message) from error
        only = [p.name for p in found if p.kind is p.POSITIONAL_ONLY]
        if only:
            raise StartupError(
                f"{label} cannot be called by name: {', '.join(only)} is positional-only; "
                "remove the / from its signature"
            )
        known = _hints(function)
        named = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
        return cls(
            [_parameter(p, known.get(p.name, p.empty)) for p in found if p.kind in named],
            takes_rest=any(p.kind is p.VAR_KEYWORD for p in found),
            open_ended=any(p.kind is p.VAR_POSITIONAL for p in found),
            description=inspect.getdoc(function) or "",
            returns=Hint(known.get("return", inspect.Parameter.empty)),
        )

    def check_named(self, given: dict[str, object]) -> None:
        """Raise RefusedError(400) that names every unknown, missing or wrong argument.

        What hints convert is replaced in `given`.
        """
        if given.keys() != self.names:
            self.check_names(given)
        # As in check_values: one step less for what every plain call goes through.
        for name, kinds in self._checks:
            if name in given and type(given[name]) not in kinds:
                raise RefusedError(400, *self._wrong(given))
        if self._conversions:
            self._convert(given)

    def check_positional(self, given: list[object], what: str = "parameters") -> None:
        """Raise RefusedError(400) where the list does not fit the function's order.

        What hints convert is replaced in `given`.
        """
        bound = dict(zip(self.order, given, strict=False))
        errors = [*self._miscounted(len(given), what, ()), *self._wrong(bound)]
        if errors:
            raise RefusedError(400, *errors)
        if self._conversions:
            self._convert(bound)
            given[: len(bound)] = bound.values()

    def check_count(self, count: int, what: str, named: Collection[str]) -> None:
        """Raise RefusedError(400) where so many values, beside `named` arguments, do not fit."""
        errors = self._miscounted(count, what, named)
        if errors:
            raise RefusedError(400, *errors)

    def check_names(self, given: Collection[str]) -> None:
        """Raise RefusedError(400) for every unknown or missing name."""
        errors = [] if self.takes_rest else self._unknown(given)
        errors += self._missing(name for name in self.required if name not in given)
        if errors:
            raise RefusedError(400, *errors)

    def check_values(self, given: dict[str, object]) -> None:
        """Raise RefusedError(400) for values that their hints do not take; convert the others."""
        for name, kinds in self._checks:
            if name in given and type(given[name]) not in kinds:
                raise RefusedError(400, *self._wrong(given))
        if self._conversions:
            self._convert(given)

    def _convert(self, given: dict[str, object]) -> None:
        errors = []
        for name, convert, nullable in self._conversions:
            if name in given and not (nullable and given[name] is None):
                try:
                    given[name] = convert(given[name])
                except UnfitError as error:
                    errors += [_sentence(name, path, text) for path, text in error.mistakes]
        if errors:
            raise RefusedError(400, *errors)

    def _miscounted(self, count: int, what: str, named: Collection[str]) -> list[str]:
        errors = []
        if count > len(self.order) and not self.open_ended:
            errors.append(f"{what} has {count} values; the function takes {self._list()}")
        bound = self.order[:count]
        errors += [f"argument {name!r} is given twice" for name in bound if name in named]
        errors += [] if self.takes_rest else self._unknown(named)
        errors += self._missing(n for n in self.required if n not in bound and n not in named)
        if any(name not in named for name in self._required_by_name):
            errors.append(f"{what} cannot fill keyword-only arguments; send data instead")
        return errors

    def _unknown(self, given: Iterable[str]) -> list[str]:
        return [
            f"argument {shown(name)} is unknown; the function takes {self._list()}"
            for name in given
            if name not in self.names
        ]

    def _missing(self, names: Iterable[str]) -> list[str]:
        return [f"argument {name!r} is missing" for name in sorted(names)]

    def _wrong(self, given: dict[str, object]) -> list[str]:
        return [
            f"argument {name!r} must be {self.parameters[name].hint.wanted}, "
            f"not {JSON_NAMES[type(given[name])]}"
            for name, kinds in self._checks
            if name in given and type(given[name]) not in kinds
        ]

    def _list(self) -> str:
        named = [*self.order, *sorted(self.names.difference(self.order))]
        return ", ".join(named) if named else "no arguments"


def _sentence(name: str, path: str, text: str) -> str:
    where, text = f"argument {name!r}{path[:200]}", text[:200]  # both may hold what a client sent
    return f"{where} {text}" if text.startswith("must ") else f"{where}: {text}"


def _holds(parameters: Sequence[Parameter]) -> Holds:
    """How much of a table one call takes: what all arguments without a default agree on."""
    wanted = {p.hint.holds for p in parameters if p.required} or {p.hint.holds for p in parameters}
    if wanted == {Holds.FRAME} and sum(p.hint.holds is Holds.FRAME for p in parameters) == 1:
        return Holds.FRAME
    return Holds.COLUMN if wanted == {Holds.COLUMN} else Holds.VALUE


def _parameter(found: inspect.Parameter, source: object) -> Parameter:
    required = found.default is found.empty
    hint = hints.read(source)
    if not required and hint.kinds and type(found.default) not in hint.kinds:
        # `x: float = None` shows that the hint is meant loosely.
        hint = Hint(source, holds=hint.holds)
    return Parameter(
        found.name,
        required=required,
        by_name=found.kind is found.KEYWORD_ONLY,
        default=None if required else found.default,
        hint=hint,
    )


def _hints(function: Callable[..., object]) -> dict[str, object]:
    """Return the hints, or none: one whose name cannot be resolved is documentation to Python."""
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception:  # noqa: BLE001 - evaluating hints runs the user's code: anything may come
        return {}
