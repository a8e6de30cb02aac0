"""The signature of the function: checked once at the start, then matched with each request."""

import inspect
import sys
import typing
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from model_harness.binding import pydantic_hints, type_hints
from model_harness.binding.conversion import (
    JSON_NAMES,
    NAN,
    ConversionError,
    UnsupportedClassError,
    UnsupportedHintError,
    nan_for_null,
    to_integer,
)
from model_harness.binding.null_cells import NullCell
from model_harness.binding.type_hints import ANY, Binding, Hint
from model_harness.errors import RequestError, StartupError, first_errors, truncate


@dataclass(frozen=True)
class Parameter:
    """One named parameter of the function."""

    name: str
    required: bool = True
    keyword_only: bool = False  # cannot be passed by position
    default: object = None  # of a parameter that is not required
    field: object = None  # pydantic's Field(..), which is the default in Python
    hint: Hint = ANY


class Signature:
    """The arguments that a function accepts, in any language."""

    def __init__(
        self,
        parameters: Sequence[Parameter],
        *,
        accepts_extra: bool = False,
        extra: Hint = ANY,
        accepts_varargs: bool = False,
        description: str = "",
        returns: Hint = ANY,
        warnings: Sequence[str] = (),
        null_cell: NullCell | None = None,
    ) -> None:
        """Create it. `accepts_extra` is `**kwargs`, `accepts_varargs` is `*args`.

        `extra` is the hint of each value of `**kwargs`. `null_cell` replaces null in the rows of
        tables, where the language has a value for that. `warnings` are sentences about hints that
        are not checked.
        """
        self.parameters = {p.name: p for p in parameters}
        self.accepts_extra = accepts_extra
        self._extra = extra if extra.is_checked else None
        self.accepts_varargs = accepts_varargs
        self.description = description
        self.returns = returns
        self.warnings = warnings
        self.null_cell = null_cell
        self.order = [p.name for p in parameters if not p.keyword_only]
        self.names = frozenset(self.parameters)
        self.required = frozenset(p.name for p in parameters if p.required)
        self._required_keyword_only = [p.name for p in parameters if p.keyword_only and p.required]
        self._checks = [(p.name, p.hint.json_types) for p in parameters if p.hint.json_types]
        self._conversions = [
            (p.name, p.hint.convert, not p.required and p.default is None)
            for p in parameters
            if p.hint.convert is not None
        ]
        floats = [p for p in parameters if p.hint.float_depth is not None]
        self._plain_floats = [(p.name, 0) for p in floats if p.hint.json_types]
        self._converted_floats = [
            (p.name, p.hint.float_depth or 0) for p in floats if p.hint.convert is not None
        ]
        self._has_special_cells = bool(self._converted_floats) or self._extra is not None
        self.binding = _binding_of(parameters)
        self.row_argument, self.rows_argument = _row_arguments(parameters, self.binding)

    @classmethod
    def of(cls, function: Callable[..., object], label: str) -> "Signature":
        """Inspect a function. Raise StartupError if it cannot be called with named arguments."""
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError) as error:
            message = f"{label} has no readable signature ({error}); wrap it in a def"
            raise StartupError(message) from error
        positional_only = [p.name for p in parameters if p.kind is p.POSITIONAL_ONLY]
        if positional_only:
            raise StartupError(
                f"{label} cannot be called by name: {', '.join(positional_only)} is positional-only"
                "; remove the / from its signature"
            )
        hints, warnings = _resolve_hints(function)
        named = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
        extra = [p.name for p in parameters if p.kind is p.VAR_KEYWORD]
        return cls(
            [
                _parameter(p, hints.get(p.name, p.empty), label)
                for p in parameters
                if p.kind in named
            ],
            accepts_extra=bool(extra),
            extra=_parse_hint(extra[0], hints.get(extra[0], ANY.source), label) if extra else ANY,
            accepts_varargs=any(p.kind is p.VAR_POSITIONAL for p in parameters),
            description=inspect.getdoc(function) or "",
            returns=Hint(hints.get("return", inspect.Parameter.empty)),
            warnings=warnings,
        )

    def with_field_defaults(self, function: Callable[..., object]) -> Callable[..., object]:
        """Return the function with the real defaults in place of `Field(..)`.

        Python passes the `Field(..)` itself.
        """
        fields = [
            (p.name, self.order.index(p.name) if p.name in self.order else sys.maxsize, p.field)
            for p in self.parameters.values()
            if p.field is not None and not p.required
        ]
        if not fields:
            return function

        def call(*positional: object, **named: object) -> object:
            for name, position, field in fields:
                if position >= len(positional) and name not in named:
                    named[name] = field.get_default(call_default_factory=True)  # type: ignore[attr-defined] # pydantic's
            return function(*positional, **named)

        return call

    def check_named(self, arguments: dict[str, object]) -> None:
        """Check arguments by name and convert them in place.

        Raise RequestError(400) that names every unknown, missing or wrong argument.
        """
        if arguments.keys() != self.names:
            self.check_names(arguments)
            if self._extra is not None:
                self._check_extra(arguments, self._extra)
        # Inlined check_values: every plain call takes this path.
        for name, json_types in self._checks:
            if name in arguments and type(arguments[name]) not in json_types:
                self._check_types(arguments)
                break
        if self._conversions:
            self._convert(arguments)

    def check_positional(self, arguments: list[object], subject: str = "parameters") -> None:
        """Check arguments by position and convert them in place.

        Raise RequestError(400) that names every missing, surplus or wrong argument.
        """
        bound = dict(zip(self.order, arguments, strict=False))
        errors = [*self._count_errors(len(arguments), subject, ()), *self._type_errors(bound)]
        if errors:
            self._adapt(bound)
            errors = [*self._count_errors(len(arguments), subject, ()), *self._type_errors(bound)]
            if errors:
                raise RequestError(400, *errors)
            arguments[: len(bound)] = bound.values()
        if self._conversions:
            self._convert(bound)
            arguments[: len(bound)] = bound.values()

    def check_count(self, count: int, subject: str, named: Collection[str]) -> None:
        """Raise RequestError(400) unless `count` positional values and `named` make a call."""
        errors = self._count_errors(count, subject, named)
        if errors:
            raise RequestError(400, *errors)

    def check_names(self, arguments: Collection[str]) -> None:
        """Raise RequestError(400) for every unknown or missing name."""
        errors = [] if self.accepts_extra else self._unknown_errors(arguments)
        errors += self._missing_errors(name for name in self.required if name not in arguments)
        if errors:
            raise RequestError(400, *errors)

    def check_cells(self, cells: dict[str, object]) -> None:
        """Check values of a table, like check_values; for a float, null is NaN."""
        if self._has_special_cells:
            self._check_special_cells(cells)
        # Inlined check_values: every row takes this path.
        for name, json_types in self._checks:
            if name in cells and type(cells[name]) not in json_types:
                self._fill_nulls(cells, self._plain_floats)
                self._check_types(cells)
                break
        if self._conversions:
            self._convert(cells)

    def _check_special_cells(self, cells: dict[str, object]) -> None:
        self._fill_nulls(cells, self._converted_floats)
        if self._extra is not None:
            if self._extra.float_depth == 0:
                cells |= {n: NAN for n, v in cells.items() if v is None and n not in self.names}
            self._check_extra(cells, self._extra)

    @staticmethod
    def _fill_nulls(cells: dict[str, object], floats: list[tuple[str, int]]) -> None:
        for name, depth in floats:
            if name in cells:
                cells[name] = nan_for_null(cells[name], depth)

    def check_values(self, arguments: dict[str, object]) -> None:
        """Check values and convert them in place. Raise RequestError(400)."""
        if self._extra is not None:
            self._check_extra(arguments, self._extra)
        for name, json_types in self._checks:
            if name in arguments and type(arguments[name]) not in json_types:
                self._check_types(arguments)
                break
        if self._conversions:
            self._convert(arguments)

    def _check_types(self, arguments: dict[str, object]) -> None:
        """Turn 1.0 into 1 for an `int`, in place. Raise RequestError(400) for other mistakes."""
        self._adapt(arguments)
        errors = self._type_errors(arguments)
        if errors:
            raise RequestError(400, *errors)

    def _adapt(self, arguments: dict[str, object]) -> None:
        for name, json_types in self._checks:
            if name in arguments and type(arguments[name]) not in json_types:
                value = to_integer(arguments[name])
                if type(value) in json_types:
                    arguments[name] = value

    def hint_of(self, name: str) -> Hint:
        """Return the hint of an argument, which may be one of `**kwargs`."""
        parameter = self.parameters.get(name)
        return parameter.hint if parameter is not None else self._extra or ANY

    def _check_extra(self, arguments: dict[str, object], hint: Hint) -> None:
        """Check the values of `**kwargs` and convert them in place."""
        names = [name for name in arguments if name not in self.names]
        if names:
            extra = {name: arguments[name] for name in names}
            Signature([Parameter(name, hint=hint) for name in names]).check_values(extra)
            arguments |= extra

    def _convert(self, arguments: dict[str, object]) -> None:
        errors = []
        for name, convert, nullable in self._conversions:
            if name in arguments and not (nullable and arguments[name] is None):
                try:
                    arguments[name] = convert(arguments[name])
                except ConversionError as error:
                    errors += [_sentence(name, path, text) for path, text in error.mistakes]
        if errors:
            raise RequestError(400, *errors)

    def _count_errors(self, count: int, subject: str, named: Collection[str]) -> list[str]:
        errors = []
        if count > len(self.order) and not self.accepts_varargs:
            errors.append(
                f"{subject} has {count} values; the function takes {self._parameter_list()}"
            )
        bound = self.order[:count]
        errors += [f"argument {name!r} is given twice" for name in bound if name in named]
        errors += [] if self.accepts_extra else self._unknown_errors(named)
        errors += self._missing_errors(
            n for n in self.required if n not in bound and n not in named
        )
        if any(name not in named for name in self._required_keyword_only):
            errors.append(f"{subject} cannot fill keyword-only arguments; send data instead")
        return errors

    def _unknown_errors(self, arguments: Iterable[str]) -> list[str]:
        unknown = [name for name in arguments if name not in self.names]
        if not unknown:
            return []
        usage = f"is unknown; the function takes {self._parameter_list()}"
        return first_errors(unknown, lambda name: f"argument {truncate(name)} {usage}")

    def _missing_errors(self, names: Iterable[str]) -> list[str]:
        return [f"argument {name!r} is missing" for name in sorted(names)]

    def _type_errors(self, arguments: dict[str, object]) -> list[str]:
        return [
            f"argument {name!r} must be {self.parameters[name].hint.expected}, "
            f"not {JSON_NAMES[type(arguments[name])]}"
            for name, json_types in self._checks
            if name in arguments and type(arguments[name]) not in json_types
        ]

    def _parameter_list(self) -> str:
        named = [*self.order, *sorted(self.names.difference(self.order))]
        return ", ".join(named) if named else "no arguments"


