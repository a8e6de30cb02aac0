"""The sections of a stack file as strict, frozen pydantic models: plain values, no Pulumi.

Keys are camelCase in YAML, snake_case here. This module holds the whole file and the models;
routes, versions and the platform have modules of their own.
"""

from pydantic import Field, model_validator

from components.config.base import Section
from components.config.platform_sections import PlatformSpec
from components.config.route_sections import RouteSpec
from components.config.types import BodyBytes, Handler, InFlight, Language, Python, Tokens
from components.config.version_sections import INHERITED, PYTHON_FIELD, REQUIRED, VersionSpec
from components.languages import R
from components.naming import ModelName, RouteName, VersionName, version_number


class LimitsSpec(Section):
    """Limits of one replica, which bound its memory."""

    body_bytes: BodyBytes = Field(
        default=10 * 1024 * 1024,
        description="Longest body of a request, in bytes.",
        examples=[10485760],
    )
    in_flight: InFlight = Field(
        default=64, description="Calls that a replica holds at once; more get 429.", examples=[64]
    )


class ModelSpec(Section):
    """A model: its versions, and the routes that distribute traffic among them."""

    language: Language | None = Field(
        default=None, description="Language of the handlers.", examples=["python"]
    )
    handler: Handler | None = Field(
        default=None,
        description="What answers: <module>:<function>, in R <file>:<function>.",
        examples=["predict:predict"],
    )
    python: Python | None = PYTHON_FIELD
    versions: dict[VersionName, VersionSpec] = Field(
        description="Published versions by name: v1, v2, ...",
        min_length=1,
        examples=[{"v1": {"source": "models/iris/v1"}}],
    )
    routes: dict[RouteName, RouteSpec] = Field(
        default_factory=dict, description="Weighted addresses by name; prod is the main one."
    )
    limits: LimitsSpec = Field(
        default=LimitsSpec(), description="What one replica takes on. May change at any time."
    )
    tokens: Tokens = Field(
        default_factory=list,
        description="Names of secret keys of this stack: callers must show one. None: open.",
        examples=[["irisTokenA"]],
    )

    @model_validator(mode="before")
    @classmethod
    def _inherit(cls, data: object) -> object:
        """Copy inherited keys of the model to its versions."""
        if not isinstance(data, dict) or not isinstance(data.get("versions"), dict):
            return data
        versions = {
            name: {**_inherited(data, version), **version} if isinstance(version, dict) else version
            for name, version in data["versions"].items()
        }
        return {**data, "versions": versions}

    @property
    def latest(self) -> str:
        """Return the version with the highest number."""
        return max(self.versions, key=version_number)


def _inherited(model: dict[object, object], version: dict[object, object]) -> dict[str, object]:
    language = version.get("language", model.get("language"))
    has_python = "image" not in version and language != R.name
    keys = INHERITED if has_python else REQUIRED
    return {key: model[key] for key in keys if model.get(key) is not None}


class StackSpec(Section):
    """A validated stack file."""

    platform: PlatformSpec = Field(description="The parts that exist once per stack.")
    models: dict[ModelName, ModelSpec] = Field(
        description="The models by name.",
        min_length=1,
        examples=[{"iris": {"versions": {"v1": {"source": "models/iris/v1"}}}}],
    )

    @property
    def longest_timeout_seconds(self) -> int:
        """The longest timeout of any version, in seconds; Traefik must wait at least this long."""
        versions = (
            version for model in self.models.values() for version in model.versions.values()
        )
        return max(version.timeout_seconds for version in versions)
