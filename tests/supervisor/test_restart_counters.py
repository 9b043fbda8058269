"""The restart counters as files."""

from pathlib import Path

from services.supervisor.restart_counters import RestartCounters


def test_values_and_removal(run_dir: Path) -> None:
    """Both files hold one number and a newline; nothing is left after removal."""
    counters = RestartCounters(run_dir / "service")
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
    RestartCounters(run_dir / "service").write("a", 1, 0)

    assert "" == (run_dir / "service").read_text()


def test_what_others_have_there_stays(run_dir: Path) -> None:
    """The directory may be one that a host's own tools use too."""
    (run_dir / "sshd").mkdir()
    counters = RestartCounters(run_dir)
    counters.create("a")
    counters.remove()

    assert ["sshd"] == [path.name for path in run_dir.iterdir()]
