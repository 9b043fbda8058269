"""The outside world of a runner, in memory, and failing on command."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from chainlink.contract.aggregator import RoundRequested, TransmissionDetails
from meshkit.clock import SystemClock
from services.oracle.ocr.running.interfaces import LastKnown
from services.oracle.ocr.state import PacemakerState, PendingTransmission, SignedRound
from tests.oracle.ocr.fake_contract import FakeContract


class OutageError(Exception):
    """What a part that is out of order raises."""


class World:
    """
    Be the data source, the contract reader, the transmitter and the store of one oracle.

    `broken` names methods that raise, `stuck` those that never return.
    """

    def __init__(self, index: int, contract: FakeContract) -> None:
        self.index = index
        self.contract = contract
        self.broken: set[str] = set()
        self.stuck: set[str] = set()
        self.value = 100_000_000
        self.known = LastKnown()
        self.clock_is_off = False
        self.pacemaker: PacemakerState | None = None
        self.signed: SignedRound | None = None
        self.pending: dict[tuple[int, int], PendingTransmission] = {}

    async def observe(self, epoch: int, round_number: int) -> int:
        """Return a value that grows with every call."""
        await self._pass("observe")
        self.value += 100 + epoch + round_number
        return self.value

    async def last_known(self) -> LastKnown:
        """Return what an earlier run read."""
        await self._pass("last_known")
        return self.known

    def note_signed(self, signed: TransmissionDetails) -> None:
        """Remember a report for the next run."""
        self.known = replace(self.known, signed=signed)

    async def latest_transmission_details(self) -> TransmissionDetails:
        """Return the contract's state."""
        await self._pass("latest_transmission_details")
        return self.contract.details

    async def latest_round_requested(self) -> RoundRequested | None:
        """Return the contract's latest request."""
        await self._pass("latest_round_requested")
        return self.contract.requested

    async def transmit(self, report: bytes, rs: Sequence[bytes], ss: Sequence[bytes], raw_vs: bytes) -> None:
        """Call the contract."""
        await self._pass("transmit")
        self.contract.transmit(self.index, report, rs, ss, raw_vs, SystemClock().time_ms())

    async def load_pacemaker(self, config_digest: bytes) -> PacemakerState | None:
        """Return what was saved."""
        await self._pass("load_pacemaker")
        return self.pacemaker

    async def save_pacemaker(self, config_digest: bytes, state: PacemakerState) -> None:
        """Keep the state."""
        await self._pass("save_pacemaker")
        self.pacemaker = state

    async def load_signed_round(self, config_digest: bytes) -> SignedRound | None:
        """Return what was saved."""
        await self._pass("load_signed_round")
        return self.signed

    async def save_signed_round(self, config_digest: bytes, signed: SignedRound) -> None:
        """Keep the round."""
        await self._pass("save_signed_round")
        self.signed = signed

    async def load_pending(self, config_digest: bytes) -> Sequence[PendingTransmission]:
        """Return what was saved and not deleted."""
        await self._pass("load_pending")
        return list(self.pending.values())

    async def save_pending(self, config_digest: bytes, pending: PendingTransmission) -> None:
        """Keep the transmission."""
        await self._pass("save_pending")
        self.pending[(pending.epoch, pending.round)] = pending

    async def delete_pending(self, config_digest: bytes, epoch: int, round_number: int) -> None:
        """Forget the transmission."""
        await self._pass("delete_pending")
        self.pending.pop((epoch, round_number), None)

    async def _pass(self, name: str) -> None:
        if name in self.broken:
            raise OutageError(name)
        if name in self.stuck:
            await asyncio.Event().wait()


class LoopbackNetwork:
    """Connect runners of one process without sockets."""

    def __init__(self, index: int, inboxes: list[asyncio.Queue[tuple[int, bytes]]]) -> None:
        self._index = index
        self._inboxes = inboxes

    def send(self, to: int, payload: bytes) -> None:
        """Deliver at once."""
        self._inboxes[to].put_nowait((self._index, payload))

    def broadcast(self, payload: bytes) -> None:
        """Deliver to all others at once."""
        for to in range(len(self._inboxes)):
            if to != self._index:
                self.send(to, payload)

    async def receive(self) -> tuple[int, bytes]:
        """Wait for the next message."""
        return await self._inboxes[self._index].get()
