"""What is written together every few seconds, and what is thrown away of it after a day."""

from collections.abc import Sequence
from typing import Protocol

from meshkit import log
from meshkit.clock import Clock
from services.oracle.errors import DatabaseUnavailable
from services.oracle.store.protocol import PostgresProtocolStore
from services.oracle.store.transactions import TransactionStore

_log = log.get_logger(__name__)
_FLUSH_EVERY_S = 5.0
_PRUNE_EVERY_S = 600.0
# Settled transactions, and reports that nobody came back to transmit.
_KEEP_S = 24 * 3600.0


class Flushed(Protocol):
    """Hold what is to be written."""

    async def flush(self) -> None:
        """Write what is new; DatabaseUnavailable if it cannot be written."""
        ...


class Pruned(Protocol):
    """Hold what is thrown away by its own rules."""

    async def prune(self) -> None:
        """Delete what is too old or too much; DatabaseUnavailable if it cannot be."""
        ...


class WriteBehind:
    """Write what stores hold back, and delete what is old."""

    def __init__(
        self,
        stores: Sequence[Flushed],
        protocol: PostgresProtocolStore,
        transactions: Sequence[TransactionStore],
        rounds: Pruned,
        clock: Clock,
    ) -> None:
        self._stores = stores
        self._protocol = protocol
        self._transactions = transactions
        self._rounds = rounds
        self._clock = clock

    async def run(self) -> None:
        """Write and delete until cancelled."""
        pruned_s = self._clock.monotonic()
        while True:
            await self._clock.sleep(_FLUSH_EVERY_S)
            await self.flush()
            if self._clock.monotonic() - pruned_s >= _PRUNE_EVERY_S:
                pruned_s = self._clock.monotonic()
                await self._prune()

    async def flush(self) -> None:
        """Write what is new in all stores; what cannot be written is lost, and said."""
        for store in self._stores:
            try:
                await store.flush()
            except DatabaseUnavailable as error:
                _log.warning("not_written", store=type(store).__name__, error=str(error))

    async def _prune(self) -> None:
        try:
            await self._protocol.delete_pending_before(self._clock.time_ms() - int(_KEEP_S * 1000))
            for store in self._transactions:
                await store.prune(_KEEP_S)
            await self._rounds.prune()
        except DatabaseUnavailable as error:
            _log.warning("not_pruned", error=str(error))
