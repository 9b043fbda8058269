"""What all models of the configuration share: camelCase names in JSON, no unknown keys, frozen values."""

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Section(BaseModel):
    """One object of the configuration."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        # Only the JSON spelling is accepted, so that one name serves in files, errors and documentation.
        validate_by_alias=True,
        validate_by_name=False,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )
