"""What the mesh needs of memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.supervisor.plan.memory_need import heap_limit_mb, shortage
from services.supervisor.plan.plan_input import NodeRuntime

MB = 2**20


@pytest.mark.parametrize(
    ("available_mb", "nodes", "runtime", "words"),
    [
        (1050, 5, "embedded", ""),
        (1049, 5, "embedded", "1049 MB of memory for a mesh that needs about 1050 MB: 5 nodes of 110 MB"),
        (3100, 5, "chainlink", ""),
        (2048, 5, "chainlink", "2048 MB of memory for a mesh that needs about 3100 MB: 5 nodes of 520 MB"),
    ],
)
def test_shortage(available_mb: int, nodes: int, runtime: NodeRuntime, words: str) -> None:
    """Too little memory is said with what is needed and for what."""
    found = shortage(available_mb * MB, nodes, runtime)

    assert found.startswith(words)
    assert bool(words) == bool(found)


@given(st.integers(0, 2**44), st.integers(5, 40))
def test_heaps_fit_into_what_there_is(available_bytes: int, nodes: int) -> None:
    """All heaps together leave room for the rest, unless each has the least it can work with."""
    limit_mb = heap_limit_mb(available_bytes, nodes)

    assert 300 <= limit_mb
    assert 300 == limit_mb or limit_mb * nodes <= available_bytes // MB - 500
