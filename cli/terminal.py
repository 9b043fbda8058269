"""Where tables are shown: at a terminal as wide as it is, and uncut where a program reads them."""

import sys
from typing import Final

from rich.console import Console

# Wider than any table of ours; tables take what they need of it only.
_UNCUT: Final = 10_000


def console() -> Console:
    """Return the console of standard output; when that is no terminal, nothing is cut or wrapped to fit one."""
    return Console() if sys.stdout.isatty() else Console(width=_UNCUT, no_color=True)
