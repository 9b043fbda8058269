"""The readable half of key files, the same rules for every kind of key."""

import json
from typing import Any

import pytest

from chainlink.errors import KeyUnreadable
from chainlink.keys.evm import EvmKey
from chainlink.keys.ocr1 import OcrKeyBundle
from chainlink.keys.p2p import P2pKey

_KINDS: list[Any] = [EvmKey, P2pKey, OcrKeyBundle]
_FIELDS: list[tuple[Any, str]] = [
    (EvmKey, "address"),
    (P2pKey, "peerID"),
    (P2pKey, "publicKey"),
    (OcrKeyBundle, "id"),
    (OcrKeyBundle, "onChainSigningAddress"),
    (OcrKeyBundle, "offChainPublicKey"),
    (OcrKeyBundle, "configPublicKey"),
]


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"text"', '{"keyType":"OCR2"}'])
def test_what_is_no_key_is_refused(kind: Any, text: str) -> None:
    """Text that is no export of the kind is refused, whichever kind."""
    with pytest.raises(KeyUnreadable):
        kind.read(text, "password")


@pytest.mark.parametrize(("kind", "field"), _FIELDS)
def test_public_fields_of_another_key_are_refused(kind: Any, field: str) -> None:
    """A file whose readable half names another key than it holds is refused: people go by the readable half."""
    content, other = kind.generate().export("password", 2), kind.generate().export("password", 2)
    content[field] = other[field]

    with pytest.raises(KeyUnreadable, match=f"{field}: found"):
        kind.read(json.dumps(content), "password")


@pytest.mark.parametrize(("kind", "field"), _FIELDS)
@pytest.mark.parametrize("value", [5, [], {}, "", True])
def test_public_fields_of_another_form_are_refused(kind: Any, field: str, value: object) -> None:
    """A readable half that names nothing that could be a key is refused, too."""
    content = kind.generate().export("password", 2) | {field: value}

    with pytest.raises(KeyUnreadable, match=f"{field}: found"):
        kind.read(json.dumps(content), "password")


@pytest.mark.parametrize(("kind", "field"), [*_FIELDS, (P2pKey, "keyType"), (OcrKeyBundle, "keyType"), (EvmKey, "id")])
def test_public_fields_may_be_left_out(kind: Any, field: str) -> None:
    """What follows from the key need not be said, as nodes and some Ethereum tools hold it."""
    key = kind.generate()
    content = key.export("password", 2)
    del content[field]

    assert key == kind.read(json.dumps(content), "password")


@pytest.mark.parametrize(("kind", "key_type"), [(EvmKey, "EVM"), (P2pKey, "OCR"), (OcrKeyBundle, "P2P")])
def test_another_kind_is_told(kind: Any, key_type: str) -> None:
    """A file that says it is of another kind is refused even if it decrypts."""
    content = kind.generate().export("password", 2) | {"keyType": key_type}

    with pytest.raises(KeyUnreadable, match="keyType: found"):
        kind.read(json.dumps(content), "password")


def test_a_kind_does_not_decrypt_as_another() -> None:
    """The envelope of one kind does not open as another kind under the same password."""
    content = P2pKey.generate().export("password", 2)

    with pytest.raises(KeyUnreadable, match="password is wrong"):
        OcrKeyBundle.read(json.dumps({"crypto": content["crypto"]}), "password")


@pytest.mark.parametrize("kind", _KINDS)
def test_exports_are_read_again(kind: Any) -> None:
    """What is exported is the same key again under its password, and nothing under another."""
    key = kind.generate()
    text = json.dumps(key.export("a password", 2))

    assert key == kind.read(text, "a password")
    with pytest.raises(KeyUnreadable, match="given password"):
        kind.read(text, "another password")


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("plaintext", [b"", b"{}", b"[]", b'{"EcdsaD":0,"Ed25519PrivKey":"","OffChainEncryption":[]}'])
def test_malformed_material(kind: Any, plaintext: bytes) -> None:
    """Plaintexts that are no key material are refused, whatever their envelope says."""
    with pytest.raises(KeyUnreadable):
        kind.from_plaintext(plaintext)


@pytest.mark.parametrize("kind", _KINDS)
def test_keys_are_not_shown(kind: Any) -> None:
    """The representation of a key has none of its secret bytes."""
    key = kind.generate()

    assert key.plaintext.hex()[:16] not in repr(key)
    assert repr(key.plaintext)[2:18] not in repr(key)
