"""Which connections there are, and which one yields when there is no room for another."""

from typing import Generic, Protocol, TypeVar

from meshkit.http.limits import HttpLimits


class Closable(Protocol):
    """A connection, as far as it can be ended."""

    def abort(self) -> None:
        """End it at once."""
        ...


_C = TypeVar("_C", bound=Closable)


class Connections(Generic[_C]):
    """
    Hold the connections of a server, each with its peer in `open`.

    Where a peer, or all together, have as many as they may, the one that has waited longest for a whole request yields:
    so those who open connections and say nothing keep nobody out. One whose request is being answered never yields.
    """

    def __init__(self, limits: HttpLimits) -> None:
        self._limits = limits
        self._count_of: dict[str, int] = {}
        # In the order in which they began to wait.
        self._waiting: dict[str, dict[_C, None]] = {}
        self.open: dict[_C, str] = {}
        self._is_closed = False

    def close(self) -> None:
        """Admit no more: one may have come before the server stopped to listen, and be told of only now."""
        self._is_closed = True

    def admit(self, connection: _C, peer: str) -> bool:
        """Take a new connection, which waits for its request; return False if there is no room for it, or the end."""
        if self._is_closed:
            return False
        if self._count_of.get(peer, 0) >= self._limits.of_peer(peer):
            if not self._end_one(self._waiting.get(peer, {})):
                return False
        elif len(self.open) >= self._limits.connections:
            # Who has most connections is the likeliest to have too many.
            most = max(self._waiting, key=lambda each: len(self._waiting[each]), default=peer)
            if not self._end_one(self._waiting.get(most, {})):
                return False
        self.open[connection] = peer
        self._count_of[peer] = self._count_of.get(peer, 0) + 1
        self._waiting.setdefault(peer, {})[connection] = None
        return True

    def answers(self, connection: _C) -> None:
        """Note that a connection's request is whole and being answered."""
        if (peer := self.open.get(connection)) is not None:
            self._waiting.get(peer, {}).pop(connection, None)

    def waits(self, connection: _C) -> None:
        """Note that a connection begins to wait for its next request."""
        if (peer := self.open.get(connection)) is not None:
            waiting = self._waiting.setdefault(peer, {})
            waiting.pop(connection, None)
            waiting[connection] = None

    def forget(self, connection: _C) -> None:
        """Note that a connection has ended."""
        peer = self.open.pop(connection, None)
        if peer is None:
            return
        waiting = self._waiting.get(peer, {})
        waiting.pop(connection, None)
        if not waiting:
            self._waiting.pop(peer, None)
        self._count_of[peer] -= 1
        if not self._count_of[peer]:
            del self._count_of[peer]

    def _end_one(self, waiting: dict[_C, None]) -> bool:
        connection = next(iter(waiting), None)
        if connection is None:
            return False
        self.forget(connection)
        connection.abort()
        return True
