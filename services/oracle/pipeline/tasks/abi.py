"""The tasks ethabiencode and ethabidecode: arguments of a contract's function, as bytes and back."""

import re
from dataclasses import dataclass
from typing import Self

from chainlink import abi, abi_types
from chainlink.abi_types import AbiError
from meshkit.ethereum.keccak import keccak256
from services.oracle.pipeline import number
from services.oracle.pipeline.attributes import Attributes
from services.oracle.pipeline.errors import TaskError, bad_input
from services.oracle.pipeline.parameters import (
    constant,
    first_input,
    json_text,
    resolve,
    text,
    to_bool,
    to_bytes,
    to_mapping,
    to_text,
    variable,
)
from services.oracle.pipeline.task import Context
from services.oracle.pipeline.values import Value, kind, unwrapped

_SIGNATURE = re.compile(r"\s*([a-zA-Z0-9_]+)?\s*\(\s*([a-zA-Z0-9\[\]_\s,]*)\)")
_LOCATIONS = re.compile(r"calldata|memory|storage")
_MOST_ARGUMENTS = 100
_ADDRESS_LENGTH = 20


@dataclass(frozen=True, slots=True)
class _Argument:
    """Hold one argument: its name, and its type as text and as grammar."""

    name: str
    type: str
    parsed: abi_types.Type


@dataclass(frozen=True, slots=True)
class EthAbiEncodeTask:
    """Encode named values as the arguments of a function; with a function's name its selector comes first."""

    abi: str
    data: str

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        return cls(attributes.text("abi"), attributes.text("data"))

    async def run(self, context: Context) -> Value:
        """Return hex digits behind 0x."""
        context.checked(-1, None)
        sources = (variable(self.data, context.variables), json_text(self.data, context.variables), constant(None))
        values = resolve("data", to_mapping, *sources) or {}
        signature = resolve("abi", to_text, text(self.abi))
        found = _SIGNATURE.match(signature)
        if found is None:
            raise bad_input(f"ETHABIEncode: while parsing ABI string: bad ABI specification: {signature}")
        name, arguments = found[1] or "", _arguments(found[2], "ETHABIEncode")
        given = []
        for argument in arguments:
            if argument.name not in values:
                raise bad_input(f"ETHABIEncode: argument '{argument.name}' is missing")
            value = values[argument.name]
            try:
                given.append(_converted(value, argument.parsed))
            except TaskError as error:
                what = f"argument '{argument.name}' from {kind(value)} to {argument.type}"
                raise bad_input(f"ETHABIEncode: while converting {what}: {error}") from error
        types = [argument.type for argument in arguments]
        try:
            encoded = abi.encode(types, given)
        except AbiError as error:
            raise bad_input(f"ETHABIEncode: could not ABI encode values: {error}") from error
        selector = keccak256(f"{name}({','.join(types)})".encode())[:4] if name else b""
        return f"0x{(selector + encoded).hex()}"


@dataclass(frozen=True, slots=True)
class EthAbiDecodeTask:
    """Decode bytes into named values."""

    abi: str
    data: str

    @classmethod
    def read(cls, attributes: Attributes) -> Self:
        """Take the attributes."""
        return cls(attributes.text("abi"), attributes.text("data"))

    async def run(self, context: Context) -> Value:
        """Return the values by name; addresses are hex digits."""
        context.checked(-1, None)
        data = resolve("data", to_bytes, variable(self.data, context.variables), first_input(context.inputs))
        arguments = _arguments(resolve("abi", to_text, text(self.abi)), "ETHABIDecode")
        if not data and arguments:
            raise TaskError("ETHABIDecode: abi: attempting to unmarshall an empty string while arguments are expected")
        try:
            values = abi.decode([argument.type for argument in arguments], data)
        except AbiError as error:
            raise bad_input(f"ETHABIDecode: {error}") from error
        return {argument.name: _listed(value) for argument, value in zip(arguments, values, strict=True)}


def _arguments(listed: str, task: str) -> list[_Argument]:
    parts = _LOCATIONS.sub("", listed).split(",") if listed.strip() else []
    if len(parts) > _MOST_ARGUMENTS:
        raise bad_input(f"{task}: while parsing ABI string: found {len(parts)} arguments, allowed: {_MOST_ARGUMENTS}")
    found = []
    for part in parts:
        words = part.split()
        if len(words) != 2:
            fault = ("empty argument", "missing argument name")[len(words)] if len(words) < 2 else "too many components"
            raise bad_input(f"{task}: while parsing ABI string: bad ABI specification, {fault}: {listed}")
        # A number without its size has 256 bits.
        type_ = re.sub(r"^(u?int)(?![0-9])", r"\g<1>256", words[0])
        try:
            parsed = abi.parse(type_)
        except AbiError as error:
            raise bad_input(f"{task}: while parsing ABI string: bad ABI specification: {words[0]}") from error
        found.append(_Argument(words[1], type_, parsed))
    return found


def _converted(value: Value, type_: abi_types.Type) -> Value:
    value = unwrapped(value)
    match type_:
        case abi.Array(item=item, length=length) if isinstance(value, list):
            if length is not None and len(value) != length:
                raise bad_input(f"incorrect length: expected {length}, got {len(value)}")
            return [_converted(each, item) for each in value]
        case abi_types.Number():
            return number.truncate(number.to_decimal(value))
        case abi_types.Bool():
            return to_bool(value)
        case abi_types.Text():
            return to_text(value)
        case abi_types.Address():
            return f"0x{_sized(value, _ADDRESS_LENGTH, type_).hex()}"
        case abi_types.Bytes():
            return to_bytes(value)
        case abi_types.FixedBytes(length=size):
            return _sized(value, size, type_)
    raise bad_input(f"cannot convert {kind(value)} to {type_}")


def _sized(value: Value, size: int, type_: abi_types.Type) -> bytes:
    if not isinstance(value, str | bytes):
        raise bad_input(f"cannot convert {kind(value)} to {type_}")
    data = to_bytes(value)
    if len(data) != size:
        raise bad_input(f"incorrect length: expected {size}, got {len(data)}")
    return data


def _listed(value: Value) -> Value:
    return [_listed(item) for item in value] if isinstance(value, tuple) else value
