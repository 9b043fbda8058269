"""The fake nodes of a whole mesh on consecutive ports."""

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from services.operator.nodes.prepare_nodes import Preparation
from tests.operator.anvil import free_port
from tests.operator.fake_node import FakeNode, serving


def free_base(count: int) -> int:
    """Return a port whose `count` successors nobody listens on."""
    while True:
        base = free_port()
        if base + count < 65_536 and all(_is_free(base + index) for index in range(1, count + 1)):
            return base


@asynccontextmanager
async def fake_nodes(prepared: Preparation, api_base: int) -> AsyncIterator[list[FakeNode]]:
    """Serve the API of every prepared node on its port."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                serving(FakeNode(node.transmitter_address, node.peer_id), api_base + node.index)
            )
            for node in prepared.identities
        ]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
