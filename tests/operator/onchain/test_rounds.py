import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal

import pytest

from chainlink.rpc.endpoints import Endpoint
from meshkit.clock import SystemClock
from meshkit.errors import MeshError, Unavailable
from services.operator.config import OperatorConfig
from services.operator.errors import ChainUnavailable
from services.operator.nodes.identity import oracles
from services.operator.nodes.prepare_nodes import Preparation
from services.operator.onchain import feed_contract, ocr_config, rounds
from services.operator.onchain.chain import Chain
from services.operator.onchain.configuration.calls import of_ocr1
from services.operator.onchain.rounds import FollowedFeed, NodeNames, RoundFollower
from services.operator.onchain.transactions import Sender
from tests.operator.anvil import CHAIN_ID, Anvil, start
from tests.operator.reports import transmit
from tests.ports import free_port

_NAMES = [f"chainlink-node-{index}" for index in range(2, 6)]


@dataclass
class Stage:
    """Two configured contracts and a follower that polls when told to."""

    follower: RoundFollower
    anvil: Anvil
    addresses: list[str]
    transmit: Callable[..., Awaitable[str]]


@pytest.fixture(name="stage")
async def _stage(anvil: Anvil, chain: Chain, sender: Sender, config: OperatorConfig, prepared: Preparation) -> Stage:
    made, feeds = oracles(prepared.identities), config.feeds[:2]
    wanted = ocr_config.desired(made, config.ocr, 1337)
    receipts = await sender.send_all([feed_contract.deployment(chain, feed) for feed in feeds])
    addresses = [str(receipt.contract) for receipt in receipts if not isinstance(receipt, MeshError)]
    for feed, address in zip(feeds, addresses, strict=True):
        await sender.send_all(of_ocr1(feed, address, wanted, made, sender.address))
    followed = {
        address.lower(): FollowedFeed(feed.name, feed.decimals) for feed, address in zip(feeds, addresses, strict=True)
    }
    names = NodeNames({item.node.transmitter_address.lower(): item.node.name for item in made}, _NAMES)
    follower = RoundFollower(chain, names, lambda: followed, SystemClock())

    async def send(feed: int, epoch: int, round_: int, observations: list[int], **options: object) -> str:
        return await transmit(
            anvil,
            chain,
            prepared,
            config,
            addresses[feed],
            epoch=epoch,
            round_=round_,
            observations=observations,
            **options,  # type: ignore[arg-type]
        )

    return Stage(follower, anvil, addresses, send)


async def test_a_round_is_told_with_names_and_prices(stage: Stage) -> None:
    """A report becomes a round: prices with decimals, epoch and round, node names in the order of observations."""
    await stage.follower.poll()
    await stage.transmit(0, 5, 3, [100, 250, 10**12], observers=(2, 0, 3), transmitter=1)
    with stage.follower.subscribe() as published:
        await stage.follower.poll()
        found = await anext(published)

    assert ("BTC / USD", 1, 5, 3) == (found.feed, found.round_id, found.epoch, found.round)
    assert Decimal("0.00000250") == found.answer
    assert (Decimal("0.00000100"), Decimal("0.00000250"), Decimal(10_000)) == found.observations
    assert "chainlink-node-3" == found.transmitter
    assert ("chainlink-node-4", "chainlink-node-2", "chainlink-node-5") == found.observers
    assert found.block_time_s > 1_600_000_000


async def test_only_rounds_from_now_on_come_in_chain_order(stage: Stage) -> None:
    """What was there before the first poll is not told; then the rounds of all feeds come as the chain has them."""
    await stage.transmit(0, 1, 1, [1, 2, 3])
    await stage.follower.poll()
    await stage.transmit(1, 1, 1, [4, 5, 6])
    await stage.transmit(0, 1, 2, [7, 8, 9])
    await stage.transmit(1, 1, 2, [1, 1, 1])

    assert [("ETH / USD", 1), ("BTC / USD", 2), ("ETH / USD", 2)] == [
        (found.feed, found.round_id) for found in await stage.follower.poll()
    ]
    assert () == await stage.follower.poll()


