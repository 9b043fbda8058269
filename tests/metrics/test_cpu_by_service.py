"""The arithmetic of measuring."""

from hypothesis import given
from hypothesis import strategies as st

from services.metrics.cpu_by_service import SHORTEST_WINDOW_S, CpuMeter, key, owners
from services.metrics.snapshot import ProcessReading


def reading(pid: int = 1, started_s: float = 0.0, cpu_s: float = 0.0) -> ProcessReading:
    """Return a reading of which only the CPU time matters."""
    return ProcessReading(pid, started_s, "p", cpu_s, 0.0, 0)


def test_first_reading_has_no_share() -> None:
    """A share needs two readings."""
    assert CpuMeter().measure([reading(cpu_s=5)], 100.0) == {(1, 0.0): None}


def test_share_is_cpu_time_over_time_passed() -> None:
    """Half a core for two seconds is 50, two cores are 200."""
    meter = CpuMeter()
    meter.measure([reading(1, cpu_s=5), reading(2, cpu_s=0)], 100.0)

    assert meter.measure([reading(1, cpu_s=6), reading(2, cpu_s=4)], 102.0) == {(1, 0.0): 50.0, (2, 0.0): 200.0}


def test_pid_used_again_begins_anew() -> None:
    """A process with an old pid and a new start time has no share yet, rather than a negative one."""
    meter = CpuMeter()
    meter.measure([reading(1, started_s=10.0, cpu_s=50)], 100.0)

    assert meter.measure([reading(1, started_s=99.0, cpu_s=1)], 102.0) == {(1, 99.0): None}


def test_second_scraper_sees_the_share_of_the_first() -> None:
    """A reading right after another repeats its share and does not shorten the next window."""
    meter = CpuMeter()
    meter.measure([reading(cpu_s=0)], 100.0)
    meter.measure([reading(cpu_s=1)], 102.0)

    assert meter.measure([reading(cpu_s=1.01)], 102.0 + SHORTEST_WINDOW_S / 2) == {(1, 0.0): 50.0}
    assert meter.measure([reading(cpu_s=3)], 104.0) == {(1, 0.0): 100.0}


def test_gone_processes_are_forgotten() -> None:
    """A process that was missing once begins anew, so nothing is kept for ever."""
    meter = CpuMeter()
    meter.measure([reading()], 100.0)
    meter.measure([], 102.0)

    assert meter.measure([reading()], 104.0) == {(1, 0.0): None}


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), min_size=1))
def test_share_is_never_negative(steps: list[tuple[float, float]]) -> None:
    """Whatever the readings say, a share is absent or at least 0."""
    meter, now_s = CpuMeter(), 0.0
    for passed_s, cpu_s in steps:
        now_s += passed_s
        share = meter.measure([reading(cpu_s=cpu_s)], now_s)[key(reading())]

        assert share is None or share >= 0


def test_nearest_root_owns() -> None:
    """A process belongs to the nearest root above it: services below the supervisor are not the supervisor's."""
    parents = {1: 0, 10: 1, 11: 10, 12: 11, 20: 10, 21: 20, 22: 21, 99: 1}
    roots = {10: "supervisor", 11: "postgres", 21: "market"}

    assert owners(parents, roots) == {
        10: "supervisor",
        20: "supervisor",
        11: "postgres",
        12: "postgres",
        21: "market",
        22: "market",
    }


def test_dead_root_owns_nothing() -> None:
    """A root that is no longer in the process table is not there, nor are processes that still name it as parent."""
    assert owners({12: 11, 1: 0}, {11: "postgres"}) == {}


@given(st.dictionaries(st.integers(1, 30), st.integers(0, 30)), st.dictionaries(st.integers(1, 30), st.text()))
def test_any_table_is_read(parents: dict[int, int], roots: dict[int, str]) -> None:
    """Even a table with circles is read, every living root owns itself, and only existing processes are named."""
    found = owners(parents, roots)

    assert {pid: roots[pid] for pid in roots if pid in parents}.items() <= found.items()
    assert found.keys() <= parents.keys()
