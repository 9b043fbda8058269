"""The tasks that write a text or bytes in another form: length, uppercase, lowercase, hex and base64."""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from services.oracle.pipeline import number
from services.oracle.pipeline.attributes import Attributes
from services.oracle.pipeline.errors import TaskError
from services.oracle.pipeline.parameters import first_input, resolve, text, to_bytes, to_text, variable
from services.oracle.pipeline.task import Context
from services.oracle.pipeline.values import Memo, Value

_T = TypeVar("_T")
_HEX = re.compile(r"0[xX]((?:[0-9a-fA-F]{2})*)")


@dataclass(frozen=True, slots=True)
class _EncodingTask:
    """Convert the input."""

    input: str
    convert: Callable[[Value], Value]

    async def run(self, context: Context) -> Value:
        """Return what the input becomes."""
        context.checked()
        sources = (variable(self.input, context.variables), text(self.input), first_input(context.inputs))
        return self.convert(resolve("input", lambda value: value, *sources))


def encoding(convert: Callable[[Value], Value]) -> Callable[[Attributes], _EncodingTask]:
    """Return how a task with this conversion is read."""

    def read(attributes: Attributes) -> _EncodingTask:
        return _EncodingTask(attributes.text("input"), convert)

    return read


def length(value: Value) -> Value:
    """Return the number of bytes."""
    return Decimal(len(_input(to_bytes, value)))


def uppercase(value: Value) -> Value:
    """Return a text in upper case."""
    return _input(to_text, value).upper()


def lowercase(value: Value) -> Value:
    """Return a text in lower case."""
    return _input(to_text, value).lower()


def hex_encode(value: Value) -> Value:
    """Return the hex digits, behind 0x, of a text, of bytes, or of a whole number."""
    said = value.value if isinstance(value, Memo) else value
    if isinstance(said, int | Decimal) and not isinstance(said, bool):
        whole = number.to_decimal(said)
        if whole != int(whole):
            raise TaskError("decimal input")
        if whole < 0:
            raise TaskError("negative integer")
        return f"0x{int(whole):x}"
    data = said.encode("utf-8", "replace") if isinstance(said, str) else _input(to_bytes, value)
    return f"0x{data.hex()}" if data else ""


def hex_decode(value: Value) -> Value:
    """Return the bytes of hex digits behind 0x."""
    digits = _input(to_text, value)
    if digits[:2] not in ("0x", "0X"):
        raise TaskError("hex string must have prefix 0x")
    found = _HEX.fullmatch(digits)
    if not found:
        odd = len(digits) % 2 and all(digit in "0123456789abcdefABCDEF" for digit in digits[2:])
        reason = "odd length hex string" if odd else "invalid byte"
        raise TaskError(f"failed to decode hex string: encoding/hex: {reason}")
    return bytes.fromhex(found[1])


def base64_encode(value: Value) -> Value:
    """Return the Base64 of a text or of bytes."""
    data = value.encode("utf-8", "replace") if isinstance(value, str) else _input(to_bytes, value)
    return base64.b64encode(data).decode()


def base64_decode(value: Value) -> Value:
    """Return the bytes of Base64."""
    try:
        return base64.b64decode(_input(to_text, value).replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError) as error:
        raise TaskError("failed to decode base64 string: illegal base64 data") from error


def _input(convert: Callable[[Value], _T], value: Value) -> _T:
    try:
        return convert(value)
    except TaskError as error:
        raise TaskError(f"input: {error}") from error
