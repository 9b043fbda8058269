"""The account against a real chain that mines when it is told to."""

import asyncio
from dataclasses import replace

import aiohttp
import pytest

from chainlink.contract.aggregator import transmit_calldata
from chainlink.keys.evm import EvmKey
from chainlink.rpc.client import RpcClient
from chainlink.rpc.endpoints import Endpoint
from chainlink.rpc.errors import RpcUnavailable
from chainlink.rpc.transaction import UnsignedTransaction
from meshkit.clock import ManualClock, SystemClock
from services.oracle.chain.errors import Superseded, Unfunded
from services.oracle.chain.heads import HeadTracker
from services.oracle.chain.transactions.account import Account
from services.oracle.chain.transactions.kept_transactions import TransactionState
from services.oracle.chain.transactions.transaction_news import TransactionMoment, TransactionNews
from services.oracle.chain.transmitter import FeedTransmitter
from services.oracle.ocr.report import AttributedObservation, encode_report
from services.oracle.store.database import Database
from services.oracle.store.transactions import TransactionLog, TransactionStore
from tests.oracle.anvil import CHAIN_ID, Aggregator, Anvil
from tests.oracle.chain.conftest import settings_with
from tests.oracle.chain.proxy import Proxy
from tests.waiting import until

SINK = "0x" + "33" * 20
GWEI = 10**9
WORDS = ((b"r" * 32,), (b"s" * 32,), bytes(32))


async def mine(anvil: Anvil, heads: HeadTracker, blocks: int = 1, base_fee_wei: int | None = None) -> None:
    """Make blocks one by one, and tell the node of each."""
    for _ in range(blocks):
        if base_fee_wei is not None:
            await anvil.rpc.call("anvil_setNextBlockBaseFeePerGas", hex(base_fee_wei))
        await anvil.rpc.call("evm_mine")
        await heads.poll()


async def mine_until(
    end: asyncio.Future[TransactionState], anvil: Anvil, heads: HeadTracker, base_fee_wei: int | None = None
) -> None:
    """Make block after block until a transaction has ended, so slowly that the node can follow."""
    while not end.done():
        await mine(anvil, heads, 1, base_fee_wei)
        await asyncio.wait({end}, timeout=0.3)


async def hold_back(anvil: Anvil) -> None:
    """Have no block made by itself."""
    await anvil.rpc.call("evm_setAutomine", False)


async def nonce_of(anvil: Anvil, address: str) -> int:
    """Return how many transactions of an address are in blocks."""
    return await anvil.rpc.number("eth_getTransactionCount", address, "latest")


async def test_nonces(anvil: Anvil, heads: HeadTracker, account: Account) -> None:
    """Transactions sent at once get nonces in a row, and after a rewind the chain's count decides again."""
    snapshot = await anvil.rpc.call("evm_snapshot")
    await heads.poll()
    await hold_back(anvil)
    ends = await asyncio.gather(*(account.send(SINK, bytes([i]), 100_000) for i in range(5)))
    await anvil.rpc.call("evm_setAutomine", True)
    await mine(anvil, heads)
    assert ["confirmed"] * 5 == await asyncio.gather(*ends)
    assert 5 == await nonce_of(anvil, account.address)

    assert await anvil.rpc.call("evm_revert", snapshot)
    await heads.poll()
    assert "confirmed" == await (await account.send(SINK, b"again", 100_000))
    assert {"sent": 6, "confirmed": 6} == {name: account.counters[name] for name in ("sent", "confirmed")}


async def test_a_forgotten_transaction(anvil: Anvil, account: Account) -> None:
    """A transaction that the chain forgot is sent again and ends in a block."""
    await hold_back(anvil)
    end = await account.send(SINK, b"lost", 100_000)
    await anvil.rpc.call("anvil_dropAllTransactions")
    await anvil.rpc.call("evm_setAutomine", True)

    assert "confirmed" == await end
    assert account.counters["resent"] >= 1


