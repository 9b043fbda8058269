"""Private keys and their addresses."""

import pytest

from chainlink.keys.secp256k1 import ORDER, address_of, is_private_key, random_private_key


def test_address_of_known_keys() -> None:
    """Keys have the addresses that Ethereum tools give them."""
    assert "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf" == address_of((1).to_bytes(32, "big"))
    assert "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266" == address_of(
        bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
    )


def test_new_keys_are_keys() -> None:
    """A new key is a private key, and another each time."""
    made = {random_private_key() for _ in range(20)}

    assert 20 == len(made)
    assert all(map(is_private_key, made))


@pytest.mark.parametrize("value", [b"", bytes(32), bytes(31), b"\1" * 33, ORDER.to_bytes(32, "big"), b"\xff" * 32])
def test_what_is_no_private_key(value: bytes) -> None:
    """Zero, numbers from the order on, and other lengths are none."""
    assert not is_private_key(value)


def test_the_largest_key() -> None:
    """The number before the order is the last private key."""
    assert is_private_key((ORDER - 1).to_bytes(32, "big"))
