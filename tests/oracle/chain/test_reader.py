"""What is read of a contract, through endpoints that are behind."""

from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from eth_abi.abi import encode

from chainlink.contract.aggregator import RoundRequested, TransmissionDetails
from chainlink.rpc.client import RpcClient
from chainlink.rpc.errors import RpcRefused
from meshkit.clock import ManualClock
from services.oracle.chain.contract_state import ContractState
from services.oracle.chain.heads import HeadTracker
from services.oracle.chain.reader import AggregatorReader
from services.oracle.errors import DatabaseUnavailable
from services.oracle.ocr.running.interfaces import LastKnown
from services.oracle.store.contracts import ContractStateStore

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
    chain_id: int = 1337
    # The time of the last transmission.
    timestamp_s: int = 6
    # The store of states, which several readers share.
    kept: ContractState | None = None
    unloadable: bool = False

    def known_before(self, block: int) -> None:
        self.latest = max(self.latest, block)

    def note(self, contract: str, chain_id: int, state: ContractState) -> None:
        assert (CONTRACT, 1337) == (contract, chain_id)
        self.kept = state

    async def load(self, contract: str, chain_id: int) -> ContractState | None:
        assert (CONTRACT, 1337) == (contract, chain_id)
        if self.unloadable:
            raise DatabaseUnavailable("no")
        return self.kept

    async def eth_call(self, to: str, data: bytes) -> bytes:
        digest, epoch, round_number = self.details
        return encode(
            ("bytes16", "uint32", "uint8", "int192", "uint64"), (digest, epoch, round_number, 5, self.timestamp_s)
        )

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
    return reader_of(endpoint, clock)


def reader_of(endpoint: Endpoint, clock: ManualClock) -> AggregatorReader:
    """Return a reader of that endpoint, with that endpoint's store."""
    parts = (cast(RpcClient, endpoint), cast(HeadTracker, endpoint), CONTRACT, clock)
    return AggregatorReader(*parts, cast(ContractStateStore, endpoint))


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


async def test_what_was_read_outlives_the_reader(endpoint: Endpoint, clock: ManualClock) -> None:
    """Another reader knows without the chain what the one before read, and notes only what is new."""
    first = reader_of(endpoint, clock)
    assert LastKnown() == await first.last_known()
    endpoint.requests[99] = (1, 1)
    await place(first)
    await first.latest_round_requested()
    details, requested = TransmissionDetails(DIGEST, 1, 1, 5, 6), RoundRequested(DIGEST, 1, 1)
    assert ContractState(details, 100, requested) == endpoint.kept
    assert LastKnown(details, requested) == await reader_of(endpoint, clock).last_known()

    kept = endpoint.kept
    await place(first)
    await first.latest_round_requested()
    assert kept is endpoint.kept
    endpoint.details = (DIGEST, 1, 2)
    await place(first)
    assert ContractState(TransmissionDetails(DIGEST, 1, 2, 5, 6), 100, requested) == endpoint.kept


async def test_what_was_signed_outlives_the_reader(endpoint: Endpoint, clock: ManualClock) -> None:
    """A signed report is kept beside what was read, by a reader that reads nothing any more too, until a rewind."""
    first = reader_of(endpoint, clock)
    await place(first)
    signed = TransmissionDetails(DIGEST, 1, 2, 7, 8)
    first.note_signed(signed)
    assert ContractState(TransmissionDetails(DIGEST, 1, 1, 5, 6), 100, None, signed) == endpoint.kept

    second = reader_of(endpoint, clock)
    assert LastKnown(TransmissionDetails(DIGEST, 1, 1, 5, 6), None, signed) == await second.last_known()
    endpoint.details = (DIGEST, 1, 2)
    await place(second)
    assert endpoint.kept is not None
    assert signed == endpoint.kept.signed


async def test_a_node_behind_right_after_a_start(endpoint: Endpoint, clock: ManualClock) -> None:
    """What an earlier run read is not given up for the older word of a node that is behind, until that lasts."""
    endpoint.kept = ContractState(TransmissionDetails(DIGEST, 2, 3, 5, 6), 150)
    reader = reader_of(endpoint, clock)
    await reader.last_known()
    assert 150 == endpoint.latest
    assert (DIGEST, 2, 3) == await place(reader)
    clock.advance(30)
    assert (DIGEST, 1, 1) == await place(reader)


async def test_a_node_behind_a_configuration(reader: AggregatorReader, endpoint: Endpoint) -> None:
    """A configuration of before, with a transmission of before, is that of a node which is behind."""
    endpoint.details, endpoint.timestamp_s = (OTHER, 1, 1), 1000
    await place(reader)
    endpoint.details, endpoint.timestamp_s = (DIGEST, 9, 9), 940
    assert (OTHER, 1, 1) == await place(reader)


async def test_a_state_that_cannot_be_loaded(endpoint: Endpoint, clock: ManualClock) -> None:
    """That is an error, and the next time it is tried again; what was read meanwhile counts more."""
    endpoint.kept, endpoint.unloadable = ContractState(TransmissionDetails(DIGEST, 2, 3, 5, 6), 90), True
    reader = reader_of(endpoint, clock)
    with pytest.raises(DatabaseUnavailable):
        await reader.last_known()
    endpoint.unloadable = False
    assert LastKnown(TransmissionDetails(DIGEST, 2, 3, 5, 6)) == await reader.last_known()