def _sentence(name: str, path: str, text: str) -> str:
    where, text = f"argument {name!r}{path[:200]}", text[:200]  # both may echo the request
    return f"{where} {text}" if text.startswith("must ") else f"{where}: {text}"


def _binding_of(parameters: Sequence[Parameter]) -> Binding:
    """Return how much of a table one call receives: the binding of all required parameters."""
    bindings = {p.hint.binding for p in parameters if p.required} or {
        p.hint.binding for p in parameters
    }
    if (
        bindings == {Binding.FRAME}
        and sum(p.hint.binding is Binding.FRAME for p in parameters) == 1
    ):
        return Binding.FRAME
    return Binding.COLUMN if bindings == {Binding.COLUMN} else Binding.VALUE


def _row_arguments(
    parameters: Sequence[Parameter], binding: Binding
) -> tuple[str | None, str | None]:
    """Return the single argument that takes a whole row with names, or a list of such rows."""
    single = [p for p in parameters if p.required] or list(parameters)
    if len(single) != 1:
        return None, None
    name, hint = single[0].name, single[0].hint
    if binding is Binding.VALUE:
        return name if hint.takes_object else None, None
    return None, name if hint.takes_rows else None


def _parse_hint(name: str, source: object, label: str, *, required: bool = True) -> Hint:
    try:
        return type_hints.parse(source)
    except UnsupportedClassError as error:
        if not required:  # an object that the code makes for itself
            return type_hints.refused(source, str(error))
        raise StartupError(f"{label}: argument {name!r}: {error}") from error
    except UnsupportedHintError as error:
        raise StartupError(f"{label}: argument {name!r}: {error}") from error


