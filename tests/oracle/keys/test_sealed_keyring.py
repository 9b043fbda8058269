"""The ring."""

import pytest

from chainlink.keys.evm import EvmKey
from chainlink.keys.ocr1 import OcrKeyBundle
from chainlink.keys.p2p import P2pKey
from meshkit.errors import AlreadyExists
from services.oracle.errors import KeyringLocked, SettingInvalid
from services.oracle.keys.sealed_keyring import Keyring
from services.oracle.store.database import Database
from services.oracle.store.keys import KeyStore


async def test_the_ring_is_sealed(database: Database) -> None:
    """The ring opens with its password only, gives its keys back, and no key lies in the database in clear."""
    store = KeyStore(database)
    ring = await Keyring.open(store, "the-keystore-password", 2)
    keys = (EvmKey.generate(), P2pKey.generate(), OcrKeyBundle.generate())
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
