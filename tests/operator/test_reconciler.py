from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from chainlink.rpc.endpoints import Endpoint
from meshkit.clock import SystemClock
from services.operator.config import OperatorConfig
from services.operator.errors import ChainUnavailable, FaucetEmpty, NodeUnavailable, TopupRequired
from services.operator.feed_phase import FeedPhase
from services.operator.feed_verification import Verification
from services.operator.nodes.prepare_nodes import Preparation
from services.operator.onchain import feed_contract
from services.operator.onchain.chain import Chain
from services.operator.onchain.contract_changes import FeedAction
from services.operator.onchain.known_contracts import KnownContracts
from services.operator.onchain.transactions import Sender
from services.operator.reconciler import Reconciler
from tests.operator.anvil import CHAIN_ID, start
from tests.operator.fake_node import FakeNode
from tests.operator.node_faults import Fault
from tests.operator.running_nodes import fake_nodes
from tests.ports import free_base, free_port

_FEEDS = ("BTC / USD", "ETH / USD", "EUR / USD")


@pytest.fixture(name="meshed")
def _meshed(onchain: OperatorConfig) -> OperatorConfig:
    """Give a configuration with the real chain and free ports for the nodes."""
    return replace(onchain, ports=replace(onchain.ports, node_api_base=free_base(5)))


@pytest.fixture(name="nodes")
async def _nodes(meshed: OperatorConfig, prepared: Preparation) -> AsyncIterator[list[FakeNode]]:
    async with fake_nodes(prepared, meshed.ports.node_api_base) as nodes:
        yield nodes


@asynccontextmanager
async def _reconciling(config: OperatorConfig, prepared: Preparation) -> AsyncIterator[Reconciler]:
    """Give a reconciler as a fresh process would have it: what it knows is in the state file."""
    chain = Chain(config.chain.endpoints, CHAIN_ID)
    sender = Sender(chain, config.credentials.faucet_private_key, config.chain.gas_price_wei, SystemClock(), 20)
    store = KnownContracts(config.secrets.contracts, CHAIN_ID)
    reconciler = Reconciler(config, prepared, chain, sender, store, SystemClock())
    try:
        yield reconciler
    finally:
        await reconciler.close()
        await chain.close()


def _jobs(node: FakeNode) -> set[str]:
    return {str(job["name"]) for job in node.jobs.values()}


async def test_one_pass_sets_up_everything(
    meshed: OperatorConfig, prepared: Preparation, nodes: list[FakeNode], chain: Chain
) -> None:
    """From nothing to running in one pass: contracts configured, transmitters funded, keys, bridges, jobs in place."""
    async with _reconciling(meshed, prepared) as reconciler:
        assert {FeedPhase.PENDING} == {reconciler.phase(feed) for feed in _FEEDS}
        outcome = await reconciler.run()

        assert {} == outcome.errors
        assert reconciler.all_running
        records = reconciler.records
    assert {f"bootstrap {feed}" for feed in _FEEDS} == _jobs(nodes[0])
    for node, fake in zip(prepared.nodes[1:], nodes[1:], strict=True):
        assert set(_FEEDS) == _jobs(fake)
        assert node.identity.ocr is not None
        assert [node.identity.ocr.bundle_id] == list(fake.bundles)
        assert {"feedmesh-quotes": "http://127.0.0.1:3000/quotes/batch"} == fake.bridges
        assert await chain.balance_wei(node.identity.transmitter_address) >= 10**17
    for feed in meshed.feeds:
        state = await feed_contract.state(chain, records[feed.name].address)
        assert state is not None
        assert (feed.name, 1, records[feed.name].config_digest) == (
            state.description,
            state.config_count,
            state.config_digest,
        )


async def test_a_second_pass_and_a_new_process_change_nothing(
    meshed: OperatorConfig, prepared: Preparation, nodes: list[FakeNode], sender: Sender, chain: Chain
) -> None:
    """What is as wanted is recognised: no transaction, no request that changes a node."""
    async with _reconciling(meshed, prepared) as reconciler:
        await reconciler.run()
        sent, asked = await chain.next_nonce(sender.address), [len(node.mutations()) for node in nodes]
        again = await reconciler.run()
    async with _reconciling(meshed, prepared) as fresh:
        anew = await fresh.run()
        assert fresh.all_running

    assert (((), {}), ((), {})) == ((again.changes, again.errors), (anew.changes, anew.errors))
    assert sent == await chain.next_nonce(sender.address)
    assert asked == [len(node.mutations()) for node in nodes]


