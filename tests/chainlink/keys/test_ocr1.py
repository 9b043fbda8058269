"""OCR1 key bundles."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainlink.errors import KeyUnreadable
from chainlink.keys.ocr1 import OcrKeyBundle, OracleKeys

_SECRET = st.binary(min_size=32, max_size=32)


@given(st.integers(1, 2**255), _SECRET, _SECRET)
@settings(deadline=None, max_examples=30)
def test_a_bundle_keeps_its_bytes(scalar: int, offchain: bytes, config: bytes) -> None:
    """A bundle's plaintext reads back to the same bundle, with the id that its bytes had."""
    bundle = OcrKeyBundle.of(OracleKeys(scalar.to_bytes(32, "big"), offchain, config))

    assert bundle == OcrKeyBundle.from_plaintext(bundle.plaintext)
    spaced = OcrKeyBundle.from_plaintext(bundle.plaintext.replace(b",", b", "))
    assert bundle.keys == spaced.keys
    assert bundle.id != spaced.id


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("EcdsaD", 0, "EcdsaD"),
        ("EcdsaD", True, "EcdsaD"),
        ("EcdsaD", 1.0, "EcdsaD"),
        ("EcdsaD", 1 << 256, "EcdsaD"),
        ("Ed25519PrivKey", base64.b64encode(bytes(64)).decode(), "Ed25519PrivKey"),
        ("Ed25519PrivKey", base64.b64encode(bytes(32)).decode(), "Ed25519PrivKey"),
        ("Ed25519PrivKey", "not base64", "no OCR1 bundle"),
        ("OffChainEncryption", [0] * 31, "OffChainEncryption"),
        ("OffChainEncryption", 10**12, "OffChainEncryption"),
        ("OffChainEncryption", "0" * 32, "OffChainEncryption"),
        ("OffChainEncryption", [256] * 32, "no OCR1 bundle"),
    ],
)
def test_a_bad_plaintext_names_its_field(field: str, value: object, message: str) -> None:
    """A value that is no key is refused by its field, also the public half of another key."""
    content = json.loads(OcrKeyBundle.generate().plaintext) | {field: value}

    with pytest.raises(KeyUnreadable, match=message):
        OcrKeyBundle.from_plaintext(json.dumps(content).encode())


def test_errors_do_not_show_the_plaintext() -> None:
    """An error about a bundle's plaintext does not contain any of it."""
    secret = b'{"EcdsaD":"12345678901234567890"'

    with pytest.raises(KeyUnreadable) as caught:
        OcrKeyBundle.from_plaintext(secret)

    assert "12345" not in str(caught.value)
    assert caught.value.__cause__ is None
