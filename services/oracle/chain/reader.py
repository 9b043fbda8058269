"""
What an oracle reads from its feed's contract, through endpoints that may be behind each other.

What was read last is kept in the database, so that a node which starts while the chain cannot be read, or is read
through an endpoint that is behind, knows what the one before knew.
"""

from chainlink.contract import aggregator
from chainlink.contract.aggregator import RoundRequested, TransmissionDetails
from chainlink.rpc.client import RpcClient
from meshkit import log
from meshkit.clock import Clock
from services.oracle.chain.contract_state import ContractState, ContractStates
from services.oracle.chain.heads import HeadTracker
from services.oracle.chain.round_request_logs import Logs, RoundRequestLogs
from services.oracle.ocr.running.interfaces import LastKnown

_log = log.get_logger(__name__)
# How far back a request for a round still counts at the start.
_LOOK_BACK_BLOCKS = 1000
# Each block is looked at so often: a node that is behind its load balancer's others has none of the newest logs, and
# says nothing of it; and a block may be replaced by another one of its height.
_LOOKED_AT_AGAIN_BLOCKS = 16
# For so long after the newest transmission was seen, an older one is that of a node which is behind; later the chain
# itself must have gone back.
_OLDER_BELIEVED_AFTER_S = 30.0


class AggregatorReader:
    """Read one contract; the ContractReader of the protocol. `requests` reads for all feeds, None for this one."""

    def __init__(
        self,
        rpc: RpcClient,
        heads: HeadTracker,
        contract: str,
        clock: Clock,
        states: ContractStates,
        requests: RoundRequestLogs | None = None,
    ) -> None:
        self._rpc = rpc
        self._heads = heads
        self._contract = contract
        self._clock = clock
        self._states = states
        self._requests = requests
        self._restored = False
        self._newest: TransmissionDetails | None = None
        self._newest_seen_s = 0.0
        self._requested: RoundRequested | None = None
        self._signed: TransmissionDetails | None = None
        self._scanned = -1
        self._rewinds = 0

    async def last_known(self) -> LastKnown:
        """Return what was known last, in this run or an earlier one; DatabaseUnavailable if that cannot be read."""
        if not self._restored:
            state = await self._states.load(self._contract, self._rpc.chain_id)
            self._restored = True
            if state is not None and self._newest is None:
                self._heads.known_before(state.block)
                self._newest, self._newest_seen_s = state.details, self._clock.monotonic()
                self._requested = self._requested or state.requested
                self._signed = self._signed or state.signed
        return LastKnown(self._newest, self._requested, self._signed)

    def note_signed(self, signed: TransmissionDetails) -> None:
        """Remember a report that somebody brings to the contract, over a restart too."""
        before, self._signed = self._signed, signed
        self._keep(changed=before != signed)

    async def latest_transmission_details(self) -> TransmissionDetails:
        """
        Return what the contract's function of that name returns at the latest block.

        An endpoint that is behind gives an older transmission than one that was seen before: that is not believed.
        """
        data = await self._rpc.eth_call(self._contract, aggregator.LATEST_TRANSMISSION_DETAILS.selector)
        found, now_s = aggregator.decode_transmission_details(data), self._clock.monotonic()
        self._notice_rewind()
        newest = self._newest
        if newest is None or not _is_older(found, newest):
            self._newest, self._newest_seen_s = found, now_s
            self._keep(changed=found != newest)
        elif now_s - self._newest_seen_s >= _OLDER_BELIEVED_AFTER_S:
            place = {"epoch": found.epoch, "round": found.round}
            _log.warning("transmission_vanished", contract=self._contract, **place)
            self._newest, self._newest_seen_s = found, now_s
            self._keep(changed=True)
        return self._newest or found

    async def latest_round_requested(self) -> RoundRequested | None:
        """Return the newest RoundRequested event of the look-back window, or None when there is none."""
        self._notice_rewind()
        head = self._heads.latest or await self._heads.poll()
        if head > self._scanned:
            first = max(self._scanned + 1 - _LOOKED_AT_AGAIN_BLOCKS, head - _LOOK_BACK_BLOCKS, 0)
            logs = await self._request_logs(first, head)
            if logs:
                before, self._requested = self._requested, aggregator.decode_round_requested(logs[-1])
                self._keep(changed=before != self._requested)
            self._scanned = max(self._scanned, head)
        return self._requested

    async def _request_logs(self, first: int, last: int) -> Logs:
        if self._requests is not None:
            return await self._requests.read(self._contract, first, last)
        return await self._rpc.logs(self._contract, aggregator.ROUND_REQUESTED.topic, first, last)

    def _keep(self, *, changed: bool) -> None:
        if changed and self._newest is not None:
            state = ContractState(self._newest, self._heads.latest, self._requested, self._signed)
            self._states.note(self._contract, self._rpc.chain_id, state)

    def _notice_rewind(self) -> None:
        if self._rewinds != self._heads.rewinds:
            self._newest = self._signed = None
            self._requested, self._scanned, self._rewinds = None, -1, self._heads.rewinds


def _is_older(found: TransmissionDetails, known: TransmissionDetails) -> bool:
    if found.config_digest != known.config_digest:
        # Epochs begin anew under another configuration; the time of the last transmission stays.
        return found.timestamp_s < known.timestamp_s
    return (found.epoch, found.round) < (known.epoch, known.round)
