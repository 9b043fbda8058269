"""The keys of secrets.toml, brought into the ring at the start."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chainlink.keys.evm import EvmKey
from chainlink.keys.p2p import P2pKey
from services.oracle.errors import SettingInvalid
from services.oracle.keys.imports import open_keyring
from services.oracle.keys.sealed_keyring import Keyring
from services.oracle.settings import Config, Secrets, read_config
from services.oracle.store.database import Database
from services.oracle.store.keys import KeyStore
from tests.oracle.test_settings import CONFIG, written

_PASSWORD = "the-password-of-the-exports"


@pytest.fixture(name="config")
def _config(tmp_path: Path) -> Config:
    return read_config(written(tmp_path, "config.toml", CONFIG))


def _secrets(evm: list[dict[str, Any]], p2p: dict[str, Any] | None = None) -> Secrets:
    document: dict[str, Any] = {
        "Database": {"URL": "postgresql://unused"},
        "Password": {"Keystore": "the-keystore-password"},
        "EVM": {"Keys": [{"ID": 1, "JSON": json.dumps(export), "Password": _PASSWORD} for export in evm]},
    }
    if p2p is not None:
        document["P2PKey"] = {"JSON": json.dumps(p2p), "Password": _PASSWORD}
    return Secrets.read(document)


async def _open(database: Database, config: Config, secrets: Secrets) -> Keyring:
    return await open_keyring(KeyStore(database), config, secrets)


async def test_keys_are_imported_once(database: Database, config: Config) -> None:
    """The exported keys are in the ring, at every start the same, and only what no export gives is made anew."""
    evm, p2p = EvmKey.generate(), P2pKey.generate()
    secrets = _secrets([evm.export(_PASSWORD, 2)], p2p.export(_PASSWORD, 2))
    first = await _open(database, config, secrets)
    second = await _open(database, config, secrets)

    assert ([evm], [p2p], 1) == (list(first.evm.values()), list(first.p2p.values()), len(first.ocr))
    assert (first.evm, first.p2p, first.ocr) == (second.evm, second.p2p, second.ocr)


async def test_a_known_key_is_not_decrypted_again(database: Database, config: Config) -> None:
    """An export whose key the ring has is left alone, in whatever spelling it names its address."""
    evm = EvmKey.generate()
    export = evm.export(_PASSWORD, 2)
    await _open(database, config, _secrets([export]))
    # Nothing could be decrypted of this any more.
    for spelling in (evm.address, evm.address.lower(), evm.address[2:]):
        ring = await _open(database, config, _secrets([{"address": spelling, "crypto": {}, "version": 3}]))

        assert [evm] == list(ring.evm.values())


async def test_keys_are_made_where_none_are_given(database: Database, config: Config) -> None:
    """A node without exports has a key of each kind, and keeps it."""
    config = replace(config, insecure_fast_scrypt=True)
    first = await _open(database, config, _secrets([]))
    second = await _open(database, config, _secrets([]))

    assert (1, 1, 1) == (len(first.evm), len(first.p2p), len(first.ocr))
    assert (first.evm, first.p2p) == (second.evm, second.p2p)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"address": "00" * 20}, "address: found"),
        ({"version": 1}, "version"),
        ({"crypto": None}, "crypto"),
        ({"keyType": "OCR"}, "keyType"),
    ],
)
async def test_a_bad_export_is_named(
    database: Database, config: Config, changes: dict[str, object], message: str
) -> None:
    """An export that is none, or says that it is another key, ends the start with the field it stands in."""
    export = EvmKey.generate().export(_PASSWORD, 2) | changes

    with pytest.raises(SettingInvalid, match=rf"secrets\.toml: EVM\.Keys.*{message}"):
        await _open(database, config, _secrets([export]))


async def test_a_wrong_password_is_named(database: Database, config: Config) -> None:
    """An export under another password ends the start, and the error shows no key."""
    key = P2pKey.generate()

    with pytest.raises(SettingInvalid, match=r"secrets\.toml: P2PKey.*password is wrong") as caught:
        await _open(database, config, _secrets([], key.export("another password", 2)))
    assert key.seed.hex() not in str(caught.value)


async def test_text_that_is_no_export(database: Database, config: Config) -> None:
    """Text that is no JSON object is named with its field."""
    secrets = _secrets([])
    broken = replace(secrets, evm=secrets.evm.read({"Keys": [{"ID": 1, "JSON": "[]", "Password": _PASSWORD}]}))

    with pytest.raises(SettingInvalid, match=r"EVM\.Keys\.JSON"):
        await _open(database, config, broken)