def _parameter(parameter: inspect.Parameter, source: object, label: str) -> Parameter:
    if pydantic_hints.is_field(parameter.default):
        return _field_parameter(parameter, source, label)
    required = parameter.default is parameter.empty
    hint = _parse_hint(parameter.name, source, label, required=required)
    if not required and hint.json_types and not _has_type(parameter.default, hint.json_types):
        # `x: float = None`: the hint is not meant strictly.
        hint = Hint(source, binding=hint.binding)
    return Parameter(
        parameter.name,
        required=required,
        keyword_only=parameter.kind is parameter.KEYWORD_ONLY,
        default=None if required else parameter.default,
        hint=hint,
    )


def _field_parameter(parameter: inspect.Parameter, source: object, label: str) -> Parameter:
    """Return a parameter whose default is pydantic's `Field(gt=0)`, as in FastAPI."""
    field = parameter.default
    limited = typing.Annotated[Any if source in type_hints.UNTYPED else source, field]  # type: ignore[valid-type] # evaluated at run time
    required = field.is_required()
    return Parameter(
        parameter.name,
        required=required,
        keyword_only=parameter.kind is parameter.KEYWORD_ONLY,
        default=None if required else field.get_default(call_default_factory=True),
        hint=_parse_hint(parameter.name, limited, label),
        field=field,
    )


def _has_type(default: object, json_types: tuple[type, ...]) -> bool:
    """Return whether a default is one of these types, of a subclass, or numpy's of the same."""
    if type(default).__module__ == "numpy" and hasattr(default, "item"):
        default = default.item()
    if isinstance(default, bool):  # a subclass of int
        return bool in json_types
    return isinstance(default, json_types)


def _resolve_hints(function: Callable[..., object]) -> tuple[dict[str, object], list[str]]:
    """Return the hints, and a sentence for each that cannot be resolved and is not checked."""
    with suppress(Exception):  # evaluating hints runs code of the user, which may raise anything
        return typing.get_type_hints(function, include_extras=True), []
    inner = inspect.unwrap(function)
    namespace = getattr(inner, "__globals__", {})
    hints: dict[str, object] = {}
    warnings = []
    for name, annotation in getattr(inner, "__annotations__", {}).items():
        single = type("Single", (), {"__annotations__": {name: annotation}})
        try:
            hints |= typing.get_type_hints(single, namespace, include_extras=True)
        except Exception as error:  # noqa: BLE001 - see above
            warnings.append(f"{name!r} is not checked: hint {annotation!r}: {error}")
    return hints, warnings
