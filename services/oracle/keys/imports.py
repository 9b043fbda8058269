"""The key exports of secrets.toml, imported before anything starts."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import SecretStr

from services.oracle.errors import SettingInvalid
from services.oracle.keys.envelope import STANDARD_SCRYPT_N, KeyUnreadable, scrypt_n
from services.oracle.keys.evm import EvmKey
from services.oracle.keys.ocr import OcrBundle
from services.oracle.keys.p2p import P2pKey
from services.oracle.keys.ring import Keyring
from services.oracle.settings import Config, Secrets
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
    cost = max((export.cost for export in (*evm, *p2p)), default=STANDARD_SCRYPT_N)
    if config.insecure_fast_scrypt:
        cost = _FAST_SCRYPT_N
    ring = await Keyring.open(store, secrets.password.keystore.get_secret_value(), cost)
    # Decrypting takes a second of CPU at the standard cost, so a key that is there is not decrypted again.
    held = {address.lower() for address in ring.evm}
    for export in evm:
        if f"0x{str(export.document.get('address')).lower()}" not in held:
            await ring.ensure(await export.decrypt(EvmKey.from_export))
    for export in p2p:
        if str(export.document.get("peerID")).removeprefix("p2p_") not in ring.p2p:
            await ring.ensure(await export.decrypt(P2pKey.from_export))
    if not ring.evm:
        await ring.add(EvmKey.generate())
    if not ring.p2p:
        await ring.add(P2pKey.generate())
    if not ring.ocr and config.ocr.enabled:
        await ring.add(OcrBundle.generate())
    return ring


@dataclass(frozen=True, slots=True)
class _Export:
    """Hold one export and the field it stands in."""

    field: str
    document: dict[str, Any]
    password: str

    @classmethod
    def read(cls, field: str, export: SecretStr, password: SecretStr) -> "_Export":
        try:
            document = json.loads(export.get_secret_value())
        except ValueError as error:
            raise SettingInvalid(f"secrets.toml: {field}.JSON", f"no JSON ({error})", "a key export") from error
        if not isinstance(document, dict):
            raise SettingInvalid(f"secrets.toml: {field}.JSON", "no object", "a key export")
        return cls(field, document, password.get_secret_value())

    @property
    def cost(self) -> int:
        return scrypt_n(self.document.get("crypto"))

    async def decrypt(self, decrypt: Callable[[dict[str, Any], str], _Key]) -> _Key:
        try:
            return await asyncio.to_thread(decrypt, self.document, self.password)
        except KeyUnreadable as error:
            raise SettingInvalid(f"secrets.toml: {self.field}", str(error), "an export and its password") from error
