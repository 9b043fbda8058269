"""The fake nodes of a whole mesh on consecutive ports."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from services.operator.nodes.prepare_nodes import Preparation
from tests.operator.fake_node import FakeNode, serving


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
