"""The restart counters as files."""

from pathlib import Path

from meshkit.paths import RunDir
from services.supervisor.restart_counters import RestartCounters


def test_values_and_removal(run_dir: Path) -> None:
    """Both files hold one number and a newline; nothing is left after removal."""
    counters = RestartCounters(RunDir(run_dir))
    counters.create("a")
    directory = run_dir / "service" / "a"
    before = {path.name: path.read_text() for path in directory.iterdir()}
    counters.write("a", 3, 1_700_000_000_999)
    after = {path.name: path.read_text() for path in directory.iterdir()}
    counters.remove()

    assert {"restart-count": "0\n", "last-restart": "0\n"} == before
    assert {"restart-count": "3\n", "last-restart": "1700000000\n"} == after
    assert [] == list(run_dir.iterdir())


def test_a_directory_that_takes_nothing_ends_nobody(run_dir: Path) -> None:
    """The values are for people who watch; without a place for them the mesh goes on."""
    (run_dir / "service").touch()
    RestartCounters(RunDir(run_dir)).write("a", 1, 0)

    assert "" == (run_dir / "service").read_text()
