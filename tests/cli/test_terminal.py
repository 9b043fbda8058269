"""Where tables are shown."""

import pytest
from rich.table import Table

from cli import terminal


def test_nothing_is_cut_where_a_program_reads(capsys: pytest.CaptureFixture[str]) -> None:
    """A table that is wider than any terminal is whole, without colours and without white space at the ends."""
    cells = [f"{number}" * 60 for number in range(5)]
    table = Table(*"abcde", box=None, pad_edge=False)
    table.add_row(*cells)

    terminal.console().print(table)

    heading, row = capsys.readouterr().out.splitlines()
    assert cells == row.split()
    assert len(row) < 400
    assert "\x1b" not in heading + row
