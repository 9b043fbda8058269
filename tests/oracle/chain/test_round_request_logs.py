"""The logs of RoundRequested events, asked for once a block for all feeds."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from chainlink.rpc.client import RpcClient
from chainlink.rpc.errors import RpcRefused
from services.oracle.chain.heads import HeadTracker
from services.oracle.chain.round_request_logs import RoundRequestLogs

ONE, OTHER, THIRD = "0x" + "A1" * 20, "0x" + "b2" * 20, "0x" + "33" * 20


@dataclass
class Endpoint:
    """Be an endpoint with logs of some contracts by block, and the head tracker beside it."""

    logs_of: dict[str, list[int]] = field(default_factory=dict)
    rewinds: int = 0
    most: int = 1000
    asked: list[tuple[tuple[str, ...], int, int]] = field(default_factory=list)
    answering: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.answering.set()

    async def logs(self, address: str | Sequence[str], _topic: bytes, first: int, last: int) -> list[dict[str, Any]]:
        addresses = (address,) if isinstance(address, str) else tuple(address)
        self.asked.append((tuple(each.lower() for each in addresses), first, last))
        await self.answering.wait()
        if len(addresses) > self.most:
            raise RpcRefused("eth_getLogs", -32602, "too many addresses")
        wanted = {each.lower() for each in addresses}
        found = [(block, each) for each, blocks in self.logs_of.items() for block in blocks if each.lower() in wanted]
        return [{"address": each, "blockNumber": hex(at)} for at, each in sorted(found) if first <= at <= last]


@pytest.fixture(name="endpoint")
def _endpoint() -> Endpoint:
    """Give an endpoint with a log of each of three contracts."""
    return Endpoint({ONE: [990, 1001], OTHER: [995], THIRD: []})


@pytest.fixture(name="logs")
def _logs(endpoint: Endpoint) -> RoundRequestLogs:
    """Give what asks that endpoint."""
    return RoundRequestLogs(cast(RpcClient, endpoint), cast(HeadTracker, endpoint))


async def blocks(logs: RoundRequestLogs, contract: str, first: int, last: int) -> list[int]:
    """Return the blocks of the logs that are found."""
    return [int(each["blockNumber"], 16) for each in await logs.read(contract, first, last)]


async def begun(logs: RoundRequestLogs, endpoint: Endpoint) -> None:
    """Let all three contracts ask once, each for itself as it is new, and forget that it was asked."""
    for contract in (ONE, OTHER, THIRD):
        await logs.read(contract, 0, 1000)
    endpoint.asked.clear()


async def test_one_question_a_block_for_all(logs: RoundRequestLogs, endpoint: Endpoint) -> None:
    """A contract's first question is its own; then whoever asks first asks for all, and each gets its own logs."""
    assert [990] == await blocks(logs, ONE, 0, 1000)
    assert [((ONE.lower(),), 0, 1000)] == endpoint.asked
    await begun(logs, endpoint)
    found = await asyncio.gather(*(blocks(logs, contract, 985, 1001) for contract in (ONE, OTHER, THIRD)))

    assert [[990, 1001], [995], []] == found
    assert [((ONE.lower(), OTHER.lower(), THIRD.lower()), 1001 - 127, 1001)] == endpoint.asked
    assert [1001] == await blocks(logs, ONE, 991, 1001)
    assert 1 == len(endpoint.asked)
    await blocks(logs, ONE, 986, 1002)
    assert 2 == len(endpoint.asked)


async def test_who_was_away_asks_alone(logs: RoundRequestLogs, endpoint: Endpoint) -> None:
    """A contract that asks for more blocks than are asked for all is asked for by itself, and is in no other's way."""
    await begun(logs, endpoint)
    await blocks(logs, ONE, 1000, 1200)
    await blocks(logs, OTHER, 1150, 1200)

    assert [((ONE.lower(),), 1000, 1200), ((ONE.lower(), OTHER.lower()), 1073, 1200)] == endpoint.asked


async def test_a_rewind_makes_answers_void(logs: RoundRequestLogs, endpoint: Endpoint) -> None:
    """What was answered before the chain went back is not used after it."""
    await begun(logs, endpoint)
    await blocks(logs, ONE, 985, 1001)
    endpoint.rewinds += 1
    endpoint.logs_of = {ONE: [], OTHER: []}

    assert [] == await blocks(logs, ONE, 985, 1001)
    assert 2 == len(endpoint.asked)


async def test_many_are_refused(logs: RoundRequestLogs, endpoint: Endpoint) -> None:
    """Where so many contracts are refused, each asks for itself once, and fewer are asked for at once afterwards."""
    endpoint.most = 1
    await begun(logs, endpoint)

    assert [1001] == await blocks(logs, ONE, 991, 1001)
    assert [3, 1] == [len(contracts) for contracts, _, _ in endpoint.asked]
    assert [995] == await blocks(logs, OTHER, 991, 1001)
    assert [3, 1, 1, 1, 1] == [len(contracts) for contracts, _, _ in endpoint.asked]


async def test_who_waits_goes_on_when_who_asked_is_cancelled(logs: RoundRequestLogs, endpoint: Endpoint) -> None:
    """A question that is cancelled takes nobody's answer away: the next one asks anew."""
    await begun(logs, endpoint)
    endpoint.answering.clear()
    first, second = (asyncio.ensure_future(blocks(logs, contract, 985, 1001)) for contract in (ONE, OTHER))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    endpoint.answering.set()

    assert [995] == await second
    assert 2 == len(endpoint.asked)
