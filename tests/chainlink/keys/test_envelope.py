"""The encrypted envelope of key files."""

import json
from typing import Any

import pytest
from eth_keyfile.keyfile import create_keyfile_json, decode_keyfile_json
from hypothesis import given, settings
from hypothesis import strategies as st

from chainlink.errors import KeyUnreadable
from chainlink.keys import envelope
from chainlink.keys.envelope import STANDARD_SCRYPT_N, scrypt_cost
from chainlink.keys.evm import EvmKey


@given(st.binary(max_size=300), st.text(), st.sampled_from([2, 16, 64]))
@settings(deadline=None, max_examples=50)
def test_what_is_encrypted_decrypts(plaintext: bytes, password: str, scrypt_n: int) -> None:
    """Any plaintext comes back under any password, whatever cost the file names."""
    crypto = json.loads(json.dumps(envelope.encrypt(plaintext, password, scrypt_n)))

    assert scrypt_n == crypto["kdfparams"]["n"]
    assert plaintext == envelope.decrypt(crypto, password)


@given(st.sampled_from(["ciphertext", "mac"]), st.data())
@settings(deadline=None, max_examples=30)
def test_any_damage_is_noticed(field: str, data: Any) -> None:
    """A changed byte of ciphertext or mac never gives a plaintext."""
    crypto = envelope.encrypt(b"the plaintext of a key", "password", 2)
    content = bytearray.fromhex(crypto[field])
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    crypto[field] = content.hex()

    with pytest.raises(KeyUnreadable, match="given password"):
        envelope.decrypt(crypto, "password")


@pytest.mark.parametrize("kdf", ["scrypt", "pbkdf2"])
def test_ethereum_tools_files_decrypt(kdf: Any) -> None:
    """Files of an Ethereum library decrypt, with either of its key derivations and its own parameters."""
    content = create_keyfile_json(b"\x11" * 32, b"password", kdf=kdf, iterations=16)

    assert b"\x11" * 32 == EvmKey.read(json.dumps(content), "password").private_key


def test_ethereum_tools_read_ours() -> None:
    """An Ethereum library reads our EVM export."""
    key = EvmKey.generate()

    assert key.private_key == decode_keyfile_json(key.export("password", 16), b"password")


@pytest.mark.parametrize("length", [32, 33, 64])
def test_a_longer_derived_key_is_taken(length: int) -> None:
    """A derived key may be longer than the 32 bytes that are used of it, as go-ethereum bears it too."""
    crypto = envelope.encrypt(b"plaintext", "password", 2)
    crypto["kdfparams"]["dklen"] = length

    assert b"plaintext" == envelope.decrypt(crypto, "password")


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("cipher",), "aes-256-gcm", "crypto.cipher"),
        (("kdf",), "argon2", "crypto.kdf"),
        (("kdf",), ["scrypt"], "crypto.kdf"),
        (("mac",), None, "crypto.mac"),
        (("mac",), "00" * 32, "given password"),
        (("ciphertext",), "zz", "crypto.ciphertext"),
        (("cipherparams",), [], "crypto.cipherparams"),
        (("cipherparams",), {}, "crypto.cipherparams.iv"),
        (("cipherparams", "iv"), "00", "crypto.cipherparams.iv"),
        (("kdfparams",), None, "crypto.kdfparams"),
        (("kdfparams", "salt"), 5, "crypto.kdfparams.salt"),
        (("kdfparams", "n"), 1000, "crypto.kdfparams.n"),
        (("kdfparams", "n"), 1, "crypto.kdfparams.n"),
        (("kdfparams", "n"), True, "crypto.kdfparams.n"),
        (("kdfparams", "n"), 1 << 29, "cost more"),
        (("kdfparams", "r"), "8", "crypto.kdfparams.r"),
        (("kdfparams", "p"), 17, "cost more"),
        (("kdfparams", "dklen"), 8, "crypto.kdfparams.dklen"),
        (("kdfparams", "dklen"), 1 << 40, "crypto.kdfparams.dklen"),
    ],
)
def test_a_bad_envelope_names_its_field(path: tuple[str, ...], value: object, message: str) -> None:
    """A field of another form is named, and costs that would exhaust the machine are refused."""
    crypto: Any = envelope.encrypt(b"plaintext", "password", 2)
    parent = crypto
    for name in path[:-1]:
        parent = parent[name]
    parent[path[-1]] = value

    with pytest.raises(KeyUnreadable, match=message):
        envelope.decrypt(crypto, "password")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prf": "hmac-sha512"}, "crypto.kdfparams.prf"),
        ({"c": 0}, "crypto.kdfparams.c"),
        ({"c": 1 << 40}, "crypto.kdfparams.c"),
    ],
)
def test_bad_rounds(changes: dict[str, object], message: str) -> None:
    """Of the other derivation, too, a file may ask only for what is known and can be borne."""
    content: Any = create_keyfile_json(b"\x11" * 32, b"password", kdf="pbkdf2", iterations=16)
    content["crypto"]["kdfparams"] |= changes

    with pytest.raises(KeyUnreadable, match=message):
        envelope.decrypt(content["crypto"], "password")


@pytest.mark.parametrize("crypto", [None, "text", [], {}])
def test_what_is_no_envelope(crypto: object) -> None:
    """What is no `crypto` object at all is refused."""
    with pytest.raises(KeyUnreadable, match="crypto"):
        envelope.decrypt(crypto, "password")


def test_a_password_that_is_no_text() -> None:
    """A password that cannot be encoded, as a mangled query may give one, is refused like a wrong one."""
    with pytest.raises(KeyUnreadable, match="password"):
        envelope.decrypt(envelope.encrypt(b"plaintext", "password", 2), "\udcff")


@pytest.mark.parametrize(
    ("crypto", "cost"),
    [
        ({"kdfparams": {"n": 4096}}, 4096),
        ({"kdfparams": {"n": 1000}}, STANDARD_SCRYPT_N),
        ({"kdfparams": {"n": 1 << 40}}, STANDARD_SCRYPT_N),
        ({"kdfparams": {"c": 16}}, STANDARD_SCRYPT_N),
        ({"kdfparams": None}, STANDARD_SCRYPT_N),
        (None, STANDARD_SCRYPT_N),
    ],
)
def test_cost_of_a_file(crypto: object, cost: int) -> None:
    """The cost is the file's own where it names one that may be used, else the standard one."""
    assert cost == scrypt_cost(crypto)
