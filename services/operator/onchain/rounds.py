"""Following the rounds that the feeds' contracts accept, through outages and rewinds of the chain."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from chainlink.contract import aggregator, aggregator_ocr2
from chainlink.ocr.report_context import read_context_tag
from meshkit import log
from meshkit.clock import Clock
from meshkit.errors import MeshError, Unavailable
from services.operator.onchain.feed_contract import price

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.operator.onchain.chain import Block, Chain, Event
    from services.operator.pass_watch import PassWatch

_NEW_TRANSMISSION = {1: aggregator.NEW_TRANSMISSION, 2: aggregator_ocr2.NEW_TRANSMISSION}
_POLL_S = 0.5
_LONGEST_RANGE = 1000
# How far back a rewind is followed when no block seen before is left.
_LONGEST_REWIND = 1000
_REMEMBERED_HEADS = 256
_REMEMBERED_ROUNDS = 4096
_SUBSCRIBER_BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class Round:
    """
    Hold one report that a contract accepted.

    `transmitter` and `observers` are node names, or what stands on chain if it is none of ours; observations ascend.
    """

    feed: str
    round_id: int
    answer: Decimal
    epoch: int
    round: int
    transmitter: str
    observers: tuple[str, ...]
    observations: tuple[Decimal, ...]
    block_number: int
    block_time_s: int


@dataclass(frozen=True, slots=True)
class FollowedFeed:
    """Hold what is needed to read a contract's rounds."""

    name: str
    decimals: int
    ocr_version: int = 1


@dataclass(frozen=True, slots=True)
class NodeNames:
    """Hold the names of nodes by lower-case transmitter address, and in the order of oracle indexes."""

    by_transmitter: Mapping[str, str]
    by_index: Sequence[str]

    def transmitter(self, address: str) -> str:
        """Return the name of the node with that address, or the address."""
        return self.by_transmitter.get(address.lower(), address)

    def observer(self, index: int) -> str:
        """Return the name of the oracle with that index, or `oracle-<index>`."""
        return self.by_index[index] if index < len(self.by_index) else f"oracle-{index}"


def decode(event: "Event", feed: FollowedFeed, names: NodeNames, block_time_s: int) -> Round:
    """Return the round of a NewTransmission event, of either protocol."""
    said = event.fields
    epoch, round_number = _epoch_and_round(said)
    return Round(
        feed=feed.name,
        round_id=said["aggregatorRoundId"],
        answer=price(said["answer"], feed.decimals),
        epoch=epoch,
        round=round_number,
        transmitter=names.transmitter(said["transmitter"]),
        observers=tuple(names.observer(index) for index in bytes(said["observers"])),
        observations=tuple(price(value, feed.decimals) for value in said["observations"]),
        block_number=event.block,
        block_time_s=block_time_s,
    )


def _epoch_and_round(said: Mapping[str, Any]) -> tuple[int, int]:
    if "epochAndRound" in said:
        epoch, round_number = divmod(said["epochAndRound"], 256)
        return epoch, round_number
    context = read_context_tag(said["rawReportContext"])
    return context.epoch, context.round


def _report_key(event: "Event") -> tuple[str, bytes]:
    """Return what no other report has: contract, configuration, epoch and round."""
    said = event.fields
    context = said.get("rawReportContext") or bytes(said["configDigest"]) + said["epochAndRound"].to_bytes(5, "big")
    return event.contract.lower(), bytes(context)


