"""Every node's files, in place."""

import asyncio
import stat
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from chainlink.keys.ocr1 import OcrKeyBundle
from meshkit.credentials import database_password
from services.operator.config import OperatorConfig
from services.operator.nodes import prepare_nodes
from services.operator.nodes.prepare_nodes import Preparation


@pytest.fixture(name="prepared")
async def _prepared(config: OperatorConfig) -> Preparation:
    """Give five nodes whose files are where the configuration says."""
    return await prepare_nodes.prepare(config)


def _contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def _parsed(config: OperatorConfig, index: int, name: str) -> dict[str, Any]:
    return tomllib.loads((config.data.node(index) / name).read_text())


def test_every_node_gets_its_files(config: OperatorConfig, prepared: Preparation) -> None:
    """A bootstrap node has EVM and P2P keys, an oracle an OCR bundle too; nothing else is left in the directories."""
    files = {"apicredentials", "config.toml", "secrets.toml", "evm_key.json", "p2p_key.json"}

    assert 2 * 5 + 4 == prepared.created_keys
    assert files == {path.name for path in config.data.node(1).iterdir()}
    for index in range(2, 6):
        assert files | {"ocr_key.json"} == {path.name for path in config.data.node(index).iterdir()}


def test_only_the_owner_can_read(config: OperatorConfig, prepared: Preparation) -> None:
    """Directories are 0700 and files 0600."""
    for path in config.data.node(2).iterdir():
        assert 0o600 == stat.S_IMODE(path.stat().st_mode), path
    assert 0o700 == stat.S_IMODE(config.data.node(2).stat().st_mode)


async def test_preparing_again_changes_nothing(config: OperatorConfig, prepared: Preparation) -> None:
    """A second preparation makes no key, changes no byte and gives the same identities."""
    before = _contents(config.data.path)
    again = await prepare_nodes.prepare(config)

    assert 0 == again.created_keys
    assert prepared.identities == again.identities
    assert before == _contents(config.data.path)


async def test_preparing_twice_at_once_gives_one_identity(config: OperatorConfig) -> None:
    """Two preparations at the same time never leave a key file that was replaced under the other."""
    results = await asyncio.gather(prepare_nodes.prepare(config), prepare_nodes.prepare(config), return_exceptions=True)
    done = [result for result in results if isinstance(result, Preparation)]
    again = await prepare_nodes.prepare(config)

    assert all(isinstance(result, Preparation | FileExistsError) for result in results)
    assert {again.identities} >= {result.identities for result in done}


def test_identity_is_the_files(config: OperatorConfig, prepared: Preparation) -> None:
    """The public identity is what the key files say."""
    password, node = config.credentials.keystore_password, prepared.identities[1]
    bundle = OcrKeyBundle.read((config.data.node(2) / "ocr_key.json").read_text(), password)
    assert node.ocr is not None

    assert (bundle.id, bundle.keys.signing_address) == (node.ocr.bundle_id, node.ocr.signing_address)
    assert bundle.keys.config_public_key == node.ocr.config_public_key
    assert orjson.loads(prepared.nodes[1].ocr_export or "")["id"] == bundle.id


async def test_a_changed_setting_rewrites_the_files(config: OperatorConfig, prepared: Preparation) -> None:
    """A new database password reaches secrets.toml at the next preparation, the keys stay."""
    changed = replace(config, credentials=replace(config.credentials, pg_password="another-database-password"))
    again = await prepare_nodes.prepare(changed)

    assert prepared.identities == again.identities
    url = urlsplit(_parsed(config, 2, "secrets.toml")["Database"]["URL"])
    assert database_password("another-database-password", 2) == url.password
