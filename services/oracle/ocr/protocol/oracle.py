"""
One oracle of one feed under one configuration: the parts of the protocol put together, still without any I/O.

                                      NewEpoch                   +-------------+
                  +--------------------------------------------->|  pacemaker  |
                  |                                              +-------------+
                  |                                   StartEpoch |           ^ Progress, ChangeLeader
     Received     |                                              v           |
    ----------> oracle  Observe, Report   +--------+        +----------------------+
                  |---------------------->| leader |        | (new pair an epoch)  |
                  |                       +--------+        |                      |
                  |  ObserveReq, ReportReq, Final, FinalEcho|       follower       |
                  +---------------------------------------->|                      |
                                                            +----------------------+
                                                                 | Complete
                                                                 v
                                                           +--------------+
                                                           | transmission |--> Transmit
                                                           +--------------+

Messages of a past epoch are dropped, those of a future one wait in a ring per sender until the pacemaker gets there.
What an oracle sends to itself is handled inside the same call of `handle`, before it returns.
"""

from collections import deque

from chainlink.keys.ocr1 import OracleKeys
from services.oracle.ocr.config import SharedConfig
from services.oracle.ocr.protocol.actions import (
    Action,
    Broadcast,
    ChangeLeader,
    Complete,
    Outward,
    Progress,
    SendTo,
    StartEpoch,
    StopTimer,
    Tell,
)
from services.oracle.ocr.protocol.events import (
    ContractWasRead,
    Event,
    Observed,
    ReadPurpose,
    Received,
    SignedRoundSaved,
    Started,
    TimerFired,
    TimerKind,
    TransmitEnded,
)
from services.oracle.ocr.protocol.follower import Follower
from services.oracle.ocr.protocol.leader import GRACE, ROUND, Leader
from services.oracle.ocr.protocol.messages import (
    Final,
    FinalEcho,
    NewEpoch,
    Observe,
    ObserveReq,
    Report,
    ReportReq,
    RoundMessage,
)
from services.oracle.ocr.protocol.pacemaker import Pacemaker
from services.oracle.ocr.protocol.transmission import Transmission
from services.oracle.ocr.state import SignedRound, Trace, TraceKind

FUTURE_MESSAGES_KEPT = 10


class Oracle:
    """Take events in, give actions out; feed Started first."""

    def __init__(self, config: SharedConfig, keys: OracleKeys) -> None:
        self._config = config
        self._keys = keys
        self._pacemaker = Pacemaker(config)
        self._transmission = Transmission(config)
        self._signed: SignedRound | None = None
        self._epoch = 0
        self._follower = Follower(config, keys, 0, 0, None)
        self._leader: Leader | None = None
        self._future: list[list[RoundMessage]] = [[] for _ in range(config.n)]

    @property
    def epoch(self) -> int:
        """Return the current epoch."""
        return self._epoch

    def handle(self, event: Event, now_ms: int) -> list[Outward]:
        """
        Handle one event; return what to do, in order.

        `now_ms` is the wall clock in Unix milliseconds; it is compared with block times and stored due times only.
        """
        outward: list[Outward] = []
        events: deque[Event] = deque([event])
        while events:
            actions = deque(self._dispatch(events.popleft(), now_ms))
            while actions:
                match actions.popleft():
                    case StartEpoch(epoch, leader):
                        actions.extendleft(reversed(self._start_epoch(epoch, leader, now_ms)))
                        events.extend(self._take_buffered())
                    case ChangeLeader():
                        actions.extend(self._pacemaker.on_change_leader())
                    case Progress():
                        actions.extend(self._pacemaker.on_progress())
                    case Complete() as complete:
                        actions.extend(self._transmission.on_complete(complete))
                    case SendTo(to, message) if to == self._config.index:
                        events.append(Received(to, message))
                    case Broadcast(message) as broadcast:
                        events.append(Received(self._config.index, message))
                        outward.append(broadcast)
                    case action:
                        outward.append(action)
        return outward

    def _dispatch(self, event: Event, now_ms: int) -> list[Action]:
        match event:
            case Received(sender, message):
                return self._on_received(sender, message, now_ms)
            case TimerFired(timer):
                match timer.kind:
                    case TimerKind.RESEND:
                        return self._pacemaker.on_resend()
                    case TimerKind.PROGRESS:
                        return self._pacemaker.on_change_leader()
                    case TimerKind.ROUND:
                        return self._leader.on_round_time() if self._leader else []
                    case TimerKind.GRACE:
                        return self._leader.on_grace_time() if self._leader else []
                    case TimerKind.TRANSMIT:
                        return self._transmission.on_transmit_time(timer)
            case Observed():
                return self._follower.on_observed(event, now_ms)
            case ContractWasRead(purpose=ReadPurpose.SHOULD_REPORT):
                return self._follower.on_contract_read(event, now_ms)
            case ContractWasRead(purpose=ReadPurpose.SHOULD_SCHEDULE):
                return self._transmission.on_should_schedule(event, now_ms)
            case ContractWasRead():
                return self._transmission.on_should_transmit(event, now_ms)
            case SignedRoundSaved():
                return self._follower.on_signed_round_saved(event, now_ms)
            case TransmitEnded():
                return self._transmission.on_transmit_ended(event, now_ms)
            case Started():
                self._signed = event.signed
                restored = self._transmission.start(event.pending, now_ms)
                return [*restored, *self._pacemaker.start(event.pacemaker, event.contract)]

    def _on_received(self, sender: int, message: NewEpoch | RoundMessage, now_ms: int) -> list[Action]:
        if isinstance(message, NewEpoch):
            return self._pacemaker.on_new_epoch(sender, message.epoch)
        if message.epoch > self._epoch:
            kept = self._future[sender]
            if len(kept) == FUTURE_MESSAGES_KEPT:
                del kept[0]
            kept.append(message)
            return []
        if message.epoch < self._epoch:
            return []
        match message:
            case ObserveReq():
                return self._follower.on_observe_req(sender, message, now_ms)
            case ReportReq():
                return self._follower.on_report_req(sender, message, now_ms)
            case Final():
                return self._follower.on_final(sender, message)
            case FinalEcho():
                return self._follower.on_final_echo(sender, message, now_ms)
            case Observe():
                return self._leader.on_observe(sender, message) if self._leader else []
            case Report():
                return self._leader.on_report(sender, message) if self._leader else []

    def _start_epoch(self, epoch: int, leader: int, now_ms: int) -> list[Action]:
        self._epoch = epoch
        self._follower = Follower(self._config, self._keys, epoch, leader, self._signed)
        self._leader = Leader(self._config, epoch) if leader == self._config.index else None
        told = Tell(Trace(TraceKind.EPOCH_STARTED, epoch, 0, now_ms, leader))
        first_round = self._leader.on_round_time() if self._leader else []
        return [StopTimer(ROUND), StopTimer(GRACE), told, *first_round]

    def _take_buffered(self) -> list[Event]:
        taken: list[Event] = []
        for sender, ring in enumerate(self._future):
            taken += [Received(sender, message) for message in ring if message.epoch == self._epoch]
            ring[:] = [message for message in ring if message.epoch > self._epoch]
        return taken
