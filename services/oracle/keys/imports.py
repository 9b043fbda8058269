"""The key exports of secrets.toml, imported before anything starts."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from chainlink.errors import KeyUnreadable
from chainlink.keys import export
from chainlink.keys.csa import CsaKey
from chainlink.keys.envelope import STANDARD_SCRYPT_N, scrypt_cost
from chainlink.keys.evm import EvmKey
from chainlink.keys.ocr1 import OcrKeyBundle
from chainlink.keys.p2p import P2pKey
from chainlink.keys.peer_id import TEXT_PREFIX
from services.oracle.errors import SettingInvalid
from services.oracle.keys.sealed_keyring import Keyring
from services.oracle.settings import Config, Secrets
from services.oracle.settings_types import Secret
from services.oracle.store.keys import KeyStore

_FAST_SCRYPT_N = 2
_Key = TypeVar("_Key")


async def open_keyring(store: KeyStore, config: Config, secrets: Secrets) -> Keyring:
    """
    Open the ring, import the keys of secrets.toml that it does not have, and make one key of each kind it lacks.

    Raises:
        SettingInvalid: when an export is malformed or its password is wrong.
        KeyringLocked: when the keystore password is not the one the ring was made with.
    """
    evm = [_Export.read("EVM.Keys", key.export, key.password) for key in secrets.evm.keys]
    p2p = [_Export.read("P2PKey", key.export, key.password) for key in (secrets.p2p_key,) if key is not None]
    # A new ring is as hard to open as the exports its keys came from: neither is worth more than the other.
    cost = max((found.cost for found in (*evm, *p2p)), default=STANDARD_SCRYPT_N)
    if config.insecure_fast_scrypt:
        cost = _FAST_SCRYPT_N
    ring = await Keyring.open(store, secrets.password.keystore.text, cost)
    # Decrypting takes a second of CPU at the standard cost, so a key that is there is not decrypted again.
    held = {address.lower() for address in ring.evm}
    for found in evm:
        if f"0x{found.said('address').lower().removeprefix('0x')}" not in held:
            await ring.ensure(await found.decrypt(EvmKey.from_export))
    for found in p2p:
        if found.said("peerID").removeprefix(TEXT_PREFIX) not in ring.p2p:
            await ring.ensure(await found.decrypt(P2pKey.from_export))
    if not ring.evm:
        await ring.add(EvmKey.generate())
    if not ring.p2p:
        await ring.add(P2pKey.generate())
    if not ring.ocr and config.ocr.enabled:
        await ring.add(OcrKeyBundle.generate())
    if not ring.csa:
        await ring.add(CsaKey.generate())
    return ring


@dataclass(frozen=True, slots=True)
class _Export:
    """Hold one export and the field it stands in."""

    field: str
    document: dict[str, Any]
    password: str

    @classmethod
    def read(cls, field: str, text: Secret, password: Secret) -> "_Export":
        try:
            return cls(field, export.parse(text.text), password.text)
        except KeyUnreadable as error:
            raise SettingInvalid(f"secrets.toml: {field}.JSON", str(error), "a key export") from error

    @property
    def cost(self) -> int:
        return scrypt_cost(self.document.get("crypto"))

    def said(self, name: str) -> str:
        return str(self.document.get(name))

    async def decrypt(self, decrypt: Callable[[dict[str, Any], str], _Key]) -> _Key:
        try:
            return await asyncio.to_thread(decrypt, self.document, self.password)
        except KeyUnreadable as error:
            raise SettingInvalid(f"secrets.toml: {self.field}", str(error), "an export and its password") from error
