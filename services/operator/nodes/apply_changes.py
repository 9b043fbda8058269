"""Make a node's changes: few at once, and all that can be made, whichever cannot."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from services.operator.errors import NodeFailure, NodeRefused, NodeUnavailable
from services.operator.nodes import feed_jobs
from services.operator.nodes.job_and_bridge_changes import (
    CreateJob,
    DeleteJob,
    EnableAccount,
    ImportBundle,
    NodeChange,
    SetBridge,
)
from services.operator.nodes.rest_client import NodeClient

_AT_ONCE = 4
# What fails that often in one pass fails for a reason that the next pass has to find gone.
_MOST_FAILURES = 8
# After these the node has no answer for the rest either.
_AWAY = frozenset({NodeFailure.TIMEOUT, NodeFailure.CONNECTION, NodeFailure.LIMIT, NodeFailure.LOGIN})
# What jobs need comes first, then room for new jobs, then these.
_ORDER: tuple[tuple[type, ...], ...] = ((EnableAccount, ImportBundle, SetBridge), (DeleteJob,), (CreateJob,))


async def apply(
    client: NodeClient,
    changes: Sequence[NodeChange],
    exports: Mapping[str, str],
    password: str,
    account: tuple[str, int],
    done: Callable[[NodeChange], None],
) -> None:
    """
    Make the changes and tell `done` of each that is made.

    `exports` are the node's OCR bundles by their ids, which only an oracle has, encrypted with `password`. `account` is
    the transmitter's address and its chain.

    Raises:
        NodeRefused, NodeUnavailable: the first that came, once all else is done; it says how many came beside it.
    """

    async def make(change: NodeChange) -> None:
        match change:
            case EnableAccount():
                await client.enable_account(*account)
            case ImportBundle(bundle_id, version):
                await client.ensure_ocr_bundle(exports[bundle_id], password, bundle_id, version)
            case SetBridge(url, exists=True):
                await client.update_bridge(feed_jobs.BRIDGE_NAME, url)
            case SetBridge(url):
                await client.create_bridge(feed_jobs.BRIDGE_NAME, url)
            case DeleteJob(job_id):
                await client.delete_job(job_id)
            case CreateJob(spec):
                await client.create_job(spec)
        done(change)

    for kinds in _ORDER:
        await _all([change for change in changes if isinstance(change, kinds)], make)


async def _all(changes: Sequence[NodeChange], make: Callable[[NodeChange], Coroutine[Any, Any, None]]) -> None:
    left = deque(changes)
    failures: list[NodeRefused | NodeUnavailable] = []
    stopped = asyncio.Event()

    async def work() -> None:
        while left and not stopped.is_set() and len(failures) < _MOST_FAILURES:
            try:
                await make(left.popleft())
            except (NodeRefused, NodeUnavailable) as error:
                failures.append(error)
                if isinstance(error, NodeUnavailable) and error.failure in _AWAY:
                    stopped.set()

    async with asyncio.TaskGroup() as group:
        for _ in range(min(_AT_ONCE, len(left))):
            group.create_task(work())
    if failures:
        raise failures[0].among(len(failures), len(left))