async def test_nodes_are_done_as_they_become_ready(
    meshed: OperatorConfig, prepared: Preparation, nodes: list[FakeNode]
) -> None:
    """A node that is not ready holds up nothing but itself; its feeds run once it is."""
    nodes[4].ready = False
    async with _reconciling(meshed, prepared) as reconciler:
        outcome = await reconciler.run()

        assert ["chainlink-node-5"] == list(outcome.errors)
        assert isinstance(outcome.errors["chainlink-node-5"], NodeUnavailable)
        assert {FeedPhase.CONFIGURED} == {reconciler.phase(feed) for feed in _FEEDS}
        assert set(_FEEDS) == _jobs(nodes[3])
        nodes[4].ready = True
        outcome = await reconciler.run()
        assert reconciler.all_running
    assert {"chainlink-node-5"} == {change.split(":")[0] for change in outcome.changes}


def _of_before(prepared: Preparation) -> Preparation:
    """Return nodes whose keys were there already when the process started."""
    return replace(prepared, created_keys=0)


async def test_contracts_whose_file_was_lost_are_found_again(
    meshed: OperatorConfig, prepared: Preparation, nodes: list[FakeNode]
) -> None:
    """With the keys of before and no file of addresses, the same contracts go on: none is deployed anew."""
    with start(free_port()) as own:
        await own.fund()
        config = replace(meshed, chain=replace(meshed.chain, http_url=own.url))
        async with _reconciling(config, prepared) as reconciler:
            await reconciler.run()
            before = {name: record.address for name, record in reconciler.records.items()}
        config.secrets.contracts.unlink()
        async with _reconciling(config, _of_before(prepared)) as reconciler:
            outcome = await reconciler.run()
            after = {name: record.address for name, record in reconciler.records.items()}
        assert {} == outcome.errors
        assert (3, before) == (len(before), after)
        assert {f"contract of {name} found again at {address}" for name, address in before.items()} == set(
            outcome.changes
        )

        # With new keys there is nothing to be found: a second mesh of the same faucet has contracts of its own.
        config.secrets.contracts.unlink()
        async with _reconciling(config, prepared) as reconciler:
            await reconciler.run()
            second = {name: record.address for name, record in reconciler.records.items()}
        assert set() == set(second.values()) & set(before.values())

        # Now there are two of each, and nobody but a person knows which is in use.
        config.secrets.contracts.unlink()
        sent = await own.call("eth_getTransactionCount", own.faucet, "latest")
        async with _reconciling(config, _of_before(prepared)) as reconciler:
            outcomes = [await reconciler.run(), await reconciler.run()]
        assert [set(_FEEDS)] * 2 == [set(outcome.errors) for outcome in outcomes]
        told = str(outcomes[1].errors["BTC / USD"])
        assert "the file of contract addresses was lost, and there are 2 contracts of this feed" in told
        assert before["BTC / USD"] in told
        assert second["BTC / USD"] in told
        assert sent == await own.call("eth_getTransactionCount", own.faucet, "latest")


async def test_a_file_without_feeds_is_believed(
    meshed: OperatorConfig, prepared: Preparation, nodes: list[FakeNode]
) -> None:
    """Whoever wants new contracts says so by a file that has the chain and no feed."""
    meshed.secrets.contracts.parent.mkdir(parents=True)
    meshed.secrets.contracts.write_text(f'{{"format": 2, "chains": {{"{CHAIN_ID}": {{}}}}}}')
    async with _reconciling(meshed, _of_before(prepared)) as reconciler:
        outcome = await reconciler.run()

    assert {} == outcome.errors
    assert 3 == len([change for change in outcome.changes if " deployed at " in change])


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.HTML, Fault.HALF_BODY, Fault.SERVER_ERROR, Fault.REDIRECT])
async def test_a_broken_node_stops_no_other(
    fault: Fault, meshed: OperatorConfig, prepared: Preparation, nodes: list[FakeNode]
) -> None:
    """Whatever a node answers to everything, the others get their jobs."""
    for method in ("GET", "POST"):
        nodes[2].faults.plan(fault, method, "/v2", times=1000)
    async with _reconciling(meshed, prepared) as reconciler:
        outcome = await reconciler.run()

    assert ["chainlink-node-3"] == list(outcome.errors)
    assert isinstance(outcome.errors["chainlink-node-3"], NodeUnavailable)
    assert [3, 3, 0, 3, 3] == [len(node.jobs) for node in nodes]


