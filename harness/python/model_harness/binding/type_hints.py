"""Type hints: which JSON values an argument accepts, and how they are converted.

Plain hints (`float`, `str | None`, ...) are compared with the type of the value at almost no cost.
The others are converted: numpy's and pandas' classes here, everything that pydantic supports by
pydantic, the rest (dataclasses, TypedDict, Literal, `list[int]`, dates, ...) by msgspec. A hint
that none of them supports is not checked. None of these packages is imported unless a hint needs
it: code that hints a numpy array has imported numpy.
"""

import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import numpy

# The types that JSON distinguishes. `True` is not a number.
_PLAIN: dict[object, tuple[type, ...]] = {
    float: (float, int),
    int: (int,),
    str: (str,),
    bool: (bool,),
    list: (list,),
    dict: (dict,),
    types.NoneType: (types.NoneType,),
}
JSON_NAMES: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    types.NoneType: "null",
}
Converter = Callable[[object], object]
_MAX_PADDING = 8  # how much larger an array or table may be than the values it is made of


class ConversionError(Exception):
    """Raised for a value that does not match its hint: (path inside the value, message) pairs."""

    def __init__(self, *mistakes: tuple[str, str]) -> None:
        """Create the error. A path is empty, or like `.petal.width[3]`."""
        super().__init__(mistakes)
        self.mistakes = mistakes


class Binding(Enum):
    """How much of a table one argument receives (see table_binding.py)."""

    VALUE = "one value of a row"
    COLUMN = "a whole column"
    FRAME = "the whole table"


@dataclass(frozen=True)
class Hint:
    """The hint of one argument. The default accepts every value unchanged."""

    source: object = inspect.Parameter.empty
    json_types: tuple[type, ...] = ()  # the accepted types; empty: not compared
    convert: Converter | None = None  # raises ConversionError
    binding: Binding = Binding.VALUE
    is_array: bool = False  # of numpy or pandas: `convert` accepts arrays of numpy, too

    @property
    def is_checked(self) -> bool:
        """Whether the hint rejects any value."""
        return bool(self.json_types) or self.convert is not None

    @property
    def expected(self) -> str:
        """Return the accepted JSON types in words."""
        names = [
            JSON_NAMES[json_type]
            for json_type in self.json_types
            if (json_type, float) != (int, self.json_types[0])
        ]
        return " or ".join(names)


ANY = Hint()
UNTYPED = (inspect.Parameter.empty, typing.Any, object)


def parse(source: object) -> Hint:
    """Return the parsed hint."""
    json_types = _json_types(source)
    if json_types:
        binding = Binding.COLUMN if list in json_types else Binding.VALUE
        return Hint(source, json_types, binding=binding)
    for member in _members(source):
        origin = typing.get_origin(member) or member
        array = _ARRAYS.get(f"{_top_package(origin)}.{getattr(origin, '__name__', '')}")
        if array is not None:
            return Hint(source, (), array[0], array[1], is_array=True)
    convert = _structured(source)
    if convert is None:
        return Hint(source)
    is_list = any(typing.get_origin(member) is list for member in _members(source))
    return Hint(source, convert=convert, binding=Binding.COLUMN if is_list else Binding.VALUE)


def _members(source: object) -> tuple[object, ...]:
    """Return the members of a union without None, or the hint itself."""
    if typing.get_origin(source) in {typing.Union, types.UnionType}:
        return tuple(member for member in typing.get_args(source) if member is not types.NoneType)
    return (source,)


def _json_types(source: object) -> tuple[type, ...]:
    if typing.get_origin(source) in {typing.Union, types.UnionType}:
        members = [_json_types(member) for member in typing.get_args(source)]
        return tuple(dict.fromkeys(sum(members, ()))) if all(members) else ()
    return _PLAIN.get(source, ()) if isinstance(source, type) else ()


def _top_package(source: object) -> str:
    return str(getattr(source, "__module__", "")).partition(".")[0]


def _to_array(value: object) -> object:
    numpy = sys.modules["numpy"]
    if isinstance(value, numpy.ndarray):
        return value
    if type(value) is not list:
        raise ConversionError(("", f"must be an array, not {JSON_NAMES[type(value)]}"))
    leaf_types = _leaf_types(value)
    if str in leaf_types and leaf_types - {types.NoneType} != {str}:
        raise ConversionError(("", "must not mix strings with other values"))
    try:
        if leaf_types == {str}:
            return string_array(value)
        array = numpy.array(value)
        if array.dtype == object:  # null among numbers is NaN, as NaN becomes null in a result
            array = array.astype(float)
    except (TypeError, ValueError):
        message = "must be an array of numbers, true and false, or strings, of one shape"
        raise ConversionError(("", message)) from None
    return array


def _leaf_types(value: list[object]) -> set[type]:
    """Return the types of the values in nested lists."""
    leaf_types = set(map(type, value))
    if list in leaf_types:
        leaf_types.discard(list)
        for item in value:
            if type(item) is list:
                leaf_types |= _leaf_types(item)
    return leaf_types


