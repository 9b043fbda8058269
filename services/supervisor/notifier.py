"""Wake everybody who waits for the next change, without keeping a queue for anybody."""

import asyncio


class Notifier:
    """
    A signal that any number of tasks may wait for.

    Who waits keeps its own position in what changed, so a slow one costs the others nothing.
    """

    def __init__(self) -> None:
        self._next: asyncio.Future[None] | None = None

    def notify(self) -> None:
        """Wake all who wait now."""
        if self._next is not None:
            if not self._next.done():
                self._next.set_result(None)
            self._next = None

    async def wait(self) -> None:
        """Return at the next beat; nothing is missed between a look and a wait that has no await in between."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._next)
