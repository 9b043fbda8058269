"""Reconciling is killed at each of its calls in turn: whoever starts next ends in the state of one that never died."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

from meshkit.clock import SystemClock
from services.operator.config import OperatorConfig
from services.operator.nodes.prepare_nodes import Preparation
from services.operator.onchain import feed_contract
from services.operator.onchain.chain import Chain
from services.operator.onchain.known_contracts import KnownContracts
from services.operator.onchain.lost_contracts import address_of
from services.operator.onchain.transactions import Sender
from services.operator.reconciler import Reconciler
from tests.operator.anvil import CHAIN_ID, Anvil, free_port, start
from tests.operator.fake_node import FakeNode
from tests.operator.kills import killed
from tests.operator.running_nodes import fake_nodes, free_base

_NEVER = 10**9


@dataclass
class Mesh:
    """A chain and nodes that can be put back to where they began, and what reconciles them."""

    config: OperatorConfig
    prepared: Preparation
    anvil: Anvil
    nodes: list[FakeNode]
    snapshot: str = ""

    async def begin_anew(self) -> None:
        """Forget everything."""
        if self.snapshot:
            await self.anvil.call("evm_revert", self.snapshot)
        self.snapshot = await self.anvil.call("evm_snapshot")
        shutil.rmtree(self.config.secrets.path, ignore_errors=True)
        shutil.rmtree(self.config.data.path, ignore_errors=True)
        for node in self.nodes:
            for part in (node.jobs, node.bridges, node.bundles, node.sessions):
                part.clear()

    async def reconcile(self, *, again: bool) -> dict[str, str]:
        """Make a pass as a process that has just started; `again`: there was one before, with the same keys."""
        config, chain = self.config, Chain(self.config.chain.endpoints, CHAIN_ID)
        sender = Sender(chain, config.credentials.faucet_private_key, config.chain.gas_price_wei, SystemClock(), 20)
        known = KnownContracts(config.secrets.contracts, CHAIN_ID)
        prepared = replace(self.prepared, created_keys=0) if again else self.prepared
        reconciler = Reconciler(config, prepared, chain, sender, known, SystemClock())
        try:
            outcome = await reconciler.run()
        finally:
            await reconciler.close()
            await chain.close()
        return {part: str(error) for part, error in outcome.errors.items()}

    async def state(self) -> list[Any]:
        """Return what there is on chain and in the nodes, but what depends on how often something was tried."""
        chain = Chain(self.config.chain.endpoints, CHAIN_ID)
        nonces = await chain.next_nonce(self.anvil.faucet)
        addresses = [address_of(self.anvil.faucet, nonce) for nonce in range(nonces)]
        contracts = [await feed_contract.state(chain, one) for one in addresses if await chain.has_code(one)]
        told = [(one.description, one.config_count, one.flaws) for one in contracts if one is not None]
        accounts = [identity.transmitter_address for identity in self.prepared.identities]
        money = [await chain.balance_wei(address) for address in accounts]
        await chain.close()
        records = KnownContracts(self.config.secrets.contracts, CHAIN_ID).records
        known = [record.address == one.address for record, one in zip(records.values(), contracts, strict=True) if one]
        nodes = [
            (sorted(str(job["name"]) for job in node.jobs.values()), dict(node.bridges), sorted(node.bundles))
            for node in self.nodes
        ]
        return [told, money, known, nodes]


@asynccontextmanager
async def _mesh(config: OperatorConfig, prepared: Preparation) -> AsyncIterator[Mesh]:
    with start(free_port()) as anvil:
        await anvil.call("anvil_setBalance", anvil.faucet, hex(10**24))
        meshed = replace(
            config,
            feeds=config.feeds[:1],
            chain=replace(config.chain, http_url=anvil.url),
            ports=replace(config.ports, node_api_base=free_base(5)),
        )
        async with fake_nodes(prepared, meshed.ports.node_api_base) as nodes:
            yield Mesh(meshed, prepared, anvil, nodes)


async def _hold(mesh: Mesh, step: int) -> None:
    """Kill at every so many calls, before each and after its answer, and compare with a run that lives."""
    await mesh.begin_anew()
    with killed(_NEVER, answered=False) as calls:
        assert {} == await mesh.reconcile(again=False)
    expected, total = await mesh.state(), calls.made
    assert [("BTC / USD", 1, ())] == expected[0]
    for kill_at in range(1, total + 1, step):
        for answered in (False, True):
            await mesh.begin_anew()
            with killed(kill_at, answered=answered) as calls:
                await mesh.reconcile(again=False)
            errors = await mesh.reconcile(again=True)
            assert ({}, expected) == (errors, await mesh.state()), f"killed at call {kill_at} of {total}, {answered=}"


async def test_a_kill_here_and_there_changes_nothing(config: OperatorConfig, prepared: Preparation) -> None:
    """Some calls of the whole way, spread over it: contracts, configurations, top-ups, bundles, bridges, jobs."""
    async with _mesh(config, prepared) as mesh:
        await _hold(mesh, 29)


@pytest.mark.campaign
async def test_a_kill_at_any_call_changes_nothing(config: OperatorConfig, prepared: Preparation) -> None:
    """Every call of the whole way."""
    async with _mesh(config, prepared) as mesh:
        await _hold(mesh, 1)
