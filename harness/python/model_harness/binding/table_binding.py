"""Bind the tables of a request to calls: one rule for every inference protocol with tables.

| required parameters of the function | one call receives | calls |
|---|---|---|
| all hinted as `list`, `numpy.ndarray` or `pandas.Series` | whole columns, by name | one |
| one, hinted as `pandas.DataFrame` | the table | one |
| anything else | one row, its values by name | one per row; the result is a list |

Rows without names (lists or single values) are bound by position; a function with a single column
parameter receives them unchanged, as a matrix. So does a function with a single parameter that
takes rows with names (`list[Message]`, or `Message` for one row) whose names are others. `params`
are arguments that every row shares.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from types import NoneType
from typing import cast

from model_harness.binding import null_cells
from model_harness.binding.conversion import NAN, to_integer
from model_harness.binding.signature import Signature
from model_harness.binding.type_hints import Binding
from model_harness.errors import MAX_ERRORS, RequestError, first_errors, truncate

Arguments = tuple[list[object], dict[str, object]]
NamedValues = dict[str, object]


class Rows:
    """The calls of one request. Arguments are built lazily: a queued row costs no memory."""

    __slots__ = ("_call", "count")

    def __init__(self, count: int, call: Callable[[int], Arguments]) -> None:
        """Create it. `call` returns the checked arguments of one row."""
        self.count = count
        self._call = call

    @property
    def calls(self) -> Iterator[Arguments]:
        """Iterate over the arguments of each row."""
        return map(self._call, range(self.count))


Invocation = Arguments | Rows


def bind_records(rows: list[NamedValues], params: NamedValues, signature: Signature) -> Invocation:
    """Bind rows that are objects."""
    for number, row in enumerate(rows):
        if type(row) is not dict:
            raise RequestError(400, f"row {number} is not an object, as the first one is")
    if signature.binding is Binding.FRAME:
        return _bind_frame(rows, params, signature)
    if rows and _is_other(signature.rows_argument, rows[0], params):
        return bind_whole_columns({cast("str", signature.rows_argument): rows}, params, signature)
    if rows and _is_other(signature.row_argument, rows[0], params):
        rows = [{cast("str", signature.row_argument): row} for row in rows]
    if signature.binding is Binding.COLUMN and rows:
        for number, row in enumerate(rows):
            if row.keys() != rows[0].keys():
                raise RequestError(400, f"row {number} has other names than row 0")
        return bind_columns(
            {name: [row[name] for row in rows] for name in rows[0]}, params, signature
        )
    checked_names: Collection[str] | None = None
    for number, row in enumerate(rows):
        try:
            if row.keys() != checked_names:
                _check_names(row, params, signature)
                checked_names = row.keys()
            signature.check_cells(row)
        except RequestError as error:
            raise _with_row(number, error) from None
    signature.check_values(params)
    if signature.null_cell is not None:
        null_cells.fill_rows(rows, signature.null_cell)
    return Rows(len(rows), lambda number: ([], {**rows[number], **params}))


def bind_columns(
    table: dict[str, list[object]], params: NamedValues, signature: Signature
) -> Invocation:
    """Bind columns by name."""
    lengths = {name: len(values) for name, values in table.items()}
    if len(set(lengths.values())) > 1:
        first = islice(lengths.items(), MAX_ERRORS)
        sizes = ", ".join(f"{truncate(name)} has {length}" for name, length in first)
        raise RequestError(400, f"the columns differ in their number of values: {sizes}"[:1000])
    if signature.binding is Binding.FRAME:
        return _bind_frame(table, params, signature)
    argument = signature.rows_argument or signature.row_argument
    if table and _is_other(argument, table, params):
        names = list(table)
        rows = [
            dict(zip(names, values, strict=True)) for values in zip(*table.values(), strict=True)
        ]
        return bind_records(rows, params, signature)
    if signature.binding is Binding.COLUMN:
        return bind_whole_columns({**table}, params, signature)
    _check_names(table, params, signature)
    signature.check_values(params)
    for name, values in table.items():
        _check_column(name, values, signature)
        if signature.null_cell is not None:
            null_cells.fill_column(values, signature.null_cell)
    items = list(table.items())

    def call(number: int) -> Arguments:
        return [], {**{name: values[number] for name, values in items}, **params}

    return Rows(max(lengths.values(), default=0), call)


def bind_whole_columns(
    values: NamedValues, params: NamedValues, signature: Signature
) -> Invocation:
    """Bind whole columns by name, in one call."""
    parameters = signature.parameters
    for name in values:
        if name in parameters and parameters[name].hint.binding is not Binding.COLUMN:
            message = f"argument {name!r} takes one value, not a column; send it as a parameter"
            raise RequestError(400, message)
    _check_names(values, params, signature)
    signature.check_cells(values)
    signature.check_values(params)
    arguments = {**values, **params}
    return [], arguments


def bind_positional(rows: list[object], params: NamedValues, signature: Signature) -> Invocation:
    """Bind rows that are lists or single values."""
    lists = bool(rows) and type(rows[0]) is list
    for number, row in enumerate(rows):
        if (type(row) is list) is not lists:
            expected = "an array" if lists else "a single value"
            raise RequestError(400, f"row {number} is not {expected}, as the first one is")
    if signature.binding is Binding.FRAME:
        return _bind_frame(rows, params, signature)
    if signature.binding is Binding.COLUMN:
        return _bind_positional_columns(rows, params, signature)
    counts: set[int] = set()
    for number, row in enumerate(rows):
        count = len(row) if type(row) is list else 1
        if count not in counts:
            counts.add(count)
            _check_count(number, count, params, signature)
    for position in range(max(counts, default=0)):
        _check_column_at(position, rows, signature)
    signature.check_values(params)
    values = cast("list[list[object]]", rows)
    if signature.null_cell is not None:
        if lists:
            null_cells.fill_rows(values, signature.null_cell)
        else:
            null_cells.fill_column(rows, signature.null_cell)
    if lists:
        return Rows(len(rows), lambda number: (values[number], params))
    return Rows(len(rows), lambda number: ([rows[number]], params))


def _is_other(argument: str | None, names: Collection[str], params: NamedValues) -> bool:
    """Return whether the names are not the one of the argument that takes whole rows."""
    return argument is not None and argument not in names and argument not in params


def matrix_argument(signature: Signature) -> str | None:
    """Return the name of the column parameter where the function has exactly one."""
    names = _positional_names(signature)
    return names[0] if signature.binding is Binding.COLUMN and len(names) == 1 else None


def _positional_names(signature: Signature) -> list[str]:
    return [name for name in signature.order if name in signature.required] or signature.order


def _bind_positional_columns(
    rows: list[object], params: NamedValues, signature: Signature
) -> Invocation:
    matrix = matrix_argument(signature)
    if matrix is not None:
        return bind_whole_columns({matrix: rows}, params, signature)
    names = _positional_names(signature)
    for number, row in enumerate(rows):
        if type(row) is not list or len(row) != len(names):
            raise RequestError(400, f"row {number} is not an array of {', '.join(names)}")
    lists = cast("list[list[object]]", rows)
    table = {name: [row[position] for row in lists] for position, name in enumerate(names)}
    return bind_columns(table, params, signature)


def _bind_frame(table: object, params: NamedValues, signature: Signature) -> Invocation:
    """Pass the whole table to the DataFrame parameter; the hint converts it."""
    name = next(n for n, p in signature.parameters.items() if p.hint.binding is Binding.FRAME)
    _check_names([name], params, signature)
    arguments = {name: table, **params}
    signature.check_values(arguments)
    return [], arguments


def _check_count(number: int, count: int, params: NamedValues, signature: Signature) -> None:
    try:
        signature.check_count(count, "it", params)
    except RequestError as error:
        raise _with_row(number, error) from None


def _check_column_at(position: int, rows: list[object], signature: Signature) -> None:
    """Check and convert the values at one position of rows without names."""
    if position >= len(signature.order):
        return
    name = signature.order[position]
    lists = cast("list[list[object]]", rows) if type(rows[0]) is list else None
    if lists is None:
        _check_column(name, rows, signature)
    elif signature.parameters[name].hint.is_checked:
        numbers = [number for number, row in enumerate(lists) if len(row) > position]
        values = [lists[number][position] for number in numbers]
        _check_column(name, values, signature, numbers)
        for number, value in zip(numbers, values, strict=True):
            lists[number][position] = value


def _check_names(names: Collection[str], params: NamedValues, signature: Signature) -> None:
    duplicates = [name for name in names if name in params]
    if duplicates:
        sentences = first_errors(
            duplicates, lambda name: f"argument {truncate(name)} is given twice"
        )
        raise RequestError(400, *sentences)
    signature.check_names([*names, *params])


def _check_column(
    name: str, values: list[object], signature: Signature, numbers: Sequence[int] | None = None
) -> None:
    """Check each value of a column and convert it in place.

    `numbers` are the row numbers, where not every row has a value.
    """
    hint = signature.hint_of(name)
    if not hint.is_checked:
        return
    if hint.convert is None:
        types = set(map(type, values))
        if NoneType in types and hint.float_depth == 0:
            values[:] = [NAN if value is None else value for value in values]
            types = set(map(type, values))
        if float in types and int in hint.json_types and float not in hint.json_types:
            values[:] = map(to_integer, values)
            types = set(map(type, values))
        if types <= set(hint.json_types):
            return
    for position, value in enumerate(values):
        argument = {name: value}
        try:
            signature.check_cells(argument)
        except RequestError as error:
            raise _with_row(position if numbers is None else numbers[position], error) from None
        values[position] = argument[name]


def _with_row(number: int, error: RequestError) -> RequestError:
    return RequestError(error.status, *(f"row {number}: {sentence}" for sentence in error.errors))
