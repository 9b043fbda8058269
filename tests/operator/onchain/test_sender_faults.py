"""The operator's transactions, through endpoints that misbehave as those of the field do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import aiohttp
import pytest
from eth_account import Account
from structlog.testing import capture_logs

from chainlink.rpc.endpoints import Endpoint
from meshkit.clock import SystemClock
from meshkit.errors import MeshError
from services.operator.config import OperatorConfig
from services.operator.errors import ChainUnavailable
from services.operator.nodes.identity import oracles
from services.operator.nodes.prepare_nodes import Preparation
from services.operator.onchain import transactions
from services.operator.onchain.chain import Chain, Receipt
from services.operator.onchain.contract_setup import ContractSetup
from services.operator.onchain.known_contracts import KnownContracts
from services.operator.onchain.transactions import Sender, Transaction
from services.operator.outcome import Outcome
from tests.chainlink.rpc.misbehaving import (
    Forward,
    LaggingNode,
    MisbehavingRpc,
    always,
    gas_floor,
    http,
    price_of,
    refusal,
    refusing_sends,
    swallowing_sends,
)
from tests.operator.anvil import CHAIN_ID, FAUCET_KEY, Anvil
from tests.waiting import until

GWEI = 10**9


@pytest.fixture(name="proxy")
async def _proxy(anvil: Anvil, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MisbehavingRpc]:
    """Give a proxy before the chain that behaves until it is told otherwise; what is sent again is so soon."""
    monkeypatch.setattr(transactions, "_RESEND_S", 0.2)
    monkeypatch.setattr(transactions, "_POLL_S", 0.05)
    await anvil.call("anvil_setBalance", anvil.faucet, hex(10**24))
    async with aiohttp.ClientSession() as session, MisbehavingRpc(anvil.url, session).running() as proxy:
        yield proxy


@pytest.fixture(name="behind")
async def _behind(proxy: MisbehavingRpc) -> AsyncIterator[Chain]:
    """Give the chain as it is seen through the proxy."""
    chain = Chain([Endpoint("proxy", proxy.url)], CHAIN_ID)
    yield chain
    await chain.close()


def sender_of(chain: Chain, offered_wei: int = 2 * GWEI, most_wei: int = 1000 * GWEI, deadline_s: float = 20) -> Sender:
    """Return a sender that offers so much, and at most so much."""
    return Sender(chain, FAUCET_KEY, offered_wei, SystemClock(), deadline_s, most_gas_price_wei=most_wei)


def gift(wei: int = 1) -> Transaction:
    """Return a transfer to somebody new."""
    return Transaction("gift", str(Account.create().address), value_wei=wei, gas=21_000)


async def sent(sender: Sender, *gifts: Transaction) -> list[Receipt | MeshError]:
    """Send gifts, and return what became of them."""
    return await sender.send_all(gifts or (gift(),))


def arrived(outcomes: list[Receipt | MeshError]) -> bool:
    """Tell whether blocks have all of them."""
    return all(isinstance(outcome, Receipt) and outcome.ok for outcome in outcomes)


@pytest.mark.parametrize(
    "words",
    [
        "transaction underpriced: gas tip cap {offered}, minimum needed {floor}",
        "transaction underpriced: tip needed {floor}, tip permitted {offered}",
        "FeeTooLow, EffectivePriorityFeePerGas too low {offered} < {floor}, BaseFee: 7",
        "transaction gas price below minimum: use at least tx.gasPrice = {floor}",
    ],
)
async def test_a_floor_of_the_pool_is_learnt(proxy: MisbehavingRpc, behind: Chain, words: str) -> None:
    """A pool that names its least price is offered just that, by the next transaction from the start."""
    proxy.rules = [gas_floor(5 * GWEI, words)]
    sender = sender_of(behind)
    assert arrived(await sent(sender, gift(), gift()))
    assert [2 * GWEI, 5 * GWEI, 5 * GWEI] == [price_of(raw) for raw in proxy.sent]
    assert 5 * GWEI == sender.gas_price_wei


@pytest.mark.parametrize(
    "words", ["transaction underpriced", "gas price too low", "max fee per gas less than block base fee"]
)
async def test_a_floor_without_a_number(proxy: MisbehavingRpc, behind: Chain, words: str) -> None:
    """The chain's own suggestion is followed, and where that is too low too the offer rises step by step."""
    proxy.rules = [gas_floor(30 * GWEI, words), always("eth_gasPrice", {"result": hex(4 * GWEI)})]
    assert arrived(await sent(sender_of(behind)))
    assert [2 * GWEI, 4_500_000_000, 18 * GWEI, 72 * GWEI] == [price_of(raw) for raw in proxy.sent]


