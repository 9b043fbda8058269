"""libocr's own contract of OCR2, deployed and configured by our operator, and read by it."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chainlink.contract.shape import ContractShape
from chainlink.ocr2.contract_config import Ocr2Config
from chainlink.rpc.endpoints import Endpoint
from meshkit.clock import SystemClock
from services.operator.config import OperatorConfig
from services.operator.errors import UnusableContract
from services.operator.nodes import prepare_nodes
from services.operator.nodes.identity import oracles
from services.operator.nodes.prepare_nodes import Preparation
from services.operator.onchain import feed_contract
from services.operator.onchain.chain import Chain
from services.operator.onchain.contract_setup import ContractSetup
from services.operator.onchain.known_contracts import KnownContracts
from services.operator.onchain.transactions import Sender
from services.operator.outcome import Outcome
from tests.operator.anvil import CHAIN_ID, FAUCET_KEY, Anvil, start
from tests.operator.conftest import _config_in
from tests.ports import free_port


@pytest.fixture(name="anvil", scope="module")
def _anvil() -> Iterator[Anvil]:
    with start(free_port()) as anvil:
        yield anvil


@pytest.fixture(name="config")
async def _config(program: Path, tmp_path: Path) -> OperatorConfig:
    """Give a configuration with two feeds of OCR2, and one of OCR1."""
    process = await asyncio.create_subprocess_exec(str(program), "bytecode2", stdout=asyncio.subprocess.PIPE)
    code, _ = await process.communicate()
    path = tmp_path / "ocr2.hex"
    path.write_bytes(code)
    config = _config_in(tmp_path)
    feeds = (*(replace(feed, ocr_version=2) for feed in config.feeds[:2]), config.feeds[2])
    return replace(config, feeds=feeds, ocr2_code_file=path)


@pytest.fixture(name="chain")
async def _chain(anvil: Anvil) -> AsyncIterator[Chain]:
    await anvil.call("anvil_setBalance", anvil.faucet, hex(10**24))
    chain = Chain([Endpoint("chain", anvil.url)], CHAIN_ID)
    yield chain
    await chain.close()


def _setup(config: OperatorConfig, prepared: Preparation, chain: Chain) -> ContractSetup:
    sender = Sender(chain, FAUCET_KEY, 2 * 10**9, SystemClock(), 20)
    known = KnownContracts(config.secrets.contracts, CHAIN_ID)
    return ContractSetup(config, oracles(prepared.identities), chain, sender, known)


async def test_deployed_and_configured(config: OperatorConfig, chain: Chain) -> None:
    """Both protocols' contracts are made and configured in one pass; the next, of a new process, changes nothing."""
    prepared = await prepare_nodes.prepare(config)
    outcome = await _setup(config, prepared, chain).run()

    assert ({}, 6) == (outcome.errors, len(outcome.changes))
    again = _setup(config, prepared, chain)
    assert Outcome() == await again.run()
    shapes = []
    for feed in config.feeds:
        record = again.record(feed)
        assert record is not None
        found = await feed_contract.state(chain, record.address)
        assert found is not None
        shapes.append(found.shape)
        assert isinstance(found.config, Ocr2Config) is (feed.ocr_version == 2)
    assert [ContractShape.OCR2, ContractShape.OCR2, ContractShape.OCR1] == shapes


async def test_only_what_differs_is_configured(config: OperatorConfig, chain: Chain) -> None:
    """Another heartbeat is written into each contract once, whichever its protocol is."""
    prepared = await prepare_nodes.prepare(config)
    await _setup(config, prepared, chain).run()
    slower = replace(config, ocr=replace(config.ocr, delta_c_ms=20_000))
    setup = _setup(slower, prepared, chain)
    looked = await setup.look()

    assert [feed.name for feed in config.feeds] == [feed.name for feed in looked.configure]
    assert any("delta_c_ns is 10000000000, ours 20000000000" in text for text in setup.differences("BTC / USD"))
    assert 3 == len((await setup.act(looked)).changes)
    assert Outcome() == await setup.run()


async def test_another_protocol_than_is_configured(config: OperatorConfig, chain: Chain) -> None:
    """A contract of OCR2 that is named for a feed of OCR1 is told as that, and left alone."""
    prepared = await prepare_nodes.prepare(config)
    first = _setup(config, prepared, chain)
    await first.run()
    record = first.record(config.feeds[0])
    assert record is not None
    named = replace(config.feeds[0], ocr_version=1, address=record.address)
    outcome = await _setup(replace(config, feeds=(named, *config.feeds[1:])), prepared, chain).run()

    assert [named.name] == list(outcome.errors)
    assert isinstance(outcome.errors[named.name], UnusableContract)
    assert f"the contract at {record.address} is of OCR2, configured is OCR1" in str(outcome.errors[named.name])


async def test_no_code_of_the_contract(config: OperatorConfig, chain: Chain) -> None:
    """Without the code of the contract its feeds say which setting is missing; the others are served."""
    prepared = await prepare_nodes.prepare(config)
    outcome = await _setup(replace(config, ocr2_code_file=None), prepared, chain).run()

    assert ["BTC / USD", "ETH / USD"] == list(outcome.errors)
    assert all("contracts.ocr2CodeFile" in str(error) for error in outcome.errors.values())
    assert 2 == len(outcome.changes)
