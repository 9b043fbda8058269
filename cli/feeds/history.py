"""`feedmesh feeds history`: the last answers of a feed's contract, as a line in the terminal or an image."""

from decimal import Decimal
from pathlib import Path
from typing import Final

from cli import terminal
from cli.errors import CliError
from cli.feeds import chart
from cli.feeds.chart import Point
from cli.json_output import as_json_values, print_json
from cli.sockets import socket_of
from feedmesh.operator.v1 import operator_service_pb2 as pb
from feedmesh.operator.v1 import operator_service_pb2_grpc as pb_grpc
from meshkit.rpc.client import channel

_TIMEOUT_S: Final = 120.0
_ROWS: Final = 12
_WIDEST: Final = 120


async def history(run_dir: Path, name: str, count: int, png: Path | None, as_json: bool) -> None:
    """Show a feed's last answers, and write them as an image. Raises CliError if there is none yet."""
    async with channel(socket_of(run_dir, "operator")) as connection:
        request = pb.ListAnswersRequest(feed=name, count=count)
        found = await pb_grpc.OperatorServiceStub(connection).ListAnswers(request, timeout=_TIMEOUT_S)
    points = [Point(each.update_time.seconds, Decimal(each.answer)) for each in found.answers]
    if not points:
        raise CliError(f"{name} has no answer yet", "see `feedmesh feeds`")
    if png is not None:
        try:
            chart.png(points, f"{name}, rounds {found.answers[0].round_id} to {found.answers[-1].round_id}", png)
        except OSError as error:
            raise CliError(f"{png} cannot be written: {error.strerror or error}") from error
    if as_json:
        print_json({"feed": name, **as_json_values(found)})
        return
    console = terminal.console()
    for line in chart.lines(points, min(console.width, _WIDEST), _ROWS):
        console.print(line, markup=False, highlight=False, no_wrap=True, crop=True)
    console.print(f"{name}: {len(points)} answers, the last {found.answers[-1].answer}", markup=False, highlight=False)
