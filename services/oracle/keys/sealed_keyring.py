"""The node's keys: in memory in clear, in its own database sealed under the keystore password."""

import asyncio
import os
from dataclasses import dataclass, field
from typing import Any, Self, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from chainlink.keys.csa import CsaKey
from chainlink.keys.evm import EvmKey
from chainlink.keys.ocr1 import OcrKeyBundle
from chainlink.keys.ocr2 import Ocr2KeyBundle
from chainlink.keys.p2p import P2pKey
from chainlink.keys.peer_id import TEXT_PREFIX
from meshkit.errors import AlreadyExists, NotFound
from services.oracle.errors import KeyringLocked, SettingInvalid
from services.oracle.store.keys import KeyStore, RingHeader, SealedKey

Key = EvmKey | P2pKey | OcrKeyBundle | Ocr2KeyBundle | CsaKey
_KINDS: dict[str, type[EvmKey] | type[P2pKey] | type[OcrKeyBundle] | type[Ocr2KeyBundle] | type[CsaKey]] = {
    "evm": EvmKey,
    "p2p": P2pKey,
    "ocr": OcrKeyBundle,
    "ocr2": Ocr2KeyBundle,
    "csa": CsaKey,
}
_CHECK = b"feedmesh keyring"


@dataclass(slots=True)
class Keyring:
    """
    Hold all keys of a node.

    One scrypt derivation opens the ring; each key is then a row of its own under AES-256-GCM, bound to its kind and
    id, so that adding one costs no derivation and a row cannot be passed off as another.
    """

    _store: KeyStore
    _cipher: AESGCM = field(repr=False)
    evm: dict[str, EvmKey] = field(default_factory=dict)
    p2p: dict[str, P2pKey] = field(default_factory=dict)
    ocr: dict[str, OcrKeyBundle] = field(default_factory=dict)
    ocr2: dict[str, Ocr2KeyBundle] = field(default_factory=dict)
    csa: dict[str, CsaKey] = field(default_factory=dict)

    @classmethod
    async def open(cls, store: KeyStore, password: str, scrypt_n: int) -> Self:
        """Open the ring, or found it with that scrypt cost; KeyringLocked if the password does not fit."""
        header = await store.header()
        if header is None:
            salt = os.urandom(32)
            cipher = await asyncio.to_thread(_cipher, password, salt, scrypt_n)
            await store.found(RingHeader(salt, scrypt_n, _seal(cipher, _CHECK, "ring")))
        else:
            cipher = await asyncio.to_thread(_cipher, password, header.salt, header.scrypt_n)
            if _unseal(cipher, header.check, "ring") != _CHECK:
                raise KeyringLocked("unable to decrypt encrypted key ring")
        ring = cls(store, cipher)
        for row in await store.all():
            key = _KINDS[row.kind].from_plaintext(_unseal(cipher, row.sealed, f"{row.kind}:{row.id}"))
            ring._hold(key)
        return ring

    async def add(self, key: Key) -> None:
        """Store a key; AlreadyExists if the ring has it."""
        kind = _kind(key)
        if key.id in self._of(kind):
            raise AlreadyExists("key", key.id)
        await self._store.add(SealedKey(kind, key.id, _seal(self._cipher, key.plaintext, f"{kind}:{key.id}")))
        self._hold(key)

    async def ensure(self, key: Key) -> None:
        """Store a key unless the ring has it."""
        if key.id not in self._of(_kind(key)):
            await self.add(key)

    async def remove(self, kind: str, key_id: str) -> Key:
        """Delete a key and return it; NotFound if the ring does not have it."""
        if key_id not in self._of(kind):
            raise NotFound("key", key_id)
        await self._store.delete(kind, key_id)
        return self._of(kind).pop(key_id)

    def identity(self, wanted: str | None) -> P2pKey:
        """Return the P2P key the node runs as: the configured peer id's, else the only one."""
        if wanted is not None:
            bare = wanted.removeprefix(TEXT_PREFIX)
            if bare not in self.p2p:
                raise SettingInvalid("P2P.PeerID", wanted, f"a key of the keystore: {', '.join(self.p2p)}")
            return self.p2p[bare]
        if len(self.p2p) != 1:
            allowed = "a peer id, since multiple p2p keys were found but peer ID was not set"
            raise SettingInvalid("P2P.PeerID", "nothing", allowed)
        return next(iter(self.p2p.values()))

    def _of(self, kind: str) -> dict[str, Key]:
        rings: dict[str, Any] = {"evm": self.evm, "p2p": self.p2p, "ocr": self.ocr, "ocr2": self.ocr2, "csa": self.csa}
        return cast(dict[str, Key], rings[kind])

    def _hold(self, key: Key) -> None:
        self._of(_kind(key))[key.id] = key


def _kind(key: Key) -> str:
    return next(kind for kind, cls in _KINDS.items() if isinstance(key, cls))


def _cipher(password: str, salt: bytes, scrypt_n: int) -> AESGCM:
    return AESGCM(Scrypt(salt=salt, length=32, n=scrypt_n, r=8, p=1).derive(f"master-password-{password}".encode()))


def _seal(cipher: AESGCM, plaintext: bytes, name: str) -> bytes:
    nonce = os.urandom(12)
    return nonce + cipher.encrypt(nonce, plaintext, name.encode())


def _unseal(cipher: AESGCM, sealed: bytes, name: str) -> bytes:
    try:
        return cipher.decrypt(sealed[:12], sealed[12:], name.encode())
    except InvalidTag as error:
        raise KeyringLocked("unable to decrypt encrypted key ring") from error
