"""Paying top-ups out of the faucet, on a real chain."""

import asyncio
from dataclasses import replace

import pytest

from meshkit.clock import ManualClock, SystemClock
from meshkit.errors import DeadlineExceeded, MeshError
from services.operator.config import FundingSettings, OperatorConfig
from services.operator.errors import ChainUnavailable, FaucetEmpty, TopupRequired
from services.operator.funding.faucet import Faucet
from services.operator.nodes.identity import OracleIdentity
from services.operator.onchain.chain import Block, Chain
from services.operator.onchain.transactions import Sender, Transaction
from services.operator.outcome import Outcome
from tests.operator.anvil import FAUCET_KEY, Anvil
from tests.operator.made import made_oracles


@pytest.fixture(name="poor")
async def _poor(anvil: Anvil) -> tuple[OracleIdentity, ...]:
    """Give four oracles whose transmitters have nothing."""
    oracles = tuple(made_oracles(4))
    for oracle in oracles:
        await anvil.call("anvil_setBalance", oracle.node.transmitter_address, "0x0")
    return oracles


async def test_transmitters_are_topped_up_when_it_is_time(
    config: OperatorConfig, chain: Chain, sender: Sender, anvil: Anvil, poor: tuple[OracleIdentity, ...]
) -> None:
    """Who has too little gets the amount once; nobody is looked at again before the interval is over."""
    clock = ManualClock()
    faucet = Faucet(config, poor, chain, sender, clock)
    outcome = await faucet.run()

    assert ({}, [f"top-up of node-{index} by {10**18} wei" for index in range(4)]) == (
        outcome.errors,
        list(outcome.changes),
    )
    assert [10**18] * 4 == [await chain.balance_wei(oracle.node.transmitter_address) for oracle in poor]
    await anvil.call("anvil_setBalance", poor[2].node.transmitter_address, "0x0")
    clock.advance(59.9)
    assert Outcome() == await faucet.run()
    clock.advance(0.2)
    assert (f"top-up of node-2 by {10**18} wei",) == (await faucet.run()).changes


async def test_a_failure_is_tried_again_at_once(
    config: OperatorConfig, chain: Chain, sender: Sender, anvil: Anvil, poor: tuple[OracleIdentity, ...]
) -> None:
    """A faucet that can pay nobody stands under `faucet`, and the next pass looks again and pays as many as it can."""
    faucet = Faucet(config, poor, chain, sender, ManualClock())
    await anvil.call("anvil_setBalance", anvil.faucet, "0x0")
    empty = await faucet.run()
    await anvil.call("anvil_setBalance", anvil.faucet, hex(25 * 10**17))
    some = await faucet.run()

    assert ((), ["faucet"]) == (empty.changes, list(empty.errors))
    assert isinstance(empty.errors["faucet"], FaucetEmpty)
    assert 2 == len(some.changes)
    assert {} == some.errors


async def test_a_chain_that_is_away(
    config: OperatorConfig, sender: Sender, chain: Chain, poor: tuple[OracleIdentity, ...]
) -> None:
    """Without the chain the error says so, under the faucet's name."""
    away = Chain(config.chain.endpoints, config.chain.chain_id)
    outcome = await Faucet(config, poor, away, sender, ManualClock()).run()
    await away.close()

    assert isinstance(outcome.errors["faucet"], ChainUnavailable)


async def test_required_topups_end_everything(
    config: OperatorConfig, chain: Chain, sender: Sender, anvil: Anvil, poor: tuple[OracleIdentity, ...]
) -> None:
    """Where the configuration says that nothing goes on without top-ups, one that cannot be paid is raised."""
    await anvil.call("anvil_setBalance", anvil.faucet, "0x0")
    required = replace(config, funding=replace(config.funding, required=True))

    with pytest.raises(TopupRequired, match="top-up of node-0"):
        await Faucet(required, poor, chain, sender, ManualClock()).run()


