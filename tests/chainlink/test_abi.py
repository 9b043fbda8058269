"""The ABI's encoding, against the field's common library."""

import re
from typing import Any

import eth_abi.abi
import pytest
from eth_abi.exceptions import DecodingError
from hypothesis import given, settings
from hypothesis import strategies as st

from chainlink import abi
from chainlink.abi_types import AbiError

_BASIC: dict[str, st.SearchStrategy[Any]] = {
    "uint8": st.integers(0, 255),
    "uint256": st.integers(0, 2**256 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "int192": st.integers(-(2**191), 2**191 - 1),
    "bool": st.booleans(),
    "address": st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex()),
    "bytes16": st.binary(min_size=16, max_size=16),
    "bytes32": st.binary(min_size=32, max_size=32),
    "bytes": st.binary(max_size=70),
    "string": st.text(max_size=30),
}
_Typed = tuple[str, st.SearchStrategy[Any]]


def _nested(inner: st.SearchStrategy[_Typed]) -> st.SearchStrategy[_Typed]:
    return st.one_of(
        inner.map(lambda item: (f"{item[0]}[]", st.lists(item[1], max_size=3).map(tuple))),
        inner.map(lambda item: (f"{item[0]}[2]", st.tuples(item[1], item[1]))),
        st.lists(inner, min_size=1, max_size=3).map(_struct),
    )


def _struct(items: list[_Typed]) -> _Typed:
    return f"({','.join(kind for kind, _ in items)})", st.tuples(*(value for _, value in items))


_TYPED = st.recursive(st.sampled_from(list(_BASIC.items())), _nested, max_leaves=4)
_ARGUMENTS = st.lists(_TYPED, max_size=4).flatmap(
    lambda items: st.tuples(st.just([kind for kind, _ in items]), st.tuples(*(value for _, value in items)))
)


@settings(max_examples=60, deadline=None)
@given(_ARGUMENTS)
def test_values_have_the_bytes_that_others_give_them(arguments: tuple[list[str], tuple[Any, ...]]) -> None:
    """Values of any types are encoded as the common library does it, and read again as they were."""
    types, values = arguments
    encoded = abi.encode(types, values)

    assert eth_abi.abi.encode(types, values) == encoded
    assert values == abi.decode(types, encoded)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(
        (("int192", "address", "int192[]", "bytes", "bytes32"), ("string",), ("uint8[]", "bool"), ("(int64,bytes[])",))
    ),
    st.data(),
)
def test_changed_bytes_are_read_as_others_read_them(types: tuple[str, ...], data: st.DataObject) -> None:
    """Of bytes that were cut or changed both libraries read the same, or both refuse them."""
    samples = {"int192[]": (1, -1), "uint8[]": (7, 8), "(int64,bytes[])": (-5, (b"abc", b""))}
    values = [samples[kind] if kind in samples else data.draw(_BASIC[kind]) for kind in types]
    encoded = bytearray(abi.encode(types, values))
    for _ in range(data.draw(st.integers(0, 3))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(
            st.sampled_from((0, 1, 0x20, 0x40, 0x80, 0xFF))
        )
    cut = bytes(encoded[: data.draw(st.integers(len(encoded) - 33, len(encoded)))])
    try:
        theirs: object = eth_abi.abi.decode(types, cut)
    except (DecodingError, ValueError, OverflowError):
        theirs = None
    try:
        ours: object = abi.decode(types, cut)
    except AbiError:
        ours = None

    assert theirs == ours


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uint8", 256),
        ("uint8", -1),
        ("int8", 128),
        ("int8", -129),
        ("uint8", True),
        ("uint8", "1"),
        ("uint8", None),
        ("bool", 1),
        ("address", "0x12"),
        ("address", b"\0" * 19),
        ("bytes2", b"abc"),
        ("bytes2", "ab"),
        ("bytes", "ab"),
        ("string", b"ab"),
        ("string", "\ud800"),
        ("uint8[2]", [1]),
        ("uint8[]", 1),
        ("(uint8,bool)", (1,)),
        ("(uint8,bool)", None),
    ],
)
def test_what_does_not_fit_is_named_by_its_type(kind: str, value: object) -> None:
    """A value of another kind or size is refused, and nothing is taken for what it only resembles."""
    with pytest.raises(AbiError, match=re.escape(kind.removesuffix("[2]").removesuffix("[]"))):
        abi.encode((kind,), (value,))


@pytest.mark.parametrize(
    "text",
    [
        *("", "nothing", "()", "(uint8", "(uint8,)", "uint8 ", "uint8]", "uint8[0]", "uint8[-1]"),
        *("uint7", "uint0", "uint264", "uint08", "bytes33", "bytes0", "fixed128x18"),
        *("uint8" + "[]" * 5000, "(" * 5000 + "uint8" + ")" * 5000),
    ],
)
def test_what_is_no_type(text: str) -> None:
    """A type that the ABI does not have, or that is nested without end, is refused."""
    with pytest.raises(AbiError):
        abi.parse(text)


@pytest.mark.parametrize("text", ["uint8", "int256", "bytes32[2][]", "(address,(bool,string)[3],bytes)[]"])
def test_a_type_is_written_as_it_was_read(text: str) -> None:
    """A type's text is what it was read from."""
    assert text == str(abi.parse(text))


def test_a_list_said_to_be_endless_is_refused_before_it_is_read() -> None:
    """A length beyond the bytes that follow costs nothing."""
    for kind in ("uint8[]", "bytes[]", "string", "bytes", "(uint8,bool)[]"):
        with pytest.raises(AbiError, match="length"):
            abi.decode((kind,), (32).to_bytes(32, "big") + b"\xff" * 32)
