"""The account behind endpoints that misbehave as those of the field do."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
import rlp  # type: ignore[import-untyped]  # it has no annotations

from chainlink.keys.evm import EvmKey
from chainlink.rpc.client import RpcClient
from chainlink.rpc.endpoints import Endpoint
from chainlink.rpc.errors import RpcRefused
from meshkit.clock import SystemClock
from services.oracle.chain.heads import HeadTracker
from services.oracle.chain.settings import EvmSettings
from services.oracle.chain.transactions.account import Account
from services.oracle.store.transactions import TransactionStore
from tests.chainlink.rpc.misbehaving import (
    LaggingNode,
    MisbehavingRpc,
    gas_floor,
    price_of,
    refusing_sends,
    swallowing_sends,
)
from tests.oracle.anvil import CHAIN_ID, Anvil
from tests.oracle.chain.conftest import settings_with
from tests.waiting import until

pytestmark = pytest.mark.long(35)

SINK = "0x" + "33" * 20
# What deployments on cheap chains have.
CHEAP = {"PriceDefault": "1 wei", "PriceMin": "1 wei", "PriceMax": "1000 gwei", "BumpMin": "100 wei"}


@pytest.fixture(name="proxy")
async def _proxy(http: aiohttp.ClientSession, anvil: Anvil) -> AsyncIterator[MisbehavingRpc]:
    """Give a proxy before the chain that behaves until it is told otherwise."""
    async with MisbehavingRpc(anvil.url, http).running() as proxy:
        yield proxy


class Bench:
    """Make accounts of one key behind the proxy, and look at the chain itself."""

    def __init__(
        self, proxy: MisbehavingRpc, http: aiohttp.ClientSession, anvil: Anvil, key: EvmKey, store: TransactionStore
    ) -> None:
        self.anvil = anvil
        self.key = key
        self.rpc = RpcClient(http, [Endpoint("proxy", proxy.url)], CHAIN_ID)
        self.heads = HeadTracker(self.rpc, SystemClock(), 1.0)
        self._store = store
        self._made: list[Account] = []

    def account(self, settings: EvmSettings | None = None) -> Account:
        """Return an account with these settings."""
        settings = settings or settings_with(**CHEAP)
        account = Account(self.key, self.rpc, self.heads, settings, self._store, SystemClock())
        self._made.append(account)
        return account

    async def mine(self, blocks: int = 1) -> None:
        """Make blocks, and tell the node of each."""
        for _ in range(blocks):
            await self.anvil.rpc.call("evm_mine")
            await self.heads.poll()

    async def sent(self) -> list[bytes]:
        """Return the data of what blocks have of the key, in the order of its nonces."""
        count = await self.anvil.rpc.number("eth_getTransactionCount", self.key.address, "latest")
        found: dict[int, bytes] = {}
        for number in range(await self.anvil.rpc.number("eth_blockNumber") + 1):
            block = await self.anvil.rpc.call("eth_getBlockByNumber", hex(number), True)
            for transaction in block["transactions"]:
                if transaction["from"] == self.key.address.lower():
                    found[int(transaction["nonce"], 16)] = bytes.fromhex(transaction["input"][2:])
        assert set(range(count)) == set(found)
        return [found[nonce] for nonce in range(count)]

    async def close(self) -> None:
        """Stop every account."""
        await asyncio.gather(*(account.close() for account in self._made))


@pytest.fixture(name="bench")
async def _bench(
    proxy: MisbehavingRpc, http: aiohttp.ClientSession, anvil: Anvil, key: EvmKey, transactions: TransactionStore
) -> AsyncIterator[Bench]:
    """Give accounts behind the proxy."""
    bench = Bench(proxy, http, anvil, key, transactions)
    yield bench
    await bench.close()


async def test_a_floor_of_the_pool_is_learnt(bench: Bench, proxy: MisbehavingRpc) -> None:
    """A pool that names its least price is offered just that, by the next transaction from the start."""
    proxy.rules = [gas_floor(1_000_000)]
    account = bench.account()
    for report in (b"first", b"second"):
        assert "confirmed" == await (await account.send(SINK, report, 100_000))

    assert [1, 1_000_000, 1_000_000] == [price_of(raw) for raw in proxy.sent]
    assert (1, "") == (account.counters["underpriced"], account.trouble)


async def test_a_floor_above_the_limit_is_told(bench: Bench, proxy: MisbehavingRpc) -> None:
    """Where PriceMax is below the pool's least price nothing is sent, and it is told until the pool takes it again."""
    proxy.rules = [gas_floor(1_000_000)]
    account = bench.account(settings_with(**CHEAP | {"PriceMax": "999999 wei"}))
    with pytest.raises(RpcRefused, match="minimum needed 1000000"):
        await account.send(SINK, b"report", 100_000)
    assert "minimum needed 1000000" in account.trouble
    assert "PriceMax is 999999 wei" in account.trouble
    assert 1 == account.counters["floor_above_limit"]
    assert max(price_of(raw) for raw in proxy.sent) <= 999_999

    proxy.rules = []
    assert "confirmed" == await (await account.send(SINK, b"report", 100_000))
    assert "" == account.trouble


