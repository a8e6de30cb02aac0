"""Convert and describe dataclasses, TypedDict, `list[int]`, dates and more by msgspec."""

from model_harness.binding.conversion import ConversionError, Converter
from model_harness.errors import RequestError


def is_msgspec_type(source: object) -> bool:
    """Return whether msgspec can convert to this hint and describe it."""
    import msgspec  # noqa: PLC0415 - 3 MB that most models do not need

    try:
        msgspec.json.schema_components([source])
    except Exception:  # noqa: BLE001 - msgspec inspects classes of the user, which may raise anything
        return False
    return True


def converter(source: object) -> Converter:
    """Return the converter of a hint."""
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
        except BaseException as error:  # sys.exit() of the user is an error of the function
            raise RequestError(500, f"{type(error).__name__}: {error}") from error

    return convert
