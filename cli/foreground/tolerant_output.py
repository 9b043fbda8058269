"""Show things to whoever may have gone: a closed pipe or a terminal that hung up is no failure of what is shown."""

import os
import sys
from typing import Protocol, TextIO

from cli.foreground.run_report import FeedRecord
from feedmesh.operator.v1 import operator_service_pb2 as operator_pb
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor_pb


class Display(Protocol):
    """Shows what happens to a mesh."""

    def say(self, text: str) -> None:
        """Show a line."""
        ...

    def service(self, service: supervisor_pb.Service) -> None:
        """Show a service's new state."""
        ...

    def round(self, accepted: operator_pb.Round, record: FeedRecord) -> None:
        """Show an accepted round."""
        ...


def write_line(text: str, stream: TextIO) -> None:
    """Write a line at once; when nobody reads any more, this and all later output is thrown away."""
    try:
        print(text.encode(stream.encoding, "replace").decode(stream.encoding), file=stream, flush=True)
    except OSError:
        # The interpreter flushes the stream once more at its end, and would fail then.
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def say(display: Display, text: str) -> None:
    """Have a display show a line, or say on standard error what keeps it from that."""
    try:
        display.say(text)
    except Exception as error:  # a terminal that is gone, a defect of a table
        write_line(f"{text}\n(the display failed: {error!r})", sys.stderr)
