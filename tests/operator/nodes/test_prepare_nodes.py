"""Every node's files, in place."""

import asyncio
import shutil
import stat
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from structlog.testing import capture_logs

from chainlink.errors import UnwritableSecrets
from chainlink.keys.ocr1 import OcrKeyBundle
from meshkit.credentials import database_password
from services.operator.config import OperatorConfig
from services.operator.errors import KeysLost, SharedKey
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
    keys = {"evm_key.json", "p2p_key.json"}

    assert 2 * 5 + 4 == prepared.created_keys
    assert keys == {path.name for path in config.secrets.node(1).iterdir()}
    for index in range(2, 6):
        assert keys | {"ocr_key.json"} == {path.name for path in config.secrets.node(index).iterdir()}
    for index in range(1, 6):
        found = {path.name for path in config.data.node(index).iterdir()}
        assert {"apicredentials", "config.toml", "secrets.toml"} == found


def test_only_the_owner_can_read(config: OperatorConfig, prepared: Preparation) -> None:
    """Directories are 0700 and files 0600."""
    for directory in (config.data.node(2), config.secrets.node(2)):
        for path in directory.iterdir():
            assert 0o600 == stat.S_IMODE(path.stat().st_mode), path
        assert 0o700 == stat.S_IMODE(directory.stat().st_mode)
    assert 0o700 == stat.S_IMODE(config.secrets.nodes.stat().st_mode)


async def test_preparing_again_changes_nothing(config: OperatorConfig, prepared: Preparation) -> None:
    """A second preparation makes no key, changes no byte and gives the same identities."""
    root = config.data.path.parent
    before = _contents(root)
    again = await prepare_nodes.prepare(config)

    assert 0 == again.created_keys
    assert prepared.identities == again.identities
    assert before == _contents(root)


async def test_preparing_twice_at_once_gives_one_identity(config: OperatorConfig) -> None:
    """Of two preparations at the same time the later takes the keys that the earlier has made."""
    one, other = await asyncio.gather(prepare_nodes.prepare(config), prepare_nodes.prepare(config))

    assert one.identities == other.identities
    assert 2 * 5 + 4 == one.created_keys + other.created_keys


async def test_without_the_data_directory_the_identities_are_the_same(
    config: OperatorConfig, prepared: Preparation
) -> None:
    """With the secrets alone the next preparation makes no key, and every file of a node is as before."""
    before = _contents(config.data.path)
    shutil.rmtree(config.data.path)
    again = await prepare_nodes.prepare(config)

    assert (0, prepared.identities) == (again.created_keys, again.identities)
    assert before == _contents(config.data.path)


@pytest.mark.parametrize("lost", [("evm_key.json", "p2p_key.json", "ocr_key.json"), ("p2p_key.json",)])
async def test_nodes_that_lost_their_keys_are_no_new_ones(
    config: OperatorConfig, prepared: Preparation, lost: tuple[str, ...]
) -> None:
    """While files of an earlier start tell of keys that are gone, none are made, unless that is allowed."""
    for index in (2, 4):
        for name in lost:
            (config.secrets.node(index) / name).unlink()
    before = _contents(config.secrets.nodes)
    with pytest.raises(KeysLost, match=r"cl-secrets has no keys of nodes that ran before: 2, 4; .*feedmesh restore"):
        await prepare_nodes.prepare(config)
    assert before == _contents(config.secrets.nodes)
    assert 2 * len(lost) == (await prepare_nodes.prepare(replace(config, replace_oracles=True))).created_keys


async def test_an_oracle_that_was_a_bootstrap_node_gets_its_bundle(
    config: OperatorConfig, prepared: Preparation
) -> None:
    """A node that had no bundle, since it needed none, has lost nothing."""
    (config.secrets.node(2) / "ocr_key.json").unlink()

    assert 1 == (await prepare_nodes.prepare(config)).created_keys


@pytest.mark.parametrize("place", [0, 1])
async def test_keys_of_an_earlier_version_are_taken_over(
    config: OperatorConfig, prepared: Preparation, place: int
) -> None:
    """Keys that lie in the data directory, and nowhere else, become the secrets as they are, in one line of the log."""
    before = _contents(config.secrets.nodes)
    for index in config.node_indexes:
        for path in config.secrets.node(index).iterdir():
            earlier = config.data.earlier[place].node(index)
            earlier.mkdir(parents=True, exist_ok=True)
            path.rename(earlier / path.name)
    with capture_logs() as lines:
        again = await prepare_nodes.prepare(config)

    assert (0, prepared.identities) == (again.created_keys, again.identities)
    assert before == _contents(config.secrets.nodes)
    assert [("keys_written", 14)] == [(line["event"], len(line["files"])) for line in lines]


async def test_one_key_for_two_nodes_is_refused(config: OperatorConfig, prepared: Preparation) -> None:
    """A directory that was copied for a further node is named, with the one it was copied from."""
    for path in config.secrets.node(2).iterdir():
        shutil.copy(path, config.secrets.node(4))

    with pytest.raises(SharedKey, match=r"4/evm_key\.json holds the same key as .*2/evm_key\.json"):
        await prepare_nodes.prepare(config)


async def test_a_place_that_cannot_be_written_is_named(config: OperatorConfig) -> None:
    """Where keys have to be made and cannot be, the error names the place and the setting."""
    config.secrets.path.write_text("a file, where a directory has to be")

    with pytest.raises(UnwritableSecrets, match=r"cl-secrets cannot be written: .* solution\.spSecretsDir"):
        await prepare_nodes.prepare(config)


def test_identity_is_the_files(config: OperatorConfig, prepared: Preparation) -> None:
    """The public identity is what the key files say."""
    password, node = config.credentials.keystore_password, prepared.identities[1]
    bundle = OcrKeyBundle.read((config.secrets.node(2) / "ocr_key.json").read_text(), password)
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