async def test_a_floor_that_is_not_named(bench: Bench, proxy: MisbehavingRpc) -> None:
    """A pool that does not say what it wants is offered more and more until it takes it."""
    proxy.rules = [gas_floor(10**9 + 1, "transaction underpriced")]
    account = bench.account(settings_with(**CHEAP | {"PriceMax": "100 gwei"}))
    assert "confirmed" == await (await account.send(SINK, b"report", 100_000))
    offers = [price_of(raw) for raw in proxy.sent]

    assert sorted(offers) == offers
    assert 10**9 < offers[-1] <= 100 * 10**9


async def test_a_base_fee_above_the_price(bench: Bench, proxy: MisbehavingRpc) -> None:
    """A transaction that cannot pay the base fee is offered for that and the eighth by which it may rise."""
    words = "max fee per gas less than block base fee: address 0x12, maxFeePerGas: 1, baseFee: 8000"
    proxy.rules = [refusing_sends(words)]
    account = bench.account()
    for report in (b"first", b"second"):
        assert "confirmed" == await (await account.send(SINK, report, 100_000))

    # A base fee is no floor: the next transaction begins as configured.
    assert [1, 9000, 1] == [price_of(raw) for raw in proxy.sent]


async def test_a_floor_that_rises_while_one_waits(bench: Bench, proxy: MisbehavingRpc) -> None:
    """A transaction that the pools forgot and then find too cheap is offered at their price, under its nonce."""
    await bench.anvil.rpc.call("evm_setAutomine", False)
    proxy.rules = [swallowing_sends(1), gas_floor(1_000_000)]
    account = bench.account()
    end = await account.send(SINK, b"report", 100_000)
    await until(lambda: len(proxy.sent) >= 3, "it was sent again, refused, and offered for more")
    await bench.mine()

    assert "confirmed" == await end
    assert [b"report"] == await bench.sent()
    assert [1, 1, 1_000_000] == [price_of(raw) for raw in proxy.sent][:3]


async def test_transactions_that_are_dropped_after_a_hash(bench: Bench, proxy: MisbehavingRpc) -> None:
    """A transaction that an endpoint takes and forgets is handed over again, as it is, until a block has it."""
    proxy.rules = [swallowing_sends(2)]
    account = bench.account()
    assert "confirmed" == await (await account.send(SINK, b"report", 100_000))

    assert 1 == len(set(proxy.sent))
    assert 3 <= len(proxy.sent)


@pytest.mark.parametrize("seed", range(2))
async def test_a_node_that_is_behind(bench: Bench, proxy: MisbehavingRpc, seed: int) -> None:
    """
    Behind one URL a node that is eight blocks behind loses, doubles and gives up nothing.

    It tells old nonces and takes transactions that nobody else sees; the process is restarted in between as well.
    """
    account, reports = bench.account(), [b"report %d" % number for number in range(8)]
    for number, report in enumerate(reports):
        if number == 3:
            proxy.rules = [LaggingNode(blocks=8, seed=seed)]
        if number == 6:
            await account.close()
            account = bench.account()
            await account.resume()
        end = await account.send(SINK, report, 100_000)
        while not end.done():
            await bench.mine()
            await asyncio.wait({end}, timeout=0.2)
        assert "confirmed" == end.result()

    assert reports == await bench.sent()
    assert 0 == account.counters["lost"]


