"""Type hints: what a JSON value must be for an argument, and what it becomes.

Plain hints (`float`, `str | None`, ...) are compared with the value's type and cost next to
nothing. The others are converted: numpy's and pandas' own here, everything that pydantic knows
by pydantic, the rest (dataclasses, TypedDict, Literal, `list[int]`, dates, ...) by msgspec. A hint
that none of them knows is documentation, as it is to Python. None of these packages is imported
unless a hint needs it: who hints a numpy array has imported numpy.
"""

import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

# What JSON itself tells apart. `True` is no number here.
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


class UnfitError(Exception):
    """A value that its hint does not take: each mistake as (path inside the value, sentence)."""

    def __init__(self, *mistakes: tuple[str, str]) -> None:
        """A path is empty, or like `.petal.width[3]`."""
        super().__init__(mistakes)
        self.mistakes = mistakes


class Holds(Enum):
    """How much of a table an argument takes (rows.py)."""

    VALUE = "one value of a row"
    COLUMN = "a whole column"
    FRAME = "the whole table"


@dataclass(frozen=True)
class Hint:
    """One argument's hint. The default takes everything as it is."""

    source: object = inspect.Parameter.empty
    kinds: tuple[type, ...] = ()  # JSON types that fit; none: not compared
    convert: Converter | None = None  # raises UnfitError
    holds: Holds = Holds.VALUE
    is_array: bool = False  # of numpy or pandas: `convert` takes numpy's arrays, too

    @property
    def checked(self) -> bool:
        """Whether there are values that it does not take."""
        return bool(self.kinds) or self.convert is not None

    @property
    def wanted(self) -> str:
        """The kinds in words."""
        names = [JSON_NAMES[kind] for kind in self.kinds if (kind, float) != (int, self.kinds[0])]
        return " or ".join(names)


ANY = Hint()
NOTHING_SAID = (inspect.Parameter.empty, typing.Any, object)


def read(source: object) -> Hint:
    """Return what a hint means."""
    kinds = _kinds(source)
    if kinds:
        return Hint(source, kinds, holds=Holds.COLUMN if list in kinds else Holds.VALUE)
    for one in _alternatives(source):
        origin = typing.get_origin(one) or one
        found = _ARRAYS.get(f"{_root(origin)}.{getattr(origin, '__name__', '')}")
        if found is not None:
            return Hint(source, (), found[0], found[1], is_array=True)
    convert = _structured(source)
    if convert is None:
        return Hint(source)
    is_list = any(typing.get_origin(one) is list for one in _alternatives(source))
    return Hint(source, convert=convert, holds=Holds.COLUMN if is_list else Holds.VALUE)


def _alternatives(source: object) -> tuple[object, ...]:
    """Return the members of a union but None, or the hint itself."""
    if typing.get_origin(source) in {typing.Union, types.UnionType}:
        return tuple(one for one in typing.get_args(source) if one is not types.NoneType)
    return (source,)


def _kinds(source: object) -> tuple[type, ...]:
    if typing.get_origin(source) in {typing.Union, types.UnionType}:
        each = [_kinds(one) for one in typing.get_args(source)]
        return tuple(dict.fromkeys(sum(each, ()))) if all(each) else ()
    return _PLAIN.get(source, ()) if isinstance(source, type) else ()


def _root(source: object) -> str:
    return str(getattr(source, "__module__", "")).partition(".")[0]


def _to_array(value: object) -> object:
    numpy = sys.modules["numpy"]
    if isinstance(value, numpy.ndarray):
        return value
    if type(value) is not list:
        raise UnfitError(("", f"must be an array, not {JSON_NAMES[type(value)]}"))
    try:
        array = numpy.array(value)
        if array.dtype == object:  # null among numbers is NaN, as NaN becomes null in a result
            array = array.astype(float)
    except (TypeError, ValueError):
        message = "must be an array of numbers, true and false, or strings, of one shape"
        raise UnfitError(("", message)) from None
    if array.dtype.kind == "U" and not all(type(leaf) is str for leaf in leaves(value)):
        raise UnfitError(("", "must not mix strings with other values"))
    return array


def leaves(value: object) -> Iterator[object]:
    """Give what is in nested lists, from left to right."""
    if type(value) is not list:
        yield value
        return
    for one in value:
        yield from leaves(one)


def _to_series(value: object) -> object:
    pandas = sys.modules["pandas"]
    if isinstance(value, pandas.Series):
        return value
    if type(value) in JSON_NAMES and type(value) is not list:
        raise UnfitError(("", f"must be an array, not {JSON_NAMES[type(value)]}"))
    return pandas.Series(value)  # of a list, or without a copy of a tensor's array


def _to_frame(value: object) -> object:
    pandas = sys.modules["pandas"]
    if isinstance(value, pandas.DataFrame):
        return value
    if type(value) not in {list, dict}:
        raise UnfitError(("", f"must be rows or columns, not {JSON_NAMES[type(value)]}"))
    try:
        return pandas.DataFrame(value)
    except (TypeError, ValueError) as error:
        raise UnfitError(("", f"is not a table: {error}")) from None


_ARRAYS: dict[str, tuple[Converter, Holds]] = {
    "numpy.ndarray": (_to_array, Holds.COLUMN),
    "pandas.Series": (_to_series, Holds.COLUMN),
    "pandas.DataFrame": (_to_frame, Holds.FRAME),
}


def _structured(source: object) -> Converter | None:
    if source in NOTHING_SAID:
        return None
    if pydantic_knows(source):
        return _by_pydantic(source)
    if msgspec_knows(source):
        return _by_msgspec(source)
    return None


def msgspec_knows(source: object) -> bool:
    """Whether msgspec can convert to this hint and describe it."""
    import msgspec  # noqa: PLC0415 - 3 MB that most models do not need

    try:
        msgspec.json.schema_components([source])
    except Exception:  # noqa: BLE001 - it looks into the user's classes: anything may come
        return False
    return True


def pydantic_knows(source: object) -> bool:
    """Whether a pydantic model is in this hint, or in a field of a class in it."""
    if "pydantic" not in sys.modules:
        return False
    model = sys.modules["pydantic"].BaseModel
    waiting, seen = [source], set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, type) and typing.get_origin(one) is None and issubclass(one, model):
            return True
        if id(one) not in seen:
            seen.add(id(one))
            waiting += typing.get_args(one)
            waiting += getattr(one, "__annotations__", {}).values()
    return False


def _by_msgspec(source: object) -> Converter:
    import msgspec  # noqa: PLC0415 - see msgspec_knows

    def convert(value: object) -> object:
        try:
            return msgspec.convert(value, source)
        except msgspec.ValidationError as error:
            message, _, path = str(error).partition(" - at `$")
            message = message[:1].lower() + message[1:]
            raise UnfitError((path.rstrip("`"), message)) from None
        except Exception as error:  # noqa: BLE001 - the user's own __post_init__
            raise UnfitError(("", f"{type(error).__name__}: {error}")) from None

    return convert


def _by_pydantic(source: object) -> Converter:
    pydantic = sys.modules["pydantic"]
    adapter = pydantic.TypeAdapter(source)

    def convert(value: object) -> object:
        try:
            converted: object = adapter.validate_python(value)
        except pydantic.ValidationError as error:
            raise UnfitError(
                *(("".join(map(_step, one["loc"])), one["msg"]) for one in error.errors())
            ) from None
        except Exception as error:  # noqa: BLE001 - the user's own validators
            raise UnfitError(("", f"{type(error).__name__}: {error}")) from None
        return converted

    return convert


def _step(one: object) -> str:
    return f"[{one}]" if isinstance(one, int) else f".{one}"
