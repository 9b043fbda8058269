"""Fixtures of the operator's tests: a configuration, prepared nodes, a real chain."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chainlink.rpc.endpoints import Endpoint
from meshkit.clock import SystemClock
from meshkit.configuration.feeds.timings import FeedTimings
from meshkit.paths import DataDir, SecretsDir
from services.operator.config import (
    ChainSettings,
    Credentials,
    FeedTarget,
    FundingSettings,
    OperatorConfig,
    Ports,
)
from services.operator.nodes import prepare_nodes
from services.operator.nodes.prepare_nodes import Preparation
from services.operator.onchain.chain import Chain
from services.operator.onchain.transactions import Sender
from tests.operator.anvil import CHAIN_ID, FAUCET_KEY, Anvil, start
from tests.ports import free_port


def _config_in(path: Path) -> OperatorConfig:
    return OperatorConfig(
        data=DataDir(path / "data"),
        secrets=SecretsDir(path / "secrets"),
        total_nodes=5,
        bootstrap_nodes=1,
        feeds=(FeedTarget("BTC / USD", 8), FeedTarget("ETH / USD", 8), FeedTarget("EUR / USD", 8)),
        ports=Ports(postgres=5432, aggregator=3000, node_api_base=6600, node_p2p_base=9900),
        credentials=Credentials(
            api_email="operator@example.com",
            api_password="an-api-password-of-24-ch",
            keystore_password="a-keystore-password-of-30-char",
            pg_password="a-database-password",
            faucet_private_key=FAUCET_KEY,
        ),
        chain=ChainSettings(CHAIN_ID, "http://127.0.0.1:1", "ws://127.0.0.1:1", "primary", 2 * 10**9),
        funding=FundingSettings(minimum_wei=10**17, topup_wei=10**18, interval_ms=60_000),
        ocr=FeedTimings(
            delta_progress_ms=5000,
            delta_resend_ms=1000,
            delta_round_ms=2000,
            delta_grace_ms=500,
            delta_c_ms=10_000,
            alpha_ppb=1,
            delta_stage_ms=2000,
            r_max=4,
        ),
        # The least cost scrypt allows: the tests make some dozens of keys.
        scrypt_n=2,
        deploy_contracts=True,
        replace_oracles=False,
        transaction_batch=10,
    )


@pytest.fixture(name="config")
def _config(tmp_path: Path) -> OperatorConfig:
    """Give a configuration of five nodes and three feeds; its chain does not exist."""
    return _config_in(tmp_path)


@pytest.fixture(name="prepared", scope="package")
def _prepared(tmp_path_factory: pytest.TempPathFactory) -> Preparation:
    """Give five nodes; their files are elsewhere than the configuration says."""
    return asyncio.run(prepare_nodes.prepare(_config_in(tmp_path_factory.mktemp("prepared"))))


@pytest.fixture(name="anvil", scope="package")
def _anvil() -> Iterator[Anvil]:
    """Give a chain that mines each transaction at once; a test must not rely on what it holds."""
    with start(free_port()) as anvil:
        yield anvil


@pytest.fixture(name="chain")
async def _chain(anvil: Anvil) -> AsyncIterator[Chain]:
    """Give a connection to the chain, with a rich faucet."""
    await anvil.fund()
    chain = Chain([Endpoint("chain", anvil.url)], CHAIN_ID)
    yield chain
    await chain.close()


@pytest.fixture(name="sender")
def _sender(chain: Chain) -> Sender:
    """Give the faucet's sender."""
    return Sender(chain, FAUCET_KEY, 2 * 10**9, SystemClock(), 20)


@pytest.fixture(name="onchain")
async def _onchain(config: OperatorConfig, anvil: Anvil) -> OperatorConfig:
    """Give the configuration with the real chain's address; the faucet there is rich."""
    await anvil.fund()
    return replace(config, chain=replace(config.chain, http_url=anvil.url))