class RoundFollower:
    """
    Poll the chain for new rounds and hand each to every subscriber, in chain order.

    The first block looked at is the one after the head at the first poll. A rewind (reorganisation, or a dev chain
    restored from an older snapshot) is followed from the last block that is still there; a round is never sent twice.
    """

    def __init__(
        self,
        chain: "Chain",
        names: NodeNames,
        feeds: Callable[[], Mapping[str, FollowedFeed]],
        clock: Clock,
        passes: "PassWatch | None" = None,
    ) -> None:
        self._chain = chain
        self._names = names
        # Contract addresses, in lower case, to feeds: asked at each poll, since contracts come and go.
        self._feeds = feeds
        self._clock = clock
        self._watching: Callable[[str], AbstractContextManager[object]] = passes.watching if passes else nullcontext
        self._heads: deque[tuple[int, bytes]] = deque(maxlen=_REMEMBERED_HEADS)
        self._sent: OrderedDict[tuple[str, bytes], None] = OrderedDict()
        self._subscribers: set[asyncio.Queue[Round | None]] = set()
        self._log = log.get_logger("services.operator.onchain.rounds")

    async def run(self) -> None:
        """Poll until cancelled; an outage is logged once when it begins and once when it ends."""
        down = False
        while True:
            try:
                with self._watching("rounds"):
                    await self.poll()
                if down:
                    self._log.info("chain_back")
                down = False
            except MeshError as error:
                if not down:
                    self._log.warning("chain_lost", error=str(error))
                down = True
            await self._clock.sleep(_POLL_S)

    async def poll(self) -> tuple[Round, ...]:
        """Look once for new blocks, publish their rounds and return them."""
        head = await self._chain.head()
        if not self._heads:
            self._heads.append((head.number, head.hash))
            return ()
        number, block_hash = self._heads[-1]
        if head.hash == block_hash:
            return ()
        first = number + 1 if head.parent_hash == block_hash else await self._resume_from(head)
        addresses = self._feeds()
        published: list[Round] = []
        while first <= head.number:
            last = min(first + _LONGEST_RANGE - 1, head.number)
            published += await self._publish_range(addresses, first, last)
            first = last + 1
        self._heads.append((head.number, head.hash))
        return tuple(published)

    async def _resume_from(self, head: "Block") -> int:
        """Return the block after the newest one that we saw and the chain still has; forget the lost ones."""
        while self._heads:
            number, block_hash = self._heads[-1]
            block = await self._chain.block(number) if number <= head.number else None
            if block is not None and block.hash == block_hash:
                return number + 1
            self._heads.pop()
        self._log.warning("chain_replaced", head=head.number)
        return max(0, head.number - _LONGEST_REWIND)

    async def _publish_range(self, addresses: Mapping[str, FollowedFeed], first: int, last: int) -> list[Round]:
        events = await self._events(addresses, first, last)
        times: dict[int, int] = {}
        published: list[Round] = []
        for event in events:
            number = event.block
            if number not in times:
                block = await self._chain.block(number)
                if block is None:
                    raise Unavailable(f"block {number} went away while it was read")
                times[number] = block.time_s
            address = event.contract.lower()
            key = _report_key(event)
            if key in self._sent:
                continue
            accepted = decode(event, addresses[address], self._names, times[number])
            self._publish(accepted)
            published.append(accepted)
            self._sent[key] = None
            if len(self._sent) > _REMEMBERED_ROUNDS:
                self._sent.popitem(last=False)
        return published

    async def _events(self, addresses: Mapping[str, FollowedFeed], first: int, last: int) -> "list[Event]":
        found: list[Event] = []
        for version, form in _NEW_TRANSMISSION.items():
            contracts = [address for address, feed in addresses.items() if feed.ocr_version == version]
            found += await self._chain.logs(contracts, form, first, last)
        return sorted(found, key=lambda event: (event.block, event.index))

    def _publish(self, accepted: Round) -> None:
        for queue in tuple(self._subscribers):
            try:
                queue.put_nowait(accepted)
            except asyncio.QueueFull:
                # Whoever reads too slowly is told so rather than given a stream with holes.
                self._subscribers.discard(queue)
                queue.get_nowait()
                queue.put_nowait(None)

    @contextmanager
    def subscribe(self) -> "Iterator[AsyncIterator[Round]]":
        """
        Give an iterator of the rounds from now on; it raises Unavailable if its reader falls far behind.

        The subscription begins on entry, not at the first read.
        """
        queue: asyncio.Queue[Round | None] = asyncio.Queue(_SUBSCRIBER_BACKLOG)
        self._subscribers.add(queue)
        try:
            yield _drain(queue)
        finally:
            self._subscribers.discard(queue)


async def _drain(queue: "asyncio.Queue[Round | None]") -> AsyncIterator[Round]:
    while (accepted := await queue.get()) is not None:
        yield accepted
    raise Unavailable(f"the reader fell more than {_SUBSCRIBER_BACKLOG} rounds behind")
