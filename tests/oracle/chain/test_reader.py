"""What is read of a contract, through endpoints that are behind."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from eth_abi.abi import encode

from chainlink.contract.aggregator import RoundRequested
from chainlink.rpc.client import RpcClient
from chainlink.rpc.errors import RpcRefused
from meshkit.clock import ManualClock
from services.oracle.chain.heads import HeadTracker
from services.oracle.chain.reader import AggregatorReader

DIGEST, OTHER = b"d" * 16, b"o" * 16
CONTRACT = "0x" + "11" * 20


@dataclass
class Endpoint:
    """Be an endpoint that says what it is told to, and the head tracker beside it."""

    latest: int = 100
    rewinds: int = 0
    details: tuple[bytes, int, int] = (DIGEST, 1, 1)
    requests: dict[int, tuple[int, int]] = field(default_factory=dict)
    asked: list[tuple[int, int]] = field(default_factory=list)
    # How many of the newest blocks it does not have, without saying so.
    behind: int = 0
    error: Exception | None = None

    async def eth_call(self, to: str, data: bytes) -> bytes:
        digest, epoch, round_number = self.details
        return encode(("bytes16", "uint32", "uint8", "int192", "uint64"), (digest, epoch, round_number, 5, 6))

    async def logs(self, address: str, topic: bytes, first: int, last: int) -> list[dict[str, Any]]:
        self.asked.append((first, last))
        if self.error is not None:
            raise self.error
        return [
            {
                "topics": ["0x" + topic.hex(), "0x" + "00" * 32],
                "data": "0x" + encode(("bytes16", "uint32", "uint8"), (DIGEST, *request)).hex(),
            }
            for block, request in sorted(self.requests.items())
            if first <= block <= min(last, self.latest - self.behind)
        ]


@pytest.fixture(name="endpoint")
def _endpoint() -> Endpoint:
    """Give an endpoint at block 100, with a transmission of epoch 1, round 1."""
    return Endpoint()


@pytest.fixture(name="clock")
def _clock() -> ManualClock:
    """Give a clock that stands still."""
    return ManualClock()


@pytest.fixture(name="reader")
def _reader(endpoint: Endpoint, clock: ManualClock) -> AggregatorReader:
    """Give a reader of that endpoint."""
    return AggregatorReader(cast(RpcClient, endpoint), cast(HeadTracker, endpoint), CONTRACT, clock)


async def place(reader: AggregatorReader) -> tuple[bytes, int, int]:
    """Return digest, epoch and round of the latest transmission."""
    details = await reader.latest_transmission_details()
    return details.config_digest, details.epoch, details.round


async def test_an_older_transmission_is_not_believed(reader: AggregatorReader, endpoint: Endpoint) -> None:
    """A node that is behind tells of an older transmission; what was seen stands, also against a lower epoch."""
    endpoint.details = (DIGEST, 2, 3)
    assert (DIGEST, 2, 3) == await place(reader)
    for behind in ((DIGEST, 2, 2), (DIGEST, 1, 9), (DIGEST, 0, 0)):
        endpoint.details = behind
        assert (DIGEST, 2, 3) == await place(reader)
    endpoint.details = (DIGEST, 2, 4)
    assert (DIGEST, 2, 4) == await place(reader)


async def test_a_transmission_that_vanished(reader: AggregatorReader, endpoint: Endpoint, clock: ManualClock) -> None:
    """When the newer transmission was not seen for half a minute, or the chain went back, the older one is believed."""
    endpoint.details = (DIGEST, 2, 3)
    await place(reader)
    clock.advance(20)
    await place(reader)
    endpoint.details = (DIGEST, 2, 2)
    clock.advance(29.9)
    assert (DIGEST, 2, 3) == await place(reader)
    clock.advance(0.2)
    assert (DIGEST, 2, 2) == await place(reader)

    endpoint.details = (DIGEST, 1, 1)
    endpoint.rewinds += 1
    assert (DIGEST, 1, 1) == await place(reader)


async def test_another_configuration_begins_anew(reader: AggregatorReader, endpoint: Endpoint) -> None:
    """Under another configuration epochs begin anew, and that is believed at once."""
    endpoint.details = (DIGEST, 7, 1)
    await place(reader)
    endpoint.details = (OTHER, 0, 0)
    assert (OTHER, 0, 0) == await place(reader)


async def test_a_request_that_was_missed(reader: AggregatorReader, endpoint: Endpoint) -> None:
    """A request that a node behind did not give is found with the next blocks."""
    endpoint.requests[100] = (1, 1)
    endpoint.behind = 8
    assert await reader.latest_round_requested() is None
    assert await reader.latest_round_requested() is None
    endpoint.latest, endpoint.behind = 101, 0
    assert RoundRequested(DIGEST, 1, 1) == await reader.latest_round_requested()
    assert [(0, 100), (85, 101)] == endpoint.asked


async def test_logs_that_cannot_be_read(reader: AggregatorReader, endpoint: Endpoint) -> None:
    """A failed reading is an error, and its blocks are read the next time."""
    endpoint.error = RpcRefused("eth_getLogs", -32601, "no")
    with pytest.raises(RpcRefused):
        await reader.latest_round_requested()
    endpoint.error, endpoint.latest = None, 150
    endpoint.requests[90] = (1, 1)
    assert RoundRequested(DIGEST, 1, 1) == await reader.latest_round_requested()
