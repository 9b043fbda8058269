"""
The operator's way to all feeds on five nodes: contracts, funds, keys, bridges and jobs, from nothing and again.

The chain is real and makes a block a second. The nodes are the fake ones of the operator's tests, since what a node
does with a job is measured elsewhere.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from meshkit.clock import SystemClock
from services.operator.config import FeedTarget, OperatorConfig
from services.operator.nodes import prepare_nodes
from services.operator.nodes.prepare_nodes import Preparation
from services.operator.onchain.chain import Chain
from services.operator.onchain.known_contracts import KnownContracts
from services.operator.onchain.transactions import Sender
from services.operator.reconciler import Reconciler
from tests.bench.report import Report, Row
from tests.operator.anvil import CHAIN_ID, FAUCET_KEY, start
from tests.operator.conftest import _config_in
from tests.operator.running_nodes import fake_nodes
from tests.ports import free_base, free_port

_FEEDS = 260
_FIRST_S, _AGAIN_S = 180.0, 20.0
_DEADLINE_S = 60.0


def run() -> Report:
    """Measure a first pass, a second one, and the first of a new process."""
    return asyncio.run(_measure())


async def _measure() -> Report:
    feeds = tuple(FeedTarget(f"FEED {number} / USD", 8) for number in range(_FEEDS))
    with tempfile.TemporaryDirectory() as path, start(free_port(), "--block-time", "1") as anvil:
        await anvil.call("anvil_setBalance", anvil.faucet, hex(10**24))
        config = replace(_config_in(Path(path)), feeds=feeds)
        chain_settings = replace(config.chain, http_url=anvil.url)
        config = replace(
            config, chain=chain_settings, ports=replace(config.ports, node_api_base=free_base(config.total_nodes))
        )
        prepared = await prepare_nodes.prepare(config)
        async with fake_nodes(prepared, config.ports.node_api_base) as nodes:
            async with _process(config, prepared) as reconciler:
                first_s, _ = await _pass(reconciler)
                before = sum(len(node.mutations()) for node in nodes), await anvil.call(*_sent(anvil.faucet))
                second_s, second = await _pass(reconciler)
            async with _process(config, prepared) as reconciler:
                anew_s, anew = await _pass(reconciler)
            after = sum(len(node.mutations()) for node in nodes), await anvil.call(*_sent(anvil.faucet))
    rows = (
        Row("first pass, from nothing", first_s, "s", at_most=_FIRST_S),
        Row("second pass", second_s, "s", at_most=_AGAIN_S),
        Row("first pass of a new process", anew_s, "s", at_most=_AGAIN_S),
        Row("changes of the latter two", second + anew, "changes", at_most=0),
        Row("requests of them that change a node", after[0] - before[0], "requests", at_most=0),
        Row("transactions of them", int(after[1], 16) - int(before[1], 16), "transactions", at_most=0),
    )
    return Report("reconcile", rows, (f"{_FEEDS} feeds on {config.total_nodes} nodes, a block a second",))


def _sent(account: str) -> tuple[str, str, str]:
    return "eth_getTransactionCount", account, "latest"


@asynccontextmanager
async def _process(config: OperatorConfig, prepared: Preparation) -> AsyncIterator[Reconciler]:
    """Give what a process of the operator has that begins now."""
    chain = Chain(config.chain.endpoints, CHAIN_ID)
    sender = Sender(chain, FAUCET_KEY, config.chain.gas_price_wei, SystemClock(), _DEADLINE_S)
    known = KnownContracts(config.secrets.contracts, CHAIN_ID)
    reconciler = Reconciler(config, prepared, chain, sender, known, SystemClock())
    try:
        yield reconciler
    finally:
        await reconciler.close()
        await chain.close()


async def _pass(reconciler: Reconciler) -> tuple[float, int]:
    """Return how long a pass took, and how much it has changed; every feed has to run after it."""
    began_s = time.monotonic()
    outcome = await reconciler.run()
    took_s = time.monotonic() - began_s
    assert {} == dict(outcome.errors)
    assert reconciler.all_running
    return took_s, len(outcome.changes)