async def test_a_base_fee_is_no_floor_for_ever(proxy: MisbehavingRpc, behind: Chain) -> None:
    """A base fee is offered with room for the next block, and by this transaction only."""
    words = "max fee per gas less than block base fee: address 0x1, maxFeePerGas: 2000000000, baseFee: 8000000000"
    proxy.rules = [refusing_sends(words)]
    sender = sender_of(behind)
    assert arrived(await sent(sender, gift(), gift()))
    assert [2 * GWEI, 9 * GWEI, 2 * GWEI] == [price_of(raw) for raw in proxy.sent]


async def test_a_floor_above_the_limit_is_told_once(proxy: MisbehavingRpc, behind: Chain) -> None:
    """Where a pool wants more than may be offered nothing is sent, and that is one line; it is over when it is over."""
    proxy.rules = [gas_floor(50 * GWEI)]
    sender = sender_of(behind, most_wei=10 * GWEI)
    with capture_logs() as lines:
        for _ in range(2):
            (outcome,) = await sent(sender)
            assert isinstance(outcome, ChainUnavailable)
            assert "minimum needed 50000000000" in str(outcome)
    assert ["gas_floor_above_limit"] == [line["event"] for line in lines]
    proxy.rules = []
    assert arrived(await sent(sender))
    assert 2 * GWEI == price_of(proxy.sent[-1])


@pytest.mark.parametrize(
    "words",
    [
        "already known",
        "AlreadyKnown",
        "ALREADY_EXISTS: already known",
        "known transaction: 0xabc",
        "Transaction with the same hash was already imported.",
    ],
)
async def test_what_is_known_is_waited_for(proxy: MisbehavingRpc, behind: Chain, anvil: Anvil, words: str) -> None:
    """An endpoint that has a transaction already has taken it: it is not signed again."""

    async def taking(method: str, params: list[Any], forward: Forward) -> dict[str, Any] | None:
        if method != "eth_sendRawTransaction":
            return None
        await forward(method, params)
        return refusal(-32000, words)

    proxy.rules = [taking]
    assert arrived(await sent(sender_of(behind)))
    assert 1 == len(set(proxy.sent))


@pytest.mark.parametrize(
    "words",
    [
        "nonce too low",
        "nonce too low: next nonce {next}, tx nonce {used}",
        "nonce too low: address 0x1, tx: {used} state: {next}",
        "OldNonce, Current nonce: {next}, nonce of rejected tx: {used}",
        "replacement transaction underpriced",
        "ReplacementNotAllowed",
        "could not replace existing tx",
    ],
)
async def test_nonces_that_others_took(proxy: MisbehavingRpc, behind: Chain, words: str) -> None:
    """A nonce that another transaction has is left to it, and the next one is tried."""
    nonce = await behind.next_nonce(sender_of(behind).address)
    stale = hex(nonce - 1) if nonce else "0x0"
    if not nonce:
        assert arrived(await sent(sender_of(behind)))
        nonce = 1
    proxy.rules = [
        always("eth_getTransactionCount", {"result": stale}),
        refusing_sends(words.format(next=nonce, used=nonce - 1)),
    ]
    assert arrived(await sent(sender_of(behind)))


async def test_nonces_that_are_too_high_are_asked_anew(proxy: MisbehavingRpc, behind: Chain) -> None:
    """An endpoint that lacks the nonces before is asked which it expects."""
    proxy.rules = [refusing_sends("nonce too high")]
    assert arrived(await sent(sender_of(behind)))


@pytest.mark.parametrize(
    "broken",
    [
        http(429, "slow down", "text/plain", Retry_After="1"),
        http(200, "<html>maintenance</html>"),
        http(502, "<html>bad gateway</html>"),
        always("eth_sendRawTransaction", refusal(-32005, "daily request count exceeded")),
        always("eth_chainId", {"result": "0x38"}),
    ],
)
async def test_an_endpoint_that_does_not_answer(proxy: MisbehavingRpc, behind: Chain, broken: Any) -> None:
    """Refusals of the endpoint are errors of the chain, never of the transaction, and over when they are over."""
    await behind.check()
    proxy.rules = [broken]
    failures: list[Receipt | MeshError] = []
    with suppress(ChainUnavailable):
        await behind.check()
        failures = await sent(sender_of(behind))
    assert all(isinstance(outcome, ChainUnavailable) for outcome in failures)
    proxy.rules = []

    async def is_back() -> bool:
        try:
            await behind.check()
        except ChainUnavailable:
            return False
        return arrived(await sent(sender_of(behind)))

    await until(is_back, "the chain is back")


