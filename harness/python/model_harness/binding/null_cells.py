"""Replace null in the cells of a table, for a language where a missing value has a type, like R.

The kind of a column is the type of its cells that are not null: `float` for numbers of any type,
`NoneType` for a column of nulls, `object` for cells of several types.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from types import NoneType

NullCell = Callable[[type], object]
"""Returns the value of a null cell by the kind of its column."""


def fill_column(cells: list[object], null_cell: NullCell) -> None:
    """Replace each null in place."""
    if None not in cells:
        return
    kind: type = NoneType
    for cell in cells:
        kind = _join(kind, cell)
    value = null_cell(kind)
    cells[:] = [value if cell is None else cell for cell in cells]


def fill_rows(
    rows: Sequence[dict[str, object]] | Sequence[list[object]], null_cell: NullCell
) -> None:
    """Replace each null in place. Rows may have different columns, by name or by position.

    Only columns with a null are remembered: a request may have a million names.
    """
    kinds: dict[object, type] = {}
    for row in rows:
        if None in _cells(row):
            kinds.update((column, NoneType) for column, cell in _items(row) if cell is None)
    if not kinds:
        return
    for row in rows:
        for column, cell in _items(row):
            if column in kinds:
                kinds[column] = _join(kinds[column], cell)
    for row in rows:
        if isinstance(row, dict):
            row.update((c, null_cell(kinds[c])) for c, cell in [*row.items()] if cell is None)
        else:
            row[:] = [null_cell(kinds[c]) if cell is None else cell for c, cell in enumerate(row)]


def _cells(row: dict[str, object] | list[object]) -> Collection[object]:
    return row.values() if isinstance(row, dict) else row


def _items(row: dict[str, object] | list[object]) -> Iterable[tuple[object, object]]:
    return row.items() if isinstance(row, dict) else enumerate(row)


def _join(kind: type, cell: object) -> type:
    """Return the kind of a column with one more cell."""
    if cell is None:
        return kind
    cell_kind = float if type(cell) is int else type(cell)
    return cell_kind if kind in {NoneType, cell_kind} else object
