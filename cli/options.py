"""The options that many commands have, and how one that talks with a mesh is run."""

from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

RunDirOption = Annotated[
    Path | None, typer.Option(help="Where the sockets are. [env: FEEDMESH_RUN_DIR]", show_default=False)
]
DataDirOption = Annotated[Path | None, typer.Option(help="Where everything lasting lies. [default: by user]")]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]
ConfigOption = Annotated[Path, typer.Option(help="The deployment's configuration.json.")]


def run(work: Coroutine[Any, Any, int | None]) -> None:
    """Run a command to its end and end with its exit code; gRPC is loaded only now."""
    from cli import event_loop

    raise typer.Exit(event_loop.run(work))
