"""OCR2 key bundles."""

import base64
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainlink.errors import KeyUnreadable
from chainlink.keys.ocr1 import OracleKeys
from chainlink.keys.ocr2 import Ocr2KeyBundle

VECTOR = Path(__file__).parents[2] / "vectors" / "ocr" / "ocr2_key.json"
_SECRET = st.binary(min_size=32, max_size=32)


def test_a_bundle_of_chainlinks_own() -> None:
    """An export of Chainlink's own program, from its tests, is read; made of the same keys, it is the same bytes."""
    document = json.loads(VECTOR.read_text())
    bundle = Ocr2KeyBundle.read(VECTOR.read_bytes(), "testPassword")

    assert document["id"] == bundle.id
    assert bundle == Ocr2KeyBundle.of(bundle.keys)
    assert {name: document[name] for name in bundle.public()} == bundle.public()
    again = bundle.export("another-password", 2)
    assert document.keys() == again.keys()
    assert bundle == Ocr2KeyBundle.from_export(again, "another-password")


@given(st.integers(1, 2**255), _SECRET, _SECRET)
@settings(max_examples=30)
def test_a_bundle_keeps_its_bytes(scalar: int, offchain: bytes, config: bytes) -> None:
    """A bundle's plaintext reads back to the same bundle; what it says of its id is believed, and without it hashed."""
    bundle = Ocr2KeyBundle.of(OracleKeys(scalar.to_bytes(32, "big"), offchain, config))
    without = Ocr2KeyBundle.from_plaintext(bundle.plaintext.replace(bundle.id.encode(), b"0" * 64))

    assert bundle == Ocr2KeyBundle.from_plaintext(bundle.plaintext)
    assert (bundle.id, bundle.keys) == (without.id, without.keys)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("ChainType", "solana", "ChainType"),
        ("Keyring", base64.b64encode(bytes(32)).decode(), "Keyring"),
        ("Keyring", base64.b64encode(b"\x01" * 31).decode(), "Keyring"),
        ("Keyring", "not base64", "no OCR2 bundle"),
        ("OffchainKeyring", base64.b64encode(bytes(96)).decode(), "OffchainKeyring"),
        ("OffchainKeyring", base64.b64encode(bytes(95)).decode(), "OffchainKeyring"),
        ("OffchainKeyring", 5, "no OCR2 bundle"),
        ("ID", "0" * 63, "ID"),
        ("ID", 7, "ID"),
    ],
)
def test_a_bad_plaintext_names_its_field(field: str, value: object, message: str) -> None:
    """A value that is no key is refused by its field, also the public half of another key."""
    content = json.loads(Ocr2KeyBundle.generate().plaintext) | {field: value}

    with pytest.raises(KeyUnreadable, match=message) as caught:
        Ocr2KeyBundle.from_plaintext(json.dumps(content).encode())
    assert content["Keyring"] not in str(caught.value)


def test_anothers_public_key_is_refused() -> None:
    """A file that says another signer than its key's is no export: a contract would list who cannot sign."""
    document = Ocr2KeyBundle.generate().export("a-password", 2)
    other = Ocr2KeyBundle.generate().public()["onchainPublicKey"]

    with pytest.raises(KeyUnreadable, match="onchainPublicKey"):
        Ocr2KeyBundle.from_export(document | {"onchainPublicKey": other}, "a-password")
