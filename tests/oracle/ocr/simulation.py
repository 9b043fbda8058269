"""
A committee on a simulated clock: pure oracles, links with latency and loss, a contract, crashes and restarts.

What is checked for every oracle alike, such as the signatures of one message, is computed once: the functions are pure.
"""

import functools
import heapq
import itertools
import random
from collections import defaultdict
from collections.abc import Callable, Iterable

from services.oracle.ocr.protocol import attestation
from services.oracle.ocr.protocol.actions import (
    Broadcast,
    DeletePending,
    Observe,
    Outward,
    ReadContract,
    SavePacemaker,
    SavePending,
    SaveSignedRound,
    SendTo,
    SetTimer,
    StopTimer,
    Tell,
    Transmit,
)
from services.oracle.ocr.protocol.events import (
    ContractWasRead,
    Event,
    Observed,
    Received,
    SignedRoundSaved,
    Started,
    Timer,
    TimerFired,
    TransmitEnded,
)
from services.oracle.ocr.protocol.messages import Message, Report, decode_message, encode_message
from services.oracle.ocr.protocol.oracle import Oracle
from services.oracle.ocr.report import AttributedObservation
from services.oracle.ocr.state import PacemakerState, PendingTransmission, SignedRound, Trace
from tests.oracle.ocr.committee import MS, Committee, S
from tests.oracle.ocr.fake_contract import FakeContract, Reverted

START_MS = 1_700_000_000_000
_WRITE_NS = 3 * MS

for _name in ("verify_observation", "recover_signer"):
    setattr(attestation, _name, functools.lru_cache(50_000)(getattr(attestation, _name)))


class Links:
    """Hold the state of the network: how late and how often messages arrive, and who is cut off from whom."""

    def __init__(self, loss: float = 0.0) -> None:
        self.loss = loss
        self.duplicates = 0.0
        self.delay_ms = (2, 40)
        self.side: dict[int, int] = {}

    def is_cut(self, one: int, other: int) -> bool:
        """Tell whether two oracles are on different sides of a partition."""
        return self.side.get(one, 0) != self.side.get(other, 0)


class Disk:
    """What an oracle keeps over a restart."""

    def __init__(self) -> None:
        self.pacemaker: PacemakerState | None = None
        self.signed: SignedRound | None = None
        self.pending: dict[tuple[int, int], PendingTransmission] = {}


