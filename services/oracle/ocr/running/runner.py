"""The one place where the protocol meets time, network, chain and disk."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec

from chainlink.keys.ocr1 import OracleKeys
from meshkit.clock import Clock
from meshkit.log import get_logger
from services.oracle.ocr.config import SharedConfig
from services.oracle.ocr.errors import ProtocolError
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
from services.oracle.ocr.protocol.events import Event, Received, Timer, TimerFired
from services.oracle.ocr.protocol.messages import decode_message, encode_message
from services.oracle.ocr.protocol.oracle import Oracle
from services.oracle.ocr.running.external_calls import ExternalCalls
from services.oracle.ocr.running.interfaces import Network, Ports, TraceHook
from services.oracle.ocr.running.limits import LocalLimits
from services.oracle.ocr.state import Trace, TraceKind

_Values = ParamSpec("_Values")
_NS_PER_S = 1_000_000_000
_WRITES_QUEUED = 256
_RECEIVE_RETRY_S = 1.0


class Runner:
    """
    Run one oracle of one feed under one configuration.

    `on_trace` follows the rounds.

    Attributes:
        counters: counts by name: messages_{sent,broadcast,received,malformed}, receive_failed, writes_dropped,
            internal_errors, trace_failed, clock_off, and `<call>_failed` for each outside call.
    """

    def __init__(
        self,
        config: SharedConfig,
        keys: OracleKeys,
        network: Network,
        ports: Ports,
        *,
        clock: Clock,
        limits: LocalLimits | None = None,
        on_trace: TraceHook | None = None,
        feed: str = "",
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._log = get_logger(__name__).bind(feed=feed, config_digest=config.config_digest.hex())
        self._clock = clock
        self._network = network
        self._on_trace = on_trace
        self._oracle = Oracle(config, keys)
        self._external_calls = ExternalCalls(
            config.config_digest, ports, limits or LocalLimits(), self.counters, self._log
        )
        self._timers: dict[Timer, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._writes: list[SavePending | DeletePending | None] = []
        self._writing = False
        self._unsaved_pacemaker: SavePacemaker | None = None
        self._closed = False

    @property
    def epoch(self) -> int:
        """Return the current epoch; 0 before the start."""
        return self._oracle.epoch

    # Tasks, and what passes between them. Everything runs on one event loop, and the oracle is a plain function
    # call, so it needs no queue of its own and no lock:
    #
    #     receive task --Received---------+
    #     timers (loop.call_later) -------+                      +--> network.send / broadcast (never blocks)
    #     call tasks, one per             +--> _step --> oracle -+--> timers set and stopped
    #       Observe, ReadContract,        |    (sync)            +--> new call tasks
    #       SaveSignedRound, Transmit ----+                      +--> writes (256 at most) --> writer task --> store
    #                                                            +--> trace hook
    #
    # A call task ends with exactly one event within its timeout, whatever happened to the call. Writes keep their
    # order; of the pacemaker's states only the newest is written; when the queue is full a write is dropped.
    #
    # Shutdown: `run` ends only by cancellation. It then stops all timers, cancels all tasks and waits until every one
    # has ended; from the cancellation on `_step` does nothing, so no new task or timer can appear. What was not
    # written by then is lost, which the protocol bears.
    async def run(self) -> None:
        """Run until cancelled; return only after all tasks of this oracle have ended."""
        try:
            self._step(await self._external_calls.restore())
            await self._receive()
        finally:
            self._closed = True
            for handle in self._timers.values():
                handle.cancel()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _receive(self) -> None:
        while True:
            try:
                sender, payload = await self._network.receive()
            except Exception as error:
                self.counters["receive_failed"] += 1
                self._log.warning("receive_failed", error=f"{type(error).__name__}: {error}")
                await self._clock.sleep(_RECEIVE_RETRY_S)
                continue
            self.counters["messages_received"] += 1
            try:
                message = decode_message(payload)
            except ProtocolError as error:
                self.counters["messages_malformed"] += 1
                self._log.debug("message_malformed", sender=sender, error=str(error))
                continue
            self._step(Received(sender, message))

    async def _write(self) -> None:
        while self._writes:
            action = self._writes.pop(0)
            if action is not None:
                await self._external_calls.write(action)
            elif self._unsaved_pacemaker is not None:
                newest, self._unsaved_pacemaker = self._unsaved_pacemaker, None
                await self._external_calls.write(newest)
        self._writing = False

    def _step(self, event: Event) -> None:
        """Let the oracle handle an event, and perform what it wants."""
        if self._closed:
            return
        try:
            for action in self._oracle.handle(event, self._clock.time_ms()):
                self._perform(action)
        except Exception:
            # A defect in the handling of one message must not take the feed down; the counter makes it visible.
            self.counters["internal_errors"] += 1
            self._log.exception("oracle_step_failed", event_type=type(event).__name__)

    def _perform(self, action: Outward) -> None:
        match action:
            case SendTo(to, message):
                self.counters["messages_sent"] += 1
                self._network.send(to, encode_message(message))
            case Broadcast(message):
                self.counters["messages_broadcast"] += 1
                self._network.broadcast(encode_message(message))
            case SetTimer(timer, delay_ns):
                self._stop_timer(timer)
                loop = asyncio.get_running_loop()
                self._timers[timer] = loop.call_later(delay_ns / _NS_PER_S, self._fire, timer)
            case StopTimer(timer):
                self._stop_timer(timer)
            case Observe(epoch, round_number):
                self._spawn(self._then_step(self._external_calls.observe, epoch, round_number))
            case ReadContract(purpose, epoch, round_number):
                self._spawn(self._then_step(self._external_calls.read, purpose, epoch, round_number))
            case SaveSignedRound(signed):
                self._spawn(self._then_step(self._external_calls.save_signed_round, signed))
            case Transmit():
                self._spawn(self._then_step(self._external_calls.transmit, action))
            case SavePacemaker():
                # The queue holds one mark for the newest state, however often it changes until it is written.
                if self._unsaved_pacemaker is not None or self._enqueue(None):
                    self._unsaved_pacemaker = action
            case SavePending() | DeletePending():
                self._enqueue(action)
            case Tell(trace):
                if trace.kind is TraceKind.FINAL and trace.median is not None:
                    self._external_calls.signed(trace.epoch, trace.round, trace.median, trace.at_ms)
                self._tell(trace)

    def _stop_timer(self, timer: Timer) -> None:
        handle = self._timers.pop(timer, None)
        if handle is not None:
            handle.cancel()

    def _fire(self, timer: Timer) -> None:
        self._timers.pop(timer, None)
        self._step(TimerFired(timer))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _then_step(
        self, call: Callable[_Values, Awaitable[Event]], *values: _Values.args, **named: _Values.kwargs
    ) -> None:
        # The call is made only here, so that a task that is cancelled before its first step leaves none unawaited.
        self._step(await call(*values, **named))

    def _enqueue(self, write: SavePending | DeletePending | None) -> bool:
        if len(self._writes) == _WRITES_QUEUED:
            self.counters["writes_dropped"] += 1
            return False
        self._writes.append(write)
        if not self._writing:
            self._writing = True
            self._spawn(self._write())
        return True

    def _tell(self, trace: Trace) -> None:
        if self._on_trace is None:
            return
        try:
            self._on_trace(trace)
        except Exception:
            self.counters["trace_failed"] += 1
            self._log.exception("trace_failed", kind=trace.kind.value)
