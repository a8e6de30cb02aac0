"""Tables in a request, and how they become calls: one binding rule for every dialect with tables.

| the function's arguments (those without a default) | one call gets | calls |
|---|---|---|
| all hinted as `list`, `numpy.ndarray` or `pandas.Series` | whole columns, by name | one |
| one, hinted as `pandas.DataFrame` | the table | one |
| anything else | one row, its values by name | one per row; the results are listed |

Rows without names (lists, or single values) are bound by position; a function with one whole column
gets them as they are, as a matrix. `common` are arguments that are the same in every row.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import cast

from model_harness.errors import RefusedError, shown
from model_harness.hints import ANY, Holds
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
    counts: set[int] = set()
    for number, row in enumerate(rows):
        count = len(row) if type(row) is list else 1
        if count not in counts:
            counts.add(count)
            _check_count(number, count, common, signature)
    for place in range(max(counts, default=0)):
        _check_place(place, rows, signature)
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


def _check_count(number: int, count: int, common: Named, signature: Signature) -> None:
    try:
        signature.check_count(count, "it", common)
    except RefusedError as error:
        raise _in_row(number, error) from None


def _check_place(place: int, rows: list[object], signature: Signature) -> None:
    """Match the values at one place of rows without names, as those of a column."""
    if place >= len(signature.order):
        return
    name = signature.order[place]
    lists = cast("list[list[object]]", rows) if type(rows[0]) is list else None
    if lists is None:
        _check_column(name, rows, signature)
    elif signature.parameters[name].hint.checked:
        numbers = [number for number, row in enumerate(lists) if len(row) > place]
        values = [lists[number][place] for number in numbers]
        _check_column(name, values, signature, numbers)
        for number, value in zip(numbers, values, strict=True):
            lists[number][place] = value


def _check_names(names: Collection[str], common: Named, signature: Signature) -> None:
    twice = [name for name in names if name in common]
    if twice:
        raise RefusedError(400, *(f"argument {shown(name)} is given twice" for name in twice))
    signature.check_names([*names, *common])


def _check_column(
    name: str, values: list[object], signature: Signature, numbers: Sequence[int] | None = None
) -> None:
    """Match each value with its argument's hint; conversions are made in place.

    `numbers` are the rows' own, where not every row has a value.
    """
    hint = signature.parameters[name].hint if name in signature.parameters else ANY
    if not hint.checked or (hint.convert is None and set(map(type, values)) <= set(hint.kinds)):
        return
    for place, value in enumerate(values):
        one = {name: value}
        try:
            signature.check_values(one)
        except RefusedError as error:
            raise _in_row(place if numbers is None else numbers[place], error) from None
        values[place] = one[name]


def _in_row(number: int, error: RefusedError) -> RefusedError:
    return RefusedError(error.status, *(f"row {number}: {sentence}" for sentence in error.errors))
