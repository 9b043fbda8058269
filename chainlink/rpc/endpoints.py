"""Which RPC endpoint is asked next: what is known about each, and the order that follows; no network here."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Hold where one RPC endpoint is; `ws_url` serves heads only, a `send_only` one gets transactions only."""

    name: str
    http_url: str
    ws_url: str | None = None
    send_only: bool = False
    order: int = 100


class Standing(enum.Enum):
    """
    Name what is known about an endpoint.

    UNPROVEN: its chain was not looked at yet, or it was away since; nothing but that question may be sent to it.
    GOOD: it is of the right chain and answers. LAGGING: it does, but its head is behind the others'.
    SILENT: it did not answer. FOREIGN: it is of another chain.
    """

    GOOD = "good"
    LAGGING = "lagging"
    UNPROVEN = "unproven"
    SILENT = "silent"
    FOREIGN = "foreign"


_PROVEN = (Standing.GOOD, Standing.LAGGING)


class EndpointBook:
    """
    Keep every endpoint's standing.

    The endpoint in use stays in use while it is good, unless one with a lower `order` is good too; endpoints that did
    not answer are asked only when no other is left, and those of another chain never, until a look finds them changed.
    """

    def __init__(self, endpoints: Sequence[Endpoint], sync_threshold: int = 5) -> None:
        self.endpoints = tuple(endpoints)
        self._sync_threshold = sync_threshold
        self._standings = [Standing.UNPROVEN] * len(self.endpoints)
        self._heads: dict[int, int] = {}
        self._current = 0

    @property
    def current(self) -> int:
        """Return the endpoint that answered last."""
        return self._current

    def standing(self, index: int) -> Standing:
        """Return what is known about an endpoint."""
        return self._standings[index]

    def is_proven(self, index: int) -> bool:
        """Tell whether an endpoint is known to be of the right chain."""
        return self._standings[index] in _PROVEN

    def for_reading(self) -> list[int]:
        """Return the endpoints a question may go to, best first."""
        ranks = {standing: rank for rank, standing in enumerate(Standing)}
        asked = [
            index
            for index, endpoint in enumerate(self.endpoints)
            if not endpoint.send_only and self._standings[index] is not Standing.FOREIGN
        ]
        return sorted(
            asked,
            key=lambda i: (ranks[self._standings[i]], self.endpoints[i].order, i != self._current, i),
        )

    def for_sending(self) -> list[int]:
        """Return the endpoints a transaction goes to: all but silent and foreign ones, or the silent if all are."""
        readable = [i for i in self.for_reading() if self._standings[i] is not Standing.SILENT]
        send_only = [
            i
            for i, endpoint in enumerate(self.endpoints)
            if endpoint.send_only and self._standings[i] not in (Standing.SILENT, Standing.FOREIGN)
        ]
        return (readable or self.for_reading()) + send_only

    def proved(self, index: int) -> None:
        """Note that an endpoint is of the right chain."""
        if self._standings[index] not in _PROVEN:
            self._standings[index] = Standing.GOOD
            self._compare()

    def disproved(self, index: int) -> None:
        """Note that an endpoint is of another chain."""
        self._standings[index] = Standing.FOREIGN
        self._forget(index)

    def answered(self, index: int) -> None:
        """Note that an endpoint answered a question."""
        self._current = index

    def failed(self, index: int) -> None:
        """Note that an endpoint did not answer; when it does again, it may be of another chain."""
        if self._standings[index] is not Standing.FOREIGN:
            self._standings[index] = Standing.SILENT
        self._forget(index)

    def saw_head(self, index: int, block: int) -> None:
        """Note an endpoint's newest block."""
        if self.is_proven(index):
            self._heads[index] = block
            self._compare()

    def _forget(self, index: int) -> None:
        self._heads.pop(index, None)
        self._compare()

    def _compare(self) -> None:
        best = max(self._heads.values(), default=0)
        for index, standing in enumerate(self._standings):
            if standing in _PROVEN:
                behind = best - self._heads.get(index, best)
                self._standings[index] = Standing.LAGGING if behind > self._sync_threshold else Standing.GOOD
