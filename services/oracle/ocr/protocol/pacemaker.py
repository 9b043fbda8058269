"""
The pacemaker: agrees with the others on the current epoch, and moves on when the leader makes no progress.

An oracle that wants another epoch says NewEpoch. Seeing f+1 oracles want a higher epoch than it has asked for, it asks
too (at least one of them is honest); seeing 2f+1 want a higher epoch than the current one, it goes there.
"""

from chainlink.contract.aggregator import TransmissionDetails
from services.oracle.ocr.config import SharedConfig
from services.oracle.ocr.protocol.actions import Action, Broadcast, SavePacemaker, SetTimer, StartEpoch, StopTimer
from services.oracle.ocr.protocol.events import Timer, TimerKind
from services.oracle.ocr.protocol.messages import NewEpoch
from services.oracle.ocr.state import PacemakerState

RESEND = Timer(TimerKind.RESEND)
PROGRESS = Timer(TimerKind.PROGRESS)
# A configuration may say 0, and nobody is served by an oracle that does nothing but repeat itself.
_LEAST_RESEND_NS = 10_000_000


class Pacemaker:
    """Keep the epoch of one oracle."""

    def __init__(self, config: SharedConfig) -> None:
        self._config = config
        self._epoch = 1
        self._highest_sent = 0
        self._highest_received = [0] * config.n

    @property
    def epoch(self) -> int:
        """Return the current epoch."""
        return self._epoch

    def start(self, persisted: PacemakerState | None, contract: TransmissionDetails | None) -> list[Action]:
        """Restore the epoch from an earlier run, or at least from the contract, and start it."""
        if persisted is not None and self._is_valid(persisted):
            self._epoch = persisted.epoch
            self._highest_sent = persisted.highest_sent
            self._highest_received = list(persisted.highest_received)
        if contract is not None and contract.config_digest == self._config.config_digest:
            self._highest_sent = max(self._highest_sent, contract.epoch + 1)
        return [*self._start_epoch(), *self._send_new_epoch(self._highest_sent, changed=False)]

    def on_new_epoch(self, sender: int, epoch: int) -> list[Action]:
        """Count another oracle's wish; ask for the same, and switch, when enough oracles wish so."""
        if self._highest_received[sender] >= epoch:
            return []
        self._highest_received[sender] = epoch
        actions: list[Action] = []

        wanted = self._received_above(self._highest_sent)
        if len(wanted) > self._config.f:
            actions += self._send_new_epoch(wanted[self._config.f])

        wanted = self._received_above(self._epoch)
        if len(wanted) > 2 * self._config.f:
            self._epoch = wanted[2 * self._config.f]
            self._highest_sent = max(self._highest_sent, self._epoch)
            actions += self._start_epoch()
        return [*actions, self._save()]

    def on_resend(self) -> list[Action]:
        """Say the highest wish again: messages get lost, and oracles restart."""
        return self._send_new_epoch(self._highest_sent, changed=False)

    def on_change_leader(self) -> list[Action]:
        """Give the leader up, because its term is over or it made no progress in time."""
        return [StopTimer(PROGRESS), *self._send_new_epoch(max(self._highest_sent, self._epoch + 1))]

    def on_progress(self) -> list[Action]:
        """Give the leader more time, because a round completed."""
        return [self._progress_timer()]

    def _is_valid(self, state: PacemakerState) -> bool:
        return 1 <= state.epoch <= state.highest_sent and len(state.highest_received) == self._config.n

    def _received_above(self, epoch: int) -> list[int]:
        """Return the wishes above an epoch, the highest first."""
        return sorted((received for received in self._highest_received if received > epoch), reverse=True)

    def _start_epoch(self) -> list[Action]:
        return [StartEpoch(self._epoch, self._config.leader(self._epoch)), self._progress_timer()]

    def _send_new_epoch(self, epoch: int, *, changed: bool = True) -> list[Action]:
        changed = changed and epoch != self._highest_sent
        self._highest_sent = epoch
        resend = SetTimer(RESEND, max(_LEAST_RESEND_NS, self._config.public.offchain.delta_resend_ns))
        return [Broadcast(NewEpoch(epoch)), resend, *([self._save()] if changed else [])]

    def _progress_timer(self) -> SetTimer:
        return SetTimer(PROGRESS, self._config.public.offchain.delta_progress_ns)

    def _save(self) -> SavePacemaker:
        return SavePacemaker(PacemakerState(self._epoch, self._highest_sent, tuple(self._highest_received)))
