"""`feedmesh logs`: log lines of a running mesh, or those that one which does not run has left in its files."""

from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

from google.protobuf.timestamp_pb2 import Timestamp

from cli.commands.log_files import kept_lines
from cli.commands.log_lines import LEVELS, ReadLine, read_line
from cli.errors import UsageError
from cli.json_output import print_json
from cli.sockets import socket_of
from feedmesh.supervisor.v1 import supervisor_service_pb2 as pb
from feedmesh.supervisor.v1 import supervisor_service_pb2_grpc as rpc
from meshkit.paths import RunDir
from meshkit.rpc.client import channel

# As many as a level may be found among.
_MOST_LINES = 20_000


@dataclass(frozen=True, slots=True)
class LogSelection:
    """
    Which lines: of these services (none: all), the last `lines`, not before `since_ms`, containing a text, of a level
    or a worse one.
    """

    services: list[str]
    lines: int
    follow: bool
    since_ms: int | None = None
    contains: str = ""
    level: str = ""


async def show(run_dir: Path, selection: LogSelection, as_json: bool, data_dir: Path | None = None) -> None:
    """Show log lines; without a mesh those since a moment of the files below `data_dir`."""
    if selection.level and selection.level not in LEVELS:
        raise UsageError(f"--level: found {selection.level!r}, allowed: {', '.join(LEVELS)}")
    shown = _as_json if as_json else _as_text
    if (kept := _left_in_files(run_dir, selection, data_dir)) is not None:
        for each in kept:
            shown(each)
        return
    found = (
        read
        async for line in tail(socket_of(run_dir, "supervisor"), _all_levels(selection))
        if (read := read_line(line.service, line.time.ToMilliseconds(), line.text)).at_least(selection.level)
    )
    if selection.level and not selection.follow:
        last: deque[ReadLine] = deque(maxlen=selection.lines)
        async for read in found:
            last.append(read)
        for read in last:
            shown(read)
    else:
        async for read in found:
            shown(read)


def _left_in_files(run_dir: Path, selection: LogSelection, data_dir: Path | None) -> list[ReadLine] | None:
    """Return the lines of the files if there is no mesh to ask; None if there is one, or no file."""
    is_up = RunDir(run_dir.absolute()).socket("supervisor").exists()
    if is_up or selection.since_ms is None or data_dir is None or not (data_dir / "logs").is_dir():
        return None
    found = kept_lines(data_dir / "logs", selection.services, selection.since_ms, selection.contains)
    return [line for line in found if line.at_least(selection.level)][-selection.lines :]


def _all_levels(selection: LogSelection) -> LogSelection:
    """Return what to ask for: lines of all levels come, so that enough of them are of the wanted ones."""
    return replace(selection, lines=_MOST_LINES) if selection.level and not selection.follow else selection


def _as_json(line: ReadLine) -> None:
    print_json(line.as_dict())


def _as_text(line: ReadLine) -> None:
    print(line.text, flush=True)


async def tail(socket: Path, selection: LogSelection) -> AsyncIterator[pb.LogLine]:
    """Yield the selected lines, oldest first."""
    request = pb.TailLogsRequest(
        services=selection.services,
        lines=selection.lines,
        follow=selection.follow,
        contains=selection.contains,
    )
    if selection.since_ms is not None:
        request.since.CopyFrom(Timestamp(seconds=selection.since_ms // 1000, nanos=selection.since_ms % 1000 * 10**6))
    async with channel(socket) as connection:
        async for response in rpc.SupervisorServiceStub(connection).TailLogs(request):
            yield response.line
