"""Key files of other implementations, and the ring."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshkit.errors import AlreadyExists
from services.oracle.errors import KeyringLocked, SettingInvalid
from services.oracle.keys.envelope import KeyUnreadable, decrypt, encrypt
from services.oracle.keys.evm import EvmKey
from services.oracle.keys.ocr import OcrBundle
from services.oracle.keys.p2p import P2pKey
from services.oracle.keys.ring import Keyring
from services.oracle.store.database import Database
from services.oracle.store.keys import KeyStore

VECTORS = Path(__file__).parents[2] / "vectors/keys"
PASSWORD = "correct-horse-battery-staple"


def vector(name: str) -> dict[str, Any]:
    """Return one vector file."""
    document: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text())
    return document


def test_the_vectors_decrypt() -> None:
    """Exports of another implementation give back the raw material, and the names that belong to it."""
    raw = vector("keys-raw")
    evm = EvmKey.from_export(vector("evm_key"), PASSWORD)
    p2p = P2pKey.from_export(vector("p2p_key"), PASSWORD)
    ocr = OcrBundle.from_export(vector("ocr_key"), PASSWORD)

    assert raw["evm"]["privateKeyHex"] == evm.private_key.hex()
    assert raw["evm"]["address"] == evm.address
    assert raw["p2p"]["peerId"] == f"p2p_{p2p.peer_id}"
    assert raw["p2p"]["ed25519PrivKeyHex"] == (p2p.seed + p2p.public_key).hex()
    assert vector("ocr_key")["id"] == ocr.id
    assert vector("ocr_key") | ocr.public() == vector("ocr_key")
    assert raw["ocr"]["ecdsaDHex"] == ocr.keys.signing.hex()
    # The raw scalar is unclamped, the exported one clamped: both have the same public key.
    unclamped = replace(ocr.keys, config=bytes.fromhex(raw["ocr"]["offchainEncryptionHex"]))
    assert unclamped.config_public_key == ocr.keys.config_public_key


@pytest.mark.parametrize("kind", [EvmKey, P2pKey, OcrBundle])
def test_exports_are_read_again(kind: Any) -> None:
    """What we export has the form of the vectors and is the same key again."""
    key = kind.generate()
    export = json.loads(json.dumps(key.export("a password", scrypt_n=2)))
    name = {EvmKey: "evm_key", P2pKey: "p2p_key", OcrBundle: "ocr_key"}[kind]

    assert list(vector(name)) == list(export)
    assert list(vector(name)["crypto"]) == list(export["crypto"])
    assert key == kind.from_export(export, "a password")
    with pytest.raises(KeyUnreadable, match="given password"):
        kind.from_export(export, "another password")


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200), st.text(max_size=30))
def test_envelopes_round_trip(plaintext: bytes, password: str) -> None:
    """Any plaintext comes back out of its envelope."""
    assert plaintext == decrypt(encrypt(plaintext, password, scrypt_n=2), password)


@pytest.mark.parametrize(
    "changes",
    [
        {"cipher": "rot13"},
        {"ciphertext": "xyz"},
        {"mac": "00" * 32},
        {"kdf": "guess"},
        {"kdfparams": {"dklen": 32, "n": 2**30, "p": 1, "r": 8, "salt": "00"}},
        {"kdfparams": {"dklen": 32, "n": 3, "p": 1, "r": 8, "salt": "00"}},
        {"cipherparams": {}},
    ],
)
def test_malformed_exports(changes: dict[str, object]) -> None:
    """A malformed envelope is refused, and one that asks for gigabytes is not even tried."""
    export = EvmKey.generate().export("p", scrypt_n=2)
    export["crypto"] |= changes

    with pytest.raises(KeyUnreadable, match="failed to decrypt"):
        EvmKey.from_export(export, "p")


@pytest.mark.parametrize("plaintext", [b"", b"{}", b"[]", b'{"EcdsaD":0,"Ed25519PrivKey":"","OffChainEncryption":[]}'])
def test_malformed_material(plaintext: bytes) -> None:
    """Plaintexts that are no key material are refused, whatever their envelope says."""
    for kind in (EvmKey, P2pKey, OcrBundle):
        with pytest.raises(KeyUnreadable):
            kind.from_plaintext(plaintext)


async def test_the_ring_is_sealed(database: Database) -> None:
    """The ring opens with its password only, gives its keys back, and no key lies in the database in clear."""
    store = KeyStore(database)
    ring = await Keyring.open(store, "the-keystore-password", 2)
    keys = (EvmKey.generate(), P2pKey.generate(), OcrBundle.generate())
    for key in keys:
        await ring.add(key)
    again = await Keyring.open(store, "the-keystore-password", 4096)

    assert keys == (*again.evm.values(), *again.p2p.values(), *again.ocr.values())
    with pytest.raises(AlreadyExists):
        await again.add(keys[0])
    with pytest.raises(KeyringLocked, match="unable to decrypt"):
        await Keyring.open(store, "another-password", 2)
    for row in await store.all():
        assert not any(key.plaintext[:16] in row.sealed for key in keys)


async def test_rows_cannot_be_exchanged(database: Database) -> None:
    """A sealed key under another key's name does not open."""
    store = KeyStore(database)
    ring = await Keyring.open(store, "the-keystore-password", 2)
    await ring.add(EvmKey.generate())
    await database.execute("UPDATE keys SET id = 'another'")

    with pytest.raises(KeyringLocked):
        await Keyring.open(store, "the-keystore-password", 2)


async def test_the_identity(database: Database) -> None:
    """With one P2P key it is the identity; with several P2P.PeerID decides, and the error names the field."""
    ring = await Keyring.open(KeyStore(database), "the-keystore-password", 2)
    first, second = P2pKey.generate(), P2pKey.generate()
    await ring.add(first)
    assert first == ring.identity(None)
    await ring.add(second)

    assert second == ring.identity(f"p2p_{second.peer_id}")
    with pytest.raises(SettingInvalid, match=r"P2P\.PeerID"):
        ring.identity(None)
    with pytest.raises(SettingInvalid, match=r"P2P\.PeerID"):
        ring.identity(P2pKey.generate().peer_id)
