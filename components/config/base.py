"""Base class of the sections of a stack file."""

from pydantic import BaseModel, ConfigDict, field_validator
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from components.errors import value_error


class Section(BaseModel):
    """A strict, immutable section: snake_case in Python, camelCase in the stack file."""

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
        """Return the section's keys as they are written in a stack file."""
        return {field.alias or name: field for name, field in cls.model_fields.items()}

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_missing_value(cls, value: object) -> object:
        """Refuse a key without a value: it is a mistake, not a request for the default."""
        if value is None:
            raise value_error("write its value")
        return value
