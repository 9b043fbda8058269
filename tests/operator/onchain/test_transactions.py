import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from eth_account import Account

from chainlink.rpc.endpoints import Endpoint
from meshkit.clock import SystemClock
from meshkit.errors import DeadlineExceeded, MeshError
from services.operator.config import FeedTarget
from services.operator.errors import ChainUnavailable, TransactionReverted
from services.operator.onchain import feed_contract, transactions
from services.operator.onchain.chain import Chain
from services.operator.onchain.transactions import Sender, Transaction
from tests.operator.anvil import CHAIN_ID, FAUCET_KEY, Anvil
from tests.ports import free_port
from tests.waiting import until

_FEED = FeedTarget("BTC / USD", 8)


@asynccontextmanager
async def _holding(anvil: Anvil) -> AsyncIterator[None]:
    """Hold blocks back while the body runs."""
    await anvil.call("evm_setAutomine", False)
    try:
        yield
    finally:
        await anvil.call("evm_setAutomine", True)
        await anvil.call("evm_mine")


async def _forget(anvil: Anvil) -> None:
    """Drop the transaction that waits, once there is one."""

    async def waiting() -> bool:
        return int((await anvil.call("txpool_status"))["pending"], 16) == 1

    await until(waiting, "one pending transaction")
    await anvil.call("anvil_dropAllTransactions")


def _address() -> str:
    return str(Account.create().address)


async def test_many_at_once_get_consecutive_nonces(chain: Chain, sender: Sender) -> None:
    """Transactions sent at once by several tasks all arrive, none twice."""
    targets = [_address() for _ in range(12)]
    batches = [[Transaction(f"gift to {to}", to, value_wei=7) for to in targets[i : i + 4]] for i in (0, 4, 8)]
    before = await chain.next_nonce(sender.address)
    outcomes = await asyncio.gather(*map(sender.send_all, batches))

    assert not [outcome for batch in outcomes for outcome in batch if isinstance(outcome, MeshError)]
    assert [7] * 12 == [await chain.balance_wei(to) for to in targets]
    assert before + 12 == await chain.next_nonce(sender.address)


async def test_one_block_takes_a_batch(anvil: Anvil, chain: Chain, sender: Sender) -> None:
    """A batch's transactions wait together, so that the next block has them all."""
    gifts = [Transaction("gift", _address(), value_wei=1) for _ in range(5)]

    async def all_wait() -> bool:
        return int((await anvil.call("txpool_status"))["pending"], 16) == len(gifts)

    await anvil.call("evm_setAutomine", False)
    try:
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(sender.send_all(gifts))
            await until(all_wait, "five pending transactions")
            await anvil.call("evm_mine")
        outcomes = sending.result()
    finally:
        await anvil.call("evm_setAutomine", True)

    assert 1 == len({outcome.block for outcome in outcomes if not isinstance(outcome, MeshError)})
    assert not [outcome for outcome in outcomes if isinstance(outcome, MeshError)]


async def test_a_revert_is_explained(chain: Chain, sender: Sender) -> None:
    """A transaction that the chain undoes is an error with the contract's own words; its neighbours arrive."""
    (receipt,) = await sender.send_all([feed_contract.deployment(chain, _FEED)])
    assert not isinstance(receipt, MeshError)
    contract, friend = str(receipt.contract), _address()
    data = chain.call_data("setConfig", [_address()] * 4, [_address()] * 4, 1, 1, b"")
    first, second = await sender.send_all(
        [Transaction("setConfig", contract, data, gas=900_000), Transaction("gift", friend, value_wei=5)]
    )

    assert isinstance(first, TransactionReverted)
    assert "payee must be set" in first.revert
    assert not isinstance(second, MeshError)
    assert 5 == await chain.balance_wei(friend)


async def test_what_would_revert_is_not_sent(chain: Chain, sender: Sender) -> None:
    """If the estimate already shows the revert, nothing is sent, and nothing after it either."""
    (receipt,) = await sender.send_all([feed_contract.deployment(chain, _FEED)])
    assert not isinstance(receipt, MeshError)
    data = chain.call_data("setPayees", [_address()], [])
    nonce = await chain.next_nonce(sender.address)
    outcomes = await sender.send_all(
        [Transaction("setPayees", str(receipt.contract), data), Transaction("gift", _address(), value_wei=1)]
    )

    assert [True, True] == [isinstance(outcome, TransactionReverted) for outcome in outcomes]
    assert nonce == await chain.next_nonce(sender.address)


