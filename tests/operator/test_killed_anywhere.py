"""An operator that is killed at any of its external calls, and started again, comes to the same end."""

import asyncio
import errno
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from chainlink.contract.abi_codec import AbiCodec
from chainlink.contract.artifact import load
from chainlink.rpc.http import Transport
from meshkit import atomic_file
from meshkit.clock import SystemClock
from meshkit.paths import DataDir, SecretsDir
from services.operator.config import FeedTarget, OperatorConfig
from services.operator.nodes import prepare_nodes
from services.operator.nodes.identity import oracles
from services.operator.nodes.prepare_nodes import Preparation
from services.operator.nodes.rest_session import RestSession
from services.operator.onchain import feed_contract, ocr_config
from services.operator.onchain.chain import Chain, Receipt
from services.operator.onchain.configuration.admin import Admin
from services.operator.onchain.configuration.order_certificates import OrderCertificates
from services.operator.onchain.known_contracts import KnownContracts
from services.operator.onchain.lost_contracts import address_of
from services.operator.onchain.transactions import Sender, Transaction
from services.operator.reconciler import Reconciler
from tests.operator.anvil import CHAIN_ID, Anvil
from tests.operator.fake_node import FakeNode
from tests.operator.order import Order, helper_deployment
from tests.operator.running_nodes import fake_nodes
from tests.ports import free_base

_ZERO = "0x" + "00" * 20
_MOST_PASSES = 4


class Killed(BaseException):
    """The process is no more; nobody catches this."""


@dataclass
class Calls:
    """
    Count external calls, and die at one of them: before it has an effect, or after, before its answer is seen.

    A dead process makes no more calls.
    """

    fatal: int | None = None
    is_after: bool = False
    made: list[str] = field(default_factory=list)
    is_dead: bool = False

    def _count(self, what: str) -> bool:
        if self.is_dead:
            raise Killed(what)
        self.made.append(what)
        return len(self.made) - 1 == self.fatal

    def _die(self, what: str) -> None:
        self.is_dead = True
        raise Killed(what)

    async def awaited(self, what: str, call: Callable[[], Awaitable[Any]]) -> Any:
        """Make a call that is awaited."""
        is_fatal = self._count(what)
        if is_fatal and not self.is_after:
            self._die(what)
        result = await call()
        if is_fatal or self.is_dead:
            self._die(what)
        return result

    def direct(self, what: str, call: Callable[[], Any]) -> Any:
        """Make a call that blocks."""
        is_fatal = self._count(what)
        if is_fatal and not self.is_after:
            self._die(what)
        result = call()
        if is_fatal:
            self._die(what)
        return result

    @contextmanager
    def watched(self) -> Iterator[None]:
        """See all external calls while the body runs."""
        ask, exchange, write, prove = Transport.ask, RestSession._exchange, atomic_file.replace, OrderCertificates.prove

        async def asked(self_: Transport, url: str, method: str, *rest: Any, **named: Any) -> Any:
            return await self.awaited(method, lambda: ask(self_, url, method, *rest, **named))

        async def exchanged(self_: RestSession, method: str, path: str, *rest: Any) -> Any:
            return await self.awaited(f"{method} {path}", lambda: exchange(self_, method, path, *rest))

        def written(path: Path, *rest: Any, **named: Any) -> None:
            self.direct(f"write {path.name}", lambda: write(path, *rest, **named))

        def proved(self_: OrderCertificates, *rest: Any) -> Any:
            return self.direct("certificates", lambda: prove(self_, *rest))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Transport, "ask", asked)
            patch.setattr(RestSession, "_exchange", exchanged)
            patch.setattr(atomic_file, "replace", written)
            patch.setattr(OrderCertificates, "prove", proved)
            yield


@dataclass
class Stage:
    """A chain with a contract that takes oracles from an admin, and a place for each trial."""

    anvil: Anvil
    config: OperatorConfig
    snapshot: str
    path: Path
    trials: int = 0

    async def trial(self, fatal: int | None = None, *, is_after: bool = False) -> tuple[dict[str, Any], list[str]]:
        """Run an operator until it dies, if it shall, and then one to the end; return the end and the first's calls."""
        assert await self.anvil.call("evm_revert", self.snapshot)
        self.snapshot = await self.anvil.call("evm_snapshot")
        self.trials += 1
        place = self.path / str(self.trials)
        config = replace(
            self.config,
            data=DataDir(place / "data"),
            secrets=SecretsDir(place / "secrets"),
        )
        calls, nodes = Calls(fatal, is_after), list[FakeNode]()
        if fatal is not None:
            with calls.watched():
                with pytest.raises((Killed, BaseExceptionGroup)) as death:
                    await _operate(config, nodes)
                await _bury()
            assert calls.is_dead
            if isinstance(death.value, BaseExceptionGroup):
                assert None is death.value.split(Killed)[1]
        return await _operate(config, nodes, calls=Calls() if fatal is not None else calls), calls.made