class Simulation:
    """
    Run a committee; `loss` is the part of messages that gets lost.

    `tamper` says what is sent in place of a message. `signed` collects every report content an oracle sent a signature
    of, `observed` every value it observed, both by (oracle, epoch, round).
    """

    def __init__(self, committee: Committee, seed: int = 0, loss: float = 0.0) -> None:
        self.committee = committee
        self.contract = FakeContract(committee.public)
        self.random = random.Random(seed)
        self.links = Links(loss)
        self.now_ns = 0
        self.disks = [Disk() for _ in committee.keys]
        self.alive: dict[int, Oracle] = {}
        self.traces: list[tuple[int, Trace]] = []
        self.signed: dict[tuple[int, int, int], set[tuple[AttributedObservation, ...]]] = defaultdict(set)
        self.observed: dict[tuple[int, int, int], set[int]] = defaultdict(set)
        self.tamper: Callable[[int, int, Message], Iterable[Message]] = lambda _sender, _to, message: (message,)
        self.readable = True
        self._timers: dict[tuple[int, Timer], int] = {}
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._sequence = itertools.count()

    @property
    def now_ms(self) -> int:
        """Return the simulated wall clock."""
        return START_MS + self.now_ns // MS

    def start(self, index: int) -> None:
        """Start an oracle, with what its disk has."""
        disk, shared = self.disks[index], self.committee.shared[index]
        self.alive[index] = Oracle(shared, self.committee.keys[index])
        contract = self.contract.details if self.readable else None
        self._step(index, Started(disk.pacemaker, disk.signed, tuple(disk.pending.values()), contract))

    def start_all(self, but: int | None = None) -> None:
        """Start all oracles but one."""
        for index in range(len(self.committee.keys)):
            if index != but:
                self.start(index)

    def crash(self, index: int) -> None:
        """Stop an oracle without warning."""
        self.alive.pop(index, None)
        self._timers = {key: at for key, at in self._timers.items() if key[0] != index}

    def run(self, seconds: float) -> None:
        """Let simulated time pass."""
        self.run_until(lambda: False, seconds)

    def run_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Let simulated time pass until a condition holds; tell whether it came to hold."""
        end_ns = self.now_ns + int(seconds * S)
        while self._agenda and self._agenda[0][0] <= end_ns and not condition():
            self.now_ns, _, act = heapq.heappop(self._agenda)
            act()
        if condition():
            return True
        self.now_ns = end_ns
        return False

    def _later(self, delay_ns: int, act: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.now_ns + delay_ns, next(self._sequence), act))

    def _later_step(self, delay_ns: int, index: int, make_event: Callable[[], Event]) -> None:
        run = self.alive.get(index)

        def act() -> None:
            if self.alive.get(index) is run:
                self._step(index, make_event())

        self._later(delay_ns, act)

    def _step(self, index: int, event: Event) -> None:
        for action in self.alive[index].handle(event, self.now_ms):
            self._perform(index, action)

    def _perform(self, index: int, action: Outward) -> None:
        disk = self.disks[index]
        match action:
            case SendTo(to, message):
                self.send(index, to, message)
            case Broadcast(message):
                message = _through_the_wire(message)
                for to in range(len(self.committee.keys)):
                    if to != index:
                        self.send(index, to, message)
            case SetTimer(timer, delay_ns):
                token = next(self._sequence)
                self._timers[(index, timer)] = token
                self._later(delay_ns, lambda: self._fire(index, timer, token))
            case StopTimer(timer):
                self._timers.pop((index, timer), None)
            case Observe(epoch, round_number):
                value = 1_000_000 + self.now_ns // S + self.random.randrange(5)
                self.observed[(index, epoch, round_number)].add(value)
                self._later_step(20 * MS, index, lambda: Observed(epoch, round_number, value))
            case ReadContract(purpose, epoch, round_number):
                self._later_step(
                    5 * MS,
                    index,
                    lambda: ContractWasRead(
                        purpose,
                        epoch,
                        round_number,
                        self.contract.details if self.readable else None,
                        self.contract.requested,
                    ),
                )
            case SaveSignedRound(signed):
                disk.signed = signed
                self._later_step(1 * MS, index, lambda: SignedRoundSaved(signed, ok=True))
            case SavePacemaker(state):
                self._later_write(index, lambda: setattr(disk, "pacemaker", state))
            case SavePending(pending):
                disk.pending[(pending.epoch, pending.round)] = pending
            case DeletePending(epoch, round_number):
                disk.pending.pop((epoch, round_number), None)
            case Transmit(pending):
                self._later_step(50 * MS, index, lambda: self._transmit(index, pending))
            case Tell(trace):
                self.traces.append((index, trace))

    def hand_over(self, index: int, pending: PendingTransmission) -> None:
        """Give a report to the contract; raises Reverted."""
        self.contract.transmit(index, pending.report, pending.rs, pending.ss, pending.raw_vs, self.now_ms)

    def _transmit(self, index: int, pending: PendingTransmission) -> Event:
        try:
            self.hand_over(index, pending)
        except Reverted as error:
            return TransmitEnded(pending.epoch, pending.round, str(error))
        return TransmitEnded(pending.epoch, pending.round)

    def _fire(self, index: int, timer: Timer, token: int) -> None:
        if self._timers.get((index, timer)) == token:
            del self._timers[(index, timer)]
            self._step(index, TimerFired(timer))

    def _later_write(self, index: int, write: Callable[[], None]) -> None:
        run = self.alive.get(index)
        self._later(_WRITE_NS, lambda: write() if self.alive.get(index) is run else None)

    def send(self, sender: int, to: int, message: Message) -> None:
        """Let a message, or what the sender makes of it, go its way."""
        if isinstance(message, Report):
            self.signed[(sender, message.epoch, message.round)].add(message.report.observations)
        for sent in self.tamper(sender, to, message):
            self._carry(sender, to, sent if sent is message else _through_the_wire(sent))

    def _carry(self, sender: int, to: int, message: Message) -> None:
        def deliver() -> None:
            if to in self.alive:
                self._step(to, Received(sender, message))

        for _ in range(1 + (self.random.random() < self.links.duplicates)):
            if not self.links.is_cut(sender, to) and self.random.random() >= self.links.loss:
                self._later(self.random.randrange(self.links.delay_ms[0] * MS, self.links.delay_ms[1] * MS), deliver)


def _through_the_wire(message: Message) -> Message:
    return decode_message(encode_message(message))