async def test_a_forgotten_transaction_is_sent_again(
    anvil: Anvil, chain: Chain, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that the chain forgot reaches a block all the same."""
    monkeypatch.setattr(transactions, "_RESEND_S", 0.3)
    target = _address()
    async with _holding(anvil):
        sending = asyncio.create_task(sender.send_all([Transaction("gift", target, value_wei=3)]))
        await _forget(anvil)
    (outcome,) = await sending

    assert not isinstance(outcome, MeshError)
    assert 3 == await chain.balance_wei(target)


async def test_a_replaced_transaction_is_not_waited_for(
    anvil: Anvil, chain: Chain, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once another transaction has the nonce, the wait ends and says so, long before the deadline."""
    monkeypatch.setattr(transactions, "_RESEND_S", 0.3)
    async with _holding(anvil):
        sending = asyncio.create_task(sender.send_all([Transaction("gift", _address(), value_wei=1)]))
        await _forget(anvil)
        other = Sender(chain, FAUCET_KEY, 4 * 10**9, SystemClock(), 30)
        replacing = asyncio.create_task(other.send_all([Transaction("another", _address(), value_wei=1)]))
    (first,), (second,) = await sending, await replacing

    assert not isinstance(second, MeshError)
    assert isinstance(first, ChainUnavailable)
    assert "another transaction took the nonce" in str(first)


async def test_what_an_earlier_process_sent_is_waited_for(anvil: Anvil, chain: Chain, sender: Sender) -> None:
    """A new process waits, once, until a block has what the one before it has sent, lest it sends the same again."""
    later = Sender(chain, FAUCET_KEY, 2 * 10**9, SystemClock(), 20)
    async with _holding(anvil):
        sending = asyncio.ensure_future(sender.send_all([Transaction("transfer", _address(), value_wei=1)]))
        await until(lambda: _has_waiting(chain, sender), "the transaction is with the chain")
        waiting = asyncio.ensure_future(later.await_earlier())
        done, _ = await asyncio.wait([waiting], timeout=0.6)
        assert not done
        await anvil.call("evm_mine")
        await waiting
        await sending


async def test_what_no_block_takes_is_not_waited_for_for_ever(anvil: Anvil, chain: Chain, sender: Sender) -> None:
    """After the deadline of a transaction a new process goes on without the one that was sent before."""
    later = Sender(chain, FAUCET_KEY, 2 * 10**9, SystemClock(), 0.3)
    async with _holding(anvil):
        sending = asyncio.ensure_future(sender.send_all([Transaction("transfer", _address(), value_wei=1)]))
        await until(lambda: _has_waiting(chain, sender), "the transaction is with the chain")
        await later.await_earlier()

        assert await _has_waiting(chain, sender)
        await anvil.call("evm_mine")
        await sending


async def _has_waiting(chain: Chain, sender: Sender) -> bool:
    return await chain.next_nonce(sender.address) > await chain.mined_nonce(sender.address)


async def test_no_block_in_time_is_a_deadline(anvil: Anvil, chain: Chain) -> None:
    """A transaction that no block takes gives DeadlineExceeded that names it."""
    impatient = Sender(chain, FAUCET_KEY, 2 * 10**9, SystemClock(), 0.3)
    await anvil.call("evm_setAutomine", False)
    try:
        (outcome,) = await impatient.send_all([Transaction("gift", _address(), value_wei=1)])
    finally:
        await anvil.call("evm_setAutomine", True)
        await anvil.call("evm_mine")

    assert isinstance(outcome, DeadlineExceeded)
    assert "gift: no block took transaction 0x" in str(outcome)


async def test_an_empty_account_cannot_send(chain: Chain) -> None:
    """An account without funds gets the chain's refusal as an error for each transaction."""
    poor = Sender(chain, "0x" + Account.create().key.hex(), 2 * 10**9, SystemClock(), 1)
    outcomes = await poor.send_all([Transaction("gift", _address(), value_wei=1, gas=21_000)] * 2)

    assert [True, True] == [isinstance(outcome, ChainUnavailable) for outcome in outcomes]
    assert "funds" in str(outcomes[0]).lower()


async def test_a_dead_chain_is_unavailable() -> None:
    """Nobody listening gives ChainUnavailable without the URL, which may hold an access key."""
    chain = Chain([Endpoint("chain", f"http://127.0.0.1:{free_port()}/v2/an-access-key")], CHAIN_ID)
    try:
        with pytest.raises(ChainUnavailable) as caught:
            await chain.check()
    finally:
        await chain.close()

    assert "an-access-key" not in str(caught.value)


async def test_another_chain_is_refused(anvil: Anvil) -> None:
    """A chain with another id than the configured one is not used."""
    chain = Chain([Endpoint("chain", anvil.url)], CHAIN_ID + 1)
    try:
        with pytest.raises(ChainUnavailable, match="found chain 1337, configured is 1338"):
            await chain.check()
    finally:
        await chain.close()


async def test_the_key_is_not_in_any_text(sender: Sender) -> None:
    """The sender's key does not show in its representation or that of its transactions."""
    assert FAUCET_KEY[2:] not in repr(vars(sender)) + repr(replace(Transaction("gift", None)))
