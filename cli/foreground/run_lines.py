"""Show a run where there is no terminal: plain lines."""

import time
from collections.abc import Callable

from cli.foreground.run_report import FeedRecord
from feedmesh.operator.v1 import operator_service_pb2 as operator_pb
from feedmesh.supervisor.v1 import supervisor_service_pb2 as supervisor_pb
from meshkit.listings.services import state_name


class Lines:
    """One line for every change of a service and for every accepted round."""

    def __init__(self, write: Callable[[str], None], started_s: float) -> None:
        self._write = write
        self._started_s = started_s

    def say(self, text: str) -> None:
        """Write a line with the time since the start."""
        self._write(f"{time.monotonic() - self._started_s:7.1f}s  {text}")

    def service(self, service: supervisor_pb.Service) -> None:
        """Tell a service's new state."""
        pid = f" pid {service.pid}" if service.pid else ""
        message = f": {service.message}" if service.message else ""
        self.say(f"{service.name:<20} {state_name(service.state)}{pid}{message}")

    def round(self, accepted: operator_pb.Round, record: FeedRecord) -> None:
        """Tell an accepted round."""
        self.say(
            f"{accepted.feed:<20} round {accepted.round_id} answer {accepted.answer}"
            f" observers {','.join(_short(name) for name in accepted.observers)}"
            f" transmitter {_short(accepted.transmitter)} ({record.rounds} in this run)"
        )


def _short(node: str) -> str:
    return node.removeprefix("chainlink-")
