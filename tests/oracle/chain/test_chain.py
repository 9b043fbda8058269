"""Tracker, reader and transmitter against a real chain."""

from dataclasses import replace

import pytest

from chainlink.contract import aggregator as calls
from chainlink.keys.evm import EvmKey
from chainlink.ocr.report_context import context_tag
from chainlink.rpc.errors import Malformed
from meshkit.clock import SystemClock
from services.oracle.chain.contract_config_tracker import ConfigTracker
from services.oracle.chain.heads import HeadTracker
from services.oracle.chain.reader import AggregatorReader
from services.oracle.chain.settings import EvmSettings
from services.oracle.chain.transactions.account import Account
from services.oracle.chain.transmitter import FeedTransmitter
from services.oracle.ocr.crypto import sign_report
from services.oracle.ocr.report import AttributedObservation, encode_report, transmit_arguments
from services.oracle.store.contracts import ContractStateStore
from services.oracle.store.database import Database
from tests.oracle.anvil import CHAIN_ID, Aggregator, Anvil
from tests.oracle.ocr.committee import Committee, make_committee
from tests.waiting import until

COMMITTEE = make_committee()
SETTINGS = EvmSettings.read(
    {
        "ChainID": str(CHAIN_ID),
        "GasEstimator": {"Mode": "FixedPrice", "PriceDefault": "1 gwei"},
        "Nodes": [{"Name": "a", "HTTPURL": "http://127.0.0.1:1"}],
    }
)


async def configure(aggregator: Aggregator, committee: Committee = COMMITTEE) -> None:
    """Write the committee's configuration."""
    config = committee.contract_config
    await aggregator.configure(config.signers, config.transmitters, config.f, config.encoded)


def heads_of(anvil: Anvil) -> HeadTracker:
    """Return a head tracker that asks when it is told to."""
    return HeadTracker(anvil.rpc, SystemClock(), 1.0)


async def test_tracker(anvil: Anvil, aggregator: Aggregator) -> None:
    """A configuration is found once it is deep enough, with its digest, and not again until it changes."""
    tracker = ConfigTracker(anvil.rpc, heads_of(anvil), aggregator.address, 3)
    assert await tracker.poll(None) is None

    await configure(aggregator)
    assert await tracker.poll(None) is None
    await anvil.rpc.call("anvil_mine", hex(2))
    found = await tracker.poll(None)
    assert found is not None
    assert COMMITTEE.contract_config.encoded == found.config.encoded
    assert COMMITTEE.contract_config.signers == found.config.signers
    assert aggregator.address == found.config.contract
    assert await tracker.poll(found.config.digest()) is None

    await configure(aggregator)
    await anvil.rpc.call("anvil_mine", hex(2))
    second = await tracker.poll(found.config.digest())
    assert second is not None
    assert 2 == second.config.config_count
    assert second.block > found.block


async def test_reader(anvil: Anvil, aggregator: Aggregator, database: Database) -> None:
    """The reader gives the contract's details, and the newest request for a round, also after the chain was rewound."""
    heads = heads_of(anvil)
    reader = AggregatorReader(anvil.rpc, heads, aggregator.address, SystemClock(), ContractStateStore(database))
    await configure(aggregator)
    details = await reader.latest_transmission_details()
    told = await anvil.rpc.eth_call(aggregator.address, calls.LATEST_CONFIG_DETAILS.selector)
    digest = calls.decode_config_details(told).config_digest
    assert (digest, 0, 0, 0, 0) == (
        details.config_digest,
        details.epoch,
        details.round,
        details.answer,
        details.timestamp_s,
    )

    snapshot = await anvil.rpc.call("evm_snapshot")
    assert await reader.latest_round_requested() is None
    await aggregator.request_round()
    await heads.poll()
    requested = await reader.latest_round_requested()
    assert requested is not None
    assert (digest, 0, 0) == (requested.config_digest, requested.epoch, requested.round)

    await anvil.rpc.call("evm_revert", snapshot)
    await heads.poll()
    assert 1 == heads.rewinds
    assert await reader.latest_round_requested() is None


async def test_not_a_contract(anvil: Anvil) -> None:
    """An address without the contract is an error, not a configuration."""
    tracker = ConfigTracker(anvil.rpc, heads_of(anvil), "0x" + "11" * 20, 1)

    with pytest.raises(Malformed):
        await tracker.poll(None)


async def test_a_report_is_transmitted(
    anvil: Anvil, aggregator: Aggregator, account: Account, key: EvmKey, database: Database
) -> None:
    """A report with f+1 signatures gets through to the contract's answer, sent by our transmitter."""
    transmitters = (key.address, *COMMITTEE.transmitters[1:])
    config = replace(COMMITTEE.contract_config, contract=aggregator.address, transmitters=transmitters)
    await aggregator.configure(config.signers, config.transmitters, 1, config.encoded)
    tag = context_tag(config.digest(), 1, 1)
    report = encode_report(tag, tuple(AttributedObservation(i, value) for i, value in enumerate((100, 200, 300))))
    rs, ss, raw_vs = transmit_arguments(tuple(sign_report(keys.signing, report) for keys in COMMITTEE.keys[:2]))
    transmitter = FeedTransmitter(account, aggregator.address, 500_000)
    await transmitter.transmit(report, rs, ss, raw_vs)

    # It returns when the chain has the transaction, not when a block has it.
    async def is_answered() -> bool:
        return await aggregator.latest_round() == (1, 200)

    await until(is_answered, "the answer is the median")
    assert [(key.address, bytes((0, 1, 2)))] == await aggregator.transmissions()
    details = await AggregatorReader(
        anvil.rpc, heads_of(anvil), aggregator.address, SystemClock(), ContractStateStore(database)
    ).latest_transmission_details()
    assert (1, 1, 200) == (details.epoch, details.round, details.answer)


def test_transmit_calldata_is_tight() -> None:
    """The calldata has exactly the length that the contract computes."""
    report, words = bytes(128 + 3 * 32), [bytes(32)] * 2
    data = calls.transmit_calldata(report, words, words, bytes(32))

    assert "c9807539" == data[:4].hex()
    assert 4 + 7 * 32 + len(report) + 64 * 2 == len(data)
