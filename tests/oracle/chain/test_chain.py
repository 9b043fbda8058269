"""Tracker, reader and transmitter against a real chain."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web
from eth_account import Account as EthAccount

from meshkit.clock import SystemClock
from services.oracle.chain import aggregator as calls
from services.oracle.chain.account import Account
from services.oracle.chain.errors import Malformed, RpcRefused, Superseded
from services.oracle.chain.heads import HeadTracker
from services.oracle.chain.reader import AggregatorReader
from services.oracle.chain.rpc import RpcClient
from services.oracle.chain.tracker import ConfigTracker
from services.oracle.chain.transaction import LegacyTransaction, transaction_hash
from services.oracle.chain.transmitter import FeedTransmitter
from services.oracle.errors import RpcUnavailable
from services.oracle.keys.evm import EvmKey
from services.oracle.ocr.crypto import sign_report
from services.oracle.ocr.report import AttributedObservation, context_tag, encode_report, transmit_arguments
from services.oracle.settings import EvmSettings
from services.oracle.store.database import Database
from services.oracle.store.transactions import TransactionStore
from tests.oracle.anvil import CHAIN_ID, Aggregator, Anvil
from tests.oracle.ocr.committee import Committee, make_committee
from tests.oracle.ports import eventually, free_port

COMMITTEE = make_committee()
SETTINGS = EvmSettings.model_validate(
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


@pytest.fixture(name="key")
async def _key(anvil: Anvil) -> EvmKey:
    """Give a funded key."""
    key = EvmKey.generate()
    await anvil.fund(key.address)
    return key


@pytest.fixture(name="account")
async def _account(anvil: Anvil, key: EvmKey, database: Database) -> AsyncIterator[Account]:
    """Give an account on the chain."""
    account = Account(key, anvil.rpc, SETTINGS, TransactionStore(database, CHAIN_ID), SystemClock())
    yield account
    await account.close()


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


async def test_reader(anvil: Anvil, aggregator: Aggregator) -> None:
    """The reader gives the contract's details, and the newest request for a round, also after the chain was rewound."""
    heads = heads_of(anvil)
    reader = AggregatorReader(anvil.rpc, heads, aggregator.address)
    await configure(aggregator)
    details = await reader.latest_transmission_details()
    digest = calls.decode_config_details(await anvil.rpc.eth_call(aggregator.address, calls.LATEST_CONFIG_DETAILS))[1]
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


def test_transactions_are_signed_as_eth_account_does() -> None:
    """Our signed bytes are those of the field's common library, for large and small chain ids."""
    key = bytes(range(1, 33))
    for chain_id in (1337, 204, 2**40):
        for nonce, data in ((0, b""), (300, bytes(1000))):
            mine = LegacyTransaction(nonce, 10**9, 500_000, "0x" + "22" * 20, data, chain_id).sign(key)
            theirs = EthAccount.sign_transaction(
                {
                    "nonce": nonce,
                    "gasPrice": 10**9,
                    "gas": 500_000,
                    "to": "0x" + "22" * 20,
                    "value": 0,
                    "data": data,
                    "chainId": chain_id,
                },
                key,
            )
            assert bytes(theirs.raw_transaction) == mine
            assert "0x" + bytes(theirs.hash).hex() == transaction_hash(mine)


async def test_a_report_is_transmitted(anvil: Anvil, aggregator: Aggregator, account: Account, key: EvmKey) -> None:
    """A report with f+1 signatures gets through to the contract's answer, sent by our transmitter."""
    transmitters = (key.address, *COMMITTEE.transmitters[1:])
    config = replace(COMMITTEE.contract_config, contract=aggregator.address, transmitters=transmitters)
    await aggregator.configure(config.signers, config.transmitters, 1, config.encoded)
    tag = context_tag(config.digest(), 1, 1)
    report = encode_report(tag, tuple(AttributedObservation(i, value) for i, value in enumerate((100, 200, 300))))
    rs, ss, raw_vs = transmit_arguments(tuple(sign_report(keys.signing, report) for keys in COMMITTEE.keys[:2]))
    transmitter = FeedTransmitter(account, aggregator.address, 500_000)
    await transmitter.transmit(report, rs, ss, raw_vs)

    assert (1, 200) == await aggregator.latest_round()
    assert [(key.address, bytes((0, 1, 2)))] == await aggregator.transmissions()
    details = await AggregatorReader(anvil.rpc, heads_of(anvil), aggregator.address).latest_transmission_details()
    assert (1, 1, 200) == (details.epoch, details.round, details.answer)


