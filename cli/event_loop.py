"""Run a command that talks with a mesh."""

import asyncio
import re
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio
import uvloop

from cli.errors import CliError
from cli.sockets import MESH_RUNS, is_answered
from meshkit.paths import RunDir
from meshkit.rpc.client import error_info

_WHOM: Final = re.compile(r"unix:(?P<run_dir>\S*)/(?P<service>[^/\s]+)\.sock")
# What grpc itself says of a server that does not answer; ours say it with details.
_SILENCE: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})


def run(work: Coroutine[Any, Any, int | None]) -> int:
    """Run it to its end and return its exit code; a call that failed is a CliError."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work) or 0
    except grpc.aio.AioRpcError as error:
        raise CliError(*explain(error)) from error


def explain(error: grpc.aio.AioRpcError) -> tuple[str, str]:
    """
    Return a failed call as a sentence for a person, and a hint; nothing if there is none.

    What a server of ours has answered is told as that: of a chain or a source that is away it says so itself. Of one
    that gives no answer it is told which one it is, and that the mesh does not run only if its supervisor gives none.
    """
    details = str(error.details() or "").strip()
    if error_info(error) is not None or error.code() not in _SILENCE:
        return f"{details} [{error.code().name}]", ""
    whom = _WHOM.search(details) or _WHOM.search(error.debug_error_string() or "")
    if whom is None:
        return f"no answer: {details or error.code().name}", "is the mesh running? see `feedmesh run` and --run-dir"
    run_dir, service = RunDir(Path(whom["run_dir"])), whom["service"]
    if service == "supervisor" or not is_answered(run_dir.socket("supervisor")):
        return f"no answer from the mesh: {details}", "is it running? see `feedmesh run` and --run-dir"
    return f"no answer from {service}: {details}", MESH_RUNS
