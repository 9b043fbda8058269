"""Output whose reader may be gone."""

import subprocess
import sys

import pytest

from cli.foreground.tolerant_output import say, write_line


def test_a_closed_pipe_ends_nobody() -> None:
    """The program goes on after its reader has left, and ends with its own code and without a complaint."""
    script = """
import sys
from cli.foreground.tolerant_output import write_line
sys.stdin.readline()
for number in range(3):
    write_line(f"line {number}", sys.stdout)
sys.exit(7)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, errors = process.communicate("go\n", timeout=30)

    assert (7, "") == (process.returncode, errors)


def test_what_a_terminal_cannot_write_is_replaced(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """A terminal without Unicode costs a character, not the line."""
    import io

    stream = io.TextIOWrapper(raw := io.BytesIO(), encoding="ascii")
    write_line("BTC → USD", stream)

    assert b"BTC ? USD\n" == raw.getvalue()


def test_a_display_that_fails_is_replaced_by_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """The line is not lost, and why it was not shown is said."""

    class Broken:
        def say(self, text: str) -> None:
            raise RuntimeError("no table")

        service = round = say

    say(Broken(), "stopping")  # type: ignore[arg-type]

    assert "stopping\n(the display failed: RuntimeError('no table'))\n" == capsys.readouterr().err
