"""JSON for programs, as every command with `--json` writes it."""

from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from google.protobuf.message import Message


def print_json(value: object) -> None:
    """Write a line of JSON for programs."""
    print(orjson.dumps(value).decode())


def as_json_values(message: "Message") -> dict[str, object]:
    """Return a message as JSON values under the names of its definition, fields that are not set included."""
    from google.protobuf.json_format import MessageToDict

    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