async def test_resuming(
    anvil: Anvil, heads: HeadTracker, key: EvmKey, account: Account, transactions: TransactionStore
) -> None:
    """What was under way when the node ended goes out as it is and is followed to its end by the next one."""
    await hold_back(anvil)
    await account.send(SINK, b"report", 100_000)
    (before,) = await transactions.under_way(key.address)
    await account.close()
    await anvil.rpc.call("anvil_dropAllTransactions")

    successor = Account(key, anvil.rpc, heads, settings_with(), transactions, SystemClock())
    await successor.resume()
    await until(lambda: successor.counters["resent"] > 0, "the transaction was sent once more")
    await mine(anvil, heads)

    await until(lambda: successor.counters["confirmed"] == 1, "the transaction is settled")
    assert [] == await transactions.under_way(key.address)
    assert (await anvil.rpc.call("eth_getTransactionByHash", before.last.hash))["nonce"] == "0x0"
    await successor.close()


async def test_a_report_gets_no_second_nonce(
    http: aiohttp.ClientSession, anvil: Anvil, heads: HeadTracker, key: EvmKey, transactions: TransactionStore
) -> None:
    """A node that dies between sending and the answer sends the same bytes again, whoever asks for the report."""
    line = Proxy(anvil.port)
    await line.mend()
    rpc = RpcClient(http, [Endpoint("line", line.url)], CHAIN_ID, timeout_s=0.3)
    await rpc.number("eth_chainId")
    await hold_back(anvil)
    doomed = Account(key, rpc, heads, settings_with(), transactions, SystemClock())
    await doomed.send(SINK, b"first", 100_000)
    line.mute()
    await FeedTransmitter(doomed, "0x" + "44" * 20, 100_000).transmit(bytes(224), *WORDS)
    await doomed.close()
    await line.cut()

    successor = Account(key, anvil.rpc, heads, settings_with(), transactions, SystemClock())
    await successor.resume()
    await FeedTransmitter(successor, "0x" + "44" * 20, 100_000).transmit(bytes(224), *WORDS)
    await until(lambda: successor.counters["resent"] >= 2, "both were sent once more")
    await mine(anvil, heads)
    await until(lambda: successor.counters["confirmed"] == 2, "both are in a block")

    assert 0 == successor.counters["sent"]
    assert 2 == await nonce_of(anvil, key.address)
    await successor.close()


async def test_the_newest_report_wins(anvil: Anvil, heads: HeadTracker, account: Account) -> None:
    """While one transaction is under way only the newest of the waiting reports is sent after it."""
    await hold_back(anvil)
    transmitter = FeedTransmitter(account, "0x" + "44" * 20, 100_000)
    await transmitter.transmit(bytes(224), *WORDS)
    waiting = [asyncio.create_task(transmitter.transmit(bytes([i]) * 224, *WORDS)) for i in (1, 2, 3)]
    await asyncio.sleep(0)
    await anvil.rpc.call("evm_setAutomine", True)
    await mine(anvil, heads)
    results = await asyncio.gather(*waiting, return_exceptions=True)

    assert [Superseded, Superseded, type(None)] == [type(result) for result in results]
    assert 2 == account.counters["sent"]


