"""Log lines of a mesh that does not run."""

import asyncio
from pathlib import Path

import pytest

from cli.commands.log_files import kept_lines
from cli.commands.logs import LogSelection, show
from cli.errors import CliError
from meshkit.clock import ManualClock
from services.supervisor.logs.lines import stamp
from services.supervisor.logs.rotating_file import RotatingFile

START_MS = 1_700_000_000_000


def write(directory: Path, service: str, *texts: str, limit: int = 10_000) -> None:
    """Write lines a second apart as the supervisor does."""
    clock = ManualClock(START_MS)
    file = RotatingFile(directory / f"{service}.log", limit, 5)
    for text in texts:
        file.write(f"{stamp(clock.time_ms())} {text}\n".encode())
        clock.advance(1)
    file.close()


def test_lines_of_all_files_come_in_the_order_of_their_times(tmp_path: Path) -> None:
    """Rotated files and several services make one list, oldest first; what is no log file has no part in it."""
    write(tmp_path, "postgres", "a", "b", "c", "d", limit=70)
    write(tmp_path, "operator", '{"event": "reconciled", "level": "info"}')
    (tmp_path / "notes.txt").write_text("no log")
    assert len(list(tmp_path.glob("postgres.log*"))) > 1

    found = kept_lines(tmp_path, [], 0, "")

    assert ["reconciled", "a", "b", "c", "d"] == [line.message for line in found]
    assert ["c", "d"] == [line.message for line in kept_lines(tmp_path, ["postgres"], START_MS + 2000, "")]
    assert ["b"] == [line.message for line in kept_lines(tmp_path, ["postgres"], 0, " B")]


def test_a_line_without_a_beginning_is_left_out(tmp_path: Path) -> None:
    """What was cut off by a full disk costs that line, and no other."""
    (tmp_path / "a.log").write_text(f"cut off\n{stamp(START_MS)} whole\n\n")

    assert ["whole"] == [line.message for line in kept_lines(tmp_path, [], 0, "")]


def test_without_a_mesh_the_files_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --since the lines are shown that the files have, the last ones, of the level that is asked for."""
    (tmp_path / "logs").mkdir()
    levels = ("warning", "info", "error")
    write(
        tmp_path / "logs", "operator", *(f'{{"event": "e{n}", "level": "{level}"}}' for n, level in enumerate(levels))
    )
    selection = LogSelection([], 1, follow=False, since_ms=START_MS, level="warning")

    asyncio.run(show(tmp_path / "run", selection, as_json=False, data_dir=tmp_path))

    assert "22:13:22.000 error    operator           e2\n" == capsys.readouterr().out


@pytest.mark.parametrize("since_ms", [None, START_MS])
def test_without_mesh_and_files_it_is_said(tmp_path: Path, since_ms: int | None) -> None:
    """Without a mesh, and without files or without --since, there is one line that says that none runs."""
    with pytest.raises(CliError, match="no mesh runs here"):
        asyncio.run(
            show(tmp_path, LogSelection([], 9, follow=False, since_ms=since_ms), as_json=True, data_dir=tmp_path)
        )