async def test_a_node_that_lost_its_database_gets_it_all_back(
    meshed: OperatorConfig, prepared: Preparation, nodes: list[FakeNode]
) -> None:
    """Bundle, bridge and jobs of one node are made again, the other nodes are left alone."""
    async with _reconciling(meshed, prepared) as reconciler:
        await reconciler.run()
        lost = nodes[2]
        lost.bundles.clear()
        lost.bridges.clear()
        lost.jobs.clear()
        lost.expire_sessions()
        outcome = await reconciler.run()

    assert {} == outcome.errors
    assert ["chainlink-node-3"] * 5 == [change.split(":")[0] for change in outcome.changes]
    assert set(_FEEDS) == _jobs(lost)


async def test_a_changed_protocol_setting_reaches_the_chain(
    meshed: OperatorConfig, prepared: Preparation, nodes: list[FakeNode], chain: Chain
) -> None:
    """With another alpha all contracts are configured again, in place, and nothing else changes."""
    async with _reconciling(meshed, prepared) as reconciler:
        await reconciler.run()
        before = dict(reconciler.records)
    changed = replace(meshed, ocr=replace(meshed.ocr, alpha_ppb=5_000_000))
    async with _reconciling(changed, prepared) as reconciler:
        outcome = await reconciler.run()
        after = dict(reconciler.records)

    assert {} == outcome.errors
    assert 3 == len(outcome.changes)
    for feed in _FEEDS:
        assert before[feed].address == after[feed].address
        assert before[feed].config_digest != after[feed].config_digest
        state = await feed_contract.state(chain, after[feed].address)
        assert state is not None
        assert 2 == state.config_count


async def test_more_feeds_than_a_batch(meshed: OperatorConfig, prepared: Preparation, nodes: list[FakeNode]) -> None:
    """Batches smaller than the number of feeds come to the same."""
    async with _reconciling(replace(meshed, transaction_batch=2), prepared) as reconciler:
        outcome = await reconciler.run()

        assert {} == outcome.errors
        assert reconciler.all_running


async def test_a_lost_chain_is_set_up_anew(
    meshed: OperatorConfig, prepared: Preparation, nodes: list[FakeNode]
) -> None:
    """A dev chain that comes back empty gets its contracts again, and the nodes' jobs follow them."""
    port = free_port()
    config = replace(meshed, chain=replace(meshed.chain, http_url=f"http://127.0.0.1:{port}"))
    async with _reconciling(config, prepared) as reconciler:
        with start(port) as anvil:
            await anvil.fund()
            await reconciler.run()
            assert reconciler.all_running
        outcome = await reconciler.run()
        assert isinstance(outcome.errors["chain"], ChainUnavailable)
        assert () == outcome.changes
        with start(port) as anvil:
            await anvil.fund()
            # Other nonces than before, so that the addresses cannot be the same by chance.
            await anvil.call("anvil_setNonce", anvil.faucet, hex(40))
            for _ in range(3):
                outcome = await reconciler.run()
            records = reconciler.records

            assert {} == outcome.errors
            assert reconciler.all_running
    addresses = {record.address for record in records.values()}
    for node in nodes:
        found = {job["offChainReportingOracleSpec"]["contractAddress"] for job in node.jobs.values()}
        assert addresses == found


async def test_a_few_blocks_are_enough(meshed: OperatorConfig, prepared: Preparation, nodes: list[FakeNode]) -> None:
    """On a chain with a block a second, everything is set up within few blocks, funds included."""
    port = free_port()
    config = replace(meshed, chain=replace(meshed.chain, http_url=f"http://127.0.0.1:{port}"))
    with start(port, "--block-time", "1") as anvil:
        await anvil.fund()
        chain = Chain([Endpoint("chain", anvil.url)], CHAIN_ID)
        before = (await chain.head()).number
        async with _reconciling(config, prepared) as reconciler:
            outcome = await reconciler.run()
            assert reconciler.all_running, outcome.errors
        after = (await chain.head()).number
        await chain.close()

    assert after - before <= 5