async def test_bumping_until_a_block_takes_it(
    http: aiohttp.ClientSession, key: EvmKey, database: Database, transactions: TransactionStore
) -> None:
    """With each threshold of blocks the price rises under the same nonce, until it is above the base fee."""
    anvil = Anvil(http, None, base_fee_wei=GWEI)
    await anvil.start()
    await anvil.fund(key.address)
    heads = HeadTracker(anvil.rpc, SystemClock(), 1.0)
    await heads.poll()
    settings = settings_with(PriceDefault="2 gwei", BumpThreshold=2, BumpPercent=50, BumpMin="1 wei")
    account = Account(key, anvil.rpc, heads, settings, transactions, SystemClock())
    await hold_back(anvil)
    end = await account.send(SINK, b"report", 100_000)
    try:
        await mine_until(end, anvil, heads, 4 * GWEI)
        assert "confirmed" == await end
        ((sent,), _) = await TransactionLog(database).transactions(0, 10)
        assert ("confirmed", 0, 45 * GWEI // 10) == (sent.state, sent.nonce, sent.price_wei)
        assert 2 == account.counters["bumped"]
    finally:
        await account.close()
        await anvil.stop()


async def test_dynamic_fees_and_the_limit(
    http: aiohttp.ClientSession, key: EvmKey, database: Database, transactions: TransactionStore
) -> None:
    """A transaction with a tip goes through; at PriceMax it is not bumped but sent again, and told."""
    anvil = Anvil(http, None, base_fee_wei=GWEI)
    await anvil.start()
    await anvil.fund(key.address)
    heads = HeadTracker(anvil.rpc, SystemClock(), 1.0)
    settings = settings_with(
        Mode="BlockHistory", EIP1559DynamicFees=True, PriceMax="3 gwei", BumpThreshold=1, TipCapDefault="1 gwei"
    )
    account = Account(key, anvil.rpc, heads, settings, transactions, SystemClock())
    try:
        await heads.poll()
        await hold_back(anvil)
        end = await account.send(SINK, b"report", 100_000)
        await mine(anvil, heads, 1, base_fee_wei=5 * GWEI)
        await until(lambda: account.counters["bumped"] + account.counters["bump_limit"] == 1, "it is bumped")
        await mine(anvil, heads, 1, base_fee_wei=5 * GWEI)
        await until(lambda: account.counters["bump_limit"] == 1, "the limit is told")
        await mine_until(end, anvil, heads, GWEI)
        assert "confirmed" == await end
        ((sent,), _) = await TransactionLog(database).transactions(0, 10)
        transaction = await anvil.rpc.call("eth_getTransactionByHash", sent.hash)
        assert ("0x2", "0x0") == (transaction["type"], transaction["nonce"])
        assert int(transaction["maxFeePerGas"], 16) <= 3 * GWEI
    finally:
        await account.close()
        await anvil.stop()


async def steal(anvil: Anvil, key: EvmKey, nonce: int) -> None:
    """Send a dear transaction with the account's key, as another program would."""
    raw = UnsignedTransaction(CHAIN_ID, nonce, 50 * GWEI, 30_000, SINK).sign(key.private_key)
    await anvil.rpc.call("eth_sendRawTransaction", "0x" + raw.hex())


class PausingClock(ManualClock):
    """A clock that stands still, and counts who waits for it: an account does so after each look at the chain."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses = 0

    async def sleep(self, seconds: float) -> None:
        self.pauses += 1
        await super().sleep(seconds)


@pytest.mark.parametrize("was_seen", [False, True])
async def test_a_nonce_that_others_took(
    anvil: Anvil, heads: HeadTracker, key: EvmKey, transactions: TransactionStore, was_seen: bool
) -> None:
    """
    A nonce that a stranger with the same key took is passed over; the report is sent under the next, once.

    If the account looked at the chain since, it knows; else the chain's refusal tells it.
    """
    clock = PausingClock()
    account = Account(key, anvil.rpc, heads, settings_with(), transactions, clock)
    await hold_back(anvil)
    await account.send(SINK, b"first", 100_000)
    await until(lambda: clock.pauses == 1, "the account has looked at the chain")
    await steal(anvil, key, 1)
    if was_seen:
        clock.advance(1)
        await until(lambda: clock.pauses == 2, "the account has looked again")
    end = await account.send(SINK, b"second", 100_000)
    await mine_until(end, anvil, heads)

    assert "confirmed" == await end
    assert 3 == await nonce_of(anvil, account.address)
    assert (not was_seen) == account.counters["nonce_taken"]
    await account.close()


async def test_a_stranger_that_vanished(anvil: Anvil, heads: HeadTracker, key: EvmKey, account: Account) -> None:
    """If the stranger's transaction is gone, ours behind it is given up, and the next one fills the gap."""
    await hold_back(anvil)
    await steal(anvil, key, 0)
    end = await account.send(SINK, b"first", 100_000)
    await anvil.rpc.call("anvil_dropAllTransactions")
    for _ in range(5):
        await mine(anvil, heads)
        await asyncio.sleep(0)
    assert "lost" == await end

    await anvil.rpc.call("evm_setAutomine", True)
    assert "confirmed" == await (await account.send(SINK, b"second", 100_000))
    assert 0 < await nonce_of(anvil, account.address)


async def test_a_transaction_that_was_replaced(anvil: Anvil, heads: HeadTracker, key: EvmKey, account: Account) -> None:
    """A transaction whose nonce a block gave to a stranger is lost, and told so, and the next one goes out."""
    await hold_back(anvil)
    end = await account.send(SINK, b"first", 100_000)
    await steal(anvil, key, 0)
    await mine(anvil, heads)

    assert "lost" == await end
    await anvil.rpc.call("evm_setAutomine", True)
    assert "confirmed" == await (await account.send(SINK, b"second", 100_000))


async def test_a_nonce_out_of_reach(
    anvil: Anvil, heads: HeadTracker, key: EvmKey, account: Account, transactions: TransactionStore
) -> None:
    """A transaction whose nonce no block can reach, as after the chain began anew, is given up; others go out."""
    await hold_back(anvil)
    await account.send(SINK, b"first", 100_000)
    (held,) = await transactions.under_way(key.address)
    await account.close()
    await transactions.drop(held)
    await transactions.begin(key.address, replace(held, nonce=7))
    await anvil.rpc.call("anvil_dropAllTransactions")
    await anvil.rpc.call("evm_setAutomine", True)

    successor = Account(key, anvil.rpc, heads, settings_with(), transactions, SystemClock())
    await successor.resume()
    await until(lambda: successor.counters["resent"] + successor.counters["lost"] > 0)
    assert "confirmed" == await (await successor.send(SINK, b"second", 100_000))
    await until(lambda: successor.counters["lost"] + successor.counters["confirmed"] == 2, "all have ended")
    await successor.close()


async def test_without_money(anvil: Anvil, account: Account, transactions: TransactionStore) -> None:
    """An account that cannot pay says so, keeps nothing, and transmits again as soon as it can."""
    await anvil.rpc.call("anvil_setBalance", account.address, "0x1")
    with pytest.raises(Unfunded, match="cannot pay"):
        await account.send(SINK, b"report", 100_000)
    assert "nsufficient funds" in account.unfunded
    assert 1 == account.counters["unfunded"]
    assert [] == await transactions.under_way(account.address)

    await anvil.fund(account.address)
    assert "confirmed" == await (await account.send(SINK, b"report", 100_000))
    assert "" == account.unfunded


async def test_without_a_chain(
    http: aiohttp.ClientSession, anvil: Anvil, heads: HeadTracker, key: EvmKey, transactions: TransactionStore
) -> None:
    """When no endpoint is reached the report is refused at once, and its nonce is free."""
    line = Proxy(anvil.port)
    await line.mend()
    rpc = RpcClient(http, [Endpoint("line", line.url)], CHAIN_ID, timeout_s=1)
    account = Account(key, rpc, heads, settings_with(), transactions, SystemClock())
    await hold_back(anvil)
    await account.send(SINK, b"first", 100_000)
    await line.cut()
    with pytest.raises(RpcUnavailable):
        await account.send(SINK, b"second", 100_000)
    assert [0] == [flight.nonce for flight in await transactions.under_way(key.address)]

    await line.mend()
    await anvil.rpc.call("evm_setAutomine", True)
    await mine(anvil, heads)
    assert "confirmed" == await (await account.send(SINK, b"third", 100_000))
    assert 2 == await nonce_of(anvil, key.address)
    await account.close()
    await line.cut()


async def test_only_so_many_at_once(
    anvil: Anvil, heads: HeadTracker, key: EvmKey, transactions: TransactionStore
) -> None:
    """With MaxInFlight transactions under way the next one waits for a block."""
    settings = replace(settings_with(), transactions=replace(settings_with().transactions, max_in_flight=2))
    account = Account(key, anvil.rpc, heads, settings, transactions, SystemClock())
    await hold_back(anvil)
    sends = [asyncio.create_task(account.send(SINK, bytes([i]), 100_000)) for i in range(3)]
    await until(lambda: account.counters["sent"] == 2)
    await heads.poll()
    assert 2 == await anvil.rpc.number("eth_getTransactionCount", account.address, "pending")
    await mine(anvil, heads)
    await until(lambda: account.counters["sent"] == 3)
    await mine(anvil, heads)

    assert ["confirmed"] * 3 == await asyncio.gather(*await asyncio.gather(*sends))
    await account.close()


async def test_why_a_contract_reverted_is_told(
    anvil: Anvil, heads: HeadTracker, key: EvmKey, transactions: TransactionStore
) -> None:
    """A report of a configuration that the contract does not have costs its gas, and its words on that are told."""
    aggregator = await Aggregator.deploy(anvil)
    told: list[TransactionNews] = []
    account = Account(key, anvil.rpc, heads, settings_with(), transactions, SystemClock(), told.append)
    report = encode_report(b"\1" * 32, [AttributedObservation(0, 5)])

    end = await account.send(aggregator.address, transmit_calldata(report, *WORDS), 500_000)
    await mine_until(end, anvil, heads)
    await account.close()

    assert "reverted" == await end
    assert [TransactionMoment.HANDED_OVER, TransactionMoment.REVERTED] == [news.moment for news in told]
    assert ["", "execution reverted: configDigest mismatch"] == [news.reason for news in told]
