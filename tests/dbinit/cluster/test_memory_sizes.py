"""How much of the memory the server is given."""

from hypothesis import given
from hypothesis import strategies as st

from services.dbinit.cluster.memory_sizes import sizes

GB = 2**30


@given(st.integers(min_value=0, max_value=2**45), st.integers(min_value=20, max_value=10_000))
def test_sizes_fit_the_memory(memory_bytes: int, connections: int) -> None:
    """Every size stays in its bounds; from 512 MB on, cache and upkeep together take less than a quarter."""
    given_sizes = sizes(memory_bytes, connections)

    assert 32 <= given_sizes.shared_buffers_mb <= 256
    assert 8 <= given_sizes.maintenance_work_mb <= 64
    assert 256 <= given_sizes.work_kb <= 4096
    # Three processes clean up at the same time.
    taken_mb = given_sizes.shared_buffers_mb + 3 * given_sizes.maintenance_work_mb
    assert memory_bytes < GB // 2 or taken_mb * 4 * 2**20 <= memory_bytes


@given(st.integers(min_value=0, max_value=2**40), st.integers(min_value=0, max_value=2**40))
def test_more_memory_is_never_less_for_the_server(one: int, other: int) -> None:
    """No size shrinks when the memory grows."""
    less, more = (sizes(size, 1000) for size in sorted((one, other)))

    assert less.shared_buffers_mb <= more.shared_buffers_mb
    assert less.maintenance_work_mb <= more.maintenance_work_mb
    assert less.effective_cache_mb <= more.effective_cache_mb
    assert less.work_kb <= more.work_kb