async def test_a_rewound_chain_is_followed_without_repeats(stage: Stage) -> None:
    """After a rewind the rounds of the new branch are told, also in block numbers seen before, and none twice."""
    await stage.follower.poll()
    await stage.transmit(0, 1, 1, [1, 2, 3])
    snapshot = await stage.anvil.call("evm_snapshot")
    await stage.transmit(0, 1, 2, [4, 5, 6])
    await stage.transmit(0, 1, 3, [4, 5, 6])
    assert [1, 2, 3] == [found.round for found in await stage.follower.poll()]

    await stage.anvil.call("evm_revert", snapshot)
    await stage.transmit(0, 1, 2, [4, 5, 6])
    await stage.transmit(0, 2, 1, [7, 8, 9])
    found = await stage.follower.poll()

    assert [(2, 1)] == [(item.epoch, item.round) for item in found]
    assert Decimal("0.00000008") == found[0].answer


async def test_a_chain_that_began_anew_is_followed(config: OperatorConfig, prepared: Preparation, stage: Stage) -> None:
    """If no block seen before is left, the follower goes on with the new chain's blocks."""
    stage.follower._heads.clear()
    stage.follower._heads.append((10**6, b"\x01" * 32))
    await stage.transmit(0, 9, 1, [1, 2, 3])

    assert (9, 1) in [(found.epoch, found.round) for found in await stage.follower.poll()]


async def test_an_outage_loses_nothing(config: OperatorConfig, prepared: Preparation, stage: Stage) -> None:
    """A poll that fails is repeated from where the last good one ended."""
    await stage.follower.poll()
    await stage.transmit(0, 1, 1, [1, 2, 3])
    working = stage.follower._chain
    stage.follower._chain = Chain([Endpoint("chain", f"http://127.0.0.1:{free_port()}")], CHAIN_ID)
    with pytest.raises(ChainUnavailable):
        await stage.follower.poll()
    await stage.follower._chain.close()
    stage.follower._chain = working

    assert [1] == [found.round for found in await stage.follower.poll()]


async def test_running_survives_a_dead_chain(config: OperatorConfig, prepared: Preparation) -> None:
    """The follower's task does not end when the chain goes away, and goes on when it is back."""
    port = free_port()
    chain = Chain([Endpoint("chain", f"http://127.0.0.1:{port}")], CHAIN_ID)
    follower = RoundFollower(chain, NodeNames({}, []), dict, SystemClock())
    task = asyncio.create_task(follower.run())
    try:
        for _ in range(2):
            with start(port, "--block-time", "1"):
                before = list(follower._heads)
                async with asyncio.timeout(10):
                    while list(follower._heads) == before:  # noqa: ASYNC110  # there is no event to wait for
                        await asyncio.sleep(0.05)
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await chain.close()


async def test_a_slow_reader_is_told_so(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A subscriber that falls too far behind gets an error at the end of what it has; the others are not affected."""
    monkeypatch.setattr(rounds, "_SUBSCRIBER_BACKLOG", 2)
    await stage.follower.poll()
    with stage.follower.subscribe() as slow:
        for number in (1, 2, 3):
            await stage.transmit(0, 1, number, [1, 2, 3])
        await stage.follower.poll()

        assert 2 == (await anext(slow)).round
        with pytest.raises(Unavailable, match="behind"):
            await anext(slow)


def test_strangers_keep_what_the_chain_says() -> None:
    """A transmitter or observer that is none of ours is named by its address or index."""
    names = NodeNames({"0xaa": "chainlink-node-2"}, ["chainlink-node-2"])

    assert ("chainlink-node-2", "0xBB") == (names.transmitter("0xAA"), names.transmitter("0xBB"))
    assert ("chainlink-node-2", "oracle-1") == (names.observer(0), names.observer(1))