async def test_transactions_that_are_dropped(proxy: MisbehavingRpc, behind: Chain) -> None:
    """What an endpoint took and forgot is handed over again, all with the same bytes."""
    proxy.rules = [swallowing_sends(2)]
    assert arrived(await sent(sender_of(behind), gift(), gift()))
    assert 2 == len(set(proxy.sent))


async def test_a_transaction_that_became_too_cheap(
    proxy: MisbehavingRpc, behind: Chain, anvil: Anvil, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that waits while the chain wants more is replaced under its nonce, within the limit, and found by either."""
    monkeypatch.setattr(transactions, "_RESENDS_BEFORE_CHANGE", 2)
    proxy.rules = [always("eth_gasPrice", {"result": hex(40 * GWEI)})]
    await anvil.call("evm_setAutomine", False)
    try:
        sending = asyncio.create_task(sent(sender_of(behind, most_wei=44 * GWEI)))
        await until(lambda: len({price_of(raw) for raw in proxy.sent}) == 2, "a second price")
    finally:
        await anvil.call("evm_setAutomine", True)
        await anvil.call("evm_mine")
    assert arrived(await sending)
    assert {2 * GWEI, 44 * GWEI} == {price_of(raw) for raw in proxy.sent}


async def test_a_reorganisation_that_takes_a_transaction_away(
    proxy: MisbehavingRpc, behind: Chain, anvil: Anvil, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gap it leaves is filled with the same bytes, so that what is behind it gets on."""
    monkeypatch.setattr(transactions, "_RESENDS_BEFORE_CHANGE", 2)
    sender = sender_of(behind)
    assert arrived(await sent(sender))
    snapshot = await anvil.call("evm_snapshot")
    first = gift(5)
    assert arrived(await sent(sender, first))
    await anvil.call("evm_setAutomine", False)
    second = asyncio.create_task(sent(sender, gift(6)))
    try:
        await until(lambda: len(set(proxy.sent)) == 3, "the second gift")
        await anvil.call("evm_revert", snapshot)
        await anvil.call("anvil_dropAllTransactions")
    finally:
        await anvil.call("evm_setAutomine", True)
    assert arrived(await second)
    assert first.to is not None
    assert 5 == await behind.balance_wei(first.to)
    assert 3 == len(set(proxy.sent))


@pytest.mark.parametrize("seed", range(3))
async def test_a_node_behind_makes_nothing_twice(
    config: OperatorConfig, prepared: Preparation, proxy: MisbehavingRpc, anvil: Anvil, seed: int
) -> None:
    """With a node eight blocks behind under the same URL no contract is deployed twice, and none configured twice."""
    chain = Chain([Endpoint("proxy", proxy.url)], CHAIN_ID)
    known = KnownContracts(config.data.operator / "feeds.json", CHAIN_ID)
    sender = sender_of(chain)
    setup = ContractSetup(config, oracles(prepared.identities), chain, sender, known)
    before = int(await anvil.call("eth_getTransactionCount", sender.address, "latest"), 16)
    proxy.rules = [LaggingNode(seed=seed)]
    try:
        outcome = Outcome()
        for _ in range(30):
            await anvil.call("evm_mine")
            outcome = await setup.run()
            if not outcome.errors and all(setup.is_configured(feed.name) for feed in config.feeds):
                break
        assert {} == outcome.errors
        again = ContractSetup(
            config, oracles(prepared.identities), chain, sender_of(chain), KnownContracts(known._path, CHAIN_ID)
        )
        for looking in (setup, again):
            for _ in range(3):
                assert () == (await looking.run()).changes
    finally:
        await chain.close()
    after = int(await anvil.call("eth_getTransactionCount", sender.address, "latest"), 16)
    assert 3 * len(config.feeds) == after - before


async def test_less_than_blocks_had_is_doubted(behind: Chain, proxy: MisbehavingRpc, anvil: Anvil) -> None:
    """A node behind that answers alone for a while costs no transaction a nonce; a chain that went back is believed."""
    sender = sender_of(behind)
    assert arrived(await sent(sender))
    before = await anvil.call("eth_getTransactionCount", sender.address, "latest")
    proxy.rules = [always("eth_getTransactionCount", {"result": hex(int(before, 16) - 1)})]
    doubted = [await sent(sender) for _ in range(2)]
    assert all(isinstance(outcome, ChainUnavailable) for outcomes in doubted for outcome in outcomes)
    assert before == await anvil.call("eth_getTransactionCount", sender.address, "latest")
    # The third time it is believed, and the pool says which nonce is right.
    assert arrived(await sent(sender))
    proxy.rules = []
    assert arrived(await sent(sender))
