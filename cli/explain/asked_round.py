"""The round that a command is about, asked of the nodes, with errors of the command line where there is none."""

import time
from pathlib import Path

from cli.errors import CliError, UsageError
from meshkit.errors import InvalidInput, MeshError
from meshkit.explain.asking import KeptRound, ask
from meshkit.explain.selection import read_selection


async def asked_round(run_dir: Path, feed: str, round_text: str) -> KeptRound:
    """
    Return a round with what all nodes keep of it; `round_text` is as `read_selection` reads it.

    Raises:
        CliError: when no node runs here, or none keeps the round.
        UsageError: when the text selects none, or no node has a job of that name.
    """
    try:
        return await ask(run_dir, feed, read_selection(round_text, time.time()))
    except InvalidInput as error:
        raise UsageError(str(error)) from error
    except MeshError as error:
        raise CliError(str(error)) from error