async def test_an_empty_faucet_is_named(meshed: OperatorConfig, prepared: Preparation, nodes: list[FakeNode]) -> None:
    """A faucet without funds is an error that says whose top-ups wait; nothing is deployed, nothing crashes."""
    poor = replace(meshed, credentials=replace(meshed.credentials, faucet_private_key="0x" + "cd" * 32))
    poor = replace(poor, funding=replace(poor.funding, minimum_wei=10**40))
    async with _reconciling(poor, prepared) as reconciler:
        outcome = await reconciler.run()

    assert isinstance(outcome.errors["faucet"], FaucetEmpty)
    assert {"faucet", *_FEEDS} == set(outcome.errors)

    required = replace(poor, funding=replace(poor.funding, required=True))
    async with _reconciling(required, prepared) as reconciler:
        with pytest.raises(TopupRequired, match="top-up of chainlink-node-2"):
            await reconciler.run()


async def test_a_node_without_its_own_keys_is_told_apart(
    meshed: OperatorConfig, prepared: Preparation, nodes: list[FakeNode]
) -> None:
    """A node that runs with other keys than its files say gets no job, and the error says which key is missing."""
    nodes[1].evm_address = nodes[2].evm_address
    nodes[3].peer_id = nodes[2].peer_id
    async with _reconciling(meshed, prepared) as reconciler:
        outcome = await reconciler.run()

    assert {"chainlink-node-2", "chainlink-node-4"} == set(outcome.errors)
    assert f"{prepared.identities[1].transmitter_address} of secrets.toml is missing" in str(
        outcome.errors["chainlink-node-2"]
    )
    assert f"{prepared.identities[3].peer_id} of secrets.toml is missing" in str(outcome.errors["chainlink-node-4"])
    assert ({}, {}) == (nodes[1].jobs, nodes[3].jobs)


async def test_what_differs_is_verified_and_planned(
    meshed: OperatorConfig, prepared: Preparation, nodes: list[FakeNode], sender: Sender, chain: Chain
) -> None:
    """Before, between and after: a look changes nothing, says what differs, and what would be sent to mend it."""
    async with _reconciling(meshed, prepared) as reconciler:
        planned = await reconciler.change(FeedAction.DEPLOY, _FEEDS[:2], dry_run=True)
        assert [f"deployment of {feed}" for feed in _FEEDS[:2]] == [
            call.transaction.purpose for call in planned.planned
        ]
        before = await reconciler.verify()
        assert {("contract: there is none",)} == set(before.differences.values())

        await reconciler.run()
        assert (dict.fromkeys(_FEEDS, ()), ()) == _told(await reconciler.verify())
        nodes[2].jobs = {number: job for number, job in nodes[2].jobs.items() if job["name"] != _FEEDS[1]}
        nodes[3].ready = False
        nodes[4].bridges.clear()
        found = await reconciler.verify()
        assert ("chainlink-node-3: no job 'ETH / USD'",) == found.differences["ETH / USD"]
        assert any(each.startswith("chainlink-node-5: otherwise than wanted: bridge") for each in found.problems)
        assert any(each.startswith("chainlink-node-4: ") and "not ready" in each for each in found.problems)

    other = replace(meshed, ocr=replace(meshed.ocr, r_max=meshed.ocr.r_max + 1))
    async with _reconciling(other, prepared) as changed:
        nonce = await chain.next_nonce(sender.address)
        found = await changed.verify()
        assert all("r_max is 4, ours 5" in texts[0] for texts in found.differences.values()), found.differences
        planned = await changed.change(FeedAction.CONFIGURE, _FEEDS[2:], dry_run=True)
        assert ["setPayees of EUR / USD", "setConfig of EUR / USD"] == [
            call.transaction.purpose for call in planned.planned
        ]
        assert nonce == await chain.next_nonce(sender.address)
        done = await changed.change(FeedAction.CONFIGURE, _FEEDS[2:], dry_run=False)
        assert [True] == [change.startswith("contract of EUR / USD configured") for change in done.outcome.changes]
        left = (await changed.verify()).differences
        assert [False, False, True] == [not any("contract" in text for text in left[feed]) for feed in _FEEDS]


def _told(found: Verification) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    return dict(found.differences), found.problems
