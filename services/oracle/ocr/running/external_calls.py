"""The calls to the outside world: each within its timeout, each ending as an event or a counted failure."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterable
from typing import Final, TypeVar

import tenacity
from structlog.stdlib import BoundLogger

from chainlink.contract.aggregator import RoundRequested, TransmissionDetails
from services.oracle.ocr.errors import OcrError
from services.oracle.ocr.protocol.actions import DeletePending, SavePacemaker, SavePending, Transmit
from services.oracle.ocr.protocol.events import (
    ContractWasRead,
    Observed,
    ReadPurpose,
    SignedRoundSaved,
    Started,
    TransmitEnded,
)
from services.oracle.ocr.running.interfaces import LastKnown, Ports
from services.oracle.ocr.running.limits import LocalLimits
from services.oracle.ocr.state import Override, PendingTransmission, SignedRound

_T = TypeVar("_T")
_EVERY_FEED: Final = ("feed", "config_digest", "error")


class _CallFailed(OcrError):
    """A call failed or was too slow; it is counted and logged already."""


class ExternalCalls:
    """
    Make the outside calls of one oracle.

    A failure is counted as `<call>_failed`, logged once until it changes or ends, and never raised.
    """

    def __init__(
        self,
        config_digest: bytes,
        ports: Ports,
        limits: LocalLimits,
        counters: Counter[str],
        log: BoundLogger,
    ) -> None:
        self._digest = config_digest
        self._ports = ports
        self._limits = limits
        self._counters = counters
        self._log = log
        self._troubles: dict[str, str] = {}
        self._known_details: TransmissionDetails | None = None
        self._known_request: RoundRequested | None = None
        self._signed_details: TransmissionDetails | None = None

    async def restore(self) -> Started:
        """Load what an earlier run left; waits for the signed round for as long as it takes, for nothing else."""
        database_s = self._limits.database_s
        signed = await self._load_signed_round()
        earlier = await self._try("last_known", self._ports.reader.last_known(), database_s) or LastKnown()
        self._known_details, self._known_request = earlier.details, earlier.requested
        pacemaker, pending, _ = await asyncio.gather(
            self._try("load_pacemaker", self._ports.store.load_pacemaker(self._digest), database_s),
            self._try("load_pending", self._ports.store.load_pending(self._digest), database_s),
            self._details(),
        )
        self._assume(earlier.signed, pending or ())
        return Started(pacemaker, signed, tuple(pending or ()), self._known_details)

    async def observe(self, epoch: int, round_number: int) -> Observed:
        """Ask the data source; without an answer the oracle is silent in this round."""
        timeout_s = self._limits.observation_s + self._limits.observation_grace_s
        value = await self._try("observe", self._ports.data_source.observe(epoch, round_number), timeout_s)
        return Observed(epoch, round_number, value)

    async def read(self, purpose: ReadPurpose, epoch: int, round_number: int) -> ContractWasRead:
        """
        Read the contract's latest transmission, and to decide about a report its latest request too.

        That decision rests on what was read before where a read fails, and on what was signed since: what cannot be
        read is no reason to report, and none to report twice. Nor is anything while our own clock is off.
        """
        if purpose is not ReadPurpose.SHOULD_REPORT:
            return ContractWasRead(purpose, epoch, round_number, await self._details())
        details, override, _ = await asyncio.gather(self._details(), self._override(), self._request())
        if self._ports.data_source.clock_is_off:
            self._counters["clock_off"] += 1
            return ContractWasRead(purpose, epoch, round_number, None)
        known = details or self._assumed_details()
        unread = details is None
        return ContractWasRead(purpose, epoch, round_number, known, self._known_request, override, is_unread=unread)

    def signed(self, epoch: int, round_number: int, answer: int, at_ms: int) -> None:
        """Note a report that more than f oracles signed: somebody brings it to the contract, readable or not."""
        self._signed_details = TransmissionDetails(self._digest, epoch, round_number, answer, at_ms // 1000)
        self._ports.reader.note_signed(self._signed_details)

    def _assume(self, signed: TransmissionDetails | None, pending: Iterable[PendingTransmission]) -> None:
        """Take over the newest report that an earlier run saw signed, or left scheduled: others have it too."""
        if signed is not None and signed.config_digest == self._digest:
            self._signed_details = signed
        known = self._signed_details
        newest = max(pending, key=lambda each: (each.epoch, each.round), default=None)
        if newest is not None and (known is None or (known.epoch, known.round) < (newest.epoch, newest.round)):
            self.signed(newest.epoch, newest.round, newest.median, newest.due_ms)

    async def save_signed_round(self, signed: SignedRound) -> SignedRoundSaved:
        """Save durably that a round is signed."""
        try:
            await self._call(
                "save_signed_round", self._ports.store.save_signed_round(self._digest, signed), self._limits.database_s
            )
        except _CallFailed:
            return SignedRoundSaved(signed, ok=False)
        return SignedRoundSaved(signed, ok=True)

    async def transmit(self, action: Transmit) -> TransmitEnded:
        """Hand a report to the chain."""
        pending = action.pending
        try:
            call = self._ports.transmitter.transmit(pending.report, pending.rs, pending.ss, pending.raw_vs)
            await self._call("transmit", call, self._limits.transmit_s)
        except _CallFailed as failure:
            return TransmitEnded(pending.epoch, pending.round, str(failure.__cause__) or repr(failure.__cause__))
        return TransmitEnded(pending.epoch, pending.round)

    async def write(self, action: SavePending | DeletePending | SavePacemaker) -> None:
        """Write to the store what may get lost."""
        limit_s = self._limits.database_s
        match action:
            case SavePacemaker(state):
                await self._try("save_pacemaker", self._ports.store.save_pacemaker(self._digest, state), limit_s)
            case SavePending(pending):
                await self._try("save_pending", self._ports.store.save_pending(self._digest, pending), limit_s)
            case DeletePending(epoch, round_number):
                delete = self._ports.store.delete_pending(self._digest, epoch, round_number)
                await self._try("delete_pending", delete, limit_s)

    async def _load_signed_round(self) -> SignedRound | None:
        # Without knowing it the oracle could sign a round again, so there is no going on without the store.
        waits = tenacity.wait_exponential(multiplier=0.5, max=10)
        async for attempt in tenacity.AsyncRetrying(retry=tenacity.retry_if_exception_type(_CallFailed), wait=waits):
            with attempt:
                load = self._ports.store.load_signed_round(self._digest)
                return await self._call("load_signed_round", load, self._limits.database_s)
        raise AssertionError("retries without end have ended")

    async def _details(self) -> TransmissionDetails | None:
        call = self._ports.reader.latest_transmission_details()
        details = await self._try("latest_transmission_details", call, self._limits.blockchain_s)
        self._known_details = details or self._known_details
        return details

    def _assumed_details(self) -> TransmissionDetails | None:
        """Return what the contract has as far as is known; of a contract that was never read nothing is."""
        known, signed = self._known_details, self._signed_details
        if known is None or signed is None:
            return known
        ours = known.config_digest == self._digest
        return known if ours and (known.epoch, known.round) >= (signed.epoch, signed.round) else signed

    async def _request(self) -> None:
        call = self._ports.reader.latest_round_requested()
        try:
            self._known_request = await self._call("latest_round_requested", call, self._limits.blockchain_s)
        except _CallFailed as failure:
            self._log.debug("last_request_stands", request=self._known_request, error=str(failure.__cause__))

    async def _override(self) -> Override | None:
        if self._ports.overrider is None:
            return None
        return await self._try("override", self._ports.overrider.override(), self._limits.blockchain_s)

    async def _try(self, name: str, call: Awaitable[_T], timeout_s: float) -> _T | None:
        try:
            return await self._call(name, call, timeout_s)
        except _CallFailed:
            return None

    async def _call(self, name: str, call: Awaitable[_T], timeout_s: float) -> _T:
        try:
            async with asyncio.timeout(timeout_s):
                result = await call
        except Exception as error:
            self._counters[f"{name}_failed"] += 1
            self._tell(name, f"{type(error).__name__}: {error}")
            raise _CallFailed(name) from error
        self._tell(name, "")
        return result

    def _tell(self, name: str, trouble: str) -> None:
        if trouble == self._troubles.get(name, ""):
            return
        self._troubles[name] = trouble
        if trouble:
            # A chain that is away is away for every feed, and says it in several words.
            self._log.warning("outside_call_failed", call=name, error=trouble, folded_over=_EVERY_FEED)
        else:
            self._log.info("outside_call_works_again", call=name, ends="outside_call_failed")
