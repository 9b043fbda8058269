"""Completion of what is typed in bash, zsh and fish: `feedmesh completion SHELL` writes what the shell needs for it."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

import typer
from typer._completion_classes import completion_init
from typer._completion_shared import get_completion_script

from meshkit.errors import MeshError
from meshkit.paths import RunDir, default_run_dir

Shell = Literal["bash", "zsh", "fish"]
PROGRAM: Final = "feedmesh"
# The shell's function sets it, to `complete_bash` and the like, and runs the command for what might come next.
VARIABLE: Final = "_FEEDMESH_COMPLETE"
# Where the image has the services' restart counters.
_IMAGE_RESTART_FILES: Final = Path("/run/service")


def script(shell: Shell) -> str:
    """Return what a shell has to read once, so that it completes the command's words."""
    return get_completion_script(prog_name=PROGRAM, complete_var=VARIABLE, shell=shell)


def prepare() -> None:
    """If a shell asks for completions, have typer's way of speaking with each shell ready."""
    if VARIABLE in os.environ:
        completion_init()


def services(context: typer.Context) -> list[str]:
    """Return the names of the services of the mesh that runs, from its files: a key press is to cost no question."""
    given = context.params.get("run_dir")
    try:
        run_dir = RunDir(Path(given) if given else default_run_dir())
        return sorted({*_below(run_dir.restart_files)} or {*_below(_IMAGE_RESTART_FILES)})
    except (MeshError, OSError):
        # Who completes a word is not told what is wrong; who runs the command is.
        return []


def _below(directory: Path) -> Iterator[str]:
    return (entry.name for entry in directory.iterdir()) if directory.is_dir() else iter(())