async def test_a_start_without_memory_behind_a_node_that_is_behind(bench: Bench, proxy: MisbehavingRpc) -> None:
    """Without any memory the highest of several answers, and the words of the pool, tell which nonce is next."""
    other = bench.account()
    for number in range(5):
        assert "confirmed" == await (await other.send(SINK, b"%d" % number, 100_000))
    await other.close()
    # The memory of the node is gone: only what the endpoints say is left.
    account = bench.account()
    proxy.rules = [LaggingNode(blocks=8)]
    end = await account.send(SINK, b"report", 100_000)
    while not end.done():
        await bench.mine()
        await asyncio.wait({end}, timeout=0.2)

    assert "confirmed" == end.result()
    assert b"report" == (await bench.sent())[-1]


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_reorganisation_of_the_same_height(bench: Bench, restarted: bool) -> None:
    """A block that is replaced by one without our transaction leaves no gap: the same bytes fill it."""
    account = bench.account()
    await bench.heads.poll()
    assert "confirmed" == await (await account.send(SINK, b"zeroth", 100_000))
    snapshot = await bench.anvil.rpc.call("evm_snapshot")
    assert "confirmed" == await (await account.send(SINK, b"first", 100_000))
    height = await bench.heads.poll()
    if restarted:
        await account.close()
    assert await bench.anvil.rpc.call("evm_revert", snapshot)
    await bench.anvil.rpc.call("evm_mine")
    assert height == await bench.heads.poll()
    assert [b"zeroth"] == await bench.sent()

    if restarted:
        account = bench.account()
        await account.resume()
    end = await account.send(SINK, b"second", 100_000)

    async def arrived() -> bool:
        await bench.mine()
        return end.done()

    await until(arrived, "the second transaction is in a block")
    assert "confirmed" == end.result()
    assert [b"zeroth", b"first", b"second"] == await bench.sent()
    assert account.counters["refilled"] >= 1
    assert 0 == account.counters["lost"]


@pytest.mark.parametrize(
    "words",
    [
        "already known",
        "ALREADY_EXISTS: already known",
        "INTERNAL_ERROR: existing tx with same hash",
        "AlreadyKnown",
        "Known transaction",
        "transaction already imported",
    ],
)
async def test_a_transaction_that_is_known(bench: Bench, proxy: MisbehavingRpc, words: str) -> None:
    """A pool that has the transaction already, in the words of any client, has it: it is followed, not signed anew."""
    proxy.rules = [refusing_sends(words)]
    account = bench.account()
    end = await account.send(SINK, b"report", 100_000)
    assert 1 == account.counters["sent"]
    assert "confirmed" == await end
    assert 1 == len(set(proxy.sent))


@pytest.mark.parametrize(
    ("words", "nonces"),
    [
        ("nonce too low: next nonce 2, tx nonce 0", [0, 2]),
        ("nonce too low: address 0x12, tx: 0 state: 2", [0, 2]),
        ("OldNonce, Current nonce: 2, nonce of rejected tx: 0", [0, 2]),
        ("nonce too low", [0, 1]),
        ("replacement transaction underpriced", [0, 1]),
        ("INTERNAL_ERROR: could not replace existing tx", [0, 1]),
    ],
)
async def test_a_nonce_that_is_taken(bench: Bench, proxy: MisbehavingRpc, words: str, nonces: list[int]) -> None:
    """A nonce that is taken, in the words of any client, is passed over, to the one that is told where one is."""
    proxy.rules = [refusing_sends(words)]
    account = bench.account()
    await account.send(SINK, b"report", 100_000)

    assert nonces == [nonce_of(raw) for raw in proxy.sent]


def nonce_of(raw: bytes) -> int:
    """Return the nonce of a signed transaction of the old form."""
    fields = rlp.decode(raw)
    return int.from_bytes(fields[0], "big")
