"""
One seed, one storm: a committee under bad links, crashes and lies; what must hold whatever happens.

Replay a seed: python -m tests.oracle.ocr.storm SEED
"""

import functools
import random
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from services.oracle.ocr.protocol.messages import Message
from services.oracle.ocr.report import decode_report
from services.oracle.ocr.state import PendingTransmission, TraceKind
from tests.oracle.ocr.byzantine import Liar, Lie
from tests.oracle.ocr.committee import Committee, make_committee
from tests.oracle.ocr.fake_contract import Reverted
from tests.oracle.ocr.simulation import Disk, Simulation

SIZES = {4: 0.75, 7: 0.19, 16: 0.045, 31: 0.015}
STORM_S = 20.0
CALM_S = 240.0


@dataclass(frozen=True)
class Storm:
    """
    Say what happens in one run.

    Attributes:
        n: Number of oracles; f is the most that n bears.
        lies: What each faulty oracle does.
        loss: Part of the messages that get lost.
        duplicates: Part of the messages that arrive twice.
        delay_ms: Least and most latency.
        step_s: Time between two strokes.
        strokes: What happens one after the other: ("crash", i), ("start", i), ("wipe", i), ("cut", side of each
            oracle), ("heal", ()), ("blackout", ()), ("blind", ()) and ("sight", ()).
    """

    seed: int
    n: int
    lies: dict[int, frozenset[Lie]]
    loss: float
    duplicates: float
    delay_ms: tuple[int, int]
    step_s: float
    strokes: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def f(self) -> int:
        """Return how many faulty oracles the committee bears."""
        return (self.n - 1) // 3


class Violated(AssertionError):
    """A property did not hold; the text says which, in which storm, and how to see it again."""

    def __init__(self, storm: Storm, problem: str) -> None:
        super().__init__(f"{problem}\nreplay: python -m tests.oracle.ocr.storm {storm.seed}\n{storm}")


