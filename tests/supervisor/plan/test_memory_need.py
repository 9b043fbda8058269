"""What the mesh needs of memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.configuration.node_program import NodeRuntime
from services.supervisor.plan.memory_need import heap_limit_mb, shortage

MB = 2**20
EMBEDDED: list[NodeRuntime] = ["embedded"]
CHAINLINK: list[NodeRuntime] = ["chainlink"]


@pytest.mark.parametrize(
    ("available_mb", "runtimes", "words"),
    [
        (1050, 5 * EMBEDDED, ""),
        (1049, 5 * EMBEDDED, "1049 MB of memory for a mesh that needs about 1050 MB: 5 nodes of 110 MB and 500 MB"),
        (3100, 5 * CHAINLINK, ""),
        (2048, 5 * CHAINLINK, "2048 MB of memory for a mesh that needs about 3100 MB: 5 nodes of 520 MB and 500 MB"),
        (1870, 3 * EMBEDDED + 2 * CHAINLINK, ""),
        (
            1869,
            3 * EMBEDDED + 2 * CHAINLINK,
            "1869 MB of memory for a mesh that needs about 1870 MB: 3 nodes of 110 MB, 2 nodes of 520 MB and 500 MB",
        ),
    ],
)
def test_shortage(available_mb: int, runtimes: list[NodeRuntime], words: str) -> None:
    """Too little memory is said with what is needed and for what, by the program of each node."""
    found = shortage(available_mb * MB, runtimes)

    assert found.startswith(words)
    assert bool(words) == bool(found)


@given(st.integers(0, 2**44), st.integers(1, 40), st.integers(0, 40))
def test_heaps_fit_into_what_there_is(available_bytes: int, chainlink: int, embedded: int) -> None:
    """All heaps together leave room for the rest, unless each has the least it can work with."""
    limit_mb = heap_limit_mb(available_bytes, [*CHAINLINK * chainlink, *EMBEDDED * embedded])

    assert 300 <= limit_mb
    assert 300 == limit_mb or limit_mb * chainlink <= available_bytes // MB - 500 - 110 * embedded
