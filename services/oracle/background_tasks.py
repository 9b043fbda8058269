"""Tasks beside the body of a process."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


class BackgroundTasks:
    """Start tasks that last as long as the body; one that breaks ends the body too."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Start a task."""
        self._tasks.append(self._group.create_task(work))

    def cancel(self) -> None:
        """Cancel all tasks."""
        for task in self._tasks:
            task.cancel()


@asynccontextmanager
async def background_tasks() -> AsyncIterator[BackgroundTasks]:
    """Give the way to start tasks, which are cancelled when the body ends; the body's own error comes out as it is."""
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        tasks = BackgroundTasks(group)
        try:
            yield tasks
        except Exception as error:
            # The group would wrap it, and nobody could tell what it was.
            failure = error
        finally:
            tasks.cancel()
    if failure is not None:
        raise failure