async def _bury() -> None:
    """End what a killed process has left running in this one."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def _operate(config: OperatorConfig, nodes: list[FakeNode], calls: Calls | None = None) -> dict[str, Any]:
    """Be one process of the operator, until nothing is left to do; return what there is then."""
    if calls is None:
        return await _run(config, nodes)
    with calls.watched():
        return await _run(config, nodes)


async def _run(config: OperatorConfig, kept: list[FakeNode]) -> dict[str, Any]:
    prepared = await prepare_nodes.prepare(config)
    chain = Chain(config.chain.endpoints, CHAIN_ID)

    def sender_of(key: str) -> Sender:
        return Sender(chain, key, config.chain.gas_price_wei, SystemClock(), 20)

    owner = sender_of(config.credentials.faucet_private_key)
    known = KnownContracts(config.secrets.contracts, CHAIN_ID)
    admin = Admin(config, chain, owner, sender_of)
    async with AsyncExitStack() as stack:
        config, nodes = await _serve_nodes(stack, config, prepared)
        # The nodes outlive the operator; only their sockets are made anew.
        for node, before in zip(nodes, list(kept), strict=False):
            node.jobs, node.bridges, node.bundles = before.jobs, before.bridges, before.bundles
            node.job_count = before.job_count
        kept[:] = nodes
        reconciler = Reconciler(config, prepared, chain, owner, known, SystemClock(), admin=admin)
        try:
            for _ in range(_MOST_PASSES):
                outcome = await reconciler.run()
                if reconciler.all_running and not outcome.errors:
                    break
            assert {} == dict(outcome.errors)
            assert () == (await reconciler.run()).changes
            return await _end(config, prepared, chain, owner, known, nodes)
        finally:
            await reconciler.close()
            await chain.close()


async def _serve_nodes(
    stack: AsyncExitStack, config: OperatorConfig, prepared: Preparation
) -> tuple[OperatorConfig, list[FakeNode]]:
    """Serve the nodes on ports of which none is taken meanwhile by the many connections of a long campaign."""
    while True:
        base = free_base(config.total_nodes)
        try:
            nodes = await stack.enter_async_context(fake_nodes(prepared, base))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            continue
        return replace(config, ports=replace(config.ports, node_api_base=base)), nodes


async def _end(
    config: OperatorConfig,
    prepared: Preparation,
    chain: Chain,
    owner: Sender,
    known: KnownContracts,
    nodes: list[FakeNode],
) -> dict[str, Any]:
    """Return all that may not depend on where an operator was killed: keys and addresses are new each time."""
    wanted = ocr_config.desired(oracles(prepared.identities), config.ocr, CHAIN_ID)
    feeds = {}
    for feed in config.feeds:
        state = await feed_contract.state(chain, known.records[feed.name].address)
        assert state is not None
        feeds[feed.name] = (state.shape, state.config == wanted, state.config_count)
    addresses = {record.address for record in known.records.values()}
    deployed = [address_of(owner.address, nonce) for nonce in range(await chain.mined_nonce(owner.address))]
    strays = [address for address in deployed if await chain.has_code(address) and address not in addresses]
    balances = [
        await chain.balance_wei(node.transmitter_address) for node in prepared.identities if node.ocr is not None
    ]
    return {
        "feeds": feeds,
        # The admin's helper is one, deployed with the stage.
        "strays": len(strays),
        "balances": balances,
        "jobs": [sorted(str(job["name"]) for job in node.jobs.values()) for node in nodes],
        "bridges": [node.bridges for node in nodes],
        "bundles": [len(node.bundles) for node in nodes],
    }


@pytest.fixture(name="stage")
async def _stage(onchain: OperatorConfig, anvil: Anvil, chain: Chain, sender: Sender, tmp_path: Path) -> Stage:
    """Give a chain with a feed whose oracles an admin sets; another feed has no contract yet."""

    async def send(transaction: Transaction) -> str:
        (receipt,) = await sender.send_all([transaction])
        assert isinstance(receipt, Receipt), receipt
        return str(receipt.contract)

    aggregator, order = AbiCodec(load("split/SplitConfigAggregator")), Order()
    admin = await send(helper_deployment())
    await send(order.registration(admin))
    data = aggregator.deployment((0, 0, 0, 0, 0, _ZERO, _ZERO), 1, 10**23, _ZERO, 8, "BTC / USD", admin)
    address = await send(Transaction("contract", None, data))
    order.write(tmp_path / "certs")
    feeds = (FeedTarget("BTC / USD", 8, address), FeedTarget("ETH / USD", 8))
    config = replace(onchain, feeds=feeds, admin_contract=admin, admin_certificates=tmp_path / "certs")
    return Stage(anvil, config, await anvil.call("evm_snapshot"), tmp_path)


def _kinds(calls: list[str]) -> set[str]:
    return {call.partition(" ")[0] for call in calls}


async def test_killed_at_some_calls(stage: Stage) -> None:
    """Before and after the effect of calls of each kind: the next operator comes to the end of one that lived."""
    expected, made = await stage.trial()
    assert {"eth_sendRawTransaction", "POST", "write", "certificates"} <= _kinds(made)
    sent = [place for place, call in enumerate(made) if call == "eth_sendRawTransaction"]
    chosen = [made.index("certificates"), sent[len(sent) // 2], made.index("POST /v2/jobs")]
    for place, call in enumerate(chosen):
        found, _ = await stage.trial(call, is_after=place % 2 == 0)

        assert expected == found, (call, made[call])


@pytest.mark.campaign
@pytest.mark.parametrize("is_after", [False, True])
async def test_killed_at_every_call(stage: Stage, is_after: bool) -> None:
    """The same at every single call, from the first file of the first key to the last look at a job."""
    expected, made = await stage.trial()
    for call in range(len(made)):
        found, _ = await stage.trial(call, is_after=is_after)

        assert expected == found, (call, made[call])
