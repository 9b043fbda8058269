"""The texts of nodes' files."""

import tomllib
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from chainlink.identities import key_files
from chainlink.keys.evm import EvmKey
from chainlink.keys.p2p import P2pKey
from chainlink.rpc.endpoints import Endpoint
from meshkit.configuration.postgres_url import PostgresUrl
from meshkit.credentials import database_password
from services.operator.config import OperatorConfig
from services.operator.nodes import prepare_nodes
from services.operator.nodes.node_config import config_toml, secrets_toml
from services.operator.nodes.prepare_nodes import Preparation


@pytest.fixture(name="prepared")
async def _prepared(config: OperatorConfig) -> Preparation:
    """Give five nodes whose files are where the configuration says."""
    return await prepare_nodes.prepare(config)


def _parsed(config: OperatorConfig, index: int, name: str) -> dict[str, Any]:
    return tomllib.loads((config.data.node(index) / name).read_text())


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


def test_nodes_on_machines_of_their_own_find_each_other(config: OperatorConfig, prepared: Preparation) -> None:
    """With hosts of nodes a bootstrap node is named by its own, in brackets where that is an IPv6 address."""
    hosts = ("node-1.mesh.example", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5")
    for first, written in ((hosts[0], hosts[0]), ("fd00::1", "[fd00::1]")):
        spread = replace(config, ports=replace(config.ports, node_hosts=(first, *hosts[1:])))
        found = tomllib.loads(config_toml(spread, prepared.identities[2], prepared.identities))
        locator = f"{prepared.identities[0].peer_id}@{written}:9901"
        assert [locator] == found["P2P"]["V2"]["DefaultBootstrappers"]


def test_nodes_reach_a_server_elsewhere_by_its_url(config: OperatorConfig, prepared: Preparation) -> None:
    """A node's database URL has the host and the parameters of the superuser's, and its own role and password."""
    admin = PostgresUrl.parse(
        "postgresql://root:se%40cret@db.example:6432/postgres?sslmode=verify-full&sslrootcert=/ca"
    )
    password = config.credentials.keystore_password
    keys = key_files.ensure(config.secrets.node(3), password, config.scrypt_n, with_ocr=True)
    text = secrets_toml(replace(config, postgres=admin), prepared.identities[2], keys)
    password = database_password(config.credentials.pg_password, 3)
    expected = (
        f"postgresql://chainlink_node_3:{password}@db.example:6432/chainlink_node_3?sslmode=verify-full&sslrootcert=/ca"
    )
    assert expected == tomllib.loads(text)["Database"]["URL"]
    assert "cret" not in text.replace(password, "").partition("[Password]")[0]
