"""The key that sends transactions."""

import json

import pytest

from chainlink.errors import KeyUnreadable
from chainlink.keys.evm import EvmKey
from chainlink.keys.secp256k1 import ORDER


@pytest.mark.parametrize("version", [None, 1, 2, "3", 4])
def test_only_version_3(version: object) -> None:
    """A keystore of another version is refused with what was found."""
    content = EvmKey.generate().export("password", 2) | {"version": version}

    with pytest.raises(KeyUnreadable, match=f"version: found {version!r}, allowed: 3"):
        EvmKey.read(json.dumps(content), "password")


def test_spelling_of_the_address() -> None:
    """The address may stand in any case, with or without its prefix."""
    key = EvmKey.generate()
    for spelling in (key.address, key.address.lower(), key.address[2:], key.address[2:].upper()):
        content = key.export("password", 2) | {"address": spelling}

        assert key == EvmKey.read(json.dumps(content), "password")


@pytest.mark.parametrize("number", [0, ORDER, ORDER + 1, 2**256 - 1])
def test_numbers_outside_the_curve(number: int) -> None:
    """Bytes of the right length that are no private key are refused."""
    with pytest.raises(KeyUnreadable, match="secp256k1"):
        EvmKey.from_plaintext(number.to_bytes(32, "big"))
    assert EvmKey(b"\1" * 32) == EvmKey.from_plaintext(b"\1" * 32)