def string_array(value: list[object]) -> "numpy.ndarray":
    """Return an array of nested lists of strings. Raise ValueError for different lengths.

    numpy pads each string to the longest: 4,000 strings, one of 40,000 characters, take 640 MB.
    Where padding would take much more memory than the strings, the array has objects.
    """
    np = sys.modules["numpy"]
    lengths = [len(leaf) for leaf in _leaves(value)]
    padded = len(lengths) * max(lengths, default=0)
    is_wasteful = padded > _MAX_PADDING * (sum(lengths) + len(lengths))
    array: numpy.ndarray = np.array(value, dtype=object if is_wasteful else None)
    if list in set(map(type, array.ravel().tolist())):
        raise ValueError("the lists differ in length")
    return array


def _leaves(value: list[object]) -> Iterator[str]:
    """Yield the strings in nested lists, from left to right."""
    for item in value:
        if isinstance(item, list):
            yield from _leaves(item)
        else:
            yield cast("str", item)


def _to_series(value: object) -> object:
    pandas = sys.modules["pandas"]
    if isinstance(value, pandas.Series):
        return value
    if type(value) in JSON_NAMES and type(value) is not list:
        raise ConversionError(("", f"must be an array, not {JSON_NAMES[type(value)]}"))
    shape: tuple[int, ...] = getattr(value, "shape", ())
    if len(shape) == 2 and shape[1] == 1:  # noqa: PLR2004 - a tensor with one column
        value = value.reshape(-1)  # type: ignore[attr-defined] # numpy.ndarray
    try:
        return pandas.Series(value)  # of a list, or of a tensor's array without a copy
    except ValueError:
        raise ConversionError(("", f"must have one dimension, not shape {shape}")) from None


def _to_frame(value: object) -> object:
    pandas = sys.modules["pandas"]
    if isinstance(value, pandas.DataFrame):
        return value
    if type(value) not in {list, dict}:
        raise ConversionError(("", f"must be rows or columns, not {JSON_NAMES[type(value)]}"))
    if type(value) is list and _is_sparse(value):
        raise ConversionError(("", "has rows with too many different names"))
    try:
        return pandas.DataFrame(value)
    except (TypeError, ValueError) as error:
        raise ConversionError(("", f"is not a table: {error}")) from None


def _is_sparse(rows: list[object]) -> bool:
    """Return whether a table of the rows would be much larger than the rows."""
    names: set[object] = set()
    cells = 0
    for row in rows:
        if type(row) is dict:
            names.update(row)
            cells += len(row)
    return len(rows) * len(names) > _MAX_PADDING * (cells + len(rows) + len(names))


_ARRAYS: dict[str, tuple[Converter, Binding]] = {
    "numpy.ndarray": (_to_array, Binding.COLUMN),
    "numpy.array": (_to_array, Binding.COLUMN),  # a function, but a common slip
    "pandas.Series": (_to_series, Binding.COLUMN),
    "pandas.DataFrame": (_to_frame, Binding.FRAME),
}


def _structured(source: object) -> Converter | None:
    if source in UNTYPED:
        return None
    if is_pydantic_type(source):
        return _pydantic_converter(source)
    if is_msgspec_type(source):
        return _msgspec_converter(source)
    return None


def is_msgspec_type(source: object) -> bool:
    """Return whether msgspec can convert to this hint and describe it."""
    import msgspec  # noqa: PLC0415 - 3 MB that most models do not need

    try:
        msgspec.json.schema_components([source])
    except Exception:  # noqa: BLE001 - msgspec inspects classes of the user, which may raise anything
        return False
    return True


def is_pydantic_type(source: object) -> bool:
    """Return whether the hint, or a field of a class in it, is a pydantic model."""
    if "pydantic" not in sys.modules:
        return False
    model = sys.modules["pydantic"].BaseModel
    pending, visited = [source], set()
    while pending:
        part = pending.pop()
        if isinstance(part, type) and typing.get_origin(part) is None and issubclass(part, model):
            return True
        if id(part) not in visited:
            visited.add(id(part))
            pending += typing.get_args(part)
            pending += getattr(part, "__annotations__", {}).values()
    return False


def _msgspec_converter(source: object) -> Converter:
    import msgspec  # noqa: PLC0415 - see is_msgspec_type

    def convert(value: object) -> object:
        try:
            return msgspec.convert(value, source)
        except msgspec.ValidationError as error:
            message, _, path = str(error).partition(" - at `$")
            message = message[:1].lower() + message[1:]
            raise ConversionError((path.rstrip("`"), message)) from None
        except Exception as error:  # noqa: BLE001 - raised by a __post_init__ of the user
            raise ConversionError(("", f"{type(error).__name__}: {error}")) from None

    return convert


def _pydantic_converter(source: object) -> Converter:
    pydantic = sys.modules["pydantic"]
    adapter = pydantic.TypeAdapter(source)

    def convert(value: object) -> object:
        try:
            converted: object = adapter.validate_python(value)
        except pydantic.ValidationError as error:
            mistakes = [("".join(map(_path_part, e["loc"])), e["msg"]) for e in error.errors()]
            raise ConversionError(*mistakes) from None
        except Exception as error:  # noqa: BLE001 - raised by a validator of the user
            raise ConversionError(("", f"{type(error).__name__}: {error}")) from None
        return converted

    return convert


def _path_part(key: object) -> str:
    return f"[{key}]" if isinstance(key, int) else f".{key}"
