"""The key by which a node is known to those who send it jobs."""

import pytest

from chainlink.errors import KeyUnreadable
from chainlink.keys.csa import CsaKey


def test_an_export_is_read_again() -> None:
    """An export says the public key in clear, and gives the key back by its password only."""
    key = CsaKey.generate()
    export = key.export("password", 2)

    assert ("CSA", key.id) == (export["keyType"], export["publicKey"])
    assert key == CsaKey.from_export(export, "password")
    with pytest.raises(KeyUnreadable, match="could not decrypt"):
        CsaKey.from_export(export, "other")
    with pytest.raises(KeyUnreadable, match="publicKey"):
        CsaKey.from_export({**export, "publicKey": "00" * 32}, "password")


def test_halves_of_two_keys() -> None:
    """A public half that is not the seed's is refused, and so are too many bytes."""
    one, other = CsaKey.generate(), CsaKey.generate()
    for plaintext in (one.seed + other.public_key, one.plaintext + b"\0"):
        with pytest.raises(KeyUnreadable, match="ed25519"):
            CsaKey.from_plaintext(plaintext)
