import asyncio
import stat
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from chainlink.keys.evm import EvmKey
from chainlink.keys.ocr1 import OcrKeyBundle
from chainlink.keys.p2p import P2pKey
from chainlink.rpc.endpoints import Endpoint
from meshkit.credentials import database_password
from meshkit.errors import FailedPrecondition
from services.operator.config import OperatorConfig
from services.operator.errors import UnreadableKeyFile
from services.operator.nodes import prepare_nodes
from services.operator.nodes.node_config import config_toml
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


async def test_a_missing_key_is_made_and_the_others_kept(config: OperatorConfig, prepared: Preparation) -> None:
    """If one key file is gone, only that key is made anew."""
    (config.data.node(3) / "ocr_key.json").unlink()
    again = await prepare_nodes.prepare(config)

    assert 1 == again.created_keys
    before, after = prepared.identities[2], again.identities[2]
    assert (before.peer_id, before.transmitter_address) == (after.peer_id, after.transmitter_address)
    assert before.ocr != after.ocr


async def test_a_wrong_password_names_the_file_and_overwrites_nothing(
    config: OperatorConfig, prepared: Preparation
) -> None:
    """With another keystore password the preparation fails, names a key file and leaves every byte as it is."""
    before = _contents(config.data.path)
    wrong = replace(config, credentials=replace(config.credentials, keystore_password="another-password-16"))

    with pytest.raises(FailedPrecondition, match=r"nodes/1/evm_key\.json: the password is wrong"):
        await prepare_nodes.prepare(wrong)
    assert before == _contents(config.data.path)


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b"{}"])
async def test_a_damaged_key_file_is_left_alone(config: OperatorConfig, prepared: Preparation, damage: bytes) -> None:
    """A damaged key file is an error that names it, also when another key of the node is missing."""
    path = config.data.node(2) / "p2p_key.json"
    path.write_bytes(damage)
    (config.data.node(2) / "evm_key.json").unlink()

    with pytest.raises(UnreadableKeyFile, match=r"nodes/2/p2p_key\.json"):
        await prepare_nodes.prepare(config)
    assert damage == path.read_bytes()
    assert not (config.data.node(2) / "evm_key.json").exists()


async def test_preparing_twice_at_once_gives_one_identity(config: OperatorConfig) -> None:
    """Two preparations at the same time never leave a key file that was replaced under the other."""
    results = await asyncio.gather(prepare_nodes.prepare(config), prepare_nodes.prepare(config), return_exceptions=True)
    done = [result for result in results if isinstance(result, Preparation)]
    again = await prepare_nodes.prepare(config)

    assert all(isinstance(result, Preparation | FileExistsError) for result in results)
    assert {again.identities} >= {result.identities for result in done}


def test_config_is_complete(config: OperatorConfig, prepared: Preparation) -> None:
    """An oracle's config.toml has every setting that many nodes on one host need."""
    found = _parsed(config, 3, "config.toml")
    nodes = prepared.identities

    assert str(config.data.node_home(3)) == found["RootDir"]
    assert "0b" == found["Log"]["File"]["MaxSize"]
    web = found["WebServer"]
    assert (6603, "127.0.0.1", False) == (web["HTTPPort"], web["ListenIP"], web["SecureCookies"])
    assert 0 == web["TLS"]["HTTPSPort"]
    assert {"Authenticated", "AuthenticatedPeriod", "Unauthenticated", "UnauthenticatedPeriod"} == set(web["RateLimit"])
    assert found["Database"]["MaxOpenConns"] > 0
    assert found["OCR"]["Enabled"] is True
    assert nodes[2].peer_id == found["P2P"]["PeerID"]
    v2 = found["P2P"]["V2"]
    assert ["127.0.0.1:9903"] == v2["ListenAddresses"] == v2["AnnounceAddresses"]
    assert [f"{nodes[0].peer_id}@127.0.0.1:9901"] == v2["DefaultBootstrappers"]
    (evm,) = found["EVM"]
    assert ("1337", 1, 1) == (evm["ChainID"], evm["MinIncomingConfirmations"], evm["OCR"]["ContractConfirmations"])
    assert ("FixedPrice", "2000000000 wei") == (evm["GasEstimator"]["Mode"], evm["GasEstimator"]["PriceDefault"])
    assert [{"Name": "primary", "WSURL": "ws://127.0.0.1:1", "HTTPURL": "http://127.0.0.1:1"}] == evm["Nodes"]


def test_all_endpoints_are_in_the_nodes_files(config: OperatorConfig, prepared: Preparation) -> None:
    """With further endpoints a node prefers the first and falls back on the others in order."""
    others = (Endpoint("second", "http://127.0.0.1:2", "ws://127.0.0.1:2"),)
    config = replace(config, chain=replace(config.chain, others=others))
    text = config_toml(config, prepared.identities[2], prepared.identities)
    (evm,) = tomllib.loads(text)["EVM"]

    assert [
        {"Name": "primary", "WSURL": "ws://127.0.0.1:1", "HTTPURL": "http://127.0.0.1:1", "Order": 1},
        {"Name": "second", "WSURL": "ws://127.0.0.1:2", "HTTPURL": "http://127.0.0.1:2", "Order": 2},
    ] == evm["Nodes"]


def test_root_keys_stand_before_tables(config: OperatorConfig, prepared: Preparation) -> None:
    """No key of the root follows a table: TOML would take it for the table's."""
    document = _parsed(config, 2, "config.toml")

    assert {"RootDir", "ShutdownGracePeriod"} == {
        name for name, value in document.items() if not isinstance(value, dict | list)
    }


def test_a_bootstrap_node_does_not_dial_itself(config: OperatorConfig, prepared: Preparation) -> None:
    """The only bootstrap node has nobody to bootstrap from."""
    assert [] == _parsed(config, 1, "config.toml")["P2P"]["V2"]["DefaultBootstrappers"]


def test_secrets_open_with_their_passwords(config: OperatorConfig, prepared: Preparation) -> None:
    """secrets.toml has the node's own database login, and the keys of its identity, encrypted."""
    found = _parsed(config, 4, "secrets.toml")
    url = urlsplit(found["Database"]["URL"])
    node = prepared.identities[3]

    assert ("127.0.0.1", 5432, "/chainlink_node_4") == (url.hostname, url.port, url.path)
    assert ("chainlink_node_4", "sslmode=disable") == (url.username, url.query)
    assert database_password("a-database-password", 4) == url.password
    assert config.credentials.keystore_password == found["Password"]["Keystore"]
    (evm,) = found["EVM"]["Keys"]
    assert 1337 == evm["ID"]
    assert node.transmitter_address == EvmKey.read(evm["JSON"], evm["Password"]).address
    assert node.peer_id == P2pKey.read(found["P2PKey"]["JSON"], found["P2PKey"]["Password"]).peer_id


def test_credentials_are_two_lines(config: OperatorConfig, prepared: Preparation) -> None:
    """Apicredentials is the e-mail and the password, a line each."""
    text = (config.data.node(5) / "apicredentials").read_text()

    assert ["operator@example.com", "an-api-password-of-24-ch"] == text.splitlines()


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
