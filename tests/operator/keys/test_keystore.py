import json
from typing import Any

import pytest
from eth_keyfile.keyfile import create_keyfile_json, decode_keyfile_json
from hypothesis import given, settings
from hypothesis import strategies as st

from services.operator.errors import KeyFormatError
from services.operator.keys import keystore
from services.operator.keys.evm import EvmKey
from services.operator.keys.ocr import OcrKeyBundle
from services.operator.keys.p2p import P2pKey


@given(st.binary(max_size=300), st.text(), st.sampled_from([2, 16, 64]))
@settings(deadline=None, max_examples=50)
def test_what_is_encrypted_decrypts(plaintext: bytes, password: str, scrypt_n: int) -> None:
    """Any plaintext comes back under any password, whatever cost the file names."""
    crypto = json.loads(json.dumps(keystore.encrypt(plaintext, password, scrypt_n)))

    assert scrypt_n == crypto["kdfparams"]["n"]
    assert plaintext == keystore.decrypt(crypto, password)


@given(st.sampled_from(["ciphertext", "mac"]), st.data())
@settings(deadline=None, max_examples=30)
def test_any_damage_is_noticed(field: str, data: Any) -> None:
    """A changed byte of ciphertext or mac never gives a plaintext."""
    crypto = keystore.encrypt(b"the plaintext of a key", "password", 2)
    content = bytearray.fromhex(crypto[field])
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    crypto[field] = content.hex()

    with pytest.raises(KeyFormatError, match="password is wrong"):
        keystore.decrypt(crypto, "password")


@pytest.mark.parametrize("kdf", ["scrypt", "pbkdf2"])
def test_ethereum_tools_files_decrypt(kdf: Any) -> None:
    """Files of an Ethereum library decrypt, with either of its key derivations and its own parameters."""
    content = create_keyfile_json(b"\x11" * 32, b"password", kdf=kdf, iterations=16)

    assert b"\x11" * 32 == EvmKey.read(json.dumps(content), "password").private_key


def test_ethereum_tools_read_ours() -> None:
    """An Ethereum library reads our EVM export."""
    key = EvmKey.generate()

    assert key.private_key == decode_keyfile_json(key.export("password", 16), b"password")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("cipher",), "aes-256-gcm", "crypto.cipher"),
        (("kdf",), "argon2", "crypto.kdf"),
        (("mac",), None, "crypto.mac"),
        (("ciphertext",), "zz", "crypto.ciphertext"),
        (("cipherparams",), [], "crypto.cipherparams"),
        (("cipherparams", "iv"), "00", "crypto.cipherparams.iv"),
        (("kdfparams", "n"), 1000, "crypto.kdfparams.n"),
        (("kdfparams", "n"), 1 << 29, "cost more"),
        (("kdfparams", "r"), "8", "crypto.kdfparams.r"),
        (("kdfparams", "dklen"), 8, "crypto.kdfparams.dklen"),
    ],
)
def test_a_bad_envelope_names_its_field(path: tuple[str, ...], value: object, message: str) -> None:
    """A field of another form is named, and costs that would exhaust the machine are refused."""
    crypto: Any = keystore.encrypt(b"plaintext", "password", 2)
    parent = crypto
    for name in path[:-1]:
        parent = parent[name]
    parent[path[-1]] = value

    with pytest.raises(KeyFormatError, match=message):
        keystore.decrypt(crypto, "password")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"keyType":"OCR2"}'])
def test_what_is_no_key_is_refused(text: str) -> None:
    """Text that is no export of the kind is refused, whichever kind."""
    for kind in (EvmKey, P2pKey, OcrKeyBundle):
        with pytest.raises(KeyFormatError):
            kind.read(text, "password")


@pytest.mark.parametrize(
    ("kind", "field"), [(EvmKey, "address"), (P2pKey, "peerID"), (P2pKey, "publicKey"), (OcrKeyBundle, "id")]
)
def test_public_fields_of_another_key_are_refused(kind: Any, field: str) -> None:
    """A file whose readable half names another key than it holds is refused: people go by the readable half."""
    content, other = kind.generate().export("password", 2), kind.generate().export("password", 2)
    content[field] = other[field]

    with pytest.raises(KeyFormatError, match=field):
        kind.read(json.dumps(content), "password")


def test_a_kind_does_not_decrypt_as_another() -> None:
    """The envelope of one kind does not open as another kind under the same password."""
    content = P2pKey.generate().export("password", 2)

    with pytest.raises(KeyFormatError, match="password is wrong"):
        OcrKeyBundle.read(json.dumps({**content, "keyType": "OCR"}), "password")


@given(st.integers(1, 2**255), st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
@settings(deadline=None, max_examples=30)
def test_ocr_bundle_keeps_its_bytes(scalar: int, seed: bytes, config: bytes) -> None:
    """A bundle's plaintext reads back to the same bundle, with the id that its bytes had."""
    bundle = OcrKeyBundle.of(scalar, seed, config)

    assert bundle == OcrKeyBundle.from_plaintext(bundle.plaintext)
    spaced = OcrKeyBundle.from_plaintext(bundle.plaintext.replace(b",", b", "))
    assert bundle.signing_key == spaced.signing_key
    assert bundle.id != spaced.id


def test_ocr_errors_do_not_show_the_plaintext() -> None:
    """An error about a bundle's plaintext does not contain any of it."""
    secret = b'{"EcdsaD":"12345678901234567890"'

    with pytest.raises(KeyFormatError) as caught:
        OcrKeyBundle.from_plaintext(secret)

    assert "12345" not in str(caught.value)
    assert caught.value.__cause__ is None
