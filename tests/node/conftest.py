"""The node under test: ours with all tests, Chainlink's own where it is asked for (`make test-node`)."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.mesh.running import own_directory
from tests.node import node, rest
from tests.node.node import NodeUnderTest
from tests.node.program import HINT, chainlink_program
from tests.node.rest import Rest


@pytest.fixture(name="chainlink", scope="session")
def _chainlink() -> Path:
    """Give Chainlink's program; without it nothing of what was asked for can be said."""
    program = chainlink_program()
    if program is None:
        pytest.exit(f"there is no chainlink program: {HINT}", returncode=1)
    return program


@pytest.fixture(
    name="node",
    scope="module",
    params=["embedded", pytest.param("chainlink", marks=pytest.mark.chainlink_node)],
)
def _node(request: pytest.FixtureRequest) -> Iterator[NodeUnderTest]:
    """Give a node that runs; the tests of a module leave it as they found it."""
    program = request.getfixturevalue("chainlink") if request.param == "chainlink" else None
    with own_directory() as directory, node.running(directory, request.param, program) as running:
        yield running


@pytest.fixture(name="api")
async def _api(node: NodeUnderTest) -> AsyncIterator[Rest]:
    """Give a session with the node, logged in as the operator is."""
    async with rest.logged_in(node) as session:
        yield session
