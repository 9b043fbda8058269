"""Run a command that talks with a mesh."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import grpc
import grpc.aio
import uvloop

from cli.errors import CliError


def run(work: Coroutine[Any, Any, int | None]) -> int:
    """Run it to its end and return its exit code; a call that failed is a CliError."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(work) or 0
    except grpc.aio.AioRpcError as error:
        raise CliError(explain(error)) from error


def explain(error: grpc.aio.AioRpcError) -> str:
    """Return a failed call as a sentence for a person."""
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return f"no answer from the mesh: {error.details()} (is it running? see `feedmesh run` and --run-dir)"
    return f"{error.details()} [{error.code().name}]"
