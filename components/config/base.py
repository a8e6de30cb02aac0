"""What all sections of a stack file share."""

from pydantic import BaseModel, ConfigDict, field_validator
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from components.errors import value_error


class Section(BaseModel):
    """A strict, frozen map. Python uses the field names, a stack file the camelCase aliases."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
    )

    @classmethod
    def fields_by_key(cls) -> dict[str, FieldInfo]:
        """The section's keys as a file has them."""
        return {field.alias or name: field for name, field in cls.model_fields.items()}

    @field_validator("*", mode="before")
    @classmethod
    def _written(cls, value: object) -> object:
        """`handler:` with nothing behind it is a slip, not a wish for the default."""
        if value is None:
            raise value_error("write its value")
        return value
