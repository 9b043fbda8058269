"""Paying top-ups out of the faucet, on a real chain."""

from dataclasses import replace

import pytest

from meshkit.clock import ManualClock
from services.operator.config import OperatorConfig
from services.operator.errors import ChainUnavailable, FaucetEmpty, TopupRequired
from services.operator.nodes.identity import OracleIdentity
from services.operator.onchain.chain import Chain
from services.operator.onchain.faucet import Faucet
from services.operator.onchain.transactions import Sender
from services.operator.outcome import Outcome
from tests.operator.anvil import Anvil
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
