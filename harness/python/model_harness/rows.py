"""Tables in a request, and how they become calls: one binding rule for every dialect with tables.

| the function's arguments (those without a default) | one call gets | calls |
|---|---|---|
| all hinted as `list`, `numpy.ndarray` or `pandas.Series` | whole columns, by name | one |
| one, hinted as `pandas.DataFrame` | the table | one |
| anything else | one row, its values by name | one per row; the results are listed |

Rows without names (lists, or single values) are bound by position; a function with one whole column
gets them as they are, as a matrix. `common` are arguments that are the same in every row.
"""

from collections.abc import Callable, Collection, Iterator
from typing import cast

from model_harness.errors import RefusedError, shown
from model_harness.hints import Holds
from model_harness.signature import Signature

Arguments = tuple[list[object], dict[str, object]]
Named = dict[str, object]


class Rows:
    """Calls of one request, each made when it is asked for: a row costs nothing while it waits."""

    __slots__ = ("_call", "count")

    def __init__(self, count: int, call: Callable[[int], Arguments]) -> None:
        """`call` returns the arguments of one row; they have been checked."""
        self.count = count
        self._call = call

    @property
    def calls(self) -> Iterator[Arguments]:
        """One after the other."""
        return map(self._call, range(self.count))


Invocation = Arguments | Rows


def records(rows: list[Named], common: Named, signature: Signature) -> Invocation:
    """Bind rows that are objects."""
    for number, row in enumerate(rows):
        if type(row) is not dict:
            raise RefusedError(400, f"row {number} is not an object, as the first one is")
    if signature.holds is Holds.FRAME:
        return _frame(rows, common, signature)
    if signature.holds is Holds.COLUMN and rows:
        for number, row in enumerate(rows):
            if row.keys() != rows[0].keys():
                raise RefusedError(400, f"row {number} has other names than row 0")
        return columns({name: [row[name] for row in rows] for name in rows[0]}, common, signature)
    known: Collection[str] | None = None
    for number, row in enumerate(rows):
        try:
            if row.keys() != known:
                _check_names(row, common, signature)
                known = row.keys()
            signature.check_values(row)
        except RefusedError as error:
            raise _in_row(number, error) from None
    signature.check_values(common)
    return Rows(len(rows), lambda number: ([], {**rows[number], **common}))


def columns(table: dict[str, list[object]], common: Named, signature: Signature) -> Invocation:
    """Bind columns, each under its name."""
    lengths = {name: len(values) for name, values in table.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{shown(name)} has {length}" for name, length in lengths.items())
        raise RefusedError(400, f"the columns differ in their number of values: {found}"[:1000])
    if signature.holds is Holds.FRAME:
        return _frame(table, common, signature)
    if signature.holds is Holds.COLUMN:
        return whole({**table}, common, signature)
    _check_names(table, common, signature)
    signature.check_values(common)
    for name, values in table.items():
        _check_column(name, values, signature)
    items = list(table.items())

    def call(number: int) -> Arguments:
        return [], {**{name: values[number] for name, values in items}, **common}

    return Rows(max(lengths.values(), default=0), call)


def whole(values: Named, common: Named, signature: Signature) -> Invocation:
    """Bind values that each are a whole column."""
    parameters = signature.parameters
    for name in values:
        if name in parameters and parameters[name].hint.holds is not Holds.COLUMN:
            message = f"argument {name!r} takes one value, not a column; send it as a parameter"
            raise RefusedError(400, message)
    _check_names(values, common, signature)
    given = {**values, **common}
    signature.check_values(given)
    return [], given


def unnamed(rows: list[object], common: Named, signature: Signature) -> Invocation:
    """Bind rows that are lists, or single values."""
    lists = bool(rows) and type(rows[0]) is list
    for number, row in enumerate(rows):
        if (type(row) is list) is not lists:
            wanted = "an array" if lists else "a single value"
            raise RefusedError(400, f"row {number} is not {wanted}, as the first one is")
    if signature.holds is Holds.FRAME:
        return _frame(rows, common, signature)
    if signature.holds is Holds.COLUMN:
        return _unnamed_columns(rows, common, signature)
    for number, row in enumerate(rows):
        one: list[object] = row if type(row) is list else [row]
        try:
            signature.check_positional(one, "it", common)
        except RefusedError as error:
            raise _in_row(number, error) from None
        rows[number] = one if lists else one[0]
    signature.check_values(common)
    values = cast("list[list[object]]", rows)
    if lists:
        return Rows(len(rows), lambda number: (values[number], common))
    return Rows(len(rows), lambda number: ([rows[number]], common))


def matrix_argument(signature: Signature) -> str | None:
    """Return the one whole column of a function that has just one."""
    names = _by_position(signature)
    return names[0] if signature.holds is Holds.COLUMN and len(names) == 1 else None


def _by_position(signature: Signature) -> list[str]:
    return [name for name in signature.order if name in signature.required] or signature.order


def _unnamed_columns(rows: list[object], common: Named, signature: Signature) -> Invocation:
    matrix = matrix_argument(signature)
    if matrix is not None:
        return whole({matrix: rows}, common, signature)
    names = _by_position(signature)
    for number, row in enumerate(rows):
        if type(row) is not list or len(row) != len(names):
            raise RefusedError(400, f"row {number} is not an array of {', '.join(names)}")
    lists = cast("list[list[object]]", rows)
    table = {name: [row[place] for row in lists] for place, name in enumerate(names)}
    return columns(table, common, signature)


def _frame(table: object, common: Named, signature: Signature) -> Invocation:
    """Give the whole table to the one argument that is hinted so; its hint builds the frame."""
    name = next(n for n, p in signature.parameters.items() if p.hint.holds is Holds.FRAME)
    _check_names([name], common, signature)
    given = {name: table, **common}
    signature.check_values(given)
    return [], given


def _check_names(names: Collection[str], common: Named, signature: Signature) -> None:
    twice = [name for name in names if name in common]
    if twice:
        raise RefusedError(400, *(f"argument {shown(name)} is given twice" for name in twice))
    signature.check_names([*names, *common])


def _check_column(name: str, values: list[object], signature: Signature) -> None:
    """Match each value with its argument's hint; conversions are made in place."""
    if name not in signature.parameters or not signature.parameters[name].hint.checked:
        return
    for number, value in enumerate(values):
        one = {name: value}
        try:
            signature.check_values(one)
        except RefusedError as error:
            raise _in_row(number, error) from None
        values[number] = one[name]


def _in_row(number: int, error: RefusedError) -> RefusedError:
    return RefusedError(error.status, *(f"row {number}: {sentence}" for sentence in error.errors))