def _anew(chain: Chain, deadline_s: float = 20) -> Sender:
    """Return a sender as a process has it that has just started: it knows of nothing that was sent before."""
    return Sender(chain, FAUCET_KEY, 2 * 10**9, SystemClock(), deadline_s)


async def test_what_waits_for_a_block_is_not_paid_again(
    config: OperatorConfig, chain: Chain, anvil: Anvil, poor: tuple[OracleIdentity, ...]
) -> None:
    """Top-ups that no block has yet count: for the process that sent them, and for one that knows nothing of them."""
    await anvil.call("evm_setAutomine", False)
    try:
        hasty = _anew(chain, 0.3)
        first = Faucet(config, poor, chain, hasty, ManualClock())
        assert isinstance((await first.run()).errors["faucet"], DeadlineExceeded)
        again = [await first.run(), await Faucet(config, poor, chain, _anew(chain), ManualClock()).run()]
        assert [()] * 2 == [outcome.changes for outcome in again]
        for outcome, whose in zip(again, ("an earlier pass", "an earlier start or another program"), strict=True):
            assert isinstance(outcome.errors["faucet"], ChainUnavailable)
            assert f"which {whose} has sent, may be the same" in str(outcome.errors["faucet"])
    finally:
        await anvil.call("evm_setAutomine", True)
        await anvil.call("evm_mine")
    assert Outcome() == await Faucet(config, poor, chain, _anew(chain), ManualClock()).run()

    assert [10**18] * 4 == [await chain.balance_wei(oracle.node.transmitter_address) for oracle in poor]


async def test_other_transactions_of_the_faucet_hold_up_no_top_up(
    config: OperatorConfig, chain: Chain, sender: Sender, poor: tuple[OracleIdentity, ...]
) -> None:
    """What this process sends itself, such as contracts, while balances are read, is known to be no top-up."""
    gifts = [Transaction(f"gift {i}", "0x" + "9" * 40, value_wei=1) for i in range(8)]
    outcome, sent = await asyncio.gather(
        Faucet(config, poor, chain, sender, ManualClock()).run(), sender.send_all(gifts)
    )

    assert (4, {}) == (len(outcome.changes), outcome.errors)
    assert [] == [receipt for receipt in sent if isinstance(receipt, MeshError)]


async def test_a_chain_read_behind_its_head_pays_nothing_twice(
    config: OperatorConfig,
    chain: Chain,
    sender: Sender,
    poor: tuple[OracleIdentity, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An endpoint that is behind tells balances of before a top-up; the faucet's nonce of that block gives it away."""
    behind = await chain.head()
    await Faucet(config, poor, chain, sender, ManualClock()).run()

    async def head() -> Block:
        return behind

    monkeypatch.setattr(chain, "head", head)
    outcome = await Faucet(config, poor, chain, _anew(chain), ManualClock()).run()

    assert isinstance(outcome.errors["faucet"], ChainUnavailable)
    assert [10**18] * 4 == [await chain.balance_wei(oracle.node.transmitter_address) for oracle in poor]


async def test_dearer_gas_raises_the_minimum(
    config: OperatorConfig, chain: Chain, anvil: Anvil, sender: Sender, poor: tuple[OracleIdentity, ...]
) -> None:
    """Where gas costs more than the settings were made for, ten transmissions are held and fifty are paid."""
    for oracle in poor:
        await anvil.call("anvil_setBalance", oracle.node.transmitter_address, hex(9 * 10**15))
    made_for = FundingSettings(minimum_wei=10**15, topup_wei=2 * 10**15, interval_ms=60_000)
    usual, dear = (
        replace(config, funding=replace(made_for, usual_gas_price_wei=price)) for price in (10**12, 10**9 - 1)
    )
    assert Outcome() == await Faucet(usual, poor, chain, sender, ManualClock()).run()
    faucet = Faucet(dear, poor, chain, sender, ManualClock())
    amount_wei = 50 * (await faucet.cost()).wei

    assert [f"top-up of node-{index} by {amount_wei} wei" for index in range(4)] == list((await faucet.run()).changes)