def draw(seed: int, n: int | None = None) -> Storm:
    """Make the storm of a seed."""
    dice = random.Random(seed)
    n = n or dice.choices(list(SIZES), list(SIZES.values()))[0]
    faulty = dice.sample(range(n), dice.randint(0, (n - 1) // 3))
    lies = {i: frozenset(dice.sample(list(Lie), dice.randint(1, 4))) for i in faulty}
    loss, duplicates = dice.choice((0.0, 0.05, 0.2, 0.5)), dice.choice((0.0, 0.1))
    step_s = dice.choice((0.5, 1.5, 4.0))
    count = int(STORM_S / step_s) if dice.random() < 0.8 else 0
    strokes = tuple(_stroke(dice, n) for _ in range(count))
    return Storm(seed, n, lies, loss, duplicates, (2, dice.choice((40, 400, 1500))), step_s, strokes)


def _stroke(dice: random.Random, n: int) -> tuple[str, tuple[int, ...]]:
    kind = dice.choices(
        ("crash", "start", "wipe", "cut", "heal", "blackout", "blind", "sight", "pause"), (4, 6, 0.3, 2, 2, 1, 1, 2, 4)
    )[0]
    match kind:
        case "crash" | "start" | "wipe":
            return kind, (dice.randrange(n),)
        case "cut":
            return kind, tuple(dice.randrange(2) for _ in range(n))
        case _:
            return kind, ()


@functools.cache
def committee_of(n: int) -> Committee:
    """Return the committee of that size, the most faults allowed."""
    return make_committee(n, (n - 1) // 3)


def run(storm: Storm) -> Simulation:
    """Let a storm happen, and the calm after it; raise Violated when a property does not hold."""
    simulation = _Watched(storm)
    simulation.start_all()
    for kind, who in storm.strokes:
        simulation.strike(kind, who)
        simulation.run(storm.step_s)
    if not storm.strokes:
        simulation.run(STORM_S)
    simulation.check()
    simulation.calm()
    before = len(simulation.contract.accepted)
    if not simulation.run_until(lambda: len(simulation.contract.accepted) >= before + 2, CALM_S):
        raise Violated(storm, f"no two rounds within {CALM_S} s of calm")
    simulation.check()
    return simulation


class _Watched(Simulation):
    def __init__(self, storm: Storm) -> None:
        super().__init__(committee_of(storm.n), storm.seed, storm.loss)
        self._storm = storm
        self.links.duplicates, self.links.delay_ms = storm.duplicates, storm.delay_ms
        liars = {i: Liar(self.committee, i, storm.lies, lies, storm.seed + i) for i, lies in storm.lies.items()}
        self._liars = liars
        self.tamper = self._pass_on
        self._wiped: set[int] = set()

    def _pass_on(self, sender: int, to: int, message: Message) -> Iterable[Message]:
        if sender in self._liars:
            return self._liars[sender].say(to, message)
        if to in self._liars:
            self._liars[to].hear(message)
        return (message,)

    def strike(self, kind: str, who: tuple[int, ...]) -> None:
        """Let one thing happen."""
        match kind:
            case "crash":
                self.crash(*who)
            case "start" if who[0] not in self.alive:
                self.start(*who)
            case "wipe" if len({*self._wiped, *self._storm.lies, *who}) <= self._storm.f:
                # Who loses its disk may sign a round twice, which makes it a faulty one.
                self.crash(*who)
                self.disks[who[0]] = Disk()
                self._wiped.add(who[0])
                self.start(*who)
            case "cut":
                self.links.side = dict(enumerate(who))
            case "heal":
                self.links.side = {}
            case "blackout":
                for index in list(self.alive):
                    self.crash(index)
                    self.start(index)
            case "blind" | "sight":
                self.readable = kind == "sight"

    def calm(self) -> None:
        """End the storm: good links, and everybody alive; the liars go on."""
        self.links.side, self.links.loss, self.links.duplicates, self.links.delay_ms = {}, 0.0, 0.0, (2, 40)
        self.readable = True
        for index in range(self._storm.n):
            if index not in self.alive:
                self.start(index)

    def hand_over(self, index: int, pending: PendingTransmission) -> None:
        """Transmit, and check what the contract took."""
        before = len(self.contract.accepted)
        try:
            if index in self._liars:
                self._liars[index].transmit(self.contract, pending, self.now_ms)
            else:
                self._hand_over_honestly(index, pending)
        finally:
            if len(self.contract.accepted) > before:
                self._check_answer(pending)

    def _hand_over_honestly(self, index: int, pending: PendingTransmission) -> None:
        try:
            super().hand_over(index, pending)
        except Reverted as error:
            # Two may send the same report at once; for any other reason an honest oracle's report is never refused.
            if str(error) != "stale report":
                raise Violated(self._storm, f"oracle {index} sent what the contract refuses: {error}") from error
            raise

    def _check_answer(self, pending: PendingTransmission) -> None:
        _, observations = decode_report(pending.report)
        faulty = {*self._storm.lies, *self._wiped}
        honest = [o for o in observations if o.observer not in faulty]
        for observation in honest:
            if observation.value not in self.observed[(observation.observer, pending.epoch, pending.round)]:
                raise Violated(self._storm, f"{observation} was never observed in {(pending.epoch, pending.round)}")
        values = [o.value for o in honest]
        if not min(values) <= self.contract.details.answer <= max(values):
            raise Violated(self._storm, f"the answer {self.contract.details.answer} is not among {values}")

    def check(self) -> None:
        """Check the whole history."""
        rounds = [entry[:2] for entry in self.contract.accepted]
        if rounds != sorted(set(rounds)):
            raise Violated(self._storm, f"the contract's rounds did not only grow: {rounds}")
        faulty = {*self._storm.lies, *self._wiped}
        signed = [
            (index, trace.epoch, trace.round)
            for index, trace in self.traces
            if trace.kind is TraceKind.REPORT_SENT and index not in faulty
        ]
        if len(signed) != len(set(signed)):
            raise Violated(self._storm, f"signed twice: {sorted(k for k in set(signed) if signed.count(k) > 1)}")
        for key, reports in self.signed.items():
            if key[0] not in faulty and len(reports) != 1:
                raise Violated(self._storm, f"two reports of one round signed: {key}")


if __name__ == "__main__":
    shown = run(draw(int(sys.argv[1])))
    sys.stdout.write(f"{draw(int(sys.argv[1]))}\nheld; rounds: {[entry[:3] for entry in shown.contract.accepted]}\n")