async def test_nonces(anvil: Anvil, account: Account) -> None:
    """Transactions sent at once get nonces in a row, and after a rewind the chain's count decides again."""
    snapshot = await anvil.rpc.call("evm_snapshot")
    await anvil.rpc.call("evm_setAutomine", False)
    followers = await asyncio.gather(*(account.send("0x" + "33" * 20, os.urandom(4), 100_000) for _ in range(5)))
    await anvil.rpc.call("evm_setAutomine", True)
    await anvil.rpc.call("evm_mine")
    await asyncio.gather(*followers)
    assert {"sent": 5, "confirmed": 5} == dict(account.counters)
    assert 5 == await anvil.rpc.number("eth_getTransactionCount", account.address, "latest")

    assert await anvil.rpc.call("evm_revert", snapshot)
    await (await account.send("0x" + "33" * 20, b"again", 100_000))
    assert 6 == account.counters["confirmed"]


async def test_a_lost_transaction(anvil: Anvil, account: Account) -> None:
    """A transaction that the chain forgot is sent again and ends in a block."""
    await anvil.rpc.call("evm_setAutomine", False)
    follower = await account.send("0x" + "33" * 20, b"lost", 100_000)
    await anvil.rpc.call("anvil_dropAllTransactions")
    await anvil.rpc.call("evm_setAutomine", True)
    await follower

    assert 1 == account.counters["confirmed"]


async def test_resuming(anvil: Anvil, key: EvmKey, account: Account, database: Database) -> None:
    """What was under way when the node ended is followed to its end by the next one."""
    await anvil.rpc.call("evm_setAutomine", False)
    await account.send("0x" + "33" * 20, b"", 100_000)
    store = TransactionStore(database, CHAIN_ID)

    async def recorded() -> bool:
        return bool(await store.unconfirmed(key.address))

    async def settled() -> bool:
        return not await store.unconfirmed(key.address)

    await eventually(recorded, 5, "the transaction is recorded")
    await account.close()
    await anvil.rpc.call("evm_mine")
    successor = Account(key, anvil.rpc, SETTINGS, store, SystemClock())
    await successor.resume()
    await eventually(settled, 10, "the transaction is settled")

    assert 1 == successor.counters["confirmed"]
    await successor.close()


async def test_the_newest_report_wins(anvil: Anvil, account: Account) -> None:
    """While one transaction is under way only the newest of the waiting reports is sent after it."""
    await anvil.rpc.call("evm_setAutomine", False)
    transmitter = FeedTransmitter(account, "0x" + "44" * 20, 100_000)
    words = ((b"r" * 32,), (b"s" * 32,), bytes(32))
    await transmitter.transmit(bytes(224), *words)
    waiting = [asyncio.create_task(transmitter.transmit(bytes(224), *words)) for _ in range(3)]
    await asyncio.sleep(0.1)
    await anvil.rpc.call("evm_setAutomine", True)
    await anvil.rpc.call("evm_mine")
    results = await asyncio.gather(*waiting, return_exceptions=True)

    assert [Superseded, Superseded, type(None)] == [type(result) for result in results]
    assert 2 == account.counters["sent"]


async def test_fail_over(http: aiohttp.ClientSession, anvil: Anvil) -> None:
    """A dead endpoint is passed over, an error of the chain is not, and with no endpoint left the call fails."""
    rpc = RpcClient(http, ["http://127.0.0.1:1", anvil.url])
    assert CHAIN_ID == await rpc.number("eth_chainId")
    with pytest.raises(RpcRefused, match="eth_nonsense"):
        await rpc.call("eth_nonsense")
    with pytest.raises(RpcUnavailable, match="endpoint 1"):
        await RpcClient(http, ["http://127.0.0.1:1"]).call("eth_chainId")


async def test_endpoints_that_compress() -> None:
    """An endpoint that compresses where it may is read by the node's session, which does not decompress."""

    async def answer(request: web.Request) -> web.Response:
        response = web.json_response({"jsonrpc": "2.0", "id": 1, "result": "0x539"})
        response.enable_compression()
        return response

    app = web.Application()
    app.router.add_post("/", answer)
    runner, port = web.AppRunner(app, access_log=None), free_port()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        assert CHAIN_ID == await RpcClient(session, [f"http://127.0.0.1:{port}"]).number("eth_chainId")
    await runner.cleanup()


def test_transmit_calldata_is_tight() -> None:
    """The calldata has exactly the length that the contract computes."""
    report, words = bytes(128 + 3 * 32), [bytes(32)] * 2
    data = calls.transmit_calldata(report, words, words, bytes(32))

    assert "c9807539" == data[:4].hex()
    assert 4 + 7 * 32 + len(report) + 64 * 2 == len(data)
